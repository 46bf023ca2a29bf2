"""From the text of a filter to its syntax tree, with everything that is no filter refused by name and position."""

from __future__ import annotations

import logging

from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from varloom.dataset.problems import FILTER_INVALID
from varloom.errors import Place, VarloomError, safe_excerpt

# What it cannot parse it also logs; our error says it to the one who wrote the filter.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

LONGEST_FILTER = 100_000
"""The most characters that a filter may have."""

_DEEPEST = 50
_EXCERPT = 40
_REFUSED_TOKENS = {
    TokenType.SEMICOLON: "a semicolon: a filter is one expression",
    TokenType.PLACEHOLDER: "a placeholder: write the value itself",
    TokenType.PARAMETER: "a parameter: write the value itself",
    TokenType.SELECT: "SELECT: a filter cannot contain queries",
    TokenType.L_BRACE: "a brace",
    TokenType.HEREDOC_STRING: "a dollar-quoted text: use single quotes",
}
_PREFIXES = (TokenType.NOT, TokenType.DASH, TokenType.PLUS, TokenType.TILDE)


def invalid(text: str, start: int, message: str) -> VarloomError:
    """A `filter_invalid` that names the position, counted from 1, and shows the text there."""
    position = min(start, len(text)) + 1
    excerpt = safe_excerpt(text[max(0, start - 1) :] if start else text, _EXCERPT)
    return VarloomError(
        FILTER_INVALID, f"At position {position} of the filter: {message}", Place(column=position, excerpt=excerpt)
    )


def parse(text: str) -> exp.Expr:
    """The syntax tree of a filter.

    Raises:
        VarloomError: `filter_invalid`.
    """
    if len(text) > LONGEST_FILTER:
        raise invalid(text, LONGEST_FILTER, f"it is longer than {LONGEST_FILTER:,} characters.")
    tokens = _tokens(text)
    _check_depth(text, tokens)
    try:
        trees = DuckDB().parser().parse(tokens, text)
    except ParseError as error:
        raise _not_parsed(text, error) from None
    except (SqlglotError, RecursionError, ValueError) as error:
        raise invalid(text, 0, f"it cannot be read: {safe_excerpt(str(error), 100)}.") from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Expr):
        raise invalid(text, 0, "one expression was expected.")
    return tree


def _tokens(text: str) -> list[Token]:
    try:
        tokens = DuckDB().tokenize(text)
    except SqlglotError:
        raise invalid(text, _open_quote(text), "a quote is opened here and never closed.") from None
    for token in tokens:
        if token.comments:
            raise invalid(text, token.end + 1, "a comment was found; filters have none.")
        if token.token_type in _REFUSED_TOKENS:
            raise invalid(text, token.start, f"found {_REFUSED_TOKENS[token.token_type]}.")
    if not tokens:
        raise invalid(text, 0, "it is empty; a condition such as qual > 30 was expected.")
    return tokens


def _open_quote(text: str) -> int:
    """Where the quote begins that has no end; 0 when it cannot be told."""
    opened, start = "", 0
    for position, char in enumerate(text):
        if not opened and char in "'\"":
            opened, start = char, position
        elif char == opened:
            opened = ""
    return start if opened else 0


def _check_depth(text: str, tokens: list[Token]) -> None:
    """Refuse what would nest deeper than a parser should follow."""
    depth = prefixes = 0
    for token in tokens:
        if token.token_type is TokenType.L_PAREN:
            depth += 1
        elif token.token_type is TokenType.R_PAREN:
            depth -= 1
        prefixes = prefixes + 1 if token.token_type in _PREFIXES else 0
        if max(depth, prefixes) > _DEEPEST:
            raise invalid(text, token.start, f"it nests deeper than {_DEEPEST} levels.")


def _not_parsed(text: str, error: ParseError) -> VarloomError:
    found = error.errors[0] if error.errors else {}
    highlight = str(found.get("highlight") or "")
    start = max(0, _offset(text, int(found.get("line") or 1), int(found.get("col") or 1)) - len(highlight))
    what = f"{safe_excerpt(highlight, 30)!r} was not expected here" if highlight else "it ends too early"
    return invalid(
        text,
        start,
        f"{what}; a condition has the form column, operator, value, such as INFO.AF < 0.01 (names with "
        "spaces, signs or leading digits go in double quotes).",
    )


def _offset(text: str, line: int, column: int) -> int:
    before = text.split("\n")[: line - 1]
    return sum(len(part) + 1 for part in before) + column
