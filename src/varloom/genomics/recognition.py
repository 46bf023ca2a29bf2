"""What a file is, told by its first bytes and never by its name alone.

The name decides only between texts that look alike: a text without any VCF line is still read as VCF when it is
named so, because then its faults can be shown where they are.
"""

from __future__ import annotations

import io
import re
from enum import StrEnum
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from varloom.genomics.packing import DECOMPRESSION_ERRORS, PACKINGS, Compression, compression_of

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.genomics.packing import Decompressor, Packing
    from varloom.genomics.zip_archive import ZipContents, ZipEntry

__all__ = [
    "SAMPLE_BYTES",
    "VARIANT_FORMATS",
    "Compression",
    "Hurdle",
    "Recognition",
    "SourceFormat",
    "TextEncoding",
    "first_text",
    "named_format",
    "recognise",
]

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
    INDEX = "index"
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
    OFFICE = "office"
    BINARY = "binary"
    TEXT = "text"
    EMPTY = "empty"


VARIANT_FORMATS = frozenset({SourceFormat.VCF, SourceFormat.BCF})
"""Formats whose rows are variants; those of the others are just rows."""


class Hurdle(StrEnum):
    """Why a file cannot be unpacked although the kind of its packing is known."""

    ENCRYPTED = "encrypted"
    METHOD = "method"
    MANY_FILES = "many files"
    NO_FILE = "no file"
    PACKED_TWICE = "packed twice"


class TextEncoding(StrEnum):
    """Encodings of text; the values are Python's codec names."""

    UTF_8 = "utf-8"
    UTF_16_LE = "utf-16-le"
    UTF_16_BE = "utf-16-be"


class Recognition(NamedTuple):
    """What a file is.

    Attributes:
        format: the format of the decompressed content; `BINARY` where the packing hides it.
        compression: how it is packed.
        encoding: of a text, as far as its first bytes tell; text that is not UTF-8 may still be Latin-1.
        mark_bytes: length of the byte order mark at the start of the text.
        named: the format that the file's name claims, if any.
        hurdle: why it cannot be unpacked, if so.
    """

    format: SourceFormat
    compression: Compression = Compression.NONE
    encoding: TextEncoding = TextEncoding.UTF_8
    mark_bytes: int = 0
    named: SourceFormat | None = None
    hurdle: Hurdle | None = None


_SIGNATURES = (
    (b"BCF\x02", SourceFormat.BCF),
    (b"BCF\x04", SourceFormat.BCF),
    (b"BAM\x01", SourceFormat.BAM),
    (b"CRAM", SourceFormat.CRAM),
    (b"TBI\x01", SourceFormat.INDEX),
    (b"CSI\x01", SourceFormat.INDEX),
    (b"CSI\x02", SourceFormat.INDEX),
    (b"BAI\x01", SourceFormat.INDEX),
    (b"%PDF-", SourceFormat.PDF),
    (b"\x89PNG\r\n", SourceFormat.IMAGE),
    (b"\xff\xd8\xff", SourceFormat.IMAGE),
    (b"GIF8", SourceFormat.IMAGE),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", SourceFormat.EXCEL),
    (b"PAR1", SourceFormat.PARQUET),
)
_MARKS = (
    (b"\xef\xbb\xbf", TextEncoding.UTF_8),
    (b"\xff\xfe", TextEncoding.UTF_16_LE),
    (b"\xfe\xff", TextEncoding.UTF_16_BE),
)
_VCF_START = re.compile(r"##fileformat=|#CHROM\b", re.IGNORECASE)
_VCF_LINE = re.compile(r"##\S|#CHROM\b", re.IGNORECASE)
PERSONAL_EXPORT = re.compile(
    r'(?P<above>(?:(?!#[^\S\n]*"?rsid"?[\t,])#[^\n]*\n|[^\S\n]*\n)*+)(?P<mark>#[^\S\n]*)?"?rsid"?[\t,]', re.IGNORECASE
)
"""Genotypes that a company gives to its customers: comments, of which some pretend to be a VCF, and then a header row
that may be a comment as well."""
_VCF_RECORD = re.compile(r"[^\t\n]+\t\d+\t[^\t\n]*\t[A-Za-z.*]+\t[^\t\n]+\t")
_PACKED_NAME = re.compile(r"\.(b?gz|bgzf|bz2|xz|zst|zip)$", re.IGNORECASE)
_NAMED = (
    (re.compile(r"\.g?vcf$", re.IGNORECASE), SourceFormat.VCF),
    (re.compile(r"\.csv$", re.IGNORECASE), SourceFormat.CSV),
    (re.compile(r"\.(tsv|tab)$", re.IGNORECASE), SourceFormat.TSV),
    (re.compile(r"\.bcf$", re.IGNORECASE), SourceFormat.BCF),
)
_GZIPS = frozenset({Compression.GZIP, Compression.BGZIP})
_TAR_AT = 257
_OFFICE = ("[Content_Types].xml", "mimetype", "xl/", "word/", "ppt/")
"""What names of files in the archives of office programs start with."""
_MOST_STORED = 4 << 20
"""How many stored bytes are unpacked at most to see the content; a bzip2 block may need nearly one million."""


def recognise(path: Path, name: str) -> Recognition:
    """Say what the file at `path` is; `name` is what its owner calls it. Raises OSError when it cannot be read."""
    with path.open("rb") as file:
        stored = file.read(SAMPLE_BYTES)
        compression = compression_of(stored)
        named = named_format(name)
        match compression:
            case Compression.NONE:
                return _recognise_content(stored, compression, named)
            case Compression.ZIP:
                return _recognise_zip(path, named)
            case _ if compression in PACKINGS:
                return _recognise_packed(_unpacked_start(stored, file, PACKINGS[compression]), compression, named)
            case _:
                archive = compression in {Compression.SEVEN_ZIP, Compression.RAR}
                return Recognition(SourceFormat.ARCHIVE if archive else SourceFormat.BINARY, compression, named=named)


