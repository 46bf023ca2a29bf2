"""The commands of Parabricks. Options are those of its documentation, versions 4.3 to 4.7."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.processing.model import Caller

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from varloom.processing.parabricks.options import ParabricksOptions

PROGRAM = "pbrun"
VERSION = (PROGRAM, "version")


class LaneFiles(NamedTuple):
    r"""A lane as Parabricks takes it.

    Attributes:
        first: FASTQ, named by its kind (`.fastq` or `.fastq.gz`).
        second: of the second mates; None for single reads.
        group: the line of its read group, `@RG` with ID, LB, PL, SM and PU, tabs written as `\\t`.
    """

    first: Path
    second: Path | None
    group: str


def align(
    options: ParabricksOptions,
    reference: Path,
    lanes: Sequence[LaneFiles],
    *,
    output: Path,
    work: Path,
    low_memory: bool,
) -> tuple[str, ...]:
    """`fq2bam`: align, sort, mark duplicates.

    Args:
        options: of the worker.
        reference: the FASTA with bwa's index beside it.
        lanes: all of one sample, all paired or all single.
        output: the BAM that is written, with its index beside it.
        work: an existing folder for what is needed meanwhile.
        low_memory: whether GPU memory is to be saved.
    """
    command = [PROGRAM, "fq2bam", "--ref", str(reference)]
    for lane in lanes:
        if lane.second is None:
            command += ["--in-se-fq", str(lane.first), lane.group]
        else:
            command += ["--in-fq", str(lane.first), str(lane.second), lane.group]
    command += ["--out-bam", str(output), "--tmp-dir", str(work)]
    return (*command, *_gpus(options), *(["--low-memory"] if low_memory else []))


def call(
    options: ParabricksOptions,
    caller: Caller,
    reference: Path,
    alignment: Path,
    *,
    output: Path,
    work: Path,
    low_memory: bool,
) -> tuple[str, ...]:
    """`haplotypecaller` or `deepvariant`: variants of a sorted BAM or CRAM with its index; `output` is a plain VCF."""
    saving = {
        Caller.HAPLOTYPECALLER: ["--htvc-low-memory"],
        Caller.DEEPVARIANT: ["--num-streams-per-gpu", "1"],
    }
    command = [PROGRAM, caller.value, "--ref", str(reference), "--in-bam", str(alignment)]
    command += ["--out-variants", str(output), "--tmp-dir", str(work)]
    return (*command, *_gpus(options), *(saving[caller] if low_memory else []))


def _gpus(options: ParabricksOptions) -> list[str]:
    return [] if options.gpus is None else ["--num-gpus", str(options.gpus)]
