"""One run of Varloom for bench_lookup.py: read a VCF, look its variants up, write what was found as Parquet.

    python benchmarks/lookup_varloom.py RELEASE_FOLDER QUERY OUTPUT

Prints how many variants were found. It does what the annotate stage does with a source: the file is read by the reader
of uploads, and batches of 20,000 variants are given to the source one after another.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.model import VARIANTS, ReleaseKey
from varloom.annotation.source import InstalledRelease
from varloom.annotation.sources.gnomad import SOURCE
from varloom.reader import ReadOptions, open_reader

BATCH = 20_000


def main(folder: Path, query: Path, output: Path) -> None:
    """See above."""
    releases = {SOURCE.need: InstalledRelease(ReleaseKey("variants", "gnomad", "GRCh38", "bench"), folder)}
    found = 0
    schema = pa.schema([(column.name, column.type) for column in SOURCE.columns(releases)])
    reader = open_reader(query, options=ReadOptions(batch_rows=BATCH))
    with SOURCE.open(releases, output.parent) as opened, _writer(output, schema) as writer:
        for rows in reader.batches():
            columns = opened.annotate(as_variants(rows), lambda: None).columns
            found += columns["gnomad.found"].true_count
            writer.write_batch(columns)
    print(found)


def _writer(output: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """What is written is compressed, but quickly: the peers write theirs as it is."""
    texts = [field.name for field in schema if field.type == pa.string()]
    return pq.ParquetWriter(output, schema, compression="lz4", use_dictionary=texts)


def as_variants(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The columns of the reader that a source is given."""
    given = set(rows.schema.names)
    columns = [
        rows[field.name].cast(field.type) if field.name in given else pa.nulls(rows.num_rows, field.type)
        for field in VARIANTS
    ]
    return pa.RecordBatch.from_arrays(columns, schema=VARIANTS)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
