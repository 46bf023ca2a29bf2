"""Texts of bgzip files that are decompressed in portions, into buffers that are used again and again."""

from __future__ import annotations

import struct
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from mmap import mmap

import pytest
from test_recognition import BGZIP_END, bgzip_block

from varloom.dataset import load_file
from varloom.genomics.recognition import Compression
from varloom.reader import FileRefused, check_file, open_reader
from varloom.reader.portions import PORTION_BYTES, Portions
from varloom.reader.roomy_text import ROOM_BEFORE, TextBuffers
from varloom.reader.stored_file import StoredFile

HEAD = b"##fileformat=VCFv4.2\n##INFO=<ID=T,Number=1,Type=String,Description=x>\n"
HEAD += b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n"
BLOCK = 65_280


def lines(sizes):
    """A record of each size, whose texts differ; each seventh is one that the kernel leaves to the careful parser."""
    for at, size in enumerate(sizes, 1):
        start = b"1\t%d\t.\tA\tC\t.\t%s\tT=" % (at, b"." if at % 7 else b"PASS;LowQual")
        yield start + (b"%d." % at * size)[: max(size - len(start) - 1, 1)] + b"\n"


def blocks_of(text):
    return [bgzip_block(text[at : at + BLOCK]) for at in range(0, len(text), BLOCK)]


def spoiling(give_back):
    """What is given back is overwritten at once, so that whoever still looks at it sees the worst."""

    def spoiled(buffers, buffer):
        if isinstance(buffer, mmap):
            buffer[:] = b"\xff" * len(buffer)
        give_back(buffers, buffer)

    return spoiled


@pytest.mark.parametrize(
    "sizes",
    [
        [100] * 200_000,
        [ROOM_BEFORE - 1, ROOM_BEFORE, ROOM_BEFORE + 1, 3 * ROOM_BEFORE] * 60,
        [PORTION_BYTES - 1, 50, PORTION_BYTES, 50, PORTION_BYTES + ROOM_BEFORE, 50, 3 * PORTION_BYTES, 50] * 2,
    ],
    ids=["short", "about as long as the room", "about as long as a portion"],
)
def test_lines_of_any_length_come_out_of_bgzip_as_out_of_plain_text(tmp_path, monkeypatch, sizes):
    monkeypatch.setattr(TextBuffers, "give_back", spoiling(TextBuffers.give_back))
    text = HEAD + b"".join(lines(sizes))
    (tmp_path / "a.vcf").write_bytes(text)
    (tmp_path / "a.vcf.gz").write_bytes(b"".join([*blocks_of(text), BGZIP_END]))
    hashes = {
        load_file(tmp_path / name, tmp_path / f"{name}-{threads}", threads=threads)[0].content_hash
        for name, threads in [("a.vcf", 2), ("a.vcf.gz", 1), ("a.vcf.gz", 3)]
    }
    assert len(hashes) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_packed_csv_is_read_as_a_plain_one(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(TextBuffers, "give_back", spoiling(TextBuffers.give_back))
    text = "".join(["n,name\n", *(f'{at},"Zo\xeb {at}\n{at}"\n' for at in range(400_000))]).encode(encoding)
    (tmp_path / "a.csv").write_bytes(text)
    (tmp_path / "a.csv.gz").write_bytes(b"".join([*blocks_of(text), BGZIP_END]))
    plain, packed = (load_file(tmp_path / name, tmp_path / f"of {name}")[0] for name in ("a.csv", "a.csv.gz"))
    assert packed.records == 400_000
    assert packed.content_hash == plain.content_hash


@pytest.mark.parametrize("field", ["checksum", "length"])
def test_the_last_words_of_every_block_are_looked_at(tmp_path, field):
    text = HEAD + b"".join(lines([100] * 110_000))
    blocks = blocks_of(text)
    per_portion = -(-PORTION_BYTES // BLOCK)
    assert len(blocks) > 3 * per_portion
    ends = list(accumulate(map(len, blocks)))
    path = tmp_path / "a.vcf.gz"
    around = {0, per_portion - 1, per_portion, 2 * per_portion - 1, 3 * per_portion - 1, len(blocks) - 1}
    for number in sorted(around):
        content = bytearray(b"".join(blocks) + BGZIP_END)
        content[ends[number] - (8 if field == "checksum" else 4)] ^= 1
        path.write_bytes(content)
        result = check_file(path)
        assert not result.ok
        assert result.problems[0].kind.code == "compression_damaged"
        assert f"bgzip block {number + 1}" in result.problems[0].message
        assert result.problems[0].place.line == text[: number * BLOCK].count(b"\n") + 1


def of_size(block, size):
    """A block that says that it has so many bytes in the file."""
    return block[:16] + struct.pack("<H", size - 1) + block[18:]


def test_a_block_that_is_said_to_hold_two_alike_loses_none_of_them(tmp_path):
    block = bgzip_block(b"1\t1\t.\tA\tC\t.\t.\tT=a\n")
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(bgzip_block(HEAD) + of_size(block, 2 * len(block)) + block + BGZIP_END)
    assert check_file(path).records == 2


def test_a_block_of_which_the_data_end_before_its_last_words_is_damaged(tmp_path):
    block = bgzip_block(b"1\t1\t.\tA\tC\t.\t.\tT=a\n")
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(bgzip_block(HEAD) + of_size(block, len(block) + 2)[:-8] + b"no" + block[-8:] + BGZIP_END)
    result = check_file(path)
    assert not result.ok
    assert result.problems[0].kind.code == "compression_damaged"
    assert "bgzip block 2" in result.problems[0].message


def test_blocks_without_text_fill_a_portion_too(tmp_path):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(BGZIP_END * (4 * PORTION_BYTES // len(BGZIP_END)))
    with ThreadPoolExecutor(2) as pool:
        assert len(list(Portions(StoredFile(path), Compression.BGZIP, pool, 3))) == 4


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_that_is_changed_while_it_is_read_is_refused(tmp_path, packed):
    text = HEAD + b"".join(lines([100] * 200_000))
    path = tmp_path / "a.vcf"
    path.write_bytes(b"".join([*blocks_of(text), BGZIP_END]) if packed else text)
    batches = open_reader(path, name="a.vcf").batches()
    next(batches)
    with path.open("ab") as file:
        file.write(BGZIP_END if packed else b"1\t1\t.\tA\tC\t.\t.\tT=a\n")
    with pytest.raises(FileRefused) as refused:
        list(batches)
    assert refused.value.problems[0].kind.code == "file_unreadable"


def test_a_file_that_is_removed_while_it_is_read_is_read_to_its_end(tmp_path):
    path = tmp_path / "a.vcf"
    path.write_bytes(HEAD + b"".join(lines([100] * 200_000)))
    reader = open_reader(path, name="a.vcf")
    batches = reader.batches()
    next(batches)
    path.unlink()
    list(batches)
    assert reader.summary().records == 200_000
