"""Ways to spoil a VCF, each with a generator of random numbers, and a judge of what the reader makes of it.

As a program it reads jobs, one in a line as JSON `[path, mutation, seed]`, and answers each with a line: a parent
process then knows which one ended it. `mutation_run.py` is that parent.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import sys
import tempfile
import traceback
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "verifier"))

from vcf_text import lines_of
from vcf_verifier import differences

from varloom.genomics.recognition import SourceFormat
from varloom.reader import FileRefused, open_reader
from varloom.reader.opening import recognise_file

if TYPE_CHECKING:
    from collections.abc import Callable

WEIRD = [
    *(
        "",
        ".",
        "..",
        "-",
        "-1",
        "+1",
        "0x10",
        "1e5",
        "1e999",
        "nan",
        "-inf",
        "9" * 19,
        "9" * 30,
        "9" * 400,
        "0." + "1" * 400,
    ),
    *(
        str(2**31),
        str(2**63),
        str(-(2**63)),
        "1" * 18 + "e-5",
        "4.9e-324",
        "a",
        "é",
        "\U0001f9ec",
        "%",
        "%3",
        "%25",
        "%3B",
    ),
    *(
        ",",
        ",,",
        ",".join("1" * 300),
        ":",
        "::",
        ";",
        ";;",
        "=",
        "A=",
        "=1",
        "A=1;A=2",
        "<",
        "<>",
        "<DEL>",
        "<*>",
        "*",
        "[",
        "G]1:2]",
    ),
    *(
        "0/1",
        "0|1|2|3",
        "/",
        "|",
        "0/",
        ".",
        "./.",
        "\x1f",
        "\x7f",
        " ",
        "  ",
        '"',
        "#",
        "##",
        "\\",
        "NaN",
        "PASS",
        "\u2028",
    ),
]
FILE_LEVEL = re.compile(r"compression|format|empty|packing|archive|bgzip|file")
"""Codes of refusals that may have no line: they concern the file as a whole."""


# --- spoiling ---------------------------------------------------------------------------------------------------------


def lines_spoiler(change: Callable[[list[bytes], random.Random], None]) -> Callable[[bytes, random.Random], bytes]:
    def spoil(data: bytes, rng: random.Random) -> bytes:
        lines = data.split(b"\n")
        change(lines, rng)
        return b"\n".join(lines)

    return spoil


def some_line(lines: list[bytes], rng: random.Random) -> int:
    """A data line three times of four, where there is one."""
    data = [at for at, line in enumerate(lines) if line and not line.startswith(b"#")]
    return rng.choice(data) if data and rng.random() < 0.75 else rng.randrange(len(lines))


def cut_line(lines: list[bytes], rng: random.Random) -> None:
    at = some_line(lines, rng)
    lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]


def drop_tab(lines: list[bytes], rng: random.Random) -> None:
    change_at(lines, rng, b"\t", b"")


def double_tab(lines: list[bytes], rng: random.Random) -> None:
    change_at(lines, rng, b"\t", b"\t\t")


def tab_to_space(lines: list[bytes], rng: random.Random) -> None:
    change_at(lines, rng, b"\t", b" ")


def change_at(lines: list[bytes], rng: random.Random, old: bytes, new: bytes) -> None:
    at = some_line(lines, rng)
    parts = lines[at].split(old)
    if len(parts) > 1:
        cut = rng.randrange(1, len(parts))
        lines[at] = old.join(parts[:cut]) + new + old.join(parts[cut:])


def swap_columns(lines: list[bytes], rng: random.Random) -> None:
    at = some_line(lines, rng)
    cells = lines[at].split(b"\t")
    one, other = rng.randrange(len(cells)), rng.randrange(len(cells))
    cells[one], cells[other] = cells[other], cells[one]
    lines[at] = b"\t".join(cells)


def put_weird(lines: list[bytes], rng: random.Random) -> None:
    """A cell, or a part of one, becomes something else."""
    at = some_line(lines, rng)
    cells = lines[at].split(b"\t")
    column = rng.randrange(len(cells))
    parts = re.split(rb"([;:,=/|<>\[\]])", cells[column]) if rng.random() < 0.7 else [cells[column]]
    parts[rng.randrange(len(parts))] = rng.choice(WEIRD).encode()
    cells[column] = b"".join(parts)
    lines[at] = b"\t".join(cells)


def huge_number(lines: list[bytes], rng: random.Random) -> None:
    at = some_line(lines, rng)
    numbers = list(re.finditer(rb"\d+", lines[at]))
    if numbers:
        found = rng.choice(numbers)
        lines[at] = lines[at][: found.end()] + b"7" * rng.choice([1, 5, 10, 20, 400]) + lines[at][found.end() :]


def delete_header_line(lines: list[bytes], rng: random.Random) -> None:
    header = [at for at, line in enumerate(lines) if line.startswith(b"#")]
    if header:
        del lines[rng.choice(header)]


def change_declaration(lines: list[bytes], rng: random.Random) -> None:
    declared = [at for at, line in enumerate(lines) if b"Number=" in line and line.startswith(b"##")]
    if declared:
        at = rng.choice(declared)
        number = rng.choice([b"0", b"1", b"2", b"99", b"A", b"R", b"G", b".", b"-1", b"LA", b"P", b"x"])
        lines[at] = re.sub(rb"Number=[^,>]*", b"Number=" + number, lines[at])
        if rng.random() < 0.5:
            kind = rng.choice([b"Integer", b"Float", b"Flag", b"Character", b"String", b"Bool"])
            lines[at] = re.sub(rb"Type=[^,>]*", b"Type=" + kind, lines[at])


def change_version(lines: list[bytes], rng: random.Random) -> None:
    lines[0] = b"##fileformat=VCFv4.%d" % rng.randrange(7)


def delete_line(lines: list[bytes], rng: random.Random) -> None:
    del lines[some_line(lines, rng)]


def double_line(lines: list[bytes], rng: random.Random) -> None:
    lines.insert(rng.randrange(len(lines)), lines[some_line(lines, rng)])


def join_lines(lines: list[bytes], rng: random.Random) -> None:
    at = some_line(lines, rng)
    if at + 1 < len(lines):
        lines[at : at + 2] = [lines[at] + lines[at + 1]]


def truncate(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def put_byte(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.choice([b"\0", b"\r", b"\n", b"\t", b"\xff", b"\xc3", b"\x1b", b"\x85"]) + data[at:]


def delete_span(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice([1, 2, 10, 100, 1000]) :]


def double_span(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    end = start + rng.choice([1, 10, 100, 1000])
    at = rng.randrange(len(data))
    return data[:at] + data[start:end] + data[at:]


def put_mark(data: bytes, _: random.Random) -> bytes:
    return b"\xef\xbb\xbf" + data


def to_utf16(data: bytes, rng: random.Random) -> bytes:
    return data.decode("utf-8", "replace").encode(rng.choice(["utf-16", "utf-16-le", "utf-16-be"]))


def to_latin1(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + "ü".encode("latin-1") + data[at:]


def change_line_ends(data: bytes, rng: random.Random) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\r\r\n"]))


def flip_several(data: bytes, rng: random.Random) -> bytes:
    for _ in range(rng.randrange(2, 12)):
        data = flip(data, rng)
    return data


BY_LINES = [
    *(cut_line, drop_tab, double_tab, tab_to_space, swap_columns, put_weird, huge_number, delete_header_line),
    *(change_declaration, change_version, delete_line, double_line, join_lines),
]
BY_BYTES = [
    *(truncate, flip, flip_several, put_byte, delete_span, double_span, put_mark, to_utf16, to_latin1, change_line_ends)
]
SPOILERS = {change.__name__: lines_spoiler(change) for change in BY_LINES} | {
    change.__name__: change for change in BY_BYTES
}
OF_PACKED = {f"{change.__name__}_packed": change for change in (truncate, flip, flip_several, delete_span, double_span)}
MUTATIONS = [*SPOILERS, *OF_PACKED]


def unpacked(data: bytes) -> bytes:
    return gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data


def bgzipped(data: bytes, size: int) -> bytes:
    return b"".join(_block(data[at : at + size]) for at in range(0, len(data), size)) + _block(b"")


def _block(data: bytes) -> bytes:
    packer = zlib.compressobj(6, zlib.DEFLATED, -15)
    body = packer.compress(data) + packer.flush()
    head = b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x06\0BC\x02\0" + (len(body) + 25).to_bytes(2, "little")
    return head + body + zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")


def mutated(path: Path, mutation: str, seed: int) -> bytes:
    """The spoiled file: its text is, or what it is packed in."""
    rng = random.Random(f"{path.name} {mutation} {seed}")
    text = unpacked(path.read_bytes())
    pack = rng.choice([bgzipped, lambda data, _: gzip.compress(data, mtime=0)])
    size = rng.choice([50, 1000, 60_000])
    if mutation in OF_PACKED:
        return OF_PACKED[mutation](pack(text, size), rng)
    text = SPOILERS[mutation](text, rng)
    return pack(text, size) if rng.random() < 0.3 else text


# --- judging ----------------------------------------------------------------------------------------------------------


def judged(path: Path) -> tuple[str, str]:
    """`refused`, `read` or `read as a table`; or `fault` with what is wrong."""
    try:
        if recognise_file(path, path.name).format is not SourceFormat.VCF:
            return as_other_format(path)
        found = differences(path)
    except FileRefused as refused:
        first = refused.problems[0]
        placed = first.place.line is not None or FILE_LEVEL.search(first.kind.code)
        if placed and first.message and first.as_dict()["resolution"]:
            return "refused", ""
        return "fault", f"refused without a place: {first.kind.code} {first.message}"
    except Exception:  # noqa: BLE001 - whatever it is, it is a fault
        return "fault", traceback.format_exc()
    return ("fault", "; ".join(found)) if found else ("read", "")


def as_other_format(path: Path) -> tuple[str, str]:
    """What is no VCF any more may be a table: then each line is a row, or told of as empty."""
    reader = open_reader(path)
    rows = sum(batch.num_rows for batch in reader.batches())
    lines = sum(1 for line in lines_of(path) if line.strip("\r"))
    told = reader.summary()
    if rows == told.records and rows in {lines, lines - 1}:
        return "read as a table", ""
    return "fault", f"a table of {lines} lines has {rows} rows: {[warning.message for warning in told.warnings]}"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for line in sys.stdin:
            path, mutation, seed = json.loads(line)
            target = Path(folder, "spoiled.vcf")
            target.write_bytes(mutated(Path(path), mutation, seed))
            sys.stdout.write("begun\n")
            sys.stdout.flush()
            sys.stdout.write(json.dumps(judged(target)) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
