"""What waits, for the client that does not block. `sync_io` is the same for the other one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Got = TypeVar("Got")

HttpClient = httpx.AsyncClient


async def sleep(seconds: float) -> None:
    """Wait."""
    await asyncio.sleep(seconds)


async def in_thread(function: Callable[Given, Got], *args: Given.args, **options: Given.kwargs) -> Got:
    """What a function that blocks gives, while the event loop goes on."""
    return await asyncio.to_thread(function, *args, **options)
