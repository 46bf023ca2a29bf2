"""The log of one attempt: what its processes say on standard error, bounded, for the account whose job it is.

Each attempt has a pipe of its own, whose name the child is told with its request. So nothing that a stage has started
and left behind gets into the log of the next one, which may be of another account.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import sys
import tempfile
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

from varloom.errors import counted, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

logger = logging.getLogger(__name__)

MAX_LOG_LINE = 8192
"""A longer line is logged in pieces of so many bytes."""
HEAD_CHARACTERS = 16 * 1024
"""So much is kept of a log's beginning."""
TAIL_CHARACTERS = 48 * 1024
"""So much is kept of its end, where what went wrong is told."""

HAS_PROC = sys.platform == "linux"
_CHUNK = 64 * 1024
_REMOVED = "[removed]"
_URL = r"(?:https?|s3|gs|az|abfss?)://"
_DATABASE = r"(?:postgres(?:ql)?|mysql|mariadb|mongodb|rediss?|amqps?|mssql|oracle)(?:\+[a-z0-9]{1,20})?://"
_NAMES = (
    r"(?:passw(?:or)?d|passphrase|\bpwd|secret|token|signature|\bsig|credential|cookie"
    r"|(?:access|account|api|private)[_-]?key)"
)
_KEY_BEGINS = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY(?: BLOCK)?-----"
_SECRETS = (
    # What stands before the @: a slash belongs to a password, not to the path, where no port can be meant.
    (re.compile(rf"(?i)\b({_DATABASE})[^\s'\"<>]{{1,500}}@"), rf"\1{_REMOVED}@"),
    (re.compile(r"(?<=://)(?!\[)[^\s/@:]{0,200}:(?!\d{1,5}/)[^\s'\"<>]{1,300}@"), f"{_REMOVED}@"),
    (re.compile(r"(?<=://)[^\s/]{1,300}@"), f"{_REMOVED}@"),
    (re.compile(rf"(?i)\b({_URL}[^\s?#]{{1,1000}}+[?#])[^\s'\"<>]+"), rf"\1{_REMOVED}"),
    (re.compile(r"(?i)\b((?:bearer|basic|sharedkey)[:\s]\s?)[\w.:~+/=-]{8,}"), rf"\1{_REMOVED}"),
    (re.compile(r"\b(whsec_)[\w+/=-]{8,}"), rf"\1{_REMOVED}"),
    # Our own: API tokens, sessions, login links; and signed tokens of a provider (JWT), wherever they stand.
    (re.compile(r"(?<![^\W_])(vl_)[\w-]{12,}"), rf"\1{_REMOVED}"),
    (re.compile(r"(varloom_session=|/login#)[\w-]{8,}"), rf"\1{_REMOVED}"),
    (re.compile(r"\b(eyJ)[\w-]{8,2000}\.eyJ[\w-]{1,8000}\.[\w-]{1,2000}"), rf"\1{_REMOVED}"),
    (re.compile(rf"({_KEY_BEGINS}).*?(?=-----END|$)"), rf"\1{_REMOVED}"),
    # In quotation marks up to the one that ends it, which within a text of JSON has a backslash as the first one has.
    (
        re.compile(
            rf"(?i)({_NAMES}[\w-]{{0,40}}\\{{0,3}}['\"]?\s{{0,3}}[=:]\s{{0,3}})"
            r"(?:(?P<escaped>\\{1,3}['\"])[^'\"\\]*|(?P<double>\")(?:[^\"\\]|\\.)*|(?P<single>')(?:[^'\\]|\\.)*"
            r"|(?:[^\s'\",;&\\]|\\(?!['\"]))+)"
        ),
        lambda found: f"{found[1]}{found['escaped'] or found['double'] or found['single'] or ''}{_REMOVED}",
    ),
)
"""What gives access: user and password, query and fragment of an address; headers; values with telling names.

Each is found in a time that goes with the length of the line, whatever stands in it.
"""
_KEY_BEGUN = re.compile(rf"{_KEY_BEGINS}(?!.*-----END)")
_KEY_ENDS = re.compile("-----END")
_KEY_LINES = 200
"""A private key has fewer lines: what begins one and never ends it hides no more than these."""
_ENCODED = re.compile(r"[A-Za-z0-9+/=_-]{16,}|^\s*[A-Za-z0-9+/=_-]+\s*$")


def redacted(line: str) -> str:
    """A line without what gives access to something."""
    for pattern, replacement in _SECRETS:
        line = pattern.sub(replacement, line)
    return line


class KeyFilter:
    """Removes private keys that go over several lines. Each line is passed through it once, in order."""

    def __init__(self) -> None:
        self._left = 0

    def __call__(self, line: str) -> str:
        """The line without what is of a key that an earlier line began."""
        if self._left:
            self._left -= 1
            if end := _KEY_ENDS.search(line):
                self._left = 0
                line = _ENCODED.sub(_REMOVED, line[: end.start()]) + line[end.start() :]
            else:
                line = _ENCODED.sub(_REMOVED, line)
        if _KEY_BEGUN.search(line):
            self._left = _KEY_LINES
        return line


