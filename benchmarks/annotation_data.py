"""Releases of every kind for bench_annotation.py: a gene model of a whole genome, and sites by the ten million."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any, NamedTuple

import consequence_data
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.annotation.lookups.normalising import Normalised
from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.gene_model import import_genes
from varloom.annotation.refs.importer import ImportTask
from varloom.annotation.refs.site_writer import Merge, SiteWriter
from varloom.annotation.sources import clinvar, dbsnp, gnomad, scores
from varloom.genomics.variant_keys import variant_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.random import Generator

    from varloom.annotation.lookups.source import LookupSource
    from varloom.annotation.model import AnnotationColumn

SITES: tuple[tuple[LookupSource, int], ...] = (
    (clinvar.SOURCE, 3_000_000),
    (gnomad.SOURCE, 10_000_000),
    (dbsnp.SOURCE, 10_000_000),
    (scores.REVEL, 3_000_000),
    (scores.CADD, 10_000_000),
    (scores.ALPHAMISSENSE, 3_000_000),
    (scores.SPLICEAI, 5_000_000),
)
"""How many sites each look-up has; beside those that are made up, seven tenths of the variants that are asked for."""
KNOWN = 0.7
GENES = 26_000
"""In all, as refGene has; those that the made genome has no room for lie on contigs that it does not have."""
_ELSEWHERE = tuple(str(number) for number in range(3, 23))
_SPAN = 2_000_000
"""Bases of a contig that are made at once."""
_WORDS = pa.array(["Benign", "Likely_benign", "Uncertain_significance", "Pathogenic", "PASS", "AC0", "nfe", "afr"])


class Made(NamedTuple):
    """The files: the variants, and the folder with one of a release for each kind and name."""

    variants: Path
    fasta: Path
    genes: Path
    releases: Path


def make(folder: Path, bases: int, variants: int, scale: float) -> Made:
    """Make everything that is not there; `scale` is of the numbers of sites and of genes."""
    made = consequence_data.make(folder, bases, variants)
    releases = folder / "releases"
    _genes(made.gff, releases, scale)
    fasta = releases / "fasta-made"
    if not fasta.exists():
        fasta.mkdir(parents=True)
        for path in folder.glob("genome.fa.gz*"):
            (fasta / path.name).symlink_to(path)
    asked = None
    for number, (source, count) in enumerate(SITES):
        target = releases / f"{source.need.kind}-{source.need.name}"
        if not target.exists():
            asked = asked or _asked(made.vcf)
            _write_sites(target, source, int(count * scale), asked, np.random.default_rng(number))
    return Made(made.vcf, fasta / "genome.fa.gz", releases / "genes-made", releases)


def _genes(gff: Path, releases: Path, scale: float) -> None:
    target = releases / "genes-made"
    if target.exists():
        return
    whole, unfinished = gff.with_name("all-genes.gff3"), releases / "genes.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    shutil.copy(gff, whole)
    random = np.random.default_rng(11)
    here = sum("\tgene\t" in line for line in whole.open())
    each = max(0, int(GENES * scale) - here) // len(_ELSEWHERE)
    with whole.open("a") as file:
        for contig in _ELSEWHERE:
            for number in range(each):
                file.writelines(consequence_data.gene(random, contig, number, 20_000 + number * 100_000, None))
    key = ReleaseKey("genes", "made", "GRCh38", "1")
    import_genes(ImportTask(key, (whole,), unfinished, unfinished, None, lambda _done, _total: None, excerpt=True))
    unfinished.rename(target)


def _asked(vcf: Path) -> dict[str, tuple[pa.Array, pa.Array, pa.Array]]:
    """Position, REF and ALT of the variants by contig."""
    from consequence_run import batches

    table = pa.Table.from_batches(batches(vcf)).select(["contig", "position", "ref", "alt"])
    found = {}
    for contig in consequence_data.CONTIGS:
        mine = table.filter(pc.equal(table["contig"], contig)).combine_chunks()
        found[contig] = tuple(mine[name].chunk(0) for name in ("position", "ref", "alt"))
    return found


def _write_sites(target: Path, source: LookupSource, count: int, asked: Any, random: Generator) -> None:
    unfinished = target.with_name(f"{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    scratch = unfinished / "scratch"
    scratch.mkdir(parents=True)
    fields = [pa.field(field.name, field.type) for field in source.fields]
    writer = SiteWriter(unfinished, scratch, fields, Merge(), lambda: None)
    for contig, (position, ref, alt) in asked.items():
        kept = pa.array(random.random(len(position)) < KNOWN)
        known = tuple(column.filter(kept) for column in (position, ref, alt))
        last = int(position[-1].as_py())
        for sites in (known, *_made_up(random, last, count // len(asked))):
            places = sites[0].to_numpy()
            rows = Normalised(places, sites[1], sites[2], variant_keys(places, sites[1], sites[2]))
            writer.add(contig, rows, [_values(random, field, len(places)) for field in source.fields])
    writer.finish()
    shutil.rmtree(scratch)
    unfinished.rename(target)


def _made_up(random: Generator, last: int, count: int) -> Iterator[tuple[pa.Array, pa.Array, pa.Array]]:
    """Single bases at places between which other variants lie."""
    pieces = max(1, last // _SPAN)
    bases = np.array(list("ACGT"))
    for piece in range(pieces):
        places = np.unique(random.integers(piece * _SPAN + 1, (piece + 1) * _SPAN, count // pieces))
        ref = random.integers(0, 4, len(places))
        alt = (ref + random.integers(1, 4, len(places))) % 4
        yield pa.array(places), pa.array(bases[ref]), pa.array(bases[alt])


def _values(random: Generator, field: AnnotationColumn, count: int) -> pa.Array:
    if field.name in {"id", "variation_id", "protein_variant"}:
        numbers = pc.cast(pa.array(random.integers(1, 2_000_000_000, count)), pa.string())
        return pc.binary_join_element_wise("rs", numbers, "")
    if field.type == pa.string():
        return _WORDS.take(pa.array(random.integers(0, len(_WORDS), count)))
    if pa.types.is_floating(field.type):
        return pa.array(np.round(random.random(count), 5), field.type)
    return pa.array(random.integers(0, 100, count), pa.int64()).cast(field.type)
