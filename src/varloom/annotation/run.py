"""Annotating a whole file: chunk by chunk, in processes, with checkpoints; no variant can stop the others.

A chunk that fails, hangs or kills its process is halved again and again, until the variant that does it is alone. That
one is set aside and told. There is no limit to the whole: only what makes no progress is given up.
"""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from varloom.annotation.checkpoints import MOST_EXAMPLES, Aside, FinishedChunk
from varloom.annotation.problems import ANNOTATION_STALLED
from varloom.annotation.worker_process import AnnotatorProcess, Piece, PieceFailedError
from varloom.dataset.durable import disk_full_told
from varloom.errors import VarloomError, counted
from varloom.failpoints import failpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from varloom.annotation.checkpoints import Checkpoints
    from varloom.annotation.choice import Chosen

logger = logging.getLogger(__name__)

CHUNK_ROWS = 20_000
"""Variants of a chunk: what is done again after a crash, and at once when one of them is bad."""


class Limits(NamedTuple):
    """How patient an annotation is.

    Attributes:
        stall: seconds without a sign of life after which a whole chunk is given up; parts of it have less, as they are
            smaller, but at least `least_stall`.
        least_stall: seconds.
        failures: how many pieces of one source may fail, halves included; more are not the fault of single variants.
        processes: how many work at once, each with all sources in memory; None: two, or one on a single processor.
    """

    stall: float = 120.0
    least_stall: float = 15.0
    failures: int = 400
    processes: int | None = None


class Finished(NamedTuple):
    """What an annotation made.

    Attributes:
        rows: how many variants there are.
        chunks: how many chunks, all in the folder of the checkpoints.
        resumed: how many of them had been finished before.
        aside: some of the variants that were set aside, at most `MOST_EXAMPLES` of each source.
        aside_counts: by source, how many were.
    """

    rows: int
    chunks: int
    resumed: int
    aside: tuple[Aside, ...]
    aside_counts: dict[str, int]


class Annotation:
    """One file's annotation.

    Args of the constructor:
        chosen: the sources, with their releases.
        checkpoints: where finished chunks are kept.
        scratch: a folder for what is needed meanwhile, empty and removed by the caller.
        on_progress: told how many variants are done, of how many; also as a sign of life.
        limits: how patient it is.
        on_failure: called whenever a piece failed; raises where nothing can be annotated any more.
        registry: the module that lists the sources.
    """

    def __init__(
        self,
        chosen: Sequence[Chosen],
        checkpoints: Checkpoints,
        scratch: Path,
        on_progress: Callable[[int, int], None],
        *,
        limits: Limits | None = None,
        on_failure: Callable[[], None] = lambda: None,
        registry: str = "varloom.annotation.registry",
    ) -> None:
        self._chosen = chosen
        self._on_failure = on_failure
        self._checkpoints = checkpoints
        self._scratch = scratch
        self._on_progress = on_progress
        self._limits = limits or Limits()
        self._registry = registry
        self._told = threading.Lock()
        self._done = self._total = 0
        self._failures: dict[str, int] = {}

    def run(self, batches: Iterable[pa.RecordBatch]) -> Finished:
        """Annotate all variants.

        Args:
            batches: of the schema `VARIANTS`, each of which becomes a chunk: the same ones whenever it is tried again.

        Raises:
            VarloomError: of the sources or their reading, `disk_full`, or `annotation_stalled`.
        """
        waiting = self._write_inputs(batches)
        resumed = [number for number, rows in enumerate(self._rows) if number not in waiting]
        self._done = sum(self._rows[number] for number in resumed)
        if resumed:
            logger.info("%s of %d had been annotated before", counted(len(resumed), "chunk"), len(self._rows))
        self._tell(0)
        self._annotate_all(sorted(waiting))
        return self._finished(len(resumed))

    def _write_inputs(self, batches: Iterable[pa.RecordBatch]) -> set[int]:
        """Put the variants of all chunks that are not finished where processes can read them: their numbers."""
        self._rows: list[int] = []
        waiting: set[int] = set()
        for number, batch in enumerate(batches):
            self._rows.append(batch.num_rows)
            found = self._checkpoints.finished(number)
            if found is None or found.rows != batch.num_rows:
                waiting.add(number)
                with (
                    disk_full_told("the variants to annotate"),
                    pa.OSFile(str(self._input(number)), "wb") as file,
                    pa.ipc.new_file(file, batch.schema) as writer,
                ):
                    writer.write_batch(batch)
        self._total = sum(self._rows)
        return waiting

    def _input(self, number: int) -> Path:
        return self._scratch / f"variants-{number:05}.arrow"

    # --- all chunks -----------------------------------------------------------------------------------------------

    def _annotate_all(self, numbers: Sequence[int]) -> None:
        """Annotate the chunks in several processes; the first error ends all of them."""
        count = min(len(numbers), self._limits.processes or _processes())
        if not count:
            return
        left = iter(numbers)
        guard = threading.Lock()
        processes = [self._process(number) for number in range(count)]

        def work(process: AnnotatorProcess) -> None:
            while True:
                with guard:
                    number = next(left, None)
                if number is None:
                    return
                self._annotate_chunk(process, number)

        with ThreadPoolExecutor(count, thread_name_prefix="annotation") as pool:
            working = [pool.submit(work, process) for process in processes]
            try:
                finished, _ = wait(working, return_when=FIRST_EXCEPTION)
                for future in finished:
                    future.result()
            finally:
                with guard:
                    left = iter(())
                for process in processes:
                    process.stop()

    def _process(self, number: int) -> AnnotatorProcess:
        scratch = self._scratch / f"process-{number}"
        scratch.mkdir(mode=0o700)
        return AnnotatorProcess(self._chosen, scratch, lambda: self._tell(0), registry=self._registry)

    def _tell(self, rows: int) -> None:
        with self._told:
            self._done += rows
            self._on_progress(self._done, self._total)

    # --- one chunk ------------------------------------------------------------------------------------------------

    def _annotate_chunk(self, process: AnnotatorProcess, number: int) -> None:
        aside: list[Aside] = []
        columns: list[pa.Array] = []
        names: list[str] = []
        for item in self._chosen:
            found = _SourceRun(self, process, item, number)
            batch = found.annotate()
            columns += batch.columns
            names += batch.schema.names
            aside += found.aside
        together = pa.RecordBatch.from_arrays(columns, names=names)
        examples, counts = _sampled(aside)
        self._checkpoints.keep(number, together, FinishedChunk(self._rows[number], examples, counts))
        logger.info("chunk %d is finished", number)
        failpoint("annotation.after_chunk")
        self._input(number).unlink()
        self._tell(self._rows[number])

    def stall_limit(self, rows: int) -> float:
        """Seconds without a sign of life after which so many rows are given up."""
        return max(self._limits.least_stall, self._limits.stall * min(1.0, rows / CHUNK_ROWS))

    def note_failure(self, source: str, error: PieceFailedError) -> None:
        """Count a piece that failed.

        Raises:
            VarloomError: `annotation_stalled`: there have been too many; or those of `on_failure`.
        """
        self._on_failure()
        with self._told:
            self._failures[source] = count = self._failures.get(source, 0) + 1
        if count > self._limits.failures:
            message = f"The source {source} failed {count} times, last with this: {error.reason}"
            raise VarloomError(ANNOTATION_STALLED, message)

    def piece(self, source: str, number: int, start: int, rows: int) -> Piece:
        """Some rows of a chunk for one source."""
        output = self._scratch / f"found-{number:05}-{source}-{start}-{rows}.arrow"
        return Piece(source, self._input(number), start, rows, output)

    def rows_of(self, number: int) -> int:
        """How many rows a chunk has."""
        return self._rows[number]

    def first_rowno(self, number: int) -> int:
        """The row number of a chunk's first variant."""
        return sum(self._rows[:number])

    def _finished(self, resumed: int) -> Finished:
        aside: list[Aside] = []
        counts: dict[str, int] = {}
        for number in range(len(self._rows)):
            chunk = self._checkpoints.finished(number)
            if chunk is None:
                raise AssertionError("every chunk is finished")
            aside += chunk.aside
            for source, count in chunk.aside_counts.items():
                counts[source] = counts.get(source, 0) + count
        return Finished(sum(self._rows), len(self._rows), resumed, _sampled(aside)[0], counts)


