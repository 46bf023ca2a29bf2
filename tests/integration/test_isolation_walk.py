"""Every route there is, asked by somebody else with the ids of another account: nothing is seen, nothing changes.

The routes come from the application itself. One that takes a body has to stand in `BODIES` with one that would do its
work for the owner, else the test fails: so a new route cannot be forgotten. That the requests are good ones is shown by
the owner, for whom the same ones are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api_support import VCF, HandWorker
from fastapi.routing import iter_route_contexts
from psycopg import sql

from varloom.dataset.sample_files import SampleFile, keep_files
from varloom.services.sessions import Client, sha256_of
from varloom.web.app import create_app
from varloom.web.security import SESSION_COOKIE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    import httpx
    from api_support import Api, Person

CANARY = "kanarienvogel"
"""Stands in everything that Ann has, and in nothing that is asked for."""
CONTENT = VCF.replace(b"rs1", f"rs_{CANARY}".encode())
URL = f"https://bucket.example/{CANARY}.vcf"
TUS = {"Tus-Resumable": "1.0.0"}
MORE = {**TUS, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}

Ids = dict[str, list[str]]
"""What Ann has, by the name of a route's parameter."""


def bodies(ids: Ids) -> dict[str, dict[str, Any]]:
    """What is sent to each route that takes something; it names what Ann has wherever that is possible."""
    jobs, [sample, *_], [credential] = ids["job_id"], ids["sample_id"], ids["credential"]
    upload = {"files": {"file": ("mine.vcf", VCF)}}
    address = {"url": "https://bucket.example/mine.vcf", "credential": credential}
    lines = b"name,url,credential\nmine,https://bucket.example/mine.vcf," + credential.encode() + b"\n"
    return {
        "POST /login": {"data": {"token": "x"}},
        "POST /logout": {},
        "POST /api/v1/jobs": upload,
        "POST /api/v1/sources/preflight": {"json": {"urls": [address["url"]]}},
        "POST /api/v1/manifests": {"content": lines},
        "POST /api/v1/manifests/preflight": {"content": lines},
        "POST /api/v1/uploads": {"headers": {**TUS, "Upload-Length": "5", "Upload-Metadata": "filename bWluZS52Y2Y="}},
        "POST /api/v1/uploads/preflight": {"params": {"name": "mine.vcf", "size": "9"}, "content": VCF},
        "HEAD /api/v1/uploads/{upload_id}": {"headers": TUS},
        "DELETE /api/v1/uploads/{upload_id}": {"headers": TUS},
        "PATCH /api/v1/uploads/{upload_id}": {"headers": MORE, "content": b"#"},
        "POST /api/v1/uploads/{upload_id}": {"headers": {**MORE, "X-HTTP-Method-Override": "PATCH"}, "content": b"#"},
        "POST /api/v1/uploads/{upload_id}/options": {"json": {"sample_name": "mine"}},
        "POST /api/v1/jobs/actions": {"json": {"action": "cancel", "jobs": jobs}},
        "POST /api/v1/jobs/{job_id}/retry": {"json": {"from_stage": "start"}},
        "POST /api/v1/jobs/{job_id}/cancel": {},
        "POST /api/v1/jobs/{job_id}/priority": {"json": {"priority": 3}},
        "POST /api/v1/queue/pause": {"json": {"stage": "parse"}},
        "POST /api/v1/queue/resume": {"json": {"stage": "parse"}},
        "GET /api/v1/samples/{sample_id}/locate": {"params": {"position": "chr1:100"}},
        "PATCH /api/v1/samples/{sample_id}": {"json": {"name": "mine", "tags": ["mine"]}},
        "POST /api/v1/samples/{sample_id}/restore": {},
        "POST /api/v1/samples/{sample_id}/purge": {},
        "POST /api/v1/samples/{sample_id}/annotate": {"json": {"annotate": "small", "assembly": "GRCh38"}},
        "POST /api/v1/projects": {"json": {"name": "mine"}},
        "PATCH /api/v1/projects/{project_id}": {"json": {"name": "mine"}},
        "PUT /api/v1/projects/{project_id}/members/{member:path}": {"json": {"role": "owner"}},
        "PUT /api/v1/projects/{project_id}/samples/{sample_id}": {},
        "POST /projects": {"data": {"name": "mine too"}},
        "POST /samples/{sample_id}/projects": {"data": {"project": ids["project_id"][0]}},
        "POST /projects/{project_id}/name": {"data": {"name": "mine"}},
        "POST /projects/{project_id}/members": {"data": {"member": ids["member"][0], "role": "owner"}},
        "POST /projects/{project_id}/members/remove": {"data": {"member": ids["member"][0]}},
        "POST /projects/{project_id}/samples": {"data": {"sample": sample}},
        "POST /api/v1/views": {"json": {"name": "mine", "query": ""}},
        "PATCH /api/v1/views/{view_id}": {"json": {"name": "mine"}},
        "POST /api/v1/refs/demo": {},
        "POST /api/v1/credentials": {
            "json": {"name": "mine", "kind": "bearer", "scope": "https://bucket.example", "values": {"token": "abc"}}
        },
        "POST /api/v1/credentials/{credential_id}/test": {"json": {"url": address["url"]}},
        "POST /api/v1/tokens": {"json": {"label": "mine"}},
        "POST /api/v1/login-links": {},
        "PUT /api/v1/account/password": {"json": {"password": "four words of mine"}},
        "POST /api/v1/users": {"json": {"name": "somebody"}},
        "PATCH /api/v1/users/{user_id}": {"json": {"active": False}},
        "POST /api/v1/users/{user_id}/login-links": {},
        "POST /account/password": {"data": {"password": "four words of mine", "again": "four words of mine"}},
        "POST /account/sessions/end-others": {},
        "POST /account/identities": {},
        "POST /account/tokens": {"data": {"label": "mine"}},
        "POST /users": {"data": {"name": "somebody"}},
        "POST /users/{user_id}": {"data": {"active": "false"}},
        "POST /users/{user_id}/login-link": {},
        "POST /api/v1/annotate": {"json": {"variants": ["chr1:100:A:G"]}},
        "POST /jobs/{job_id}/retry": {"data": {"changed": "true", "credential": credential}},
        "POST /jobs/{job_id}/cancel": {},
        "POST /jobs/{job_id}/priority": {"data": {"priority": "3"}},
        "POST /jobs/{job_id}/dismiss": {},
        "POST /queue/pause": {"data": {"stage": "parse"}},
        "POST /queue/resume": {"data": {"stage": "parse"}},
        "POST /samples/{sample_id}/annotate": {"data": {"annotate": "small", "assembly": "GRCh38"}},
        "POST /samples/annotate": {"data": {"sample": sample}},
        "POST /samples/{sample_id}/restore": {},
        "POST /samples/{sample_id}/purge": {},
        "POST /credentials": {
            "data": {"name": "mine", "kind": "bearer", "scope": "https://bucket.example", "token": "abc"}
        },
        "POST /credentials/{credential_id}/test": {"data": {"url": address["url"]}},
        "POST /refs/demo": {},
        "PUT /api/v1/notices/email": {"json": {"address": "mine@example.org"}},
        "POST /api/v1/notices/email/confirm": {"json": {"token": ids["confirmation"][0]}},
        "POST /api/v1/notices/webhooks": {"json": {"name": "mine", "url": "https://bucket.example/mine"}},
        "PATCH /api/v1/notices/{channel_id}": {"json": {"completed": False, "failed": True}},
        "POST /api/v1/notices/{channel_id}/secret": {},
        "POST /api/v1/notices/{channel_id}/test": {},
        "POST /api/v1/notices/{channel_id}/deliveries/{delivery_id}/again": {},
        "POST /account/notices/email": {"data": {"address": "mine@example.org", "failed": "on"}},
        "POST /account/notices/confirm": {"data": {"token": ids["confirmation"][0]}},
        "POST /account/notices/webhooks": {
            "data": {"name": "mine", "url": "https://bucket.example/mine", "failed": "on"}
        },
        "POST /account/notices/{channel_id}": {"data": {"failed": "on"}},
        "POST /account/notices/{channel_id}/secret": {},
        "POST /account/notices/{channel_id}/test": {},
        "POST /account/notices/{channel_id}/deliveries/{delivery_id}/again": {},
        "POST /ga4gh/wes/v1/runs": {},
        "POST /ga4gh/wes/v1/runs/{run_id}/cancel": {},
    }


