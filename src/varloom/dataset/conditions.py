"""The other way round: from conditions of a form or a grid to the text of a filter, with everything quoted right."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import TokenError
from sqlglot.tokenizer_core import TokenType

from varloom.dataset.filter_tokens import parse
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Sequence

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_KNOWN_BARE = frozenset({"filter", "ref"})
"""Words of SQL that are understood as columns nonetheless."""


class Operator(StrEnum):
    """What a condition can ask. `contains` and its like compare texts, letters' case aside."""

    EQUALS = "equals"
    NOT_EQUALS = "not_equals"
    LESS = "less"
    LESS_OR_EQUAL = "less_or_equal"
    GREATER = "greater"
    GREATER_OR_EQUAL = "greater_or_equal"
    BETWEEN = "between"
    IN = "in"
    NOT_IN = "not_in"
    CONTAINS = "contains"
    NOT_CONTAINS = "not_contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MISSING = "missing"
    PRESENT = "present"


@dataclass(frozen=True, slots=True)
class ColumnCondition:
    """One condition on one column.

    Attributes:
        column: the column's name.
        operator: what is asked.
        value: a text, number or bool; for `between` a pair; for `in` and `not_in` a list; for `missing` and `present`
            None. Numbers and texts are told apart by their Python type.
    """

    column: str
    operator: Operator
    value: Any = None


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Conditions of which at least one has to hold."""

    conditions: Sequence[ColumnCondition | AnyOf]


_SYMBOLS = {
    Operator.EQUALS: "=",
    Operator.NOT_EQUALS: "!=",
    Operator.LESS: "<",
    Operator.LESS_OR_EQUAL: "<=",
    Operator.GREATER: ">",
    Operator.GREATER_OR_EQUAL: ">=",
}
_PATTERNS = {
    Operator.CONTAINS: "%{}%",
    Operator.NOT_CONTAINS: "%{}%",
    Operator.STARTS_WITH: "{}%",
    Operator.ENDS_WITH: "%{}",
}


def filter_text(conditions: Sequence[ColumnCondition | AnyOf]) -> str:
    """The text of a filter that all conditions must satisfy; an empty text, which selects everything, without any.

    Raises:
        ValueError: a value does not go with its operator.
    """
    return " AND ".join(_text(condition) for condition in conditions)


def quote_column(name: str) -> str:
    """A column's name as filters understand it: bare where that is possible, else in double quotes."""
    if name in _KNOWN_BARE or (_BARE.fullmatch(name) and _is_word(name)):
        return name
    return '"' + name.replace('"', '""') + '"'


def _text(condition: ColumnCondition | AnyOf) -> str:
    if isinstance(condition, AnyOf):
        if not condition.conditions:
            raise ValueError("any of no conditions can never hold")
        return f"({' OR '.join(_text(each) for each in condition.conditions)})"
    column = quote_column(condition.column)
    return f"{column} {_demand(condition.operator, condition.value)}"


def _demand(operator: Operator, value: Any) -> str:
    """What stands after the column."""
    match operator:
        case Operator.MISSING:
            demand = "IS NULL"
        case Operator.PRESENT:
            demand = "IS NOT NULL"
        case Operator.BETWEEN:
            low, high = value
            demand = f"BETWEEN {_literal(low)} AND {_literal(high)}"
        case Operator.IN:
            demand = f"IN {_listed(value)}"
        case Operator.NOT_IN:
            demand = f"NOT IN {_listed(value)}"
        case Operator.NOT_CONTAINS:
            demand = f"NOT ILIKE {_pattern(_PATTERNS[operator], value)}"
        case Operator.CONTAINS | Operator.STARTS_WITH | Operator.ENDS_WITH:
            demand = f"ILIKE {_pattern(_PATTERNS[operator], value)}"
        case _:
            demand = f"{_SYMBOLS[operator]} {_literal(value)}"
    return demand


def _listed(values: Any) -> str:
    if isinstance(values, str) or not values:
        raise ValueError("a list of values was expected")
    return f"({', '.join(_literal(value) for value in values)})"


def _pattern(form: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("a text was expected")  # noqa: TRY004 -- one kind of error for all wrong values
    escaped = re.sub(r"([\\%_])", r"\\\1", value)
    clause = r" ESCAPE '\'" if escaped != value else ""
    return _quoted(form.format(escaped)) + clause


def _literal(value: Any) -> str:
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case str():
            return _quoted(value)
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case _:
            raise ValueError(f"a filter has no value such as {value!r}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def _is_word(name: str) -> bool:
    """Whether the bare name is a column wherever it stands: no keyword, and no word that the parser treats as one."""
    try:
        first = DuckDB().tokenize(name)[0].token_type
        tree = parse(f"{name} = 0")
    except (TokenError, VarloomError):
        return False
    return first is TokenType.VAR and isinstance(tree.this, exp.Column) and tree.this.sql() == name
