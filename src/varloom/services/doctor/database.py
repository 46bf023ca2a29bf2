"""The database and what it says of workers and jobs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, LiteralString

from psycopg.rows import dict_row

from varloom.db.database import OLDEST_SERVER
from varloom.db.migrate import known_migrations
from varloom.errors import counted
from varloom.jobs.lifecycle import Stage
from varloom.services.doctor.finding import ok, problem, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from varloom.services.doctor.finding import Finding
    from varloom.settings import Settings

SKEW_NOTICED = 2.0
SKEW_HARMFUL = 60.0
"""Seconds between the clocks of this machine and of the database."""
LONG_WAIT = 3600
"""Seconds that a job waits though slots are free, before that is told of."""
SILENT = 3
"""A worker that was not heard of for so many times `worker_timeout` and still holds stages is told of."""

_WORKERS: LiteralString = """
    SELECT host, pid, version, slots, low_disk, extract(epoch FROM now() - heartbeat_at)::float AS silence
    FROM workers WHERE stopped_at IS NULL ORDER BY started_at
"""
_WAITING: LiteralString = "SELECT stage, count(*) AS jobs FROM jobs WHERE state = 'queued' GROUP BY stage"
_HELD_BY_THE_DEAD: LiteralString = """
    SELECT jobs.id::text, jobs.stage FROM jobs LEFT JOIN workers ON workers.id = jobs.worker_id
    WHERE jobs.worker_id IS NOT NULL
      AND (workers.id IS NULL OR coalesce(workers.stopped_at, workers.heartbeat_at)
           < now() - make_interval(secs => %(silence)s))
    ORDER BY jobs.claimed_at
"""
_OVERDUE: LiteralString = """
    SELECT id::text, stage FROM jobs
    WHERE state = 'queued' AND run_after < now() - make_interval(secs => %(wait)s)
      AND NOT EXISTS (SELECT 1 FROM pauses WHERE pauses.stage = jobs.stage OR pauses.account_id = jobs.account_id)
      AND (SELECT count(*) FROM jobs AS running WHERE running.worker_id IS NOT NULL AND running.stage = jobs.stage)
          < (SELECT coalesce(sum((slots ->> jobs.stage)::int), 0) FROM workers
             WHERE stopped_at IS NULL AND low_disk IS NULL
               AND (serves IS NULL OR needed_for(jobs.stage, jobs.options) = ANY (serves || ARRAY[''])))
    ORDER BY created_at
"""


def server(conn: Connection[Any]) -> Iterator[Finding]:
    """Its version, and how far its tables are."""
    number = conn.info.server_version
    told = f"PostgreSQL {number // 10_000}.{number % 10_000}"
    if number < OLDEST_SERVER:
        steps = (f"Upgrade it to PostgreSQL {OLDEST_SERVER // 10_000} or newer.",)
        yield problem("database", f"{told} is too old.", *steps)
        return
    yield ok("database", f"{told} answers.")


def migrations(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether the tables are those of this version."""
    try:
        with conn.transaction():
            rows = conn.execute("SELECT version, name, sha256, compatible_from FROM schema_migrations").fetchall()
    except Exception:  # noqa: BLE001 - whatever it says: these are no tables of ours
        rows = []
    if not rows:
        yield problem("migrations", "The database holds no tables of Varloom.", "Start `varloom serve`; it makes them.")
        return
    known = {step.version: step for step in known_migrations()}
    for version, name, sha256, compatible_from in rows:
        step = known.get(version)
        if version > max(known):
            steps = ("Upgrade this Varloom to the version of the newest server.",)
            can = compatible_from is not None and compatible_from <= max(known)
            tell = warning if can else problem
            yield tell("migrations", f"The tables are of a newer version: step {version:04} {name}.", *steps)
            return
        if step is None or not step.is_what_was_applied(name, sha256):
            steps = ("Use the version of Varloom that made the tables, or restore a backup.",)
            yield problem("migrations", f"The step {version:04} {name} is not that of this version.", *steps)
            return
    missing = [step for version, step in known.items() if version not in {row[0] for row in rows}]
    if missing:
        message = f"The tables are of an earlier version: {counted(len(missing), 'step')} to go."
        yield warning("migrations", message, "Make a backup, then start the server; it applies them.")
    else:
        yield ok("migrations", "The tables are those of this version.")


