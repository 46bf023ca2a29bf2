"""Distinct values, numbered in the order in which they are met: open addressing, never more than half full."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy

from varloom.dataset.native.growing cimport Bytes, release, reserve

cdef enum:
    FIRST_BITS = 10
    BLOCK = 8
    NO_MEMORY = -1


cdef struct Text:
    const char *at
    int64_t size
    uint64_t hash


cdef struct Dictionary:
    uint32_t *table     # places in the entries, from 1 on; 0 where nothing is
    int bits            # the table has 2 to this power places
    int64_t count
    Bytes entries       # of uint64_t, or of Text


cdef inline void dictionary_free(Dictionary *known) noexcept nogil:
    free(known.table)
    known.table = NULL
    release(&known.entries)


cdef inline int dictionary_empty(Dictionary *known) noexcept nogil:
    """Forget everything; 0, or NO_MEMORY."""
    known.count = 0
    known.entries.length = 0
    return dictionary_table(known, FIRST_BITS)


cdef inline int dictionary_table(Dictionary *known, int bits) noexcept nogil:
    cdef uint32_t *table = <uint32_t *>calloc(<size_t>1 << bits, sizeof(uint32_t))
    if table == NULL:
        return NO_MEMORY
    free(known.table)
    known.table = table
    known.bits = bits
    return 0


cdef inline uint64_t mixed(uint64_t word) noexcept nogil:
    """The highest bits depend on all bits; the multiplier is that of Fibonacci hashing."""
    return (word ^ word >> 32) * <uint64_t>0x9E3779B97F4A7C15


# --- numbers ----------------------------------------------------------------------------------------------------------

cdef inline int64_t number_index(Dictionary *known, uint64_t number) noexcept nogil:
    """The number's place, new or known; NO_MEMORY when there is none."""
    cdef uint64_t *numbers = <uint64_t *>known.entries.data
    cdef uint64_t mask = (<uint64_t>1 << known.bits) - 1
    cdef uint64_t slot = mixed(number) >> (64 - known.bits)
    cdef uint32_t found = known.table[slot]
    while found:
        if numbers[found - 1] == number:
            return found - 1
        slot = (slot + 1) & mask
        found = known.table[slot]
    return number_add(known, number, slot)


cdef inline int64_t number_add(Dictionary *known, uint64_t number, uint64_t slot) noexcept nogil:
    if reserve(&known.entries, sizeof(uint64_t)) < 0:
        return NO_MEMORY
    (<uint64_t *>known.entries.data)[known.count] = number
    known.entries.length += sizeof(uint64_t)
    known.count += 1
    known.table[slot] = <uint32_t>known.count
    if known.count >> (known.bits - 1) and numbers_spread(known) < 0:
        return NO_MEMORY
    return known.count - 1


cdef inline int numbers_spread(Dictionary *known) noexcept nogil:
    """A table of four times the size."""
    cdef uint64_t *numbers = <uint64_t *>known.entries.data
    cdef int64_t index
    if dictionary_table(known, known.bits + 2) < 0:
        return NO_MEMORY
    for index in range(known.count):
        put_place(known, mixed(numbers[index]), <uint32_t>index + 1)
    return 0


cdef inline void put_place(Dictionary *known, uint64_t hash, uint32_t place) noexcept nogil:
    cdef uint64_t mask = (<uint64_t>1 << known.bits) - 1
    cdef uint64_t slot = hash >> (64 - known.bits)
    while known.table[slot]:
        slot = (slot + 1) & mask
    known.table[slot] = place


# --- texts ------------------------------------------------------------------------------------------------------------

cdef inline uint64_t text_hash(const char *at, int64_t size) noexcept nogil:
    """Eight bytes at a time; the last ones overlap."""
    cdef uint64_t word = 0
    cdef uint64_t hash = <uint64_t>size
    cdef int64_t done = 0
    if size < BLOCK:
        return mixed(hash ^ short_word(at, size) * <uint64_t>0xC2B2AE3D27D4EB4F)
    while done + BLOCK < size:
        memcpy(&word, at + done, BLOCK)
        hash = mixed(hash ^ word)
        done += BLOCK
    memcpy(&word, at + size - BLOCK, BLOCK)
    return mixed(hash ^ word)


cdef inline uint64_t short_word(const char *at, int64_t size) noexcept nogil:
    """Fewer than eight bytes as a number, without a look behind them."""
    cdef uint32_t low, high
    if size >= 4:
        memcpy(&low, at, 4)
        memcpy(&high, at + size - 4, 4)
        return <uint64_t>high << 32 | low
    if size == 0:
        return 0
    return (
        <uint64_t><unsigned char>at[0] | <uint64_t><unsigned char>at[size >> 1] << 8
        | <uint64_t><unsigned char>at[size - 1] << 16
    )


cdef inline int64_t text_index(Dictionary *known, const char *at, int64_t size) noexcept nogil:
    """The text's place, new or known; NO_MEMORY when there is none. The text must outlive the dictionary."""
    cdef Text *texts = <Text *>known.entries.data
    cdef Text *text
    cdef uint64_t hash = text_hash(at, size)
    cdef uint64_t mask = (<uint64_t>1 << known.bits) - 1
    cdef uint64_t slot = hash >> (64 - known.bits)
    cdef uint32_t found = known.table[slot]
    while found:
        text = texts + (found - 1)
        if text.hash == hash and text.size == size and same_text(text.at, at, size):
            return found - 1
        slot = (slot + 1) & mask
        found = known.table[slot]
    return text_add(known, at, size, hash, slot)


cdef inline bint same_text(const char *one, const char *other, int64_t size) noexcept nogil:
    if size < BLOCK:
        return short_word(one, size) == short_word(other, size)
    return memcmp(one, other, size) == 0


cdef inline int64_t text_add(
    Dictionary *known, const char *at, int64_t size, uint64_t hash, uint64_t slot
) noexcept nogil:
    cdef Text *text
    if reserve(&known.entries, sizeof(Text)) < 0:
        return NO_MEMORY
    text = <Text *>known.entries.data + known.count
    text.at, text.size, text.hash = at, size, hash
    known.entries.length += sizeof(Text)
    known.count += 1
    known.table[slot] = <uint32_t>known.count
    if known.count >> (known.bits - 1) and texts_spread(known) < 0:
        return NO_MEMORY
    return known.count - 1


cdef inline int texts_spread(Dictionary *known) noexcept nogil:
    """A table of four times the size."""
    cdef Text *texts = <Text *>known.entries.data
    cdef int64_t index
    if dictionary_table(known, known.bits + 2) < 0:
        return NO_MEMORY
    for index in range(known.count):
        put_place(known, texts[index].hash, <uint32_t>index + 1)
    return 0
