"""Each cell of the reader's batches against the text of the file, by the independent verifier beside this test."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from vcf_verifier import differences

from varloom.reader import FileRefused, check_file

SHARED = Path(__file__).resolve().parents[3] / "shared"
MOST_BYTES = 12_000
RENAMED = {
    "vcf/samtools+bcftools/test/query.2.vcf": "xx.A0 and xx.a0 are the same column in SQL: the second is renamed",
}

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared beside the checkout"),
]


def small_files():
    with (SHARED / "corpus" / "vcf.tsv").open(newline="", encoding="utf-8") as file:
        return [
            row["path"]
            for row in csv.DictReader(file, delimiter="\t")
            if row["format"] == "vcf"
            and row["compression"] in {"plain", "gzip", "bgzf"}
            and not row["must"].startswith("reject, ")
            and int(row["bytes"]) <= MOST_BYTES
            and row["path"] not in RENAMED
        ]


def test_small_files_of_the_corpus_arrive_unchanged():
    changed, read = {}, 0
    for path in small_files():
        try:
            found = differences(SHARED / "corpus" / path)
        except FileRefused:
            continue
        read += 1
        if found:
            changed[path] = found
    assert changed == {}
    assert read > 1000


@pytest.mark.parametrize("name", ["slivar.ashk-trio.vcf.gz", "split-vep.vcf", "HG002_GRCh38_chr22_v4.2.1.vcf.gz"])
def test_real_files_arrive_unchanged(name):
    assert differences(SHARED / "data" / "variants" / name) == []


def test_the_benchmark_sample_has_all_its_records():
    result = check_file(SHARED / "data" / "variants" / "HG002_GRCh38_chr22_v4.2.1.vcf.gz")
    assert (result.ok, result.records, result.variants, result.problems) == (True, 50_284, 50_861, ())


VCF = """##fileformat=VCFv4.2
##INFO=<ID=DP,Number=1,Type=Integer,Description="d">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="d">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS
1\t5\t.\tA\tC,G\t.\t.\tDP=7\tAD\t1,2,3
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [("DP=7", "DP=8"), ("1,2,3", "1,3,2"), ("C,G", "C"), ("1\t5", "1\t6"), ("DP=7", "DP=x"), ("DP=7", "DQ=7")],
)
def test_the_verifier_sees_a_changed_cell(tmp_path, monkeypatch, before, after):
    """The verifier itself can fail: it is given a text that differs from what the reader reads in one place."""
    path = tmp_path / "one.vcf"
    path.write_text(VCF, encoding="utf-8")
    assert differences(path) == []
    monkeypatch.setattr("vcf_verifier.text_of", lambda _: VCF.replace(before, after))
    assert differences(path) != []
