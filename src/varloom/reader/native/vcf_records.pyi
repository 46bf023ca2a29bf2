from mmap import mmap
from typing import Self, TypeAlias

from varloom.reader.native.buffers import NativeBuffer
from varloom.reader.native.vcf_findings import Findings
from varloom.reader.native.vcf_layout import Layout

Level: TypeAlias = tuple[int, int, NativeBuffer | None, list[NativeBuffer]]
ColumnData: TypeAlias = tuple[bool, list[Level]]

MARGIN: int

class Chunk(Findings):
    start: int
    end: int
    def __init__(
        self,
        layout: Layout,
        data: bytes | bytearray | mmap,
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
