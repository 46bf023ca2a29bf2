"""The door: a path becomes a reader for what the file really is, or a refusal that says why not."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from varloom.errors import Place
from varloom.genomics.recognition import Compression, Hurdle, Recognition, SourceFormat, TextEncoding, recognise
from varloom.reader.decompression import ByteStream, DamagedStreamError
from varloom.reader.model import ReadOptions, ReadProgress, TableReader
from varloom.reader.problems import (
    COMPRESSION_NOT_SUPPORTED,
    ENCODING_NOT_SUPPORTED,
    FILE_EMPTY,
    FILE_UNREADABLE,
    FORMAT_MISMATCH,
    FORMAT_NOT_SUPPORTED,
    FORMAT_UNKNOWN,
    FileRefused,
    refusal,
)
from varloom.reader.stored_file import StoredFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_DEFAULTS = ReadOptions()
_TABLES = frozenset({SourceFormat.CSV, SourceFormat.TSV})
_UNPACK = {
    Compression.SEVEN_ZIP: "7z x",
    Compression.RAR: "unrar x",
    Compression.LZ4: "unlz4",
    Compression.SNAPPY: "snzip -d",
    Compression.COMPRESS: "uncompress",
    Compression.LZIP: "lzip -d",
}
"""What unpacks the packings that Varloom does not."""
_HURDLES = {
    Hurdle.ENCRYPTED: (
        "The file in the zip archive is encrypted, and Varloom has no password.",
        "Unpack it with `unzip`, which asks for the password, and upload the file that was in it.",
    ),
    Hurdle.METHOD: (
        "The file in the zip archive is packed by a method that Varloom does not unpack.",
        "Unpack it with `unzip` or `7z x`, and upload the file that was in it.",
    ),
    Hurdle.MANY_FILES: (
        "The zip archive holds more than one file, and each upload becomes one table.",
        "Unpack it with `unzip`, and upload the files one by one, as they are or packed with gzip.",
    ),
    Hurdle.NO_FILE: (
        "The zip archive holds no file.",
        "Pack the file again and check that the archive is not empty, for example with `unzip -l`.",
    ),
    Hurdle.PACKED_TWICE: (
        "The file is packed in several ways, one within the other, of which Varloom unpacks two if the inner is gzip.",
        "Unpack it until the text itself is left, and upload that or pack it with bgzip.",
    ),
}
_WORDS = {
    SourceFormat.BAM: "BAM (aligned reads)",
    SourceFormat.CRAM: "CRAM (aligned reads)",
    SourceFormat.INDEX: "an index of another file, as `tabix` or `bcftools index` make it",
    SourceFormat.SAM: "SAM (aligned reads)",
    SourceFormat.FASTQ: "FASTQ (reads)",
    SourceFormat.FASTA: "FASTA (sequences)",
    SourceFormat.GFF: "GFF (gene models)",
    SourceFormat.PDF: "a PDF document",
    SourceFormat.IMAGE: "an image",
    SourceFormat.HTML: "a web page, often a login or error page saved in place of the file",
    SourceFormat.XML: "an XML document, often an error message saved in place of the file",
    SourceFormat.JSON: "JSON",
    SourceFormat.EXCEL: "an Excel workbook",
    SourceFormat.OFFICE: "a document of an office program",
    SourceFormat.ARCHIVE: "an archive",
    SourceFormat.PARQUET: "Parquet",
}
_RESOLUTIONS = {
    SourceFormat.INDEX: ("Upload the file that the index belongs to, without the index: Varloom needs none.",),
    SourceFormat.EXCEL: ("In the spreadsheet program, save the sheet as CSV (UTF-8), and upload that.",),
    SourceFormat.OFFICE: ("In the office program, save the table as CSV (UTF-8), and upload that.",),
    SourceFormat.ARCHIVE: ("Unpack it, for example with `tar -xf`, and upload the files one by one.",),
    SourceFormat.HTML: ("Open the file in a text editor: it may say why the download failed. Download it again.",),
    SourceFormat.XML: ("Open the file in a text editor: it may say why the download failed. Download it again.",),
}


def open_reader(
    path: Path,
    *,
    name: str | None = None,
    options: ReadOptions = _DEFAULTS,
    on_progress: Callable[[ReadProgress], None] | None = None,
) -> TableReader:
    """A reader for the file at `path`, its header already checked.

    Args:
        path: the file, compressed or not.
        name: what its owner calls it; the path's own name if None.
        options: limits; see ReadOptions.
        on_progress: called from within `batches`, about four times a second.

    Raises:
        FileRefused: the file cannot become a table; it names code, place and resolution.
    """
    recognition = recognise_file(path, path.name if name is None else name)
    try:
        _refuse_damaged_start(path, recognition)
        refuse_unreadable(recognition)
        return _reader(path, recognition, options, on_progress)
    except OSError as error:
        raise unreadable(error) from error


def _reader(
    path: Path, recognition: Recognition, options: ReadOptions, on_progress: Callable[[ReadProgress], None] | None
) -> TableReader:
    """The reader for a format; each is imported when it is needed, so that small files are read at once."""
    if recognition.format is SourceFormat.BCF:
        from varloom.reader.bcf import BcfReader

        return BcfReader(path, recognition, options, on_progress)
    if recognition.format is SourceFormat.VCF:
        from varloom.reader.vcf.reader import VcfReader

        return VcfReader(StoredFile(path, on_progress=on_progress), recognition, options)
    from varloom.reader.delimited.reader import DelimitedReader

    return DelimitedReader(StoredFile(path, passes=2, on_progress=on_progress), recognition, options)


def recognise_file(path: Path, name: str) -> Recognition:
    """What the file at `path` is; `name` is what its owner calls it.

    Raises:
        FileRefused: it cannot be read, or is a pipe or a device: files are read more than once, and a pipe has lost
            its beginning by then.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            message = "The path leads to a pipe or a device, which cannot be read from its start twice."
            raise refusal(FILE_UNREADABLE, message, resolution=("Write the data to a file, and give the file.",))
        return recognise(path, name)
    except OSError as error:
        raise unreadable(error) from error


