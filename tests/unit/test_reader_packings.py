"""Files packed with bzip2, xz, zstd, zip or gzip twice: read like any other, in bounded memory, faults told alike."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import subprocess
import sys
import zipfile
import zlib

import pytest
from test_reader_compression import BLOCKS, HEAD
from test_recognition import BGZIP_END, bgzip_block

from varloom.genomics.packing import zstd
from varloom.genomics.recognition import Compression, SourceFormat, recognise
from varloom.reader import FileRefused, check_file, open_reader

TEXT = b"".join(BLOCKS)
HALVES = (TEXT[:40_000], TEXT[40_000:])


def zip_of(text, *, name="a.vcf", method=zipfile.ZIP_DEFLATED, streamed=False, clutter=False):
    class Unseekable(io.BytesIO):
        """As a pipe: the archive notes checksum and sizes behind the data."""

        def seekable(self):
            return False

        def seek(self, *_):
            raise OSError

    packed = Unseekable() if streamed else io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        if clutter:
            archive.writestr("genome/", "")
            archive.writestr("__MACOSX/._a.vcf", b"\0\5\x16\7")
        archive.writestr(name, text)
        if clutter:
            archive.writestr("genome/.DS_Store", b"\0\0\0\1Bud1")
    return packed.getvalue()


def checked_zstd(text):
    return zstd.compress(text, options={zstd.CompressionParameter.checksum_flag: 1})


def flipped(packed, at):
    changed = bytearray(packed)
    changed[at] ^= 0x10
    return bytes(changed)


PACKED = {
    "bzip2": bz2.compress(TEXT),
    "bzip2 in streams": b"".join(map(bz2.compress, HALVES)),
    "xz": lzma.compress(TEXT),
    "xz in padded streams": lzma.compress(HALVES[0]) + bytes(8) + lzma.compress(HALVES[1]) + bytes(4),
    "zstd": checked_zstd(TEXT),
    "zstd in frames": b"\x51\x2a\x4d\x18\x03\0\0\0abc" + b"".join(map(checked_zstd, HALVES)),
    "gzip in gzip": gzip.compress(gzip.compress(TEXT)),
    "bgzip in bgzip": bgzip_block(b"".join(map(bgzip_block, BLOCKS)) + BGZIP_END) + BGZIP_END,
    "zip": zip_of(TEXT),
    "zip, stored": zip_of(TEXT, method=zipfile.ZIP_STORED),
    "zip, bzip2": zip_of(TEXT, method=zipfile.ZIP_BZIP2),
    "zip, streamed": zip_of(TEXT, streamed=True),
    "zip, with clutter": zip_of(TEXT, clutter=True),
    "zip of a gzip": zip_of(gzip.compress(TEXT), name="a.vcf.gz"),
    "xz of a bgzip": lzma.compress(bgzip_block(HEAD) + bgzip_block(BLOCKS[1]) + BGZIP_END),
}


@pytest.fixture
def check(tmp_path):
    def written(content, name="upload"):
        path = tmp_path / name
        path.write_bytes(content)
        return check_file(path)

    return written


@pytest.mark.parametrize("kind", PACKED)
def test_every_packing_gives_the_same_rows(check, kind):
    result = check(PACKED[kind])
    assert (result.ok, result.records, result.problems) == (True, 500 if kind == "xz of a bgzip" else 3000, ())


@pytest.mark.parametrize("pack", [bz2.compress, lzma.compress, zstd.compress, zip_of], ids=lambda pack: pack.__name__)
def test_a_packed_csv_is_read_as_csv(tmp_path, pack):
    path = tmp_path / "table.csv.packed"
    text = b"a;b\n1;x\n2;y\n"
    path.write_bytes(zip_of(text, name="table.csv") if pack is zip_of else pack(text))
    reader = open_reader(path)
    assert [row["b"] for batch in reader.batches() for row in batch.to_pylist()] == ["x", "y"]
    assert reader.recognition.format is SourceFormat.CSV


def test_the_name_within_a_zip_counts(tmp_path):
    path = tmp_path / "genome.zip"
    path.write_bytes(zip_of(b"a,b\n1,2\n", name="genome.vcf"))
    with pytest.raises(FileRefused) as refused:
        open_reader(path)
    assert refused.value.code == "format_mismatch"


WHOLE = ["bzip2 in streams", "xz", "zstd", "gzip in gzip", "zip", "zip, stored", "zip, streamed"]


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_cut_file_is_refused_with_the_last_good_line(check, kind, share):
    packed = PACKED[kind]
    result = check(packed[: int(len(packed) * share)])
    assert not result.ok
    assert result.problems[0].kind.code == "compression_truncated"
    assert result.problems[0].place.line is not None


@pytest.mark.parametrize("kind", WHOLE)
def test_no_cut_and_no_flip_loses_a_record_in_silence(check, kind):
    packed = PACKED[kind]
    size = len(packed)
    places = sorted({*range(10, 40), *range(10, size, size // 40), *range(size - 60, size)})
    outcomes = [check(packed[:at]) for at in places] + [check(flipped(packed, at)) for at in places]
    assert all(result.records == 3000 for result in outcomes if result.ok)
    assert sum(not result.ok for result in outcomes[: len(places)]) >= len(places) - 1, (
        "a cut changes nothing once only"
    )


@pytest.mark.parametrize("kind", ["bzip2", "xz", "zstd", "zip", "zip, stored"])
def test_damage_is_told_at_the_part_it_is_in(check, kind):
    packed = PACKED[kind]
    result = check(flipped(packed, len(packed) // 2))
    assert not result.ok
    assert result.problems[-1].kind.code == "compression_damaged"
    assert "could be read whole" in result.problems[-1].message


@pytest.mark.parametrize("kind", ["bzip2", "xz", "zstd", "gzip in gzip", "zip"])
def test_bytes_after_the_packed_data_are_refused(check, kind):
    result = check(PACKED[kind] + b"left over")
    if kind == "zip":  # an archive ends with a comment of any length, and readers look for its end from behind
        assert (result.ok, result.records) == (True, 3000)
    else:
        assert [problem.kind.code for problem in result.problems] == ["trailing_bytes"]


def test_a_second_file_that_the_list_of_a_zip_hides_is_refused(check):
    first, second = zip_of(TEXT), zip_of(TEXT)
    result = check(first[: first.index(b"PK\x01\x02")] + second[: second.index(b"PK\x01\x02")])
    assert [problem.kind.code for problem in result.problems] == ["compression_not_supported"]


def test_a_missing_end_marker_within_another_packing_is_noticed(check):
    result = check(gzip.compress(b"".join(map(bgzip_block, BLOCKS))))
    assert (result.ok, [problem.kind.code for problem in result.problems]) == (True, ["bgzip_end_missing"])


def test_data_that_look_back_too_far_are_refused(check):
    frame = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 30})
    result = check(frame.compress(TEXT) + frame.flush())
    assert [problem.kind.code for problem in result.problems] == ["compression_not_supported"]
    assert "128 MiB" in result.problems[0].message


BOMB_BYTES = 10 << 30


def bomb(pack):
    """A packed text of 10 GiB without a line end."""
    part = pack(b"A" * (1 << 26))
    return pack(HEAD) + part * (BOMB_BYTES >> 26)


def zip_bomb():
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(HEAD)
    block = b"A" * (1 << 24)
    body += b"".join(deflate.compress(block) for _ in range(32)) + deflate.flush()
    return struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 8, 0, 0, 0, len(body), 0, 1, 0) + b"a" + body


def bgzip_bomb():
    return bgzip_block(HEAD) + bgzip_block(b"A" * 65_000) * (BOMB_BYTES // 65_000)


BOMBS = {
    "gzip": lambda: bomb(gzip.compress),
    "bgzip": bgzip_bomb,
    "bzip2": lambda: bomb(bz2.compress),
    "xz": lambda: bomb(lzma.compress),
    "zstd": lambda: bomb(zstd.compress),
    "zip": zip_bomb,
    "gzip in gzip": lambda: gzip.compress(bomb(gzip.compress)),
}
MEASURE = """
import resource, sys
from pathlib import Path
from varloom.reader import check_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = check_file(Path(sys.argv[1]))
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(result.problems[0].kind.code, (after - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the measure of memory is in other units elsewhere")
@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_in_bounded_memory(tmp_path, kind):
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[kind]())
    told = subprocess.run(
        [sys.executable, "-c", MEASURE, path], check=True, capture_output=True, text=True, timeout=120
    )
    code, mebibytes = told.stdout.split()
    assert code == "line_too_long"
    assert int(mebibytes) < 400


def test_recognition_names_the_packing(tmp_path):
    path = tmp_path / "file"
    for kind, packed in PACKED.items():
        path.write_bytes(packed)
        found = recognise(path, "a.vcf")
        double = kind in {"gzip in gzip", "bgzip in bgzip"}
        assert found.compression == (Compression.DOUBLE_GZIP if double else kind.split(" ")[0].strip(","))
        assert (found.format, found.hurdle) == (SourceFormat.VCF, None)
