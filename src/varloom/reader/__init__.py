"""Files into typed tables, exactly, with every fault named by line, column and field.

`open_reader` is the door; `check_file` reads a file only to judge it.
"""

from varloom.reader.checking import CheckResult, check_file
from varloom.reader.model import Column, ReadOptions, ReadProgress, ReadSummary, TableReader
from varloom.reader.opening import open_reader
from varloom.reader.problems import FileRefused

__all__ = [
    "CheckResult",
    "Column",
    "FileRefused",
    "ReadOptions",
    "ReadProgress",
    "ReadSummary",
    "TableReader",
    "check_file",
    "open_reader",
]
