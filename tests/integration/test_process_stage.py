"""The process stage as the child runs it, with an engine that leaves what engines leave."""

from __future__ import annotations

import gzip
import json
import uuid

import pysam
import pytest

from varloom.annotation.model import ReleaseKey
from varloom.annotation.refs.installing import Published, install
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.errors import VarloomError
from varloom.pipeline.request import Processing, Scratch, SourceFile, StageRequest
from varloom.pipeline.stages import parse, process
from varloom.processing.model import Analysed, Caller
from varloom.storage import LocalStorage, ObjectStorage
from varloom.storage.object_access import access_of

VCF = (
    "##fileformat=VCFv4.2\n##contig=<ID=q,length=120>\n"
    '##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype">\n'
    "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tNA1\nq\t5\t.\tA\tC\t50\tPASS\t.\tGT\t0/1\n"
)
READS = b"@r1\nACGT\n+\nIIII\n"


class FakeEngine:
    """Leaves what engines leave, and counts the steps that it has to do."""

    name = "cpu"
    callers = frozenset({Caller.BCFTOOLS})

    def __init__(self, why=None):
        self.why = why
        self.steps = []
        self.seen = None
        self.fails_after = None

    def unavailable(self):
        return self.why

    def run(self, analysis, place, report):
        self.seen = analysis, place
        assert not place.work.exists()
        place.work.mkdir()
        for number, step in enumerate(("align", "call")):
            place.checkpoints.mkdir(exist_ok=True)
            done = place.checkpoints / step
            if not done.exists():
                self.steps.append(step)
                done.touch()
            report(number + 1, 2, step)
            if self.fails_after == step:
                raise RuntimeError("killed")
        name = analysis.sample
        for suffix in (".bam", ".bam.bai", ".vcf.gz.tbi"):
            (place.output / f"{name}{suffix}").write_bytes(suffix.encode())
        with pysam.BGZFile(str(place.output / f"{name}.vcf.gz"), "wb", None) as file:
            file.write(VCF.encode())
        return Analysed(
            alignment=place.output / f"{name}.bam",
            variants=place.output / f"{name}.vcf.gz",
            genotyped=None,
            quality={"reads": 1},
            engine=self.name,
            tools=(("aligner", "1.0"),),
        )


class Stages:
    """Runs the stages of one job, whose reads are two files."""

    def __init__(self, storage, tmp_path):
        self.storage = storage
        self.scratch = tmp_path / "scratch"
        self.job = str(uuid.uuid4())
        self.told = []
        self.files = []
        for number in (1, 2):
            key = f"uploads/{self.job}/source" + ("-2" if number == 2 else "")
            storage.write_bytes(key, gzip.compress(READS))
            self.files.append(SourceFile(key, f"NA1_R{number}.fastq.gz", None, None))
        self.fasta = tmp_path / "genome.fa"
        self.fasta.write_text(">q\n" + "ACGTAC" * 20 + "\n")
        self.library = ReferenceLibrary(storage)
        self.install("1")

    def install(self, release):
        key = ReleaseKey("fasta", "tiny", "GRCh38", release)
        install(self.library, key, Published(self.fasta, excerpt=True), lambda *_: None)
        return key

    def request(self, stage, files, *, keeps_choice=True, **options):
        token = str(uuid.uuid4())
        scratch = Scratch(self.scratch / token, self.scratch / "sources", 10**9, self.scratch / "downloads")
        request = StageRequest(
            stage,
            files[0],
            f"{'processed' if stage == 'process' else 'attempts'}/{self.job}/{token}",
            options,
            self.storage.access,
            None if isinstance(self.storage, LocalStorage) else scratch,
            job=self.job,
            further=tuple(files[1:]),
            processing=Processing(threads=2),
            sample="NA 1",
            keeps_choice=keeps_choice,
        )
        return StageRequest.from_json(json.loads(json.dumps(request.as_json())))

    def process(self, **options):
        self.told.clear()
        asked = {"reads": True, **options}
        return process.run(self.request("process", self.files, **asked), lambda *told: self.told.append(told))


@pytest.fixture(params=["local", "s3"])
def stages(tmp_path, request):
    if request.param == "local":
        return Stages(LocalStorage(tmp_path / "storage"), tmp_path)
    store = request.getfixturevalue("s3")
    return Stages(ObjectStorage(access_of(f"{store.url}/process-{uuid.uuid4()}", store.environment)), tmp_path)


