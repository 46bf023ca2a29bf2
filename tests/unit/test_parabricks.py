"""The Parabricks engine with a strict stand-in for `pbrun`; the real one was never run here."""

from __future__ import annotations

import gzip
import os
import shutil
from dataclasses import replace

import pysam
import pytest
from tests.absent import require_aligner
from tests.reads import PbrunStandIn

from varloom.errors import VarloomError
from varloom.processing import fastq
from varloom.processing.engines import engines
from varloom.processing.model import (
    AlignmentFormat,
    Analysis,
    Caller,
    Lane,
    Place,
    Reads,
    ReadsFile,
    Reference,
    SexChromosomes,
)
from varloom.processing.parabricks import command
from varloom.processing.parabricks.container import container_name, end_container, in_container
from varloom.processing.parabricks.engine import ParabricksEngine
from varloom.processing.parabricks.failures import failure_of
from varloom.processing.parabricks.options import ParabricksOptions
from varloom.processing.parabricks.output import Reading, Standing
from varloom.processing.ploidy import Layout, Span

BASES = "ACGTTGCAAGCTTAGC" * 8


class Run:
    """An analysis for which `pbrun` is the stand-in."""

    def __init__(self, folder, monkeypatch):
        stand_in = PbrunStandIn(folder, "q", 12000)
        for name, value in stand_in.environment.items():
            monkeypatch.setenv(name, value)
        self.script = stand_in.script
        self._stand_in = stand_in
        for made in ("indexes", "output"):
            (folder / made).mkdir()
        self.place = Place(folder / "steps", folder / "work", folder / "output")
        self.told = []
        fasta = folder / "indexes" / "genome.fa"
        fasta.write_text(">q\n" + "ACGTTGCAAGCT" * 1000 + "\n")
        pysam.faidx(str(fasta))
        reads = [folder / name for name in ("first", "second")]
        for path in reads:
            path.write_text(f"@r1\n{BASES}\n+\n{'I' * len(BASES)}\n")
        lane = Lane(ReadsFile(reads[0], "s_R1.fastq"), ReadsFile(reads[1], "s_R2.fastq"))
        reference = Reference(fasta, folder / "indexes", "GRCh38", "tiny 1")
        self.analysis = Analysis(Reads((lane,)), reference, "NA1", Caller.HAPLOTYPECALLER, None, 2)

    @property
    def calls(self):
        return self._stand_in.calls

    def run(self, **options):
        return ParabricksEngine(ParabricksOptions(**options)).run(
            self.analysis, self.place, lambda *told: self.told.append(told)
        )


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    require_aligner()
    return Run(tmp_path, monkeypatch)


def test_reads_become_an_alignment_and_variants(stand_in):
    made = stand_in.run(gpus=2)
    assert [call[0] for call in stand_in.calls] == ["fq2bam", "haplotypecaller"]
    assert all(call[-2:] == ["--num-gpus", "2"] for call in stand_in.calls)
    assert made.tools[0] == ("Parabricks", "4.6.0-1")
    with pysam.VariantFile(str(made.variants)) as variants:
        assert [record.pos for record in variants.fetch("q")] == [5]
    assert made.alignment.with_name(f"{made.alignment.name}.bai").exists()
    assert made.quality["reads"]["total"] == 1
    told = {step: (done, total) for done, total, step in stand_in.told}
    assert told["aligning reads (bases)"] == (750_000_000, None)
    assert told["sorting reads"] == (99, 100)
    assert told["marking duplicates"] == (100, 100)
    assert told["calling variants"] == (12_000, 12_000)


def test_the_alignment_can_be_left_as_cram(stand_in):
    before = stand_in.run()
    calls = len(stand_in.calls)
    stand_in.analysis = replace(stand_in.analysis, alignment_format=AlignmentFormat.CRAM)
    made = stand_in.run()
    assert len(stand_in.calls) == calls, "what Parabricks has done is not done again"
    assert made.alignment.name == "alignment.cram"
    assert made.alignment.with_name("alignment.cram.crai").exists()
    assert made.warnings == ()
    fasta = str(stand_in.analysis.reference.fasta)
    with (
        pysam.AlignmentFile(str(before.alignment)) as bam,
        pysam.AlignmentFile(str(made.alignment), reference_filename=fasta) as cram,
    ):
        bare = [[read.to_string().split("\t")[:11] for read in one.fetch("q")] for one in (bam, cram)]
    assert bare[0] == bare[1]
    assert len(bare[0]) == 1


