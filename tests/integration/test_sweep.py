"""The sweep removes what nothing needs, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import shutil
import time
import uuid
from datetime import timedelta

import pytest
from psycopg.types.json import Jsonb

from varloom.cancelling import cancel_all
from varloom.pipeline.genomes import genomes_folder
from varloom.pipeline.scratch import WorkerScratch
from varloom.pipeline.sweep import UPLOAD_GRACE, Swept, sweep
from varloom.services import work
from varloom.storage import LocalStorage, ObjectStorage
from varloom.storage.held_folder import unused
from varloom.storage.object_access import access_of
from varloom.transfer.model import Version
from varloom.transfer.partial_file import PartialFile


class World:
    """Rows and folders, as jobs leave them."""

    def __init__(self, connection, storage, account):
        self.connection = connection
        self.storage = storage
        self.account = account

    def put(self, key):
        self.storage.write_bytes(key, b"x")

    def has(self, key):
        return self.storage.exists(key)

    async def value(self, query, values):
        return (await (await self.connection.execute(query, values)).fetchone())[0]

    async def upload(self):
        upload_id = uuid.uuid4()
        key = f"uploads/{upload_id}/source"
        self.put(key)
        await self.connection.execute(
            "INSERT INTO uploads (id, account_id, kind, name, bytes, storage_key) VALUES (%s, %s, 'file', 'a', 1, %s)",
            [upload_id, self.account.id, key],
        )
        return upload_id, key

    async def job(self, upload_id, **artefacts):
        query = """INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage, artefacts)
                   VALUES (%s, %s, 's', '{download,parse}', 'parse', %s) RETURNING id"""
        return await self.value(query, [self.account.id, upload_id, Jsonb(artefacts)])

    async def running(self, upload_id):
        job_id = await self.job(upload_id)
        worker_id = await self.value(
            "INSERT INTO workers (id, host, pid, version, slots) VALUES (gen_random_uuid(), 'h', 1, '0', '{}')"
            " RETURNING id",
            [],
        )
        token = await self.value(
            "UPDATE jobs SET state = 'parsing', attempt_token = gen_random_uuid(), worker_id = %s WHERE id = %s"
            " RETURNING attempt_token",
            [worker_id, job_id],
        )
        return job_id, token

    async def fail(self, job_id):
        await self.connection.execute(
            "UPDATE jobs SET state = 'failed', attempt_token = NULL, worker_id = NULL, error = '{}',"
            " finished_at = now() WHERE id = %s",
            [job_id],
        )

    async def complete(self, job_id, upload_id, token):
        sample_id = await self.value(
            "INSERT INTO samples (account_id, name) VALUES (%s, 's') RETURNING id", [self.account.id]
        )
        await self.connection.execute(
            "INSERT INTO datasets (account_id, sample_id, job_id, upload_id, name, storage_key, format, records,"
            " variants, bytes, content_hash) VALUES (%s, %s, %s, %s, 's', %s, 'vcf', 1, 1, 1, 'h')",
            [self.account.id, sample_id, job_id, upload_id, f"attempts/{job_id}/{token}/dataset"],
        )
        await self.connection.execute(
            "UPDATE jobs SET state = 'completed', stage = NULL, attempt_token = NULL, worker_id = NULL, sample_id = %s,"
            " finished_at = now() WHERE id = %s",
            [sample_id, job_id],
        )
        return sample_id


@pytest.fixture(params=["local", "s3"])
def world(connection, account, tmp_path, request):
    if request.param == "local":
        return World(connection, LocalStorage(tmp_path / "storage"), account)
    store = request.getfixturevalue("s3")
    place = f"{store.url}/sweep-{uuid.uuid4()}"
    return World(connection, ObjectStorage(access_of(place, store.environment)), account)


async def test_what_is_running_waiting_or_published_stays_and_lost_attempts_go(world, pool):
    waiting, waiting_key = await world.upload()
    await world.job(waiting, download={"key": f"attempts/j/{uuid.uuid4()}"})
    adopted = await world.job(waiting, download={"key": "attempts/j/adopted"})
    world.put("attempts/j/adopted/file")
    upload_id, key = await world.upload()
    running, token = await world.running(upload_id)
    world.put(f"attempts/{running}/{token}/dataset/part-0")
    world.put(f"attempts/{running}/{uuid.uuid4()}/dataset/part-0")
    assert await sweep(pool, world.storage) == Swept(attempts=1, uploads=0)
    assert world.has(f"attempts/{running}/{token}/dataset/part-0")
    assert world.has("attempts/j/adopted/file")
    assert world.has(key)
    assert world.has(waiting_key)

    sample_id = await world.complete(running, upload_id, token)
    await world.connection.execute("UPDATE jobs SET dismissed_at = now() WHERE id = %s", [running])
    assert await sweep(pool, world.storage) == Swept(attempts=0, uploads=0), "a sample keeps its dataset and original"

    delete = "UPDATE samples SET deleted_at = now(), purge_at = now() + %s WHERE id = %s"
    await world.connection.execute(delete, [timedelta(hours=1), sample_id])
    assert await sweep(pool, world.storage) == Swept(attempts=0, uploads=0), "it can still be brought back"

    await world.connection.execute(delete, [timedelta(0), sample_id])
    assert await sweep(pool, world.storage) == Swept(attempts=1, uploads=1)
    assert not world.has(key)
    assert world.has(waiting_key)
    assert await world.value("SELECT storage_key FROM uploads WHERE id = %s", [upload_id]) is None
    assert adopted


async def test_the_original_of_a_failed_job_stays_until_it_is_dismissed(world, pool):
    upload_id, key = await world.upload()
    job_id, _ = await world.running(upload_id)
    await world.fail(job_id)
    await sweep(pool, world.storage)
    assert world.has(key)
    await world.connection.execute("UPDATE jobs SET dismissed_at = now() WHERE id = %s", [job_id])
    assert (await sweep(pool, world.storage)).uploads == 1
    assert not world.has(key)


async def test_bytes_without_a_row_may_still_be_on_their_way(world, pool):
    world.put(f"uploads/{uuid.uuid4()}/source")
    assert (await sweep(pool, world.storage)).uploads == 0
    assert (await sweep(pool, world.storage, now=lambda: time.time() + UPLOAD_GRACE + 1)).uploads == 1


@pytest.mark.parametrize("world", ["local"], indirect=True)
async def test_what_a_killed_process_left_half_done_goes_when_it_is_old(world, pool):
    world.put(f"uploads/{uuid.uuid4()}/source")
    folder = next(world.storage.path("uploads").iterdir())
    (folder / ".source.0123.part").write_bytes(b"half")
    trash = world.storage.path("uploads").parent / ".trash" / "0123"
    trash.mkdir(parents=True)
    (trash / "part-0").write_bytes(b"half")
    assert (await sweep(pool, world.storage)).leftovers == 0
    later = time.time() + UPLOAD_GRACE + 1
    assert (await sweep(pool, world.storage, now=lambda: later)).leftovers == 1, "the upload's went with its folder"
    assert not folder.exists()
    assert not trash.exists()


class SlowPool:
    """Lets something happen before the n-th statement of the sweep."""

    def __init__(self, pool, n, happening):
        self.pool = pool
        self.conn = None
        self.left = n
        self.happening = happening

    @contextlib.asynccontextmanager
    async def connection(self):
        async with self.pool.connection() as conn:
            self.conn = conn
            yield self

    async def execute(self, query, *values):
        self.left -= 1
        if self.left == 0:
            await self.happening()
        return await self.conn.execute(query, *values)


@pytest.mark.parametrize("n", range(1, 6))  # one more than there are, should they become more
async def test_an_upload_that_arrives_at_any_moment_of_the_sweep_stays(world, pool, n):
    """The bytes are there before the row: between two questions to the database, the row may come."""
    upload_id = uuid.uuid4()
    key = f"uploads/{upload_id}/source"
    world.put(key)

    async def arrive():
        await world.connection.execute(
            "INSERT INTO uploads (id, account_id, kind, name, bytes, storage_key) VALUES (%s, %s, 'file', 'a', 1, %s)",
            [upload_id, world.account.id, key],
        )
        await world.job(upload_id)

    slow = SlowPool(pool, n, arrive)
    await sweep(slow, world.storage)
    assert world.has(key)


async def test_a_stray_file_does_not_stop_the_sweep(world, pool):
    world.put("attempts/stray/file")
    lost = f"attempts/{uuid.uuid4()}/{uuid.uuid4()}"
    world.put(f"{lost}/dataset/part-0")
    assert (await sweep(pool, world.storage)).attempts == 1
    assert world.has("attempts/stray/file")
    assert not world.has(lost)


@pytest.mark.parametrize("folder", ["attempts", "uploads"])
async def test_the_storage_of_another_database_below_ours_stays(world, pool, folder):
    """`s3://bucket` and `s3://bucket/uploads` have different marks, and neither knows of the other."""
    theirs = [
        f"{folder}/varloom-storage.json",
        f"{folder}/uploads/{uuid.uuid4()}/source",
        f"{folder}/attempts/{uuid.uuid4()}/{uuid.uuid4()}/dataset/part-0",
    ]
    for key in theirs:
        world.put(key)
    later = time.time() + UPLOAD_GRACE + 1
    assert await sweep(pool, world.storage, now=lambda: later) == Swept(attempts=0, uploads=0)
    assert all(map(world.has, theirs))


async def test_one_worker_sweeps_at_a_time_and_a_long_sweep_is_not_cut_off(world, pool, monkeypatch):
    """The lock is held by a connection that is idle, but in no transaction, which the database would end."""
    swept = []

    async def long_sweep(pool, storage):
        swept.append(await work.sweep_alone(pool, storage))
        swept.append(
            await world.value("SELECT count(*) FROM pg_stat_activity WHERE state LIKE %s", ["idle in transaction%"])
        )

    monkeypatch.setattr(work, "sweep", long_sweep)
    assert await work.sweep_alone(pool, world.storage)
    assert swept == [False, 0]
    monkeypatch.undo()
    assert await work.sweep_alone(pool, world.storage), "the lock was given back"


async def test_each_worker_removes_genomes_of_releases_that_are_gone_from_its_machine(world, pool, tmp_path):
    """No job of reads has to begin for it; what a user's own FASTA left stays."""
    local = isinstance(world.storage, LocalStorage)
    scratch = None if local else WorkerScratch(*(tmp_path / name for name in ("a", "sources")), 1, tmp_path / "c")
    root = genomes_folder(world.storage, scratch and scratch.sources)
    gone, unfinished, own = (root / name for name in ("GRCh38-x-1", "GRCh37-x-1.unfinished", "file-0"))
    for folder in (gone, unfinished, own):
        (folder / "indexes").mkdir(parents=True)
    sweeping = asyncio.create_task(work._sweep_for_ever(pool, world.storage, scratch))
    async with asyncio.timeout(30):
        while gone.exists() or unfinished.exists():
            await asyncio.sleep(0.02)
    await cancel_all([sweeping])
    assert own.exists()


