"""Memory from `malloc` as Python objects, so that Arrow can hold it without a copy."""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdlib cimport free, malloc


cdef class NativeBuffer:
    """Read-only bytes, freed with this object."""

    def __cinit__(self):
        self.data = NULL
        self.size = 0

    def __dealloc__(self):
        free(self.data)

    def __len__(self):
        return self.size

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.size, 1, flags)

    def __releasebuffer__(self, Py_buffer *view):
        pass


cdef NativeBuffer adopt(void *data, int64_t size):
    """The object that from now on owns `data`."""
    cdef NativeBuffer made = NativeBuffer.__new__(NativeBuffer)
    made.data = <char *>data
    made.size = size
    return made


def counting(int64_t first, int64_t count):
    """The whole numbers from `first` on, as the buffer of a column."""
    cdef int64_t *made = <int64_t *>malloc((count + 1) * sizeof(int64_t))
    cdef int64_t index
    if made == NULL:
        raise MemoryError
    for index in range(count):
        made[index] = first + index
    return adopt(made, count * sizeof(int64_t))
