"""The migrations add up, from empty and for everyone at once, and never guess."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import TYPE_CHECKING

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from psycopg.types.json import Jsonb

from varloom.db import migrate as migrate_module
from varloom.db.migrate import Migration, known_migrations, migrate
from varloom.errors import VarloomError

if TYPE_CHECKING:
    from tests.conftest import MakeDatabase

QUEUE_STEP = f"procrastinate_{metadata.version('procrastinate')}"


def test_the_steps_are_numbered_without_gaps_from_the_queue_on() -> None:
    steps = known_migrations()
    assert [step.version for step in steps] == list(range(len(steps)))
    assert steps[0].name == QUEUE_STEP
    assert steps[0].sql.decode() == SchemaManager.get_schema()


def test_from_empty_every_step_is_applied_once_and_remembered(make_database: MakeDatabase) -> None:
    conninfo = make_database(migrated=False)
    assert migrate(conninfo) == tuple(step.name for step in known_migrations())
    assert migrate(conninfo) == ()
    with psycopg.connect(conninfo) as connection:
        remembered = connection.execute(
            "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"
        ).fetchall()
        tables = {name for (name,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert remembered == [(step.version, step.name, step.sha256) for step in known_migrations()]
    assert {"accounts", "jobs", "job_events", "samples", "datasets", "procrastinate_jobs"} <= tables


def test_many_at_once_apply_each_step_once(make_database: MakeDatabase) -> None:
    conninfo = make_database(migrated=False)
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(migrate, [conninfo] * 4))
    assert sorted(len(names) for names in results) == [0, 0, 0, len(known_migrations())]


def test_two_processes_at_once_apply_each_step_once(make_database: MakeDatabase) -> None:
    conninfo = make_database(migrated=False)
    program = "import sys; from varloom.db.migrate import migrate; print(len(migrate(sys.stdin.read())))"
    processes = [
        subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    for process in processes:
        process.stdin.write(conninfo)
        process.stdin.close()
    counts = sorted(int(process.stdout.read()) for process in processes)
    for process in processes:
        process.stdout.close()
        assert process.wait(60) == 0
    assert counts == [0, len(known_migrations())]


def test_a_failing_step_leaves_nothing_and_the_earlier_ones_stay(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    conninfo = make_database(migrated=False)
    broken = Migration(2, "broken", b"CREATE TABLE half (id int); SELECT no_such_function();")
    steps = (*known_migrations()[:2], broken)
    monkeypatch.setattr(migrate_module, "known_migrations", lambda: steps)
    with pytest.raises(psycopg.errors.UndefinedFunction):
        migrate(conninfo)
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT max(version) FROM schema_migrations").fetchone() == (1,)
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_a_step_changed_after_it_was_applied_is_refused(make_database: MakeDatabase) -> None:
    conninfo = make_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE schema_migrations SET sha256 = 'other' WHERE version = 1")
    with pytest.raises(VarloomError, match="0001_accounts") as caught:
        migrate(conninfo)
    assert caught.value.code == "schema_changed"


@pytest.mark.parametrize("compatible_from", [None, 9998])
def test_a_database_too_new_for_the_code_is_refused(make_database: MakeDatabase, compatible_from: int | None) -> None:
    conninfo = make_database()
    remember_future_step(conninfo, compatible_from)
    with pytest.raises(VarloomError, match="9999_future") as caught:
        migrate(conninfo)
    assert caught.value.code == "schema_newer"


def test_older_code_goes_on_with_newer_tables_that_say_so(
    make_database: MakeDatabase, caplog: pytest.LogCaptureFixture
) -> None:
    conninfo = make_database()
    remember_future_step(conninfo, known_migrations()[-1].version)
    assert migrate(conninfo) == ()
    assert "9999_future" in caplog.text


def remember_future_step(conninfo: str, compatible_from: int | None) -> None:
    with psycopg.connect(conninfo) as connection:
        connection.execute(
            "INSERT INTO schema_migrations (version, name, sha256, compatible_from) VALUES (9999, 'future', 'x', %s)",
            [compatible_from],
        )


def test_a_step_says_in_its_first_line_which_code_can_work_with_it() -> None:
    assert Migration(7, "x", b"-- compatible from: 0005\nSELECT 1").compatible_from == 5
    assert Migration(7, "x", b"SELECT 1").compatible_from == 7
    assert [step.compatible_from for step in known_migrations()][:6] == [0, 1, 2, 3, 4, 4]


def test_the_record_of_a_database_that_was_made_before_is_extended(make_database: MakeDatabase) -> None:
    conninfo = make_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute("ALTER TABLE schema_migrations DROP COLUMN compatible_from")
    assert migrate(conninfo) == ()


@pytest.mark.parametrize(("applied", "accepted"), [("procrastinate_3.10.99", True), ("procrastinate_3.9.0", False)])
def test_the_queue_may_differ_by_its_patch_release_only(
    make_database: MakeDatabase,
    applied: str,
    accepted: bool,  # noqa: FBT001
) -> None:
    conninfo = make_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute("UPDATE schema_migrations SET name = %s, sha256 = 'other' WHERE version = 0", [applied])
    if accepted:
        assert migrate(conninfo) == ()
    else:
        with pytest.raises(VarloomError, match=applied):
            migrate(conninfo)


def test_a_step_gets_through_beside_a_worker_that_goes_on(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker has changed its own row and then reads jobs; the step has locked jobs and wants the workers."""
    conninfo = make_database(migrated=False)
    steps = known_migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr(migrate_module, "known_migrations", lambda: steps[:5])
        migrate(conninfo)
    with psycopg.connect(conninfo) as worker, ThreadPoolExecutor(1) as threads:
        worker.execute("UPDATE workers SET heartbeat_at = now()")
        migrating = threads.submit(migrate, conninfo)
        with psycopg.connect(conninfo, autocommit=True) as observer:
            waits = (
                "SELECT 1 FROM pg_stat_activity WHERE application_name = 'varloom migrate' AND wait_event_type = 'Lock'"
            )
            while observer.execute(waits).fetchone() is None:
                assert not migrating.done()
                time.sleep(0.02)
        with contextlib.suppress(psycopg.errors.DeadlockDetected):  # one of the two is told to try again
            worker.execute("SELECT * FROM jobs")
        worker.rollback()
        assert migrating.result(60) == tuple(step.name for step in steps[5:])


