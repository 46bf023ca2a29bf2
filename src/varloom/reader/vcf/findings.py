"""What the kernel counted in a chunk, put into words: each finding is looked at again by the careful parser's rules."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from varloom.errors import Place
from varloom.reader.problems import BLANK_LINE
from varloom.reader.vcf.alleles import split_alleles
from varloom.reader.vcf.info_parser import warn_empty_entry
from varloom.reader.vcf.values import MisfitError, OddValueError

if TYPE_CHECKING:
    from mmap import mmap

    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.native.vcf_records import Chunk
    from varloom.reader.vcf.kernel_table import KernelTable
    from varloom.reader.vcf.record_rules import RecordRules
    from varloom.reader.vcf.record_table import RecordTable

# The numbers of native/vcf_records.pyx.
_REF, _ALT, _ALT_TWICE, _ID, _QUAL, _BEYOND, _ORDER, _DUPLICATE, _INFO_EMPTY, _BLANK = range(10)
_BARE = 9


class Findings:
    """Turns the findings of chunks, in the order of the file, into warnings."""

    def __init__(self, table: RecordTable, rules: RecordRules, diagnosis: Diagnosis) -> None:
        self._table = table
        self._rules = rules
        self._diagnosis = diagnosis
        self._contig = b""
        self._position = -1
        self._group: frozenset[bytes] = frozenset()

    def tell(self, chunk: Chunk, kernel: KernelTable, lines: int) -> None:
        """Warn of everything in a chunk; `lines` is how many the file has before it."""
        self._tell_contigs(chunk, lines)
        for rule, count, line, at, start, end, extra in chunk.rule_findings():
            record, text = _line(chunk, at), _text(chunk, start, end)
            self._tell_rule(rule, count=count, line=lines + line, record=record, text=text, extra=extra)
        for start, end, line, count in chunk.filter_texts():
            self._rules.check_filters(lines + line, _text(chunk, start, end), count)
        for finding in chunk.field_findings():
            self._tell_field(chunk, kernel, lines, finding)

    def _tell_rule(self, rule: int, *, count: int, line: int, record: str, text: str, extra: int) -> None:
        rules = self._rules
        match rule:
            case 0:
                rules.check_ref(line, text, count)
            case 1 | 2:
                rules.check_alt(line, text, count)
            case 3:
                rules.check_identifier(line, text, count)
            case 4:
                rules.check_quality(line, float(text), count)
            case 5:
                rules.beyond_end(line, extra, text, count)
            case 6:
                rules.out_of_order(line, int(text), extra, count)
            case 7:
                rules.repeated(line, extra, count)
            case 8:
                warn_empty_entry(self._diagnosis, line, record.split("\t")[7], count)
            case _:
                self._diagnosis.warn(BLANK_LINE, "", f"Line {line:,} is empty.", Place(line=line), count)

    def _tell_field(
        self, chunk: Chunk, kernel: KernelTable, lines: int, finding: tuple[int, int, int, int, int, int, int, int]
    ) -> None:
        index, what, count, line, at, start, end, sample = finding
        fields = kernel.fields[index]
        field = fields[sample if len(fields) > 1 else 0]
        if what == _BARE:
            self._table.warn_bare(field, lines + line, count)  # type: ignore[arg-type]  # only INFO has bare keys
            return
        text = _text(chunk, start, end)
        shape, _ = split_alleles(_line(chunk, at).split("\t", 5)[4])
        label = field.label if field.decl.kind == "INFO" else f"{self._table.samples[sample]}.{field.decl.key}"
        try:
            field.decoder.decode(text, shape)
        except (OddValueError, MisfitError) as trouble:
            self._table.note_trouble(field, trouble, text, lines + line, label=label, count=count)
        else:
            raise AssertionError(f"kernel and decoder disagree about {label} in line {lines + line}")

    # --- where records stand --------------------------------------------------------------------------------------

    def _tell_contigs(self, chunk: Chunk, lines: int) -> None:
        """Contigs as they begin, and the order of the first record of a chunk behind the last one before it."""
        runs = chunk.contig_runs()
        if not runs:
            return
        start, end, line = runs[0]
        first = _bytes(chunk, start, end)
        goes_on = first == self._contig and chunk.first_position == self._position
        if first != self._contig:
            self._rules.enter_contig(lines + line, first.decode())
        elif chunk.first_position < self._position:
            self._rules.out_of_order(lines + line, chunk.first_position, self._position)
        elif goes_on:
            self._tell_repeated(chunk, start, lines + line)
        for start, end, line in runs[1:]:
            self._rules.enter_contig(lines + line, _bytes(chunk, start, end).decode())
        self._contig = _bytes(chunk, *runs[-1][:2])
        self._position = chunk.last_position
        group = frozenset(_alike(chunk, chunk.last_group, self._contig, self._position))
        if goes_on and chunk.last_group == runs[0][0] and len(group) + len(self._group) <= _MOST_ALIKE:
            group |= self._group
        self._group = group

    def _tell_repeated(self, chunk: Chunk, start: int, line: int) -> None:
        """Records that stood at the same position before the chunk began; the kernel counts those within it."""
        alike = _alike(chunk, start, self._contig, self._position)
        again = [after for alleles, after in alike.items() if alleles in self._group]
        if again:
            self._rules.repeated(line + min(again), self._position, len(again))


_MOST_ALIKE = 256
_MOST_LINES = 4096
_LONG_TEXT = 1000


def _alike(chunk: Chunk, start: int, contig: bytes, position: int) -> dict[bytes, int]:
    """REF and ALT of the records from `start` on that stand at the position; after how many lines they first do."""
    found: dict[bytes, int] = {}
    data = chunk.source
    for after in range(_MOST_LINES):
        if start >= chunk.end or len(found) == _MOST_ALIKE:
            break
        end = data.find(b"\n", start)
        tabs = _tabs(data, start, end)
        if len(tabs) == 5:  # lines may have many megabytes: only what is asked for is taken out of them
            place = bytes(data[tabs[0] + 1 : tabs[1]])
            if data[start : tabs[0]] != contig or not place.isdigit() or int(place) != position:
                break
            found.setdefault(_fingerprint(data, tabs[2] + 1, tabs[4]), after)
        start = end + 1
    return found


def _fingerprint(data: bytes | bytearray | mmap, start: int, end: int) -> bytes:
    """The text, or the hash of a long one."""
    if end - start <= _LONG_TEXT:
        return bytes(data[start:end])
    with memoryview(data)[start:end] as text:
        return hashlib.sha256(text).digest()


def _tabs(data: bytes | bytearray | mmap, start: int, end: int) -> list[int]:
    """Where the first five tabs of a line are."""
    tabs: list[int] = []
    while len(tabs) < 5 and (start := data.find(b"\t", start, end) + 1):
        tabs.append(start - 1)
    return tabs


def _bytes(chunk: Chunk, start: int, end: int) -> bytes:
    return bytes(chunk.source[start:end])


def _text(chunk: Chunk, start: int, end: int) -> str:
    return _bytes(chunk, start, end).decode()


def _line(chunk: Chunk, start: int) -> str:
    return _text(chunk, start, chunk.source.find(b"\n", start)).removesuffix("\r")
