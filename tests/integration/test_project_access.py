"""Every route of a sample, asked by everybody who could ask: what a role lets through, and what is hidden.

The routes come from the application itself; one that has no row in `NEEDED` fails the test, and so does one that does
not go through `varloom.services.access`.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from typing import TYPE_CHECKING, Any

from fastapi.routing import iter_route_contexts

from varloom.dataset.sample_files import SampleFile, keep_files
from varloom.web import dependencies
from varloom.web.app import create_app

if TYPE_CHECKING:
    import httpx
    from api_support import Api, HandWorker, Person

API = "/api/v1/samples/{sample_id}"
PAGE = "/samples/{sample_id}"
NEEDED = {
    **{
        f"GET {API}{part}": "viewer"
        for part in (
            *(
                "",
                "/columns",
                "/rows",
                "/count",
                "/locate",
                "/facets/{column:path}",
                "/histogram/{column:path}",
                "/export",
            ),
            *("/files", "/files/{name}", "/reads", "/reads/htsget", "/reads/genome/{name}", "/pgx"),
        )
    },
    **{f"HEAD {API}{part}": "viewer" for part in ("/files/{name}", "/reads/genome/{name}")},
    **{f"GET {PAGE}{part}": "viewer" for part in ("", "/files", "/pgx", "/provenance", "/versions", "/renewal")},
    f"PATCH {API}": "editor",
    f"DELETE {API}": "owner",
    **{f"POST {API}{part}": "owner" for part in ("/restore", "/purge", "/annotate")},
    f"DELETE {PAGE}": "owner",
    **{f"POST {PAGE}{part}": "owner" for part in ("/restore", "/purge", "/annotate", "/projects")},
}
"""The least role with which a route can be used; `owner` is the sample's own account."""
RANK = {"viewer": 0, "editor": 1, "owner": 2}
GUARDS = {"viewer": dependencies.Viewing, "editor": dependencies.Editing, "owner": dependencies.Owning}
OF_PROJECTS = {f"{method} /api/v1/projects/{{project_id}}/samples/{{sample_id}}" for method in ("PUT", "DELETE")} | {
    "DELETE /projects/{project_id}/samples/{sample_id}"
}
"""They ask for the role in the project: see `test_api_projects`."""
PARAMETERS = {"column:path": "alt", "name": "alignment.bam"}
SENT: dict[str, dict[str, Any]] = {
    f"GET {API}/locate": {"params": {"position": "chr1:100"}},
    f"PATCH {API}": {"json": {"tags": ["seen"]}},
    f"POST {API}/annotate": {"json": {"annotate": "small", "assembly": "GRCh38"}},
    f"POST {PAGE}/projects": {"data": {"project": str(uuid.uuid4())}},
    f"POST {PAGE}/annotate": {"data": {"annotate": "small", "assembly": "GRCh38"}},
}


def routes_of_samples(settings: Any) -> dict[str, Any]:
    """Every method of every route whose path names a sample."""
    return {
        f"{method} {route.path}": route
        for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes)
        for method in getattr(route, "methods", None) or ()
        if "{sample_id}" in route.path
    }


def calls(dependant: Any) -> set[Any]:
    """All that a route depends on, and what that depends on."""
    return {dependant.call, *(call for one in dependant.dependencies for call in calls(one))}


def test_every_route_of_a_sample_has_a_row_and_goes_through_the_door(settings: Any) -> None:
    routes = routes_of_samples(settings)
    assert set(routes) == set(NEEDED) | OF_PROJECTS
    for name, needed in NEEDED.items():
        [guard] = [one.dependency for one in GUARDS[needed].__metadata__]
        others = {one.dependency for role in GUARDS if role != needed for one in GUARDS[role].__metadata__}
        used = calls(routes[name].dependant)
        assert guard in used, name
        assert not others & used, name


async def outcome(client: httpx.AsyncClient, route: str, sample: str) -> str:
    """What became of a request: let `in`, `hidden` as if there were no sample, `refused`, or `out` without a login."""
    method, _, path = route.partition(" ")
    values = {**PARAMETERS, "sample_id": sample}
    path = re.sub(r"\{([^}]*)\}", lambda found: values[found[1]], path)
    answer = await client.request(method, path, **SENT.get(route, {}))
    assert answer.status_code < 500, (route, answer.text)
    if answer.is_success:
        return "in"
    if method == "HEAD":
        return {401: "out", 403: "refused", 404: "hidden"}[answer.status_code]
    code = answer.json()["code"]
    return {"not_authenticated": "out", "sample_not_found": "hidden", "project_role_insufficient": "refused"}.get(
        code, "in"
    )


