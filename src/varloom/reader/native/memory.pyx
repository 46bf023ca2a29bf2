# cython: language_level=3
"""How the system's allocator treats this process."""

cdef extern from *:
    """
    #if defined(__linux__)
    #include <malloc.h>
    #endif
    static void varloom_keep_memory(void) {
    #if defined(__GLIBC__)
        mallopt(M_MMAP_THRESHOLD, 32 << 20);
        mallopt(M_TRIM_THRESHOLD, 64 << 20);
    #endif
    }
    """
    void varloom_keep_memory() noexcept nogil


def keep_memory():
    """Let blocks of some megabytes that are freed be used again, rather than given back to the system.

    For a process that reads one file and ends: the system would clear each page anew, which took up to a twelfth of
    the processor time. Elsewhere than with glibc it does nothing.
    """
    varloom_keep_memory()
