"""Arrays as Arrow hands them over: the Arrow C data interface, https://arrow.apache.org/docs/format/CDataInterface.html."""

from cpython.pycapsule cimport PyCapsule_GetPointer
from libc.stdint cimport int64_t


cdef extern from *:
    """
    #include <stdint.h>
    #ifndef ARROW_C_DATA_INTERFACE
    #define ARROW_C_DATA_INTERFACE
    struct ArrowArray {
        int64_t length;
        int64_t null_count;
        int64_t offset;
        int64_t n_buffers;
        int64_t n_children;
        const void **buffers;
        struct ArrowArray **children;
        struct ArrowArray *dictionary;
        void (*release)(struct ArrowArray *);
        void *private_data;
    };
    #endif
    """
    struct ArrowArray:
        int64_t length
        int64_t null_count  # -1 where nobody counted
        int64_t offset
        int64_t n_buffers
        int64_t n_children
        const void **buffers
        ArrowArray **children


cdef inline const ArrowArray *array_of(object batch, int column) except NULL:
    """A column of a record batch, which is told by its capsule."""
    cdef const ArrowArray *columns = <const ArrowArray *>PyCapsule_GetPointer(batch, "arrow_array")
    if columns.offset != 0 or column >= columns.n_children:
        raise ValueError("this is no record batch with such a column")
    return columns.children[column]
