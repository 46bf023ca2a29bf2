"""What is asked of a source: a part of one version of a file, or whether it lets us have it at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import urllib3

from varloom.errors import VarloomError
from varloom.transfer import problems
from varloom.transfer.answers import extent_of, failure_of, refuse_page, version_of
from varloom.transfer.guard import Guard, parse_endpoint
from varloom.transfer.http_client import ConnectFailedError, HttpClient, Origin
from varloom.transfer.network_faults import network_failure
from varloom.transfer.source_url import Cloud

if TYPE_CHECKING:
    from varloom.transfer.access import Access
    from varloom.transfer.http_client import Answer
    from varloom.transfer.model import TransferOptions, Version

NETWORK_ERRORS = (urllib3.exceptions.HTTPError, ConnectFailedError, OSError)
"""What `Questions.ask` and reading a body raise when the network fails; `network_failure` says it in words."""

FIRST_BYTES = 1024
PROBE_SILENCE = 10.0
"""Seconds that somebody who tests an access waits."""


class Questions:
    """Asks for one file. Thread-safe."""

    def __init__(self, access: Access, client: HttpClient) -> None:
        self._access = access
        self._client = client

    def close(self) -> None:
        """End the connections that are kept."""
        self._client.close()

    def ask(self, gap: tuple[int, int] | None, version: Version | None = None) -> Answer:
        """Ask for a range, or for the whole file where `gap` is None; of this version, if one is given.

        Raises:
            VarloomError: what the source answers instead; `download_source_changed` where it has another version now,
                `download_range_ignored` where it brings something else of the same one.
        """
        url, headers = self._access.request()
        if gap is not None:
            headers["Range"] = f"bytes={gap[0]}-{gap[1] - 1}"
        if version is not None:
            headers.update(self._condition(version))
        answer = self._client.get(url, headers)
        if answer.status in {200, 206}:
            if version is not None and not _continues(answer, gap, version):
                answer.drop()
                if version.is_same(version_of(answer)):
                    message = f"{self._access.source.host} was asked for a part, and gives something else."
                    raise VarloomError(problems.DOWNLOAD_RANGE_IGNORED, message)
                raise VarloomError(problems.DOWNLOAD_SOURCE_CHANGED, "The file was replaced while it was fetched.")
            return answer
        if answer.status == 416 and gap is not None and version is None:  # an empty file has no ranges
            answer.drop()
            return self.ask(None)
        if self._access.learn_region(answer.headers):
            answer.drop()
            return self.ask(gap, version)
        raise self._refusal(answer, url)

    def _refusal(self, answer: Answer, url: str) -> VarloomError:
        """Why the source refuses. Where it sent us elsewhere, nothing proved who asks."""
        source = self._access.source
        stayed = Origin.of(answer.url) == Origin.of(url)
        return failure_of(answer, source, has_access=source.has_access or (self._access.proves and stayed))

    def _condition(self, version: Version) -> dict[str, str]:
        """The header that asks for this version alone."""
        if version.strong_etag and self._access.source.cloud is not Cloud.WEB:
            return {"If-Match": version.strong_etag}
        validator = version.strong_etag or version.modified
        return {"If-Range": validator} if validator else {}


def _continues(answer: Answer, gap: tuple[int, int] | None, version: Version) -> bool:
    """Whether the answer brings the wanted part of the same version."""
    if answer.status != 206 or not version.is_same(version_of(answer)):
        return False
    return gap is None or extent_of(answer).start == gap[0]


def client_of(options: TransferOptions, guard: Guard | None = None) -> HttpClient:
    """A client that reaches what the options allow, or what the guard does that is given instead."""
    guard = guard or Guard(tuple(parse_endpoint(text) for text in options.allowed_endpoints))
    return HttpClient(guard, silence=options.silence, proxy=options.egress_proxy)


def probe(access: Access, options: TransferOptions) -> int | None:
    """See that a source lets us have a file, by its first bytes: how large it is, if the source tells. It blocks.

    Raises:
        VarloomError: why it does not.
    """
    questions = Questions(access, client_of(options))
    try:
        answer = questions.ask((0, FIRST_BYTES))
        try:
            refuse_page(answer.response.read(FIRST_BYTES, decode_content=False), access.source)
            return version_of(answer).size
        finally:
            answer.drop()
    except NETWORK_ERRORS as error:
        raise network_failure(error, access.source.host) from None
    finally:
        questions.close()
