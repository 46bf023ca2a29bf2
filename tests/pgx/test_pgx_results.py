"""What is made of calls: rules of single genes, outside calls, recommendations, and the shapes of the result."""

from __future__ import annotations

import pytest
from tests.pgx.made import PGX, positions_vcf
from tests.shared_data import needs

from varloom.errors import VarloomError
from varloom.processing.pgx.tables import COLUMNS, as_pharmcat, as_tsv, load_result

pytestmark = needs(PGX)
C_2846, C_1905, HAPB3_INTRON, HAPB3_EXON = 97082391, 97450058, 97579893, 97573863


def names(gene):
    return [one["name"] for one in gene["diplotypes"]]


def test_dpyd_is_called_by_its_variants_and_scored_by_the_two_lowest(lab, tmp_path):
    unphased = lab.gene(positions_vcf(tmp_path / "a.vcf", {C_2846: "0/1", C_1905: "0/1"}), "DPYD")
    assert (names(unphased), unphased["phenotype"]) == ([], "Poor Metabolizer")
    assert [one["name"] for one in unphased["variants_found"]] == ["c.1905+1G>A (*2A)", "c.2846A>T"]
    assert (unphased["activity_score"], unphased["effectively_phased"]) == ("0.5", False)
    cis = {C_2846: "0|1", C_1905: "0|1"}
    phased = lab.gene(positions_vcf(tmp_path / "b.vcf", cis), "DPYD")
    assert names(phased) == ["Reference/[c.1905+1G>A (*2A) + c.2846A>T]"]
    assert (phased["phenotype"], phased["activity_score"]) == ("Intermediate Metabolizer", "1.0")


def test_hapb3_is_told_by_its_intronic_variant(lab, tmp_path):
    both = lab.gene(positions_vcf(tmp_path / "a.vcf", {HAPB3_INTRON: "0/1", HAPB3_EXON: "0/1"}), "DPYD")
    assert [one["name"] for one in both["variants_found"]] == ["c.1129-5923C>G, c.1236G>A (HapB3)"]
    alone = lab.gene(positions_vcf(tmp_path / "b.vcf", {HAPB3_INTRON: "0/1"}), "DPYD")
    assert names(alone) == ["Reference/c.1129-5923C>G"]
    exon = lab.gene(positions_vcf(tmp_path / "c.vcf", {HAPB3_EXON: "0/1"}), "DPYD")
    assert names(exon) == ["Reference/Reference"]
    assert any("contradict" in note for note in exon["notes"])
    lacking = positions_vcf(tmp_path / "d.vcf", {HAPB3_EXON: "0/1"}, leave_out={HAPB3_INTRON})
    called = lab.gene(lacking, "DPYD")
    assert any("should be genotyped" in note for note in called["notes"])
    assert "c.1129-5923C>G, c.1236G>A (HapB3)" in names(called)[0]


def test_a_man_has_one_copy_of_g6pd(lab, tmp_path):
    text = positions_vcf(tmp_path / "a.vcf", gene="G6PD").read_text().replace("\t0/0", "\t0")
    (tmp_path / "a.vcf").write_text(
        text.replace("rs1050828\tC\tT\t.\tPASS\tPX=G6PD\tGT\t0", "rs1050828\tC\tT\t.\tPASS\tPX=G6PD\tGT\t1")
    )
    called = lab.gene(tmp_path / "a.vcf", "G6PD")
    assert called["copies"] == 1
    assert len(names(called)) >= 1
    assert "/" not in names(called)[0]
    mixed = lab.gene(positions_vcf(tmp_path / "c.vcf", {154536002: "0/1", 154534440: "0"}, gene="G6PD"), "G6PD")
    assert ["one allele" in one["why"] for one in mixed["positions"]["no_call"]] == [True]
    reference = lab.gene(positions_vcf(tmp_path / "b.vcf", gene="G6PD"), "G6PD")
    assert (names(reference), reference["phenotype"]) == (["B (reference)/B (reference)"], "G6PD Normal")


