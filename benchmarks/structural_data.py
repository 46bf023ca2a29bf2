"""Data for the benchmark of structural variants: genes and exons, known variants and calls, made here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from peer_environment import BUILD, ROOT

from varloom.annotation.model import VARIANTS
from varloom.annotation.refs.dosage import DOSAGE
from varloom.annotation.refs.structural_sites import SITES
from varloom.genomics.assemblies import LENGTHS

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = BUILD / "bench" / "structural"
REFGENE = ROOT.parent / "shared" / "data" / "genes" / "refGene_hg38.txt"
_TYPES = ("DEL", "DUP", "INS", "INV")
_SHARES = (0.55, 0.2, 0.23, 0.02)
"""As gnomAD-SV 4.1 has them, breakends and the rest left out."""
_EXON_BASES = 150


class Amounts(NamedTuple):
    """How much is made."""

    calls: int = 50_000
    sites: int = 1_200_000
    genes: int = 30_000


def made(amounts: Amounts) -> Path:
    """The folder with the data, which are made the first time: releases, `calls.parquet`, and the same as BED."""
    folder = FOLDER / f"{amounts.calls}-{amounts.sites}"
    done = folder / "made.json"
    if done.exists():
        return folder
    for name in ("genes", "sites", "dosage"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    dice = np.random.default_rng(11)
    genes, exons = _refgene() if REFGENE.exists() else _made_up_genes(dice, amounts.genes)
    _write(folder / "genes" / "genes.parquet", genes)
    _write(folder / "genes" / "exons.parquet", exons)
    _write(folder / "sites" / "sites.parquet", _sites(dice, amounts.sites))
    pq.write_table(DOSAGE.empty_table(), folder / "dosage" / "dosage.parquet")
    _write(folder / "calls.parquet", _calls(dice, amounts.calls))
    for name in ("genes/genes", "genes/exons", "sites/sites", "calls"):
        _write_bed(folder / f"{name}.parquet", folder / f"{name.rpartition('/')[2]}.bed")
    done.write_text(json.dumps({"genes": REFGENE.exists()}), encoding="utf-8")
    return folder


def _places(dice: Any, count: int) -> tuple[list[str], Any, Any]:
    """Contigs, starts and lengths: most variants are short, a few have megabases."""
    names = list(LENGTHS)
    sizes = np.array([LENGTHS[name][1] for name in names])
    which = dice.choice(len(names), count, p=sizes / sizes.sum())
    lengths = np.minimum(np.exp(dice.normal(6.8, 2.2, count)) + 50, 20_000_000).astype(np.int64)
    starts = (dice.random(count) * (sizes[which] - lengths - 2)).astype(np.int64) + 2
    return [names[each] for each in which], np.maximum(starts, 2), lengths


def _sites(dice: Any, count: int) -> pa.Table:
    contigs, starts, lengths = _places(dice, count)
    kinds = dice.choice(_TYPES, count, p=_SHARES)
    ends = np.where(kinds == "INS", starts, starts + lengths - 1)
    frequency = dice.beta(0.1, 20, count)
    columns = [
        contigs, starts, ends, lengths, kinds, [f"s{at}" for at in range(count)], frequency, frequency,
        np.ones(count, np.int64), np.full(count, 126_092), np.zeros(count, np.int64), ["PASS"] * count,
    ]  # fmt: skip
    arrays = [pa.array(column).cast(field.type) for column, field in zip(columns, SITES, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SITES).sort_by([("contig", "ascending"), ("start", "ascending")])


def _calls(dice: Any, count: int) -> pa.Table:
    contigs, starts, lengths = _places(dice, count)
    kinds = dice.choice(_TYPES, count, p=_SHARES)
    inserted = kinds == "INS"
    values = {
        "rowno": np.arange(count),
        "contig": [f"chr{name}" for name in contigs],
        "position": starts - 1,
        "ref": ["N"] * count,
        "alt": [f"<{kind}>" for kind in kinds],
        "end": np.where(inserted, starts - 1, starts + lengths - 1),
        "svtype": kinds,
        "svlen": np.where(kinds == "DEL", -lengths, lengths),
    }
    arrays = [
        pa.array(values[field.name]).cast(field.type) if field.name in values else pa.nulls(count, field.type)
        for field in VARIANTS
    ]
    return pa.Table.from_arrays(arrays, schema=VARIANTS)


def _refgene() -> tuple[pa.Table, pa.Table]:
    genes: dict[tuple[str, str, str], tuple[int, int, bool]] = {}
    exons = []
    for line in REFGENE.read_text(encoding="utf-8").splitlines()[1:]:
        name, chrom, strand, start, end, cds_start, cds_end, _, starts, ends, symbol, *_ = line.split("\t")
        key = (chrom.removeprefix("chr"), symbol, strand)
        first, last, coding = genes.get(key, (int(start) + 1, int(end), False))
        genes[key] = (min(first, int(start) + 1), max(last, int(end)), coding or cds_start != cds_end)
        for at, (one, other) in enumerate(zip(starts.split(",")[:-1], ends.split(",")[:-1], strict=True)):
            exons.append((key[0], int(one) + 1, int(other), "@".join(key), name, at + 1))
    rows = sorted(
        (
            key[0],
            first,
            last,
            1 if key[2] == "+" else -1,
            "@".join(key),
            key[1],
            "protein_coding" if coding else "lncRNA",
        )
        for key, (first, last, coding) in genes.items()
    )
    return _gene_table(rows), _exon_table(exons)


def _made_up_genes(dice: Any, count: int) -> tuple[pa.Table, pa.Table]:
    contigs, starts, _ = _places(dice, count)
    lengths = np.exp(dice.normal(10, 1.3, count)).astype(np.int64) + 500
    rows, exons = [], []
    for at, (contig, start, length) in enumerate(zip(contigs, starts.tolist(), lengths.tolist(), strict=True)):
        rows.append((contig, start, start + length, 1 if at % 2 else -1, f"g{at}", f"G{at}", "protein_coding"))
        places = np.sort(dice.integers(start, start + length, 17)).tolist()
        exons += [(contig, one, one + _EXON_BASES, f"g{at}", f"t{at}", rank) for rank, one in enumerate(places)]
    return _gene_table(sorted(rows)), _exon_table(exons)


def _gene_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    names = ("contig", "start", "end", "strand", "gene_id", "gene_name", "biotype")
    return pa.table([list(column) for column in zip(*rows, strict=True)], names=names)


def _exon_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    names = ("contig", "start", "end", "gene_id", "transcript_id", "rank")
    return pa.table([list(column) for column in zip(*sorted(rows), strict=True)], names=names)


def _write(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, compression="zstd")


def _write_bed(source: Path, target: Path) -> None:
    """The same intervals for bedtools, sorted; coordinates from 0, and the type as the name."""
    table = pq.read_table(source)
    names = table.schema.names
    starts = table["position"] if "position" in names else table["start"]
    shift = 0 if "position" in names else 1
    kinds = table["svtype" if "svtype" in names else "type" if "type" in names else "gene_id"].to_pylist()
    rows = sorted(
        (contig.removeprefix("chr"), start - shift, max(end, start - shift + 1), kind)
        for contig, start, end, kind in zip(
            table["contig"].to_pylist(), starts.to_pylist(), table["end"].to_pylist(), kinds, strict=True
        )
    )
    with target.open("w", encoding="utf-8") as out:
        out.writelines(f"{contig}\t{start}\t{end}\t{kind}\n" for contig, start, end, kind in rows)
