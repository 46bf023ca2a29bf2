"""The Parabricks engine: `fq2bam`, then `haplotypecaller` or `deepvariant`, each a step that is not done again.

What Parabricks does not tell is counted as for the CPU engine: quality, and genotypes at given sites. An alignment that
was given is made ready as there, too: sorted, duplicates marked, contigs named as in the reference.
"""

from __future__ import annotations

import contextlib
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from varloom.dataset.durable import disk_full_told
from varloom.errors import VarloomError
from varloom.genomics.packing import Compression, compression_of
from varloom.processing import disk_space, fastq
from varloom.processing.alignment_file import contigs_of
from varloom.processing.checkpoints import Checkpoints
from varloom.processing.cpu import index, sites
from varloom.processing.cpu.aligning import Aligning
from varloom.processing.cpu.checking import check, identity, tools
from varloom.processing.cpu.read_groups import group_line, groups_of
from varloom.processing.cram import kept_alignment
from varloom.processing.doubts import doubts_of
from varloom.processing.life import Life
from varloom.processing.model import Analysed, Caller
from varloom.processing.parabricks import command, running
from varloom.processing.parabricks.container import end_container, in_container
from varloom.processing.parabricks.output import Reading
from varloom.processing.parabricks.problems import GPU_MEMORY, INDEX_MISSING
from varloom.processing.parabricks.separating import forget, separated
from varloom.processing.ploidy import ploidy_of, settled
from varloom.processing.ploidy_warnings import ploidy_warnings
from varloom.processing.programs import Stage, pipe
from varloom.processing.quality.summary import alignment_quality, variant_quality
from varloom.processing.results import link, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from varloom.processing.model import Analysis, Lane, Place, ReadsFile, Report
    from varloom.processing.parabricks.options import ParabricksOptions
    from varloom.processing.ploidy import Ploidy

NAME = "parabricks"
MARKED, CALLED, VARIANTS, GENOTYPED = "alignment.bam", "called.vcf", "variants.vcf.gz", "sites.vcf.gz"
_NAMES = {Caller.HAPLOTYPECALLER: "HaplotypeCaller", Caller.DEEPVARIANT: "DeepVariant"}
_SECONDS_TO_TELL = 10.0
"""For the version: a worker waits so long at its start."""
_INDEX_ENDS = (".amb", ".ann", ".bwt", ".pac", ".sa")


class ParabricksEngine:
    """Analysis on a GPU; see `Engine`."""

    name = NAME
    callers = frozenset({Caller.HAPLOTYPECALLER, Caller.DEEPVARIANT})

    def __init__(self, options: ParabricksOptions) -> None:
        self._options = options

    def unavailable(self) -> str | None:
        """Why it cannot run here: neither the program nor what runs its container is there."""
        if self._options.image is None:
            if shutil.which(command.PROGRAM):
                return None
            return (
                "Parabricks is not installed: there is no program `pbrun`, and no container is set "
                "(`parabricks_image`)."
            )
        runner = shlex.split(self._options.container_command)[0]
        return (
            None
            if shutil.which(runner)
            else f"Parabricks runs in a container here, and there is no program `{runner}`."
        )

    def version(self) -> str | None:
        """What the program tells, or the tag of the image: starting a container for it could take minutes."""
        if self._options.image is not None:
            _, _, tag = self._options.image.rpartition("/")[2].partition(":")
            return tag or None
        with contextlib.suppress(VarloomError):
            return running.version(command.VERSION, _SECONDS_TO_TELL)
        return None

    def run(self, analysis: Analysis, place: Place, report: Report) -> Analysed:
        """See `Engine`."""
        place.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        with disk_full_told("the analysis"), Checkpoints(place.checkpoints, identity(analysis, NAME)) as kept:
            return _Run(self._options, analysis, place, kept, report).result()


