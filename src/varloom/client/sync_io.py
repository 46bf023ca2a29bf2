"""What waits, for the client that blocks. `async_io` is the same for the other one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable

Given = ParamSpec("Given")
Got = TypeVar("Got")

HttpClient = httpx.Client


def sleep(seconds: float) -> None:
    """Wait."""
    time.sleep(seconds)


def in_thread(function: Callable[Given, Got], *args: Given.args, **options: Given.kwargs) -> Got:
    """What a function that blocks gives."""
    return function(*args, **options)
