"""Checks several files at a time, in processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures import TimeoutError as NotYetError
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from varloom.cli.check_run import check_source, refused
from varloom.cli.problems import CHECK_CRASHED
from varloom.cli.readable_file import STDIN
from varloom.errors import Problem
from varloom.reader.short_process import begin_short_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future

    from varloom.cli.check_progress import CheckProgress
    from varloom.cli.check_sources import Source
    from varloom.reader import CheckResult, ReadOptions, ReadProgress

_LOOK_SECONDS = 0.2
"""How often the progress of other processes is looked at."""


def check_in_processes(
    sources: Sequence[Source], options: ReadOptions, jobs: int, progress: CheckProgress
) -> Iterator[CheckResult]:
    """In processes and not in threads: much of the work on small files is Python, and a crash takes one file only."""
    options = options._replace(threads=max(1, (os.cpu_count() or 1) // jobs))
    context = multiprocessing.get_context("spawn")
    shared = context.RawArray("Q", len(sources) + 1)  # the bytes read of each file; the last one asks to stop
    pool = ProcessPoolExecutor(jobs, context, initializer=_start_process, initargs=(shared,))
    try:
        futures = [
            pool.submit(_check_in_process, index, source, options) if _is_for_all(source.name) else None
            for index, source in enumerate(sources)
        ]
        for index, (source, future) in enumerate(zip(sources, futures, strict=True)):
            if future is None:
                yield check_source(source, options, progress.of(index))
                continue
            try:
                yield _awaited(future, partial(_look, progress, index, shared))
            except BrokenProcessPool:
                yield _check_alone(source, options)
    finally:
        shared[len(sources)] = 1
        pool.shutdown(wait=True, cancel_futures=True)


def _is_for_all(name: str) -> bool:
    """Whether other processes can open it, too: they have neither our standard input nor a pipe of our shell's."""
    if name == STDIN:
        return False
    try:
        return not Path(name).exists() or Path(name).is_file() or Path(name).is_dir()
    except (OSError, ValueError):
        return True


def _look(progress: CheckProgress, index: int, shared: Any) -> None:
    progress.reach(index, sum(shared[index:-1]))


def _awaited(future: Future[CheckResult], look: Callable[[], None]) -> CheckResult:
    while True:
        look()
        with contextlib.suppress(NotYetError):
            return future.result(_LOOK_SECONDS)


def _check_alone(source: Source, options: ReadOptions) -> CheckResult:
    """Check a file in a process of its own, after one of several has died: only the culprit dies again."""
    context = multiprocessing.get_context("spawn")
    shared = context.RawArray("Q", 2)
    with ProcessPoolExecutor(1, context, initializer=_start_process, initargs=(shared,)) as pool:
        try:
            return pool.submit(_check_in_process, 0, source, options).result()
        except BrokenProcessPool:
            return refused(source, Problem(CHECK_CRASHED, "The process that read the file died."))


_shared: Any = None
"""In a process of the pool: the array that all of them share with their parent."""


class _StoppedError(Exception):
    """The parent does not want the result any more."""


def _start_process(shared: Any) -> None:
    global _shared  # noqa: PLW0603 - the one way to hand shared memory to a process of a pool
    _shared = shared
    begin_short_process()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches the parent, too, and it asks us to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _check_in_process(index: int, source: Source, options: ReadOptions) -> CheckResult:
    def tell(read: ReadProgress) -> None:
        if _shared[len(_shared) - 1]:
            raise _StoppedError
        _shared[index] = read.bytes_done

    return check_source(source, options, tell)
