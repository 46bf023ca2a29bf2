"""What an analysis is said to need holds: the folders are watched while real programs work, sorting on the disk too."""

from __future__ import annotations

import gzip
import random
import shutil
import threading

import pysam
import pytest
from tests.absent import require_aligner
from tests.support import simulated_reads as simulated

from varloom.errors import VarloomError
from varloom.processing import disk_space
from varloom.processing.cpu import sort
from varloom.processing.cpu.engine import CpuEngine
from varloom.processing.cram_bases import bases_of_cram
from varloom.processing.fastq import packed_bytes
from varloom.processing.model import Analysis, Caller, Lane, Place, Reads, ReadsFile, Reference

LENGTH, DEPTH = 100_000, 30
SMALL = 300_000
"""Bytes that indexes, headers and lists take however few reads there are."""


@pytest.fixture(scope="module")
def sequenced(tmp_path_factory):
    """A genome, and pairs of reads of it in no order, with qualities of forty kinds."""
    require_aligner()
    folder = tmp_path_factory.mktemp("sequenced")
    contigs = simulated.genome({"chr1": LENGTH}, seed=1)
    fasta = simulated.write_fasta(folder / "genome.fa", contigs)
    reads = list(simulated.pairs([contigs, contigs], [("chr1", 0, LENGTH)], depth=DEPTH, seed=2))
    chance = random.Random(3)
    chance.shuffle(reads)
    files = []
    for mate in (1, 2):
        path = folder / f"s_R{mate}.fastq.gz"
        with gzip.open(path, "wt") as text:
            for name, *mates in reads:
                bases = mates[mate - 1]
                qualities = "".join(chr(33 + min(41, int(chance.gauss(33, 6)))) for _ in bases)
                text.write(f"@{name} {mate}\n{bases}\n+\n{qualities}\n")
        files.append(ReadsFile(path, path.name))
    return fasta, Lane(*files), 2 * sum(len(one) for _, one, _ in reads)


class Watched:
    """Runs the engine, and remembers how much its folders took at most."""

    def __init__(self, folder, fasta):
        self.folder = folder
        self.reference = Reference(fasta, fasta.parent / "indexes", "GRCh38", "made")
        self.reference.indexes.mkdir(exist_ok=True)

    def _taken(self):
        sizes = {}
        for path in self.folder.rglob("*"):
            try:
                found = path.stat()
            except OSError:
                continue
            if path.is_file():
                sizes[found.st_ino] = found.st_size
        return sum(sizes.values())

    def run(self, reads):
        output = self.folder / "output"
        output.mkdir(parents=True)
        stop, seen = threading.Event(), [0]

        def watch():
            while not stop.wait(0.005):
                seen.append(self._taken())

        watching = threading.Thread(target=watch)
        watching.start()
        try:
            analysis = Analysis(reads, self.reference, "NA1", Caller.BCFTOOLS, None, 2)
            made = CpuEngine().run(
                analysis, Place(self.folder / "steps", self.folder / "work", output), lambda *_: None
            )
        finally:
            stop.set()
            watching.join()
        return max(seen), made.alignment


def test_no_analysis_takes_more_than_it_was_said_to_need(sequenced, tmp_path, monkeypatch):
    monkeypatch.setattr(sort, "SORT_MEMORY", 1)
    asked = []
    monkeypatch.setattr(disk_space, "hold_to", lambda _, wanted: asked.append(wanted))
    fasta, lane, bases = sequenced
    taken, made = Watched(tmp_path / "fastq", fasta).run(Reads((lane,)))
    wanted = disk_space.of_fastq(bases, packed_bytes([lane]))
    assert wanted / 3 < taken < wanted + SMALL
    marked, foreign, cram, unaligned = (tmp_path / f"{name}" for name in ("m.bam", "f.bam", "c.cram", "u.bam"))
    shutil.copy(made, marked)
    with pysam.AlignmentFile(str(marked)) as given:
        header = given.header.to_dict()
        header.pop("PG")
        with pysam.AlignmentFile(str(foreign), "wb", header=header) as other:  # of programs that mark nothing
            for read in given:
                read.is_duplicate = False
                other.write(read)
    pysam.samtools.view("-C", "-T", str(fasta), "-o", str(cram), str(foreign), catch_stdout=False)
    pysam.samtools.reset("-o", str(unaligned), str(marked), catch_stdout=False)
    assert bases_of_cram(cram) == bases
    for path in (marked, foreign, cram, unaligned):
        asked.clear()
        taken, _ = Watched(tmp_path / f"of-{path.name}", fasta).run(Reads(alignment=ReadsFile(path, path.name)))
        assert asked[0] / 3 < taken < asked[0] + SMALL, (path.name, asked, taken)


def test_a_cram_that_tells_nothing_is_taken_for_a_small_one(tmp_path):
    path = tmp_path / "x.cram"
    for content in (b"", b"CRAM\x04\0" + bytes(40), b"CRAM\x03\0" + bytes(20) + b"\xff\xff\xff\x7f" * 9):
        path.write_bytes(content)
        assert bases_of_cram(path) is None
    assert disk_space.of_alignment(100, None, is_cram=True, is_ready=False) == 1100


@pytest.mark.parametrize("kind", ["aligned", "unaligned", "cram"])
def test_alignments_that_do_not_fit_are_refused_before_any_program_runs(sequenced, tmp_path, monkeypatch, kind):
    fasta, _, _ = sequenced
    bases = "ACGTACGTAC" * 10
    header = {"HD": {"VN": "1.6"}} | ({} if kind == "unaligned" else {"SQ": [{"SN": "chr1", "LN": LENGTH}]})
    path = tmp_path / f"given.{'cram' if kind == 'cram' else 'bam'}"
    mode = "wc" if kind == "cram" else "wb"
    with pysam.AlignmentFile(str(path), mode, header=header, reference_filename=str(fasta)) as file:
        for number in range(50):
            read = pysam.AlignedSegment(file.header)
            read.query_name, read.query_sequence = f"r{number}", bases
            read.query_qualities = pysam.qualitystring_to_array("I" * len(bases))
            read.flag = 4
            if kind != "unaligned":
                read.flag, read.reference_id, read.reference_start, read.cigarstring = 0, 0, number, f"{len(bases)}M"
            file.write(read)
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9 - 100, 100))
    with pytest.raises(VarloomError) as refused:
        Watched(tmp_path / "run", fasta).run(Reads(alignment=ReadsFile(path, path.name)))
    assert refused.value.code == "disk_too_small"
    assert "has 0.0 MB free" in refused.value.message
    assert not list((tmp_path / "run" / "work").glob("*"))
