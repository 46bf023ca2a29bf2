"""Every VCF of the shared corpus is treated as its manifest says: refused at the right line, or read whole."""

from __future__ import annotations

import csv
import re
from collections import defaultdict

import pytest
from tests.shared_data import SHARED, needs

from varloom.reader import check_file

CORPUS = SHARED / "corpus"

EBI = "vcf/EBIvariation+vcf-validator/test/input_files"
NO_EVIDENCE = "accepted without a warning: a VCF needs neither genotypes nor frequencies; one archive asks for them"
EXCEPTIONS = {
    f"{EBI}/v4.3/evidence/failed/failed_no_genotypes_or_frequencies.vcf": NO_EVIDENCE,
    f"{EBI}/v4.4/evidence/failed/failed_no_genotypes_or_frequencies.vcf": NO_EVIDENCE,
}


def manifest():
    if not CORPUS.is_dir():
        return {}
    with (CORPUS / "vcf.tsv").open(newline="", encoding="utf-8") as file:
        by_source = defaultdict(list)
        for row in csv.DictReader(file, delimiter="\t"):
            by_source[row["path"].split("/")[1]].append(row)
    return by_source


FILES = manifest()
pytestmark = [
    pytest.mark.corpus,
    needs(CORPUS / "vcf.tsv"),
]


def fault(row, result):
    """What is wrong with the result in the eyes of the manifest's `must`, or None."""
    must = row["must"]
    line = None if result.ok else result.problems[0].place.line
    rows = (re.search(r"(\d+|\?) rows", must) or [None, None])[1]
    bad_line = (re.search(r"line (\d+|\?)", must) or [None, None])[1]
    right_line = bad_line in {None, "?", "0"} or line == int(bad_line)
    right_rows = result.ok and rows in {None, "?", str(result.records)}
    match must.split(" ")[:2]:
        case ["reject,", _]:
            good = not result.ok and right_line
        case ["accept", "exactly"]:
            good = right_rows
        case ["reject", "with"]:
            good = (right_rows and bool(result.problems)) if result.ok else right_line
        case ["accept", _]:
            good = right_rows or (not result.ok and (line is not None or row["format"] != "vcf"))
        case _:
            good = False
    return None if good else f"{row['path']}: must {must}; ok={result.ok} records={result.records} line={line}"


@pytest.mark.parametrize("source", sorted(FILES) or [None])
def test_each_file_is_treated_as_the_manifest_says(source):
    faults = []
    for row in FILES[source]:
        if row["path"] in EXCEPTIONS:
            continue
        result = check_file(CORPUS / row["path"])
        faults.append(fault(row, result))
        assert all(problem.message and problem.as_dict()["resolution"] for problem in result.problems)
    assert [found for found in faults if found] == []


def test_the_exceptions_are_still_needed():
    rows = {row["path"]: row for source in FILES.values() for row in source}
    needless = [path for path in EXCEPTIONS if fault(rows[path], check_file(CORPUS / path)) is None]
    assert needless == []
