"""What is not to be relied on: few reads, failed filters, records that contradict each other, copies that are lost."""

from __future__ import annotations

import pytest
from tests.pgx.made import PGX, positions_vcf, vcf
from tests.shared_data import needs

pytestmark = needs(PGX)
RS776746 = 99672916
HEADER = (
    '##FORMAT=<ID=DP,Number=1,Type=Integer,Description="d">',
    '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="q">',
    '##FORMAT=<ID=RGQ,Number=1,Type=Integer,Description="q">',
    '##FORMAT=<ID=FT,Number=1,Type=String,Description="f">',
    '##FILTER=<ID=LowQual,Description="l">',
    '##FILTER=<ID=RefCall,Description="r">',
    '##INFO=<ID=SVLEN,Number=A,Type=Integer,Description="l">',
    '##ALT=<ID=DEL,Description="d">',
)
OTHERS = tuple(
    f"chr7 {position} {ref} {alt} GT 0/0"
    for position, ref, alt in (
        (99652770, "T", "TA"),
        (99660516, "C", "T"),
        (99665212, "C", "T"),
        (99676198, "G", "A"),
    )
)


def cyp3a5(lab, path, *records, passed="PASS", **rest):
    file = vcf(path, *OTHERS, *records, header=HEADER)
    if passed != "PASS":
        last = file.read_text().rstrip("\n").rpartition("\n")
        file.write_text(f"{last[0]}\n{last[2].replace('PASS', passed)}\n")
    gene = lab.gene(file, "CYP3A5", **rest)
    whys = [one["why"] for one in gene["positions"]["no_call"]]
    return [one["name"] for one in gene["diplotypes"]], gene["phenotype"], whys


@pytest.mark.parametrize(
    ("cells", "passed", "why"),
    [
        ("GT:DP 0/0:1", "PASS", "has 1 of the 10 reads"),
        ("GT:DP 0/1:9", "PASS", "has 9 of the 10 reads"),
        ("GT:DP 1/1:2", "PASS", "has 2 of the 10 reads"),
        ("GT:DP:GQ 0/0:30:19", "PASS", "has quality 19 of the 20"),
        ("GT:RGQ 0/0:3", "PASS", "has quality 3 of the 20"),
        ("GT:DP:FT 1/1:40:LowGQ", "PASS", "did not pass the filter LowGQ"),
        ("GT 1/1", "LowQual", "did not pass the filter LowQual"),
        ("GT 0/1", "RefCall", "did not pass the filter RefCall"),
        ("GT:DP:GQ:FT 0/0:10:20:PASS", "RefCall", None),
        ("GT:DP:GQ 1/1:10:20", "PASS", None),
    ],
)
def test_a_genotype_needs_reads_quality_and_its_filter(cells, passed, why, lab, tmp_path):
    record = f"chr7 {RS776746} T C {cells}"
    names, phenotype, whys = cyp3a5(lab, tmp_path / "a.vcf", record, passed=passed, listed=True)
    assert (phenotype is None) == (why is not None)
    assert (why is None) == (names != [] and whys == [])
    assert why is None or why in whys[0]


@pytest.mark.parametrize(
    ("records", "names"),
    [
        (("T C GT 0/1", "T C GT 0/1"), ["*1/*3"]),
        (("T C GT 0/1", "T C GT 1/0"), ["*1/*3"]),  # once they made *3/*3
        (("T C GT 0|1", "T C GT 1|0"), ["*1/*3"]),
        (("T C GT 0/1", "T C GT 0/0"), None),
        (("T C GT 0/0", "T C GT 1/1"), None),
        (("T C GT 0/1", "T C GT ./."), None),
        (("T C,G GT 0/1", "T G GT 0/1"), None),
    ],
)
def test_records_that_stand_twice_or_contradict_each_other(records, names, lab, tmp_path):
    written = [f"chr7 {RS776746} {record}" for record in records]
    found, phenotype, whys = cyp3a5(lab, tmp_path / "a.vcf", *written)
    if names is not None:
        assert (found, whys) == (names, [])
        return
    assert phenotype is None
    assert "contradict" in whys[0]


@pytest.mark.parametrize("end", ["END=99700000", "SVLEN=-30000"])
def test_a_copy_that_is_lost_leaves_nothing_of_the_gene_known(end, lab, tmp_path):
    record = f"chr7 {RS776746} T C GT 1/1"
    lost = cyp3a5(lab, tmp_path / "a.vcf", record, f"chr7 99650000 A <DEL> GT 0/1 {end}")
    assert lost[:2] == ([], None)
    assert "is changed by" in " ".join(lost[2]) or "contradict" in " ".join(lost[2])
    kept = cyp3a5(lab, tmp_path / "b.vcf", record, f"chr7 99650000 A <DEL> GT 0/0 {end}")
    assert kept == (["*3/*3"], "Poor Metabolizer", [])
    beside = cyp3a5(lab, tmp_path / "c.vcf", f"chr7 {RS776746} T <DEL> GT 0/0 {end}")
    assert beside[1] is None  # that nothing is deleted says nothing of the base


def test_nothing_is_taken_for_the_reference_where_no_record_shows_the_assembly(lab, tmp_path):
    """Coordinates of GRCh37 under a header of GRCh38: no record is where alleles are defined."""
    path = vcf(tmp_path / "a.vcf", "chr10 96541616 G A GT 0/1", "chr10 96702047 C T GT 0/1")
    found = lab.call(path, listed=True)["samples"][0]["summary"]
    assert found["called"] == 0
    assert any("was not taken for the reference" in one["message"] for one in lab.warnings)


def test_phase_sets_are_no_phase_of_the_gene(lab, tmp_path):
    path = positions_vcf(tmp_path / "a.vcf", {94761900: "0|1", 94781859: "1|0"}, gene="CYP2C19")
    assert lab.gene(path, "CYP2C19")["phased"] is False  # the others are not phased
    text = path.read_text().replace("\t0/0", "\t0|0")
    path.write_text(text)
    assert lab.gene(path, "CYP2C19")["phased"] is True
    lines = text.replace("##INFO", '##FORMAT=<ID=PS,Number=1,Type=Integer,Description="p">\n##INFO', 1).splitlines()
    sets = {"94761900": "1", "94781859": "2"}
    for number, line in enumerate(lines):
        cells = line.split("\t")
        if len(cells) > 1 and cells[1] in sets:
            lines[number] = "\t".join([*cells[:8], "GT:PS", f"{cells[9]}:{sets[cells[1]]}"])
    path.write_text("\n".join(lines) + "\n")
    assert lab.gene(path, "CYP2C19")["phased"] is False
