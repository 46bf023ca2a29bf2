"""Stages run in child processes: warm, kept and reused, each in a process group of its own that can be killed whole.

The parent writes one JSON object a line to the child's standard input and reads one a line from its standard output:
`{"run": {...}, "log": PATH}` begins a stage, whose log goes into a named pipe, if one is given; the child answers with
any number of `{"progress": {...}}` and one last `{"done": {...}}` or `{"failed": {...}}`. The child ends when its input
does, so it never outlives its worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import os
import signal
import sys
from contextvars import Context
from typing import TYPE_CHECKING, Any, Self

from varloom import failpoints
from varloom.failpoints import failpoint
from varloom.jobs.attempt_log import MAX_LOG_LINE, AttemptLog, Lines, LogPipe
from varloom.log_lines import told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The longest message of a child; warnings and problems are bounded far below it."""

RUNS_BEFORE_REPLACEMENT = 2000
"""A child is replaced after so many stages, so that whatever leaks in a library is given back. A new one takes a tenth
of a second, in which hundreds of small stages could run."""

TERMINATION_GRACE = 2.0
"""Seconds that a process group has between the request to end and SIGKILL; and an ended one to be read out."""

KILL_PATIENCE = 10.0
"""Seconds after which a process that does not even obey SIGKILL (its disk is gone, say) is left to the system."""

EXIT_POLL = 0.1
"""Seconds between two looks whether a child lives."""

_SECRETS = ("VARLOOM_", "PG", "AWS_", "GOOGLE_", "AZURE_")
"""Environment variables that begin so lead to the database or the storage, which no program that a stage starts has any
business with; what the stage itself needs is in its request."""


class ChildDiedError(Exception):
    """A child ended without the result of its stage."""

    def __init__(self, status: int) -> None:
        """Keep how it ended: a positive exit status, or minus the signal that killed it."""
        super().__init__(status)
        self.status = status

    @property
    def how(self) -> str:
        """How it ended, in words that follow its name."""
        if self.status >= 0:
            return f"ended with status {self.status}"
        with contextlib.suppress(ValueError):
            return f"was killed by signal {-self.status} ({signal.Signals(-self.status).name})"
        return f"was killed by signal {-self.status}"


