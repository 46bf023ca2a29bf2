"""Each cell of each large file of the corpus against the text of the file."""

from __future__ import annotations

import pytest
from corpus_files import LARGE, SHARED, acceptable_files
from tests.shared_data import needs
from vcf_verifier import differences

pytestmark = [
    pytest.mark.corpus,
    needs(SHARED),
]


@pytest.mark.parametrize("path", [path for path, size in acceptable_files().items() if size >= LARGE] or [None])
def test_large_files_of_the_corpus_arrive_unchanged(path):
    assert differences(SHARED / "corpus" / path) == []
