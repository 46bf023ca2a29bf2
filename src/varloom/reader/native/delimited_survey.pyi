from collections.abc import Sequence

class Survey:
    source: bytes | bytearray
    end: int
    lines: int
    rows: int
    blanks: int
    first_blank: int
    odd: bool
    def __init__(
        self,
        data: bytes | bytearray,
        start: int,
        end: int,
        separator: bytes,
        quotes: bool,
        kinds: Sequence[int],
        suspicious: bool,
        single_lines: bool,
    ) -> None: ...
    @property
    def kinds(self) -> list[int]: ...
    def ragged_rows(self) -> list[tuple[int, int, int]]: ...
    def open_cells(self) -> list[tuple[int, int, int]]: ...
