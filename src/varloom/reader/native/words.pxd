"""Eight bytes looked at together."""

from libc.stdint cimport uint64_t


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
