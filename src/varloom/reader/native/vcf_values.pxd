# cython: language_level=3
"""The text of one INFO or FORMAT field to its values, and values into columns."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memchr, memcpy

from varloom.reader.native.columns cimport (
    Column, Leaf, Level, leaf_double, leaf_int, leaf_pad, leaf_text, leaf_text_end, leaf_text_room, leaf_truncate,
    level_close, level_truncate,
)
from varloom.reader.native.near_numbers cimport near_double, near_int
from varloom.reader.native.numbers cimport is_digit, to_double, to_int
from varloom.reader.native.vcf_layout cimport (
    ARITY_ALLELES, ARITY_ALTERNATE, ARITY_GENOTYPES, ARITY_ONE, TYPE_FLAG, TYPE_FLOAT, TYPE_GENOTYPE, TYPE_INTEGER,
    TYPE_STRING, Field,
)
from varloom.reader.native.words cimport eight, first_bit

cdef enum:
    BEHIND = 16         # bytes that may be read behind a text
    MOST_PLOIDY = 64
    # What became of a line, a value or a finding of a field; `FIELD_FINDINGS` counts them.
    DONE = 0
    LEFT = 1            # for the careful parser
    UNKNOWN = 2         # has a key that the layout does not know
    NO_MEMORY = 3
    MISFIT_TYPE = 4
    MISFIT_COUNT = 5
    ODD_COUNT = 6
    ODD_COMMA = 7
    ODD_GENOTYPE = 8
    BARE = 9
    FIELD_FINDINGS = 10


cdef struct Scalar:
    int64_t whole
    double number
    const char *start
    const char *end
    bint missing


cdef struct Values:
    Scalar *value
    int64_t count
    int64_t capacity


cdef inline const char *find(const char *start, const char *end, char letter) noexcept nogil:
    """The first `letter` in the text, or its end."""
    cdef const char *found = <const char *>memchr(start, letter, end - start) if start < end else NULL
    return end if found == NULL else found


cdef inline const char *find_soon(const char *start, const char *end, char letter) noexcept nogil:
    """As `find`, and faster where it is near: eight bytes at a time. Up to eight bytes behind the end are looked at.

    Of a word whose bytes are zero where the letter stands, `(word - 0x01...) & ~word & 0x80...` marks the first zero.
    """
    cdef uint64_t pattern = <uint64_t>0x0101010101010101 * <unsigned char>letter
    cdef uint64_t word, marks
    cdef int step
    for step in range(3):
        if start >= end:
            return end
        word = eight(start) ^ pattern
        marks = (word - <uint64_t>0x0101010101010101) & ~word & <uint64_t>0x8080808080808080
        if marks:
            start += first_bit(marks) >> 3
            return start if start < end else end
        start += 8
    return find(start, end, letter)


cdef inline bint is_dot(const char *start, const char *end) noexcept nogil:
    return end - start == 1 and start[0] == c"."


cdef inline int percent_letter(const char *at) noexcept nogil:
    """The character of one of the eight percent encodings of VCF 4.3 (section 1.2) at `at`, or -1."""
    if at[1] == c"3":
        return c":" if at[2] == c"A" else c";" if at[2] == c"B" else c"=" if at[2] == c"D" else -1
    if at[1] == c"2":
        return c"%" if at[2] == c"5" else c"," if at[2] == c"C" else -1
    if at[1] == c"0":
        return c"\r" if at[2] == c"D" else c"\n" if at[2] == c"A" else c"\t" if at[2] == c"9" else -1
    return -1


cdef inline int near_text(Leaf *leaf, const char *start, int64_t size) noexcept nogil:
    """As `leaf_text`. Texts of up to sixteen bytes, which most are, are copied whole words at a time without a call.

    There is room for what comes along from behind the text, and the next text takes its place.
    """
    cdef char *room
    if size > 16:
        return leaf_text(leaf, start, size)
    room = leaf_text_room(leaf, size + 8)
    if room == NULL:
        return -1
    memcpy(room, start, 8)
    if size > 8:
        memcpy(room + 8, start + 8, 8)
    leaf_text_end(leaf, size)
    return 0


cdef inline int write_text(Leaf *leaf, const char *start, const char *end, bint percent_encoded) noexcept nogil:
    """Append a text, its percent encodings undone where it may have any."""
    cdef char *room
    cdef char *to
    cdef int letter
    if not percent_encoded or memchr(start, c"%", end - start) == NULL:
        return near_text(leaf, start, end - start)
    room = to = leaf_text_room(leaf, end - start)
    if room == NULL:
        return -1
    while start < end:
        letter = percent_letter(start) if start[0] == c"%" and end - start > 2 else -1
        if letter >= 0:
            to[0] = <char>letter
            start += 3
        else:
            to[0] = start[0]
            start += 1
        to += 1
    leaf_text_end(leaf, to - room)
    return 0


cdef inline int write_scalar(Leaf *leaf, Field *field, Scalar *scalar, bint percent_encoded) noexcept nogil:
    """Append one value."""
    if scalar.missing:
        return leaf_pad(leaf, leaf.length + 1)
    if field.type == TYPE_INTEGER:
        return leaf_int(leaf, scalar.whole)
    if field.type == TYPE_FLOAT:
        return leaf_double(leaf, scalar.number)
    return write_text(leaf, scalar.start, scalar.end, percent_encoded and field.type != TYPE_GENOTYPE)


cdef inline int read_scalar(Scalar *scalar, Field *field, const char *start, const char *end) noexcept nogil:
    """DONE, or MISFIT_TYPE when the text is no value of the field's type."""
    scalar.missing = is_dot(start, end)
    scalar.start = start
    scalar.end = end
    if scalar.missing:
        return DONE
    if field.type == TYPE_INTEGER:
        return DONE if to_int(start, end, &scalar.whole) else MISFIT_TYPE
    if field.type == TYPE_FLOAT:
        return DONE if to_double(start, end, &scalar.number) else MISFIT_TYPE
    return DONE


