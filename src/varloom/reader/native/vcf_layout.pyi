from collections.abc import Mapping, Sequence

class Layout:
    version: int
    info_fields: int
    fields: int
    slots: int
    samples: int
    file_columns: int
    gathered: bool
    percent_encoded: bool
    structural_rules: bool
    def __init__(
        self,
        version: int,
        info: Sequence[tuple[bytes, int, int, int]],
        formats: Sequence[tuple[bytes, int, int, int]],
        samples: int,
        gathered: bool,
        file_columns: int,
        contigs: Mapping[str, int | None],
        percent_encoded: bool,
        structural_rules: bool,
    ) -> None: ...
    def slot_of(self, field: int, sample: int = 0) -> int: ...
    def stride_of(self, field: int) -> int: ...
