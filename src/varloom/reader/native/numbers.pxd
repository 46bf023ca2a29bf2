# cython: language_level=3
"""Digits to numbers, exactly; shared by all kernels."""

from libc.stdint cimport int64_t, uint64_t


cdef extern from *:
    """
    #include <stdlib.h>
    #include <locale.h>
    #if defined(__APPLE__)
    #include <xlocale.h>
    #endif
    /* strtod reads decimal points by the locale; the reader must not. */
    static locale_t varloom_c_locale(void) {
        static locale_t made = (locale_t)0;
        if (made == (locale_t)0) made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return made;
    }
    static inline double varloom_strtod(const char *text, char **end) {
        return strtod_l(text, end, varloom_c_locale());
    }
    """
    double varloom_strtod(const char *text, char **end) noexcept nogil
