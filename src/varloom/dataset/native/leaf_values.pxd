"""The values at the bottom of a column, as they lie in Arrow's arrays, and what is stored of them as it is.

"Plain: (PLAIN = 0)" and "Delta-length byte array (DELTA_LENGTH_BYTE_ARRAY = 6)" of
https://parquet.apache.org/docs/file-format/data-pages/encodings/.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from varloom.dataset.native.growing cimport Bytes, append_bits, bit_at, put_word, reserve

cdef enum:
    SHORT = 16


cdef struct Piece:
    const char *values
    const int32_t *offsets  # of texts
    int64_t first           # the place in the array's buffers of its first slot
    int64_t slots


cdef struct Span:
    const Piece *piece
    int64_t first           # a place in the array's buffers
    int64_t slots
    int64_t slot            # the same place in the column


cdef struct Walk:
    const Piece *piece
    int64_t begins          # the slot of the column at which the piece begins


cdef inline bint next_span(Walk *walk, Span *span, int64_t slot, int64_t end) noexcept nogil:
    """The slots from `slot` on that lie in one array; False where there are none before `end`."""
    if slot >= end:
        return False
    while slot >= walk.begins + walk.piece.slots:
        walk.begins += walk.piece.slots
        walk.piece += 1
    span.piece = walk.piece
    span.slot = slot
    span.first = walk.piece.first + slot - walk.begins
    span.slots = walk.begins + walk.piece.slots - slot
    if span.slots > end - slot:
        span.slots = end - slot
    return True


cdef inline uint64_t number_at(const char *values, int64_t index, int width) noexcept nogil:
    """The bits of a number."""
    return (<const uint64_t *>values)[index] if width == 8 else (<const uint32_t *>values)[index]


cdef inline int64_t extended(uint64_t bits, int width) noexcept nogil:
    """A number of its bits, with its sign. Numbers without one keep their order as `uint64_t`."""
    return <int64_t>bits if width == 8 else <int32_t>bits


cdef inline int put_numbers(Bytes *out, const Span *span, const uint8_t *present, int width) noexcept nogil:
    """Append the numbers that are there; all are where `present` is NULL."""
    cdef const char *values = span.piece.values
    cdef int64_t index
    if reserve(out, span.slots * width) < 0:
        return -1
    if present == NULL:
        memcpy(out.data + out.length, values + span.first * width, span.slots * width)
        out.length += span.slots * width
        return 0
    for index in range(span.slots):
        # Written in any case, and kept if it is there: a jump would often be foretold wrongly.
        put_word(out, number_at(values, span.first + index, width), width * bit_at(present, span.slot + index))
    return 0


cdef inline int append_numbers(Bytes *out, const Span *span, const uint8_t *present, int width) noexcept nogil:
    """Append the numbers that are there in 64 bits each."""
    cdef int64_t index
    cdef int64_t *room
    if reserve(out, span.slots * sizeof(int64_t)) < 0:
        return -1
    for index in range(span.slots):
        room = <int64_t *>(out.data + out.length)
        room[0] = extended(number_at(span.piece.values, span.first + index, width), width)
        out.length += sizeof(int64_t) if present == NULL or bit_at(present, span.slot + index) else 0
    return 0


cdef inline int put_bools(Bytes *out, int64_t *bits, const Span *span, const uint8_t *present) noexcept nogil:
    """Append the bools that are there behind so many bits, which count on."""
    cdef const uint8_t *values = <const uint8_t *>span.piece.values
    cdef int64_t index
    if present == NULL:
        if append_bits(out, bits[0], values, span.first, span.slots) < 0:
            return -1
        bits[0] += span.slots
        return 0
    for index in range(span.slots):
        if bit_at(present, span.slot + index):
            if append_bits(out, bits[0], values, span.first + index, 1) < 0:
                return -1
            bits[0] += 1
    return 0


cdef inline int append_sizes(Bytes *out, const Span *span, const uint8_t *present) noexcept nogil:
    """Append the sizes of the texts that are there in 64 bits each."""
    cdef const int32_t *offsets = span.piece.offsets + span.first
    cdef int64_t index
    cdef int64_t *room
    if reserve(out, span.slots * sizeof(int64_t)) < 0:
        return -1
    for index in range(span.slots):
        room = <int64_t *>(out.data + out.length)
        room[0] = offsets[index + 1] - offsets[index]
        out.length += sizeof(int64_t) if present == NULL or bit_at(present, span.slot + index) else 0
    return 0


cdef inline int put_bytes_of_texts(Bytes *out, const Span *span, const uint8_t *present) noexcept nogil:
    """Append the bytes of the texts that are there: what is missing has none as a rule, so that all lie in a row."""
    cdef const int32_t *offsets = span.piece.offsets + span.first
    cdef const char *values = span.piece.values
    cdef const char *end = values + offsets[span.slots]
    cdef int64_t size = offsets[span.slots] - offsets[0]
    cdef int64_t hidden = 0
    cdef int64_t index
    if reserve(out, size) < 0:
        return -1
    if present != NULL:
        for index in range(span.slots):
            hidden += 0 if bit_at(present, span.slot + index) else offsets[index + 1] - offsets[index]
    if hidden == 0:
        memcpy(out.data + out.length, values + offsets[0], size)
        out.length += size
        return 0
    for index in range(span.slots):
        if bit_at(present, span.slot + index):
            put_bytes(out, values + offsets[index], offsets[index + 1] - offsets[index], end)
    return 0


cdef inline void put_text(Bytes *out, const char *at, int64_t size) noexcept nogil:
    """Append a text behind its size in 32 bits; there is room for both."""
    put_word(out, <uint64_t>size, 4)
    put_bytes(out, at, size, at + size)


cdef inline void put_bytes(Bytes *out, const char *at, int64_t size, const char *end) noexcept nogil:
    """Append bytes; none from `end` on are read."""
    if size <= SHORT and end - at >= SHORT:
        memcpy(out.data + out.length, at, SHORT)
    else:
        memcpy(out.data + out.length, at, size)
    out.length += size
