"""What a person sees while waiting: a line for each change, and bars on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import click

from varloom.cli.output import is_terminal, local_time, percent, print_json, state_of
from varloom.errors import safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from rich.progress import Progress, TaskID

    Job = dict[str, Any]


class TransferBar:
    """A bar for bytes that are sent or read, or for things that are counted; nothing at all when nobody watches."""

    def __init__(self, description: str, total: int | None, *, counts: bool = False) -> None:
        """`counts` says that not bytes are told."""
        self._description = description
        self._counts = counts
        self._total = total
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if is_terminal():
            from rich.console import Console
            from rich.markup import escape
            from rich.progress import (
                BarColumn,
                DownloadColumn,
                MofNCompleteColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                *([MofNCompleteColumn()] if self._counts else [DownloadColumn(), TransferSpeedColumn()]),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(escape(self._description), total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def advance(self, amount: int) -> None:
        """So many bytes more are done."""
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task, amount)

    def reach(self, done: int, total: int | None) -> None:
        """So many of so many are done."""
        if self._progress is not None and self._task is not None:
            self._progress.update(self._task, completed=done, total=total)


class JobChanges:
    """Prints a job when its state, attempt or message changes; on a terminal, its progress in between."""

    def __init__(self, *, as_json: bool, on_stdout: bool) -> None:
        self._as_json = as_json
        self._on_stdout = on_stdout
        self._told: dict[str, tuple[Any, ...]] = {}
        self._width = 0

    def __call__(self, job: Job) -> None:
        """Tell what is new about a job."""
        news = (job["state"], job["attempt"], job["message"])
        if self._told.get(job["id"]) != news:
            self._told[job["id"]] = news
            self.clear()
            self._print(job)
        elif is_terminal() and not self._as_json and (share := percent(job["progress"])) is not None:
            self._overwrite(f"{_name(job)}: {job['state'].capitalize()}, {share} %")

    def clear(self) -> None:
        """Take the progress line away."""
        if self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0

    def _print(self, job: Job) -> None:
        if self._as_json and self._on_stdout:
            print_json(job)
        elif self._on_stdout or (is_terminal() and not job["finished_at"]):
            click.echo(f"{local_time(_now())[11:]}  {_name(job)}: {_change(job)}", err=not self._on_stdout)

    def _overwrite(self, line: str) -> None:
        padding = " " * max(0, self._width - len(line))
        click.echo(f"\r{line}{padding}", err=True, nl=False)
        self._width = len(line)


def _change(job: Job) -> str:
    """The state and, where it says more, what happened last."""
    message = safe_excerpt(str(job["message"]))
    return message if message.lower().startswith(job["state"]) else f"{state_of(job)}. {message}"


def _name(job: Job) -> str:
    return safe_excerpt(job["sample_name"], 40)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat()


def on_read(bar: TransferBar) -> Callable[[Any], None]:
    """Shows a reader's progress, which counts bytes of the file as it is stored."""
    return lambda progress: bar.reach(progress.bytes_done, progress.bytes_total)
