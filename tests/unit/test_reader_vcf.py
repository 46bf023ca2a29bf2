"""Records into rows: alleles, types, missing values, undeclared keys, and texts that no column can hold."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from varloom.reader import FileRefused, ReadOptions, check_file, open_reader

HEADER = """##fileformat=VCFv4.3
##FILTER=<ID=q10,Description="d">
##contig=<ID=1>
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
##INFO=<ID=AF,Number=A,Type=Float,Description="d">
##INFO=<ID=AD,Number=R,Type=Integer,Description="d">
##INFO=<ID=DB,Number=0,Type=Flag,Description="d">
##INFO=<ID=L,Number=.,Type=Integer,Description="d">
##INFO=<ID=P,Number=2,Type=Float,Description="d">
##INFO=<ID=S,Number=1,Type=String,Description="d">
##FORMAT=<ID=GT,Number=1,Type=String,Description="d">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="d">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="d">
"""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2"
NUMBER_0 = {"I": "Integer", "F": "Float", "T": "String"}
SITES = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"


@pytest.fixture
def load(tmp_path):
    def read(*records, columns=SITES, header=HEADER, options=None):
        path = tmp_path / "a.vcf"
        path.write_bytes((header + "\n".join((columns, *records)) + "\n").encode())
        reader = open_reader(path, options=options or ReadOptions())
        batches = list(reader.batches())
        return [row for batch in batches for row in batch.to_pylist()], reader.summary()

    return read


def info(text, alt="C"):
    return f"1\t5\t.\tA\t{alt}\t.\t.\t{text}"


def codes(summary):
    return [problem.kind.code for problem in summary.warnings]


def test_columns_come_in_the_order_of_the_contract(load):
    _, summary = load("1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\t.", columns=COLUMNS)
    assert [column.name for column in summary.columns] == [
        *("rowno", "record", "line", "allele", "contig", "position", "id", "ref", "alt", "qual", "filter"),
        *("INFO.DP", "INFO.AF", "INFO.AD_ref", "INFO.AD_alt", "INFO.DB", "INFO.L", "INFO.P", "INFO.S"),
        *("S1.GT", "S1.DP", "S1.PL", "S2.GT", "S2.DP", "S2.PL"),
    ]
    types = {column.name: column.type for column in summary.columns}
    assert types["INFO.DP"] == pa.int32()
    assert types["INFO.AF"] == pa.float64()
    assert types["INFO.DB"] == pa.bool_()
    assert types["S1.PL"] == pa.list_(pa.int32())
    described = next(column for column in summary.columns if column.name == "S1.DP")
    assert (described.origin, described.sample, described.field, described.description) == ("FORMAT", "S1", "DP", "d")


def test_each_allele_gets_its_row_and_its_values(load):
    rows, summary = load("1\t5\trs1;x\tA\tC,G\t9.5\tq10\tDP=7;AF=0.1,.;AD=1,2,3")
    assert (summary.records, summary.variants) == (1, 2)
    first, second = rows
    assert (first["allele"], first["alt"], first["INFO.AF"]) == (1, "C", 0.1)
    assert (second["allele"], second["alt"], second["INFO.AF"]) == (2, "G", None)
    assert [(row["INFO.AD_ref"], row["INFO.AD_alt"]) for row in rows] == [(1, 2), (1, 3)]
    assert [(row["rowno"], row["record"], row["line"], row["INFO.DP"]) for row in rows] == [
        (0, 1, 15, 7),
        (1, 1, 15, 7),
    ]
    assert {row["id"] for row in rows} == {"rs1;x"}


@pytest.mark.parametrize(
    ("alt", "kept"),
    [
        (".", [(0, None)]),
        ("<NON_REF>", [(1, "<NON_REF>")]),
        ("C,<NON_REF>", [(1, "C")]),
        ("<*>,C", [(2, "C")]),
        ("C,*", [(1, "C"), (2, "*")]),
        ("<DEL>", [(1, "<DEL>")]),
        ("A]2:321]", [(1, "A]2:321]")]),
    ],
)
def test_which_alleles_get_a_row(load, alt, kept):
    rows, _ = load(info(".", alt))
    assert [(row["allele"], row["alt"]) for row in rows] == kept


@pytest.mark.parametrize(
    ("alt", "likelihoods", "kept"),
    [
        ("C", "1,2,3", [[1, 2, 3]]),
        ("C", "1,2", [[1, 2]]),
        ("C,G", "0,1,11,2,12,22", [[0, 1, 11], [0, 2, 22]]),
        ("C,G", "0,1,2", [[0, 1], [0, 2]]),
        ("C,G", "0,1,11,111,2,12,112,22,122,222", [[0, 1, 11, 111], [0, 2, 22, 222]]),
        ("C,<NON_REF>", "0,1,11,2,12,22", [[0, 1, 11]]),
        (".", "7", [[7]]),
        ("C", "0,.,3", [[0, None, 3]]),
        ("C", ".", [None]),
    ],
)
def test_number_g_keeps_the_genotypes_of_reference_and_allele(load, alt, likelihoods, kept):
    rows, _ = load(f"1\t5\t.\tA\t{alt}\t.\t.\t.\tPL\t{likelihoods}\t.", columns=COLUMNS)
    assert [row["S1.PL"] for row in rows] == kept


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("DP=2147483648", "INFO.DP", 2147483648),
        ("DP=-9223372036854775808", "INFO.DP", -(2**63)),
        ("DP=+007", "INFO.DP", 7),
        ("AF=1e-300", "INFO.AF", 1e-300),
        ("AF=.5", "INFO.AF", 0.5),
        ("AF=-inf", "INFO.AF", -math.inf),
        ("L=1,.,3", "INFO.L", [1, None, 3]),
        ("L=.", "INFO.L", None),
        ("P=1,2", "INFO.P", [1.0, 2.0]),
        ("DB", "INFO.DB", True),
        ("S=a%3Bb%25%2C%41", "INFO.S", "a;b%,%41"),
        ("S=%253B", "INFO.S", "%3B"),
        ("S=", "INFO.S", ""),
    ],
)
def test_values_are_typed_exactly(load, text, column, value):
    rows, _ = load(info(text))
    assert rows[0][column] == value


def test_nan_is_a_value_and_not_missing(load):
    rows, _ = load(info("AF=nan"))
    assert math.isnan(rows[0]["INFO.AF"])


def test_percent_codes_stay_before_version_4_3(load):
    rows, _ = load(info("S=a%3Bb"), header=HEADER.replace("VCFv4.3", "VCFv4.2"))
    assert rows[0]["INFO.S"] == "a%3Bb"


@pytest.mark.parametrize(
    ("text", "column", "typed", "kept", "code"),
    [
        ("DP=abc", "INFO.DP", None, "abc", "vcf_value_not_of_type"),
        ("DP=1.0", "INFO.DP", None, "1.0", "vcf_value_not_of_type"),
        ("DP=1_000", "INFO.DP", None, "1_000", "vcf_value_not_of_type"),
        ("DP=1,2", "INFO.DP", None, "1,2", "vcf_value_not_of_type"),
        ("DP=9223372036854775808", "INFO.DP", None, "9223372036854775808", "vcf_value_not_of_type"),
        ("AF=1e400", "INFO.AF", None, "1e400", "vcf_value_not_of_type"),
        ("AF=1e-400", "INFO.AF", None, "1e-400", "vcf_value_not_of_type"),
        ("AF=0x10", "INFO.AF", None, "0x10", "vcf_value_not_of_type"),
        ("AF=0.1,0.2", "INFO.AF", None, "0.1,0.2", "vcf_value_count"),
        ("DB=yes", "INFO.DB", True, "yes", "vcf_flag_with_value"),
        ("DP=1;DP=2", "INFO.DP", 1, "1;2", "vcf_key_duplicate"),
        ("DP", "INFO.DP", None, "", "vcf_value_missing"),
    ],
)
def test_what_a_column_cannot_hold_is_kept_as_text_with_a_warning(load, text, column, typed, kept, code):
    rows, summary = load(info(text))
    assert rows[0][column] == typed
    assert rows[0][f"{column}_text"] == kept
    assert codes(summary) == [code]
    assert summary.warnings[0].place.line == 15
    names = [each.name for each in summary.columns]
    assert names.index(f"{column}_text") == names.index(column) + 1


def test_all_texts_of_repeated_keys_are_kept_in_their_order(load):
    rows, summary = load(info("DP=x;S=a;DP=2;S=b;DP=3;S;DP=2", alt="C,G"), info("DP=7;S=c;DP=7"))
    assert [(row["INFO.DP"], row["INFO.DP_text"], row["INFO.S"], row["INFO.S_text"]) for row in rows] == [
        (None, "x;2;3;2", "a", "a;b;"),
        (None, "x;2;3;2", "a", "a;b;"),
        (7, "7;7", "c", None),
    ]
    assert sorted(codes(summary)) == ["vcf_key_duplicate", "vcf_key_duplicate", "vcf_value_not_of_type"]


def test_numbers_that_are_declared_with_number_0_stay_numbers(load):
    odd = "".join(f'##INFO=<ID={key},Number=0,Type={kind},Description="d">\n' for key, kind in NUMBER_0.items())
    rows, _ = load(info("I=5;F=0.5;T=x"), info("I=1,2;T"), header=HEADER + odd)
    assert [(row["INFO.I"], row["INFO.F"], row["INFO.T"], row["INFO.T_text"]) for row in rows] == [
        ([5], [0.5], True, "x"),
        ([1, 2], None, True, None),
    ]


@pytest.mark.parametrize("depths", ["3000000000,x", "3000000000", "1,3000000000,2", "3000000000,"])
def test_numbers_of_a_field_that_does_not_fit_do_not_widen_its_columns(load, depths):
    rows, summary = load(info("AD=1,2"), info(f"AD={depths}"), info("AD=3,4"))
    assert [(row["INFO.AD_ref"], row["INFO.AD_alt"]) for row in rows] == [(1, 2), (None, None), (3, 4)]
    assert [row["INFO.AD_text"] for row in rows] == [None, depths, None]
    types = {column.name: column.type for column in summary.columns}
    assert types["INFO.AD_ref"] == types["INFO.AD_alt"] == pa.int32()


@pytest.mark.parametrize("samples", [2, 20])
@pytest.mark.parametrize(
    ("alt", "genotype", "likelihoods", "kept"),
    [
        ("C", "0|1", "1,2,3", [1, 2, 3]),
        ("C", "1", "1,2", [1, 2]),
        ("C", "0/1/1/1", "1,2,3,4,5", [1, 2, 3, 4, 5]),
        ("C", "0/1", "1", None),
        ("C", "0/1", "1,.,3", [1, None, 3]),
        ("C", "0/1", ",".join(map(str, range(65))), list(range(65))),
        ("C", "0/1", ",".join(map(str, range(66))), None),
        ("<NON_REF>", "0/0", "1,2,3", [1, 2, 3]),
        (".", "0/0", "1", [1]),
        (".", "0/0", "1,2,3", None),
    ],
)
def test_plain_samples_of_records_with_one_allele_or_none(load, samples, alt, genotype, likelihoods, kept):
    """The kernel has a shorter way for them; where the values do not fit, their text is kept."""
    names = [f"S{number}" for number in range(1, samples + 1)]
    columns = "\t".join((SITES, "FORMAT", *names))
    record = f"1\t5\t.\tA\t{alt}\t.\t.\t.\tGT:PL" + f"\t{genotype}:{likelihoods}" * samples
    [row], _ = load(record, columns=columns)
    many = samples > 16
    assert row["FORMAT.GT" if many else "S2.GT"] == ([genotype] * samples if many else genotype)
    assert row["FORMAT.PL" if many else "S2.PL"] == ([kept] * samples if many else kept)
    text = row.get("FORMAT.PL_text" if many else "S2.PL_text")
    given = likelihoods if kept is None else None
    assert text == ([given] * samples if many and given else given)


def test_values_of_another_number_than_declared(load):
    rows, summary = load(info("P=1,2,3"), info("AD=1,2,3"))
    assert rows[0]["INFO.P"] == [1.0, 2.0, 3.0]
    assert (rows[1]["INFO.AD_ref"], rows[1]["INFO.AD_text"]) == (None, "1,2,3")
    assert codes(summary).count("vcf_value_count") == 2


def test_undeclared_keys_and_filters_are_kept_with_one_warning_each(load):
    record = "1\t{}\t.\tA\tC\t.\todd\tX=07;Y\tGT:ZZ\t0/1:a,b\t."
    rows, summary = load(record.format(5), record.format(6), columns=COLUMNS)
    assert [(row["INFO.X"], row["INFO.Y"], row["S1.ZZ"], row["filter"]) for row in rows] == [
        ("07", True, "a,b", "odd")
    ] * 2
    assert codes(summary) == ["vcf_key_undeclared", "vcf_key_undeclared", "vcf_key_undeclared", "vcf_filter_undeclared"]
    assert summary.warnings[-1].message.endswith("(2 times in all)")
    names = [column.name for column in summary.columns]
    assert names.index("INFO.Y") < names.index("S1.GT") < names.index("S1.ZZ") < names.index("S2.GT")


def test_a_column_that_turns_up_late_keeps_earlier_rows_apart(load):
    records = [info("." if at < 300 else "NEW=x").replace("\t5\t", f"\t{at + 5}\t") for at in range(302)]
    rows, _ = load(*records, options=ReadOptions(batch_rows=100))
    assert [row.get("INFO.NEW") for row in rows] == [None] * 300 + ["x", "x"]
    assert [row["rowno"] for row in rows] == list(range(302))


def test_trailing_values_may_be_left_out_and_a_sample_may_be_missing(load):
    rows, summary = load("1\t5\t.\tA\tC\t.\t.\t.\tGT:DP\t0|1\t.", columns=COLUMNS)
    row = rows[0]
    assert (row["S1.GT"], row["S1.DP"], row["S2.GT"], row["S2.DP"]) == ("0|1", None, None, None)
    assert summary.warnings == ()


def test_many_samples_become_lists(load):
    samples = [f"P{at}" for at in range(17)]
    columns = SITES + "\tFORMAT\t" + "\t".join(samples)
    cells = ["0/1:3:1,2,3", "0/0:x", ".", *["0/0:5"] * 14]
    rows, summary = load("1\t5\t.\tA\tC\t.\t.\t.\tGT:DP:PL\t" + "\t".join(cells), columns=columns)
    row = rows[0]
    assert row["FORMAT.GT"] == ["0/1", "0/0", None, *["0/0"] * 14]
    assert row["FORMAT.DP"] == [3, None, None, *[5] * 14]
    assert row["FORMAT.DP_text"] == [None, "x", *[None] * 15]
    assert row["FORMAT.PL"][0] == [1, 2, 3]
    assert summary.samples == tuple(samples)
    assert summary.warnings[0].place.field == "P1.DP"


def test_names_that_would_collide_are_told_apart(load):
    header = HEADER + '##INFO=<ID=dp,Number=1,Type=Integer,Description="d">\n'
    rows, summary = load("1\t5\t.\tA\tC\t.\t.\tDP=1;dp=2\tDP\t3", columns=SITES + "\tFORMAT\tINFO", header=header)
    names = [column.name.casefold() for column in summary.columns]
    assert len(set(names)) == len(names)
    assert (rows[0]["INFO.DP"], rows[0]["INFO.dp_2"], rows[0]["INFO.DP_3"]) == (1, 2, 3)
    assert codes(summary) == ["column_renamed", "column_renamed"]


@pytest.mark.parametrize(
    ("record", "code", "column", "field"),
    [
        ("1\t5\t.\tA\tC\t.\t.", "vcf_column_count", 8, None),
        ("1\t5\t.\tA\tC\t.\t.\t.\t", "vcf_column_count", 9, None),
        ("1\t12x4\t.\tA\tC\t.\t.\t.", "vcf_position_invalid", 2, "POS"),
        ("1\t-1\t.\tA\tC\t.\t.\t.", "vcf_position_invalid", 2, "POS"),
        ("1\t.\t.\tA\tC\t.\t.\t.", "vcf_position_invalid", 2, "POS"),
        ("1\t\u0665\t.\tA\tC\t.\t.\t.", "vcf_position_invalid", 2, "POS"),
        ("1\t5\t.\tA\tC\thigh\t.\t.", "vcf_quality_invalid", 6, "QUAL"),
        ("\t5\t.\tA\tC\t.\t.\t.", "vcf_contig_invalid", 1, "CHROM"),
        ("1\t5\t.\t\tC\t.\t.\t.", "vcf_ref_invalid", 4, "REF"),
        ("1\t5\t.\tA\tC,,G\t.\t.\t.", "vcf_alt_invalid", 5, "ALT"),
        ("1\t5\t.\tA\tC\t.\t.\t=5", "vcf_info_key_empty", 8, "INFO"),
        ("1\t5\t.\tA\tC\t.\t.\tS=a\0b", "control_character", 8, None),
        ("##late", "vcf_header_line_among_records", None, None),
        ("#1\t5\t.\tA\tC\t.\t.\t.", "vcf_header_line_among_records", None, None),
        ("1\t5\t.\tA\tC\t1e400\t.\t.", "vcf_quality_invalid", 6, "QUAL"),
    ],
)
def test_a_broken_record_refuses_the_file_at_its_place(load, record, code, column, field):
    with pytest.raises(FileRefused) as refused:
        load(info("."), record)
    error = refused.value
    assert (error.code, error.place.line, error.place.column, error.place.field) == (code, 16, column, field)
    assert error.kind.title == "Parsing error"
    assert error.place.excerpt


def test_up_to_twenty_problems_are_gathered_in_one_pass(load):
    with pytest.raises(FileRefused) as refused:
        load(*["1\tx\t.\tA\tC\t.\t.\t."] * 30)
    assert [problem.place.line for problem in refused.value.problems] == list(range(15, 35))


def test_more_values_than_keys_refuse_the_file(load):
    with pytest.raises(FileRefused) as refused:
        load("1\t5\t.\tA\tC\t.\t.\t.\tGT\t0/1\t0/1:7", columns=COLUMNS)
    assert (refused.value.code, refused.value.place.column, refused.value.place.field) == (
        "vcf_sample_values",
        11,
        "S2",
    )


def test_texts_taken_for_keys_without_end_refuse_the_file(load):
    with pytest.raises(FileRefused) as refused:
        load(info(";".join(f"word{at}" for at in range(5001))))
    assert (refused.value.code, refused.value.place.line) == ("vcf_too_many_keys", 15)


def test_a_position_beyond_its_contig_is_told(load):
    header = HEADER.replace("##contig=<ID=1>", "##contig=<ID=1,length=9>\n##contig=<ID=2>")
    record = "{}\t{}\t.\tA\tC\t.\t.\t."
    rows, summary = load(
        record.format(1, 0),
        record.format(1, 10),
        record.format(1, 11),
        record.format(1, 12),
        record.format(2, 99),
        header=header,
    )
    assert len(rows) == 5
    (warning,) = summary.warnings
    assert (warning.kind.code, warning.place.line, warning.place.column) == ("vcf_rule_broken", 18, 2)
    assert warning.message == ("POS 11 lies beyond contig 1, whose length is 9 in the header. (2 times in all)")


def test_a_record_that_would_fill_the_memory_is_refused(load):
    alleles = ",".join(f"<X{at}>" for at in range(1100))
    with pytest.raises(FileRefused) as refused:
        load(info("S=" + "z" * 1_000_000, alt=alleles))
    assert (refused.value.code, refused.value.place.line, refused.value.place.column) == ("line_too_long", 15, 5)
    rows, _ = load(*[info("S=" + "z" * 10_000, alt=alleles)] * 9, options=ReadOptions(batch_rows=100_000))
    assert [row["record"] for row in rows] == [record for record in range(1, 10) for _ in range(1100)]


def test_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes((HEADER + SITES + "\n" + info("DP=3")).replace("\n", "\r\n").encode())
    reader = open_reader(path)
    rows = [row for batch in reader.batches() for row in batch.to_pylist()]
    assert [(row["line"], row["INFO.DP"]) for row in rows] == [(15, 3)]
    assert codes(reader.summary()) == ["final_newline_missing"]


def test_the_summary_tells_the_file(load, tmp_path):
    _, summary = load(info("."))
    assert summary.header == HEADER + SITES + "\n"
    assert summary.bytes == (tmp_path / "a.vcf").stat().st_size
    assert summary.contigs == ("1",)
    assert len(summary.sha256) == 64


def test_check_gives_the_object_of_the_contract(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_text(HEADER + SITES + "\n1\tx\t.\tA\tC\t.\t.\t.\n", encoding="utf-8")
    result = check_file(path).as_dict()
    assert {key: result[key] for key in ("ok", "format", "records", "variants")} == {
        "ok": False,
        "format": "vcf",
        "records": None,
        "variants": None,
    }
    assert result["problems"][0].keys() == {
        *("code", "severity", "line", "column", "field", "message", "excerpt", "resolution")
    }
    assert result["problems"][0]["severity"] == "error"
