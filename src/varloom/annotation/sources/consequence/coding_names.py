"""HGVS names of changes in the coding numbering (c.), version 21.1 of the nomenclature.

Insertions and deletions are moved as far 3' as the genome allows, in the direction of the transcript; what was inserted
and stands before it already is a duplication.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from varloom.genomics.genetic_code import reverse_complement

if TYPE_CHECKING:
    from varloom.annotation.sources.consequence.genome import Genome
    from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript

_LOOK_AHEAD = 64


class Change(NamedTuple):
    """What a variant changes, without the bases that both alleles share.

    Attributes:
        start: 1-based, of the first base that is replaced; for an insertion that of the base behind it.
        end: 1-based, inclusive, of the last one; for an insertion `start - 1`.
        ref: the bases that are replaced, in capitals.
        alt: the bases instead, in capitals.
    """

    start: int
    end: int
    ref: str
    alt: str


class CodingName(NamedTuple):
    """A change in the numbering of one transcript.

    Attributes:
        text: without the accession, such as `c.76A>C`.
        start: 1-based, of the first base that is named; for an insertion that of the base before it.
        end: 1-based, inclusive, of the last one; for an insertion that of the base behind it.
    """

    text: str
    start: int
    end: int


def trimmed(position: int, ref: str, alt: str) -> Change:
    """The change of a variant, given as a VCF gives it."""
    ref, alt = ref.upper(), alt.upper()
    if len(ref) == 1 == len(alt):
        return Change(position, position, ref, alt)
    shared = 0
    shortest = min(len(ref), len(alt))
    while shared < shortest and ref[shared] == alt[shared]:
        shared += 1
    ref, alt, position = ref[shared:], alt[shared:], position + shared
    shared = 0
    shortest = min(len(ref), len(alt))
    while shared < shortest and ref[-1 - shared] == alt[-1 - shared]:
        shared += 1
    if shared:
        ref, alt = ref[:-shared], alt[:-shared]
    return Change(position, position + len(ref) - 1, ref, alt)


def coding_name(transcript: PlacedTranscript, change: Change, genome: Genome) -> CodingName | None:
    """The change in the numbering of a transcript; None where it reaches beyond it, or changes nothing."""
    model = transcript.model
    first, last = min(change.start, change.end), max(change.start, change.end)
    if first < model.start or last > model.end or change.ref == change.alt:
        return None
    if not change.ref or not change.alt:
        change = _moved(transcript, change, genome)
    return _described(transcript, change, genome)


def _described(transcript: PlacedTranscript, change: Change, genome: Genome) -> CodingName:
    start, end, ref, alt = change
    if transcript.model.strand < 0:
        ref, alt = reverse_complement(ref), reverse_complement(alt)
    if not ref:
        copied = _copied(transcript, change, genome)
        if copied is not None:
            return _named(transcript, *copied, "dup")
        return _named(transcript, end, start, f"ins{alt}")
    if not alt:
        return _named(transcript, start, end, "del")
    if len(ref) == 1 == len(alt):
        return _named(transcript, start, end, f"{ref}>{alt}")
    if len(ref) > 1 and alt == reverse_complement(ref):
        return _named(transcript, start, end, "inv")
    return _named(transcript, start, end, f"delins{alt}")


def _named(transcript: PlacedTranscript, start: int, end: int, edit: str) -> CodingName:
    first = transcript.c_position(start)
    if start == end:
        return CodingName(f"c.{first}{edit}", start, end)
    last = transcript.c_position(end)
    if transcript.model.strand < 0:
        first, last = last, first
    return CodingName(f"c.{first}_{last}{edit}", start, end)


def _moved(transcript: PlacedTranscript, change: Change, genome: Genome) -> Change:
    """An insertion or deletion as far 3' as it can stand within the transcript."""
    start, end, ref, alt = change
    unit = ref or alt
    model = transcript.model
    if model.strand > 0:
        room = model.end - max(start, end)
        steps = _steps(genome, model.contig, end, unit, room)
        turn = steps % len(unit)
        unit = unit[turn:] + unit[:turn]
        start, end = start + steps, end + steps
    else:
        room = min(start, end) - model.start
        steps = _steps_back(genome, model.contig, start - 1, unit, room)
        turn = len(unit) - steps % len(unit)
        unit = unit[turn:] + unit[:turn]
        start, end = start - steps, end - steps
    return Change(start, end, unit if ref else "", unit if alt else "")


def _steps(genome: Genome, contig: str, begin_0: int, unit: str, room: int) -> int:
    """How many bases from `begin_0` on repeat the unit."""
    done = 0
    while done < room:
        ahead = genome.bases(contig, begin_0 + done, begin_0 + min(done + _LOOK_AHEAD, room))
        for base in ahead:
            if base != unit[done % len(unit)]:
                return done
            done += 1
        if not ahead:
            break
    return done


def _steps_back(genome: Genome, contig: str, end_0: int, unit: str, room: int) -> int:
    """How many bases before `end_0` repeat the unit backwards."""
    done = 0
    while done < room:
        behind = genome.bases(contig, end_0 - min(done + _LOOK_AHEAD, room), end_0 - done)
        for base in reversed(behind):
            if base != unit[-1 - done % len(unit)]:
                return done
            done += 1
        if not behind:
            break
    return done


def _copied(transcript: PlacedTranscript, change: Change, genome: Genome) -> tuple[int, int] | None:
    """The bases of which an insertion is a copy: those 5' of it; None if it is not."""
    model, size = transcript.model, len(change.alt)
    if model.strand > 0:
        start, end = change.end - size + 1, change.end
    else:
        start, end = change.start, change.start + size - 1
    if start < model.start or end > model.end:
        return None
    return (start, end) if genome.bases(model.contig, start - 1, end) == change.alt else None
