"""What a record of a VCF says of a locus: each of its alleles, written over the locus's stretch of the reference.

So the same insertion is seen in `C>CAT`, in `CAT>CATAT` and beside another ALT allele, and a base within a longer
substitution is found. An allele that reaches beyond the locus, or is not written as bases, says that the locus is
changed, but not to what.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.annotation.refs.pgx_content import Locus

_BASES = re.compile(r"[ACGT]+")
UNSEEN = frozenset({"<NON_REF>", "<*>"})
"""Alleles that stand for any that was not seen."""


class Change(NamedTuple):
    """What an ALT allele replaces: `removed`, the bases from `start` (1-based) up to and without `end`, by `bases`."""

    start: int
    end: int
    bases: str
    removed: str


class Record(NamedTuple):
    """One line of a VCF, as far as it matters here.

    Attributes:
        contig: its bare name.
        position: of the first base of REF.
        start: of the first base that it speaks of: an indel that was moved to the left begins before REF.
        end: of the last base that it speaks of: of REF, or of the block.
        ref: in upper case.
        changes: what each ALT allele changes, by its number in genotypes; None for what is not written as bases.
            Alleles that stand for any other are left out.
        line: in the file.
        filter: its FILTER where that is not PASS, else None.
        quality: QUAL, of any variant being there at all; None where the file does not tell.
    """

    contig: str
    position: int
    start: int
    end: int
    ref: str
    changes: dict[int, Change | None]
    line: int
    filter: str | None
    quality: float | None = None

    @property
    def is_block(self) -> bool:
        """Whether it speaks of a stretch of the reference rather than of a variant."""
        return not self.changes


class View(NamedTuple):
    """A record as seen at a locus.

    Attributes:
        covers: whether it speaks of all of the locus.
        tells: whether it is about what varies here: it is a block, or one of its alleles is other bases of the locus,
            or its REF is not what the locus has: then nothing is known here, whatever its alleles seem to be.
            The record of a deletion that begins beside it, or of a structural variant, leaves open whether they vary.
        is_compared: whether its REF has any base of the locus. A block is written with its first base alone.
        fits: whether its REF has the bases of the locus, as far as it is written out.
        alleles: the bases over the locus by the number in genotypes; None where they are changed to something else.
        listed: the numbers of the alleles that the locus documents beside the reference.
    """

    covers: bool
    tells: bool
    is_compared: bool
    fits: bool
    alleles: dict[int, str | None]
    listed: frozenset[int]


def change_of(position: int, ref: str, alt: str) -> Change | None:
    """What differs, as far to the left as the record itself lets it; None for what is not bases."""
    if not _BASES.fullmatch(alt) or not _BASES.fullmatch(ref):
        return None
    end = 0
    while end < min(len(ref), len(alt)) and ref[-1 - end] == alt[-1 - end]:
        end += 1
    ref, alt = ref[: len(ref) - end], alt[: len(alt) - end]
    start = 0
    while start < min(len(ref), len(alt)) and ref[start] == alt[start]:
        start += 1
    return Change(position + start, position + len(ref), alt[start:], ref[start:])


def view_at(record: Record, locus: Locus) -> View:
    """What the record says of the locus."""
    first, after = locus.position, locus.position + len(locus.ref)
    covers = record.start <= first and record.end >= after - 1
    written = _overlap(record, first, after)
    fits = written is None or all(
        given in {mine, "N"} for mine, given in zip(locus.ref[written[0] :], written[1], strict=False)
    )
    takes_insertions = len({len(locus.ref), *map(len, locus.alts)}) > 1
    alleles: dict[int, str | None] = {0: locus.ref}
    for number, change in record.changes.items():
        alleles[number] = _applied(locus, change, takes_insertions=takes_insertions)
    tells = record.is_block or not fits or any(bases not in {None, locus.ref} for bases in alleles.values())
    listed = frozenset(number for number, bases in alleles.items() if bases in locus.alts)
    return View(covers, tells, written is not None, fits, alleles, listed)


def _overlap(record: Record, first: int, after: int) -> tuple[int, str] | None:
    """Where in the locus the record's REF begins, and its bases from there on; None if it has none of them."""
    start = max(first, record.position)
    bases = record.ref[start - record.position : after - record.position]
    return (start - first, bases) if bases else None


def _applied(locus: Locus, change: Change | None, *, takes_insertions: bool) -> str | None:
    """The bases over the locus with a change; None if it reaches beyond the locus, or is not known."""
    if change is None:
        return None
    first, after = locus.position, locus.position + len(locus.ref)
    start, end, bases, _ = change
    if start == end:  # an insertion before the base at `start`
        inside = first < start < after or (takes_insertions and start == after)
        return locus.ref[: start - first] + bases + locus.ref[start - first :] if inside else locus.ref
    if end <= first or start >= after:
        return locus.ref
    if first <= start and end <= after:
        return locus.ref[: start - first] + bases + locus.ref[end - first :]
    if len(bases) == end - start:  # some bases of a longer substitution
        low, high = max(start, first), min(end, after)
        return locus.ref[: low - first] + bases[low - start : high - start] + locus.ref[high - first :]
    return None


def may_be(locus: Locus, changes: Sequence[Change]) -> bool:
    """Whether one of the changes could be what the locus documents, written elsewhere in a repeat.

    It has the length of a documented indel, and its bases are the same going round. Whether it is can only be told with
    the reference genome.
    """
    return any(
        _rotated(documented, change)
        for alt in locus.alts
        if (documented := change_of(locus.position, locus.ref, alt)) is not None
        for change in changes
        if change != documented
    )


def _rotated(documented: Change, change: Change) -> bool:
    """Whether both insert, or both remove, the same bases going round."""
    pairs = ((documented.bases, change.bases), (documented.removed, change.removed))
    if any(len(mine) != len(other) for mine, other in pairs) or (documented.bases and documented.removed):
        return False
    return all(other in mine * 2 for mine, other in pairs)
