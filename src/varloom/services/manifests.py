"""Manifests: many URLs become jobs at once, in one transaction. No source is asked before its job is at work."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from varloom.annotation.problems import REFERENCE_DATA_MISSING
from varloom.errors import Problem, VarloomError
from varloom.jobs import repository
from varloom.jobs.model import NewJob
from varloom.pipeline.plan import version_of
from varloom.pipeline.quota import require_room
from varloom.processing.pgx.problems import PGX_DEFINITIONS_MISSING
from varloom.processing.problems import REFERENCE_GENOME_MISSING
from varloom.services import manifest_rows as rows
from varloom.services.manifest_lines import MOST_TOLD, URL, faults, parse_manifest
from varloom.services.manifest_views import ManifestJob, ManifestJobs, ManifestLineView, ManifestPreflight
from varloom.services.names import file_name, sample_name_from
from varloom.services.problems import IDEMPOTENCY_CONFLICT, MANIFEST_VALUE_INVALID
from varloom.services.sources import SourceRules
from varloom.services.upload_rows import NewUrl, insert_further_urls, insert_urls
from varloom.services.uploads import checked_key
from varloom.services.views import ProblemView
from varloom.transfer.problems import CREDENTIAL_NOT_FOR_URL, CREDENTIAL_NOT_FOUND
from varloom.transfer.scopes import covers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg_pool import AsyncConnectionPool

    from varloom.services.annotation_offer import AnnotationOffer
    from varloom.services.credentials import Credentials
    from varloom.services.manifest_lines import Manifest, ManifestLine
    from varloom.services.views import CredentialView
    from varloom.settings import Settings
    from varloom.transfer.source_url import SourceUrl
    from varloom.transfer.vault import Vault


_OF_REFERENCES = (REFERENCE_GENOME_MISSING, REFERENCE_DATA_MISSING, PGX_DEFINITIONS_MISSING)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A line whose URL can be loaded."""

    line: ManifestLine
    sources: tuple[SourceUrl, ...]

    @property
    def source(self) -> SourceUrl:
        return self.sources[0]

    @property
    def sample_name(self) -> str:
        return self.line.sample_name or sample_name_from(self.source.name)


@dataclass(frozen=True, slots=True)
class _NewRows:
    """What is entered of a manifest: the first file of each line, the further ones, and the jobs."""

    urls: list[NewUrl]
    further: list[NewUrl]
    jobs: list[NewJob]


@dataclass(frozen=True, slots=True)
class _Read:
    """A manifest whose URLs are understood.

    Attributes:
        problems: those of the lines that are not among `wanted`.
        fingerprint: of what the lines asked for before any credential was looked at, as far as it may be kept.
    """

    manifest: Manifest
    wanted: tuple[_Wanted, ...]
    problems: tuple[Problem, ...]
    fingerprint: str

    @property
    def total(self) -> int:
        return len(self.wanted) + self.faulty

    @property
    def faulty(self) -> int:
        return len({problem.place.line for problem in self.problems})

    @property
    def told(self) -> list[ProblemView]:
        return [ProblemView.model_validate(problem.as_dict()) for problem in self.problems[:MOST_TOLD]]


