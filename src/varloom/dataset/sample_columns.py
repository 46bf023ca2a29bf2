"""Columns of single samples, where the values of all samples lie in one list column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.dataset.column_types import is_list

if TYPE_CHECKING:
    from varloom.reader import Column


def is_of_samples(column: Column) -> bool:
    """Whether a column holds values of one sample, or of all samples as a list."""
    return column.origin == "FORMAT"


def holds_all_samples(column: Column) -> bool:
    """Whether a column is a list with one element for each sample, in sample order."""
    return is_of_samples(column) and column.sample is None and is_list(column.type)


def sample_column(column: Column, sample: str, taken: set[str]) -> Column:
    """One sample's column of a list column that holds the values of all.

    `taken` are the case-folded names that are in use; the new name is added. A name that is taken gets a number, as
    the reader gives them.
    """
    wanted = f"{sample}.{column.name.removeprefix('FORMAT.')}"
    name, number = wanted, 1
    while name.casefold() in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name.casefold())
    return column._replace(name=name, type=column.type.value_type, sample=sample)
