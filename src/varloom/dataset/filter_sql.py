"""The filter language: its text becomes a condition for DuckDB that is built anew, node by node.

docs/reference/filters.md describes the language. Nothing of the user's text reaches DuckDB: columns become the names
of the view `cells`, values become parameters, and only the node types handled here are accepted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sqlglot import exp

from varloom.dataset.filter_tokens import invalid, parse
from varloom.dataset.regions import both_names, parse_region
from varloom.dataset.table_columns import TableColumn, TableColumns, ValueKind
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_COMPARISONS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("<>", "<>"),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
"""Each comparison, as it is and with its sides exchanged."""

_TEXT_FUNCTIONS: dict[type[exp.Expr], str] = {
    exp.Contains: "contains",
    exp.StartsWith: "starts_with",
    exp.EndsWith: "ends_with",
}
_EXAMPLES = {ValueKind.NUMBER: "a number such as 10 or 0.5", ValueKind.TEXT: "a text in single quotes such as 'PASS'"}
_LARGEST_INTEGER = 2**127 - 1
_MOST_DIGITS = 1000
"""Characters of one number; Python refuses to read an integer of several thousands."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition in DuckDB's SQL over the view `cells`, and the values of its parameters."""

    sql: str
    parameters: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for conditions that select the same rows by the same text."""
        return (self.sql, *((name, type(value).__name__, value) for name, value in self.parameters.items()))


EVERYTHING = Condition("true")


def compile_filter(text: str, columns: TableColumns) -> Condition:
    """Compile the text of a filter; a blank text selects everything.

    Raises:
        VarloomError: `filter_invalid`, with the position in the text and what was expected.
    """
    if not text.strip():
        return EVERYTHING
    return _Compiler(text, columns).compile()


@dataclass(frozen=True, slots=True)
class _Value:
    """A literal of the text."""

    value: Any
    kind: ValueKind


class _Compiler:
    """One pass over the tree of one filter."""

    def __init__(self, text: str, columns: TableColumns) -> None:
        self._text = text
        self._columns = columns
        self._parameters: dict[str, Any] = {}
        self._conditions: dict[type[exp.Expr], Callable[[Any], str]] = {
            exp.And: lambda node: self._joined(node, " AND "),
            exp.Or: lambda node: self._joined(node, " OR "),
            exp.Not: lambda node: f"(NOT {self._condition(node.this)})",
            exp.Paren: lambda node: self._condition(node.this),
            exp.Boolean: lambda node: "true" if node.this else "false",
            exp.In: self._in,
            exp.Between: self._between,
            exp.Like: self._like,
            exp.ILike: self._like,
            exp.Escape: self._escape,
            exp.Is: self._is,
            exp.Column: self._flag,
            exp.Dot: self._flag,
            exp.Anonymous: self._function,
            **dict.fromkeys(_COMPARISONS, self._comparison),
            **dict.fromkeys(_TEXT_FUNCTIONS, self._text_function),
        }

    def compile(self) -> Condition:
        """The whole condition."""
        try:
            return Condition(self._condition(parse(self._text)), self._parameters)
        except RecursionError:
            raise invalid(self._text, 0, "it is nested too deeply.") from None

    # Conditions

    def _condition(self, node: exp.Expr) -> str:
        handler = self._conditions.get(type(node))
        if handler is None:
            raise self._refused(node)
        return handler(node)

    def _joined(self, node: exp.Connector, word: str) -> str:
        return f"({word.join(self._condition(part) for part in node.flatten(unnest=False))})"

    def _comparison(self, node: exp.Binary) -> str:
        self._only(node, "this", "expression")
        operator, exchanged = _COMPARISONS[type(node)]
        left, right = self._operand(node.left), self._operand(node.right)
        side = node.right if isinstance(left, TableColumn) else node.left
        if isinstance(left, TableColumn) and isinstance(right, TableColumn):
            return self._compared_columns(node, left, operator, right)
        if isinstance(right, TableColumn) and isinstance(left, _Value):
            left, right, operator = right, left, exchanged
        if not isinstance(left, TableColumn) or not isinstance(right, _Value):
            raise self._error(node, "one side of a comparison has to be a column.")
        value = self._parameter(self._fitting(side, left, right))
        if operator == "<>":
            return f"(NOT {self._any(left, lambda cell: f'{cell} = {value}')})"
        guard = _is_a_number if operator in {">", ">="} else _as_it_is
        return self._any(left, lambda cell: f"{cell} {operator} {value}{guard(left, cell)}")

    def _compared_columns(self, node: exp.Expr, left: TableColumn, operator: str, right: TableColumn) -> str:
        if left.is_list or right.is_list:
            raise self._error(node, "a column of lists can only be compared with a value.")
        if left.kind is not right.kind:
            raise self._error(node, f"{left.name} holds {_held(left)} and {right.name} holds {_held(right)}.")
        guards = "" if operator in {"=", "<>"} else "".join(_is_a_number(side, side.sql) for side in (left, right))
        return f"({left.sql} {operator} {right.sql}{guards})"

    def _in(self, node: exp.In) -> str:
        self._only(node, "this", "expressions")
        column = self._column(node.this)
        values = [self._fitting(item, column, self._literal(item)) for item in node.expressions]
        if not values:
            raise self._error(node, "IN needs a list of values in parentheses, such as filter IN ('PASS', 'q10').")
        listed = ", ".join(self._parameter(value) for value in values)
        return self._any(column, lambda cell: f"{cell} IN ({listed})")

    def _between(self, node: exp.Between) -> str:
        self._only(node, "this", "low", "high")
        column = self._column(node.this)
        bounds = (node.args["low"], node.args["high"])
        low, high = (self._parameter(self._fitting(bound, column, self._literal(bound))) for bound in bounds)
        return self._any(column, lambda cell: f"{cell} BETWEEN {low} AND {high}")

    def _like(self, node: exp.Like | exp.ILike, escape: str = "") -> str:
        self._only(node, "this", "expression", "negate")
        operator = "ILIKE" if isinstance(node, exp.ILike) else "LIKE"
        column, wanted = self._text_column(node.this), self._text_literal(node.expression)
        if escape and _ends_within_escape(wanted, escape):
            raise self._error(node, f"the pattern ends with its ESCAPE character {escape!r}; write it twice.")
        pattern = self._parameter(wanted)
        clause = f" ESCAPE {self._parameter(escape)}" if escape else ""
        matched = self._any(column, lambda cell: f"{cell} {operator} {pattern}{clause}")
        return f"(NOT {matched})" if node.args.get("negate") else matched

    def _escape(self, node: exp.Escape) -> str:
        self._only(node, "this", "expression")
        escape = self._text_literal(node.expression)
        if not isinstance(node.this, exp.Like | exp.ILike) or len(escape) != 1 or not escape.isascii():
            raise self._error(node, "ESCAPE needs one character, of ASCII, after LIKE or ILIKE.")
        return self._like(node.this, escape)

    def _is(self, node: exp.Is) -> str:
        self._only(node, "this", "expression")
        column = self._column(node.this)
        if isinstance(node.expression, exp.Null):
            return f"({column.sql} IS NULL)"
        if isinstance(node.expression, exp.Boolean) and column.kind is ValueKind.FLAG and not column.is_list:
            return f"({column.sql} IS {'true' if node.expression.this else 'false'})"
        raise self._error(node, "IS goes with NULL or NOT NULL, and with TRUE or FALSE for flags.")

    def _flag(self, node: exp.Expr) -> str:
        column = self._column(node)
        if column.kind is not ValueKind.FLAG or column.is_list:
            raise self._error(node, f"{column.name} holds {_held(column)}; an operator and a value were expected.")
        return f"({column.sql} = true)"

    def _text_function(self, node: exp.Expr) -> str:
        self._only(node, "this", "expression")
        name = _TEXT_FUNCTIONS[type(node)]
        column, wanted = self._text_column(node.this), self._parameter(self._text_literal(node.args["expression"]))
        return self._any(column, lambda cell: f"{name}({cell}, {wanted})")

    def _function(self, node: exp.Anonymous) -> str:
        match (str(node.this).lower(), node.expressions):
            case ("has", [of, value]):
                column = self._column(of)
                if not column.is_list:
                    raise self._error(node, f"has() needs a column of lists; for {column.name} use = instead.")
                wanted = self._parameter(self._fitting(value, column, self._literal(value)))
                return self._any(column, lambda cell: f"{cell} = {wanted}")
            case ("region", [where]):
                return self._region(node, self._text_literal(where))
            case (("has" | "region") as name, _):
                usage = {"has": "has(INFO.AC, 2)", "region": "region('chr7:117559590-117559600')"}[name]
                raise self._error(node, f"{name} is used as {usage}.")
        raise self._refused(node)

    def _region(self, node: exp.Expr, text: str) -> str:
        contig, position = self._columns.find("contig"), self._columns.find("position")
        if contig is None or position is None or position.kind is not ValueKind.NUMBER:
            raise self._error(node, "region() needs a table with the columns contig and position.")
        region = parse_region(text, self._columns.contigs)
        if region is None:
            raise self._error(node, f"{safe_excerpt(text, 40)!r} is no region such as 'chr7:117559590-117559600'.")
        names = [region.contig] if self._columns.contigs else both_names(region.contig)
        cell = contig.sql if contig.kind is ValueKind.TEXT else f"CAST({contig.sql} AS VARCHAR)"
        parts = [f"{cell} IN ({', '.join(self._parameter(name) for name in names)})"]
        if region.start is not None:
            parts.append(f"{position.sql} >= {self._parameter(region.start)}")
        if region.end is not None:
            parts.append(f"{position.sql} <= {self._parameter(region.end)}")
        return f"({' AND '.join(parts)})"

    # Operands

    def _operand(self, node: exp.Expr) -> TableColumn | _Value:
        if isinstance(node, exp.Paren):
            return self._operand(node.this)
        if isinstance(node, exp.Column | exp.Dot):
            return self._column(node)
        return self._literal(node)

    def _column(self, node: exp.Expr) -> TableColumn:
        if isinstance(node, exp.Paren):
            return self._column(node.this)
        names = _name_parts(node)
        if names is None:
            raise self._error(node, "a column was expected here.") if _is_literal(node) else self._refused(node)
        name = ".".join(names)
        column = self._columns.find(name)
        if column is None:
            hint = " If a text was meant, put it in single quotes." if _is_compared_with(node) else ""
            raise self._error(node, self._columns.unknown(name) + hint)
        if column.kind is None:
            raise self._error(node, f"{column.name} holds lists of lists or of entries, which filters cannot ask.")
        return column

    def _text_column(self, node: exp.Expr) -> TableColumn:
        column = self._column(node)
        if column.kind is not ValueKind.TEXT:
            raise self._error(node, f"{column.name} holds {_held(column)}; a column of text was expected.")
        return column

    def _literal(self, node: exp.Expr) -> _Value:
        match node:
            case exp.Literal(is_string=True):
                return _Value(str(node.this), ValueKind.TEXT)
            case exp.Literal():
                return _Value(self._number(node, str(node.this)), ValueKind.NUMBER)
            case exp.Boolean():
                return _Value(bool(node.this), ValueKind.FLAG)
            case exp.Neg(this=exp.Literal(is_string=False) as number):
                return _Value(-self._number(number, str(number.this)), ValueKind.NUMBER)
            case exp.Paren():
                return self._literal(node.this)
            case exp.Null():
                raise self._error(node, "nothing equals NULL; write IS NULL or IS NOT NULL.")
            case exp.Column() | exp.Dot():
                raise self._error(node, "a value was expected here; texts go in single quotes, such as 'PASS'.")
            case _:
                raise self._refused(node)

    def _text_literal(self, node: exp.Expr) -> str:
        value = self._literal(node)
        if value.kind is not ValueKind.TEXT:
            raise self._error(node, f"{_EXAMPLES[ValueKind.TEXT]} was expected.")
        return str(value.value)

    def _number(self, node: exp.Expr, text: str) -> int | float:
        if len(text.lstrip("0")) > _MOST_DIGITS:
            raise self._error(node, "the number has too many digits.")
        try:
            number: int | float = int(text) if text.isdigit() else float(text)
        except ValueError:
            raise self._error(node, f"{safe_excerpt(text, 30)} is no number.") from None
        if not math.isfinite(number) if isinstance(number, float) else number > _LARGEST_INTEGER:
            raise self._error(node, "the number is too large.")
        return number

    def _fitting(self, node: exp.Expr, column: TableColumn, value: _Value) -> Any:
        """The value, if it is of the kind that the column holds."""
        if column.kind is value.kind:
            return value.value
        expected = "true or false" if column.kind is ValueKind.FLAG else _EXAMPLES[column.kind or ValueKind.TEXT]
        raise self._error(node, f"{column.name} holds {_held(column)}; {expected} was expected.")

    def _parameter(self, value: Any) -> str:
        name = f"f{len(self._parameters)}"
        self._parameters[name] = value
        return f"${name}"

    def _any(self, column: TableColumn, test: Callable[[str], str]) -> str:
        """A test of the cell, or of any of its elements where the cell holds a list."""
        if not column.is_list:
            return f"({test(column.sql)})"
        return f"(len(list_filter({column.sql}, lambda e: {test('e')})) > 0)"

    # Refusals

    def _only(self, node: exp.Expr, *allowed: str) -> None:
        """Refuse a node with any further part: what is not understood is never dropped silently."""
        if any(value for name, value in node.args.items() if name not in allowed):
            raise self._refused(node)

    def _error(self, node: exp.Expr, message: str) -> VarloomError:
        return invalid(self._text, _start_of(node), message)

    def _refused(self, node: exp.Expr) -> VarloomError:
        if isinstance(node, exp.Func):
            name = str(node.this) if isinstance(node, exp.Anonymous) else node.sql_name().lower()
            known = "contains, starts_with, ends_with, has, region"
            return self._error(node, f"{safe_excerpt(name, 30)} is no function of filters, which are {known}.")
        if isinstance(node, exp.Literal):
            return self._error(node, "a value alone is no condition; a column and an operator were expected.")
        if isinstance(node, exp.Binary | exp.Unary | exp.Alias | exp.Dot):
            return self._error(node, "filters do not calculate; if this is a column's name, put it in double quotes.")
        return self._error(node, "this is not part of the filter language.")


def _ends_within_escape(pattern: str, escape: str) -> bool:
    """Whether the last character of a pattern is an escape with nothing after it."""
    place = 0
    while place < len(pattern):
        place += 2 if pattern[place] == escape else 1
    return place > len(pattern)


def _is_a_number(column: TableColumn, cell: str) -> str:
    """A clause that leaves out NaN, which DuckDB takes for the largest number but the statistics of parts do not."""
    return f" AND NOT isnan({cell})" if pa.types.is_floating(column.value_type) else ""


def _as_it_is(_column: TableColumn, _cell: str) -> str:
    return ""


def _held(column: TableColumn) -> str:
    values = {ValueKind.NUMBER: "numbers", ValueKind.TEXT: "text", ValueKind.FLAG: "true or false"}
    held = values[column.kind or ValueKind.TEXT]
    return f"lists of {held}" if column.is_list else held


def _name_parts(node: exp.Expr) -> list[str] | None:
    """The parts of a name with dots; None when the node is no such name."""
    if isinstance(node, exp.Identifier):
        return [str(node.this)]
    parts: Sequence[exp.Expr]
    if isinstance(node, exp.Column):
        parts = node.parts
    elif isinstance(node, exp.Dot):
        parts = [node.this, node.expression]
    else:
        return None
    names = [_name_parts(part) for part in parts]
    return [name for found in names if found for name in found] if all(names) else None


def _is_compared_with(node: exp.Expr) -> bool:
    """Whether a name stands where values usually do: bare, at the right of a comparison."""
    return type(node.parent) in _COMPARISONS and node.arg_key == "expression"


def _is_literal(node: exp.Expr) -> bool:
    return isinstance(node, exp.Literal | exp.Boolean | exp.Null)


def _start_of(node: exp.Expr) -> int:
    """Where a node begins in the text."""
    starts = [int(part.meta["start"]) for part in node.walk() if "start" in part.meta]
    return min(starts, default=0)
