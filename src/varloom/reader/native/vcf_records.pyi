from typing import Self, TypeAlias

from varloom.reader.native.buffers import NativeBuffer
from varloom.reader.native.vcf_layout import Layout

Level: TypeAlias = tuple[int, int, NativeBuffer | None, list[NativeBuffer]]
ColumnData: TypeAlias = tuple[bool, list[Level]]

class Chunk:
    layout: Layout
    source: bytes | bytearray
    rows: int
    records: int
    lines: int
    start: int
    end: int
    first_position: int
    last_position: int
    last_group: int
    unknown: bool
    def __init__(
        self,
        layout: Layout,
        data: bytes | bytearray,
        start: int,
        end: int,
        suspicious: bool,
        most_rows: int,
        most_text: int,
    ) -> None: ...
    @property
    def is_whole(self) -> bool: ...
    def next(self, layout: Layout, most_rows: int, most_text: int) -> Self: ...
    def again(self, layout: Layout, most_rows: int, most_text: int) -> Self: ...
    def column_data(self, slot: int, added: int = 0, filled: bool = False) -> ColumnData | None: ...
    def left_lines(self) -> list[tuple[int, int, int, int, int, bool]]: ...
    def field_findings(self) -> list[tuple[int, int, int, int, int, int, int, int]]: ...
    def rule_findings(self) -> list[tuple[int, int, int, int, int, int, int]]: ...
    def filter_texts(self) -> list[tuple[int, int, int, int]]: ...
    def contig_runs(self) -> list[tuple[int, int, int]]: ...

def counting(first: int, count: int) -> NativeBuffer: ...
def is_suspicious(data: bytes | bytearray, start: int, end: int) -> bool: ...
