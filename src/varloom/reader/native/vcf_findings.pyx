"""What is found in records and loses nothing, and the lines that are left to the careful parser.

Each kind of finding is counted, with the place of the first; words are made of them elsewhere.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcmp

from varloom.reader.native.vcf_layout cimport Layout, hash_text
from varloom.reader.native.vcf_rules cimport are_bases, fill_letters, is_allele, is_identifier
from varloom.reader.native.vcf_values cimport FIELD_FINDINGS, UNKNOWN
from varloom.reader.native.words cimport alike

fill_letters()


cdef class Findings:
    """The findings of a chunk of lines; Chunk adds the columns."""

    def __cinit__(self, Layout layout not None, const unsigned char[::1] data not None, *_):
        self.layout = layout
        self.source = data.base
        self.data = <const char *>&data[0]
        self.first_position = self.last_position = -1
        self.last_filter = -1
        self.contig_length = -1
        self.note = <Note *>calloc((layout.fields + 1) * FIELD_FINDINGS, sizeof(Note))
        if self.note == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.note)
        free(self.journal)
        free(self.allele)
        free(self.left)
        free(self.ruled)
        free(self.run)
        free(self.filters)
        free(self.filter_buckets)

    # --- noting ---------------------------------------------------------------------------------------------------

    cdef int leave(self, int reason) noexcept nogil:
        cdef void *array = room_for(self.left, &self.left_capacity, self.left_count + 1, sizeof(Left))
        if array == NULL:
            return -1
        self.left = <Left *>array
        self.describe_line(&self.left[self.left_count], reason)
        self.left_count += 1
        self.unknown = self.unknown or reason == UNKNOWN
        return 0

    cdef int add_ruled(self) noexcept nogil:
        """Remember the line at hand: its annotations have rules of their own."""
        cdef void *array = room_for(self.ruled, &self.ruled_capacity, self.ruled_count + 1, sizeof(Left))
        if array == NULL:
            return -1
        self.ruled = <Left *>array
        self.describe_line(&self.ruled[self.ruled_count], 0)
        self.ruled_count += 1
        return 0

    cdef void describe_line(self, Left *line, int reason) noexcept nogil:
        line.reason = reason
        line.line = self.lines
        line.start = self.line - self.data
        line.end = self.line_end - self.data
        line.rows = self.rows
        line.records = self.records

    cdef void notice(self, Note *note, const char *start, int64_t size, int64_t extra) noexcept nogil:
        """Count a finding, which is taken back if the line is left alone."""
        cdef void *array = room_for(self.journal, &self.journal_capacity, self.journal_count + 1, sizeof(Note *))
        if array == NULL:
            return
        self.journal = <Note **>array
        self.journal[self.journal_count] = note
        self.journal_count += 1
        self.count(note, start, size, extra)

    cdef void count(self, Note *note, const char *start, int64_t size, int64_t extra) noexcept nogil:
        """Count a finding; the first one keeps its place."""
        note.count += 1
        if note.count == 1:
            note.line = self.lines
            note.at = self.line - self.data
            note.start = start - self.data
            note.size = size
            note.extra = extra

    cdef void find_field(self, int32_t field, int finding, const char *start, const char *end,
                         int64_t sample) noexcept nogil:
        self.notice(&self.note[field * FIELD_FINDINGS + finding], start, end - start, sample)

    cdef void forget(self) noexcept nogil:
        """Take back the findings of the record at hand."""
        cdef int64_t index
        for index in range(self.journal_count):
            self.journal[index].count -= 1

    # --- rules whose breach loses nothing -------------------------------------------------------------------------

    cdef int check_place(self, Token *token, int64_t position) noexcept nogil:
        """Contig, order and repetition."""
        cdef int64_t size = token[0].end - token[0].start
        cdef Run *run = &self.run[self.run_count - 1] if self.run_count else NULL
        cdef void *array
        if run == NULL or run.size != size or not alike(self.data + run.start, token[0].start, size):
            array = room_for(self.run, &self.run_capacity, self.run_count + 1, sizeof(Run))
            if array == NULL:
                return -1
            self.run = <Run *>array
            run = &self.run[self.run_count]
            run.start = token[0].start - self.data
            run.size = size
            run.line = self.lines
            self.run_count += 1
            self.contig_length = self.layout.contig_length(token[0].start, size)
            if self.run_count == 1:
                self.first_position = position
            self.last_position = -1
        if position != self.last_position:
            if position < self.last_position:
                self.count(&self.rule[RULE_ORDER], token[1].start, token[1].end - token[1].start, self.last_position)
            self.last_position = position
            self.last_group = self.line - self.data
            self.alike_count = 0
        self.check_alike(token[3].start, token[4].end)
        if self.contig_length >= 0 and position > self.contig_length + 1:
            self.count(&self.rule[RULE_BEYOND], token[0].start, size, position)
        return 0

    cdef void check_alike(self, const char *start, const char *end) noexcept nogil:
        """Whether REF and ALT stood at this position before; both are compared as one text."""
        cdef int64_t size = end - start
        cdef uint64_t hashed
        cdef int index
        cdef Alike *other
        if self.alike_count == 0:
            # The hash of the first is made only when a second comes.
            self.alike[0].start = start
            self.alike[0].size = size
            self.alike_count = 1
            return
        if self.alike_count == 1:
            self.alike[0].hash = hash_text(self.alike[0].start, self.alike[0].size)
        hashed = hash_text(start, size)
        for index in range(self.alike_count):
            other = &self.alike[index]
            if other.hash == hashed and other.size == size and memcmp(other.start, start, size) == 0:
                self.count(&self.rule[RULE_DUPLICATE], start, size, self.last_position)
                return
        if self.alike_count < MOST_ALIKE:
            self.alike[self.alike_count].start = start
            self.alike[self.alike_count].size = size
            self.alike[self.alike_count].hash = hashed
            self.alike_count += 1

    cdef int check_texts(self, Token *token, double quality) noexcept nogil:
        """REF, ALT, FILTER, ID, QUAL."""
        cdef int64_t index
        if not are_bases(token[3].start, token[3].end):
            self.notice(&self.rule[RULE_REF], token[3].start, token[3].end - token[3].start, 0)
        for index in range(self.alternates):
            if not are_bases(self.allele[index].start, self.allele[index].end):
                if not is_allele(self.allele[index].start, self.allele[index].end):
                    self.notice(&self.rule[RULE_ALT], token[4].start, token[4].end - token[4].start, 0)
                    break
        else:
            if self.alternates > 1 and self.has_twins():
                self.notice(&self.rule[RULE_ALT_TWICE], token[4].start, token[4].end - token[4].start, 0)
        if not is_identifier(token[2].start, token[2].end):
            self.notice(&self.rule[RULE_ID], token[2].start, token[2].end - token[2].start, 0)
        if quality < 0:
            self.notice(&self.rule[RULE_QUAL], token[5].start, token[5].end - token[5].start, 0)
        return self.count_filter(token[6].start, token[6].end - token[6].start)

    cdef bint has_twins(self) noexcept nogil:
        """Whether two ALT alleles are the same; of very many only the first are compared."""
        cdef int64_t count = self.alternates if self.alternates < MOST_ALIKE else MOST_ALIKE
        cdef int64_t one, other, size
        for one in range(count):
            size = self.allele[one].end - self.allele[one].start
            for other in range(one + 1, count):
                if self.allele[other].end - self.allele[other].start == size \
                        and memcmp(self.allele[one].start, self.allele[other].start, size) == 0:
                    return True
        return False

    cdef int count_filter(self, const char *start, int64_t size) noexcept nogil:
        """Count each different text of FILTER."""
        cdef uint64_t hashed, at
        cdef Distinct *known
        cdef void *array
        if self.last_filter >= 0:
            known = &self.filters[self.last_filter]
            if known.size == size and alike(self.data + known.start, start, size):
                known.count += 1
                return 0
        if 2 * self.filter_count >= self.filter_buckets_size and self.grow_filters() < 0:
            return -1
        hashed = hash_text(start, size)
        at = hashed & <uint64_t>(self.filter_buckets_size - 1)
        while self.filter_buckets[at] >= 0:
            known = &self.filters[self.filter_buckets[at]]
            if known.hash == hashed and known.size == size and memcmp(self.data + known.start, start, size) == 0:
                known.count += 1
                self.last_filter = self.filter_buckets[at]
                return 0
            at = (at + 1) & <uint64_t>(self.filter_buckets_size - 1)
        array = room_for(self.filters, &self.filter_capacity, self.filter_count + 1, sizeof(Distinct))
        if array == NULL:
            return -1
        self.filters = <Distinct *>array
        known = &self.filters[self.filter_count]
        known.start = start - self.data
        known.size = size
        known.line = self.lines
        known.count = 1
        known.hash = hashed
        self.filter_buckets[at] = <int32_t>self.filter_count
        self.last_filter = self.filter_count
        self.filter_count += 1
        return 0

    cdef int grow_filters(self) noexcept nogil:
        cdef int64_t size = 64 if self.filter_buckets_size == 0 else 2 * self.filter_buckets_size
        cdef int64_t index
        cdef uint64_t at
        cdef int32_t *buckets = <int32_t *>malloc(size * sizeof(int32_t))
        if buckets == NULL:
            return -1
        for index in range(size):
            buckets[index] = -1
        for index in range(self.filter_count):
            at = self.filters[index].hash & <uint64_t>(size - 1)
            while buckets[at] >= 0:
                at = (at + 1) & <uint64_t>(size - 1)
            buckets[at] = <int32_t>index
        free(self.filter_buckets)
        self.filter_buckets = buckets
        self.filter_buckets_size = size
        return 0

    # --- what was found -------------------------------------------------------------------------------------------

    def left_lines(self):
        """The lines that were left alone: `(line, start, end, rows, records, unknown)`.

        Lines count from 1 at the chunk's start; rows and records are those before it.
        """
        cdef int64_t index
        return [
            (self.left[index].line, self.left[index].start, self.left[index].end, self.left[index].rows,
             self.left[index].records, self.left[index].reason == UNKNOWN)
            for index in range(self.left_count)
        ]

    def ruled_lines(self):
        """The lines whose annotations have rules of their own: `(line, start, end)`; lines count from 1."""
        cdef int64_t index
        return [(self.ruled[index].line, self.ruled[index].start, self.ruled[index].end)
                for index in range(self.ruled_count)]

    def field_findings(self):
        """What was found in fields: `(field, finding, count, line, line start, start, end, sample)`, by line."""
        cdef int64_t index
        cdef Note *note
        found = []
        for index in range(self.layout.fields * FIELD_FINDINGS):
            note = &self.note[index]
            if note.count:
                found.append((index // FIELD_FINDINGS, index % FIELD_FINDINGS, note.count, note.line, note.at,
                              note.start, note.start + note.size, note.extra))
        return sorted(found, key=_by_line)

    def rule_findings(self):
        """What was found in records: `(rule, count, line, line start, start, end, extra)`, by line."""
        cdef int index
        found = [
            (index, self.rule[index].count, self.rule[index].line, self.rule[index].at, self.rule[index].start,
             self.rule[index].start + self.rule[index].size, self.rule[index].extra)
            for index in range(RULES) if self.rule[index].count
        ]
        return sorted(found, key=_by_line_of_rule)

    def filter_texts(self):
        """Each different text of FILTER: `(start, end, line of the first, count)`."""
        cdef int64_t index
        return [
            (self.filters[index].start, self.filters[index].start + self.filters[index].size, self.filters[index].line,
             self.filters[index].count)
            for index in range(self.filter_count)
        ]

    def contig_runs(self):
        """Records of one contig after one another: `(start, end, line of the first)`."""
        cdef int64_t index
        return [
            (self.run[index].start, self.run[index].start + self.run[index].size, self.run[index].line)
            for index in range(self.run_count)
        ]


def _by_line(finding):
    return finding[3]


def _by_line_of_rule(finding):
    return finding[2]
