"""What an operator lets go after a while, and what would go: originals, failed jobs' files, logs. By default nothing.

Tables, results and the records of jobs are never let go by age: only people delete samples. The audit log stays for
ever. Whatever goes has an entry in that log, written in the same transaction.
"""
# ruff: noqa: S608 -- the statements are made of each other

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, LiteralString

import psycopg
from psycopg.rows import class_row, dict_row

from varloom.db.database import open_database, require_database
from varloom.db.pool import open_pool
from varloom.pipeline.sweep import size_of_garbage
from varloom.services.audit import Action, Subject, enter_done
from varloom.storage import open_storage

if TYPE_CHECKING:
    from datetime import datetime

    from psycopg import AsyncConnection
    from psycopg_pool import AsyncConnectionPool

    from varloom.settings import Settings

AT_ONCE = 200
"""So many things go in one transaction."""

# An original of which a job is not done stays; how long ago it was used last is told by the newest of its jobs, so that
# annotating a sample again keeps its original for as long anew.
_DUE_ORIGINALS: LiteralString = """
    SELECT uploads.id, uploads.account_id, used.at,
        coalesce(uploads.bytes, 0) + coalesce((SELECT sum(bytes) FROM upload_files
            WHERE upload_id = uploads.id AND storage_key IS NOT NULL), 0)::bigint AS bytes
    FROM uploads CROSS JOIN LATERAL (
        SELECT max(finished_at) AS at, bool_and(finished_at IS NOT NULL
            AND (state = 'completed' OR dismissed_at IS NOT NULL)) AS done
        FROM jobs WHERE jobs.upload_id = uploads.id
    ) AS used
    WHERE uploads.storage_key IS NOT NULL AND used.done
        AND used.at < now() - make_interval(days => 1) * %(days)s
        AND EXISTS (SELECT 1 FROM datasets WHERE datasets.upload_id = uploads.id)
"""
# Dismissed is what a person would do: the record stays, and the sweep takes the files as ever. Those of a sample stay.
_DUE_FAILED: LiteralString = """
    SELECT jobs.id, jobs.account_id, jobs.finished_at AS at,
        CASE WHEN uploads.storage_key IS NULL
            OR EXISTS (SELECT 1 FROM datasets WHERE datasets.upload_id = uploads.id) THEN 0
        ELSE coalesce(uploads.bytes, 0) + coalesce((SELECT sum(bytes) FROM upload_files
            WHERE upload_id = uploads.id AND storage_key IS NOT NULL), 0)::bigint END AS bytes
    FROM jobs JOIN uploads ON uploads.id = jobs.upload_id
    WHERE jobs.state IN ('failed', 'cancelled') AND jobs.dismissed_at IS NULL
        AND jobs.finished_at < now() - make_interval(days => 1) * %(days)s
"""
_DUE_LOGS: LiteralString = """
    SELECT attempt_logs.job_id AS id, attempt_logs.attempt_token, jobs.account_id, jobs.finished_at AS at,
        octet_length(attempt_logs.text)::bigint AS bytes
    FROM attempt_logs JOIN jobs ON jobs.id = attempt_logs.job_id
    WHERE jobs.finished_at < now() - make_interval(days => 1) * %(days)s
"""
_LET_GO: dict[str, LiteralString] = {
    "keep_originals_days": f"""
WITH due AS ({_DUE_ORIGINALS} ORDER BY used.at LIMIT %(most)s FOR UPDATE OF uploads SKIP LOCKED)
UPDATE uploads SET storage_key = NULL FROM due WHERE uploads.id = due.id
RETURNING due.id, due.account_id, due.bytes
""",
    "keep_failed_days": f"""
WITH due AS ({_DUE_FAILED} ORDER BY jobs.finished_at LIMIT %(most)s FOR UPDATE OF jobs SKIP LOCKED)
UPDATE jobs SET dismissed_at = now() FROM due WHERE jobs.id = due.id
RETURNING due.id, due.account_id, due.bytes
""",
    "keep_logs_days": f"""
WITH due AS ({_DUE_LOGS} ORDER BY jobs.finished_at LIMIT %(most)s FOR UPDATE OF attempt_logs SKIP LOCKED)
DELETE FROM attempt_logs USING due
WHERE attempt_logs.job_id = due.id AND attempt_logs.attempt_token = due.attempt_token
RETURNING due.id, due.account_id, due.bytes
""",
}
_DUE: dict[str, LiteralString] = {
    "keep_originals_days": _DUE_ORIGINALS,
    "keep_failed_days": _DUE_FAILED,
    "keep_logs_days": _DUE_LOGS,
}
_COUNT: LiteralString = """
SELECT count(*) AS things, coalesce(sum(bytes), 0)::bigint AS bytes, min(at) AS oldest FROM ({due}) AS due
"""
_KINDS = {"keep_originals_days": "upload", "keep_failed_days": "job", "keep_logs_days": "job"}
RULES = tuple(_DUE)


