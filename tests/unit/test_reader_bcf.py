"""BCF gives the rows of the VCF text that it stands for, and every fault of it is told; nothing is lost in silence."""

from __future__ import annotations

import gzip
import hashlib
import random
import struct
from itertools import pairwise

import pysam
import pysam.bcftools
import pytest
from test_reader_packings import zip_of
from test_recognition import BGZIP_END, bgzip_block

from varloom.reader import FileRefused, check_file, open_reader

HEADER = """##fileformat=VCFv4.2
##contig=<ID=1,length=249250621>
##contig=<ID=2>
##FILTER=<ID=q10,Description="low">
##INFO=<ID=DP,Number=1,Type=Integer,Description="depth">
##INFO=<ID=AF,Number=A,Type=Float,Description="share">
##INFO=<ID=DB,Number=0,Type=Flag,Description="known">
##INFO=<ID=TX,Number=.,Type=String,Description="texts">
##FORMAT=<ID=GT,Number=1,Type=String,Description="genotype">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description="depths">
##FORMAT=<ID=PL,Number=G,Type=Integer,Description="likelihoods">
##FORMAT=<ID=FT,Number=1,Type=String,Description="filter">
"""
COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO"
RECORDS = [
    "1\t0\t.\tN\t<DEL>\t.\t.\t.\tGT\t./.\t.",
    "1\t5\trs1;rs2\tA\tC,G\t50.25\tPASS\tDP=7;AF=0.25,0.123456789;DB\tGT:AD:PL\t0/1:3,4,.:.\t1|2:.:0,1,2,3,4,5",
    "1\t6\t.\tA\t.\t.\tq10\tDP=.;TX=a,b,.\tGT:AD:FT\t0:1:PASS\t.:.:.",
    "2\t7\t.\tA\t*,<NON_REF>\t1e-30\t.\tDP=-2147483640;AF=.,1e30\tGT:PL\t0/2:1,.,3\t1/1",
    f"2\t8\t.\tACGT\tA\t0\t.\tTX={'x' * 300_000}\tGT\t0/0/1\t1",
    "2\t9\t.\tA\tC\t3.3\t.\tDP=70000;AF=nan\t.\t.\t.",
]
VCF = HEADER + COLUMNS + "\tFORMAT\tS1\tS2\n" + "\n".join(RECORDS) + "\n"
MANY = (
    HEADER
    + COLUMNS
    + "\n"
    + "".join(f"{1 + at // 3000}\t{at + 1}\t.\tA\tC\t{at % 97}\t.\tDP={at}\n" for at in range(6000))
)


@pytest.fixture
def converted(tmp_path):
    """Gives the BCF of a VCF's text, and the text of that BCF, as htslib makes them."""

    def convert(text, name="a.bcf"):
        source, bcf, back = tmp_path / "source.vcf", tmp_path / name, tmp_path / "back.vcf"
        source.write_text(text)
        pysam.bcftools.view("--no-version", "-Ob", "-o", str(bcf), str(source), catch_stdout=False)
        pysam.bcftools.view("--no-version", "-Ov", "-o", str(back), str(bcf), catch_stdout=False)
        return bcf, back

    return convert


def table(path):
    reader = open_reader(path)
    rows = [row for batch in reader.batches() for row in batch.to_pylist()]
    return rows, reader.summary()


def codes(result):
    return [problem.kind.code for problem in result.problems]


