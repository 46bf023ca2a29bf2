"""Secondary analysis beside the bare programs: `python benchmarks/bench_reads.py [--pairs N] [--repeats N]`.

Alignment: the CPU engine's aligner (checked FASTQ in, BAM with flags, mates and read groups out), bare `bwa mem` (when
it is on PATH; SAM out) and bare pybwa (BAM out), each with two threads. Calling: the engine's
regions in parallel, joined and left-aligned, beside one `bcftools mpileup | call | norm` of the same library, and of
the one on PATH if there is one. All are run in turn, and the medians are compared. The goal is 0.9 of each.
"""

from __future__ import annotations

import argparse
import random
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support import simulated_reads as simulated

from varloom.processing import fastq
from varloom.processing.checkpoints import Checkpoints
from varloom.processing.cpu import align, call, index, read_groups, sort
from varloom.processing.cpu.aligner import LaneTask, Task
from varloom.processing.model import Lane, ReadsFile, Reference
from varloom.processing.tool_process import main as tool_process

if TYPE_CHECKING:
    from collections.abc import Callable

GOAL = 0.9
THREADS = 2
BARE_BASES = 10_000_000 * THREADS
"""Of a batch of bare pybwa: what `bwa mem` takes by default."""
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data" / "vep115_chr1" / "reference.fa"
LENGTH = 2_000_000
GROUP = "@RG\tID:1\tSM:1\tLB:1\tPL:ILLUMINA\tPU:1"

BARE_PYBWA = """
import sys
from itertools import chain
import pysam
from pybwa import BwaIndex, BwaMem, BwaMemOptions
prefix, first, second, output, bases = sys.argv[1:]
index = BwaIndex(prefix)
aligner = BwaMem(index=index)
options = BwaMemOptions(interleaved_paired_end=True, threads=2, chunk_size=int(bases)).finalize()
with pysam.AlignmentFile(output, "wb", header=index.header) as bam:
    def write(queries):
        for records in aligner.align(queries, options):
            for record in records:
                bam.write(record)
    gathered, size = [], 0
    for read in chain.from_iterable(zip(pysam.FastxFile(first), pysam.FastxFile(second))):
        gathered.append(read)
        size += len(read.sequence)
        if size >= int(bases) and len(gathered) % 2 == 0:
            write(gathered)
            gathered, size = [], 0
    write(gathered)
"""


