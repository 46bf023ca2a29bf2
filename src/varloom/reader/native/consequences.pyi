from collections.abc import Sequence
from typing import Any, TypeAlias

from varloom.reader.native.buffers import NativeBuffer

Data: TypeAlias = tuple[int, int, NativeBuffer | None, list[NativeBuffer]]
Texts: TypeAlias = tuple[Any, Any]

class Terms:
    def __init__(self, terms: Sequence[tuple[bytes, int, int]], impacts: Sequence[bytes]) -> None: ...

class Unfolding:
    ragged: int
    unmatched: int
    first_ragged: int
    first_unmatched: int
    def __init__(
        self,
        terms: Terms,
        subfields: int,
        places: Sequence[int],
        naming: int,
        shorter: bool,
        records: Any,
        alleles: Any,
        alts: Texts,
        refs: Texts,
        lists: Any,
        entries: Texts,
    ) -> None: ...
    def best_data(self, which: int) -> Data: ...
    def child_data(self, index: int) -> Data: ...
    def level_data(self) -> Data: ...
