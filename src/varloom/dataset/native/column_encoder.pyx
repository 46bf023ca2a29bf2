# cython: language_level=3
"""The pages of a column of Parquet, made of Arrow's arrays without Python's lock.

A column is told by its leaves: itself, or the elements of its lists, or each field of the structures in its lists.
Pages are of version 1, which is repetition levels, definition levels, values:
https://parquet.apache.org/docs/file-format/data-pages/. How pages are compressed, described and put into a file is the
matter of varloom.dataset.parquet_file.
"""

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

from varloom.dataset.native.arrow_arrays cimport ArrowArray, array_of
from varloom.dataset.native.deltas cimport put_deltas
from varloom.dataset.native.dictionaries cimport (
    Dictionary, Text, dictionary_empty, dictionary_free, number_index, text_index,
)
from varloom.dataset.native.growing cimport Bytes, append_bits, bit_at, count_bits, put_word, release, reserve
from varloom.dataset.native.leaf_values cimport (
    Piece, Span, Walk, append_numbers, append_sizes, extended, next_span, number_at, put_bools,
    put_bytes_of_texts, put_numbers, put_text,
)
from varloom.dataset.native.list_levels cimport HIDDEN, Levels, append_lists, append_rows
from varloom.dataset.native.packed_runs cimport bits_for, put_bit_runs, put_repeated, put_runs

PLAIN, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, RLE_DICTIONARY = 0, 5, 6, 8
BOOL, NUMBER, TEXT = 0, 1, 2

cdef enum:
    _BOOL = 0
    _NUMBER = 1
    _TEXT = 2
    _PLAIN = 0
    _DELTAS = 5
    _LENGTHS = 6
    _DICTIONARY = 8
    NO_MEMORY = -1
    TOO_MANY = -3
    PAGE_BYTES = 64 * 1024      # small pages let a query leave out most of a row group undecoded
    PAGE_ROWS = 20_480
    DICTIONARY_BYTES = 1 << 20  # of a dictionary, at most: readers hold it whole

cdef const char *NOTHING = b""

cdef struct Page:
    int64_t end     # in the bytes of all pages
    int64_t slots


class HiddenElementsError(ValueError):
    """A list that is missing has elements all the same."""


cdef class EncodedLeaf:
    """A leaf as it was encoded. Its bytes are the encoder's, and good until that encodes the next leaf.

    Attributes:
        encoding: that of the values.
        dictionary: the distinct values in the plain encoding, or None.
        distinct: how many these are.
        pages: for each page its bytes and the number of its slots.
        slots: how many there are in all; missing values, missing lists and empty lists have a slot, too.
        missing: how many slots have no value.
        extremes: the least and the greatest value as bytes; None when nobody asked or there is no value.
    """

    cdef readonly int encoding
    cdef readonly object dictionary
    cdef readonly int64_t distinct
    cdef readonly list pages
    cdef readonly int64_t slots
    cdef readonly int64_t missing
    cdef readonly object extremes


