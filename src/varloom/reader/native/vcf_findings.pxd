"""What is found in the records of some lines of a VCF; see vcf_findings.pyx."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport realloc

from varloom.reader.native.vcf_layout cimport Layout

cdef enum:
    # Findings of a record.
    RULE_REF = 0
    RULE_ALT = 1
    RULE_ALT_TWICE = 2
    RULE_ID = 3
    RULE_QUAL = 4
    RULE_BEYOND = 5
    RULE_ORDER = 6
    RULE_DUPLICATE = 7
    RULE_INFO_EMPTY = 8
    RULE_BLANK = 9
    RULES = 10
    MOST_ALIKE = 256    # records at one position that are compared with each other


cdef struct Note:
    int64_t count
    int64_t line
    int64_t at          # of the line
    int64_t start       # of the text in question
    int64_t size
    int64_t extra       # the sample, or the position before


cdef struct Left:
    int reason
    int64_t line
    int64_t start
    int64_t end
    int64_t rows        # how many rows of the chunk stand before it
    int64_t records


cdef struct Distinct:   # a text of FILTER
    int64_t start
    int64_t size
    int64_t line
    int64_t count
    uint64_t hash


cdef struct Run:        # records of one contig, one after another
    int64_t start
    int64_t size
    int64_t line


cdef struct Token:
    const char *start
    const char *end


cdef struct Alike:
    const char *start
    int64_t size
    uint64_t hash


cdef inline void *room_for(void *array, int64_t *capacity, int64_t wanted, size_t size) noexcept nogil:
    """The array with room for `wanted` elements; NULL when there is no memory."""
    cdef int64_t larger
    cdef void *moved
    if wanted <= capacity[0]:
        return array
    larger = 2 * capacity[0] if 2 * capacity[0] > wanted else wanted + 32
    moved = realloc(array, larger * size)
    if moved != NULL:
        capacity[0] = larger
    return moved


cdef class Findings:
    cdef readonly Layout layout
    cdef readonly object source
    cdef readonly int64_t rows
    cdef readonly int64_t records
    cdef readonly int64_t lines
    cdef readonly int64_t first_position
    cdef readonly int64_t last_position
    cdef readonly int64_t last_group
    cdef readonly bint unknown
    cdef const char *data
    # The record at hand.
    cdef const char *line
    cdef const char *line_end
    cdef int64_t contig_length
    cdef int64_t alternates
    cdef Token *allele
    cdef int64_t allele_capacity
    # What was found.
    cdef Note *note
    cdef Note[RULES] rule
    cdef Note **journal         # findings of the record at hand
    cdef int64_t journal_count
    cdef int64_t journal_capacity
    cdef Left *left
    cdef int64_t left_count
    cdef int64_t left_capacity
    cdef Left *ruled            # lines whose annotations have rules of their own
    cdef int64_t ruled_count
    cdef int64_t ruled_capacity
    cdef Run *run
    cdef int64_t run_count
    cdef int64_t run_capacity
    cdef Distinct *filters
    cdef int64_t filter_count
    cdef int64_t filter_capacity
    cdef int64_t last_filter
    cdef int32_t *filter_buckets
    cdef int64_t filter_buckets_size
    cdef Alike[MOST_ALIKE] alike
    cdef int alike_count

    cdef int leave(self, int reason) noexcept nogil
    cdef int add_ruled(self) noexcept nogil
    cdef void describe_line(self, Left *line, int reason) noexcept nogil
    cdef void notice(self, Note *note, const char *start, int64_t size, int64_t extra) noexcept nogil
    cdef void count(self, Note *note, const char *start, int64_t size, int64_t extra) noexcept nogil
    cdef void find_field(self, int32_t field, int finding, const char *start, const char *end,
                         int64_t sample) noexcept nogil
    cdef void forget(self) noexcept nogil
    cdef int check_place(self, Token *token, int64_t position) noexcept nogil
    cdef void check_alike(self, const char *start, const char *end) noexcept nogil
    cdef int check_texts(self, Token *token, double quality) noexcept nogil
    cdef bint has_twins(self) noexcept nogil
    cdef int count_filter(self, const char *start, int64_t size) noexcept nogil
    cdef int grow_filters(self) noexcept nogil
