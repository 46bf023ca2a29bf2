"""Live events over real HTTP: a snapshot first, then every event once and in order, through every break."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid

import pytest
from api_support import FAILURE, event_stream

from varloom.services import event_feed
from varloom.web import streams


async def test_a_stream_begins_with_all_jobs_and_goes_on_without_gaps(api, worker):
    ann = await api.person()
    first, second = await ann.upload(name="first.vcf"), await ann.upload(name="second.vcf")
    async with event_stream(ann.client) as stream:
        snapshot = await stream.until("snapshot")
        jobs = [json.loads(event.data) for event in snapshot[:-1]]
        assert [job["id"] for job in jobs] == [first["id"], second["id"]]
        assert [job["queue_position"] for job in jobs] == [0, 1]
        assert json.loads(snapshot[-1].data) == {"jobs": 2, "active": 2}
        # Only the end of a snapshot can be resumed from.
        assert [event.id for event in snapshot] == [None, "2", "2"]

        claim = await worker.claim()
        await worker.fail(claim)
        third = await ann.upload(name="third.vcf")
        seen = [await stream.job_with_id() for _ in range(3)]
    assert [number for number, _ in seen] == [3, 4, 5]
    assert [job["state"] for _, job in seen] == ["parsing", "failed", "queued"]
    assert seen[1][1]["error"] == FAILURE
    assert seen[2][1]["id"] == third["id"]


async def test_an_event_tells_what_was_true_then(api, worker):
    ann = await api.person()
    await ann.upload()
    await worker.fail(await worker.claim())
    async with event_stream(ann.client, last_event_id=0) as stream:
        seen = [await stream.job_with_id() for _ in range(3)]
    assert [(number, job["state"]) for number, job in seen] == [(1, "queued"), (2, "parsing"), (3, "failed")]
    history = (await ann.client.get(f"/api/v1/jobs/{seen[0][1]['id']}/events")).json()["events"]
    assert [(event["id"], event["state"]) for event in history] == [(1, "queued"), (2, "parsing"), (3, "failed")]
    assert all(event["message"] for event in history)


async def test_a_broken_stream_resumes_without_loss_or_repetition(api, worker):
    ann = await api.person()
    for _ in range(3):
        await ann.upload()
    numbers = []
    last = 0
    for _ in range(4):
        async with event_stream(ann.client, last_event_id=last) as stream:
            await worker.fail(await worker.claim()) if len(numbers) >= 3 else await ann.upload()
            for _ in range(2):
                last, _ = await stream.job_with_id()
                numbers.append(last)
    assert numbers == list(range(1, 9))


async def test_a_number_that_was_never_given_out_brings_a_snapshot(api):
    ann = await api.person()
    await ann.upload()
    for header in ("7", "-1", "x", "1" * 40, "²"):
        async with ann.client.stream("GET", "/api/v1/events", headers={"Last-Event-ID": header.encode()}) as answer:
            lines = answer.aiter_lines()
            seen = [await anext(lines) for _ in range(7)]
            assert any(line.startswith("event: snapshot") for line in seen), header


async def test_progress_and_places_in_the_queue_come_without_a_number(api, worker):
    ann = await api.person()
    await ann.upload(name="first.vcf")
    waiting = await ann.upload(name="second.vcf")
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        claim = await worker.claim()
        places = {}
        while places != {waiting["id"]: 0}:
            [*_, queue] = await stream.until("queue")
            assert queue.id is None
            places = json.loads(queue.data)["positions"]
        await worker.progress(claim, 40)
        event = await stream.next()
        while json.loads(event.data).get("progress") is None:
            event = await stream.next()
        assert event.id is None
        assert json.loads(event.data)["progress"] == {
            "done": 40.0,
            "total": 100.0,
            "unit": "bytes",
            "rate": 5.0,
            "eta_seconds": 1.0,
        }


async def test_each_account_hears_of_its_own_jobs_only(api, worker):
    ann, ben = await api.person(), await api.person()
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        await ben.upload(name="secret.vcf")
        await worker.fail(await worker.claim())
        mine = await ann.upload(name="mine.vcf")
        number, job = await stream.job_with_id()
    assert (number, job["id"]) == (1, mine["id"])


async def test_a_slow_reader_is_cut_off_and_resumes_without_loss(api, monkeypatch):
    monkeypatch.setattr(event_feed, "QUEUE_LIMIT", 5)
    ann = await api.person()
    await ann.upload()
    messages = api.services.events.subscribe(ann.account.id)
    async with contextlib.aclosing(messages):
        assert [message.kind for message in await anext(messages)] == ["job", "snapshot"]
        for _ in range(12):  # nobody reads
            await ann.upload()
        async with asyncio.timeout(30):
            seen = [message async for together in messages for message in together]  # the stream ends by itself
    numbers = [1, *(message.id for message in seen if message.kind == "job" and message.id)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) < 13
    async with event_stream(ann.client, last_event_id=numbers[-1]) as stream:
        missed = [(await stream.job_with_id())[0] for _ in range(13 - len(numbers))]
    assert numbers + missed == list(range(1, 14))


async def test_events_go_on_when_the_listening_connection_is_lost(api, connection):
    ann = await api.person()
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        cut = 0
        async with asyncio.timeout(30):
            while not cut:  # it may not be there yet
                cursor = await connection.execute(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                    " WHERE application_name = 'varloom listen' AND datname = current_database()"
                )
                (cut,) = await cursor.fetchone()
        job = await ann.upload()
        number, seen = await stream.job_with_id()
    assert (number, seen["id"]) == (1, job["id"])


async def test_a_stream_ends_when_its_token_is_revoked(api, monkeypatch):
    monkeypatch.setattr(streams, "CHECK_INTERVAL", 0.05)
    ann = await api.person()
    [token] = (await ann.client.get("/api/v1/tokens")).json()["tokens"]
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        await api.services.accounts.revoke_token(ann.account.id, uuid.UUID(token["id"]))
        async with asyncio.timeout(30):
            while await stream.next() is not None:
                pass


async def test_streams_end_when_the_server_stops(api):
    ann = await api.person()
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        await api.services.events.close()
        async with asyncio.timeout(30):
            while await stream.next() is not None:
                pass
    answer = await ann.client.get("/api/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "events_unavailable")


async def test_nobody_listening_costs_nothing(api):
    ann = await api.person()
    async with event_stream(ann.client) as stream:
        await stream.until("snapshot")
        assert len(api.services.events._feeds) == 1
    async with asyncio.timeout(30):
        while api.services.events._feeds:
            await asyncio.sleep(0.02)


async def test_a_heartbeat_keeps_a_quiet_stream_open(api, monkeypatch):
    monkeypatch.setattr(streams, "HEARTBEAT", 0.05)
    ann = await api.person()
    async with ann.client.stream("GET", "/api/v1/events") as answer:
        async for line in answer.aiter_lines():
            if line == ": heartbeat":
                break
        else:
            pytest.fail("the stream ended without a heartbeat")
