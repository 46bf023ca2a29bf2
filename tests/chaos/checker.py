"""Whether everything is as it must be. It shares no code with Varloom: own queries, own reading, own rules.

`gather` collects evidence from the database and the storage; `findings` judges it. Each finding is a sentence that says
what was expected and what was found.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow.parquet as pq
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.chaos.origin import Offered
    from tests.chaos.traffic import Entry

FINAL = {"completed", "failed", "cancelled"}
RUNNING = {"downloading", "processing", "annotating", "parsing"}
LEGAL = (
    {("queued", state) for state in RUNNING | {"failed", "cancelled"}}
    | {(state, following) for state in RUNNING for following in ("queued", "failed", "cancelled")}
    | {("parsing", "completed"), ("failed", "queued"), ("cancelled", "queued")}
)
MARK = "varloom-storage.json"
"""Says in the storage to which database it belongs; no row points to it."""
RELEASED = ("Its worker was stopped.", "The connection broke when it was about to begin.")
"""A stage that is returned loses no attempt. That of a claim whose answer was lost is returned too."""
SUSPECTED = "Its worker died while it ran this and"
"""Of several jobs that a worker died with none loses the attempt, once."""

FITS = {
    "download_interrupted": {"cut", "reset", "stall"},
    "download_stalled": {"stall"},
    "download_server_error": {"busy"},
    "download_rate_limited": {"limit"},
    "download_source_changed": {"replaced"},
    "download_range_ignored": {"whole"},
    "download_damaged": {"mangled", "damaged"},
    "download_not_found": {"missing"},
    "download_not_public": {"forbidden"},
    "download_is_page": {"page"},
}
"""Which faults of the source each code of a failed download may tell of."""
PERMANENT = {"missing", "forbidden", "page"}
"""Faults of the source that no other attempt can mend."""


@dataclass(frozen=True)
class Outcome:
    """What a fault-free load of a file gave: its datasets in order, or the code of its refusal."""

    code: str | None
    datasets: tuple[tuple[int, int, str], ...] = ()  # records, variants, content hash
    folders: tuple[str, ...] = ()  # of the datasets, below the storage


@dataclass
class Evidence:
    """What was found. Rows are as the database gives them."""

    storage: Path
    jobs: list[dict[str, Any]]
    events: list[dict[str, Any]]
    uploads: list[dict[str, Any]]
    datasets: list[dict[str, Any]]  # those that can be seen
    deleted_samples: set[Any] = field(default_factory=set)
    busy_workers: int = 0


def gather(conninfo: str, storage: Path) -> Evidence:
    """Ask the database."""
    with psycopg.connect(conninfo, row_factory=dict_row) as connection:

        def rows(query: str) -> list[dict[str, Any]]:
            return connection.execute(query).fetchall()

        return Evidence(
            storage=storage,
            jobs=rows(
                "SELECT id::text, account_id::text, upload_id::text, sample_name, state, stage, attempt,"
                " max_attempts, error, records, sample_id::text, attempt_token FROM jobs"
            ),
            events=rows(
                "SELECT account_id::text, id, job_id::text, state, stage, attempt, message FROM job_events"
                " ORDER BY account_id, id"
            ),
            uploads=rows("SELECT id::text, storage_key, sha256, bytes FROM uploads"),
            datasets=rows(
                "SELECT d.id::text, d.job_id::text, d.sample_id::text, d.position, d.storage_key, d.records,"
                " d.variants, d.content_hash"
                " FROM datasets AS d JOIN samples AS s ON s.id = d.sample_id WHERE s.deleted_at IS NULL"
                " ORDER BY d.job_id, d.position"
            ),
            deleted_samples={row["id"] for row in rows("SELECT id::text FROM samples WHERE deleted_at IS NOT NULL")},
            busy_workers=rows("SELECT count(*) AS n FROM jobs WHERE worker_id IS NOT NULL")[0]["n"],
        )


def findings(
    evidence: Evidence, ledger: Sequence[Entry], expected: Mapping[tuple[int, bool], Outcome]
) -> Iterator[str]:
    """Everything that is not as it must be."""
    yield from _jobs_and_uploads_agree(evidence, ledger)
    yield from _ends_are_right(evidence, ledger, expected)
    yield from _datasets_are_right(evidence, ledger, expected)
    yield from _attempts_are_counted(evidence)
    yield from _permanent_faults_are_met_once(evidence, ledger)
    yield from _events_are_whole(evidence)
    yield from _nothing_is_left_over(evidence)
    yield from _originals_are_unchanged(evidence)


def _outcome_of(
    evidence: Evidence, entry: Entry, job: dict[str, Any] | None, expected: Mapping[tuple[int, bool], Outcome]
) -> Outcome | None:
    """What must become of it: of a URL, by the version that was fetched; None where nothing was."""
    if entry.offered is None:
        return expected[entry.file, entry.split]
    fetched = {upload["id"]: upload["sha256"] for upload in evidence.uploads}.get(job["upload_id"] if job else None)
    for version in entry.offered.versions:
        if version.sha256 == fetched:
            return expected[version.file, entry.split]
    return None


def _by_id(evidence: Evidence) -> dict[str, dict[str, Any]]:
    return {job["id"]: job for job in evidence.jobs}


def _jobs_and_uploads_agree(evidence: Evidence, ledger: Sequence[Entry]) -> Iterator[str]:
    """Every accepted upload has one job, and there is no other job."""
    by_name = defaultdict(list)
    for job in evidence.jobs:
        by_name[job["sample_name"]].append(job["id"])
    for entry in ledger:
        found, wanted = by_name.pop(entry.name, []), [entry.job_id] if entry.job_id else []
        if found != wanted:
            yield f"{entry.name}: expected the jobs {wanted}, found {found}"
    for name, ids in by_name.items():
        yield f"nobody asked for the jobs {ids} named {name!r}"
    if evidence.busy_workers:
        yield f"expected no job to be held by a worker, found {evidence.busy_workers}"


def _ends_are_right(
    evidence: Evidence, ledger: Sequence[Entry], expected: Mapping[tuple[int, bool], Outcome]
) -> Iterator[str]:
    """Each job is in a final state that its file, its user or its attempts explain."""
    jobs = _by_id(evidence)
    for entry in ledger:
        job = jobs.get(entry.job_id or "")
        outcome = _outcome_of(evidence, entry, job, expected)
        if entry.refused is not None and (outcome is None or entry.refused != outcome.code):
            yield f"{entry.name}: expected {outcome}, found the refusal {entry.refused}"
        if job is None:
            continue
        told = f"{entry.name}, job {job['id']}"
        if job["state"] not in FINAL or job["attempt_token"] is not None:
            yield f"{told}: expected a final state, found {job['state']}"
        elif job["state"] == "cancelled" and "cancel" not in entry.did:
            yield f"{told}: nobody cancelled it, found cancelled"
        elif job["state"] == "completed" and (outcome is None or outcome.code is not None):
            yield f"{told}: expected {outcome.code if outcome else 'no file to read'}, found completed"
        elif job["state"] == "failed":
            yield from (f"{told}: {fault}" for fault in _failure_faults(job, entry.offered, outcome))


def _failure_faults(job: dict[str, Any], offered: Offered | None, outcome: Outcome | None) -> Iterator[str]:
    error = job["error"] or {}
    code = str(error.get("code"))
    if not error.get("code") or not error.get("title") or not error.get("message") or not error.get("resolution"):
        yield f"expected an error with code, title, message and resolution, found {error}"
    is_of_source = code in FITS or code.startswith("download_")
    if is_of_source and (offered is None or job["stage"] != "download" or not FITS.get(code, set()) & _met(offered)):
        met = sorted(_met(offered)) if offered is not None else "no source"
        yield f"the {job['stage']} stage failed with {code}, which does not fit what was met: {met}"
    if outcome is not None and code == outcome.code and job["stage"] != "download":
        return
    if not error.get("retryable"):
        if not is_of_source:
            found = outcome.code if outcome else "a fault of the source"
            yield f"expected {found or 'completed'}, found the permanent failure {code}: {error}"
    elif job["attempt"] != job["max_attempts"]:
        yield f"expected no end before attempt {job['max_attempts']}, found {code} after {job['attempt']}"


def _met(offered: Offered) -> set[str]:
    """The faults of a source that could be met."""
    return {answer.fault for answer in offered.answers if answer.fault} | (
        {"replaced"} if len(offered.versions) > 1 else set()
    )


def _permanent_faults_are_met_once(evidence: Evidence, ledger: Sequence[Entry]) -> Iterator[str]:
    """What no other attempt can mend is not asked for again within one."""
    histories = _histories(evidence)
    for entry in ledger:
        if entry.offered is not None and entry.job_id is not None:
            met = sum(answer.fault in PERMANENT for answer in entry.offered.answers)
            begun = sum(event["state"] == "downloading" for event in histories.get(entry.job_id, []))
            if met > begun:
                yield f"{entry.name}: met a permanent fault of its source {met} times in {begun} attempts"


def _datasets_are_right(
    evidence: Evidence, ledger: Sequence[Entry], expected: Mapping[tuple[int, bool], Outcome]
) -> Iterator[str]:
    """A completed job has its datasets, each whole and equal to that of a fault-free load; no other has any."""
    jobs, by_job = _by_id(evidence), defaultdict(list)
    for dataset in evidence.datasets:
        by_job[dataset["job_id"]].append(dataset)
    whole: dict[str, Any] = {}
    for entry in ledger:
        job = jobs.get(entry.job_id or "")
        if job is None:
            continue
        outcome = _outcome_of(evidence, entry, job, expected) or Outcome("nothing was fetched")
        found = by_job.pop(job["id"], [])
        told = f"{entry.name}, job {job['id']}"
        visible = job["state"] == "completed" and job["sample_id"] not in evidence.deleted_samples
        wanted = list(outcome.datasets) if visible else []
        if [(each["records"], each["variants"], each["content_hash"]) for each in found] != wanted:
            yield f"{told} is {job['state']}: expected the datasets {wanted}, found {found}"
            continue
        if wanted and job["records"] != wanted[0][0]:
            yield f"{told}: expected {wanted[0][0]} records, the job tells {job['records']}"
        for dataset, folder in zip(found, outcome.folders, strict=False):
            faults = _content_faults(evidence.storage, dataset, folder, whole)
            yield from (f"{told}, {dataset['storage_key']}: {fault}" for fault in faults)
    for job_id, datasets in by_job.items():
        yield f"the datasets {datasets} can be seen, but no upload explains the job {job_id}"


def _content_faults(storage: Path, dataset: dict[str, Any], reference: str, whole: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the files of a dataset, whose cells must be those of the reference."""
    folder = storage / dataset["storage_key"]
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes().decode("utf-8", "surrogateescape"))
        table = pq.ParquetDataset([folder / part["name"] for part in manifest["parts"]]).read()
        for part in manifest["parts"]:
            if hashlib.sha256((folder / part["name"]).read_bytes()).hexdigest() != part["sha256"]:
                yield f"{part['name']} is not the file that the manifest tells of"
    except (OSError, ValueError, KeyError) as error:
        yield f"expected a dataset, found {error!r}"
        return
    if manifest["content_hash"] != dataset["content_hash"]:
        yield f"expected the content hash {dataset['content_hash']}, found {manifest['content_hash']}"
    if reference not in whole:
        names = [part["name"] for part in json.loads((storage / reference / "manifest.json").read_bytes())["parts"]]
        whole[reference] = pq.ParquetDataset([storage / reference / name for name in names]).read()
    if table.num_rows != whole[reference].num_rows:
        yield f"expected {whole[reference].num_rows} rows, found {table.num_rows}"
    elif (
        repr(table.to_pydict()) != repr(whole[reference].to_pydict())
        if table.num_rows < 500
        else not table.equals(whole[reference])
    ):
        yield "expected the cells of a fault-free load, found others"


