"""The CPU engine with its real programs, on real reads with a known truth, and on simulated ones."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pysam
import pytest
from tests.processing.conftest import analyse, rows
from tests.shared_data import SHARED, needs
from tests.support import simulated_reads as simulated

from varloom.errors import VarloomError
from varloom.processing.alignment_file import inspect
from varloom.processing.checkpoints import Checkpoints
from varloom.processing.cpu.aligner import LaneTask, batches
from varloom.processing.model import ReadsFile, Reference
from varloom.processing.quality.summary import variant_quality

READS = SHARED / "data" / "reads"
STEPS = ["checked", "aligned", "sorted", "marked", "quality", "called", "joined", "genotyped"]


@needs(READS)
def test_all_known_variants_of_na12878_are_found(tmp_path):
    fasta = tmp_path / "q.fa"
    fasta.write_bytes((READS / "q.fa").read_bytes())
    pysam.samtools.faidx(str(fasta))
    made = analyse([READS / "NA12878_R1.fastq.gz", READS / "NA12878_R2.fastq.gz"], fasta, tmp_path, sample="NA12878")
    truth = {
        (int(columns[1]), columns[3], columns[4])
        for columns in (line.split("\t") for line in (READS / "NA12878.chr22.tiny.giab.vcf").read_text().splitlines())
        if not columns[0].startswith("#") and len(columns[3]) == len(columns[4]) == 1
    }
    found = {(position, ref, alt) for _, position, ref, alt, _ in rows(made.variants)}
    assert len(truth) == 14
    assert truth <= found
    with pysam.AlignmentFile(made.alignment) as bam:
        groups = bam.header.to_dict()["RG"]
        assert [group["SM"] for group in groups] == ["NA12878"]
        flags = [read.flag for read in bam]
        assert str(tmp_path) not in str(bam.header)
    assert len(flags) == 3266
    assert sum(bool(flag & 0x40) for flag in flags) == sum(bool(flag & 0x80) for flag in flags) == 1633
    assert sum(bool(flag & 0x2) for flag in flags) > 3200
    header = gzip.decompress(made.variants.read_bytes()).decode().partition("#CHROM")[0]
    assert "##reference=test 1\n" in header
    assert str(tmp_path) not in header
    assert made.quality["reads"]["total"] == 3266
    assert made.quality["reads"]["duplicates"] > 0
    assert made.quality["variants"]["snps"] == 14
    assert not list((tmp_path / "checkpoints").glob("batches")) + list((tmp_path / "checkpoints").glob("*.bcf"))


@pytest.fixture(scope="session")
def sites(person, tmp_path_factory):
    """Sites at all true variants, at places with reads and without, under names without `chr`."""
    path = tmp_path_factory.mktemp("sites") / "sites.vcf"
    wanted = [(one.contig, one.position, one.ref, one.alt) for one in person.variants]
    for contig, position in (("chr1", 3500), ("chr1", 17_500), ("chr2", 4000), ("chr2", 18_000)):
        ref = person.contigs[contig][position - 1]
        wanted.append((contig, position, ref, "ACGT"[("ACGT".index(ref) + 2) % 4]))
    lines = (f"{contig[3:]}\t{at}\trs{at}\t{ref}\t{alt}\t.\t.\t.\n" for contig, at, ref, alt in sorted(wanted))
    path.write_text("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\n" + "".join(lines))
    return path


@pytest.fixture(scope="session")
def whole(person, sites, tmp_path_factory):
    """An analysis that nothing disturbed."""
    return analyse(person.reads, person.fasta, tmp_path_factory.mktemp("whole"), sites=sites, indexes=person.indexes)


def expected(variant):
    return (variant.contig, variant.position, variant.ref, variant.alt, "1/1" if len(variant.copies) == 2 else "0/1")


def test_variants_are_those_that_were_simulated(person, whole):
    assert sorted(rows(whole.variants)) == sorted(map(expected, person.variants))


def test_sites_are_told_apart_from_places_without_reads(person, whole):
    found = rows(whole.genotyped)
    assert [row for row in found if "1" in row[4]] == sorted(map(expected, person.variants))
    others = {(contig, position): genotype for contig, position, _, _, genotype in found}
    assert others["chr1", 3500] == others["chr2", 4000] == "0/0"
    assert others["chr1", 17_500] == others["chr2", 18_000] == "./."
    assert whole.quality["sites"] == {"total": len(found), "known": len(found) - 2}
    assert [warning["code"] for warning in whole.warnings] == ["reads_no_depth"]
    with pysam.VariantFile(whole.genotyped) as records:
        depths = {one.pos: one.samples[0]["DP"] for one in records}
    assert depths[3500] > 10
    assert depths[17_500] == 0


def content(made):
    """All that must be the same, however an analysis went."""
    with pysam.AlignmentFile(made.alignment) as bam:
        reads = [read.to_string() for read in bam]
    texts = [gzip.decompress(path.read_bytes()) for path in (made.variants, made.genotyped)]
    return reads, texts, made.quality


def test_an_analysis_that_is_killed_in_every_step_goes_on(person, sites, whole, tmp_path):
    points = [
        "processing.index.before_rename",
        "processing.align.before_rename",
        "processing.call.region",
        *(f"processing.{step}.before_mark" for step in STEPS),
        "processing.sorted.finished",
    ]
    log = tmp_path / "fired"
    script = (
        "import sys; from pathlib import Path; from tests.processing.conftest import analyse; "
        "files, fasta, base, sites = sys.argv[1:3], *sys.argv[3:]; "
        "analyse(files, fasta, Path(base), sites=Path(sites))"
    )
    command = [sys.executable, "-c", script, *map(str, person.reads), str(person.fasta), str(tmp_path), str(sites)]
    rules = ";".join(f"{point}=kill@1" for point in points)
    environment = {**os.environ, "VARLOOM_FAILPOINTS": f"{rules};log={log}"}
    root = Path(__file__).resolve().parents[2]
    attempts = 0
    while subprocess.run(command, env=environment, cwd=root, capture_output=True, timeout=100, check=False).returncode:
        attempts += 1
        assert attempts <= len(points)
        shutil.rmtree(tmp_path / "work")  # the next attempt has a folder of its own
    assert sorted(line.split()[0] for line in log.read_text().splitlines()) == sorted(points)
    assert content(analyse(person.reads, person.fasta, tmp_path, sites=sites)) == content(whole)


def test_finished_steps_are_not_done_again_but_for_another_analysis(person, sites, whole, tmp_path):
    base = whole.alignment.parent.parent
    before = {path.name: path.stat().st_mtime_ns for path in (base / "checkpoints").iterdir() if path.name != "lock"}
    again = analyse(person.reads, person.fasta, base, sites=sites, indexes=person.indexes)
    after = {path.name: path.stat().st_mtime_ns for path in (base / "checkpoints").iterdir() if path.name != "lock"}
    assert before == after
    assert again.quality == whole.quality
    shutil.copytree(base / "checkpoints", tmp_path / "checkpoints")
    with Checkpoints(tmp_path / "checkpoints", "of another sample") as kept:
        assert {path.name for path in kept.folder.iterdir()} == {"lock", "plan.json"}
        assert kept.step("checked", lambda: {"lanes": []}) == {"lanes": []}


def test_calling_in_regions_gives_what_one_run_gives(whole, person, tmp_path):
    from varloom.processing.cpu.call import call_regions
    from varloom.processing.cpu.regions import Region, regions
    from varloom.processing.ploidy import Ploidy

    groups = regions(whole.alignment, reads_per_region=500)
    cut = [region for group in groups for region in group]
    assert len(groups) > 3
    assert [one for one in cut if one.first > 1 and one.contig == "chr1"]  # within a contig, where no read lies
    at_once = tuple(Region(name, 1, len(bases)) for name, bases in person.contigs.items())
    told = []
    for number, wanted in enumerate([*groups, at_once]):
        output = tmp_path / f"{number}.bcf"
        call_regions(
            whole.alignment, person.fasta, wanted, output, ploidy=Ploidy(), work=tmp_path, on_life=lambda: None
        )
        with pysam.VariantFile(output) as records:
            told.append([str(record) for record in records])
    assert [line for lines in told[:-1] for line in lines] == told[-1]
    assert len(told[-1]) == len(person.variants)


@pytest.mark.parametrize("kind", ["finished", "not in order", "CRAM by name", "other names, no groups", "unaligned"])
def test_alignments_are_taken_as_they_are(person, whole, tmp_path, kind):
    source, given = tmp_path / ("given.cram" if kind == "CRAM by name" else "given.bam"), str(whole.alignment)
    match kind:
        case "CRAM by name":
            pysam.samtools.sort("-n", "-O", "cram", "--reference", str(person.fasta), "-o", str(source), given)
        case "not in order":  # whatever the header says
            with pysam.AlignmentFile(given) as bam, pysam.AlignmentFile(str(source), "wb", template=bam) as mixed:
                for read in sorted(bam, key=lambda read: read.query_name):
                    mixed.write(read)
        case "unaligned":
            pysam.samtools.reset("-o", str(source), given)
        case "other names, no groups":
            lines = pysam.samtools.view("-h", "-x", "RG", given).splitlines(keepends=True)
            text = "".join(line for line in lines if not line.startswith("@RG"))
            (tmp_path / "plain.sam").write_text(text.replace("SN:chr", "SN:").replace("\tchr", "\t"))
            pysam.samtools.view("-b", "-o", str(source), str(tmp_path / "plain.sam"), catch_stdout=False)
        case _:
            source.write_bytes(whole.alignment.read_bytes())
    made = analyse([source], person.fasta, tmp_path, indexes=person.indexes)
    assert rows(made.variants) == rows(whole.variants)
    assert made.quality["reads"] == whole.quality["reads"]
    with pysam.AlignmentFile(made.alignment) as bam:
        assert bam.header.to_dict()["HD"]["SO"] == "coordinate"
        assert list(bam.references) == ["chr1", "chr2"]
        groups = {group["ID"] for group in bam.header.to_dict()["RG"]}
        assert {read.get_tag("RG") for read in bam} <= groups
    if kind != "other names, no groups":
        assert groups == {"FLOW.2"}


def test_an_alignment_to_another_reference_is_refused(person, whole, tmp_path):
    from tests.support import simulated_reads as simulated

    fasta = simulated.write_fasta(tmp_path / "other.fa", {"chr1": "ACGT" * 7500, "chr2": "ACGT" * 4999})
    source = tmp_path / "given.bam"
    source.write_bytes(whole.alignment.read_bytes())
    with pytest.raises(VarloomError) as caught:
        analyse([source], fasta, tmp_path)
    assert caught.value.code == "alignment_other_reference"
    assert "chr2" in caught.value.message


@pytest.mark.parametrize("damage", ["cut", "end", "middle", "start", "CRAM", "two samples"])
def test_a_damaged_alignment_is_refused(person, whole, tmp_path, damage):
    content, source = bytearray(whole.alignment.read_bytes()), tmp_path / "given.bam"
    match damage:
        case "cut":
            del content[len(content) // 2 :]
        case "end":
            del content[-20:]
        case "middle":
            content[len(content) // 2] ^= 0xFF
        case "start":
            content[30] ^= 0xFF
        case "CRAM":
            pysam.samtools.view("-CT", str(person.fasta), "-o", str(source), str(whole.alignment), catch_stdout=False)
            content = source.read_bytes()[:-20]
        case _:
            header = tmp_path / "header.sam"
            header.write_text(pysam.samtools.view("-H", str(whole.alignment)) + "@RG\tID:other\tSM:other\n")
            pysam.samtools.reheader(str(header), str(whole.alignment), save_stdout=str(source))
            content = source.read_bytes()
    source.write_bytes(content)
    with pytest.raises(VarloomError) as caught:
        analyse([source], person.fasta, tmp_path)
    assert caught.value.code == ("reads_not_together" if damage == "two samples" else "alignment_malformed")
    assert "given.bam" in caught.value.message
    assert not caught.value.kind.retryable


def test_interleaved_reads_are_those_of_two_files(person, tmp_path):
    both = tmp_path / "both.fastq"
    files = [(str(path), path.name) for path in person.reads]
    (pairs,) = batches(0, LaneTask(*files, is_interleaved=False, group="1"))
    both.write_bytes(b"\n".join(pairs.lines))
    (interleaved,) = batches(0, LaneTask((str(both), both.name), None, is_interleaved=True, group="1"))
    assert interleaved.lines == pairs.lines
    assert [line[-7:] for line in pairs.lines[::4]] == [b"1:N:0:A", b"2:N:0:A"] * (len(pairs.lines) // 8)


def test_single_reads_are_called_too(person, tmp_path):
    single = analyse([person.reads[0]], person.fasta, tmp_path, indexes=person.indexes, sample="Zo\u00eb\t1")
    with pysam.VariantFile(single.variants) as records:
        assert list(records.header.samples) == ["Zo\u00eb_1"]
    assert single.quality["reads"]["paired"] == 0
    assert single.quality["insert_size"] is None
    assert len(rows(single.variants)) >= len(person.variants) - 2


def test_genotypes_are_counted_of_snps_insertions_and_deletions_alike(tmp_path):
    variants = tmp_path / "some.vcf"
    rows_of = [("A", "C", "0/1"), ("A", "C", "1/1"), ("A", "AT", "0/1"), ("A", "AT", "0|1"), ("AT", "A", "1/1")]
    rows_of += [("AT", "A", "1|1"), ("AT", "A", "0/1"), ("AT", "A,ATT", "1/2"), ("A", "C", "./."), ("A", "C", "0/0")]
    variants.write_text(
        "##fileformat=VCFv4.2\n##contig=<ID=1,length=1000>\n"
        '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
        "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tP\n"
        + "".join(f"1\t{10 * n}\t.\t{ref}\t{alt}\t9\t.\t.\tGT\t{gt}\n" for n, (ref, alt, gt) in enumerate(rows_of, 1))
    )
    counts = variant_quality(variants, tmp_path, lambda: None)
    assert (counts["heterozygous"], counts["homozygous"]) == (5, 3)


def test_a_deletion_of_a_base_that_the_reference_leaves_open_is_called(person, whole, tmp_path):
    bases = person.contigs["chr2"]
    deletion = next(one for one in person.variants if len(one.ref) > 1)
    at = deletion.position  # 0-based: the first base that is missing
    code, first = {"A": ("R", "A"), "C": ("Y", "C"), "G": ("K", "G"), "T": ("K", "G")}[bases[at]]
    fasta = simulated.write_fasta(tmp_path / "open.fa", {**person.contigs, "chr2": bases[:at] + code + bases[at + 1 :]})
    sites = tmp_path / "sites.vcf"
    sites.write_text(f"chr2\t{deletion.position}\t.\t{deletion.ref}\t{deletion.alt}\n")
    made = analyse([whole.alignment], fasta, tmp_path, sites=sites)
    ref = deletion.ref[0] + first + deletion.ref[2:]
    assert ("chr2", deletion.position, ref, deletion.alt, "0/1") in rows(made.variants)
    assert rows(made.genotyped) == [("chr2", deletion.position, ref, deletion.alt, "0/1")]
    assert len(rows(made.variants)) == len(person.variants)


@pytest.mark.parametrize("are_paired", [True, False])
def test_no_read_is_lost_of_an_unaligned_bam_in_which_names_are_there_twice(person, tmp_path, are_paired):
    given = tmp_path / "joined.bam"
    header = pysam.AlignmentHeader.from_dict({"HD": {"VN": "1.6", "SO": "unsorted"}})
    with pysam.AlignmentFile(str(given), "wb", header=header) as file:
        for name in ("r1", "r2", "r1"):
            for flag in (0x4D, 0x8D) if are_paired else (0x4,):
                read = pysam.AlignedSegment(header)
                read.query_name, read.query_sequence, read.flag = name, "ACGT" * 10, flag
                read.query_qualities = pysam.qualitystring_to_array("I" * 40)
                file.write(read)
    with pytest.raises(VarloomError) as caught:
        analyse([given], person.fasta, tmp_path, indexes=person.indexes)
    assert caught.value.code == "alignment_malformed"
    assert (
        f"holds {6 if are_paired else 3} reads, of which {2 if are_paired else 1} have the name" in caught.value.message
    )


@pytest.mark.parametrize(
    ("command", "is_marked"),
    [
        ({"ID": "sambamba", "CL": "sort -o x.bam"}, False),
        ({"ID": "sambamba", "CL": "markdup x.bam y.bam"}, True),
        ({"ID": "pbrun fq2bam", "CL": "pbrun fq2bam --ref g.fa --no-markdups"}, False),
        ({"ID": "pbrun fq2bam", "CL": "pbrun fq2bam --ref g.fa"}, True),
        ({"ID": "MarkDuplicates", "PN": "MarkDuplicates"}, True),
    ],
)
def test_only_who_marks_duplicates_has_marked_them(person, whole, tmp_path, command, is_marked):
    given = tmp_path / "given.bam"
    with pysam.AlignmentFile(str(whole.alignment)) as source:
        header = {**source.header.to_dict(), "PG": [command]}
        with pysam.AlignmentFile(str(given), "wb", header=header) as target:
            for read in source.head(20):
                read.is_duplicate = False
                target.write(read)
    reference = Reference(person.fasta, person.indexes, "GRCh38", "test 1")
    assert inspect(ReadsFile(given, given.name), reference).is_marked is is_marked


def test_reads_of_another_species_give_an_empty_result_with_a_warning(person, tmp_path):
    contigs = simulated.genome({"x": 3000}, seed=99)
    reads = simulated.pairs([contigs, contigs], [("x", 100, 2900)], depth=3, seed=1)
    files = simulated.write_pairs(tmp_path, "other", reads)
    sites = tmp_path / "sites.vcf"
    sites.write_text(f"chr1\t3500\t.\t{person.contigs['chr1'][3499]}\tT\n")
    made = analyse(files, person.fasta, tmp_path, sites=sites, indexes=person.indexes)
    assert rows(made.variants) == []
    assert [row[4] for row in rows(made.genotyped)] == ["./."]
    assert made.quality["reads"]["mapped"] == 0
    assert [warning["code"] for warning in made.warnings] == ["few_reads_mapped", "reads_no_depth"]


def test_too_little_disk_is_told_before_any_work(person, tmp_path, monkeypatch):
    from varloom.processing import disk_space

    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 1000, 1000))
    with pytest.raises(VarloomError) as caught:
        analyse(person.reads, person.fasta, tmp_path)
    assert caught.value.code == "disk_too_small"
    assert "MB" in caught.value.message
    assert not (tmp_path / "indexes").exists()


def test_the_quality_is_plain_json(whole):
    assert json.loads(json.dumps(whole.quality)) == whole.quality
