"""Faults of the VCF header: what is refused, with the line to mend, and what is only noticed."""

from __future__ import annotations

import pytest

from varloom.reader import FileRefused, check_file, open_reader

VERSION = "##fileformat=VCFv4.2"
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
RECORD = "1\t5\t.\tA\tC\t.\t.\t."


@pytest.fixture
def write(tmp_path):
    def text_file(*lines):
        path = tmp_path / "a.vcf"
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return path

    return text_file


@pytest.mark.parametrize(
    ("lines", "code", "line", "word"),
    [
        ([COLUMNS, RECORD], "vcf_fileformat_missing", 1, "##fileformat=VCFv4.2"),
        (["##source=x", VERSION, COLUMNS], "vcf_fileformat_missing", 1, "first line"),
        (["##fileformat=VCFv3.3", COLUMNS], "vcf_version_not_supported", 1, "bcftools"),
        ([VERSION, RECORD], "vcf_chrom_line_missing", 2, "#CHROM<tab>POS"),
        ([VERSION, "##source=x"], "vcf_chrom_line_missing", 3, "#CHROM<tab>POS"),
        ([VERSION, COLUMNS.replace("\t", " "), RECORD], "vcf_chrom_line_wrong", 2, "spaces"),
        ([VERSION, COLUMNS.replace("POS", "POSITION")], "vcf_chrom_line_wrong", 2, "POS, but it is 'POSITION'"),
        ([VERSION, COLUMNS.replace("\tINFO", "")], "vcf_chrom_line_wrong", 2, "'missing'"),
        ([VERSION, COLUMNS + "\tGT\tS1"], "vcf_chrom_line_wrong", 2, "FORMAT"),
        ([VERSION, COLUMNS + "\tFORMAT\tS1\tS1"], "vcf_sample_duplicate", 2, "twice"),
        ([VERSION, "#INFO=<ID=X>", COLUMNS], "vcf_header_line_malformed", 2, "must start with ##"),
    ],
)
def test_structural_faults_refuse_the_file(write, lines, code, line, word):
    with pytest.raises(FileRefused) as refused:
        open_reader(write(*lines))
    error = refused.value
    assert (error.code, error.place.line) == (code, line)
    assert error.kind.title == "Malformed VCF header"
    told = error.as_dict()
    assert word in " ".join([told["message"], *told["resolution"]])
    assert any(
        "standard variant caller" in step or "bcftools" in step or "Correct" in step for step in told["resolution"]
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("##INFO=<Number=1,Type=Integer>", "vcf_header_line_malformed"),
        ('##INFO=<ID=X,Number=1,Type=Integer,Description="cut', "vcf_header_line_malformed"),
        ('##INFO=<ID=X,Number=1,Type=Int,Description="d">', "vcf_declaration_odd"),
        ('##INFO=<ID=X,Number=N,Type=Integer,Description="d">', "vcf_declaration_odd"),
        ('##INFO=<ID=X,Type=Integer,Description="d">', "vcf_declaration_odd"),
        ('##INFO=<ID=DP,Number=1,Type=String,Description="d">', "vcf_reserved_key_redefined"),
        ("##source", "vcf_declaration_odd"),
    ],
)
def test_odd_declarations_are_noticed_and_lose_nothing(write, line, code):
    result = check_file(write(VERSION, line, COLUMNS, RECORD))
    assert (result.ok, result.records) == (True, 1)
    assert [(problem.kind.code, problem.place.line) for problem in result.problems] == [(code, 2)]


def test_the_first_of_two_declarations_counts(write):
    one = '##INFO=<ID=X,Number=1,Type=Integer,Description="one">'
    two = '##INFO=<ID=X,Number=1,Type=String,Description="two">'
    reader = open_reader(write(VERSION, one, two, COLUMNS, RECORD.replace("\t.\t.\t.", "\t.\t.\tX=5")))
    assert [row["INFO.X"] for batch in reader.batches() for row in batch.to_pylist()] == [5]
    assert [problem.kind.code for problem in reader.summary().warnings] == ["vcf_declaration_duplicate"]


@pytest.mark.parametrize(
    "description",
    ["plain", "a, b = c > d", 'with "quotes" inside', "escaped \\\\ slash", "unicode \u00b5", "[brackets]"],
)
def test_descriptions_are_read_as_they_are_written(write, description):
    line = f'##INFO=<ID=X,Number=1,Type=Integer,Description="{description}">'
    reader = open_reader(write(VERSION, line, COLUMNS))
    assert list(reader.batches()) == []
    column = next(column for column in reader.summary().columns if column.name == "INFO.X")
    assert column.description == description.replace("\\\\", "\\")


def test_a_hundred_thousand_contigs(write):
    path = write(VERSION, *(f"##contig=<ID=c{at},length=5>" for at in range(100_000)), COLUMNS, RECORD)
    result = check_file(path)
    assert result.ok
    assert [problem.kind.code for problem in result.problems] == ["vcf_contig_undeclared"]
