"""What a file is, by its bytes; a name never makes a file what it is not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import zipfile

import pytest

from varloom.genomics.recognition import Compression, SourceFormat, TextEncoding, recognise
from varloom.reader import FileRefused, check_file, open_reader

VCF = b"##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n1\t5\t.\tA\tC\t.\t.\t.\n"
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def bgzip_block(data):
    """One bgzip block, as the SAM specification, section 4.1, lays it out."""
    body = gzip.compress(data, mtime=0)
    size = len(body) + 8
    return body[:3] + b"\x04" + body[4:10] + b"\x06\x00BC\x02\x00" + (size - 1).to_bytes(2, "little") + body[10:]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.vcf", VCF, SourceFormat.VCF),
        ("a.csv", VCF, SourceFormat.VCF),
        ("upload", VCF, SourceFormat.VCF),
        ("a.vcf", VCF.split(b"\n", 1)[1], SourceFormat.VCF),
        ("a.csv", b"a,b\n1,x\n", SourceFormat.CSV),
        ("a.txt", b"a\tb\n1\tx\n", SourceFormat.TSV),
        ("a.vcf", b"a,b\n1,x\n", SourceFormat.CSV),
        ("a.txt", b"# From a company, made today\n# rsid\tchromosome\tposition\nrs1\t1\t5\n", SourceFormat.TSV),
        ("a.txt", b"#Company, export\r\n#\r\nrsid\tchromosome\tposition\r\nrs1\t1\t5\r\n", SourceFormat.TSV),
        ("a.csv", b"##fileformat=Company\n##x=1\nRSID,CHROMOSOME\nrs1,1\n", SourceFormat.CSV),
        ("a.tsv", b"# a, b\nx\ty\n1\t2\n", SourceFormat.TSV),
        ("a.txt", b"# a\tb\n", SourceFormat.TSV),
        ("a.vcf", b"", SourceFormat.EMPTY),
        ("a.vcf", b"%PDF-1.7\n...", SourceFormat.PDF),
        ("a.vcf", b"\x89PNG\r\n\x1a\n\0\0", SourceFormat.IMAGE),
        ("a.vcf", b"<!DOCTYPE html><html>", SourceFormat.HTML),
        ("a.vcf", b'<?xml version="1.0"?><Error/>', SourceFormat.XML),
        ("a.vcf", bytes(range(256)) * 8, SourceFormat.BINARY),
        ("a.bam", b"BAM\x01....", SourceFormat.BAM),
        ("a.cram", b"CRAM\x03\x00", SourceFormat.CRAM),
        ("a.bcf", b"BCF\x02\x02....", SourceFormat.BCF),
        ("a.fastq", b"@r1\nACGT\n+\nIIII\n", SourceFormat.FASTQ),
        ("a.fa", b">chr1\nACGT\n", SourceFormat.FASTA),
        ("a.sam", b"@HD\tVN:1.6\n", SourceFormat.SAM),
        ("a.gff3", b"##gff-version 3\n", SourceFormat.GFF),
        ("a.json", b'{"a": 1}', SourceFormat.JSON),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_content_decides(tmp_path, name, content, expected, packed):
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(content) if packed else content)
    found = recognise(path, name)
    assert found.format is expected
    assert found.compression is (Compression.GZIP if packed else Compression.NONE)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (bgzip_block(VCF) + BGZIP_END, Compression.BGZIP),
        (bz2.compress(VCF), Compression.BZIP2),
        (lzma.compress(VCF), Compression.XZ),
        (b"\x28\xb5\x2f\xfd\x00\x00", Compression.ZSTD),
        (gzip.compress(gzip.compress(VCF)), Compression.DOUBLE_GZIP),
    ],
)
def test_compression_is_recognised(tmp_path, content, expected):
    path = tmp_path / "a.vcf.gz"
    path.write_bytes(content)
    assert recognise(path, path.name).compression is expected


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_vcf_in_utf16_is_refused_with_the_way_out(tmp_path, encoding):
    path = tmp_path / "a.vcf"
    path.write_bytes(VCF.decode().encode(encoding))
    assert recognise(path, path.name).encoding is not TextEncoding.UTF_8
    with pytest.raises(FileRefused) as refused:
        open_reader(path)
    assert refused.value.code == "encoding_not_supported"
    assert "iconv" in refused.value.as_dict()["resolution"][0]


def zipped(*members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(member, "" if member.endswith("/") else VCF)
    return packed.getvalue()


def tarred():
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("a.vcf"))
    return packed.getvalue()


def encrypted(archive):
    """The archive, its file marked as encrypted before the data and in the list."""
    changed = bytearray(archive)
    changed[6] |= 1
    changed[archive.index(b"PK\x01\x02") + 8] |= 1
    return bytes(changed)


def other_method(archive):
    """The archive, its file marked as packed with Deflate64, as Windows does with large files."""
    changed = bytearray(archive)
    changed[8] = changed[archive.index(b"PK\x01\x02") + 10] = 9
    return bytes(changed)


@pytest.mark.parametrize(
    ("make", "code", "word"),
    [
        (lambda _: b"", "file_empty", "empty"),
        (lambda _: gzip.compress(b""), "file_empty", "empty"),
        (lambda _: bytes(range(256)) * 4, "format_unknown", "named as VCF"),
        (lambda _: b"\x89PNG\r\n\x1a\n", "format_not_supported", "image"),
        (lambda _: gzip.compress(b"TBI\x01" + bytes(40)), "format_not_supported", "index"),
        (lambda _: gzip.compress(b"CSI\x01" + bytes(40)), "format_not_supported", "index"),
        (lambda _: b"BAI\x01" + bytes(40), "format_not_supported", "index"),
        (lambda _: b"BCF\x02\x01\0\0\0\0", "format_not_supported", "BCF of version 2.1"),
        (lambda _: b"BCF\x04\0\0\0\0\0", "format_not_supported", "BCF of version 1"),
        (lambda _: b"7z\xbc\xaf\x27\x1c\0\x04", "compression_not_supported", "7z"),
        (lambda _: b"Rar!\x1a\x07\x01\0", "compression_not_supported", "rar"),
        (lambda _: b"\x04\x22\x4d\x18\x64\x40", "compression_not_supported", "lz4"),
        (lambda _: b"\xff\x06\0\0sNaPpY", "compression_not_supported", "snappy"),
        (lambda _: b"\x1f\x9d\x90##", "compression_not_supported", "compress"),
        (lambda _: b"LZIP\x01\x0c", "compression_not_supported", "lzip"),
        (lambda _: gzip.compress(gzip.compress(gzip.compress(VCF))), "compression_not_supported", "several ways"),
        (lambda _: gzip.compress(bz2.compress(VCF)), "compression_not_supported", "several ways"),
        (lambda _: zipped("a.vcf", "b.vcf"), "compression_not_supported", "more than one file"),
        (lambda _: zipped(), "compression_not_supported", "no file"),
        (lambda _: zipped("folder/"), "compression_not_supported", "no file"),
        (lambda _: encrypted(zipped("a.vcf")), "compression_not_supported", "encrypted"),
        (lambda _: other_method(zipped("a.vcf")), "compression_not_supported", "method"),
        (lambda _: zipped("xl/workbook.xml"), "format_not_supported", "Excel"),
        (lambda _: zipped("[Content_Types].xml", "word/document.xml"), "format_not_supported", "office"),
        (lambda _: gzip.compress(tarred()), "format_not_supported", "archive"),
        (lambda _: b"a,b\n1,x\n", "format_mismatch", "CSV"),
    ],
)
def test_what_cannot_be_read_is_refused_in_plain_words(tmp_path, make, code, word):
    path = tmp_path / "a.vcf"
    path.write_bytes(make(tmp_path))
    with pytest.raises(FileRefused) as refused:
        open_reader(path)
    assert refused.value.code == code
    assert word in refused.value.message
    assert refused.value.problems[0].as_dict()["resolution"]


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileRefused) as refused:
        open_reader(tmp_path / "absent.vcf")
    assert refused.value.code == "file_unreadable"
    assert str(tmp_path) not in refused.value.message


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path):
    pipe = tmp_path / "a.csv"
    os.mkfifo(pipe)
    with pytest.raises(FileRefused) as refused:
        open_reader(pipe)
    assert refused.value.code == "file_unreadable"
    assert "pipe" in refused.value.message
    result = check_file(pipe)
    assert (result.ok, [problem.kind.code for problem in result.problems]) == (False, ["file_unreadable"])
