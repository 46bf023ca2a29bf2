"""What is to be said of the copies of X and Y that were called, where they are doubtful and that matters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from varloom.errors import Problem, Severity, counted
from varloom.processing.alignment_file import contigs_of
from varloom.processing.ploidy import layout_of
from varloom.processing.problems import CALLED_DIPLOID, SEX_CHROMOSOMES_CONTRADICT, SEX_CHROMOSOMES_UNTOLD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from varloom.errors import ErrorKind
    from varloom.processing.ploidy import Span


def ploidy_warnings(
    figures: Mapping[str, Any],
    fasta: Path,
    variants: Path,
    genotyped: Path | None,
    *,
    diploid_caller: str | None = None,
) -> list[Problem]:
    """The warnings of one analysis.

    Args:
        figures: see `varloom.processing.ploidy.settled`.
        fasta: of the reference.
        variants: the VCF that was called, with its index.
        genotyped: that of the given sites.
        diploid_caller: what the caller is called, where it makes genotypes of two alleles everywhere.
    """
    told = _doubt(figures, contigs_of(fasta), variants, genotyped, diploid_caller)
    return [Problem(told[0], told[1], Severity.WARNING)] if told is not None else []


def _doubt(
    figures: Mapping[str, Any],
    contigs: Mapping[str, int],
    variants: Path,
    genotyped: Path | None,
    diploid_caller: str | None,
) -> tuple[ErrorKind, str] | None:
    given, told, used = figures["given"].upper(), figures["told"], figures["used"]
    layout = layout_of(contigs)
    if figures["contradiction"]:
        coverage = f"the sample has {told.upper()}" if told else "it has neither XX nor XY"
        return SEX_CHROMOSOMES_CONTRADICT, f"{given} was given, and by coverage {coverage}: {ratios_text(figures)}."
    if layout is None:
        message = f"{given} was given, and the genome has not the X and Y of GRCh38 or GRCh37: all has two copies."
        return (CALLED_DIPLOID, message) if given != "AUTO" else None
    if used is None:
        concerned = _concerned(variants if diploid_caller is None else None, genotyped, layout.own)
        message = f"{figures['why']} Called as two copies: {concerned}."
        return (SEX_CHROMOSOMES_UNTOLD, message) if concerned else None
    concerned = _concerned(variants, None, layout.own) if used == "xy" and diploid_caller is not None else ""
    message = f"The sample has XY, and {diploid_caller} makes genotypes of two alleles: {concerned}."
    return (CALLED_DIPLOID, message) if concerned else None


def ratios_text(figures: Mapping[str, Any]) -> str:
    """The depths of X and Y in words."""
    return (
        f"X has {figures['x_ratio']:.2f} and Y {figures['y_ratio']:.2f} of the autosomes' depth, "
        f"which is {figures['autosome_depth']:.1f}"
    )


def _concerned(variants: Path | None, genotyped: Path | None, spans: Sequence[Span]) -> str:
    """What was called outside of the pseudoautosomal regions, in words; empty if nothing was."""
    found = [
        (_known_within(vcf, spans), what) for vcf, what in ((variants, "variant"), (genotyped, "given site")) if vcf
    ]
    told = " and ".join(counted(number, what) for number, what in found if number)
    return f"{told} of X and Y" if told else ""


def _known_within(vcf: Path, spans: Sequence[Span]) -> int:
    """The records with a genotype in these parts."""
    import pysam

    with pysam.VariantFile(str(vcf)) as records:
        return sum(
            record.samples[0].get("GT", (None,))[0] is not None
            for span in spans
            if span.contig in records.header.contigs
            for record in records.fetch(span.contig, span.first - 1, span.last)
            if span.first <= record.pos
        )