def clock(conn: Connection[Any]) -> Iterator[Finding]:
    """Whether this machine and the database agree on the time."""
    before = time.time()
    row = conn.execute("SELECT extract(epoch FROM clock_timestamp())::float").fetchone()
    after = time.time()
    there = float(row[0]) if row else 0.0
    skew = max(before - there, there - after, 0.0)
    if skew < SKEW_NOTICED:
        yield ok("clock", "The clocks of this machine and of the database agree.")
        return
    tell = problem if skew > SKEW_HARMFUL else warning
    message = f"The clocks of this machine and of the database differ by {skew:,.0f} s."
    yield tell("clock", message, "Let both machines take their time from the network: chrony, or systemd-timesyncd.")


def workers(conn: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """Who works, and what nobody does."""
    found = _rows(conn, _WORKERS)
    there = [one for one in found if one["silence"] <= settings.worker_timeout]
    waiting = {row["stage"]: row["jobs"] for row in _rows(conn, _WAITING)}
    steps = ("Start `varloom serve`, which has a worker, or `varloom worker`.",)
    if there:
        yield ok("workers", f"{counted(len(there), 'worker')} connected.")
    elif waiting:
        message = f"No worker is connected, and {counted(sum(waiting.values()), 'job')} must wait."
        yield problem("workers", message, *steps)
    else:
        yield warning("workers", "No worker is connected.", *steps)
    for one in there:
        if one["low_disk"]:
            place = f"{one['host']}, process {one['pid']}"
            message = f"A worker begins nothing: {one['low_disk']}."
            yield problem("worker_disk", message, "Make room on its disk; it goes on by itself.", place=place)
    yield from _slots(there, waiting)


def _slots(there: list[dict[str, Any]], waiting: dict[str, int]) -> Iterator[Finding]:
    served = {stage for one in there for stage, number in one["slots"].items() if number > 0}
    unserved = [stage.value for stage in Stage if stage.value not in served] if there else []
    for stage in unserved:
        steps = (f"Give a worker slots for it: --slots {stage}=1.",)
        if stage in waiting:
            message = f"No worker has a slot for the {stage} stage, and {counted(waiting[stage], 'job')} must wait."
            yield problem("slots", message, *steps, place=stage)
        else:
            yield warning("slots", f"No worker has a slot for the {stage} stage.", *steps, place=stage)
    if there and not unserved:
        yield ok("slots", "Each stage has slots.")


def jobs(conn: Connection[Any], settings: Settings) -> Iterator[Finding]:
    """Jobs that do not get on."""
    held = _rows(conn, _HELD_BY_THE_DEAD, {"silence": SILENT * settings.worker_timeout})
    overdue = _rows(conn, _OVERDUE, {"wait": LONG_WAIT})
    for one in held:
        steps = ("Start a worker: it returns the job to the queue within seconds.",)
        message = f"A worker that is gone holds the {one['stage']} stage of a job."
        yield problem("jobs_held", message, *steps, place=f"job {one['id']}")
    for one in overdue:
        steps = ("Look at `varloom queue` and at the workers' logs; start the worker again.",)
        message = f"A job has waited for the {one['stage']} stage for more than an hour, though slots are free."
        yield warning("jobs_waiting", message, *steps, place=f"job {one['id']}")
    if not held:
        yield ok("jobs_held", "No job is held by a worker that is gone.")
    if not overdue:
        yield ok("jobs_waiting", "No job waits without a reason.")


def _rows(conn: Connection[Any], query: LiteralString, values: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, values).fetchall()
