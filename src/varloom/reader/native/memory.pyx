# cython: language_level=3
"""How the system's allocator treats this process."""

cdef extern from *:
    """
    #include <stdlib.h>
    #if defined(__linux__)
    #include <malloc.h>
    #endif
    static int varloom_keeps_memory = 0;

    static void varloom_keep_memory(void) {
    #if defined(__GLIBC__)
        mallopt(M_MMAP_THRESHOLD, 32 << 20);
        mallopt(M_TRIM_THRESHOLD, 64 << 20);
        varloom_keeps_memory = 1;
    #endif
    }

    static void varloom_make_room(void) {
    #if defined(__GLIBC__)
        void *volatile room;  /* else a compiler may leave both calls out */
        if (!varloom_keeps_memory) return;
        room = malloc(30 << 20);
        free(room);
    #endif
    }
    """
    void varloom_keep_memory() noexcept nogil
    void varloom_make_room() noexcept nogil


def keep_memory():
    """Let blocks of some megabytes that are freed be used again, rather than given back to the system.

    For a process that reads one file and ends: the system would clear each page anew, which took up to a twelfth of
    the processor time. Elsewhere than with glibc it does nothing.
    """
    varloom_keep_memory()


def make_room():
    """Prepare what this thread will allocate first, in a process that keeps its memory; nothing is taken yet.

    The thread's part of the heap grows once, by less than what is mapped by itself, rather than some hundred times by
    some kilobytes.
    """
    with nogil:
        varloom_make_room()
