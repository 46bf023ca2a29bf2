"""A look at bytes before they are parsed."""

from libc.stdint cimport int64_t


def is_suspicious(const unsigned char[::1] data not None, int64_t start, int64_t end):
    """Whether a part of the data holds bytes that are neither printable ASCII nor tab nor line feed."""
    cdef const unsigned char *byte = &data[0]
    cdef int64_t index
    cdef unsigned char odd = 0  # as wide as the bytes, so that the compiler can look at many of them at once
    if not 0 <= start <= end <= data.shape[0]:
        raise ValueError("the part must lie within the data")
    with nogil:
        for index in range(start, end):
            odd |= <unsigned char>((byte[index] < 32) & (byte[index] != 9) & (byte[index] != 10)) | (byte[index] > 126)
    return bool(odd)