@dataclass(frozen=True, slots=True)
class Due:
    """What a rule would let go now.

    Attributes:
        rule: the setting.
        days: its value; None: everything is kept, and nothing is due.
        things: how many.
        bytes: how large they are together, as far as is known.
        oldest: since when the oldest of them could have gone, but for the days.
    """

    rule: str
    days: float | None
    things: int = 0
    bytes: int = 0
    oldest: datetime | None = None

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        oldest = self.oldest.isoformat() if self.oldest else None
        return {
            "rule": self.rule,
            "days": self.days,
            "things": self.things,
            "bytes": self.bytes,
            "oldest": oldest,
        }


@dataclass(frozen=True, slots=True)
class _Gone:
    id: Any
    account_id: Any
    bytes: int


def days_of(settings: Settings) -> dict[str, float | None]:
    """How many days each rule keeps things; None: for ever."""
    return {
        "keep_originals_days": settings.keep_originals_days,
        "keep_failed_days": settings.keep_failed_days,
        "keep_logs_days": settings.keep_logs_days,
    }


@dataclass(frozen=True, slots=True)
class Report:
    """What would go. `garbage` is what no row points to any more, and the next sweep removes: folders and bytes."""

    due: tuple[Due, ...]
    garbage: tuple[int, int]


def report(settings: Settings) -> Report:
    """What would go now. It blocks; an embedded database that is off is started for it. Nothing is changed.

    Raises:
        VarloomError: `settings_invalid` where there is no database, and those of the database and of the storage.
    """
    require_database(settings)
    storage = open_storage(settings)
    with open_database(settings) as database, psycopg.connect(database.conninfo) as conn:
        return Report(tuple(what_is_due(conn, settings)), size_of_garbage(conn, storage))


async def apply(settings: Settings) -> dict[str, int]:
    """Let go what is due now, whether a worker runs or not; how many things by rule.

    Raises:
        VarloomError: `settings_invalid` where there is no database, and those of the database.
    """
    require_database(settings)
    with open_database(settings) as database:
        async with open_pool(database.conninfo, max_size=2, application_name="varloom retention") as pool:
            return await let_go(pool, settings)


def what_is_due(conn: psycopg.Connection[Any], settings: Settings) -> list[Due]:
    """What each rule would let go now. Nothing is changed."""
    found = []
    for rule, days in days_of(settings).items():
        if days is None:
            found.append(Due(rule, None))
            continue
        with conn.cursor(row_factory=dict_row) as cursor:
            cursor.execute(_COUNT.replace("{due}", _DUE[rule]).encode(), {"days": days})
            found.append(Due(rule, days, **(cursor.fetchone() or {})))
    return found


async def let_go(pool: AsyncConnectionPool, settings: Settings) -> dict[str, int]:
    """Let go what is due by the settings; how many things by each rule that has any.

    What jobs and uploads leave in the storage goes with the next sweep.
    """
    gone: dict[str, int] = {}
    for rule, days in days_of(settings).items():
        while days is not None:
            async with pool.connection() as conn:
                number = await _let_some_go(conn, rule, days)
            if number:
                gone[rule] = gone.get(rule, 0) + number
            if number < AT_ONCE:
                break
    return gone


async def _let_some_go(conn: AsyncConnection[Any], rule: str, days: float) -> int:
    """Let a portion go, with an entry in the audit log for each upload and job, or one for all logs."""
    async with conn.cursor(row_factory=class_row(_Gone)) as cursor:
        await cursor.execute(_LET_GO[rule], {"days": days, "most": AT_ONCE})
        gone = await cursor.fetchall()
    if not gone:
        return 0
    told: dict[str, Any] = {"rule": rule, "days": days}
    if rule == "keep_logs_days":
        size = sum(one.bytes for one in gone)
        await enter_done(conn, Action.RETENTION_APPLIED, [(None, {**told, "logs": len(gone), "bytes": size})])
        return len(gone)
    entries = [
        (Subject(_KINDS[rule], str(one.id)), {**told, "bytes": one.bytes, "account_id": str(one.account_id)})
        for one in gone
    ]
    await enter_done(conn, Action.RETENTION_APPLIED, entries)
    return len(gone)