def _attempts_are_counted(evidence: Evidence) -> Iterator[str]:
    """No stage is begun more often than its attempts allow, and each attempt is counted."""
    limits = {job["id"]: job["max_attempts"] for job in evidence.jobs}
    for job_id, events in _histories(evidence).items():
        begun: dict[tuple[int, str, int], int] = defaultdict(int)
        released: dict[tuple[int, str, int], int] = defaultdict(int)
        suspected: set[tuple[int, str, int]] = set()
        retries = 0
        for before, after in pairwise(events):
            retries += before["state"] in {"failed", "cancelled"} and after["state"] == "queued"
            key = (retries, after["stage"], after["attempt"])
            if before["state"] == "queued" and after["state"] in RUNNING:
                begun[key] += 1
            if before["state"] in RUNNING and after["state"] == "queued" and after["message"].startswith(RELEASED):
                released[key] += 1
            if before["state"] in RUNNING and after["state"] == "queued" and after["message"].startswith(SUSPECTED):
                suspected.add(key)
            if after["attempt"] > limits[job_id]:
                yield f"job {job_id}: expected at most {limits[job_id]} attempts, found attempt {after['attempt']}"
        for key, count in begun.items():
            returned = released[key] + (key in suspected)
            if count > 1 + returned:
                times = f"was begun {count} times and returned {returned} times"
                yield f"job {job_id}: attempt {key[2]} of {key[1]} {times}"