def test_callers_that_know_two_copies_alone_say_so(stand_in, monkeypatch):
    """No documented option makes part of the genome haploid, so none is given."""
    stand_in.analysis = replace(stand_in.analysis, sex_chromosomes=SexChromosomes.XY)
    [warning] = stand_in.run().warnings
    assert warning["code"] == "called_diploid"
    assert "not the X and Y" in warning["message"]
    x = Layout("GRCh38", "q", None, (), (Span("q", 1, 12_000),), (), ())
    monkeypatch.setattr("varloom.processing.ploidy_warnings.layout_of", lambda _: x)
    monkeypatch.setattr("varloom.processing.parabricks.engine.settled", lambda figures, _: figures | FITTING)
    made = stand_in.run()
    [warning] = made.warnings
    assert "HaplotypeCaller makes genotypes of two alleles: 1 variant of X and Y" in warning["message"]
    assert made.quality["sex_chromosomes"]["variants_diploid"] is True
    assert [len(call) for call in stand_in.calls] == [len(call) for call in stand_in.calls[:2]]


@pytest.mark.parametrize("ending", ["", "/1 /2"])
def test_mates_in_one_file_are_separated_once_in_bounded_pieces(stand_in, monkeypatch, ending):
    """Parabricks sees two files, with every read in its order; finished lanes are not separated again."""
    monkeypatch.setattr(fastq, "_PIECE", 1000)
    monkeypatch.setattr(fastq, "_STORED", 700)
    folder = stand_in.place.output.parent
    ends = ending.split() or ["", ""]
    lanes, mates = [], {}
    for lane in (1, 2):
        pairs = [
            [f"@r{number}{end} x\n{BASES[number % 9 :]}\n+\n{'I' * len(BASES[number % 9 :])}\n" for end in ends]
            for number in range(50 * lane)
        ]
        path = folder / f"both_L00{lane}.fastq.gz"
        path.write_bytes(gzip.compress("".join(one for pair in pairs for one in pair).encode()))
        lanes.append(Lane(ReadsFile(path, path.name), is_interleaved=True))
        mates[lane] = ["".join(pair[mate] for pair in pairs) for mate in (0, 1)]
    stand_in.analysis = replace(stand_in.analysis, reads=Reads(tuple(lanes)))
    seen = []
    align = command.align

    def looked(options, reference, given, **more):
        seen.append(
            [[gzip.decompress(path.read_bytes()).decode() for path in (one.first, one.second)] for one in given]
        )
        return align(options, reference, given, **more)

    monkeypatch.setattr(command, "align", looked)
    stand_in.script("segfault", "ok")
    with pytest.raises(VarloomError) as failed:
        stand_in.run()
    assert failed.value.code == "parabricks_killed"
    assert seen == [[mates[1], mates[2]]]
    shutil.rmtree(stand_in.place.work)  # as between two attempts
    stand_in.told.clear()
    stand_in.run()
    assert seen == [[mates[1], mates[2]]] * 2
    assert "bytes of reads separated" not in {step for _, _, step in stand_in.told}
    assert not list(folder.rglob("separated*.gz")), "they take no room once the reads are aligned"
    align_call = stand_in.calls[0]
    assert align_call.count("--in-fq") == 2
    assert "--in-se-fq" not in align_call


def test_mates_that_do_not_pair_are_told_before_anything_is_separated(stand_in):
    path = stand_in.place.output.parent / "both.fastq"
    path.write_text("@r1\nACGT\n+\nIIII\n@r1\nACGT\n+\nIIII\n@r2\nACGT\n+\nIIII\n@r3\nACGT\n+\nIIII\n")
    lane = Lane(ReadsFile(path, path.name), is_interleaved=True)
    stand_in.analysis = replace(stand_in.analysis, reads=Reads((lane,)))
    with pytest.raises(VarloomError) as failed:
        stand_in.run()
    assert (failed.value.code, failed.value.place.line) == ("reads_unpaired", 13)
    assert stand_in.calls == []


FITTING = {"given": "xy", "used": "xy", "told": "xy", "contradiction": False}
FAILURES = {
    "no-gpu": "parabricks_no_gpu",
    "host-memory": "parabricks_host_memory",
    "driver": "parabricks_driver",
    "licence": "parabricks_licence",
    "segfault": "parabricks_killed",
    "disk-full": "disk_full",
}


