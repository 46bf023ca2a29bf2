"""Data of others beside the checkout: without it tests are skipped, but in CI, where it has to be there, they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def needs(path: Path) -> pytest.MarkDecorator:
    """Marks what reads a file or folder of `../shared`."""
    is_missing = not path.exists() and os.environ.get("CI") != "true"
    return pytest.mark.skipif(is_missing, reason=f"needs {path.name} in ../shared beside the checkout")
