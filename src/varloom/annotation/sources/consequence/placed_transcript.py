"""A transcript with what is asked of it again and again: positions in HGVS, exon numbers, its spliced sequence."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING

from varloom.genomics.genetic_code import MITOCHONDRIAL, STANDARD, reverse_complement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varloom.annotation.refs.transcript_model import Transcript
    from varloom.annotation.sources.consequence.genome import Genome

MITOCHONDRION = "MT"


class PlacedTranscript:
    """A transcript on the genome. Offsets count its spliced bases from 0 in the direction of transcription.

    Attributes:
        model: the transcript itself.
        first_coding: the offset of the first base of the first complete codon.
        last_coding: the offset of the last coding base.
        has_names: whether HGVS can be told: something is coded, in one stretch of the spliced sequence, in a frame that
            is known, and the genome has the bases of the published transcript.
    """

    __slots__ = ("_ahead", "_length", "_sequence", "_starts", "first_coding", "has_names", "last_coding", "model")

    def __init__(self, model: Transcript) -> None:
        self.model = model
        self._starts = [start for start, _ in model.exons]
        self._ahead = [0]
        for start, end in model.exons:
            self._ahead.append(self._ahead[-1] + end - start + 1)
        self._length = self._ahead.pop()
        self._sequence: str | None = None
        self.first_coding = self.last_coding = -1
        self.has_names = bool(model.cds) and not model.frame_broken and not model.differs and self._is_regular()
        if self.has_names:
            ends = self._offset(model.cds[0][0]), self._offset(model.cds[-1][1])
            self.first_coding, self.last_coding = min(ends) + model.cds_phase, max(ends)
            coded = sum(end - start + 1 for start, end in model.cds) - model.cds_phase
            self.has_names = self.last_coding - self.first_coding + 1 == coded > 2

    def _is_regular(self) -> bool:
        """Whether the exons do not overlap and have all coding ends."""
        exons = self.model.exons
        apart = all(left[1] < right[0] for left, right in pairwise(exons))
        return apart and all(self.is_exonic(place) for part in self.model.cds for place in part)

    @property
    def code(self) -> Mapping[str, str]:
        """The genetic code of its codons."""
        return MITOCHONDRIAL if self.model.contig == MITOCHONDRION else STANDARD

    def is_exonic(self, position: int) -> bool:
        """Whether a base (1-based) of the genome is in an exon."""
        index = bisect_right(self._starts, position) - 1
        return index >= 0 and position <= self.model.exons[index][1]

    def coding_offset(self, position: int) -> int | None:
        """The offset of a base of the genome from the first base of the first codon; None where it is not coding."""
        if not self.is_exonic(position):
            return None
        offset = self._offset(position)
        return offset - self.first_coding if self.first_coding <= offset <= self.last_coding else None

    def _offset(self, position: int) -> int:
        index = bisect_right(self._starts, position) - 1
        offset = self._ahead[index] + position - self._starts[index]
        return offset if self.model.strand > 0 else self._length - 1 - offset

    def c_position(self, position: int) -> str:
        """A base (1-based, inside the transcript) of the genome as HGVS numbers it, such as `76`, `-12` or `88+1`."""
        index = bisect_right(self._starts, position) - 1
        left = self.model.exons[index][1]
        if position <= left:
            return self._numbered(position)
        right = self._starts[index + 1]
        from_left, from_right = position - left, right - position
        if self.model.strand > 0:
            behind = from_left <= from_right
            return f"{self._numbered(left)}+{from_left}" if behind else f"{self._numbered(right)}-{from_right}"
        behind = from_right <= from_left
        return f"{self._numbered(right)}+{from_right}" if behind else f"{self._numbered(left)}-{from_left}"

    def position_of(self, mark: str, number: int, step: int) -> int | None:
        """The base (1-based) of the genome that HGVS numbers so: the inverse of `c_position`.

        Args:
            mark: `-` before the first coding base, `*` behind the last one, else empty.
            number: from 1.
            step: into an intron: bases behind, or where it is negative before, the last base of an exon.

        Returns:
            None where the transcript has no such position.
        """
        offset = {"": self.first_coding + number - 1, "-": self.first_coding - number, "*": self.last_coding + number}[
            mark
        ]
        is_coding = self.first_coding <= offset <= self.last_coding
        if number < 1 or not 0 <= offset < self._length or is_coding != (mark == ""):
            return None
        ahead = offset if self.model.strand > 0 else self._length - 1 - offset
        index = bisect_right(self._ahead, ahead) - 1
        start, end = self.model.exons[index]
        position = start + ahead - self._ahead[index]
        if not step:
            return position
        target = position + step * self.model.strand
        if target > position:
            inside = position == end and index + 1 < len(self._starts) and target < self._starts[index + 1]
        else:
            inside = position == start and index > 0 and target > self.model.exons[index - 1][1]
        return target if inside else None

    def _numbered(self, position: int) -> str:
        offset = self._offset(position)
        if offset < self.first_coding:
            return f"-{self.first_coding - offset}"
        if offset > self.last_coding:
            return f"*{offset - self.last_coding}"
        return str(offset - self.first_coding + 1)

    def numbers(self, start: int, end: int) -> tuple[str | None, str | None]:
        """The exons and introns that a range (1-based, inclusive) touches, such as `3/11` or `3-4/11`."""
        exons, count = self.model.exons, len(self._starts)
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end) - 1
        if last < 0:
            return None, None
        begins_in_exon = first >= 0 and start <= exons[first][1]
        first_exon = first if begins_in_exon else first + 1
        first_intron = max(first, 0)
        last_intron = last if end > exons[last][1] else last - 1
        return self._ranked(first_exon, last, count), self._ranked(first_intron, min(last_intron, count - 2), count - 1)

    def _ranked(self, first: int, last: int, count: int) -> str | None:
        if first > last:
            return None
        if self.model.strand < 0:
            first, last = count - 1 - last, count - 1 - first
        return f"{first + 1}/{count}" if first == last else f"{first + 1}-{last + 1}/{count}"

    def sequence(self, genome: Genome) -> str:
        """Its spliced bases in the direction of transcription."""
        if self._sequence is None:
            bases = "".join(genome.bases(self.model.contig, start - 1, end) for start, end in self.model.exons)
            self._sequence = bases if self.model.strand > 0 else reverse_complement(bases)
        return self._sequence

    def coding_sequence(self, genome: Genome) -> str:
        """The coding bases from the first complete codon on."""
        return self.sequence(genome)[self.first_coding : self.last_coding + 1]
