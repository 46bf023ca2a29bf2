"""How an installed reference genome, or a FASTA file, becomes what engines can align to.

An installed genome is packed with bgzip; aligners want it plain. It is unpacked once, into a folder of its own under a
root that outlives jobs, where engines leave their indexes, too:

```
ROOT/
  GRCh38-NAME-RELEASE.lock       held shared by whoever uses the genome, alone by who removes it
  GRCh38-NAME-RELEASE/
    release.json                 of which release; it makes the genome complete
    genome.fa, genome.fa.fai
    indexes/                     see `Reference.indexes`
```

`sweep` removes the folders of releases that are not installed any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import time
from typing import TYPE_CHECKING

from varloom.annotation.refs.genome import GENOME
from varloom.dataset.durable import disk_full_told, sync_file, write_atomically
from varloom.errors import VarloomError, safe_excerpt
from varloom.failpoints import failpoint
from varloom.genomics.packing import BGZIP_END, Compression, compression_of
from varloom.processing.model import Reference
from varloom.processing.problems import REFERENCE_UNUSABLE
from varloom.storage.held_folder import locked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from varloom.annotation.model import ReleaseKey
    from varloom.annotation.refs.library import ReferenceLibrary
    from varloom.genomics.assemblies import Assembly
    from varloom.processing.model import Report

FASTA, FAI, MARK, INDEXES = "genome.fa", "genome.fa.fai", "release.json", "indexes"
_CHUNK = 4 << 20
_LONGEST_INDEXED = 1 << 29


@contextlib.contextmanager
def borrowed(library: ReferenceLibrary, key: ReleaseKey, root: Path, report: Report) -> Iterator[Reference]:
    """An installed genome, ready for engines; it stays until the block ends.

    Args:
        library: where it is installed.
        key: of a release of kind `fasta`.
        root: a folder on this machine that outlives jobs.
        report: told how many bytes are unpacked, when they have to be.

    Raises:
        VarloomError: `reference_missing`, `reference_damaged`, `disk_full`.
    """
    folder = root / folder_name(key)
    with contextlib.ExitStack() as held:
        while True:
            with disk_full_told("the reference genome"):
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
            with contextlib.ExitStack() as shared:
                shared.enter_context(locked(_lock_of(folder), fcntl.LOCK_SH))
                if (folder / MARK).exists():
                    held.push(shared.pop_all())
                    break
            _unpack(library, key, folder, report)
        yield Reference(folder / FASTA, folder / INDEXES, key.assembly, f"{key.name} {key.release}")


def folder_name(key: ReleaseKey) -> str:
    """The folder of a release's genome."""
    return f"{key.assembly}-{key.name}-{key.release}"


def sweep(library: ReferenceLibrary, root: Path) -> int:
    """Remove the unused genomes of releases that are not installed any more; how many those were.

    Nothing is removed while a release cannot be read: it may be one of these, and an index takes an hour.
    """
    if not root.is_dir():
        return 0
    folders = [folder for folder in root.iterdir() if folder.is_dir() and not folder.name.startswith("file-")]
    unreadable: list[VarloomError] = []
    releases = library.releases(unreadable.append) if folders else []
    installed = {folder_name(release.key) for release in releases if release.kind == "fasta"}
    removed = 0
    for folder in folders:
        if unreadable or _release_of(folder) in installed:
            continue
        lock = _lock_of(folder.with_name(_release_of(folder)))
        with contextlib.suppress(BlockingIOError), locked(lock, fcntl.LOCK_EX | fcntl.LOCK_NB):
            if folder.exists():  # another may have been faster
                shutil.rmtree(folder)
                removed += 1
    return removed


def _release_of(folder: Path) -> str:
    """What `folder_name` gives for the release of a folder, finished or not."""
    return folder.name.removesuffix(".unfinished")


def _unpack(library: ReferenceLibrary, key: ReleaseKey, folder: Path, report: Report) -> None:
    """Unpack beside the place, then move there, unless somebody else has done so meanwhile."""
    with library.borrow(key) as installed, locked(_lock_of(folder), fcntl.LOCK_EX), disk_full_told("the genome"):
        if (folder / MARK).exists():
            return
        unfinished = folder.with_name(f"{folder.name}.unfinished")
        for left in (unfinished, folder):
            shutil.rmtree(left, ignore_errors=True)
        (unfinished / INDEXES).mkdir(mode=0o700, parents=True)
        source = installed.folder / GENOME
        _unpack_file(source, unfinished / FASTA, report)
        # Offsets of a packed FASTA's .fai are those of its text: they hold for the plain file as well.
        shutil.copyfile(source.with_name(f"{GENOME}.fai"), unfinished / FAI)
        failpoint("processing.reference.before_rename")
        unfinished.rename(folder)
        write_atomically(folder / MARK, json.dumps(list(key)).encode())


