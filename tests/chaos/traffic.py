"""What users do during a chaos run: they upload, are cut off, ask again, cancel, retry, dismiss and delete."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from tests.chaos.files import ChosenFile
    from tests.chaos.origin import Offered, Origin
    from tests.chaos.plan import PlannedUpload

FINAL = ("completed", "failed", "cancelled")
BOUNDARY = "varloom-chaos-boundary"
AWAY = (502, 503, 504, 507)
"""Answers after which a client tries again."""
PATIENCE = 90.0
"""Seconds for which a user goes on trying one thing."""
SENDERS = 4


@dataclass
class Entry:
    """One upload in the ledger: what was asked, and what was answered."""

    name: str
    account: str
    file: int
    split: bool
    sha256: str
    job_id: str | None = None
    refused: str | None = None
    abandoned: bool = False
    did: list[str] = field(default_factory=list)
    offered: Offered | None = None  # what stood behind the URL of one that came by URL


class User:
    """An account's client."""

    def __init__(self, url: str, account: str, token: str) -> None:
        self.account = account
        self._url = url
        self._token = token
        headers = {"Authorization": f"Bearer {token}"}
        self.client = httpx.AsyncClient(base_url=f"{url}/api/v1/", headers=headers, timeout=20)

    async def ask(self, method: str, path: str, **values: Any) -> httpx.Response:
        """Ask again and again while the server or what it needs is away."""
        deadline = time.monotonic() + PATIENCE
        while True:
            response = None
            with contextlib.suppress(httpx.HTTPError):
                response = await self.client.request(method, path, **values)
                if response.status_code < 500 and not _is_a_race(response):
                    return response
            if time.monotonic() > deadline:
                raise AssertionError(f"{method} {path} was not answered: {response and response.text}")
            await asyncio.sleep(0.3)

    async def submit(self, upload: PlannedUpload, content: bytes, file_name: str) -> httpx.Response:
        fields = {"sample_name": upload.name, "priority": str(upload.priority)}
        if upload.split:
            fields["split_by_sample"] = "true"
        return await self.ask(
            "POST", "jobs", files={"file": (file_name, content)}, data=fields, headers={"Idempotency-Key": upload.name}
        )

    async def submit_url(self, upload: PlannedUpload, url: str) -> httpx.Response:
        fields = {"source_url": url, "sample_name": upload.name, "priority": upload.priority}
        if upload.split:
            fields["split_by_sample"] = True
        return await self.ask("POST", "jobs", json=fields, headers={"Idempotency-Key": upload.name})

    async def submit_half(self, upload: PlannedUpload, content: bytes) -> None:
        """The connection ends in the middle of the file."""
        place = urlsplit(self._url)
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="sample_name"\r\n\r\n{upload.name}\r\n'
        head += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
        request = (
            f"POST /api/v1/jobs HTTP/1.1\r\nHost: {place.netloc}\r\nAuthorization: Bearer {self._token}\r\n"
            f"Idempotency-Key: {upload.name}\r\nContent-Length: {len(body)}\r\n"
            f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n\r\n"
        )
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(request.encode() + body[: len(head) + len(content) // 2])
            await writer.drain()
            await asyncio.sleep(0.05)
            writer.close()
            await writer.wait_closed()


def _is_a_race(response: httpx.Response) -> bool:
    """An equal request is under way: a moment later it has its job."""
    return response.status_code == 409 and response.json()["code"] == "idempotency_conflict"


class Traffic:
    """All users of a run. The ledger remembers what the checker has to know."""

    def __init__(
        self,
        users: dict[str, User],
        files: Sequence[ChosenFile],
        states: Callable[[], dict[str, str]],
        origin: Origin | None = None,
    ) -> None:
        self.users = users
        self.files = files
        self.ledger: list[Entry] = []
        self._states = states
        self._origin = origin
        self._contents = [file.path.read_bytes() for file in files]
        self._sha256 = [hashlib.sha256(content).hexdigest() for content in self._contents]
        self._open: list[tuple[Entry, str]] = []
        self._later: set[asyncio.Task[None]] = set()

    async def send_all(self, uploads: Sequence[PlannedUpload], seconds: float) -> None:
        """Spread over the time; then nobody has anything left to send."""
        queue: asyncio.Queue[PlannedUpload] = asyncio.Queue()
        began = time.monotonic()

        async def sender() -> None:
            while True:
                upload = await queue.get()
                await self._send(upload)
                queue.task_done()

        senders = [asyncio.create_task(sender()) for _ in range(SENDERS)]
        for upload in uploads:
            await asyncio.sleep(max(0.0, began + upload.number * seconds / len(uploads) - time.monotonic()))
            queue.put_nowait(upload)
        joined = asyncio.create_task(queue.join())
        await asyncio.wait({joined, *senders}, return_when=asyncio.FIRST_COMPLETED)
        for each in senders:
            if each.done():
                each.result()  # its error ends the run
            each.cancel()
        await joined

    async def _send(self, upload: PlannedUpload) -> None:
        user, content = self.users[upload.account], self._contents[upload.file]
        entry = Entry(upload.name, upload.account, upload.file, upload.split, self._sha256[upload.file])
        self.ledger.append(entry)
        if upload.cut is not None:
            entry.did.append("cut")
            await user.submit_half(upload, content)
            if upload.cut == "abandon":
                entry.abandoned = True
                return
        response = await self._submit(entry, upload)
        if response.status_code != 202:
            entry.refused = response.json()["code"]
            return
        entry.job_id = response.json()["id"]
        if upload.twice:
            again = await self._submit(entry, upload)
            if again.json().get("id") != entry.job_id:
                raise AssertionError(f"{upload.name}: the same Idempotency-Key gave {again.text}, not {entry.job_id}")
        if upload.then == "cancel":
            self._do_later(upload.wait, self._cancel(entry))
        elif upload.then is not None:
            self._open.append((entry, upload.then))

    async def _submit(self, entry: Entry, upload: PlannedUpload) -> httpx.Response:
        user = self.users[upload.account]
        if upload.source is None or self._origin is None:
            return await user.submit(upload, self._contents[upload.file], self.files[upload.file].name)
        entry.offered = self._origin.offered(upload.number)
        return await user.submit_url(upload, self._origin.url(upload))

    def _do_later(self, wait: float, action: Awaitable[None]) -> None:
        async def act() -> None:
            await asyncio.sleep(wait)
            await action

        task = asyncio.create_task(act())
        self._later.add(task)

    async def _cancel(self, entry: Entry) -> None:
        entry.did.append("cancel")
        await self.users[entry.account].ask("POST", f"jobs/{entry.job_id}/cancel")

    async def follow_up(self) -> None:
        """Do what users wanted to do with jobs that have ended by now."""
        states = await asyncio.to_thread(self._states)
        due = [(entry, action) for entry, action in self._open if states.get(entry.job_id) in FINAL]
        self._open = [item for item in self._open if item not in due]
        for entry, action in due:
            await self._follow(entry, action, states[entry.job_id])

    async def _follow(self, entry: Entry, action: str, state: str) -> None:
        user = self.users[entry.account]
        if action == "dismiss":
            entry.did.append("dismiss")
            await user.ask("DELETE", f"jobs/{entry.job_id}")
        elif action == "retry" and state != "completed":
            entry.did.append("retry")
            again = {"from_stage": "download"} if entry.offered is not None else {}
            await user.ask("POST", f"jobs/{entry.job_id}/retry", json=again)
        elif action == "delete" and state == "completed":
            sample = (await user.ask("GET", f"jobs/{entry.job_id}")).json()["sample_id"]
            entry.did.append("delete")
            await user.ask("DELETE", f"samples/{sample}")

    async def finish(self) -> None:
        """Nothing is left that a user wanted to do later; errors of these surface here."""
        await asyncio.gather(*self._later)

    def save(self, path: Path) -> None:
        path.write_text(json.dumps([asdict(entry) for entry in self.ledger], indent=1))

    async def close(self) -> None:
        for user in self.users.values():
            await user.client.aclose()
