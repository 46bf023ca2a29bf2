"""The files of samples beside their tables: alignments, VCFs, reports. Every call is for one account."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from varloom.dataset import catalog, sample_files
from varloom.errors import VarloomError
from varloom.services.problems import RANGE_INVALID
from varloom.services.quality_view import quality_view
from varloom.services.views import SampleFileList, SampleFileView

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from psycopg_pool import AsyncConnectionPool

    from varloom.dataset.sample_files import SampleFile
    from varloom.services.quality_view import QualityView
    from varloom.storage import Storage

PORTION = 4 << 20
"""Bytes that are read at a time."""

_RANGE = re.compile(r"bytes=(?P<first>\d{0,18})-(?P<last>\d{0,18})")
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
class Piece:
    """A part of a file, from `start` on and before `end`; `is_part` unless the whole was asked for.

    Attributes:
        etag: a strong validator (RFC 9110, section 8.8.3): what lies under a name of the storage never changes.
    """

    download_name: str
    etag: str
    size: int
    start: int
    end: int
    is_part: bool
    content: AsyncIterator[bytes]


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
                    download_name=_download_name(sample.name, file),
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
            VarloomError: `sample_not_found`, `sample_file_not_found`, `range_invalid`.
        """
        async with self.pool.connection() as conn:
            sample = await catalog.get_sample(conn, account_id, sample_id)
            file = await sample_files.file_of(conn, account_id, sample_id, name)
        etag = f'"{hashlib.sha256(file.storage_key.encode()).hexdigest()[:32]}"'
        part = _part(asked, file.bytes) if only_if in {None, etag} else None
        start, end = part or (0, file.bytes)
        content = self._content(file.storage_key, start, end)
        return Piece(_download_name(sample.name, file), etag, file.bytes, start, end, part is not None, content)

    async def _content(self, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        for begin in range(start, end, PORTION):
            yield await asyncio.to_thread(self.storage.read_range, key, begin, min(end, begin + PORTION))


def _part(asked: str | None, size: int) -> tuple[int, int] | None:
    """Where the part begins and ends that is asked for; None for the whole (RFC 9110, section 14)."""
    match = _RANGE.fullmatch(asked.strip().replace(" ", "")) if asked else None
    if match is None or not (match["first"] or match["last"]):
        return None
    if not match["first"]:
        start, end = max(0, size - int(match["last"])), size
    else:
        start = int(match["first"])
        end = min(size, int(match["last"]) + 1) if match["last"] else size
    if start >= size or start >= end:
        raise VarloomError(RANGE_INVALID, f"Range: the file has {size:,} bytes.")
    return start, end


def _download_name(sample: str, file: SampleFile) -> str:
    """The sample's name and what the file is, harmless everywhere."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", sample).strip("._")[:_NAME_LIMIT] or "sample"
    endings = _ENDINGS.get(file.role, ())
    ending = next((one for one in endings if file.name.endswith(one.rpartition(".")[2])), None)
    return f"{stem}.{ending}" if ending else file.name
