"""Behind a reverse proxy: whose address counts, and who is let in by its word. Its address is 127.0.0.2."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from api_support import VCF, event_stream
from tests.absent import absent

from varloom.settings import Settings
from varloom.web import streams
from varloom.web.security import SESSION_COOKIE

if TYPE_CHECKING:
    from pathlib import Path

    from api_support import Api, Person

PROXY, OTHER = "127.0.0.2", "127.0.0.1"
BY = "X-Remote-User"
PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
GOOD = "four words of mine"


@pytest.fixture
def settings(tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    if sys.platform != "linux":
        absent("only Linux has 127.0.0.2 by itself")
    given = getattr(request, "param", {})
    return Settings(data=tmp_path, proxy_peers=PROXY, **{"proxy_user_header": BY, **given})


async def browser_from(api: Api, address: str, **headers: str) -> httpx.AsyncClient:
    """A client whose connections come from this address."""
    transport = httpx.AsyncHTTPTransport(local_address=address)
    return await api.client(transport=transport, headers={**PAGE, "Origin": api.url, **headers})


async def log_in(api: Api, person: Person, browser: httpx.AsyncClient) -> httpx.Response:
    token = await api.services.accounts.create_login_link(person.account.id)
    return await browser.post("/login", data={"token": token})


async def who(client: httpx.AsyncClient, **headers: str) -> str:
    """The account of a request, or the code with which it was refused."""
    answer = await client.get("/api/v1/account", headers=headers)
    told = answer.json()
    return told["name"] if answer.status_code == 200 else f"{answer.status_code} {told['code']}"


async def entries(api: Api) -> list[tuple[Any, ...]]:
    async with api.services.pool.connection() as conn:
        found = await conn.execute(
            "SELECT action, account_name, proof, address, details FROM audit_entries e"
            " LEFT JOIN audit_outcomes o ON o.entry_id = e.id ORDER BY e.id"
        )
        return await found.fetchall()


async def test_addresses_and_schemes_are_told_by_trusted_peers_alone(api: Api) -> None:
    ann = await api.person()
    told = {"X-Forwarded-For": "6.6.6.6, 192.0.2.7", "X-Forwarded-Proto": "https"}
    by_proxy, direct = await browser_from(api, PROXY, **told), await browser_from(api, OTHER, **told)
    secure = [(await log_in(api, ann, browser)).headers["set-cookie"].lower() for browser in (by_proxy, direct)]
    assert ["; secure" in cookie for cookie in secure] == [True, False]
    found = {one.address for one in await api.services.sessions.all(ann.account.id)}
    assert found == {"192.0.2.7", OTHER}
    assert {entry[3] for entry in await entries(api) if entry[0] == "account.login"} == found
    for number in range(12):
        await by_proxy.post(
            "/login", data={"name": "ann", "password": "x"}, headers={"X-Forwarded-For": f"6.6.6.{number}"}
        )
    refused = await by_proxy.post("/login", data={"name": "ann", "password": "x"}, headers={"Accept": "*/*"})
    assert refused.json()["code"] == "login_refused", "twelve tries of twelve clients hold up none of them"
    for number in range(12):
        await direct.post(
            "/login", data={"name": "ann", "password": "x"}, headers={"X-Forwarded-For": f"6.6.6.{number}"}
        )
    refused = await direct.post("/login", data={"name": "ann", "password": "x"}, headers={"Accept": "*/*"})
    assert refused.json()["code"] == "logins_limited", "who is not trusted cannot choose another address for each try"


async def test_whom_the_proxy_names_is_in_and_nobody_elses_word_counts(api: Api) -> None:
    ann, ben = await api.person(), await api.person()
    proxy, other = await browser_from(api, PROXY), await browser_from(api, OTHER)
    name = ann.account.name
    assert await who(proxy, **{BY: name}) == name
    assert await who(proxy, **{BY.lower(): name.upper()}) == name
    for header in (BY, "X_Remote_User", "Remote-User", "X-Forwarded-User"):
        assert await who(other, **{header: name}) == "401 not_authenticated", header
        assert header == BY or await who(proxy, **{header: name}) == "401 not_authenticated", header
    assert await who(other, **{BY: name, "X-Forwarded-For": PROXY}) == "401 not_authenticated"
    assert await who(proxy) == "401 not_authenticated"
    assert await who(proxy, **{BY: ""}) == "401 not_authenticated"
    # Whatever else comes along: the proxy's word goes before a session, our own tokens before the proxy's word.
    await log_in(api, ben, proxy)
    await log_in(api, ben, other)
    assert await who(proxy, **{BY: name}) == name
    assert await who(proxy) == ben.account.name
    assert await who(other, **{BY: name}) == ben.account.name
    assert await who(proxy, **{BY: name, "Authorization": "Basic eDp5"}) == name
    assert await who(proxy, **{BY: name, "Authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.e30.x"}) == name
    assert await who(proxy, **{BY: name, "Authorization": f"Bearer {ben.token}"}) == ben.account.name
    assert await who(proxy, **{BY: name, "Authorization": "Bearer vl_revoked"}) == "401 not_authenticated"


async def test_a_header_that_is_no_name_lets_nobody_in(api: Api) -> None:
    ann = await api.person()
    proxy, name = await browser_from(api, PROXY), ann.account.name
    bad = [b"(null)", b"a\xff", b"a\tb", f"{name},{name}".encode(), b"x" * 201, b"\xc2\x85x"]
    for value in bad:
        answer = await proxy.get("/api/v1/account", headers=[(BY.encode(), value)])
        assert (answer.status_code, answer.json()["code"]) == (400, "proxy_user_invalid"), value
    twice = [(BY, name), (BY, "somebody"), (BY, name)]
    assert (await proxy.get("/api/v1/account", headers=twice[:2])).json()["code"] == "proxy_user_invalid"
    assert (await proxy.get("/api/v1/account", headers=twice[::2])).json()["code"] == "proxy_user_invalid"
    assert (await proxy.get("/samples", headers=twice)).status_code == 400


async def test_who_has_no_account_or_none_any_more_reads_why(api: Api) -> None:
    ann = await api.person()
    proxy = await browser_from(api, PROXY)
    assert await who(proxy, **{BY: "nobody"}) == "403 proxy_user_unknown"
    page = await proxy.get("/samples", headers={BY: "nobody"})
    assert (page.status_code, "varloom users add NAME" in page.text) == (403, True)
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [ann.account.id])
    assert await who(proxy, **{BY: ann.account.name}) == "403 account_deactivated"
    assert [entry for entry in await entries(api) if entry[0] == "user.added"] == []


@pytest.mark.parametrize("settings", [{"proxy_user_create": True}], indirect=True)
async def test_accounts_are_made_where_that_is_set(api: Api) -> None:
    proxy, other = await browser_from(api, PROXY), await browser_from(api, OTHER)
    assert await who(other, **{BY: "Emile"}) == "401 not_authenticated"
    answer = await proxy.get("/api/v1/account", headers=[(BY.encode(), "Émile Müller".encode())])
    assert (answer.json()["name"], answer.json()["role"]) == ("Émile Müller", "member")
    assert (await proxy.get("/api/v1/account", headers=[(BY.encode(), "Émile Müller".encode())])).status_code == 200
    [made] = [entry for entry in await entries(api) if entry[0] == "user.added"]
    assert made[2:4] == ("proxy", PROXY)
    assert made[4]["name"] == "Émile Müller"
    assert await who(proxy, **{BY: "(null)"}) == "400 proxy_user_invalid"


async def test_another_sites_page_cannot_use_it(api: Api) -> None:
    ann = await api.person()
    named = {BY: ann.account.name}
    proxy = await browser_from(api, PROXY, **named)
    sent = {"files": {"file": ("x.vcf", VCF)}}
    assert (await proxy.post("/api/v1/jobs", **sent)).status_code == 202
    for origin in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        answer = await proxy.post("/api/v1/jobs", **sent, headers=origin)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused"), origin
    program = await api.client(transport=httpx.AsyncHTTPTransport(local_address=PROXY), headers=named)
    assert (await program.post("/api/v1/jobs", **sent)).json()["code"] == "cross_site_refused"
    assert (await program.get("/api/v1/jobs")).status_code == 200
    [job] = [entry for entry in await entries(api) if entry[0] == "job.created"]
    assert job[1:4] == (ann.account.name, "proxy", PROXY)


async def test_streams_and_pages_know_who_came_by_the_proxy(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "CHECK_INTERVAL", 0.05)
    ann, owner = await api.person(), await api.person()
    proxy = await browser_from(api, PROXY, **{BY: ann.account.name})
    page = (await proxy.get("/account")).text
    assert "Logged in by the reverse proxy" in page
    assert 'action="/logout"' not in page
    answer = await proxy.get("/login?next=/jobs")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")
    assert (await proxy.get("/login?next=//evil.example")).headers["location"] == "/"
    await log_in(api, owner, proxy)
    assert (await proxy.post("/logout")).status_code == 303
    assert SESSION_COOKIE not in proxy.cookies
    assert await api.services.sessions.all(owner.account.id) == []
    [seen] = [one for one in await api.services.users.all() if one.id == ann.account.id]
    assert seen.last_seen_at is not None
    async with event_stream(proxy) as stream:
        await ann.upload()
        assert (await stream.until("job"))[-1].name == "job"
        async with api.services.pool.connection() as conn:
            await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [ann.account.id])
        while await stream.next() is not None:
            pass