@pytest.fixture
def engine(monkeypatch):
    engine = FakeEngine()
    monkeypatch.setattr(process, "engines", lambda _: (engine,))
    return engine


def test_what_an_engine_leaves_is_kept_and_is_what_the_next_stage_reads(stages, engine):
    result = stages.process().result
    analysis, place = engine.seen
    [lane] = analysis.reads.lanes
    assert (lane.first.name, lane.second.name) == ("NA1_R1.fastq.gz", "NA1_R2.fastq.gz")
    assert (analysis.sample, analysis.threads, analysis.caller) == ("NA_1", 2, Caller.BCFTOOLS)
    assert analysis.reference.release == "tiny 1"
    assert analysis.reference.fasta.read_text().startswith(">q\nACGTAC")
    assert analysis.reference.fasta.with_name("genome.fa.fai").exists()
    assert not place.work.exists()
    assert (2, 2, "call") in stages.told
    assert [(file["role"], file["name"]) for file in result["files"]] == [
        ("alignment", "NA_1.bam"),
        ("alignment_index", "NA_1.bam.bai"),
        ("variants", "NA_1.vcf.gz"),
        ("variants_index", "NA_1.vcf.gz.tbi"),
        ("quality", "quality.json"),
    ]
    assert json.loads(stages.storage.read_bytes(f"{result['key']}/quality.json")) == {"reads": 1}
    assert (result["engine"], result["reference"], result["assembly"]) == ("cpu", "tiny 1", "GRCh38")
    [made] = [file for file in result["files"] if file["role"] == "variants"]
    source = SourceFile(f"{result['key']}/{made['name']}", made["name"], made["bytes"], made["sha256"])
    parsed = parse.run(stages.request("parse", [source], assembly="GRCh38"), lambda *_: None)
    assert len(parsed.result["folders"]) == 1


def test_finished_steps_are_not_done_again(stages, engine):
    engine.fails_after = "align"
    with pytest.raises(RuntimeError):
        stages.process()
    engine.fails_after = None
    stages.process()
    assert engine.steps == ["align", "call"]


def test_a_job_stays_with_its_genome_which_nobody_removes_meanwhile(tmp_path, engine):
    """Else a genome that is installed between two attempts would make all that is finished useless."""
    stages = Stages(LocalStorage(tmp_path / "storage"), tmp_path)
    engine.fails_after = "align"
    for _ in range(2):
        with pytest.raises(RuntimeError):
            stages.process()
        assert engine.seen[0].reference.release == "tiny 1"
        with pytest.raises(VarloomError) as kept:
            stages.library.remove(ReleaseKey("fasta", "tiny", "GRCh38", "1"))
        assert (kept.value.code, stages.job in kept.value.message) == ("reference_in_use", True)
        if not stages.library.has(ReleaseKey("fasta", "tiny", "GRCh38", "2")):
            stages.install("2")
    with pytest.raises(RuntimeError):
        stages.process(keeps_choice=False)
    assert engine.seen[0].reference.release == "tiny 2", "somebody asked anew"
    stages.library.remove(ReleaseKey("fasta", "tiny", "GRCh38", "1"))
    engine.fails_after = None
    assert stages.process().result["reference"] == "tiny 2"
    stages.library.remove(ReleaseKey("fasta", "tiny", "GRCh38", "2"))


@pytest.mark.parametrize(
    ("options", "why", "code", "said"),
    [
        ({"reference": "other"}, None, "reference_genome_missing", "other"),
        ({"assembly": "GRCh37"}, None, "reference_genome_missing", "GRCh37"),
        ({}, "pbrun is not installed.", "engine_unavailable", "pbrun is not installed."),
        ({"caller": "deepvariant"}, None, "caller_unavailable", "calls with bcftools"),
        ({"engine": "parabricks"}, None, "engine_unavailable", "no engine 'parabricks'"),
    ],
)
def test_what_cannot_be_done_is_told_before_anything_is_begun(tmp_path, engine, options, why, code, said):
    engine.why = why
    stages = Stages(LocalStorage(tmp_path / "storage"), tmp_path)
    with pytest.raises(VarloomError) as refused:
        stages.process(**options)
    assert refused.value.code == code
    assert said in refused.value.message
    assert engine.steps == []
