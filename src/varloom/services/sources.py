"""Files from URLs: a job whose first stage fetches its file. Nothing is asked of the source before that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg.errors import UniqueViolation

from varloom.errors import SETTINGS_INVALID, VarloomError
from varloom.jobs import line, repository
from varloom.jobs.model import Job, NewJob
from varloom.pipeline.plan import version_of
from varloom.pipeline.quota import require_room
from varloom.services.names import checked_sample_name, file_name, sample_name_from
from varloom.services.problems import IDEMPOTENCY_CONFLICT, REQUEST_INVALID
from varloom.services.read_files import MOST_FILES
from varloom.services.source_views import SourcePreflightList, SourcePreflightView
from varloom.services.upload_rows import NewUrl, insert_further_urls, insert_url, secrets_of
from varloom.services.uploads import JobRequest, checked_key
from varloom.services.views import CredentialView, ErrorView, JobView, job_view
from varloom.transfer.guard import Guard, parse_endpoint
from varloom.transfer.http_client import Origin
from varloom.transfer.model import TransferOptions
from varloom.transfer.own_identity import checked_own_scope
from varloom.transfer.problems import SOURCE_URL_INVALID
from varloom.transfer.scopes import covers
from varloom.transfer.source_url import SourceUrl, parse_source_url
from varloom.transfer.vault import KEY_FILE, Vault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.services.credentials import Credentials
    from varloom.services.options import JobOptions
    from varloom.settings import Settings

DEFAULT_STALL_LIMIT = 120.0
SILENCES_BEFORE_STALL = 4
"""A source that falls silent is asked anew a few times before the stage counts as stalled."""


def vault_of(settings: Settings) -> Vault:
    """What encrypts the secrets of this server."""
    return Vault(settings.secret_keys, settings.data / KEY_FILE)


def transfer_options(settings: Settings) -> TransferOptions:
    """What the operator allows.

    Raises:
        VarloomError: `settings_invalid`.
    """
    endpoints = [Origin.of(url) for url in settings.cloud_endpoints.values()]
    allowed = (*settings.allowed_endpoints, *(_listed(origin) for origin in endpoints))
    try:
        for entry in allowed:
            parse_endpoint(entry)
        for scope in settings.own_identity:
            checked_own_scope(scope)
    except ValueError as error:
        raise VarloomError(SETTINGS_INVALID, f"allowed_endpoints: {error}") from None
    stall_limit = settings.stall_limits.get("download", DEFAULT_STALL_LIMIT)
    return TransferOptions(
        allowed_endpoints=allowed,
        cloud_endpoints=dict(settings.cloud_endpoints),
        egress_proxy=settings.egress_proxy,
        bytes_per_second=settings.download_bytes_per_second,
        most_bytes=settings.max_upload_bytes,
        reserve=settings.disk_reserve_bytes,
        silence=stall_limit / SILENCES_BEFORE_STALL,
    )


def _listed(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return f"{host}:{origin.port}"


class SourceRules:
    """Which URLs can be loaded here."""

    def __init__(self, settings: Settings) -> None:
        self._endpoints = settings.cloud_endpoints
        self._guard = Guard(tuple(parse_endpoint(entry) for entry in transfer_options(settings).allowed_endpoints))

    def source_of(self, url: str) -> SourceUrl:
        """Understand a URL, and refuse one that cannot be loaded here. Raises `source_url_invalid`."""
        source = parse_source_url(url, self._endpoints)
        self._refuse_without_tls(source)
        return source

    def _refuse_without_tls(self, source: SourceUrl) -> None:
        """Refuse a URL that would be asked in clear text, but for hosts that the operator lists."""
        origin = Origin.of(source.url)
        if origin.scheme == "http" and not self._guard.is_listed(origin.host, origin.port):
            raise VarloomError(
                SOURCE_URL_INVALID, f"{origin.host}: http:// is read and changed by anyone on the way; use https://."
            )


@dataclass(frozen=True, slots=True)
class Sources:
    """Takes URLs in."""

    pool: AsyncConnectionPool
    settings: Settings
    vault: Vault
    credentials: Credentials

    async def create_job(
        self, account_id: UUID, urls: Sequence[str], request: JobRequest, idempotency_key: str | None = None
    ) -> JobView:
        """Create the job that loads the file of a URL, or the reads of several.

        The one that an earlier, equal request made is found instead.

        Raises:
            VarloomError: `source_url_invalid`, `sample_name_invalid`, `request_invalid`, `idempotency_conflict` or
                `quota_exceeded` when there is no room at all.
        """
        key = checked_key(idempotency_key)
        refuse_several(len(urls), request.options)
        rules = SourceRules(self.settings)
        asked = [_Asked(rules.source_of(url), url.strip()) for url in urls]
        for one in asked:
            await self._check_credential(account_id, one.source, request.options.credential)
        source = asked[0].source
        wanted = request.sample_name or ""
        sample = checked_sample_name(wanted) if wanted.strip() else sample_name_from(source.name)
        async with self.pool.connection() as conn:
            job = await self._earlier(conn, account_id, key)
            new = NewJob(
                account_id=account_id,
                upload_id=uuid4(),
                sample_name=sample,
                plan=(plan := request.options.plan("url")),
                plan_version=version_of(plan),
                options=request.options.as_dict(),
                priority=request.priority,
                idempotency_key=key,
                max_attempts=self.settings.max_attempts,
            )
            job = job or await self._insert(conn, new, asked)
            is_new = job is not None and job.upload_id == new.upload_id
            job = job or await self._earlier(conn, account_id, key)  # an equal request was faster
            if job is None:
                raise VarloomError(IDEMPOTENCY_CONFLICT, "The Idempotency-Key was in use at the same moment.")
            _refuse_other(job, asked, sample, request)
            if not is_new:
                await self._refuse_other_query(conn, job, asked)
            places = await line.places_of(conn, account_id, [job])
        return job_view(job, places.get(job.id))

    async def preflight(self, account_id: UUID, urls: Sequence[str]) -> SourcePreflightList:
        """Tell of each text whether it is a URL that can be loaded, and with which of the account's credentials."""
        stored = (await self.credentials.all(account_id)).credentials
        rules = SourceRules(self.settings)
        return SourcePreflightList(
            sources=[_preflight_of(url, rules, stored) for url in urls], stored_credentials=len(stored)
        )

    async def _check_credential(self, account_id: UUID, source: SourceUrl, name: str | None) -> None:
        """See at once that the credential which was chosen is there, and for this URL."""
        if name is None:
            return
        if source.has_access:
            raise VarloomError(REQUEST_INVALID, "credential: the URL carries a signature or password of its own.")
        await self.credentials.check(account_id, name, source)

    async def _earlier(self, conn: AsyncConnection[Any], account_id: UUID, key: str | None) -> Job | None:
        return None if key is None else await repository.find_by_idempotency_key(conn, account_id, key)

    async def _refuse_other_query(self, conn: AsyncConnection[Any], job: Job, asked: Sequence[_Asked]) -> None:
        """What a URL does not show tells files apart, unless it is a signature, which is made anew each time."""
        kept = await secrets_of(conn, job.upload_id)
        for one, row in zip(asked, kept, strict=False):
            if row is not None and not one.source.has_access and self.vault.decrypt(row)["url"] != one.url:
                raise VarloomError(IDEMPOTENCY_CONFLICT, f"The Idempotency-Key belongs to job {job.id} of another URL.")

    async def _insert(self, conn: AsyncConnection[Any], new: NewJob, asked: Sequence[_Asked]) -> Job | None:
        """Upload, job and ticket, all or nothing; None when the key was used meanwhile."""
        rows = [one.row(new.upload_id, self.vault) for one in asked]
        first = rows[0]
        try:
            async with conn.transaction():
                await require_room(conn, new.account_id, self.settings.account_quota_bytes, None)
                await insert_url(
                    conn,
                    upload_id=new.upload_id,
                    account_id=new.account_id,
                    name=first.name,
                    url=first.url,
                    secret=first.secret,
                )
                await insert_further_urls(conn, rows[1:])
                return await repository.create_job(conn, new)
        except UniqueViolation:
            if new.idempotency_key is None:
                raise
            return None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A URL, understood and as it was given."""

    source: SourceUrl
    url: str

    def row(self, upload_id: UUID, vault: Vault) -> NewUrl:
        """What is entered of it."""
        shown = self.source.shown
        secret = None if shown == self.url else vault.encrypt({"url": self.url})
        return NewUrl(upload_id, file_name(self.source.name), shown, secret)


def refuse_several(files: int, options: JobOptions) -> None:
    """Several files are one job only as the reads of one sample. Raises `request_invalid`."""
    if files > 1 and not options.reads:
        raise VarloomError(REQUEST_INVALID, "source_urls: several files make one job only as reads; choose `reads`.")
    if files > MOST_FILES:
        raise VarloomError(REQUEST_INVALID, f"source_urls: a job takes at most {MOST_FILES} files.")


def _preflight_of(url: str, rules: SourceRules, stored: Sequence[CredentialView]) -> SourcePreflightView:
    try:
        source = rules.source_of(url)
    except VarloomError as error:
        return SourcePreflightView(error=ErrorView.model_validate(error.as_dict()))
    fitting = [] if source.has_access else [one.name for one in stored if covers(one.kind, one.scope, source)]
    return SourcePreflightView(
        url=source.shown,
        name=file_name(source.name),
        sample_name=sample_name_from(source.name),
        has_access=source.has_access,
        credentials=fitting,
    )


def _refuse_other(job: Job, asked: Sequence[_Asked], sample: str, request: JobRequest) -> None:
    """A key stands for one request: the same URLs, sample name and options."""
    urls = [job.source_url, *(part.url for part in job.source_files)]
    same = (
        urls == [one.source.shown for one in asked]
        and job.sample_name == sample
        and job.options == request.options.as_dict()
    )
    if not same:
        raise VarloomError(
            IDEMPOTENCY_CONFLICT,
            f"The Idempotency-Key belongs to job {job.id}, which has another URL, sample name or options.",
        )
