"""What the lines of a log are of: the request, the job, the attempt; and lines of JSON, one for each entry.

Whoever begins to work for a request or a job binds it here; every entry that is made meanwhile, also in threads and
tasks that were begun for it, carries it. What a process is goes with all of its entries.

The process of a stage has no log of its own: it tells its worker each entry in a line that begins with RS (the record
separator of RFC 7464), and the worker enters it among its own.
"""

from __future__ import annotations

import contextlib
import json
import logging
import sys
import threading
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

LOG_FORMAT_VARIABLE = "VARLOOM_LOG_FORMAT"
RS = "\x1e"
LONGEST_TOLD = 8000
"""Bytes of the longest line by which a stage's process tells an entry; a longer one is told as plain lines."""
_HEAD, _TAIL = 1000, 3000
"""Characters of a traceback's beginning and end that are told when the whole does not fit."""

_fields: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=MappingProxyType({}))
_of_process: dict[str, Any] = {}


@contextlib.contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Let the entries that are made until the block ends carry these fields; what is added within goes with them."""
    held = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(held)


def add(**fields: Any) -> None:
    """Let the entries from here on carry these fields too, until the block that was bound last ends."""
    _fields.set({**_fields.get(), **fields})


def add_to_process(**fields: Any) -> None:
    """Let all entries of this process carry these fields."""
    _of_process.update(fields)


def current() -> dict[str, Any]:
    """The fields that an entry made here carries."""
    return {**_of_process, **_fields.get()}


class WithFields(logging.Filter):
    """Gives each entry the fields of where it is made; those that it was given itself come last."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never leaves one out."""
        record.fields = {**current(), **getattr(record, "fields", {})}
        return True


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` in UTC, `level`, `logger`, `message`, `process`, the fields, and `exception`.

    Args of the constructor:
        redact: takes out of a line what gives access to something.
    """

    def __init__(self, redact: Callable[[str], str] = str) -> None:
        super().__init__()
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The entry's line."""
        entry = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": self._safe(record.getMessage()),
            "process": record.process,
            **{
                name: self._safe(told) if isinstance(told, str) else told
                for name, told in getattr(record, "fields", {}).items()
            },
        }
        if exception := self._exception_of(record):
            entry["exception"] = self._safe(exception)
        return json.dumps(entry, ensure_ascii=True, default=str)

    def _exception_of(self, record: logging.LogRecord) -> str:
        told = record.exc_text or (self.formatException(record.exc_info) if record.exc_info else "")
        return "\n".join(filter(None, [told, self.formatStack(record.stack_info) if record.stack_info else ""]))

    def _safe(self, text: str) -> str:
        return "\n".join(map(self._redact, text.split("\n")))


def log_json(redact: Callable[[str], str] = str, *, level: int = logging.WARNING) -> None:
    """Let this process log lines of JSON alone to the standard error, also what ends it."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(redact))
    handler.addFilter(WithFields())
    logging.basicConfig(handlers=[handler], level=level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda told: _log_uncaught(told.exc_type, told.exc_value, told.exc_traceback)


def ready_line(url: str) -> str:
    """The line by which a server that logs JSON says on standard output that it is ready."""
    record = logging.makeLogRecord({
        "name": "varloom.server", "levelname": "INFO", "msg": f"Varloom is ready at {url}", "fields": {"url": url}
    })  # fmt: skip
    return JsonLines().format(record)


def logs_json() -> bool:
    """Whether this process does."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is not None:
        logging.getLogger("varloom").critical("Nothing caught an error.", exc_info=(kind, error, traceback))


# --- What the process of a stage tells its worker -------------------------------------------------------------------


class ToldToWorker(logging.Formatter):
    """An entry as the process of a stage tells its worker."""

    def format(self, record: logging.LogRecord) -> str:
        """A line that `told` understands; plain lines of text where it would be too long."""
        text = f"{record.levelname} {record.name}: {record.getMessage()}"
        exception = self.formatException(record.exc_info) if record.exc_info else ""
        entry = {"at": record.created, "level": record.levelno, "logger": record.name, "message": record.getMessage()}
        for shown in (exception, f"{exception[:_HEAD]}\n[...]\n{exception[-_TAIL:]}"):
            line = RS + json.dumps({**entry, "exception": shown}, ensure_ascii=False)
            if len(line.encode("utf-8", "replace")) <= LONGEST_TOLD:
                return line
        return f"{text}\n{exception}" if exception else text


@dataclass(frozen=True, slots=True)
class Told:
    """An entry that the process of a stage told."""

    at: float
    level: int
    logger: str
    message: str
    exception: str

    @property
    def lines(self) -> list[str]:
        """The entry as text."""
        head = f"{logging.getLevelName(self.level)} {self.logger}: {self.message}"
        return [line for text in (head, self.exception) for line in text.split("\n") if line.strip()]

    def enter(self, process: int) -> None:
        """Enter it in the log of this process, as made by that one; a job is whose log is bound here."""
        logger = logging.getLogger(self.logger)
        if not logger.isEnabledFor(self.level):
            return
        record = logger.makeRecord(self.logger, self.level, "", 0, "child %d: %s", (process, self.message), None)
        record.created, record.process = self.at, process
        record.exc_text = self.exception or None
        logger.handle(record)


def told(line: str) -> Told | None:
    """The entry that a line of a stage's process tells; None for any other line."""
    if not line.startswith(RS):
        return None
    try:
        entry = json.loads(line[1:])
        return Told(
            float(entry["at"]),
            int(entry["level"]),
            str(entry["logger"]),
            str(entry["message"]),
            str(entry["exception"]),
        )
    except (ValueError, KeyError, TypeError):
        return None