class _Run:
    """One run of the engine."""

    def __init__(
        self, options: ParabricksOptions, analysis: Analysis, place: Place, kept: Checkpoints, report: Report
    ) -> None:
        self._options = options
        self._analysis = analysis
        self._place = place
        self._kept = kept
        self._report = report
        self._fasta = analysis.reference.fasta
        self._alignment = kept.folder / MARKED

    def result(self) -> Analysed:
        """All steps."""
        wanted = sites.read_sites(self._analysis.sites, self._fasta) if self._analysis.sites is not None else None
        end_container(self._options, self._options.job)  # that of an attempt whose worker died
        version = self._kept.step("version", self._version)["version"]
        facts = check(self._analysis, self._kept, self._report)
        if self._analysis.reads.alignment is None:
            self._kept.step("marked", lambda: self._align(facts))
            forget(self._kept)
        else:
            Aligning(self._analysis, self._kept, self._place.work, self._report).reach(facts, self._alignment)
        quality = self._kept.step("quality", self._quality)
        self._kept.step("called", self._call)
        counts = self._kept.step("packed", self._pack)
        figures = settled(quality["sex_chromosomes"], self._analysis.sex_chromosomes)
        sex_chromosomes = {**figures, "variants_diploid": True}  # no documented option makes the callers do otherwise
        self._kept.hold_to("ploidy", {"used": sex_chromosomes["used"]}, ("genotyped",))
        ploidy = ploidy_of(contigs_of(self._fasta), sex_chromosomes["used"])
        known = self._kept.step("genotyped", lambda: self._genotyped(wanted, ploidy)) if wanted is not None else None
        alignment = kept_alignment(self._kept, MARKED, self._analysis, self._place.work, self._report)
        with disk_full_told("the results"):
            kept, names = self._kept.folder, (alignment.name, VARIANTS, *([GENOTYPED] if wanted else []))
            files = {name: publish(kept, name, self._place.output) for name in names}
        quality = {**quality, "sex_chromosomes": sex_chromosomes, "variants": counts, "sites": known}
        doubts = ploidy_warnings(
            sex_chromosomes,
            self._fasta,
            files[VARIANTS],
            files.get(GENOTYPED),
            diploid_caller=_NAMES[self._analysis.caller],
        )
        return Analysed(
            alignment=files[alignment.name],
            variants=files[VARIANTS],
            genotyped=files.get(GENOTYPED),
            quality=quality,
            engine=NAME,
            tools=(("Parabricks", version), *(tool for tool in tools() if tool[0] != "pybwa")),
            warnings=(
                *(problem.as_dict() for problem in (*doubts_of(facts, quality), *doubts)),
                *alignment.warnings,
            ),
        )

    # --- steps ----------------------------------------------------------------------------------------------------

    def _version(self) -> dict[str, Any]:
        self._report(0, None, "starting Parabricks")
        return {"version": running.version(self._contained(command.VERSION, ()))}

    def _align(self, facts: dict[str, Any]) -> dict[str, Any]:
        self._hold_to_disk([lane[1] for lane in facts["lanes"]])
        reference = self._indexed()
        counts = [lane[0] for lane in facts["lanes"]]
        lanes = separated(self._analysis.reads.lanes, counts, self._kept, self._place.work, self._report)
        files = self._linked(lanes)
        made = self._place.work / MARKED

        def asked(*, low_memory: bool) -> tuple[str, ...]:
            work = self._place.work
            return command.align(self._options, reference, files, output=made, work=work, low_memory=low_memory)

        told = self._saving_memory("fq2bam", "aligning reads", asked, reference)
        index_of_made = made.with_name(f"{MARKED}.bai")
        if not index_of_made.exists():
            pipe([Stage.samtools("index", "-@", self._analysis.threads, made)], Life(self._report, "alignment indexed"))
        self._kept.keep(index_of_made, f"{MARKED}.bai")
        self._kept.keep(made, MARKED)
        return told

    def _hold_to_disk(self, bases: Sequence[int]) -> None:
        """See that there is room: what Parabricks itself needs was not measured, and is taken as for the CPU engine."""
        lanes = self._analysis.reads.lanes
        wanted = disk_space.of_fastq(sum(bases), fastq.packed_bytes(lanes))
        in_turn = sum(number for lane, number in zip(lanes, bases, strict=True) if lane.is_interleaved)
        wanted += int(in_turn * disk_space.SEPARATED_BYTES_PER_BASE)
        if not index.is_built(self._analysis.reference):
            wanted += disk_space.of_index(sum(contigs_of(self._fasta).values()))
        there = sum(path.stat().st_size for path in self._kept.folder.glob("separated*.fastq.gz"))
        disk_space.hold_to(self._kept.folder, wanted - there)

    def _quality(self) -> dict[str, Any]:
        return alignment_quality(
            self._alignment, self._fasta, self._place.work, self._analysis.threads, Life(self._report, "quality counts")
        )

    def _call(self) -> dict[str, Any]:
        made = self._place.work / CALLED
        caller, work = self._analysis.caller, self._place.work

        def asked(*, low_memory: bool) -> tuple[str, ...]:
            return command.call(
                self._options, caller, self._fasta, self._alignment, output=made, work=work, low_memory=low_memory
            )

        told = self._saving_memory(caller.value, "calling variants", asked, self._fasta)
        self._kept.keep(made, CALLED)
        return told

    def _pack(self) -> dict[str, Any]:
        work, made = self._place.work, self._place.work / VARIANTS
        life = Life(self._report, "variants packed")
        pipe([Stage.bcftools("view", "--no-version", "-Oz", "-o", made, self._kept.folder / CALLED)], life)
        pipe([Stage.bcftools("index", "-t", "-f", made)], life)
        counts = variant_quality(made, work, life)
        self._kept.keep(made.with_name(f"{VARIANTS}.tbi"), f"{VARIANTS}.tbi")
        self._kept.keep(made, VARIANTS)
        (self._kept.folder / CALLED).unlink(missing_ok=True)
        return counts

    def _genotyped(self, wanted: list[sites.Site], ploidy: Ploidy) -> dict[str, Any]:
        made, life = self._place.work / GENOTYPED, Life(self._report, "sites genotyped")
        found = sites.genotype(self._alignment, self._fasta, wanted, ploidy, work=self._place.work, on_life=life)
        known = sites.write_sites(
            wanted,
            found,
            self._fasta,
            made,
            sample=self._analysis.sample,
            reference=self._analysis.reference.release,
            source="Varloom, bcftools on the alignment of Parabricks",
        )
        self._kept.keep(made.with_name(f"{GENOTYPED}.tbi"), f"{GENOTYPED}.tbi")
        self._kept.keep(made, GENOTYPED)
        return {"total": len(wanted), "known": known}

    # --- Parabricks itself ----------------------------------------------------------------------------------------

    def _saving_memory(
        self, step: str, what: str, asked: Callable[..., tuple[str, ...]], reference: Path
    ) -> dict[str, Any]:
        """Run a step; once more with less GPU memory after that has run out, where this is allowed."""
        policy = self._options.low_memory
        try:
            self._run(step, what, asked(low_memory=policy == "always"), reference)
        except VarloomError as error:
            if error.kind is not GPU_MEMORY or policy != "auto":
                raise
            self._report(0, None, f"{what}, again with less GPU memory")
            self._run(step, what, asked(low_memory=True), reference)
            return {"low_memory": True}
        return {"low_memory": policy == "always"}

    def _run(self, step: str, what: str, given: Sequence[str], reference: Path) -> None:
        reading = Reading(what, contigs_of(self._fasta))

        def on_line(line: str) -> None:
            standing = reading.read(line)
            if standing is not None:
                self._report(*standing)

        self._report(0, None, what)
        folders = [reference.parent, self._fasta.parent, self._place.work, self._kept.folder]
        running.run(self._contained(given, folders), step, on_line)

    def _contained(self, given: Sequence[str], folders: Sequence[Path]) -> tuple[str, ...]:
        return in_container(self._options, self._options.job, folders, given)

    def _linked(self, lanes: Sequence[Lane]) -> list[command.LaneFiles]:
        """The FASTQ files under names that tell their kind; symbolic links would lead out of a container."""
        folder = self._place.work / "reads"
        folder.mkdir(mode=0o700, exist_ok=True)
        files = []
        for number, (lane, group) in enumerate(zip(lanes, groups_of(lanes), strict=True), 1):
            first = _named(lane.first, folder / f"lane{number}_1")
            second = _named(lane.second, folder / f"lane{number}_2") if lane.second is not None else None
            line = group_line(group, self._analysis.sample).rstrip("\n").replace("\t", "\\t")
            files.append(command.LaneFiles(first, second, line))
        return files

    def _indexed(self) -> Path:
        """The FASTA with bwa's index beside it, in a folder of its own, without symbolic links.

        Raises:
            VarloomError: `parabricks_index` where nobody can build it.
        """
        folder = self._analysis.reference.indexes / f"parabricks-{index.fingerprint(self._fasta)}"
        fasta = folder / self._fasta.name
        ends = _INDEX_ENDS
        if all(fasta.with_name(fasta.name + end).exists() for end in ("", ".fai", *ends)):
            return fasta
        if not index.is_built(self._analysis.reference) and not _can_build():
            raise VarloomError(INDEX_MISSING, "The reference has no bwa index, and pybwa, which builds it, is missing.")
        prefix = index.bwa_index(self._analysis.reference, self._report)
        folder.mkdir(mode=0o700, exist_ok=True)
        for end in ends:
            link(prefix.with_name(prefix.name + end), fasta.with_name(fasta.name + end))
        link(self._fasta.with_name(f"{self._fasta.name}.fai"), fasta.with_name(f"{fasta.name}.fai"))
        link(self._fasta, fasta)
        return fasta


def _can_build() -> bool:
    import importlib.util

    return importlib.util.find_spec("pybwa") is not None


def _named(file: ReadsFile, path: Path) -> Path:
    with file.path.open("rb") as stored:
        packed = compression_of(stored.read(18)) is not Compression.NONE
    target = path.with_name(f"{path.name}.fastq{'.gz' if packed else ''}")
    link(file.path, target)
    return target
