"""The worker as a use case: what `varloom worker` runs, and what `varloom serve` says when its worker has died."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from functools import partial
from typing import TYPE_CHECKING

import psycopg

from varloom.cancelling import cancel_all
from varloom.db.pool import listen, open_pool
from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.jobs.lifecycle import Stage
from varloom.jobs.worker import DATABASE_AWAY, Worker, WorkerOptions
from varloom.pipeline.backend import Downloads, PipelineBackend
from varloom.pipeline.child import STAGES
from varloom.pipeline.genomes import sweep_genomes
from varloom.pipeline.request import Processing
from varloom.pipeline.scratch import worker_scratch
from varloom.pipeline.source_secrets import SourceSecrets
from varloom.pipeline.sweep import sweep
from varloom.processing.parabricks.options import ParabricksOptions
from varloom.services.disk_space import watch_of_worker
from varloom.services.retention import let_go
from varloom.services.sources import transfer_options, vault_of
from varloom.services.storage_mark import storage_is_marked
from varloom.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from psycopg_pool import AsyncConnectionPool

    from varloom.db.database import Database
    from varloom.pipeline.scratch import WorkerScratch
    from varloom.settings import Settings
    from varloom.storage import Storage

logger = logging.getLogger(__name__)

SPARE_CONNECTIONS = 4
"""For heartbeat, rescue, sweep and progress, beside one for each slot."""
MOST_CONNECTIONS = 20
"""However many slots: each needs one only for moments, and the database has so many for all."""
POOL_TIMEOUT = 10.0
"""Seconds to wait for a connection before the database counts as away."""

STORAGE_LOOK_INTERVAL = 1.0
"""Seconds between two looks whether the storage can be used."""

SWEEP_INTERVAL = 600.0
"""Seconds between two sweeps of the storage."""

REPORT_TIMEOUT = 5
"""Seconds to reach the database in order to say that a worker has died."""

DATABASE_LOOK_INTERVAL = 5.0
"""Seconds between two looks whether the embedded database lives."""

SWEEP_LOCK = 7_203_441_002
"""Advisory lock: one worker sweeps at a time."""


async def run_worker(settings: Settings, database: Database, *, stop: asyncio.Event | None = None) -> None:
    """Work until SIGTERM or SIGINT, or until `stop` is set; then finish or return what runs.

    Raises:
        VarloomError: `settings_invalid` when a slot is asked for a stage that this version cannot run,
            `storage_mismatch` when the storage is not that of the database, `scratch_unusable`.
    """
    slots = checked_slots(settings)
    storage = open_storage(settings)
    stop = stop or asyncio.Event()
    async with contextlib.AsyncExitStack() as held:
        held.enter_context(_set_by_signals(stop))
        pool = await held.enter_async_context(_open_pool(database, slots))
        if not await _storage_is_ours(pool, storage, stop):
            return
        scratch = held.enter_context(_scratch(settings, storage))
        worker = Worker(
            pool,
            PipelineBackend(
                storage, scratch, _downloads(settings, database), _processing(settings), conninfo=database.conninfo
            ),
            _options(settings, slots),
            partial(listen, database.conninfo),
            low_disk=watch_of_worker(settings, storage).look,
        )
        beside = [
            asyncio.create_task(_stop_when(stop, worker)),
            asyncio.create_task(_sweep_for_ever(pool, storage, scratch, settings)),
            asyncio.create_task(_keep_database(database)),
        ]
        try:
            await worker.run()
        finally:
            await cancel_all(beside)


async def _storage_is_ours(pool: AsyncConnectionPool, storage: Storage, stop: asyncio.Event) -> bool:
    """Wait until the server has marked the storage, and until database and storage can be reached; False if stopped.

    Raises:
        VarloomError: `storage_mismatch`, or what waiting cannot change.
    """
    told = ""
    while not stop.is_set():
        try:
            if await storage_is_marked(pool, storage):
                return True
            reason = "no server has been started with this database"
        except DATABASE_AWAY:
            reason = "the database is away"
        except VarloomError as error:
            if not error.kind.retryable:
                raise
            reason = error.message
        if reason != told:
            logger.warning("the worker waits: %s", reason)
            told = reason
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), STORAGE_LOOK_INTERVAL)
    return False


def _downloads(settings: Settings, database: Database) -> Downloads:
    """What the worker needs to fetch files from URLs."""
    secrets = SourceSecrets(database.conninfo, vault_of(settings), settings.own_identity)
    return Downloads(secrets, transfer_options(settings), settings.account_quota_bytes)


def _processing(settings: Settings) -> Processing:
    """What the worker has for secondary analysis."""
    return Processing(
        engine=settings.engine,
        threads=settings.processing_threads or os.cpu_count() or 1,
        parabricks=ParabricksOptions(
            image=settings.parabricks_image,
            container_command=settings.parabricks_container_command,
            gpus=settings.parabricks_gpus,
            low_memory=settings.parabricks_low_memory,
        ),
    )


def _scratch(settings: Settings, storage: Storage) -> AbstractContextManager[WorkerScratch | None]:
    """Scratch space, where the storage is not on this machine."""
    if storage.local_path("attempts") is not None:
        return contextlib.nullcontext()
    return worker_scratch(settings.scratch, settings.copies_bytes)


def _open_pool(database: Database, slots: dict[Stage, int]) -> AbstractAsyncContextManager[AsyncConnectionPool]:
    """The connections of a worker with these slots."""
    size = min(sum(slots.values()) + SPARE_CONNECTIONS, MOST_CONNECTIONS)
    return open_pool(
        database.conninfo, max_size=size, application_name="varloom worker", timeout=POOL_TIMEOUT, generic_plans=True
    )


def mark_worker_dead(database: Database, pid: int) -> None:
    """Note that the worker with this process id on this machine has ended, so that its work is returned at once."""
    query = "UPDATE workers SET stopped_at = now() WHERE host = %s AND pid = %s AND stopped_at IS NULL"
    with psycopg.connect(database.conninfo, connect_timeout=REPORT_TIMEOUT) as conn:
        conn.execute(query, [socket.gethostname(), pid])


def checked_slots(settings: Settings) -> dict[Stage, int]:
    """The slots by stage; only for stages that exist."""
    unknown = sorted(stage for stage, count in settings.slots.items() if count > 0 and stage not in STAGES)
    if unknown:
        known = ", ".join(sorted(STAGES))
        raise VarloomError(
            SETTINGS_INVALID, f"slots: this version has no {unknown[0]} stage; slots can be given to: {known}"
        )
    return {Stage(stage): count for stage, count in settings.slots.items() if count > 0}


def _options(settings: Settings, slots: dict[Stage, int]) -> WorkerOptions:
    """What the worker needs to know of the settings."""
    return WorkerOptions(
        slots=slots,
        retry_delay=settings.retry_delay,
        heartbeat_interval=settings.heartbeat_interval,
        worker_timeout=settings.worker_timeout,
        rescue_interval=settings.rescue_interval,
        stall_limit=settings.stall_limit,
        shutdown_grace=settings.shutdown_grace,
        stall_limits={Stage(stage): limit for stage, limit in settings.stall_limits.items()},
        stages_at_once=settings.stages_at_once,
    )


@contextlib.contextmanager
def _set_by_signals(stop: asyncio.Event) -> Iterator[None]:
    """Let SIGTERM and SIGINT ask the worker to stop."""
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, stop.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _stop_when(stop: asyncio.Event, worker: Worker) -> None:
    """Stop the worker when the event is set."""
    await stop.wait()
    worker.stop()


async def _keep_database(database: Database) -> None:
    """Start the embedded database again should it die: a worker may be its only user."""
    while True:
        await asyncio.sleep(DATABASE_LOOK_INTERVAL)
        try:
            await asyncio.to_thread(database.ensure_running)
        except Exception:
            logger.exception("the database is down and could not be started")


async def _sweep_for_ever(
    pool: AsyncConnectionPool, storage: Storage, scratch: WorkerScratch | None, settings: Settings | None = None
) -> None:
    """Sweep now and then: the storage, one worker at a time, and what each keeps on its machine of genomes."""
    while True:
        try:
            await sweep_alone(pool, storage, settings)
            await asyncio.to_thread(sweep_genomes, storage, scratch.sources if scratch else None)
        except DATABASE_AWAY:
            logger.warning("the sweep waits: the database is away")
        except Exception:
            logger.exception("the sweep failed; it is tried again in %g s", SWEEP_INTERVAL)
        await asyncio.sleep(SWEEP_INTERVAL)


async def sweep_alone(pool: AsyncConnectionPool, storage: Storage, settings: Settings | None = None) -> bool:
    """Let go what the settings keep no longer, and sweep, unless another worker is at it; whether it was done.

    The lock belongs to the connection, not to a transaction: one that stood open for a long sweep would be ended by the
    database.
    """
    async with pool.connection() as conn:
        await conn.set_autocommit(True)
        try:
            cursor = await conn.execute("SELECT pg_try_advisory_lock(%s)", [SWEEP_LOCK])
            row = await cursor.fetchone()
            if row is None or not row[0]:
                return False
            try:
                if settings is not None and (gone := await let_go(pool, settings)):
                    logger.info("let go by age: %s", gone)
                await sweep(pool, storage)
            finally:
                await conn.execute("SELECT pg_advisory_unlock(%s)", [SWEEP_LOCK])
            return True
        finally:
            await conn.set_autocommit(False)
