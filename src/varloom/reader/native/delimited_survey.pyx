"""The first look at some lines of a delimited text: rows, their number of cells, and what each column may hold."""

from libc.stdint cimport int64_t
from libc.stdlib cimport calloc, free, realloc

from varloom.reader.native.delimited_cells cimport (
    CELL_OPEN, CELL_OTHER, ENDS_CELL, ENDS_DATA, ENDS_ODDLY, LARGEST_CELL, Cell, Ending, Style, behind_row,
    kind_of, take_plain_cell, take_quoted_cell,
)
from varloom.reader.native.numbers cimport varloom_numbers_ready
from varloom.reader.native.plain_text cimport is_text

if not varloom_numbers_ready():
    raise MemoryError

cdef enum:
    MOST_NOTED = 4096
    MOST_SEPARATORS = 1000000   # of a row, those within quotes counted


cdef struct Noted:
    int64_t line
    int64_t column
    int64_t start
    int64_t end


cdef class Survey:
    """The rows of some lines.

    Args:
        data: bytes that hold the lines; each ends with a line feed, and one more byte follows them.
        start, end: where the lines stand in `data`. The first one starts a row.
        separator: between cells.
        quotes: whether double quotes enclose cells.
        kinds: for each column what its cells were before; texts are not looked at any more.
        suspicious: whether the lines may hold bytes other than printable ASCII, tabs and line feeds.
        single_lines: whether a row that goes over several lines is odd.

    Attributes:
        end: where the row starts that goes on behind the lines; else the end of the lines.
        lines, rows, blanks: how many there are; blank lines are no rows.
        first_blank: the first of them, from 1.
        kinds: as above, with these lines.
        odd: whether there is anything that only the careful reader can judge; then nothing else counts.
    """

    cdef readonly object source
    cdef readonly int64_t end
    cdef readonly int64_t lines
    cdef readonly int64_t rows
    cdef readonly int64_t blanks
    cdef readonly int64_t first_blank
    cdef readonly bint odd
    cdef const char *data
    cdef const char *limit
    cdef Style style
    cdef bint single_lines
    cdef int64_t columns
    cdef int *kind
    cdef Noted *ragged
    cdef int64_t ragged_count
    cdef Noted *open
    cdef int64_t open_count

    def __cinit__(self, const unsigned char[::1] data not None, int64_t start, int64_t end, bytes separator not None,
                  bint quotes, kinds not None, bint suspicious, bint single_lines):
        cdef int64_t index
        if not 0 <= start <= end < data.shape[0] or (end > start and data[end - 1] != 10) or len(separator) != 1:
            raise ValueError("the lines must stand within the data, be whole, and be followed by a byte")
        self.source = data.base
        self.data = <const char *>&data[0]
        self.limit = self.data + end
        self.end = start
        self.style.separator = separator[0]
        self.style.quotes = quotes
        self.single_lines = single_lines
        self.columns = len(kinds)
        self.kind = <int *>calloc(self.columns + 1, sizeof(int))
        if self.kind == NULL:
            raise MemoryError
        for index in range(self.columns):
            self.kind[index] = kinds[index]
        with nogil:
            self.odd = (suspicious and not is_text(self.data + start, self.limit)) or not self.read_rows()

    def __dealloc__(self):
        free(self.kind)
        free(self.ragged)
        free(self.open)

    @property
    def kinds(self):
        cdef int64_t index
        return [self.kind[index] for index in range(self.columns)]

    def ragged_rows(self):
        """Rows with another number of cells: `(line, start, end)`; lines count from 1."""
        cdef int64_t index
        return [(self.ragged[index].line, self.ragged[index].start, self.ragged[index].end)
                for index in range(self.ragged_count)]

    def open_cells(self):
        """Numbers that may be floats: `(column, start, end)`; columns count from 0."""
        cdef int64_t index
        return [(self.open[index].column, self.open[index].start, self.open[index].end)
                for index in range(self.open_count)]

    cdef bint read_rows(self) noexcept nogil:
        """Read all rows that end here; False when something is odd."""
        cdef const char *at = self.data + self.end
        cdef const char *start
        cdef int64_t cells, first_line
        cdef Ending ending
        while at < self.limit:
            start = at
            if at[0] == c"\n" or (at[0] == c"\r" and at[1] == c"\n"):
                self.lines += 1
                if self.blanks == 0:
                    self.first_blank = self.lines
                self.blanks += 1
                at = behind_row(at)
                self.end = at - self.data
                continue
            first_line = self.lines + 1
            cells = 0
            while True:
                ending = self.read_cell(&at, cells)
                cells += 1
                if ending != ENDS_CELL:
                    break
                at += 1
            if ending == ENDS_DATA:
                self.lines = first_line - 1
                return True
            self.lines += 1
            if ending == ENDS_ODDLY or (self.single_lines and self.lines != first_line):
                return False
            at = behind_row(at)
            self.end = at - self.data
            if at - start > MOST_SEPARATORS and self.separators(start, at) > MOST_SEPARATORS:
                return False
            if cells == self.columns:
                self.rows += 1
            elif self.note(&self.ragged, &self.ragged_count, first_line, 0, start, at) < 0:
                return False
        return True

    cdef int64_t separators(self, const char *at, const char *end) noexcept nogil:
        cdef int64_t count = 0
        while at < end:
            count += at[0] == self.style.separator
            at += 1
        return count

    cdef Ending read_cell(self, const char **at, int64_t column) noexcept nogil:
        cdef Cell cell
        cdef Ending ending
        cdef int kind
        if self.style.quotes and at[0][0] == c'"':
            ending = take_quoted_cell(at, self.limit, &self.style, &cell, &self.lines)
            if ending == ENDS_DATA or ending == ENDS_ODDLY:
                return ending
        else:
            ending = take_plain_cell(at, &self.style, &cell)
        if cell.end - cell.start > LARGEST_CELL:
            return ENDS_ODDLY
        if column < self.columns and not self.kind[column] & CELL_OTHER:
            kind = CELL_OTHER if cell.doubled else kind_of(cell.start, cell.end)
            if kind == CELL_OPEN:
                if self.note(&self.open, &self.open_count, self.lines + 1, column, cell.start, cell.end) < 0:
                    return ENDS_ODDLY
            else:
                self.kind[column] |= kind
        return ending

    cdef int note(self, Noted **noted, int64_t *count, int64_t line, int64_t column, const char *start,
                  const char *end) noexcept nogil:
        cdef Noted *moved = noted[0]
        if count[0] == MOST_NOTED:
            return -1
        if count[0] & (count[0] - 1) == 0:
            moved = <Noted *>realloc(noted[0], (2 * count[0] + 1) * sizeof(Noted))
            if moved == NULL:
                return -1
            noted[0] = moved
        moved[count[0]].line = line
        moved[count[0]].column = column
        moved[count[0]].start = start - self.data
        moved[count[0]].end = end - self.data
        count[0] += 1
        return 0
