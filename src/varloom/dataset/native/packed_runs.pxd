"""RLE / bit-packing hybrid, as levels and places in a dictionary are stored.

"Run Length Encoding / Bit-Packing Hybrid (RLE = 3)" of https://parquet.apache.org/docs/file-format/data-pages/encodings/:
runs of one value that is told once, and runs of packed values in groups of eight. Every run begins with a varint: twice
the number of repeated values, or twice the number of groups and one.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from varloom.dataset.native.growing cimport Bytes, put_varint, put_word, reserve, some_bits

ctypedef fused Value:
    uint8_t
    uint32_t

cdef enum:
    RUN_BYTES = 16      # at most, of a run's beginning and of the value that is told once
    MOST_PACKED = 504   # values of a packed run; DuckDB 2.0 reads longer ones half as fast
    MOST_WORDS = 7      # of 64 bits in a packed run


cdef inline int bits_for(uint64_t most) noexcept nogil:
    """How many bits a number up to `most` needs."""
    cdef int width = 0
    while most:
        width += 1
        most >>= 1
    return width


cdef inline bint alike(const Value *values) noexcept nogil:
    """Whether eight values are the same."""
    cdef Value first = values[0]
    return not (
        (values[1] ^ first) | (values[2] ^ first) | (values[3] ^ first) | (values[4] ^ first)
        | (values[5] ^ first) | (values[6] ^ first) | (values[7] ^ first)
    )


cdef inline int64_t repeats(const Value *values, int64_t count) noexcept nogil:
    """How many values from the first on are the same."""
    cdef int64_t found = 1
    cdef Value first = values[0]
    while found + 8 <= count and values[found] == first and alike(values + found):
        found += 8
    while found < count and values[found] == first:
        found += 1
    return found


cdef inline int64_t unlike(const Value *values, int64_t count) noexcept nogil:
    """How many values, whole groups of eight but at the end, come before sixteen that are the same."""
    cdef int64_t found = 8
    while found + 16 <= count:
        if alike(values + found) and values[found] == values[found + 8] and alike(values + found + 8):
            return found
        found += 8
    return count


cdef inline void pack_group(Bytes *out, const Value *values, int width) noexcept nogil:
    """Eight values of up to eight bits, the first in the lowest bits."""
    cdef uint64_t word = values[0]
    word |= <uint64_t>values[1] << width
    word |= <uint64_t>values[2] << 2 * width
    word |= <uint64_t>values[3] << 3 * width
    word |= <uint64_t>values[4] << 4 * width
    word |= <uint64_t>values[5] << 5 * width
    word |= <uint64_t>values[6] << 6 * width
    word |= <uint64_t>values[7] << 7 * width
    put_word(out, word, width)


cdef inline void pack_wide_group(Bytes *out, const Value *values, int width) noexcept nogil:
    """Eight values of up to 32 bits."""
    cdef uint64_t word = 0
    cdef int filled = 0
    cdef int index
    for index in range(8):
        word |= <uint64_t>values[index] << filled
        filled += width
        if filled >= 32:
            put_word(out, word, 4)
            word >>= 32
            filled -= 32
    put_word(out, word, filled >> 3)


cdef inline int put_packed(Bytes *out, const Value *values, int64_t count, int width) noexcept nogil:
    cdef int64_t groups = (count + 7) >> 3
    cdef int64_t index
    cdef Value last[8]
    if reserve(out, RUN_BYTES + groups * width) < 0:
        return -1
    put_varint(out, <uint64_t>groups << 1 | 1)
    for index in range(count >> 3):
        if width <= 8:
            pack_group(out, values + 8 * index, width)
        else:
            pack_wide_group(out, values + 8 * index, width)
    if count & 7:
        for index in range(8):
            last[index] = values[(count & ~7) + index] if index < (count & 7) else 0
        pack_wide_group(out, last, width)
    return 0


cdef inline int put_repeated(Bytes *out, uint64_t value, int64_t count, int width) noexcept nogil:
    if reserve(out, RUN_BYTES) < 0:
        return -1
    put_varint(out, <uint64_t>count << 1)
    put_word(out, value, (width + 7) >> 3)
    return 0


cdef inline int put_runs(Bytes *out, const Value *values, int64_t count, int width) noexcept nogil:
    """Append values that have at most `width` bits, of which there is at least one."""
    cdef int64_t done = 0
    cdef int64_t taken
    while done < count:
        taken = repeats(values + done, count - done)
        if taken >= 8 or done + taken == count:
            if put_repeated(out, values[done], taken, width) < 0:
                return -1
        else:
            taken = unlike(values + done, MOST_PACKED if count - done > MOST_PACKED else count - done)
            if put_packed(out, values + done, taken, width) < 0:
                return -1
        done += taken
    return 0


cdef inline int put_bit_runs(Bytes *out, const uint8_t *bits, int64_t count) noexcept nogil:
    """Append bits that begin with a byte; bytes behind them up to a whole word can be read.

    A bitmap of Arrow is a packed run already, so that only words of all zeros or ones are looked for.
    """
    cdef int64_t done = 0
    cdef int64_t taken, start
    cdef uint64_t word, same
    while done < count:
        start = done
        same = word_of(bits, done, count)
        if same == 0 or same == whole_word(done, count):
            while done < count and word_of(bits, done, count) == (whole_word(done, count) if same else 0):
                done += 64
            taken = (done if done < count else count) - start
            if put_repeated(out, same != 0, taken, 1) < 0:
                return -1
            continue
        while done < count and done - start < 64 * MOST_WORDS:
            word = word_of(bits, done, count)
            if word == 0 or word == whole_word(done, count):
                break
            done += 64
        taken = ((done if done < count else count) - start + 7) >> 3
        if reserve(out, RUN_BYTES + taken) < 0:
            return -1
        put_varint(out, <uint64_t>taken << 1 | 1)
        memcpy(out.data + out.length, bits + (start >> 3), taken)
        out.length += taken
    return 0


cdef inline uint64_t whole_word(int64_t first, int64_t count) noexcept nogil:
    """64 ones, or fewer where the bits end."""
    return ~<uint64_t>0 if count - first >= 64 else (<uint64_t>1 << (count - first)) - 1


cdef inline uint64_t word_of(const uint8_t *bits, int64_t first, int64_t count) noexcept nogil:
    cdef uint64_t word
    memcpy(&word, bits + (first >> 3), 8)
    return word & whole_word(first, count)
