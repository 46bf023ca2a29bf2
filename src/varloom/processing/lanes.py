"""Which files belong together: FASTQ by lane and mate, told by their names; one file alone may be interleaved.

Files whose names tell nothing are mates if their reads have the same names: taken one by one they would be aligned as
single reads, and the pairs be lost without a word.

Names are those of the sequencers and of the archives: `NAME_S1_L001_R1_001.fastq.gz` (Illumina's bcl2fastq),
`NAME_1.fq.gz` (ENA), `NAME.R1.fastq`, `NAME_read1.fastq`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.model import Lane, Reads, ReadsFile
from varloom.processing.problems import READS_NOT_TOGETHER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PACKED = re.compile(r"\.(gz|bgz|bgzf)$", re.IGNORECASE)
_FASTQ = re.compile(r"\.(fastq|fq)$", re.IGNORECASE)
_ALIGNMENT = re.compile(r"\.(bam|cram)$", re.IGNORECASE)
_MATE = re.compile(r"(?P<before>.*?[._-])(?P<word>R|read_?|)(?P<mate>[12])(?P<after>([._-].*)?)", re.IGNORECASE)
_INDEX_READ = re.compile(r"[._-][IU][12]([._-]\d+)?$", re.IGNORECASE)


class MateName(NamedTuple):
    """What a file's name tells.

    Attributes:
        lane: the name without the mate: equal for the two files of a lane.
        mate: 1 or 2; None where the name tells none.
    """

    lane: str
    mate: int | None


def is_reads_name(name: str) -> bool:
    """Whether a file of this name claims to hold reads: FASTQ, BAM or CRAM."""
    bare = _PACKED.sub("", name)
    return bool(_FASTQ.search(bare) or _ALIGNMENT.search(name))


def mate_name(name: str) -> MateName:
    """Lane and mate from a file's name: the last part of it that can be a mate counts.

    >>> mate_name("NA12878_S1_L001_R2_001.fastq.gz")
    MateName(lane='NA12878_S1_L001_R?_001', mate=2)
    >>> mate_name("ERR194147_1.fq").mate
    1
    """
    bare = _FASTQ.sub("", _PACKED.sub("", name))
    best = None
    for at in range(len(bare)):
        match = _MATE.fullmatch(bare, at)
        # A bare number counts at the end alone: else the 1 of `sample_1_R2` or of `run_2_x` would be a mate.
        if match is not None and (match["word"] or not match["after"]):
            best = match
    if best is None:
        return MateName(bare, None)
    lane = f"{bare[: best.start('word')]}{best['word']}?{best['after']}"
    return MateName(lane, int(best["mate"]))


def gather(
    files: Iterable[ReadsFile],
    is_interleaved: Callable[[ReadsFile], bool],
    are_mates: Callable[[ReadsFile, ReadsFile], bool],
) -> Reads:
    """The reads of one sample from its files, in the order of the lanes' names.

    Args:
        files: FASTQ files of one or more lanes, or one BAM or CRAM.
        is_interleaved: asked of a FASTQ file that has no partner.
        are_mates: asked of two FASTQ files, one given after the other, of whose mates their names tell nothing.

    Raises:
        VarloomError: `reads_not_together`.
    """
    given = list(files)
    if not given:
        raise VarloomError(READS_NOT_TOGETHER, "No file of reads was given.")
    alignments = [file for file in given if _ALIGNMENT.search(file.name)]
    if alignments:
        if len(given) > 1:
            raise VarloomError(READS_NOT_TOGETHER, f"{_told(alignments[0])} has to be given alone.")
        return Reads(alignment=alignments[0])
    for file in given:
        if _INDEX_READ.search(_FASTQ.sub("", _PACKED.sub("", file.name))):
            raise VarloomError(READS_NOT_TOGETHER, f"{_told(file)} holds index reads, which are not aligned.")
    if len(given) == 2 and _differ_in_mate_alone(given[0].name, given[1].name):
        first, second = sorted(given, key=lambda file: mate_name(file.name).mate or 0)
        return Reads(lanes=(Lane(first, second),))
    return Reads(lanes=tuple(_paired_by_reads(_lanes(given, is_interleaved), given, are_mates)))


def _paired_by_reads(
    lanes: list[Lane], given: list[ReadsFile], are_mates: Callable[[ReadsFile, ReadsFile], bool]
) -> list[Lane]:
    """The lanes, with those of two files that follow one another as they were given, and hold mates, made one."""
    if len(lanes) < 2 or any(lane.second is not None or lane.is_interleaved for lane in lanes):
        return lanes
    paired: list[Lane] = []
    waiting: Lane | None = None
    for lane in sorted(lanes, key=lambda lane: given.index(lane.first)):
        if waiting is not None and are_mates(waiting.first, lane.first):
            paired.append(Lane(waiting.first, lane.first))
            waiting = None
        else:
            paired += [waiting] if waiting is not None else []
            waiting = lane
    paired += [waiting] if waiting is not None else []
    kinds = {lane.second is not None for lane in paired}
    if len(kinds) > 1:
        raise VarloomError(READS_NOT_TOGETHER, _MIXED)
    return paired if True in kinds else lanes


_MIXED = "Some lanes have pairs, and others single reads."


def _lanes(files: list[ReadsFile], is_interleaved: Callable[[ReadsFile], bool]) -> list[Lane]:
    mates: dict[str, dict[int | None, ReadsFile]] = {}
    for file in files:
        lane, mate = mate_name(file.name)
        there = mates.setdefault(lane, {})
        if mate in there:
            raise VarloomError(READS_NOT_TOGETHER, f"{_told(file)} was given twice, or two files have its name.")
        there[mate] = file
    lanes = []
    for _, there in sorted(mates.items()):
        if {1, 2} <= there.keys():
            lanes.append(Lane(there[1], there[2]))
            continue
        (alone,) = there.values()
        if 2 in there:
            raise VarloomError(
                READS_NOT_TOGETHER, f"{_told(alone)} has second mates, and the file of the first is missing."
            )
        interleaved = is_interleaved(alone)
        if 1 in there and not interleaved and len(mates) > 1:
            message = f"{_told(alone)} has first mates, and the file of the second is missing."
            raise VarloomError(READS_NOT_TOGETHER, message)
        lanes.append(Lane(alone, is_interleaved=interleaved))
    if len({(lane.second is not None or lane.is_interleaved) for lane in lanes}) > 1:
        raise VarloomError(READS_NOT_TOGETHER, _MIXED)
    return lanes


def _differ_in_mate_alone(one: str, other: str) -> bool:
    """Whether two names are equal but for one character, which is 1 in one and 2 in the other."""
    differing = [(a, b) for a, b in zip(one, other, strict=False) if a != b]
    ends = {mate_name(one), mate_name(other)}
    return len(one) == len(other) and len(differing) == 1 and set(differing[0]) == {"1", "2"} and len(ends) == 2


def _told(file: ReadsFile) -> str:
    return safe_excerpt(file.name, 80)
