"""Each cell of stored datasets against the text of their files, and the verifier itself, which must be able to fail."""

from __future__ import annotations

import subprocess
import sys

import pytest
import vcf_text
from corpus_files import SHARED
from tests.shared_data import needs
from vcf_verifier import dataset_differences, differences

from varloom.reader import check_file

needs_shared = [
    pytest.mark.corpus,
    needs(SHARED),
]


SHARES = 4
"""A test for each share of the real files, so that each comes to its end in time on any machine."""


def real_files():
    return sorted(path for path in (SHARED / "data").rglob("*.vcf*") if path.suffixes[-1] in {".vcf", ".gz", ".bgz"})


class TestShared:
    pytestmark = needs_shared

    @pytest.mark.parametrize("share", range(SHARES))
    def test_datasets_of_real_files_hold_every_cell(self, tmp_path, share):
        changed = {}
        for number, path in enumerate(real_files()[share::SHARES]):
            found, _ = dataset_differences(path, tmp_path / str(number))
            if found:
                changed[path.name] = found
        assert changed == {}
        assert len(real_files()) > 100

    @pytest.mark.parametrize(("kind", "records"), [("gatk", 50_000), ("vep", 5_000), ("multi500", 300)])
    def test_datasets_of_generated_records_hold_every_cell(self, tmp_path, kind, records):
        path = tmp_path / "made.vcf"
        script = SHARED / "tools" / "make_vcf.py"
        subprocess.run([sys.executable, script, kind, str(records), path], check=True, capture_output=True)
        found, expected = dataset_differences(path, tmp_path / "dataset")
        assert found == []
        assert expected.records == records

    def test_the_benchmark_sample_has_all_its_records(self):
        result = check_file(SHARED / "data" / "variants" / "HG002_GRCh38_chr22_v4.2.1.vcf.gz")
        assert (result.ok, result.records, result.variants, result.problems) == (True, 50_284, 50_861, ())


VCF = """##fileformat=VCFv4.2
##INFO=<ID=DP,Number=1,Type=Integer,Description="d">
##INFO=<ID=F,Number=1,Type=Float,Description="d">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="d">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS
1\t5\t.\tA\tC,G\t.\t.\tDP=7;F=0\tAD\t1,2,3
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("DP=7", "DP=8"),
        ("DP=7", "DP=x"),
        ("DP=7", "DQ=7"),
        ("DP=7", "dp=7"),
        ("F=0", "F=-0"),
        ("1,2,3", "1,3,2"),
        ("1,2,3", "1,2"),
        ("C,G", "C"),
        ("1\t5", "1\t6"),
        ("1\t5", "2\t5"),
        ("\n1\t5", "\n\n1\t5"),
        ("Type=Integer", "Type=Float"),
        ("1\t5\t.\tA\tC,G\t.\t.\tDP=7;F=0\tAD\t1,2,3\n", ""),
    ],
)
def test_the_verifier_sees_a_changed_cell(tmp_path, monkeypatch, before, after):
    """It is given a text that differs from what the reader reads in one place."""
    path = tmp_path / "one.vcf"
    path.write_text(VCF, encoding="utf-8")
    assert differences(path) == []
    text = VCF.replace(before, after, 1)
    assert text != VCF
    monkeypatch.setattr(vcf_text, "lines_of", lambda _: iter(text.split("\n")[:-1]))
    assert differences(path) != []