STREAMS = {"/api/v1/events", "/jobs/stream"}
PARAMETERS = {"task_id": ["parse-1"], "column": ["position"], "name": ["alignment.bam"], "file": ["cohort.vcf.gz"]}
"""What is asked for in place of a parameter that is nobody's."""
REFUSED = {401, 403, 404}
ENDS_SESSIONS = {
    "POST /login",
    "POST /logout",
    "DELETE /api/v1/sessions",
    "POST /account/sessions/end-others",
    "PUT /api/v1/account/password",
    "POST /account/password",
}
"""Routes after which whoever walks has to log in again."""
TOLD_IN_A_PART = {"POST /credentials/{credential_id}/test": "There is no such credential in this account."}
"""Routes that refuse with a part of a page in place of a status."""


@dataclass(frozen=True)
class Asked:
    """One request of the walk."""

    route: str
    path: str
    owned: bool  # its path names something of Ann's

    @property
    def method(self) -> str:
        return self.route.partition(" ")[0]


def requests(settings: Any, ids: Ids) -> Iterator[Asked]:
    """Every method of every route, once with each thing of Ann's that its path can name."""
    for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes):
        for method in sorted(getattr(route, "methods", None) or ()):
            names = re.findall(r"\{(\w+)[^}]*\}", route.path)
            owned = [name for name in names if name in ids]
            assert all(name in ids or name in PARAMETERS for name in names), f"what is {names} of {route.path}?"
            for values in itertools.product(*(ids[name] if name in owned else PARAMETERS[name][:1] for name in names)):
                path = route.path
                for name, value in zip(names, values, strict=True):
                    path = re.sub(rf"\{{{name}[^}}]*\}}", value, path)
                yield Asked(f"{method} {route.path}", path, owned=bool(owned))


