"""Variants by the batch, written in the one way in which they are stored and looked up.

Nearly all variants of a file are minimal already; those are told apart at once, and only the others cost something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from varloom.genomics.minimal_alleles import left_aligned, trimmed
from varloom.genomics.variant_keys import LAST_POSITION, string_buffers

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
        usable: False for what is no pair of different sequences at a place: symbolic alleles, breakends, `*`, none.
        moved: how many variants were written in another way before.
    """

    position: NDArray[np.int64]
    ref: pa.StringArray
    alt: pa.StringArray
    usable: NDArray[np.bool_]
    moved: int


def normalise(
    contig: str, position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray, genome: Genome | None
) -> Normalised:
    """Variants of a contig (by its bare name): trimmed, and left-aligned if the contig is in the genome.

    A base of REF is not compared with the genome here.
    """
    usable = (position > 0) & (position <= LAST_POSITION)
    ref, alt = _upper(ref), _upper(alt)
    usable &= _is_sequence(ref) & _is_sequence(alt)
    if not usable.all():
        fine = pa.array(usable)
        position = np.where(usable, position, 0)
        ref, alt = pc.if_else(fine, ref, "N"), pc.if_else(fine, alt, "N")
    base_at = genome.base_at(contig) if genome is not None and contig in genome.lengths else None
    reducible = np.flatnonzero(_may_be_reduced(ref, alt, can_move=base_at is not None) & usable)
    given = Normalised(position, ref, alt, usable, 0)
    return _reduced(given, reducible, base_at) if reducible.size else given


def _upper(texts: pa.StringArray) -> pa.StringArray:
    """In upper case; nothing is copied where that is so already, nor for a missing value."""
    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks()
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
    return Normalised(position, ref, alt, given.usable, moved)