@dataclass(frozen=True, slots=True)
class Manifests:
    """Takes manifests in."""

    pool: AsyncConnectionPool
    settings: Settings
    vault: Vault
    credentials: Credentials
    annotations: AnnotationOffer | None = None

    async def preflight(
        self, account_id: UUID, content: bytes, defaults: Mapping[str, str] | None = None
    ) -> ManifestPreflight:
        """Tell what each line would be, and what is wrong with those that cannot become jobs.

        Args:
            account_id: whose jobs they would be.
            content: the manifest.
            defaults: values of options for the lines that leave them out.

        Raises:
            VarloomError: `manifest_unreadable`, `manifest_header_invalid`, `manifest_too_large`, `request_invalid`.
        """
        stored = (await self.credentials.all(account_id)).credentials
        read = await self._read(content, defaults)
        return await asyncio.to_thread(_preflight_of, _with_credentials(read, stored))

    async def create(
        self,
        account_id: UUID,
        content: bytes,
        defaults: Mapping[str, str] | None = None,
        *,
        idempotency_key: str | None = None,
        skip_faulty: bool = False,
    ) -> ManifestJobs:
        """Let every line become a job, or find the jobs that an earlier, equal request made.

        Args:
            account_id: whose jobs they are.
            content: the manifest.
            defaults: values of options for the lines that leave them out.
            idempotency_key: the same key makes no second set of jobs.
            skip_faulty: whether lines with faults are left out; else nothing is created if there is one.

        Raises:
            VarloomError: as `preflight`; `manifest_lines_invalid`, `idempotency_conflict`, `quota_exceeded`.
        """
        key = checked_key(idempotency_key)
        read = await self._read(content, defaults)
        if key is not None and (earlier := await self._earlier(account_id, key, read)):
            return earlier
        stored = (await self.credentials.all(account_id)).credentials
        checked = _with_credentials(read, stored)
        if checked.problems and not (skip_faulty and checked.wanted):
            raise faults(checked.problems, checked.total)
        new = await asyncio.to_thread(self._new_rows, account_id, checked.wanted)
        manifest_id = uuid4()
        async with self.pool.connection() as conn, conn.transaction():
            if await rows.insert(conn, manifest_id, account_id, key, read.fingerprint):
                await require_room(conn, account_id, self.settings.account_quota_bytes, None)
                await insert_urls(conn, account_id, new.urls)
                await insert_further_urls(conn, new.further)
                ids = await repository.create_jobs(conn, account_id, new.jobs)
                made = {one.line.number: ids[url.upload_id] for one, url in zip(checked.wanted, new.urls, strict=True)}
                await rows.insert_lines(conn, manifest_id, made)
            else:  # an equal request was faster
                made = {}
        if not made:
            earlier = await self._earlier(account_id, key or "", read)
            if earlier is None:
                raise VarloomError(IDEMPOTENCY_CONFLICT, "The Idempotency-Key was in use at the same moment.")
            return earlier
        created = [
            ManifestJob(line=one.line.number, id=made[one.line.number], sample_name=one.sample_name)
            for one in checked.wanted
        ]
        return ManifestJobs(id=manifest_id, is_new=True, jobs=created, faulty=checked.faulty, problems=checked.told)

    async def _read(self, content: bytes, defaults: Mapping[str, str] | None) -> _Read:
        """Read the manifest; where reference data seems to be missing, it may have been installed a moment ago."""
        read = await asyncio.to_thread(self._understood, content, defaults)
        if self.annotations is None or not any(problem.kind in _OF_REFERENCES for problem in read.problems):
            return read
        await self.annotations.look()
        return await asyncio.to_thread(self._understood, content, defaults)

    def _understood(self, content: bytes, defaults: Mapping[str, str] | None) -> _Read:
        """Read the manifest and understand its URLs."""
        manifest = parse_manifest(content, defaults)
        rules = SourceRules(self.settings)
        wanted = []
        problems = list(manifest.problems)
        for line in manifest.lines:
            options = line.options
            if self.annotations:
                try:
                    options = self.annotations.with_reference(options)
                except VarloomError as error:
                    place = manifest.place(line.number, "reference")
                    problems.append(Problem(error.kind, error.message, place=place))
                    continue
            if self.annotations and options.annotate:
                why = self.annotations.why_unavailable(options.annotate, options.assembly)
                if why is not None:
                    problems.append(Problem(REFERENCE_DATA_MISSING, why, place=manifest.place(line.number, "annotate")))
                    continue
            if self.annotations and options.pgx and (why := self.annotations.why_no_pgx(options.assembly)) is not None:
                problems.append(Problem(PGX_DEFINITIONS_MISSING, why, place=manifest.place(line.number, "pgx")))
                continue
            try:
                sources = tuple(rules.source_of(url) for url in line.urls)
                wanted.append(_Wanted(replace(line, options=options), sources))
            except VarloomError as error:
                place = manifest.place(line.number, URL)
                problems.append(Problem(error.kind, error.message, place=place, resolution=error.resolution))
        return _Read(manifest, tuple(wanted), _in_order(problems), _fingerprint(wanted))

    def _new_rows(self, account_id: UUID, wanted: Sequence[_Wanted]) -> _NewRows:
        """The rows of uploads and jobs."""
        urls: list[NewUrl] = []
        further: list[NewUrl] = []
        jobs = []
        for one in wanted:
            rows = self._rows(uuid4(), one)
            urls.append(rows[0])
            further += rows[1:]
            plan = one.line.options.plan("url")
            jobs.append(
                NewJob(
                    account_id=account_id,
                    upload_id=urls[-1].upload_id,
                    sample_name=one.sample_name,
                    plan=plan,
                    plan_version=version_of(plan),
                    options=one.line.options.as_dict(),
                    priority=one.line.priority,
                    max_attempts=self.settings.max_attempts,
                )
            )
        return _NewRows(urls, further, jobs)

    def _rows(self, upload_id: UUID, one: _Wanted) -> list[NewUrl]:
        """The files of a line."""
        rows = []
        for source, whole in zip(one.sources, one.line.urls, strict=True):
            secret = None if source.shown == whole else self.vault.encrypt({"url": whole})
            rows.append(NewUrl(upload_id, file_name(source.name), source.shown, secret))
        return rows

    async def _earlier(self, account_id: UUID, key: str, read: _Read) -> ManifestJobs | None:
        """What an earlier request with this key made; it must have been the same."""
        async with self.pool.connection() as conn:
            found = await rows.find(conn, account_id, key)
            if found is None:
                return None
            lines = await rows.lines_of(conn, found.id)
        same = found.fingerprint == read.fingerprint
        if not same or not await asyncio.to_thread(self._same_secrets, lines, read):
            raise VarloomError(IDEMPOTENCY_CONFLICT, "The Idempotency-Key belongs to another manifest.")
        left_out = {line.line for line in lines}
        faulty = [number for number in (one.line.number for one in read.wanted) if number not in left_out]
        return ManifestJobs(
            id=found.id,
            is_new=False,
            jobs=[ManifestJob(line=one.line, id=one.job_id, sample_name=one.sample_name) for one in lines],
            faulty=read.faulty + len(faulty),
            problems=read.told,
        )

    def _same_secrets(self, lines: Sequence[rows.StoredLine], read: _Read) -> bool:
        """What a URL does not show tells files apart, unless it is a signature, which is made anew each time."""
        given = {one.line.number: one for one in read.wanted}
        for line in lines:
            one = given[line.line]
            if line.secret is None or one.source.has_access:
                continue
            if self.vault.decrypt(line.secret)["url"] != one.line.url:
                return False
        return True


