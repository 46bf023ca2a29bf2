# cython: language_level=3
"""Arrow columns under construction: values, texts and up to two levels of lists, sparse until they are padded.

A column is a leaf of values below `depth` levels of lists. Appending never fails halfway: room is made first, and a
negative result (no memory) leaves the column as it was. Rows are appended in order; rows that were left out in between
become missing when the next one is padded to its place.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy, memset

cdef extern from *:
    """
    #define varloom_rarely(condition) __builtin_expect(!!(condition), 0)
    """
    bint rarely "varloom_rarely" (bint condition) nogil

cdef enum:
    KIND_BOOL = 0
    KIND_INT = 1
    KIND_DOUBLE = 2
    KIND_TEXT = 3
    MOST_TEXT = 0x7FFFFFF0


cdef struct Leaf:
    int kind
    bint wide           # whole numbers are stored in 64 bits
    int width           # bytes of one value; 0 for texts and bools
    int64_t length      # values, missing ones included
    int64_t present     # values that are not missing
    int64_t capacity
    int64_t expected    # values, at a guess; the first capacity
    uint8_t *valid      # one bit a value
    char *data
    int32_t *offsets    # of texts: length + 1 of them
    int64_t text_length
    int64_t text_capacity


cdef struct Level:
    int64_t length
    int64_t present
    int64_t capacity
    int64_t expected
    uint8_t *valid
    int32_t *offsets


cdef struct Column:
    int depth
    Leaf leaf
    Level levels[2]


cdef inline int64_t grown(int64_t capacity, int64_t wanted, int64_t expected) noexcept nogil:
    """A capacity of at least `wanted`, a multiple of 64 so that bitmaps end at whole bytes."""
    cdef int64_t larger = capacity * 2 if capacity else expected if expected > 1024 else 1024
    return ((larger if larger > wanted else wanted) + 63) & ~63


cdef inline int grow_bits(uint8_t **bits, int64_t before, int64_t after) noexcept nogil:
    cdef void *moved = realloc(bits[0], after >> 3)
    if moved == NULL:
        return -1
    bits[0] = <uint8_t *>moved
    memset(bits[0] + (before >> 3), 0, (after - before) >> 3)
    return 0


cdef inline int leaf_reserve(Leaf *leaf, int64_t wanted) noexcept nogil:
    """Make room for `wanted` values in all; 0, or -1 when there is no memory."""
    cdef int64_t capacity
    cdef void *moved
    if not rarely(wanted > leaf.capacity):
        return 0
    capacity = grown(leaf.capacity, wanted, leaf.expected)
    if grow_bits(&leaf.valid, leaf.capacity, capacity) < 0:
        return -1
    if leaf.kind == KIND_BOOL:
        if grow_bits(<uint8_t **>&leaf.data, leaf.capacity, capacity) < 0:
            return -1
    elif leaf.kind == KIND_TEXT:
        moved = realloc(leaf.offsets, (capacity + 1) * sizeof(int32_t))
        if moved == NULL:
            return -1
        leaf.offsets = <int32_t *>moved
        if leaf.capacity == 0:
            leaf.offsets[0] = 0
    else:
        moved = realloc(leaf.data, capacity * leaf.width)
        if moved == NULL:
            return -1
        leaf.data = <char *>moved
    leaf.capacity = capacity
    return 0


cdef inline int leaf_pad(Leaf *leaf, int64_t length) noexcept nogil:
    """Append missing values until there are `length`."""
    cdef int64_t index
    if leaf.length >= length:
        return 0
    if leaf_reserve(leaf, length) < 0:
        return -1
    if leaf.kind == KIND_TEXT:
        for index in range(leaf.length, length):
            leaf.offsets[index + 1] = <int32_t>leaf.text_length
    elif leaf.width:
        memset(leaf.data + leaf.length * leaf.width, 0, (length - leaf.length) * leaf.width)
    leaf.length = length
    return 0


cdef inline void leaf_mark(Leaf *leaf) noexcept nogil:
    """The value at `length` was written and is there."""
    leaf.valid[leaf.length >> 3] |= <uint8_t>(1 << (leaf.length & 7))
    leaf.present += 1
    leaf.length += 1


cdef inline int leaf_widen(Leaf *leaf) noexcept nogil:
    """Store whole numbers in 64 bits from now on."""
    cdef int64_t index
    cdef int64_t *wide
    cdef void *moved
    if leaf.capacity:
        moved = realloc(leaf.data, leaf.capacity * 8)
        if moved == NULL:
            return -1
        leaf.data = <char *>moved
        wide = <int64_t *>leaf.data
        for index in range(leaf.length - 1, -1, -1):
            wide[index] = (<int32_t *>leaf.data)[index]
    leaf.wide = True
    leaf.width = 8
    return 0


cdef inline int leaf_int(Leaf *leaf, int64_t value) noexcept nogil:
    if leaf_reserve(leaf, leaf.length + 1) < 0:
        return -1
    if rarely(not leaf.wide and value != <int32_t>value) and leaf_widen(leaf) < 0:
        return -1
    if leaf.wide:
        (<int64_t *>leaf.data)[leaf.length] = value
    else:
        (<int32_t *>leaf.data)[leaf.length] = <int32_t>value
    leaf_mark(leaf)
    return 0


cdef inline int leaf_double(Leaf *leaf, double value) noexcept nogil:
    if leaf_reserve(leaf, leaf.length + 1) < 0:
        return -1
    (<double *>leaf.data)[leaf.length] = value
    leaf_mark(leaf)
    return 0


cdef inline int leaf_true(Leaf *leaf) noexcept nogil:
    if leaf_reserve(leaf, leaf.length + 1) < 0:
        return -1
    leaf.data[leaf.length >> 3] |= <char>(1 << (leaf.length & 7))
    leaf_mark(leaf)
    return 0


cdef inline char *leaf_text_room(Leaf *leaf, int64_t size) noexcept nogil:
    """Where the next text of at most `size` bytes may be written, to be closed by `leaf_text_end`; NULL without room."""
    cdef int64_t capacity
    cdef void *moved
    if leaf_reserve(leaf, leaf.length + 1) < 0 or leaf.text_length + size > MOST_TEXT:
        return NULL
    if rarely(leaf.data == NULL or leaf.text_length + size > leaf.text_capacity):
        capacity = grown(leaf.text_capacity, leaf.text_length + size, 4 * leaf.expected)
        # A huge text is made room for exactly: to double it would need memory that nobody uses.
        if size > 1 << 24:
            capacity = leaf.text_length + size
        moved = realloc(leaf.data, capacity)
        if moved == NULL:
            return NULL
        leaf.data = <char *>moved
        leaf.text_capacity = capacity
    return leaf.data + leaf.text_length


cdef inline void leaf_text_end(Leaf *leaf, int64_t size) noexcept nogil:
    leaf.text_length += size
    leaf.offsets[leaf.length + 1] = <int32_t>leaf.text_length
    leaf_mark(leaf)


cdef inline int leaf_text(Leaf *leaf, const char *start, int64_t size) noexcept nogil:
    cdef char *room = leaf_text_room(leaf, size)
    if room == NULL:
        return -1
    memcpy(room, start, size)
    leaf_text_end(leaf, size)
    return 0


cdef inline void leaf_truncate(Leaf *leaf, int64_t length) noexcept nogil:
    """Take back all values from `length` on."""
    cdef int64_t index
    cdef uint8_t bit
    if leaf.length <= length:
        return
    for index in range(length, leaf.length):
        bit = <uint8_t>(1 << (index & 7))
        if leaf.valid[index >> 3] & bit:
            leaf.present -= 1
            leaf.valid[index >> 3] &= ~bit
        if leaf.kind == KIND_BOOL:
            leaf.data[index >> 3] &= <char>~bit
    leaf.length = length
    if leaf.kind == KIND_TEXT:
        leaf.text_length = leaf.offsets[length]


cdef inline int level_reserve(Level *level, int64_t wanted) noexcept nogil:
    cdef int64_t capacity
    cdef void *moved
    if not rarely(wanted > level.capacity):
        return 0
    capacity = grown(level.capacity, wanted, level.expected)
    if grow_bits(&level.valid, level.capacity, capacity) < 0:
        return -1
    moved = realloc(level.offsets, (capacity + 1) * sizeof(int32_t))
    if moved == NULL:
        return -1
    level.offsets = <int32_t *>moved
    if level.capacity == 0:
        level.offsets[0] = 0
    level.capacity = capacity
    return 0


cdef inline int level_pad(Level *level, int64_t length) noexcept nogil:
    """Append missing lists until there are `length`; nothing may have been appended below since the last list."""
    cdef int64_t index
    if level.length >= length:
        return 0
    if level_reserve(level, length) < 0:
        return -1
    for index in range(level.length, length):
        level.offsets[index + 1] = level.offsets[level.length]
    level.length = length
    return 0


cdef inline int level_close(Level *level, int64_t below) noexcept nogil:
    """Append the list of all that was appended below since the last list; `below` is its length now."""
    if level_reserve(level, level.length + 1) < 0 or below > MOST_TEXT:
        return -1
    level.offsets[level.length + 1] = <int32_t>below
    level.valid[level.length >> 3] |= <uint8_t>(1 << (level.length & 7))
    level.present += 1
    level.length += 1
    return 0


cdef inline int64_t level_truncate(Level *level, int64_t length) noexcept nogil:
    """Take back the lists from `length` on; the length that remains below."""
    cdef int64_t index
    cdef uint8_t bit
    if level.length <= length:
        return level.offsets[level.length] if level.capacity else 0
    for index in range(length, level.length):
        bit = <uint8_t>(1 << (index & 7))
        if level.valid[index >> 3] & bit:
            level.present -= 1
            level.valid[index >> 3] &= ~bit
    level.length = length
    return level.offsets[length]


cdef inline int64_t column_rows(Column *column) noexcept nogil:
    return column.levels[0].length if column.depth else column.leaf.length


cdef inline int column_pad(Column *column, int64_t rows) noexcept nogil:
    """Append missing rows until there are `rows`."""
    if column.depth:
        return level_pad(&column.levels[0], rows)
    return leaf_pad(&column.leaf, rows)


cdef inline void column_truncate(Column *column, int64_t rows) noexcept nogil:
    """Take back the rows from `rows` on, and what was appended below without being closed."""
    cdef int64_t below = rows
    cdef int index
    for index in range(column.depth):
        below = level_truncate(&column.levels[index], below)
    leaf_truncate(&column.leaf, below)
