# cython: language_level=3
"""How a column of whole numbers goes on from row to row."""

from libc.stdint cimport int64_t


def go_on(const int64_t[::1] values not None, int64_t least, int64_t most):
    """Whether each value but the first is larger than the one before by `least` to `most`."""
    cdef int64_t index, step
    cdef bint right = True
    with nogil:
        for index in range(1, values.shape[0]):
            step = values[index] - values[index - 1]
            right = right & (least <= step) & (step <= most)
    return right
