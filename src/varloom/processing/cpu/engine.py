"""The CPU engine: from reads to variants with programs that come as Python packages.

Its steps, in order, each in a file of its own: the reads are checked (`checking`), aligned (`align`), sorted (`sort`),
duplicates are marked (`duplicates`), quality is counted (`quality.summary`), variants are called (`call`), and given
sites are genotyped (`sites`). The alignment is written as CRAM where that is wanted (`varloom.processing.cram`). A
finished step stays in the checkpoints.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from varloom.dataset.durable import disk_full_told
from varloom.processing.alignment_file import contigs_of
from varloom.processing.checkpoints import Checkpoints
from varloom.processing.cpu import call, header, sites
from varloom.processing.cpu.aligning import Aligning
from varloom.processing.cpu.checking import check, identity, tools
from varloom.processing.cram import kept_alignment
from varloom.processing.doubts import doubts_of
from varloom.processing.life import Life
from varloom.processing.model import Analysed, Caller
from varloom.processing.ploidy import ploidy_of, settled
from varloom.processing.ploidy_warnings import ploidy_warnings
from varloom.processing.quality.summary import alignment_quality, variant_quality
from varloom.processing.results import publish

if TYPE_CHECKING:
    from varloom.processing.model import Analysis, Place, Report
    from varloom.processing.ploidy import Ploidy

NAME = "cpu"
SORTED, MARKED, VARIANTS, GENOTYPED = "sorted.bam", "alignment.bam", "variants.vcf.gz", "sites.vcf.gz"
"""The files among the checkpoints; the last three are what is left in the end."""

REGIONS = "region-*.bcf"
"""What is called before it is joined."""


class CpuEngine:
    """bwa, samtools and bcftools; see `Engine`."""

    name = NAME
    callers = frozenset({Caller.BCFTOOLS})

    def unavailable(self) -> str | None:
        """Why it cannot run here: the optional package may be missing."""
        if importlib.util.find_spec("pybwa") is None:
            return (
                "The CPU engine needs the package pybwa, which is not installed: its aligner, bwa, is under the GPL, "
                "so it comes only with `pip install 'varloom[reads]'`."
            )
        return None

    def version(self) -> str | None:
        """Those of the aligner, and of the programs that sort and call."""
        return ", ".join(" ".join(tool) for tool in tools()[:3])

    def run(self, analysis: Analysis, place: Place, report: Report) -> Analysed:
        """See `Engine`."""
        place.work.mkdir(mode=0o700, parents=True, exist_ok=True)
        with disk_full_told("the analysis"), Checkpoints(place.checkpoints, identity(analysis, NAME)) as kept:
            return _Run(analysis, place, kept, report).result()


class _Run:
    """One run of the engine."""

    def __init__(self, analysis: Analysis, place: Place, kept: Checkpoints, report: Report) -> None:
        self._analysis = analysis
        self._place = place
        self._kept = kept
        self._report = report
        self._fasta = analysis.reference.fasta
        self._alignment = kept.folder / MARKED
        self._source = f"Varloom, {', '.join(' '.join(tool) for tool in tools())}"

    def result(self) -> Analysed:
        """All steps."""
        wanted = sites.read_sites(self._analysis.sites, self._fasta) if self._analysis.sites is not None else None
        facts = check(self._analysis, self._kept, self._report)
        Aligning(self._analysis, self._kept, self._place.work, self._report).reach(facts, self._alignment)
        quality = self._kept.step("quality", self._quality)
        sex_chromosomes = settled(quality["sex_chromosomes"], self._analysis.sex_chromosomes)
        used = sex_chromosomes["used"]
        self._kept.hold_to("ploidy", {"used": used}, ("called", "joined", "genotyped"), REGIONS)
        ploidy = ploidy_of(contigs_of(self._fasta), used)
        self._kept.step("called", lambda: self._called(ploidy))
        counts = self._kept.step("joined", self._joined)
        self._remove(REGIONS)
        known = self._kept.step("genotyped", lambda: self._genotyped(wanted, ploidy)) if wanted is not None else None
        alignment = kept_alignment(self._kept, MARKED, self._analysis, self._place.work, self._report)
        with disk_full_told("the results"):
            kept, output = self._kept.folder, self._place.output
            names = (alignment.name, VARIANTS, *([GENOTYPED] if wanted is not None else []))
            files = {name: publish(kept, name, output) for name in names}
        quality = {**quality, "sex_chromosomes": sex_chromosomes, "variants": counts, "sites": known}
        doubts = ploidy_warnings(sex_chromosomes, self._fasta, files[VARIANTS], files.get(GENOTYPED))
        return Analysed(
            alignment=files[alignment.name],
            variants=files[VARIANTS],
            genotyped=files.get(GENOTYPED),
            quality=quality,
            engine=NAME,
            tools=tools(),
            warnings=(*(problem.as_dict() for problem in (*doubts_of(facts, quality), *doubts)), *alignment.warnings),
        )

    def _quality(self) -> dict[str, Any]:
        return alignment_quality(
            self._alignment, self._fasta, self._place.work, self._analysis.threads, Life(self._report, "quality counts")
        )

    def _called(self, ploidy: Ploidy) -> dict[str, Any]:
        place = self._place
        return call.call(
            self._kept,
            self._alignment,
            self._fasta,
            ploidy=ploidy,
            work=place.work,
            threads=self._analysis.threads,
            report=self._report,
        )

    def _joined(self) -> dict[str, Any]:
        work, life = self._place.work, Life(self._report, "variants joined")
        files = sorted(self._kept.folder.glob(REGIONS))
        raw, named = work / "joined.vcf.gz", work / VARIANTS
        if files:
            call.join(files, self._fasta, raw, work, life)
        else:
            call.call_nothing(self._alignment, self._fasta, raw, work, life)
        header.name_sample(
            raw,
            named,
            work,
            sample=self._analysis.sample,
            reference=self._analysis.reference.release,
            source=self._source,
            on_life=life,
        )
        counts = variant_quality(named, work, life)
        self._kept.keep(named.with_name(f"{VARIANTS}.tbi"), f"{VARIANTS}.tbi")
        self._kept.keep(named, VARIANTS)
        return counts

    def _genotyped(self, wanted: list[sites.Site], ploidy: Ploidy) -> dict[str, Any]:
        work, life = self._place.work, Life(self._report, "sites genotyped")
        found = sites.genotype(self._alignment, self._fasta, wanted, ploidy, work=work, on_life=life)
        made = work / GENOTYPED
        known = sites.write_sites(
            wanted,
            found,
            self._fasta,
            made,
            sample=self._analysis.sample,
            reference=self._analysis.reference.release,
            source=self._source,
        )
        self._kept.keep(made.with_name(f"{GENOTYPED}.tbi"), f"{GENOTYPED}.tbi")
        self._kept.keep(made, GENOTYPED)
        return {"total": len(wanted), "known": known}

    def _remove(self, pattern: str) -> None:
        for path in self._kept.folder.glob(pattern):
            path.unlink(missing_ok=True)
