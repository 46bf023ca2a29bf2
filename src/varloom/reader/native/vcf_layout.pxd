# cython: language_level=3
"""Which fields a VCF has and which columns they fill, as the kernel needs it: looked up by key, shared by threads."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcmp

from varloom.reader.native.columns cimport Column
from varloom.reader.native.words cimport eight

cdef enum:
    # Types of values.
    TYPE_INTEGER = 0
    TYPE_FLOAT = 1
    TYPE_STRING = 2
    TYPE_FLAG = 3
    TYPE_GENOTYPE = 4
    TYPE_VERBATIM = 5   # a text whose commas mean nothing
    # How many values a field has.
    ARITY_ONE = 0
    ARITY_ALTERNATE = 1
    ARITY_ALLELES = 2
    ARITY_GENOTYPES = 3
    ARITY_LIST = 4
    # Columns that every VCF has, in the order of their slots.
    SLOT_RECORD = 0
    SLOT_LINE = 1
    SLOT_ALLELE = 2
    SLOT_CONTIG = 3
    SLOT_POSITION = 4
    SLOT_ID = 5
    SLOT_REF = 6
    SLOT_ALT = 7
    SLOT_QUAL = 8
    SLOT_FILTER = 9
    FIXED_SLOTS = 10


cdef struct Field:
    const char *key
    int32_t key_size
    uint64_t head       # the first eight bytes of the key, zero behind a shorter one
    uint64_t head_mask
    uint64_t tail       # likewise the eight bytes that follow
    uint64_t tail_mask
    int32_t type
    int32_t arity
    int32_t slot        # of the first column (of the first sample); a second one (Number=R) and the texts' follow
    int32_t stride      # columns of one sample, the texts' among them
    int64_t count       # declared Number above 1, or 0
    uint64_t hash


cdef struct Contig:
    const char *name
    int64_t size
    int64_t length      # in bases; -1 where the header gives none
    uint64_t hash


cdef inline uint64_t hash_text(const char *start, int64_t size) noexcept nogil:
    """FNV-1a, 64 bits."""
    cdef uint64_t value = <uint64_t>14695981039346656037
    cdef int64_t index
    for index in range(size):
        value = (value ^ <unsigned char>start[index]) * <uint64_t>1099511628211
    return value


cdef inline bint goes_on(const Field *field, const char *at) noexcept nogil:
    """Whether what follows the first eight bytes of the key stands at `at`, where eight bytes can be looked at."""
    if (eight(at) ^ field.tail) & field.tail_mask:
        return False
    return field.key_size <= 16 or memcmp(at + 8, field.key + 16, field.key_size - 16) == 0


cdef class Layout:
    """Fields of INFO (first) and FORMAT, slots of columns, lengths of contigs."""

    cdef readonly int version
    cdef readonly int info_fields
    cdef readonly int fields
    cdef readonly int slots
    cdef readonly int samples
    cdef readonly int file_columns
    cdef readonly bint gathered
    cdef readonly bint percent_encoded
    cdef readonly bint structural_rules
    cdef Field *field
    cdef Column *column          # empty columns to begin with, one a slot
    cdef int32_t *buckets        # open addressing: INFO fields, then FORMAT fields; -1 is free
    cdef uint64_t mask
    cdef Contig *contig
    cdef int32_t *contig_buckets
    cdef uint64_t contig_mask
    cdef list _kept              # the Python bytes that keys and names point into

    cdef uint64_t _key_hash(self, bint info, const char *key, int64_t size) noexcept nogil
    cdef void _enter(self, int32_t index) noexcept
    cdef void _make_field_column(self, Field *field, bint of_samples, int sample, int offset) noexcept
    cdef void _make(self, int slot, int kind, int depth) noexcept
    cdef int32_t find(self, bint info, const char *start, int64_t size) noexcept nogil
    cdef int64_t contig_length(self, const char *start, int64_t size) noexcept nogil
