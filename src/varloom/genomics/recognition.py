"""What a file is, told by its first bytes and never by its name alone.

The name decides only between texts that look alike: a text without any VCF line is still read as VCF when it is
named so, because then its faults can be shown where they are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from isal import igzip_lib

if TYPE_CHECKING:
    from pathlib import Path

SAMPLE_BYTES = 65_536
"""How much of the file, and of its decompressed text, is looked at."""


class SourceFormat(StrEnum):
    """Formats that are told apart. Those that Varloom reads come first."""

    VCF = "vcf"
    CSV = "csv"
    TSV = "tsv"
    BCF = "bcf"
    BAM = "bam"
    CRAM = "cram"
    SAM = "sam"
    FASTQ = "fastq"
    FASTA = "fasta"
    GFF = "gff"
    PDF = "pdf"
    IMAGE = "image"
    HTML = "html"
    XML = "xml"
    JSON = "json"
    EXCEL = "excel"
    ARCHIVE = "archive"
    PARQUET = "parquet"
    BINARY = "binary"
    TEXT = "text"
    EMPTY = "empty"


VARIANT_FORMATS = frozenset({SourceFormat.VCF, SourceFormat.BCF})
"""Formats whose rows are variants; those of the others are just rows."""


class Compression(StrEnum):
    """How the bytes are packed. Those that Varloom unpacks come first."""

    NONE = "none"
    GZIP = "gzip"
    BGZIP = "bgzip"
    BZIP2 = "bzip2"
    XZ = "xz"
    ZSTD = "zstd"
    ZIP = "zip"
    DOUBLE_GZIP = "double gzip"


class TextEncoding(StrEnum):
    """Encodings of text; the values are Python's codec names."""

    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"


@dataclass(frozen=True, slots=True)
class Recognition:
    """What a file is.

    Attributes:
        format: the format of the decompressed content; `BINARY` where the packing hides it.
        compression: how it is packed.
        encoding: of a text, as far as its first bytes tell; text that is not UTF-8 may still be Latin-1.
        mark_bytes: length of the byte order mark at the start of the text.
        named: the format that the file's name claims, if any.
    """

    format: SourceFormat
    compression: Compression = Compression.NONE
    encoding: TextEncoding = TextEncoding.UTF_8
    mark_bytes: int = 0
    named: SourceFormat | None = None


_DECOMPRESSION_ERROR = cast("type[Exception]", igzip_lib.IsalError)
_PACKED = (
    (b"BZh", Compression.BZIP2),
    (b"\xfd7zXZ\x00", Compression.XZ),
    (b"\x28\xb5\x2f\xfd", Compression.ZSTD),
)
_SIGNATURES = (
    (b"BCF\x02", SourceFormat.BCF),
    (b"BCF\x04", SourceFormat.BCF),
    (b"BAM\x01", SourceFormat.BAM),
    (b"CRAM", SourceFormat.CRAM),
    (b"%PDF-", SourceFormat.PDF),
    (b"\x89PNG\r\n", SourceFormat.IMAGE),
    (b"\xff\xd8\xff", SourceFormat.IMAGE),
    (b"GIF8", SourceFormat.IMAGE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SourceFormat.EXCEL),
    (b"7z\xbc\xaf\x27\x1c", SourceFormat.ARCHIVE),
    (b"Rar!", SourceFormat.ARCHIVE),
    (b"PAR1", SourceFormat.PARQUET),
)
_MARKS = (
    (b"\xef\xbb\xbf", TextEncoding.UTF_8),
    (b"\xff\xfe", TextEncoding.UTF_16_LE),
    (b"\xfe\xff", TextEncoding.UTF_16_BE),
)
_VCF_START = re.compile(r"##fileformat=|#CHROM\b", re.IGNORECASE)
_VCF_LINE = re.compile(r"##\S|#CHROM\b", re.IGNORECASE)
_VCF_RECORD = re.compile(r"[^\t\n]+\t\d+\t[^\t\n]*\t[A-Za-z.*]+\t[^\t\n]+\t")
_BGZIP_FIELD = b"BC\x02\x00"
_NAMED = (
    (re.compile(r"\.g?vcf(\.b?gz)?$", re.IGNORECASE), SourceFormat.VCF),
    (re.compile(r"\.csv(\.b?gz)?$", re.IGNORECASE), SourceFormat.CSV),
    (re.compile(r"\.(tsv|tab)(\.b?gz)?$", re.IGNORECASE), SourceFormat.TSV),
    (re.compile(r"\.bcf(\.gz)?$", re.IGNORECASE), SourceFormat.BCF),
)


