"""One transcript as the releases of kind `genes` keep it, and the tables in which they do."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TRANSCRIPTS_FILE = "transcripts.parquet"
GENES_FILE = "genes.parquet"
EXONS_FILE = "exons.parquet"
CSQ_FILE = "genes.gff3.gz"

_ENDS = pa.list_(pa.field("element", pa.int32()))

TRANSCRIPTS = pa.schema(
    [
        pa.field("contig", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("strand", pa.int8(), nullable=False),
        pa.field("transcript_id", pa.string(), nullable=False),
        pa.field("protein_id", pa.string()),
        pa.field("gene_id", pa.string(), nullable=False),
        pa.field("gene_name", pa.string()),
        pa.field("biotype", pa.string(), nullable=False),
        pa.field("canonical", pa.bool_(), nullable=False),
        pa.field("mane", pa.string()),
        pa.field("exon_starts", _ENDS, nullable=False),
        pa.field("exon_ends", _ENDS, nullable=False),
        pa.field("cds_starts", _ENDS, nullable=False),
        pa.field("cds_ends", _ENDS, nullable=False),
        pa.field("cds_phase", pa.int8(), nullable=False),
        pa.field("incomplete_5", pa.bool_(), nullable=False),
        pa.field("incomplete_3", pa.bool_(), nullable=False),
        pa.field("frame_broken", pa.bool_(), nullable=False),
        pa.field("differs", pa.bool_(), nullable=False),
    ]
)
"""A row for each transcript, by contig and start; see `Transcript` for what the columns mean."""

GENES = pa.schema(
    [
        pa.field("contig", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("strand", pa.int8(), nullable=False),
        pa.field("gene_id", pa.string(), nullable=False),
        pa.field("gene_name", pa.string()),
        pa.field("biotype", pa.string()),
    ]
)
"""A row for each gene, by contig and start. Coordinates are 1-based and inclusive; `strand` is 1 or -1, 0 unknown."""

EXONS = pa.schema(
    [
        pa.field("contig", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("gene_id", pa.string(), nullable=False),
        pa.field("transcript_id", pa.string(), nullable=False),
        pa.field("rank", pa.int32(), nullable=False),
        pa.field("is_coding", pa.bool_(), nullable=False),
    ]
)
"""A row for each exon of each transcript. `rank` counts from 1 in the direction of transcription."""


class Transcript(NamedTuple):
    """A transcript on the genome; coordinates are 1-based and inclusive, parts in the order of the genome.

    Attributes:
        contig: its bare name.
        start: of its first base on the genome.
        end: of its last one.
        strand: 1 or -1.
        transcript_id: with its version where the file has it, such as `ENST00000269305.9`.
        protein_id: with its version where the file has it; None where there is none.
        gene_id: such as `ENSG00000141510` or `7157`.
        gene_name: the symbol; None where the gene has none.
        biotype: as Ensembl spells it.
        canonical: whether it stands for its gene (Ensembl canonical, RefSeq Select).
        mane: `select`, `plus_clinical` or None.
        exons: start and end of each.
        cds: start and end of each coding part; empty where nothing is coded.
        cds_phase: bases before the first complete codon, of the first coding part in the direction of transcription.
        incomplete_5: whether the coding sequence begins before the transcript.
        incomplete_3: whether it ends behind it.
        frame_broken: whether the phases contradict the lengths, so that no codon can be told.
        differs: whether the published sequence of the transcript has other lengths than the genome (RefSeq).
    """

    contig: str
    start: int
    end: int
    strand: int
    transcript_id: str
    protein_id: str | None
    gene_id: str
    gene_name: str | None
    biotype: str
    canonical: bool
    mane: str | None
    exons: tuple[tuple[int, int], ...]
    cds: tuple[tuple[int, int], ...]
    cds_phase: int
    incomplete_5: bool
    incomplete_3: bool
    frame_broken: bool
    differs: bool

    def row(self) -> tuple[object, ...]:
        """Its values in the order of `TRANSCRIPTS`."""
        exons, cds = list(zip(*self.exons, strict=True)), list(zip(*self.cds, strict=True)) or [(), ()]
        return (*self[:11], *exons, *cds, *self[13:])

    @classmethod
    def of_row(cls, row: dict[str, list[int]]) -> Transcript:
        """The inverse of `row`, from a row as pyarrow gives it."""
        values: dict[str, object] = {name: row[name] for name in cls._fields if name not in {"exons", "cds"}}
        exons = tuple(zip(row["exon_starts"], row["exon_ends"], strict=True))
        cds = tuple(zip(row["cds_starts"], row["cds_ends"], strict=True))
        return cls(**values, exons=exons, cds=cds)  # type: ignore[arg-type]  # the schema holds the types

    def untranslated(self) -> Iterator[tuple[str, int, int]]:
        """The parts of exons outside the coding sequence: GFF3 kind, start, end."""
        if not self.cds:
            return
        first, last = self.cds[0][0], self.cds[-1][1]
        before, after = ("five_prime_UTR", "three_prime_UTR")[:: self.strand]
        for start, end in self.exons:
            if start < first:
                yield before, start, min(end, first - 1)
            if end > last:
                yield after, max(start, last + 1), end


_CODING = (
    "protein_coding",
    "polymorphic_pseudogene",
    "nonsense_mediated_decay",
    "non_stop_decay",
    *(f"{family}_{segment}_gene" for family in ("IG", "TR") for segment in "CDJV"),
    "IG_LV_gene",
)
_NON_CODING_NAMES = (
    "Mt_tRNA Mt_rRNA lincRNA lncRNA macro_lncRNA misc_RNA miRNA rRNA ribozyme retained_intron snRNA sRNA scRNA scaRNA "
    "snoRNA sense_intronic sense_overlapping antisense processed_transcript processed_pseudogene pseudogene "
    "retrotransposed unitary_pseudogene unprocessed_pseudogene transcribed_processed_pseudogene artifact vaultRNA "
    "transcribed_unprocessed_pseudogene transcribed_unitary_pseudogene translated_processed_pseudogene "
    "translated_unprocessed_pseudogene IG_pseudogene IG_C_pseudogene IG_J_pseudogene IG_V_pseudogene TR_V_pseudogene "
    "TR_J_pseudogene bidirectional_promoter_lncRNA 3prime_overlapping_ncRNA"
)
_NON_CODING = frozenset(_NON_CODING_NAMES.split())


def csq_biotype(biotype: str, *, coding: bool) -> str:
    """The biotype under which `bcftools csq` treats such a transcript rightly; it passes over those unknown to it."""
    if coding:
        return biotype if biotype in _CODING else "protein_coding"
    return biotype if biotype in _NON_CODING or biotype in _CODING else "lncRNA"


def csq_lines(transcript: Transcript, name: str, gene: str) -> str:
    """The lines of a transcript in the GFF3 that `bcftools csq` understands; that of its gene is not among them.

    Args:
        transcript: what is written.
        name: the id that csq will report.
        gene: the id of its gene.
    """
    strand = "+" if transcript.strand > 0 else "-"
    parent = f"Parent=transcript:{name}"
    biotype = csq_biotype(transcript.biotype, coding=bool(transcript.cds))
    head = f"{transcript.contig}\tvarloom\t"
    said = f"ID=transcript:{name};Parent=gene:{gene};biotype={biotype}"
    lines = [f"{head}transcript\t{transcript.start}\t{transcript.end}\t.\t{strand}\t.\t{said}\n"]
    lines += [f"{head}exon\t{start}\t{end}\t.\t{strand}\t.\t{parent}\n" for start, end in transcript.exons]
    lines += [
        f"{head}{kind}\t{start}\t{end}\t.\t{strand}\t.\t{parent}\n" for kind, start, end in transcript.untranslated()
    ]
    if not transcript.frame_broken:
        lines += [
            f"{head}CDS\t{start}\t{end}\t.\t{strand}\t{phase}\t{parent}\n"
            for (start, end), phase in zip(transcript.cds, phases(transcript), strict=True)
        ]
    return "".join(lines)


def phases(transcript: Transcript) -> list[int]:
    """The phase of each coding part, in the order of the genome, as the lengths give it from the first one."""
    found, coded = [], -transcript.cds_phase
    for start, end in transcript.cds[:: transcript.strand]:
        found.append(-coded % 3)
        coded += end - start + 1
    return found[:: transcript.strand]


def gene_line(members: Sequence[Transcript], gene: str, name: str) -> str:
    """The line of the gene of these transcripts in the GFF3 that `bcftools csq` understands."""
    start, end = min(each.start for each in members), max(each.end for each in members)
    sign = "+" if members[0].strand > 0 else "-"
    said = f"ID=gene:{gene};Name={name};biotype=protein_coding"
    return f"{members[0].contig}\tvarloom\tgene\t{start}\t{end}\t.\t{sign}\t.\t{said}\n"