def _unpack_file(source: Path, target: Path, report: Report) -> None:
    import pysam

    done = 0
    with pysam.BGZFile(str(source), "rb", None) as packed, target.open("wb") as plain:
        while chunk := packed.read(_CHUNK):
            plain.write(chunk)
            done += len(chunk)
            report(done, None, "bytes of the genome unpacked")
    sync_file(target)


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


def from_fasta(fasta: Path, assembly: Assembly, root: Path, report: Report) -> Reference:
    """A FASTA file of the user's own; its indexes go under `root`, and its `.fai` beside it.

    Raises:
        VarloomError: `reference_unusable`.
    """
    import pysam
    from pysam.utils import SamtoolsError

    name = safe_excerpt(fasta.name, 80)
    try:
        with fasta.open("rb") as file:
            start = file.read(18)
        packed = compression_of(start)
        if packed not in {Compression.NONE, Compression.BGZIP, Compression.GZIP}:
            raise VarloomError(REFERENCE_UNUSABLE, f"{name} is packed as {packed.value}; a FASTA may be plain or gzip.")
        if packed is Compression.BGZIP and not _has_end(fasta):
            raise VarloomError(REFERENCE_UNUSABLE, f"{name} is cut short: it lacks the mark of its end.")
        own = root / f"file-{hashlib.sha256(str(fasta.resolve()).encode()).hexdigest()[:20]}"
        plain = fasta if packed is Compression.NONE else own / FASTA
        if packed is not Compression.NONE:
            with disk_full_told("the reference genome"):
                own.mkdir(mode=0o700, parents=True, exist_ok=True)
                with locked(own / "lock", fcntl.LOCK_EX):
                    _unpack_given(fasta, plain, report)
        with plain.open("rb") as file:
            if file.read(1) != b">":
                raise VarloomError(REFERENCE_UNUSABLE, f"{name} is no FASTA: it begins without `>`.")
        listed = plain.with_name(f"{plain.name}.fai")
        if not _is_newer(listed, plain):
            unfinished = listed.with_name(f"{listed.name}.{time.time_ns()}")
            try:
                pysam.samtools.faidx("--fai-idx", str(unfinished), str(plain))
                unfinished.replace(listed)
            finally:
                unfinished.unlink(missing_ok=True)
        _hold_contigs(listed, name)
    except (OSError, EOFError, SamtoolsError) as error:
        raise VarloomError(REFERENCE_UNUSABLE, f"{name} cannot be used: {safe_excerpt(str(error), 300)}.") from error
    return Reference(plain, own / INDEXES, assembly, fasta.name)


def _has_end(fasta: Path) -> bool:
    """Whether a file packed with bgzip has its last, empty block: without it whole contigs may be missing."""
    with fasta.open("rb") as file:
        file.seek(max(0, fasta.stat().st_size - len(BGZIP_END)))
        return file.read() == BGZIP_END


def _unpack_given(fasta: Path, plain: Path, report: Report) -> None:
    """Unpack a FASTA unless that has been done: its copy has the time of the file that it was made of.

    A copy that is merely newer may be of another file, which was moved here with an older time since.
    """
    made_of = fasta.stat().st_mtime_ns
    if plain.exists() and plain.stat().st_mtime_ns == made_of:
        return
    unfinished = plain.with_name(f"{plain.name}.unfinished")
    try:
        _unpack_file(fasta, unfinished, report)
        os.utime(unfinished, ns=(made_of, made_of))
        plain.with_name(f"{plain.name}.fai").unlink(missing_ok=True)
        unfinished.replace(plain)
    finally:
        unfinished.unlink(missing_ok=True)


def _hold_contigs(listed: Path, name: str) -> None:
    """Refuse contigs that a VCF, a BAM or their indexes cannot have, before hours of work end with them."""
    for line in listed.read_text(encoding="utf-8", errors="replace").splitlines():
        contig, _, rest = line.partition("\t")
        if int(rest.partition("\t")[0]) > _LONGEST_INDEXED:
            message = f"Contig {safe_excerpt(contig, 60)} of {name} is longer than an index (.bai, .tbi) can reach."
            raise VarloomError(REFERENCE_UNUSABLE, message)
        if not contig or contig[0] in "*=" or "," in contig:
            message = f"{name} has a contig {safe_excerpt(contig, 60)!r}, and a VCF or BAM cannot have this name."
            raise VarloomError(REFERENCE_UNUSABLE, message)


def _is_newer(made: Path, source: Path) -> bool:
    return made.exists() and made.stat().st_mtime >= source.stat().st_mtime
