"""Which fields a VCF has and which columns they fill, as the kernel needs it."""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcmp, memcpy, memset

from varloom.reader.native.columns cimport KIND_BOOL, KIND_DOUBLE, KIND_INT, KIND_TEXT, Column

import cython


cdef uint64_t _buckets_for(int64_t entries) noexcept:
    cdef uint64_t size = 16
    while size < <uint64_t>(2 * entries):
        size *= 2
    return size


@cython.final
cdef class Layout:
    """Fields of INFO (first) and FORMAT, slots of columns, lengths of contigs. It never changes; threads share it.

    Args:
        version: counts up with every layout of the same file.
        info, formats: for each field its key, type, arity (the numbers of `vcf_layout.pxd`) and count.
        samples: number of samples.
        gathered: whether FORMAT fields are lists over all samples.
        file_columns: number of columns that each line must have.
        contigs: declared names with their lengths in bases, or None.
        percent_encoded: whether texts may hold percent encodings.
        structural_rules: whether there are rules between the annotations of records with symbolic alleles or phase sets
            by allele.
    """

    def __cinit__(self, int version, list info, list formats, int samples, bint gathered, int file_columns,
                  dict contigs, bint percent_encoded, bint structural_rules):
        self.version = version
        self.info_fields = len(info)
        self.fields = len(info) + len(formats)
        self.samples = samples
        self.gathered = gathered
        self.file_columns = file_columns
        self.percent_encoded = percent_encoded
        self.structural_rules = structural_rules
        self._kept = []
        self._add_fields(info, formats)
        self._add_contigs(contigs)

    def __dealloc__(self):
        free(self.field)
        free(self.column)
        free(self.buckets)
        free(self.contig)
        free(self.contig_buckets)

    def _add_fields(self, list info, list formats):
        cdef int32_t index
        cdef int per_sample = 1 if self.gathered or not self.samples else self.samples
        cdef int slot = FIXED_SLOTS
        cdef Field *field
        cdef uint64_t size = _buckets_for(self.fields)
        self.mask = size - 1
        self.field = <Field *>calloc(self.fields + 1, sizeof(Field))
        self.buckets = <int32_t *>calloc(size, sizeof(int32_t))
        if self.field == NULL or self.buckets == NULL:
            raise MemoryError
        for index in range(<int32_t>size):
            self.buckets[index] = -1
        for index, (key, kind, arity, count) in enumerate(info + formats):
            field = &self.field[index]
            self._kept.append(key)
            field.key = <const char *><bytes>key
            field.key_size = <int32_t>len(key)
            memcpy(&field.head, field.key, min(field.key_size, 8))
            memset(&field.head_mask, 0xFF, min(field.key_size, 8))
            if field.key_size > 8:
                memcpy(&field.tail, field.key + 8, min(field.key_size - 8, 8))
                memset(&field.tail_mask, 0xFF, min(field.key_size - 8, 8))
            field.type = kind
            field.arity = arity
            field.count = count
            field.slot = slot
            field.stride = 3 if arity == ARITY_ALLELES else 2
            field.hash = self._key_hash(index < self.info_fields, field.key, field.key_size)
            slot += field.stride * (1 if index < self.info_fields else per_sample)
            self._enter(index)
        self.slots = slot
        self._make_columns(per_sample)

    cdef uint64_t _key_hash(self, bint info, const char *key, int64_t size) noexcept nogil:
        return hash_text(key, size) ^ (0 if info else <uint64_t>0x9E3779B97F4A7C15)

    cdef void _enter(self, int32_t index) noexcept:
        cdef uint64_t at = self.field[index].hash & self.mask
        while self.buckets[at] >= 0:
            at = (at + 1) & self.mask
        self.buckets[at] = index

    cdef int32_t find(self, bint info, const char *start, int64_t size) noexcept nogil:
        """The index of the field with this key, or -1."""
        cdef uint64_t hashed = self._key_hash(info, start, size)
        cdef uint64_t at = hashed & self.mask
        cdef Field *field
        while self.buckets[at] >= 0:
            field = &self.field[self.buckets[at]]
            if field.hash == hashed and field.key_size == size and memcmp(field.key, start, size) == 0 \
                    and (self.buckets[at] < self.info_fields) == info:
                return self.buckets[at]
            at = (at + 1) & self.mask
        return -1

    def _make_columns(self, int per_sample):
        cdef int index, sample, offset
        cdef Field *field
        self.column = <Column *>calloc(self.slots, sizeof(Column))
        if self.column == NULL:
            raise MemoryError
        for index in range(FIXED_SLOTS):
            self._make(index, KIND_TEXT, 0)
        for index in (SLOT_RECORD, SLOT_LINE, SLOT_POSITION):
            self._make(index, KIND_INT, 0)
            self.column[index].leaf.wide = True
            self.column[index].leaf.width = 8
        self._make(SLOT_ALLELE, KIND_INT, 0)
        self._make(SLOT_QUAL, KIND_DOUBLE, 0)
        for index in range(self.fields):
            field = &self.field[index]
            for sample in range(1 if index < self.info_fields else per_sample):
                for offset in range(field.stride):
                    self._make_field_column(field, index >= self.info_fields, sample, offset)

    cdef void _make_field_column(self, Field *field, bint of_samples, int sample, int offset) noexcept:
        cdef int lists = 1 if of_samples and self.gathered else 0
        cdef int slot = field.slot + sample * field.stride + offset
        if offset == field.stride - 1:
            self._make(slot, KIND_TEXT, lists)
            return
        if field.arity == ARITY_GENOTYPES or field.arity == ARITY_LIST:
            lists += 1
        if field.type == TYPE_INTEGER:
            self._make(slot, KIND_INT, lists)
        elif field.type == TYPE_FLOAT:
            self._make(slot, KIND_DOUBLE, lists)
        elif field.type == TYPE_FLAG:
            self._make(slot, KIND_BOOL, lists)
        else:
            self._make(slot, KIND_TEXT, lists)

    cdef void _make(self, int slot, int kind, int depth) noexcept:
        self.column[slot].depth = depth
        self.column[slot].leaf.kind = kind
        self.column[slot].leaf.width = 8 if kind == KIND_DOUBLE else 4 if kind == KIND_INT else 0

    def slot_of(self, int field, int sample=0):
        """The slot of a field's first column, for a sample where FORMAT fields are columns."""
        return self.field[field].slot + sample * self.field[field].stride

    def stride_of(self, int field):
        """How many slots a field has (for each sample): its columns, and the one of its texts."""
        return self.field[field].stride

    # --- contigs --------------------------------------------------------------------------------------------------

    def _add_contigs(self, dict contigs):
        cdef uint64_t size = _buckets_for(len(contigs)), at
        cdef int32_t index
        self.contig_mask = size - 1
        self.contig = <Contig *>calloc(len(contigs) + 1, sizeof(Contig))
        self.contig_buckets = <int32_t *>calloc(size, sizeof(int32_t))
        if self.contig == NULL or self.contig_buckets == NULL:
            raise MemoryError
        for at in range(size):
            self.contig_buckets[at] = -1
        for index, (name, length) in enumerate(contigs.items()):
            encoded = name.encode("utf-8", "surrogatepass")
            self._kept.append(encoded)
            self.contig[index].name = <const char *><bytes>encoded
            self.contig[index].size = len(encoded)
            self.contig[index].length = -1 if length is None else length
            self.contig[index].hash = hash_text(self.contig[index].name, self.contig[index].size)
            at = self.contig[index].hash & self.contig_mask
            while self.contig_buckets[at] >= 0:
                at = (at + 1) & self.contig_mask
            self.contig_buckets[at] = index

    cdef int64_t contig_length(self, const char *start, int64_t size) noexcept nogil:
        """The declared length of a contig in bases, or -1."""
        cdef uint64_t hashed = hash_text(start, size)
        cdef uint64_t at = hashed & self.contig_mask
        cdef Contig *contig
        while self.contig_buckets[at] >= 0:
            contig = &self.contig[self.contig_buckets[at]]
            if contig.hash == hashed and contig.size == size and memcmp(contig.name, start, size) == 0:
                return contig.length
            at = (at + 1) & self.contig_mask
        return -1