def recognise(path: Path, name: str) -> Recognition:
    """Say what the file at `path` is; `name` is what its owner calls it. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        stored = file.read(SAMPLE_BYTES)
    named = next((kind for pattern, kind in _NAMED if pattern.search(name)), None)
    compression = _compression_of(stored)
    match compression:
        case Compression.NONE:
            content = stored
        case Compression.GZIP | Compression.BGZIP:
            content = first_text(stored)
            if content.startswith(b"\x1f\x8b"):
                return Recognition(SourceFormat.BINARY, Compression.DOUBLE_GZIP, named=named)
        case Compression.ZIP:
            office = b"[Content_Types].xml" in stored or b"xl/" in stored
            return Recognition(SourceFormat.EXCEL if office else SourceFormat.ARCHIVE, compression, named=named)
        case _:
            return Recognition(SourceFormat.BINARY, compression, named=named)
    return _recognise_content(content, compression, named)


def first_text(stored: bytes) -> bytes:
    """The decompressed start of gzip members, up to `SAMPLE_BYTES`; what is damaged ends it early."""
    content = b""
    while stored[:2] == b"\x1f\x8b" and len(content) < SAMPLE_BYTES:
        member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
        try:
            content += member.decompress(stored, SAMPLE_BYTES - len(content))
        except _DECOMPRESSION_ERROR:
            break
        stored = member.unused_data if member.eof else b""
    return content


def _compression_of(stored: bytes) -> Compression:
    if stored[:2] == b"\x1f\x8b":
        return Compression.BGZIP if stored[12:16] == _BGZIP_FIELD else Compression.GZIP
    if stored[:4] == b"PK\x03\x04":
        return Compression.ZIP
    return next((kind for magic, kind in _PACKED if stored.startswith(magic)), Compression.NONE)


def _recognise_content(content: bytes, compression: Compression, named: SourceFormat | None) -> Recognition:
    if not content:
        return Recognition(SourceFormat.EMPTY, compression, named=named)
    for magic, kind in _SIGNATURES:
        if content.startswith(magic):
            return Recognition(kind, compression, named=named)
    encoding, mark_bytes = _encoding_of(content)
    if encoding is TextEncoding.UTF_8 and _is_binary(content):
        return Recognition(SourceFormat.BINARY, compression, named=named)
    text = content[mark_bytes:].decode(encoding, "replace")
    return Recognition(_format_of_text(text, named), compression, encoding, mark_bytes, named)


def _encoding_of(content: bytes) -> tuple[TextEncoding, int]:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return encoding, len(mark)
    start = content[:512]
    if len(start) >= 4 and len(start) % 2 == 0:
        even, odd = start[0::2], start[1::2]
        if odd.count(0) > 0.9 * len(odd) and not even.count(0):
            return TextEncoding.UTF_16_LE, 0
        if even.count(0) > 0.9 * len(even) and not odd.count(0):
            return TextEncoding.UTF_16_BE, 0
    return TextEncoding.UTF_8, 0


def _is_binary(content: bytes) -> bool:
    """Text has hardly any control characters; a stray one is a fault of a text, told with its line."""
    controls = sum(content.count(code) for code in (*range(9), *range(14, 32)))
    return controls > max(1, len(content) // 50)


def _format_of_text(text: str, named: SourceFormat | None) -> SourceFormat:
    start = text.lstrip()
    lowered = start[:256].lower()
    if lowered.startswith("##gff-version"):
        return SourceFormat.GFF
    tabular = named in {SourceFormat.CSV, SourceFormat.TSV}
    if (_VCF_START if tabular else _VCF_LINE).match(text):
        return SourceFormat.VCF
    if lowered.startswith(("<!doctype html", "<html")):
        return SourceFormat.HTML
    if lowered.startswith("<?xml"):
        return SourceFormat.XML
    if named is SourceFormat.VCF:
        return _format_of_text_named_vcf(text)
    return _format_of_other_text(start, named)


def _format_of_text_named_vcf(text: str) -> SourceFormat:
    first = text.split("\n", 1)[0]
    if text.startswith("#") or _VCF_RECORD.match(text) or "\t" in first:
        return SourceFormat.VCF
    return SourceFormat.CSV if "," in first or ";" in first else SourceFormat.TEXT


def _format_of_other_text(text: str, named: SourceFormat | None) -> SourceFormat:  # noqa: PLR0911 - a table
    lines = text.split("\n", 4)
    if re.match(r"@(HD|SQ|RG|PG)\t", text):
        return SourceFormat.SAM
    if text.startswith("@") and len(lines) > 3 and lines[2].startswith("+"):
        return SourceFormat.FASTQ
    if text.startswith(">") and len(lines) > 1 and re.fullmatch(r"[A-Za-z*-]+\s*", lines[1]):
        return SourceFormat.FASTA
    if _VCF_RECORD.match(text) and len(lines[0].split("\t")) >= 8 and named is None:
        return SourceFormat.VCF
    if named in {SourceFormat.CSV, SourceFormat.TSV}:
        return SourceFormat.TSV if "\t" in lines[0] and "," not in lines[0] else SourceFormat.CSV
    if re.match(r"[{\[]\s*[\"{\[\]}]", text):
        return SourceFormat.JSON
    return SourceFormat.TSV if "\t" in lines[0] else SourceFormat.CSV
