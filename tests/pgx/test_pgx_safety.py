"""What must never be a confident wrong call: positions that are missing, other assemblies, indels written otherwise."""

from __future__ import annotations

import pytest
from tests.pgx.made import PGX, positions_vcf, vcf
from tests.shared_data import needs

from varloom.errors import VarloomError

pytestmark = needs(PGX)
RS4244285, RS12248560, RS776746 = 94781859, 94761900, 99672916
STAR_1 = {94842866: "1/1"}
"""The reference sequence of CYP2C19 is *38; most people have this base."""


def settled_by(gene):
    return [one["rsid"] for one in gene["withheld"]["settled_by"]]


@pytest.mark.parametrize(
    ("gene", "position", "rsid", "calls", "possible"),
    [
        ("CYP2C19", RS4244285, "rs4244285", "*1/*1", "Poor Metabolizer"),
        ("CYP2C19", RS12248560, "rs12248560", "*1/*1", "Ultrarapid Metabolizer"),
        ("CYP3A5", RS776746, "rs776746", "*1/*1", "Poor Metabolizer"),
    ],
)
def test_a_missing_position_that_decides_withholds_the_phenotype(gene, position, rsid, calls, possible, lab, tmp_path):
    path = positions_vcf(tmp_path / "a.vcf", STAR_1, leave_out={position})
    called = lab.gene(path, gene)
    assert [one["name"] for one in called["diplotypes"]] == [calls]
    assert (called["status"], called["phenotype"]) == ("withheld", None)
    assert called["phenotype_if_reference"] == "Normal Metabolizer"
    assert called["positions"]["missing"] == [position]
    assert settled_by(called) == [rsid]
    assert possible in called["withheld"]["possible_phenotypes"]
    assert rsid in called["reason"]
    drugs = [one for one in lab.call(path)["samples"][0]["drugs"] if gene in {found["gene"] for found in one["genes"]}]
    assert drugs
    assert {one["state"] for one in drugs} == {"withheld"}
    assert {one["recommendation"] for one in drugs} == {None}
    assert lab.gene(positions_vcf(tmp_path / "b.vcf", {**STAR_1, position: "./."}), gene)["status"] == "withheld"
    assert lab.gene(positions_vcf(tmp_path / "c.vcf", STAR_1), gene)["phenotype"] == "Normal Metabolizer"
    assert lab.gene(positions_vcf(tmp_path / "d.vcf", leave_out={position}), gene)["status"] == "withheld"


def test_what_cannot_be_told_apart_is_named(lab, tmp_path):
    called = lab.gene(positions_vcf(tmp_path / "a.vcf", STAR_1, leave_out={RS12248560}), "CYP2C19")
    assert called["not_told_apart"] == [["*1", "*17"]]
    assert called["withheld"]["possible_diplotypes"] == ["*1/*17", "*17/*17"]


def test_absent_is_not_the_reference_unless_it_is_said(lab, tmp_path):
    path = vcf(
        tmp_path / "a.vcf", "chr10 94781859 G A GT 0/1", "chr10 94775367 A G GT 0/1", "chr10 94842866 A G GT 1/1"
    )
    called = lab.gene(path, "CYP2C19")
    assert called["status"] == "withheld"
    assert called["phenotype_if_reference"] == "Intermediate Metabolizer"
    assert lab.gene(path, "CYP2C9")["status"] == "no_data"
    assert any("variants only" in one["message"] for one in lab.warnings)
    said = lab.gene(path, "CYP2C19", listed=True)
    assert (said["status"], said["phenotype"]) == ("called", "Intermediate Metabolizer")
    assert len(said["positions"]["assumed_reference"]) == 32
    assert any("was told" in note for note in said["notes"])
    assert lab.gene(path, "CYP2C9", listed=True)["phenotype"] == "Normal Metabolizer"


