"""What people do with jobs: look, retry, cancel, dismiss. Every call is for one account."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from psycopg.errors import UniqueViolation

from varloom.dataset import catalog
from varloom.errors import VarloomError
from varloom.jobs import line, repository
from varloom.jobs.lifecycle import Stage, State
from varloom.jobs.problems import JOB_NOT_FINAL
from varloom.jobs.totals import state_counts
from varloom.pipeline.plan import plan_of_renewal, stale_stages, version_of
from varloom.services.audit import note
from varloom.services.options import parse_options, parse_priority
from varloom.services.paging import check_limit, checked_search, decode_cursor, encode_cursor
from varloom.services.problem_report import problem_report
from varloom.services.problems import REQUEST_INVALID
from varloom.services.renewals import being_annotated
from varloom.services.run_states import RunState, run_state
from varloom.services.stage_durations import StageDurations
from varloom.services.views import (
    ActionResult,
    ActionResults,
    EventList,
    JobList,
    JobLog,
    JobView,
    event_view,
    job_view,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.jobs.model import Job
    from varloom.services.options import JobOptions
    from varloom.settings import Settings


Action = Literal["cancel", "retry", "dismiss", "prioritise"]
"""What can be done with several jobs at once."""


@dataclass(frozen=True, slots=True)
class Created:
    """When a job was created: from `since` on, and before `until`; unset: whenever."""

    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Jobs:
    """The account's jobs."""

    pool: AsyncConnectionPool
    settings: Settings
    durations: StageDurations = field(default_factory=StageDurations)

    async def page(
        self,
        account_id: UUID,
        *,
        states: Sequence[str] | None = None,
        limit: int = 50,
        cursor: str | None = None,
        search: str | None = None,
        created: Created | None = None,
        ids: Sequence[UUID] | None = None,
    ) -> JobList:
        """A page of the account's jobs, newest first; `cursor` is the `next` of the page before."""
        created = created or Created()
        check_limit(limit)
        sought = checked_search(search)
        wanted = [parse_state(name) for name in states] if states else None
        before = decode_cursor(cursor) if cursor else None
        async with self.pool.connection() as conn:
            found = await repository.list_jobs(
                conn,
                account_id,
                states=wanted,
                limit=limit + 1,
                before=before,
                search=sought,
                created=(created.since, created.until),
                ids=ids,
            )
            places = await line.places_of(conn, account_id, found)
            durations = await self.durations.of(conn, account_id)
        page = found[:limit]
        following = encode_cursor(page[-1].created_at, page[-1].id) if len(found) > limit else None
        return JobList(jobs=[job_view(job, places.get(job.id), durations) for job in page], next=following)

    async def get(self, account_id: UUID, job_id: UUID) -> JobView:
        """One job; `job_not_found` for another account's too."""
        async with self.pool.connection() as conn:
            return await self._view(conn, await repository.get_job(conn, account_id, job_id))

    async def history(self, account_id: UUID, job_id: UUID) -> EventList:
        """Everything that happened to a job, oldest first."""
        async with self.pool.connection() as conn:
            await repository.get_job(conn, account_id, job_id)
            events = await repository.history(conn, account_id, job_id)
        return EventList(events=[event_view(event) for event in events])

    async def log(self, account_id: UUID, job_id: UUID) -> JobLog:
        """What the processes of a job's attempts said, oldest first."""
        async with self.pool.connection() as conn:
            await repository.get_job(conn, account_id, job_id)
            logged = await repository.logs_of(conn, account_id, job_id)
        return JobLog.model_validate({"logs": [asdict(one) for one in logged]})

    async def report(self, account_id: UUID, job_id: UUID) -> str:
        """All that is known of a job as a plain text, to be kept or sent on."""
        async with self.pool.connection() as conn:
            job = await repository.get_job(conn, account_id, job_id)
            view = await self._view(conn, job)
            events = await repository.history(conn, account_id, job_id)
        logs = (await self.log(account_id, job_id)).logs
        return problem_report(view, [event_view(event) for event in events], job.source_sha256, logs)

    async def act(
        self, account_id: UUID, job_ids: Sequence[UUID], action: Action, priority: int | None = None
    ) -> ActionResults:
        """Do the same with several jobs. Each is a step of its own: what one is refused does not stop the others.

        Raises:
            VarloomError: `request_invalid` for a priority that is missing or that no job can have.
        """
        if action == "prioritise" and priority is None:
            raise VarloomError(REQUEST_INVALID, "priority: it is needed to prioritise jobs.")
        parse_priority(priority)
        note(action=action, jobs=[str(job_id) for job_id in job_ids], priority=priority)
        results = []
        for job_id in dict.fromkeys(job_ids):
            try:
                await self._act(account_id, job_id, action, priority)
            except VarloomError as error:
                results.append(ActionResult(id=job_id, code=error.code, message=str(error)))
            else:
                results.append(ActionResult(id=job_id, code=None, message=None))
        return ActionResults(results=results)

    async def _act(self, account_id: UUID, job_id: UUID, action: Action, priority: int | None) -> None:
        match action:
            case "cancel":
                await self.cancel(account_id, job_id)
            case "retry":
                await self.retry(account_id, job_id)
            case "dismiss":
                await self.dismiss(account_id, job_id)
            case "prioritise":
                await self.prioritise(account_id, job_id, priority or 0)

    async def retry(
        self,
        account_id: UUID,
        job_id: UUID,
        *,
        from_stage: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> JobView:
        """Queue a failed or cancelled job again, or let one that waits for its automatic retry begin with it now.

        Args:
            account_id: whose job.
            job_id: which.
            from_stage: the stage to begin with, or "start"; unset: the one in which it ended, or an earlier one whose
                work the changed options make useless.
            options: the options to change; those that are not named stay as they were.

        Raises:
            VarloomError: as `repository.retry_by_hand` does; `job_not_final` also where anything is to be changed of a
                job that waits for its retry.
        """
        async with self.pool.connection() as conn:
            job = await repository.get_job(conn, account_id, job_id)
            if job.retry_at is not None:
                if from_stage is not None or options:
                    raise VarloomError(
                        JOB_NOT_FINAL, "While the job waits for its retry, nothing of it can be changed."
                    )
                return await self._view(conn, await repository.retry_now(conn, account_id, job_id))
            given = {**job.options, **(options or {})}
            if options and "reference" in options and "assembly" not in options:
                given["assembly"] = None  # it is that of the reference
            changed = parse_options(given) if options else None
            if changed is not None and changed.credential is not None and job.source_kind != "url":
                raise VarloomError(REQUEST_INVALID, "credential: it is for files from a URL; this one was sent.")
            if changed is not None and job.source_files and not changed.reads:
                raise VarloomError(REQUEST_INVALID, "reads: the several files of this job are one job only as reads.")
            if job.renews_sample_id is not None:
                await self._require_renewable(conn, job, changed)
            plan = _plan_of(job, changed) if changed else job.plan
            stale = stale_stages(job.options, changed.as_dict()) if changed else ()
            is_renewal = job.renews_sample_id is not None
            try:
                async with conn.transaction():
                    retried = await repository.retry_by_hand(
                        conn,
                        account_id,
                        job_id,
                        from_stage=_first_stage(from_stage, plan),
                        options=changed.as_dict() if changed else None,
                        plan=plan if changed else None,
                        plan_version=None if is_renewal or not changed else version_of(plan),
                        stale=stale,
                    )
            except UniqueViolation:
                raise await being_annotated(conn, account_id, job.renews_sample_id or job_id) from None
            return await self._view(conn, retried)

    async def _require_renewable(self, conn: AsyncConnection[Any], job: Job, changed: JobOptions | None) -> None:
        """See that a job that annotates a sample again can still do so, and is asked for nothing else.

        Raises:
            VarloomError: `sample_not_found`, `request_invalid`.
        """
        if job.renews_sample_id is not None:
            await catalog.get_sample(conn, job.account_id, job.renews_sample_id)
        if changed is None:
            return
        if changed.annotate is None:
            raise VarloomError(REQUEST_INVALID, "annotate: this job annotates a sample again; it has to be annotated.")
        if changed.split_by_sample != bool(job.options.get("split_by_sample")):
            raise VarloomError(REQUEST_INVALID, "split_by_sample: every version of a sample has the same tables.")

    async def cancel(self, account_id: UUID, job_id: UUID) -> JobView:
        """Cancel a waiting job at once; a running one obeys within seconds."""
        async with self.pool.connection() as conn:
            return await self._view(conn, await repository.request_cancel(conn, account_id, job_id))

    async def dismiss(self, account_id: UUID, job_id: UUID) -> None:
        """Take a job that has ended out of the list; its sample stays."""
        async with self.pool.connection() as conn:
            await repository.dismiss(conn, account_id, job_id)

    async def count_active(self, account_id: UUID) -> int:
        """How many of the account's jobs wait or run."""
        async with self.pool.connection() as conn:
            return await repository.count_active(conn, account_id)

    async def run_counts(self, account_id: UUID) -> dict[RunState, int]:
        """How many of the account's jobs are in each state of GA4GH's run and task services, also where none is."""
        async with self.pool.connection() as conn:
            found = await state_counts(conn, account_id)
        counts = dict.fromkeys(RunState, 0)
        for one in found:
            state = run_state(State(one.state), is_stopping=one.is_stopping, may_succeed=one.may_succeed)
            counts[state] += one.jobs
        return counts

    async def prioritise(self, account_id: UUID, job_id: UUID, priority: int) -> JobView:
        """Change the priority of a job that waits or runs; higher goes first."""
        checked = parse_priority(priority)
        async with self.pool.connection() as conn:
            return await self._view(conn, await repository.prioritise(conn, account_id, job_id, checked))

    async def _view(self, conn: AsyncConnection[Any], job: Job) -> JobView:
        """The job with its place in the queue."""
        places = await line.places_of(conn, job.account_id, [job])
        return job_view(job, places.get(job.id), await self.durations.of(conn, job.account_id))


def _plan_of(job: Job, changed: JobOptions) -> tuple[Stage, ...]:
    """The stages of a job with other options."""
    return plan_of_renewal() if job.renews_sample_id is not None else changed.plan(job.source_kind)


def parse_state(name: str) -> State:
    """The state with this name, as a user writes it."""
    try:
        return State(name.strip().lower())
    except ValueError:
        known = ", ".join(state.value for state in State)
        raise VarloomError(REQUEST_INVALID, f"state: expected one of {known}.") from None


def _first_stage(name: str | None, plan: tuple[Stage, ...]) -> Stage | None:
    """The stage that a retry begins with; None leaves it to where the job ended."""
    if name is None:
        return None
    if name == "start":
        return plan[0]
    try:
        return Stage(name)
    except ValueError:
        known = ", ".join(stage.value for stage in Stage)
        raise VarloomError(REQUEST_INVALID, f"from_stage: expected start or one of {known}.") from None
