"""The acts of a story in which every failpoint is passed: `story.py DATABASE FOLDER`.

It reads one JSON object a line from its input, `{"act": NAME, "rules": FAILPOINTS}`, plays the act in a fork of itself,
which starts in no time, and answers with the exit status of that. An act that died can be played again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from varloom import failpoints
from varloom.db.database import Database
from varloom.db.pool import open_pool
from varloom.errors import VarloomError
from varloom.jobs import repository
from varloom.jobs.lifecycle import Stage
from varloom.jobs.model import NewJob
from varloom.jobs.outcome import Succeeded
from varloom.jobs.rescue import Rescuer
from varloom.jobs.settle import settle
from varloom.pipeline.sweep import UPLOAD_GRACE, sweep
from varloom.services.credentials import Credentials
from varloom.services.jobs import Jobs
from varloom.services.manifests import Manifests
from varloom.services.options import JobOptions
from varloom.services.samples import Samples
from varloom.services.sources import transfer_options, vault_of
from varloom.services.uploads import JobRequest, Uploads
from varloom.services.work import mark_worker_dead, run_worker
from varloom.settings import Settings
from varloom.storage import open_storage

if TYPE_CHECKING:
    from uuid import UUID

SPLIT = {"single.vcf"}
LINES = ("line 1.vcf", "line 2.vcf")
SUSPECTS = ("suspect 1.vcf", "suspect 2.vcf")
POLL = 0.02
LONGEST_ACT = 20.0


class NothingToAdopt:
    """What settles a stage whose result nothing but the job tells of."""

    async def adopt(self, conn, claim, result):
        pass


class Story:
    """One act is played in one process."""

    def __init__(self, url: str, folder: Path, pool) -> None:
        self.url = url
        self.folder = folder
        self.settings = Settings(
            data=folder,
            disk_reserve_bytes=0,
            max_attempts=100,
            retry_delay=0.0,
            heartbeat_interval=0.2,
            worker_timeout=1.0,
            rescue_interval=0.2,
            shutdown_grace=0.0,
            undo_days=0.0,
            slots={"parse": 2},
        )
        self.storage = open_storage(self.settings)
        self.pool = pool
        self.jobs = Jobs(pool, self.settings)

    async def column(self, query, *values):
        async with self.pool.connection() as conn:
            return [row[0] for row in await (await conn.execute(query, values)).fetchall()]

    async def account(self) -> UUID:
        return (await self.column("SELECT id FROM accounts"))[0]

    async def job(self, name) -> UUID:
        query = "SELECT jobs.id FROM jobs JOIN uploads ON uploads.id = upload_id WHERE uploads.name = %s"
        return (await self.column(query, name))[0]

    async def state(self, name) -> str:
        return (await self.column("SELECT state FROM jobs WHERE id = %s", await self.job(name)))[0]

    # --- The acts ---

    async def upload(self):
        """Every file becomes a job, once, however often it is sent."""
        uploads = Uploads(self.pool, self.storage, self.settings)
        for path in sorted((self.folder / "files").iterdir()):
            async with uploads.intake(await self.account(), path.name) as intake:
                await intake.receive(path.name, _chunks(path))
                await intake.create_job(JobRequest(JobOptions(split_by_sample=path.name in SPLIT)))

    async def manifest(self):
        """Every line of a manifest becomes a job, once, however often it is sent; then they are cancelled."""
        vault = vault_of(self.settings)
        vault.create_key()
        credentials = Credentials(self.pool, vault, transfer_options(self.settings))
        manifests = Manifests(self.pool, self.settings, vault, credentials)
        content = "url\n" + "".join(f"s3://bucket/{name}\n" for name in LINES)
        made = await manifests.create(await self.account(), content.encode(), idempotency_key="manifest")
        if len(made.jobs) != len(LINES):
            raise AssertionError("a line has no job")
        for job in made.jobs:
            with contextlib.suppress(VarloomError):  # it is cancelled already
                await self.jobs.cancel(await self.account(), job.id)

    async def discard(self):
        """An upload that is given up after its bytes have arrived."""
        uploads = Uploads(self.pool, self.storage, self.settings)
        async with uploads.intake(await self.account()) as intake:
            await intake.receive("given up.vcf", _chunks(self.folder / "files" / "good.vcf"))

    async def release(self):
        """A worker that is stopped in the middle of the large file."""
        await self._work(self._is_parsing)
        if "Its worker was stopped" not in str(await self.column("SELECT message FROM job_events")):
            raise AssertionError("nothing was released")

    async def die(self):
        """A worker that dies in the middle of the large file, once."""
        died = self.folder / "died"

        async def is_time_to_die():
            if await self._is_parsing():
                died.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        if not died.exists():
            await self._work(is_time_to_die)

    async def cancel(self):
        """The large file is cancelled while it is parsed."""

        async def cancelled():
            if await self._is_parsing():
                with contextlib.suppress(VarloomError):  # it has just ended
                    await self.jobs.cancel(await self.account(), await self.job("large.vcf"))
            return await self.state("large.vcf") == "cancelled"

        await self._work(cancelled)

    async def retry(self):
        if await self.state("large.vcf") == "cancelled":
            await self.jobs.retry(await self.account(), await self.job("large.vcf"))

    async def hurry(self):
        """The large file waits an hour for its second attempt, and nobody wants to wait for that."""
        waits = (
            "UPDATE jobs SET attempt = 2, run_after = now() + interval '1 hour'"
            " WHERE id = %s AND state = 'queued' AND attempt = 1 RETURNING id"
        )
        large = await self.job("large.vcf")
        await self.column(waits, large)
        await self.jobs.retry(await self.account(), large)

    async def work(self):
        """Until every job has ended."""

        async def at_rest():
            return await self.column("SELECT count(*) FROM jobs WHERE finished_at IS NULL") == [0]

        await self._work(at_rest)

    async def dismiss(self):
        await self.jobs.dismiss(await self.account(), await self.job("broken.vcf"))

    async def delete(self):
        samples = Samples(self.pool, self.storage, self.settings)
        found = await self.column("SELECT id FROM samples WHERE name = 'single' AND deleted_at IS NULL")
        for sample in found:
            await samples.delete(await self.account(), sample)

    async def advance(self):
        """A job of two stages, of which this version can run one only: the first is settled by hand."""
        name = "two stages.vcf"
        await self._create(name)
        await self._return_orphans()
        if await self.column("SELECT stage FROM jobs WHERE id = %s", await self.job(name)) == ["download"]:
            (claim,) = await self._claim(1)
            async with self.pool.connection() as conn:
                await settle(conn, claim, Succeeded({"key": "k"}), NothingToAdopt(), retry_delay=0.0)
        if await self.state(name) != "cancelled":
            await self.jobs.cancel(await self.account(), await self.job(name))

    async def suspect(self):
        """A worker dies with two jobs, which lose nothing; then another one with one of them, which does."""
        for name in SUSPECTS:
            await self._create(name)
        await self._return_orphans()
        if await self._attempts_of_suspects() == []:
            await self._die_with(2)
        if await self._attempts_of_suspects() == [1, 1]:
            await self._die_with(1)
        if await self._attempts_of_suspects() != [1, 2]:
            raise AssertionError("the first death counts for none of them, the second one for one")

    async def give_up(self):
        """The suspects are given another priority, and up."""
        for name in SUSPECTS:
            if await self.state(name) != "cancelled":
                await self.jobs.prioritise(await self.account(), await self.job(name), 1)
                await self.jobs.cancel(await self.account(), await self.job(name))

    async def _attempts_of_suspects(self):
        return await self.column(
            "SELECT attempt FROM jobs WHERE suspected_at IS NOT NULL AND stage = 'download' ORDER BY 1"
        )

    async def _die_with(self, number):
        claims = await self._claim(number)
        async with self.pool.connection() as conn:
            await repository.stop_worker(conn, claims[0].job.worker_id)
        await self._return_orphans()

    async def _claim(self, number):
        """Claims of the download stage, by a worker that does no more."""
        worker_id = uuid4()
        async with self.pool.connection() as conn:
            await repository.register_worker(
                conn, worker_id, host=socket.gethostname(), pid=os.getpid(), version="0", slots={}
            )
        async with self.pool.connection() as conn:
            return [await repository.claim(conn, Stage.DOWNLOAD, worker_id) for _ in range(number)]

    async def _return_orphans(self):
        await Rescuer(self.pool, None, interval=1.0, worker_timeout=1.0, retry_delay=0.0).return_orphans()

    async def _create(self, name):
        """A job of two stages, once."""
        if await self.column("SELECT id FROM uploads WHERE name = %s", name):
            return
        async with self.pool.connection() as conn:
            query = "INSERT INTO uploads (account_id, kind, name) VALUES (%s, 'file', %s) RETURNING id"
            cursor = await conn.execute(query, [await self.account(), name])
            (upload_id,) = await cursor.fetchone()
            plan = (Stage.DOWNLOAD, Stage.PARSE)
            await repository.create_job(conn, NewJob(await self.account(), upload_id, name, plan))

    async def sweep(self):
        await sweep(self.pool, self.storage, now=lambda: time.time() + UPLOAD_GRACE + 1)

    async def _is_parsing(self):
        """Whether this process parses the large file."""
        query = (
            "SELECT progress IS NOT NULL FROM jobs JOIN workers ON workers.id = worker_id"
            " WHERE jobs.id = %s AND pid = %s AND stopped_at IS NULL"
        )
        return await self.column(query, await self.job("large.vcf"), os.getpid()) == [True]

    async def _work(self, enough):
        """Be a worker until it is enough."""
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(self.settings, Database(self.url), stop=stop))
        deadline = time.monotonic() + LONGEST_ACT
        while not working.done() and time.monotonic() < deadline:
            with contextlib.suppress(Exception):  # a connection of ours was cut; the worker's are what matters
                if await enough():
                    break
            await asyncio.sleep(POLL)
        stop.set()
        await working
        if time.monotonic() >= deadline:
            raise TimeoutError("the act does not end")


async def _chunks(path):
    yield path.read_bytes()


async def _play(url, folder, act):
    async with open_pool(url, max_size=4) as pool:
        await getattr(Story(url, folder, pool), act)()


def _fork(url, folder, order) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.environ[failpoints.VARIABLE] = order["rules"]
            failpoints.armed.plan = failpoints.Plan(order["rules"])
            asyncio.run(_play(url, folder, order["act"]))
            status = 0
        except BaseException:  # noqa: BLE001  (whatever it is, the exit status tells)
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status and order.get("report", True):
        mark_worker_dead(Database(url), pid)
    return os.waitstatus_to_exitcode(status)


def main(url: str, folder: str) -> None:
    for line in sys.stdin:
        sys.stdout.write(f"{_fork(url, Path(folder), json.loads(line))}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
