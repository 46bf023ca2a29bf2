"""Which columns have values that repeat so much that storing each once in a dictionary pays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.dataset.arrow_columns import ArrowColumns
from varloom.dataset.native.column_encoder import BOOL, NUMBER, TEXT, ColumnEncoder
from varloom.dataset.parquet_leaves import leaves_of

if TYPE_CHECKING:
    import pyarrow as pa

    from varloom.dataset.parquet_leaves import Leaf

_SAMPLED_VALUES = 8_192
_DISTINCT_SHARE = {TEXT: 0.25, NUMBER: 0.5}
_HOPELESS_SHARE = 0.97
"""So many distinct values among the first tell of identifiers; fewer may still repeat in a whole row group."""


def repetitive_leaves(table: pa.Table) -> list[str]:
    """The names of the leaves of which few of the first values or, where these leave it open, of all are distinct."""
    encoder = ColumnEncoder()
    columns = ArrowColumns(table, encoder)
    found: list[str] = []
    for index, field in enumerate(table.schema):
        columns.take(index)
        found += [leaf.name for leaf in leaves_of(field.name, field.type) if _is_repetitive(encoder, leaf)]
    return found


def _is_repetitive(encoder: ColumnEncoder, leaf: Leaf) -> bool:
    if leaf.kind == BOOL:
        return False
    few = _DISTINCT_SHARE[leaf.kind]
    share = _distinct_share(encoder, leaf, _SAMPLED_VALUES)
    if few < share < _HOPELESS_SHARE:
        share = _distinct_share(encoder, leaf, None)
    return share <= few


def _distinct_share(encoder: ColumnEncoder, leaf: Leaf, most: int | None) -> float:
    """The number of distinct values over that of all; 0 where there is none or one, 1 without room for them."""
    distinct, values = encoder.count_distinct(field=leaf.field, kind=leaf.kind, width=leaf.width, most=most)
    if distinct is None:
        return 1.0
    return distinct / values if distinct > 1 else 0.0