cdef class ColumnEncoder:
    """Encodes one column after another. Its memory stays with it, for the next column."""

    # The column.
    cdef list _batches
    cdef int _column, _depth
    cdef int64_t _rows
    cdef Levels _top, _between, _levels
    cdef Bytes _row_starts      # where in the levels each row begins, and where the last one ends
    # The leaf that is being encoded: its slots below all lists, and which of them have a value.
    cdef int _kind, _width, _encoding
    cdef bint _structs, _unsigned, _extremes_wanted
    cdef int64_t _slots, _values, _text_bytes
    cdef Bytes _pieces, _present, _entries
    cdef const uint8_t *_holes      # a bit for each slot that has a value; NULL where all have one
    cdef const uint8_t *_gaps       # a bit for each slot that has a structure; NULL where all have one
    cdef Dictionary _known
    cdef Bytes _indices, _distinct, _numbers, _definition
    cdef int64_t _distinct_bytes
    cdef bint _some_extremes
    cdef int64_t _least, _most
    cdef Text _first_text, _last_text
    # What it becomes.
    cdef Bytes _body, _pages

    def __dealloc__(self):
        dictionary_free(&self._known)
        release_levels(&self._top)
        release_levels(&self._between)
        release_levels(&self._levels)
        release(&self._row_starts)
        release(&self._pieces)
        release(&self._present)
        release(&self._entries)
        release(&self._indices)
        release(&self._distinct)
        release(&self._numbers)
        release(&self._definition)
        release(&self._body)
        release(&self._pages)

    # --- the column ---------------------------------------------------------------------------------------------------

    def take(self, list batches, int column, int depth):
        """Take the next column.

        Args:
            batches: the capsules of record batches.
            column: which of their columns.
            depth: below how many layers of lists its leaves lie: 0, 1 or 2.

        Raises:
            HiddenElementsError: a list that is missing has elements.
        """
        cdef const ArrowArray *array
        cdef int told
        if not 0 <= depth <= 2:
            raise ValueError("a dataset has no lists that deep in each other")
        self._batches, self._column, self._depth, self._rows = batches, column, depth, 0
        self._levels.repetition.length = self._levels.definition.length = 0
        for batch in batches:
            array = array_of(batch, column)
            self._rows += array.length
            if depth and array.length:
                with nogil:
                    told = self._take_lists(array)
                if told == HIDDEN:
                    raise HiddenElementsError
                if told < 0:
                    raise MemoryError
        if self._find_rows() < 0:
            raise MemoryError

    cdef int _take_lists(self, const ArrowArray *array) noexcept nogil:
        cdef const int32_t *offsets = <const int32_t *>array.buffers[1]
        cdef const ArrowArray *inner = array.children[0]
        cdef Levels *out = &self._levels if self._depth == 1 else &self._between
        cdef int told
        self._top.repetition.length = self._top.definition.length = 0
        self._between.repetition.length = self._between.definition.length = 0
        if append_rows(&self._top, array.length) < 0:
            return NO_MEMORY
        told = append_lists(out, &self._top, array, array.offset, 1)
        if told < 0 or self._depth == 1:
            return told
        return append_lists(&self._levels, &self._between, inner, inner.offset + offsets[array.offset], 2)

    cdef int _find_rows(self) noexcept nogil:
        """A row begins where nothing is repeated."""
        cdef const uint8_t *repetition = <const uint8_t *>self._levels.repetition.data
        cdef int64_t slots = self._levels.repetition.length
        cdef int64_t row = 0
        cdef int64_t *starts
        cdef int64_t index
        self._row_starts.length = 0
        if self._depth == 0:
            return 0
        if reserve(&self._row_starts, (self._rows + 1) * sizeof(int64_t)) < 0:
            return NO_MEMORY
        starts = <int64_t *>self._row_starts.data
        for index in range(slots):
            starts[row] = index
            row += repetition[index] == 0
        starts[row] = slots
        return 0

    # --- a leaf -------------------------------------------------------------------------------------------------------

    def encode(self, *, int field, int kind, int width, bint unsigned, bint dictionary, int encoding, bint extremes):
        """Encode a leaf of the column.

        Args:
            field: which field of the structures; -1 where the leaf is none.
            kind: BOOL, NUMBER or TEXT.
            width: the bytes of a number: 4 or 8.
            unsigned: whether its lowest value is 0; the extremes depend on that.
            dictionary: whether to number the distinct values, if these are not too many.
            encoding: of the values without a dictionary: PLAIN, DELTA_BINARY_PACKED for whole numbers, or
                DELTA_LENGTH_BYTE_ARRAY for texts.
            extremes: whether to look for the least and the greatest value.
        """
        cdef int told
        self._take_leaf(field, kind, width)
        self._unsigned, self._encoding, self._extremes_wanted = unsigned, encoding, extremes
        with nogil:
            told = self._encode(dictionary)
        if told < 0:
            raise MemoryError
        return self._told()

    def count_distinct(self, *, int field, int kind, int width, most):
        """How many of a leaf's values, among its first `most` slots or all, are distinct, and how many there are.

        The first number is None when there are too many for a dictionary. The arguments are those of `encode`.
        """
        cdef int told
        self._take_leaf(field, kind, width)
        if most is not None and most < self._slots:
            self._slots = most
        with nogil:
            self._count_values()
            told = self._number_distinct() if self._values else 0
        if told == NO_MEMORY:
            raise MemoryError
        return None if told == TOO_MANY else self._known.count if self._values else 0, self._values

    cdef int _take_leaf(self, int field, int kind, int width) except -1:
        if kind == _NUMBER and width != 4 and width != 8:
            raise ValueError("numbers have 4 or 8 bytes")
        self._kind, self._width, self._structs = kind, width, field >= 0
        self._slots = self._text_bytes = 0
        self._pieces.length = self._present.length = self._entries.length = 0
        self._holes = self._gaps = NULL
        for batch in self._batches:
            if self._take_piece(array_of(batch, self._column), field) < 0:
                raise MemoryError
        return 0

    cdef int _take_piece(self, const ArrowArray *array, int field) noexcept:
        """Note where the values of an array lie, and which of them are there."""
        cdef int64_t first = array.offset
        cdef int64_t slots = array.length
        cdef const int32_t *offsets
        cdef int layer
        for layer in range(self._depth):
            if slots == 0:
                return 0
            offsets = <const int32_t *>array.buffers[1]
            slots, first = offsets[first + slots] - offsets[first], offsets[first]
            array = array.children[0]
            first += array.offset
        if slots == 0:
            return 0
        if self._structs:
            if self._take_presence(&self._entries, &self._gaps, array, first, slots) < 0:
                return NO_MEMORY
            array = array.children[field]
            first += array.offset
        if self._take_presence(&self._present, &self._holes, array, first, slots) < 0:
            return NO_MEMORY
        self._slots += slots
        return self._take_values(array, first, slots)

    cdef int _take_presence(
        self, Bytes *bits, const uint8_t **some_missing, const ArrowArray *array, int64_t first, int64_t slots
    ) noexcept:
        cdef const uint8_t *valid = <const uint8_t *>array.buffers[0]
        if append_bits(bits, self._slots, valid, first, slots) < 0:
            return NO_MEMORY
        if valid != NULL or some_missing[0] != NULL:
            some_missing[0] = <const uint8_t *>bits.data
        return 0

    cdef int _take_values(self, const ArrowArray *array, int64_t first, int64_t slots) noexcept:
        cdef Piece *piece
        if reserve(&self._pieces, sizeof(Piece)) < 0:
            return NO_MEMORY
        piece = <Piece *>(self._pieces.data + self._pieces.length)
        piece.values = <const char *>array.buffers[2 if self._kind == _TEXT else 1]
        if piece.values == NULL:
            piece.values = NOTHING
        piece.offsets = <const int32_t *>array.buffers[1]
        piece.first, piece.slots = first, slots
        if self._kind == _TEXT:
            self._text_bytes += piece.offsets[first + slots] - piece.offsets[first]
        self._pieces.length += sizeof(Piece)
        return 0

    cdef int _encode(self, bint dictionary) noexcept nogil:
        cdef int told = TOO_MANY
        self._count_values()
        self._some_extremes = False
        if self._values == 0:
            self._encoding = _PLAIN
        elif dictionary:
            told = self._number_distinct()
        if told == 0:
            self._encoding = _DICTIONARY
            told = self._put_distinct()
        return NO_MEMORY if told == NO_MEMORY else self._put_pages()

    cdef void _count_values(self) noexcept nogil:
        cdef int64_t index
        self._values = self._slots
        if self._gaps != NULL:
            for index in range(self._present.length):
                self._present.data[index] &= self._entries.data[index]
            self._holes = <const uint8_t *>self._present.data
        if self._holes != NULL:
            self._values = count_bits(self._holes, 0, self._slots)
            if self._values == self._slots:
                self._holes = NULL

    # --- the dictionary -----------------------------------------------------------------------------------------------

    cdef int _number_distinct(self) noexcept nogil:
        """Number the distinct values: 0, TOO_MANY or NO_MEMORY."""
        cdef Walk walk
        cdef Span span
        cdef int64_t slot = 0
        cdef int told = 0
        self._indices.length = self._distinct_bytes = 0
        if dictionary_empty(&self._known) < 0 or reserve(&self._indices, self._values * sizeof(uint32_t)) < 0:
            return NO_MEMORY
        walk.piece, walk.begins = <const Piece *>self._pieces.data, 0
        while told == 0 and next_span(&walk, &span, slot, self._slots):
            told = self._number_texts(&span) if self._kind == _TEXT else self._number_numbers(&span)
            slot += span.slots
        return told

    cdef int _number_numbers(self, const Span *span) noexcept nogil:
        cdef uint32_t *indices = <uint32_t *>(self._indices.data + self._indices.length)
        cdef const uint8_t *holes = self._holes
        cdef const char *values = span.piece.values
        cdef int width = self._width
        cdef int64_t count = 0
        cdef int64_t index, found
        for index in range(span.slots):
            if holes == NULL or bit_at(holes, span.slot + index):
                found = number_index(&self._known, number_at(values, span.first + index, width))
                if found < 0:
                    return NO_MEMORY
                indices[count] = <uint32_t>found
                count += 1
        self._indices.length += count * sizeof(uint32_t)
        return TOO_MANY if self._known.count * width > DICTIONARY_BYTES else 0

    cdef int _number_texts(self, const Span *span) noexcept nogil:
        cdef uint32_t *indices = <uint32_t *>(self._indices.data + self._indices.length)
        cdef const uint8_t *holes = self._holes
        cdef const char *values = span.piece.values
        cdef const int32_t *offsets = span.piece.offsets + span.first
        cdef int64_t count = 0
        cdef int64_t index, found, known
        for index in range(span.slots):
            if holes == NULL or bit_at(holes, span.slot + index):
                known = self._known.count
                found = text_index(&self._known, values + offsets[index], offsets[index + 1] - offsets[index])
                if found < 0:
                    return NO_MEMORY
                indices[count] = <uint32_t>found
                count += 1
                if found == known:
                    self._distinct_bytes += 4 + offsets[index + 1] - offsets[index]
                    if self._distinct_bytes > DICTIONARY_BYTES:
                        return TOO_MANY
        self._indices.length += count * sizeof(uint32_t)
        return 0

    cdef int _put_distinct(self) noexcept nogil:
        """The page of the dictionary, and the extremes, which are among the distinct values."""
        cdef const Text *texts = <const Text *>self._known.entries.data
        cdef const uint64_t *numbers = <const uint64_t *>self._known.entries.data
        cdef int64_t index
        self._distinct.length = 0
        if reserve(&self._distinct, self._distinct_bytes + self._known.count * sizeof(uint64_t)) < 0:
            return NO_MEMORY
        for index in range(self._known.count):
            if self._kind == _TEXT:
                put_text(&self._distinct, texts[index].at, texts[index].size)
                if self._extremes_wanted:
                    self._see_text(&texts[index])
            else:
                put_word(&self._distinct, numbers[index], self._width)
                if self._extremes_wanted:
                    self._see_number(extended(numbers[index], self._width))
        return 0

    # --- the extremes -------------------------------------------------------------------------------------------------

    cdef inline void _see_number(self, int64_t number) noexcept nogil:
        if not self._some_extremes:
            self._least = self._most = number
            self._some_extremes = True
        elif self._unsigned:
            if <uint64_t>number < <uint64_t>self._least:
                self._least = number
            elif <uint64_t>number > <uint64_t>self._most:
                self._most = number
        elif number < self._least:
            self._least = number
        elif number > self._most:
            self._most = number

    cdef void _see_text(self, const Text *text) noexcept nogil:
        if not self._some_extremes:
            self._first_text = self._last_text = text[0]
            self._some_extremes = True
        elif comes_before(text, &self._first_text):
            self._first_text = text[0]
        elif comes_before(&self._last_text, text):
            self._last_text = text[0]

    cdef void _see_texts(self, const Span *span) noexcept nogil:
        cdef const int32_t *offsets = span.piece.offsets + span.first
        cdef Text text
        cdef int64_t index
        for index in range(span.slots):
            if self._holes == NULL or bit_at(self._holes, span.slot + index):
                text.at, text.size = span.piece.values + offsets[index], offsets[index + 1] - offsets[index]
                self._see_text(&text)

    # --- pages --------------------------------------------------------------------------------------------------------

    cdef int _put_pages(self) noexcept nogil:
        """All pages, each of the same number of rows; one page of nothing where there are no rows."""
        cdef int64_t rows = self._rows_of_page()
        cdef int64_t row = 0
        cdef int64_t level = 0
        cdef int64_t slot = 0
        cdef int64_t value = 0
        cdef int64_t begins, slots, values
        cdef Walk walk
        walk.piece, walk.begins = <const Piece *>self._pieces.data, 0
        self._body.length = self._pages.length = 0
        while True:
            begins = level
            row = row + rows if rows < self._rows - row else self._rows
            level = (<const int64_t *>self._row_starts.data)[row] if self._depth else row
            slots = self._slots_of_page(begins, level)
            values = slots if self._holes == NULL else count_bits(self._holes, slot, slots)
            if self._put_levels(begins, level, slot, slots) < 0:
                return NO_MEMORY
            if self._put_values(&walk, slot, slots, value, values) < 0:
                return NO_MEMORY
            if self._close_page(level - begins) < 0:
                return NO_MEMORY
            slot, value = slot + slots, value + values
            if row == self._rows:
                return 0

    cdef int64_t _rows_of_page(self) noexcept nogil:
        """How many rows fill a page, at a guess; whole bytes of bits."""
        cdef int64_t guess = self._levels.definition.length >> 1
        cdef int64_t rows = PAGE_ROWS
        if self._encoding == _DICTIONARY:
            guess += self._values * bits_for(self._known.count) >> 3
        elif self._encoding == _DELTAS:
            guess += self._values * self._width >> 1
        elif self._kind == _TEXT:
            guess += self._text_bytes + 4 * self._values
        elif self._kind == _NUMBER:
            guess += self._values * self._width
        if guess > PAGE_BYTES:
            rows = <int64_t>(<double>PAGE_BYTES * self._rows / guess)
        return 8 if rows < 8 else PAGE_ROWS if rows > PAGE_ROWS else rows & ~7

    cdef int64_t _slots_of_page(self, int64_t begins, int64_t ends) noexcept nogil:
        """How many slots lie below all lists."""
        cdef const uint8_t *definition = <const uint8_t *>self._levels.definition.data
        cdef int64_t found = 0
        cdef int64_t index
        if self._depth == 0:
            return ends - begins
        for index in range(begins, ends):
            found += definition[index] == 2 * self._depth
        return found

    cdef int _close_page(self, int64_t slots) noexcept nogil:
        cdef Page *page
        if reserve(&self._pages, sizeof(Page)) < 0:
            return NO_MEMORY
        page = <Page *>(self._pages.data + self._pages.length)
        page.end, page.slots = self._body.length, slots
        self._pages.length += sizeof(Page)
        return 0

    # --- levels -------------------------------------------------------------------------------------------------------

    cdef int _put_levels(self, int64_t begins, int64_t ends, int64_t slot, int64_t slots) noexcept nogil:
        cdef int64_t size_at
        if self._depth:
            size_at = self._body.length
            if self._open_levels() < 0 or put_runs(
                &self._body, <const uint8_t *>self._levels.repetition.data + begins, ends - begins,
                bits_for(self._depth)
            ) < 0:
                return NO_MEMORY
            self._close_levels(size_at)
        size_at = self._body.length
        if self._open_levels() < 0 or self._put_definition(begins, ends, slot, slots) < 0:
            return NO_MEMORY
        self._close_levels(size_at)
        return 0

    cdef int _open_levels(self) noexcept nogil:
        """Leave room for the size of levels, which comes before them."""
        if reserve(&self._body, 8) < 0:
            return NO_MEMORY
        put_word(&self._body, 0, 4)
        return 0

    cdef void _close_levels(self, int64_t size_at) noexcept nogil:
        cdef uint32_t size = <uint32_t>(self._body.length - size_at - 4)
        memcpy(self._body.data + size_at, &size, 4)

    cdef int _put_definition(self, int64_t begins, int64_t ends, int64_t slot, int64_t slots) noexcept nogil:
        cdef int deepest = 2 * self._depth + self._structs + 1
        if self._depth == 0 and not self._structs:
            if slots == 0:
                return 0
            if self._holes == NULL:
                return put_repeated(&self._body, 1, slots, 1)
            return put_bit_runs(&self._body, self._holes + (slot >> 3), slots)
        if self._define(begins, ends, slot) < 0:
            return NO_MEMORY
        return put_runs(&self._body, <const uint8_t *>self._definition.data, ends - begins, bits_for(deepest))

    cdef int _define(self, int64_t begins, int64_t ends, int64_t slot) noexcept nogil:
        """The levels of the lists, and of what is there below them."""
        cdef const uint8_t *above = <const uint8_t *>self._levels.definition.data
        cdef int lowest = 2 * self._depth
        cdef int64_t index
        cdef uint8_t *levels
        cdef int level
        self._definition.length = 0
        if reserve(&self._definition, ends - begins) < 0:
            return NO_MEMORY
        levels = <uint8_t *>self._definition.data
        for index in range(begins, ends):
            level = above[index] if self._depth else 0
            if level == lowest:
                if self._structs:
                    level += self._gaps == NULL or bit_at(self._gaps, slot)
                level += self._holes == NULL or bit_at(self._holes, slot)
                slot += 1
            levels[index - begins] = <uint8_t>level
        return 0

    # --- values -------------------------------------------------------------------------------------------------------

    cdef int _put_values(self, Walk *walk, int64_t slot, int64_t slots, int64_t value, int64_t values) noexcept nogil:
        cdef const uint32_t *indices = <const uint32_t *>self._indices.data
        if self._encoding == _DICTIONARY:
            return self._put_indices(indices + value, values)
        if self._encoding == _DELTAS:
            return self._put_differences(walk, slot, slots)
        if self._encoding == _LENGTHS:
            return self._put_texts(walk, slot, slots)
        return self._put_plain(walk, slot, slots)

    cdef int _put_indices(self, const uint32_t *indices, int64_t count) noexcept nogil:
        """Of "Dictionary Encoding (PLAIN_DICTIONARY = 2 and RLE_DICTIONARY = 8)": the width of the places, and the places."""
        cdef int width = bits_for(self._known.count - 1)
        width = width if width else 1
        if reserve(&self._body, 8) < 0:
            return NO_MEMORY
        put_word(&self._body, width, 1)
        return put_runs(&self._body, indices, count, width)

    cdef int _put_differences(self, Walk *walk, int64_t slot, int64_t slots) noexcept nogil:
        cdef const int64_t *numbers
        cdef int64_t end = slot + slots
        cdef int64_t index
        cdef Span span
        self._numbers.length = 0
        while next_span(walk, &span, slot, end):
            if append_numbers(&self._numbers, &span, self._holes, self._width) < 0:
                return NO_MEMORY
            slot += span.slots
        numbers = <const int64_t *>self._numbers.data
        if self._extremes_wanted:
            for index in range(self._numbers.length >> 3):
                self._see_number(numbers[index])
        return put_deltas(&self._body, numbers, self._numbers.length >> 3, self._width == 8)

    cdef int _put_texts(self, Walk *walk, int64_t slot, int64_t slots) noexcept nogil:
        """All sizes as differences, then all bytes."""
        cdef Walk again = walk[0]
        cdef int64_t end = slot + slots
        cdef int64_t at = slot
        cdef Span span
        self._numbers.length = 0
        while next_span(&again, &span, at, end):
            if append_sizes(&self._numbers, &span, self._holes) < 0:
                return NO_MEMORY
            at += span.slots
        if put_deltas(&self._body, <const int64_t *>self._numbers.data, self._numbers.length >> 3, False) < 0:
            return NO_MEMORY
        while next_span(walk, &span, slot, end):
            if put_bytes_of_texts(&self._body, &span, self._holes) < 0:
                return NO_MEMORY
            if self._extremes_wanted:
                self._see_texts(&span)
            slot += span.slots
        return 0

    cdef int _put_plain(self, Walk *walk, int64_t slot, int64_t slots) noexcept nogil:
        cdef int64_t bits = 8 * self._body.length
        cdef int64_t end = slot + slots
        cdef int told = 0
        cdef Span span
        while told == 0 and next_span(walk, &span, slot, end):
            if self._kind == _BOOL:
                told = put_bools(&self._body, &bits, &span, self._holes)
            elif self._kind == _NUMBER:
                told = put_numbers(&self._body, &span, self._holes, self._width)
            slot += span.slots
        return told

    # --- what is told -------------------------------------------------------------------------------------------------

    cdef EncodedLeaf _told(self):
        cdef EncodedLeaf told = EncodedLeaf.__new__(EncodedLeaf)
        cdef const Page *page
        cdef int64_t begins = 0
        cdef int64_t index
        told.encoding, told.pages, told.slots = self._encoding, [], 0
        for index in range(self._pages.length // <int64_t>sizeof(Page)):
            page = <const Page *>self._pages.data + index
            told.pages.append((view(self._body.data + begins, page.end - begins), page.slots))
            told.slots += page.slots
            begins = page.end
        told.missing = told.slots - self._values
        if self._encoding == _DICTIONARY:
            told.dictionary, told.distinct = view(self._distinct.data, self._distinct.length), self._known.count
        if self._some_extremes:
            told.extremes = self._told_extremes()
        return told

    cdef tuple _told_extremes(self):
        if self._kind == _TEXT:
            return (
                self._first_text.at[:self._first_text.size],
                self._last_text.at[:self._last_text.size],
            )
        return (<char *>&self._least)[:self._width], (<char *>&self._most)[:self._width]


cdef inline void release_levels(Levels *levels) noexcept:
    release(&levels.repetition)
    release(&levels.definition)


cdef inline object view(const char *data, int64_t size):
    return PyMemoryView_FromMemory(<char *>data, size, PyBUF_READ)


cdef inline bint comes_before(const Text *one, const Text *other) noexcept nogil:
    """The order of bytes, which is that of texts in UTF-8."""
    cdef int64_t size = one.size if one.size < other.size else other.size
    cdef int order = memcmp(one.at, other.at, size)
    return order < 0 or (order == 0 and one.size < other.size)
