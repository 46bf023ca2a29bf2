"""Step: before any compute is spent, reads are held to their format, and what they are is written down."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from varloom.processing import fastq
from varloom.processing.alignment_file import inspect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.processing.checkpoints import Checkpoints
    from varloom.processing.model import Analysis, ReadsFile, Report

FORMAT = 3
"""To be raised when checkpoints of before are of no use any more."""
_EDGE = 1 << 16


def check(analysis: Analysis, kept: Checkpoints, report: Report) -> dict[str, Any]:
    """What the reads are; of FASTQ every read is looked at.

    Returns:
        `lanes`: reads and bases of each lane, `old_qualities`: the files that seem to have Phred+64, and
        `without_end`: those packed with bgzip whose end may be missing; or `alignment`: the facts of the BAM or CRAM
        (see `AlignmentFacts`).

    Raises:
        VarloomError: what is wrong with the reads.
    """
    return kept.step("checked", lambda: _look(analysis, report))


def _look(analysis: Analysis, report: Report) -> dict[str, Any]:
    if analysis.reads.alignment is not None:
        return {"alignment": inspect(analysis.reads.alignment, analysis.reference)._asdict()}
    total = sum(fastq.stored_bytes(lane) for lane in analysis.reads.lanes)
    begun, found = 0, []
    for lane in analysis.reads.lanes:
        before = begun
        found.append(fastq.count(lane, lambda done, before=before: report(before + done, total, "bytes checked")))  # type: ignore[misc]
        begun += fastq.stored_bytes(lane)
    old = [file.name for file in _files(analysis) if fastq.has_old_qualities(file)]
    cut = [file.name for file in _files(analysis) if fastq.lacks_end(file)]
    return {"lanes": [list(lane) for lane in found], "old_qualities": old, "without_end": cut}


def identity(analysis: Analysis, engine: str) -> str:
    """Of all that the results depend on; other reads, another reference or another version give another one."""
    reference = analysis.reference
    told = [
        FORMAT,
        engine,
        tools(),
        [_identity_of(file) for file in _files(analysis)],
        [(bool(lane.second), lane.is_interleaved) for lane in analysis.reads.lanes],
        reference.release,
        reference.assembly,
        hashlib.sha256(reference.fasta.with_name(reference.fasta.name + ".fai").read_bytes()).hexdigest(),
        analysis.sample,
        analysis.caller.value,
        hashlib.sha256(analysis.sites.read_bytes()).hexdigest() if analysis.sites is not None else None,
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _files(analysis: Analysis) -> Iterator[ReadsFile]:
    for lane in analysis.reads.lanes:
        yield lane.first
        if lane.second is not None:
            yield lane.second
    if analysis.reads.alignment is not None:
        yield analysis.reads.alignment


def _identity_of(file: ReadsFile) -> tuple[str, int, str]:
    """Name, size, and a checksum of both ends; paths and times differ between copies."""
    size = file.path.stat().st_size
    with file.path.open("rb") as stored:
        digest = hashlib.sha256(stored.read(_EDGE))
        stored.seek(max(0, size - _EDGE))
        digest.update(stored.read())
    return file.name, size, digest.hexdigest()


def tools() -> tuple[tuple[str, str], ...]:
    """The programs that take part, and their versions, in the order of use."""
    from pysam.version import __bcftools_version__, __samtools_version__

    return (
        ("pybwa", _installed("pybwa")),
        ("samtools", __samtools_version__),
        ("bcftools", __bcftools_version__),
        ("pysam", _installed("pysam")),
    )


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"
