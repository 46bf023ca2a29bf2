"""Small VCF files with one fault each, and the text that a careful reader would see in them."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pysam

HEADER = """\
##fileformat=VCFv4.2
##contig=<ID=chr1,length=248956422>
##FILTER=<ID=q10,Description="Low quality">
##INFO=<ID=DP,Number=1,Type=Integer,Description="Depth">
##INFO=<ID=AF,Number=A,Type=Float,Description="Frequency">
##INFO=<ID=DB,Number=0,Type=Flag,Description="Known">
##INFO=<ID=GENE,Number=1,Type=String,Description="Gene">
##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">
##FORMAT=<ID=DP,Number=1,Type=Integer,Description="Depth">
##FORMAT=<ID=GQ,Number=1,Type=Integer,Description="Quality">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tS1\tS2
"""
FIRST = "chr1\t100\trs1\tA\tG\t50\tPASS\tDP=10;AF=0.5;DB;GENE=TP53\tGT:DP:GQ\t0/1:10:99\t0/0:5:30\n"
SECOND = "chr1\t200\t.\tC\tT\t12.5\tq10\tDP=20;AF=0.25;GENE=KRAS\tGT:DP:GQ\t1/1:20:40\t0/1:7:20\n"
THIRD = "chr1\t300\trs3\tG\tA\t30\tPASS\tDP=30;AF=0.125;DB;GENE=EGFR\tGT:DP:GQ\t0/1:30:60\t1/1:9:15\n"
"""The values are chosen so that 32-bit floats hold them exactly: what differs then comes from the fault."""
BASE = HEADER + FIRST + SECOND + THIRD
LINE = 13
"""The line of the second record, in which most faults are."""
MANY = 4_000
"""Records of the packed files: enough for several blocks of bgzip."""


@dataclass(frozen=True, slots=True)
class Case:
    """One file.

    Attributes:
        fault: what is wrong, for the table.
        content: of the file.
        truth: the text whose records and cells a reader should give, unless it refuses the file.
        line: where the fault is, in the decompressed text; None where no line can be named.
        name: of the file.
    """

    fault: str
    content: bytes
    truth: str
    line: int | None = LINE
    name: str = "case.vcf"


def cases() -> list[Case]:
    """All of them, in the order of the table."""
    return [*_fixed_columns(), *_header(), *_info(), *_samples(), *_lines(), *_bytes(), *_packed()]


def _second(fault: str, old: str, new: str, *, truth: str | None = None) -> Case:
    """A file whose second record is changed; its own text is the truth unless another is given."""
    if old not in SECOND:
        raise ValueError(f"{old!r} does not occur in the second record")
    text = HEADER + FIRST + SECOND.replace(old, new, 1) + THIRD
    return Case(fault, text.encode(), text if truth is None else truth)


def _fixed_columns() -> list[Case]:
    return [
        _second("`POS` is `12x4`", "\t200\t", "\t12x4\t"),
        _second("`POS` is `-200`", "\t200\t", "\t-200\t"),
        _second("`POS` is `2e2`", "\t200\t", "\t2e2\t"),
        _second("`QUAL` is `high`", "\t12.5\t", "\thigh\t"),
        _second("`QUAL` is `12,5`", "\t12.5\t", "\t12,5\t"),
        _second("`REF` is empty", "\tC\tT\t", "\t\tT\t"),
        _second("`ALT` has an empty allele, `T,`", "\tT\t12.5", "\tT,\t12.5"),
        _second("`FILTER` is not declared", "\tq10\t", "\tq99\t"),
        _second("contig is not declared", "chr1\t200", "chrQ\t200"),
        _second("`QUAL` needs more than 32 bits, `12.123456789`", "12.5", "12.123456789"),
    ]


def _header() -> list[Case]:
    no_chrom = "".join(line for line in BASE.splitlines(keepends=True) if not line.startswith("#CHROM"))
    twice = BASE.replace("\tS1\tS2\n", "\tS1\tS1\n")
    return [
        Case("no `#CHROM` line", no_chrom.encode(), BASE, line=11),
        Case("no `##fileformat` line", BASE.split("\n", 1)[1].encode(), BASE, line=1),
        Case("`#CHROM` line names one sample too few", BASE.replace("\tS1\tS2\n", "\tS1\n").encode(), BASE, line=12),
        Case("two samples have the same name", twice.encode(), twice, line=11),
        Case("`#CHROM` line has spaces for tabs", _spaced(BASE, 11).encode(), BASE, line=11),
    ]


def _info() -> list[Case]:
    return [
        _second("`INFO` key is not declared", "GENE=KRAS", "GENE=KRAS;XX=7"),
        _second("text in an Integer, `DP=abc`", "DP=20", "DP=abc"),
        _second("text behind an Integer, `DP=20x`", "DP=20", "DP=20x"),
        _second("fraction in an Integer, `DP=20.5`", "DP=20", "DP=20.5"),
        _second("Integer beyond 32 bits, `DP=3000000000`", "DP=20", "DP=3000000000"),
        _second("text in a Float, `AF=n/a`", "AF=0.25", "AF=n/a"),
        _second("Float that needs more than 32 bits, `AF=0.123456789012`", "AF=0.25", "AF=0.123456789012"),
        _second("Number=A has two values for one `ALT`", "AF=0.25", "AF=0.25,0.5"),
        _second("Number=A has one value for two `ALT`", "\tT\t", "\tT,G\t"),
        _second("the same `INFO` key twice", "DP=20", "DP=20;DP=21"),
        _second("Flag with a value, `DB=no`", "GENE=KRAS", "GENE=KRAS;DB=no"),
        _second("Integer key without a value, `DP`", "DP=20;", "DP;"),
        _second("`INFO` value without a key, `=5`", "GENE=KRAS", "GENE=KRAS;=5"),
    ]


def _samples() -> list[Case]:
    return [
        _second("`FORMAT` key is not declared", "GT:DP:GQ\t1/1:20:40\t0/1:7:20", "GT:XX:GQ\t1/1:20:40\t0/1:7:20"),
        _second("text in a sample's Integer, `1/1:20:high`", "1/1:20:40", "1/1:20:high"),
        _second("sample has more values than `FORMAT` keys", "1/1:20:40", "1/1:20:40:8"),
        _second("`GT` names an allele that is not there, `0/5`", "1/1:20:40", "0/5:20:40"),
        _second("`GT` is no genotype, `het`", "1/1:20:40", "het:20:40"),
    ]


def _lines() -> list[Case]:
    records = HEADER + FIRST
    unsorted = records + THIRD + SECOND
    return [
        _second("last sample's column is missing", "\t0/1:7:20", ""),
        _second("a further column in one line", "0/1:7:20", "0/1:7:20\textra"),
        Case("spaces for tabs in one line", _spaced(BASE, LINE).encode(), BASE),
        Case("blank line in the middle", (records + "\n" + SECOND + THIRD).encode(), BASE),
        Case(
            "header line among the records",
            (records + '##INFO=<ID=XX,Number=1,Type=Integer,Description="x">\n' + SECOND + THIRD).encode(),
            BASE,
        ),
        Case("records are not sorted", unsorted.encode(), unsorted, line=14),
        Case("plain text cut off within a line", BASE[:-40].encode(), BASE, line=14),
        Case("final newline is missing", BASE[:-1].encode(), BASE, line=14),
    ]


def _bytes() -> list[Case]:
    odd = BASE.replace("KRAS", "KR\udcffAS")
    return [
        Case("NUL byte within a value", BASE.replace("KRAS", "KR\0AS").encode(), BASE.replace("KRAS", "KR\0AS")),
        Case("byte that is not UTF-8 in a value", odd.encode("utf-8", "surrogateescape"), odd),
        Case("line ends are CR LF", BASE.replace("\n", "\r\n").encode(), BASE, line=None),
        Case("byte order mark at the start", b"\xef\xbb\xbf" + BASE.encode(), BASE, line=1),
        Case("UTF-16", BASE.encode("utf-16"), BASE, line=1),
    ]


def _packed() -> list[Case]:
    lines = [
        f"chr1\t{1000 + 7 * number}\t.\tA\tG\t{number % 90}.5\tPASS\tDP={number};AF=0.5;GENE=G{number * 7919 % 9973}\t"
        f"GT:DP:GQ\t0/1:{number % 77}:{number % 98}\t0/0:{number % 55}:{number % 91}\n"
        for number in range(MANY)
    ]
    text = HEADER + "".join(lines)
    packed, blocks = gzip.compress(text.encode(), 6), _bgzip(text)
    cut = text[: len(text) - 30]
    flipped = bytearray(blocks)
    flipped[len(blocks) // 2] ^= 0x10
    sizes = _block_sizes(blocks)
    data_end = len(blocks) - sizes[-1]  # the last block is the empty end marker
    last_block = data_end - sizes[-2]
    name = "case.vcf.gz"
    return [
        Case(
            "gzip cut off in the middle", packed[: len(packed) // 2], text, _break_in(packed[: len(packed) // 2]), name
        ),
        Case(
            "gzip whole, but its text cut off within the last line",
            gzip.compress(cut.encode()),
            text,
            _break(cut),
            name,
        ),
        Case("gzip with a wrong checksum", packed[:-8] + b"\0\1\2\3" + packed[-4:], text, None, name),
        Case("gzip followed by other bytes", packed + b"something else", text, _break(text), name),
        Case("bgzip with one bit flipped in the middle", bytes(flipped), text, _break_in(flipped), name),
        Case(
            "bgzip cut off within a block",
            blocks[: len(blocks) // 2],
            text,
            _break_in(blocks[: len(blocks) // 2]),
            name,
        ),
        Case("bgzip cut off between two blocks", blocks[:last_block], text, _break_in(blocks[:last_block]), name),
        Case("bgzip without its end marker", blocks[:data_end], text, None, name),
    ]


def _spaced(text: str, number: int) -> str:
    """The text with spaces for tabs in one line."""
    lines = text.splitlines(keepends=True)
    lines[number - 1] = lines[number - 1].replace("\t", " ")
    return "".join(lines)


def _bgzip(text: str) -> bytes:
    with TemporaryDirectory() as folder:
        plain, packed = Path(folder) / "text", Path(folder) / "text.gz"
        plain.write_text(text)
        pysam.tabix_compress(str(plain), str(packed))
        return packed.read_bytes()


def _break(text: str) -> int:
    """The first line that is not whole."""
    return text.count("\n") + 1


def _break_in(packed: bytes) -> int:
    """The first line that cannot be unpacked whole."""
    text = b""
    while packed:
        unpacker = zlib.decompressobj(31)
        try:
            text += unpacker.decompress(packed)
        except zlib.error:
            break
        packed = unpacker.unused_data
    return _break(text.decode())


def _block_sizes(packed: bytes) -> list[int]:
    """The stored size of each block of a bgzip file."""
    sizes, at = [], 0
    while at < len(packed):
        unpacker = zlib.decompressobj(31)
        unpacker.decompress(packed[at:])
        sizes.append(len(packed) - at - len(unpacker.unused_data))
        at += sizes[-1]
    return sizes
