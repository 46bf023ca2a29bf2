"""Rules of VCF 4.4 between annotations of structural variants, repeats and phase sets: warnings; nothing is lost."""

from __future__ import annotations

import pytest

from varloom.reader import ReadOptions, check_file, open_reader

HEADER = """##fileformat=VCFv{version}
##contig=<ID=1>
##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="d">
##INFO=<ID=SVCLAIM,Number=A,Type=String,Description="d">
##INFO=<ID=END,Number=1,Type=Integer,Description="d">
##INFO=<ID=RN,Number=A,Type=Integer,Description="d">
##INFO=<ID=RUS,Number=.,Type=String,Description="d">
##INFO=<ID=RUL,Number=.,Type=Integer,Description="d">
##INFO=<ID=RUC,Number=.,Type=Float,Description="d">
##INFO=<ID=RB,Number=.,Type=Integer,Description="d">
##INFO=<ID=CIRB,Number=.,Type=Integer,Description="d">
##INFO=<ID=RUB,Number=.,Type=Integer,Description="d">
##FORMAT=<ID=GT,Number=1,Type=String,Description="d">
##FORMAT=<ID=CN,Number=1,Type=Float,Description="d">
##FORMAT=<ID=PSL,Number=P,Type=String,Description="d">
##FORMAT=<ID=PSO,Number=P,Type=Integer,Description="d">
##FORMAT=<ID=PSQ,Number=P,Type=Integer,Description="d">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS
"""
SOUND = "SVLEN=9;SVCLAIM=D"
REPEAT = "SVLEN=9"


@pytest.fixture
def warnings(tmp_path):
    def read(alt, info, keys="GT", values="0|1", version="4.4"):
        path = tmp_path / "a.vcf"
        record = f"1\t5\t.\tA\t{alt}\t.\t.\t{info}\t{keys}\t{values}\n"
        path.write_text(HEADER.format(version=version) + "1\t4\t.\tA\tC\t.\t.\t.\tGT\t0|1\n" + record)
        result = check_file(path)
        assert (result.ok, result.records) == (True, 2)
        return [
            (problem.place.field, problem.place.line, problem.message)
            for problem in result.problems
            if problem.kind.code == "vcf_structural_annotation"
        ]

    return read


