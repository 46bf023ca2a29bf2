"""The SQL of the engine: one statement a file under `sql/`, each with one caller in `repository.py`."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import LiteralString


@cache
def statement(name: str) -> LiteralString:
    """The text of `sql/NAME.sql`."""
    return resources.files("varloom.jobs").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")


@cache
def job_statement(name: str) -> LiteralString:
    """A statement whose last table expression `changed` holds job rows: ends by returning them whole."""
    return statement(name) + statement("job_columns")