def _with_credentials(read: _Read, stored: Sequence[CredentialView]) -> _Read:
    """The same, without the lines whose credential is not there or not for their URL."""
    by_name = {one.name.lower(): one for one in stored}
    wanted, problems = [], list(read.problems)
    for one in read.wanted:
        fault = _credential_fault(one, by_name)
        if fault is None:
            wanted.append(one)
        else:
            kind, message = fault
            problems.append(Problem(kind, message, place=read.manifest.place(one.line.number, "credential")))
    return replace(read, wanted=tuple(wanted), problems=_in_order(problems))


def _credential_fault(one: _Wanted, stored: Mapping[str, CredentialView]) -> tuple[Any, str] | None:
    name = one.line.options.credential
    if name is None:
        return None
    if any(source.has_access for source in one.sources):
        return MANIFEST_VALUE_INVALID, "The URL carries a signature or password of its own."
    found = stored.get(name.lower())
    if found is None:
        return CREDENTIAL_NOT_FOUND, "There is no such credential in this account."
    if not all(covers(found.kind, found.scope, source) for source in one.sources):
        return CREDENTIAL_NOT_FOR_URL, f"The credential is for {found.scope} alone."
    return None


def _in_order(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.place.line or 0, problem.place.column or 0)))


def _fingerprint(wanted: Sequence[_Wanted]) -> str:
    """What the lines ask for: no secret can be guessed from it."""
    asked = [
        (
            one.line.number,
            *(source.shown for source in one.sources),
            one.sample_name,
            one.line.options.as_dict(),
            one.line.priority,
        )
        for one in wanted
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _preflight_of(read: _Read) -> ManifestPreflight:
    lines = [
        ManifestLineView(
            line=one.line.number,
            url=one.source.shown,
            name=file_name(one.source.name),
            sample_name=one.sample_name,
            assembly=one.line.options.assembly,
            annotate=one.line.options.annotate,
            pgx=one.line.options.pgx,
            split_by_sample=one.line.options.split_by_sample,
            credential=one.line.options.credential,
            priority=one.line.priority,
            further=[source.shown for source in one.sources[1:]],
            reference=one.line.options.reference,
            alignment_format=one.line.options.alignment_format,
            sex_chromosomes=one.line.options.sex_chromosomes,
        )
        for one in read.wanted
    ]
    return ManifestPreflight(lines=lines, total=read.total, faulty=read.faulty, problems=read.told)
