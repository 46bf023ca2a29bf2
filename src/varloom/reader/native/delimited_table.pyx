"""Some lines of a delimited text into columns whose types are known."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free

from varloom.reader.native.column_data cimport leaf_data
from varloom.reader.native.columns cimport (
    KIND_BOOL, KIND_DOUBLE, KIND_INT, KIND_TEXT, Leaf, leaf_double, leaf_int, leaf_mark, leaf_pad, leaf_reserve,
    leaf_text, leaf_text_end, leaf_text_room, leaf_true, leaf_truncate,
)
from varloom.reader.native.delimited_cells cimport (
    ENDS_CELL, ENDS_DATA, ENDS_ODDLY, Cell, Ending, Style, behind_row, ending_at, take_plain_cell,
    take_quoted_cell,
)
from varloom.reader.native.numbers cimport scan_double, scan_int, to_double, varloom_numbers_ready

if not varloom_numbers_ready():
    raise MemoryError


cdef class Table:
    """The rows of some lines that were surveyed before.

    Args:
        data, start, end, separator, quotes: as for Survey.
        types: of each column: `?` bool, `i` a whole number of up to 15 digits or 2^53, `f` a float, `t` text.

    Attributes:
        end: where the row starts that goes on behind the lines; else the end of the lines.
        lines, rows: how many there are.
        odd: whether the lines are not as the survey left them.
    """

    cdef readonly object source
    cdef readonly int64_t end
    cdef readonly int64_t lines
    cdef readonly int64_t rows
    cdef readonly bint odd
    cdef const char *data
    cdef const char *limit
    cdef Style style
    cdef int64_t columns
    cdef Leaf *leaf             # of each column, and of the lines behind them
    cdef bytes types

    def __cinit__(self, const unsigned char[::1] data not None, int64_t start, int64_t end, bytes separator not None,
                  bint quotes, bytes types not None):
        cdef int64_t index
        cdef int status
        if not 0 <= start <= end < data.shape[0] or (end > start and data[end - 1] != 10) or len(separator) != 1:
            raise ValueError("the lines must stand within the data, be whole, and be followed by a byte")
        self.source = data.base
        self.data = <const char *>&data[0]
        self.limit = self.data + end
        self.end = start
        self.style.separator = separator[0]
        self.style.quotes = quotes
        self.types = types
        self.columns = len(types)
        self.leaf = <Leaf *>calloc(self.columns + 1, sizeof(Leaf))
        if self.leaf == NULL:
            raise MemoryError
        for index in range(self.columns):
            set_kind(&self.leaf[index], types[index])
        set_kind(&self.leaf[self.columns], c"i")
        with nogil:
            status = self.read_rows()
        if status < 0:
            raise MemoryError
        self.odd = status > 0

    def __dealloc__(self):
        cdef int64_t index
        if self.leaf != NULL:
            for index in range(self.columns + 1):
                free(self.leaf[index].valid)
                free(self.leaf[index].data)
                free(self.leaf[index].offsets)
        free(self.leaf)

    def line_data(self, int64_t added):
        """The line at which each row starts, with what is added to it; as `column_data`."""
        cdef Leaf *leaf = &self.leaf[self.columns]
        cdef int64_t index
        cdef int64_t *line = <int64_t *>leaf.data
        for index in range(leaf.length):
            line[index] += added
        return self.column_data(self.columns)

    def column_data(self, int64_t column):
        """The data of a column for Arrow, which from then on owns them: `(length, missing, validity, buffers)`."""
        cdef Leaf *leaf
        if not 0 <= column <= self.columns:
            raise IndexError("there is no such column")
        leaf = &self.leaf[column]
        if leaf_reserve(leaf, 1) < 0 or (leaf.kind == KIND_TEXT and leaf_text_room(leaf, 0) == NULL):
            raise MemoryError
        return leaf_data(leaf, False)

    cdef int read_rows(self) noexcept nogil:
        """Read all rows that end here; 1 when something is odd, negative when there is no memory."""
        cdef const char *at = self.data + self.end
        cdef int64_t cells, first_line
        cdef int status
        cdef Ending ending
        while at < self.limit:
            if at[0] == c"\n" or (at[0] == c"\r" and at[1] == c"\n"):
                self.lines += 1
                at = behind_row(at)
                self.end = at - self.data
                continue
            first_line = self.lines + 1
            cells = 0
            while True:
                if cells == self.columns:
                    return 1
                status = self.read_cell(&at, &self.leaf[cells], &ending)
                if status < 0:
                    return status
                cells += 1
                if ending != ENDS_CELL:
                    break
                at += 1
            if ending == ENDS_DATA:
                self.lines = first_line - 1
                return self.take_back()
            self.lines += 1
            if ending == ENDS_ODDLY or cells != self.columns:
                return 1
            if leaf_int(&self.leaf[self.columns], first_line) < 0:
                return -1
            at = behind_row(at)
            self.end = at - self.data
            self.rows += 1
        return 0

    cdef int take_back(self) noexcept nogil:
        """Undo the row that goes on behind the data."""
        cdef int64_t index
        for index in range(self.columns):
            leaf_truncate(&self.leaf[index], self.rows)
        return 0

    cdef int read_cell(self, const char **at, Leaf *leaf, Ending *ending) noexcept nogil:
        """Write the next cell into its column: 0, or negative without memory."""
        cdef Cell cell
        cdef const char *stop
        cdef int64_t whole
        cdef double number
        if self.style.quotes and at[0][0] == c'"':
            ending[0] = take_quoted_cell(at, self.limit, &self.style, &cell, &self.lines)
            if ending[0] == ENDS_DATA or ending[0] == ENDS_ODDLY:
                return 0
            return self.write(leaf, &cell, ending)
        if leaf.kind == KIND_INT:
            stop = scan_int(at[0], self.limit, &whole)
            if stop != NULL:
                ending[0] = ending_at(stop, &self.style)
                if ending[0] != ENDS_ODDLY:
                    at[0] = stop
                    return leaf_int(leaf, whole)
        elif leaf.kind == KIND_DOUBLE:
            stop = scan_double(at[0], self.limit, &number)
            if stop != NULL:
                ending[0] = ending_at(stop, &self.style)
                if ending[0] != ENDS_ODDLY:
                    at[0] = stop
                    return leaf_double(leaf, number)
        ending[0] = take_plain_cell(at, &self.style, &cell)
        return 0 if ending[0] == ENDS_ODDLY else self.write(leaf, &cell, ending)

    cdef int write(self, Leaf *leaf, Cell *cell, Ending *ending) noexcept nogil:
        """Append a cell; an empty one is missing. What is not of the column's type ends the row oddly."""
        cdef int64_t whole
        cdef double number
        cdef const char *start = cell.start
        cdef const char *end = cell.end
        if start == end:
            return leaf_pad(leaf, leaf.length + 1)
        if leaf.kind == KIND_TEXT:
            return write_doubled(leaf, cell) if cell.doubled else leaf_text(leaf, start, end - start)
        if leaf.kind == KIND_INT and scan_int(start, end, &whole) == end:
            return leaf_int(leaf, whole)
        if leaf.kind == KIND_DOUBLE and to_double(start, end, &number):
            return leaf_double(leaf, number)
        if leaf.kind == KIND_BOOL and end - start == 4:
            return leaf_true(leaf)
        if leaf.kind == KIND_BOOL and end - start == 5:
            if leaf_reserve(leaf, leaf.length + 1) < 0:
                return -1
            leaf_mark(leaf)
            return 0
        ending[0] = ENDS_ODDLY
        return 0


cdef void set_kind(Leaf *leaf, char kind) noexcept:
    leaf.kind = KIND_BOOL if kind == c"?" else KIND_INT if kind == c"i" else KIND_DOUBLE if kind == c"f" else KIND_TEXT
    leaf.wide = kind == c"i"
    leaf.width = 8 if kind == c"i" or kind == c"f" else 0


cdef int write_doubled(Leaf *leaf, Cell *cell) noexcept nogil:
    """Append a text, each pair of quotes in it as one."""
    cdef const char *at = cell.start
    cdef int64_t size = 0
    cdef char *room = leaf_text_room(leaf, cell.end - cell.start)
    if room == NULL:
        return -1
    while at < cell.end:
        room[size] = at[0]
        size += 1
        at += 2 if at[0] == c'"' else 1
    leaf_text_end(leaf, size)
    return 0
