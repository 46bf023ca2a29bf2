"""BCF that is broken on purpose: packings cut and flipped, crowds at one position, readers that are killed."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import os
import random
import select
import signal
import struct
import subprocess
import sys
from itertools import chain

import pytest
from test_reader_bcf import COLUMNS, HEADER, MANY, codes, converted, record_starts, table  # noqa: F401 - a fixture
from test_reader_packings import checked_zstd, zip_of
from test_recognition import BGZIP_END, bgzip_block

from varloom.reader import FileRefused, check_file, open_reader
from varloom.reader.bcf_records import MOST_AT_ONE_POSITION, WholeRecords

FEW = HEADER + COLUMNS + "\n" + "".join(f"1\t{at}\t.\tA\tC\t{at}\t.\tDP={at};TX=t{at}\n" for at in range(1, 301))
LARGE = HEADER + COLUMNS + "\n" + "".join(f"1\t{at}\t.\tA\tC\t.\t.\tTX={'x' * 500_000}\n" for at in range(1, 101))
"""More text than the reader takes ahead, so that the decoder is still at work."""
PLACED = HEADER.replace("##FILTER", '##FILTER=<ID=PASS,Description="All filters passed">\n##FILTER', 1)
PACK = {
    "gzip": gzip.compress,
    "bgzip": lambda raw: b"".join(bgzip_block(raw[at : at + 3000]) for at in range(0, len(raw), 3000)) + BGZIP_END,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": checked_zstd,
    "zip": lambda raw: zip_of(raw, name="a.bcf"),
}


def crowd(before, here, after):
    """Records of which `here` in a row stand at one position."""
    positions = chain(range(1, before + 1), [before + 1] * here, range(before + 2, before + 2 + after))
    lines = (f"1\t{position}\tr{at}\tA\tC\t{at % 89}\t.\tDP={at}\n" for at, position in enumerate(positions))
    return HEADER + COLUMNS + "\n" + "".join(lines)


def test_the_rows_are_those_of_the_vcf_it_was_made_of(converted, tmp_path):  # noqa: F811
    text = PLACED + MANY.removeprefix(HEADER)
    bcf, _ = converted(text)
    (tmp_path / "a.vcf").write_text(text)
    assert repr(table(bcf)[0]) == repr(table(tmp_path / "a.vcf")[0]), "lines included, since PASS is declared"


@pytest.mark.parametrize("kind", PACK)
def test_no_fault_of_any_packing_loses_a_record_in_silence(converted, tmp_path, kind):  # noqa: F811
    bcf, _ = converted(FEW)
    packed = PACK[kind](gzip.decompress(bcf.read_bytes()))
    chance, path = random.Random(kind), tmp_path / "upload"
    places = [chance.randrange(24, len(packed)) for _ in range(12)]
    faults = [packed[:at] for at in places]
    faults += [packed[:at] + bytes([packed[at] ^ 1 << chance.randrange(8)]) + packed[at + 1 :] for at in places]
    faults += [packed + b"left over", packed + bytes(3)]
    refused = 0
    for content in faults:
        path.write_bytes(content)
        result = check_file(path)
        refused += not result.ok
        assert result.records == 300 if result.ok else result.problems[0].place.line is not None
    assert refused >= len(faults) - 6, "few flips hit what is not looked at, such as a time or a name"


def test_a_line_feed_does_not_make_up_for_a_record_that_cannot_be_decoded(converted, tmp_path):  # noqa: F811
    """As many lines as records come back, one of them made up."""
    line = b"\n1\t4\t.\tG\tT\t.\t.\tTX=z"
    records = [f"1\t{at}\t.\tA\tC\t.\t.\tTX=t{at}" for at in range(1, 6)]
    records[2] = "1\t3\t.\tA\tC\t.\t.\tTX=a" + "_" * len(line)
    bcf, _ = converted(HEADER + COLUMNS + "\n" + "\n".join(records) + "\n")
    raw = bytearray(gzip.decompress(bcf.read_bytes()).replace(b"_" * len(line), line))
    struct.pack_into("<i", raw, record_starts(raw)[-1] + 8, 99)  # a contig that the header does not have
    path = tmp_path / "a.bcf"
    path.write_bytes(raw)
    result = check_file(path)
    assert codes(result) == ["bcf_malformed"]
    assert "record 3" in result.problems[0].message


@pytest.mark.parametrize(
    "shape", [(0, 1, 5), (0, 999, 5), (3, 1000, 5), (3, 1001, 0), (500, 2500, 500), (0, 2500, 0)], ids=str
)
def test_a_crowd_at_one_position_gives_every_row(converted, shape):  # noqa: F811
    bcf, back = converted(crowd(*shape))
    rows, summary = table(bcf)
    assert (rows, summary.records) == (table(back)[0], sum(shape))
    assert summary.sha256 == hashlib.sha256(bcf.read_bytes()).hexdigest()


@pytest.mark.parametrize("at", [0, 400, 1400, 2999], ids=["first", "before", "within", "behind"])
def test_a_bad_record_around_a_crowd_is_named(converted, tmp_path, at):  # noqa: F811
    bcf, _ = converted(crowd(500, 2000, 500))
    raw = bytearray(gzip.decompress(bcf.read_bytes()))
    struct.pack_into("<i", raw, record_starts(raw)[at] + 8, 99)
    path = tmp_path / "a.bcf"
    path.write_bytes(raw)
    problem = check_file(path).problems[0]
    assert (problem.kind.code, f"Record {at + 1:,} of" in problem.message) == ("bcf_malformed", True)


def test_a_cut_behind_a_crowd_is_told(converted, tmp_path):  # noqa: F811
    bcf, _ = converted(crowd(5, 2000, 5))
    raw = gzip.decompress(bcf.read_bytes())
    path = tmp_path / "a.bcf"
    path.write_bytes(raw[:-3])
    problem = check_file(path).problems[0]
    assert (problem.kind.code, "record 2,010" in problem.message) == ("compression_truncated", True)


def test_a_program_that_keeps_the_records_of_a_position_is_given_few_of_them(converted):  # noqa: F811
    bcf, _ = converted(crowd(3, 2500, 5))
    raw = gzip.decompress(bcf.read_bytes())
    records = WholeRecords(iter([raw]))
    first = b"".join(records)
    assert (records.crowded, records.count) == (True, 3 + MOST_AT_ONE_POSITION)
    rest = b"".join(records)
    assert (records.count, records.failure) == (2508, None)
    assert first + rest.removeprefix(records.header) == raw


def test_a_short_record_that_stands_for_gigabytes_is_refused(tmp_path):
    header = HEADER.replace("ID=DP", f"ID={'K' * 1_000_000}", 1) + COLUMNS + "\n\0"
    key = bytes([0x11, 2, 0x11, 5])  # the third text of the header, behind PASS and q10, and the number 5
    shared = struct.pack("<iiIfII", 0, 4, 1, 1.0, 2 << 16 | 5000, 0) + b"\x07\x17A\x17C\0" + key * 5000
    path = tmp_path / "a.bcf"
    sizes = struct.pack("<II", len(shared), 0)
    path.write_bytes(b"BCF\2\2" + struct.pack("<I", len(header)) + header.encode() + sizes + shared)
    problem = check_file(path).problems[0]
    assert problem.kind.code in {"bcf_malformed", "line_too_long"}
    assert problem.place.line is not None


def children():
    """Processes that this one started and that are still there."""
    found = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True, check=True
    )
    return [line for line in found.stdout.splitlines() if "import pysam" in line]


def test_no_process_is_left_when_the_reader_is_stopped(converted):  # noqa: F811
    bcf, _ = converted(LARGE)
    reader = open_reader(bcf)
    batches = reader.batches()
    next(batches)
    batches.close()
    assert children() == []


def test_no_process_is_left_when_the_header_is_refused(tmp_path):
    path = tmp_path / "a.bcf"
    path.write_bytes(b"BCF\x02\x02\x08\0\0\0nothing\0")
    with pytest.raises(FileRefused):
        open_reader(path)
    assert children() == []


HELD = """
import sys
from pathlib import Path
from varloom.reader import open_reader
reader = open_reader(Path(sys.argv[1]))
print(reader._file._decoder._process.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="waits for a process of another by its pidfd")
def test_no_process_and_no_file_are_left_when_the_reader_is_killed(converted):  # noqa: F811
    bcf, _ = converted(LARGE)
    before = sorted(bcf.parent.iterdir())
    with subprocess.Popen(
        [sys.executable, "-c", HELD, str(bcf)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=bcf.parent
    ) as held:
        handle = os.pidfd_open(int(held.stdout.readline()))
        held.send_signal(signal.SIGKILL)
        held.wait()
    ended, _, _ = select.select([handle], [], [], 20)
    os.close(handle)
    assert ended, "the decoder went on"
    assert sorted(bcf.parent.iterdir()) == before
