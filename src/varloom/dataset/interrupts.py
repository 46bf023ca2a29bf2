"""Stopping a query that runs in another thread."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, ParamSpec, Protocol, TypeVar

from varloom.dataset.problems import QUERY_INTERRUPTED
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Executor

_P = ParamSpec("_P")
_T = TypeVar("_T")
_REPEAT_SECONDS = 0.02


class Interruptible(Protocol):
    """A DuckDB connection."""

    def interrupt(self) -> None:
        """Stop the query that runs now."""


class QueryWatch:
    """Knows the connections that work for one question, and stops them when nobody waits for the answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[Interruptible] = set()
        self._stopped = False

    def stop(self) -> None:
        """Stop what runs; what would begin later is refused."""
        with self._lock:
            self._stopped = True
            for connection in self._running:
                connection.interrupt()

    @contextmanager
    def over(self, connection: Interruptible) -> Iterator[None]:
        """Watch over a connection while it runs a query.

        Raises:
            VarloomError: `query_interrupted` when the watch was stopped before.
        """
        with self._lock:
            if self._stopped:
                raise interrupted()
            self._running.add(connection)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(connection)


_current: contextvars.ContextVar[QueryWatch | None] = contextvars.ContextVar("query_watch", default=None)


def current_watch() -> QueryWatch:
    """The watch of the question that this thread works for; one that nobody stops where there is none."""
    return _current.get() or QueryWatch()


def interrupted() -> VarloomError:
    """The error of a query that was stopped."""
    return VarloomError(QUERY_INTERRUPTED, "The query was stopped before it was finished.")


async def answer_in_thread(executor: Executor, question: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Run blocking work in a thread; when the task is cancelled its queries are interrupted, and the thread is free.

    Raises:
        VarloomError: what the question raises.
    """
    watch = QueryWatch()

    def watched() -> _T:
        token = _current.set(watch)
        try:
            return question(*args, **kwargs)
        finally:
            _current.reset(token)

    answer = asyncio.get_running_loop().run_in_executor(executor, watched)
    try:
        return await asyncio.shield(answer)
    except asyncio.CancelledError:
        # An interrupt that comes just before a query starts is lost, so it is repeated until the thread is done.
        while not answer.done():
            watch.stop()
            await asyncio.wait([answer], timeout=_REPEAT_SECONDS)
        answer.cancelled() or answer.exception()
        raise
