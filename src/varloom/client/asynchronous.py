"""The client: everything that a program does with a server."""
# written by hand

from __future__ import annotations

import contextlib
import secrets
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote

from varloom.client import async_io, models
from varloom.client.addresses import ServerChoice
from varloom.client.asking import (
    NAME_LIMIT,
    fields_of,
    file_format,
    given,
    id_of,
    is_id,
    only_project,
    only_sample,
    question,
)
from varloom.client.asynchronous_following import Following
from varloom.client.asynchronous_sending import Sender
from varloom.client.asynchronous_transport import Transport
from varloom.client.decoding import decoded
from varloom.client.failures import completed
from varloom.client.frames import arrow_table, pandas_frame, polars_frame
from varloom.client.problems import OUTPUT_UNWRITABLE, SAMPLE_UNKNOWN
from varloom.client.unfinished_file import unfinished_file
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
    from datetime import datetime
    from types import TracebackType
    from typing import Self
    from uuid import UUID

    from varloom.client.asking import Source

PAGE = 200
"""Jobs, samples or rows of one request, unless another number is asked for."""


class AsyncClient:
    """A connection to one server; a context manager that closes it.

    Every method raises `VarloomError` for what the server refuses (`error.code`, `error.title`, `error.message`,
    `error.place` and `error.resolution` tell it), and `server_unreachable` where nothing answers.

    Args:
        url: the server's address, such as `https://varloom.example:8400`; unset: VARLOOM_URL, else that of the server
            whose data folder is on this machine.
        token: an API token; unset: VARLOOM_TOKEN, else that of the data folder, which goes to no other address.
        data: the data folder; unset: VARLOOM_DATA, else the platform's user data folder.
        timeout: seconds in which a part of an answer has to come.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        data: str | Path | None = None,
        timeout: float = 60.0,
    ) -> None:
        choice = ServerChoice(url, token, None if data is None else Path(data))
        self._transport = Transport(choice, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._transport.aclose()

    # Jobs

    async def submit(
        self,
        source: Source | Sequence[str | Path],
        *,
        name: str | None = None,
        file_name: str | None = None,
        assembly: Literal["GRCh38", "GRCh37"] | None = None,
        annotate: Literal["none", "small", "structural"] | None = None,
        pgx: bool = False,
        split_by_sample: bool = False,
        credential: str | None = None,
        priority: int | None = None,
        options: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> models.Job:
        """Send a file, or name its URL; the job that it became.

        A file is sent in portions. After a broken connection, or a restart of the server, it goes on where the server
        is, for as long as something arrives every five minutes.

        Args:
            source: a path; a URL (https://, s3://, gs:// or az://), which the server fetches; bytes; or an open binary
                file, which is read from where it stands. A list of paths, or of URLs, is the reads of one sample.
            name: what to call the sample; unset: the file's name without its extensions.
            file_name: what the file is called, for bytes and for an open file without a name. Its extension counts.
            assembly: of the coordinates; unset: as the header tells.
            annotate: with which annotation.
            pgx: call pharmacogenes.
            split_by_sample: a table for each sample of the file.
            credential: the name of the stored credential for a URL.
            priority: -1000 to 1000; higher goes first.
            options: further options by their name in the API, such as `reference` or `caller`.
            idempotency_key: the same key with the same source makes no second job; unset: a new one.
            on_progress: told how many bytes of how many the server has.

        Raises:
            VarloomError: `source_unreadable`, `source_changed`, or what the server refuses, which may be the file
                itself by its beginning.
        """
        asked = {
            "sample_name": name,
            "assembly": assembly,
            "annotate": annotate,
            "pgx": pgx,
            "split_by_sample": split_by_sample,
            "credential": credential,
            "priority": priority,
            **(options or {}),
        }
        key = idempotency_key or secrets.token_hex(16)
        sender = Sender(self._transport, fields_of(asked), key, on_progress)
        if isinstance(source, (list, tuple)):
            return decoded(models.Job, await sender.send_together([str(one) for one in source]))
        return decoded(models.Job, await sender.send(source, file_name))  # type: ignore[arg-type]

    async def jobs(
        self,
        *,
        state: str | Iterable[str] | None = None,
        search: str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[models.Job]:
        """The account's jobs, newest first, page by page.

        Args:
            state: only those in this state, or in one of these.
            search: only those with this in the name of the sample or the file.
            since: only those created from this moment on; it has a time zone.
            until: only those created before this moment.
        """
        states = None if state is None else [state] if isinstance(state, str) else list(state)
        asked = given(
            state=states,
            search=search,
            since=None if since is None else since.isoformat(),
            until=None if until is None else until.isoformat(),
        )
        cursor = None
        while True:
            answer = await self._transport.get("/jobs", {**asked, **given(cursor=cursor), "limit": PAGE})
            page = decoded(models.JobList, answer)
            for job in page.jobs:
                yield job
            if (cursor := page.next) is None:
                return

    async def job(self, job: models.Job | UUID | str) -> models.Job:
        """A job as it is now."""
        return decoded(models.Job, await self._transport.get(f"/jobs/{id_of(job)}"))

    async def history(self, job: models.Job | UUID | str) -> tuple[models.HistoryEvent, ...]:
        """Everything that happened to a job, oldest first."""
        return decoded(models.EventList, await self._transport.get(f"/jobs/{id_of(job)}/events")).events

    async def report(self, job: models.Job | UUID | str) -> str:
        """All that is known of a job, as a text."""
        return await self._transport.text(f"/jobs/{id_of(job)}/report")

    async def follow(
        self, *jobs: models.Job | UUID | str, poll: float | None = None, patience: float = 300.0
    ) -> AsyncIterator[models.Job]:
        """Each of the jobs as it is, and again at each change, until all have ended.

        Args:
            jobs: which.
            poll: ask every so many seconds, instead of listening to the live events.
            patience: seconds for which the server may stay away.
        """
        async with contextlib.aclosing(self._following(jobs, poll, patience)) as changes:
            async for job in changes:
                yield job

    async def wait(
        self,
        job: models.Job | UUID | str,
        *,
        timeout: float | None = None,  # noqa: ASYNC109 - a client that blocks has it, too
        poll: float | None = None,
        on_change: Callable[[models.Job], None] | None = None,
    ) -> models.Job:
        """Wait until a job is completed; the job.

        Args:
            job: which.
            timeout: seconds after which to wait no more; the job goes on. With it the server is asked every second.
            poll: ask every so many seconds, instead of listening to the live events.
            on_change: told the job at first and at each change.

        Raises:
            JobFailed: it failed.
            JobCancelled: it was cancelled.
            TimeoutError: it has not ended in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        rhythm = poll if deadline is None else min(poll or 1.0, max(timeout or 0.0, 0.05))
        async with contextlib.aclosing(self._following((job,), rhythm, 300.0, every_look=True)) as changes:
            async for now in changes:
                if on_change is not None:
                    on_change(now)
                if now.state in {"completed", "failed", "cancelled"}:
                    return completed(now)
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(f"{now.sample_name}: the job is still {now.state} after {timeout:g} seconds.")
        raise AssertionError("it ends with a job that has ended")

    def _following(
        self,
        jobs: Sequence[models.Job | UUID | str],
        poll: float | None,
        patience: float,
        *,
        every_look: bool = False,
    ) -> Any:
        following = Following(self._transport, [id_of(job) for job in jobs], patience)
        return following.asking(poll, every_look=every_look) if poll is not None else following.listening()

    async def retry(
        self,
        job: models.Job | UUID | str,
        *,
        from_stage: Literal["start", "download", "process", "annotate", "parse"] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> models.Job:
        """Queue a failed or cancelled job again; options that are not named stay."""
        body = given(from_stage=from_stage, options=None if options is None else dict(options))
        return decoded(models.Job, await self._transport.post(f"/jobs/{id_of(job)}/retry", body))

    async def cancel(self, job: models.Job | UUID | str) -> models.Job:
        """Stop a job: a waiting one at once, a running one within seconds."""
        return decoded(models.Job, await self._transport.post(f"/jobs/{id_of(job)}/cancel"))

    async def prioritise(self, job: models.Job | UUID | str, priority: int) -> models.Job:
        """Change the priority of a job that waits or runs: -1000 to 1000, higher goes first."""
        return decoded(models.Job, await self._transport.post(f"/jobs/{id_of(job)}/priority", {"priority": priority}))

    async def dismiss(self, job: models.Job | UUID | str) -> None:
        """Take a job that has ended out of the list; its sample stays."""
        await self._transport.delete(f"/jobs/{id_of(job)}")

    # Samples and their tables

    async def samples(
        self,
        *,
        search: str | None = None,
        tag: str | None = None,
        deleted: bool = False,
        project: models.Project | UUID | str | None = None,
    ) -> AsyncIterator[models.Sample]:
        """The samples that the account sees, newest first, page by page.

        Args:
            search: only those with this in their name.
            tag: only those with this tag.
            deleted: those that were deleted and can be brought back, instead.
            project: only those of this project.
        """
        cursor, within = None, None if project is None else await self._project_id(project)
        while True:
            asked = given(search=search, tag=tag, cursor=cursor, deleted="true" if deleted else None, project=within)
            page = decoded(models.SampleList, await self._transport.get("/samples", {**asked, "limit": PAGE}))
            for sample in page.samples:
                yield sample
            if (cursor := page.next) is None:
                return

    async def sample(self, sample: models.Sample | models.Job | UUID | str) -> models.Sample:
        """A sample as it is now, by its id, its name, or the job that made it.

        Raises:
            VarloomError: `sample_unknown`, also for a job that has made none yet; `sample_ambiguous` where several have
                the name.
            JobFailed: the job failed.
            JobCancelled: the job was cancelled.
        """
        if isinstance(sample, models.Job):
            sample = await self._made_by(sample)
        if isinstance(sample, str) and not is_id(sample):
            return only_sample(sample, [one async for one in self.samples(search=sample[:NAME_LIMIT])])
        return decoded(models.Sample, await self._transport.get(f"/samples/{id_of(sample)}"))

    async def _made_by(self, job: models.Job) -> UUID:
        """The id of the sample that a job made; never one that merely has its name."""
        if job.sample_id is None:
            job = completed(await self.job(job))
        if job.sample_id is None:
            raise VarloomError(SAMPLE_UNKNOWN, f"{job.sample_name}: the job has not ended; it is {job.state}.")
        return job.sample_id

    async def change_sample(
        self, sample: models.Sample | UUID | str, *, name: str | None = None, tags: Iterable[str] | None = None
    ) -> models.Sample:
        """Give a sample another name or other tags; what is left out stays."""
        body = given(name=name, tags=None if tags is None else list(tags))
        return decoded(models.Sample, await self._transport.patch(await self._path_of(sample), body))

    async def delete_sample(self, sample: models.Sample | UUID | str) -> None:
        """Delete a sample and its tables; for some days it can be restored."""
        await self._transport.delete(await self._path_of(sample))

    async def restore_sample(self, sample: models.Sample | UUID | str) -> models.Sample:
        """Bring a deleted sample back; by its id."""
        return decoded(models.Sample, await self._transport.post(f"/samples/{id_of(sample)}/restore"))

    async def columns(
        self,
        sample: models.Sample | models.Job | UUID | str,
        *,
        dataset: models.Dataset | UUID | str | None = None,
        view: Literal["full", "split"] | None = None,
    ) -> tuple[models.Column, ...]:
        """The columns of a sample's table, in order."""
        asked = question(None, None, None, dataset, view)
        answer = await self._transport.get(f"{await self._path_of(sample)}/columns", asked)
        return decoded(models.ColumnList, answer).columns

    async def count(
        self,
        sample: models.Sample | models.Job | UUID | str,
        where: str | None = None,
        *,
        dataset: models.Dataset | UUID | str | None = None,
        view: Literal["full", "split"] | None = None,
    ) -> int:
        """How many rows of a sample's table a filter selects."""
        asked = question(where, None, None, dataset, view)
        answer = await self._transport.get(f"{await self._path_of(sample)}/count", asked)
        return decoded(models.Count, answer).count

    async def facets(
        self,
        sample: models.Sample | models.Job | UUID | str,
        column: str,
        where: str | None = None,
        *,
        dataset: models.Dataset | UUID | str | None = None,
        limit: int = 100,
    ) -> models.Facets:
        """The most frequent values of a column among the selected rows."""
        asked = {**question(where, None, None, dataset, None), "limit": limit}
        path = f"{await self._path_of(sample)}/facets/{self._transport.quoted(column)}"
        return decoded(models.Facets, await self._transport.get(path, asked))

    async def rows(
        self,
        sample: models.Sample | models.Job | UUID | str,
        where: str | None = None,
        *,
        columns: Iterable[str] | None = None,
        sort: str | Iterable[str] | None = None,
        dataset: models.Dataset | UUID | str | None = None,
        view: Literal["full", "split"] | None = None,
        page_size: int = PAGE,
    ) -> AsyncIterator[dict[str, Any]]:
        """The rows of a sample's table, each by column name, page by page. For many rows an export is faster.

        Args:
            sample: by its id, its name, or the job that made it.
            where: only the rows that this filter selects.
            columns: only these columns, and `rowno`.
            sort: by these columns, the first first; a minus before a name means descending.
            dataset: which table, of a sample that was split or has versions; unset: the first of the newest.
            view: `split`: a row for each gene that a structural variant overlaps.
            page_size: rows of one request.
        """
        asked = question(where, columns, sort, dataset, view)
        path = f"{await self._path_of(sample)}/rows"
        cursor = None
        while True:
            answer = await self._transport.get(path, {**asked, **given(cursor=cursor), "limit": page_size})
            page = decoded(models.RowPage, answer)
            for row in page.rows:
                yield row
            if (cursor := page.next) is None:
                return

    async def export(
        self,
        sample: models.Sample | models.Job | UUID | str,
        path: str | Path,
        where: str | None = None,
        *,
        format: Literal["csv", "tsv", "jsonl", "parquet"] | None = None,  # noqa: A002 - what the API calls it
        columns: Iterable[str] | None = None,
        sort: str | Iterable[str] | None = None,
        dataset: models.Dataset | UUID | str | None = None,
        view: Literal["full", "split"] | None = None,
    ) -> Path:
        """Write the selected rows of a sample's table to a file, without a limit; its path.

        The file appears under its name when it is complete. Without `format` its name tells the format, else it is CSV.

        Raises:
            VarloomError: `output_unwritable`.
        """
        target = Path(path)
        asked = {
            **question(where, columns, sort, dataset, view),
            "format": file_format(format, target.name),
        }
        source = f"{await self._path_of(sample)}/export"
        try:
            with unfinished_file(target.resolve()) as file:  # noqa: ASYNC240 - as short as the opening itself
                async with self._transport.stream(source, asked) as response:
                    async for chunk in response.aiter_bytes():
                        await async_io.in_thread(file.write, chunk)
        except OSError as error:
            raise VarloomError(OUTPUT_UNWRITABLE, f"{target}: {error.strerror}.") from None
        return target

    async def to_arrow(
        self, sample: models.Sample | models.Job | UUID | str, where: str | None = None, **asked: Any
    ) -> Any:
        """The selected rows as a `pyarrow.Table`; further arguments are those of `export`."""
        return await self._frame(arrow_table, sample, where, asked)

    async def to_polars(
        self, sample: models.Sample | models.Job | UUID | str, where: str | None = None, **asked: Any
    ) -> Any:
        """The selected rows as a `polars.DataFrame`. Raises `package_missing`."""
        return await self._frame(polars_frame, sample, where, asked)

    async def to_pandas(
        self, sample: models.Sample | models.Job | UUID | str, where: str | None = None, **asked: Any
    ) -> Any:
        """The selected rows as a `pandas.DataFrame`. Raises `package_missing`."""
        return await self._frame(pandas_frame, sample, where, asked)

    async def _frame(
        self,
        read: Callable[[Path], Any],
        sample: models.Sample | models.Job | UUID | str,
        where: str | None,
        asked: dict[str, Any],
    ) -> Any:
        with tempfile.TemporaryDirectory(prefix="varloom-") as folder:
            path = await self.export(sample, Path(folder) / "table.parquet", where, **{**asked, "format": "parquet"})
            return await async_io.in_thread(read, path)

    async def _path_of(self, sample: models.Sample | models.Job | UUID | str) -> str:
        """The path of a sample below the API."""
        if isinstance(sample, models.Job):
            sample = await self._made_by(sample)
        if isinstance(sample, str) and not is_id(sample):
            sample = await self.sample(sample)
        return f"/samples/{id_of(sample)}"

    # Projects

    async def projects(self) -> tuple[models.Project, ...]:
        """The projects of which the account is a member, by name."""
        return decoded(models.ProjectList, await self._transport.get("/projects")).projects

    async def project(self, project: models.Project | UUID | str) -> models.ProjectDetails:
        """A project and its members, by its id or its name.

        Raises:
            VarloomError: `project_unknown` for a name, `project_not_found` for an id, `project_ambiguous`.
        """
        return decoded(models.ProjectDetails, await self._transport.get(await self._project_path(project)))

    async def create_project(self, name: str) -> models.ProjectDetails:
        """Make a project, with the account as its owner."""
        return decoded(models.ProjectDetails, await self._transport.post("/projects", {"name": name}))

    async def rename_project(self, project: models.Project | UUID | str, name: str) -> models.ProjectDetails:
        """Give a project another name."""
        path = await self._project_path(project)
        return decoded(models.ProjectDetails, await self._transport.patch(path, {"name": name}))

    async def delete_project(self, project: models.Project | UUID | str) -> None:
        """Delete a project; its samples stay with their accounts."""
        await self._transport.delete(await self._project_path(project))

    async def add_to_project(
        self, project: models.Project | UUID | str, sample: models.Sample | models.Job | UUID | str
    ) -> None:
        """Put a sample of the account's own into a project: all its members see it from now on."""
        await self._transport.put(await self._project_path(project) + await self._path_of(sample))

    async def take_from_project(
        self, project: models.Project | UUID | str, sample: models.Sample | models.Job | UUID | str
    ) -> None:
        """Take a sample out of a project; the sample itself stays."""
        await self._transport.delete(await self._project_path(project) + await self._path_of(sample))

    async def share_project(
        self, project: models.Project | UUID | str, account: str, role: Literal["owner", "editor", "viewer"]
    ) -> models.Member:
        """Add an account to a project by its exact name, or give a member another role."""
        path = f"{await self._project_path(project)}/members/{quote(account, safe='')}"
        return decoded(models.Member, await self._transport.put(path, {"role": role}))

    async def unshare_project(self, project: models.Project | UUID | str, account: str) -> None:
        """Take a member out of a project, or leave it; the member's own samples leave it as well."""
        await self._transport.delete(f"{await self._project_path(project)}/members/{quote(account, safe='')}")

    async def _project_id(self, project: models.Project | UUID | str) -> str:
        if isinstance(project, str) and not is_id(project):
            project = only_project(project, await self.projects())
        return id_of(project)

    async def _project_path(self, project: models.Project | UUID | str) -> str:
        return f"/projects/{await self._project_id(project)}"

    # Annotation

    async def annotate(
        self, variants: str | Iterable[str], *, assembly: Literal["GRCh38", "GRCh37"] = "GRCh38"
    ) -> models.AnnotatedVariants:
        """What is known of small variants by the reference data that is installed.

        Args:
            variants: at most 1,000, each a place (`chr7:117559590:A:G`), a name (`CFTR:c.1521_1523del`), or an rs
                number.
            assembly: of the places.
        """
        body = {"variants": [variants] if isinstance(variants, str) else list(variants), "assembly": assembly}
        return decoded(models.AnnotatedVariants, await self._transport.post("/annotate", body))

    async def annotate_sample(
        self,
        sample: models.Sample | models.Job | UUID | str,
        *,
        annotate: Literal["small", "structural"] | None = None,
        assembly: Literal["GRCh38", "GRCh37"] | None = None,
    ) -> models.Job:
        """Annotate a sample again, or for the first time; the job, which makes a new version of its table."""
        body = given(annotate=annotate, assembly=assembly)
        answer = await self._transport.post(f"{await self._path_of(sample)}/annotate", body)
        return decoded(models.Job, answer)

    async def references(self) -> tuple[models.Reference, ...]:
        """The reference data that is installed."""
        return decoded(models.References, await self._transport.get("/refs")).installed

    # The account

    async def storage(self) -> models.Storage:
        """What the account's samples take in the storage, in bytes."""
        return decoded(models.Storage, await self._transport.get("/storage"))

    async def tokens(self) -> tuple[models.Token, ...]:
        """The account's API tokens, without their secrets."""
        return decoded(models.TokenList, await self._transport.get("/tokens")).tokens

    async def create_token(
        self,
        label: str,
        *,
        scope: Literal["read", "submit", "full"] | None = None,
        expires_at: datetime | None = None,
    ) -> models.TokenSecret:
        """Make an API token. Its secret is told here, and never again.

        Args:
            label: what to call it.
            scope: `read` looks and exports, `submit` also loads files and acts on jobs, `full` may do all that the
                account may; unset: as much as the server gives by itself.
            expires_at: when it ends, with a time zone; unset: it does not.
        """
        ends = None if expires_at is None else expires_at.isoformat()
        body = given(label=label, scope=scope, expires_at=ends)
        return decoded(models.TokenSecret, await self._transport.post("/tokens", body))

    async def revoke_token(self, token: models.Token | UUID | str) -> None:
        """Make a token useless at once."""
        await self._transport.delete(f"/tokens/{token.id if isinstance(token, models.Token) else token}")
