"""Stages run in child processes: warm, kept and reused, each in a process group of its own that can be killed whole.

The parent writes one JSON object a line to the child's standard input and reads one a line from its standard output:
`{"run": {...}}` begins a stage; the child answers with any number of `{"progress": {...}}` and one last
`{"done": {...}}` or `{"failed": {...}}`. The child ends when its input does, so it never outlives its worker.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections import deque
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

logger = logging.getLogger(__name__)

MAX_MESSAGE_BYTES = 64 * 1024 * 1024
"""The longest message of a child; warnings and problems are bounded far below it."""

RUNS_BEFORE_REPLACEMENT = 200
"""A child is replaced after so many stages, so that whatever leaks in a library is given back."""

TERMINATION_GRACE = 2.0
"""Seconds that a process group has between the request to end and SIGKILL."""


class ChildDiedError(Exception):
    """A child ended without the result of its stage."""

    def __init__(self, status: int, stderr_tail: str) -> None:
        """Keep how it ended: a positive exit status, or minus the signal that killed it."""
        super().__init__(status, stderr_tail)
        self.status = status
        self.stderr_tail = stderr_tail

    @property
    def how(self) -> str:
        """How it ended, in words."""
        if self.status >= 0:
            return f"It ended with status {self.status}."
        with contextlib.suppress(ValueError):
            return f"It was killed by signal {-self.status} ({signal.Signals(-self.status).name})."
        return f"It was killed by signal {-self.status}."


class Child:
    """One warm child process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._stderr: deque[str] = deque(maxlen=40)
        self._stderr_task = asyncio.create_task(self._drain_stderr())
        self.runs = 0

    @classmethod
    async def start(cls, module: str) -> Self:
        """Start `python -m MODULE` as the leader of a new session, hence of a process group of its own."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=MAX_MESSAGE_BYTES,
        )
        return cls(process)

    @property
    def pid(self) -> int:
        """Its process id, which is also that of its group."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def run(self, request: dict[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """Run one stage: its messages as they come, the last one being `done` or `failed`.

        Raises:
            ChildDiedError: it ended before its last message.
        """
        self.runs += 1
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise AssertionError("a child is started with pipes")
        with contextlib.suppress(ConnectionError):  # a dead child is told by the end of its output
            stdin.write(json.dumps({"run": request}).encode() + b"\n")
            await stdin.drain()
        while line := await stdout.readline():
            message: dict[str, Any] = json.loads(line)
            yield message
            if "progress" not in message:
                return
        status = await self._process.wait()
        await self._stderr_task
        raise ChildDiedError(status, "\n".join(self._stderr))

    async def kill(self) -> None:
        """End its whole process group: politely, then surely."""
        for number, patience in ((signal.SIGTERM, TERMINATION_GRACE), (signal.SIGKILL, None)):
            if not _group_exists(self.pid):
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), patience)
        await self._process.wait()
        await self._stderr_task

    async def _drain_stderr(self) -> None:
        """Pass on what the child says on standard error, and keep its last lines for the log of a crash."""
        stderr = self._process.stderr
        if stderr is None:
            raise AssertionError("a child is started with pipes")
        while line := await stderr.readline():
            text = line.decode("utf-8", "replace").rstrip()
            self._stderr.append(text)
            logger.info("child %d: %s", self.pid, text)


def _group_exists(group: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS answers so for a group that holds only a zombie
        return True
    return True


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
        return await Child.start(self._module)

    async def close(self) -> None:
        """End all idle children; those that are lent end when they are given back."""
        self._closed = True
        while self._idle:
            await self._idle.pop().kill()
