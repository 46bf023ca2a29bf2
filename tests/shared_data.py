"""Data of others beside the checkout: without it tests are skipped, but in CI, where it has to be there, they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def needs(path: Path) -> pytest.MarkDecorator:
    """Marks what reads a file or folder of `../shared`.

    In CI such a test fails where it is missing, also one that would find nothing to do then, and pass.
    """
    reason = f"needs {path.name} in ../shared beside the checkout"
    if os.environ.get("CI") == "true" and not path.exists():
        return pytest.mark.usefixtures("missing_shared_data")
    return pytest.mark.skipif(not path.exists(), reason=reason)