def main() -> None:
    """Make the data, run all contestants in turn, print the table; exit status 1 when a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="varloom-bench-reads-") as folder:
        bench = Bench(Path(folder), given.pairs)
        aligned = timed(bench.aligners(), given.repeats)
        bench.sort()
        called = timed(bench.callers(), given.repeats)
    kept = [compare("alignment", aligned, bench.count), compare("calling", called, bench.count)]
    sys.exit(0 if all(kept) else 1)


class Bench:
    """The data, and what is run on them."""

    def __init__(self, folder: Path, pairs: int) -> None:
        """Simulate reads of a genome with real and random sequence, in spans with gaps between them."""
        self.folder = folder
        contigs = {"1": real_sequence(), "2": "".join(random.Random(7).choices("ACGT", k=LENGTH))}  # noqa: S311
        self.fasta = simulated.write_fasta(folder / "genome.fa", contigs)
        variants = [
            simulated.snp(contigs, name, at, (at // 1000 % 2,))
            for name, bases in contigs.items()
            for at in range(1500, len(bases) - 1000, 1000)
            if bases[at - 1] in "ACGT"
        ]
        spans = [
            (name, first, min(first + 95_000, len(bases) - 1000))
            for name, bases in contigs.items()
            for first in range(1000, len(bases) - 100_000, 100_000)
        ]
        total = sum(last - first for _, first, last in spans)
        copies = simulated.copies_of(contigs, variants)
        reads = simulated.pairs(copies, spans, depth=pairs * 300 / total, seed=1, length=150)
        self.reads = simulated.write_pairs(folder, "s_S1_L001", reads)
        first, second = (ReadsFile(path, path.name) for path in self.reads)
        self.count = fastq.count(Lane(first, second)).reads
        self.reference = Reference(self.fasta, folder / "indexes", "GRCh38", "bench")
        self.prefix = index.bwa_index(self.reference, quiet)
        self.header = folder / "header.sam"
        read_groups.write_header(self.header, {name: len(bases) for name, bases in contigs.items()}, [f"{GROUP}\n"], "")
        self.batches, self.work = folder / "batches", folder / "work"
        self.sorted = folder / "sorted.bam"

    def aligners(self) -> dict[str, Callable[[], None]]:
        """By name; ours first."""
        found: dict[str, Callable[[], None]] = {"varloom": self._align}
        first, second = map(str, self.reads)
        if shutil.which("bwa"):
            group = GROUP.replace("\t", "\\t")
            command = ["bwa", "mem", "-v", "1", "-t", str(THREADS), "-R", group]
            found["bwa mem"] = lambda: run(
                [*command, "-o", str(self.folder / "bare.sam"), str(self.prefix), first, second]
            )
        output = str(self.folder / "bare.bam")
        script = [sys.executable, "-c", BARE_PYBWA, str(self.prefix), first, second, output, str(BARE_BASES)]
        found["pybwa"] = lambda: run(script)
        return found

    def _align(self) -> None:
        for folder in (self.batches, self.work):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        first, second = ((str(path), path.name) for path in self.reads)
        lanes = (LaneTask(first, second, is_interleaved=False, group="1"),)
        task = Task(str(self.prefix), str(self.header), lanes, str(self.batches), str(self.work), THREADS)
        align.align(task, self.count, quiet)

    def sort(self) -> None:
        """What the callers read."""
        sort.sort_batches(align.batch_files(self.batches), self.sorted, self.work, THREADS, lambda: None)
        run([sys.executable, "-c", f"import pysam; pysam.samtools.index({str(self.sorted)!r})"])

    def callers(self) -> dict[str, Callable[[], None]]:
        """By name; ours first."""
        found: dict[str, Callable[[], None]] = {"varloom": self._call}
        options = [str(option) for option in call.pileup_options(self.fasta)]
        stages = [
            ["bcftools", "mpileup", *options, str(self.sorted)],
            ["bcftools", "call", "-m", "-v", "-a", "GQ", "-Ou", "-"],
            [
                "bcftools",
                "norm",
                "--no-version",
                "-f",
                str(self.fasta),
                "-Oz",
                "-o",
                str(self.folder / "bare.vcf.gz"),
                "-",
            ],
        ]
        if shutil.which("bcftools"):
            shell = " | ".join(shlex.join(stage) for stage in stages)
            found["bcftools"] = lambda: run(["sh", "-c", shell])
        import json

        ours = [
            sys.executable,
            "-m",
            tool_process.__module__,
            json.dumps({"together": False, "pipes": [{"stages": stages, "output": None}]}),
        ]
        found["bcftools in pysam"] = lambda: run(ours)
        return found

    def _call(self) -> None:
        folder = self.folder / "checkpoints"
        shutil.rmtree(folder, ignore_errors=True)
        with Checkpoints(folder, "bench") as kept:
            call.call(kept, self.sorted, self.fasta, work=self.work, threads=THREADS, report=quiet)
            files = sorted(folder.glob("region-*.bcf"))
            call.join(files, self.fasta, self.folder / "ours.vcf.gz", self.work, lambda: None)


def real_sequence() -> str:
    """The start of human chromosome 1, where it is at hand; else random bases."""
    if not SHARED.exists():
        return "".join(random.Random(8).choices("ACGT", k=860_000))  # noqa: S311
    lines = SHARED.read_text().splitlines()
    chance = random.Random(9)  # noqa: S311 - places without known bases get some, as aligners do it
    text = "".join(line for line in lines if not line.startswith(">")).upper()
    return "".join(base if base in "ACGT" else chance.choice("ACGT") for base in text)


def timed(contestants: dict[str, Callable[[], None]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each run, all contestants in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, do in contestants.items():
            begun = time.perf_counter()
            do()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def compare(what: str, seconds: dict[str, list[float]], reads: int) -> bool:
    """Print medians, and our speed as a share of each other's; whether the goal is kept."""
    ours = statistics.median(seconds["varloom"])
    kept = True
    print(f"{what}, {reads:,} reads, {THREADS} threads")
    for name, runs in seconds.items():
        median = statistics.median(runs)
        share = median / ours
        told = "" if name == "varloom" else f"   varloom is at {share:.2f} of it"
        print(f"  {name:18} {median:7.2f} s  {reads / median:9,.0f} reads/s{told}")
        kept = kept and share >= GOAL
    return kept


def run(command: list[str]) -> None:
    """Run a program, and fail with it."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def quiet(done: int, total: int | None, what: str) -> None:
    """Nobody wants to know."""


if __name__ == "__main__":
    main()
