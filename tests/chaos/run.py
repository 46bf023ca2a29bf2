"""The chaos run, from an empty folder to a verdict."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import random
import secrets
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from tests.chaos import checker
from tests.chaos.faults import Conductor
from tests.chaos.faulty_disk import FaultyDisk
from tests.chaos.files import choose_files
from tests.chaos.fleet import Fleet
from tests.chaos.origin import FAULTS, SECRET, Origin
from tests.chaos.plan import ACCOUNTS, FAILPOINT_ACTIONS, FAILPOINTS, FREQUENCY, PlannedUpload, make_plan
from tests.chaos.traffic import FINAL, Entry, Traffic, User
from tests.chaos.watcher import Watcher

from varloom.db.embedded import EmbeddedPostgres
from varloom.failpoints import VARIABLE

if TYPE_CHECKING:
    from pathlib import Path

BASELINE = "baseline"
REST_PATIENCE = 90.0
"""Seconds after the end of the faults in which everything has to come to rest."""
POLL = 0.5
TWO_DAYS = 2 * 24 * 3600.0


@dataclass
class Report:
    """What a run found."""

    seed: int
    findings: list[str] = field(default_factory=list)
    states: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    rescued: int = 0
    retried: int = 0
    looks: int = 0
    rest_seconds: float = 0.0
    total_seconds: float = 0.0

    @property
    def summary(self) -> str:
        def told(counts: Counter[str]) -> str:
            return " ".join(f"{name}={count}" for name, count in sorted(counts.items()))

        return (
            f"seed {self.seed}: {'FAILED' if self.findings else 'ok'}; jobs {told(self.states)};"
            f" failed by code: {told(self.codes) or 'none'}; faults: {told(self.faults)}; attempts rescued"
            f" {self.rescued}, retried {self.retried}; tables looked at {self.looks} times;"
            f" at rest after {self.rest_seconds:.1f} s; {self.total_seconds:.0f} s in all"
        )


class ChaosRun:
    """One run in a folder of its own, which must be open to the database's system user."""

    def __init__(self, home: Path, seed: int, jobs: int, workers: int) -> None:
        self.home = home
        self.data = home / "data"
        self.storage = self.data / "storage"
        self.report = Report(seed)
        (home / "files").mkdir(parents=True)
        home.chmod(0o711)  # the database's system user has to get through
        self.files = choose_files(random.Random(f"files {seed}"), home / "files")
        self.plan = make_plan(seed, jobs, self.files)
        self.disk = FaultyDisk(home, self.storage, seed)
        self.going_on = home / "failpoints.on"
        self.fired = home / "failpoints.log"
        rules = f"{FAILPOINTS};log={self.fired};while={self.going_on};seed={seed}"
        self.origin = Origin(self.files, self.plan.uploads, seed)
        environment = {VARIABLE: rules, "VARLOOM_ALLOWED_ENDPOINTS": self.origin.endpoint}
        self.fleet = Fleet(home, workers, {**self.disk.environment, **environment})
        self.expected: dict[tuple[int, bool], checker.Outcome] = {}
        (home / "plan.json").write_text(
            json.dumps(asdict(self.plan) | {"files": [str(file.path) for file in self.files]}, indent=1)
        )

    def run(self) -> Report:
        """Everything; what was found is in the report."""
        self.began = time.monotonic()
        self.fleet.start()
        with EmbeddedPostgres(self.data) as self.postgres:
            try:
                asyncio.run(self._play())
            finally:
                self._note_phase("stopping")
                self.report.findings += self.fleet.close()
            self.origin.close()
            self._note_phase("judgement")
            self._judge()
            self.report.findings += [
                f"still alive: {process}" for process in self.fleet.left_behind() if _is_varloom(process)
            ]
        self.report.total_seconds = time.monotonic() - self.began
        return self.report

    def _note_phase(self, name: str) -> None:
        """When what began, for a look at where the time of a run goes."""
        with (self.home / "phases.log").open("a", encoding="utf-8") as file:
            file.write(f"{time.monotonic() - self.began:7.1f} {name}\n")

    async def _play(self) -> None:
        users = {name: User(self.fleet.url, name, self._make_account(name)) for name in (BASELINE, *ACCOUNTS)}
        baseline = Traffic({BASELINE: users.pop(BASELINE)}, self.files, self._states)
        self._note_phase("load without faults")
        await self._load_without_faults(baseline)
        traffic = Traffic(users, self.files, self._states, self.origin)
        watcher = Watcher(users, self._rows_of)
        watching = asyncio.create_task(watcher.run())
        self._note_phase("faults")
        await self._rage(traffic)
        self._note_phase("coming to rest")
        await self._come_to_rest(traffic)
        self._note_phase("retries by hand")
        await self._retry_some(traffic)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        self.report.findings += watcher.findings
        self.report.looks = watcher.looks
        traffic.save(self.home / "ledger.json")
        self.ledger = [*baseline.ledger, *traffic.ledger]
        self._note_phase("sweep")
        await asyncio.to_thread(self._sweep)
        await baseline.close()
        await traffic.close()

    # --- The acts ---

    async def _load_without_faults(self, traffic: Traffic) -> None:
        """What each file gives when nothing happens; later everything is held to it."""
        wanted = [
            (index, split) for index, file in enumerate(self.files) for split in (False, True)[: 1 + file.can_split]
        ]
        uploads = [
            PlannedUpload(-1 - number, file, BASELINE, split, 0, twice=False, cut=None, then=None, wait=0.0)
            for number, (file, split) in enumerate(wanted)
        ]
        await traffic.send_all(uploads, 0.1)
        await self._until_final(traffic, 60)
        evidence = await asyncio.to_thread(self._evidence)
        jobs = {job["id"]: job for job in evidence.jobs}
        for entry in traffic.ledger:
            self.expected[entry.file, entry.split] = self._outcome(entry, jobs.get(entry.job_id or ""), evidence)
        for entry in traffic.ledger:
            self._compare_with_manifest(entry)

    def _outcome(self, entry: Entry, job: dict[str, Any] | None, evidence: checker.Evidence) -> checker.Outcome:
        if job is None:
            return checker.Outcome(entry.refused)
        if job["state"] == "failed":
            return checker.Outcome(job["error"]["code"])
        own = [dataset for dataset in evidence.datasets if dataset["job_id"] == job["id"]]
        return checker.Outcome(
            None,
            tuple((each["records"], each["variants"], each["content_hash"]) for each in own),
            tuple(each["storage_key"] for each in own),
        )

    def _compare_with_manifest(self, entry: Entry) -> None:
        """Whoever judged the file independently must agree with the fault-free load."""
        file, outcome = self.files[entry.file], self.expected[entry.file, entry.split]
        if file.records is not None and (outcome.code or {each[0] for each in outcome.datasets} != {file.records}):
            self.report.findings.append(f"{file.path}: expected {file.records} records, found {outcome}")

    async def _rage(self, traffic: Traffic) -> None:
        """Users and faults at once."""
        self.going_on.touch()
        conductor = Conductor(self.plan, self.fleet, self.postgres, self.disk, self.home)
        harm = threading.Thread(target=conductor.run)
        harm.start()
        sending = asyncio.create_task(traffic.send_all(self.plan.uploads, self.plan.seconds))
        while harm.is_alive() or not sending.done():
            await traffic.follow_up()
            await asyncio.sleep(POLL)
        await sending
        await self._until_every_source_was_asked(traffic)
        self.going_on.unlink()
        self.origin.is_calm = True
        self._count_faults(conductor)

    async def _until_every_source_was_asked(self, traffic: Traffic) -> None:
        """A slow machine still has downloads waiting when the last fault has passed, and theirs are still to come."""
        deadline = time.monotonic() + REST_PATIENCE
        while time.monotonic() < deadline:
            await traffic.follow_up()
            states = await asyncio.to_thread(self._states)
            if not any(
                entry.offered is not None and not entry.offered.asked and states.get(entry.job_id) not in FINAL
                for entry in traffic.ledger
                if entry.job_id is not None
            ):
                return
            await asyncio.sleep(POLL)

    def _count_faults(self, conductor: Conductor) -> None:
        """Each kind must have happened."""
        told = self.fired.read_text().splitlines() if self.fired.exists() else []
        points = Counter(f"failpoint_{line.split()[1]}" for line in told)
        disk = Counter({f"disk_{kind}": count for kind, count in self.disk.fired().items()})
        source = Counter(f"source_{fault}" for fault in self.origin.faults())
        self.report.faults = conductor.done + points + disk + source
        kinds = [*FREQUENCY, *(f"failpoint_{action}" for action in FAILPOINT_ACTIONS)]
        kinds += [f"disk_{kind}" for kind in ("enospc", "eio", "short", "slow")]
        kinds += [f"source_{kind}" for kind in (*FAULTS, "replaced")]
        self.report.findings += [
            f"no fault of the kind {kind} happened" for kind in kinds if not self.report.faults[kind]
        ]

    async def _come_to_rest(self, traffic: Traffic) -> None:
        began = time.monotonic()
        await traffic.finish()
        await self._until_final(traffic, REST_PATIENCE)
        self.report.rest_seconds = time.monotonic() - began

    async def _retry_some(self, traffic: Traffic) -> None:
        """Without faults every second job whose attempts were used up is retried by hand, and does what it should."""
        states = self._query(
            "SELECT id::text, error ->> 'code' FROM jobs WHERE state = 'failed' AND (error ->> 'retryable')::bool"
        )
        failed = dict(states)
        # The original of a dismissed job is swept, and there is nothing to try again with.
        unlucky = [entry for entry in traffic.ledger if entry.job_id in failed and "dismiss" not in entry.did]
        for entry in unlucky[::2]:
            await traffic.users[entry.account].ask("POST", f"jobs/{entry.job_id}/retry", json={})
        await self._until_final(traffic, REST_PATIENCE)
        by_id = self._states()
        for entry in unlucky[::2]:
            wanted = {"failed" if outcome.code else "completed" for outcome in self._possible(entry)} or {"failed"}
            if by_id[entry.job_id] not in wanted:
                self.report.findings.append(
                    f"{entry.name}: retried without faults, expected {wanted}, found {by_id[entry.job_id]}"
                )

    def _possible(self, entry: Entry) -> list[checker.Outcome]:
        """What can become of it without faults; nothing good of an object that is gone."""
        if entry.offered is None:
            return [self.expected[entry.file, entry.split]]
        gone = [checker.Outcome("gone")] if entry.offered.is_gone else []
        return gone + [self.expected[version.file, entry.split] for version in entry.offered.versions]

    async def _until_final(self, traffic: Traffic, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            await traffic.follow_up()
            states = await asyncio.to_thread(self._states)
            open_jobs = [job_id for job_id, state in states.items() if state not in FINAL]
            if states and not open_jobs:
                return
            if time.monotonic() > deadline:
                self.report.findings.append(
                    f"not at rest within {seconds:g} s: {len(open_jobs)} jobs, {open_jobs[:10]}"
                )
                return
            await asyncio.sleep(POLL)

    def _sweep(self) -> None:
        """Let all be days old, and a worker start: it sweeps. Wait until nothing is left over."""
        self._query(
            "UPDATE jobs SET finished_at = finished_at - interval '8 days' WHERE finished_at < now() RETURNING 1"
        )
        then = time.time() - TWO_DAYS
        for path in [*self.storage.rglob("*"), *(self.storage / ".trash").rglob("*")]:
            with contextlib.suppress(FileNotFoundError):
                os.utime(path, (then, then))
        self.fleet.replace_a_worker()
        pid = self.fleet.pid(self.fleet.workers[-1])
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            is_there = self._query("SELECT 1 FROM workers WHERE pid = %s", pid)  # until then SIGTERM just kills it
            with contextlib.suppress(FileNotFoundError):  # it was swept while we looked
                if is_there and not list(checker._nothing_is_left_over(self._evidence())):
                    return
            time.sleep(POLL)

    def _judge(self) -> None:
        evidence = self._evidence()
        self.report.findings += checker.findings(evidence, self.ledger, self.expected)
        self.report.findings += checker.told_wrongly(evidence, self.ledger)
        self.report.findings += [
            f"{path.name} holds the secret of a URL"
            for path in self.home.glob("*.log")
            if SECRET.encode() in path.read_bytes()
        ]
        own = {entry.job_id for entry in self.ledger}
        self.report.states = Counter(job["state"] for job in evidence.jobs if job["id"] in own)
        self.report.codes = Counter(job["error"]["code"] for job in evidence.jobs if job["state"] == "failed")
        self.report.rescued = sum("orker died while it ran" in event["message"] for event in evidence.events)
        self.report.retried = sum(event["message"].startswith("Attempt") for event in evidence.events)

    # --- What is asked of the database, and of the ledger ---

    def _query(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        deadline = time.monotonic() + 60
        while True:
            try:
                with psycopg.connect(self.postgres.conninfo, connect_timeout=5) as connection:
                    return connection.execute(query, values).fetchall()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def _states(self) -> dict[str, str]:
        return dict(self._query("SELECT id::text, state FROM jobs"))

    def _evidence(self) -> checker.Evidence:
        return checker.gather(self.postgres.conninfo, self.storage)

    def _make_account(self, name: str) -> str:
        token = secrets.token_urlsafe(32)
        digest = hashlib.sha256(token.encode()).digest()
        self._query(
            "WITH made AS (INSERT INTO accounts (name) VALUES (%s) RETURNING id)"
            " INSERT INTO api_tokens (account_id, label, token_sha256) SELECT id, 'chaos', %s FROM made RETURNING id",
            name,
            digest,
        )
        return token

    def _rows_of(self, name: str) -> set[int]:
        number = name.removeprefix("upload ")
        if not number.isdigit():
            return set()
        upload = self.plan.uploads[int(number)]
        files = {upload.file} | ({upload.source.replacement} if upload.source else set())
        outcomes = [self.expected[file, upload.split] for file in files]
        return {outcome.datasets[0][1] for outcome in outcomes if outcome.datasets}

    def destroy_database(self) -> None:
        """What lies outside the folder of the run goes, too."""
        EmbeddedPostgres(self.data).destroy()


def _is_varloom(process: str) -> bool:
    """The database is not asked to end before the evidence has been gathered."""
    return "varloom" in process and "postgres" not in process.split()[1]
