"""Annotates a VCF by the whole source, batch by batch as a job does; prints how many variants it was and what they had.

consequence_run.py VCF GENES_FOLDER FASTA_FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from varloom.annotation.model import VARIANTS, ReleaseKey
from varloom.annotation.source import InstalledRelease
from varloom.annotation.sources.consequence.source import FASTA, GENES, SOURCE
from varloom.garbage import collect_seldom

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROWS = 20_000


def batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The records of a plain VCF with one allele each."""
    with path.open("rb") as lines:
        header = next(number for number, line in enumerate(lines) if line.startswith(b"#CHROM")) + 1
    names = ["contig", "position", "id", "ref", "alt", "qual", "filter", "info"]
    types = {"contig": pa.string(), "position": pa.int64(), "ref": pa.string(), "alt": pa.string()}
    table = csv.read_csv(
        path,
        csv.ReadOptions(skip_rows=header, column_names=names),
        csv.ParseOptions(delimiter="\t", quote_char=False),
        csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )
    for start in range(0, len(table), _ROWS):
        part = table.slice(start, _ROWS).combine_chunks()
        columns = {name: part[name].chunk(0) for name in types}
        columns["rowno"] = pa.array(range(start, start + len(part)))
        arrays = [columns.get(field.name, pa.nulls(len(part), field.type)) for field in VARIANTS]
        yield pa.RecordBatch.from_arrays(arrays, schema=VARIANTS)


def main() -> None:
    """Annotate."""
    collect_seldom()  # as the process in which sources work does
    vcf, genes, fasta = map(Path, sys.argv[1:])
    releases = {
        GENES: InstalledRelease(ReleaseKey("genes", "made", "GRCh38", "1"), genes),
        FASTA: InstalledRelease(ReleaseKey("fasta", "made", "GRCh38", "1"), fasta),
    }
    counts = {"variants": 0, "named": 0, "intergenic": 0, "set_aside": 0}
    with TemporaryDirectory(prefix="varloom-bench-") as scratch, SOURCE.open(releases, Path(scratch)) as source:
        for batch in batches(vcf):
            answered = source.annotate(batch, lambda: None)
            column = answered.columns.column(0)
            counts["variants"] += batch.num_rows
            counts["named"] += (
                batch.num_rows
                - answered.columns.column(answered.columns.schema.get_field_index("csq.hgvs_c")).null_count
            )
            counts["intergenic"] += pc.sum(pc.equal(column, "intergenic_variant")).as_py() or 0
            counts["set_aside"] += len(answered.set_aside)
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
