"""Damaged and cut compression: told with its place and the last good line, and never read as if it were whole."""

from __future__ import annotations

import gzip
from itertools import pairwise

import pytest
from test_recognition import BGZIP_END, bgzip_block

from varloom.reader import FileRefused, ReadProgress, check_file, open_reader

HEAD = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
LINES = [b"1\t%d\t.\tA\tC\t.\t.\t.\n" % at for at in range(1, 3001)]
BLOCKS = [HEAD, *(b"".join(LINES[at : at + 500]) for at in range(0, 3000, 500))]


@pytest.fixture
def check(tmp_path):
    def written(content, name="a.vcf.gz"):
        path = tmp_path / name
        path.write_bytes(content)
        return check_file(path)

    return written


def packed():
    return b"".join(map(bgzip_block, BLOCKS)) + BGZIP_END


@pytest.mark.parametrize(
    "content",
    [packed(), gzip.compress(b"".join(BLOCKS)), b"".join(map(gzip.compress, BLOCKS)), b"".join(BLOCKS)],
    ids=["bgzip", "gzip", "gzip in parts", "plain"],
)
def test_every_packing_gives_the_same_rows(check, content):
    result = check(content)
    assert (result.ok, result.records, result.problems) == (True, 3000, ())


def test_a_missing_end_marker_is_noticed_when_all_lines_are_whole(check):
    result = check(packed().removesuffix(BGZIP_END))
    assert (result.ok, result.records) == (True, 3000)
    assert [problem.kind.code for problem in result.problems] == ["bgzip_end_missing"]


def test_a_cut_between_blocks_within_a_line_is_refused(check):
    whole = b"".join(BLOCKS)
    result = check(bgzip_block(whole[:5000]) + bgzip_block(whole[5000:9000]))
    lines = whole[:9000].count(b"\n")
    assert not result.ok
    assert (result.problems[0].kind.code, result.problems[0].place.line) == ("compression_truncated", lines + 1)
    assert f"line {lines:,}" in result.problems[0].message


@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
@pytest.mark.parametrize("pack", [packed, lambda: gzip.compress(b"".join(BLOCKS))], ids=["bgzip", "gzip"])
def test_a_cut_file_is_refused_with_the_last_good_line(check, pack, share):
    content = pack()
    result = check(content[: int((len(content) - len(BGZIP_END)) * share)])
    assert not result.ok
    problem = result.problems[0]
    assert problem.kind.code == "compression_truncated"
    assert problem.place.line is not None
    assert "last line that could be read whole" in problem.message
    assert "gzip -t" in " ".join(problem.as_dict()["resolution"])


def test_a_flipped_bit_is_refused_at_its_block(check):
    content = bytearray(packed())
    start = sum(len(bgzip_block(block)) for block in BLOCKS[:3])
    content[start + 60] ^= 0x10
    result = check(bytes(content))
    assert not result.ok
    problem = result.problems[0]
    assert problem.kind.code == "compression_damaged"
    assert "bgzip block 4" in problem.message
    assert problem.place.line == 2 + 1000 + 1


def test_bytes_after_the_compressed_data_are_refused(check):
    result = check(gzip.compress(b"".join(BLOCKS)) + b"left over")
    assert [problem.kind.code for problem in result.problems] == ["trailing_bytes"]


def test_highly_packed_data_are_read_in_pieces(check):
    long_line = b"1\t5\t.\tA\tC\t.\t.\tX=" + b"a" * 30_000_000 + b"\n"
    content = gzip.compress(HEAD + long_line, 1)
    assert len(content) < 1_000_000
    result = check(content)
    assert (result.ok, result.records) == (True, 1)


def test_a_line_without_end_is_refused_within_bounded_memory(check, monkeypatch):
    monkeypatch.setattr("varloom.reader.whole_lines.LINE_LIMIT", 1 << 20)
    result = check(HEAD + b"1\t5\t.\tA\tC\t.\t.\tX=" + b"a" * (3 << 20) + b"\n", "a.vcf")
    assert [(problem.kind.code, problem.place.line) for problem in result.problems] == [("line_too_long", 3)]


@pytest.mark.parametrize(
    ("content", "name", "code"),
    [
        (b"##fileformat=VCFv4.2\n" + b"##x=" + b"y" * 1000 + b"\n", "a.vcf.gz", "vcf_header_too_long"),
        (b"a" + b"," * 1_000_001 + b"\n", "a.csv.gz", "csv_too_many_columns"),
        (b",".join(b"c%d" % number for number in range(100_001)) + b"\n", "a.csv.gz", "csv_too_many_columns"),
    ],
)
def test_a_header_made_to_use_up_the_memory_is_refused(check, monkeypatch, content, name, code):
    monkeypatch.setattr("varloom.reader.vcf.header.HEADER_LIMIT", 900)
    result = check(gzip.compress(content, 1), name)
    assert [(problem.kind.code, problem.severity) for problem in result.problems] == [(code, "error")]


def test_progress_counts_stored_bytes_and_ends_at_the_last(tmp_path):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(packed())
    seen: list[ReadProgress] = []
    reader = open_reader(path, on_progress=seen.append)
    assert sum(batch.num_rows for batch in reader.batches()) == 3000
    size = path.stat().st_size
    assert seen[-1].bytes_done == seen[-1].bytes_total == size
    assert seen[-1].records == 3000
    assert all(one.bytes_done <= two.bytes_done for one, two in pairwise(seen))


def test_the_summary_waits_for_the_end(tmp_path):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(packed())
    reader = open_reader(path)
    with pytest.raises(RuntimeError):
        reader.summary()


def test_a_refused_file_gives_no_summary(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes(HEAD + b"broken\n")
    reader = open_reader(path)
    with pytest.raises(FileRefused):
        list(reader.batches())
    with pytest.raises(RuntimeError):
        reader.summary()