def test_blocks_of_a_gvcf_are_the_reference_where_reads_cover_them(lab, tmp_path):
    header = (
        '##FORMAT=<ID=MIN_DP,Number=1,Type=Integer,Description="d">',
        '##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="q">',
        "##ALT=<ID=NON_REF,Description=n>",
    )
    covered = vcf(
        tmp_path / "a.g.vcf",
        "chr7 99600000 A <NON_REF> GT:MIN_DP:GQ 0/0:20:60 END=99672915",
        "chr7 99672916 T C,<NON_REF> GT:MIN_DP:GQ 0/1:30:99",
        "chr7 99672917 A <NON_REF> GT:MIN_DP:GQ 0/0:22:60 END=99700000",
        header=header,
    )
    called = lab.gene(covered, "CYP3A5")
    assert [one["name"] for one in called["diplotypes"]] == ["*1/*3"]
    assert (called["status"], called["phenotype"]) == ("called", "Intermediate Metabolizer")
    assert called["positions"]["from_blocks"] == 4
    assert lab.call(covered)["file_lists"] == "blocks"
    unread = vcf(
        tmp_path / "b.g.vcf",
        "chr7 99600000 A <NON_REF> GT:MIN_DP:GQ 0/0:0:0 END=99672915",
        "chr7 99672916 T <NON_REF> GT:MIN_DP:GQ 0/0:20:60 END=99700000",
        header=header,
    )
    called = lab.gene(unread, "CYP3A5")
    assert called["status"] == "withheld"
    assert all("without reads" in one["why"] for one in called["positions"]["no_call"])


@pytest.mark.parametrize(
    ("header", "told", "code"),
    [
        (("##contig=<ID=chr10,length=135534747>",), None, "pgx_wrong_assembly"),
        (("##contig=<ID=chr10,length=135534747>",), "GRCh38", "pgx_wrong_assembly"),
        ((), "GRCh37", "pgx_wrong_assembly"),
    ],
)
def test_grch37_is_refused_with_the_reason(header, told, code, lab, tmp_path):
    path = vcf(tmp_path / "a.vcf", "chr10 96541616 G A GT 0/1", header=header)
    if header:
        path.write_text(path.read_text().replace("##reference=GRCh38\n", ""))
    with pytest.raises(VarloomError, match="GRCh37") as refused:
        lab.call(path, assembly=told)
    assert refused.value.code == code


T2T = ("##contig=<ID=chr1,length=248387328>", "##contig=<ID=chrY,length=57227415>")
MIXED = ("##contig=<ID=chr1,length=249250621>", "##contig=<ID=chr2,length=242193529>")


@pytest.mark.parametrize(
    ("header", "told", "words"),
    [
        (T2T, None, "of which 1 are those of GRCh38"),
        (T2T, "GRCh38", "GRCh38 was chosen, which cannot be"),
        (MIXED, "GRCh38", "some of GRCh37 and some of GRCh38"),
        (("##contig=<ID=chr1,length=249250621>", "##reference=GRCh38"), "GRCh38", "of GRCh37, by the lengths"),
        (("##contig=<ID=chr1,md5=1b22b98cdeb4a9304cb5d48026a85128>",), "GRCh38", "of GRCh37, by the checksums"),
        (("##reference=chm13v2.0.fa",), "GRCh38", "another name, chm13"),
        (("##contig=<ID=demo1,length=300000>",), None, "the demonstration genome, which is not GRCh38"),
        (("##contig=<ID=chr1,length=248956422>",), "GRCh37", "GRCh37, as was chosen"),
    ],
)
def test_what_the_header_tells_for_certain_goes_before_what_was_chosen(header, told, words, lab, tmp_path):
    path = vcf(tmp_path / "a.vcf", "chr10 94781859 G A GT 0/1", header=header)
    path.write_text(path.read_text().replace("##reference=GRCh38\n", "", 1))
    with pytest.raises(VarloomError, match=words) as refused:
        lab.call(path, assembly=told)
    assert refused.value.code == "pgx_wrong_assembly"


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (("##contig=<ID=chr1,length=248956422>", "##reference=hg19"), None),  # a name goes behind lengths
        (("##contig=<ID=chr1,md5=6aef897c3d6ff0c78aff06ac189178dd>",), None),
        (("##contig=<ID=chr1,assembly=GRCh38.p14>",), None),
        ((), "GRCh38"),
        (("##reference=my_genome.fa",), "GRCh38"),
    ],
)
def test_grch38_is_taken_by_the_header_or_by_choice(header, told, lab, tmp_path):
    path = vcf(tmp_path / "a.vcf", "chr10 94781859 G A GT 0/1", header=header)
    path.write_text(path.read_text().replace("##reference=GRCh38\n", "", 1))
    assert lab.call(path, assembly=told)["assembly"] == "GRCh38"


