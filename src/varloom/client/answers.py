"""What a server answers: its JSON, or the error that it tells."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import httpx

from varloom.client.problems import RESPONSE_UNEXPECTED, SERVER_UNREACHABLE
from varloom.errors import ErrorKind, Place, Problem, Severity, VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def checked(response: httpx.Response) -> Any:
    """The answer's JSON, or the error that it tells."""
    if response.status_code == httpx.codes.NO_CONTENT:
        return None
    try:
        answer = response.json()
    except ValueError:
        answer = None
    if response.is_success and answer is not None:
        return answer
    if isinstance(answer, dict) and isinstance(answer.get("code"), str):
        raise refusal(answer)
    kind = RESPONSE_UNEXPECTED._replace(status=response.status_code)
    raise VarloomError(kind, f"{response.url.host} answered with status {response.status_code}.")


def refusal(document: dict[str, Any]) -> VarloomError:
    """The error in a problem document."""
    resolution = tuple(str(step) for step in document.get("resolution") or ())
    kind = ErrorKind(
        code=document["code"],
        title=str(document.get("title") or "The request was refused"),
        cause="",
        resolution=resolution,
        retryable=bool(document.get("retryable")),
        status=int(document.get("status") or 400),
    )
    problems = tuple(told_problem(told) for told in document.get("problems") or () if isinstance(told, dict))
    return VarloomError(kind, str(document.get("detail") or ""), _place(document), resolution, problems)


def told_problem(told: Mapping[str, Any]) -> Problem:
    """A finding that the server tells, as one of ours."""
    resolution = tuple(str(step) for step in told.get("resolution") or ())
    kind = ErrorKind(str(told.get("code")), "", cause="", resolution=resolution)
    severity = Severity.WARNING if told.get("severity") == Severity.WARNING.value else Severity.ERROR
    return Problem(kind, str(told.get("message") or ""), severity, _place(told))


def _place(told: Mapping[str, Any]) -> Place:
    return Place(told.get("line"), told.get("column"), told.get("field"), told.get("excerpt"))


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Tell what keeps a request from a server. Raises `server_unreachable`."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise VarloomError(SERVER_UNREACHABLE, f"{url} is not an address: {error}") from None
    except httpx.RequestError as error:
        why = str(error) or type(error).__name__
        raise VarloomError(SERVER_UNREACHABLE, f"{url}: {why}") from None