@pytest.mark.parametrize(
    "text",
    [
        VCF,
        MANY,
        HEADER + COLUMNS + "\n",
        HEADER + COLUMNS + "\tFORMAT\tS1\n",
        HEADER + COLUMNS + "\n1\t1\t.\tA\tC\t.\t.\t.\n",
    ],
    ids=["every value", "many", "no records", "no records but samples", "one record"],
)
def test_the_rows_are_those_of_the_text(converted, text, capfd):
    bcf, back = converted(text)
    rows, summary = table(bcf)
    expected, text_summary = table(back)
    assert repr(rows) == repr(expected), "repr, since NaN is not equal to itself"
    assert [row["line"] for row in rows] == [row["line"] for row in expected]
    assert (summary.columns, summary.header, summary.samples) == (
        text_summary.columns,
        text_summary.header,
        text_summary.samples,
    )
    assert (summary.records, summary.contigs, summary.warnings) == (
        text_summary.records,
        text_summary.contigs,
        text_summary.warnings,
    )
    assert "IDX=" not in summary.header
    assert capfd.readouterr().err == ""


def test_the_source_is_told_as_it_is_stored(converted):
    bcf, _ = converted(MANY)
    seen = []
    reader = open_reader(bcf, on_progress=seen.append)
    assert (reader.recognition.format.value, reader.recognition.compression.value) == ("bcf", "bgzip")
    assert sum(batch.num_rows for batch in reader.batches()) == 6000
    stored = bcf.read_bytes()
    assert (reader.summary().bytes, reader.summary().sha256) == (len(stored), hashlib.sha256(stored).hexdigest())
    assert seen[-1].bytes_done == seen[-1].bytes_total == len(stored)
    assert all(one.bytes_done <= two.bytes_done for one, two in pairwise(seen))


@pytest.mark.parametrize(
    "pack",
    [
        lambda raw: raw,
        gzip.compress,
        lambda raw: zip_of(raw, name="a.bcf"),
        lambda raw: gzip.compress(gzip.compress(raw)),
    ],
    ids=["plain", "gzip", "zip", "gzip twice"],
)
def test_every_packing_gives_the_same_rows(converted, tmp_path, pack):
    bcf, back = converted(VCF)
    packed = tmp_path / "packed"
    packed.write_bytes(pack(gzip.decompress(bcf.read_bytes())))
    assert repr(table(packed)[0]) == repr(table(back)[0])


def test_a_missing_end_marker_is_noticed(converted):
    bcf, _ = converted(MANY)
    bcf.write_bytes(bcf.read_bytes().removesuffix(BGZIP_END))
    result = check_file(bcf)
    assert (result.ok, result.records, codes(result)) == (True, 6000, ["bgzip_end_missing"])


