"""Requests to the API of one server, and its refusals as errors."""
# written by hand

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from varloom.client import async_io
from varloom.client.addresses import NO_TOKEN, checked_address, find_server, is_loopback
from varloom.client.answers import checked, reaching
from varloom.client.problems import SERVER_UNREACHABLE
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from varloom.client.addresses import ServerChoice

CONNECT_TIMEOUT = 10.0
NOT_AUTHENTICATED, REQUESTS_LIMITED = "not_authenticated", "requests_limited"
MOST_WAITED = 120.0
"""Seconds that a request waits in all for a server that is asked too often."""


class Transport:
    """A connection to one server. Every method raises VarloomError for what the server refuses.

    A server that was started anew has a new token in its data folder, and perhaps a new address: they are looked for
    there when the old ones are of no use.

    Args:
        choice: which server.
        timeout: seconds in which a part of an answer has to come.
    """

    def __init__(self, choice: ServerChoice, timeout: float) -> None:
        self._choice = choice
        self._timeout = timeout
        self._address = checked_address(find_server(choice))
        self._client = self._connected()
        self._left: list[async_io.HttpClient] = []

    def _connected(self) -> async_io.HttpClient:
        return async_io.HttpClient(
            base_url=self._address.url,
            headers={} if self._address.token == NO_TOKEN else {"Authorization": f"Bearer {self._address.token}"},
            timeout=httpx.Timeout(self._timeout, connect=min(self._timeout, CONNECT_TIMEOUT)),
            trust_env=not is_loopback(self._address.url),
        )

    async def aclose(self) -> None:
        """Give the connections back."""
        for client in (*self._left, self._client):
            await client.aclose()

    async def get(self, path: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """The JSON at a path of the API."""
        return checked(await self.exchange("GET", path, params=dict(parameters or {})))

    async def text(self, path: str) -> str:
        """The text at a path of the API."""
        return (await self.exchange("GET", path)).text

    async def post(self, path: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Any:
        """The JSON that is answered to a JSON body."""
        return checked(await self.exchange("POST", path, json={} if body is None else body, headers=headers))

    async def patch(self, path: str, body: Any) -> Any:
        """The JSON that is answered to a change."""
        return checked(await self.exchange("PATCH", path, json=body))

    async def put(self, path: str, body: Any = None) -> Any:
        """The JSON that is answered to what is put at a path; None where nothing is."""
        answer = await self.exchange("PUT", path, json=body)
        return checked(answer) if answer.content else None

    async def delete(self, path: str) -> None:
        """Delete what is at a path."""
        await self.exchange("DELETE", path)

    async def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer itself, for what it says in its headers."""
        waited = 0.0
        while True:
            try:
                return await self._exchange(method, path, **options)
            except VarloomError as error:
                is_whole = "content" not in options  # of other bodies, some has gone already
                if error.code == REQUESTS_LIMITED and is_whole and waited < MOST_WAITED:
                    pause = error.retry_after or 1.0
                    waited += pause
                    await async_io.sleep(pause)
                elif not self._is_elsewhere(error):
                    raise
                elif not is_whole:
                    raise _started_anew() from None

    async def _exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        with reaching(self._address.url):
            response = await self._client.request(method, f"/api/v1{path}", **options)
        if response.is_error:
            checked(response)
        return response

    @contextlib.asynccontextmanager
    async def stream(
        self, path: str, parameters: Mapping[str, Any] | None = None, *, headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[httpx.Response]:
        """An answer whose body is read as it arrives."""
        try:
            with reaching(self._address.url):
                async with self._client.stream(
                    "GET", f"/api/v1{path}", params=dict(parameters or {}), headers=headers
                ) as response:
                    if response.is_error:
                        await response.aread()
                        checked(response)
                    yield response
        except VarloomError as error:
            if self._is_elsewhere(error):
                raise _started_anew() from None
            raise

    def _is_elsewhere(self, error: VarloomError) -> bool:
        """Whether it failed because the server was started anew; from here on the new one is asked."""
        if error.code not in {NOT_AUTHENTICATED, SERVER_UNREACHABLE.code}:
            return False
        try:
            address = checked_address(find_server(self._choice))
        except VarloomError:
            return False  # it is being started, perhaps
        if address == self._address:
            return False
        self._left.append(self._client)
        self._address = address
        self._client = self._connected()
        return True

    @staticmethod
    def quoted(name: str) -> str:
        """A name as a part of a path."""
        return quote(name, safe="")


def _started_anew() -> VarloomError:
    return VarloomError(SERVER_UNREACHABLE, "The server was started anew.")
