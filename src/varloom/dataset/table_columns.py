"""The columns that can be asked for, by name, and how DuckDB reaches each.

Queries never contain a column's name: the view `cells` calls the columns c0, c1, ... in the dataset's order, so that a
name may hold whatever a file can carry.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow as pa

from varloom.dataset.column_types import is_list, is_numeric, type_name
from varloom.dataset.problems import COLUMN_UNKNOWN
from varloom.dataset.sample_columns import holds_all_samples, sample_column
from varloom.errors import Place, VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from varloom.dataset.manifest import Manifest
    from varloom.reader import Column

_NAMES_SHOWN = 12


class ValueKind(StrEnum):
    """What the values of a column can be compared with."""

    NUMBER = "number"
    TEXT = "text"
    FLAG = "flag"


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table; a virtual one is an element of a list column that holds all samples.

    Attributes:
        column: name, type and origin.
        sql: the expression for its value in the view `cells`.
        virtual: whether the dataset stores it within another column.
    """

    column: Column
    sql: str
    virtual: bool = False

    @property
    def name(self) -> str:
        """The name that users know."""
        return self.column.name

    @property
    def is_list(self) -> bool:
        """Whether a cell holds a list of values."""
        return is_list(self.column.type)

    @property
    def value_type(self) -> pa.DataType:
        """The type of a cell, or of one element where a cell holds a list."""
        return self.column.type.value_type if self.is_list else self.column.type

    @property
    def kind(self) -> ValueKind | None:
        """What a value, or an element, is; None for lists of lists."""
        if is_numeric(self.value_type):
            return ValueKind.NUMBER
        if self.value_type == pa.string():
            return ValueKind.TEXT
        return ValueKind.FLAG if self.value_type == pa.bool_() else None

    def as_dict(self) -> dict[str, object]:
        """What the API tells of a column."""
        return {
            "name": self.name,
            "type": type_name(self.column.type),
            "kind": self.kind.value if self.kind else None,
            "list": self.is_list,
            "origin": self.column.origin,
            "description": self.column.description,
            "sample": self.column.sample,
            "field": self.column.field,
            "virtual": self.virtual,
        }


class TableColumns:
    """All columns of one dataset."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self.contigs = manifest.contigs
        self.stored: tuple[TableColumn, ...] = tuple(
            TableColumn(column, f"c{number}") for number, column in enumerate(manifest.columns)
        )
        self._stored_by_name = {column.name: column for column in self.stored}

    @cached_property
    def virtual(self) -> tuple[TableColumn, ...]:
        """`SAMPLE.FIELD` for each sample of each list column that holds all samples, sample by sample."""
        taken = {column.name.casefold() for column in self.stored}
        lists = [column for column in self.stored if holds_all_samples(column.column)]
        return tuple(
            TableColumn(sample_column(held.column, sample, taken), f"{held.sql}[{number}]", virtual=True)
            for number, sample in enumerate(self._manifest.samples if lists else (), start=1)
            for held in lists
        )

    @cached_property
    def _virtual_by_name(self) -> dict[str, TableColumn]:
        return {column.name: column for column in self.virtual}

    def find(self, name: str) -> TableColumn | None:
        """The column of this name, in exactly this spelling."""
        return self._stored_by_name.get(name) or self._virtual_by_name.get(name)

    def require(self, name: str) -> TableColumn:
        """The column of this name.

        Raises:
            VarloomError: `column_unknown`, with what may have been meant.
        """
        found = self.find(name)
        if found is None:
            raise VarloomError(COLUMN_UNKNOWN, self.unknown(name), Place(field=safe_excerpt(name, 60)))
        return found

    def chosen(self, names: Sequence[str] | None) -> tuple[TableColumn, ...]:
        """The columns of these names, in their order; without names all that are stored.

        Raises:
            VarloomError: `column_unknown`.
        """
        return tuple(self.require(name) for name in names) if names else self.stored

    def unknown(self, name: str) -> str:
        """A sentence that says that there is no such column, and what may have been meant."""
        sentence = f"There is no column {safe_excerpt(name, 60)!r} in this table"
        close = self._similar(name)
        if close:
            return f"{sentence}; did you mean {' or '.join(close)}?"
        names = [column.name for column in self.stored]
        shown = ", ".join(safe_excerpt(name, 40) for name in names[:_NAMES_SHOWN])
        more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
        return f"{sentence}. The columns are {shown}{more}."

    def _similar(self, name: str) -> list[str]:
        """At most three names that differ in case, lack their first part, or are spelt alike."""
        names = [column.name for column in (*self.stored, *self.virtual)]
        wanted = name.casefold()
        same = [known for known in names if known.casefold() == wanted or known.casefold().endswith(f".{wanted}")]
        close = same or difflib.get_close_matches(name, names[:5000], n=3, cutoff=0.7)
        return [safe_excerpt(known, 60) for known in close[:3]]
