"""Transcripts by their names or by the symbol of their gene, out of the installed gene model and the MANE summary."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from varloom.annotation.refs.mane import MANE_FILE
from varloom.annotation.refs.transcript_model import TRANSCRIPTS, TRANSCRIPTS_FILE, Transcript
from varloom.annotation.sources.consequence.placed_transcript import PlacedTranscript

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class NoTranscriptError(Exception):
    """No transcript is called so; the text is a sentence that says why, and what there is instead."""


class _Pair(NamedTuple):
    """The two names of a MANE transcript, with their versions."""

    ensembl: str
    refseq: str
    is_select: bool


class NamedTranscripts:
    """The transcripts of a gene model; it is read when the first is asked for.

    Args of the constructor:
        genes: the folder of a release of the kind `genes`.
        mane: that of a MANE summary; None where none is installed.
    """

    def __init__(self, genes: Path, mane: Path | None) -> None:
        self._genes = genes
        self._mane = mane

    def find(self, name: str, gene: str | None = None) -> list[PlacedTranscript]:
        """The transcript of a name, or the MANE Select transcript of a gene: at each place that it has.

        Args:
            name: such as `NM_000492.4`, `ENST00000003084.11`, both also without version, or a symbol such as `CFTR`.
            gene: the symbol that the transcript's gene has to have; None does not ask.

        Raises:
            NoTranscriptError: there is none, or another version of it.
        """
        rows = self._of_name(name) or self._of_partner(name) or self._of_symbol(name)
        found = [PlacedTranscript(Transcript.of_row(row)) for row in self._table.take(pa.array(rows)).to_pylist()]
        wrong = next((one.model for one in found if gene is not None and one.model.gene_name != gene), None)
        if wrong is not None:
            raise NoTranscriptError(f"{wrong.transcript_id} is of the gene {wrong.gene_name}, not {gene}.")
        if any(not one.has_names for one in found):
            raise NoTranscriptError(f"{found[0].model.transcript_id} has no coding sequence that can be numbered.")
        return found

    @cached_property
    def _table(self) -> pa.Table:
        return pq.read_table(self._genes / TRANSCRIPTS_FILE, schema=TRANSCRIPTS).combine_chunks()

    @cached_property
    def _plain_names(self) -> pa.Array:
        return pc.replace_substring_regex(self._table["transcript_id"], r"\.\d+$", "")

    @cached_property
    def _pairs(self) -> Sequence[_Pair]:
        if self._mane is None:
            return ()
        wanted = ["ensembl_transcript", "refseq_transcript", "status"]
        rows = pq.read_table(self._mane / MANE_FILE, columns=wanted).to_pylist()
        return [
            _Pair(row["ensembl_transcript"], row["refseq_transcript"], row["status"] == "select")
            for row in rows
            if row["ensembl_transcript"] and row["refseq_transcript"]
        ]

    @cached_property
    def _select(self) -> frozenset[str]:
        """The names, without version, of the MANE Select transcripts."""
        return frozenset(name.partition(".")[0] for pair in self._pairs if pair.is_select for name in pair[:2])

    def _of_name(self, name: str) -> list[int]:
        """The rows of a transcript.

        Raises:
            NoTranscriptError: it is there in another version.
        """
        plain, _, version = name.partition(".")
        rows = _where(pc.equal(self._plain_names, plain))
        there = {self._table["transcript_id"][row].as_py() for row in rows}
        if version and rows and name not in there and there != {plain}:
            installed = ", ".join(sorted(there))
            raise NoTranscriptError(f"{name} is not installed, but {installed} is; their positions may differ.")
        return [row for row in rows if not version or self._table["transcript_id"][row].as_py() in {name, plain}]

    def _of_partner(self, name: str) -> list[int]:
        """The rows of the transcript that MANE tells to have the same bases."""
        plain, _, version = name.partition(".")
        for pair in self._pairs:
            for own, other in ((pair.refseq, pair.ensembl), (pair.ensembl, pair.refseq)):
                if own.partition(".")[0] != plain:
                    continue
                if version and own != name:
                    raise NoTranscriptError(f"{name} is not installed, but {own} is; their positions may differ.")
                return self._of_name(other)
        return []

    def _of_symbol(self, symbol: str) -> list[int]:
        """The rows of the MANE Select transcript of a gene.

        Raises:
            NoTranscriptError: there is no such gene, or no such transcript of it.
        """
        names = self._table["gene_name"]
        rows = _where(pc.equal(names, symbol)) or _where(pc.equal(pc.utf8_upper(names), symbol.upper()))
        if not rows:
            raise NoTranscriptError("No transcript and no gene is called so in the installed gene model.")
        chosen = [row for row in rows if self._plain_names[row].as_py() in self._select]
        chosen = chosen or [row for row in rows if self._table["mane"][row].as_py() == "select"]
        if not chosen:
            listed = [self._table["transcript_id"][row].as_py() for row in rows if self._table["cds_starts"][row]]
            some = f": {', '.join(listed[:5])}{' and others' if len(listed) > 5 else ''}" if listed else ""
            raise NoTranscriptError(f"The gene has no MANE Select transcript here; name one of its transcripts{some}.")
        return chosen


def _where(mask: pa.Array) -> list[int]:
    """The places at which a mask is true."""
    places: list[int] = pc.indices_nonzero(pc.fill_null(mask, False)).to_pylist()
    return places
