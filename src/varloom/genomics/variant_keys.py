"""A number for each variant of a contig, so that variants are found and compared without comparing texts.

From the highest bit: 28 bits position (1-based), then 35 bits for the alleles. Where these are 13 bases of ACGT at
most together, the 35 bits hold them: a zero, four bits the length of REF, four that of ALT, and two bits a base. Else
they are a one and 34 bits of the BLAKE2b digest of `REF>ALT`: who finds one compares the alleles themselves.
So the order of the numbers is that of the positions. The idea is that of VariantKey (Asuni, 2018).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from varloom.genomics.native.sorted_keys import ANY, NOT_MOVED, NOT_TRIMMED, put_keys, put_places

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

ALLELE_BITS = 35
ALLELES = (1 << ALLELE_BITS) - 1
"""The bits of the alleles."""
HASHED = 1 << (ALLELE_BITS - 1)
"""The bit that is set where the alleles are only digested."""
MOST_BASES = 13
LAST_POSITION = (1 << 28) - 1
"""No chromosome of a human is longer; positions behind it have no number."""


def variant_keys(position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray) -> NDArray[np.int64]:
    """The numbers of variants of one contig; alleles in upper case, no value missing, positions in range."""
    keys = _keys(position, ref, alt, ANY)
    for row in np.flatnonzero(keys < 0).tolist():
        keys[row] = (int(position[row]) << ALLELE_BITS) | digest(ref[row].as_py(), alt[row].as_py())
    return keys


def minimal_keys(
    position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray, *, can_move: bool
) -> NDArray[np.int64]:
    """The numbers of those variants that plainly are minimal as they are written; -1 for all others.

    That is so if their alleles are a few bases of ACGT in upper case, one of them is a single one, and the last ones
    differ where a variant `can_move`.
    """
    keys = _keys(position, ref, alt, NOT_MOVED if can_move else NOT_TRIMMED)
    for texts in (ref, alt):
        if texts.null_count:
            keys[texts.is_null().to_numpy(False)] = -1
    return keys


def _keys(position: NDArray[np.int64], ref: pa.StringArray, alt: pa.StringArray, kind: int) -> NDArray[np.int64]:
    keys = np.empty(len(position), dtype=np.int64)
    put_keys(position, *_plain_buffers(ref), *_plain_buffers(alt), LAST_POSITION, kind, keys)
    return keys


def places_of(known: NDArray[np.int64], keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of the keys stands among the known ones, -1 where it does not; both are sorted."""
    places = np.empty(len(keys), dtype=np.int64)
    put_places(known, keys, places)
    return places


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
    offsets, data = _plain_buffers(texts)
    return Bytes(offsets.astype(np.int64), data)


def _plain_buffers(texts: pa.StringArray) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The offsets as they are, in 32 bits, and the bytes."""
    _, offsets, data = texts.buffers()
    if not len(texts):
        return np.zeros(1, dtype=np.int32), _NOTHING
    begins = np.frombuffer(offsets, dtype=np.int32)[texts.offset : texts.offset + len(texts) + 1]
    return begins, np.frombuffer(data, dtype=np.uint8) if data is not None else _NOTHING


_NOTHING = np.zeros(0, dtype=np.uint8)