cdef inline Scalar *next_scalar(Values *values) noexcept nogil:
    """Room for one more value; NULL when there is no memory."""
    cdef int64_t larger
    cdef void *moved
    if values.count == values.capacity:
        larger = 2 * values.capacity if values.capacity else 64
        moved = realloc(values.value, larger * sizeof(Scalar))
        if moved == NULL:
            return NULL
        values.value = <Scalar *>moved
        values.capacity = larger
    values.count += 1
    return &values.value[values.count - 1]


cdef inline int read_values(Values *values, Field *field, const char *start, const char *end) noexcept nogil:
    """All values of a text, split at its commas unless the field has just one: DONE, MISFIT_TYPE or NO_MEMORY."""
    cdef const char *stop
    cdef Scalar *scalar
    cdef int status = DONE
    values.count = 0
    while True:
        scalar = next_scalar(values)
        if scalar == NULL:
            return NO_MEMORY
        if field.arity == ARITY_ONE:
            stop = end
        elif field.type == TYPE_STRING:
            stop = find(start, end, c",")  # an entry of an annotation, for example, is long
        else:
            stop = find_soon(start, end, c",")
        if read_scalar(scalar, field, start, stop) != DONE:
            status = MISFIT_TYPE
        if stop == end:
            return status
        start = stop + 1


cdef inline bint is_genotype(const char *start, const char *end, int64_t alternates) noexcept nogil:
    """Whether the text is a GT, such as 0/1, .|2, 1 or /0/1 (4.5), that names no allele beyond the record's."""
    cdef int64_t allele
    cdef const char *first
    if end - start == 3 and (start[1] == c"/" or start[1] == c"|") and is_digit(start[0]) and is_digit(start[2]):
        return start[0] - c"0" <= alternates and start[2] - c"0" <= alternates
    if start < end and (start[0] == c"/" or start[0] == c"|"):
        start += 1
    while True:
        first = start
        allele = 0
        if start < end and start[0] == c".":
            start += 1
        else:
            while start < end and is_digit(start[0]) and start - first < 9:
                allele = allele * 10 + (start[0] - c"0")
                start += 1
            if start == first or allele > alternates:
                return False
        if start == end:
            return True
        if start[0] != c"/" and start[0] != c"|":
            return False
        start += 1


