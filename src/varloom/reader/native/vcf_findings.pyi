from mmap import mmap

from varloom.reader.native.vcf_layout import Layout

class Findings:
    layout: Layout
    source: bytes | bytearray | mmap
    rows: int
    records: int
    lines: int
    first_position: int
    last_position: int
    last_group: int
    unknown: bool
    def left_lines(self) -> list[tuple[int, int, int, int, int, bool]]: ...
    def ruled_lines(self) -> list[tuple[int, int, int]]: ...
    def field_findings(self) -> list[tuple[int, int, int, int, int, int, int, int]]: ...
    def rule_findings(self) -> list[tuple[int, int, int, int, int, int, int]]: ...
    def filter_texts(self) -> list[tuple[int, int, int, int]]: ...
    def contig_runs(self) -> list[tuple[int, int, int]]: ...
