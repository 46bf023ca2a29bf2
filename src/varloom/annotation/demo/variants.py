"""The small variants of the demonstration: one of each kind in every gene, and some between genes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.genomics.genetic_code import STANDARD, reverse_complement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.annotation.demo.genome import DemoGene, DemoGenome

_OTHERS = {base: "ACGT".replace(base, "") for base in "ACGT"}
_BETWEEN = {"demo1": (5_000, 41_000, 90_500, 150_250, 200_100, 280_000), "demo2": (3_000, 60_400, 130_000)}
"""Places without a gene."""


class DemoVariant(NamedTuple):
    """A variant as a VCF writes it.

    Attributes:
        contig: where it is.
        position: 1-based, of the first base of `ref`.
        ref: the bases of the genome.
        alt: those that are there instead.
        effect: what it does to the transcript that stands for its gene, in one word.
        protein: the amino acids and their number, such as `A12V`; None but for substitutions within a codon.
    """

    contig: str
    position: int
    ref: str
    alt: str
    effect: str
    protein: str | None = None


def demo_variants(genome: DemoGenome) -> list[DemoVariant]:
    """The variants of the demonstration's file, in the order of the genome."""
    found = [variant for gene in genome.genes for variant in _of_gene(genome, gene)]
    for contig, places in _BETWEEN.items():
        for place in places:
            base = genome.bases(contig, place, place)
            found.append(DemoVariant(contig, place, base, _OTHERS[base][place % 3], "intergenic"))
    return sorted(found)


def coding_substitutions(genome: DemoGenome, gene: DemoGene) -> Iterator[DemoVariant]:
    """Every substitution of a base in the coding sequence of the transcript that stands for a gene."""
    coding = gene.transcripts[0].coding
    for number in range(1, len(coding) // 3 + 1):
        codon = genome.codon(gene, number)
        for within in range(3):
            for base in _OTHERS[codon[within]]:
                changed = codon[:within] + base + codon[within + 1 :]
                place = coding[3 * number - 3 + within]
                alleles = codon[within], base
                if gene.strand < 0:
                    alleles = reverse_complement(codon[within]), reverse_complement(base)
                before, after = STANDARD[codon], STANDARD[changed]
                protein = f"{before}{number}{after}" if number > 1 and "*" not in before + after else None
                yield DemoVariant(gene.contig, place, *alleles, _effect(number, before, after), protein)


def _effect(number: int, before: str, after: str) -> str:
    if number == 1:
        return "start"
    if before == after:
        return "synonymous"
    return "stop_lost" if before == "*" else "nonsense" if after == "*" else "missense"


def _of_gene(genome: DemoGenome, gene: DemoGene) -> Iterator[DemoVariant]:
    """Variants of each kind."""
    yield from _around_exons(genome, gene)
    if not gene.transcripts[0].coding:
        return
    substitutions = list(coding_substitutions(genome, gene))
    wanted = ("start", "missense", "synonymous", "nonsense", "missense", "synonymous", "missense", "stop_lost")
    for number, effect in enumerate(wanted):
        fitting = [one for one in substitutions if one.effect == effect]
        yield fitting[len(fitting) * number // len(wanted)]
    codons = len(gene.transcripts[0].coding) // 3
    yield _deletion(genome, gene, codons // 3, 1, "frameshift")
    yield _deletion(genome, gene, codons // 2, 3, "inframe")
    yield _duplication(genome, gene, 2 * codons // 3)


def _around_exons(genome: DemoGenome, gene: DemoGene) -> Iterator[DemoVariant]:
    """In splice sites, deep in an intron, and in the untranslated parts."""
    exons = gene.transcripts[0].exons
    into, out = exons[0][1] + 1, exons[1][0] - 1
    donor, acceptor = (into, out) if gene.strand > 0 else (out, into)
    places = {
        donor: "splice",
        acceptor: "splice",
        donor + 4 * gene.strand: "splice_region",
        (into + out) // 2: "intron",
    }
    places |= {exons[0][0] + 10: "untranslated", exons[-1][1] - 10: "untranslated"}
    for place, effect in places.items():
        base = genome.bases(gene.contig, place, place)
        yield DemoVariant(gene.contig, place, base, _OTHERS[base][place % 3], effect)


def _deletion(genome: DemoGenome, gene: DemoGene, codon: int, size: int, effect: str) -> DemoVariant:
    """Bases within one exon, as a VCF writes that: with the base before them."""
    first = _within_exon(gene, codon, size)
    ref = genome.bases(gene.contig, first - 1, first + size - 1)
    return DemoVariant(gene.contig, first - 1, ref, ref[0], effect)


def _duplication(genome: DemoGenome, gene: DemoGene, codon: int) -> DemoVariant:
    first = _within_exon(gene, codon, 4)
    bases = genome.bases(gene.contig, first, first + 3)
    before = genome.bases(gene.contig, first - 1, first - 1)
    return DemoVariant(gene.contig, first - 1, before, before + bases, "frameshift")


def _within_exon(gene: DemoGene, codon: int, size: int) -> int:
    """The first place, from a codon on, from which so many bases on the genome, and two on each side, are coding."""
    coding = set(gene.transcripts[0].coding)
    return next(
        place
        for place in gene.transcripts[0].coding[3 * codon :]
        if all(place + step in coding for step in range(-2, size + 2))
    )
