"""Datasets: published, immutable tables. Writing them, asking them, and knowing whose they are."""

from varloom.dataset.export import ExportFormat
from varloom.dataset.filter_text import AnyOf, ColumnCondition, Operator, filter_text, quote_column
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
