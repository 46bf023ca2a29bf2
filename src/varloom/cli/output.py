"""What commands print: results on the standard output, everything else on the standard error."""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from varloom.errors import counted, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NAME_WIDTH = 40
"""The most characters of a name in a table."""
HELD_UP = {
    "paused": "paused",
    "no_slots": "no worker",
    "plan_unknown": "update the workers",
    "no_engine": "no worker with its engine",
    "disk_low": "disk low",
}
"""Why a job is held up, in a word or two."""


def print_json(value: Any) -> None:
    """One JSON value on one line; bytes of a file that are no text stay escaped."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        text = json.dumps(value)
    click.echo(text)


def print_error(error: Mapping[str, Any]) -> None:
    """An error in words, on the standard error: what, where, and how to mend it."""
    click.echo(f"{error['title']}: {describe(error)}", err=True)
    for step in error.get("resolution") or ():
        click.echo(f"  - {step}", err=True)
    told = describe(error)
    for problem in error.get("problems") or ():
        if describe(problem) != told:
            click.echo(f"  also: {describe(problem)}", err=True)


def describe(problem: Mapping[str, Any]) -> str:
    """Message and place of an error or a problem."""
    places = [f"{name} {problem[name]}" for name in ("line", "column", "field") if problem.get(name) is not None]
    excerpt = problem.get("excerpt")
    told = str(problem["message"])
    if places:
        told += f" ({', '.join(places)})"
    return f"{told}\n    {safe_excerpt(excerpt)}" if excerpt else told


def print_table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Rows in aligned columns; numbers are set to the right."""
    from rich.cells import cell_len

    body = [list(row) for row in rows]
    texts = [[_cell(value) for value in row] for row in body]
    widths = [max(cell_len(text) for text in column) for column in zip(headings, *texts, strict=True)]
    right = [bool(body) and all(isinstance(row[n], int | None) for row in body) for n in range(len(headings))]
    for line in [list(headings), *texts]:
        cells = []
        for text, width, to_right in zip(line, widths, right, strict=True):
            gap = " " * (width - cell_len(text))
            cells.append(gap + text if to_right else text + gap)
        click.echo("  ".join(cells).rstrip())


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value:,}"
    return safe_excerpt(str(value), NAME_WIDTH)


def local_time(text: str | None) -> str:
    """A time of the API in the user's own zone, to the second."""
    if not text:
        return ""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def state_of(job: Mapping[str, Any]) -> str:
    """A job's state in words: with its place in the queue, its attempt, or how far it is."""
    state = str(job["state"]).capitalize()
    details = []
    if job["state"] == "queued" and job.get("held_up"):
        details.append(HELD_UP[job["held_up"]["cause"]])
    elif job["state"] == "queued" and job.get("queue_position") is not None:
        details.append("next" if job["queue_position"] == 0 else f"{job['queue_position']:,} ahead")
    if job.get("retry_at") and job["state"] == "queued":
        details.append(f"again at {local_time(job['retry_at'])[11:]}")
    if job["attempt"] > 1 and job["state"] != "completed":
        details.append(f"attempt {job['attempt']} of {job['max_attempts']}")
    if (share := percent(job.get("progress"))) is not None and job["stage"] and not job["finished_at"]:
        details.append(f"{share} %")
    return f"{state} ({', '.join(details)})" if details else state


def percent(progress: Mapping[str, Any] | None) -> int | None:
    """How much of a stage is done, where its end is known."""
    if not progress or not progress.get("total"):
        return None
    return min(100, int(100 * progress["done"] / progress["total"]))


def outcome(job: Mapping[str, Any]) -> str:
    """One sentence on a job that has ended well or was stopped."""
    name = safe_excerpt(job["sample_name"], NAME_WIDTH)
    if job["state"] == "completed":
        noted = f", {counted(len(job['warnings']), 'warning')}" if job["warnings"] else ""
        return f"{name}: Completed, {counts(job['records'], job['variants'])}{noted}."
    return f"{name}: {str(job['state']).capitalize()}."


def counts(records: int, variants: int | None) -> str:
    """How much was read; a table that holds no variants has records only."""
    return counted(records, "record") + ("" if variants is None else f", {counted(variants, 'variant')}")


def size(number: int) -> str:
    """A number of bytes in decimal units: `3.28 kB`."""
    value = float(number)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:.3g} TB"


def is_terminal() -> bool:
    """Whether somebody watches the standard error."""
    return sys.stderr.isatty()