def _histories(evidence: Evidence) -> dict[str, list[dict[str, Any]]]:
    histories = defaultdict(list)
    for event in evidence.events:
        histories[event["job_id"]].append(event)
    return histories


def _events_are_whole(evidence: Evidence) -> Iterator[str]:
    """Numbered without gaps within the account, each a legal step, and the last one is what the job is."""
    numbers = defaultdict(list)
    for event in evidence.events:
        numbers[event["account_id"]].append(event["id"])
    for account, found in numbers.items():
        if found != list(range(1, len(found) + 1)):
            missing = sorted(set(range(1, max(found) + 1)) - set(found))
            yield f"account {account}: expected events without gaps, {missing[:10]} of {max(found)} are missing"
    histories = _histories(evidence)
    for job in evidence.jobs:
        events = histories.get(job["id"], [])
        if not events or events[0]["state"] != "queued":
            yield f"job {job['id']}: expected a history that begins with queued, found {events[:1]}"
            continue
        for before, after in pairwise(events):
            if before["state"] != after["state"] and (before["state"], after["state"]) not in LEGAL:
                yield f"job {job['id']}: {after['state']} may not follow {before['state']} (event {after['id']})"
        if events[-1]["state"] != job["state"]:
            yield f"job {job['id']} is {job['state']}, but its last event tells {events[-1]['state']}"


