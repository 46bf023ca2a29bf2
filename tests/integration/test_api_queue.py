"""The queue over HTTP and by command: what everyone sees, what owners see and may do, and what open panels hear."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from api_support import HandWorker, Person, event_stream

if TYPE_CHECKING:
    from api_support import Api


@pytest.fixture
async def owner(api: Api) -> Person:
    account = await api.make_account(role="owner")
    token = await api.services.accounts.create_token(account.id, "test")
    return Person(account, token, await api.client(headers={"Authorization": f"Bearer {token}"}))


async def test_owners_see_the_workers_and_everyone_the_sums(api, owner):
    member = await api.person()
    worker = await HandWorker(api.services.pool, api.services.storage).start()
    await member.upload()
    claim = await worker.claim()
    waiting = await member.upload()
    seen = (await owner.client.get("/api/v1/queue")).json()
    (one,) = seen["workers"]
    assert (one["host"], one["pid"], one["version"], one["slots"], one["busy"]) == (
        "test",
        1,
        "0",
        {"parse": 1},
        {"parse": 1},
    )
    assert 0 <= one["heartbeat_age"] < 60
    assert seen["stages"] == [{"stage": "parse", "busy": 1, "total": 1, "waiting": 1, "delayed": 0}]
    assert seen["positions"] == {}
    sums = (await member.client.get("/api/v1/queue")).json()
    assert (sums["workers"], sums["stages"], sums["positions"]) == (None, seen["stages"], {waiting["id"]: 0})
    await worker.fail(claim)


async def test_only_owners_may_pause(api, owner):
    member = await api.person()
    for action in ("pause", "resume"):
        refused = await member.client.post(f"/api/v1/queue/{action}", json={"stage": "parse"})
        assert (refused.status_code, refused.json()["code"]) == (403, "owner_only")
    for wrong in ({}, {"stage": "parse", "account": "x"}, {"stage": "parse", "reason": "two\nlines"}):
        refused = await owner.client.post("/api/v1/queue/pause", json=wrong)
        assert (refused.status_code, refused.json()["code"]) == (422, "request_invalid")
    for name in ("nobody", "", "no\0body"):
        unknown = await owner.client.post("/api/v1/queue/pause", json={"account": name})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "account_not_found")


@pytest.mark.parametrize("what", ["stage", "account"])
async def test_a_pause_is_shown_with_the_jobs_and_reaches_open_panels_at_once(api, owner, what):
    member, stranger = await api.person(), await api.person()
    target = {"stage": "parse"} if what == "stage" else {"account": member.account.name}
    job = await member.upload()
    other = await stranger.upload()
    async with event_stream(member.client) as stream:
        await stream.until("snapshot")
        paused = await owner.client.post("/api/v1/queue/pause", json={**target, "reason": "new disk"})
        assert paused.json()["pauses"][0]["reason"] == "new disk"
        await heard(stream, lambda told: told["held_up"].get(job["id"], {}).get("message", "").endswith(": new disk"))
        shown = (await member.client.get(f"/api/v1/jobs/{job['id']}")).json()
        assert shown["held_up"] == {"cause": "paused", "message": "Paused by the operator: new disk"}
        assert shown["queue_position"] is None
        shown = (await stranger.client.get(f"/api/v1/jobs/{other['id']}")).json()
        assert shown["held_up"]["cause"] == ("paused" if what == "stage" else "no_slots")
        seen = (await stranger.client.get("/api/v1/queue")).json()["pauses"]
        assert len(seen) == (1 if what == "stage" else 0), "another account's pause is nobody else's business"
        resumed = await owner.client.post("/api/v1/queue/resume", json=target)
        assert resumed.json()["pauses"] == []
        await heard(stream, lambda told: told["held_up"].get(job["id"], {}).get("cause") != "paused")


async def heard(stream, condition):
    """Wait until a message about the queue is as wanted."""
    async with asyncio.timeout(30):
        while True:
            event = await stream.next()
            if event.name == "queue" and condition(json.loads(event.data)):
                return


async def test_a_waiting_job_can_be_given_another_priority(api):
    member = await api.person()
    first, second = await member.upload(), await member.upload()
    moved = await member.client.post(f"/api/v1/jobs/{second['id']}/priority", json={"priority": 5})
    assert (moved.json()["priority"], moved.json()["queue_position"]) == (5, 0)
    assert (await member.client.get(f"/api/v1/jobs/{first['id']}")).json()["queue_position"] == 1
    wrong = await member.client.post(f"/api/v1/jobs/{second['id']}/priority", json={"priority": 5000})
    assert wrong.status_code == 422
    stranger = await api.person()
    hidden = await stranger.client.post(f"/api/v1/jobs/{second['id']}/priority", json={"priority": 1})
    assert (hidden.status_code, hidden.json()["code"]) == (404, "job_not_found")
    await member.client.post(f"/api/v1/jobs/{first['id']}/cancel")
    late = await member.client.post(f"/api/v1/jobs/{first['id']}/priority", json={"priority": 1})
    assert (late.status_code, late.json()["code"]) == (409, "job_already_final")


async def test_a_retry_takes_changed_options_and_a_stage(api):
    member = await api.person()
    worker = await HandWorker(api.services.pool, api.services.storage).start()
    job = await member.upload()
    await worker.fail(await worker.claim())
    path = f"/api/v1/jobs/{job['id']}/retry"
    missing = await member.client.post(path, json={"from_stage": "annotate"})
    assert (missing.status_code, missing.json()["code"]) == (409, "stage_not_resumable")
    again = (await member.client.post(path, json={"from_stage": "parse", "options": {"assembly": "hg19"}})).json()
    assert (again["state"], again["stage"], again["options"]["assembly"]) == ("queued", "parse", "GRCh37")
    assert (again["error"], again["attempt"]) == (None, 1)