def unreadable(error: OSError) -> FileRefused:
    """The refusal for a file that the system does not let us read."""
    return refusal(FILE_UNREADABLE, f"The file cannot be read: {error.strerror or 'unknown reason'}.")


def refuse_unreadable(found: Recognition) -> None:
    """Raise FileRefused unless a reader for this kind of file exists."""
    _refuse_packing(found)
    match found.format:
        case SourceFormat.EMPTY:
            raise refusal(FILE_EMPTY, "The file is empty.", Place(line=1))
        case SourceFormat.VCF if found.encoding is not TextEncoding.UTF_8:
            raise refusal(ENCODING_NOT_SUPPORTED, "The VCF is written in UTF-16; VCF must be UTF-8.", Place(line=1))
        case SourceFormat.CSV | SourceFormat.TSV if found.named is SourceFormat.VCF:
            raise refusal(
                FORMAT_MISMATCH,
                f"The file is named as a VCF, but its content looks like {found.format.upper()}.",
                Place(line=1),
            )
        case SourceFormat.VCF | SourceFormat.BCF | SourceFormat.CSV | SourceFormat.TSV:
            return
        case SourceFormat.TEXT | SourceFormat.BINARY:
            kind = "binary data of no known kind" if found.format is SourceFormat.BINARY else "text without columns"
            claimed = f", although it is named as {found.named.upper()}" if found.named else ""
            raise refusal(FORMAT_UNKNOWN, f"The file holds {kind}{claimed}.", Place(line=1))
        case _:
            raise refusal(
                FORMAT_NOT_SUPPORTED,
                f"The file is {_WORDS[found.format]}.",
                Place(line=1),
                _RESOLUTIONS.get(found.format, ()),
            )


def _refuse_packing(found: Recognition) -> None:
    if found.hurdle is not None:
        message, resolution = _HURDLES[found.hurdle]
        raise refusal(COMPRESSION_NOT_SUPPORTED, message, resolution=(resolution,))
    if command := _UNPACK.get(found.compression):
        raise refusal(
            COMPRESSION_NOT_SUPPORTED,
            f"The file is packed with {found.compression}, which Varloom does not unpack.",
            resolution=(f"Unpack it with `{command}`, and upload the result or pack it with bgzip.",),
        )


def _refuse_damaged_start(path: Path, found: Recognition) -> None:
    """Tell a file of which nothing can be unpacked from one in which nothing was packed."""
    if found.format is not SourceFormat.EMPTY or found.compression is Compression.NONE:
        return
    try:
        next(ByteStream(StoredFile(path).chunks(), found.compression).pieces(), None)
    except DamagedStreamError as damage:
        message = f"{damage.message} Not even the first line could be read whole."
        raise refusal(damage.kind, message, Place(line=1)) from damage
