"""What the reader gives and takes: columns, options, progress, summary, and the interface of every reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from varloom.errors import Problem
    from varloom.genomics.recognition import Recognition


class Column(NamedTuple):
    """One column of the table.

    Attributes:
        name: as in the dataset, such as `INFO.DP` or `HG002.GT`; unique whatever the case of its letters.
        type: its Arrow type.
        origin: `varloom` (rowno, record, line, allele), `VCF` (fixed fields), `INFO`, `FORMAT`, or `file` (CSV, TSV).
        description: of the header's declaration, where it has one.
        sample: the sample of a `SAMPLE.FIELD` column.
        field: the INFO or FORMAT key, or the header of the CSV file's own column.
    """

    name: str
    type: pa.DataType
    origin: str
    description: str | None = None
    sample: str | None = None
    field: str | None = None


class ReadOptions(NamedTuple):
    """How to read.

    Attributes:
        max_problems: how many errors of a broken file are gathered before it is refused.
        batch_rows: the most rows of one batch; wide tables come in smaller ones, so that memory stays flat.
        threads: how many threads may be used; None leaves it to the reader.
    """

    max_problems: int = 20
    batch_rows: int = 65_536
    threads: int | None = None


class ReadProgress(NamedTuple):
    """How far the reading is; bytes are those of the file as it is stored, compressed or not."""

    bytes_done: int
    bytes_total: int
    records: int


class ReadSummary(NamedTuple):
    """What a whole file held.

    Attributes:
        records: data lines of a VCF, data rows of a CSV.
        variants: rows of the table; for CSV the same as `records`.
        columns: all columns with their final types, in their final order.
        samples: of the `#CHROM` line, in its order.
        warnings: faults of meaning, one Problem for each field and kind.
        header: of the VCF, verbatim; the header row of a CSV.
        sha256: of the file as stored.
        bytes: of the file as stored.
        contigs: those that have records, in order of first appearance.
        versions: of what else made the columns, by name.
    """

    records: int
    variants: int
    columns: tuple[Column, ...]
    samples: tuple[str, ...]
    warnings: tuple[Problem, ...]
    header: str
    sha256: str
    bytes: int
    contigs: tuple[str, ...]
    versions: tuple[tuple[str, str], ...] = ()


class TableReader(Protocol):
    """One file on its way into a table; it is read once, from start to end."""

    recognition: Recognition

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows, in file order, as typed batches.

        The columns of later batches may be more (keys that the header does not declare, `_text` columns) and wider
        (int32 becomes int64); `summary().columns` gives the final ones. Raises FileRefused.
        """
        ...

    def summary(self) -> ReadSummary:
        """What was read; only after `batches()` is exhausted, else RuntimeError."""
        ...
