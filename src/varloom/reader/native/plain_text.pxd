"""Texts as bytes."""


cdef inline bint is_sound_text(const char *at, const char *stop) noexcept nogil:
    """Whether the text is UTF-8 without control characters other than tabs."""
    return is_utf8(at, stop, True)


cdef inline bint is_text(const char *at, const char *stop) noexcept nogil:
    """Whether the text is UTF-8 without NUL."""
    return is_utf8(at, stop, False)


cdef inline bint is_utf8(const char *at, const char *stop, bint strict) noexcept nogil:
    """Whether the text is UTF-8 without NUL and, if `strict`, without control characters other than tabs."""
    cdef unsigned char first, second
    cdef int more
    while at < stop:
        first = <unsigned char>at[0]
        at += 1
        if first < 0x80:
            if first == 0 or (strict and ((first < 32 and first != 9) or first == 127)):
                return False
            continue
        more = 1 if 0xC2 <= first <= 0xDF else 2 if 0xE0 <= first <= 0xEF else 3 if 0xF0 <= first <= 0xF4 else 0
        if more == 0 or stop - at < more:
            return False
        second = <unsigned char>at[0]
        if ((first == 0xE0 and second < 0xA0) or (first == 0xED and second > 0x9F)
                or (first == 0xF0 and second < 0x90) or (first == 0xF4 and second > 0x8F)):
            return False
        while more:
            if (<unsigned char>at[0] & 0xC0) != 0x80:
                return False
            at += 1
            more -= 1
    return True
