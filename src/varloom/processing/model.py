"""What secondary analysis is given and what it leaves, whichever engine does it. Frozen records and one protocol."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.genomics.assemblies import Assembly

    Report = Callable[[int, int | None, str], None]
    """Told how much is done, of how much if that is known, and of what; and that the work is not stalled."""


class Caller(StrEnum):
    """How variants are called from aligned reads."""

    BCFTOOLS = "bcftools"
    """`bcftools mpileup` and `call`: the CPU engine's."""
    HAPLOTYPECALLER = "haplotypecaller"
    """GATK's, as Parabricks runs it."""
    DEEPVARIANT = "deepvariant"
    """Google's, as Parabricks runs it."""


class AlignmentFormat(StrEnum):
    """How the finished alignment is kept."""

    BAM = "bam"
    """Every program reads it."""
    CRAM = "cram"
    """About half as large; it is read with the genome that it was written with."""


class SexChromosomes(StrEnum):
    """What is given of a sample's sex chromosomes: two copies of X, or one of X and one of Y."""

    AUTO = "auto"
    """Nothing: coverage tells, if it can."""
    XX = "xx"
    XY = "xy"


@dataclass(frozen=True, slots=True)
class ReadsFile:
    """One file of reads.

    Attributes:
        path: where it lies on this machine.
        name: what the user's machine called it: for messages, never a path.
    """

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Lane:
    """The reads of one lane: one read group.

    Attributes:
        first: FASTQ of the first mates, of both mates in turn (interleaved), or of single reads.
        second: FASTQ of the second mates, in the order of the first; None where `first` has both, or reads are single.
        is_interleaved: whether `first` has both mates in turn.
    """

    first: ReadsFile
    second: ReadsFile | None = None
    is_interleaved: bool = False


@dataclass(frozen=True, slots=True)
class Reads:
    """What was uploaded: FASTQ by lane, or one alignment (BAM or CRAM). Exactly one of the two is there."""

    lanes: tuple[Lane, ...] = ()
    alignment: ReadsFile | None = None


@dataclass(frozen=True, slots=True)
class Reference:
    """The genome that reads are aligned to.

    Attributes:
        fasta: the uncompressed FASTA, with `.fai` beside it.
        indexes: a folder, kept between jobs, for what engines build of this FASTA (an aligner's index).
        assembly: of the FASTA.
        release: how the reference library names it, for the record.
    """

    fasta: Path
    indexes: Path
    assembly: Assembly
    release: str


@dataclass(frozen=True, slots=True)
class Analysis:
    """What an engine is asked to do.

    Attributes:
        reads: what to align, or what is aligned.
        reference: to which genome.
        sample: the name that the read groups and the VCF carry.
        caller: how to call variants.
        sites: a VCF of positions that get a genotype even where it is the reference's; None for variants only.
        threads: how many processors may be used.
        alignment_format: how the alignment is left. Checkpoints are the same for both.
        sex_chromosomes: what is given of the sample; see `varloom.processing.ploidy`.
    """

    reads: Reads
    reference: Reference
    sample: str
    caller: Caller
    sites: Path | None
    threads: int
    alignment_format: AlignmentFormat = AlignmentFormat.BAM
    sex_chromosomes: SexChromosomes = SexChromosomes.AUTO


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine works.

    Attributes:
        checkpoints: a folder of the job, on the disk of `output`; finished steps stay in it for the next attempt.
        work: for what is needed in between; it goes with the attempt. It does not exist yet.
        output: where the results are left. It exists.
    """

    checkpoints: Path
    work: Path
    output: Path


@dataclass(frozen=True, slots=True)
class Analysed:
    """What an engine left, all in `Place.output`.

    Attributes:
        alignment: the sorted BAM or CRAM, duplicates marked; its index is beside it (`.bai`, `.crai`).
        variants: the VCF, compressed with bgzip; its index (`.tbi`) is beside it.
        genotyped: the VCF of the genotypes at `Analysis.sites`, if there were any.
        quality: counts and distributions as plain JSON: see `docs/reference/reads-quality.md`.
        engine: its name.
        tools: name and version of each program that took part, in the order of use.
        warnings: PROBLEMs of the contract.
    """

    alignment: Path
    variants: Path
    genotyped: Path | None
    quality: dict[str, Any]
    engine: str
    tools: tuple[tuple[str, str], ...]
    warnings: tuple[dict[str, Any], ...] = ()


class Engine(Protocol):
    """A way from reads to variants. One file or folder each, and one line in the registry."""

    name: str
    """Short and stable: it stands in a job's record."""
    callers: frozenset[Caller]
    """What it can call with."""

    def unavailable(self) -> str | None:
        """Why this machine cannot run it, in a sentence with the remedy; None if it can."""
        ...

    def version(self) -> str | None:
        """The version that this machine has, for people; None if it is not known."""
        ...

    def run(self, analysis: Analysis, place: Place, report: Report) -> Analysed:
        """Align, mark duplicates, call; finished steps found in `place.checkpoints` are not done again.

        Raises:
            VarloomError: what is wrong with the reads, the reference, the programs or the disk.
        """
        ...
