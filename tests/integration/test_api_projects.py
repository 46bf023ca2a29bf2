"""Projects over real HTTP: who sees what by them, who may change them, and that what is taken back is gone at once."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from api_support import VCF, Api, HandWorker, Person
from test_api_access import login

if TYPE_CHECKING:
    import httpx

SECRET_URL = "https://bucket.example/private/cohort.vcf"


@pytest.fixture
async def ann(api: Api) -> Person:
    return await api.person()


@pytest.fixture
async def ben(api: Api) -> Person:
    return await api.person()


async def loaded(worker: HandWorker, person: Person, name: str = "sample", content: bytes = VCF) -> str:
    await person.upload(content, f"{name}.vcf", sample_name=name)
    return await worker.complete(await worker.claim())


async def project_of(person: Person, name: str = "Trio") -> str:
    answer = await person.client.post("/api/v1/projects", json={"name": name})
    assert answer.status_code == 201, answer.text
    return answer.json()["project"]["id"]


async def add(owner: Person, project: str, member: Person, role: str = "viewer") -> dict[str, Any]:
    path = f"/api/v1/projects/{project}/members/{member.account.name}"
    answer = await owner.client.put(path, json={"role": role})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def put(person: Person, project: str, sample: str) -> httpx.Response:
    return await person.client.put(f"/api/v1/projects/{project}/samples/{sample}")


async def names(person: Person, **asked: Any) -> list[str]:
    answer = await person.client.get("/api/v1/samples", params=asked)
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["samples"]]


def told(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def deactivate(api: Api, person: Person) -> None:
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [person.account.id])


async def test_a_project_shows_samples_to_its_members_and_says_whose_they_are(
    ann: Person, ben: Person, worker: HandWorker
) -> None:
    shared, kept = await loaded(worker, ann, "shared"), await loaded(worker, ann, "kept")
    own = await loaded(worker, ben, "own")
    project = await project_of(ann)
    assert (await put(ann, project, shared)).status_code == 204
    assert await names(ben) == ["own"]
    await add(ann, project, ben)
    assert await names(ben) == ["own", "shared"]
    assert await names(ben, search="SHAR") == ["shared"]
    assert await names(ben, project=project) == ["shared"]
    assert await names(ann, project=project) == ["shared"]
    assert await names(ann) == ["kept", "shared"]
    page = (await ben.client.get("/api/v1/samples", params={"limit": 1})).json()
    assert [one["id"] for one in page["samples"]] == [own]
    assert await names(ben, limit=1, cursor=page["next"]) == ["shared"]

    seen = (await ben.client.get(f"/api/v1/samples/{shared}")).json()
    assert (seen["shared_by"], seen["role"]) == (ann.account.name, "viewer")
    assert seen["projects"] == [{"id": project, "name": "Trio"}]
    mine = (await ann.client.get(f"/api/v1/samples/{shared}")).json()
    assert (mine["shared_by"], mine["role"], mine["projects"]) == (None, "owner", seen["projects"])
    for path in ("rows", "columns", "export", "files"):
        theirs = await ben.client.get(f"/api/v1/samples/{shared}/{path}")
        assert theirs.content == (await ann.client.get(f"/api/v1/samples/{shared}/{path}")).content
    assert told(await ben.client.get(f"/api/v1/samples/{kept}")) == (404, "sample_not_found")
    [listed] = (await ben.client.get("/api/v1/projects")).json()["projects"]
    assert (listed["name"], listed["role"], listed["samples"], listed["members"]) == ("Trio", "viewer", 1, 2)
    storage = (await ben.client.get("/api/v1/storage")).json()
    assert storage["samples"] == 1  # what others share takes nothing of one's own room


async def test_pages_of_own_and_shared_samples_are_one_list(
    api: Api, ann: Person, ben: Person, worker: HandWorker
) -> None:
    """Whatever the size of a page, each sample comes once, the newest first, also those of the very same moment."""
    mine, theirs = await loaded(worker, ann, "mine"), await loaded(worker, ben, "theirs")
    project, second = await project_of(ben, "One"), await project_of(ben, "Two")
    for one in (project, second):
        await add(ben, one, ann)
    copy = (
        "WITH made AS (INSERT INTO samples (account_id, name, created_at) SELECT account_id, name || number,"
        " created_at + (1 + number / 3) * interval '1 second'"
        " FROM samples, generate_series(1, 9) AS number RETURNING *)"
        " INSERT INTO datasets (account_id, sample_id, upload_id, name, storage_key, format, records, variants, bytes,"
        " content_hash) SELECT made.account_id, made.id, (SELECT id FROM uploads WHERE account_id = made.account_id),"
        " 'x', 'x', 'vcf', 1, 1, 1, 'x' FROM made"
    )
    async with api.services.pool.connection() as conn:
        await conn.execute(copy)
    bens = (await ben.client.get("/api/v1/samples", params={"limit": 50})).json()["samples"]
    for sample in bens[:8]:
        assert (await put(ben, project, sample["id"])).status_code == 204
    for sample in bens[5:8]:
        assert (await put(ben, second, sample["id"])).status_code == 204
    whole = (await ann.client.get("/api/v1/samples", params={"limit": 50})).json()["samples"]
    ids = [one["id"] for one in whole]
    assert len(ids) == len(set(ids)) == 10 + 8
    keys = [(one["created_at"], one["id"]) for one in whole]
    assert keys == sorted(keys, reverse=True)
    assert {one["shared_by"] for one in whole} == {None, ben.account.name}
    assert mine in ids
    assert theirs not in ids
    for limit in (1, 3, 7):
        found, cursor = [], None
        while True:
            asked = {"limit": limit, **({"cursor": cursor} if cursor else {})}
            page = (await ann.client.get("/api/v1/samples", params=asked)).json()
            found += [one["id"] for one in page["samples"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert found == ids
    stale = (await ann.client.get("/api/v1/samples", params={"limit": 2})).json()["next"]
    answer = await ben.client.get("/api/v1/samples", params={"limit": 2, "cursor": stale})
    assert told(answer) == (400, "cursor_invalid")


async def test_a_sample_cannot_be_put_in_beside_the_removal_of_its_account(
    ann: Person, ben: Person, worker: HandWorker
) -> None:
    """Whichever comes first: in the end the project shows nothing of somebody who is no member."""
    project = await project_of(ann)
    samples = [await loaded(worker, ben, f"bens {number}") for number in range(3)]
    for _ in range(5):
        await add(ann, project, ben, "editor")
        answers = await asyncio.gather(
            *(put(ben, project, sample) for sample in samples),
            ann.client.delete(f"/api/v1/projects/{project}/members/{ben.account.name}"),
        )
        assert answers[-1].status_code == 204
        assert {answer.status_code for answer in answers[:-1]} <= {204, 404}
        assert await names(ann, project=project) == []


async def test_jobs_stay_with_their_account(api: Api, ann: Person, ben: Person, worker: HandWorker) -> None:
    sample = await loaded(worker, ann)
    project = await project_of(ann)
    await put(ann, project, sample)
    await add(ann, project, ben, "owner")
    mine = (await ann.client.get(f"/api/v1/samples/{sample}")).json()
    job = mine["job_id"]
    async with api.services.pool.connection() as conn:  # as if it had come from a URL
        downloaded = json.dumps({"url": SECRET_URL, "verified": [], "resumed": 0, "version": {}})
        await conn.execute(
            "UPDATE jobs SET artefacts = artefacts || jsonb_build_object('download', %s::jsonb)", [downloaded]
        )
    seen = (await ben.client.get(f"/api/v1/samples/{sample}")).json()
    assert (seen["job_id"], seen["versions"][0]["job_id"], seen["renewal_job_id"]) == (None, None, None)
    for path in ("", "/events", "/log", "/report", "/provenance"):
        assert told(await ben.client.get(f"/api/v1/jobs/{job}{path}")) == (404, "job_not_found")
    assert (await ben.client.get("/api/v1/jobs")).json()["jobs"] == []
    page = f"/samples/{sample}/provenance"
    theirs, own = await (await login(api, ben)).get(page), await (await login(api, ann)).get(page)
    assert SECRET_URL in own.text
    assert "History of the job" in own.text
    assert "SHA-256" in theirs.text
    for hidden in (SECRET_URL, "History of the job", job):
        assert hidden not in theirs.text


async def test_what_is_taken_back_is_gone_at_the_next_request(ann: Person, ben: Person, worker: HandWorker) -> None:
    sample = await loaded(worker, ann, "shared")
    project, other = await project_of(ann), await project_of(ann, "Other")
    await put(ann, project, sample)
    await add(ann, project, ben)

    async def sees() -> bool:
        found = await ben.client.get(f"/api/v1/samples/{sample}/rows")
        assert found.status_code in {200, 404}
        assert (await names(ben) == ["shared"]) == found.is_success
        return found.is_success

    assert await sees()
    assert (await ann.client.delete(f"/api/v1/projects/{project}/samples/{sample}")).status_code == 204
    assert not await sees()
    assert told(await ann.client.delete(f"/api/v1/projects/{project}/samples/{sample}")) == (404, "sample_not_found")
    await put(ann, project, sample)
    await put(ann, other, sample)
    await add(ann, other, ben)
    assert await sees()
    assert (await ann.client.delete(f"/api/v1/projects/{project}")).status_code == 204
    assert await sees()  # by the other project
    assert told(await ben.client.get("/api/v1/samples", params={"project": project})) == (404, "project_not_found")
    assert (await ann.client.delete(f"/api/v1/projects/{other}/members/{ben.account.name}")).status_code == 204
    assert not await sees()
    assert told(await ben.client.get(f"/api/v1/projects/{other}")) == (404, "project_not_found")
    assert await names(ann) == ["shared"]


async def test_an_export_that_has_begun_ends_and_the_next_one_is_refused(
    ann: Person, ben: Person, worker: HandWorker
) -> None:
    rows = "".join(f"chr1\t{number}\t.\tA\tG\t9\tPASS\tDP=1\n" for number in range(1, 20_001))
    sample = await loaded(worker, ann, "long", VCF + rows.encode())
    project = await project_of(ann)
    await put(ann, project, sample)
    await add(ann, project, ben)
    path = f"/api/v1/samples/{sample}/export"
    async with ben.client.stream("GET", path) as answer:
        pieces = answer.aiter_bytes()
        begun = await anext(pieces)
        await ann.client.delete(f"/api/v1/projects/{project}/members/{ben.account.name}")
        rest = [piece async for piece in pieces]
    assert begun + b"".join(rest) == (await ann.client.get(path)).content
    assert told(await ben.client.get(path)) == (404, "sample_not_found")


async def test_roles_of_a_project(api: Api, ann: Person, ben: Person, worker: HandWorker) -> None:
    """What each role may do with the project itself, and with samples of its own and of others in it."""
    cay = await api.person()
    project = await project_of(ann)
    anns, bens = await loaded(worker, ann, "anns"), await loaded(worker, ben, "bens")
    await put(ann, project, anns)
    path = f"/api/v1/projects/{project}"

    async def refused(role: str) -> None:
        """What is refused to Ben in this role, with nothing changed."""
        asked = [
            ("PUT", f"{path}/members/{cay.account.name}", {"role": "viewer"}),
            ("PUT", f"{path}/members/nobody-of-this-name", {"role": "viewer"}),  # nobody learns who has an account
            ("PUT", f"{path}/members/{ben.account.name}", {"role": "owner"}),
            ("DELETE", f"{path}/members/{ann.account.name}", None),
            ("DELETE", f"{path}/members/nobody-of-this-name", None),
            ("DELETE", path, None),
            ("DELETE", f"{path}/samples/{anns}", None),
            ("PUT", f"{path}/samples/{anns}", None),
            *([("PATCH", path, {"name": "mine"}), ("PUT", f"{path}/samples/{bens}", None)] if role == "viewer" else []),
        ]
        for method, address, body in asked:
            answer = await ben.client.request(method, address, json=body)
            assert told(answer) == (403, "project_role_insufficient"), (role, method, address)

    before = (await ann.client.get(path)).json()
    for method, address, body in [("GET", path, None), ("PATCH", path, {"name": "x"}), ("DELETE", path, None)]:
        assert told(await ben.client.request(method, address, json=body)) == (404, "project_not_found")
    assert told(await put(ben, project, bens)) == (404, "project_not_found")
    await add(ann, project, ben, "viewer")
    await refused("viewer")
    await add(ann, project, ben, "editor")
    await refused("editor")
    assert (await ann.client.get(path)).json()["project"]["name"] == before["project"]["name"]
    assert (await put(ben, project, bens)).status_code == 204
    assert (await put(ben, project, bens)).status_code == 204  # twice is once
    assert sorted(await names(ann)) == ["anns", "bens"]
    changed = await ben.client.patch(f"/api/v1/samples/{anns}", json={"name": "ann's", "tags": ["solved"]})
    assert (changed.json()["name"], changed.json()["shared_by"]) == ("ann's", ann.account.name)
    assert await names(ann, tag="solved") == ["ann's"]
    assert (await ben.client.patch(path, json={"name": " Quartet "})).json()["project"]["name"] == "Quartet"
    assert told(await put(ben, project, str(uuid.uuid4()))) == (404, "sample_not_found")

    await add(ann, project, ben, "viewer")
    assert (await ben.client.delete(f"{path}/samples/{bens}")).status_code == 204  # one's own, in any role
    await add(ann, project, ben, "owner")
    assert (await ben.client.delete(f"{path}/samples/{anns}")).status_code == 204  # anyone's
    assert told(await put(ben, project, anns)) == (404, "sample_not_found")  # nobody else can put it back
    assert (await ann.client.get(f"/api/v1/samples/{anns}")).status_code == 200
    await add(ben, project, cay)
    assert (await ben.client.delete(path)).status_code == 204
    assert told(await ann.client.get(path)) == (404, "project_not_found")


async def test_who_leaves_takes_the_own_samples_out(ann: Person, ben: Person, worker: HandWorker) -> None:
    project = await project_of(ann)
    anns, bens = await loaded(worker, ann, "anns"), await loaded(worker, ben, "bens")
    await put(ann, project, anns)
    await add(ann, project, ben, "editor")
    await put(ben, project, bens)
    members = (await ann.client.get(f"/api/v1/projects/{project}")).json()["members"]
    assert [(one["account"], one["role"], one["samples"]) for one in members] == [
        (ann.account.name, "owner", 1),
        (ben.account.name, "editor", 1),
    ]
    assert (await ben.client.delete(f"/api/v1/projects/{project}/members/{ben.account.name}")).status_code == 204
    assert await names(ann, project=project) == ["anns"]
    assert await names(ann) == ["anns"]
    assert await names(ben) == ["bens"]
    await add(ann, project, ben)
    assert await names(ann) == ["anns"]  # they do not come back by themselves


async def test_a_project_never_loses_its_last_owner(api: Api, ann: Person, ben: Person) -> None:
    project = await project_of(ann)
    path = f"/api/v1/projects/{project}/members"
    await add(ann, project, ben, "editor")
    for method, body in (("DELETE", None), ("PUT", {"role": "viewer"})):
        answer = await ann.client.request(method, f"{path}/{ann.account.name}", json=body)
        assert told(answer) == (409, "project_owner_needed")
    assert (await add(ann, project, ann, "owner"))["role"] == "owner"
    await add(ann, project, ben, "owner")
    both = await asyncio.gather(
        *(one.client.delete(f"{path}/{other.account.name}") for one, other in ((ann, ben), (ben, ann)))
    )
    assert sorted(answer.status_code for answer in both) in ([204, 404], [204, 409])
    left = ann if (await ann.client.get(f"/api/v1/projects/{project}")).is_success else ben
    other = ben if left is ann else ann
    [member] = (await left.client.get(f"/api/v1/projects/{project}")).json()["members"]
    assert (member["account"], member["role"]) == (left.account.name, "owner")

    await add(left, project, other, "owner")
    await deactivate(api, other)
    answer = await left.client.delete(f"{path}/{left.account.name}")
    assert told(answer) == (409, "project_owner_needed")  # the other one could not log in
    assert (await left.client.delete(f"{path}/{other.account.name}")).status_code == 204


async def test_a_deactivated_account_leaves_the_project_and_its_samples_as_they_are(
    api: Api, ann: Person, ben: Person, worker: HandWorker
) -> None:
    sample = await loaded(worker, ann, "anns")
    project = await project_of(ann)
    await put(ann, project, sample)
    await add(ann, project, ben)
    await deactivate(api, ann)
    assert (await ann.client.get(f"/api/v1/samples/{sample}")).status_code == 401
    assert await names(ben) == ["anns"]
    assert (await ben.client.get(f"/api/v1/samples/{sample}/rows")).json()["total"] == 4
    found = (await ben.client.get(f"/api/v1/projects/{project}")).json()
    assert [one["active"] for one in found["members"]] == [False, True]
    cay = await api.person()
    other = await project_of(cay, "Other")
    path = f"/api/v1/projects/{other}/members"
    for name in (ann.account.name, "nobody-of-this-name"):  # neither is told apart from the other
        answer = await cay.client.put(f"{path}/{name}", json={"role": "viewer"})
        assert told(answer) == (404, "account_not_found")


async def test_sharing_leaves_entries_in_the_audit_log(api: Api, ann: Person, ben: Person, worker: HandWorker) -> None:
    sample = await loaded(worker, ann)
    project = await project_of(ann)
    await put(ann, project, sample)
    await add(ann, project, ben, "editor")
    await ben.client.get(f"/api/v1/samples/{sample}/rows")
    await ann.client.delete(f"/api/v1/projects/{project}/members/{ben.account.name}")
    async with api.services.pool.connection() as conn:
        rows = await conn.execute(
            "SELECT action, account_name, subject_id, details FROM audit_entries JOIN audit_outcomes ON entry_id = id"
            " WHERE action LIKE 'project.%%' OR action = 'sample.read' ORDER BY id"
        )
        found = await rows.fetchall()
    name = ben.account.name
    assert found == [
        ("project.made", ann.account.name, None, {"name": "Trio", "project": project}),
        ("project.sample_put", ann.account.name, sample, {"project": project, "sample": sample}),
        ("project.member_set", ann.account.name, project, {"member": name, "role": "editor"}),
        ("sample.read", name, sample, {}),
        ("project.member_removed", ann.account.name, project, {"member": name}),
    ]


async def test_names_of_accounts_and_projects(api: Api, ann: Person, ben: Person) -> None:
    project = await project_of(ann, "  Trio 7 ")
    assert told(await ann.client.post("/api/v1/projects", json={"name": "trio 7"})) == (409, "project_name_taken")
    await project_of(ben, "Trio 7")  # another account's is another one
    second = await project_of(ann, "Second")
    answer = await ann.client.patch(f"/api/v1/projects/{second}", json={"name": "TRIO 7"})
    assert told(answer) == (409, "project_name_taken")
    for name in ("", " ", "a\nb", "x" * 81):
        assert told(await ann.client.post("/api/v1/projects", json={"name": name})) == (422, "project_invalid")
    odd = await api.make_account("Dr. O/Hara & Söhne", "member")
    path = f"/api/v1/projects/{project}/members"
    for written in ("Dr.%20O%2FHara%20%26%20S%C3%B6hne", "dr.%20o/hara%20%26%20s%C3%B6hne"):
        answer = await ann.client.put(f"{path}/{written}", json={"role": "editor"})
        assert (answer.status_code, answer.json()["account"]) == (200, odd.name)
    assert told(await ann.client.put(f"{path}/Dr.", json={"role": "editor"})) == (404, "account_not_found")
    assert told(await ann.client.put(f"{path}/{odd.name}", json={"role": "admin"})) == (422, "request_invalid")
    assert told(await ann.client.delete(f"{path}/nobody")) == (404, "project_member_not_found")
    listed = (await ann.client.get("/api/v1/projects")).json()["projects"]
    assert [one["name"] for one in listed] == ["Second", "Trio 7"]


async def test_the_pages_show_what_a_role_may_do(api: Api, ann: Person, ben: Person, worker: HandWorker) -> None:
    sample, spare = await loaded(worker, ann, "<b>anns</b>"), await loaded(worker, ann, "spare")
    browser = await login(api, ann)
    origin = {"Origin": api.url}
    made = await browser.post("/projects", data={"name": "<i>Trio</i>"}, headers=origin)
    path = made.headers["HX-Redirect"]
    put_in = await browser.post(f"{path}/samples", data={"sample": [sample, spare]}, headers=origin)
    assert "&lt;b&gt;anns&lt;/b&gt;" in put_in.text
    gone = await browser.delete(f"{path}/samples/{spare}", headers=origin)
    assert gone.text.count("Take out") == 1
    shown = await browser.post(f"{path}/members", data={"member": ben.account.name, "role": "viewer"}, headers=origin)
    assert ben.account.name in shown.text
    offered = await browser.get(f"/projects?sample={spare}")
    assert offered.text.count("Put in") == 1
    back = await browser.post(f"/samples/{spare}/projects", data={"project": path.rpartition("/")[2]}, headers=origin)
    assert back.headers["HX-Redirect"] == f"/samples/{spare}"
    assert "It is in this project" in (await browser.get(f"/projects?sample={spare}")).text
    await browser.delete(f"{path}/samples/{spare}", headers=origin)
    with_it = await browser.post("/projects", data={"name": "For one", "sample": spare}, headers=origin)
    assert "spare" in (await browser.get(with_it.headers["HX-Redirect"])).text
    other = await login(api, ben)
    assert told(await other.get(f"/projects?sample={spare}", headers={"Accept": "*/*"})) == (404, "sample_not_found")
    lost = await other.post("/projects", data={"name": "Mine", "sample": spare}, headers=origin)
    assert lost.status_code == 404
    listed = await other.get("/projects")
    assert "Mine" not in listed.text
    assert "&lt;i&gt;Trio&lt;/i&gt;" in listed.text
    page = await other.get(path)
    for absent in ("Take out", "Put in", "Rename", "Delete the project", "Set the role", "<i>Trio", "<b>anns"):
        assert absent not in page.text
    assert "Leave" in page.text
    samples = await other.get("/samples")
    assert f"shared by {ann.account.name}" in samples.text
    assert "Delete &lt;b&gt;" not in samples.text
    assert "Rename or tag" not in samples.text
    head = await other.get(f"/samples/{sample}")
    assert f"Shared by {ann.account.name}" in head.text
    assert path in head.text
    assert "#annotate" not in head.text
    for asked in (
        other.get(f"/projects?sample={sample}"),
        other.post("/projects", data={"name": "x", "sample": sample}),
    ):
        assert (await asked).status_code == 403
    refused = await other.post("/samples/annotate", data={"sample": sample}, headers=origin)
    assert "belongs to the account" in refused.text
    renamed = await browser.post(f"{path}/name", data={"name": "Quartet"}, headers=origin)
    assert "Quartet" in renamed.text
    left = await other.post(f"{path}/members/remove", data={"member": ben.account.name}, headers=origin)
    assert left.headers["HX-Redirect"] == "/projects"
    assert (await other.get(f"/samples?project={path.rpartition('/')[2]}")).status_code == 404
    ended = await browser.delete(path, headers=origin)
    assert ended.headers["HX-Redirect"] == "/projects"


async def test_many_requests_at_once_make_no_more_than_one_account_may_have(
    ann: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"access_key": "AKIA1", "secret_key": "x"}
    credential = {"kind": "s3", "scope": "s3://bucket", "values": values}
    hook = {"url": "https://example.org/hook"}
    limits: tuple[tuple[str, str, str, dict[str, Any]], ...] = (
        ("notices/webhooks", "notices.channels", "MOST_WEBHOOKS", hook),
        ("projects", "projects", "MOST_PROJECTS", {}),
        ("views", "saved_views", "MOST_VIEWS", {"query": "x"}),
        ("credentials", "credentials", "MOST_CREDENTIALS", credential),
    )
    for path, module, most, more in limits:
        monkeypatch.setattr(f"varloom.services.{module}.{most}", 3)
        asked = [ann.client.post(f"/api/v1/{path}", json={"name": f"n{number}", **more}) for number in range(12)]
        answers = [answer.status_code for answer in await asyncio.gather(*asked)]
        assert sorted(answers) == [201] * 3 + [422] * 9, path
