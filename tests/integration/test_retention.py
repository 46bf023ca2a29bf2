"""What is let go by age: nothing by default, what the settings say and nothing else, each with an entry that tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from api_support import VCF
from cli_support import varloom

from running import serving
from varloom.pipeline.sweep import size_of_garbage, sweep
from varloom.services.retention import RULES, let_go, what_is_due
from varloom.services.work import sweep_alone
from varloom.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from api_support import Api, HandWorker, Person


def due(database_url: str, settings: Settings) -> dict[str, tuple[int, int]]:
    with psycopg.connect(database_url) as connection:
        return {one.rule: (one.things, one.bytes) for one in what_is_due(connection, settings)}


async def aged(api: Api, days: int = 40) -> None:
    """All jobs ended so long ago."""
    async with api.services.pool.connection() as conn:
        await conn.execute(
            "UPDATE jobs SET finished_at = finished_at - make_interval(days => %s) WHERE finished_at IS NOT NULL",
            [days],
        )


async def applied(api: Api) -> list[tuple[str, str | None, dict[str, Any]]]:
    async with api.services.pool.connection() as conn:
        rows = await conn.execute(
            "SELECT proof, subject_id, details FROM audit_entries JOIN audit_outcomes ON entry_id = id"
            " WHERE action = 'retention.applied' ORDER BY id"
        )
        return await rows.fetchall()


async def one_of_each(ann: Person, worker: HandWorker) -> dict[str, dict[str, Any]]:
    """A completed, a failed and a cancelled job, all with a log where there is one, and one that waits."""
    done = await ann.upload(name="done.vcf")
    await worker.complete(await worker.claim())
    failed = await ann.upload(name="failed.vcf")
    await worker.fail(await worker.claim(), log="what it said")
    cancelled = await ann.upload(name="cancelled.vcf")
    await ann.client.post(f"/api/v1/jobs/{cancelled['id']}/cancel")
    waiting = await ann.upload(name="waiting.vcf")
    return {"done": done, "failed": failed, "cancelled": cancelled, "waiting": waiting}


async def stored(api: Api) -> dict[str, bool]:
    """By name: whether the original file is there."""
    async with api.services.pool.connection() as conn:
        rows = await (await conn.execute("SELECT id::text, name FROM uploads")).fetchall()
    return {name.partition(".")[0]: api.services.storage.exists(f"uploads/{one}/source") for one, name in rows}


async def test_by_default_nothing_goes(api: Api, worker: HandWorker, settings: Settings, database_url: str) -> None:
    ann = await api.person()
    await one_of_each(ann, worker)
    await aged(api, 10_000)
    assert due(database_url, settings) == dict.fromkeys(RULES, (0, 0))
    assert await let_go(api.services.pool, settings) == {}
    await sweep(api.services.pool, api.services.storage)
    assert set((await stored(api)).values()) == {True}
    assert await applied(api) == []


async def test_what_the_settings_say_goes_and_nothing_else(
    api: Api, worker: HandWorker, settings: Settings, database_url: str
) -> None:
    ann = await api.person()
    jobs = await one_of_each(ann, worker)
    days = {"keep_originals_days": 30.0, "keep_failed_days": 30.0, "keep_logs_days": 30.0}
    strict = settings.model_copy(update=days)
    assert due(database_url, strict) == dict.fromkeys(RULES, (0, 0)), "they ended today"
    assert await let_go(api.services.pool, strict) == {}
    await aged(api)
    told = due(database_url, strict)
    assert told == {
        "keep_originals_days": (1, len(VCF)),
        "keep_failed_days": (2, 2 * len(VCF)),
        "keep_logs_days": (1, len("what it said")),
    }
    assert set((await stored(api)).values()) == {True}, "to tell changes nothing"
    assert await sweep_alone(api.services.pool, api.services.storage, strict)
    assert await stored(api) == {"done": False, "failed": False, "cancelled": False, "waiting": True}
    entries = await applied(api)
    assert {proof for proof, _, _ in entries} == {"settings"}
    assert {(subject, details["rule"], details["bytes"]) for _, subject, details in entries if subject} == {
        (await upload_of(api, jobs["done"]["id"]), "keep_originals_days", len(VCF)),
        (jobs["failed"]["id"], "keep_failed_days", len(VCF)),
        (jobs["cancelled"]["id"], "keep_failed_days", len(VCF)),
    }
    assert [details["logs"] for _, subject, details in entries if subject is None] == [1]
    assert "failed.vcf" not in str(entries)
    assert due(database_url, strict) == dict.fromkeys(RULES, (0, 0))
    assert await let_go(api.services.pool, strict) == {}

    [sample] = (await ann.client.get("/api/v1/samples")).json()["samples"]
    rows = (await ann.client.get(f"/api/v1/samples/{sample['id']}/rows")).raise_for_status().json()
    assert len(rows["rows"]) == 4, "the table is untouched"
    record = await ann.client.get(f"/api/v1/jobs/{jobs['failed']['id']}")
    assert record.json()["error"]["code"] == "vcf_header", "the record of the job stays"
    assert (await ann.client.get(f"/api/v1/jobs/{jobs['failed']['id']}/events")).json()["events"]


async def upload_of(api: Api, job_id: str) -> str:
    async with api.services.pool.connection() as conn:
        row = await (await conn.execute("SELECT upload_id::text FROM jobs WHERE id = %s", [job_id])).fetchone()
    assert row
    return str(row[0])


async def test_an_original_stays_while_a_job_may_need_it(
    api: Api, worker: HandWorker, settings: Settings, database_url: str
) -> None:
    ann = await api.person()
    done = await ann.upload(name="done.vcf")
    await worker.complete(await worker.claim())
    strict = settings.model_copy(update={"keep_originals_days": 30.0, "keep_failed_days": 30.0})
    await aged(api)
    async with api.services.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO jobs (account_id, upload_id, sample_name, plan, stage)"
            " SELECT account_id, upload_id, sample_name, plan, 'parse' FROM jobs WHERE id = %s",
            [done["id"]],
        )
    assert due(database_url, strict)["keep_originals_days"] == (0, 0), "a job waits that reads it"
    claim = await worker.claim()
    assert due(database_url, strict)["keep_originals_days"] == (0, 0), "a job reads it"
    await worker.fail(claim)
    await aged(api)
    assert due(database_url, strict) == {
        "keep_originals_days": (0, 0),
        "keep_failed_days": (1, 0),
        "keep_logs_days": (0, 0),
    }, "a failed job may be retried; its file is that of the sample, which stays"
    assert await let_go(api.services.pool, strict.model_copy(update={"keep_originals_days": None}))
    await sweep(api.services.pool, api.services.storage)
    assert await stored(api) == {"done": True}
    assert due(database_url, strict)["keep_originals_days"] == (1, len(VCF)), "now nobody needs it"


async def test_nothing_goes_without_its_entry(api: Api, worker: HandWorker, settings: Settings) -> None:
    ann = await api.person()
    await one_of_each(ann, worker)
    await aged(api)
    async with api.services.pool.connection() as conn:
        await conn.execute("ALTER TABLE audit_outcomes RENAME TO away")
    for rule in RULES:
        with pytest.raises(psycopg.errors.UndefinedTable):
            await let_go(api.services.pool, settings.model_copy(update={rule: 1.0}))
    async with api.services.pool.connection() as conn:
        await conn.execute("ALTER TABLE away RENAME TO audit_outcomes")
        row = await (await conn.execute("SELECT count(*) FROM attempt_logs")).fetchone()
    await sweep(api.services.pool, api.services.storage)
    assert set((await stored(api)).values()) == {True}
    assert row == (1,)


async def test_what_the_next_sweep_removes_is_told(api: Api, worker: HandWorker, database_url: str) -> None:
    ann = await api.person()
    await one_of_each(ann, worker)
    with psycopg.connect(database_url) as connection:
        assert size_of_garbage(connection, api.services.storage) == (0, 0)
        name = "00000000-0000-0000-0000-000000000001"
        api.services.storage.write_bytes(f"attempts/{name}/{name}/dataset/part.parquet", b"12345")
        assert size_of_garbage(connection, api.services.storage) == (1, 5)
    await sweep(api.services.pool, api.services.storage)
    with psycopg.connect(database_url) as connection:
        assert size_of_garbage(connection, api.services.storage) == (0, 0)


@pytest.mark.parametrize("days", [0, 0.5, -1])
def test_less_than_a_day_is_a_mistake(tmp_path: Path, days: float) -> None:
    for rule in RULES:
        with pytest.raises(ValueError, match=rule):
            Settings(data=tmp_path, **{rule: days})


def test_the_command_tells_before_anything_goes(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        job = server.at_rest(server.submit(VCF, "a.vcf")["id"])
        assert job["state"] == "completed"
        data = server.data
        kept = varloom("retention", data=data)
        assert kept.out.count("for ever") == 3
        told = json.loads(varloom("retention", "--keep-originals-days", "1", "--json", data=data).out)
        assert told["due"][0] | {"oldest": None} == {
            "rule": "keep_originals_days",
            "days": 1.0,
            "things": 0,
            "bytes": 0,
            "oldest": None,
        }
        assert told["gone"] == {}
        done = varloom("retention", "--apply", "--keep-originals-days", "1", data=data)
        assert "Nothing was let go." in done.out
        assert varloom("retention", "--keep-logs-days", "0", data=data).status == 2