cdef inline int64_t ploidy_of(int64_t alleles, int64_t count) noexcept nogil:
    """The ploidy, at most MOST_PLOIDY, with which `alleles` alleles have `count` genotypes; 0 when there is none.

    There are C(alleles + ploidy - 1, ploidy) of them: VCF 4.5, section 1.6.2.
    """
    cdef int64_t ploidy = 1
    cdef int64_t genotypes = alleles
    while genotypes < count and ploidy < MOST_PLOIDY:
        genotypes = genotypes * (alleles + ploidy) // (ploidy + 1)
        ploidy += 1
    return ploidy if genotypes == count else 0


cdef inline int64_t genotype_place(int64_t allele, int64_t copies, int64_t ploidy) noexcept nogil:
    """Where the genotype of `copies` times `allele` and else the reference stands among all genotypes.

    a1 <= ... <= ap stands at the sum of C(ai + i - 1, i): VCF 4.5, section 1.6.2.
    """
    cdef int64_t place = 0, index, step, steps, term
    for index in range(ploidy - copies + 1, ploidy + 1):
        # C(n, k) = C(n, n - k): with the smaller of both each step's term is at most the last, so that none overflows.
        steps = index if index < allele - 1 else allele - 1
        term = 1
        for step in range(1, steps + 1):
            term = term * (allele + index - 1 - steps + step) // step
        place += term
    return place


cdef inline int judge(Values *values, Field *field, int64_t alternates, const char *start,
                      const char *end) noexcept nogil:
    """Read all values of a field: DONE, an ODD_ one that can be kept, or a MISFIT_ that cannot.

    As many checks as there are values come first; then their number.
    """
    cdef int status
    if field.type == TYPE_FLAG:
        return MISFIT_TYPE
    status = read_values(values, field, start, end)
    if status != DONE:
        return status
    if field.arity == ARITY_ONE:
        if field.type == TYPE_GENOTYPE:
            return DONE if values.value[0].missing or is_genotype(start, end, alternates) else ODD_GENOTYPE
        return ODD_COMMA if field.type == TYPE_STRING and find_soon(start, end, c",") != end else DONE
    if field.arity == ARITY_ALTERNATE:
        return DONE if values.count == alternates or (values.count == 1 and alternates == 0) else MISFIT_COUNT
    if field.arity == ARITY_ALLELES:
        return DONE if values.count == alternates + 1 else MISFIT_COUNT
    if field.arity == ARITY_GENOTYPES:
        if alternates == 0:
            return DONE if values.count == 1 else MISFIT_COUNT
        return DONE if ploidy_of(alternates + 1, values.count) else MISFIT_COUNT
    return ODD_COUNT if field.count and values.count != field.count else DONE


cdef inline int write_list(Leaf *leaf, Level *level, Field *field, Values *values, bint percent) noexcept nogil:
    """Append all values as one list."""
    cdef int64_t index
    for index in range(values.count):
        if write_scalar(leaf, field, &values.value[index], percent) < 0:
            return -1
    return level_close(level, leaf.length)


cdef inline int64_t append_numbers(Leaf *leaf, Level *level, bint whole, const char *start,
                                   const char *end) noexcept nogil:
    """Append a list of plain numbers; how many, or 0 and nothing appended when one of them is not plain."""
    cdef int64_t before = leaf.length, number
    cdef double value
    cdef bint wide = leaf.wide, done
    cdef const char *at = start
    while True:
        if whole:
            at = near_int(at, end, &number)
            done = at != NULL and (wide or number == <int32_t>number) and leaf_int(leaf, number) == 0
        else:
            at = near_double(at, end, &value)
            done = at != NULL and leaf_double(leaf, value) == 0
        if not done or (at < end and at[0] != c","):
            break
        if at == end:
            if level_close(level, leaf.length) < 0:
                break
            return leaf.length - before
        at += 1
    leaf_truncate(leaf, before)
    return 0


