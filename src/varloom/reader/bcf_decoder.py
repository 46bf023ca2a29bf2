"""htslib in a process of its own, which is given records of a BCF and writes them as text."""

from __future__ import annotations

import subprocess
import sys
from threading import Thread
from typing import TYPE_CHECKING, BinaryIO, cast

from varloom.reader.bcf_records import PASSED_ON

if TYPE_CHECKING:
    from collections.abc import Iterator

    from varloom.reader.bcf_records import WholeRecords

MEMORY_LIMIT = 1 << 30
"""The most memory that the process may ask for; it needs 40 MB and twice the longest record.

A short record can stand for any length of text, by naming a key with a long name often. The limit must be out of reach
for lines that are not refused as too long, as htslib may leave out what does not fit: 128 MiB of the shortest numbers,
640 MiB of text, still come out whole."""

LINE_FEED_FOUND = 3
"""How `ONE_BY_ONE` ends at a record with a line feed in a text of it."""

_LIMITS = f"""
import resource
for kind, most in ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, {MEMORY_LIMIT})):
    try:
        resource.setrlimit(kind, (most, resource.getrlimit(kind)[1]))
    except (OSError, ValueError):
        pass
"""
ALL_AT_ONCE = f"""{_LIMITS}
import pysam.bcftools
pysam.bcftools.view("--no-version", "-Ov", "-", catch_stdout=False)
"""
"""Fast, but it keeps all records of one position, takes time that grows with their square, and loses what it has not
written yet when a record cannot be decoded."""
ONE_BY_ONE = f"""{_LIMITS}
import sys
import pysam
pysam.set_verbosity(0)
with pysam.VariantFile("-") as file:
    write = sys.stdout.buffer.write
    write(str(file.header).encode("utf-8", "surrogateescape"))
    for record in file:
        line = str(record).encode("utf-8", "surrogateescape")
        if line.count(b"\\n") != 1:
            sys.exit({LINE_FEED_FOUND})
        write(line)
"""
"""Half as fast, but it keeps one record at a time, and all that comes before a bad one is written out."""


class Decoder:
    """A program that runs from the making of the object on; iterate once for the text that it writes.

    Attributes:
        status: how the program ended, once the text was taken: 0 when it met no fault, negative when it crashed.
    """

    def __init__(self, records: WholeRecords, program: str) -> None:
        self.status: int | None = None
        command = [sys.executable, "-P", "-c", program]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._feeder = Thread(target=_feed, args=(records, self._process.stdin), name="bcf-feeder", daemon=True)
        self._feeder.start()

    def __iter__(self) -> Iterator[bytes]:
        output = cast("BinaryIO", self._process.stdout)
        try:
            while text := output.read(PASSED_ON):
                yield text
            self.status = self._process.wait()
        finally:
            self.close()
            output.close()

    def close(self) -> None:
        """End the program, from any thread; it is too late for that if it has ended."""
        self._process.kill()
        self._process.wait()
        self._feeder.join()


def _feed(records: WholeRecords, process_input: BinaryIO) -> None:
    try:
        with process_input:
            for whole in records:
                _write(process_input, whole)
    except BrokenPipeError:
        pass  # the program ended; its status and what it has not told will be missed


def _write(process_input: BinaryIO, data: bytes | bytearray) -> None:
    """Write all of the data; an unbuffered pipe may take only a part at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[process_input.write(rest) :]
