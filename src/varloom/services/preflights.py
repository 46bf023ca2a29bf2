"""The preflight: what the beginning of a file tells before the rest of it was sent."""

from __future__ import annotations

import asyncio
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from varloom.errors import Place, Problem, Severity, VarloomError, kind_of
from varloom.reader.preflight import MOST_BYTES, Preflight, Verdict, preflight
from varloom.services.arrival import finished
from varloom.services.names import file_name

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from uuid import UUID

    from varloom.services.resumable_rows import ResumableUpload

_T = TypeVar("_T")

BEGINNING_BYTES = 1 << 20
"""How much of a file is looked at before it is uploaded."""
NEARLY_HERE = 1 << 20
"""A file of which no more than so many bytes are missing is taken in even if it will be refused: there is nothing to be
spared, and its job keeps the failure in sight."""

_LOOKING = ThreadPoolExecutor(max_workers=2, thread_name_prefix="preflight")
"""Headers can be made to take seconds and much memory: no more than two are looked at, and all else has its threads."""


class PreflightOfArrival:
    """Looks at a file while it arrives, each time twice as much of it has come, until that tells what it is."""

    def __init__(
        self, path: Path, upload: ResumableUpload, note: Callable[[UUID, dict[str, Any]], Awaitable[None]]
    ) -> None:
        self._path = path
        self._upload = upload
        self._note = note
        self._next = 0

    async def __call__(self, position: int) -> bool:
        """Look, now that so many bytes are here; whether to look again. Raises FileRefused when no more are wanted."""
        if position >= self._upload.bytes:
            return False
        if position < self._next:
            return True
        self._next = 2 * position
        told = await _looked(_look, self._path, self._upload.name)
        if told is None:
            return position < 2 * MOST_BYTES
        found, refused = told
        await self._note(self._upload.id, found.as_dict())
        if refused is not None and self._upload.bytes - position > NEARLY_HERE:
            raise refused
        return False


async def preflight_of_beginning(name: str, size: int, chunks: AsyncIterator[bytes]) -> dict[str, Any]:
    """What the first bytes of a file tell, as plain JSON values; more than a mebibyte of them is not looked at.

    Args:
        name: as the user's machine calls the file.
        size: of the whole file, in bytes.
        chunks: its beginning.
    """
    beginning = bytearray()
    async for chunk in chunks:
        beginning += chunk[: BEGINNING_BYTES - len(beginning)]
    return await _looked(_look_at_bytes, bytes(beginning), file_name(name), len(beginning) >= size)


async def _looked(look: Callable[..., _T], *arguments: Any) -> _T:
    return await finished(asyncio.get_running_loop().run_in_executor(_LOOKING, look, *arguments))


def _look(path: Path, name: str) -> Any:
    return preflight(path, name, whole=False)


def _look_at_bytes(beginning: bytes, name: str, whole: bool) -> dict[str, Any]:  # noqa: FBT001 - runs in a thread
    with tempfile.NamedTemporaryFile(prefix="varloom-preflight-") as file:
        file.write(beginning)
        file.flush()
        told = preflight(Path(file.name), name, whole=whole)
    return (told[0] if told else Preflight(Verdict.UNKNOWN, None, None)).as_dict()


def assembly_warning(found: Mapping[str, Any] | None, chosen: str | None, *, pgx: bool = False) -> str | None:
    """Why the assembly looks wrong for what was chosen, in one sentence; None if it does not.

    Args:
        found: what the beginning of the file tells.
        chosen: the assembly.
        pgx: whether PGx was chosen, which is refused where the header tells another assembly than GRCh38.
    """
    if not found or found["assembly_evidence"] is None:
        return None
    evidence = found["assembly_evidence"]
    if pgx and found["assembly"] != "GRCh38":
        told = f"by {evidence} the file is {found['assembly']}" if found["assembly"] else f"the header tells {evidence}"
        return f"PGx was chosen, which is called on GRCh38 alone, and {told}: the job will be refused."
    if chosen is None or found["assembly"] == chosen:
        return None
    if found["assembly"] is None:
        return f"{chosen} was chosen, but the header declares {evidence}."
    return f"{chosen} was chosen, but by {evidence} in its header the file is {found['assembly']}."


def refusal_again(error: Mapping[str, Any]) -> VarloomError:
    """The refusal that was noted, to be told again."""
    problems = tuple(
        Problem(
            kind_of(one["code"]),
            one["message"],
            Severity(one["severity"]),
            Place(one["line"], one["column"], one["field"], one["excerpt"]),
            tuple(one["resolution"]),
        )
        for one in error["problems"]
    )
    place = Place(error["line"], error["column"], error["field"], error["excerpt"], error["url"])
    return VarloomError(kind_of(error["code"]), error["message"], place, tuple(error["resolution"]), problems)
