"""A number for each variant of a contig, so that variants are found and compared without comparing texts.

From the highest bit: 28 bits position (1-based), then 35 bits for the alleles. Where these are 13 bases of ACGT at
most together, the 35 bits hold them: a zero, four bits the length of REF, four that of ALT, and two bits a base. Else
they are a one and 34 bits of the BLAKE2b digest of `REF>ALT`: who finds one compares the alleles themselves.
So the order of the numbers is that of the positions. The idea is that of VariantKey (Asuni, 2018).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALLELE_BITS = 35
HASHED = 1 << (ALLELE_BITS - 1)
"""The bit that is set where the alleles are only digested."""
MOST_BASES = 13
LAST_POSITION = (1 << 28) - 1
"""No chromosome of a human is longer; positions behind it have no number."""

_CODES = np.full(256, 255, dtype=np.uint8)
_CODES[[ord(base) for base in "ACGT"]] = range(4)


def variant_keys(position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray) -> NDArray[np.int64]:
    """The numbers of variants of one contig; alleles in upper case, no value missing, positions in range."""
    refs, alts = string_buffers(ref), string_buffers(alt)
    ref_lengths, alt_lengths = np.diff(refs.offsets), np.diff(alts.offsets)
    keys = (position << ALLELE_BITS) | (ref_lengths << 30) | (alt_lengths << 26)
    bases = ref_lengths + alt_lengths
    fits = bases <= MOST_BASES
    single = bases == 2
    keys[single] |= _snv_codes(refs, alts, single, fits)
    others = np.flatnonzero(fits & ~single)
    if others.size:
        keys[others] |= _packed(ref.take(others), alt.take(others), others, fits)
    for row in np.flatnonzero(~fits):
        keys[row] = (int(position[row]) << ALLELE_BITS) | digest(ref[int(row)].as_py(), alt[int(row)].as_py())
    return keys


def digest(ref: str, alt: str) -> int:
    """The 35 bits of alleles that do not fit."""
    found = hashlib.blake2b(f"{ref}>{alt}".encode(), digest_size=8).digest()
    return HASHED | (int.from_bytes(found, "big") >> 30)


class Bytes(NamedTuple):
    """The texts of an array: where each begins (and the last one ends), and the bytes of all."""

    offsets: NDArray[np.int64]
    data: NDArray[np.uint8]


def string_buffers(texts: pa.StringArray) -> Bytes:
    """The bytes of an array of texts; nothing is copied but the offsets."""
    _, offsets, data = texts.buffers()
    begins = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return Bytes(begins.astype(np.int64), np.frombuffer(data, dtype=np.uint8) if data is not None else _NOTHING)


_NOTHING = np.zeros(0, dtype=np.uint8)


def _snv_codes(refs: Bytes, alts: Bytes, single: Any, fits: Any) -> NDArray[np.int64]:
    """The bits of one base each; rows with another base than ACGT are taken out of `fits`."""
    ref_codes = _CODES[refs.data[refs.offsets[:-1][single]]]
    alt_codes = _CODES[alts.data[alts.offsets[:-1][single]]]
    odd = (ref_codes | alt_codes) > 3
    if odd.any():
        fits[np.flatnonzero(single)[odd]] = False
    codes: NDArray[np.int64] = (ref_codes & 3).astype(np.int64) | ((alt_codes & 3).astype(np.int64) << 2)
    return codes


def _packed(ref: pa.StringArray, alt: pa.StringArray, rows: Any, fits: Any) -> NDArray[np.int64]:
    """The bits of the bases of a few rows; rows with another base than ACGT are taken out of `fits`."""
    offsets, data = string_buffers(pc.binary_join_element_wise(ref, alt, ""))
    lengths = np.diff(offsets)
    packed = np.zeros(len(rows), dtype=np.int64)
    for place in range(MOST_BASES):
        has = np.flatnonzero(lengths > place)
        codes = _CODES[data[offsets[:-1][has] + place]]
        odd = codes > 3
        if odd.any():
            fits[rows[has[odd]]] = False
        packed[has] |= (codes & 3).astype(np.int64) << (2 * place)
    return packed