def test_phase_sets_are_phase_within_and_none_between(lab, tmp_path):
    header = ('##FORMAT=<ID=PS,Number=1,Type=Integer,Description="p">',)
    path = positions_vcf(
        tmp_path / "a.vcf", {94761900: "0|1", 94781859: "0|1", 94775367: "0|1", 94842866: "1/1"}, header=header
    )
    assert names(lab.gene(path, "CYP2C19")) == []
    assert lab.gene(path, "CYP2C19")["status"] == "not_called"
    lines = path.read_text().splitlines()
    sets = {94761900: 1, 94775367: 2, 94781859: 2}
    for place, line in enumerate(lines):
        cells = line.split("\t")
        if not line.startswith("#") and int(cells[1]) in sets:
            lines[place] = "\t".join([*cells[:8], "GT:PS", f"{cells[9]}:{sets[int(cells[1])]}"])
    path.write_text("\n".join(lines) + "\n")
    assert names(lab.gene(path, "CYP2C19")) == ["*2/*17"]


def test_outside_calls_have_phenotypes_and_recommendations(lab, tmp_path):
    outside = tmp_path / "o.tsv"
    outside.write_text("# from another program\nGene\tDiplotype\nCYP2D6\t*1x2/*1\nHLA-B\t*57:01/*58:01\tpositive\n")
    sample = lab.call(positions_vcf(tmp_path / "a.vcf"), outside=outside)["samples"][0]
    genes = {one["gene"]: one for one in sample["genes"]}
    assert (genes["CYP2D6"]["phenotype"], genes["CYP2D6"]["activity_score"]) == ("Ultrarapid Metabolizer", "3.0")
    assert (genes["HLA-B"]["phenotype"], genes["HLA-B"]["source"]) == ("positive", "outside")
    codeine = next(one for one in sample["drugs"] if one["drug"] == "codeine")
    assert (codeine["state"], codeine["cpic_level"]) == ("given", "A")
    assert "Avoid codeine" in codeine["recommendation"]
    assert codeine["guideline"].startswith("https://cpicpgx.org")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("CYP2D6", 1, "Nothing is told"),
        ("CYP2D6 *1/*4", 1, "no symbol"),
        ("\nCYP2D6\t*1/*2/*3", 2, "no diplotype"),
        ("CYP2D6\t*1/*4\nCYP2D6\t*1/*4", 2, "twice"),
        ("CYP2D6\t*1/*1\nCYP2D6\t*4/*4\t\t\ts1", 2, "twice"),
        ("CYP2D6\t\t\tmany", 1, "no activity score"),
        ("CYP2D6\t*1/*4\t\t\tnobody", 1, "no sample"),
        ("CYP2D6\t1\t2\t3\t4\t5", 1, "columns"),
        ("CYP2D6\t*1/\x1b[31m", 1, "do not print"),
    ],
)
def test_outside_calls_are_refused_with_their_line(text, line, words, lab, tmp_path):
    (tmp_path / "o.tsv").write_text(text)
    with pytest.raises(VarloomError, match=words) as refused:
        lab.call(positions_vcf(tmp_path / "a.vcf"), outside=tmp_path / "o.tsv")
    assert (refused.value.code, refused.value.place.line) == ("outside_calls_malformed", line)


def drugs_of(sample):
    return {one["drug"]: one for one in sample["drugs"]}


def test_recommendations_are_those_of_the_phenotype_that_is_reported(lab, tmp_path):
    """CPIC's tables of pypgx call CYP2B6 *6/*24 a poor metabolizer, the newer ones of PharmCAT indeterminate."""
    outside = tmp_path / "o.tsv"
    outside.write_text("CYP2B6\t*6/*24\n")
    sample = lab.call(positions_vcf(tmp_path / "a.vcf"), outside=outside)["samples"][0]
    [gene] = [one for one in sample["genes"] if one["gene"] == "CYP2B6"]
    assert gene["phenotype"] == "Indeterminate"
    assert any("gives Poor Metabolizer" in note for note in gene["notes"])
    assert drugs_of(sample)["efavirenz"]["state"] == "none"