def test_no_cut_loses_a_record_in_silence(converted, tmp_path):
    bcf, _ = converted(MANY)
    whole = bcf.read_bytes()
    path = tmp_path / "cut.bcf"
    size = len(whole)
    for at in sorted({*range(18, 40), *range(40, size, size // 25), *range(size - 40, size)}):
        path.write_bytes(whole[:at])
        result = check_file(path)
        if at == size - len(BGZIP_END):
            assert (result.ok, codes(result)) == (True, ["bgzip_end_missing"])
        else:
            assert (result.ok, codes(result)) == (False, ["compression_truncated"]), at


@pytest.mark.parametrize("records", [0, 1, 2500, 5999])
@pytest.mark.parametrize("beyond", [1, 7, 8, 20], ids=lambda beyond: f"{beyond} bytes beyond")
def test_content_cut_within_a_record_names_the_last_good_line(converted, tmp_path, records, beyond):
    """The compression is sound, as when a program that was stopped still closed its file."""
    bcf, back = converted(MANY)
    raw = gzip.decompress(bcf.read_bytes())
    at = record_starts(raw)[records] + beyond
    path = tmp_path / "cut.bcf"
    path.write_bytes(
        b"".join(bgzip_block(raw[:at][start : start + 60_000]) for start in range(0, at, 60_000)) + BGZIP_END
    )
    result = check_file(path)
    header_lines = sum(line.startswith("#") for line in back.read_text().splitlines())
    problem = result.problems[0]
    assert (problem.kind.code, problem.place.line) == ("compression_truncated", header_lines + records + 1)
    assert f"record {records + 1:,}" in problem.message


def test_a_flipped_bit_is_told_with_its_block(converted, tmp_path):
    bcf, _ = converted(MANY)
    whole = bcf.read_bytes()
    path = tmp_path / "flipped.bcf"
    for at in range(30, len(whole) - len(BGZIP_END), len(whole) // 30):
        changed = bytearray(whole)
        changed[at] ^= 0x20
        path.write_bytes(changed)
        result = check_file(path)
        assert not result.ok
        assert result.problems[-1].kind.code in {"compression_damaged", "compression_truncated"}


def test_changed_content_under_a_sound_checksum_never_loses_a_record_in_silence(converted, tmp_path, capfd):
    bcf, _ = converted(VCF)
    raw = gzip.decompress(bcf.read_bytes())
    start = record_starts(raw)[0]
    chance = random.Random(7)
    path = tmp_path / "changed.bcf"
    outcomes = set()
    for _ in range(60):
        changed = bytearray(raw)
        changed[chance.randrange(start, start + 600)] = chance.choice(
            (0, 1, 0x17, 0x7F, 0x80, 0xFF, chance.randrange(256))
        )
        path.write_bytes(changed)
        result = check_file(path)
        outcomes.add(result.ok)
        assert result.records == len(RECORDS) if result.ok else all(problem.message for problem in result.problems)
    assert outcomes == {True, False}
    assert capfd.readouterr().err == ""


def test_a_record_that_cannot_be_decoded_is_named(converted, tmp_path):
    bcf, back = converted(MANY)
    raw = bytearray(gzip.decompress(bcf.read_bytes()))
    struct.pack_into("<i", raw, record_starts(raw)[4321] + 8, 99)  # a contig that the header does not have
    path = tmp_path / "a.bcf"
    path.write_bytes(raw)
    result = check_file(path)
    header_lines = sum(line.startswith("#") for line in back.read_text().splitlines())
    problem = result.problems[0]
    assert (problem.kind.code, problem.place.line) == ("bcf_malformed", header_lines + 4322)
    assert "Record 4,322" in problem.message


@pytest.mark.parametrize(
    ("sizes", "code"), [((23, 0), "bcf_malformed"), ((1 << 31, 0), "line_too_long")], ids=["too small", "too large"]
)
def test_a_record_of_impossible_size_is_refused_before_memory_is_taken(converted, tmp_path, sizes, code):
    bcf, back = converted(MANY)
    raw = bytearray(gzip.decompress(bcf.read_bytes()))
    struct.pack_into("<II", raw, record_starts(raw)[100], *sizes)
    path = tmp_path / "a.bcf"
    path.write_bytes(raw)
    problem = check_file(path).problems[0]
    header_lines = sum(line.startswith("#") for line in back.read_text().splitlines())
    assert (problem.kind.code, problem.place.line) == (code, header_lines + 101)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"BCF\x02\x02", "compression_truncated"),
        (b"BCF\x02\x02\x10\0\0\0##fileformat", "compression_truncated"),
        (b"BCF\x02\x02\xff\xff\xff\x7f##fileformat", "vcf_header_too_long"),
        (b"BCF\x02\x02\x08\0\0\0nothing\0", "bcf_malformed"),
        (b"BCF\x02\x02\0\0\0\0", "bcf_malformed"),
    ],
    ids=["magic only", "cut header", "header of 2 GiB", "header of no sense", "no header"],
)
def test_a_broken_header_is_refused(tmp_path, content, code):
    path = tmp_path / "a.bcf"
    path.write_bytes(content)
    with pytest.raises(FileRefused) as refused:
        open_reader(path)
    assert (refused.value.code, refused.value.place.line) == (code, 1)


def record_starts(raw):
    """Where each record of an unpacked BCF begins, by the VCF specification, section 6.3."""
    at = 9 + struct.unpack_from("<I", raw, 5)[0]
    starts = []
    while at < len(raw):
        starts.append(at)
        at += 8 + sum(struct.unpack_from("<II", raw, at))
    return starts