def test_no_assembly_is_guessed(lab, tmp_path):
    path = vcf(tmp_path / "a.vcf", "chr10 94781859 G A GT 0/1")
    path.write_text(path.read_text().replace("##reference=GRCh38\n", ""))
    with pytest.raises(VarloomError, match="No assembly") as refused:
        lab.call(path)
    assert refused.value.code == "assembly_needed"


def test_the_other_strand_and_a_wrong_reference_are_refused(lab, tmp_path):
    text = positions_vcf(tmp_path / "a.vcf").read_text()
    turn = str.maketrans("ACGT", "TGCA")
    lines = [
        line
        if line.startswith("#")
        else "\t".join(cell.translate(turn) if n in {3, 4} else cell for n, cell in enumerate(line.split("\t")))
        for line in text.splitlines()
    ]
    (tmp_path / "b.vcf").write_text("\n".join(lines) + "\n")
    with pytest.raises(VarloomError, match="other strand") as refused:
        lab.call(tmp_path / "b.vcf")
    assert refused.value.code == "pgx_reference_mismatch"
    assert refused.value.place.line is not None
    one = vcf(tmp_path / "c.vcf", "chr7 99672916 A C GT 0/1", "chr7 99652770 T TA GT 0/0")
    called = lab.gene(one, "CYP3A5")
    assert called["status"] == "withheld"
    assert "REF of line" in called["positions"]["no_call"][0]["why"]
    assert any("REF is not the base" in warning["message"] for warning in lab.warnings)


@pytest.mark.parametrize(
    ("records", "diplotype"),
    [
        (("chr2 233760233 C CAT GT 0/1",), "*1/*28"),
        (("chr2 233760233 CAT CATAT GT 0/1",), "*1/*28"),
        (("chr2 233760233 CAT C,CATAT GT 1/2",), "*28/*36"),
        (("chr2 233760233 CAT C GT 0/1", "chr2 233760233 C CAT GT 0/1"), "*28/*36"),
        (("chr2 233760233 CATA CATATA GT 1/1",), "*28/*28"),
    ],
)
def test_an_indel_is_known_however_it_is_written(records, diplotype, lab, tmp_path):
    others = ("chr2 233759924 C T GT 0/0", "chr2 233760498 G A GT 0/0", "chr2 233760973 C A GT 0/0")
    called = lab.gene(vcf(tmp_path / "a.vcf", others[0], *records, *others[1:]), "UGT1A1")
    assert [one["name"] for one in called["diplotypes"]] == [diplotype]
    assert called["status"] == "called"


def test_an_indel_that_may_be_written_elsewhere_in_its_repeat_is_not_called_reference(lab, tmp_path):
    """The same insertion at the right end of the repeat: without the genome nobody can tell."""
    path = vcf(
        tmp_path / "a.vcf",
        "chr2 233759924 C T GT 0/0",
        "chr2 233760233 CAT CATAT GT 0/0",
        "chr2 233760246 T TAT GT 0/1",
        "chr2 233760498 G A GT 0/0",
        "chr2 233760973 C A GT 0/0",
    )
    called = lab.gene(path, "UGT1A1")
    assert (called["status"], settled_by(called)) == ("withheld", ["rs3064744"])
    assert lab.gene(path, "UGT1A1", listed=True)["status"] == "withheld"
    assert any("reference genome" in one["message"] for one in lab.warnings)


