"""FORMAT columns: the fields that their keys name, remembered from record to record."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc

from varloom.reader.native.vcf_findings cimport Token
from varloom.reader.native.vcf_layout cimport Layout
from varloom.reader.native.vcf_values cimport DONE, LEFT, UNKNOWN, find, is_dot
from varloom.reader.native.words cimport alike

cdef enum:
    FORMATS = 64        # how many are remembered


cdef struct Format:
    const char *start
    int64_t size
    int32_t *fields
    int32_t count
    int status
    bint ruled          # it has PSL, PSO or PSQ, and the layout says that there are rules for them


cdef struct Formats:
    Format[FORMATS] format
    int count
    int last


cdef inline void free_formats(Formats *formats) noexcept nogil:
    cdef int index
    for index in range(formats.count):
        free(formats.format[index].fields)


cdef inline Format *format_of(Formats *formats, Layout layout, Token *text) noexcept nogil:
    """The fields of a FORMAT column; NULL when there is no memory."""
    cdef int64_t size = text.end - text.start
    cdef int index
    cdef Format *known
    for index in range(formats.count):
        known = &formats.format[(formats.last + index) % formats.count]
        if known.size == size and alike(known.start, text.start, size):
            formats.last = (formats.last + index) % formats.count
            return known
    if formats.count == FORMATS:
        formats.count -= 1
        free(formats.format[formats.count].fields)
    known = &formats.format[formats.count]
    known.start = text.start
    known.size = size
    known.count = 0
    known.status = DONE
    known.ruled = False
    known.fields = <int32_t *>malloc((size // 2 + 2) * sizeof(int32_t))
    if known.fields == NULL:
        return NULL
    formats.last = formats.count
    formats.count += 1
    if size > 0 and not is_dot(text.start, text.end):
        read_keys(known, layout, text)
    return known


cdef inline bint is_phase_key(const char *start, const char *end) noexcept nogil:
    """Whether the text is PSL, PSO or PSQ."""
    return end - start == 3 and start[0] == c"P" and start[1] == c"S" and (
        start[2] == c"L" or start[2] == c"O" or start[2] == c"Q")


cdef inline void read_keys(Format *format, Layout layout, Token *text) noexcept nogil:
    cdef const char *at = text.start
    cdef const char *end
    cdef int32_t field, other
    while True:
        end = find(at, text.end, c":")
        field = layout.find(False, at, end - at)
        if end == at:
            format.status = LEFT
            return
        if layout.structural_rules and is_phase_key(at, end):
            format.ruled = True
        if field < 0:
            format.status = UNKNOWN
            return
        for other in range(format.count):
            if format.fields[other] == field:
                format.status = LEFT
                return
        format.fields[format.count] = field
        format.count += 1
        if end == text.end:
            return
        at = end + 1