class Child:
    """One warm child process.

    `Process.wait` is not used: it also waits until the pipes are closed, which whatever the child has started can hold
    open for ever.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._ended = asyncio.Event()
        nobodys = Context()  # it outlives the attempt for which it is started
        self._ending = asyncio.create_task(self._watch_end(), context=nobodys)
        self._logging = asyncio.create_task(self._log_stderr(), context=nobodys)
        self.runs = 0

    @classmethod
    async def start(cls, module: str) -> Self:
        """Start `python -m MODULE` as the leader of a new session, hence of a process group of its own."""
        failpoint("child.before_start")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            env=environment_of_children(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=MAX_MESSAGE_BYTES,
        )
        failpoint("child.after_start")
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def run(self, request: dict[str, Any], log: AttemptLog | None = None) -> AsyncGenerator[dict[str, Any]]:
        """Run one stage: its messages as they come, the last one being `done` or `failed`; `log` is told what it says.

        Raises:
            ChildDiedError: it ended, or closed its output, before its last message.
        """
        self.runs += 1
        with self._listening(log) as pipe:
            await self._ask({"run": request, "log": pipe.path})
            while (line := await self._line()).endswith(b"\n"):  # a child that dies may leave half a line
                message: dict[str, Any] = storable(json.loads(line))
                yield message
                if "progress" not in message:
                    return
            await self._ended_within(TERMINATION_GRACE)
            await self.kill()
            raise ChildDiedError(self._process.returncode or 0)

    def _listening(self, log: AttemptLog | None) -> LogPipe:
        """A pipe for what it says until the stage ends."""

        def tell(text: str) -> None:
            entry = told(text)
            if log is not None:
                for line in entry.lines if entry is not None else [text]:
                    log.add(line)
            self._log(text)

        return LogPipe(tell)

    async def _ask(self, message: dict[str, Any]) -> None:
        stdin = self._process.stdin
        if stdin is None:
            raise AssertionError("a child is started with pipes")
        with contextlib.suppress(ConnectionError):  # a dead child is told by the end of its output
            failpoint("child.before_request")
            stdin.write(json.dumps(message).encode() + b"\n")
            await stdin.drain()
        failpoint("child.after_request")

    async def kill(self) -> None:
        """End its whole process group: politely, then surely."""
        for number, patience in ((signal.SIGTERM, TERMINATION_GRACE), (signal.SIGKILL, KILL_PATIENCE)):
            if not self._ended.is_set():
                _signal_group(self.pid, number)
                await self._ended_within(patience)
        if self.is_alive:
            logger.error("child %d does not end, not even by SIGKILL; it is left behind", self.pid)
        await asyncio.wait({self._logging}, timeout=TERMINATION_GRACE)
        for task in (self._logging, self._ending):
            task.cancel()
        await asyncio.gather(self._logging, self._ending, return_exceptions=True)
        # Asyncio closes our ends of the pipes when the others are closed, which a stray process may never do.
        transport: asyncio.SubprocessTransport | None = getattr(self._process, "_transport", None)
        if transport is not None:
            transport.close()

    async def _line(self) -> bytes:
        """The next line of its standard output; without line end when there is no more."""
        stdout = self._process.stdout
        if stdout is None:
            raise AssertionError("a child is started with pipes")
        return await stdout.readline()

    async def _watch_end(self) -> None:
        """Notice when it ends, and end what it started and left behind."""
        while self.is_alive:  # noqa: ASYNC110  (asyncio offers no event for it that does not wait for the pipes)
            await asyncio.sleep(EXIT_POLL)
        _signal_group(self.pid, signal.SIGKILL)
        self._ended.set()
        if self._process.stdout is not None:  # its last words may still be in the pipe, which others may hold open
            asyncio.get_running_loop().call_later(TERMINATION_GRACE, self._process.stdout.feed_eof)

    async def _ended_within(self, seconds: float) -> None:
        """Wait until it has ended, but not longer."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), seconds)

    async def _log_stderr(self) -> None:
        """Pass on to the log what it says on standard error."""
        stderr = self._process.stderr
        if stderr is None:
            raise AssertionError("a child is started with pipes")
        lines = Lines(self._log)
        while chunk := await stderr.read(MAX_LOG_LINE):
            lines.feed(chunk)
        lines.end()

    def _log(self, text: str) -> None:
        entry = told(text)
        if entry is None:
            logger.info("child %d: %s", self.pid, text)
        else:
            entry.enter(self.pid)


def environment_of_children() -> dict[str, str]:
    """What a child is told: no secrets, but the failpoints of a process under test."""
    passed = {name: value for name, value in os.environ.items() if not name.startswith(_SECRETS)}
    if failpoints.VARIABLE in os.environ:
        passed[failpoints.VARIABLE] = os.environ[failpoints.VARIABLE]
    return passed


def _signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal to all processes of the group that are left."""
    with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group that holds only a zombie
        os.killpg(group, number)


def storable(value: Any) -> Any:
    """A JSON value as PostgreSQL can keep it: without NUL, half characters and numbers that are none."""
    match value:
        case str():
            return value.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
        case list():
            return [storable(item) for item in value]
        case dict():
            return {storable(name): storable(item) for name, item in value.items()}
        case float() if not math.isfinite(value):
            return None
        case _:
            return value


class ChildPool:
    """Warm children for one kind of work, reused from stage to stage."""

    def __init__(self, module: str) -> None:
        self._module = module
        self._idle: list[Child] = []
        self._closed = False

    async def warm(self) -> None:
        """Have one child ready."""
        self._idle.append(await Child.start(self._module))

    @contextlib.asynccontextmanager
    async def child(self) -> AsyncIterator[Child]:
        """Lend a child; it is kept afterwards only when its stage came to an end, else its group is killed."""
        child = await self._take()
        finished = False
        try:
            yield child
            finished = True
        finally:
            if finished and child.is_alive and child.runs < RUNS_BEFORE_REPLACEMENT and not self._closed:
                self._idle.append(child)
            else:
                await asyncio.shield(child.kill())

    async def _take(self) -> Child:
        """An idle child that still lives, else a new one."""
        while self._idle:
            child = self._idle.pop()
            if child.is_alive:
                return child
            await child.kill()
        return await Child.start(self._module)

    async def close(self) -> None:
        """End all idle children; those that are lent end when they are given back."""
        self._closed = True
        await asyncio.gather(*(child.kill() for child in self._idle))
        self._idle.clear()
