"""One of the queues that the engine is compared with, used as its documentation shows, with tasks that do nothing.

    python engine_peers.py PEER prepare CONNINFO          makes its tables
    python engine_peers.py PEER fill CONNINFO COUNT       puts tasks into the queue
    python engine_peers.py PEER trickle CONNINFO COUNT SECONDS    the same, one by one; prints when each was accepted
    python engine_peers.py PEER work CONNINFO SLOTS FILE  runs tasks until SIGTERM; each writes to FILE when it began

A task's argument is its number. Times are seconds since the epoch. Run by bench_engine.py in the peers' own Python.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from typing import Any, Protocol
from urllib.parse import quote


class Beginnings:
    """The file to which each task writes a line when it begins: its number, and when."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def note(self, number: str) -> None:
        """Write down that a task begins now."""
        os.write(self._file, f"{number} {time.time():.6f}\n".encode())


class Peer(Protocol):
    """A queue in the roles that are measured."""

    async def prepare(self) -> None:
        """Make the tables."""

    async def fill(self, numbers: range) -> None:
        """Put tasks into the queue."""

    async def trickle(self, numbers: range, pause: float) -> dict[str, float]:
        """Put tasks into the queue one by one; when each was accepted."""

    async def work(self, slots: int, beginnings: Beginnings, stop: asyncio.Event) -> None:
        """Run tasks until told to stop."""


class Procrastinate:
    """Procrastinate alone: a worker with so many tasks at once, and its defaults."""

    def __init__(self, conninfo: str) -> None:
        from procrastinate import App, PsycopgConnector

        self.app = App(connector=PsycopgConnector(conninfo=conninfo))
        self.beginnings: Beginnings | None = None
        self.task = self.app.task(name="nothing")(self._nothing)

    async def _nothing(self, number: str) -> None:
        if self.beginnings is not None:
            self.beginnings.note(number)

    async def prepare(self) -> None:
        """See `Peer`."""
        async with self.app.open_async():
            await self.app.schema_manager.apply_schema_async()

    async def fill(self, numbers: range) -> None:
        """See `Peer`."""
        async with self.app.open_async():
            await self.task.batch_defer_async(*({"number": str(number)} for number in numbers))

    async def trickle(self, numbers: range, pause: float) -> dict[str, float]:
        """See `Peer`."""
        accepted = {}
        async with self.app.open_async():
            for number in numbers:
                await self.task.defer_async(number=str(number))
                accepted[str(number)] = time.time()
                await asyncio.sleep(pause)
        return accepted

    async def work(self, slots: int, beginnings: Beginnings, stop: asyncio.Event) -> None:
        """See `Peer`."""
        self.beginnings = beginnings
        async with self.app.open_async():
            running = asyncio.create_task(self.app.run_worker_async(concurrency=slots, install_signal_handlers=False))
            await stop.wait()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


class PgQueuer:
    """pgqueuer with its driver for psycopg and its defaults: batches of ten, as many tasks at once as it takes."""

    def __init__(self, conninfo: str) -> None:
        self.conninfo = conninfo

    async def _connect(self) -> Any:
        import psycopg

        return await psycopg.AsyncConnection.connect(self.conninfo, autocommit=True)

    async def prepare(self) -> None:
        """See `Peer`."""
        from pgqueuer import Queries
        from pgqueuer.db import PsycopgDriver

        async with await self._connect() as connection:
            await Queries(PsycopgDriver(connection)).install()

    async def fill(self, numbers: range) -> None:
        """See `Peer`."""
        from pgqueuer import Queries
        from pgqueuer.db import PsycopgDriver

        payloads = [str(number).encode() for number in numbers]
        async with await self._connect() as connection:
            queries = Queries(PsycopgDriver(connection))
            await queries.enqueue(["nothing"] * len(payloads), payloads, [0] * len(payloads))

    async def trickle(self, numbers: range, pause: float) -> dict[str, float]:
        """See `Peer`."""
        from pgqueuer import Queries
        from pgqueuer.db import PsycopgDriver

        accepted = {}
        async with await self._connect() as connection:
            queries = Queries(PsycopgDriver(connection))
            for number in numbers:
                await queries.enqueue("nothing", str(number).encode())
                accepted[str(number)] = time.time()
                await asyncio.sleep(pause)
        return accepted

    async def work(self, slots: int, beginnings: Beginnings, stop: asyncio.Event) -> None:  # noqa: ARG002
        """See `Peer`."""
        from pgqueuer import PgQueuer as Application
        from pgqueuer.db import PsycopgDriver

        async with await self._connect() as connection:
            application = Application(PsycopgDriver(connection))

            @application.entrypoint("nothing")
            async def nothing(job: Any) -> None:
                beginnings.note(job.payload.decode())

            running = asyncio.create_task(application.run())
            await stop.wait()
            application.shutdown.set()
            await asyncio.gather(running, return_exceptions=True)


