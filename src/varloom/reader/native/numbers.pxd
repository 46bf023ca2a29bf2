# cython: language_level=3
"""Digits to numbers, exactly, bounded by the end of their text; shared by all kernels.

Every function takes a text as `start` and `end`, reads nothing outside it (`to_double` looks at the byte at `end`, which
must exist), and tells by its result whether the text has the form and the range of the type. Nothing is rounded or cut
in silence.
"""

from libc.math cimport isinf
from libc.stdint cimport int64_t, uint64_t


cdef extern from *:
    """
    #include <stdlib.h>
    #include <locale.h>
    #if defined(__APPLE__)
    #include <xlocale.h>
    #endif
    /* strtod reads decimal points by the locale; the reader must not. Made once, before any thread reads. */
    static locale_t varloom_c_locale = (locale_t)0;
    static int varloom_numbers_ready(void) {
        if (varloom_c_locale == (locale_t)0) varloom_c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
        return varloom_c_locale != (locale_t)0;
    }
    static double varloom_strtod(const char *text) { return strtod_l(text, NULL, varloom_c_locale); }
    static const double varloom_powers[23] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
        1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    """
    int varloom_numbers_ready() noexcept nogil
    double varloom_strtod(const char *text) noexcept nogil
    const double *varloom_powers


cdef inline bint is_digit(char letter) noexcept nogil:
    return <unsigned char>(letter - c"0") < 10


cdef inline const char *scan_int(const char *at, const char *end, int64_t *value) noexcept nogil:
    """Read `[-+]?[0-9]{1,18}` at `at`; where it ends, or NULL when there is none or it has more digits."""
    cdef bint negative = False
    cdef uint64_t number = 0
    cdef const char *first
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
    first = at
    while at < end and is_digit(at[0]):
        number = number * 10 + <uint64_t>(at[0] - c"0")
        at += 1
    if at == first or at - first > 18:
        return NULL
    value[0] = -<int64_t>number if negative else <int64_t>number
    return at


cdef inline bint to_int(const char *start, const char *end, int64_t *value) noexcept nogil:
    """Whether the text is a whole number of at most 40 characters within 64 bits."""
    cdef const char *at = scan_int(start, end, value)
    cdef bint negative
    cdef uint64_t number = 0, limit
    cdef unsigned int digit
    if at == end and at != NULL:
        return True
    if end - start > 40 or start == end:
        return False
    at = start
    negative = at[0] == c"-"
    if negative or at[0] == c"+":
        at += 1
    if at == end:
        return False
    limit = <uint64_t>9223372036854775807 + (1 if negative else 0)
    while at < end:
        if not is_digit(at[0]):
            return False
        digit = at[0] - c"0"
        if number > (limit - digit) // 10:
            return False
        number = number * 10 + digit
        at += 1
    value[0] = <int64_t>(<uint64_t>0 - number) if negative else <int64_t>number
    return True


cdef inline const char *scan_double(const char *at, const char *end, double *value) noexcept nogil:
    """Read a decimal number whose nearest double one multiplication or division gives; NULL when it is another.

    The mantissa is below 2^53 and the power of ten at most 22 in size, so both are doubles without error and IEEE 754
    rounds their product or quotient once: W. D. Clinger, How to read floating point numbers accurately, PLDI 1990.
    """
    cdef bint negative = False, negative_power = False
    cdef uint64_t mantissa = 0
    cdef int digits = 0, power = 0, written = 0
    cdef const char *first
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        negative = at[0] == c"-"
        at += 1
    first = at
    while at < end and is_digit(at[0]):
        mantissa = mantissa * 10 + <uint64_t>(at[0] - c"0")
        at += 1
    digits = <int>(at - first) if at - first < 100 else 100
    if at < end and at[0] == c".":
        at += 1
        first = at
        while at < end and is_digit(at[0]):
            mantissa = mantissa * 10 + <uint64_t>(at[0] - c"0")
            at += 1
        if at - first > 19:
            return NULL
        power = -<int>(at - first)
        digits -= power
    if digits == 0 or digits > 19 or mantissa >= <uint64_t>1 << 53:
        return NULL
    if at < end and (at[0] | 32) == c"e":
        at += 1
        if at < end and (at[0] == c"-" or at[0] == c"+"):
            negative_power = at[0] == c"-"
            at += 1
        first = at
        while at < end and is_digit(at[0]) and at - first < 4:
            written = written * 10 + (at[0] - c"0")
            at += 1
        if at == first or (at < end and is_digit(at[0])):
            return NULL
        power += -written if negative_power else written
    if power < -22 or power > 22:
        return NULL
    value[0] = <double>mantissa
    if power < 0:
        value[0] /= varloom_powers[-power]
    else:
        value[0] *= varloom_powers[power]
    if negative:
        value[0] = -value[0]
    return at


cdef inline bint is_word(const char *start, const char *end, const char *word, int length) noexcept nogil:
    """Whether the text is the lower-case `word`, whatever the case of its letters."""
    cdef int index
    if end - start != length:
        return False
    for index in range(length):
        if (start[index] | 32) != word[index]:
            return False
    return True


cdef inline bint to_double(const char *start, const char *end, double *value) noexcept nogil:
    """Whether the text is a decimal number that a double can hold, or nan, inf or infinity with or without a sign.

    What overflows, or underflows to zero, is none. The byte at `end` must exist and not belong to a number.
    """
    cdef const char *at = scan_double(start, end, value)
    cdef bint nonzero = False
    cdef int digits = 0
    if at == end and at != NULL:
        return True
    at = start
    if at < end and (at[0] == c"-" or at[0] == c"+"):
        at += 1
    if is_word(at, end, "nan", 3) or is_word(at, end, "inf", 3) or is_word(at, end, "infinity", 8):
        value[0] = varloom_strtod(start)
        return True
    while at < end and is_digit(at[0]):
        nonzero = nonzero or at[0] != c"0"
        digits = 1
        at += 1
    if at < end and at[0] == c".":
        at += 1
        while at < end and is_digit(at[0]):
            nonzero = nonzero or at[0] != c"0"
            digits = 1
            at += 1
    if not digits:
        return False
    if at < end and (at[0] | 32) == c"e":
        at += 1
        if at < end and (at[0] == c"-" or at[0] == c"+"):
            at += 1
        if at == end:
            return False
        while at < end and is_digit(at[0]):
            at += 1
    if at != end:
        return False
    value[0] = varloom_strtod(start)
    return not isinf(value[0]) and (value[0] != 0 or not nonzero)
