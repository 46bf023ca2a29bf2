# cython: language_level=3
"""Memory that grows while a column is written and is then handed to Arrow without a copy."""

from libc.stdint cimport int64_t


cdef class NativeBuffer:
    """Bytes from `malloc` that are freed with this object; Arrow reads them by the buffer protocol."""

    cdef char *data
    cdef int64_t size


cdef NativeBuffer adopt(void *data, int64_t size)
