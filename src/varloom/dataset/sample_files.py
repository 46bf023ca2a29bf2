"""Which files a sample has beside its tables: the only module with the SQL of the table `sample_files`.

They are what the process stage left: the alignment, the VCF, their indexes, reports. They come and go with the sample.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg.rows import class_row

from varloom.dataset import catalog
from varloom.dataset.problems import SAMPLE_FILE_NOT_FOUND
from varloom.errors import VarloomError, safe_excerpt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from psycopg import AsyncConnection, Connection

_INSERT = """
INSERT INTO sample_files (sample_id, name, role, storage_key, bytes, sha256)
VALUES (%(sample)s, %(name)s, %(role)s, %(storage_key)s, %(bytes)s, %(sha256)s)
"""
_FILES = """
SELECT sample_files.name, sample_files.role, sample_files.storage_key, sample_files.bytes, sample_files.sha256
FROM sample_files JOIN samples ON samples.id = sample_files.sample_id
WHERE samples.account_id = %(account)s AND samples.id = %(sample)s AND samples.deleted_at IS NULL
"""
_VARIANTS = """
SELECT name, role, storage_key, bytes, sha256 FROM sample_files WHERE sample_id = %s AND role = 'variants'
"""


class SampleFile(NamedTuple):
    """A file of a sample.

    Attributes:
        name: of the file, plain and unique in the sample.
        role: `alignment`, `variants` or `genotyped`, each with an index (`alignment_index`), `quality` or `pgx`.
        storage_key: where its bytes lie.
        bytes: how many.
        sha256: in hexadecimal, where it was taken.
    """

    name: str
    role: str
    storage_key: str
    bytes: int
    sha256: str | None


async def keep_files(conn: AsyncConnection[Any], sample_id: UUID, files: Sequence[SampleFile]) -> None:
    """Give a new sample its files, in the transaction that makes it visible."""
    for file in files:
        await conn.execute(_INSERT, {"sample": sample_id, **file._asdict()})


async def files_of(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID) -> list[SampleFile]:
    """The files of the account's sample, in the order in which people look for them.

    Raises:
        VarloomError: `sample_not_found`.
    """
    await catalog.get_sample(conn, account_id, sample_id)
    async with conn.cursor(row_factory=class_row(SampleFile)) as cursor:
        found = await (await cursor.execute(_FILES, {"account": account_id, "sample": sample_id})).fetchall()
    return sorted(found, key=lambda file: (_ORDER.index(file.role) if file.role in _ORDER else len(_ORDER), file.name))


async def file_of(conn: AsyncConnection[Any], account_id: UUID, sample_id: UUID, name: str) -> SampleFile:
    """One file of the account's sample.

    Raises:
        VarloomError: `sample_not_found`, `sample_file_not_found`.
    """
    for file in await files_of(conn, account_id, sample_id):
        if file.name == name:
            return file
    raise VarloomError(SAMPLE_FILE_NOT_FOUND, f"The sample has no file {safe_excerpt(name, 80)!r}.")


async def variants_of(conn: AsyncConnection[Any], sample_id: UUID) -> SampleFile | None:
    """The VCF that was called from a sample's reads; None for one that was uploaded as a VCF."""
    async with conn.cursor(row_factory=class_row(SampleFile)) as cursor:
        return await (await cursor.execute(_VARIANTS, (sample_id,))).fetchone()


def variants_now(conn: Connection[Any], sample_id: UUID) -> SampleFile | None:
    """The VCF that was made of a sample's reads, for whoever blocks; None where there were none."""
    with conn.cursor(row_factory=class_row(SampleFile)) as cursor:
        return cursor.execute(_VARIANTS, [sample_id]).fetchone()


_ORDER = (
    "alignment",
    "alignment_index",
    "variants",
    "variants_index",
    "genotyped",
    "genotyped_index",
    "quality",
    "pgx",
)
"""Of roles."""
