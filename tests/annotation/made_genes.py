"""Transcripts made for tests: both strands, introns in every frame, incomplete ends, untranslated parts."""

from __future__ import annotations

import random
from typing import NamedTuple

from varloom.genomics.genetic_code import reverse_complement

CODONS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT" if a + b + c not in {"TAA", "TAG", "TGA"}]


class MadeGene(NamedTuple):
    """A gene with one transcript. Exons and coding parts are 1-based, inclusive, in the order of the genome."""

    name: str
    strand: int
    exons: list[tuple[int, int]]
    cds: list[tuple[int, int]]
    phase: int  # of the first coding part in the direction of transcription
    complete_5: bool
    complete_3: bool
    coding: str  # the coding bases in the direction of transcription, from the first complete codon on


def made(seed: int = 5, genes: int = 8, codons: int = 90) -> tuple[str, list[MadeGene]]:
    """A genome and its genes: every second one on the minus strand; some without a start or a stop."""
    chance = random.Random(seed)
    genome = [chance.choice("ACGT") for _ in range(genes * 6000)]
    found = []
    for number in range(genes):
        strand = 1 if number % 2 == 0 else -1
        complete_5, complete_3 = number % 4 != 2, number % 8 not in {3, 6}
        phase = 0 if complete_5 else number % 3
        coding = "".join(chance.choice(CODONS) for _ in range(codons))
        coding = ("ATG" if complete_5 else "GCT") + coding + ("TAA" if complete_3 else "GA")
        bases = "".join(chance.choice("ACGT") for _ in range(phase)) + coding
        before, after = (40 if complete_5 else 0), (60 if complete_3 else 0)
        sizes = _pieces(chance, before + len(bases) + after)
        start = number * 6000 + 501
        exons = []
        for size in sizes if strand > 0 else sizes[::-1]:
            exons.append((start, start + size - 1))
            start += size + chance.randint(60, 300)
        spliced = [place for begin, end in exons for place in range(begin, end + 1)]
        if strand < 0:
            spliced.reverse()
        for place, base in zip(spliced[before:], bases, strict=False):
            genome[place - 1] = base if strand > 0 else reverse_complement(base)
        coded = set(spliced[before : before + len(bases)])
        cds = [
            (min(part), max(part)) for begin, end in exons if (part := [p for p in range(begin, end + 1) if p in coded])
        ]
        found.append(MadeGene(f"G{number}", strand, exons, cds, phase, complete_5, complete_3, coding))
    return "".join(genome), found


def _pieces(chance: random.Random, length: int) -> list[int]:
    cuts = sorted(chance.sample(range(20, length - 20), 4))
    return [end - begin for begin, end in zip([0, *cuts], [*cuts, length], strict=True) if end > begin]


def gff_of(genes: list[MadeGene], contig: str = "1") -> str:
    """The genes in the manner of Ensembl."""
    lines = ["##gff-version 3"]
    for gene in genes:
        sign = "+" if gene.strand > 0 else "-"
        first, last = gene.exons[0][0], gene.exons[-1][1]
        tags = ["basic", *([] if gene.complete_5 else ["cds_start_NF"]), *([] if gene.complete_3 else ["cds_end_NF"])]

        def line(kind, start, end, attributes, phase=".", sign=sign):
            lines.append("\t".join([contig, "made", kind, str(start), str(end), ".", sign, str(phase), attributes]))

        line("gene", first, last, f"ID=gene:{gene.name};Name={gene.name};biotype=protein_coding;gene_id={gene.name}")
        said = f"biotype=protein_coding;transcript_id=T{gene.name};version=1;tag={','.join(tags)}"
        line("mRNA", first, last, f"ID=transcript:T{gene.name};Parent=gene:{gene.name};{said}")
        for begin, end in gene.exons:
            line("exon", begin, end, f"Parent=transcript:T{gene.name}")
        coded = -gene.phase
        for begin, end in gene.cds[:: gene.strand]:
            line(
                "CDS",
                begin,
                end,
                f"ID=CDS:P{gene.name};Parent=transcript:T{gene.name};protein_id=P{gene.name}",
                -coded % 3,
            )
            coded += end - begin + 1
    return "\n".join(lines) + "\n"
