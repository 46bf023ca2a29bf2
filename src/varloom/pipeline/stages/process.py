"""The process stage: from reads to variants, and from variants to star alleles (PGx).

It leaves a folder with the alignment, the VCF, their indexes and the reports. The stages after it read that VCF instead
of what was uploaded. Finished steps of an engine stay for the next attempt, in a folder that belongs to the job.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.pins import PROCESS, Pin, Pins
from varloom.dataset.durable import disk_full_told, sync_directory, sync_file
from varloom.errors import VarloomError
from varloom.failpoints import failpoint
from varloom.pipeline.genomes import genomes_folder
from varloom.pipeline.request import Processing, StageResult
from varloom.pipeline.workspace import open_workspace
from varloom.processing import references
from varloom.processing.choice import AUTO, choose_engine
from varloom.processing.engines import engines
from varloom.processing.fastq import are_mates, is_interleaved
from varloom.processing.lanes import gather
from varloom.processing.model import AlignmentFormat, Analysis, Caller, Place, ReadsFile, SexChromosomes
from varloom.processing.reference_choice import chosen_reference
from varloom.storage import LocalCopies, connect
from varloom.storage.held_folder import hold

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.pipeline.request import StageRequest
    from varloom.pipeline.workspace import Report, Workspace
    from varloom.processing.choice import ChosenEngine
    from varloom.processing.model import Analysed, Reference
    from varloom.storage import Storage

COMPLETE = "processed.json"
"""Written last: what the folder holds."""
QUALITY = "quality.json"
"""What is known of the reads: see docs/reference/reads-quality.md."""
_INDEX = re.compile(r"\.(bai|crai|csi)$", re.IGNORECASE)
"""An index that was sent along with an alignment: engines make their own."""


class _Bench(NamedTuple):
    """What a stage works with.

    Attributes:
        work: a folder for what is needed in between.
    """

    storage: Storage
    library: ReferenceLibrary
    releases: _Releases
    work: Path
    report: Report


class _Releases(NamedTuple):
    """What a job works with: the genome to which reads are aligned, and what PGx is called with."""

    genome: ReleaseKey | None
    pgx: tuple[ReleaseKey, ...]


class _Made(NamedTuple):
    """What was made of the upload, in the output folder."""

    files: dict[str, Path]
    told: dict[str, Any]
    warnings: tuple[dict[str, Any], ...]


def run(request: StageRequest, report: Report) -> StageResult:
    """Analyse reads, call PGx, or both; `report` is told how far each step is.

    The result tells the storage key of the folder and the files in it by role, the engine, the tools and the releases.

    Raises:
        VarloomError: what is wrong with the reads, the reference data, the programs or the disk.
    """
    storage = connect(request.storage)
    with open_workspace(request, report, last=COMPLETE) as workspace:
        workspace.output.mkdir(parents=True, mode=0o700)
        failpoint("stage.after_folder")
        library = ReferenceLibrary(storage, _copies(request))
        releases = _pinned(request, library)
        with _work_folder(workspace.output) as work:
            made = _analyse(request, workspace, _Bench(storage, library, releases, work, report))
        files = [_described(role, path) for role, path in made.files.items()]
        _write(workspace.output / COMPLETE, {"files": files, **made.told})
        sync_directory(workspace.output)
    Pins(storage).remove(request.job, PROCESS)
    if request.scratch is not None:  # what was finished is in the storage now
        shutil.rmtree(_gathering(request, storage), ignore_errors=True)
    return StageResult({"key": request.output_key, "files": files, **made.told}, made.warnings)


@contextlib.contextmanager
def _work_folder(output: Path) -> Iterator[Path]:
    """Where an engine keeps what it needs in between: it is no part of what is left."""
    work = output / "work"
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _pinned(request: StageRequest, library: ReferenceLibrary) -> _Releases:
    """The releases of the job, which nobody removes before it is done with them.

    Those of its attempts before are taken again, so that finished steps fit, unless somebody asked anew, or they are
    not what the options mean, or not installed, any more.

    Raises:
        VarloomError: `reference_genome_missing`, `reference_genome_unchosen`, `pgx_definitions_missing`.
    """
    pins, installed = Pins(library.storage), tuple(library.newest_first())
    before = pins.of_job(request.job, PROCESS) if request.keeps_choice else None
    chosen = None
    if before is not None and set(before.releases) <= set(installed):
        with contextlib.suppress(VarloomError):
            chosen = _chosen(request, before.releases)
    chosen = chosen or _chosen(request, installed)
    genome = () if chosen.genome is None else (chosen.genome,)
    # in this order the same are chosen of them again
    releases = tuple(dict.fromkeys((*chosen.pgx, *genome)))
    pins.put(request.job, Pin(PROCESS, request.options.get("assembly") or "", releases), PROCESS)
    return chosen


def _chosen(request: StageRequest, installed: Sequence[ReleaseKey]) -> _Releases:
    """What the options mean of what is installed, the newest first."""
    options = request.options
    pgx: tuple[ReleaseKey, ...] = ()
    genome = None
    if options.get("reads"):
        genome = chosen_reference(installed, options.get("reference"), options.get("assembly"))
    if options.get("pgx"):
        from varloom.pipeline.pgx_step import releases_for_job  # few jobs call PGx

        pgx = releases_for_job(installed)
    return _Releases(genome, pgx)


def _analyse(request: StageRequest, workspace: Workspace, bench: _Bench) -> _Made:
    made = _from_reads(request, workspace, bench) if request.options.get("reads") else None
    return _with_pgx(request, workspace, bench, made) if request.options.get("pgx") else made or _Made({}, {}, ())


def _with_pgx(request: StageRequest, workspace: Workspace, bench: _Bench, made: _Made | None) -> _Made:
    """PGx calls of the VCF that was uploaded, or that was made of reads."""
    from varloom.pipeline.pgx_step import ROLE, PgxPlace, call_for_job  # few jobs call PGx

    if request.source is None:
        raise AssertionError("PGx calling needs a file")
    path, name, assembly = workspace.source, request.source.name, request.options.get("assembly")
    if made is not None:
        path = made.files.get("genotyped") or made.files["variants"]
        name, assembly = path.name, made.told["assembly"]
    bench.work.mkdir(mode=0o700, exist_ok=True)
    called = call_for_job(
        PgxPlace(path, name, assembly, bench.work, workspace.output, aligned_here=made is not None),
        request.options,
        bench.library,
        bench.releases.pgx,
        bench.report,
    )
    files, told = ({}, {}) if made is None else (made.files, made.told)
    told = {**told, "pgx_releases": [list(key) for key in called.releases], "pgx_counts": dict(called.counts)}
    return _Made({**files, ROLE: called.path}, told, ((made.warnings if made else ()) + called.warnings))


# --- Reads ----------------------------------------------------------------------------------------------------------


def _from_reads(request: StageRequest, workspace: Workspace, bench: _Bench) -> _Made:
    library, storage = bench.library, bench.storage
    processing = request.processing or Processing()
    given = [(workspace.source, request.source), *zip(workspace.further, request.further, strict=True)]
    files = [ReadsFile(path, file.name) for path, file in given if file is not None]
    reads = gather([file for file in files if not _INDEX.search(file.name)], is_interleaved, are_mates)
    key = bench.releases.genome
    if key is None:
        raise AssertionError("reads have a genome")
    caller = request.options.get("caller")
    chosen = choose_engine(
        engines(replace(processing.parabricks, job=request.job)),
        _engine_wanted(request, processing),
        Caller(caller) if caller else None,
    )

    root = genomes_folder(storage, request.scratch.sources if request.scratch else None)
    references.sweep(library, root)
    with (
        references.borrowed(library, key, root, bench.report) as reference,
        _checkpoints(request, storage) as checkpoints,
    ):
        place = Place(checkpoints, bench.work, workspace.output)
        sites = _sites(request, bench, reference)
        analysis = Analysis(
            reads,
            reference,
            _sample_name(request),
            chosen.caller,
            sites,
            processing.threads,
            alignment_format=AlignmentFormat(request.options.get("alignment_format") or AlignmentFormat.BAM),
            sex_chromosomes=SexChromosomes(request.options.get("sex_chromosomes") or SexChromosomes.AUTO),
        )
        failpoint("process.before_engine")
        analysed = chosen.engine.run(analysis, place, bench.report)
        failpoint("process.after_engine")
    return _made_of_reads(analysed, chosen, reference, workspace.output)


def _sites(request: StageRequest, bench: _Bench, reference: Reference) -> Path | None:
    """The positions that PGx calling needs, where that was chosen."""
    if not request.options.get("pgx"):
        return None
    from varloom.pipeline.pgx_sites import write_pgx_sites  # few jobs call PGx

    bench.work.mkdir(mode=0o700, exist_ok=True)
    return write_pgx_sites(bench.library, bench.releases.pgx, reference, bench.work / "pgx-sites.vcf")


def _engine_wanted(request: StageRequest, processing: Processing) -> str:
    wanted = request.options.get("engine") or AUTO
    return processing.engine if wanted == AUTO else str(wanted)


def _made_of_reads(analysed: Analysed, chosen: ChosenEngine, reference: Reference, output: Path) -> _Made:
    _write(output / QUALITY, analysed.quality)
    files = {
        "alignment": analysed.alignment,
        "alignment_index": _index_of(analysed.alignment),
        "variants": analysed.variants,
        "variants_index": analysed.variants.with_name(f"{analysed.variants.name}.tbi"),
        "quality": output / QUALITY,
    }
    if analysed.genotyped is not None:
        files["genotyped"] = analysed.genotyped
        files["genotyped_index"] = analysed.genotyped.with_name(f"{analysed.genotyped.name}.tbi")
    told = {
        "variants": analysed.variants.name,
        "assembly": reference.assembly,
        "engine": analysed.engine,
        "caller": chosen.caller.value,
        "reference": reference.release,
        "tools": [list(tool) for tool in analysed.tools],
    }
    return _Made(files, told, analysed.warnings)


def _index_of(alignment: Path) -> Path:
    return alignment.with_name(f"{alignment.name}.{'crai' if alignment.suffix == '.cram' else 'bai'}")


def _sample_name(request: StageRequest) -> str:
    """As read groups and the VCF can carry it."""
    name = "".join(char if (char.isascii() and char.isalnum()) or char in "._-" else "_" for char in request.sample)
    return name.strip("_") or "sample"


# --- Folders --------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _checkpoints(request: StageRequest, storage: Storage) -> Iterator[Path]:
    """The folder of the job for finished steps; the engine removes from it what another analysis left.

    Another folder is taken while the process of an attempt that was given up for dead goes on in that.
    """
    gathering = _gathering(request, storage)
    with contextlib.ExitStack() as held, disk_full_told("the alignment"):
        try:
            descriptor = hold(gathering)
        except BlockingIOError:
            gathering /= f"beside-{request.output_key.rpartition('/')[2]}"
            descriptor = hold(gathering)
            held.callback(shutil.rmtree, gathering, ignore_errors=True)
        held.callback(os.close, descriptor)
        yield gathering / "steps"


def _gathering(request: StageRequest, storage: Storage) -> Path:
    """The job's own folder, on the disk on which the result will be kept, where that is on this machine."""
    folder = storage.local_path(f"processing/{request.job}")
    if folder is not None:
        return folder
    if request.scratch is None:
        raise AssertionError("a storage on another machine needs scratch space")
    return request.scratch.downloads / f"processing-{request.job}"


def _copies(request: StageRequest) -> LocalCopies | None:
    """Where releases are copied to out of an object store; they stay for the next jobs."""
    if request.scratch is None:
        return None
    return LocalCopies(request.scratch.sources.with_name("references"), request.scratch.sources_limit)


def _write(path: Path, values: dict[str, Any]) -> None:
    with disk_full_told("the result"):
        path.write_text(json.dumps(values, indent=1), encoding="utf-8")


def _described(role: str, path: Path) -> dict[str, Any]:
    """A file of the result: durable from here on. A checksum is taken of what is read again by a later stage."""
    sync_file(path)
    sha256 = None
    if role == "variants":
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return {"role": role, "name": path.name, "bytes": path.stat().st_size, "sha256": sha256}