@pytest.mark.parametrize(
    ("alt", "info", "field", "word"),
    [
        ("<DEL>", "SVCLAIM=D", "INFO.SVLEN", "<DEL>"),
        ("<INV>", ".", "INFO.SVLEN", "<INV>"),
        ("<DUP:TANDEM>", "SVLEN=9", "INFO.SVCLAIM", "<DUP>"),
        ("C,<DEL>", "SVLEN=.,9;SVCLAIM=D,.", "INFO.SVCLAIM", "<DEL>"),
        ("<DEL>,<INS>", "SVLEN=9,.;SVCLAIM=D,.;END=14", "INFO.SVLEN", "<INS>"),
        ("<CNV:TR>", f"{REPEAT};RN=1;RUS=CAG,CA", "INFO.RUS", "2 values for 1 repeat,"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG,CA", "INFO.RUS", "2 values for 1 repeat,"),
        ("<CNV:TR>,<CNV:TR>", "SVLEN=9,9;RN=1,2;RUL=3,3", "INFO.RUL", "2 values for 3 repeats"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG;RUL=2", "INFO.RUL", "3 bases"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG;RB=60;CIRB=-2", "INFO.CIRB", "not two"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG;RUC=2.5;RUB=3,3", "INFO.RUB", "whole"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG;RUB=3,3", "INFO.RUB", "whole"),
        ("<CNV:TR>", f"{REPEAT};RUS=CAG;RUC=3;RUB=3,3", "INFO.RUB", "2 values for 3 units"),
    ],
)
def test_annotations_that_contradict_each_other_are_told(warnings, alt, info, field, word):
    [(where, line, message)] = warnings(alt, info)
    assert (where, line) == (field, 20)
    assert word in message


@pytest.mark.parametrize(
    ("alt", "info"),
    [
        ("<DEL>", SOUND),
        ("<DEL>", "SVCLAIM=D;END=14"),
        ("<INS>", "SVLEN=9"),
        ("<BND>", "."),
        ("A]1:9]", "."),
        ("C,<NON_REF>", "."),
        (
            "<CNV:TR>,<CNV:TR>",
            "SVLEN=9,9;RN=1,2;RUS=CAG,CA,T;RUL=3,2,1;RUC=1,2,3;RB=3,4,3;CIRB=0,0,0,0,0,0;RUB=3,2,2,1,1,1",
        ),
        ("<CNV:TR>", f"{REPEAT};RN=2;RUS=CAG,.;RUL=.,3"),
    ],
)
def test_what_agrees_is_not_told(warnings, alt, info):
    assert warnings(alt, info) == []


@pytest.mark.parametrize("version", ["4.2", "4.3"])
def test_older_files_are_not_held_to_the_rules(warnings, version):
    assert warnings("<DEL>", ".", version=version) == []


def test_alleles_of_different_lengths_have_no_common_copy_number(warnings):
    [(field, _, message)] = warnings("<DEL>,<DUP>", "SVLEN=9,8;SVCLAIM=D,D", "GT:CN", "0|1:1")
    assert (field, "CN" in message) == ("INFO.SVLEN", True)
    assert warnings("<DEL>,<DUP>", "SVLEN=9,9;SVCLAIM=D,D", "GT:CN", "0|1:1") == []


@pytest.mark.parametrize(
    ("keys", "values", "field"),
    [
        ("GT:PSL", "0/1:a,a", "S.PSL"),
        ("GT:PSL", "0|1:a", "S.PSL"),
        ("GT:PSL:PSO", "0|1:a,.:1,2", "S.PSO"),
        ("GT:PSL:PSQ", "0|1:.,a:7,2", "S.PSQ"),
        ("GT:PSQ", "0|1:7,2", "S.PSQ"),
        ("GT:PSL", "/0|1:a,a", "S.PSL"),
    ],
)
def test_phase_sets_belong_to_phased_alleles(warnings, keys, values, field):
    assert [where for where, _, _ in warnings("C", ".", keys, values)] == [field]


@pytest.mark.parametrize(
    ("keys", "values"),
    [
        ("GT:PSL", "0|1:a,a"),
        ("GT:PSL", "0/0|1:.,.,a"),
        ("GT:PSL", "/0|1:.,a"),
        ("GT:PSL:PSO:PSQ", "0|1:a,a:1,2:7,."),
        ("GT:PSL", "0|1:."),
        ("GT:PSL", "0|1"),
        ("PSL", "a,a"),
    ],
)
def test_phase_sets_that_agree_are_not_told(warnings, keys, values):
    assert warnings("C", ".", keys, values) == []


def test_the_values_are_those_of_any_other_record(tmp_path):
    """Records have rules from 4.4 on, and none in 4.3; both give the same cells."""
    records = "1\t5\tx\tA\t<DEL>,C\t3.5\tPASS\tSVLEN=9,.;SVCLAIM=D,.\tGT:CN\t0|1:1.5\n" * 3
    rows = []
    for version in ("4.3", "4.4"):
        path = tmp_path / f"{version}.vcf"
        path.write_text(HEADER.format(version=version) + records)
        rows.append([row for batch in open_reader(path, options=ReadOptions()).batches() for row in batch.to_pylist()])
    assert len(rows[0]) == 6
    assert rows[0] == rows[1]


def test_each_record_is_counted_once_whoever_reads_it(tmp_path):
    """The second one has a key twice, so that the kernel leaves it to the careful parser; CRLF changes nothing."""
    records = ["SVLEN=9", "SVLEN=9;SVLEN=9", "SVLEN=9", "SVLEN=9;SVCLAIM=D"]
    lines = "".join(f"1\t{place}\t.\tA\t<DEL>\t.\t.\t{info}\tGT\t0|1\r\n" for place, info in enumerate(records, 5))
    path = tmp_path / "a.vcf"
    path.write_bytes((HEADER.format(version="4.4") + lines).encode())
    [told] = [problem for problem in check_file(path).problems if problem.kind.code == "vcf_structural_annotation"]
    assert (told.place.line, told.place.field) == (19, "INFO.SVCLAIM")
    assert told.message.endswith("(3 times in all)")
