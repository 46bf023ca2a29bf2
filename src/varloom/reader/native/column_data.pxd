"""Columns as what Arrow takes: buffers that own what they hold."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from varloom.reader.native.buffers cimport adopt
from varloom.reader.native.columns cimport KIND_BOOL, Leaf, Level


cdef inline object validity_of(uint8_t **valid, int64_t length, int64_t present):
    """The bitmap as an object, or None where nothing is missing."""
    cdef uint8_t *bits = valid[0]
    if present == length:
        return None
    valid[0] = NULL
    return adopt(bits, (length + 7) >> 3)


cdef inline object level_data(Level *level):
    validity = validity_of(&level.valid, level.length, level.present)
    offsets = adopt(level.offsets, (level.length + 1) * sizeof(int32_t))
    level.offsets = NULL
    return level.length, level.length - level.present, validity, [offsets]


cdef inline object leaf_data(Leaf *leaf, bint filled):
    cdef int64_t present = leaf.length if filled else leaf.present
    validity = validity_of(&leaf.valid, leaf.length, present)
    buffers = []
    if leaf.offsets != NULL:
        buffers.append(adopt(leaf.offsets, (leaf.length + 1) * sizeof(int32_t)))
        leaf.offsets = NULL
        buffers.append(adopt(leaf.data, leaf.text_length))
    elif leaf.kind == KIND_BOOL:
        buffers.append(adopt(leaf.data, (leaf.length + 7) >> 3))
    else:
        buffers.append(adopt(leaf.data, leaf.length * leaf.width))
    leaf.data = NULL
    return leaf.length, leaf.length - present, validity, buffers