def test_samples_that_were_annotated_before_there_were_versions_are_first_versions(
    make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a database of the version before, with an upload under way."""
    conninfo, steps = make_database(migrated=False), known_migrations()
    with monkeypatch.context() as earlier:
        earlier.setattr(migrate_module, "known_migrations", lambda: steps[:17])
        migrate(conninfo)
    artefacts = {
        "whole": {"annotate": {"key": "k", "releases": [["variants", "clinvar", "GRCh38", "2026-11-15"]]}},
        "bare": {"annotate": {"key": "k"}},
        "plain": {},
    }
    with psycopg.connect(conninfo) as connection:
        [(account,)] = connection.execute("INSERT INTO accounts (name) VALUES ('ann') RETURNING id").fetchall()
        for name, left in artefacts.items():
            [(upload,)] = connection.execute(
                "INSERT INTO uploads (id, account_id, kind, name) VALUES (gen_random_uuid(), %s, 'file', %s)"
                " RETURNING id",
                [account, name],
            ).fetchall()
            [(job,)] = connection.execute(
                "INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage, options, artefacts)"
                " VALUES (%s, %s, %s, '{annotate,parse}', 'parse', %s, %s) RETURNING id",
                [account, upload, name, Jsonb({"annotate": "small"} if left else {}), Jsonb(left)],
            ).fetchall()
            [(sample,)] = connection.execute(
                "INSERT INTO samples (account_id, name) VALUES (%s, %s) RETURNING id", [account, name]
            ).fetchall()
            connection.execute(
                "INSERT INTO datasets (account_id, sample_id, job_id, upload_id, position, name, storage_key, format,"
                " records, variants, bytes, content_hash) VALUES (%s, %s, %s, %s, 0, %s, 'k', 'vcf', 1, 1, 1, 'h')",
                [account, sample, job, upload, name],
            )
        connection.execute(
            "INSERT INTO resumable_uploads (id, account_id, name, bytes, sample_name, options, expires_at)"
            " VALUES (gen_random_uuid(), %s, 'a.vcf', 9, 'a', '{}', now() + interval '1 day')",
            [account],
        )
    assert migrate(conninfo) == tuple(step.name for step in steps[17:])
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute("SELECT name, version, annotation, changes FROM datasets ORDER BY name").fetchall()
        whole = {"kind": "small", "releases": {"variants clinvar": "2026-11-15"}}
        assert rows == [
            ("bare", 1, {"kind": "small", "releases": {}}, None),
            ("plain", 1, None, None),
            ("whole", 1, whole, None),
        ]
        assert connection.execute("SELECT set_key, position, files FROM resumable_uploads").fetchall() == [(None, 1, 1)]