class Downloads:
    """Jobs from URLs, as the download stage leaves them."""

    def __init__(self, world):
        self.world = world

    async def job(self):
        query = "INSERT INTO uploads (account_id, kind, name, url) VALUES (%s, 'url', 'a', 'u') RETURNING id"
        upload_id = await self.world.value(query, [self.world.account.id])
        await self.world.connection.execute("INSERT INTO upload_secrets VALUES (%s, 'x')", [upload_id])
        job_id = await self.world.job(upload_id)
        await self.world.connection.execute("UPDATE jobs SET stage = 'download' WHERE id = %s", [job_id])
        self.world.put(f"downloads/{job_id}/part")
        return job_id, upload_id

    async def secrets(self):
        return await self.world.value("SELECT count(*) FROM upload_secrets", [])


async def test_what_arrives_stays_until_it_is_here_or_given_up(world, pool):
    downloads = Downloads(world)
    waiting, _ = await downloads.job()
    arrived, _ = await downloads.job()
    failed, _ = await downloads.job()
    await world.connection.execute("UPDATE jobs SET stage = 'parse' WHERE id = %s", [arrived])
    await world.fail(failed)
    world.put(f"downloads/{uuid.uuid4()}/part")
    swept = await sweep(pool, world.storage)
    assert (swept.gatherings, swept.attempts, swept.uploads) == (2, 0, 0)
    assert world.has(f"downloads/{waiting}/part")
    assert world.has(f"downloads/{failed}/part"), "a retry goes on with it"
    assert await downloads.secrets() == 3
    await world.connection.execute("UPDATE jobs SET dismissed_at = now() WHERE id = %s", [failed])
    assert (await sweep(pool, world.storage)).gatherings == 1
    assert await downloads.secrets() == 2


