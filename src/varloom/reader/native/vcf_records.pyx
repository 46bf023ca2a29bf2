"""Whole lines of a VCF into columns, without the interpreter's lock.

The kernel writes every record that it understands to the last byte. A line that is broken, or odd in a way that would
need words, is left alone: its rows are taken back, and it is handed to the careful parser in Python, which alone
words faults. Findings that lose nothing are counted here, with the place of the first of each kind.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy

from varloom.reader.native.column_data cimport leaf_data, level_data
from varloom.reader.native.columns cimport (
    KIND_TEXT, Column, Leaf, column_pad, column_truncate, leaf_double, leaf_int, leaf_pad, leaf_reserve, leaf_text_room,
    leaf_true, level_close, level_pad, level_reserve,
)
from varloom.reader.native.numbers cimport is_digit, scan_int, to_double, varloom_numbers_ready
from varloom.reader.native.plain_text cimport is_sound_text
from varloom.reader.native.vcf_findings cimport RULE_BLANK, RULE_INFO_EMPTY, Findings, Token, room_for
from varloom.reader.native.vcf_formats cimport Format, Formats, format_of, free_formats
from varloom.reader.native.vcf_layout cimport (
    ARITY_ALLELES, ARITY_ALTERNATE, ARITY_GENOTYPES, ARITY_LIST, ARITY_ONE, SLOT_ALLELE, SLOT_ALT, SLOT_CONTIG,
    SLOT_FILTER, SLOT_ID, SLOT_LINE, SLOT_POSITION, SLOT_QUAL, SLOT_RECORD, SLOT_REF, TYPE_FLAG, TYPE_FLOAT,
    TYPE_GENOTYPE, TYPE_INTEGER, TYPE_STRING, Field, Layout, goes_on,
)
from varloom.reader.native.vcf_rules cimport is_unseen
from varloom.reader.native.vcf_values cimport (
    BARE, BEHIND, DONE, LEFT, MISFIT_COUNT, MISFIT_TYPE, NO_MEMORY, ODD_COUNT, UNKNOWN, Scalar, Values, append_numbers,
    append_plain, find, find_soon, is_dot, judge, near_text, ploidy_of, write_genotypes, write_list, write_scalar,
)
from varloom.reader.native.words cimport eight

import cython

if not varloom_numbers_ready():
    raise MemoryError

MARGIN = BEHIND
"""How many bytes must follow the lines of a chunk."""

cdef enum:
    MOST_LEFT = 4096    # lines left alone in one chunk before it is cut short
    MOST_UNKNOWN = 64
    EXPANDED = 1 << 30  # characters that all rows of one record may have


cdef inline bint is_empty(Token *token) noexcept nogil:
    return token.start == token.end


@cython.final
cdef class Chunk(Findings):
    """Some whole lines of a VCF and the columns that they fill.

    Args:
        layout: fields and columns.
        data: bytes that hold the lines; each ends with a line feed. At least MARGIN more bytes follow.
        start, end: where the lines stand in `data`.
        suspicious: whether the lines hold bytes that are neither printable ASCII nor tab nor line feed.
        most_rows: stop after the record that reaches so many rows.
        most_text: stop after about so many bytes, counting each line once for each of its rows.
    """

    cdef readonly int64_t start
    cdef readonly int64_t end
    cdef const char *limit
    cdef bint suspicious
    cdef int64_t most_rows
    cdef int64_t most_text
    cdef Column *column
    # The record at hand.
    cdef int64_t kept_rows
    cdef bint plain             # it has one ALT allele or none
    cdef bint is_ruled          # its annotations have rules of their own
    # Arrays that grow: ALT alleles and which of them have rows, values of a field, texts of samples.
    cdef int64_t *kept
    cdef int64_t kept_capacity
    cdef Values values
    cdef Token *cell
    cdef int64_t cell_capacity
    # What was found.
    cdef int64_t *stamp
    cdef int32_t *following
    cdef Formats formats

    def __cinit__(self, Layout layout not None, const unsigned char[::1] data not None, int64_t start, int64_t end,
                  bint suspicious, int64_t most_rows, int64_t most_text):
        if not 0 <= start <= end <= data.shape[0] - BEHIND or (end > start and data[end - 1] != 10):
            raise ValueError("the lines must stand within the data, be whole, and be followed by some bytes")
        self.limit = self.data + end
        self.start = self.end = start
        self.suspicious = suspicious
        self.most_rows = most_rows
        self.most_text = most_text
        self.column = <Column *>malloc(layout.slots * sizeof(Column))
        self.stamp = <int64_t *>calloc(layout.fields + 1, sizeof(int64_t))
        self.following = <int32_t *>calloc(layout.info_fields + 1, 2 * sizeof(int32_t))
        if self.column == NULL or self.stamp == NULL or self.following == NULL:
            raise MemoryError
        memcpy(self.column, layout.column, layout.slots * sizeof(Column))
        self.expect()
        with nogil:
            status = self.read_lines()
        if status == NO_MEMORY:
            raise MemoryError

    def __dealloc__(self):
        cdef int index, level
        cdef Column *column
        if self.column != NULL:
            for index in range(self.layout.slots):
                column = &self.column[index]
                free(column.leaf.valid)
                free(column.leaf.data)
                free(column.leaf.offsets)
                for level in range(2):
                    free(column.levels[level].valid)
                    free(column.levels[level].offsets)
        free_formats(&self.formats)
        free(self.column)
        free(self.stamp)
        free(self.following)
        free(self.kept)
        free(self.values.value)
        free(self.cell)

    @property
    def is_whole(self):
        """Whether all lines were read, rather than as many as one batch should have."""
        return self.data + self.end == self.limit

    def next(self, Layout layout not None, int64_t most_rows, int64_t most_text):
        """The lines that were not read."""
        return Chunk(layout, self.source, self.end, self.limit - self.data, self.suspicious, most_rows, most_text)

    def again(self, Layout layout not None, int64_t most_rows, int64_t most_text):
        """The same lines by another layout."""
        return Chunk(layout, self.source, self.start, self.limit - self.data, self.suspicious, most_rows, most_text)

    cdef void expect(self) noexcept nogil:
        """Guess the number of rows from the first line, so that columns seldom have to grow."""
        cdef const char *at = self.data + self.start
        cdef int64_t rows = (self.limit - at) * 9 // 8 // (find(at, self.limit, c"\n") + 1 - at)
        cdef int slot, level
        for slot in range(self.layout.slots):
            self.column[slot].leaf.expected = min(rows, self.most_rows)
            for level in range(self.column[slot].depth):
                self.column[slot].levels[level].expected = min(rows, self.most_rows)

    # --- lines ----------------------------------------------------------------------------------------------------

    cdef int read_lines(self) noexcept nogil:
        cdef const char *at = self.data + self.end
        cdef const char *stop
        cdef int64_t text = 0, unknown = 0, rows
        cdef int status
        while at < self.limit:
            stop = find(at, self.limit, c"\n")
            self.line = at
            self.line_end = stop
            self.lines += 1
            rows = self.rows
            self.journal_count = 0
            status = self.read_line(at, stop)
            if status == NO_MEMORY:
                return NO_MEMORY
            if status != DONE:
                self.take_back()
                if self.leave(status) < 0:
                    return NO_MEMORY
                unknown += status == UNKNOWN
                self.records += 1
            at = stop + 1
            self.end = at - self.data
            text += (at - self.line) * (self.rows - rows if self.rows > rows else 1)
            if (self.rows >= self.most_rows or text > self.most_text or self.left_count >= MOST_LEFT
                    or unknown >= MOST_UNKNOWN):
                break
        return DONE

    cdef int read_line(self, const char *at, const char *stop) noexcept nogil:
        cdef int status
        if self.suspicious:
            if stop > at and (stop - 1)[0] == c"\r":
                stop -= 1
            if not is_sound_text(at, stop):
                return LEFT
        if at == stop:
            self.notice(&self.rule[RULE_BLANK], at, 0, 0)
            return DONE
        status = self.read_record(at, stop)
        if status != DONE:
            return status
        self.rows += self.kept_rows
        self.records += 1
        return NO_MEMORY if self.is_ruled and self.add_ruled() < 0 else DONE

    cdef void take_back(self) noexcept nogil:
        """Undo what the record at hand has written."""
        cdef int64_t index
        for index in range(self.layout.slots):
            column_truncate(&self.column[index], self.rows)
        self.forget()

    # --- the fixed columns ----------------------------------------------------------------------------------------

    cdef int read_record(self, const char *at, const char *stop) noexcept nogil:
        cdef Token[9] token
        cdef int columns = self.layout.file_columns if self.layout.file_columns < 9 else 9
        cdef int index, status
        cdef int64_t position
        cdef double quality = 0
        cdef const char *end
        if at[0] == c"#":
            return LEFT
        for index in range(columns):
            end = find_soon(at, stop, c"\t")
            token[index].start = at
            token[index].end = end
            if end == stop and index < self.layout.file_columns - 1:
                return LEFT
            at = end + 1
        if self.layout.file_columns <= 9 and token[columns - 1].end != stop:
            return LEFT
        if is_empty(&token[0]) or is_empty(&token[1]) or is_empty(&token[3]) or is_empty(&token[4]):
            return LEFT
        if not self.is_position(&token[1], &position):
            return LEFT
        if self.check_place(token, position) < 0:
            return NO_MEMORY
        if is_empty(&token[2]) or is_empty(&token[5]) or is_empty(&token[6]):
            return LEFT
        if not is_dot(token[5].start, token[5].end) and not to_double(token[5].start, token[5].end, &quality):
            return LEFT
        status = self.split_alternates(&token[4], stop - token[0].start)
        if status != DONE:
            return status
        if self.write_fixed(token, position, quality) < 0:
            return NO_MEMORY
        if not is_dot(token[7].start, token[7].end):
            status = self.read_info(token[7].start, token[7].end)
        if status == DONE and self.layout.file_columns > 9:
            status = self.read_samples(&token[8], at, stop)
        if status == DONE and self.check_texts(token, quality) < 0:
            return NO_MEMORY
        return status

    cdef bint is_position(self, Token *token, int64_t *position) noexcept nogil:
        return is_digit(token.start[0]) and scan_int(token.start, token.end, position) == token.end

    cdef int split_alternates(self, Token *alt, int64_t line_size) noexcept nogil:
        """Find the ALT alleles, and those that get a row: all but those that stand for any other, beside real ones."""
        cdef const char *at = alt.start
        cdef const char *end
        cdef void *array
        cdef int64_t allele
        self.alternates = 0
        self.kept_rows = 0
        self.plain = True
        self.is_ruled = False
        if is_dot(alt.start, alt.end):
            return self.keep(0)
        while True:
            end = find_soon(at, alt.end, c",")
            if end == at:
                return LEFT
            array = room_for(self.allele, &self.allele_capacity, self.alternates + 1, sizeof(Token))
            if array == NULL:
                return NO_MEMORY
            self.allele = <Token *>array
            self.allele[self.alternates].start = at
            self.allele[self.alternates].end = end
            self.alternates += 1
            if not is_unseen(at, end):
                if at[0] == c"<":
                    self.is_ruled = self.layout.structural_rules
                if self.keep(self.alternates) != DONE:
                    return NO_MEMORY
            if end == alt.end:
                break
            at = end + 1
        self.plain = self.alternates == 1
        if self.alternates > 1 and self.alternates > EXPANDED // line_size:
            return LEFT
        if self.kept_rows == 0:
            for allele in range(1, self.alternates + 1):
                if self.keep(allele) != DONE:
                    return NO_MEMORY
        return DONE

    cdef int keep(self, int64_t allele) noexcept nogil:
        cdef void *array = room_for(self.kept, &self.kept_capacity, self.kept_rows + 1, sizeof(int64_t))
        if array == NULL:
            return NO_MEMORY
        self.kept = <int64_t *>array
        self.kept[self.kept_rows] = allele
        self.kept_rows += 1
        return DONE

    cdef int write_fixed(self, Token *token, int64_t position, double quality) noexcept nogil:
        cdef Column *column = self.column
        cdef int64_t row, allele, size
        cdef int failed = 0
        cdef const char *alt
        for row in range(self.kept_rows):
            allele = self.kept[row]
            failed |= leaf_int(&column[SLOT_RECORD].leaf, self.records + 1)
            failed |= leaf_int(&column[SLOT_LINE].leaf, self.lines)
            failed |= leaf_int(&column[SLOT_ALLELE].leaf, allele)
            failed |= near_text(&column[SLOT_CONTIG].leaf, token[0].start, token[0].end - token[0].start)
            failed |= leaf_int(&column[SLOT_POSITION].leaf, position)
            failed |= self.write_unless_dot(&column[SLOT_ID].leaf, token[2].start, token[2].end)
            failed |= near_text(&column[SLOT_REF].leaf, token[3].start, token[3].end - token[3].start)
            if allele:
                alt = self.allele[allele - 1].start
                size = self.allele[allele - 1].end - alt
                failed |= near_text(&column[SLOT_ALT].leaf, alt, size)
            else:
                failed |= leaf_pad(&column[SLOT_ALT].leaf, column[SLOT_ALT].leaf.length + 1)
            if is_dot(token[5].start, token[5].end):
                failed |= leaf_pad(&column[SLOT_QUAL].leaf, column[SLOT_QUAL].leaf.length + 1)
            else:
                failed |= leaf_double(&column[SLOT_QUAL].leaf, quality)
            failed |= self.write_unless_dot(&column[SLOT_FILTER].leaf, token[6].start, token[6].end)
        return failed

    cdef int write_unless_dot(self, Leaf *leaf, const char *start, const char *end) noexcept nogil:
        if is_dot(start, end):
            return leaf_pad(leaf, leaf.length + 1)
        return near_text(leaf, start, end - start)

    # --- fields ---------------------------------------------------------------------------------------------------

    cdef int write_row(self, Field *field, int slot, int depth, int64_t allele) noexcept nogil:
        """Append the values that were judged to the columns at `slot`, as a row of this ALT allele has them.

        `depth` is that of the list that holds them: 0 for a list of values, 1 for one within a list of samples.
        """
        cdef Column *column = &self.column[slot]
        cdef Leaf *leaf = &column.leaf
        cdef bint percent = self.layout.percent_encoded
        cdef Scalar *value = self.values.value
        if field.arity == ARITY_ONE:
            return write_scalar(leaf, field, value, percent)
        if field.arity == ARITY_ALTERNATE:
            return write_scalar(leaf, field, &value[allele - 1 if allele else 0], percent)
        if field.arity == ARITY_ALLELES:
            if write_scalar(leaf, field, value, percent) < 0:
                return -1
            leaf = &self.column[slot + 1].leaf
            if allele:
                return write_scalar(leaf, field, &value[allele], percent)
            return leaf_pad(leaf, leaf.length + 1)
        if field.arity == ARITY_GENOTYPES:
            return write_genotypes(leaf, &column.levels[depth], field, &self.values, allele,
                                   ploidy_of(self.alternates + 1, self.values.count), percent)
        return write_list(leaf, &column.levels[depth], field, &self.values, percent)

    cdef int put(self, int32_t index, int slot, const char *start, const char *end, int64_t sample) noexcept nogil:
        """Write a field of one record into its columns, or its text where it does not fit. DONE or NO_MEMORY."""
        cdef Field *field = &self.layout.field[index]
        cdef int64_t row
        cdef int status, columns = field.stride - 1, which
        if is_dot(start, end) and field.type != TYPE_FLAG:
            return DONE
        if field.arity == ARITY_LIST and self.kept_rows == 1 and self.put_numbers(field, index, slot, start, end, sample):
            return DONE
        status = judge(&self.values, field, self.alternates, start, end)
        if status == NO_MEMORY:
            return NO_MEMORY
        if status != DONE:
            self.find_field(index, status, start, end, sample)
        if status == MISFIT_TYPE or status == MISFIT_COUNT:
            if field.type == TYPE_FLAG and self.put_true(slot) != DONE:
                return NO_MEMORY
            return self.put_text(slot + columns, start, end)
        for which in range(columns):
            if column_pad(&self.column[slot + which], self.rows) < 0:
                return NO_MEMORY
        for row in range(self.kept_rows):
            if self.write_row(field, slot, 0, self.kept[row]) < 0:
                return NO_MEMORY
        return DONE

    cdef bint put_numbers(self, Field *field, int32_t index, int slot, const char *start, const char *end,
                          int64_t sample) noexcept nogil:
        """Write a list of plain numbers into the one row of the record; False when it takes more than that."""
        cdef Column *column = &self.column[slot]
        cdef int64_t count
        if (field.type != TYPE_INTEGER and field.type != TYPE_FLOAT) or column_pad(column, self.rows) < 0:
            return False
        count = append_numbers(&column.leaf, &column.levels[0], field.type == TYPE_INTEGER, start, end)
        if field.count and count > 0 and count != field.count:
            self.find_field(index, ODD_COUNT, start, end, sample)
        return count > 0

    cdef int put_text(self, int slot, const char *start, const char *end) noexcept nogil:
        """Keep a text as it stands, in all rows of the record."""
        cdef int64_t row
        if column_pad(&self.column[slot], self.rows) < 0:
            return NO_MEMORY
        for row in range(self.kept_rows):
            if near_text(&self.column[slot].leaf, start, end - start) < 0:
                return NO_MEMORY
        return DONE

    cdef int put_true(self, int slot) noexcept nogil:
        cdef int64_t row
        if column_pad(&self.column[slot], self.rows) < 0:
            return NO_MEMORY
        for row in range(self.kept_rows):
            if leaf_true(&self.column[slot].leaf) < 0:
                return NO_MEMORY
        return DONE

    cdef const char *put_plain(self, Field *field, int slot, const char *start, const char *end,
                               char behind) noexcept nogil:
        """Write a plain field into the one row of a record; where it ends, or NULL when it takes more than that.

        `behind` is the letter that alone may follow it.
        """
        cdef Column *column = &self.column[slot]
        if not self.plain or column_pad(column, self.rows) < 0:
            return NULL
        if field.arity == ARITY_ALLELES and column_pad(column + 1, self.rows) < 0:
            return NULL
        return append_plain(column, 0, field, self.alternates, start, end, behind)

    # --- INFO -----------------------------------------------------------------------------------------------------

    cdef int read_info(self, const char *at, const char *end) noexcept nogil:
        """Write all entries of the INFO column."""
        cdef int32_t last = self.layout.info_fields, index
        cdef Field *field
        cdef const char *stop
        cdef int status
        cdef int64_t record = self.records + 1
        while True:
            index = self.predict(last, at, end) if self.layout.info_fields else -1
            if index < 0:
                stop = at
                while stop < end and stop[0] != c"=" and stop[0] != c";":
                    stop += 1
                if stop == at:
                    if stop < end and stop[0] == c"=":
                        return LEFT
                    self.notice(&self.rule[RULE_INFO_EMPTY], at, 0, 0)
                    if stop == end:
                        return DONE
                    at = stop + 1
                    continue
                index = self.layout.find(True, at, stop - at)
                if index < 0:
                    return UNKNOWN
                self.following[2 * last + 1] = self.following[2 * last]
                self.following[2 * last] = index
            field = &self.layout.field[index]
            if self.stamp[index] == record:
                return LEFT
            self.stamp[index] = record
            last = index
            at += field.key_size
            if at == end or at[0] == c";":
                status = self.put_bare(field, index, at)
                stop = at
            else:
                at += 1
                stop = self.put_plain(field, field.slot, at, end, c";")
                status = DONE
                if stop == NULL:
                    stop = find_soon(at, end, c";")
                    status = self.put(index, field.slot, at, stop, 0)
            if status != DONE:
                return status
            if stop == end:
                return DONE
            at = stop + 1

    cdef int32_t predict(self, int32_t last, const char *at, const char *end) noexcept nogil:
        """The field that followed `last` in one of the records before, if its key stands at `at`; else -1."""
        cdef uint64_t word = eight(at)
        cdef int32_t *index = &self.following[2 * last]
        cdef int32_t second
        if self.is_key(index[0], word, at, end):
            return index[0]
        if self.is_key(index[1], word, at, end):
            second = index[1]
            index[1] = index[0]
            index[0] = second
            return second
        return -1

    cdef bint is_key(self, int32_t index, uint64_t word, const char *at, const char *end) noexcept nogil:
        """Whether the key of this field stands at `at`, where the eight bytes are `word`."""
        cdef Field *field = &self.layout.field[index]
        cdef const char *after = at + field.key_size
        if (word ^ field.head) & field.head_mask or after > end:
            return False
        if field.key_size > 8 and not goes_on(field, at + 8):
            return False
        return after == end or after[0] == c"=" or after[0] == c";"

    cdef int put_bare(self, Field *field, int32_t index, const char *at) noexcept nogil:
        """Write an entry without a value."""
        if field.type == TYPE_FLAG:
            return self.put_true(field.slot)
        self.find_field(index, BARE, at, at, 0)
        return self.put_text(field.slot + field.stride - 1, at, at)

    # --- samples --------------------------------------------------------------------------------------------------

    cdef int read_samples(self, Token *text, const char *at, const char *stop) noexcept nogil:
        cdef Format *format = format_of(&self.formats, self.layout, text)
        if format == NULL:
            return NO_MEMORY
        if format.status != DONE:
            return format.status
        self.is_ruled = self.is_ruled or format.ruled
        if self.layout.gathered:
            return self.read_gathered(format, at, stop)
        return self.read_columns(format, at, stop)

    cdef int read_columns(self, Format *format, const char *at, const char *stop) noexcept nogil:
        """Write the samples into a column for each sample and key."""
        cdef int sample, status
        cdef const char *end
        for sample in range(self.layout.samples):
            if at > stop:
                return LEFT
            end = find(at, stop, c"\t")
            if end == at:
                return LEFT
            if not is_dot(at, end):
                status = self.read_sample(format, sample, at, end)
                if status != DONE:
                    return status
            at = end + 1
        return DONE if at == stop + 1 else LEFT

    cdef int read_sample(self, Format *format, int sample, const char *at, const char *end) noexcept nogil:
        """Write one sample; trailing values may be left out."""
        cdef int32_t index
        cdef int slot, status, place
        cdef const char *stop
        cdef Field *field
        for place in range(format.count):
            index = format.fields[place]
            field = &self.layout.field[index]
            slot = field.slot + sample * field.stride
            stop = self.put_plain(field, slot, at, end, c":")
            if stop == NULL:
                stop = find_soon(at, end, c":")
                status = self.put(index, slot, at, stop, sample)
                if status != DONE:
                    return status
            if stop == end:
                return DONE
            at = stop + 1
        return LEFT

    cdef int read_gathered(self, Format *format, const char *at, const char *stop) noexcept nogil:
        """Write the samples into one list for each key, with an entry for each sample."""
        cdef int sample, place, status
        cdef int64_t row, samples = self.layout.samples
        cdef const char *end
        cdef void *array = room_for(self.cell, &self.cell_capacity, samples * (format.count + 1), sizeof(Token))
        if array == NULL:
            return NO_MEMORY
        self.cell = <Token *>array
        for sample in range(self.layout.samples):
            if at > stop:
                return LEFT
            end = find_soon(at, stop, c"\t")
            if end == at or not self.split_sample(format.count, sample, at, end):
                return LEFT
            at = end + 1
        if at != stop + 1:
            return LEFT
        for place in range(format.count):
            for row in range(self.kept_rows):
                status = self.gather(format.fields[place], &self.cell[place * samples], row)
                if status != DONE:
                    return status
        return DONE

    cdef bint split_sample(self, int keys, int sample, const char *at, const char *end) noexcept nogil:
        """Note where each value of a sample stands; those left out are empty. Whether there is a key for each."""
        cdef const char *stop
        cdef int key
        cdef Token *cell
        for key in range(keys):
            cell = &self.cell[<int64_t>key * self.layout.samples + sample]
            cell.start = at
            if at > end:
                cell.end = NULL
                continue
            stop = at
            while stop < end and stop[0] != c":":
                stop += 1
            cell.end = stop
            at = stop + 1
        return at > end or (keys == 0 and is_dot(at, end))

    cdef int gather(self, int32_t index, Token *cell, int64_t row) noexcept nogil:
        """Write one field of all samples as the list of one row."""
        cdef Field *field = &self.layout.field[index]
        cdef int columns = field.stride - 1, which, status
        cdef bint lists = field.arity == ARITY_GENOTYPES or field.arity == ARITY_LIST
        cdef int64_t sample
        cdef int64_t allele = self.kept[row]
        cdef Column *column = &self.column[field.slot]
        for which in range(columns):
            if column_pad(&column[which], self.rows + row) < 0:
                return NO_MEMORY
        for sample in range(self.layout.samples):
            status = DONE
            if cell[sample].end != NULL and not is_dot(cell[sample].start, cell[sample].end):
                if self.plain and append_plain(column, 1, field, self.alternates, cell[sample].start, cell[sample].end,
                                               c":") != NULL:
                    continue
                status = judge(&self.values, field, self.alternates, cell[sample].start, cell[sample].end)
                if status == NO_MEMORY:
                    return NO_MEMORY
                if status != DONE and row == 0:
                    self.find_field(index, status, cell[sample].start, cell[sample].end, sample)
                if status != MISFIT_TYPE and status != MISFIT_COUNT:
                    if self.write_row(field, field.slot, 1, allele) < 0:
                        return NO_MEMORY
                    continue
                if self.gather_text(&column[columns], &cell[sample], row, sample) < 0:
                    return NO_MEMORY
            for which in range(columns):
                if lists:
                    if level_pad(&column[which].levels[1], column[which].levels[1].length + 1) < 0:
                        return NO_MEMORY
                elif leaf_pad(&column[which].leaf, column[which].leaf.length + 1) < 0:
                    return NO_MEMORY
        for which in range(columns):
            if level_close(&column[which].levels[0],
                           column[which].levels[1].length if lists else column[which].leaf.length) < 0:
                return NO_MEMORY
        return self.close_texts(&column[columns])

    cdef int gather_text(self, Column *column, Token *cell, int64_t row, int64_t sample) noexcept nogil:
        """Keep the text of one sample in the list of its row."""
        cdef int64_t first
        if column_pad(column, self.rows + row) < 0:
            return -1
        first = column.levels[0].offsets[column.levels[0].length] if column.levels[0].capacity else 0
        if leaf_pad(&column.leaf, first + sample) < 0:
            return -1
        return near_text(&column.leaf, cell.start, cell.end - cell.start)

    cdef int close_texts(self, Column *column) noexcept nogil:
        """End the list of texts of a row, if there are any."""
        cdef int64_t first = column.levels[0].offsets[column.levels[0].length] if column.levels[0].capacity else 0
        if column.leaf.length == first:
            return DONE
        if leaf_pad(&column.leaf, first + self.layout.samples) < 0 or level_close(&column.levels[0],
                                                                                  column.leaf.length) < 0:
            return NO_MEMORY
        return DONE

    # --- what was read --------------------------------------------------------------------------------------------

    def column_data(self, int slot, int64_t added=0, bint filled=False):
        """A column's data for Arrow, which from then on owns them; None when nothing was written.

        Args:
            slot: the column.
            added: what is added to each value of a column of 64-bit numbers.
            filled: of a column of bools, whether what was not written is false rather than missing.

        Returns:
            `(wide, [(length, missing, validity, buffers) of each level of lists and then of the values])`.
        """
        cdef Column *column = &self.column[slot]
        cdef int level
        cdef int64_t index
        cdef int64_t *whole = <int64_t *>column.leaf.data
        if column_pad(column, self.rows) < 0:
            raise MemoryError
        if column.leaf.present == 0 and column.depth == 0 and not filled:
            return None
        if column.depth and column.levels[0].present == 0:
            return None
        # Arrow takes no buffer without an address, however short.
        if leaf_reserve(&column.leaf, 1) < 0 or (column.leaf.kind == KIND_TEXT
                                                 and leaf_text_room(&column.leaf, 0) == NULL):
            raise MemoryError
        for level in range(column.depth):
            if level_reserve(&column.levels[level], 1) < 0:
                raise MemoryError
        if added and column.leaf.wide:
            for index in range(column.leaf.length):
                whole[index] += added
        parts = [level_data(&column.levels[level]) for level in range(column.depth)]
        parts.append(leaf_data(&column.leaf, filled))
        return column.leaf.wide, parts