def _nothing_is_left_over(evidence: Evidence) -> Iterator[str]:
    """Each file belongs to a visible dataset or to an original that is still kept, and each of these is there."""
    kept = {dataset["storage_key"] for dataset in evidence.datasets}
    originals = {upload["storage_key"] for upload in evidence.uploads if upload["storage_key"]}
    for path in sorted(evidence.storage.rglob("*")):
        if path.is_file():
            key = path.relative_to(evidence.storage).as_posix()
            if key != MARK and key not in originals and key.rpartition("/")[0] not in kept:
                yield f"nothing needs the file {key} any more"
    for key in sorted(kept | originals):
        if not (evidence.storage / key).exists():
            yield f"expected {key} in the storage, it is gone"


def _originals_are_unchanged(evidence: Evidence) -> Iterator[str]:
    """Their SHA-256 is that which was told for the upload."""
    for upload in evidence.uploads:
        path = evidence.storage / (upload["storage_key"] or "absent")
        if path.is_file():
            found = hashlib.sha256(path.read_bytes()).hexdigest()
            if found != upload["sha256"]:
                yield f"upload {upload['id']}: expected the SHA-256 {upload['sha256']}, found {found}"


def told_wrongly(evidence: Evidence, ledger: Sequence[Entry]) -> Iterator[str]:
    """Uploads whose stored SHA-256 is not that of the file that the user sent, or that the source served whole."""
    jobs, uploads = _by_id(evidence), {upload["id"]: upload for upload in evidence.uploads}
    for entry in ledger:
        job = jobs.get(entry.job_id or "")
        if job is None:
            continue
        found = uploads[job["upload_id"]]["sha256"]
        if entry.offered is None:
            if found != entry.sha256:
                yield f"{entry.name}: expected an upload with SHA-256 {entry.sha256}, found {found}"
        elif found is not None and found not in _served_whole(entry.offered):
            known = [version.sha256 for version in entry.offered.versions]
            yield f"{entry.name}: fetched {found}, which was not served whole; versions {known}"
        elif found is None and job["state"] == "completed":
            yield f"{entry.name}: completed without a file"


def _served_whole(offered: Offered) -> set[str]:
    """The SHA-256 of each version of which every byte was sent, as it is."""
    whole = set()
    for number, version in enumerate(offered.versions):
        at = 0
        sent = [one for one in offered.answers if one.version == number and one.fault != "mangled"]
        for answer in sorted(sent, key=lambda answer: answer.start):
            if answer.start <= at:
                at = max(at, answer.start + answer.sent)
        if at >= version.size:
            whole.add(version.sha256)
    return whole