class AttemptLog:
    """Lines with the time at which they came: the first and the last ones, with a note of how many are left out."""

    def __init__(self) -> None:
        self._head: list[_Line] = []
        self._head_room = HEAD_CHARACTERS
        self._tail: deque[_Line] = deque()
        self._tail_room = TAIL_CHARACTERS
        self._left_out = 0
        self._without_keys = KeyFilter()

    def add(self, text: str) -> None:
        """Keep a line."""
        line = _Line(datetime.now(UTC), self._without_keys(text[:MAX_LOG_LINE]))
        if not self._tail and line.length < self._head_room:
            self._head.append(line)
            self._head_room -= line.length
            return
        self._tail.append(line)
        self._tail_room -= line.length
        while self._tail_room < 0:
            self._tail_room += self._tail.popleft().length
            self._left_out += 1

    @property
    def text(self) -> str:
        """The log, safe to be shown, its times in UTC; empty when nothing was said."""
        middle = [f"[{counted(self._left_out, 'line')} left out]"] if self._left_out else []
        return "\n".join([*map(str, self._head), *middle, *map(str, self._tail)])


@dataclass(frozen=True, slots=True)
class _Line:
    """What was said at a time, as it came: most of what is said in a flood is never shown."""

    at: datetime
    said: str

    @property
    def length(self) -> int:
        """How many characters of the log it takes, but for what redaction changes."""
        return len(self.said) + 21

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {redacted(safe_excerpt(self.said, MAX_LOG_LINE))}"


class Lines:
    """Cuts bytes into lines and passes those on that are not blank."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._rest = b""

    def feed(self, chunk: bytes) -> None:
        """Take what came."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._pass_on(line)
        if len(self._rest) > MAX_LOG_LINE:
            self._rest = self._pass_on_full_pieces(self._rest)

    def end(self) -> None:
        """Pass on a last line without an end."""
        rest, self._rest = self._rest, b""
        self._pass_on(rest)

    def _pass_on(self, line: bytes) -> None:
        self._tell_piece(self._pass_on_full_pieces(line))

    def _pass_on_full_pieces(self, line: bytes) -> bytes:
        """Cut between words, so that no secret is told in two pieces of which neither looks like one: what is left."""
        while len(line) > MAX_LOG_LINE:
            end = line.rfind(b" ", MAX_LOG_LINE // 2, MAX_LOG_LINE) + 1 or MAX_LOG_LINE
            self._tell_piece(line[:end])
            line = line[end:]
        return line

    def _tell_piece(self, piece: bytes) -> None:
        if text := piece.decode("utf-8", "replace").rstrip():
            self._tell(text)


class LogPipe:
    """A pipe for one run of a child; what is written into it is told line by line, until the block ends.

    Attributes:
        path: the name by which the child opens it; None where there could be none, and nothing will come.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._lines = Lines(tell)
        self._held = contextlib.ExitStack()
        self._descriptor: int | None = None
        self.path: str | None = None

    def __enter__(self) -> Self:
        try:
            self._descriptor, self.path = _pipe_of_proc(self._held) if HAS_PROC else _named_pipe(self._held)
        except OSError as error:
            logger.warning("an attempt has no log: %s", error)
            self._held.close()
            return self
        os.set_blocking(self._descriptor, False)
        asyncio.get_running_loop().add_reader(self._descriptor, self._read)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            for _ in range((HEAD_CHARACTERS + TAIL_CHARACTERS) // _CHUNK + 1):  # whoever is left may write for ever
                if not self._read():
                    break
            self._lines.end()
        self._held.close()

    def _read(self) -> bool:
        """Read what is there; whether there was anything."""
        try:
            chunk = os.read(self._descriptor or 0, _CHUNK)
        except BlockingIOError:
            return False
        self._lines.feed(chunk)
        return bool(chunk)


def _pipe_of_proc(held: contextlib.ExitStack) -> tuple[int, str]:
    """The reading end of a pipe, and a name of the other end that Linux gives to whatever a process has open."""
    reading, writing = os.pipe()
    for end in (reading, writing):  # ours of the writing end stays open: so there is no end until we close it
        held.callback(os.close, end)
    return reading, f"/proc/{os.getpid()}/fd/{writing}"


def _named_pipe(held: contextlib.ExitStack) -> tuple[int, str]:
    """The same elsewhere, by a pipe in a folder of its own, which takes five times as long."""
    folder = held.enter_context(tempfile.TemporaryDirectory(prefix="varloom-log-", ignore_cleanup_errors=True))
    path = str(Path(folder) / "pipe")
    os.mkfifo(path, 0o600)
    # Open for writing as well: so nobody who opens it waits, and there is no end until we close it.
    pipe = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    held.callback(os.close, pipe)
    return pipe, path


@contextlib.contextmanager
def said_into(path: str | None, descriptors: Sequence[int] = (1, 2)) -> Iterator[None]:
    """In the child: what this process and those that it starts say goes into the pipe until the block ends.

    Args:
        path: of the pipe; None: it goes where it went before.
        descriptors: by which it is said; standard output only where that is not the way of the answers.
    """
    try:
        pipe = None if path is None else os.open(path, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:  # the worker has gone, and with it whoever would read the log
        pipe = None
    if pipe is None:
        yield
        return
    os.set_blocking(pipe, True)
    before = {number: os.dup(number) for number in descriptors}
    for number in before:
        os.dup2(pipe, number)
    os.close(pipe)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError):
                stream.flush()
        for number, kept in before.items():
            os.dup2(kept, number)
            os.close(kept)
