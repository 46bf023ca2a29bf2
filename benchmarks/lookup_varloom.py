"""One run of Varloom for bench_lookup.py: read a VCF, look its variants up, write what was found as Arrow.

    python benchmarks/lookup_varloom.py RELEASE_FOLDER QUERY OUTPUT

Without arguments it only starts. Prints how many variants were found. It does what the annotate stage does with a
source: the file is read by the reader of uploads, and batches of 20,000 variants are given to the source.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from varloom.reader import ReadOptions, open_reader

if TYPE_CHECKING:
    import pyarrow as pa

    from varloom.annotation.source import OpenSource

BATCH = 20_000
LANES = 2
"""How many work at once, each with the source opened for itself, as the annotate stage does it with processes."""
STRIPE = 4
"""Consecutive batches that go to the same one: neighbours share row groups."""


def main(folder: Path, query: Path, output: Path) -> None:
    """See above."""
    reader = open_reader(query, options=ReadOptions(batch_rows=BATCH))  # first: its threads unpack while we import

    import pyarrow as pa

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.source import InstalledRelease
    from varloom.annotation.sources.gnomad import SOURCE

    releases = {SOURCE.need: InstalledRelease(ReleaseKey("variants", "gnomad", "GRCh38", "bench"), folder)}
    schema = pa.schema([(column.name, column.type) for column in SOURCE.columns(releases)])
    found = 0
    with contextlib.ExitStack() as held:
        writer = held.enter_context(pa.ipc.new_file(str(output), schema))  # as it is, like the peers' output
        lanes = [
            (held.enter_context(ThreadPoolExecutor(1)), held.enter_context(SOURCE.open(releases, output.parent)))
            for _ in range(LANES)
        ]
        running: deque[Future[pa.RecordBatch]] = deque()
        for number, rows in enumerate(reader.batches()):
            thread, opened = lanes[number // STRIPE % LANES]
            running.append(thread.submit(_looked_up, opened, rows))
            while len(running) > 2 * STRIPE * LANES:
                found += _written(writer, running.popleft().result())
        for coming in running:
            found += _written(writer, coming.result())
    print(found)


def _looked_up(opened: OpenSource, rows: pa.RecordBatch) -> pa.RecordBatch:
    return opened.annotate(as_variants(rows), lambda: None).columns


def _written(writer: pa.ipc.RecordBatchFileWriter, columns: pa.RecordBatch) -> int:
    writer.write_batch(columns)
    return columns["gnomad.found"].true_count


def as_variants(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of the reader that a source is given."""
    import pyarrow as pa

    from varloom.annotation.model import VARIANTS

    given = set(rows.schema.names)
    columns = [
        rows[field.name].cast(field.type) if field.name in given else pa.nulls(rows.num_rows, field.type)
        for field in VARIANTS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VARIANTS)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(*map(Path, sys.argv[1:]))
    else:
        importlib.import_module("varloom.annotation.sources.gnomad")
