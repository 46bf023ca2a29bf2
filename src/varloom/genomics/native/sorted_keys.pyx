# cython: language_level=3
"""Numbers of variants with few bases, and numbers looked up among sorted ones; see `varloom.genomics.variant_keys`."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

cdef enum:
    ALLELE_BITS = 35
    OTHER = 4

    MOST_BASES = 13

cdef uint8_t[256] CODES

memset(CODES, OTHER, sizeof(CODES))
CODES[c"A"], CODES[c"C"], CODES[c"G"], CODES[c"T"] = 0, 1, 2, 3

ANY, NOT_TRIMMED, NOT_MOVED = range(3)


def put_keys(
    const int64_t[::1] position not None,
    const int32_t[::1] ref_offsets not None,
    const uint8_t[::1] ref not None,
    const int32_t[::1] alt_offsets not None,
    const uint8_t[::1] alt not None,
    int64_t last_position,
    int kind,
    int64_t[::1] keys not None,
):
    """Put the numbers of variants whose alleles are a few of ACGT into `keys`, and -1 for all others.

    Args:
        position: 1-based; one that is not in range has no number.
        ref_offsets: one more than there are variants, into the bytes of `ref`; those of `alt` likewise.
        last_position: the last one that is in range.
        kind: which variants are meant: ANY, those that cannot be NOT_TRIMMED, or those that cannot be moved either.
        keys: one for each variant.
    """
    cdef int64_t row, place, code
    cdef int32_t before, after
    cdef const uint8_t *old
    cdef const uint8_t *new
    with nogil:
        for row in range(keys.shape[0]):
            keys[row] = -1
            place = position[row]
            before, after = ref_offsets[row + 1] - ref_offsets[row], alt_offsets[row + 1] - alt_offsets[row]
            if before < 1 or after < 1 or before + after > MOST_BASES or place < 1 or place > last_position:
                continue
            old, new = &ref[ref_offsets[row]], &alt[alt_offsets[row]]
            if kind >= 1 and before > 1 and after > 1:
                continue
            if kind >= 2 and before != after and old[before - 1] == new[after - 1]:
                continue
            code = packed(old, before, new, after)
            if code >= 0:
                keys[row] = (place << ALLELE_BITS) | (<int64_t>before << 30) | (<int64_t>after << 26) | code


cdef int64_t packed(const uint8_t *old, int32_t before, const uint8_t *new, int32_t after) noexcept nogil:
    """Two bits for each base; -1 where one is none of ACGT."""
    cdef int64_t code = 0
    cdef uint8_t seen = 0
    cdef int32_t index
    for index in range(before):
        seen |= CODES[old[index]]
        code |= <int64_t>(CODES[old[index]] & 3) << (2 * index)
    for index in range(after):
        seen |= CODES[new[index]]
        code |= <int64_t>(CODES[new[index]] & 3) << (2 * (before + index))
    return -1 if seen & OTHER else code


def put_places(const int64_t[::1] known not None, const int64_t[::1] keys not None, int64_t[::1] places not None):
    """Put the place of each key among the known ones, which are sorted as the keys are, or -1; how many are known."""
    cdef int64_t row, low, high, middle, key
    cdef int64_t begin = 0
    cdef int64_t step
    cdef int64_t count = known.shape[0]
    cdef int64_t found = 0
    with nogil:
        for row in range(keys.shape[0]):
            key = keys[row]
            low, high, step = begin, begin, 1
            while high < count and known[high] < key:  # ever longer steps: neighbours are near
                low = high + 1
                high += step
                step *= 2
            if high > count:
                high = count
            while low < high:
                middle = (low + high) >> 1
                if known[middle] < key:
                    low = middle + 1
                else:
                    high = middle
            begin = low
            if low < count and known[low] == key:
                places[row] = low
                found += 1
            else:
                places[row] = -1
    return found
