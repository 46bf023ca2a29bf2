"""VCFs of the shared corpus and data, written as BCF by htslib: our rows are those of the text that htslib gives."""

from __future__ import annotations

import pysam
import pysam.bcftools
import pytest
from tests.shared_data import SHARED, needs

from varloom.reader import FileRefused, open_reader

MOST_BYTES = 300_000
PARTS = 8
FILES = sorted(
    path
    for folder in ("corpus/vcf", "data")
    for ending in (".vcf", ".vcf.gz", ".vcf.bgz", ".bcf")
    for path in (SHARED / folder).rglob(f"*{ending}")
    if path.is_file() and 0 < path.stat().st_size < MOST_BYTES
)[::5]
pytestmark = [
    pytest.mark.corpus,
    needs(SHARED / "corpus"),
]


def written(source, kind, path):
    """Whether htslib can write the file anew."""
    try:
        pysam.bcftools.view("--no-version", kind, "-o", str(path), str(source), catch_stdout=False)
    except pysam.SamtoolsError:
        return False
    return path.exists()


def table(path):
    """Everything that the reader says of a file; repr, since NaN is not equal to itself."""
    try:
        reader = open_reader(path)
        rows = [repr(row) for batch in reader.batches() for row in batch.to_pylist()]
    except FileRefused as refused:
        return [(problem.kind.code, problem.place, problem.message) for problem in refused.problems]
    summary = reader.summary()
    return rows, summary.columns, summary.records, summary.variants, summary.header, summary.warnings


@pytest.mark.parametrize("part", range(PARTS))
def test_bcf_gives_the_rows_of_its_text(tmp_path, part):
    compared = 0
    for source in FILES[part::PARTS]:
        bcf, text = tmp_path / "a.bcf", tmp_path / "a.vcf"
        if written(source, "-Ob", bcf) and written(bcf, "-Ov", text):
            assert table(bcf) == table(text), source
            compared += 1
        bcf.unlink(missing_ok=True)
        text.unlink(missing_ok=True)
    assert compared > len(FILES[part::PARTS]) // 3
