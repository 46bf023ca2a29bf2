"""What the parts of the record parser hand to each other: where a record stands, and its fixed columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from varloom.reader.vcf.alleles import AlleleShape


class Spot(NamedTuple):
    """Where one record stands: its line in the file, its first row in the batch, and its alleles."""

    line: int
    row: int
    shape: AlleleShape


class FixedFields(NamedTuple):
    """The columns from CHROM to FILTER; texts as in the file, a dot where they are missing."""

    contig: str
    position: int
    identifier: str
    ref: str
    alt: str
    quality: float | None
    filters: str