def test_each_way_to_fail_has_a_code_and_finished_steps_are_kept(stand_in):
    stand_in.script("ok", *FAILURES)
    for code in FAILURES.values():
        with pytest.raises(VarloomError) as failed:
            stand_in.run()
        assert failed.value.code == code
        assert failed.value.message.startswith("haplotypecaller: ")
    stand_in.run()
    assert [call[0] for call in stand_in.calls] == ["fq2bam", *["haplotypecaller"] * (len(FAILURES) + 1)]


@pytest.mark.parametrize(
    ("policy", "script", "low", "fails"),
    [
        ("auto", ["gpu-memory-unless-low", "ok", "gpu-memory-unless-low"], [False, True, False, True], False),
        ("auto", ["gpu-memory", "gpu-memory"], [False, True], True),
        ("always", ["gpu-memory-unless-low"], [True, True], False),
        ("never", ["gpu-memory-unless-low"], [False], True),
    ],
)
def test_gpu_memory_that_runs_out_is_saved_where_that_is_allowed(stand_in, policy, script, low, fails):
    stand_in.script(*script)
    if fails:
        with pytest.raises(VarloomError) as failed:
            stand_in.run(low_memory=policy)
        assert failed.value.code == "parabricks_gpu_memory"
    else:
        stand_in.run(low_memory=policy)
    saving = {"--low-memory", "--htvc-low-memory"}
    assert [bool(saving & set(call)) for call in stand_in.calls] == low


def test_the_stand_in_is_strict(stand_in, monkeypatch):
    monkeypatch.setattr("varloom.processing.parabricks.command._gpus", lambda _: ["--fast"], raising=True)
    with pytest.raises(VarloomError) as failed:
        stand_in.run()
    assert failed.value.code == "parabricks_option"
    assert "--fast" in failed.value.message


@pytest.mark.parametrize(
    ("lines", "status", "code"),
    [
        (["[Parabricks Options Error]: Could not find accessible", "GPUs. Please"], 255, "parabricks_no_gpu"),
        (
            ["[PB Error 2025-Jul-12 00:32:23][src/a.cpp:10] cudaSafeCall() failed: out of memory"],
            255,
            "parabricks_gpu_memory",
        ),
        (["docker: Cannot connect to the Docker daemon at unix:///var/run/docker.sock."], 125, "parabricks_container"),
        (
            ['docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].'],
            125,
            "parabricks_container",
        ),
        (["genome.fa.bwt does not exist. Exiting..."], 255, "parabricks_index"),
        ([], -9, "parabricks_killed"),
        (["Something odd happened."], 255, "parabricks_failed"),
    ],
)
def test_failures_are_told_by_words(lines, status, code):
    assert failure_of("fq2bam", status, lines).code == code


def test_output_of_any_version_is_read_leniently():
    reading = Reading("aligning reads", {"chr1": 1000, "chr2": 500})
    assert reading.read("anything at all") is None
    assert reading.read("[PB Info 2025-Jul-12 00:32:23] ||     Sorting Phase-II     ||") == Standing(
        0, None, "sorting reads"
    )
    assert reading.read("[PB Info x] progressMeter - Percentage") is None
    assert reading.read("[00:00:02]\t41.9%") == Standing(41, 100, "sorting reads")
    assert reading.read("[PB Info x] ||  deepvariant  ||") == Standing(0, None, "calling variants")
    assert reading.read("ProgressMeter -\tCurrent-Locus\tElapsed-Minutes") is None
    assert reading.read("chr2:100\t0.2\t3\t4") == Standing(1100, 1500, "calling variants")
    assert reading.read("chrUn:100\t0.2") is None


def test_a_container_has_the_same_folders_and_the_name_of_its_job(tmp_path, monkeypatch):
    options = ParabricksOptions(image="parabricks:4", container_command="podman run --rm", job="7")
    command = in_container(options, "7", [tmp_path, tmp_path], ["pbrun", "version"])
    assert command == (
        "podman", "run", "--rm", "--name", "varloom-7", "--volume", f"{tmp_path}:{tmp_path}", "parabricks:4", "pbrun",
        "version",
    )  # fmt: skip
    program = tmp_path / "podman"
    program.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    end_container(options, "7")
    assert (tmp_path / "said").read_text().strip() == f"kill {container_name('7')}"
    assert ParabricksEngine(options).unavailable() is None


def test_what_is_missing_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    first, *_ = engines()
    assert first.name == "parabricks"
    assert "pbrun" in first.unavailable()
    assert "docker" in ParabricksEngine(ParabricksOptions(image="x")).unavailable()
