"""Requests to the API of one server, and its refusals as errors."""
# written by hand

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx

from varloom.client import async_io
from varloom.client.addresses import NO_TOKEN, is_loopback
from varloom.client.answers import checked, reaching

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from varloom.client.addresses import ServerAddress

CONNECT_TIMEOUT = 10.0


class Transport:
    """A connection to one server. Every method raises VarloomError for what the server refuses.

    Args:
        address: where the server is, and the token that it wants.
        timeout: seconds in which a part of an answer has to come.
    """

    def __init__(self, address: ServerAddress, timeout: float) -> None:
        self._address = address
        self._client = async_io.HttpClient(
            base_url=address.url,
            headers={} if address.token == NO_TOKEN else {"Authorization": f"Bearer {address.token}"},
            timeout=httpx.Timeout(timeout, connect=min(timeout, CONNECT_TIMEOUT)),
            trust_env=not is_loopback(address.url),
        )

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._client.aclose()

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

    async def delete(self, path: str) -> None:
        """Delete what is at a path."""
        await self.exchange("DELETE", path)

    async def exchange(self, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer itself, for what it says in its headers."""
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
        with reaching(self._address.url):
            async with self._client.stream(
                "GET", f"/api/v1{path}", params=dict(parameters or {}), headers=headers
            ) as response:
                if response.is_error:
                    await response.aread()
                    checked(response)
                yield response

    @staticmethod
    def quoted(name: str) -> str:
        """A name as a part of a path."""
        return quote(name, safe="")
