"""Gzip and bgzip at every place where they can break, and in every form that programs write."""

from __future__ import annotations

import gzip
import struct
import zlib
from itertools import accumulate

import pytest
from test_reader_compression import BLOCKS, HEAD, LINES
from test_recognition import BGZIP_END, bgzip_block

from varloom.reader import check_file

TEXT = b"".join(BLOCKS)
SIZES = [len(bgzip_block(block)) for block in BLOCKS]
WHOLE = b"".join(map(bgzip_block, BLOCKS)) + BGZIP_END
THIRD = sum(SIZES[:2])
"""Where the third block begins, before which there are the header and 500 records."""


@pytest.fixture
def check(tmp_path):
    def written(content):
        path = tmp_path / "a.vcf.gz"
        path.write_bytes(content)
        return check_file(path)

    return written


def codes(result):
    return [problem.kind.code for problem in result.problems]


def gzip_with(flags, fields, *, text=TEXT):
    """A gzip member with optional fields in its header, as RFC 1952, section 2.3, lays it out."""
    head = b"\x1f\x8b\x08" + bytes([flags]) + b"\0\0\0\0\0\x03" + fields
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    return head + gzip.compress(text)[10:]


@pytest.mark.parametrize(
    "content",
    [
        gzip_with(8, b"a.vcf\0"),
        gzip_with(16, b"made by hand\0"),
        gzip_with(4, b"\x06\0XY\x02\0ab"),
        gzip_with(2, b""),
        gzip_with(1 | 2 | 4 | 8 | 16, b"\x04\0XY\0\0name\0comment\0"),
        gzip_with(8, b"n" * 70_000 + b"\0"),
        gzip.compress(HEAD) + gzip_with(8, b"part 2\0", text=b"".join(BLOCKS[1:])),
        gzip.compress(b"") + gzip.compress(TEXT) + gzip.compress(b""),
        WHOLE.removesuffix(BGZIP_END) + gzip.compress(b"") + BGZIP_END,
        b"".join(bgzip_block(block) + BGZIP_END for block in BLOCKS),
        BGZIP_END * 3 + WHOLE,
        WHOLE + BGZIP_END,
        b"".join(bgzip_block(TEXT[at : at + 999]) for at in range(0, len(TEXT), 999)) + BGZIP_END,
    ],
    ids=[
        "name", "comment", "extra field", "header checksum", "all fields", "long name", "members of two programs",
        "empty members", "gzip member among bgzip", "empty blocks between", "empty blocks first", "end marker twice",
        "lines across blocks",
    ],
)  # fmt: skip
def test_every_form_of_gzip_is_read_whole(check, content):
    result = check(content)
    assert (result.ok, result.records, result.problems) == (True, 3000, ())


@pytest.mark.parametrize(
    ("cut", "place"),
    [
        (THIRD + 1, "the first byte of a block's header"),
        (THIRD + 7, "a block's header"),
        (THIRD + 15, "a block's extra field"),
        (THIRD + 18, "before the data"),
        (THIRD + SIZES[2] // 2, "the data"),
        (THIRD + SIZES[2] - 8, "before the trailer"),
        (THIRD + SIZES[2] - 3, "the trailer"),
    ],
)
def test_a_cut_within_a_block_names_block_and_last_good_line(check, cut, place):
    result = check(WHOLE[:cut])
    problem = result.problems[0]
    assert not result.ok
    assert (problem.kind.code, f"{cut:,}" in problem.message) == ("compression_truncated", True), place
    # All of the block's lines may have come out of the data although its checksum is missing; they are counted.
    assert problem.place.line is not None
    assert problem.place.line >= 503
    assert f"line {problem.place.line - 1:,}" in problem.message


def test_a_cut_between_blocks_is_noticed_by_the_missing_end_marker(check):
    result = check(WHOLE[:THIRD])
    assert (result.ok, result.records, codes(result)) == (True, 500, ["bgzip_end_missing"])


@pytest.mark.parametrize("at", range(len(BGZIP_END)))
def test_a_cut_within_the_end_marker_is_noticed(check, at):
    result = check(WHOLE[: len(WHOLE) - len(BGZIP_END) + at])
    assert codes(result) == (["compression_truncated"] if at else ["bgzip_end_missing"])
    assert result.ok is (at == 0)
    if at:
        assert result.problems[0].place.line == 3003


@pytest.mark.parametrize("block", range(1, len(BLOCKS)))
@pytest.mark.parametrize("into", [0.3, 0.7, 0.999], ids=["data", "later data", "trailer"])
def test_a_flipped_bit_names_its_block(check, block, into):
    start = list(accumulate(SIZES, initial=0))[block]
    changed = bytearray(WHOLE)
    changed[start + 18 + int((SIZES[block] - 18) * into)] ^= 4
    result = check(bytes(changed))
    assert not result.ok
    problem = result.problems[-1]
    assert problem.kind.code == "compression_damaged"
    assert f"bgzip block {block + 1}" in problem.message
    assert problem.place.line is not None
    assert 2 < problem.place.line <= 3 + 500 * block


def test_no_flip_of_any_bit_in_a_header_loses_a_record(check):
    for bit in range(18 * 8):
        changed = bytearray(WHOLE)
        changed[THIRD + bit // 8] ^= 1 << bit % 8
        result = check(bytes(changed))
        assert (
            result.records == 3000
            if result.ok
            else codes(result)[-1] in {"compression_damaged", "compression_truncated"}
        )


@pytest.mark.parametrize("rest", [b"left over", b"\0", b"\0" * 512, LINES[0]], ids=["text", "NUL", "NULs", "record"])
@pytest.mark.parametrize(
    ("content", "code"),
    [(WHOLE, "compression_damaged"), (gzip.compress(TEXT), "trailing_bytes")],
    ids=["bgzip", "gzip"],
)
def test_what_follows_the_compressed_data_is_refused(check, content, code, rest):
    result = check(content + rest)
    assert (result.ok, codes(result)) == (False, [code])
    assert result.problems[0].place.line == 3003


@pytest.mark.parametrize(
    "content", [gzip.compress(b""), BGZIP_END, gzip.compress(b"") * 3], ids=["gzip", "bgzip", "members"]
)
def test_a_gzip_of_nothing_is_an_empty_file(check, content):
    assert codes(check(content)) == ["file_empty"]


@pytest.mark.parametrize("size", [2, 9, 10, 14, 18])
def test_a_gzip_cut_before_its_first_line_is_told_as_cut(check, size):
    result = check(gzip.compress(TEXT)[:size])
    assert (result.ok, codes(result), result.problems[0].place.line) == (False, ["compression_truncated"], 1)
