"""Where in a table a position of the genome stands."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from varloom.dataset import statements
from varloom.dataset.filter_sql import EVERYTHING
from varloom.dataset.problems import POSITION_INVALID
from varloom.dataset.regions import both_names, parse_region
from varloom.dataset.row_count import FIRST_ROWNO
from varloom.dataset.table_columns import ValueKind
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from varloom.dataset.selection import Selection


@dataclass(frozen=True, slots=True)
class Location:
    """The row that is nearest to a position, at it or behind it, else the last one before it.

    Attributes:
        offset: how many selected rows stand before it in the order of the file; None when the contig has none.
        contig: of the row, as the table calls it.
        position: of the row.
        exact: whether it is the position that was asked for.
    """

    offset: int | None
    contig: str
    position: int
    exact: bool

    def as_dict(self) -> dict[str, Any]:
        """What the API answers."""
        return asdict(self)


def locate(selection: Selection, text: str) -> Location:
    """Find a position such as `chr7:117,559,590`, or the start of a region or contig, among the selected rows.

    Raises:
        VarloomError: `position_invalid`.
    """
    columns = selection.session.columns
    contig, position = columns.find("contig"), columns.find("position")
    if contig is None or position is None or (contig.kind, position.kind) != (ValueKind.TEXT, ValueKind.NUMBER):
        raise VarloomError(POSITION_INVALID, "This table has no columns contig and position.")
    region = parse_region(text, columns.contigs)
    if region is None:
        shown = safe_excerpt(text, 60)
        raise VarloomError(
            POSITION_INVALID, f"{shown!r} is no position such as chr7:117,559,590.", Place(excerpt=shown)
        )
    wanted = 1 if region.start is None else region.start
    condition = selection.condition
    asked = {"contigs": [region.contig] if columns.contigs else both_names(region.contig), "position": wanted}
    for before in (False, True):
        sql = statements.nearest_row(contig.sql, position.sql, condition.sql, before=before)
        found = selection.session.fetch(sql, condition.parameters | asked)
        if found:
            [(rowno, name, at)] = found
            return Location(_offset(selection, rowno), name, at, at == wanted)
    return Location(None, region.contig, wanted, exact=False)


def _offset(selection: Selection, rowno: int) -> int:
    """How many selected rows stand before this one in the order of the file."""
    if selection.condition == EVERYTHING:
        return rowno - FIRST_ROWNO
    return int(np.searchsorted(selection.all_numbers(), rowno))
