# cython: language_level=3
"""Structures in Thrift's compact protocol, in which Parquet describes its pages and its files.

https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from libc.stdint cimport int64_t
from libc.string cimport memcpy

from varloom.dataset.native.growing cimport Bytes, put_varint, put_zigzag, release, reserve

TRUE, FALSE, BYTE, I16, I32, I64, BINARY, LIST, STRUCT = 1, 2, 3, 4, 5, 6, 8, 9, 12

cdef enum:
    DEEPEST = 16
    MOST_SHORT = 14
    FIELD_BYTES = 24


cdef class CompactWriter:
    """Writes one structure; the fields of each are given in the order of their ids, which differ by 15 at most."""

    cdef Bytes _out
    cdef int _last[DEEPEST]
    cdef int _depth

    def __cinit__(self):
        self._last[0] = 0

    def __dealloc__(self):
        release(&self._out)

    def flag(self, int field, bint value):
        """A bool, which is told by the field's type."""
        self._field(field, TRUE if value else FALSE)

    def byte(self, int field, int value):
        """A number of eight bits."""
        self._field(field, BYTE)
        self._byte(value)

    def short(self, int field, int64_t value):
        """A number of 16 bits."""
        self._field(field, I16)
        put_zigzag(&self._out, value)

    def number(self, int field, int64_t value):
        """A number of 32 bits, or one of an enumeration."""
        self._field(field, I32)
        put_zigzag(&self._out, value)

    def long(self, int field, int64_t value):
        """A number of 64 bits."""
        self._field(field, I64)
        put_zigzag(&self._out, value)

    def binary(self, int field, const unsigned char[:] value):
        """Bytes, or a text in UTF-8."""
        self._field(field, BINARY)
        self._bytes(value)

    def numbers(self, int field, values):
        """A list of numbers of 32 bits."""
        self._list(field, I32, len(values))
        for value in values:
            self._room(FIELD_BYTES)
            put_zigzag(&self._out, value)

    def binaries(self, int field, values):
        """A list of bytes."""
        self._list(field, BINARY, len(values))
        for value in values:
            self._bytes(value)

    def structs(self, int field, int64_t count):
        """A list of so many structures, which follow, each between `begin` and `end`."""
        self._list(field, STRUCT, count)

    def struct(self, int field):
        """A structure, whose fields follow up to `end`."""
        self._field(field, STRUCT)
        self.begin()

    def begin(self):
        """The next structure of a list."""
        if self._depth + 1 == DEEPEST:
            raise ValueError("structures lie too deep in each other")
        self._depth += 1
        self._last[self._depth] = 0

    def end(self):
        """The end of a structure."""
        self._room(1)
        self._byte(0)
        self._depth -= 1

    def finish(self):
        """The bytes of the whole structure."""
        if self._depth:
            raise ValueError("a structure is not at its end")
        self._room(1)
        self._byte(0)
        return self._out.data[:self._out.length]

    cdef int _room(self, int64_t size) except -1:
        if reserve(&self._out, size) < 0:
            raise MemoryError
        return 0

    cdef void _byte(self, int value) noexcept:
        self._out.data[self._out.length] = <char>value
        self._out.length += 1

    cdef int _field(self, int field, int kind) except -1:
        cdef int step = field - self._last[self._depth]
        if not 0 < step < 16:
            raise ValueError(f"field {field} cannot follow field {self._last[self._depth]}")
        self._room(FIELD_BYTES)
        self._byte(step << 4 | kind)
        self._last[self._depth] = field
        return 0

    cdef int _list(self, int field, int kind, int64_t count) except -1:
        self._field(field, LIST)
        if count <= MOST_SHORT:
            self._byte(<int>count << 4 | kind)
        else:
            self._byte(0xF0 | kind)
            put_varint(&self._out, count)
        return 0

    cdef int _bytes(self, const unsigned char[:] value) except -1:
        self._room(FIELD_BYTES + len(value))
        put_varint(&self._out, len(value))
        if len(value):
            memcpy(self._out.data + self._out.length, &value[0], len(value))
            self._out.length += len(value)
        return 0
