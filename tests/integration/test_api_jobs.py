"""Jobs over real HTTP: lists, retry, cancel, dismiss and the queue."""

from __future__ import annotations

import uuid

from api_support import FAILURE


async def test_jobs_are_listed_newest_first_page_by_page(api, worker):
    ann = await api.person()
    made = [(await ann.upload(name=f"{number}.vcf"))["id"] for number in range(5)]
    await worker.fail(await worker.claim())
    seen, cursor = [], ""
    for _ in range(3):
        page = (await ann.client.get(f"/api/v1/jobs?limit=2{cursor}")).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = f"&cursor={page['next']}"
    assert seen == made[::-1]
    assert page["next"] is None
    failed = (await ann.client.get("/api/v1/jobs?state=failed")).json()["jobs"]
    assert [job["id"] for job in failed] == made[:1]
    both = (await ann.client.get("/api/v1/jobs?state=failed&state=queued&limit=500")).json()["jobs"]
    assert len(both) == 5
    found = (await ann.client.get("/api/v1/jobs", params={"search": "3.v"})).json()["jobs"]
    assert [job["source"]["name"] for job in found] == ["3.vcf"]


async def test_a_failed_job_tells_its_error_and_can_be_retried_with_other_options(api, worker):
    ann = await api.person()
    job = await ann.upload(assembly="GRCh37")
    await worker.fail(await worker.claim())
    path = f"/api/v1/jobs/{job['id']}"
    failed = (await ann.client.get(path)).json()
    assert (failed["state"], failed["stage"], failed["error"]) == ("failed", "parse", FAILURE)
    assert failed["finished_at"].endswith("Z")

    retried = (await ann.client.post(f"{path}/retry", json={"options": {"split_by_sample": True}})).json()
    assert (retried["state"], retried["attempt"]) == ("queued", 1)
    assert retried["options"] == {"assembly": "GRCh37", "split_by_sample": True}
    refused = await ann.client.post(f"{path}/retry")
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_final")


async def test_a_wait_for_the_next_attempt_can_be_ended_but_nothing_changed_meanwhile(api, worker):
    ann = await api.person()
    job = await ann.upload()
    await worker.put_off(await worker.claim(), 3600.0)
    path = f"/api/v1/jobs/{job['id']}"
    waiting = (await ann.client.get(path)).json()
    for how in ({"from_stage": "start"}, {"options": {"assembly": "GRCh38"}}):
        refused = await ann.client.post(f"{path}/retry", json=how)
        assert (refused.status_code, refused.json()["code"]) == (409, "job_not_final")
    assert (await ann.client.get(path)).json() == waiting
    hurried = (await ann.client.post(f"{path}/retry")).json()
    assert (hurried["state"], hurried["attempt"], hurried["queue_position"]) == ("queued", 2, 0)
    assert hurried["retry_at"] < waiting["retry_at"]
    again = await ann.client.post(f"{path}/retry")
    assert (again.status_code, again.json()["retry_at"]) == (200, hurried["retry_at"])


async def test_a_retry_with_options_that_do_not_exist_changes_nothing(api, worker):
    ann = await api.person()
    job = await ann.upload()
    await worker.fail(await worker.claim())
    path = f"/api/v1/jobs/{job['id']}"
    refused = [
        ({"annotate": []}, "request_invalid"),
        ({"outside_calls": "CYP2D6"}, "outside_calls_malformed"),
    ]
    refused += [
        ({"credential": {}}, "request_invalid"),
        ({"credential": "x"}, "request_invalid"),
        ({"x": 1}, "option_unknown"),
    ]
    for options, code in refused:
        answer = await ann.client.post(f"{path}/retry", json={"options": options})
        assert (answer.status_code, answer.json()["code"]) == (400 if "outside" in code else 422, code)
    missing = [({"annotate": "small"}, "reference_data_missing"), ({"pgx": True}, "pgx_definitions_missing")]
    for options, code in missing:
        answer = await ann.client.post(f"{path}/retry", json={"options": options})
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    answer = await ann.client.post(f"{path}/retry", json={"from_stage": "annotate"})
    assert (answer.status_code, answer.json()["code"]) == (409, "stage_not_resumable")
    assert (await ann.client.get(path)).json()["state"] == "failed"
    from_start = await ann.client.post(f"{path}/retry", json={"from_stage": "start"})
    assert from_start.json()["state"] == "queued"


async def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_is_asked(api, worker):
    ann = await api.person()
    running, waiting = await ann.upload(), await ann.upload()
    await worker.claim()
    cancelled = (await ann.client.post(f"/api/v1/jobs/{waiting['id']}/cancel")).json()
    assert (cancelled["state"], cancelled["cancel_requested"]) == ("cancelled", False)
    asked = (await ann.client.post(f"/api/v1/jobs/{running['id']}/cancel")).json()
    assert (asked["state"], asked["cancel_requested"]) == ("parsing", True)
    again = await ann.client.post(f"/api/v1/jobs/{waiting['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "job_already_final")


async def test_only_a_job_that_has_ended_can_be_dismissed(api, worker):
    ann = await api.person()
    job = await ann.upload()
    path = f"/api/v1/jobs/{job['id']}"
    refused = await ann.client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "job_not_final")
    await worker.fail(await worker.claim())
    assert (await ann.client.delete(path)).status_code == 204
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []
    assert (await ann.client.get(path)).json()["dismissed"] is True


async def test_the_queue_tells_slots_and_the_places_of_ones_own_jobs(api, worker):
    ann, ben = await api.person(), await api.person()
    await ann.upload()
    await worker.claim()
    first, second = await ben.upload(), await ann.upload()
    hurried = await ann.upload(priority="5")
    queue = (await ann.client.get("/api/v1/queue")).json()
    assert queue["stages"] == [{"stage": "parse", "busy": 1, "total": 1, "waiting": 3, "delayed": 0}]
    assert queue["positions"] == {hurried["id"]: 0, second["id"]: 2}
    assert (await ben.client.get("/api/v1/queue")).json()["positions"] == {first["id"]: 1}
    assert (await ann.client.get(f"/api/v1/jobs/{second['id']}")).json()["queue_position"] == 2


async def test_an_id_that_was_never_given_out_is_not_found(api):
    ann = await api.person()
    for method, path in (("GET", ""), ("GET", "/events"), ("POST", "/retry"), ("POST", "/cancel"), ("DELETE", "")):
        answer = await ann.client.request(method, f"/api/v1/jobs/{uuid.uuid4()}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