def test_a_table_without_a_recommendation_is_no_recommendation_of_nothing(lab, tmp_path):
    outside = tmp_path / "o.tsv"
    outside.write_text("CACNA1S\t\tMalignant Hyperthermia Susceptibility\nCYP2C19\t\twhatever <b>\nRYR1\t\t\t1\n")
    sample = lab.call(positions_vcf(tmp_path / "a.vcf", gene="CYP2C19"), outside=outside)["samples"][0]
    found = drugs_of(sample)
    assert (found["halothane"]["state"], found["halothane"]["genes"][1]["phenotype"]) == ("unknown", None)
    assert (found["clopidogrel"]["state"], found["clopidogrel"]["recommendation"]) == ("none", None)
    [ryr1] = [one for one in sample["genes"] if one["gene"] == "RYR1"]
    assert ryr1["phenotype"] is None
    assert "not looked up" in ryr1["reason"]


def test_what_explains_unphased_genotypes_as_well_is_told(lab, tmp_path):
    trans = lab.gene(positions_vcf(tmp_path / "a.vcf", {18138997: "0/1", 18130687: "0/1"}), "TPMT")
    assert (names(trans), trans["phenotype"]) == (["*1/*3A"], "Intermediate Metabolizer")
    assert any("*3B/*3C (Poor Metabolizer)" in note for note in trans["notes"])
    cis = lab.gene(positions_vcf(tmp_path / "b.vcf", {C_2846: "0/1", C_1905: "0/1"}), "DPYD")
    assert any("on one they mean Intermediate" in note for note in cis["notes"])


def test_each_sample_of_a_file_is_called_for_itself(lab, tmp_path):
    many = [f"s{number}" for number in range(20)]
    genotypes = {94842866: "1/1", 94781859: ["0/1", *["0/0"] * 19], 94775367: ["0/1", *["0/0"] * 19]}
    path = positions_vcf(tmp_path / "a.vcf", genotypes, samples=many)
    found = [next(g for g in one["genes"] if g["gene"] == "CYP2C19") for one in lab.call(path)["samples"]]
    assert [names(one) for one in found] == [["*1/*2"], *[["*1/*1"]] * 19]
    assert [one["sample"] for one in lab.call(path, samples=("s7",))["samples"]] == ["s7"]
    with pytest.raises(VarloomError, match="no sample 'x'"):
        lab.call(path, samples=("x",))


def test_the_result_has_other_shapes(lab, tmp_path):
    result = lab.call(positions_vcf(tmp_path / "a.vcf", {94842866: "1/1", 94781859: "0/1", 94775367: "0/1"}))
    lines = [line.rstrip("\n").split("\t") for line in as_tsv(result)]
    assert lines[0] == list(COLUMNS)
    assert {len(line) for line in lines} == {len(COLUMNS)}
    row = dict(zip(COLUMNS, next(line for line in lines if line[1] == "CYP2C19"), strict=True))
    assert (row["Source Diplotype"], row["Phenotype"], row["Status"]) == ("*1/*2", "Intermediate Metabolizer", "called")
    [pharmcat] = as_pharmcat(result)
    gene = next(one for one in pharmcat["results"] if one["gene"] == "CYP2C19")
    assert gene["diplotypes"][0]["haplotype2"] == {"name": "*2"}
    variant = {"position": 94781859, "rsid": "rs4244285", "vcfCall": "G/A", "phased": False, "phaseSet": None}
    assert variant in gene["variants"]
    for content in (b"{", b"[]", b'{"format": "varloom-pgx", "format_version": 99, "samples": []}'):
        with pytest.raises(VarloomError):
            load_result(content)
