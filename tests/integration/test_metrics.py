"""The figures for monitoring: what they count, that they never fall or count twice, and who may read them."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from api_support import HandWorker, Person
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from api_support import Api

PAGE = Path(__file__).parents[2] / "docs/how-to/monitor.md"


@pytest.fixture
async def owner(api: Api) -> Person:
    account = await api.make_account(role="owner")
    token = await api.services.accounts.create_token(account.id, "test")
    return Person(account, token, await api.client(headers={"Authorization": f"Bearer {token}"}))


async def figures(person: Person) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples by name and labels; each is there once."""
    answer = await person.client.get("/metrics")
    assert answer.status_code == 200, answer.text
    samples = [
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    ]
    found = {(name, labels): value for name, labels, value in samples}
    assert len(found) == len(samples), "a sample is told twice"
    return found


def grown(before, after):
    """What the counters have grown by; none has fallen."""
    differences = {key: value - before.get(key, 0) for key, value in after.items() if key[0].endswith("_total")}
    assert set(before) <= set(after)
    assert all(value >= 0 for value in differences.values())
    return {key: value for key, value in differences.items() if value and "seconds" not in key[0]}


def counter(name, **labels):
    return (name, frozenset(labels.items()))


async def test_what_waits_runs_and_ends_is_counted(api, owner):
    member = await api.person()
    worker = await HandWorker(api.services.pool, api.services.storage).start()
    before = await figures(owner)
    assert before[counter("varloom_workers")] == 1
    await member.upload()
    first = await worker.claim()
    waiting = await member.upload()
    during = await figures(owner)
    assert during[counter("varloom_jobs", state="parsing", stage="parse")] == 1
    assert during[counter("varloom_jobs", state="queued", stage="parse")] == 1
    assert during[counter("varloom_jobs", state="queued", stage="annotate")] == 0
    assert during[counter("varloom_slots", stage="parse")] == 1
    assert during[counter("varloom_slots_busy", stage="parse")] == 1
    assert during[counter("varloom_workers")] == 1
    assert 0 < during[counter("varloom_queue_age_seconds", stage="parse")] < 60
    assert grown(before, during) == {}

    await worker.complete(first)
    second = await worker.claim()
    await worker.put_off(second, 0)
    third = await worker.claim()
    await worker.fail(third)
    unclaimed = await member.upload()
    assert (await member.client.post(f"/api/v1/jobs/{unclaimed['id']}/cancel")).status_code == 200
    after = await figures(owner)
    expected = {
        counter("varloom_stage_attempts_total", stage="parse", outcome="succeeded", code=""): 1,
        counter("varloom_stage_attempts_total", stage="parse", outcome="retried", code="vcf_header"): 1,
        counter("varloom_stage_attempts_total", stage="parse", outcome="failed", code="vcf_header"): 1,
        counter("varloom_jobs_ended_total", state="completed", code=""): 1,
        counter("varloom_jobs_ended_total", state="failed", code="vcf_header"): 1,
        counter("varloom_jobs_ended_total", state="cancelled", code=""): 1,
    }
    assert grown(before, after) == expected
    for bound in ("+Inf", "86400.0"):
        bucket = counter("varloom_stage_duration_seconds_bucket", stage="parse", le=bound)
        assert after[bucket] - before[bucket] == 1
        bucket = counter("varloom_job_duration_seconds_bucket", le=bound)
        assert after[bucket] - before[bucket] == 1
    assert after[counter("varloom_job_duration_seconds_sum")] > before[counter("varloom_job_duration_seconds_sum")]

    assert (await member.client.delete(f"/api/v1/jobs/{waiting['id']}")).is_success
    async with api.services.pool.connection() as conn:
        await conn.execute("DELETE FROM jobs WHERE id = %s", [unclaimed["id"]])
    assert grown(before, await figures(owner)) == expected, "what has ended stays counted when its job is gone"


async def test_nothing_is_lost_or_counted_twice_while_many_ask(api, owner):
    member = await api.person()
    worker = await HandWorker(api.services.pool, api.services.storage).start()
    before = await figures(owner)
    jobs = 20

    async def work():
        for _ in range(jobs):
            await member.upload()
            await worker.fail(await worker.claim())

    async def ask():
        while not working.done():
            await figures(owner)

    working = asyncio.create_task(work())
    await asyncio.gather(working, ask(), ask(), ask())
    assert grown(before, await figures(owner)) == {
        counter("varloom_stage_attempts_total", stage="parse", outcome="failed", code="vcf_header"): jobs,
        counter("varloom_jobs_ended_total", state="failed", code="vcf_header"): jobs,
    }


async def test_workers_of_one_name_are_one_series(api, owner):
    for _ in range(2):
        await HandWorker(api.services.pool, api.services.storage).start()
    assert (await figures(owner))[counter("varloom_workers")] == 2  # and no sample is there twice


async def test_only_owners_may_read_them_and_they_name_nobody(api, owner):
    member = await api.person()
    await member.upload(name="patient-17.vcf")
    refused = await member.client.get("/metrics")
    assert (refused.status_code, refused.json()["code"]) == (403, "owner_only")
    stranger = await api.client()
    assert (await stranger.get("/metrics")).status_code == 401
    told = (await owner.client.get("/metrics")).text
    assert "patient" not in told
    assert member.account.name not in told


async def test_open_metrics_is_given_to_those_who_ask_for_it(api, owner):
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    answer = await owner.client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert {family.name for family in open_metrics(answer.text)} >= {"varloom_jobs", "varloom_stage_attempts"}
    plain = await owner.client.get("/metrics")
    assert plain.headers["content-type"].startswith("text/plain")


async def test_the_page_tells_of_every_metric_with_its_labels(api, owner):
    member = await api.person()
    worker = await HandWorker(api.services.pool, api.services.storage).start()
    await member.upload()
    await worker.fail(await worker.claim())
    told = {
        name: frozenset(labels.replace(" ", "").split(",")) - {""}
        for row in PAGE.read_text(encoding="utf-8").splitlines()
        if row.startswith("| `varloom_")
        for name, labels in re.findall(r"`(varloom_\w+)(?:\{([^}]*)\})?`", row.split(" | ")[0])
    }
    served = {}
    for name, labels in await figures(owner):
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        served.setdefault(base, set()).update(label for label, _ in labels if label != "le")
    assert {name: frozenset(labels) for name, labels in served.items()} == told
