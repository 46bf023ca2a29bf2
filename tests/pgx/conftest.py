"""Releases that all tests of the folder call with."""

from __future__ import annotations

import pytest
from tests.pgx.made import Lab, library_with


@pytest.fixture(scope="session")
def pgx_library(tmp_path_factory):
    return library_with(tmp_path_factory.mktemp("library"), "pharmcat", "cpic")


@pytest.fixture
def lab(pgx_library, tmp_path):
    folder = tmp_path / "output"
    folder.mkdir()
    return Lab(pgx_library, folder)
