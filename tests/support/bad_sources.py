"""Annotation sources that misbehave at certain positions, for the process that runs them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.annotation.model import Annotated, AnnotationColumn, SetAside, VariantKind
from varloom.annotation.source import Need
from varloom.errors import VarloomError, define

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from varloom.annotation.source import InstalledRelease

KILL, HANG, RAISE, TELL, UNEXPECTED, SLOW = 13, 33, 53, 73, 93, 113
"""Positions at which something happens."""
CALLS = "calls.log"
"""In the release's folder: a line for each call, with source, first and last position."""

FAULT = define("test_fault", "A fault", cause="A test.", resolution=("None.",))


class Double:
    """Doubles the position, and misbehaves."""

    kind = VariantKind.SMALL
    needs = (Need("genes"),)

    def __init__(self, name: str, *, faults: bool) -> None:
        self.name = self.title = name
        self._faults = faults

    def columns(self, releases: Mapping[Need, InstalledRelease]) -> list[AnnotationColumn]:
        text = pa.list_(pa.struct([pa.field("of", pa.string())]))
        return [
            AnnotationColumn(f"{self.name}.double", pa.int64(), "Twice the position."),
            AnnotationColumn(f"{self.name}.nested", text, "The position as text."),
        ]

    def stretches(self, releases: Mapping[Need, InstalledRelease]) -> None:
        """See `AnnotationSource.stretches`."""

    @contextlib.contextmanager
    def open(self, releases: Mapping[Need, InstalledRelease], scratch: Path) -> Iterator[Double]:
        folder = releases[self.needs[0]].folder
        if (folder / "broken").exists():
            raise VarloomError(FAULT, "The release cannot be read.")
        self._log = folder / CALLS
        yield self

    def annotate(self, variants: pa.RecordBatch, on_step: Callable[[], None]) -> Annotated:
        positions = variants.column("position").to_pylist()
        with self._log.open("a") as log:
            log.write(f"{self.name} {positions[0]} {positions[-1]}\n")
        if self._faults:
            _misbehave(set(positions), on_step)
        aside = [SetAside(rowno, "told") for rowno, at in _numbered(variants) if at == TELL and self._faults]
        columns = [
            pa.array([at * 2 for at in positions], pa.int64()),
            pa.array([[{"of": str(at)}] for at in positions], self.columns({})[1].type),
        ]
        return Annotated(
            pa.RecordBatch.from_arrays(columns, names=[column.name for column in self.columns({})]), tuple(aside)
        )


def _numbered(variants: pa.RecordBatch) -> list[tuple[int, int]]:
    return list(zip(variants.column("rowno").to_pylist(), variants.column("position").to_pylist(), strict=True))


def _misbehave(positions: set[int], on_step: Callable[[], None]) -> None:
    if KILL in positions:
        os.kill(os.getpid(), signal.SIGKILL)
    if HANG in positions:
        time.sleep(3600)
    if RAISE in positions:
        raise VarloomError(FAULT, "This one is refused.")
    if UNEXPECTED in positions:
        raise ZeroDivisionError
    if SLOW in positions:
        for _ in range(6):  # longer than the stall limit, with signs of life
            time.sleep(0.6)
            on_step()


SOURCES = (Double("good", faults=False), Double("bad", faults=True))
