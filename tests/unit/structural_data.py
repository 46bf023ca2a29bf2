"""Reference data for tests of structural variants, in the files that releases have."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from varloom.annotation.model import VARIANTS, ReleaseKey
from varloom.annotation.refs.dosage import DOSAGE
from varloom.annotation.refs.structural_sites import SITES
from varloom.annotation.source import InstalledRelease
from varloom.annotation.sources.structural.source import DOSAGE as DOSAGE_NEED
from varloom.annotation.sources.structural.source import GENES, POPULATION

GENE_FIELDS = ["contig", "start", "end", "strand", "gene_id", "gene_name", "biotype"]
EXON_FIELDS = ["contig", "start", "end", "gene_id", "transcript_id", "rank", "is_coding"]
SITE_FIELDS = SITES.names
DOSAGE_FIELDS = DOSAGE.names


def refgene(path, chosen):
    """Genes, exons and transcripts of some contigs of UCSC's refGene, by bare contigs; coordinates from 1."""
    genes, exons, transcripts = {}, [], []
    for line in path.read_text().splitlines()[1:]:
        name, chrom, strand, start, end, cds_start, cds_end, _, starts, ends, symbol, *_ = line.split("\t")
        contig = chrom.removeprefix("chr")
        if contig not in chosen:
            continue
        key = (contig, symbol, strand)
        first, last = int(start) + 1, int(end)
        pairs = [(int(a) + 1, int(b)) for a, b in zip(starts.split(",")[:-1], ends.split(",")[:-1], strict=True)]
        coding = [
            (max(a, int(cds_start) + 1), min(b, int(cds_end)))
            for a, b in pairs
            if max(a, int(cds_start) + 1) <= min(b, int(cds_end))
        ]
        old = genes.get(key, (first, last, False))
        genes[key] = (min(old[0], first), max(old[1], last), old[2] or bool(coding))
        gene_id = f"{symbol}@{contig}{strand}"
        for at, (a, b) in enumerate(pairs):
            rank = at + 1 if strand == "+" else len(pairs) - at
            exons.append((contig, a, b, gene_id, name, rank, bool(coding)))
        transcripts.append((contig, first, last, 1 if strand == "+" else -1, name, gene_id, pairs, coding))
    rows = [
        (
            contig,
            first,
            last,
            1 if strand == "+" else -1,
            f"{symbol}@{contig}{strand}",
            symbol,
            "protein_coding" if coding else "lncRNA",
        )
        for (contig, symbol, strand), (first, last, coding) in genes.items()
    ]
    return sorted(rows), sorted(exons), sorted(transcripts)


def write_genes(folder, genes, exons, transcripts=()):
    """A release of the kind `genes`; rows in the order of `GENE_FIELDS` and `EXON_FIELDS`."""
    folder.mkdir(parents=True, exist_ok=True)
    kinds = {"start": pa.int32(), "end": pa.int32(), "strand": pa.int8(), "rank": pa.int32(), "is_coding": pa.bool_()}
    for name, fields, rows in (("genes", GENE_FIELDS, genes), ("exons", EXON_FIELDS, exons)):
        schema = pa.schema([pa.field(field, kinds.get(field, pa.string())) for field in fields])
        pq.write_table(
            pa.Table.from_pylist([dict(zip(fields, row, strict=True)) for row in rows], schema),
            folder / f"{name}.parquet",
        )
    ends = pa.list_(pa.int32())
    schema = pa.schema(
        [
            ("contig", pa.string()),
            ("start", pa.int32()),
            ("end", pa.int32()),
            ("strand", pa.int8()),
            ("transcript_id", pa.string()),
            ("gene_id", pa.string()),
            ("canonical", pa.bool_()),
            ("mane", pa.string()),
            ("exon_starts", ends),
            ("exon_ends", ends),
            ("cds_starts", ends),
            ("cds_ends", ends),
        ]
    )
    rows = [
        (
            contig,
            first,
            last,
            strand,
            name,
            gene_id,
            False,
            None,
            [a for a, _ in pairs],
            [b for _, b in pairs],
            [a for a, _ in coding],
            [b for _, b in coding],
        )
        for contig, first, last, strand, name, gene_id, pairs, coding in transcripts
    ]
    pq.write_table(
        pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema),
        folder / "transcripts.parquet",
    )
    return folder


def write_sites(folder, rows):
    """A release of the kind `structural`; rows are mappings of `SITE_FIELDS`."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, SITES), folder / "sites.parquet")
    return folder


def write_dosage(folder, rows):
    """A release of the kind `dosage`; rows are mappings of `DOSAGE_FIELDS`."""
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, DOSAGE), folder / "dosage.parquet")
    return folder


def releases(genes, sites=None, dosage=None, assembly="GRCh38"):
    """What is installed."""
    found = {GENES: InstalledRelease(ReleaseKey("genes", "refgene", assembly, "1"), genes)}
    if sites is not None:
        found[POPULATION] = InstalledRelease(ReleaseKey("structural", "gnomad-sv", assembly, "1"), sites)
    if dosage is not None:
        found[DOSAGE_NEED] = InstalledRelease(ReleaseKey("dosage", "clingen", assembly, "1"), dosage)
    return found


def variants(rows):
    """A batch of rows, each a mapping of some columns of `VARIANTS`."""
    usual = {"contig": "1", "position": 1, "ref": "N"}
    return pa.RecordBatch.from_pylist([{"rowno": at, **usual, **row} for at, row in enumerate(rows)], VARIANTS)