async def seeing(api: Api, worker: HandWorker) -> tuple[dict[str, Person], str]:
    """Ann's sample, with a file, in a project with a member of each role; and those who are no members."""
    people = {name: await api.person() for name in ("ann", "owner", "editor", "viewer", "former", "gone", "stranger")}
    ann = people["ann"].client
    await people["ann"].upload()
    sample = await worker.complete(await worker.claim())
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/alignment.bam"
    api.services.storage.write_bytes(key, b"reads")
    async with api.services.pool.connection() as conn:
        await keep_files(conn, uuid.UUID(sample), [SampleFile("alignment.bam", "alignment", key, 5, None)])
    project = (await ann.post("/api/v1/projects", json={"name": "Trio"})).json()["project"]["id"]
    members = f"/api/v1/projects/{project}/members"
    for name, role in {
        "owner": "owner",
        "editor": "editor",
        "viewer": "viewer",
        "former": "editor",
        "gone": "editor",
    }.items():
        answer = await ann.put(f"{members}/{people[name].account.name}", json={"role": role})
        assert answer.status_code == 200, answer.text
    assert (await ann.put(f"/api/v1/projects/{project}/samples/{sample}")).status_code == 204
    for name in ("former", "gone"):
        assert await outcome(people[name].client, f"GET {API}", sample) == "in"
    assert (await ann.delete(f"{members}/{people['former'].account.name}")).status_code == 204
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [people["gone"].account.id])
    return people, sample


EXPECTED = {
    "owner": {"viewer": "in", "editor": "in", "owner": "refused"},
    "editor": {"viewer": "in", "editor": "in", "owner": "refused"},
    "viewer": {"viewer": "in", "editor": "refused", "owner": "refused"},
    "former": dict.fromkeys(RANK, "hidden"),
    "stranger": dict.fromkeys(RANK, "hidden"),
    "gone": dict.fromkeys(RANK, "out"),
}
NO_GENOME = f"HEAD {API}/reads/genome/{{name}}"
"""It is not told apart from a sample that is not there: the sample has no genome, and the answer no body."""


async def test_each_role_gets_what_it_may_and_nothing_more(api: Api, worker: HandWorker) -> None:
    people, sample = await seeing(api, worker)
    for name, by_need in EXPECTED.items():
        for route, needed in NEEDED.items():
            expected = by_need[needed] if route != NO_GENOME or by_need[needed] == "out" else "hidden"
            assert await outcome(people[name].client, route, sample) == expected, (name, route)
    for route, needed in NEEDED.items():
        async with api.services.pool.connection() as conn:  # as it was, or deleted for what needs that
            deleted = "restore" in route or "purge" in route
            values = "now(), now() + interval '1 day'" if deleted else "NULL, NULL"
            await conn.execute(f"UPDATE samples SET (deleted_at, purge_at) = ({values})".encode())
        expected = "hidden" if route == NO_GENOME else "in"
        assert await outcome(people["ann"].client, route, sample) == expected, (needed, route)


async def test_a_deleted_sample_is_hidden_from_all_others(api: Api, worker: HandWorker) -> None:
    people, sample = await seeing(api, worker)
    [project] = [one["id"] for one in (await people["ann"].client.get("/api/v1/projects")).json()["projects"]]
    assert (await people["ann"].client.delete(f"/api/v1/samples/{sample}")).status_code == 204
    for name in ("owner", "editor", "viewer"):
        for route in NEEDED:
            assert await outcome(people[name].client, route, sample) == "hidden", (name, route)
        for asked in ({}, {"deleted": "true"}, {"project": project}, {"project": project, "deleted": "true"}):
            listed = await people[name].client.get("/api/v1/samples", params=asked)
            assert listed.json()["samples"] == [], (name, asked)
    listed = await people["ann"].client.get("/api/v1/samples", params={"project": project, "deleted": "true"})
    assert [one["id"] for one in listed.json()["samples"]] == [sample]
    assert (await people["ann"].client.post(f"/api/v1/samples/{sample}/restore")).status_code == 200
    for name in ("owner", "editor", "viewer"):
        assert await outcome(people[name].client, f"GET {API}", sample) == "in"
