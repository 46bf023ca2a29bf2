"""The reads of a sample, for a viewer: the alignment, and the genome that they were aligned to."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from varloom.annotation.refs.genome import GENOME
from varloom.annotation.refs.library import ReferenceLibrary
from varloom.annotation.refs.problems import REFERENCE_DAMAGED, REFERENCE_MISSING, REFERENCE_NAME_INVALID
from varloom.annotation.refs.release import checked_release_key, folder_of
from varloom.dataset import catalog, sample_files
from varloom.dataset.problems import SAMPLE_FILE_NOT_FOUND
from varloom.dataset.stored import load_manifest
from varloom.errors import VarloomError, safe_excerpt
from varloom.processing.reference_choice import GENOME_KIND
from varloom.services.origins import first_job
from varloom.services.pieces import open_piece
from varloom.services.problems import READS_NEED_GENOME, SAMPLE_FILE_GONE
from varloom.services.sample_files import download_name
from varloom.services.views import View

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.annotation.refs.release import Release
    from varloom.dataset.sample_files import SampleFile
    from varloom.jobs.model import Job
    from varloom.services.htsget import Htsget, HtsgetTicket, Wanted
    from varloom.services.pieces import Piece
    from varloom.storage import Storage

_CRAM = ".cram"
_CONTIG = re.compile(r"^##contig=<ID=([^,>]+),(?:[^>]*,)?length=(\d{1,10})[,>]", re.MULTILINE)


class GenomeView(View):
    """The genome that reads were aligned to, packed with bgzip; the names are those of its files."""

    name: str = Field(description="and its release")
    assembly: str
    fasta: str
    index: str = Field(description="places of contigs: .fai")
    packed_index: str = Field(description="places of blocks: .gzi")


class AlignedReadsView(View):
    """What a viewer needs to show reads of a sample."""

    name: str = Field(description="of the alignment, for people")
    alignment: str = Field(description="a BAM or CRAM, by its name among the files of the sample")
    index: str = Field(description="likewise")
    alignment_format: Literal["bam", "cram"] = Field(description="of a CRAM `reads/htsget` gives the reads of a place")
    genome: GenomeView | None = Field(description="null where its release is not installed any more")
    contigs: dict[str, int] = Field(description="where there is no genome: names and lengths, as the VCF tells them")


@dataclass(frozen=True, slots=True)
class AlignedReads:
    """The reads of the account's samples."""

    pool: AsyncConnectionPool
    storage: Storage
    htsget: Htsget

    async def there(self, account_id: UUID, sample_id: UUID) -> bool:
        """Whether a sample has reads that can be shown. Raises `sample_not_found`."""
        async with self.pool.connection() as conn:
            found = await sample_files.files_of(conn, account_id, sample_id)
        return _alignment_of(found) is not None

    async def of_sample(self, account_id: UUID, sample_id: UUID) -> AlignedReadsView:
        """Where a viewer finds the reads.

        Raises:
            VarloomError: `sample_not_found`, `sample_file_not_found` for a sample that was not made of reads,
                `sample_file_gone`, `reads_need_genome` for a CRAM whose genome was removed.
        """
        async with self.pool.connection() as conn:
            sample = await catalog.get_sample(conn, account_id, sample_id)
            pair = await self._pair(conn, account_id, sample_id)
            job = await first_job(conn, account_id, sample_id)
            newest = (await catalog.datasets_of(conn, account_id, sample_id))[0]
        for file in pair:
            if not await asyncio.to_thread(self.storage.exists, file.storage_key):
                name = download_name(sample.name, file)
                raise VarloomError(SAMPLE_FILE_GONE, f"{name} is not in the storage any more.")
        release = await asyncio.to_thread(self._genome, job)
        is_cram = pair[0].name.endswith(_CRAM)
        if is_cram and release is None:
            raise _without_genome(job)
        contigs = {} if release else await asyncio.to_thread(self._contigs, newest.storage_key)
        return AlignedReadsView(
            name=download_name(sample.name, pair[0]),
            alignment=pair[0].name,
            index=pair[1].name,
            alignment_format="cram" if is_cram else "bam",
            genome=_genome_view(release) if release else None,
            contigs=contigs,
        )

    async def genome_name(self, account_id: UUID, sample_id: UUID) -> str | None:
        """To which release reads were aligned, for people, be it installed or not. Raises `sample_not_found`."""
        async with self.pool.connection() as conn:
            return _told_genome(await first_job(conn, account_id, sample_id))

    async def of_place(self, account_id: UUID, sample_id: UUID, wanted: Wanted) -> HtsgetTicket:
        """The reads of one place of a CRAM as BAM, or its header.

        Raises:
            VarloomError: `sample_not_found`, `sample_file_not_found` for a sample without CRAM, `reads_need_genome`, or
                those of `Htsget.ticket`.
        """
        async with self.pool.connection() as conn:
            pair = await self._pair(conn, account_id, sample_id)
            job = await first_job(conn, account_id, sample_id)
        if not pair[0].name.endswith(_CRAM):
            message = "The sample has no CRAM: its alignment is a BAM, which is read in parts, as it is."
            raise VarloomError(SAMPLE_FILE_NOT_FOUND, message)
        release = await asyncio.to_thread(self._genome, job)
        if release is None:
            raise _without_genome(job)
        return await self.htsget.ticket(pair, release.key, wanted)

    async def _pair(
        self, conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID
    ) -> tuple[SampleFile, SampleFile]:
        """The alignment of a sample, and its index. Raises `sample_not_found`, `sample_file_not_found`."""
        pair = _alignment_of(await sample_files.files_of(conn, account_id, sample_id))
        if pair is None:
            raise VarloomError(SAMPLE_FILE_NOT_FOUND, "The sample has no alignment of reads that can be shown.")
        return pair

    async def genome_file(
        self, account_id: UUID, sample_id: UUID, name: str, asked: str | None = None, *, only_if: str | None = None
    ) -> Piece:
        """A file of the genome that a sample's reads were aligned to, or the part that the headers ask for.

        `asked` and `only_if` are those of `open_piece`.

        Raises:
            VarloomError: `sample_not_found`; `sample_file_not_found` also where the release was removed;
                `sample_file_gone`, `range_invalid`.
        """
        async with self.pool.connection() as conn:
            await catalog.get_sample(conn, account_id, sample_id)
            job = await first_job(conn, account_id, sample_id)
        release = await asyncio.to_thread(self._genome, job)
        file = next((one for one in release.files if one.name == name), None) if release else None
        if release is None or file is None:
            message = f"The genome of the sample's reads is not installed, or has no file {safe_excerpt(name, 80)!r}."
            raise VarloomError(SAMPLE_FILE_NOT_FOUND, message)
        key = f"{folder_of(release.key)}/{release.folder}/{file.name}"
        return await open_piece(self.storage, key, file.bytes, file.name, asked, only_if=only_if)

    def _genome(self, job: Job | None) -> Release | None:
        """The release that the job aligned to, if it is installed still."""
        left = job.artefacts.get("process") if job else None
        name, _, release = str((left or {}).get("reference", "")).partition(" ")
        try:
            key = checked_release_key(GENOME_KIND, name, (left or {}).get("assembly", ""), release)
            return ReferenceLibrary(self.storage).get(key)
        except VarloomError as error:
            if error.kind not in {REFERENCE_MISSING, REFERENCE_DAMAGED, REFERENCE_NAME_INVALID}:
                raise
            return None

    def _contigs(self, key: str) -> dict[str, int]:
        header = load_manifest(self.storage, key).header
        return {name: int(length) for name, length in _CONTIG.findall(header)}


def _alignment_of(files: Sequence[SampleFile]) -> tuple[SampleFile, SampleFile] | None:
    """The alignment and its index."""
    roles = {file.role: file for file in files}
    alignment, index = roles.get("alignment"), roles.get("alignment_index")
    return None if alignment is None or index is None else (alignment, index)


def _without_genome(job: Job | None) -> VarloomError:
    named = _told_genome(job) or "the genome that it was written with"
    return VarloomError(READS_NEED_GENOME, f"The reads are kept as CRAM, which is read with {named}.")


def _told_genome(job: Job | None) -> str | None:
    left = (job.artefacts.get("process") if job else None) or {}
    return f"{left['reference']} ({left['assembly']})" if "reference" in left else None


def _genome_view(release: Release) -> GenomeView:
    return GenomeView(
        name=f"{release.name} {release.release}",
        assembly=release.assembly,
        fasta=GENOME,
        index=f"{GENOME}.fai",
        packed_index=f"{GENOME}.gzi",
    )
