"""Releases made of a FASTA and a GFF3, and a source opened on them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pysam

from varloom.annotation.model import PHASED_VARIANTS, VARIANTS, ReleaseKey
from varloom.annotation.refs.gene_model import import_genes
from varloom.annotation.refs.importer import Imported, ImportTask
from varloom.annotation.source import InstalledRelease
from varloom.annotation.sources.consequence.source import FASTA, GENES, MANE, ConsequenceSource
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ASSEMBLY = "GRCh38"


class Row(NamedTuple):
    """A variant as a test writes it."""

    contig: str
    position: int
    ref: str
    alt: str | None
    genotypes: tuple[str, ...] | None = None
    phase_sets: tuple[str | None, ...] | None = None
    allele: int = 1


def task_of(kind: str, sources: Sequence[Path], folder: Path) -> ImportTask:
    folder.mkdir(parents=True, exist_ok=True)
    key = ReleaseKey(kind, "test", ASSEMBLY, "1")
    return ImportTask(key, tuple(sources), folder, folder, None, lambda _done, _total: None)


def installed_genes(gff: Path, folder: Path) -> tuple[InstalledRelease, Imported]:
    task = task_of("genes", [gff], folder)
    imported = import_genes(task)
    return InstalledRelease(task.key, folder), imported


def installed_fasta(sequences: dict[str, str], folder: Path) -> InstalledRelease:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "genome.fa.gz"
    with pysam.BGZFile(str(path), "wb") as out:
        for name, bases in sequences.items():
            lines = [bases[start : start + 60] for start in range(0, len(bases), 60)]
            out.write(("\n".join([f">{bare_name(name)}", *lines]) + "\n").encode())
    pysam.FastaFile(str(path)).close()  # writes the indexes
    return InstalledRelease(ReleaseKey("fasta", "test", ASSEMBLY, "1"), folder)


def sequences_of(fasta: Path) -> dict[str, str]:
    with pysam.FastaFile(str(fasta)) as file:
        return {name: file.fetch(name) for name in file.references}


def batch_of(rows: Sequence[Row], first: int = 0) -> pa.RecordBatch:
    phased = any(row.genotypes is not None for row in rows)
    columns = {
        "rowno": list(range(first, first + len(rows))),
        "contig": [row.contig for row in rows],
        "position": [row.position for row in rows],
        "ref": [row.ref for row in rows],
        "alt": [row.alt for row in rows],
        "allele": [row.allele for row in rows],
        "genotypes": [row.genotypes for row in rows],
        "phase_sets": [row.phase_sets for row in rows],
    }
    schema = PHASED_VARIANTS if phased else VARIANTS
    arrays = [pa.array(columns.get(field.name, [None] * len(rows)), field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


@contextmanager
def opened(genes: InstalledRelease, fasta: InstalledRelease, scratch: Path, mane: InstalledRelease | None = None):
    """The source at work."""
    scratch.mkdir(parents=True, exist_ok=True)
    releases = {GENES: genes, FASTA: fasta} | ({MANE: mane} if mane else {})
    with ConsequenceSource().open(releases, scratch) as source:
        yield source


def annotated(source, rows: Sequence[Row], first: int = 0):
    """The answers as dictionaries, and what was set aside; the shape is checked on the way."""
    answered = source.annotate(batch_of(rows, first), lambda: None)
    answered.columns.validate(full=True)
    assert answered.columns.num_rows == len(rows)
    return answered.columns.to_pylist(), answered.set_aside
