"""Repetition and definition levels of what lies in lists: "Nested Encoding" of
https://parquet.apache.org/docs/file-format/nestedencoding/.

A layer of lists turns each slot that has a list into a slot for each of its elements. A definition level says how far
down a slot goes: a list that is missing adds nothing, an empty one 1, and an element 2, to which what lies deeper adds.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from varloom.dataset.native.arrow_arrays cimport ArrowArray
from varloom.dataset.native.growing cimport Bytes, bit_at, reserve

cdef enum:
    NO_MEMORY = -1
    HIDDEN = -2     # elements lie where no list is


cdef struct Levels:
    Bytes repetition
    Bytes definition


cdef inline int append_rows(Levels *levels, int64_t rows) noexcept nogil:
    """Slots for rows, of which nothing is known yet."""
    if reserve(&levels.repetition, rows) < 0 or reserve(&levels.definition, rows) < 0:
        return NO_MEMORY
    memset(levels.repetition.data + levels.repetition.length, 0, rows)
    memset(levels.definition.data + levels.definition.length, 0, rows)
    levels.repetition.length += rows
    levels.definition.length += rows
    return 0


cdef inline int append_lists(
    Levels *out, const Levels *above, const ArrowArray *lists, int64_t first, int layer
) noexcept nogil:
    """Append what the slots above become by a layer of lists, counted from 1.

    Args:
        first: the place, in the array's buffers, of the first list.

    Returns:
        0, NO_MEMORY or HIDDEN.
    """
    cdef const uint8_t *valid = <const uint8_t *>lists.buffers[0]
    cdef const int32_t *offsets = <const int32_t *>lists.buffers[1]
    cdef const uint8_t *repetition = <const uint8_t *>above.repetition.data
    cdef const uint8_t *definition = <const uint8_t *>above.definition.data
    cdef int reached = 2 * (layer - 1)
    cdef int level
    cdef int64_t index, elements
    cdef int64_t at = first
    for index in range(above.definition.length):
        if definition[index] < reached:
            if append_slots(out, 1, repetition[index], layer, definition[index]) < 0:
                return NO_MEMORY
            continue
        elements = offsets[at + 1] - offsets[at]
        if valid != NULL and not bit_at(valid, at):
            if elements:
                return HIDDEN
            level = reached
        else:
            level = reached + 2 if elements else reached + 1
        if append_slots(out, elements if elements else 1, repetition[index], layer, level) < 0:
            return NO_MEMORY
        at += 1
    return 0


cdef inline int append_slots(Levels *out, int64_t count, int repetition, int layer, int definition) noexcept nogil:
    """One slot that goes on as those above do, and others that go on within the list."""
    if reserve(&out.repetition, count) < 0 or reserve(&out.definition, count) < 0:
        return NO_MEMORY
    (<uint8_t *>out.repetition.data)[out.repetition.length] = <uint8_t>repetition
    if count == 1:
        (<uint8_t *>out.definition.data)[out.definition.length] = <uint8_t>definition
    else:
        memset(out.repetition.data + out.repetition.length + 1, layer, count - 1)
        memset(out.definition.data + out.definition.length, definition, count)
    out.repetition.length += count
    out.definition.length += count
    return 0
