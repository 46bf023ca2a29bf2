"""The quality summary: counted by samtools and bcftools, put together as plain JSON.

Its fields are told in `docs/reference/reads-quality.md`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from varloom.processing.alignment_file import contigs_of
from varloom.processing.programs import Pipe, Stage, pipes
from varloom.processing.quality.sex_chromosomes import estimate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Quality = dict[str, Any]

FORMAT_VERSION = 1
DEPTHS = (1, 10, 20, 30)
"""The share of the reference that has at least so many reads is told."""
DEEPEST = 1000
"""Deeper places are counted with these."""


def alignment_quality(alignment: Path, fasta: Path, work: Path, threads: int, on_life: Callable[[], None]) -> Quality:
    """Counts of reads, sizes of inserts, depths and sex chromosomes of a sorted BAM whose duplicates are marked.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    files = {name: work / f"quality.{name}" for name in ("coverage", "stats", "flagstat")}
    stages = (
        Stage.samtools("coverage", alignment),
        Stage.samtools("stats", "-d", "-p", "-c", f"1,{DEEPEST},1", "-i", 5000, alignment),
        Stage.samtools("flagstat", "-O", "json", alignment),
    )
    counting = [Pipe((stage,), output) for stage, output in zip(stages, files.values(), strict=True)]
    pipes(counting, on_life, together=threads > 1)
    stats = _sections(files["stats"])
    return {
        "format_version": FORMAT_VERSION,
        "reads": _reads(json.loads(files["flagstat"].read_text(encoding="utf-8")), stats),
        "insert_size": _insert_size(stats),
        "depth": _depth(stats, files["coverage"], sum(contigs_of(fasta).values())),
        "sex_chromosomes": estimate(alignment, fasta, work, on_life),
    }


def variant_quality(variants: Path, work: Path, on_life: Callable[[], None]) -> Quality:
    """Counts of the variants of a VCF with one sample.

    Raises:
        VarloomError: `program_failed`, `disk_full`.
    """
    told, texts = work / "quality.variants", work / "quality.genotypes"
    counting = Pipe((Stage.bcftools("stats", "-s", "-", variants),), told)
    listing = Pipe((Stage.bcftools("query", "-f", "[%GT]\\n", "-o", texts, variants),))
    pipes([counting, listing], on_life)
    sections = _sections(told)
    genotypes = _genotypes(texts)
    numbers = {line[1].rstrip(":"): int(line[2]) for line in sections.get("SN", [])}
    transitions, transversions = (int(value) for value in sections["TSTV"][0][1:3]) if "TSTV" in sections else (0, 0)
    return {
        "records": numbers.get("number of records", 0),
        "snps": numbers.get("number of SNPs", 0),
        "indels": numbers.get("number of indels", 0),
        "transitions": transitions,
        "transversions": transversions,
        "ti_tv": round(transitions / transversions, 3) if transversions else None,
        "heterozygous": sum(count for alleles, count in genotypes.items() if len(set(alleles)) > 1),
        "homozygous": sum(
            count
            for alleles, count in genotypes.items()
            if len(alleles) > 1 and len(set(alleles)) == 1 and alleles[0] != "0"
        ),
        "of_one_copy": sum(count for alleles, count in genotypes.items() if len(alleles) == 1 and alleles[0] != "0"),
    }


def _genotypes(texts: Path) -> Counter[tuple[str, ...]]:
    """How often each genotype is there, by its alleles; bcftools counts those of indels apart, and some twice."""
    found: Counter[tuple[str, ...]] = Counter()
    with texts.open(encoding="utf-8") as lines:
        for text, count in Counter(lines).items():
            alleles = tuple(text.rstrip("\n").replace("|", "/").split("/"))
            if "." not in alleles:
                found[alleles] += count
    return found


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """Lines of a report by their first word, each as its other columns."""
    found: dict[str, list[list[str]]] = {}
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if not line.startswith("#"):
                name, *values = line.rstrip("\n").split("\t")
                found.setdefault(name, []).append(values)
    return found


def _reads(flagstat: dict[str, Any], stats: dict[str, list[list[str]]]) -> Quality:
    """Primary alignments alone are reads."""
    passed, failing = flagstat["QC-passed reads"], flagstat["QC-failed reads"]

    def both(name: str) -> int:
        return int(passed.get(name) or 0) + int(failing.get(name) or 0)

    numbers = {line[0].rstrip(":"): line[1] for line in stats.get("SN", [])}
    total = both("primary")
    return {
        "total": total,
        "mapped": both("primary mapped"),
        "mapped_share": _share(both("primary mapped"), total),
        "paired": both("paired in sequencing"),
        "properly_paired": both("properly paired"),
        "properly_paired_share": _share(both("properly paired"), both("paired in sequencing")),
        "duplicates": both("primary duplicates"),
        "duplicate_share": _share(both("primary duplicates"), both("primary mapped")),
        "secondary": both("secondary"),
        "supplementary": both("supplementary"),
        "mean_length": float(numbers.get("average length", 0)),
        "mean_quality": float(numbers.get("average quality", 0)),
        "mismatch_share": float(numbers.get("error rate", 0)),
    }


def _insert_size(stats: dict[str, list[list[str]]]) -> Quality | None:
    """Of pairs that lie towards each other; None for single reads."""
    histogram = [[int(line[0]), int(line[2])] for line in stats.get("IS", []) if int(line[2])]
    pairs = sum(count for _, count in histogram)
    if not pairs:
        return None
    mean = sum(size * count for size, count in histogram) / pairs
    deviation = (sum((size - mean) ** 2 * count for size, count in histogram) / pairs) ** 0.5
    return {
        "pairs": pairs,
        "mean": round(mean, 1),
        "median": _median(histogram, pairs),
        "deviation": round(deviation, 1),
        "histogram": histogram,
    }


def _median(histogram: list[list[int]], total: int) -> int:
    passed = 0
    for value, count in histogram:
        passed += count
        if 2 * passed >= total:
            return value
    return 0


def _depth(stats: dict[str, list[list[str]]], coverage: Path, reference_bases: int) -> Quality:
    counted = [(min(int(line[1]), DEEPEST), int(line[2])) for line in stats.get("COV", [])]
    by_depth: dict[int, int] = {}
    for depth, bases in counted:
        by_depth[depth] = by_depth.get(depth, 0) + bases
    covered = sum(by_depth.values())
    by_depth[0] = max(0, reference_bases - covered)
    contigs = list(_contigs(coverage))
    total = sum(contig["mean_depth"] * contig["length"] for contig in contigs)
    return {
        "mean": round(total / reference_bases, 2) if reference_bases else 0.0,
        "mean_covered": round(total / covered, 2) if covered else 0.0,
        "at_least": {
            str(least): _share(sum(bases for depth, bases in by_depth.items() if depth >= least), reference_bases)
            for least in DEPTHS
        },
        "histogram": [[depth, bases] for depth, bases in sorted(by_depth.items()) if bases],
        "contigs": contigs,
    }


def _contigs(coverage: Path) -> Iterator[Quality]:
    for line in coverage.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, first, last, reads, bases, _, depth, *_ = line.split("\t")
        length = int(last) - int(first) + 1
        yield {
            "contig": name,
            "length": length,
            "reads": int(reads),
            "covered_share": _share(int(bases), length),
            "mean_depth": float(depth),
        }


def _share(part: int, whole: int) -> float:
    return round(part / whole, 5) if whole else 0.0
