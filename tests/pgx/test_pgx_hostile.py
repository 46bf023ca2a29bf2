"""Files that are wrong in a way that looks right: what they say must not become a confident call."""

from __future__ import annotations

import pytest
from tests.pgx.made import PGX, POSITIONS, positions_vcf, vcf
from tests.pgx.test_pgx_evidence import OTHERS, RS776746
from tests.shared_data import needs

from varloom.errors import VarloomError

pytestmark = needs(PGX)
END = '##INFO=<ID=END,Number=1,Type=Integer,Description="e">\n'
DEPTH = '##INFO=<ID=DP,Number=1,Type=Integer,Description="d">'
UGT1A1 = ("chr2 233759924 C T GT 0/0", "chr2 233760498 G A GT 0/0", "chr2 233760973 C A GT 0/0")


def cyp3a5(lab, path, *records, header=(), without=""):
    file = vcf(path, *OTHERS, *records, header=header)
    file.write_text(file.read_text().replace(without, ""))
    gene = lab.gene(file, "CYP3A5", listed=True)
    return gene["phenotype"], " ".join(one["why"] for one in gene["positions"]["no_call"])


@pytest.mark.parametrize("genotype", ["0/0", "0/1", "1/1"])
def test_ref_and_alt_that_were_swapped_are_no_call(genotype, lab, tmp_path):
    """The record lists the base of GRCh38 as ALT; it was passed over, and the position taken for the reference."""
    phenotype, why = cyp3a5(lab, tmp_path / "a.vcf", f"chr7 {RS776746} C T GT {genotype}")
    assert (phenotype, "REF of line" in why) == (None, True)


def test_a_file_in_which_all_are_swapped_is_refused(lab, tmp_path):
    lines = []
    for line in positions_vcf(tmp_path / "a.vcf").read_text().splitlines():
        cells = line.split("\t")
        if not line.startswith("#") and len(cells[3]) == len(cells[4]) == 1:
            cells[3], cells[4], cells[9] = cells[4], cells[3], "1/1"
        lines.append("\t".join(cells))
    (tmp_path / "a.vcf").write_text("\n".join(lines) + "\n")
    with pytest.raises(VarloomError) as refused:
        lab.call(tmp_path / "a.vcf")
    assert refused.value.code == "pgx_reference_mismatch"


@pytest.mark.parametrize(
    ("records", "header", "without", "why"),
    [
        ((f"chr7 {RS776746 - 9} A . GT 0/0 END={RS776746 + 9}", "T C GT 1/1"), (), "", "contradict"),
        (("T . GT 0/0", "T C GT 0/1"), (), "", "contradict"),
        (("T C GT 0/1", "T G GT ./."), (), "", "contradict"),
        (("T C GT 1/1", "chr7 99650000 A <CN0> GT 0/1 END=99700000"), (), "", "changed by"),
        (("T C GT 1/1", "chr7 99650000 A <DEL> GT 0/1 END=99700000"), (), END, "changed by"),
        (("T C GT:DP 0/0:1",), (), "", "has 1 of the 10 reads"),
        (("T C GT:DP 0/0:1",), ('##FORMAT=<ID=DP,Number=.,Type=Integer,Description="d">',), "", "has 1 of the 10"),
        (("T C GT:GQ 1/1:2",), (), "", "has quality 2 of the 20"),
        (("T C GT 0/0 DP=1",), (DEPTH,), "", "has 1 of the 10 reads"),
        ((f"T C GT 0/{'9' * 5000}",), (), "", "has no genotype"),
    ],
)
def test_what_was_trusted_and_is_no_genotype(records, header, without, why, lab, tmp_path):
    written = [one if one.startswith("chr") else f"chr7 {RS776746} {one}" for one in records]
    phenotype, whys = cyp3a5(lab, tmp_path / "a.vcf", *written, header=header, without=without)
    assert phenotype is None
    assert why in whys


def test_a_variant_that_is_hardly_there_is_no_call(lab, tmp_path):
    """freebayes writes every candidate, with the genotype 0/1 and QUAL near 0."""
    file = vcf(tmp_path / "a.vcf", *OTHERS, f"chr7 {RS776746} T C GT 0/1")
    file.write_text(file.read_text().replace("T\tC\t.\tPASS", "T\tC\t0.001\t."))
    gene = lab.gene(file, "CYP3A5")
    assert gene["phenotype"] is None
    assert "QUAL" in gene["positions"]["no_call"][0]["why"]
    file.write_text(file.read_text().replace("T\tC\t0.001\t.", "T\tC\t20\t."))
    assert lab.gene(file, "CYP3A5")["phenotype"] == "Intermediate Metabolizer"


def test_an_indel_beside_another_one_of_the_same_repeat_is_not_passed_over(lab, tmp_path):
    """*36 at the left end of the repeat, *28 at its right end: it was called *1/*36."""
    both = ("chr2 233760233 CAT C GT 0/1", "chr2 233760246 T TAT GT 0/1")
    called = lab.gene(vcf(tmp_path / "a.vcf", UGT1A1[0], *both, *UGT1A1[1:]), "UGT1A1")
    assert (called["status"], called["phenotype"]) == ("withheld", None)