def test_a_deleted_position_is_not_the_reference(lab, tmp_path):
    records = [
        f"chr7 {p} {r} {a} GT 0/0" for p, r, a in ((99652770, "T", "TA"), (99660516, "C", "T"), (99665212, "C", "T"))
    ]
    deleted = vcf(tmp_path / "a.vcf", *records, "chr7 99672910 ACTGTCTAAA A GT 0/1")
    called = lab.gene(deleted, "CYP3A5", listed=True)
    assert called["status"] == "withheld"
    assert "changed by" in called["positions"]["no_call"][0]["why"]


def test_undocumented_bases_are_not_called_or_are_told(lab, tmp_path):
    called = lab.gene(positions_vcf(tmp_path / "a.vcf"), "CYP2C19")
    assert called["status"] == "called"
    text = positions_vcf(tmp_path / "b.vcf", {RS4244285: "0/1", 18130687: "0/1"}).read_text()
    text = text.replace("94781859\trs4244285\tG\tA", "94781859\trs4244285\tG\tC")
    (tmp_path / "b.vcf").write_text(text.replace("18130687\trs1142345\tT\tC", "18130687\trs1142345\tT\tA"))
    called = lab.gene(tmp_path / "b.vcf", "CYP2C19")
    assert (called["status"], called["phenotype"]) == ("not_called", None)
    assert called["positions"]["undocumented"][0]["genotype"] == "G/C"
    told = lab.gene(tmp_path / "b.vcf", "TPMT")
    assert [one["name"] for one in told["diplotypes"]] == ["*1/*1"]
    assert told["positions"]["undocumented"][0]["rsid"] == "rs1142345"
    assert any("no allele documents" in note for note in told["notes"])
    assert (told["status"], told["phenotype"]) == ("withheld", None)
    assert told["phenotype_if_reference"] == "Normal Metabolizer"
    assert {"Intermediate Metabolizer", "Normal Metabolizer"} <= {*told["withheld"]["possible_phenotypes"]}
    path = positions_vcf(tmp_path / "c.vcf", {18138997: "1/1", 18130687: "1/1", 18143724: "0/1"})
    path.write_text(path.read_text().replace("18143724\trs1800462\tC\tG", "18143724\trs1800462\tC\tA"))
    known = lab.gene(path, "TPMT")  # nothing that is not known can be worse, and it must not hide what is
    assert ([one["name"] for one in known["diplotypes"]], known["phenotype"]) == (["*3A/*3A"], "Poor Metabolizer")


def test_half_a_genotype_is_missing_or_stops_the_call(lab, tmp_path):
    assert lab.gene(positions_vcf(tmp_path / "a.vcf", {**STAR_1, RS4244285: "0/."}), "CYP2C19")["status"] == "withheld"
    assert lab.gene(positions_vcf(tmp_path / "b.vcf", {RS4244285: "1/."}), "CYP2C19")["status"] == "not_called"
    assert lab.gene(positions_vcf(tmp_path / "c.vcf", {RS4244285: "0/0/1"}), "CYP2C19")["status"] == "withheld"


def test_a_malformed_file_is_refused_with_its_line(lab, tmp_path):
    path = vcf(tmp_path / "a.vcf", "chr10 94781859 G A GT 0/1")
    path.write_text(path.read_text() + "chr10\t12x4\t.\tA\tC\t.\t.\t.\tGT\t0/1\n")
    with pytest.raises(VarloomError) as refused:
        lab.call(path)
    assert refused.value.place.line == 7