async def ask(client: httpx.AsyncClient, asked: Asked, sent: dict[str, dict[str, Any]]) -> tuple[int, str]:
    """Status and text of the answer; of a stream that never ends, what comes within a moment."""
    options = sent.get(asked.route, {})
    async with client.stream(asked.method, asked.path, **options) as answer:
        parts: list[bytes] = []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0 if asked.path in STREAMS else 30.0):
                async for part in answer.aiter_bytes():
                    parts.append(part)  # noqa: PERF401 - what came before the time was over is kept
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        return answer.status_code, headers + b"".join(parts).decode(errors="replace")


async def everything_of(api: Api, ann: Person, worker: HandWorker) -> Ids:
    """Give Ann one of each thing, all with the canary in it."""
    deleted, done, failed = [await ann.upload(CONTENT, f"{CANARY}-{number}.vcf") for number in range(3)]
    samples = [await worker.complete(await worker.claim()) for _ in (deleted, done)]
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/alignment.bam"
    api.services.storage.write_bytes(key, CANARY.encode())
    async with api.services.pool.connection() as conn:
        await keep_files(conn, samples[1], [SampleFile("alignment.bam", "alignment", key, len(CANARY), None)])
    await worker.fail(await worker.claim(), log=CANARY)
    assert (await ann.client.delete(f"/api/v1/samples/{samples[0]}")).is_success
    waiting = await ann.upload(CONTENT, f"{CANARY}-waiting.vcf")
    values = {"token": f"secret-{CANARY}"}
    kept = {"name": f"key-{CANARY}", "kind": "bearer", "scope": "https://bucket.example", "values": values}
    credential = (await ann.client.post("/api/v1/credentials", json=kept)).raise_for_status().json()
    view = await ann.client.post("/api/v1/views", json={"name": f"view {CANARY}", "query": "filter=DP%3E5"})
    await ann.client.post("/api/v1/tokens", json={"label": f"token {CANARY}"})
    tokens = (await ann.client.get("/api/v1/tokens")).json()["tokens"]
    project = (await ann.client.post("/api/v1/projects", json={"name": f"Trio {CANARY}"})).json()["project"]["id"]
    assert (await ann.client.put(f"/api/v1/projects/{project}/samples/{samples[1]}")).is_success
    channels, confirmation = await notices_of(api, ann)
    begun = await ann.client.post(
        "/api/v1/uploads", headers={**TUS, "Upload-Length": "9", "Upload-Metadata": "filename a2FuYXJpZW52b2dlbC52Y2Y="}
    )
    link = await api.services.accounts.create_login_link(ann.account.id)
    await api.services.accounts.redeem_login(link, Client("192.0.2.1", f"{CANARY}/1.0"))
    sessions = await api.services.sessions.all(ann.account.id)
    async with api.services.pool.connection() as conn:
        for number in range(2):
            await conn.execute(
                "INSERT INTO identities (account_id, issuer, subject, label) VALUES (%s, 'https://id.example', %s, %s)",
                [ann.account.id, f"ann-{number}", CANARY],
            )
    identities = await api.services.openid.identities(ann.account.id)
    return {
        "user_id": [str(ann.account.id)],
        "identity_id": [str(one.id) for one in identities],
        "session_id": [str(one.id) for one in sessions],
        "job_id": (jobs := [job["id"] for job in (deleted, done, failed, waiting)]),
        "run_id": jobs,
        "sample_id": samples[::-1],
        "credential_id": [credential["id"]],
        "credential": [credential["name"]],
        "project_id": [project],
        "member": [ann.account.name],
        "channel_id": list(channels),
        "delivery_id": [one for sent in channels.values() for one in sent],
        "confirmation": [confirmation],
        "view_id": [view.raise_for_status().json()["id"]],
        "token_id": [token["id"] for token in tokens if CANARY in token["label"]],
        "upload_id": [begun.raise_for_status().headers["location"].rpartition("/")[2]],
    }


