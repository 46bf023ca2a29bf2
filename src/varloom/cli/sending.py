"""Sending one source to a server: a file, the standard input, or a URL."""

from __future__ import annotations

import contextlib
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from varloom.cli.live_view import TransferBar
from varloom.cli.problems import SOURCE_UNREADABLE
from varloom.cli.readable_file import STDIN, is_pipe, standard_input
from varloom.cli.resumable_upload import ResumableUpload
from varloom.client.upload_body import UploadBody
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from varloom.cli.connection import Server


def send_source(server: Server, source: str, fields: Mapping[str, str], key: str | None = None) -> dict[str, Any]:
    """Send one source; the job that it became.

    Args:
        server: where to.
        source: a path, `-`, or a URL.
        fields: what is asked for beside it.
        key: the Idempotency-Key, which makes sure that it becomes one job; unset: a new one.
    """
    key = key or secrets.token_hex(16)
    headers = {"Idempotency-Key": key}
    if is_url(source):
        job: dict[str, Any] = server.request("POST", "/jobs", json={"source_url": source, **fields}, headers=headers)
        return job
    with opened(source) as (file, name, size), TransferBar(f"Uploading {name}", size) as bar:
        if size and _is_regular(source):
            return ResumableUpload(server, file, name, size, bar, key=key).send(fields)
        body = UploadBody(file, name, fields, bar.advance)
        headers["Content-Type"] = body.content_type
        sent: dict[str, Any] = server.request("POST", "/jobs", content=iter(body), headers=headers)
        return sent


def send_together(
    server: Server, sources: Sequence[str], fields: Mapping[str, str], key: str | None = None
) -> dict[str, Any]:
    """Send the files of one sample's reads; the one job that they became.

    Args:
        server: where to.
        sources: paths, or URLs; not both.
        fields: what is asked for beside them.
        key: the Idempotency-Key; unset: a new one.
    """
    if len(sources) == 1:
        return send_source(server, sources[0], fields, key)
    key = key or secrets.token_hex(16)
    if all(is_url(source) for source in sources):
        body = {"source_urls": list(sources), **fields}
        job: dict[str, Any] = server.request("POST", "/jobs", json=body, headers={"Idempotency-Key": key})
        return job
    asked = {**fields, "reads": "true", "set": key, "files": str(len(sources))}
    for position, source in enumerate(sources, 1):
        with opened(source) as (file, name, size), TransferBar(f"Uploading {name}", size) as bar:
            if not size:
                raise VarloomError(SOURCE_UNREADABLE, f"{source}: it is no file with bytes in it.")
            upload = ResumableUpload(server, file, name, size, bar, key=f"{key}-{position}")
            told = {**asked, "position": str(position)}
            if position == len(sources):
                return upload.send(told)
            upload.send_bytes(told)
    raise AssertionError("there are sources")


@contextlib.contextmanager
def opened(source: str) -> Iterator[tuple[BinaryIO, str, int | None]]:
    """The source's bytes, its name, and its size where that is known."""
    if source == STDIN:
        with standard_input() as file:
            yield file, "stdin", None
        return
    path = Path(source)
    try:
        file = path.open("rb")
    except OSError as error:
        raise VarloomError(SOURCE_UNREADABLE, f"{source}: {error.strerror}.") from None
    with file:
        yield file, path.name, None if is_pipe(source) else path.stat().st_size


def check_readable(source: str) -> None:
    """See that a file can be read before anything is sent; a pipe would be ended by that, and a URL is the server's.

    Raises:
        VarloomError: `source_unreadable`.
    """
    if source != STDIN and not is_url(source) and not is_pipe(source):
        with opened(source):
            pass


def is_url(source: str) -> bool:
    """Whether the server fetches it."""
    return "://" in source


def _is_regular(source: str) -> bool:
    """Whether it can be read from any place, as often as needed."""
    return source != STDIN and Path(source).is_file()
