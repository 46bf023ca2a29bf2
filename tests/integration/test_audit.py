"""Who did what, when and from where: nothing is done without an entry, and no entry is ever changed."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from api_support import VCF, Api, HandWorker, Person
from cli_support import varloom
from fastapi.routing import iter_route_contexts

from running import serving
from varloom.services.audit import Action, Asking
from varloom.services.sessions import Client
from varloom.web.app import create_app
from varloom.web.audited import AUDITED, WITHIN, WITHOUT_ENTRY, audited_as

if TYPE_CHECKING:
    from collections.abc import Sequence

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "audit-log.md"
SECRET = "kanarienvogel-password"
SAFE = {"GET", "HEAD", "OPTIONS"}


async def owner_of(api: Api) -> Person:
    person = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET role = 'owner' WHERE id = %s", [person.account.id])
    return person


async def entries(person: Person, **wanted: Any) -> list[dict[str, Any]]:
    """What the person sees of the log, oldest first, without their looking at it."""
    found = (await person.client.get("/api/v1/audit", params=wanted)).raise_for_status().json()["entries"]
    return [one for one in reversed(found) if one["action"] != "audit.read"]


def told(found: Sequence[dict[str, Any]]) -> list[tuple[str, int | None]]:
    return [(one["action"], one["status"]) for one in found]


def test_every_route_that_changes_something_leaves_an_entry(settings: Any) -> None:
    lacking, used = [], set()
    for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes):
        path = re.sub(r"\{[^}]*\}", str(uuid.uuid4()), route.path)
        for method in getattr(route, "methods", None) or ():
            found = audited_as(method, path)
            if found:
                used.add(found[0])
                assert (found[1] is None) == ("{" not in route.path), f"{method} {route.path}: what it is about"
            elif method not in SAFE and not any(one.fullmatch(f"{method} {path}") for one in WITHOUT_ENTRY):
                lacking.append(f"{method} {route.path}")
    assert lacking == [], "name them in varloom.web.audited"
    assert used == set(AUDITED.values()) == set(Action) - WITHIN


def test_every_action_is_documented() -> None:
    assert set(re.findall(r"^\| `([a-z_.]+)` \|", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)) == set(Action)


async def test_what_a_day_leaves(api: Api, worker: HandWorker) -> None:
    owner = await owner_of(api)
    invited = (await owner.client.post("/api/v1/users", json={"name": "Ann"})).json()
    page = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "User-Agent": "Mozilla/5.0 (X11) Firefox/140.0"}
    ann = await api.client(headers=page)
    await ann.post("/login", data={"token": invited["link"]["path"].partition("#")[2]})
    await ann.put("/api/v1/account/password", json={"password": SECRET})
    stranger = await api.client(headers={"Accept": "application/json"})
    await stranger.post("/login", data={"name": "ann", "password": f"{SECRET}!"})
    await stranger.post("/login", data={"name": SECRET, "password": "x"})
    token = (await ann.post("/api/v1/tokens", json={"label": "script"})).json()["token"]
    job = (await ann.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)})).json()
    sample = await worker.complete(await worker.claim())
    script = await api.client(headers={"Authorization": f"Bearer {token}"})
    for _ in range(3):
        await script.get(f"/api/v1/samples/{sample}/rows")
    await script.get(f"/api/v1/samples/{sample}/export", params={"filter": "position > 150"})
    await script.get(f"/api/v1/samples/{sample}/export", params={"filter": "nonsense >"})
    values = {"token": f"{SECRET}-of-a-bucket"}
    kept = {"name": "lab", "kind": "bearer", "scope": "https://bucket.example", "values": values}
    await ann.post("/api/v1/credentials", json=kept)
    await ann.patch(f"/api/v1/samples/{sample}", json={"name": "renamed"})
    await ann.delete(f"/api/v1/samples/{sample}")
    await script.delete(f"/api/v1/jobs/{job['id']}")
    found = await entries(owner)
    assert told(found) == [
        ("user.added", 201),
        ("account.login", 303),
        ("account.password_set", 204),
        ("account.login", 401),
        ("account.login", 401),
        ("token.made", 201),
        ("job.created", 202),
        ("sample.read", 200),
        ("sample.exported", 200),
        ("sample.exported", 400),
        ("credential.stored", 201),
        ("sample.changed", 200),
        ("sample.deleted", 204),
        ("job.dismissed", 204),
    ]
    who = [one["account_name"] or one["details"].get("account_name") for one in found]
    assert who == [owner.account.name, "Ann", "Ann", "Ann", None, *["Ann"] * 9]
    assert {one["address"] for one in found} == {"127.0.0.1"}
    assert [one["proof"] for one in found[5:9]] == ["session", "session", "token", "token"]
    assert found[5]["details"] == {"label": "script", "scope": "full"}
    assert found[6]["details"] == {"job": job["id"], "sample_name": "a"}
    assert (found[8]["subject_kind"], found[8]["subject_id"]) == ("sample", sample)
    assert found[8]["details"] == {"query": "filter=position+%3E+150"}
    assert found[11]["details"] == {"name": "renamed"}
    assert "Firefox" in found[6]["user_agent"]
    async with api.services.pool.connection() as conn:
        kept_rows = await conn.execute("SELECT to_jsonb(e)::text FROM audit_entries e")
        outcomes = await conn.execute("SELECT to_jsonb(o)::text FROM audit_outcomes o")
        written = str(await kept_rows.fetchall()) + str(await outcomes.fetchall())
    assert SECRET not in written
    assert token not in written
    assert written.count(sample) >= 5

    mine = await entries(Person(owner.account, "", ann))
    assert told(mine) == told(found[1:4] + found[5:]), "Ann sees what she did, and who tried to be her"
    assert told(await entries(owner, action="sample.exported")) == [("sample.exported", 200), ("sample.exported", 400)]
    assert len(await entries(owner, subject=sample)) == 5
    assert told(await entries(owner, name="ANN", action="job.created")) == [("job.created", 202)]
    ben = await api.person()
    assert await entries(ben) == []
    assert "renamed" not in (await ben.client.get("/audit")).text


async def test_no_spelling_of_an_address_leads_past_the_log(api: Api, worker: HandWorker, settings: Any) -> None:
    ann, bob = await api.person(), await api.person()
    await ann.upload()
    sample = await worker.complete(await worker.claim())
    for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes):
        path = re.sub(r"\{[^}]*\}", str(uuid.uuid4()), route.path)
        for method in getattr(route, "methods", None) or ():
            answer = await ann.client.request(method, f"{path}%0a")
            assert answer.status_code == 404, f"{method} {path}: a line feed at the end is another address"
    tus = {"Tus-Resumable": "1.0.0"}
    begun = await ann.client.post("/api/v1/uploads", headers={**tus, "Upload-Length": "9"})
    override = {**tus, "X-HTTP-Method-Override": "delete"}
    assert (await ann.client.post(begun.headers["location"], headers=override)).status_code == 204
    assert len(await entries(ann, action="upload.cancelled")) == 1
    project = (await ann.client.post("/api/v1/projects", json={"name": "Trio"})).json()["project"]["id"]
    name = bob.account.name
    for spelled in (f"{name}%0a", f"%0a{name}", f"%0d{name}%0d"):
        said = await ann.client.put(f"/api/v1/projects/{project}/members/{spelled}", json={"role": "viewer"})
        noted = [one for one in await entries(ann, action="project.member_set") if one["status"] == 200]
        assert len(noted) == said.is_success, spelled
    for spelled in (sample.upper(), sample.replace("-", ""), f"urn:uuid:{sample}", f"%7B{sample}%7D"):
        assert (await ann.client.get(f"/api/v1/samples/{spelled}/export")).is_success
    assert len(await entries(ann, action="sample.exported", subject=sample)) == 4, "all are found by the sample"


async def test_nothing_is_done_when_no_entry_can_be_written(api: Api) -> None:
    ann = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("ALTER TABLE audit_entries RENAME TO away")
    answer = await ann.client.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)})
    assert answer.status_code == 500
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []
    async with api.services.pool.connection() as conn:
        await conn.execute("ALTER TABLE away RENAME TO audit_entries")
    assert (await ann.client.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)})).status_code == 202


@pytest.mark.parametrize("table", ["audit_entries", "audit_outcomes"])
async def test_the_database_refuses_to_change_what_is_written(api: Api, table: str) -> None:
    ann = await api.person()
    await ann.client.post("/api/v1/tokens", json={"label": "x"})
    for statement in (f"UPDATE {table} SET at = now()", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            async with api.services.pool.connection() as conn:
                await conn.execute(statement)
    assert told(await entries(ann)) == [("token.made", 201)]


def test_the_commands(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--no-worker") as server:
        data = server.data
        server.client.post("users", json={"name": "=HYPERLINK(1)"}).raise_for_status()
        server.client.post("tokens", json={"label": "@x"}).raise_for_status()
        listed = json.loads(varloom("audit", "list", "--json", data=data).out)
        assert [one["action"] for one in listed if one["action"] != "audit.read"] == ["token.made", "user.added"]
        assert "user.added" in varloom("audit", "list", "--action", "user.added", data=data).out
        lines = varloom("audit", "export", "--action", "token.made", data=data).out.splitlines()
        assert [json.loads(line)["details"]["label"] for line in lines] == ["@x"]
        written = tmp_path / "log.csv"
        assert varloom("audit", "export", "--format", "csv", "-o", written, data=data).status == 0
        assert not re.search(r"(^|,)\"?[=+@-]", written.read_text(encoding="utf-8"), re.MULTILINE)
        assert varloom("audit", "list", "--since", "2999-01-01", data=data).out.count("\n") == 1
        assert varloom("audit", "list", "--until", "yesterday", data=data).status == 2


async def test_what_was_cut_off_has_no_outcome(api: Api) -> None:
    owner = await owner_of(api)
    asking = Asking(owner.account, "token", Client("192.0.2.7", "x"), None)
    await api.services.audit.begin(Action.SAMPLE_PURGED, asking)
    assert told(await entries(owner)) == [("sample.purged", None)]
    assert "no outcome" in (await owner.client.get("/audit", headers={"Accept": "text/html"})).text
