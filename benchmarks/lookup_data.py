"""Makes the data of bench_lookup.py: a source of sites as gnomAD publishes them, and a file of variants to look up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.random import Generator

FOLDER = Path(__file__).resolve().parents[1] / "build" / "bench" / "lookup"
CONTIGS = tuple(f"chr{number}" for number in range(1, 11))
SPAN = 130_000_000
"""Bases of each contig on which sites lie: all ten chromosomes are longer."""
PRESENT = 0.7
"""The share of the variants that the source has."""
INDELS = 0.1
SEED = 7
_BASES = np.array(list("ACGT"))
_SOURCE_HEAD = (
    '##fileformat=VCFv4.2\n##reference=GRCh38\n##FILTER=<ID=AC0,Description="No allele">\n'
    '##INFO=<ID=AC,Number=A,Type=Integer,Description="Count">\n##INFO=<ID=AN,Number=1,Type=Integer,Description="All">\n'
    '##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">\n'
    '##INFO=<ID=AF_grpmax,Number=A,Type=Float,Description="Greatest frequency">\n'
    '##INFO=<ID=nhomalt,Number=A,Type=Integer,Description="Homozygotes">\n'
)
_QUERY_HEAD = '##fileformat=VCFv4.2\n##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">\n'
_COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"


class LookupData(NamedTuple):
    """The files, and how many variants of the query the source has."""

    source: Path
    query: Path
    sites: int
    variants: int
    present: int


class _Sites(NamedTuple):
    """Sites of one contig, sorted, no two at one position."""

    position: pa.Array
    ref: pa.Array
    alt: pa.Array


def made(sites: int, variants: int) -> LookupData:
    """The data of these sizes; made once."""
    folder = FOLDER / f"{sites}-{variants}"
    note = folder / "made.json"
    source, query = folder / "source.vcf.gz", folder / "query.vcf.gz"
    if not note.exists():
        folder.mkdir(parents=True, exist_ok=True)
        present = _write(source, query, sites // len(CONTIGS), variants // len(CONTIGS))
        note.write_text(json.dumps({"present": present}), encoding="utf-8")
    return LookupData(source, query, sites, variants, json.loads(note.read_text(encoding="utf-8"))["present"])


def _write(source: Path, query: Path, sites: int, variants: int) -> int:
    import pysam

    random = np.random.default_rng(SEED)
    present = 0
    contigs = "".join(f"##contig=<ID={name}>\n" for name in CONTIGS)
    with pysam.BGZFile(str(source), "wb", None) as known, pysam.BGZFile(str(query), "wb", None) as asked:
        known.write((_SOURCE_HEAD + contigs + _COLUMNS).encode())
        asked.write((_QUERY_HEAD + contigs + _COLUMNS).encode())
        for contig in CONTIGS:
            there = _sites(random, sites)
            for text in _source_lines(random, contig, there):
                known.write(text)
            own = int(variants * PRESENT)
            present += own
            asked.write(_query_lines(random, contig, there, own, variants - own))
    for path in (source, query):
        pysam.tabix_index(str(path), preset="vcf", force=True)
    return present


def _sites(random: Generator, count: int) -> _Sites:
    """Positions are even, so that the odd ones are left for variants that the source does not have."""
    position = np.sort(random.choice(SPAN // 2, count, replace=False)) * 2 + 2
    ref = random.integers(0, 4, count)
    alt = pa.array(_BASES[(ref + random.integers(1, 4, count)) % 4])
    inserted = pc.binary_join_element_wise(pa.array(_BASES[ref]), alt, "")
    return _Sites(
        pa.array(position), pa.array(_BASES[ref]), pc.if_else(pa.array(random.random(count) < INDELS), inserted, alt)
    )


def _source_lines(random: Generator, contig: str, sites: _Sites) -> Iterator[bytes]:
    """Lines of a source, some hundred thousand at a time."""
    for start in range(0, len(sites.position), 250_000):
        part = _Sites(*(column.slice(start, 250_000) for column in sites))
        count = len(part.position)
        seen = np.minimum((random.pareto(0.6, count) + 1).astype(np.int64), 150_000)
        of_all = random.integers(140_000, 152_000, count)
        frequency = pc.cast(pa.array(np.round(seen / of_all, 9)), pa.string())
        greatest = pc.cast(pa.array(np.round(np.minimum(1, seen * 2.5 / of_all), 9)), pa.string())
        info = pc.binary_join_element_wise(
            *("AC=", _text(seen), ";AN=", _text(of_all), ";AF=", frequency, ";AF_grpmax=", greatest),
            *(";nhomalt=", _text(seen // 50), ""),
        )
        yield _lines(contig, part, "PASS", info)


def _query_lines(random: Generator, contig: str, sites: _Sites, present: int, absent: int) -> bytes:
    """Some of the sites, and variants where there is none."""
    chosen = pa.array(np.sort(random.choice(len(sites.position), present, replace=False)))
    strangers = _sites(random, absent)
    strangers = strangers._replace(position=pc.subtract(strangers.position, 1))
    both = _Sites(*(pa.concat_arrays([a.take(chosen), b]) for a, b in zip(sites, strangers, strict=True)))
    order = pc.sort_indices(both.position)
    both = _Sites(*(column.take(order) for column in both))
    depth = pc.binary_join_element_wise("DP=", _text(random.integers(8, 80, len(both.position))), "")
    return _lines(contig, both, ".", depth)


def _lines(contig: str, sites: _Sites, filters: str, info: pa.Array) -> bytes:
    lines = pc.binary_join_element_wise(
        *(contig, pc.cast(sites.position, pa.string()), ".", sites.ref, sites.alt, ".", filters, info), "\t"
    )
    return b"\n".join(line.as_buffer().to_pybytes() for line in lines) + b"\n"


def _text(numbers: object) -> pa.Array:
    return pc.cast(pa.array(numbers), pa.string())
