"""The reference sequence in windows, so that many look-ups beside each other cost one."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Self

import numpy as np

from varloom.annotation.refs.genome import GENOME

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from numpy.typing import NDArray

_WINDOW = 1 << 16
_WINDOWS = 256


class Genome:
    """Bases of a `fasta` release, in capitals. At most 16 MiB of it are kept."""

    def __init__(self, folder: Path) -> None:
        import pysam

        path = folder / GENOME
        self._fasta = pysam.FastaFile(str(path))
        self._lengths = dict(zip(self._fasta.references, self._fasta.lengths, strict=True))
        self._windows: OrderedDict[tuple[str, int], str] = OrderedDict()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fasta.close()

    def length(self, contig: str) -> int | None:
        """The bases of a contig; None where the reference does not have it."""
        return self._lengths.get(contig)

    def bases(self, contig: str, start_0: int, end_0: int) -> str:
        """The bases from `start_0` (0-based) up to but not including `end_0`; fewer where the contig ends before."""
        first, last = max(start_0, 0) // _WINDOW, (max(end_0, 1) - 1) // _WINDOW
        offset = first * _WINDOW
        if first == last:
            window = self._window(contig, first)
        else:
            window = "".join(self._window(contig, number) for number in range(first, last + 1))
        return window[max(start_0, 0) - offset : max(end_0, 0) - offset]

    def single_bases(self, contig: str, positions_0: NDArray[np.int64]) -> NDArray[np.uint8]:
        """The base, as the code of its letter, at each of the positions (0-based, inside the contig)."""
        found = np.zeros(len(positions_0), np.uint8)
        numbers = positions_0 // _WINDOW
        for number in np.unique(numbers).tolist():
            here = numbers == number
            window = np.frombuffer(self._window(contig, number).encode("ascii", "replace"), np.uint8)
            found[here] = window[positions_0[here] - number * _WINDOW]
        return found

    def _window(self, contig: str, number: int) -> str:
        key = (contig, number)
        window = self._windows.get(key)
        if window is None:
            start = number * _WINDOW
            length = self._lengths[contig]
            window = self._fasta.fetch(contig, start, min(start + _WINDOW, length)).upper() if start < length else ""
            self._windows[key] = window
            if len(self._windows) > _WINDOWS:
                self._windows.popitem(last=False)
        return window
