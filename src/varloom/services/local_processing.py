"""Secondary analysis without a server: from files of reads to files of results in a folder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from varloom.annotation.source import Need
from varloom.dataset.durable import disk_full_told, write_atomically
from varloom.errors import VarloomError
from varloom.processing import references
from varloom.processing.engines import engine_named
from varloom.processing.fastq import are_mates, is_interleaved
from varloom.processing.lanes import gather, mate_name
from varloom.processing.model import AlignmentFormat, Analysis, Caller, Place, ReadsFile, SexChromosomes
from varloom.processing.problems import CALLER_UNAVAILABLE, REFERENCE_GENOME_MISSING
from varloom.services.references import open_library
from varloom.settings import load_settings
from varloom.storage.held_folder import hold

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.genomics.assemblies import Assembly
    from varloom.processing.model import Analysed, Reference, Report

CHECKPOINTS, WORK, STEPS = ".checkpoints", ".work", "steps"
"""Folders of the output while the analysis is not finished; the last one is in the first."""
INDEXES = "reference-indexes"
"""The folder of the data folder with what engines build of reference genomes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be done.

    Attributes:
        reads: FASTQ files, or one BAM or CRAM.
        directory: for the results; made when missing.
        fasta: the reference; None takes the newest installed genome of the assembly.
        assembly: of the reference.
        sample: the sample's name; None takes it from the first file.
        engine: its name.
        caller: its name.
        sites: a VCF, or None; see `Analysis`.
        threads: how many processors.
        alignment_format: `bam` or `cram`.
        sex_chromosomes: of the sample, as `SexChromosomes` names them.
    """

    reads: tuple[Path, ...]
    directory: Path
    fasta: Path | None
    assembly: Assembly
    sample: str | None
    engine: str
    caller: str
    sites: Path | None
    threads: int
    alignment_format: str = AlignmentFormat.BAM.value
    sex_chromosomes: str = "auto"


def processed(wanted: Wanted, report: Report, *, data: Path | None, storage: str | None) -> Analysed:
    """Analyse reads; the results and `quality.json` are in the folder in the end, and nothing else.

    Raises:
        VarloomError: what is wrong with the reads, the reference, the engine or the disk.
    """
    settings = load_settings(data=data, storage=storage)
    caller = _caller(wanted.caller)
    engine = engine_named(wanted.engine, caller)
    # Absolute, as programs would take the name of a file that begins with a dash for an option.
    reads = gather([ReadsFile(path.absolute(), path.name) for path in wanted.reads], is_interleaved, are_mates)
    sample = wanted.sample or _sample_name(wanted.reads[0].name)
    output = wanted.directory.absolute()
    place = Place(output / CHECKPOINTS / STEPS, output / WORK, output)
    output.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        held.callback(os.close, hold(output / CHECKPOINTS))  # before anything of another process can be removed
        shutil.rmtree(place.work, ignore_errors=True)
        held.callback(shutil.rmtree, place.work, ignore_errors=True)
        with _reference(wanted, settings.data / INDEXES, report, data=data, storage=storage) as reference:
            analysis = Analysis(
                reads,
                reference,
                sample,
                caller,
                wanted.sites.absolute() if wanted.sites is not None else None,
                wanted.threads,
                alignment_format=AlignmentFormat(wanted.alignment_format),
                sex_chromosomes=SexChromosomes(wanted.sex_chromosomes),
            )
            made = engine.run(analysis, place, report)
        with disk_full_told("the quality summary"):
            told = json.dumps(made.quality, indent=1).encode() + b"\n"
            write_atomically(wanted.directory / "quality.json", told)
        shutil.rmtree(output / CHECKPOINTS, ignore_errors=True)
    return replace(
        made,
        alignment=wanted.directory / made.alignment.name,
        variants=wanted.directory / made.variants.name,
        genotyped=wanted.directory / made.genotyped.name if made.genotyped is not None else None,
    )


@contextlib.contextmanager
def _reference(
    wanted: Wanted, indexes: Path, report: Report, *, data: Path | None, storage: str | None
) -> Iterator[Reference]:
    """The genome: a file of the user's own, or the newest that is installed."""
    if wanted.fasta is not None:
        yield references.from_fasta(wanted.fasta.absolute(), wanted.assembly, indexes, report)
        return
    library = open_library(load_settings(data=data, storage=storage))
    release = library.newest(Need("fasta"), wanted.assembly)
    if release is None:
        raise VarloomError(REFERENCE_GENOME_MISSING, f"No genome of {wanted.assembly} is installed.")
    references.sweep(library, indexes)
    with references.borrowed(library, release.key, indexes, report) as reference:
        yield reference


def _caller(name: str) -> Caller:
    try:
        return Caller(name)
    except ValueError:
        known = ", ".join(caller.value for caller in Caller)
        raise VarloomError(CALLER_UNAVAILABLE, f"There is no caller {name!r}: there are {known}.") from None


def _sample_name(file: str) -> str:
    """The sample by the name of a file: without mate, lane and number, as Illumina's programs add them."""
    lane = mate_name(re.sub(r"\.(bam|cram)$", "", file, flags=re.IGNORECASE)).lane
    bare = re.sub(r"[._-]?(R|read_?)?\?.*$", "", lane, flags=re.IGNORECASE)
    return re.sub(r"(_S\d+)?(_L\d{3})?$", "", bare) or "sample"
