"""The header of a VCF, taken line by line from its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from varloom.errors import Place, safe_excerpt
from varloom.reader.problems import BYTE_ORDER_MARK, HEADER_NOT_UTF8
from varloom.reader.vcf.control_characters import note_control_character
from varloom.reader.vcf.header import Header, HeaderParser
from varloom.reader.whole_lines import Broken

if TYPE_CHECKING:
    from varloom.reader.diagnosis import Diagnosis
    from varloom.reader.whole_lines import WholeLines

_CONTROLS = bytes((*range(9), *range(11, 32), 127))


def read_header(lines: WholeLines, mark_bytes: int, diagnosis: Diagnosis) -> Header:
    """The header up to the `#CHROM` line; what follows stays in `lines`.

    Args:
        lines: of the file, from its first.
        mark_bytes: length of the byte order mark at the start of the text.
        diagnosis: is told what is odd.

    Raises:
        FileRefused: all faults of the header, or what ended the text before it was whole.
    """
    parser = HeaderParser(diagnosis)
    number = 0
    try:
        while (raw := lines.next_line()) is not None:
            number += 1
            if parser.feed(number, _text(number, raw, mark_bytes, diagnosis)):
                break
        else:
            parser.end_of_file(number)
    except Broken as broken:
        raise broken.refusal(number + 1) from broken
    diagnosis.refuse_if_broken()
    return parser.header


def _text(number: int, raw: bytes, mark_bytes: int, diagnosis: Diagnosis) -> str:
    if number == 1 and mark_bytes:
        raw = raw[mark_bytes:]
        diagnosis.warn(BYTE_ORDER_MARK, "", "The file starts with a byte order mark; it was left out.", Place(line=1))
    raw = raw.removesuffix(b"\r")
    if len(raw.translate(None, _CONTROLS)) != len(raw):
        note_control_character(diagnosis, number, raw.decode("utf-8", "replace"))
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
        message = "A header line is not valid UTF-8; it was read as Latin-1."
        diagnosis.warn(HEADER_NOT_UTF8, "", message, Place(line=number, excerpt=safe_excerpt(text)))
        return text