def first_text(stored: bytes) -> bytes:
    """The decompressed start of gzip members, up to `SAMPLE_BYTES`; what is damaged ends it early."""
    return _unpacked_start(stored, io.BytesIO(), PACKINGS[Compression.GZIP])


def named_format(name: str) -> SourceFormat | None:
    """The format that a name claims, whatever ends of packing follow it."""
    bare = _PACKED_NAME.sub("", _PACKED_NAME.sub("", name))
    return next((kind for pattern, kind in _NAMED if pattern.search(bare)), None)


def _unpacked_start(stored: bytes, file: BinaryIO, packing: Packing) -> bytes:
    """The start of the content, up to `SAMPLE_BYTES`; what is damaged ends it early."""
    content = b""
    while packing.start.match(stored) and len(content) < SAMPLE_BYTES:
        piece, stored = _unpacked_part(stored, file, packing.new(), SAMPLE_BYTES - len(content))
        content += piece
    return content


def _unpacked_part(stored: bytes, file: BinaryIO, part: Decompressor, most: int) -> tuple[bytes, bytes]:
    """The start of what one part holds, and the bytes behind the part if its end was met."""
    content = b""
    taken = 0
    try:
        while True:
            content += part.decompress(stored, most - len(content))
            if part.eof:
                return content, part.unused_data
            stored = b""
            if part.needs_input:
                stored = file.read(SAMPLE_BYTES)
                taken += len(stored)
            if len(content) >= most or taken > _MOST_STORED or (part.needs_input and not stored):
                break
    except DECOMPRESSION_ERRORS:
        pass
    return content, b""


def _recognise_packed(content: bytes, compression: Compression, named: SourceFormat | None) -> Recognition:
    """What the content of a packed file is; gzip within is looked into, as long as there is no further one in it."""
    inner = compression_of(content)
    if inner in _GZIPS:
        content = first_text(content)
        if compression in _GZIPS:
            compression = Compression.DOUBLE_GZIP
        inner = compression_of(content)
    if inner is not Compression.NONE:
        return Recognition(SourceFormat.BINARY, compression, named=named, hurdle=Hurdle.PACKED_TWICE)
    return _recognise_content(content, compression, named)


def _recognise_zip(path: Path, named: SourceFormat | None) -> Recognition:
    """What an archive's one file is, by the archive's list of files and by the first bytes of the file."""
    from varloom.genomics.zip_archive import TooManyFilesError, look_into  # few files are archives

    try:
        contents = look_into(path)
    except TooManyFilesError:
        return Recognition(SourceFormat.ARCHIVE, Compression.ZIP, named=named, hurdle=Hurdle.MANY_FILES)
    names = contents.names or ()
    if any(name.startswith(_OFFICE) for name in names):
        sheet = any(name.startswith("xl/") for name in names)
        return Recognition(SourceFormat.EXCEL if sheet else SourceFormat.OFFICE, Compression.ZIP, named=named)
    hurdle = _hurdle_of(contents)
    entry = contents.entry
    if hurdle is not None or entry is None:
        return Recognition(SourceFormat.ARCHIVE, Compression.ZIP, named=named, hurdle=hurdle or Hurdle.NO_FILE)
    with path.open("rb") as file:
        file.seek(contents.data_at)
        content = _zipped_start(file, entry)
    return _recognise_packed(content, Compression.ZIP, named_format(entry.name) or named)


def _hurdle_of(contents: ZipContents) -> Hurdle | None:
    if contents.names is not None and len(contents.names) != 1:
        return Hurdle.MANY_FILES if contents.names else Hurdle.NO_FILE
    if contents.entry is not None and contents.entry.encrypted:
        return Hurdle.ENCRYPTED
    return Hurdle.METHOD if contents.entry is not None and not contents.entry.can_be_read else None


def _zipped_start(file: BinaryIO, entry: ZipEntry) -> bytes:
    from varloom.genomics.zip_archive import METHODS, STORED

    if entry.method == STORED:
        return file.read(min(SAMPLE_BYTES, entry.packed_bytes))
    return _unpacked_part(file.read(SAMPLE_BYTES), file, METHODS[entry.method](), SAMPLE_BYTES)[0]


def _recognise_content(content: bytes, compression: Compression, named: SourceFormat | None) -> Recognition:
    if not content:
        return Recognition(SourceFormat.EMPTY, compression, named=named)
    if content[_TAR_AT : _TAR_AT + 5] == b"ustar":
        return Recognition(SourceFormat.ARCHIVE, compression, named=named)
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


def _format_of_text(text: str, named: SourceFormat | None) -> SourceFormat:  # noqa: PLR0911 - a table
    start = text.lstrip()
    lowered = start[:256].lower()
    if lowered.startswith("##gff-version"):
        return SourceFormat.GFF
    tabular = named in {SourceFormat.CSV, SourceFormat.TSV}
    if named is not SourceFormat.VCF and PERSONAL_EXPORT.match(start):
        return _format_of_other_text(start, named)
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
    row = _first_row(text)
    if named in {SourceFormat.CSV, SourceFormat.TSV}:
        return SourceFormat.TSV if "\t" in row and "," not in row else SourceFormat.CSV
    if re.match(r"[{\[]\s*[\"{\[\]}]", text):
        return SourceFormat.JSON
    return SourceFormat.TSV if "\t" in row else SourceFormat.CSV


def _first_row(text: str) -> str:
    """The first line that is no comment; the first of all where there is none."""
    lines = text.split("\n")
    return next((line for line in lines if line.strip() and not line.startswith("#")), lines[0])
