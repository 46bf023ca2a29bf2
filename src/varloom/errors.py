"""The one tree of errors: every failure has a stable code, a title, a place and a resolution.

A *kind* says what can go wrong and how it is mended; it is declared once, in the `problems` module of the package
that finds it, and documented in `docs/reference/errors.md` (a test fails when one is missing). A `Problem` is one
finding of a kind in a file; a `VarloomError` ends a piece of work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

EXCERPT_LIMIT = 160
"""The most characters of a user's file that an error shows."""


class Severity(StrEnum):
    """How much a problem weighs."""

    ERROR = "error"
    WARNING = "warning"


class ErrorKind(NamedTuple):
    """One documented kind of failure.

    Attributes:
        code: stable and unique, in snake_case; scripts may rely on it.
        title: a few words for a heading, such as "Malformed VCF header".
        cause: one or two sentences for the documentation.
        resolution: what the user can do, a step an entry.
        retryable: whether trying the same thing again can help.
        status: the HTTP status where the API answers with it.
    """

    code: str
    title: str
    cause: str
    resolution: tuple[str, ...]
    retryable: bool = False
    status: int = 400


_KINDS: dict[str, ErrorKind] = {}


def define(
    code: str,
    title: str,
    *,
    cause: str,
    resolution: tuple[str, ...],
    retryable: bool = False,
    status: int = 400,
) -> ErrorKind:
    """Declare a kind of failure; a code can be declared once only."""
    if code in _KINDS:
        raise ValueError(f"error code {code!r} is declared twice")
    kind = ErrorKind(code, title, cause, resolution, retryable, status)
    _KINDS[code] = kind
    return kind


def all_kinds() -> tuple[ErrorKind, ...]:
    """Every kind declared by the packages imported so far, by code."""
    return tuple(_KINDS[code] for code in sorted(_KINDS))


def kind_of(code: str) -> ErrorKind:
    """The kind with this code; an unknown code gives `internal_error`, which is retryable."""
    return _KINDS.get(code, INTERNAL_ERROR)


def safe_excerpt(text: str | bytes, limit: int = EXCERPT_LIMIT) -> str:
    """A piece of a user's file that is safe to show: one line, no control characters, at most `limit` characters.

    Tabs are shown as the symbol for tabulation so that columns stay countable; what is cut is marked by an ellipsis.
    """
    if isinstance(text, bytes):
        text = text[: limit * 4 + 4].decode("utf-8", "replace")
    cut = len(text) > limit
    shown = "".join("\u21e5" if char == "\t" else char if char.isprintable() else "\ufffd" for char in text[:limit])
    return shown + ("\u2026" if cut else "")


def counted(number: int, noun: str) -> str:
    """A number with its noun, as sentences need it: `1 cell`, `50,284 cells`. The plural takes an s."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


class Place(NamedTuple):
    """Where something went wrong: a line and column of a file (from 1, of the decompressed text), or a URL."""

    line: int | None = None
    column: int | None = None
    field: str | None = None
    excerpt: str | None = None
    url: str | None = None


NOWHERE = Place()


class Problem(NamedTuple):
    """One finding in a file. `column` is the tab- or delimiter-separated column, counted from 1."""

    kind: ErrorKind
    message: str
    severity: Severity = Severity.ERROR
    place: Place = NOWHERE
    resolution: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """The PROBLEM of the contract: unknown places are None."""
        return {
            "code": self.kind.code,
            "severity": self.severity.value,
            "line": self.place.line,
            "column": self.place.column,
            "field": self.place.field,
            "message": self.message,
            "excerpt": self.place.excerpt,
            "resolution": list(self.resolution or self.kind.resolution),
        }


@dataclass(eq=False)
class VarloomError(Exception):
    """A failure that a person can read: what, where, and how to mend it."""

    kind: ErrorKind
    message: str
    place: Place = NOWHERE
    resolution: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
    retry_after: float | None = None  # seconds that the other side asks to wait

    def __str__(self) -> str:
        where = f"line {self.place.line}: " if self.place.line else ""
        return f"{where}{self.message}"

    @property
    def code(self) -> str:
        """The stable code of the kind."""
        return self.kind.code

    @property
    def title(self) -> str:
        """A few words for a heading."""
        return self.kind.title

    def as_dict(self, stage: str | None = None) -> dict[str, Any]:
        """The `error` of a JOB in the contract, with the further problems found in the same pass."""
        return {
            "code": self.kind.code,
            "title": self.kind.title,
            "message": self.message,
            "stage": stage,
            "line": self.place.line,
            "column": self.place.column,
            "field": self.place.field,
            "excerpt": self.place.excerpt,
            "url": self.place.url,
            "resolution": list(self.resolution or self.kind.resolution),
            "retryable": self.kind.retryable,
            "retry_after": self.retry_after,
            "problems": [problem.as_dict() for problem in self.problems],
        }


INTERNAL_ERROR = define(
    "internal_error",
    "Unexpected error",
    cause="Something failed that Varloom does not know. It is tried again automatically.",
    resolution=(
        "Retry the job.",
        "If it fails again, send the problem report to whoever runs this server: its log has the details.",
    ),
    retryable=True,
    status=500,
)
SETTINGS_INVALID = define(
    "settings_invalid",
    "Invalid setting",
    cause="A flag, an environment variable or a line of the settings file has a value that Varloom cannot use.",
    resolution=("Correct the named setting; `varloom serve --help` and docs/reference/settings.md list them.",),
)
