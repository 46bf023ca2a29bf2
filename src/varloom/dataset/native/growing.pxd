"""Memory that grows, and the bits in it.

Nothing here raises: a negative result says that there is no memory, and leaves what was there.
"""

from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    int ones "__builtin_popcountll" (uint64_t bits) noexcept nogil

cdef enum:
    SLACK = 32  # bytes behind the end that may be written, so that short pieces can be stored a block at a time


cdef struct Bytes:
    char *data
    int64_t length
    int64_t capacity


cdef inline int reserve(Bytes *bytes, int64_t more) noexcept nogil:
    """Make room for `more` bytes behind the end, and for the slack."""
    cdef int64_t wanted = bytes.length + more + SLACK
    cdef int64_t capacity = bytes.capacity + (bytes.capacity >> 1)
    cdef void *moved
    if wanted <= bytes.capacity:
        return 0
    if capacity < wanted:
        capacity = wanted
    moved = realloc(bytes.data, capacity)
    if moved == NULL:
        return -1
    bytes.data = <char *>moved
    bytes.capacity = capacity
    return 0


cdef inline void release(Bytes *bytes) noexcept nogil:
    free(bytes.data)
    bytes.data = NULL
    bytes.length = bytes.capacity = 0


cdef inline void put_word(Bytes *bytes, uint64_t word, int size) noexcept nogil:
    """Append the lowest bytes of a word; there is room for all eight."""
    memcpy(bytes.data + bytes.length, &word, 8)
    bytes.length += size


cdef inline void put_varint(Bytes *bytes, uint64_t value) noexcept nogil:
    """Append a number as ULEB128: seven bits a byte, the lowest first; there is room for ten bytes."""
    while value > 0x7F:
        bytes.data[bytes.length] = <char>(value | 0x80)
        bytes.length += 1
        value >>= 7
    bytes.data[bytes.length] = <char>value
    bytes.length += 1


cdef inline void put_zigzag(Bytes *bytes, int64_t value) noexcept nogil:
    """Append a number that may be negative: 0, -1, 1, -2, ... as 0, 1, 2, 3, ..."""
    put_varint(bytes, (<uint64_t>value << 1) ^ <uint64_t>(value >> 63))


cdef inline bint bit_at(const uint8_t *bits, int64_t index) noexcept nogil:
    return (bits[index >> 3] >> (index & 7)) & 1


cdef inline uint64_t some_bits(const uint8_t *bits, int64_t first, int count) noexcept nogil:
    """Up to 56 bits from any place; no byte is read that has none of them."""
    cdef uint64_t word = 0
    memcpy(&word, bits + (first >> 3), ((first & 7) + count + 7) >> 3)
    return (word >> (first & 7)) & ((<uint64_t>1 << count) - 1)


cdef inline int append_bits(Bytes *bytes, int64_t at, const uint8_t *bits, int64_t first, int64_t count) noexcept nogil:
    """Put bits behind the `at` bits that are there; all ones where `bits` is NULL. Bits behind the end stay zero."""
    cdef int64_t end = (at + count + 7) >> 3
    cdef int64_t done = 0
    cdef int64_t place
    cdef int taken
    cdef uint64_t word, before
    if reserve(bytes, end - bytes.length) < 0:
        return -1
    memset(bytes.data + bytes.length, 0, end - bytes.length + SLACK)
    bytes.length = end
    while done < count:
        taken = <int>(count - done if count - done < 48 else 48)
        word = (<uint64_t>1 << taken) - 1 if bits == NULL else some_bits(bits, first + done, taken)
        place = at + done
        memcpy(&before, bytes.data + (place >> 3), 8)
        before |= word << (place & 7)
        memcpy(bytes.data + (place >> 3), &before, 8)
        done += taken
    return 0


cdef inline int64_t count_bits(const uint8_t *bits, int64_t first, int64_t count) noexcept nogil:
    """How many bits are one."""
    cdef int64_t found = 0
    cdef int64_t done = 0
    cdef int taken
    while done < count:
        taken = <int>(count - done if count - done < 48 else 48)
        found += ones(some_bits(bits, first + done, taken))
        done += taken
    return found