async def test_the_original_from_a_url_stays_as_long_as_its_sample(world, pool):
    downloads = Downloads(world)
    job_id, upload_id = await downloads.job()
    fetched = f"attempts/{job_id}/{uuid.uuid4()}/source"
    world.put(fetched)
    await world.connection.execute("UPDATE uploads SET storage_key = %s WHERE id = %s", [fetched, upload_id])
    worker_id = await world.value(
        "INSERT INTO workers (id, host, pid, version, slots) VALUES (gen_random_uuid(), 'h', 1, '0', '{}')"
        " RETURNING id",
        [],
    )
    token = await world.value(
        "UPDATE jobs SET stage = 'parse', state = 'parsing', attempt_token = gen_random_uuid(), worker_id = %s"
        " WHERE id = %s RETURNING attempt_token",
        [worker_id, job_id],
    )
    sample_id = await world.complete(job_id, upload_id, token)
    await sweep(pool, world.storage)
    assert world.has(fetched)
    assert await downloads.secrets() == 0, "nobody will fetch it again"
    await world.connection.execute("UPDATE samples SET deleted_at = now(), purge_at = now() WHERE id = %s", [sample_id])
    await sweep(pool, world.storage)
    assert not world.has(fetched)


@pytest.mark.parametrize("world", ["local"], indirect=True)
async def test_a_download_that_began_again_meanwhile_is_not_taken_away(world, pool):
    job_id, _ = await Downloads(world).job()
    await world.fail(job_id)
    await world.connection.execute("UPDATE jobs SET dismissed_at = now() WHERE id = %s", [job_id])
    folder = world.storage.path(f"downloads/{job_id}")
    beside = PartialFile(folder / "beside-another")
    assert (await sweep(pool, world.storage)).gatherings == 0
    assert world.has(f"downloads/{job_id}/part")
    beside.close()
    assert (await sweep(pool, world.storage)).gatherings == 1
    assert not folder.exists()


def test_a_download_whose_folder_goes_as_it_begins_has_a_new_one(tmp_path, monkeypatch):
    """The folder is swept between the moment that its lock is opened and the moment that it is held."""
    folder, lock = tmp_path / "arriving", fcntl.flock
    removed = []

    def late(descriptor, how):
        if not removed:
            shutil.rmtree(folder)
            removed.append(True)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    partial = PartialFile(folder)
    with unused(folder) as is_unused:
        assert removed
        assert not is_unused
    partial.begin("x", Version(3))
    assert partial.write(0, b"abc") == 3
    assert partial.path.read_bytes() == b"abc"
    partial.close()
