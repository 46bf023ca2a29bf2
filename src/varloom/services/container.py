"""All use cases over one database and one storage: what the web is given when it starts."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout

from varloom.cancelling import cancel_all
from varloom.db.pool import open_pool
from varloom.db.problems import DATABASE_UNREACHABLE
from varloom.errors import VarloomError
from varloom.services.access import Access
from varloom.services.accounts import Accounts
from varloom.services.aligned_reads import AlignedReads
from varloom.services.annotation_offer import AnnotationOffer
from varloom.services.audit import Audit
from varloom.services.credentials import Credentials
from varloom.services.disk_space import watch_of_server
from varloom.services.events import Events
from varloom.services.htsget import Htsget
from varloom.services.jobs import Jobs
from varloom.services.manifests import Manifests
from varloom.services.metrics import Metrics
from varloom.services.notices.channels import Notices
from varloom.services.notices.opening import open_sender
from varloom.services.on_demand import OnDemandAnnotation
from varloom.services.openid import OpenId
from varloom.services.passwords import Passwords
from varloom.services.pgx_results import PgxResults
from varloom.services.projects import Projects
from varloom.services.provenance import Provenance
from varloom.services.proxy_users import ProxyUsers
from varloom.services.queue import Queue
from varloom.services.references import References, open_library
from varloom.services.renewals import Renewals
from varloom.services.resumable import ResumableUploads
from varloom.services.sample_files import SampleFiles
from varloom.services.samples import Samples
from varloom.services.saved_views import SavedViews
from varloom.services.sessions import Sessions
from varloom.services.sources import Sources, transfer_options, vault_of
from varloom.services.stage_durations import StageDurations
from varloom.services.storage_mark import mark_storage
from varloom.services.stored_secrets import renew_secrets
from varloom.services.uploads import Uploads
from varloom.services.users import Users
from varloom.storage import open_storage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from psycopg_pool import AsyncConnectionPool

    from varloom.db.database import Database
    from varloom.settings import Settings
    from varloom.storage import Storage
    from varloom.storage.disk_watch import DiskWatch

logger = logging.getLogger(__name__)

_ANY_LOW = "SELECT EXISTS (SELECT 1 FROM workers WHERE stopped_at IS NULL AND low_disk IS NOT NULL)"
READY_TIMEOUT = 2.0
"""Seconds that the database may take to answer before the server counts as not ready."""
POOL_SIZE = 20
"""Connections of the web process, beside the one that listens."""


@dataclass(frozen=True, slots=True)
class Services:
    """The use cases of one process."""

    settings: Settings
    pool: AsyncConnectionPool
    storage: Storage
    accounts: Accounts
    passwords: Passwords
    sessions: Sessions
    users: Users
    proxy_users: ProxyUsers
    openid: OpenId
    access: Access
    projects: Projects
    audit: Audit
    uploads: Uploads
    resumable: ResumableUploads
    sources: Sources
    manifests: Manifests
    credentials: Credentials
    jobs: Jobs
    provenance: Provenance
    queue: Queue
    metrics: Metrics
    samples: Samples
    sample_files: SampleFiles
    aligned_reads: AlignedReads
    saved_views: SavedViews
    events: Events
    annotations: AnnotationOffer
    on_demand: OnDemandAnnotation
    references: References
    renewals: Renewals
    pgx: PgxResults
    notices: Notices
    disks: DiskWatch

    async def require_ready(self) -> list[str]:
        """See that requests can be served.

        Returns:
            What is short of disk space: `server`, `workers`, both, or nothing; it serves all the same.

        Raises:
            VarloomError: `database_unreachable` while the database does not answer.
        """
        try:
            async with self.pool.connection(timeout=READY_TIMEOUT) as conn:
                cursor = await conn.execute(_ANY_LOW)
                row = await cursor.fetchone()
        except (psycopg.Error, PoolTimeout):
            logger.warning("The database does not answer.")
            raise VarloomError(DATABASE_UNREACHABLE, "The database does not answer.") from None
        server = await asyncio.to_thread(self.disks.look)
        return [*(["server"] if server else []), *(["workers"] if row and row[0] else [])]


def _report_end(task: asyncio.Task[None]) -> None:
    """Live events go on without the listener, but slowly: that must not go unnoticed."""
    if not task.cancelled() and task.exception() is not None:
        logger.error("The listener for live events ended.", exc_info=task.exception())


@contextlib.asynccontextmanager
async def open_services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    """Open pool, storage and the listening connection for as long as the block lasts.

    Raises:
        VarloomError: `storage_mismatch` when the storage is not that of the database, or those of `Storage`.
    """
    storage = open_storage(settings)
    async with open_pool(database.conninfo, max_size=POOL_SIZE, application_name="varloom serve") as pool:
        await mark_storage(pool, storage)
        vault = vault_of(settings)
        await asyncio.to_thread(vault.create_key)
        credentials = Credentials(pool, vault, transfer_options(settings))
        if vault.has_several_keys:  # so that the older ones can be given up after a start of the server
            await asyncio.to_thread(renew_secrets, database.conninfo, vault)
        durations = StageDurations()
        events = Events(pool, database.conninfo, durations)
        annotations = AnnotationOffer(storage)
        samples = Samples(pool, storage, settings, annotations)
        disks = watch_of_server(settings, storage)
        uploads = Uploads(pool, storage, settings, disks)
        resumable = ResumableUploads(pool, storage, uploads, settings)
        listening = asyncio.create_task(events.run(), name="live events")
        listening.add_done_callback(_report_end)
        sweeping = asyncio.create_task(resumable.run(), name="sweep of unfinished uploads")
        looking = asyncio.create_task(annotations.run(), name="installed reference data")
        library = open_library(settings)
        accounts, audit = Accounts(pool, settings), Audit(pool)
        users = Users(pool, accounts)
        on_demand = OnDemandAnnotation.over(library)
        ending = asyncio.create_task(on_demand.run(), name="idle annotators")
        sender = open_sender(pool, settings, vault)
        beside = [listening, sweeping, looking, ending, asyncio.create_task(sender.run(), name="notices")]
        if settings.row_copies_ahead:
            beside.append(asyncio.create_task(samples.copies_ahead.run(), name="copies ahead"))
        try:
            yield Services(
                settings=settings,
                pool=pool,
                storage=storage,
                accounts=accounts,
                passwords=Passwords(pool, settings),
                sessions=Sessions(pool),
                users=users,
                openid=OpenId.over(pool, settings, audit),
                proxy_users=ProxyUsers(pool, users, audit, settings.proxy_user_create),
                access=Access(pool),
                projects=Projects(pool),
                audit=audit,
                uploads=uploads,
                resumable=resumable,
                sources=Sources(pool, settings, vault, credentials),
                manifests=Manifests(pool, settings, vault, credentials, annotations),
                credentials=credentials,
                jobs=Jobs(pool, settings, durations),
                provenance=Provenance(pool, storage),
                pgx=PgxResults(pool, storage),
                notices=Notices(pool, settings, vault, sender),
                queue=Queue(pool, settings),
                metrics=Metrics(pool, settings, disks),
                disks=disks,
                samples=samples,
                sample_files=SampleFiles(pool, storage),
                aligned_reads=AlignedReads(pool, storage, Htsget(storage, library)),
                saved_views=SavedViews(pool),
                events=events,
                annotations=annotations,
                on_demand=on_demand,
                references=References(storage),
                renewals=Renewals(pool, storage, settings, annotations),
            )
        finally:
            await events.close()
            await resumable.close()
            await sender.close()
            await cancel_all(beside)
            await on_demand.close()
            await samples.close()
