"""Trying an access in a process of its own, which is ended when it takes too long."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from varloom.errors import VarloomError
from varloom.jobs.child import environment_of_children
from varloom.transfer.problems import DOWNLOAD_STALLED

if TYPE_CHECKING:
    from varloom.transfer.access import Credential
    from varloom.transfer.model import TransferOptions

LONGEST_TEST = 45.0
"""Seconds for a whole test, however often something comes in between."""
MOST_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class AccessTests:
    """Tries accesses, a few at a time."""

    _turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MOST_AT_ONCE))

    async def outcome(self, url: str, credential: Credential, options: TransferOptions) -> dict[str, Any]:
        """`bytes`, the size of the file, which may not be known, or `error`, as a JOB has it."""
        asked = {"url": url, "credential": credential.as_json(), "options": options.as_json()}
        async with self._turns:
            try:
                async with asyncio.timeout(LONGEST_TEST):
                    return await _answer(json.dumps(asked).encode())
            except TimeoutError:
                late = VarloomError(DOWNLOAD_STALLED, f"The test was not over after {LONGEST_TEST:.0f} seconds.")
                return {"error": late.as_dict("download")}


async def _answer(asked: bytes) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "varloom.transfer.probing"),
        env=environment_of_children(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,  # what a failure says could repeat a secret
    )
    try:
        told, _ = await process.communicate(asked)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"the process that tries an access ended with status {process.returncode}")
    answer: dict[str, Any] = json.loads(told)
    return answer
