"""What a row is: the type and the place of a structural variant, by its alleles and annotations.

Source: VCF 4.0 to 4.5, sections 1.4 (INFO), 3 and 5. Where annotations contradict each other one of them counts, and
the row says so:

- The allele goes before SVTYPE; alleles of bases go before all annotations.
- The interval of a symbolic allele is from POS + 1 to END; without a usable END it is SVLEN bases long.
- An insertion lies behind POS, whatever its END; its length is that of its bases, else SVLEN.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from varloom.annotation.sources.structural.breakends import is_breakend, parse_breakend
from varloom.errors import counted, safe_excerpt
from varloom.genomics.contigs import bare_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.genomics.assemblies import Assembly

SPANNING = frozenset({"DEL", "DUP", "INV", "CNV"})
"""The types that have an interval; the others have junctions only."""

_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("DEL", "DEL_ALU", "DEL_LINE1", "DEL_SVA", "DEL_HERV"), "DEL"),
    **dict.fromkeys(("DUP", "TDUP", "IDUP", "DUPTANDEM", "DUPINV", "INVDUP"), "DUP"),
    **dict.fromkeys(("INS", "MEI", "ALU", "LINE1", "L1", "SVA", "HERV", "HERVK", "MT"), "INS"),
    **dict.fromkeys(("CNV", "MCNV"), "CNV"),
    **dict.fromkeys(("TRA", "CTX"), "TRA"),
    **{name: name for name in ("INV", "BND")},
}
"""Types by the names that callers give them, in SVTYPE and as the first level of a symbolic allele."""
_COPIES = re.compile(r"<CN(?P<total>=?)(?P<number>[0-9]{1,4})>")
_BASES = re.compile(r"[ACGTUNRYSWKMBDHVacgtunryswkmbdhv]+")
_COMPLEMENT = str.maketrans("ACGTUNacgtun", "TGCAANTGCAAN")
_UNSEEN = frozenset({"*", "<*>", "<NON_REF>"})
_SEX = frozenset({"X", "Y"})


class Row(NamedTuple):
    """A row of the schema `VARIANTS`, but for its number."""

    contig: str
    position: int
    id: str | None
    ref: str
    alt: str | None
    end: int | None
    svtype: str | None
    svlen: int | None
    copy_number: float | None
    imprecision: int | None


class Junction(NamedTuple):
    """A place where the sequence is cut: behind the base `before` (1-based; 0 is before the first one)."""

    contig: str
    before: int


class Event(NamedTuple):
    """A structural variant; coordinates are 1-based and inclusive.

    Attributes:
        type: `DEL`, `DUP`, `INV`, `INS`, `BND` (within a contig, or to nobody knows where), `CNV` or `TRA`.
        contig: its bare name.
        start: of the bases that it takes up; of an insertion that replaces none, and of a breakend, the base at it.
        end: of the same.
        length: bases that are lost, repeated or turned round, or by which the sequence grows; where bases are replaced,
            the difference. None where it is not known.
        change: `loss` or `gain` of copies, None for neither or where it cannot be told.
        junctions: where the sequence is cut.
        mate: to what a breakend is joined, such as `2:321681`, None if it is no breakend or has no mate.
        notes: what the record contradicts itself in, or lacks.
    """

    type: str
    contig: str
    start: int
    end: int
    length: int | None
    change: str | None = None
    junctions: tuple[Junction, ...] = ()
    mate: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def spans(self) -> bool:
        """Whether it takes up bases, from `start` to `end`."""
        return self.type in SPANNING or (self.type == "INS" and len(self.junctions) > 1)


class UnusableRecordError(Exception):
    """A record that is meant as a structural variant, but does not say which; the message is for people."""


class EventReader:
    """Reads rows of one assembly.

    Args:
        lengths: bases of the contigs that can be annotated, by bare name; None where the length is not known.
        assembly: of the contigs.
        least: bases of the smallest variant that counts as structural where neither the allele nor SVTYPE says so.
    """

    def __init__(self, lengths: Mapping[str, int | None], assembly: Assembly, least: int) -> None:
        self._lengths = lengths
        self._assembly = assembly
        self._least = least

    def read(self, row: Row) -> Event | None:
        """What the row is; None if it is not structural.

        Raises:
            UnusableRecordError: the row is, but its place or type cannot be told.
        """
        alt, kind = row.alt, _type_of(row.svtype)
        if alt is None or alt in _UNSEEN:
            return None if alt is not None or kind is None else self._symbolic(row, kind, ())
        if alt[0] == "<":
            return self._by_symbol(row, alt, kind)
        if is_breakend(alt):
            return self._breakend(row, alt)
        if kind is None and max(len(row.ref), len(alt)) < self._least:
            return None
        return self._by_bases(row, alt, kind)

    # --- symbolic alleles ---------------------------------------------------------------------------------------------

    def _by_symbol(self, row: Row, alt: str, svtype: str | None) -> Event:
        if copies := _COPIES.fullmatch(alt):
            usual = 2 if copies["total"] else 1
            event = self._symbolic(row, svtype if svtype in {"DEL", "DUP"} else "CNV", ())
            return event._replace(change=_change(int(copies["number"]), usual, usual))
        kind = _type_of(alt.strip("<>"))
        notes: tuple[str, ...] = ()
        if kind is not None and svtype is not None and svtype != kind and not {kind, svtype} <= {"BND", "TRA"}:
            notes = (f"SVTYPE says {svtype}, but the allele {kind}, which counts.",)
        kind = kind or svtype
        if kind is None:
            raise UnusableRecordError(f"The allele {safe_excerpt(alt, 40)} is of no known type.")
        return self._symbolic(row, kind, notes)

    def _symbolic(self, row: Row, kind: str, notes: tuple[str, ...]) -> Event:
        contig = self._contig(row.contig)
        match kind:
            case "INS":
                return self._insertion(row, contig, notes)
            case "BND" | "TRA":
                self._within(contig, row.position)
                notes = (*notes, "The record does not say to what the breakend is joined.")
                place = max(row.position, 1)
                return Event(kind, contig, place, place, None, None, (Junction(contig, row.position),), None, notes)
        start, end, told = _interval(row)
        end, cut = self._cut(contig, start, end)
        change = {"DEL": "loss", "DUP": "gain"}.get(kind) or (_copy_change(contig, row) if kind == "CNV" else None)
        junctions = (Junction(contig, start - 1), Junction(contig, end))
        return Event(kind, contig, start, end, end - start + 1, change, junctions, None, (*notes, *told, *cut))

    def _insertion(self, row: Row, contig: str, notes: tuple[str, ...]) -> Event:
        """An insertion behind POS of a length that SVLEN may tell."""
        self._within(contig, row.position)
        length = _size(row)
        if row.end is not None and row.end not in {row.position, row.position + 1}:
            notes = (*notes, f"END is {row.end:,}, but an insertion ends where it begins.")
        if length is None:
            notes = (*notes, "The record does not say how long the insertion is.")
        place = max(row.position, 1)
        return Event("INS", contig, place, place, length, None, (Junction(contig, row.position),), None, notes)

    # --- breakends ----------------------------------------------------------------------------------------------------

    def _breakend(self, row: Row, alt: str) -> Event:
        found = parse_breakend(alt)
        if found is None:
            raise UnusableRecordError(f"The allele {safe_excerpt(alt, 60)} is not written as a breakend has to be.")
        contig = self._contig(row.contig)
        self._within(contig, row.position)
        own = Junction(contig, row.position if found.keeps_left else max(row.position - 1, 0))
        place = max(row.position, 1)
        if found.contig is None or found.mate_junction is None:
            return Event("BND", contig, place, place, None, None, (own,))
        other = bare_name(found.contig, self._assembly)
        mate = f"{safe_excerpt(other, 60)}:{found.position}"
        if other not in self._lengths:
            kind = "BND" if found.contig[0] == "<" else "TRA"
            notes = (
                () if kind == "BND" else (f"Its mate lies on {safe_excerpt(found.contig, 40)}, which is not known.",)
            )
            return Event(kind, contig, place, place, None, None, (own,), mate, notes)
        self._within(other, found.position or 0)
        kind = "BND" if other == contig else "TRA"
        junctions = (own, Junction(other, max(found.mate_junction, 0)))
        return Event(kind, contig, place, place, None, None, junctions, mate)

    # --- alleles of bases ---------------------------------------------------------------------------------------------

    def _by_bases(self, row: Row, alt: str, svtype: str | None) -> Event | None:
        """Shared bases at both ends are no part of the variant; what is left is lost, put in, or replaced."""
        if _BASES.fullmatch(alt) is None or _BASES.fullmatch(row.ref) is None:
            raise UnusableRecordError(f"The allele {safe_excerpt(alt, 40)} is neither bases nor a symbol.")
        contig = self._contig(row.contig)
        before, lost, put_in = _unshared(row.ref.upper(), alt.upper())
        first, last = row.position + before, row.position + before + len(lost) - 1
        growth = len(put_in) - len(lost)
        notes = _bases_notes(row, svtype, growth)
        if _is_turned(lost, put_in) and (svtype == "INV" or len(lost) >= self._least):
            kind, change, length = "INV", None, len(lost)
        elif growth == 0 or (svtype is None and abs(growth) < self._least):
            return None
        else:
            kind, change, length = ("INS", None, growth) if growth > 0 else ("DEL", "loss", -growth)
        if not lost:
            self._within(contig, first - 1)
            place = max(first - 1, 1)
            return Event(kind, contig, place, place, length, change, (Junction(contig, first - 1),), None, notes)
        last, cut = self._cut(contig, first, last)
        junctions = (Junction(contig, first - 1), Junction(contig, last))
        return Event(kind, contig, first, last, length, change, junctions, None, (*notes, *cut))

    # --- places -------------------------------------------------------------------------------------------------------

    def _contig(self, name: str) -> str:
        bare = bare_name(name, self._assembly)
        if bare not in self._lengths:
            raise UnusableRecordError(
                f"The contig {safe_excerpt(name, 40)} is not one that the genes of {self._assembly} lie on."
            )
        return bare

    def _within(self, contig: str, position: int) -> None:
        """Telomeres lie at 0 and one behind the last base."""
        length = self._lengths[contig]
        if position < 0 or (length is not None and position > length + 1):
            raise UnusableRecordError(
                f"Position {position:,} lies beyond the end of contig {safe_excerpt(contig, 40)}"
                + (f", which has {counted(length, 'base')} in {self._assembly}." if length is not None else ".")
            )

    def _cut(self, contig: str, start: int, end: int) -> tuple[int, tuple[str, ...]]:
        """The end, but not beyond that of the contig."""
        self._within(contig, start)
        length = self._lengths[contig]
        if length is None or end <= length:
            return end, ()
        return max(length, start), (f"The end {end:,} lies beyond that of the contig, {length:,}, which counts.",)


def _unshared(ref: str, alt: str) -> tuple[int, str, str]:
    """How many bases are shared at the front, and what is left of both when those at the back are taken off, too."""
    most = min(len(ref), len(alt))
    front = _shared(ref, alt, most)
    back = _shared(ref[: front - 1 if front else None : -1], alt[: front - 1 if front else None : -1], most - front)
    return front, ref[front : len(ref) - back], alt[front : len(alt) - back]


def _is_turned(lost: str, put_in: str) -> bool:
    """Whether the same bases are put in as they stand on the other strand."""
    return bool(lost) and lost.translate(_COMPLEMENT)[::-1] == put_in


def _shared(one: str, other: str, most: int) -> int:
    """How many characters are the same at the front."""
    if one[:most] == other[:most]:
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle
    return low


def _interval(row: Row) -> tuple[int, int, tuple[str, ...]]:
    """The first and last base of a symbolic allele, and what the record contradicts itself in."""
    size, end, notes = _size(row), row.end, []
    if end is not None and end < row.position:
        if size is None:
            raise UnusableRecordError(f"END, {end:,}, lies before POS, {row.position:,}, and there is no SVLEN.")
        notes.append(f"END, {end:,}, lies before POS, {row.position:,}; the length counts.")
        end = None
    if end is None:
        if size is None:
            raise UnusableRecordError("The record has neither END nor SVLEN, so that its end is not known.")
        return row.position + 1, row.position + size, tuple(notes)
    if size is not None and abs(end - row.position - size) > 1:
        notes.append(f"SVLEN says {counted(size, 'base')}, but END {end - row.position:,}, which counts.")
    if end == row.position:
        notes.append("END equals POS; the variant is taken for that base.")
        return max(end, 1), max(end, 1), tuple(notes)
    return row.position + 1, end, tuple(notes)


def _size(row: Row) -> int | None:
    return abs(row.svlen) if row.svlen else None


def _bases_notes(row: Row, svtype: str | None, difference: int) -> tuple[str, ...]:
    """What annotations say against the alleles of bases, which count."""
    notes = []
    wanted = "INS" if difference > 0 else "DEL" if difference < 0 else svtype
    if svtype == "DUP" and wanted == "INS":
        notes.append("SVTYPE says DUP, but which bases are repeated is not told; it is read as an insertion.")
    elif svtype not in {None, wanted, "INV", "CNV"}:
        notes.append(f"SVTYPE says {svtype}, but the alleles {wanted}, which count.")
    if row.svlen is not None and difference and abs(abs(row.svlen) - abs(difference)) > 1:
        notes.append(f"SVLEN says {counted(abs(row.svlen), 'base')}, but the alleles {abs(difference):,}, which count.")
    last = row.position + len(row.ref) - 1
    if row.end is not None and difference < 0 and abs(row.end - last) > 1:
        notes.append(f"END says {row.end:,}, but REF ends at {last:,}, which counts.")
    return tuple(notes)


def _copy_change(contig: str, row: Row) -> str | None:
    """What the copies of a CNV are beside the usual ones, which on X and Y depend on the sex."""
    if row.copy_number is None:
        return None
    match contig:
        case "X":
            return _change(row.copy_number, 1, 2)
        case "Y":
            return _change(row.copy_number, 0, 1)
        case "MT":
            return None
    return _change(row.copy_number, 2, 2)


def _change(copies: float, least: int, most: int) -> str | None:
    """`least` to `most` copies are usual."""
    return "loss" if copies < least else "gain" if copies > most else None


@lru_cache(maxsize=256)
def _type_of(name: str | None) -> str | None:
    """The type that a name stands for, whatever its letters' case and its further levels."""
    if name is None:
        return None
    upper = name.upper()
    return _TYPES.get(upper.replace(":", "")) or _TYPES.get(upper.partition(":")[0].partition("_")[0])
