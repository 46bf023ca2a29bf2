"""The reference sequence of an installed `fasta` release."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GENOME = "genome.fa.gz"
"""The file of the release, packed with bgzip; `.fai` and `.gzi` lie beside it. Contigs have their bare names."""

_WINDOW = 4096
"""Bases that are read at a time; a power of two."""


class Genome:
    """Bases by place, read in windows of which the last few stay; use it in a `with` block, in one thread."""

    def __init__(self, folder: Path) -> None:
        import pysam

        self._file = pysam.FastaFile(str(folder / GENOME))
        self.lengths: dict[str, int] = dict(zip(self._file.references, self._file.lengths, strict=True))
        self._windows: dict[tuple[str, int], str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def bases(self, contig: str, first: int, count: int) -> str:
        """Bases from a 1-based position on, in upper case; fewer at the end of the contig, none outside."""
        text = ""
        place = first - 1
        while place < first - 1 + count:
            window = self._window(contig, place // _WINDOW)
            inside = place % _WINDOW
            piece = window[inside : inside + first - 1 + count - place]
            if not piece:
                break
            text += piece
            place += len(piece)
        return text

    def base_at(self, contig: str) -> Callable[[int], str]:
        """The base at a 1-based position of a contig, in upper case; empty outside of it."""

        def base(position: int) -> str:
            return self._window(contig, (position - 1) // _WINDOW)[(position - 1) % _WINDOW :][:1]

        return base

    def _window(self, contig: str, number: int) -> str:
        key = (contig, number)
        if (window := self._windows.get(key)) is None:
            start = number * _WINDOW
            inside = 0 <= start < self.lengths.get(contig, 0)
            window = self._file.fetch(contig, start, start + _WINDOW).upper() if inside else ""
            if len(self._windows) >= 64:
                self._windows.clear()
            self._windows[key] = window
        return window