async def notices_of(api: Api, ann: Person) -> tuple[dict[str, list[str]], str]:
    """A webhook to which something was sent, an address that is not confirmed, and the token that would confirm it."""
    new = {"name": f"hook-{CANARY}", "url": URL}
    webhook = (await ann.client.post("/api/v1/notices/webhooks", json=new)).raise_for_status().json()["channel"]["id"]
    token = f"confirm-{CANARY}"
    async with api.services.pool.connection() as conn:
        sent = await conn.execute(
            "INSERT INTO notice_deliveries (channel_id, state, ended_at) VALUES (%s, 'sent', now()) RETURNING id",
            [webhook],
        )
        row = await sent.fetchone()
        email = await conn.execute(
            "INSERT INTO notice_channels (account_id, kind, name, target, on_completed, on_failed)"
            " VALUES (%s, 'email', 'e-mail', %s, true, true) RETURNING id",
            [ann.account.id, f"{CANARY}@example.org"],
        )
        address = await email.fetchone()
        assert row
        assert address
        await conn.execute(
            "INSERT INTO notice_confirmations (token_sha256, channel_id, account_id, target, expires_at)"
            " VALUES (%s, %s, %s, %s, now() + interval '1 day')",
            [sha256_of(token), address[0], ann.account.id, f"{CANARY}@example.org"],
        )
    return {webhook: [str(row[0])], str(address[0]): []}, token


