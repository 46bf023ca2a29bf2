"""API tokens do what their scope says on every route, end when they should, and open nothing that outlasts them."""

from __future__ import annotations

import contextlib
import json
import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from api_support import VCF
from cli_support import varloom
from fastapi.routing import iter_route_contexts

from running import serving
from varloom.web.app import create_app
from varloom.web.scopes import LOOKS, OUTLASTS, SUBMITS, scope_of

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from api_support import Api, Person

STREAMS = {"/api/v1/events", "/jobs/stream"}


async def with_scope(api: Api, person: Person, scope: str, **more: Any) -> httpx.AsyncClient:
    new = {"label": scope, "scope": scope, **more}
    made = (await person.client.post("/api/v1/tokens", json=new)).raise_for_status().json()
    assert made["scope"] == scope
    return await api.client(headers={"Authorization": f"Bearer {made['token']}"})


def routes(settings: Any) -> list[tuple[str, str]]:
    """Every method of every route, with ids of nothing in the path."""
    return [
        (method, re.sub(r"\{[^}]*\}", str(uuid.uuid4()), route.path))
        for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes)
        for method in sorted(getattr(route, "methods", None) or ())
        if route.path not in {"/login", "/healthz", "/readyz", "/favicon.ico"}
    ]


async def test_each_route_asks_for_its_scope(api: Api, settings: Any) -> None:
    ann = await api.person()
    clients = {scope: await with_scope(api, ann, scope) for scope in ("read", "submit")}
    asked = [(method, path, scope_of(method, path)) for method, path in routes(settings) if path not in STREAMS]
    assert {scope for _, _, scope in asked} == {"read", "submit", "full"}
    for method, path, needed in asked:
        for scope, client in clients.items():
            answer = await client.request(method, path)
            too_little = ["read", "submit", "full"].index(scope) < ["read", "submit", "full"].index(needed)
            told = method != "HEAD" and "token_scope_insufficient" in answer.text
            assert (answer.status_code == 403 and (told or method == "HEAD")) == too_little, (scope, method, path)
    changing = {(method, path) for method, path, needed in asked if needed == "read" and method not in {"GET", "HEAD"}}
    assert {path for _, path in changing} == {
        "/api/v1/annotate",
        *(f"/api/v1/{kind}/preflight" for kind in ("sources", "manifests", "uploads")),
        "/api/v1/uploads",  # OPTIONS
    }, "only these change nothing"


def test_no_route_is_named_that_is_not_there(settings: Any) -> None:
    there = [f"{method} {path}" for method, path in routes(settings)]
    for pattern in (*LOOKS, *SUBMITS, *OUTLASTS):
        assert any(re.fullmatch(pattern, one) for one in there), pattern


async def test_a_reader_reads_and_a_submitter_submits(api: Api) -> None:
    ann = await api.person()
    reader, submitter = await with_scope(api, ann, "read"), await with_scope(api, ann, "submit")
    refused = await reader.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)})
    assert (refused.status_code, refused.json()["code"]) == (403, "token_scope_insufficient")
    assert "the scope submit" in refused.json()["detail"]
    job = (await submitter.post("/api/v1/jobs", files={"file": ("a.vcf", VCF)})).raise_for_status().json()
    assert (await reader.get(f"/api/v1/jobs/{job['id']}")).json()["state"] == "queued"
    assert (await submitter.post(f"/api/v1/jobs/{job['id']}/cancel")).is_success
    assert (await submitter.post("/api/v1/tokens", json={"label": "more", "scope": "full"})).status_code == 403
    assert (await submitter.post("/api/v1/login-links")).status_code == 403
    assert (await submitter.delete(f"/api/v1/samples/{uuid.uuid4()}")).status_code == 403


async def test_a_token_ends_when_it_was_said(api: Api) -> None:
    ann = await api.person()
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    client = await with_scope(api, ann, "full", expires_at=soon)
    assert (await client.get("/api/v1/jobs")).status_code == 200
    for method, path, body in (
        ("POST", "/api/v1/tokens", {"label": "longer"}),
        ("POST", "/api/v1/login-links", None),
        ("PUT", "/api/v1/account/password", {"password": "four words of mine"}),
        ("PUT", "/api/v1/notices/email", {"address": "mine@example.org"}),
        ("POST", "/api/v1/notices/webhooks", {"name": "mine", "url": "https://example.org/hook"}),
    ):
        answer = await client.request(method, path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (403, "token_scope_insufficient"), path
        assert (await client.request(method, f"{path}%0a", json=body)).status_code == 404, "nor spelled otherwise"
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE api_tokens SET expires_at = now() WHERE expires_at IS NOT NULL")
    answer = await client.get("/api/v1/jobs")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    labels = [one["label"] for one in (await ann.client.get("/api/v1/tokens")).json()["tokens"]]
    assert labels == ["test"], "one that has ended is not among those that can be used"
    past = {"label": "past", "expires_at": datetime.now(UTC).isoformat()}
    assert (await ann.client.post("/api/v1/tokens", json=past)).json()["code"] == "token_expiry_invalid"


def test_the_commands(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "--no-worker") as server:
        data = server.data
        secret = varloom("tokens", "create", "dashboard", "--scope", "read", "--expires", "30d", data=data).out.strip()
        listed = json.loads(varloom("tokens", "list", "--json", data=data).out)
        [made] = [one for one in listed if one["label"] == "dashboard"]
        end = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
        assert (made["scope"], timedelta(days=29) < end < timedelta(days=31)) == ("read", True)
        assert "dashboard" in varloom("tokens", "list", data=data).out
        assert varloom("jobs", "--url", server.url, VARLOOM_TOKEN=secret).status == 0
        refused = varloom("submit", "-", "--name", "x", "--url", server.url, stdin=b"a,b\n1,2\n", VARLOOM_TOKEN=secret)
        assert refused.status != 0
        assert "needs a token with the scope submit" in refused.err
        assert varloom("tokens", "create", "x", "--expires", "soon", data=data).status == 2
        assert varloom("tokens", "create", "x", "--expires", "2001-01-01", data=data).status == 1
        assert varloom("tokens", "create", "x", "--expires", "9999-12-31", data=data).status == 0
