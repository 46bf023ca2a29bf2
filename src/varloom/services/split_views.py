"""The split view of structural variants: a row for each gene that a variant overlaps, as AnnotSV calls it.

Such a table is made when it is first asked for, and stays in the data folder until others need its room.
"""

from __future__ import annotations

import contextlib
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import pyarrow as pa

from varloom.dataset.durable import disk_full_told
from varloom.dataset.entry_rows import EntryColumns, has_entries, hash_of_entries, write_entry_rows
from varloom.dataset.manifest import Dataset
from varloom.errors import VarloomError
from varloom.reader import Column
from varloom.services.problems import VIEW_UNAVAILABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.dataset.manifest import Manifest
    from varloom.storage import LocalCopies

View = Literal["full", "split"]
_KEPT_OPEN = 64


def _column(name: str, description: str, data_type: pa.DataType | None = None) -> Column:
    return Column(name, data_type or pa.string(), "annotation", description, None, "sv")


GENE_ROWS = EntryColumns(
    entries="sv.gene_entries",
    row=_column("sv.full_row", "The number of the variant's row in the full view, from 0.", pa.int64()),
    fields={
        "gene": _column("sv.gene", "The gene of this row."),
        "gene_id": _column("sv.gene_id", "Its identifier in the gene model."),
        "biotype": _column("sv.gene_biotype", "Its biotype."),
        "extent": _column("sv.gene_extent", "whole, partial, or outside where the promoter alone is hit."),
        "part": _column("sv.gene_part", "exon, intron or promoter: the foremost part that is hit."),
        "exons": _column("sv.gene_exons", "Exons that are hit, of all different ones, such as 3/12."),
        "junctions": _column("sv.gene_junctions", "How many ends of the variant lie in the gene.", pa.int32()),
        "hi_score": _column("sv.gene_hi_score", "Its haploinsufficiency score.", pa.int32()),
        "ts_score": _column("sv.gene_ts_score", "Its triplosensitivity score.", pa.int32()),
    },
)


class SplitViews:
    """The tables of split views on this machine."""

    def __init__(self, copies: LocalCopies) -> None:
        self._copies = copies
        self._open = lru_cache(_KEPT_OPEN)(Dataset.open)

    @contextlib.contextmanager
    def opened(self, dataset: Dataset) -> Iterator[Dataset]:
        """The split view of a table, made now if it is not there; usable until the block ends.

        Raises:
            VarloomError: `view_unavailable`, `entries_too_many`, `disk_full`.
        """
        manifest = dataset.manifest
        if not can_be_split(manifest):
            raise VarloomError(VIEW_UNAVAILABLE, "The table has no genes of structural variants to split it by.")
        with contextlib.ExitStack() as held:
            with disk_full_told("the split view of a table"):
                folder = held.enter_context(
                    self._copies.borrow(
                        manifest.content_hash,
                        2 * manifest.bytes,
                        lambda into: write_entry_rows(dataset, GENE_ROWS, into),
                    )
                )
            yield self._open(folder)

    def forget(self, content_hash: str) -> None:
        """Remove the view of a table that was deleted."""
        self._copies.drop(content_hash)


def split_hash(content_hash: str) -> str:
    """The content hash of the split view, by that of the table."""
    return hash_of_entries(content_hash, GENE_ROWS)


def can_be_split(manifest: Manifest) -> bool:
    """Whether a table tells the genes of structural variants."""
    return has_entries(manifest, GENE_ROWS)
