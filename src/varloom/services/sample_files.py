"""The files of samples beside their tables: alignments, VCFs, reports. Every call is for one account."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.dataset import catalog, sample_files
from varloom.services.pieces import open_piece
from varloom.services.quality_view import quality_view
from varloom.services.views import SampleFileList, SampleFileView

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.sample_files import SampleFile
    from varloom.services.pieces import Piece
    from varloom.services.quality_view import QualityView
    from varloom.storage import Storage

_ENDINGS = {
    "alignment": ("bam", "cram"),
    "alignment_index": ("bam.bai", "cram.crai"),
    "variants": ("vcf.gz",),
    "variants_index": ("vcf.gz.tbi",),
    "genotyped": ("sites.vcf.gz",),
    "genotyped_index": ("sites.vcf.gz.tbi",),
    "quality": ("quality.json",),
    "pgx": ("pgx.json",),
}
"""What follows the sample's name in that of a download."""
_NAME_LIMIT = 100


@dataclass(frozen=True, slots=True)
class SampleFiles:
    """The files of the account's samples."""

    pool: AsyncConnectionPool
    storage: Storage

    async def of_sample(self, account_id: UUID, sample_id: UUID) -> SampleFileList:
        """The files of a sample. Raises `sample_not_found`."""
        async with self.pool.connection() as conn:
            sample = await catalog.get_sample(conn, account_id, sample_id)
            found = await sample_files.files_of(conn, account_id, sample_id)
        return SampleFileList(
            files=[
                SampleFileView(
                    name=file.name,
                    download_name=download_name(sample.name, file),
                    role=file.role,
                    bytes=file.bytes,
                    sha256=file.sha256,
                )
                for file in found
            ]
        )

    async def has(self, account_id: UUID, sample_id: UUID) -> bool:
        """Whether a sample has files beside its tables that people look for: an alignment, a VCF."""
        async with self.pool.connection() as conn:
            found = await sample_files.files_of(conn, account_id, sample_id)
        return any(file.role in {"alignment", "variants"} for file in found)

    async def quality(self, account_id: UUID, sample_id: UUID) -> QualityView | None:
        """What the reads of a sample are worth; None for one without reads. Raises `sample_not_found`."""
        async with self.pool.connection() as conn:
            found = await sample_files.files_of(conn, account_id, sample_id)
        file = next((one for one in found if one.role == "quality"), None)
        if file is None:
            return None
        return quality_view(json.loads(await asyncio.to_thread(self.storage.read_bytes, file.storage_key)))

    async def open(
        self, account_id: UUID, sample_id: UUID, name: str, asked: str | None = None, *, only_if: str | None = None
    ) -> Piece:
        """A file, or the part of it that a Range header asks for.

        Args:
            account_id: whose sample.
            sample_id: which.
            name: of the file.
            asked: the header; one that asks for several parts, or in other units, is as good as none.
            only_if: the header If-Range: of another file than it names the whole is sent.

        Raises:
            VarloomError: `sample_not_found`, `sample_file_not_found`, `sample_file_gone`, `range_invalid`.
        """
        async with self.pool.connection() as conn:
            sample = await catalog.get_sample(conn, account_id, sample_id)
            file = await sample_files.file_of(conn, account_id, sample_id, name)
        named = download_name(sample.name, file)
        return await open_piece(self.storage, file.storage_key, file.bytes, named, asked, only_if=only_if)


def download_name(sample: str, file: SampleFile) -> str:
    """What a browser calls a file: the sample's name and what the file is, harmless everywhere."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", sample).strip("._")[:_NAME_LIMIT] or "sample"
    endings = _ENDINGS.get(file.role, ())
    ending = next((one for one in endings if file.name.endswith(one.rpartition(".")[2])), None)
    return f"{stem}.{ending}" if ending else file.name
