"""Two ways to cut a worker off from a database and an object store: network namespaces, or proxies that fall silent.

With namespaces, which need root on Linux, each worker lives in one of its own, joined to the servers by a bridge; no
packet leaves the machine. Elsewhere each worker reaches the servers through TCP proxies of its own. Either way a cut is
silence, not an end: nothing arrives any more, and connections stay open, as when a cable is pulled.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path
    from typing import Any

BRIDGE = "varloom-test"
SUBNET = "10.213.47"
PORTION = 65536


class Network(Protocol):
    """How two workers, 0 and 1, reach the servers."""

    host: str
    """The address at which the servers are to listen."""

    def command(self, worker: int) -> list[str]:
        """What is put before a command that runs as this worker."""
        ...

    def way_to(self, worker: int, host: str | Path, port: int) -> tuple[str, int]:
        """Where this worker finds a server, which listens on a port or, if its host is a path, on a Unix socket."""
        ...

    def cut(self, worker: int) -> None:
        """Let nothing through any more."""
        ...

    def restore(self, worker: int) -> None:
        """Let everything through again."""
        ...


class Namespaces:
    """Workers in network namespaces, each joined to a bridge by a pair of interfaces."""

    host = f"{SUBNET}.1"

    def __init__(self) -> None:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("address", "add", f"{self.host}/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for worker in (0, 1):
            name = self._name(worker)
            _ip("netns", "add", name)
            _ip("link", "add", name, "type", "veth", "peer", "name", "inside", "netns", name)
            _ip("link", "set", name, "master", BRIDGE, "up")
            _ip("-n", name, "address", "add", f"{SUBNET}.{worker + 2}/24", "dev", "inside")
            for interface in ("inside", "lo"):
                _ip("-n", name, "link", "set", interface, "up")

    @classmethod
    def can_be_made(cls) -> bool:
        """Whether this machine lets us."""
        if os.geteuid() != 0 or shutil.which("ip") is None:
            return False
        made = subprocess.run(["ip", "netns", "add", "varloom-probe"], check=False, capture_output=True)
        subprocess.run(["ip", "netns", "del", "varloom-probe"], check=False, capture_output=True)
        return made.returncode == 0

    def close(self) -> None:
        """Remove everything; interfaces go with their namespaces."""
        for worker in (0, 1):
            subprocess.run(["ip", "netns", "del", self._name(worker)], check=False, capture_output=True)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, capture_output=True)

    def command(self, worker: int) -> list[str]:
        return ["ip", "netns", "exec", self._name(worker)]

    def way_to(self, worker: int, host: str | Path, port: int) -> tuple[str, int]:
        return str(host), port

    def cut(self, worker: int) -> None:
        _ip("link", "set", self._name(worker), "down")

    def restore(self, worker: int) -> None:
        _ip("link", "set", self._name(worker), "up")

    def _name(self, worker: int) -> str:
        return f"varloom-{worker}"


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], check=False, capture_output=True, text=True)
    assert done.returncode == 0, f"ip {' '.join(arguments)}: {done.stderr}"


class Proxies:
    """Workers beside the servers, which reach them through proxies in a thread of this process."""

    host = "127.0.0.1"

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxies: dict[int, list[_Proxy]] = defaultdict(list)

    def close(self) -> None:
        """End all proxies."""
        for proxies in self._proxies.values():
            for proxy in proxies:
                self._do(proxy.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def command(self, worker: int) -> list[str]:
        return []

    def way_to(self, worker: int, host: str | Path, port: int) -> tuple[str, int]:
        proxy = _Proxy(host, port)
        self._proxies[worker].append(proxy)
        return self.host, self._do(proxy.open())

    def cut(self, worker: int) -> None:
        for proxy in self._proxies[worker]:
            self._loop.call_soon_threadsafe(proxy.flowing.clear)

    def cut_first(self, worker: int) -> None:
        """Cut only the way that was asked for first."""
        self._loop.call_soon_threadsafe(self._proxies[worker][0].flowing.clear)

    def restore(self, worker: int) -> None:
        for proxy in self._proxies[worker]:
            self._loop.call_soon_threadsafe(proxy.flowing.set)

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(30)


class _Proxy:
    """Passes bytes between its clients and one server, while they flow; else it keeps them."""

    def __init__(self, host: str | Path, port: int) -> None:
        self._host, self._port = host, port
        self.flowing = asyncio.Event()
        self.flowing.set()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    async def open(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._passing:
            task.cancel()
        await asyncio.gather(*self._passing, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._passing.add(task)
        writers = [writer]
        try:
            await self.flowing.wait()
            if isinstance(self._host, str):
                there, back = await asyncio.open_connection(self._host, self._port)
            else:
                there, back = await asyncio.open_unix_connection(self._host)
            writers.append(back)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pass_on(reader, back))
                group.create_task(self._pass_on(there, writer))
        except (OSError, ExceptionGroup):
            pass  # one of the two is gone, so the other goes, too
        finally:
            self._passing.discard(task)
            for one in writers:
                one.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while portion := await reader.read(PORTION):
            await self.flowing.wait()
            writer.write(portion)
            await writer.drain()
        await self.flowing.wait()
        raise ConnectionResetError


@contextlib.contextmanager
def opened(make: Callable[[], Namespaces | Proxies]) -> Iterator[Namespaces | Proxies]:
    """A network for the length of the block; what an earlier, killed run left is removed before."""
    if make is Namespaces:
        Namespaces.close(Namespaces.__new__(Namespaces))
    network = make()
    try:
        yield network
    finally:
        network.close()
