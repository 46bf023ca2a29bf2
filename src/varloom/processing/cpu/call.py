"""Step: variants are called, region by region in parallel, and joined to one VCF."""

from __future__ import annotations

import threading
import time
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

from varloom.dataset.durable import disk_full_told
from varloom.failpoints import failpoint
from varloom.processing.cpu.mitochondrion import as_one_copy
from varloom.processing.cpu.regions import reads_per_region, regions
from varloom.processing.life import Life
from varloom.processing.programs import Stage, pipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from varloom.processing.checkpoints import Checkpoints
    from varloom.processing.cpu.regions import Region
    from varloom.processing.model import Report
    from varloom.processing.ploidy import Ploidy

ANNOTATIONS = "FORMAT/AD,FORMAT/DP,FORMAT/SP,INFO/AD"
MAX_DEPTH = 1000
"""Reads beyond this depth are left out; bcftools' own default of 250 is less than panels have."""
NORMAL_REF = ("-c", "s")
"""For `bcftools norm`: a deletion's REF that has a code for several bases (`R`, as GRCh37 has on chr3) gets the first
of them, as the specification wants it. Without it such a record ends the whole analysis."""
_LIFE_SECONDS = 1.0
_SILENT_SECONDS = 60.0
"""After which it is told that the same number of regions goes on: their share is not shown until the next is done."""


class CallingStoppedError(Exception):
    """Another region has failed."""


def call(
    kept: Checkpoints, alignment: Path, fasta: Path, *, ploidy: Ploidy, work: Path, threads: int, report: Report
) -> dict[str, Any]:
    """Call the variants of all regions; each is a checkpoint of its own, `region-NNNN.bcf`.

    Args:
        kept: where the regions stay.
        alignment: a sorted BAM with its index.
        fasta: of the reference.
        ploidy: how many copies the sample has of what.
        work: for what is needed in between.
        threads: how many regions are called at once.
        report: told how many are done.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    groups = regions(alignment, reads_per_region(alignment, threads))
    stop = threading.Event()
    alive = threading.Event()
    files = [kept.folder / f"region-{number:04}.bcf" for number in range(len(groups))]

    def one(number: int) -> None:
        if not files[number].exists():
            made = work / files[number].name
            call_regions(
                alignment, fasta, groups[number], made, ploidy=ploidy, work=work, on_life=_watched(stop, alive)
            )
            failpoint("processing.call.region")
            kept.keep(made, files[number].name)

    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(one, number) for number in range(len(groups))]
        try:
            _wait(tasks, alive, report)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return {"regions": len(files)}


def _watched(stop: threading.Event, alive: threading.Event) -> Callable[[], None]:
    def on_life() -> None:
        if stop.is_set():
            raise CallingStoppedError
        alive.set()

    return on_life


def _wait(tasks: Sequence[Any], alive: threading.Event, report: Report) -> None:
    """Report how many regions are done while some one of them works; raise what one of them raised."""
    report(0, len(tasks), "regions called")
    told, told_at, life = 0, time.monotonic(), Life(report, "regions called")
    while True:
        finished, left = wait(tasks, timeout=_LIFE_SECONDS, return_when=FIRST_EXCEPTION)
        for task in finished:
            task.result()
        if len(finished) > told:
            told, told_at = len(finished), time.monotonic()
            report(told, len(tasks), "regions called")
        elif alive.is_set() and time.monotonic() - told_at > _SILENT_SECONDS:
            life()  # a whole chromosome without a gap in its reads takes hours
        alive.clear()
        if not left:
            return


def call_regions(
    alignment: Path,
    fasta: Path,
    wanted: Sequence[Region],
    output: Path,
    *,
    ploidy: Ploidy,
    work: Path,
    on_life: Callable[[], None],
) -> None:
    """The variants of some regions, as BCF.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    listed = work / f"{output.name}.regions"
    listed.write_text("".join(one.line() for one in wanted), encoding="utf-8")
    copies = ploidy.write(work / f"{output.name}.ploidy")
    pileup = Stage.bcftools("mpileup", *pileup_options(fasta), "-R", listed, alignment)
    if ploidy.mitochondrion not in {one.contig for one in wanted}:
        pipe([pileup, Stage.bcftools(*call_options(copies), "-v", "-Ob", "-o", output, "-")], on_life)
        return
    called, changed = work / f"{output.name}.vcf", work / f"{output.name}.changed.vcf"
    pipe([pileup, Stage.bcftools(*call_options(copies), "-v", "-Ov", "-o", called, "-")], on_life)
    with (
        disk_full_told("the variants"),
        called.open(encoding="utf-8") as lines,
        changed.open("w", encoding="utf-8") as text,
    ):
        text.writelines(as_one_copy(lines, ploidy.mitochondrion or ""))
    pipe([Stage.bcftools("view", "--no-version", "-Ob", "-o", output, changed)], on_life)


def call_options(copies: Path) -> tuple[object, ...]:
    """How genotypes are called, of variants and of sites alike; `copies` is the file of `Ploidy.write`."""
    return ("call", "-m", "-a", "GQ", "--ploidy-file", copies)


def pileup_options(fasta: Path) -> tuple[object, ...]:
    """How evidence is gathered, for variants and for sites alike."""
    return ("--no-version", "-Ou", "-f", fasta, "-d", MAX_DEPTH, "-a", ANNOTATIONS, "--ignore-RG")


def join(files: Sequence[Path], fasta: Path, output: Path, work: Path, on_life: Callable[[], None]) -> None:
    """One VCF from those of the regions, indels as far to the left as they go.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    listed = work / "regions.txt"
    listed.write_text("".join(f"{path}\n" for path in files), encoding="utf-8")
    pipe(
        [
            Stage.bcftools("concat", "--no-version", "-Ou", "-f", listed),
            Stage.bcftools("norm", "--no-version", *NORMAL_REF, "-f", fasta, "-Oz", "-o", output, "-"),
        ],
        on_life,
    )


def call_nothing(alignment: Path, fasta: Path, output: Path, work: Path, on_life: Callable[[], None]) -> None:
    """The VCF of an alignment in which no read is mapped: a header.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    empty = work / "nothing.bcf"
    pipe(
        [
            Stage.bcftools("mpileup", *pileup_options(fasta), alignment),
            Stage.bcftools("call", "-m", "-v", "-a", "GQ", "-Ob", "-o", empty, "-"),
        ],
        on_life,
    )
    join([empty], fasta, output, work, on_life)
