"""The web server from which users load by URL: good and bad as the plan says, with a log of what it really sent.

It is honest about what it did: the checker holds the end of each job against this log.
"""

from __future__ import annotations

import base64
import hashlib
import random
import re
import socket
import struct
import threading
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tests.sources import WebHandler, WebServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.chaos.files import ChosenFile
    from tests.chaos.plan import PlannedUpload

SECRET = "canary-4be1"
"""Part of every URL; no log may hold it."""
STALL_SECONDS = 6.0
"""Longer than a download waits for a byte."""
PAGE = b"<!DOCTYPE html><title>Sign in</title>"
FAULTS = ("cut", "reset", "stall", "busy", "limit", "whole", "mangled", "damaged", "missing", "forbidden", "page")
"""What can be wrong with an answer. `whole` ignores the range that was asked for; `mangled` has other bytes than the
checksum says, once; `damaged` tells a checksum that no bytes could have."""
STATUS = {"busy": 503, "limit": 429, "missing": 404, "forbidden": 403}
PASSING = ("cut", "cut", "reset", "stall", "busy", "limit", "whole")
"""The faults of an object that is rough, with their weights."""
MOST_PASSING = 8
"""After so many requests a rough object is served well."""
LASTING = ("missing", "forbidden", "page")
"""Faults that do not end with the others."""
CHUNK = 64 * 1024
LARGE = 1_000_000
_RANGE = re.compile(r"bytes=(\d+)-(\d+)")


@dataclass(frozen=True)
class Answer:
    """One answer as it went out.

    `version` is the number of the version of the object of which it brought bytes, from `start` on; `sent` is how many
    the network took.
    """

    fault: str | None
    status: int
    version: int | None = None
    start: int = 0
    sent: int = 0


@dataclass(frozen=True)
class Version:
    """The bytes that the object had for a time; `file` is their number among the files of the run."""

    file: int
    sha256: str
    size: int


@dataclass
class Offered:
    """What stood behind a URL, and what was answered there."""

    kind: str
    versions: list[Version] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    asked: int = 0

    @property
    def is_gone(self) -> bool:
        """Whether nobody will get it any more."""
        return bool(self.answers) and self.answers[-1].fault in LASTING


