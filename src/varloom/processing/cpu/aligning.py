"""The way from checked reads to a sorted BAM with marked duplicates: for FASTQ, and for what is aligned already."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError, safe_excerpt
from varloom.processing import disk_space, fastq
from varloom.processing.alignment_file import AlignmentFacts, contigs_of, damage_told
from varloom.processing.cpu import align, duplicates, index, read_groups, sort
from varloom.processing.cpu.aligner import LaneTask, Task
from varloom.processing.cpu.checking import tools
from varloom.processing.cpu.read_groups import ReadGroup
from varloom.processing.cram_bases import bases_of_cram
from varloom.processing.life import Life
from varloom.processing.model import Lane, ReadsFile
from varloom.processing.problems import ALIGNMENT_MALFORMED, READS_EMPTY
from varloom.processing.programs import Stage, pipe

if TYPE_CHECKING:
    from pathlib import Path

    from varloom.processing.checkpoints import Checkpoints
    from varloom.processing.model import Analysis, Report

BATCHES = "batches"
_SORTED = "sorted.bam"
_PARTS = ("pairs.fastq.gz", "orphans.fastq.gz", "singles.fastq.gz")
"""What an unaligned BAM is taken apart into."""
_NOT_PRIMARY = 0x900
_ONE_NAME = (
    "Give the reads of each run for themselves, as FASTQ by lane: files that were joined have the same names twice.",
    "Or make the names differ, for example by the run before each, and give the file again.",
)


class Aligning:
    """The steps of one analysis from `checked` to `marked`."""

    def __init__(self, analysis: Analysis, kept: Checkpoints, work: Path, report: Report) -> None:
        """See `Analysis` and `Place`."""
        self._analysis = analysis
        self._kept = kept
        self._work = work
        self._report = report
        self._fasta = analysis.reference.fasta
        self._sorted = kept.folder / _SORTED

    def reach(self, checked: dict[str, Any], alignment: Path) -> None:
        """Leave the finished alignment and its index among the checkpoints.

        Args:
            checked: see `checking.check`.
            alignment: where it goes.

        Raises:
            VarloomError: `disk_too_small`, or those of the steps.
        """
        facts = AlignmentFacts(**checked["alignment"]) if "alignment" in checked else None
        if facts is not None and facts.is_aligned:
            self._kept.step("sorted", lambda: self._sort_given(facts))
            self._kept.step("marked", lambda: self._mark(alignment, is_marked=facts.is_marked))
        else:
            lanes, counts = self._lanes(facts, checked)
            self._kept.step("aligned", lambda: self._align(lanes, counts, facts))
            self._kept.step("sorted", self._sort_batches)
            shutil.rmtree(self._kept.folder / BATCHES, ignore_errors=True)
            self._kept.step("marked", lambda: self._mark(alignment, is_marked=False))
            for part in _PARTS:
                (self._kept.folder / part).unlink(missing_ok=True)
        self._sorted.unlink(missing_ok=True)

    # --- reads that are to be aligned -----------------------------------------------------------------------------

    def _lanes(self, facts: AlignmentFacts | None, checked: dict[str, Any]) -> tuple[list[Lane], list[list[int]]]:
        """The lanes of FASTQ with their reads and bases; an unaligned BAM is taken apart first."""
        if facts is None:
            return list(self._analysis.reads.lanes), checked["lanes"]
        told = self._kept.step("parted", lambda: self._take_apart(is_cram=facts.is_cram))
        lanes = [
            Lane(ReadsFile(self._kept.folder / name, name), is_interleaved=name == _PARTS[0])
            for name in _PARTS
            if name in told
        ]
        return lanes, [told[lane.first.name] for lane in lanes]

    def _take_apart(self, *, is_cram: bool) -> dict[str, Any]:
        """FASTQ out of the reads of a BAM or CRAM: pairs, reads whose mate is missing, and reads without mates."""
        given = self._analysis.reads.alignment
        if given is None:
            raise AssertionError("there is FASTQ or an alignment")
        self._hold_to_disk(disk_space.of_unaligned(*_size_of(given, is_cram=is_cram), is_cram=is_cram))
        pairs, orphans, singles = (self._work / name for name in _PARTS)
        counts = self._work / "taken.json"
        with damage_told(given):
            pipe(
                [
                    Stage.samtools(
                        "collate",
                        "--no-PG",
                        "-u",
                        "-O",
                        "-T",
                        self._work / "collate",
                        "--reference",
                        self._fasta,
                        given.path,
                    ),
                    Stage.samtools("view", "--no-PG", "-u", "-F", _NOT_PRIMARY, "--save-counts", counts, "-"),
                    Stage.samtools("fastq", "-n", "-c", 1, "-T", "RG", "-o", pairs, "-s", orphans, "-0", singles, "-"),
                ],
                Life(self._report, "reads taken out of the alignment"),
            )
        held = json.loads(counts.read_text(encoding="utf-8"))["records_filter_accepted"]
        told: dict[str, Any] = {}
        for path in (pairs, orphans, singles):
            lane = Lane(ReadsFile(path, path.name), is_interleaved=path is pairs)
            try:
                told[path.name] = list(fastq.count(lane))
            except VarloomError as error:
                if error.kind is not READS_EMPTY:
                    raise
            else:
                self._kept.keep(path, path.name)
        if not told:
            raise VarloomError(READS_EMPTY, f"{given.name} holds no read.")
        taken = sum(reads for reads, _ in told.values())
        if taken != held:  # of those with one name samtools keeps one
            message = (
                f"{safe_excerpt(given.name, 80)} holds {held:,} reads, of which {held - taken:,} have the name "
                "of another read: it cannot be told which are mates."
            )
            raise VarloomError(ALIGNMENT_MALFORMED, message, resolution=_ONE_NAME)
        return told

    def _align(self, lanes: list[Lane], counts: list[list[int]], facts: AlignmentFacts | None) -> dict[str, Any]:
        reads, bases = (sum(column) for column in zip(*counts, strict=True))
        self._hold_to_disk(disk_space.of_fastq(bases, fastq.packed_bytes(lanes)))
        prefix = index.bwa_index(self._analysis.reference, self._report)
        batches, header = self._kept.folder / BATCHES, self._work / "header.sam"
        batches.mkdir(mode=0o700, exist_ok=True)
        groups = self._groups(lanes, facts)
        lines = self._group_lines(groups, facts)
        read_groups.write_header(header, contigs_of(self._fasta), lines, _programs())
        tasks = tuple(
            LaneTask(
                (str(lane.first.path), lane.first.name),
                (str(lane.second.path), lane.second.name) if lane.second else None,
                lane.is_interleaved,
                group.id if group is not None else None,
            )
            for lane, group in zip(lanes, groups, strict=True)
        )
        task = Task(str(prefix), str(header), tasks, str(batches), str(self._work), self._analysis.threads)
        return align.align(task, reads, self._report)

    def _groups(self, lanes: list[Lane], facts: AlignmentFacts | None) -> list[ReadGroup | None]:
        """The read group of each lane; None where its reads tell theirs."""
        if facts is not None and facts.has_groups and facts.groups:
            return [None] * len(lanes)
        if facts is not None:
            return [ReadGroup("reads", "reads")] * len(lanes)
        return list(read_groups.groups_of(lanes))

    def _group_lines(self, groups: list[ReadGroup | None], facts: AlignmentFacts | None) -> list[str]:
        sample = self._analysis.sample
        new = {group.id: read_groups.group_line(group, sample) for group in groups if group is not None}
        if new or facts is None:
            return list(new.values())
        return ["@RG\t" + "\t".join(f"{key}:{value}" for key, value in group.items()) + "\n" for group in facts.groups]

    def _hold_to_disk(self, wanted: int) -> None:
        """See that there is room for reads that are to be aligned, what is done of it, and the aligner's index."""
        if not index.is_built(self._analysis.reference):
            wanted += disk_space.of_index(sum(contigs_of(self._fasta).values()))
        there = sum(path.stat().st_size for path in (self._kept.folder / BATCHES).glob("*.bam"))
        disk_space.hold_to(self._kept.folder, wanted - there)

    def _sort_batches(self) -> dict[str, Any]:
        made = self._work / _SORTED
        files = align.batch_files(self._kept.folder / BATCHES)
        sort.sort_batches(files, made, self._work, self._analysis.threads, Life(self._report, "reads sorted"))
        self._kept.keep(made, _SORTED)
        return {"batches": len(files)}

    # --- reads that are aligned -----------------------------------------------------------------------------------

    def _sort_given(self, facts: AlignmentFacts) -> dict[str, Any]:
        """The uploaded alignment as a sorted BAM; what is as it has to be is not touched."""
        given = self._analysis.reads.alignment
        if given is None:
            raise AssertionError("there is FASTQ or an alignment")
        made = self._work / _SORTED
        is_ready = facts.is_sorted and facts.is_marked and facts.has_groups and not facts.is_cram and not facts.renamed
        size, is_cram = _size_of(given, is_cram=facts.is_cram), facts.is_cram
        disk_space.hold_to(self._kept.folder, disk_space.of_alignment(*size, is_cram=is_cram, is_ready=is_ready))
        if is_ready:
            shutil.copyfile(given.path, made)
        else:
            with damage_told(given):
                sort.sort_alignment(
                    given.path,
                    self._fasta,
                    made,
                    work=self._work,
                    threads=self._analysis.threads,
                    on_life=Life(self._report, "reads sorted"),
                    before=self._before_sorting(given, facts),
                    needs_mates=not facts.is_marked,
                )
        self._kept.keep(made, _SORTED)
        return {"changed": not is_ready}

    def _before_sorting(self, given: ReadsFile, facts: AlignmentFacts) -> list[Stage]:
        """What mends the header: contigs under the reference's names, and a read group where there is none."""
        stages = []
        if facts.renamed:
            header = self._work / "renamed.sam"
            header.write_text(facts.renamed, encoding="utf-8")
            stages.append(Stage.samtools("reheader", "--no-PG", header, given.path))
        if not facts.has_groups:
            line = read_groups.group_line(ReadGroup("reads", "reads"), self._analysis.sample).rstrip("\n")
            source = "-" if stages else given.path
            reference = ("--reference", self._fasta) if facts.is_cram else ()
            options = ("--no-PG", "-u", "-m", "orphan_only", "-r", line.replace("\t", "\\t"), *reference)
            stages.append(Stage.samtools("addreplacerg", *options, source))
        return stages

    def _mark(self, alignment: Path, *, is_marked: bool) -> dict[str, Any]:
        made, life = self._work / alignment.name, Life(self._report, "duplicates marked")
        given = self._analysis.reads.alignment
        if is_marked and given is not None:
            shutil.copyfile(self._sorted, made)
            with damage_told(given):
                duplicates.index(made, self._analysis.threads, life)
        else:
            duplicates.mark_duplicates(self._sorted, made, self._work, self._analysis.threads, life)
        self._kept.keep(made.with_name(f"{made.name}.bai"), f"{alignment.name}.bai")
        self._kept.keep(made, alignment.name)
        return {"marked_before": is_marked}


def _size_of(given: ReadsFile, *, is_cram: bool) -> tuple[int, int | None]:
    """The bytes of an alignment, and of a CRAM its bases, where they are told."""
    return given.path.stat().st_size, bases_of_cram(given.path) if is_cram else None


def _programs() -> str:
    """What has made the alignment, as lines of its header: without paths, which programs themselves would write."""
    versions = dict(tools())
    return (
        f"@PG\tID:bwa\tPN:bwa\tVN:pybwa-{versions['pybwa']}\tCL:bwa mem\n"
        f"@PG\tID:samtools\tPN:samtools\tPP:bwa\tVN:{versions['samtools']}\tCL:samtools fixmate, sort, markdup\n"
    )
