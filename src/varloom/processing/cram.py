"""The last step of an engine where the alignment is to be kept as CRAM: written without loss, and read again.

A CRAM keeps of each read how it differs from the reference, so that it takes about half of a BAM and cannot be read
without that reference. What it cannot keep is told apart: where one read would come back otherwise the BAM stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.errors import Problem, Severity
from varloom.processing.life import Life
from varloom.processing.model import AlignmentFormat
from varloom.processing.problems import ALIGNMENT_KEPT_AS_BAM
from varloom.processing.programs import Pipe, Stage, pipe, pipes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from varloom.processing.checkpoints import Checkpoints
    from varloom.processing.model import Analysis, Report

VERSION = "3.0"
"""Of the format: 3.1 is a little smaller, and there are callers in use that do not read it."""
CRAM = "alignment.cram"

_ALL_OF_IT = ("-P", "-C", "-M", "-b", "0xfff", "-f", 0, "-F", 0, "-t", "*,MD,NM", "-z", "none")
"""Places, CIGARs, mates, all flags and all tags count, of all reads, beside names, bases and qualities. Not MD and NM:
those that are as the reference makes them are left out, and are made again for every read."""


class Kept(NamedTuple):
    """What is left of an alignment.

    Attributes:
        name: of its file among the checkpoints; its index is beside it.
        warnings: PROBLEMs of the contract.
    """

    name: str
    warnings: tuple[dict[str, Any], ...] = ()


def kept_alignment(kept: Checkpoints, bam: str, analysis: Analysis, work: Path, report: Report) -> Kept:
    """The finished alignment in the format that was asked for.

    Args:
        kept: with the finished BAM; the step `cram` is done once.
        bam: its name there.
        analysis: see `Analysis`.
        work: an existing folder for what is needed in between.
        report: told that it goes on.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    if analysis.alignment_format is not AlignmentFormat.CRAM:
        return Kept(bam)
    if kept.step("cram", lambda: _packed(kept, bam, analysis, work, report))["equal"]:
        return Kept(CRAM)
    message = "A CRAM would not have given all of its reads back as they are, so the alignment is kept as BAM."
    return Kept(bam, (Problem(ALIGNMENT_KEPT_AS_BAM, message, Severity.WARNING).as_dict(),))


def _packed(kept: Checkpoints, bam: str, analysis: Analysis, work: Path, report: Report) -> dict[str, Any]:
    given, made = kept.folder / bam, work / CRAM
    fasta, threads = analysis.reference.fasta, analysis.threads
    write_cram(given, analysis, made, work, Life(report, "alignment written as CRAM"))
    if not _are_equal((given, made), fasta, work, threads, Life(report, "CRAM compared with the alignment")):
        made.unlink()
        return {"equal": False}
    kept.keep(made.with_name(f"{CRAM}.crai"), f"{CRAM}.crai")
    kept.keep(made, CRAM)
    return {"equal": True}


def write_cram(bam: Path, analysis: Analysis, output: Path, work: Path, on_life: Callable[[], None]) -> None:
    """Write a sorted BAM as CRAM, and its index (`.crai`). Its header tells the MD5 of each contig, and the release.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    reference, header = analysis.reference, work / "cram-header.sam"
    told, listed = work / "cram-header.before.sam", work / "cram-contigs.sam"
    pipes(
        [
            Pipe((Stage.samtools("view", "-H", "--no-PG", bam),), told),
            Pipe((Stage.samtools("dict", reference.fasta),), listed),
        ],
        on_life,
    )
    checksums = _checksums(listed.read_text(encoding="utf-8"))
    label = f"{reference.release} ({reference.assembly})"
    header.write_text(with_checksums(told.read_text(encoding="utf-8"), checksums, label), encoding="utf-8")
    packed = ("-C", "--output-fmt-option", f"version={VERSION}", "-T", reference.fasta)
    writing = Stage.samtools("view", "--no-PG", *packed, "-@", analysis.threads - 1, bam)
    # A CRAM is written with the path of its FASTA in the header, which is put right at once.
    pipes([Pipe((writing, Stage.samtools("reheader", "--no-PG", header, "-")), output)], on_life)
    pipe([Stage.samtools("index", "-@", analysis.threads - 1, output)], on_life)


def with_checksums(header: str, checksums: dict[str, str], release: str) -> str:
    """A header whose contigs have the MD5 of the reference's, and which names its release.

    No contig tells a place of its FASTA (`UR`): it would be one of this machine, or of another.
    """
    lines = []
    for line in header.splitlines():
        fields = line.split("\t")
        if fields[0] == "@SQ":
            name = next(field[3:] for field in fields if field.startswith("SN:"))
            fields = [field for field in fields if not field.startswith(("M5:", "UR:"))]
            fields.append(f"M5:{checksums[name]}")
        lines.append("\t".join(fields))
    lines.append(
        f"@CO\tAligned to {release}; M5 tells the bases of each contig, without which this file cannot be read"
    )
    return "\n".join(lines) + "\n"


def _checksums(listed: str) -> dict[str, str]:
    """The MD5 of each contig, as `samtools dict` tells them."""
    found = {}
    for line in listed.splitlines():
        if line.startswith("@SQ\t"):
            fields = dict(field.split(":", 1) for field in line.split("\t")[1:])
            found[fields["SN"]] = fields["M5"]
    return found


def _are_equal(files: tuple[Path, Path], fasta: Path, work: Path, threads: int, on_life: Callable[[], None]) -> bool:
    """Whether both give the same reads, in whatever order of tags."""
    told = (work / "checksum.bam.txt", work / "checksum.cram.txt")
    pipes(
        [
            Pipe((Stage.samtools("checksum", *_ALL_OF_IT, "-@", threads - 1, "--reference", fasta, one),), output)
            for one, output in zip(files, told, strict=True)
        ],
        on_life,
    )
    sums = [[line for line in one.read_text(encoding="utf-8").splitlines() if line[:1] != "#"] for one in told]
    return bool(sums[0]) and sums[0] == sums[1]
