"""The preflight says what the reader will say, from the beginning alone, and else keeps silent."""

from __future__ import annotations

import contextlib
import gzip
import lzma
import random
import time
import zipfile
from typing import TYPE_CHECKING

import pysam
import pytest

from varloom.genomics.assemblies import LENGTHS, MD5, guess_assembly
from varloom.reader import preflight as module
from varloom.reader.checking import check_file
from varloom.reader.preflight import Verdict, preflight
from varloom.services.preflights import assembly_warning

if TYPE_CHECKING:
    from pathlib import Path

META = "".join(f"##contig=<ID=chr{name},length={both[1]}>\n" for name, both in LENGTHS.items())
CHROM = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tmother\tchild\n"
HEADER = f'##fileformat=VCFv4.2\n##FORMAT=<ID=GT,Number=1,Type=String,Description="GT">\n{META}{CHROM}'
NOISE = random.Random(1)
RECORDS = "".join(
    f"chr1\t{number}\trs{NOISE.getrandbits(64)}\tA\tC\t50\tPASS\t.\tGT\t0/1\t1/1\n" for number in range(1, 40_000)
)
WAYS = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "xz": lzma.compress,
}


def beginning(folder: Path, content: bytes, size: int, name: str = "a.vcf") -> Path:
    path = folder / name
    path.write_bytes(content[:size])
    return path


def bgzip(folder: Path, text: str) -> bytes:
    path = folder / "packed.gz"
    with pysam.BGZFile(str(path), "wb") as file:
        file.write(text.encode())
    return path.read_bytes()


def told(path: Path, *, whole: bool = False, name: str | None = None):
    found = preflight(path, name or path.name, whole=whole)
    assert found is not None
    return found


