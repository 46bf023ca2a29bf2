"""What people do with their jobs beyond one click: several at once, reports, provenance, times and attempts."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from api_support import FAILURE, VCF

from varloom.jobs import repository
from varloom.jobs.outcome import Failed

HOSTILE = "<script>alert(1)</script>\u202e\x1b[31m.vcf"


async def act(person, action, *job_ids, **more):
    answer = await person.client.post("/api/v1/jobs/actions", json={"action": action, "jobs": list(job_ids), **more})
    assert answer.status_code == 200, answer.text
    return [(result["id"], result["code"]) for result in answer.json()["results"]]


async def states(person, *job_ids):
    return [(await person.client.get(f"/api/v1/jobs/{job_id}")).json()["state"] for job_id in job_ids]


async def test_several_jobs_are_acted_on_each_by_itself(api, worker):
    ann, ben = await api.person(), await api.person()
    failed = (await ann.upload())["id"]
    await worker.fail(await worker.claim())
    first, second, foreign = (await ann.upload())["id"], (await ann.upload())["id"], (await ben.upload())["id"]

    assert await act(ann, "prioritise", first, second, failed, priority=10) == [
        (first, None),
        (second, None),
        (failed, "job_already_final"),
    ]
    assert (await ann.client.get(f"/api/v1/jobs/{second}")).json()["priority"] == 10
    cancelled = await act(ann, "cancel", first, failed, foreign, first)
    assert cancelled == [(first, None), (failed, "job_already_final"), (foreign, "job_not_found")]
    assert await states(ann, first, second, failed) == ["cancelled", "queued", "failed"]
    assert await states(ben, foreign) == ["queued"], "what is another's is neither seen nor touched"

    assert await act(ann, "retry", first, failed, second) == [(first, None), (failed, None), (second, "job_not_final")]
    assert await states(ann, first, failed) == ["queued", "queued"]
    await act(ann, "cancel", first)
    assert await act(ann, "dismiss", first, second) == [(first, None), (second, "job_not_final")]
    assert first not in [job["id"] for job in (await ann.client.get("/api/v1/jobs")).json()["jobs"]]


@pytest.mark.parametrize(
    "body",
    [
        {"action": "prioritise"},
        {"action": "prioritise", "priority": 1001},
        {"action": "explode"},
        {"action": "cancel", "jobs": []},
        {"action": "cancel", "jobs": ["1"]},
        {"action": "cancel", "jobs": ["00000000-0000-0000-0000-000000000000"] * 501},
    ],
)
async def test_an_action_that_cannot_be_read_changes_nothing(api, body):
    ann = await api.person()
    job = (await ann.upload())["id"]
    answer = await ann.client.post("/api/v1/jobs/actions", json={"jobs": [job], **body})
    assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
    assert await states(ann, job) == ["queued"]


async def test_jobs_are_found_by_when_they_were_created(api):
    ann = await api.person()
    before = datetime.now(UTC)
    made = [(await ann.upload())["id"] for _ in range(2)]
    created = [(await ann.client.get(f"/api/v1/jobs/{job_id}")).json()["created_at"] for job_id in made]

    async def found(**asked):
        return [job["id"] for job in (await ann.client.get("/api/v1/jobs", params=asked)).json()["jobs"]]

    assert await found(since=before.isoformat()) == made[::-1]
    assert await found(until=before.isoformat()) == []
    assert await found(since=created[1]) == made[1:]
    assert await found(until=created[1]) == made[:1]
    assert await found(since=(before + timedelta(days=1)).isoformat()) == []
    refused = await ann.client.get("/api/v1/jobs", params={"since": "2026-11-01T00:00:00"})
    assert refused.json()["code"] == "request_invalid", "a moment without its zone is none"


async def test_attempts_and_stages_tell_what_was_tried_and_what_it_took(api, worker):
    ann = await api.person()
    path = f"/api/v1/jobs/{(await ann.upload())['id']}"
    waiting = (await ann.client.get(path)).json()
    assert waiting["attempts"] == []
    assert waiting["stages"] == [
        {"stage": "parse", "state": "waiting", "began_at": None, "seconds": None, "expected_seconds": None}
    ]
    claim = await worker.claim()
    running = (await ann.client.get(path)).json()["stages"][0]
    assert running["state"] == "running"
    assert running["began_at"]
    async with worker.pool.connection() as conn:
        await repository.settle_retry(conn, claim, Failed({**FAILURE, "retryable": True}), delay=0)
    await worker.fail(await worker.claim())
    await ann.client.post(f"{path}/retry")
    await worker.complete(await worker.claim())

    done = (await ann.client.get(path)).json()
    assert [(one["attempt"], one["outcome"], one["code"]) for one in done["attempts"]] == [
        (1, "failed", "vcf_header"),
        (2, "failed", "vcf_header"),
        (1, "succeeded", None),
    ]
    assert done["attempts"][0]["message"] == FAILURE["message"]
    assert all(0 <= one["seconds"] < 60 for one in done["attempts"])
    assert (done["stages"][0]["state"], done["stages"][0]["seconds"]) == ("done", done["attempts"][-1]["seconds"])


async def test_a_cancelled_and_a_returned_attempt_are_told_as_such(api, worker):
    ann = await api.person()
    path = f"/api/v1/jobs/{(await ann.upload())['id']}"
    claim = await worker.claim()
    async with worker.pool.connection() as conn:
        await repository.settle_release(conn, claim, "Its worker was stopped.")
    claim = await worker.claim()
    await ann.client.post(f"{path}/cancel")
    async with worker.pool.connection() as conn:
        await repository.settle_cancel(conn, claim)
    job = (await ann.client.get(path)).json()
    assert [(one["attempt"], one["outcome"]) for one in job["attempts"]] == [(1, "returned"), (1, "cancelled")]
    assert job["stages"][0]["state"] == "cancelled"


async def test_a_job_is_foretold_once_enough_files_like_it_were_loaded(api, worker):
    ann, ben = await api.person(), await api.person()
    for _ in range(3):
        await ann.upload()
        await worker.complete(await worker.claim())
    api.services.jobs.durations._known.clear()  # as after the few seconds for which they are kept
    mine, foreign = await ann.upload(), await ben.upload()
    told = (await ann.client.get(f"/api/v1/jobs/{mine['id']}")).json()["stages"][0]
    assert 0 < told["expected_seconds"] < 60
    told = (await ben.client.get(f"/api/v1/jobs/{foreign['id']}")).json()["stages"][0]
    assert told["expected_seconds"] is None, "the times of one account are not told to another"


async def test_the_problem_report_holds_everything_and_nothing_that_a_terminal_obeys(api, worker):
    ann, ben = await api.person(), await api.person()
    job = await ann.upload(name=HOSTILE, sample_name="Trio 7", assembly="GRCh38")
    await worker.fail(await worker.claim(), log="12:00 opening\n12:01 core dumped")
    path = f"/api/v1/jobs/{job['id']}/report"
    answer = await ann.client.get(path)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == f'attachment; filename="varloom-job-{job["id"]}.txt"'
    report = answer.text
    for told in (
        "Malformed VCF header (vcf_header)",
        "The #CHROM line is missing.",
        "Line 3",
        f"| {FAILURE['excerpt']}",
        "- Add the line.",
        "parse, attempt 1: failed after",
        "assembly: GRCh38",
        hashlib.sha256(VCF).hexdigest(),
        "Waiting for a parsing slot.",
        "Log of parse, attempt 1, begun",
        "12:01 core dumped",
    ):
        assert told in report
    assert all(line.isprintable() for line in report.splitlines())
    assert (await ben.client.get(path)).json()["code"] == "job_not_found"


async def test_the_log_of_a_job_is_for_its_account_alone(api, worker):
    ann, ben = await api.person(), await api.person()
    job = await ann.upload()
    path = f"/api/v1/jobs/{job['id']}/log"
    assert (await ann.client.get(path)).json() == {"logs": []}
    await worker.fail(await worker.claim(), log="<script>alert(1)</script>")
    [log] = (await ann.client.get(path)).json()["logs"]
    assert (log["stage"], log["attempt"], log["text"]) == ("parse", 1, "<script>alert(1)</script>")
    answer = await ben.client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    page = (await ann.client.get(f"/jobs/{job['id']}")).text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


async def test_provenance_tells_file_options_versions_and_checksums(api, worker):
    ann, ben = await api.person(), await api.person()
    job = await ann.upload(assembly="GRCh38")
    path = f"/api/v1/jobs/{job['id']}/provenance"
    assert (await ann.client.get(path)).json()["datasets"] == []
    sample_id = await worker.complete(await worker.claim())
    told = (await ann.client.get(path)).json()
    assert told["source"] == {
        "kind": "file",
        "name": "sample.vcf",
        "bytes": len(VCF),
        "sha256": hashlib.sha256(VCF).hexdigest(),
        "download": None,
        "url": None,
        "further": [],
    }
    assert (told["options"], told["plan"]) == ({"assembly": "GRCh38", "split_by_sample": False}, ["parse"])
    (made,) = told["datasets"]
    assert (made["records"], made["variants"], made["assembly"]) == (3, 4, "GRCh38")
    assert {"varloom", "pyarrow"} <= set(made["versions"])
    assert made["content_hash"].startswith("blake3:")
    assert [len(part["sha256"]) for part in made["parts"]] == [64]
    assert (await ben.client.get(path)).json()["code"] == "job_not_found"
    await ann.client.delete(f"/api/v1/samples/{sample_id}")
    assert (await ann.client.get(path)).json()["datasets"] == []
