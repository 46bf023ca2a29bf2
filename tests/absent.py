"""What a test needs and may not find: it is skipped then, and fails in CI, where everything has to be there."""

from __future__ import annotations

import importlib.util
import os
from typing import NoReturn

import pytest


def absent(what: str) -> NoReturn:
    """Skip a test whose program is not there; a run that has to be complete fails by it instead."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)


def require_aligner() -> None:
    """See that pybwa is there, of the extra `reads`, which `make test` installs."""
    if importlib.util.find_spec("pybwa") is None:
        absent("needs pybwa: pip install 'varloom[reads]'")