@pytest.mark.parametrize("packing", [*WAYS, "bgzip"])
def test_the_beginning_of_a_vcf_tells_format_samples_and_assembly(tmp_path: Path, packing: str) -> None:
    content = bgzip(tmp_path, HEADER + RECORDS) if packing == "bgzip" else WAYS[packing]((HEADER + RECORDS).encode())
    path = beginning(tmp_path, content, max(66_000, len(content) * 2 // 3))
    found, refused = told(path)
    assert refused is None
    assert (found.verdict, found.format, found.compression) == (Verdict.SOUND, "vcf", packing.replace("plain", "none"))
    assert (found.samples, found.names) == (2, ("mother", "child"))
    assert found.assembly is not None
    assert (found.assembly.assembly, found.assembly.evidence) == ("GRCh38", "the lengths of 24 chromosomes")
    assert found.problems == ()


def test_a_broken_header_is_refused_with_the_words_of_the_reader(tmp_path: Path) -> None:
    broken = {
        "no version": HEADER.partition("\n")[2],
        "a column is missing": HEADER.replace("\tFILTER", ""),
        "no #CHROM line": HEADER.replace(CHROM, ""),
        "a sample twice": HEADER.replace("child", "mother"),
        "another version": HEADER.replace("VCFv4.2", "VCFv3.3"),
    }
    for case, header in broken.items():
        content = gzip.compress((header + RECORDS).encode(), compresslevel=1)
        found, refused = told(beginning(tmp_path, content, 70_000, "a.vcf.gz"))
        assert found.verdict is Verdict.REFUSED, case
        assert refused is not None
        whole = tmp_path / "whole.vcf.gz"
        whole.write_bytes(content)
        assert found.problems[0] == check_file(whole).problems[0], case


def test_a_header_that_has_not_come_whole_says_nothing(tmp_path: Path) -> None:
    long = HEADER.replace(CHROM, "".join(f"##note={number:0100}\n" for number in range(5000)) + CHROM) + RECORDS
    for content in (long.encode(), bgzip(tmp_path, long)):
        at = 0
        results = []
        while at < len(content):
            at = min(len(content), max(2 * at, 20_000))
            results.append(preflight(beginning(tmp_path, content, at), "a.vcf", whole=False))
        verdicts = [result[0].verdict if result else None for result in results]
        assert verdicts[0] is None
        assert set(verdicts) == {None, Verdict.SOUND}
        assert verdicts == sorted(verdicts, key=lambda verdict: verdict is not None)


@pytest.mark.parametrize("case", ["blank lines", "samples", "meta lines"])
def test_what_unpacks_without_end_is_left_to_the_reader(tmp_path: Path, case: str) -> None:
    filling = {"blank lines": "\n", "samples": "\tSAMPLE", "meta lines": f"##note={'A' * 1000}\n"}[case]
    before = "" if case == "blank lines" else "##fileformat=VCFv4.2\n" + ("#CHROM" if case == "samples" else "")
    path = tmp_path / ("a.csv.gz" if case == "blank lines" else "a.vcf.gz")
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(before.encode())
        for _ in range(120):
            file.write((filling * ((1 << 20) // len(filling))).encode())
    with path.open("ab") as file:
        file.write(bytes(70_000))  # what has come of the rest
    begun = time.process_time()
    with gzip.open(path) as file, contextlib.suppress(gzip.BadGzipFile):
        while file.read(1 << 20):
            pass
    reading = time.process_time() - begun
    found, refused = told(path)
    assert (found.verdict, refused) == (Verdict.UNKNOWN, None)
    looking = time.process_time() - begun - reading
    assert looking < 30 * reading, "without an end, the look takes hundreds of times as long as unpacking"


def test_names_are_told_in_short(tmp_path: Path) -> None:
    content = b"a," + b"b" * 1_000_000 + b",c\x1b[31m\n" + b"1,2,3\n" * 20_000
    found, _ = told(beginning(tmp_path, content, len(content), "a.csv"))
    assert found.names == ("a", "b" * 200 + "\u2026", "c\ufffd[31m")


def test_what_is_no_table_is_refused_at_once_and_a_zip_archive_is_left_to_the_reader(tmp_path: Path) -> None:
    found, refused = told(beginning(tmp_path, b"%PDF-1.7\n" + b"x" * 90_000, 70_000, "a.vcf"))
    assert (found.verdict, refused.code) == (Verdict.REFUSED, "format_not_supported")
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.vcf", HEADER + RECORDS)
    found, refused = told(path)
    assert (found.verdict, found.compression, refused) == (Verdict.UNKNOWN, "zip", None)
    assert told(path, whole=True)[0].samples == 2


def test_a_bcf_is_known_by_the_header_within(tmp_path: Path) -> None:
    plain = tmp_path / "plain.vcf"
    plain.write_text(HEADER + RECORDS)
    with (
        pysam.VariantFile(str(plain)) as source,
        pysam.VariantFile(str(tmp_path / "a.bcf"), "wb", header=source.header) as target,
    ):
        for record in source:
            target.write(record)
    content = (tmp_path / "a.bcf").read_bytes()
    found, refused = told(beginning(tmp_path, content, len(content) - 1000, "b.bcf"))
    assert (found.verdict, found.format, found.samples, refused) == (Verdict.SOUND, "bcf", 2, None)
    assert found.assembly is not None
    assert found.assembly.assembly == "GRCh38"


def test_the_columns_of_a_table(tmp_path: Path) -> None:
    rows = "".join(f"{number};x;y\n" for number in range(20_000))
    found, _ = told(beginning(tmp_path, ("id;gene;ü\n" + rows).encode("latin-1"), 70_000, "a.csv"))
    assert (found.verdict, found.columns, found.names) == (Verdict.SOUND, 3, ("id", "gene", "ü"))
    found, refused = told(beginning(tmp_path, b"1,2,3\n" * 20_000, 70_000, "a.csv"))
    assert (found.verdict, refused.code) == (Verdict.REFUSED, "csv_header_missing")
    years = "name," + ",".join(str(year) for year in range(2000, 2010)) + "\n"
    found, _ = told(beginning(tmp_path, (years + "x,1,2,3,4,5,6,7,8,9,0\n" * 9000).encode(), 70_000, "a.csv"))
    assert found.columns == 11


CONTIGS = {
    "hg19 by lengths": ({"chr1": 249250621, "chr2": 243199373, "chrM": 16571}, "", "GRCh37"),
    "38 without prefix": ({"1": 248956422, "MT": 16569}, "", "GRCh38"),
    "a mouse": ({"chr1": 195471971}, "", None),
    "mixed": ({"chr1": 249250621, "chr2": 242193529}, "", None),
    "words of the reference": ({"chr1": None}, "##reference=file:///seq/human_g1k_v37.fasta\n", "GRCh37"),
    "the demonstration": ({"demo1": 300_000, "demo2": 150_000}, "", "GRCh38"),
    "words of a contig": ({}, "##contig=<ID=1,assembly=b38,species=x>\n", "GRCh38"),
    "checksums": ({"1": None}, "##contig=<ID=1,md5=1B22B98CDEB4A9304CB5D48026A85128>\n##reference=hg38\n", "GRCh37"),
    "quoted": ({"x": None}, '##contig=<ID=x,md5="6aef897c3d6ff0c78aff06ac189178dd",length=>\n', "GRCh38"),
    "T2T with Y of 38": ({"chr1": 248387497, "chr22": 51324926, "chrY": 57227415}, "##reference=GRCh38\n", None),
    "T2T by name": ({}, "##reference=file:///ref/chm13v2.0.fa\n", None),
    "hg18": ({}, "##contig=<ID=1,assembly=NCBI36>\n", None),
}


@pytest.mark.parametrize("case", CONTIGS)
def test_the_assembly_is_told_by_lengths_before_words(case: str) -> None:
    contigs, header, expected = CONTIGS[case]
    found = guess_assembly(contigs, header)
    assert found is not None
    assert found.assembly == expected


def test_only_whole_contigs_of_the_demonstration_are_taken_for_it() -> None:
    found = {case: guess_assembly(contigs, header) for case, (contigs, header, _) in CONTIGS.items()}
    assert [case for case, guess in found.items() if guess is not None and guess.is_demo] == ["the demonstration"]
    for contigs in ({"demo1": None}, {"demo1": 300_001}, {"demo1": 300_000, "chr1": None}, {"chr1": None}, {}):
        guess = guess_assembly(contigs, "##reference=GRCh38")
        assert guess is not None
        assert not guess.is_demo


def test_pgx_and_a_header_of_another_assembly_are_told_together() -> None:
    def found(assembly: str | None, evidence: str | None = "the lengths of 1 chromosome") -> dict[str, str | None]:
        return {"assembly": assembly, "assembly_evidence": evidence}

    assert "the file is GRCh37: the job will be refused" in str(assembly_warning(found("GRCh37"), None, pgx=True))
    assert "the header tells the lengths" in str(assembly_warning(found(None), "GRCh38", pgx=True))
    assert assembly_warning(found("GRCh38"), None, pgx=True) is None
    assert assembly_warning(found("GRCh37"), None) is None
    assert assembly_warning(found(None, None), "GRCh38", pgx=True) is None
    assert "GRCh37 was chosen" in str(assembly_warning(found("GRCh38"), "GRCh37", pgx=True))


def test_nothing_is_guessed_from_nothing() -> None:
    assert guess_assembly({}, "") is None
    assert guess_assembly({"scaffold_1": 1000}, "##reference=GRCh37 lifted from hg38\n") is None
    assert guess_assembly({}, f"##contig=<ID=1,md5={'0' * 32}>\n##contig=<ID=2,md5=>\n") is None
    both = "".join(f"##contig=<ID={number},md5={md5}>\n" for number, md5 in enumerate(MD5))
    assert guess_assembly({}, both) is None, "checksums of both say nothing"


def test_no_file_of_the_corpus_is_refused_that_the_reader_loads(shared: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each VCF that is refused is refused with the same first problem, whether more is to come or not."""
    monkeypatch.setattr(module, "LEAST_BYTES", 1)
    refusals = 0
    for path in sorted((shared / "corpus").rglob("*")):
        if not path.is_file() or path.stat().st_size == 0:
            continue
        for whole in (True, False):
            found = preflight(path, path.name, whole=whole)
            if found is None or found[1] is None:
                continue
            refusals += 1
            result = check_file(path)
            assert not result.ok, path
            if found[0].format == "vcf":
                assert result.problems[0] == found[0].problems[0], path
    assert refusals > 20
