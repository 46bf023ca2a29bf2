# cython: language_level=3
"""Short numbers read eight bytes at a time, for texts behind which eight bytes can be looked at.

Most numbers of a record have fewer than eight characters, and seldom as many as the one before: whoever goes from digit to
digit guesses wrong where they end. What is longer, or unusual in any way, is left to the functions of `numbers`, so
that both tell the same of every text.
"""

from libc.stdint cimport int64_t, uint64_t

from varloom.reader.native.columns cimport rarely
from varloom.reader.native.numbers cimport scan_double, scan_int, varloom_powers
from varloom.reader.native.words cimport eight, first_bit

cdef inline uint64_t digits_at(const char *at) noexcept nogil:
    """The eight bytes at `at`; each that is a digit as its number, all others as something above 9."""
    return eight(at) ^ <uint64_t>0x3030303030303030


cdef inline uint64_t no_digits(uint64_t digits) noexcept nogil:
    """The highest bit of each byte up to the first that is no digit, and of it; of later ones behind a point, too.

    Adding 0x76 sets the highest bit of all from 10 on. Only from 0x8A on does it carry into the next byte, and neither
    a digit nor a point (0x1E) does.
    """
    return ((digits + <uint64_t>0x7676767676767676) | digits) & <uint64_t>0x8080808080808080


cdef inline uint64_t number_of(uint64_t digits) noexcept nogil:
    """The number of eight digits, the first in the lowest byte: pairs, then all four pairs at once."""
    cdef uint64_t pairs = digits * 10 + (digits >> 8)
    return (
        (pairs & <uint64_t>0x000000FF000000FF) * <uint64_t>0x000F424000000064
        + (pairs >> 16 & <uint64_t>0x000000FF000000FF) * <uint64_t>0x0000271000000001
    ) >> 32 & <uint64_t>0xFFFFFFFF


cdef inline const char *near_int(const char *at, const char *end, int64_t *value) noexcept nogil:
    """As `scan_int`."""
    cdef bint negative = at[0] == c"-"
    cdef const char *first = at + (negative or at[0] == c"+")
    cdef uint64_t digits = digits_at(first)
    cdef uint64_t marks = no_digits(digits)
    cdef int count
    cdef int64_t number
    if rarely(marks == 0):
        return scan_int(at, end, value)
    count = first_bit(marks) >> 3
    if rarely(count == 0 or first + count > end):
        return scan_int(at, end, value)
    number = <int64_t>number_of(digits << (64 - 8 * count))
    value[0] = -number if negative else number
    return first + count


cdef inline const char *near_double(const char *at, const char *end, double *value) noexcept nogil:
    """As `scan_double`."""
    cdef bint negative = at[0] == c"-"
    cdef const char *first = at + (negative or at[0] == c"+")
    cdef uint64_t digits = digits_at(first)
    cdef uint64_t marks = no_digits(digits)
    cdef uint64_t whole
    cdef int count, places = 0
    cdef double number
    if rarely(marks == 0):
        return scan_double(at, end, value)
    count = first_bit(marks) >> 3
    if first[count] == c".":
        marks &= marks - 1
        if rarely(marks == 0):
            return scan_double(at, end, value)
        # The digits behind the point move to its place.
        whole = (<uint64_t>1 << 8 * count) - 1
        digits = (digits & whole) | (digits >> 8 & ~whole)
        places = count
        count = (first_bit(marks) >> 3) - 1
        places = count - places
        first += 1
    if rarely(count == 0 or first + count > end or (first[count] | 32) == c"e"):
        return scan_double(at, end, value)
    number = <double><int64_t>number_of(digits << (64 - 8 * count)) / varloom_powers[places]
    value[0] = -number if negative else number
    return first + count
