"""Datasets: published, immutable tables. Writing them, asking them, and knowing whose they are.

Names are loaded when they are first used: whoever only writes datasets does not wait for the query engine.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from varloom.dataset.conditions import AnyOf, ColumnCondition, Operator, filter_text, quote_column
    from varloom.dataset.export import ExportFormat
    from varloom.dataset.loading import load_file
    from varloom.dataset.manifest import Dataset, Manifest, Part, Source, Split
    from varloom.dataset.paging import Page
    from varloom.dataset.query_engine import QueryEngine
    from varloom.dataset.sorting import SortKey, parse_sort, sort_text
    from varloom.dataset.summaries import Facets, Histogram
    from varloom.dataset.table_columns import TableColumn
    from varloom.dataset.writer import split_directories, write_dataset, written_directories

__all__ = [
    "AnyOf",
    "ColumnCondition",
    "Dataset",
    "ExportFormat",
    "Facets",
    "Histogram",
    "Manifest",
    "Operator",
    "Page",
    "Part",
    "QueryEngine",
    "SortKey",
    "Source",
    "Split",
    "TableColumn",
    "filter_text",
    "load_file",
    "parse_sort",
    "quote_column",
    "sort_text",
    "split_directories",
    "write_dataset",
    "written_directories",
]

_MODULES = {
    "export": ("ExportFormat",),
    "conditions": ("AnyOf", "ColumnCondition", "Operator", "filter_text", "quote_column"),
    "loading": ("load_file",),
    "manifest": ("Dataset", "Manifest", "Part", "Source", "Split"),
    "paging": ("Page",),
    "query_engine": ("QueryEngine",),
    "sorting": ("SortKey", "parse_sort", "sort_text"),
    "summaries": ("Facets", "Histogram"),
    "table_columns": ("TableColumn",),
    "writer": ("split_directories", "write_dataset", "written_directories"),
}
_HOMES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Load a name from the module that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
