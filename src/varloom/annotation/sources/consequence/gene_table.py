"""The transcripts of an installed gene model: which of them variants touch, and where exons begin and end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.refs.transcript_model import TRANSCRIPTS, TRANSCRIPTS_FILE, Transcript, csq_lines, gene_line
from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript
from varloom.annotation.sources.consequence.problems import CONSEQUENCE_DATA_UNUSABLE
from varloom.annotation.stretches import STRETCHES
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

NEAR = 10
"""Bases beside a transcript in which an insertion or deletion may still concern it."""


class GeneTable:
    """Transcripts by their number in the table, which is sorted by contig and start.

    Attributes:
        has_mane: whether it is known which transcripts are MANE Select.
    """

    def __init__(self, folder: Path, mane: tuple[frozenset[str], frozenset[str]] | None) -> None:
        """Open a release.

        Args:
            folder: of the release.
            mane: ids without version of the transcripts that a MANE release calls Select, and Plus Clinical; None
                where none is installed.

        Raises:
            VarloomError: `consequence_data_unusable`.
        """
        try:
            self._table = pq.read_table(folder / TRANSCRIPTS_FILE, schema=TRANSCRIPTS).combine_chunks()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(error) from error
        self._starts = self._table["start"].to_numpy()
        self._ends = self._table["end"].to_numpy()
        self._ranges = _ranges(self._table["contig"])
        self._boundaries: dict[str, NDArray[np.int64]] = {}
        self._placed: dict[int, PlacedTranscript] = {}
        self._mane_select, self._mane_clinical = mane or (frozenset(), frozenset())
        self.has_mane = mane is not None or "select" in self._table["mane"].unique().to_pylist()

    def __contains__(self, contig: object) -> bool:
        return contig in self._ranges

    def touched(self, contig: str, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.int64]:
        """The numbers of the transcripts that any of the ranges (1-based, inclusive) comes near to."""
        low, high = self._ranges.get(contig, (0, 0))
        begun = np.searchsorted(np.sort(starts), self._ends[low:high] + NEAR, side="right")
        over = np.searchsorted(np.sort(ends), self._starts[low:high] - NEAR, side="left")
        return np.flatnonzero(begun > over) + low

    def near(self, contig: str, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of the ranges comes near to any transcript."""
        low, high = self._ranges.get(contig, (0, 0))
        begun = np.searchsorted(self._starts[low:high] - NEAR, ends, side="right")
        over = np.searchsorted(np.sort(self._ends[low:high] + NEAR), starts, side="left")
        near: NDArray[np.bool_] = begun > over
        return near

    def segments(self, contig: str, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        """A number for each position, the same for those between which no exon of any transcript begins or ends."""
        if contig not in self._boundaries:
            low, high = self._ranges.get(contig, (0, 0))
            part = self._table.slice(low, high - low)
            begins = part["exon_starts"].combine_chunks().flatten().to_numpy()
            beyond = part["exon_ends"].combine_chunks().flatten().to_numpy() + 1
            self._boundaries = {contig: np.unique(np.concatenate([begins, beyond])).astype(np.int64)}
        return np.searchsorted(self._boundaries[contig], positions, side="right")

    def place(self, numbers: Iterable[int]) -> None:
        """Keep these transcripts at hand, and no others."""
        wanted = sorted(set(numbers))
        missing = [number for number in wanted if number not in self._placed]
        rows = self._table.take(pa.array(missing, pa.int64())).to_pylist() if missing else []
        read = {number: PlacedTranscript(self._known(row)) for number, row in zip(missing, rows, strict=True)}
        self._placed = {number: read.get(number) or self._placed[number] for number in wanted}

    def _known(self, row: dict[str, list[int]]) -> Transcript:
        """A transcript, with what the MANE release says of it."""
        transcript = Transcript.of_row(row)
        bare = transcript.transcript_id.partition(".")[0]
        if bare in self._mane_select:
            return transcript._replace(mane="select")
        if bare in self._mane_clinical and transcript.mane is None:
            return transcript._replace(mane="plus_clinical")
        return transcript

    def placed(self, number: int) -> PlacedTranscript:
        """A transcript that is at hand."""
        return self._placed[number]

    def reached(self, contig: str, start: int, end: int) -> list[int]:
        """The numbers of the transcripts at hand into which a change reaches.

        Args:
            contig: its bare name.
            start: 1-based; for an insertion that of the base behind it.
            end: 1-based, inclusive; for an insertion `start - 1`, so that one at the very edge is outside.
        """
        models = ((number, placed.model) for number, placed in self._placed.items())
        return [
            number for number, model in models if model.contig == contig and model.start <= end and start <= model.end
        ]

    def gff_at_hand(self) -> list[str]:
        """The lines for csq of all transcripts that are at hand."""
        return self.gff_of(list(self._placed))

    def gff_of(self, numbers: Sequence[int]) -> list[str]:
        """The lines for csq of transcripts that are at hand; each is a gene of its own, and its number is both names.

        csq names only the gene where a variant is intronic or in RNA that codes nothing: so no transcript is lost.
        """
        lines = []
        for number in numbers:
            model = self._placed[number].model
            lines.append(gene_line([model], str(number), str(number)))
            lines.append(csq_lines(model, str(number), str(number)))
        return lines


def tells_mane(folder: Path) -> bool:
    """Whether a release of genes tells of any transcript that it is a MANE Select; reads no more than that.

    Raises:
        VarloomError: `consequence_data_unusable`.
    """
    try:
        return "select" in pq.read_table(folder / TRANSCRIPTS_FILE, columns=["mane"])["mane"].unique().to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(error) from error


def coding_stretches(folder: Path) -> pa.Table:
    """From where to where each transcript of a release codes, with a few bases on either side; see `STRETCHES`.

    Raises:
        VarloomError: `consequence_data_unusable`.
    """
    try:
        table = pq.read_table(folder / TRANSCRIPTS_FILE, columns=["contig", "cds_starts", "cds_ends"])
    except (OSError, pa.ArrowException) as error:
        raise _unreadable(error) from error
    table = table.filter(pc.greater(pc.list_value_length(table["cds_starts"]), 0)).combine_chunks()
    starts, ends = (table[name].combine_chunks() for name in ("cds_starts", "cds_ends"))
    sizes = pc.list_value_length(starts).to_numpy()
    beyond = np.cumsum(sizes)
    first, last = starts.flatten().to_numpy()[beyond - sizes], ends.flatten().to_numpy()[beyond - 1]
    columns = [table["contig"].combine_chunks(), pa.array(first - NEAR, pa.int64()), pa.array(last + NEAR, pa.int64())]
    return pa.Table.from_arrays(columns, schema=STRETCHES)


def _unreadable(error: Exception) -> VarloomError:
    return VarloomError(CONSEQUENCE_DATA_UNUSABLE, f"The transcripts of the gene model cannot be read: {error}")


def _ranges(contigs: pa.ChunkedArray) -> dict[str, tuple[int, int]]:
    """The first row of each contig, and the one after its last; the table is sorted by contig."""
    runs = contigs.combine_chunks().dictionary_encode()
    codes = runs.indices.to_numpy()
    bounds = np.flatnonzero(np.diff(codes)) + 1
    starts = [0, *bounds.tolist()] if len(codes) else []
    ends = [*bounds.tolist(), len(codes)]
    names = runs.dictionary.to_pylist()
    return {names[codes[start]]: (start, end) for start, end in zip(starts, ends, strict=False)}
