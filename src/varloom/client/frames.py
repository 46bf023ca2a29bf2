"""An exported Parquet file as a table in memory, in the packages that people use."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from varloom.client.problems import PACKAGE_MISSING
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from pathlib import Path


def arrow_table(path: Path) -> Any:
    """A `pyarrow.Table`, wholly in memory."""
    return _package("pyarrow.parquet").read_table(path, memory_map=False)


def polars_frame(path: Path) -> Any:
    """A `polars.DataFrame`. Raises `package_missing`."""
    return _package("polars").read_parquet(path, memory_map=False)


def pandas_frame(path: Path) -> Any:
    """A `pandas.DataFrame`; whole numbers with gaps stay whole numbers. Raises `package_missing`."""
    pandas = _package("pandas")
    return arrow_table(path).to_pandas(types_mapper=pandas.ArrowDtype)


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise VarloomError(PACKAGE_MISSING, f"{name.partition('.')[0]} is not installed.") from None