async def rows_of(api: Api, ids: Ids, ann: Person) -> Counter[str]:
    """All rows of the database that name Ann or something of hers."""
    marks = {str(ann.account.id), CANARY, *(one for values in ids.values() for one in values)}
    found: Counter[str] = Counter()
    async with api.services.pool.connection() as conn:
        tables = await conn.execute(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        for (table,) in await tables.fetchall():
            rows = await conn.execute(sql.SQL("SELECT to_jsonb(t)::text FROM {} t").format(sql.Identifier(table)))
            found.update(f"{table}: {row}" for (row,) in await rows.fetchall() if any(mark in row for mark in marks))
    return found


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@contextlib.asynccontextmanager
async def asking(api: Api, who: Person) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Two clients of one person: a program with a token, and a browser with a session."""
    page = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin", "Origin": api.url}
    browser = await api.client(headers=page)
    await log_in(api, who, browser)
    yield [who.client, browser]


async def log_in(api: Api, who: Person, browser: httpx.AsyncClient) -> None:
    """Give a browser a session."""
    link = await api.services.accounts.create_login_link(who.account.id)
    browser.cookies.clear()
    browser.cookies.set(SESSION_COOKIE, await api.services.accounts.redeem_login(link), domain="127.0.0.1")


async def test_no_route_shows_or_changes_what_another_account_has(api: Api, settings: Any, worker: HandWorker) -> None:
    ann, ben = await api.person(), await api.person()
    ids = await everything_of(api, ann, worker)
    sent = bodies(ids)
    before, files = await rows_of(api, ids, ann), files_below(settings.data / "storage")
    assert sum(before.values()) > 20
    walked = list(requests(settings, ids))
    lacking = {asked.route for asked in walked if asked.method in {"POST", "PUT", "PATCH"}} - set(sent)
    assert not lacking, f"say in `bodies` what is sent to {sorted(lacking)}"
    assert not set(sent) - {asked.route for asked in walked}, "a route is not there any more"

    async with asking(api, ben) as clients:
        for asked in walked:
            for client in clients:
                status, text = await ask(client, asked, sent)
                assert CANARY not in text.replace(ids["credential"][0], ""), (asked, text)
                assert status < 500, (asked, text)
                if asked.owned:
                    told = TOLD_IN_A_PART.get(asked.route)
                    assert status in REFUSED or (told and told in text), (asked, status, text)
                if asked.route in ENDS_SESSIONS:
                    await log_in(api, ben, clients[1])
    after = await rows_of(api, ids, ann)
    assert not before - after, "what Ann has was changed"
    now = files_below(settings.data / "storage")
    assert {name: now.get(name) for name in files} == files


ENDS_IT = ("purge", "DELETE ")


async def test_the_walk_asks_what_its_owner_is_answered(api: Api, settings: Any, worker: HandWorker) -> None:
    ann = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET role = 'owner' WHERE id = %s", [ann.account.id])
    ids = await everything_of(api, ann, worker)
    sent = bodies(ids)
    owned = [asked for asked in requests(settings, ids) if asked.owned]
    refused: Counter[str] = Counter()
    for asked in sorted(owned, key=lambda asked: any(mark in asked.route for mark in ENDS_IT)):
        status, text = await ask(ann.client, asked, sent)
        assert status < 500, (asked, text)
        refused[asked.route] += status in REFUSED or status == 422
    ways = Counter(asked.route for asked in owned)
    assert sum(ways.values()) > 60
    nothing = {route for route, times in refused.items() if times == ways[route]}
    assert nothing == NOTHING_TO_SHOW, "these are refused to their owner too, so that the walk proves nothing of them"


NOTHING_TO_SHOW = {
    # Another route of the walk has ended the thing before.
    *("DELETE /credentials/{credential_id}", "DELETE /samples/{sample_id}", "DELETE /account/sessions/{session_id}"),
    *("DELETE /projects/{project_id}", "DELETE /projects/{project_id}/samples/{sample_id}"),
    *("DELETE /account/tokens/{token_id}", "DELETE /api/v1/account/identities/{identity_id}"),
    "DELETE /account/notices/{channel_id}",
    *("POST /samples/{sample_id}/restore", "POST /samples/{sample_id}/purge"),
    # Ann's sample has no reads that a browser could draw, and no PGx: tests/integration has them with other files.
    *("GET /api/v1/samples/{sample_id}/pgx", "GET /samples/{sample_id}/pgx"),
    *("GET /api/v1/samples/{sample_id}/reads", "GET /api/v1/samples/{sample_id}/reads/htsget"),
    # Runs are there to be looked at, and the id of a task is nothing that can be told before.
    *("POST /ga4gh/wes/v1/runs/{run_id}/cancel", "GET /ga4gh/wes/v1/runs/{run_id}/tasks/{task_id}"),
    *(f"{method} /api/v1/samples/{{sample_id}}/reads/genome/{{name}}" for method in ("GET", "HEAD")),
}
