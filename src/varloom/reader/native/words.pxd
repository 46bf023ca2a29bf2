"""Eight bytes looked at together."""

from libc.stdint cimport int64_t, uint64_t


cdef extern from *:
    """
    #include <stdint.h>
    #include <string.h>
    #if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
    #error "the kernels take the first of eight bytes for the lowest"
    #endif
    static inline uint64_t varloom_eight(const char *at) {
        uint64_t bytes;
        memcpy(&bytes, at, 8);
        return bytes;
    }
    """
    uint64_t eight "varloom_eight" (const char *at) noexcept nogil
    int first_bit "__builtin_ctzll" (uint64_t bits) noexcept nogil


cdef inline bint alike(const char *one, const char *other, int64_t size) noexcept nogil:
    """Whether two texts of a size are the same; up to eight bytes behind both are looked at.

    Most are a few bytes long, and a call takes longer than to compare them.
    """
    while size > 8:
        if eight(one) != eight(other):
            return False
        one += 8
        other += 8
        size -= 8
    return size == 0 or (eight(one) ^ eight(other)) << (64 - 8 * size) == 0
