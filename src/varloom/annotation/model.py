"""What annotation takes and gives: variants in batches, declared columns, and what was set aside."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

if TYPE_CHECKING:
    from varloom.genomics.assemblies import Assembly


class VariantKind(StrEnum):
    """The kind of variants that a source serves; an upload is annotated as one of them."""

    SMALL = "small"
    STRUCTURAL = "structural"


VARIANTS = pa.schema(
    [
        pa.field("rowno", pa.int64(), nullable=False),
        pa.field("contig", pa.string(), nullable=False),
        pa.field("position", pa.int64(), nullable=False),
        pa.field("id", pa.string()),
        pa.field("ref", pa.string(), nullable=False),
        pa.field("alt", pa.string()),
        pa.field("end", pa.int64()),
        pa.field("svtype", pa.string()),
        pa.field("svlen", pa.int64()),
        pa.field("copy_number", pa.float64()),
        pa.field("imprecision", pa.int64()),
    ]
)
"""A batch of variants: rows of a dataset, one for each ALT allele, in the order of the file.

`rowno`: of the dataset, from 0. `contig`: as the file writes it. `position`: 1-based, of the first base of `ref`.
`alt`: one allele as the file writes it: bases, `<DEL>`, a breakend, `*`; None where the record has none.
`end` (1-based, inclusive), `svtype`, `svlen` (bases, as in the file), `copy_number` (of INFO, else of the first sample)
and `imprecision` (bases, the widest of CIPOS and CIEND) come from the record's INFO and FORMAT where it has them; they
are None for all rows of a batch of small variants. `end` is None, too, for an allele that has a length and is one of
several of its record, since END is that of the longest one.
"""

PHASED_VARIANTS = pa.schema(
    [
        *VARIANTS,
        pa.field("allele", pa.int64(), nullable=False),
        pa.field("genotypes", pa.list_(pa.string())),
        pa.field("phase_sets", pa.list_(pa.string())),
    ]
)
"""What a batch may have beyond `VARIANTS`: with it variants of one haplotype are seen together.

`allele`: the number of this ALT in its record, from 1. `genotypes`: the GT of each sample as the file writes it.
`phase_sets`: its PS, None where it has none.
"""


class AnnotationColumn(NamedTuple):
    """One column that a source adds.

    Attributes:
        name: `SOURCE.FIELD`, such as `clinvar.significance`; unique over all sources.
        type: its Arrow type, one that a dataset can hold (see `varloom.dataset.column_types`).
        description: for people, one sentence; units and meaning of a missing value included.
    """

    name: str
    type: pa.DataType
    description: str


class SetAside(NamedTuple):
    """A variant that a source could not annotate; its columns are missing in that row.

    Attributes:
        rowno: the row.
        reason: for people, a sentence.
    """

    rowno: int
    reason: str


class Annotated(NamedTuple):
    """What a source says of a batch.

    Attributes:
        columns: the declared columns in their order, with exactly one row for each variant of the batch, in its order.
        set_aside: the variants that it could not annotate.
    """

    columns: pa.RecordBatch
    set_aside: tuple[SetAside, ...] = ()


DEMO_RELEASE = "demo"
"""What every release of the demonstration is called, and no other can be: its data is made, and says nothing of people.

Real variants are never annotated with it, nor its own with real data: see `choose`.
"""


class ReleaseKey(NamedTuple):
    """What names a release of reference data for good: a job pins these.

    Attributes:
        kind: `genes`, `fasta`, `variants`, `scores`, `structural`, `dosage`, `mane` or `pgx`.
        name: such as `ensembl`, `clinvar`, `gnomad`, `revel`.
        assembly: of its coordinates.
        release: such as `115` or `2026-11-15`.
    """

    kind: str
    name: str
    assembly: Assembly
    release: str

    @property
    def is_demo(self) -> bool:
        """Whether it is of the demonstration."""
        return self.release == DEMO_RELEASE
