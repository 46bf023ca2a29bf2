"""Differences of whole numbers, packed.

"Delta Encoding (DELTA_BINARY_PACKED = 5)" of https://parquet.apache.org/docs/file-format/data-pages/encodings/: blocks
of 128 differences, each with the least of them and the others above it in four groups of 32, which have a width each.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from varloom.dataset.native.growing cimport Bytes, put_varint, put_word, put_zigzag, reserve
from varloom.dataset.native.packed_runs cimport bits_for

cdef enum:
    BLOCK = 128
    GROUP = 32
    GROUPS = 4
    BLOCK_BYTES = 10 + GROUPS + 8 * BLOCK


cdef inline int put_deltas(Bytes *out, const int64_t *values, int64_t count, bint wide) noexcept nogil:
    """Append numbers of 64 bits, or of 32 where they are not wide: then their differences have no more bits either."""
    cdef int64_t deltas[BLOCK]
    cdef int64_t done, taken, index
    if reserve(out, 40) < 0:
        return -1
    put_varint(out, BLOCK)
    put_varint(out, GROUPS)
    put_varint(out, count)
    put_zigzag(out, values[0] if count else 0)
    done = 1
    while done < count:
        taken = count - done if count - done < BLOCK else BLOCK
        for index in range(taken):
            deltas[index] = difference(values[done + index], values[done + index - 1], wide)
        if put_block(out, deltas, taken, wide) < 0:
            return -1
        done += taken
    return 0


cdef inline int64_t difference(int64_t one, int64_t other, bint wide) noexcept nogil:
    """One less the other, within the numbers' own bits: a reader's sum turns over at the same place."""
    if wide:
        return <int64_t>(<uint64_t>one - <uint64_t>other)
    return <int32_t>(<uint32_t>one - <uint32_t>other)


cdef inline int put_block(Bytes *out, const int64_t *deltas, int64_t count, bint wide) noexcept nogil:
    cdef uint64_t above[BLOCK]
    cdef uint64_t most
    cdef int64_t least = deltas[0]
    cdef int64_t index
    cdef int64_t widths
    cdef int group, width
    if reserve(out, BLOCK_BYTES) < 0:
        return -1
    for index in range(1, count):
        if deltas[index] < least:
            least = deltas[index]
    for index in range(count):
        above[index] = <uint64_t>difference(deltas[index], least, True)
    for index in range(count, BLOCK):
        above[index] = 0
    put_zigzag(out, least)
    widths = out.length
    put_word(out, 0, GROUPS)
    for group in range(GROUPS):
        most = 0
        for index in range(group * GROUP, (group + 1) * GROUP):
            most |= above[index]
        width = bits_for(most)
        if group * GROUP < count:
            (<uint8_t *>out.data)[widths + group] = <uint8_t>width
            pack_numbers(out, above + group * GROUP, width)
    return 0


cdef inline void pack_numbers(Bytes *out, const uint64_t *values, int width) noexcept nogil:
    """32 numbers of `width` bits, the first in the lowest bits."""
    cdef uint64_t word = 0
    cdef int filled = 0
    cdef int index
    for index in range(GROUP):
        if width > 32:
            word |= <uint64_t><uint32_t>values[index] << filled
            put_word(out, word, 4)
            word = (word >> 32) | (values[index] >> 32) << filled
            filled += width - 32
        else:
            word |= values[index] << filled
            filled += width
        while filled >= 32:
            put_word(out, word, 4)
            word >>= 32
            filled -= 32
