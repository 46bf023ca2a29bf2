from typing import TypeAlias

from varloom.reader.native.buffers import NativeBuffer

Values: TypeAlias = tuple[int, int, NativeBuffer | None, list[NativeBuffer]]

class Table:
    source: bytes | bytearray
    end: int
    lines: int
    rows: int
    odd: bool
    def __init__(
        self, data: bytes | bytearray, start: int, end: int, separator: bytes, quotes: bool, types: bytes
    ) -> None: ...
    def line_data(self, added: int) -> Values: ...
    def column_data(self, column: int) -> Values: ...