class Origin:
    """The server, until it is closed."""

    def __init__(self, files: Sequence[ChosenFile], uploads: Sequence[PlannedUpload], seed: int) -> None:
        self._files = files
        self._uploads = {upload.number: upload for upload in uploads if upload.source is not None}
        self._seed = seed
        self._first_faults = _first_faults(uploads)
        self._contents = [file.path.read_bytes() for file in files]
        self._sha256 = [hashlib.sha256(content).hexdigest() for content in self._contents]
        self._lock = threading.Lock()
        self._offered: dict[int, Offered] = {}
        self.is_calm = False
        self.closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.origin = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def endpoint(self) -> str:
        """As an operator lists it."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def url(self, upload: PlannedUpload) -> str:
        name = quote(self._files[upload.file].name)
        return f"http://{self.endpoint}/{upload.number}/{name}?token={SECRET}"

    def offered(self, number: int) -> Offered:
        """What stands behind the URL of the upload of this number."""
        with self._lock:
            return self._offered_now(number)

    def _offered_now(self, number: int) -> Offered:
        upload = self._uploads[number]
        if number not in self._offered:
            self._offered[number] = Offered(upload.source.kind, [self._version(upload.file)])
        return self._offered[number]

    def _version(self, file: int) -> Version:
        return Version(file, self._sha256[file], len(self._contents[file]))

    def faults(self) -> list[str]:
        """Every fault that happened; `replaced` for each object that was."""
        with self._lock:
            every = list(self._offered.values())
        return [one.fault for each in every for one in each.answers if one.fault] + [
            "replaced" for each in every if len(each.versions) > 1
        ]

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    # --- For the handler ---

    def next_answer(self, number: int) -> tuple[PlannedUpload, int, bytes, str | None, random.Random]:
        """What is to be answered now: the upload, the version of its object, its bytes, the fault, and a chance."""
        with self._lock:
            upload, offered = self._uploads[number], self._offered_now(number)
            chance = random.Random(f"{self._seed} {number} {offered.asked}")
            fault = self._fault(offered, chance, upload)
            if offered.asked and self._is_replaced(offered):
                other = upload.source.replacement
                offered.versions.append(
                    self._version(other if offered.versions[-1].file == upload.file else upload.file)
                )
            offered.asked += 1
            version = len(offered.versions) - 1
            return upload, version, self._contents[offered.versions[version].file], fault, chance

    def _is_replaced(self, offered: Offered) -> bool:
        return (offered.kind == "replaced" and len(offered.versions) == 1) or (
            offered.kind == "changing" and not self.is_calm
        )

    def _fault(self, offered: Offered, chance: random.Random, upload: PlannedUpload) -> str | None:
        kind, is_first = offered.kind, offered.asked == 0
        if kind == "deleted" and not is_first:
            kind = "missing"
        if kind in LASTING:
            return kind
        if self.is_calm:
            return None
        faults: list[str | None] = [None]
        match kind:
            case "busy" | "limit" | "damaged":
                faults = [kind]
            case "hopeless":
                faults = ["cut", "reset", "stall"]
            case "changing":
                faults = ["cut"]
            case "replaced" | "deleted" if is_first:
                faults = ["cut"]
            case "rough" | "replaced" if offered.asked < MOST_PASSING:
                faults = self._passing_faults(offered, upload)
        return chance.choice(faults)

    def _passing_faults(self, offered: Offered, upload: PlannedUpload) -> list[str | None]:
        """Of which one is chosen for an object that is served well in the end."""
        if offered.asked == 0 and upload.number in self._first_faults:
            return [self._first_faults[upload.number]]
        mangled = ["mangled"] * 2 if upload.source.told == "digest" else []
        return [*PASSING, *[None] * 5, *mangled]

    def note(self, number: int, answer: Answer) -> None:
        with self._lock:
            self._offered_now(number).answers.append(answer)


def _first_faults(uploads: Sequence[PlannedUpload]) -> dict[int, str]:
    """How each rough object begins: in turn, since by chance alone a short run would go without one of the faults."""
    rough = [upload for upload in uploads if upload.source is not None and upload.source.kind == "rough"]
    digest = [upload.number for upload in rough if upload.source.told == "digest"]
    mangled = dict.fromkeys(digest[::2], "mangled")
    others = [upload.number for upload in rough if upload.number not in mangled]
    return {**mangled, **{number: PASSING[turn % len(PASSING)] for turn, number in enumerate(others)}}


class _Server(WebServer):
    origin: Origin

    def shutdown_request(self, request: Any) -> None:
        """Without the polite end, so that a reset is one."""
        self.close_request(request)


class _Handler(WebHandler):
    server: _Server

    def do_GET(self) -> None:  # noqa: N802 - the library wants this name
        origin = self.server.origin
        number = int(urlsplit(self.path).path.split("/")[1])
        upload, version, content, fault, chance = origin.next_answer(number)
        if fault in STATUS:
            origin.note(number, Answer(fault, STATUS[fault]))
            self.answer(
                STATUS[fault], {"Retry-After": chance.choice(["0", "1", "2"])} if fault in {"busy", "limit"} else {}
            )
        elif fault == "page":
            origin.note(number, Answer(fault, 200))
            self.answer(200, {"Content-Type": "text/html"}, PAGE)
        else:
            self._send(upload, version, content, fault, chance)

    def _send(
        self, upload: PlannedUpload, version: int, content: bytes, fault: str | None, chance: random.Random
    ) -> None:
        told = _told(upload, version, content, is_wrong=fault == "damaged")
        wanted = _RANGE.fullmatch(self.headers.get("Range", "")) if fault != "whole" else None
        if wanted and self.headers.get("If-Range", "") not in {"", *told.values()}:
            wanted = None
        start, end = (int(wanted[1]), min(len(content), int(wanted[2]) + 1)) if wanted else (0, len(content))
        body, stop = content[start:end], end - start
        if fault in {"cut", "reset", "stall"}:
            stop = chance.randrange(stop) if stop else 0
        if fault == "mangled" and body:
            at = chance.randrange(len(body))
            body = body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :]
        status, sent = 206 if wanted else 200, [0]
        try:
            part = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}"} if wanted else {}
            self.begin(status, {"Content-Length": str(end - start), **part, **told})
            self._send_body(body[:stop], chance.choice([None, 5e6, 20e6]) if len(content) > LARGE else None, sent)
            self._break_off(fault)
        except OSError:  # the client went away
            self.close_connection = True
        finally:
            self.server.origin.note(upload.number, Answer(fault, status, version, start, sent[0]))

    def _send_body(self, body: bytes, pace: float | None, sent: list[int]) -> None:
        for at in range(0, len(body), CHUNK):
            chunk = body[at : at + CHUNK]
            self.wfile.write(chunk)
            sent[0] += len(chunk)
            if pace and self.server.origin.closing.wait(len(chunk) / pace):
                return

    def _break_off(self, fault: str | None) -> None:
        if fault == "stall":
            self.server.origin.closing.wait(STALL_SECONDS)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
        elif fault in {"cut", "stall"}:
            self.break_off()


def _told(upload: PlannedUpload, version: int, content: bytes, *, is_wrong: bool) -> dict[str, str]:
    """What the headers tell of the version."""
    told, headers = upload.source.told, {}
    if told in {"etag", "digest"}:
        headers["ETag"] = f'"{upload.number}-{version}"'
    if told == "weak":
        headers["ETag"] = f'W/"{upload.number}-{version}"'
    if told == "modified":
        headers["Last-Modified"] = formatdate(1_600_000_000 + version * 86_400, usegmt=True)
    if told == "digest" or is_wrong:
        digest = hashlib.sha256(content + b"!" * is_wrong).digest()
        headers["Repr-Digest"] = f"sha-256=:{base64.b64encode(digest).decode()}:"
    return headers
