"""Ports for servers that have to be told one, or that are started again on the same."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket

FIRST, SHARE, SHARES = 20_000, 1_000, 12
"""All lie below those that systems give away by themselves (32,768 on Linux), so that no client or other server gets
one before it is used, or while nobody listens there. Each process of a run has a share of its own."""


def free_ports(number: int, host: str = "127.0.0.1") -> list[int]:
    """Ports that nobody listens on now."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or 0)
    first = FIRST + worker % SHARES * SHARE
    found: list[int] = []
    for port in random.sample(range(first, first + SHARE), SHARE):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((host, port))
            found.append(port)
        if len(found) == number:
            return found
    raise AssertionError(f"fewer than {number} ports are free from {first} on")


def free_port() -> int:
    """One of them."""
    [port] = free_ports(1)
    return port
