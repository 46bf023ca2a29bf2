"""Cells of a delimited text, as the csv module of Python cuts them in its strict mode, and what they may be."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memchr, memcmp

from varloom.reader.native.numbers cimport is_digit, varloom_strtod


cdef extern from "<stdio.h>" nogil:
    int snprintf(char *text, size_t size, const char *form, ...)

cdef enum:
    # Kinds of cells; those of a column are put together by `or`.
    CELL_TRUE_LOWER = 1
    CELL_FALSE_LOWER = 2
    CELL_TRUE_TITLE = 4
    CELL_FALSE_TITLE = 8
    CELL_TRUE_UPPER = 16
    CELL_FALSE_UPPER = 32
    CELL_INTEGER = 64
    CELL_FLOAT = 128
    CELL_OTHER = 256
    CELL_OPEN = 512             # a number about which the kernel is not sure
    LARGEST_INTEGER = 9007199254740992
    LARGEST_CELL = 1 << 24


cdef struct Cell:
    const char *start
    const char *end
    bint doubled                # it has quotes that are written twice


cdef struct Style:
    char separator
    bint quotes


cdef enum Ending:
    ENDS_CELL                   # a separator follows
    ENDS_ROW                    # the end of a line follows
    ENDS_DATA                   # a quoted cell goes on behind the data
    ENDS_ODDLY                  # this is not a cell


cdef inline Ending ending_at(const char *at, const Style *style) noexcept nogil:
    if at[0] == style.separator:
        return ENDS_CELL
    if at[0] == c"\n" or (at[0] == c"\r" and at[1] == c"\n"):
        return ENDS_ROW
    return ENDS_ODDLY


cdef inline const char *behind_row(const char *at) noexcept nogil:
    """Where the next row starts, from the end of the last cell."""
    return at + (2 if at[0] == c"\r" else 1)


cdef inline Ending take_plain_cell(const char **at, const Style *style, Cell *cell) noexcept nogil:
    """The cell without quotes at `at`, which is moved behind it. A line feed follows somewhere, and a byte behind it."""
    cdef const char *end = at[0]
    cdef char separator = style.separator
    cell.start = end
    cell.doubled = False
    while end[0] != separator and end[0] != c"\n" and end[0] != c"\r":
        end += 1
    cell.end = end
    at[0] = end
    return ending_at(end, style)


cdef inline Ending take_quoted_cell(const char **at, const char *limit, const Style *style, Cell *cell,
                                    int64_t *lines) noexcept nogil:
    """The cell within quotes at `at`; line feeds in it are counted."""
    cdef const char *end = at[0] + 1
    cell.start = end
    cell.doubled = False
    while True:
        while end < limit and end[0] != c'"':
            lines[0] += end[0] == c"\n"
            end += 1
        if end == limit:
            return ENDS_DATA
        if end[1] != c'"' or end + 1 == limit:
            break
        cell.doubled = True
        end += 2
    cell.end = end
    at[0] = end + 1
    return ending_at(end + 1, style) if end + 1 < limit else ENDS_ODDLY


cdef inline int kind_of(const char *at, const char *end) noexcept nogil:
    """What a cell may be; 0 for an empty one."""
    if at == end:
        return 0
    if is_digit(at[0]) or at[0] == c"-":
        return kind_of_number(at, end)
    if end - at == 4:
        if memcmp(at, b"true", 4) == 0:
            return CELL_TRUE_LOWER
        if memcmp(at, b"True", 4) == 0:
            return CELL_TRUE_TITLE
        if memcmp(at, b"TRUE", 4) == 0:
            return CELL_TRUE_UPPER
    if end - at == 5:
        if memcmp(at, b"false", 5) == 0:
            return CELL_FALSE_LOWER
        if memcmp(at, b"False", 5) == 0:
            return CELL_FALSE_TITLE
        if memcmp(at, b"FALSE", 5) == 0:
            return CELL_FALSE_UPPER
    return CELL_OTHER


cdef inline int kind_of_number(const char *at, const char *end) noexcept nogil:
    """`-?(0|[1-9][0-9]*)`, with a fraction and a power or with a power that has a sign.

    An integer when a double holds it and it would be written back the same; a float when the shortest decimal of its
    double is the same number.
    """
    cdef bint negative = at[0] == c"-"
    cdef bint below = False
    cdef const char *first
    cdef uint64_t mantissa = 0      # of the significant digits
    cdef int64_t significant = 0, zeros = 0, power = 0
    cdef int64_t written = 0
    at += negative
    first = at
    while at < end and is_digit(at[0]):
        count_digit(at[0], &mantissa, &significant, &zeros)
        at += 1
    if at == first or (first[0] == c"0" and at - first > 1):
        return CELL_OTHER
    power = zeros
    if at == end:
        if first[0] == c"0":
            return CELL_FLOAT if negative else CELL_INTEGER
        if at - first < 16 or (at - first == 16 and int_of(first, at) <= LARGEST_INTEGER):
            return CELL_INTEGER
        return exactness(mantissa, significant, power)
    if at[0] == c".":
        at += 1
        first = at
        while at < end and is_digit(at[0]):
            count_digit(at[0], &mantissa, &significant, &zeros)
            at += 1
        if at == first:
            return CELL_OTHER
        power = zeros - (at - first)
        if at == end:
            return exactness(mantissa, significant, power)
        if (at[0] | 32) != c"e":
            return CELL_OTHER
        at += 1
        if at < end and (at[0] == c"-" or at[0] == c"+"):
            below = at[0] == c"-"
            at += 1
    else:
        if (at[0] | 32) != c"e" or end - at < 3 or (at[1] != c"-" and at[1] != c"+"):
            return CELL_OTHER
        below = at[1] == c"-"
        at += 2
    first = at
    while at < end and is_digit(at[0]) and at - first < 4:
        written = written * 10 + (at[0] - c"0")
        at += 1
    if at != end or at == first or at - first > 3:
        return CELL_OTHER
    return exactness(mantissa, significant, power - written if below else power + written)


cdef inline void count_digit(char digit, uint64_t *mantissa, int64_t *significant, int64_t *zeros) noexcept nogil:
    """Add a digit to the significant ones; zeros wait until another digit follows them."""
    cdef int64_t index
    if digit == c"0":
        zeros[0] += significant[0] > 0
        return
    if significant[0] + zeros[0] < 18:
        for index in range(zeros[0]):
            mantissa[0] *= 10
        mantissa[0] = mantissa[0] * 10 + <uint64_t>(digit - c"0")
    significant[0] += zeros[0] + 1
    zeros[0] = 0


cdef inline int64_t int_of(const char *at, const char *end) noexcept nogil:
    cdef int64_t number = 0
    while at < end:
        number = number * 10 + (at[0] - c"0")
        at += 1
    return number


cdef inline double double_of(uint64_t mantissa, int64_t power) noexcept nogil:
    cdef char[48] text
    snprintf(text, sizeof(text), b"%llue%lld", <unsigned long long>mantissa, <long long>power)
    return varloom_strtod(text)


cdef extern from *:
    """
    /* Whether the 16 or 17 digits of `mantissa`, divided by ten to the `places` (1 to 22), are the shortest decimal of
       their double: 128 is yes, 256 is no, 0 is not known here. All is exact: with the double m * 2^e, both sides are
       multiplied by 10^places / 2^(e + places), which makes the double m * 5^places and its ulp 5^places. */
    #include <math.h>
    static int varloom_exactness(uint64_t mantissa, int places) {
        static const double tens[23] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
            1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
        typedef unsigned __int128 wide;
        int exponent, index, shift;
        uint64_t five = 1;
        double near = (double)((long double)mantissa / (long double)tens[places]);
        uint64_t whole = (uint64_t)ldexp(frexp(near, &exponent), 53);
        exponent -= 53;
        if (whole == ((uint64_t)1 << 52)) return 0; /* a power of two has a nearer neighbour below */
        for (index = 0; index < places; index++) five *= 5; /* 5^22 < 2^52 */
        shift = -(exponent + places);
        if (shift < 1 || shift > 60) return 0;
        {
            wide value = (wide)whole * five;
            wide written = (wide)mantissa << shift;
            wide below = (wide)(mantissa / 10 * 10) << shift, above = (wide)(mantissa / 10 * 10 + 10) << shift;
            wide off = written > value ? written - value : value - written;
            wide off_below = below > value ? below - value : value - below;
            wide off_above = above > value ? above - value : value - above;
            if (2 * off >= five) return 0;                               /* not surely the nearest double */
            if (2 * off_below == five || 2 * off_above == five) return 0;
            if (2 * off_below < five || 2 * off_above < five) return 256; /* a digit less would do */
            if (2 * off == (wide)1 << shift) return 0;
            return 2 * off < (wide)1 << shift ? 128 : 256;
        }
    }
    """
    int exactness_in_integers "varloom_exactness"(uint64_t mantissa, int places) noexcept nogil


cdef inline int exactness(uint64_t mantissa, int64_t significant, int64_t power) noexcept nogil:
    """Whether `mantissa` times ten to the `power` is the shortest decimal of its double.

    `mantissa` ends in no zero and is right up to 17 significant digits. Fifteen digits always come back from a double.
    Of more, no decimal with a digit less may lie as near to the double, and this one has to be the nearest of its length.
    """
    cdef double value
    cdef char[48] nearest
    cdef int index
    cdef uint64_t digits = 0
    if significant == 0:
        return CELL_FLOAT
    if significant > 17:
        return CELL_OTHER
    if not -280 < significant + power < 300:
        return CELL_OPEN
    if significant <= 15:
        return CELL_FLOAT
    if -22 <= power < 0:
        index = exactness_in_integers(mantissa, -power)
        if index:
            return index
    value = double_of(mantissa, power)
    if double_of(mantissa // 10, power + 1) == value or double_of(mantissa // 10 + 1, power + 1) == value:
        return CELL_OTHER
    snprintf(nearest, sizeof(nearest), b"%.*e", <int>significant - 1, value)
    for index in range(48):
        if nearest[index] == c"e" or nearest[index] == 0:
            break
        if is_digit(nearest[index]):
            digits = digits * 10 + <uint64_t>(nearest[index] - c"0")
    return CELL_FLOAT if digits == mantissa else CELL_OTHER
