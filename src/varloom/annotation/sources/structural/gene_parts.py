"""The parts of a gene that matter when only a piece of it is lost: its ends, its exons and its coding bases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from pathlib import Path

    from varloom.annotation.sources.structural.genes import GeneModel

_COLUMNS = [
    "contig",
    "start",
    "end",
    "strand",
    "transcript_id",
    "gene_id",
    "canonical",
    "mane",
    "exon_starts",
    "exon_ends",
    "cds_starts",
    "cds_ends",
]


class GeneParts(NamedTuple):
    """One transcript that stands for its gene; coordinates are 1-based and inclusive.

    Attributes:
        transcript: its identifier.
        forward: whether it is read along the genome.
        start: first base on the genome.
        end: last base on the genome.
        exons: first and last base of each, in the order of the genome.
        coding: first and last coding base of each coding exon, likewise.
    """

    transcript: str
    forward: bool
    start: int
    end: int
    exons: tuple[tuple[int, int], ...]
    coding: tuple[tuple[int, int], ...]

    def exons_hit(self, start: int, end: int) -> list[int]:
        """The numbers of the exons of which a base lies in the interval, from 1 in the direction of transcription."""
        count = len(self.exons)
        return sorted(
            at + 1 if self.forward else count - at
            for at, (first, last) in enumerate(self.exons)
            if first <= end and start <= last
        )

    def coding_bases(self, start: int, end: int) -> int:
        """How many coding bases lie in the interval."""
        return sum(max(0, min(last, end) - max(first, start) + 1) for first, last in self.coding)

    def first_end_hit(self, start: int, end: int) -> bool:
        """Whether the interval takes in the base at which the transcript begins (its 5' end)."""
        place = self.start if self.forward else self.end
        return start <= place <= end

    def last_end_hit(self, start: int, end: int) -> bool:
        """Whether the interval takes in the base at which the transcript ends (its 3' end)."""
        place = self.end if self.forward else self.start
        return start <= place <= end


def load_gene_parts(folder: Path, model: GeneModel, genes: Collection[int]) -> Mapping[int, GeneParts]:
    """The transcript that stands for each gene.

    It is the one of MANE Select, else the canonical one, else that with the most coding bases. A gene without a coding
    transcript is left out, as are all if the release has no transcripts.
    """
    path = folder / "transcripts.parquet"
    if not path.exists() or not genes:
        return {}
    wanted = {model.ids[gene].as_py(): gene for gene in genes}
    rows = pq.read_table(path, columns=_COLUMNS)
    rows = rows.filter(pc.is_in(rows["gene_id"], value_set=pa.array(list(wanted), pa.string()))).to_pylist()
    by_gene: dict[int, list[dict[str, Any]]] = {}
    for row in rows:
        gene = wanted[row["gene_id"]]
        if model.contigs.get(row["contig"]) == int(model.contig[gene]) and row["cds_starts"]:
            by_gene.setdefault(gene, []).append(row)
    return {gene: _parts(max(transcripts, key=_rank)) for gene, transcripts in by_gene.items()}


def _rank(row: dict[str, Any]) -> tuple[bool, bool, int, str]:
    coding = sum(last - first + 1 for first, last in zip(row["cds_starts"], row["cds_ends"], strict=True))
    return "select" in (row["mane"] or "").lower(), row["canonical"], coding, row["transcript_id"]


def _parts(row: dict[str, Any]) -> GeneParts:
    return GeneParts(
        row["transcript_id"],
        row["strand"] > 0,
        row["start"],
        row["end"],
        _pairs(row["exon_starts"], row["exon_ends"]),
        _pairs(row["cds_starts"], row["cds_ends"]),
    )


def _pairs(starts: Iterable[int], ends: Iterable[int]) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(zip(starts, ends, strict=True)))
