"""Variants by the batch, written in the one way in which they are stored and looked up.

Nearly all variants of a file are minimal already; those are told apart at once, and only the others cost something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.genomics.minimal_alleles import left_aligned, trimmed
from varloom.genomics.variant_keys import (
    ALLELE_BITS,
    ALLELES,
    LAST_POSITION,
    minimal_keys,
    string_buffers,
    variant_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from varloom.annotation.refs.genome import Genome

_IUPAC = np.zeros(256, dtype=bool)
_IUPAC[[ord(base) for base in "ACGTNRYKMSWBDHV"]] = True
_WHOLE = "^[ACGTNRYKMSWBDHV]+$"


class Normalised(NamedTuple):
    """Variants of one contig in their minimal representation.

    Attributes:
        position: 1-based; 0 where the variant is not usable.
        ref: in upper case; `N` where the variant is not usable.
        alt: likewise.
        keys: their numbers, see `varloom.genomics.variant_keys`; 0 where the variant is not usable.
        moved: how many variants were written in another way before.
    """

    position: NDArray[np.int64]
    ref: pa.StringArray
    alt: pa.StringArray
    keys: NDArray[np.int64]
    moved: int = 0

    @property
    def usable(self) -> NDArray[np.bool_]:
        """False for what is no pair of sequences at a place: symbolic alleles, breakends, `*`, none."""
        return self.keys > 0

    def chosen(self, rows: NDArray[np.int64]) -> Self:
        """Some of them, by their places."""
        taken = pa.array(rows)
        return self._replace(
            position=self.position[rows], ref=self.ref.take(taken), alt=self.alt.take(taken), keys=self.keys[rows]
        )

    def placed(self, position: NDArray[np.int64]) -> Self:
        """The same changes at other positions; all of them usable."""
        return self._replace(position=position, keys=(self.keys & ALLELES) | (position << ALLELE_BITS))


def normalise(
    contig: str, position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray, genome: Genome | None
) -> Normalised:
    """Variants of a contig (by its bare name): trimmed, and left-aligned if the contig is in the genome.

    A base of REF is not compared with the genome here.
    """
    ref, alt = _in_one(ref), _in_one(alt)
    base_at = genome.base_at(contig) if genome is not None and contig in genome.lengths else None
    keys = minimal_keys(position, ref, alt, can_move=base_at is not None)
    others = np.flatnonzero(keys < 0)
    if not others.size:
        return Normalised(position, ref, alt, keys)
    taken = pa.array(others)
    written = Normalised(position[others], ref.take(taken), alt.take(taken), np.zeros(len(others), dtype=np.int64))
    found = _normalised(written, base_at)
    keys[others] = found.keys
    whole = Normalised(position, ref, alt, keys, found.moved)
    return whole if found.ref is written.ref and found.alt is written.alt else _put_back(whole, others, found)


def _put_back(whole: Normalised, rows: NDArray[np.int64], found: Normalised) -> Normalised:
    """All variants, some of them as they were found to be written."""
    position = whole.position.copy()
    position[rows] = found.position
    mask = np.zeros(len(position), dtype=bool)
    mask[rows] = True
    ref = pc.replace_with_mask(whole.ref, pa.array(mask), found.ref)
    alt = pc.replace_with_mask(whole.alt, pa.array(mask), found.alt)
    return whole._replace(position=position, ref=ref, alt=alt)


def _normalised(written: Normalised, base_at: Callable[[int], str] | None) -> Normalised:
    """Variants of any kind in their minimal representation, with their keys."""
    position = written.position
    usable = (position > 0) & (position <= LAST_POSITION)
    ref, alt = _upper(written.ref), _upper(written.alt)
    usable &= _is_sequence(ref) & _is_sequence(alt)
    if not usable.all():
        fine = pa.array(usable)
        position = np.where(usable, position, 0)
        ref, alt = pc.if_else(fine, ref, "N"), pc.if_else(fine, alt, "N")
    reducible = np.flatnonzero(_may_be_reduced(ref, alt, can_move=base_at is not None) & usable)
    given = written._replace(position=position, ref=ref, alt=alt)
    found = _reduced(given, reducible, base_at) if reducible.size else given
    return found._replace(keys=np.where(usable, variant_keys(found.position, found.ref, found.alt), 0))


def _in_one(texts: pa.StringArray) -> pa.StringArray:
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def _upper(texts: pa.StringArray) -> pa.StringArray:
    """In upper case; nothing is copied where that is so already, nor for a missing value."""
    _, data = string_buffers(texts)
    return pc.utf8_upper(texts) if (data >= ord("a")).any() else texts


def _is_sequence(texts: pa.StringArray) -> NDArray[np.bool_]:
    """Whether each text is one of bases; ambiguous ones count."""
    offsets, data = string_buffers(texts)
    lengths = np.diff(offsets)
    fine = np.zeros(len(texts), dtype=bool)
    single = lengths == 1
    fine[single] = _IUPAC[data[offsets[:-1][single]]]
    longer = np.flatnonzero(lengths > 1)
    if longer.size:
        fine[longer] = pc.match_substring_regex(texts.take(longer), _WHOLE).fill_null(False).to_numpy(False)
    if texts.null_count:
        fine &= texts.is_valid().to_numpy(False)
    return fine


def _may_be_reduced(ref: pa.StringArray, alt: pa.StringArray, *, can_move: bool) -> NDArray[np.bool_]:
    """Whether both alleles have several bases, or end with the same one and can move: all others are minimal."""
    ref_offsets, ref_bytes = string_buffers(ref)
    alt_offsets, alt_bytes = string_buffers(alt)
    ref_lengths, alt_lengths = np.diff(ref_offsets), np.diff(alt_offsets)
    both = (ref_lengths > 1) & (alt_lengths > 1)
    if not can_move:
        return both
    uneven = ref_lengths != alt_lengths
    rows = np.flatnonzero(uneven & ~both)
    both[rows] = ref_bytes[ref_offsets[rows + 1] - 1] == alt_bytes[alt_offsets[rows + 1] - 1]
    return both


def _reduced(given: Normalised, rows: NDArray[np.int64], base_at: Callable[[int], str] | None) -> Normalised:
    """Write some of the variants anew, one by one."""
    position = given.position.copy()
    refs, alts = given.ref.take(rows).to_pylist(), given.alt.take(rows).to_pylist()
    moved = 0
    for number, row in enumerate(rows.tolist()):
        before = (int(position[row]), refs[number], alts[number])
        after = left_aligned(*before, base_at) if base_at is not None else trimmed(*before)
        if after != before:
            position[row], refs[number], alts[number] = after
            moved += 1
    if not moved:
        return given
    mask = np.zeros(len(position), dtype=bool)
    mask[rows] = True
    ref = pc.replace_with_mask(given.ref, pa.array(mask), pa.array(refs, pa.string()))
    alt = pc.replace_with_mask(given.alt, pa.array(mask), pa.array(alts, pa.string()))
    return given._replace(position=position, ref=ref, alt=alt, moved=moved)
