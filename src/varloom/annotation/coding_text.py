"""Variants on transcripts as people write them: `NM_000492.4:c.1521_1523del`, `CFTR:c.2988+1G>A` and the like.

The numbering is that of HGVS (den Dunnen et al. 2016, version 21): from the first coding base, `-` before it, `*`
behind the stop codon, and from the nearest base of an exon into introns. Bases are those of the transcript's strand,
and those that are lost are compared with the reference genome.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from varloom.annotation.named_transcripts import NamedTranscripts, NoTranscriptError
from varloom.annotation.variant_text import Change, WrittenVariant, changed, not_understood
from varloom.errors import counted
from varloom.genomics.genetic_code import reverse_complement

if TYPE_CHECKING:
    from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript
    from varloom.annotation.variant_text import Bases

_CODING = re.compile(
    r"(?P<name>[A-Za-z0-9_.-]+?)\s*(?:\((?P<gene>[A-Za-z0-9_.-]+)\))?\s*:\s*c\.(?P<change>\S+)(?:\s+\(?p\.\S*\)?)?"
)
_PLACE = r"(?P<{0}>[-*]?\d{{1,9}}(?:[-+]\d{{1,9}})?)"
_CHANGE = re.compile(
    rf"{_PLACE.format('first')}(?:_{_PLACE.format('last')})?"
    r"(?:(?P<ref>[ACGT])>(?P<alt>[ACGT])"
    r"|del(?P<lost>[ACGT]*)ins(?P<instead>[ACGT]+)"
    r"|(?P<kind>del|dup|inv)(?P<bases>[ACGT]*)"
    r"|ins(?P<new>[ACGT]+))",
    re.IGNORECASE,
)
_PARTS = re.compile(r"([-*]?)(\d+)([-+]\d+)?")


def is_coding_text(text: str) -> bool:
    """Whether a text names a change on a transcript."""
    return _CODING.fullmatch(text.strip()) is not None


def parse_coding(text: str, transcripts: NamedTranscripts, bases: Bases) -> list[WrittenVariant]:
    """The variant of a text: several where its transcript has several places, as those that X and Y share.

    Raises:
        VarloomError: `variant_not_understood`.
    """
    found = _CODING.fullmatch(text.strip())
    if found is None:
        raise not_understood(text, "Write it as NM_000492.4:c.1521_1523del.")
    change = _CHANGE.fullmatch(found["change"])
    if change is None:
        raise not_understood(
            text, "Its change is no substitution, deletion, duplication, insertion or inversion in the manner of HGVS."
        )
    try:
        transcripts_found = transcripts.find(found["name"], found["gene"])
    except NoTranscriptError as error:
        raise not_understood(text, str(error)) from None
    return [_on_genome(one, change, bases, text) for one in transcripts_found]


def _on_genome(transcript: PlacedTranscript, change: re.Match[str], bases: Bases, text: str) -> WrittenVariant:
    """The change where the transcript lies on the genome."""
    strand = transcript.model.strand
    ends = [_place(transcript, change[which], text) for which in ("first", "last") if change[which]]
    if (ends[-1] - ends[0]) * strand < 0:
        raise not_understood(text, "Its positions are not in order.")
    if change["ref"] and len(ends) > 1:
        raise not_understood(text, "A substitution has one position; write several bases as delins.")
    kind, lost, new = _edit(change)
    if strand < 0:
        lost, new = reverse_complement(lost), reverse_complement(new)
    if kind == "ins" and abs(ends[-1] - ends[0]) != 1:
        raise not_understood(text, "An insertion names the two positions beside it, which touch on the genome.")
    contig, first, last = transcript.model.contig, min(ends), max(ends)
    if lost and len(lost) != last - first + 1:
        raise not_understood(text, f"It names {counted(len(lost), 'base')}, and positions of {last - first + 1:,}.")
    there = bases(contig, first, len(lost)) if lost else ""
    if lost != there:
        shown = [reverse_complement(one) if strand < 0 else one for one in (there, lost)]
        raise not_understood(text, f"{transcript.model.transcript_id} has {shown[0][:40]} there, not {shown[1][:40]}.")
    return changed(contig, Change(first, last, kind, new), bases, text)


def _edit(change: re.Match[str]) -> tuple[str, str, str]:
    """The kind of change, the bases that are said to be lost or repeated, and those that come in."""
    if change["ref"]:
        return "delins", change["ref"].upper(), change["alt"].upper()
    if change["instead"]:
        return "delins", change["lost"].upper(), change["instead"].upper()
    if change["new"]:
        return "ins", "", change["new"].upper()
    return change["kind"].lower(), change["bases"].upper(), ""


def _place(transcript: PlacedTranscript, written: str, text: str) -> int:
    """The place of a position on the genome."""
    parts = _PARTS.fullmatch(written)
    if parts is None:
        raise AssertionError("the pattern of a change holds no other positions")
    place = transcript.position_of(parts[1], int(parts[2]), int(parts[3] or 0))
    if place is None:
        raise not_understood(text, f"{transcript.model.transcript_id} has no position c.{written}.")
    return place
