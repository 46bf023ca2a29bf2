"""The proof that no row and no record was lost on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.dataset.arrow_columns import whole_numbers
from varloom.dataset.native.row_steps import go_on
from varloom.dataset.problems import DATASET_INCONSISTENT
from varloom.errors import VarloomError

if TYPE_CHECKING:
    import pyarrow as pa

    from varloom.reader import ReadSummary

FIRST_ROWNO = 0
"""The `rowno` of a dataset's first row."""


class RowCount:
    """Counts rows and records as they pass, and sees that neither has a gap."""

    def __init__(self) -> None:
        self.rows = 0
        self._records = 0
        self._has_records = False

    def add(self, batch: pa.RecordBatch) -> None:
        """Check the next rows: `rowno` goes on by 1, `record` by 0 or 1.

        Raises:
            VarloomError: `dataset_inconsistent`.
        """
        if not batch.num_rows:
            return
        _expect(batch, "rowno", FIRST_ROWNO + self.rows, FIRST_ROWNO + self.rows, (1, 1))
        self.rows += batch.num_rows
        if batch.schema.names[:2] == ["rowno", "record"]:  # elsewhere it is a column of the file's own
            self._has_records = True
            _expect(batch, "record", max(self._records, 1), self._records + 1, (0, 1))
            self._records = batch.column("record")[-1].as_py()

    def prove(self, summary: ReadSummary) -> None:
        """Compare with the reader's own counts.

        Raises:
            VarloomError: `dataset_inconsistent`.
        """
        if self.rows != summary.variants:
            raise VarloomError(
                DATASET_INCONSISTENT, f"{self.rows} rows were written, but {summary.variants} variants were read."
            )
        records = self._records if self._has_records else self.rows
        if records != summary.records:
            raise VarloomError(
                DATASET_INCONSISTENT, f"{records} records were written, but {summary.records} were read."
            )


def _expect(batch: pa.RecordBatch, name: str, lowest: int, highest: int, steps: tuple[int, int]) -> None:
    """The column starts between `lowest` and `highest`, goes on by steps of this range, and misses no value."""
    values = batch.column(name)
    first = values[0].as_py()
    if values.null_count or not lowest <= first <= highest:
        raise VarloomError(
            DATASET_INCONSISTENT, f"The column {name} goes on with {first} where {highest} was expected."
        )
    if not go_on(whole_numbers(values), *steps):
        raise VarloomError(DATASET_INCONSISTENT, f"The column {name} does not go on row by row after {first}.")