class _SourceRun:
    """One source at work on one chunk."""

    def __init__(self, annotation: Annotation, process: AnnotatorProcess, item: Chosen, number: int) -> None:
        self._annotation = annotation
        self._process = process
        self._item = item
        self._number = number
        self._schema = pa.schema([pa.field(column.name, column.type) for column in item.columns])
        self.aside: list[Aside] = []

    def annotate(self) -> pa.RecordBatch:
        """The columns of all rows of the chunk."""
        pieces = self._annotate(0, self._annotation.rows_of(self._number))
        table = pa.Table.from_batches(pieces, schema=self._schema).combine_chunks()
        batches = table.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=self._schema)

    def _annotate(self, start: int, rows: int) -> list[pa.RecordBatch]:
        """The columns of some rows, in pieces; a single one that cannot be annotated has none."""
        source = self._item.source.name
        piece = self._annotation.piece(source, self._number, start, rows)
        try:
            aside = self._process.annotate(piece, self._annotation.stall_limit(rows))
        except PieceFailedError as error:
            self._annotation.note_failure(source, error)
            if rows == 1:
                rowno = self._annotation.first_rowno(self._number) + start
                logger.info("row %d is set aside by %s: %s", rowno, source, error.reason)
                self.aside.append(Aside(source, rowno, error.reason))
                return [_missing(self._schema)]
            half = rows // 2
            return self._annotate(start, half) + self._annotate(start + half, rows - half)
        self.aside += (Aside(source, rowno, reason) for rowno, reason in aside)
        with pa.OSFile(str(piece.output)) as file:
            found = pa.ipc.open_file(file).get_batch(0)
        piece.output.unlink()
        return [found]


def _missing(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.nulls(1, field.type) for field in schema], schema=schema)


def _sampled(aside: Iterable[Aside]) -> tuple[tuple[Aside, ...], dict[str, int]]:
    """Some examples of each source, and how many there are of each."""
    counts: dict[str, int] = {}
    examples: list[Aside] = []
    for item in aside:
        counts[item.source] = counts.get(item.source, 0) + 1
        if counts[item.source] <= MOST_EXAMPLES:
            examples.append(item)
    return tuple(examples), counts


def _processes() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(2, len(affinity(0)) if affinity else os.cpu_count() or 1)
