"""How far `varloom check` is: a bar over all files, on a terminal, when it takes longer than a moment."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from typing import TYPE_CHECKING, Self

from varloom.cli.output import is_terminal
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from rich.progress import Progress, TaskID

    from varloom.cli.check_sources import Source
    from varloom.reader import ReadProgress

PATIENCE_SECONDS = 0.5
"""A check that takes no longer shows no bar."""
NAME_LIMIT = 30


class CheckProgress:
    """The bar, on the standard error; it does nothing when nobody watches."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._watched = is_terminal() and os.environ.get("TERM") != "dumb"
        sizes = [source.bytes for source in sources] if self._watched else []
        self._before = list(itertools.accumulate(sizes, initial=0))
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def of(self, index: int) -> Callable[[ReadProgress], None]:
        """What to call while the file of `index` is read."""
        self.reach(index, 0)
        return lambda read: self.reach(index, read.bytes_done)

    def reach(self, index: int, read: int) -> None:
        """All files before that of `index` are done, and `read` bytes of it and of those behind it."""
        if not self._watched or time.monotonic() - self._started < PATIENCE_SECONDS:
            return
        if self._bar is None:
            self._make_bar()
        if self._bar is not None and self._task is not None:
            name = safe_excerpt(self._sources[index].name.rpartition("/")[2], NAME_LIMIT)
            place = f"{index + 1:,} of {len(self._sources):,}: " if len(self._sources) > 1 else ""
            done = self._before[index] + read
            self._bar.update(self._task, completed=done, total=self._before[-1] or None, description=place + name)

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while results are printed."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        yield
        self._bar.start()

    def _make_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,  # results stay on the standard output
            redirect_stderr=False,
        )
        self._task = self._bar.add_task("", total=None)
        self._bar.start()
