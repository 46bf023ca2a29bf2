"""Texts of a VCF that are right or wrong by themselves."""

from libc.stdint cimport uint8_t
from libc.string cimport memcmp


cdef extern from *:
    """
    /* Kinds of bytes in REF and ALT: 1 a base, 4 a space. */
    static uint8_t varloom_letters[256];

    static void varloom_fill_letters(void) {
        int letter;
        const char *base;
        for (letter = 0; letter < 256; letter++)
            varloom_letters[letter] = 0;
        varloom_letters[9] = varloom_letters[32] = 4;
        for (base = "ACGTNacgtn"; *base; base++)
            varloom_letters[(unsigned char) *base] = 1;
    }
    """
    const uint8_t *LETTERS "varloom_letters"
    void fill_letters "varloom_fill_letters" () noexcept nogil

cdef enum:
    LETTER_BASE = 1
    LETTER_SPACE = 4


cdef inline bint are_bases(const char *start, const char *end) noexcept nogil:
    while start < end:
        if LETTERS[<unsigned char>start[0]] != LETTER_BASE:
            return False
        start += 1
    return True


cdef inline bint is_allele(const char *start, const char *end) noexcept nogil:
    """Whether the text is `*`, `.`, `<...>`, a breakend or a single breakend; bases were looked for before."""
    cdef const char *at
    cdef char bracket
    if end - start == 1 and (start[0] == c"*" or start[0] == c"."):
        return True
    if start[0] == c"<":
        at = start + 1
        while at < end - 1 and at[0] != c"<" and at[0] != c">" and LETTERS[<unsigned char>at[0]] != LETTER_SPACE:
            at += 1
        return at == end - 1 and (end - 1)[0] == c">" and end - start > 2
    if start[0] == c".":
        return are_bases(start + 1, end)
    if (end - 1)[0] == c".":
        return are_bases(start, end - 1)
    at = start
    while at < end and at[0] != c"[" and at[0] != c"]":
        at += 1
    if at == end or not are_bases(start, at):
        return False
    start = at + 1
    at = start
    while at < end and at[0] != c"[" and at[0] != c"]" and LETTERS[<unsigned char>at[0]] != LETTER_SPACE:
        at += 1
    return at > start and at < end and (at[0] == c"[" or at[0] == c"]") and are_bases(at + 1, end)


cdef inline bint is_identifier(const char *start, const char *end) noexcept nogil:
    """Whether the text has no space and no empty name between its semicolons."""
    cdef const char *at
    cdef bint name = False
    cdef bint several = False
    cdef bint empty = False
    at = start
    while at < end:
        if at[0] == c" ":
            return False
        if at[0] == c";":
            several = True
            empty = empty or not name
            name = False
        else:
            name = True
        at += 1
    return not several or (name and not empty)


cdef inline bint is_unseen(const char *start, const char *end) noexcept nogil:
    """Whether the allele is `<NON_REF>` or `<*>`, which stand for any other."""
    if start[0] != c"<":
        return False
    return (end - start == 3 and start[1] == c"*" and start[2] == c">") or (
        end - start == 9 and memcmp(start, b"<NON_REF>", 9) == 0)