cdef inline int write_genotypes(Leaf *leaf, Level *level, Field *field, Values *values, int64_t allele, int64_t ploidy,
                                bint percent) noexcept nogil:
    """Append the values of the genotypes with 0, 1 ... copies of the allele, else the reference, as one list."""
    cdef int64_t copies
    for copies in range(ploidy + 1 if allele else 1):
        if write_scalar(leaf, field, &values.value[genotype_place(allele, copies, ploidy)], percent) < 0:
            return -1
    return level_close(level, leaf.length)


cdef inline const char *append_plain(Column *column, int depth, Field *field, int64_t alternates, const char *start,
                                     const char *end, char behind) noexcept nogil:
    """Append what a field of a record with one ALT allele or none has, if it is as plain as most are.

    `column` is the first of the field's, padded to the record; `depth` is that of the list that holds its values: 0 for
    a list of values, 1 for one within a list of samples. `behind` is the letter that alone may follow within the text
    up to `end`. Where the field ends, or NULL and nothing appended.
    """
    if field.type == TYPE_INTEGER or field.type == TYPE_FLOAT:
        if field.arity <= ARITY_ALTERNATE:
            return append_number(&column.leaf, field, start, end, behind)
        if field.arity == ARITY_ALLELES and alternates:
            return append_pair(&column.leaf, &column[1].leaf, field, start, end, behind)
        if field.arity == ARITY_GENOTYPES and alternates:
            return append_all_genotypes(&column.leaf, &column.levels[depth], field, start, end, behind)
    elif field.type == TYPE_GENOTYPE and field.arity == ARITY_ONE and end - start >= 3:
        if (start[1] == c"/" or start[1] == c"|") and is_digit(start[0]) and start[0] - c"0" <= alternates \
                and is_digit(start[2]) and start[2] - c"0" <= alternates and (end - start == 3 or start[3] == behind):
            return start + 3 if leaf_text(&column.leaf, start, 3) == 0 else NULL
    return NULL


cdef inline const char *append_number(Leaf *leaf, Field *field, const char *start, const char *end,
                                      char behind) noexcept nogil:
    """Append one number."""
    cdef int64_t whole
    cdef double number
    cdef const char *stop
    if field.type == TYPE_INTEGER:
        stop = near_int(start, end, &whole)
        if stop == NULL or (stop < end and stop[0] != behind) or leaf_int(leaf, whole) < 0:
            return NULL
    else:
        stop = near_double(start, end, &number)
        if stop == NULL or (stop < end and stop[0] != behind) or leaf_double(leaf, number) < 0:
            return NULL
    return stop


cdef inline const char *append_pair(Leaf *reference, Leaf *alternate, Field *field, const char *start, const char *end,
                                    char behind) noexcept nogil:
    """Append the numbers of the reference and of the ALT allele; both are read before one is appended."""
    cdef int64_t[2] whole
    cdef double[2] number
    cdef const char *stop
    cdef bint integers = field.type == TYPE_INTEGER
    stop = near_int(start, end, &whole[0]) if integers else near_double(start, end, &number[0])
    if stop == NULL or stop == end or stop[0] != c",":
        return NULL
    stop = near_int(stop + 1, end, &whole[1]) if integers else near_double(stop + 1, end, &number[1])
    if stop == NULL or (stop < end and stop[0] != behind):
        return NULL
    if integers:
        return stop if leaf_int(reference, whole[0]) == 0 and leaf_int(alternate, whole[1]) == 0 else NULL
    return stop if leaf_double(reference, number[0]) == 0 and leaf_double(alternate, number[1]) == 0 else NULL


cdef inline const char *append_all_genotypes(Leaf *leaf, Level *level, Field *field, const char *start,
                                             const char *end, char behind) noexcept nogil:
    """Append the numbers of all genotypes: with one ALT allele, those with 0, 1 ... copies of it, in this order."""
    cdef const char *stop = find_soon(start, end, behind)
    cdef int64_t lists = level.length
    cdef int64_t count = append_numbers(leaf, level, field.type == TYPE_INTEGER, start, stop)
    if count == 0:
        return NULL
    if count == 1 or count > MOST_PLOIDY + 1:
        leaf_truncate(leaf, level_truncate(level, lists))
        return NULL
    return stop