def test_one_record_that_fits_by_chance_does_not_show_the_assembly(lab, tmp_path):
    by_chance = ("chr10 96541616 G A GT 0/1", "chr10 96702047 C T GT 0/1", "chr10 94781859 G T GT 0/1")
    found = lab.call(vcf(tmp_path / "a.vcf", *by_chance), listed=True)["samples"][0]["summary"]
    assert found["called"] == 0
    assert any("was not taken for the reference" in one["message"] for one in lab.warnings)
    many = [f"chr1 {place} A C GT 0/1" for place in range(1000, 11001)]
    large = vcf(tmp_path / "b.vcf", *many, "chr10 94781859 G A GT 0/1", "chr10 94842866 A G GT 1/1")
    assert lab.call(large, listed=True)["samples"][0]["summary"]["called"] == 0
    large.write_text(large.read_text() + "chr12\t21178615\t.\tT\tC\t.\tPASS\t.\tGT\t0/1\n")
    assert lab.call(large, listed=True)["samples"][0]["summary"]["called"] > 10


def test_blocks_over_everything_are_not_the_reference_of_a_file_without_a_variant(lab, tmp_path):
    """A gVCF of another assembly under a header of GRCh38: blocks say that everything is normal."""
    contigs = dict.fromkeys(line.split("\t")[0] for line in POSITIONS.read_text().splitlines() if line[0] != "#")
    blocks = [f"{contig} 1 N <NON_REF> GT 0/0 END=240000000" for contig in contigs]
    found = lab.call(vcf(tmp_path / "a.g.vcf", *blocks))["samples"][0]["summary"]
    assert found["called"] == 0
    assert any("See that the file is of GRCh38" in one["message"] for one in lab.warnings)


@pytest.mark.parametrize(
    ("line", "phenotype", "score", "said"),
    [
        ("CYP2D6\t*1x≥3/*4", "Ultrarapid Metabolizer", "≥3.0", ""),
        ("CYP2D6\t*1x>=3/*4\t\t>= 3", "Ultrarapid Metabolizer", "≥3.0", ""),
        ("CYP2D6\t*4xN/*4", "Poor Metabolizer", "0.0", ""),
        ("CYP2D6\t*1xN/*4", None, None, "do not have this diplotype"),  # normal with two, ultrarapid with three
        ("CYP2D6\t*1x0/*1", None, None, "do not have this diplotype"),  # it was half of *1/*1
        ("CYP2D6\t*36+*10/*4", None, None, "do not have this diplotype"),
        ("CYP2D6\t*10/*41", "Intermediate Metabolizer", "0.75", ""),
        ("CYP2D6\t*1/*10", "Normal Metabolizer", "1.25", ""),
        ("CYP2D6\t*1/*4\t\t5", None, "5", "is not that of the diplotype"),
        ("CYP2D6\t\tUM", "UM", None, "words a phenotype of the gene so"),
        ("CYP2D66\t*1/*1", None, None, "None of the installed releases knows CYP2D66"),
    ],
)
def test_outside_calls_that_seem_to_mean_something(line, phenotype, score, said, lab, tmp_path):
    (tmp_path / "o.tsv").write_text(f"{line}\n")
    sample = lab.call(positions_vcf(tmp_path / "a.vcf"), outside=tmp_path / "o.tsv")["samples"][0]
    [gene] = [one for one in sample["genes"] if one["source"] == "outside"]
    assert (gene["phenotype"], gene["activity_score"]) == (phenotype, score)
    assert said in " ".join([gene["reason"] or "", *gene["notes"]])


def test_a_recommendation_of_another_activity_score_is_not_given(lab, tmp_path):
    """CPIC: piroxicam is for CYP2C9 *1/*2 (1.5), not for *1/*3 (1.0); both are intermediate metabolizers."""
    states = {}
    for place in (94942290, 94981296):
        sample = lab.call(positions_vcf(tmp_path / "a.vcf", {place: "0/1"}))["samples"][0]
        [gene] = [one for one in sample["genes"] if one["gene"] == "CYP2C9"]
        assert gene["phenotype"] == "Intermediate Metabolizer"
        piroxicam = next(one for one in sample["drugs"] if one["drug"] == "piroxicam")
        states[gene["activity_score"]] = (piroxicam["state"], piroxicam["recommendation"] is None)
        assert next(one for one in sample["drugs"] if one["drug"] == "fluvastatin")["state"] == "given"
    assert states == {"1.5": ("given", False), "1.0": ("none", True)}


def test_the_guideline_of_an_hla_allele_is_named_though_no_phenotype_is_known(lab, tmp_path):
    (tmp_path / "o.tsv").write_text("HLA-B\t*57:01/*08:01\n")
    drugs = lab.call(positions_vcf(tmp_path / "a.vcf"), outside=tmp_path / "o.tsv")["samples"][0]["drugs"]
    assert {one["drug"]: one["state"] for one in drugs}["abacavir"] == "guideline"


@pytest.mark.parametrize(("told", "line"), [({48045719: "1/."}, ""), ({}, "NUDT15\t*3/*99")])
def test_a_gene_that_was_seen_to_differ_is_not_as_if_untested(told, line, lab, tmp_path):
    """By TPMT alone CPIC says to start with the normal dose of mercaptopurine."""
    (tmp_path / "o.tsv").write_text(f"{line}\n")
    path = positions_vcf(tmp_path / "a.vcf", told)
    drugs = {one["drug"]: one for one in lab.call(path, outside=tmp_path / "o.tsv")["samples"][0]["drugs"]}
    assert (drugs["mercaptopurine"]["state"], drugs["mercaptopurine"]["recommendation"]) == ("withheld", None)