class Dbos:
    """DBOS with a queue of its own on Postgres, and its defaults: once a second it looks for work, and takes all."""

    def __init__(self, conninfo: str) -> None:
        from psycopg.conninfo import conninfo_to_dict

        parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
        user, password = quote(parts["user"], safe=""), quote(parts["password"], safe="")
        self.url = f"postgresql://{user}:{password}@/{parts['dbname']}?host={quote(parts['host'], safe='')}"
        self.url += f"&port={parts.get('port', '5432')}"
        self.config: Any = {
            "name": "bench",
            "application_version": "1",
            "system_database_url": self.url,
            "log_level": "ERROR",
        }

    async def prepare(self) -> None:
        """See `Peer`."""
        from dbos import DBOS

        DBOS(config=self.config)
        DBOS.launch()
        await DBOS.register_queue_async("bench")
        DBOS.destroy()

    def _client(self) -> Any:
        from dbos import DBOSClient

        return DBOSClient(system_database_url=self.url, application_name="bench")

    async def fill(self, numbers: range) -> None:
        """See `Peer`."""
        await self.trickle(numbers, 0)

    async def trickle(self, numbers: range, pause: float) -> dict[str, float]:
        """See `Peer`."""
        accepted = {}
        client = self._client()
        options: Any = {"queue_name": "bench", "workflow_name": "nothing", "app_version": "1"}
        for number in numbers:
            client.enqueue(options, str(number))
            accepted[str(number)] = time.time()
            time.sleep(pause)  # noqa: ASYNC251 - nothing else runs here
        client.destroy()
        return accepted

    async def work(self, slots: int, beginnings: Beginnings, stop: asyncio.Event) -> None:  # noqa: ARG002
        """See `Peer`."""
        from dbos import DBOS

        DBOS(config=self.config)

        @DBOS.workflow(name="nothing")
        def nothing(number: str) -> None:
            beginnings.note(number)

        DBOS.listen_queues(["bench"])
        DBOS.launch()
        await DBOS.register_queue_async("bench")
        await stop.wait()
        threading.Timer(5, os._exit, [0]).start()
        DBOS.destroy()


PEERS: dict[str, type[Peer]] = {"procrastinate": Procrastinate, "pgqueuer": PgQueuer, "dbos": Dbos}


async def act(peer: Peer, role: str, arguments: list[str]) -> None:
    """Play one role to its end."""
    match role:
        case "prepare":
            await peer.prepare()
        case "fill":
            await peer.fill(range(int(arguments[0])))
        case "trickle":
            print(json.dumps(await peer.trickle(range(int(arguments[0])), float(arguments[1]))))
        case "work":
            stop = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
            await peer.work(int(arguments[0]), Beginnings(arguments[1]), stop)


if __name__ == "__main__":
    asyncio.run(act(PEERS[sys.argv[1]](sys.argv[3]), sys.argv[2], sys.argv[4:]))
