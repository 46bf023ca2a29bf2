"""The alignment as CRAM: the same reads, half the bytes, and never a reference from elsewhere."""

import os
from dataclasses import replace

import pysam
import pytest
from tests.processing.conftest import rows
from tests.reads import FOLDER, GENOME, known_snps
from tests.shared_data import needs

from varloom.processing.cpu.engine import CpuEngine
from varloom.processing.cram import with_checksums
from varloom.processing.model import AlignmentFormat, Analysis, Caller, Place, Reads, ReadsFile, Reference

pytestmark = needs(GENOME)

BAM = FOLDER / "NA12878.chr22.tiny.bam"


@pytest.fixture
def bench(tmp_path):
    fasta = tmp_path / "genome.fa"
    fasta.write_bytes(GENOME.read_bytes())
    pysam.faidx(str(fasta))
    return tmp_path, Reference(fasta, tmp_path / "indexes", "GRCh38", "na12878 1")


def run(bench, reads, kept_as=AlignmentFormat.CRAM, name="run"):
    folder, reference = bench
    base = folder / name
    (base / "output").mkdir(parents=True, exist_ok=True)
    analysis = Analysis(
        Reads(alignment=ReadsFile(reads, reads.name)), reference, "NA1", Caller.BCFTOOLS, None, 2, kept_as
    )
    place = Place(base / "steps", base / "work", base / "output")
    return CpuEngine().run(analysis, place, lambda *_: None)


def reads_of(path, fasta):
    """Every read with all of its fields, the tags in the order of their names."""
    with pysam.AlignmentFile(str(path), reference_filename=str(fasta), check_sq=False) as alignment:
        for read in alignment.fetch(until_eof=True):
            fields = read.to_string().split("\t")
            yield fields[:11] + sorted(fields[11:])


def changed(bench, change):
    path = bench[0] / "given.bam"
    with pysam.AlignmentFile(str(BAM)) as given, pysam.AlignmentFile(str(path), "wb", header=given.header) as made:
        for number, read in enumerate(given.fetch(until_eof=True)):
            change(number, read)
            made.write(read)
    return path


def odd(number, read):
    """What reads may carry: tags of every kind, no qualities, wrong MD and NM, mates elsewhere, all flags."""
    if number % 2 == 0:
        read.set_tag("XB", [1, 2, 3])
        read.set_tag("XF", 1.25)
        read.set_tag("XA", "c", "A")
        read.set_tag("YS", 3, "s")
    if number % 3 == 0 and read.has_tag("MD"):
        read.set_tag("MD", "5A")
        read.set_tag("NM", 77)
    if number % 5 == 0:
        read.query_qualities = None
    if number % 7 == 0:
        read.template_length = 12345
    if number % 13 == 0:
        read.query_name = f"other{number}"
    if number % 17 == 0:
        read.is_qcfail = True
    if read.is_secondary or read.is_supplementary:
        read.query_sequence = None


@pytest.mark.parametrize("change", [lambda *_: None, odd], ids=["real", "odd"])
def test_a_cram_gives_every_read_back_as_it_is(bench, monkeypatch, change):
    monkeypatch.setenv("REF_PATH", "http://127.0.0.1:9/%s")
    given = changed(bench, change)
    bam = run(bench, given, AlignmentFormat.BAM, "bam")
    cram = run(bench, given)
    assert cram.warnings == bam.warnings == ()
    assert cram.alignment.name == "alignment.cram"
    assert {path.name for path in cram.alignment.parent.iterdir()} == {
        *("alignment.cram", "alignment.cram.crai", "variants.vcf.gz", "variants.vcf.gz.tbi")
    }
    assert cram.alignment.read_bytes()[:6] == b"CRAM\x03\x00"
    fasta = bench[1].fasta
    before, after = list(reads_of(bam.alignment, fasta)), list(reads_of(cram.alignment, fasta))
    assert len(before) == 3333
    assert before == after
    assert rows(bam.variants) == rows(cram.variants)
    assert bam.quality == cram.quality
    assert cram.alignment.stat().st_size < 0.7 * bam.alignment.stat().st_size
    with pysam.AlignmentFile(str(cram.alignment), reference_filename=str(fasta)) as alignment:
        [contig] = alignment.header.to_dict()["SQ"]
        assert contig == {"SN": "q", "LN": 12356, "M5": "ee5a2decc990ba0220728d924ddd4dba"}
        assert "na12878 1 (GRCh38)" in alignment.header.to_dict()["CO"][-1]
        assert str(bench[0]) not in str(alignment.header)
        assert sum(1 for _ in alignment.fetch("q", 5000, 5100)) > 0


def test_what_a_cram_cannot_keep_stays_a_bam_which_is_told(bench):
    def equals(number, read):
        if number == 40:
            read.cigarstring = read.cigarstring.replace("M", "=")

    given = changed(bench, equals)
    made = run(bench, given)
    assert made.alignment.name == "alignment.bam"
    assert [one["code"] for one in made.warnings] == ["alignment_kept_as_bam"]
    assert sum("=" in fields[5] for fields in reads_of(made.alignment, bench[1].fasta)) == 1


def test_reads_without_md_and_nm_get_them_when_they_are_read(bench):
    def bare(_, read):
        read.set_tag("MD", None)
        read.set_tag("NM", None)

    made = run(bench, changed(bench, bare))
    assert made.alignment.name == "alignment.cram"
    with pysam.AlignmentFile(str(made.alignment), reference_filename=str(bench[1].fasta)) as alignment:
        assert all(read.has_tag("MD") and read.has_tag("NM") for read in alignment if not read.is_unmapped)


def test_cram_becomes_cram_and_needs_its_own_reference(bench, tmp_path):
    first = run(bench, BAM)
    uploaded = first.alignment.rename(tmp_path / "uploaded.cram")
    again = run(bench, uploaded, name="again")
    fasta = bench[1].fasta
    assert list(reads_of(again.alignment, fasta)) == list(reads_of(uploaded, fasta))
    called = {(pos, ref, alt) for _, pos, ref, alts, _ in rows(again.variants) for alt in alts.split(",")}
    assert known_snps() <= called

    other = tmp_path / "other.fa"
    text = fasta.read_text()
    other.write_text(text.replace("A", "C", 3000))
    pysam.faidx(str(other))
    with pytest.raises(Exception, match="differ from those in na12878 1"):
        run((bench[0], replace(bench[1], fasta=other)), uploaded, name="other")


def test_a_checkpoint_serves_both_formats(bench):
    run(bench, BAM, AlignmentFormat.BAM)
    marked = bench[0] / "run" / "steps" / "marked.json"
    written = marked.stat().st_mtime_ns
    assert run(bench, BAM).alignment.name == "alignment.cram"
    assert marked.stat().st_mtime_ns == written


def test_headers_lose_what_tells_places_of_machines():
    header = "@HD\tVN:1.6\n@SQ\tSN:q\tLN:9\tUR:file:/home/somebody/q.fa\tM5:0\tAS:x\n@RG\tID:a\n"
    made = with_checksums(header, {"q": "f" * 32}, "g 1 (GRCh38)")
    assert made.startswith("@HD\tVN:1.6\n@SQ\tSN:q\tLN:9\tAS:x\tM5:" + "f" * 32 + "\n@RG\tID:a\n@CO\tAligned to g 1")
    assert os.linesep not in made.splitlines()
