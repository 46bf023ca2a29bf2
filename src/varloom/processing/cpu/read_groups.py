"""Read groups: one for each lane, named by what the sequencer wrote into the names of the reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from varloom.processing.fastq import FastqText, read_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from varloom.processing.model import Lane

_ILLUMINA = re.compile(rb"[^:\s]+:\d+:(?P<flowcell>[^:\s]+):(?P<lane>\d+):\d+:\d+:\d+")
_NO_TEXT = re.compile(r"[^\x21-\x7e ]+")


class ReadGroup(NamedTuple):
    """A read group: its id, and the unit that was sequenced."""

    id: str
    unit: str


def groups_of(lanes: Iterable[Lane]) -> list[ReadGroup]:
    """A read group for each lane, with ids that differ.

    Raises:
        VarloomError: the first reads of a lane are malformed.
    """
    found: list[ReadGroup] = []
    for number, lane in enumerate(lanes, 1):
        unit = _unit(lane) or f"lane{number}"
        taken = {group.id for group in found}
        found.append(ReadGroup(unit if unit not in taken else f"{unit}-{number}", unit))
    return found


def _unit(lane: Lane) -> str | None:
    """Flow cell and lane, as Illumina's sequencers name reads."""
    first = next(FastqText(lane.first).pieces())
    match = _ILLUMINA.match(read_name(first.lines[0]))
    return f"{match['flowcell'].decode()}.{match['lane'].decode()}" if match else None


def group_line(group: ReadGroup, sample: str) -> str:
    """The group's line of a SAM header."""
    name = plain(sample)
    return f"@RG\tID:{group.id}\tSM:{name}\tLB:{name}\tPL:ILLUMINA\tPU:{group.unit}\n"


def plain(text: str) -> str:
    """A sample's name as headers can have it: printable ASCII."""
    return _NO_TEXT.sub("_", text).strip() or "sample"


def write_header(path: Path, contigs: Mapping[str, int], groups: Iterable[str], programs: str) -> None:
    """The header of an alignment, in SAM."""
    listed = "".join(f"@SQ\tSN:{name}\tLN:{length}\n" for name, length in contigs.items())
    path.write_text(f"@HD\tVN:1.6\tSO:unsorted\tGO:query\n{listed}{''.join(groups)}{programs}", encoding="utf-8")
