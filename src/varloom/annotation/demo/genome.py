"""The demonstration genome and its genes: random bases, into which whole coding sequences are written.

The same each time, on every machine: the generator of the standard library is seeded.
"""

from __future__ import annotations

import random
from itertools import pairwise
from typing import NamedTuple

from varloom.genomics.demonstration import DEMO_CONTIGS
from varloom.genomics.genetic_code import STANDARD, reverse_complement

_CODONS = [codon for codon, amino_acid in STANDARD.items() if amino_acid != "*"]
_SEED = 7


class _Plan(NamedTuple):
    """What a gene is to be: `begin` is its first base on the genome, `exons` how many it has."""

    contig: str
    begin: int
    strand: int
    exons: int
    coding: bool = True


_PLANS = (
    _Plan("demo1", 20_001, 1, 6),
    _Plan("demo1", 60_001, -1, 5),
    _Plan("demo1", 110_001, 1, 8),
    _Plan("demo1", 170_001, -1, 3, coding=False),
    _Plan("demo1", 220_001, -1, 4),
    _Plan("demo2", 25_001, 1, 5),
    _Plan("demo2", 90_001, -1, 7),
)


class DemoTranscript(NamedTuple):
    """A transcript; parts are 1-based and inclusive, in the order of the genome.

    Attributes:
        name: with its version, such as `DEMOT00000000011.1`.
        exons: start and end of each.
        coding: the places of its coding bases in the direction of transcription, the stop codon included.
        is_select: whether it stands for its gene (MANE Select).
    """

    name: str
    exons: tuple[tuple[int, int], ...]
    coding: tuple[int, ...]
    is_select: bool

    @property
    def cds(self) -> tuple[tuple[int, int], ...]:
        """Start and end of each coding part."""
        if not self.coding:
            return ()
        first, last = min(self.coding), max(self.coding)
        return tuple((max(start, first), min(end, last)) for start, end in self.exons if start <= last and end >= first)


class DemoGene(NamedTuple):
    """A gene: of its transcripts the first is the one that stands for it."""

    name: str
    gene_id: str
    contig: str
    strand: int
    transcripts: tuple[DemoTranscript, ...]

    @property
    def biotype(self) -> str:
        """As Ensembl spells it."""
        return "protein_coding" if self.transcripts[0].coding else "lncRNA"

    @property
    def start(self) -> int:
        """Its first base."""
        return min(transcript.exons[0][0] for transcript in self.transcripts)

    @property
    def end(self) -> int:
        """Its last base."""
        return max(transcript.exons[-1][1] for transcript in self.transcripts)


class DemoGenome(NamedTuple):
    """The bases of each contig, and the genes in their order."""

    contigs: dict[str, str]
    genes: tuple[DemoGene, ...]

    def bases(self, contig: str, first: int, last: int) -> str:
        """The bases from one 1-based place to another, both included."""
        return self.contigs[contig][first - 1 : last]

    def codon(self, gene: DemoGene, number: int) -> str:
        """A codon of the transcript that stands for the gene, counted from 1, in the direction of transcription."""
        places = gene.transcripts[0].coding[3 * number - 3 : 3 * number]
        text = "".join(self.bases(gene.contig, place, place) for place in places)
        return text if gene.strand > 0 else reverse_complement(text)[::-1]


def seeded(seed: int) -> random.Random:
    """What draws the same numbers each time."""
    return random.Random(seed)  # noqa: S311 - nothing here is secret


def make_genome() -> DemoGenome:
    """The genome with its genes."""
    chance = seeded(_SEED)
    drawn = {name: chance.choices("ACGT", k=length) for name, length in DEMO_CONTIGS.items()}
    genes = [_gene(number, plan, drawn[plan.contig], chance) for number, plan in enumerate(_PLANS, 1)]
    return DemoGenome({name: "".join(bases) for name, bases in drawn.items()}, tuple(genes))


def _gene(number: int, plan: _Plan, bases: list[str], chance: random.Random) -> DemoGene:
    """Write a gene into the bases of its contig: two transcripts, of which one leaves out the second exon."""
    sizes = [chance.randrange(90, 240) for _ in range(plan.exons)]
    sizes[1] -= sizes[1] % 3  # without it the frame is kept
    sizes[-1] += -sum(sizes) % 3
    before, after = (chance.randrange(60, 150), chance.randrange(100, 300)) if plan.coding else (0, 0)
    widths = [sizes[0] + before, *sizes[1:-1], sizes[-1] + after][:: plan.strand]
    exons = _exons(plan.begin, widths, chance)
    spliced = _places(exons, plan.strand)
    coding = spliced[before : len(spliced) - after] if plan.coding else []
    left_out = exons[:: plan.strand][1]
    shorter = [exon for exon in exons if exon != left_out]
    fewer = [place for place in coding if not left_out[0] <= place <= left_out[1]]
    for (_, end), (start, _) in pairwise(exons):
        _write_introns_ends(bases, end + 1, start - 1, plan.strand)
    if coding:
        _write_codons(bases, coding, fewer, plan.strand, chance)
    transcripts = (
        DemoTranscript(f"DEMOT{number:010}1.1", tuple(exons), tuple(coding), is_select=plan.coding),
        DemoTranscript(f"DEMOT{number:010}2.1", tuple(shorter), tuple(fewer), is_select=False),
    )
    return DemoGene(f"DEMO{number}", f"DEMOG{number:011}", plan.contig, plan.strand, transcripts)


def _exons(begin: int, widths: list[int], chance: random.Random) -> list[tuple[int, int]]:
    found = []
    for width in widths:
        found.append((begin, begin + width - 1))
        begin += width + chance.randrange(400, 4_000)
    return found


def _places(exons: list[tuple[int, int]], strand: int) -> list[int]:
    """The places of exons in the direction of transcription."""
    return [place for start, end in exons for place in range(start, end + 1)][::strand]


def _write_introns_ends(bases: list[str], first: int, last: int, strand: int) -> None:
    """GT at the beginning of an intron and AG at its end, in the direction of transcription."""
    begin, end = ("GT", "AG") if strand > 0 else ("CT", "AC")
    bases[first - 1 : first + 1] = begin
    bases[last - 2 : last] = end


def _write_codons(bases: list[str], coding: list[int], fewer: list[int], strand: int, chance: random.Random) -> None:
    """A coding sequence from start to stop, which stays one where places are left out."""
    while True:
        inner = [chance.choice(_CODONS) for _ in range(len(coding) // 3 - 2)]
        text = dict(zip(coding, "".join(["ATG", *inner, "TAA"]), strict=True))
        spliced = "".join(text[place] for place in fewer)
        if all(STANDARD[spliced[at : at + 3]] != "*" for at in range(0, len(spliced) - 3, 3)):
            break
    for place, base in text.items():
        bases[place - 1] = base if strand > 0 else reverse_complement(base)
