"""Varloom's engine in the roles of engine_peers.py: its worker and its child processes, with stages that do nothing.

    python engine_varloom.py varloom ROLE CONNINFO ...

`fill` takes the number of stages of each job as a second number. A job's sample name is its number.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop

from varloom.db.migrate import migrate
from varloom.db.pool import listen, open_pool
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.model import NewJob
from varloom.jobs.needs import Offer
from varloom.jobs.settle import Published
from varloom.jobs.worker import Worker, WorkerOptions
from varloom.pipeline.request import SourceFile, StageRequest
from varloom.settings import Settings
from varloom.storage import StorageAccess

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import AsyncConnection

    from varloom.jobs.model import Claim, Job

ACCOUNT = "bench"
SOURCE = "uploads/source"
HERE = Path(__file__).resolve().parent


class Nothing:
    """Stages that do nothing; a sample for each completed job, as the real backend makes one.

    The storage is a folder in which one empty file is the source of all jobs.
    """

    child_module = "engine_child"
    plan_version = 1

    def __init__(self, storage: Path) -> None:
        self._access = StorageAccess(storage.as_uri())

    def offer(self) -> Offer:
        """See `varloom.jobs.worker.Backend`: it takes any job."""
        return Offer()

    def request(self, claim: Claim) -> dict[str, Any]:
        """See `varloom.jobs.worker.Backend`."""
        return StageRequest(
            stage=claim.stage.value,
            source=SourceFile(SOURCE, claim.job.sample_name, 0, None),
            output_key=f"attempts/{claim.job.id}/{claim.token}",
            options=claim.job.options,
            storage=self._access,
        ).as_json()

    async def adopt(self, conn: AsyncConnection[Any], claim: Claim, result: dict[str, Any]) -> None:
        """See `varloom.jobs.settle.Publisher`."""

    async def publish(self, conn: AsyncConnection[Any], job: Job, result: dict[str, Any]) -> Published:  # noqa: ARG002
        """See `varloom.jobs.settle.Publisher`."""
        query = "INSERT INTO samples (account_id, name) VALUES (%s, %s) RETURNING id"
        cursor = await conn.execute(query, [job.account_id, job.sample_name])
        row = await cursor.fetchone()
        if row is None:
            raise AssertionError("an INSERT returns its row")
        return Published(row[0], 0, 0)

    def clear(self, claim: Claim) -> None:
        """See `varloom.jobs.worker.Backend`."""

    def discard(self, claim: Claim) -> None:
        """See `varloom.jobs.worker.Backend`."""


async def account_of(conn: AsyncConnection[Any], name: str = ACCOUNT) -> UUID:
    """The account with this name, made the first time."""
    cursor = await conn.execute(
        "INSERT INTO accounts (name) VALUES (%s) ON CONFLICT (lower(name)) DO UPDATE SET name = excluded.name "
        "RETURNING id",
        [name],
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("an INSERT returns its row")
    account_id: UUID = row[0]
    return account_id


async def create(conn: AsyncConnection[Any], account_id: UUID, name: str, plan: tuple[Stage, ...]) -> Job:
    """An upload and its job, in the caller's transaction."""
    cursor = await conn.execute(
        "INSERT INTO uploads (account_id, kind, name, bytes) VALUES (%s, 'file', 'a.vcf', 10) RETURNING id",
        [account_id],
    )
    row = await cursor.fetchone()
    if row is None:
        raise AssertionError("an INSERT returns its row")
    return await repository.create_job(conn, NewJob(account_id, row[0], name, plan))


async def fill(conninfo: str, count: int, stages: int) -> None:
    """Create so many jobs."""
    async with open_pool(conninfo) as pool, pool.connection() as conn:
        account_id = await account_of(conn)
        for number in range(count):
            await create(conn, account_id, str(number), tuple(Stage)[-stages:])


async def trickle(conninfo: str, count: int, pause: float) -> dict[str, float]:
    """Create jobs one by one; when each was committed."""
    accepted = {}
    async with open_pool(conninfo) as pool:
        async with pool.connection() as conn:
            account_id = await account_of(conn)
        for number in range(count):
            async with pool.connection() as conn:
                await create(conn, account_id, str(number), (Stage.PARSE,))
            accepted[str(number)] = time.time()
            await asyncio.sleep(pause)
    return accepted


def storage_beside(path: Path) -> Path:
    """A folder with the one source."""
    storage = path.resolve().parent / "storage"
    (storage / SOURCE).parent.mkdir(parents=True, exist_ok=True)
    (storage / SOURCE).touch()
    return storage


async def work(conninfo: str, slots: int, beginnings: str, storage: Path) -> None:
    """Run a worker with the default settings and so many slots for each stage, until SIGTERM."""
    os.environ["BEGINNINGS"] = beginnings
    os.environ["PYTHONPATH"] = str(HERE)
    settings = Settings()
    options = WorkerOptions(
        slots=dict.fromkeys(Stage, slots),
        retry_delay=settings.retry_delay,
        heartbeat_interval=settings.heartbeat_interval,
        worker_timeout=settings.worker_timeout,
        rescue_interval=settings.rescue_interval,
        stall_limit=settings.stall_limit,
        shutdown_grace=settings.shutdown_grace,
    )

    async with open_pool(conninfo, max_size=20, application_name="varloom worker", generic_plans=True) as pool:
        worker = Worker(pool, Nothing(storage), options, partial(listen, conninfo))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.run()


def main() -> None:
    """Play one role to its end."""
    _, role, conninfo, *arguments = sys.argv[1:]
    match role:
        case "prepare":
            migrate(conninfo)
        case "fill":
            asyncio.run(fill(conninfo, int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1))
        case "trickle":
            print(json.dumps(asyncio.run(trickle(conninfo, int(arguments[0]), float(arguments[1])))))
        case "work":
            uvloop.run(work(conninfo, int(arguments[0]), arguments[1], storage_beside(Path(arguments[1]))))


if __name__ == "__main__":
    main()
