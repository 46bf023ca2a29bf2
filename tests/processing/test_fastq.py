"""FASTQ is held to its format: every fault is refused with the file, the read and the line."""

import gzip
import random
import zlib

import pysam
import pytest

from varloom.errors import VarloomError
from varloom.processing import fastq
from varloom.processing.fastq import are_mates, count, is_interleaved
from varloom.processing.lanes import gather, mate_name
from varloom.processing.model import Lane, ReadsFile

READ = "@r{0} {1}:N:0:A\nACGTN\n+\nIIII#\n"


def reads(mate=1, first=1, last=10):
    return "".join(READ.format(number, mate) for number in range(first, last + 1))


def given(folder, name, text, *, packed=False):
    path = folder / name
    content = text.encode() if isinstance(text, str) else text
    path.write_bytes(gzip.compress(content) if packed else content)
    return ReadsFile(path, name)


def spoil(line, text, replacement):
    lines = text.splitlines(keepends=True)
    lines[line - 1] = replacement
    return "".join(lines)


FAULTS = {
    "missing plus": (spoil(7, reads(), ""), "reads_malformed", 7, "read 2"),
    "another plus": (spoil(7, reads(), "-\n"), "reads_malformed", 7, "read 2"),
    "short quality": (spoil(20, reads(), "III\n"), "reads_malformed", 20, "5 bases and 3 qualities"),
    "long quality": (spoil(4, reads(), "IIIIII\n"), "reads_malformed", 4, "5 bases and 6 qualities"),
    "no name": (spoil(9, reads(), "@\n"), "reads_malformed", 9, "read 3"),
    "long name": (spoil(9, reads(), "@" + "x" * 255 + "\n"), "reads_malformed", 9, "at most 254"),
    "mark and no name": (spoil(9, reads(), "@/1\n"), "reads_malformed", 9, "read 3"),
    "control in name": (spoil(9, reads(), "@r\x013 1:N:0:A\n"), "reads_malformed", 9, "ASCII"),
    "foreign name": (spoil(37, reads(), "@r\u00e910 1:N:0:A\n"), "reads_malformed", 37, "ASCII"),
    "no at": (spoil(37, reads(), "r10\n"), "reads_malformed", 37, "read 10"),
    "odd base": (spoil(38, reads(), "AC!TN\n"), "reads_malformed", 38, "'!' is no base"),
    "odd quality": (spoil(40, reads(), "II\x01II\n"), "reads_malformed", 40, "read 10"),
    "ends in a read": (reads()[:-10], "reads_malformed", 38, "read 10"),
    "blank line": (spoil(5, reads(), "\n@r2 1:N:0:A\n"), "reads_malformed", 5, "read 2"),
    "empty": ("", "reads_empty", None, ""),
    "blank": ("\n\n", "reads_", None, ""),
    "a VCF": ("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n", "reads_not_reads", 1, "VCF"),
    "a page": ("<!DOCTYPE html><html><body>Not found</body></html>", "reads_not_reads", 1, "HTML"),
    "a FASTA": (">chr1\nACGT\n", "reads_not_reads", 1, "FASTA"),
    "bytes": (bytes(random.Random(1).randbytes(5000)), "reads_", None, ""),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_refused_at_its_place(tmp_path, fault, packed):
    text, code, line, told = FAULTS[fault]
    file = given(tmp_path, "s_R1.fastq.gz", text, packed=packed)
    with pytest.raises(VarloomError) as caught:
        count(Lane(file))
    assert caught.value.code.startswith(code)
    assert "s_R1.fastq.gz" in caught.value.message
    assert told in caught.value.message
    assert line is None or caught.value.place.line == line


@pytest.mark.parametrize("cut", [15, 0.3, 0.9, -1, -8])
def test_a_truncated_file_is_refused(tmp_path, cut):
    content = gzip.compress("".join(READ.format(random.Random(1).random(), 1) for _ in range(20_000)).encode())
    end = int(len(content) * cut) if isinstance(cut, float) else cut
    file = given(tmp_path, "s.fastq.gz", content[:end])
    with pytest.raises(VarloomError) as caught:
        count(Lane(file))
    assert caught.value.code in {"reads_truncated", "reads_not_reads"}
    damaged = bytearray(content)
    damaged[len(content) // 2] ^= 0xFF
    with pytest.raises(VarloomError) as caught:
        count(Lane(given(tmp_path, "d.fastq.gz", bytes(damaged))))
    assert caught.value.code in {"reads_truncated", "reads_malformed"}


@pytest.mark.parametrize("cut", [0.1, 0.5, 0.93, -8])
@pytest.mark.parametrize("size", [999, 1 << 20])
def test_where_a_packed_file_breaks_off_is_told_by_read_and_line(tmp_path, monkeypatch, cut, size):
    monkeypatch.setattr(fastq, "_STORED", size)
    draw = random.Random(2)
    text = "".join(
        READ.format(draw.getrandbits(60), 1).replace("ACGTN", "".join(draw.choices("ACGT", k=5))) for _ in range(9000)
    )
    content = gzip.compress(text.encode())
    cut_off = content[: int(len(content) * cut) if isinstance(cut, float) else cut]
    whole = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(cut_off).count(b"\n")
    with pytest.raises(VarloomError) as caught:
        count(Lane(given(tmp_path, "s.fastq.gz", cut_off)))
    assert caught.value.place.line == whole + 1
    assert f"within read {whole // 4 + 1:,}." in caught.value.message


@pytest.mark.parametrize("size", [7, 64, 1 << 20])
def test_where_a_piece_ends_does_not_matter(tmp_path, monkeypatch, size):
    monkeypatch.setattr(fastq, "_STORED", size)
    for text in (reads(), reads()[:-1], reads().replace("\n", "\r\n"), reads() + "\n\n"):
        one, other = (given(tmp_path, f"{mate}.fq", text.replace(" 1:", f" {mate}:")) for mate in (1, 2))
        assert count(Lane(one)) == (10, 50)
        assert count(Lane(one, other)) == (20, 100)


def test_blocks_and_members_are_read_to_the_end(tmp_path):
    parts = [gzip.compress(reads(first=at, last=at + 9).encode()) for at in (1, 11, 21)]
    assert count(Lane(given(tmp_path, "m.fq.gz", b"".join(parts)))) == (30, 150)


@pytest.mark.parametrize(
    ("one", "other", "line", "told"),
    [
        (reads(), reads(2, last=9), 37, "read 10 has no mate"),
        (reads(last=9), reads(2), 37, "read 10 has no mate"),
        (reads(), reads(2, first=2, last=11), 1, "names of the mates differ"),
        (reads(), spoil(21, reads(2), "@other 2:N:0:A\n"), 21, "read 6"),
        (reads(), reads(2) + "@\n", 41, "read 11"),
        (reads(), reads(), 1, "both reads of a pair are first mates"),
        (reads().replace(" 1:N:0:A", "/2"), reads().replace(" 1:N:0:A", "/2"), 1, "are second mates"),
        (reads(last=100).replace(" 1:N:0:A", ""), reads(last=100).replace(" 1:N:0:A", ""), None, "given twice"),
    ],
)
def test_mates_that_do_not_pair_are_refused(tmp_path, one, other, line, told):
    lane = Lane(given(tmp_path, "s_1.fq", one), given(tmp_path, "s_2.fq", other))
    with pytest.raises(VarloomError) as caught:
        count(lane)
    assert caught.value.place.line == line
    assert told in caught.value.message


@pytest.mark.parametrize(
    ("qualities", "are_old"), [("hhhhB", True), ("@ABLh", True), ("IIII#", False), ("FFFFF", False), ("~~~~~", False)]
)
def test_qualities_in_the_old_notation_are_noticed(tmp_path, qualities, are_old):
    assert fastq.has_old_qualities(given(tmp_path, "s.fq", reads().replace("IIII#", qualities))) is are_old


def test_a_bgzip_file_without_its_end_is_noticed(tmp_path):
    path = tmp_path / "s.fq.gz"
    with pysam.BGZFile(str(path), "wb") as packed:
        packed.write(reads().encode())
    file = ReadsFile(path, path.name)
    assert not fastq.lacks_end(file)
    path.write_bytes(path.read_bytes()[:-28])
    assert fastq.lacks_end(file)
    assert count(Lane(file)) == (10, 50), "all that is there is whole"
    path.write_bytes(gzip.compress(reads().encode()))
    assert not fastq.lacks_end(file)
    assert not fastq.lacks_end(given(tmp_path, "plain.fq", reads()))


def test_interleaved_reads_are_told_by_their_names(tmp_path):
    text = "".join(READ.format(number, mate) for number in range(1, 11) for mate in (1, 2))
    slashed = "".join(f"@r{number}/{mate}\nACGT\n+\nIIII\n" for number in range(5) for mate in (1, 2))
    assert is_interleaved(given(tmp_path, "both.fq", text))
    assert is_interleaved(given(tmp_path, "slashed.fq", slashed))
    assert not is_interleaved(given(tmp_path, "single.fq", reads()))
    assert count(Lane(given(tmp_path, "b.fq", text), is_interleaved=True)) == (20, 100)
    with pytest.raises(VarloomError) as caught:
        count(Lane(given(tmp_path, "odd.fq", text + READ.format(11, 1)), is_interleaved=True))
    assert caught.value.code == "reads_unpaired"
    assert caught.value.place.line == 81


def lanes(*names, interleaved=False):
    found = gather([ReadsFile(None, name) for name in names], lambda _: interleaved, lambda *_: False)
    return [(lane.first.name, lane.second.name if lane.second else None) for lane in found.lanes]


def test_names_tell_what_belongs_together():
    assert lanes(
        "a_S1_L002_R2_001.fastq.gz",
        "a_S1_L001_R1_001.fastq.gz",
        "a_S1_L001_R2_001.fastq.gz",
        "a_S1_L002_R1_001.fastq.gz",
    ) == [
        ("a_S1_L001_R1_001.fastq.gz", "a_S1_L001_R2_001.fastq.gz"),
        ("a_S1_L002_R1_001.fastq.gz", "a_S1_L002_R2_001.fastq.gz"),
    ]
    assert lanes("ERR1_2.fq.gz", "ERR1_1.fq.gz") == [("ERR1_1.fq.gz", "ERR1_2.fq.gz")]
    assert lanes("x.R1.fastq", "x.R2.fastq") == [("x.R1.fastq", "x.R2.fastq")]
    assert lanes("sample_1_R1.fq", "sample_1_R2.fq", "sample_2_R1.fq", "sample_2_R2.fq") == [
        ("sample_1_R1.fq", "sample_1_R2.fq"),
        ("sample_2_R1.fq", "sample_2_R2.fq"),
    ]
    assert lanes("patient_7.fq", interleaved=True) == [("patient_7.fq", None)]
    assert mate_name("NA12878.fq") == ("NA12878", None)


def test_mates_are_found_by_their_reads_where_names_tell_nothing(tmp_path):
    mates = [given(tmp_path, name, reads(mate)) for mate, name in ((1, "zoe.fq"), (2, "adam.fq"))]
    later = [given(tmp_path, name, reads(mate, 11, 20)) for mate, name in ((1, "b.fq"), (2, "c.fq"))]
    assert gather(mates, is_interleaved, are_mates).lanes == (Lane(*mates),)
    assert gather([*mates, *later], is_interleaved, are_mates).lanes == (Lane(*mates), Lane(*later))
    assert gather([mates[0], later[0]], is_interleaved, are_mates).lanes == (Lane(later[0]), Lane(mates[0]))
    with pytest.raises(VarloomError, match="others single"):
        gather([*mates, later[0]], is_interleaved, are_mates)


@pytest.mark.parametrize(
    "names",
    [
        ("a_R2.fq",),
        ("a_R1.fq", "b_R2.fq"),
        ("a_R1.fq", "a_R1.fq"),
        ("a.bam", "b.bam"),
        ("a.bam", "a_R1.fq"),
        ("a_I1_001.fastq.gz",),
        (),
    ],
)
def test_files_that_do_not_go_together_are_refused(names):
    with pytest.raises(VarloomError) as caught:
        lanes(*names)
    assert caught.value.code == "reads_not_together"
