"""Logging in by an OpenID Connect provider: a real one, and one that lies in every way that a check is there for."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from cli_support import varloom
from joserfc.jwk import RSAKey
from tests import openid
from tests.openid import CALLBACK, CLIENT_SECRET, FakeProvider, fake_provider, pass_the_provider, real_provider
from tests.ports import free_port

from varloom.cli.serve import _worker_process
from varloom.db.database import Database
from varloom.services import openid_provider
from varloom.settings import Settings
from varloom.web.openid_login import BEGUN_COOKIE
from varloom.web.security import SESSION_COOKIE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx
    from api_support import Api, Person

PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
GOOD = "four words of mine"


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with fake_provider() as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path, provider: FakeProvider, request: pytest.FixtureRequest) -> Settings:
    given = getattr(request, "param", {})
    issuer = given.pop("issuer", provider.issuer) if "issuer" in given else provider.issuer
    known = {"oidc_issuer": issuer, "oidc_client_id": "varloom", "oidc_client_secret": CLIENT_SECRET}
    return Settings(data=tmp_path, **known, **given)


MATCHES = pytest.mark.parametrize("settings", [{"oidc_match_email": True}], indirect=True)
CREATES = pytest.mark.parametrize("settings", [{"oidc_create_accounts": True}], indirect=True)


async def browser_of(api: Api) -> httpx.AsyncClient:
    return await api.client(headers={**PAGE, "Origin": api.url})


async def known(api: Api, email: str | None = "ann@lab.example.org") -> Person:
    """Somebody with an account, of which the address is known."""
    person = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET email = %s WHERE id = %s", [email, person.account.id])
    return person


async def begun(provider: FakeProvider, browser: httpx.AsyncClient, path: str = "/login/openid") -> dict[str, str]:
    """Begin a login; what the provider is asked."""
    answer = await browser.get(path)
    assert answer.status_code == 303, answer.text
    return asked_of(provider, answer.headers["location"])


def asked_of(provider: FakeProvider, address: str) -> dict[str, str]:
    assert address.startswith(f"{provider.issuer}/auth?")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    provider.nonce = asked["nonce"]
    return asked


async def came_back(browser: httpx.AsyncClient, **query: str) -> httpx.Response:
    """The browser comes from the provider, which is another site."""
    return await browser.get(CALLBACK, params=query, headers={"Sec-Fetch-Site": "cross-site"})


async def log_in(provider: FakeProvider, browser: httpx.AsyncClient, path: str = "/login/openid") -> httpx.Response:
    asked = await begun(provider, browser, path)
    return await came_back(browser, state=asked["state"], code="x", iss=provider.issuer)


def code_of(answer: httpx.Response) -> str:
    found = re.search(r'class="error-code">(\w+)', answer.text)
    return f"{answer.status_code} {found[1]}" if found else str(answer.status_code)


async def name_of(browser: httpx.AsyncClient) -> str | None:
    answer = await browser.get("/api/v1/account")
    return answer.json()["name"] if answer.status_code == 200 else None


async def entries(api: Api, action: str) -> list[tuple[Any, ...]]:
    async with api.services.pool.connection() as conn:
        found = await conn.execute(
            "SELECT status, details FROM audit_entries e LEFT JOIN audit_outcomes o ON o.entry_id = e.id"
            " WHERE action = %s ORDER BY e.id",
            [action],
        )
        return await found.fetchall()


@MATCHES
async def test_who_the_provider_knows_is_in(api: Api, provider: FakeProvider) -> None:
    ann, browser = await known(api), await browser_of(api)
    page = (await browser.get("/login?next=/jobs%3Fstate%3Dfailed")).text
    assert "Log in with single sign-on" in page
    path = re.search(r'id="openid-login"[^>]*href="([^"]+)"', page)[1].replace("&amp;", "&")
    link = await api.services.accounts.create_login_link((await api.person()).account.id)
    await browser.post("/login", data={"token": link})
    before = browser.cookies[SESSION_COOKIE]
    asked = await begun(provider, browser, path)
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == api.url + CALLBACK
    answer = await came_back(browser, state=asked["state"], code="the-code", iss=provider.issuer)
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?state=failed")
    cookie = next(one for one in answer.headers.get_list("set-cookie") if one.startswith(SESSION_COOKIE)).lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert BEGUN_COOKIE not in browser.cookies
    assert await name_of(browser) == ann.account.name
    # The session with which the browser came is over, and the new one is new.
    assert browser.cookies[SESSION_COOKIE] != before
    stale = await api.client(headers=PAGE, cookies={SESSION_COOKIE: before})
    assert await name_of(stale) is None
    sent = dict(provider.asked)["/token"]
    assert "client_secret" not in sent, "it stands in the header, unless the provider knows the other way alone"
    assert sent["code"] == "the-code"
    assert len(sent["code_verifier"]) >= 43
    [session] = await api.services.sessions.all(ann.account.id)
    assert session.opened_by == "openid"
    assert [entry[1]["by"] for entry in await entries(api, "account.login")] == ["link", "openid"]
    assert (await entries(api, "account.login"))[1][1]["account_name"] == ann.account.name
    [connected] = await entries(api, "identity.connected")
    assert connected == (200, {"user": str(ann.account.id), "issuer": provider.issuer, "label": "ann@lab.example.org"})
    # From now on the address decides nothing: it is the subject that comes back.
    provider.claims = {"email": "ann.m@lab.example.org"}
    assert (await log_in(provider, browser)).status_code == 303
    assert await name_of(browser) == ann.account.name
    assert (await browser.post("/logout")).status_code == 303
    assert await name_of(browser) is None


@MATCHES
async def test_a_login_by_the_provider_leads_to_this_server_only(api: Api, provider: FakeProvider) -> None:
    await known(api)
    for target in ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/%0d%0aX: y"):
        browser = await browser_of(api)
        answer = await browser.get("/login/openid", params={"next": target})
        asked = asked_of(provider, answer.headers["location"])
        answer = await came_back(browser, state=asked["state"], code="x")
        location = answer.headers["location"]
        assert location == "/" or (location.startswith("/%") and "evil" not in location), (target, location)


@MATCHES
async def test_a_log_in_is_finished_once_in_the_browser_that_began_it(api: Api, provider: FakeProvider) -> None:
    ann = await known(api)
    browser, other = await browser_of(api), await browser_of(api)
    asked = await begun(provider, browser)
    invalid = "400 openid_login_invalid"
    # Somebody else's address, brought to a browser that has begun none, or another one (login as the attacker).
    assert code_of(await came_back(other, state=asked["state"], code="x")) == invalid
    theirs = await begun(provider, other)
    assert code_of(await came_back(other, state=asked["state"], code="x")) == invalid
    assert code_of(await came_back(browser, state=theirs["state"], code="x")) == invalid
    for query in (
        {},
        {"state": asked["state"]},
        {"code": "x"},
        {"state": "", "code": "x"},
        {"state": "\x00é", "code": "x"},
    ):
        assert code_of(await came_back(browser, **query)) == invalid, query
    assert code_of(await came_back(browser, state=asked["state"], code="x", iss="https://evil.example")) == invalid
    kept = browser.cookies[BEGUN_COOKIE]
    asked = await begun(provider, browser)
    assert browser.cookies[BEGUN_COOKIE] != kept
    kept = browser.cookies[BEGUN_COOKIE]
    assert (await came_back(browser, state=asked["state"], code="x")).status_code == 303
    again = await api.client(headers=PAGE, cookies={BEGUN_COOKIE: kept})
    assert code_of(await came_back(again, state=asked["state"], code="x")) == invalid
    asked = await begun(provider, browser)
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE openid_logins SET expires_at = now() - interval '1 second'")
    assert code_of(await came_back(browser, state=asked["state"], code="x")) == invalid
    assert len(await api.services.sessions.all(ann.account.id)) == 1
    async with api.services.pool.connection() as conn:
        rows = await (await conn.execute("SELECT string_agg(to_jsonb(o)::text, '') FROM openid_logins o")).fetchone()
    assert not rows[0] or all(secret not in rows[0] for secret in (kept, asked["state"], asked["nonce"]))


@MATCHES
async def test_another_site_cannot_begin_it(api: Api, provider: FakeProvider) -> None:
    browser = await browser_of(api)
    answer = await browser.get("/login/openid", headers={"Sec-Fetch-Site": "cross-site"})
    assert (answer.headers["location"], BEGUN_COOKIE in browser.cookies) == ("/login", False)
    await browser.post(
        "/login", data={"token": await api.services.accounts.create_login_link((await known(api)).account.id)}
    )
    refused = await browser.post("/account/identities", headers={"Sec-Fetch-Site": "cross-site", "Accept": "*/*"})
    assert refused.json()["code"] == "cross_site_refused"
    assert provider.asked == []


SPOILT: dict[str, Any] = {
    "no signature": lambda p: setattr(p, "make_token", openid.unsigned),
    "HMAC with the public key": lambda p: setattr(p, "make_token", openid.signed_with_public_key),
    "HMAC with the client's secret": lambda p: setattr(p, "make_token", openid.signed_with_client_secret),
    "another's key": lambda p: setattr(p, "make_token", openid.signed_by_another),
    "its own key": lambda p: setattr(p, "make_token", openid.with_its_own_key),
    "HMAC that the provider names": lambda p: (
        p.metadata.update(id_token_signing_alg_values_supported=["HS256", "none", "RS256"]),
        setattr(p, "make_token", openid.signed_with_client_secret),
    ),
    "none that the provider names": lambda p: (
        p.metadata.update(id_token_signing_alg_values_supported=["none"]),
        setattr(p, "make_token", openid.unsigned),
    ),
    "changed after the signature": lambda p: setattr(
        p,
        "make_token",
        lambda q, claims: _swapped(openid.signed(q.key, claims), openid.signed(q.key, {**claims, "sub": "b"})),
    ),
    "no token": lambda p: setattr(p, "make_token", lambda _, __: None),
    "no token but a text": lambda p: setattr(p, "make_token", lambda _, __: "a.b.c"),
    "another issuer": lambda p: p.claims.update(iss="https://evil.example"),
    "no issuer": lambda p: p.claims.update(iss=None),
    "another's audience": lambda p: p.claims.update(aud="another"),
    "several others' audience": lambda p: p.claims.update(aud=["another", "a third"]),
    "another's audience for this party": lambda p: p.claims.update(aud=["another"], azp="varloom"),
    "for another party": lambda p: p.claims.update(aud=["varloom", "another"], azp="another"),
    "no audience": lambda p: p.claims.update(aud=None),
    "expired": lambda p: p.claims.update(exp=1_700_000_000),
    "never ends": lambda p: p.claims.update(exp=None),
    "an end that is no time": lambda p: p.claims.update(exp="soon"),
    "not yet": lambda p: p.claims.update(nbf=4_000_000_000),
    "made in times to come": lambda p: p.claims.update(iat=4_000_000_000),
    "another login's nonce": lambda p: p.claims.update(nonce="another"),
    "no nonce": lambda p: p.claims.update(nonce=None),
    "nobody": lambda p: p.claims.update(sub=None),
    "an empty subject": lambda p: p.claims.update(sub=""),
    "a subject that is no text": lambda p: p.claims.update(sub=["ann-1"]),
    "a subject of a thousand letters": lambda p: p.claims.update(sub="x" * 1000),
    "of another access": lambda p: p.claims.update(at_hash="AAAAAAAAAAAAAAAAAAAAAA"),
    "somebody else's particulars": lambda p: (p.claims.update(email=None), setattr(p, "userinfo", {"sub": "ben"})),
}


def _swapped(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    return ".".join([head, other.split(".")[1], signature])


@MATCHES
async def test_a_token_that_fails_a_check_lets_nobody_in(api: Api, provider: FakeProvider) -> None:
    ann, right = await known(api), provider.right_claims
    let_in = []
    for name, spoil in SPOILT.items():
        provider.claims, provider.metadata, provider.make_token, provider.userinfo = {}, {}, None, None
        spoil(provider)
        api.services.openid.provider._remembered = None  # it is another provider each time
        browser = await browser_of(api)
        answer = await log_in(provider, browser)
        if code_of(answer) != "401 openid_token_invalid" or await name_of(browser) is not None:
            let_in.append((name, code_of(answer)))
    assert let_in == []
    assert await api.services.sessions.all(ann.account.id) == []
    assert await api.services.openid.identities(ann.account.id) == []
    provider.claims, provider.metadata, provider.make_token, provider.userinfo = {}, {}, None, None
    assert right()["sub"] == "ann-1"
    assert (await log_in(provider, await browser_of(api))).status_code == 303, "what is right lets in"


@MATCHES
async def test_a_provider_that_knows_one_way_alone_is_shown_the_secret_in_it(api: Api, provider: FakeProvider) -> None:
    await known(api)
    provider.metadata = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    assert dict(provider.asked)["/token"]["client_secret"] == CLIENT_SECRET


@MATCHES
async def test_keys_that_the_provider_has_changed_are_asked_for(api: Api, provider: FakeProvider) -> None:
    await known(api)
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    asked = [path for path, _ in provider.asked].count("/jwks")
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    assert [path for path, _ in provider.asked].count("/jwks") == asked, "they are remembered"
    provider.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    provider.key = RSAKey.generate_key(2048, {"kid": "second"})  # another one under the same name
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    gone, provider.published = provider.key, [RSAKey.generate_key(2048, {"kid": "third"})]
    assert (await log_in(provider, await browser_of(api))).status_code == 303, "until they are asked for anew"
    provider.key = RSAKey.generate_key(2048, {"kid": "fourth"})
    assert code_of(await log_in(provider, await browser_of(api))) == "401 openid_token_invalid"
    provider.key = gone
    assert code_of(await log_in(provider, await browser_of(api))) == "401 openid_token_invalid", (
        "a key that was taken back"
    )


DOWN: dict[str, Any] = {
    "it is gone": lambda p: p.answers.update({"/.well-known/openid-configuration": (503, b"")}),
    "no JSON": lambda p: p.answers.update({"/.well-known/openid-configuration": (200, b"<html>")}),
    "a list": lambda p: p.answers.update({"/.well-known/openid-configuration": (200, b"[1]")}),
    "it calls itself otherwise": lambda p: p.metadata.update(issuer="https://evil.example"),
    "it has no keys": lambda p: p.metadata.update(jwks_uri=None),
    "it leads to a place without TLS": lambda p: p.metadata.update(token_endpoint="http://192.0.2.1/token"),
    "it leads to a script": lambda p: p.metadata.update(authorization_endpoint="javascript:alert(1)"),
}
DOWN_LATER: dict[str, Any] = {
    "no token": lambda p: p.answers.update({"/token": (500, b"oops")}),
    "a token that is no JSON": lambda p: p.answers.update({"/token": (200, b"<html>")}),
    "no keys": lambda p: p.answers.update({"/jwks": (404, b"")}),
    "keys that are none": lambda p: p.answers.update({"/jwks": (200, b'{"keys": "x"}')}),
    "an empty list of keys": lambda p: p.answers.update({"/jwks": (200, b'{"keys": []}')}),
    "shared secrets as keys": lambda p: p.answers.update({"/jwks": (200, b'{"keys": [{"kty": "oct", "k": "eA"}]}')}),
    "no particulars": lambda p: (
        setattr(p, "userinfo", {}),
        p.claims.update(email=None),
        p.answers.update({"/userinfo": (500, b"")}),
    ),
}


@MATCHES
async def test_a_provider_that_is_down_is_told_of_and_passwords_go_on(
    api: Api, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await known(api)
    await api.services.passwords.set_own(ann.account.id, GOOD, present=None, session=None)
    wrong = []
    for name, spoil in [*DOWN.items(), *DOWN_LATER.items()]:
        provider.claims, provider.metadata, provider.answers, provider.userinfo = {}, {}, {}, None
        api.services.openid.provider._remembered = None
        if name in DOWN:
            spoil(provider)
            answer = await (await browser_of(api)).get("/login/openid")
        else:
            browser = await browser_of(api)
            if name == "no particulars":
                spoil(provider)
            asked = await begun(provider, browser)
            spoil(provider)
            answer = await came_back(browser, state=asked["state"], code="x")
        if code_of(answer) != "502 openid_unreachable" or "Log in by password" not in answer.text:
            wrong.append((name, code_of(answer)))
    assert wrong == []
    provider.answers, provider.delay = {}, 1.0
    api.services.openid.provider._remembered = None
    monkeypatch.setattr(openid_provider, "TIMEOUT", 0.2)
    assert code_of(await (await browser_of(api)).get("/login/openid")) == "502 openid_unreachable"
    provider.server.server_close()
    assert code_of(await (await browser_of(api)).get("/login/openid")) == "502 openid_unreachable"
    browser = await browser_of(api)
    assert (await browser.get("/login")).status_code == 200
    await browser.post("/login", data={"name": ann.account.name, "password": GOOD})
    assert await name_of(browser) == ann.account.name


@MATCHES
async def test_what_the_provider_refuses_is_told(api: Api, provider: FakeProvider) -> None:
    await known(api)
    browser = await browser_of(api)
    asked = await begun(provider, browser)
    answer = await came_back(browser, state=asked["state"], error="access_denied", error_description="<script>")
    assert code_of(answer) == "401 openid_refused"
    assert "access_denied" in answer.text
    assert "<script>" not in answer.text
    assert code_of(await came_back(browser, state=asked["state"], code="x")) == "400 openid_login_invalid"
    asked = await begun(provider, browser)
    provider.answers = {"/token": (400, b'{"error": "invalid_grant"}')}
    assert code_of(await came_back(browser, state=asked["state"], code="used")) == "401 openid_refused"
    assert [entry[0] for entry in await entries(api, "account.login")] == [401, 400, 401]


async def test_without_a_setting_nobody_is_connected_by_an_address(api: Api, provider: FakeProvider) -> None:
    ann = await known(api)
    answer = await log_in(provider, await browser_of(api))
    assert code_of(answer) == "403 openid_account_unknown"
    assert "varloom users add NAME" in answer.text
    assert await api.services.openid.identities(ann.account.id) == []


@MATCHES
async def test_an_address_finds_one_active_account_or_none(api: Api, provider: FakeProvider) -> None:
    ann = await known(api)

    async def tried(**claims: Any) -> str:
        provider.claims = claims
        return code_of(await log_in(provider, await browser_of(api)))

    unknown = "403 openid_account_unknown"
    for verified in (False, None, "true", 1):
        assert await tried(email_verified=verified) == unknown, verified
    await known(api, "kim@lab.example.org")
    # The last is a Kelvin sign, which some databases make a k of.
    others = ("ben@lab.example.org", "ann@lab.example.org.evil.example", None, 7, "", "\u212aim@lab.example.org")
    for email in others:
        assert await tried(email=email) == unknown, email
    assert await tried(email="ANN@lab.example.org") == "303"
    assert await tried(sub="ann-2") == unknown, "an address that has another owner at the provider opens nothing"
    assert await tried(sub="ann-1", email_verified=False) == "303", "who is connected needs no address"
    ben, cid = await known(api, "two@lab.example.org"), await known(api, "TWO@lab.example.org")
    assert await tried(sub="two", email="two@lab.example.org") == "409 openid_account_ambiguous"
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [ben.account.id])
    assert await tried(sub="two", email="two@lab.example.org") == "303"
    async with api.services.pool.connection() as conn:
        await conn.execute(
            "UPDATE accounts SET deactivated_at = now() WHERE id = ANY (%s)", [[ann.account.id, cid.account.id]]
        )
    assert await tried() == "403 account_deactivated"
    await known(api, None)
    gone = await known(api, "gone@lab.example.org")
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [gone.account.id])
    assert await tried(sub="gone", email="gone@lab.example.org") == "403 account_deactivated"


@CREATES
async def test_accounts_are_made_where_that_is_set(api: Api, provider: FakeProvider) -> None:
    browser = await browser_of(api)
    assert (await log_in(provider, browser)).status_code == 303
    assert await name_of(browser) == "ann"
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    [user] = [one for one in await api.services.users.all() if one.name == "ann"]
    assert (user.role, user.email) == ("member", "ann@lab.example.org")
    [made] = await entries(api, "user.added")
    assert made == (200, {"name": "ann", "role": "member", "by": "openid"})
    # Another person by the same name gets no account, and above all not this one.
    provider.claims = {"sub": "ann-2", "preferred_username": "ANN"}
    assert code_of(await log_in(provider, await browser_of(api))) == "403 openid_account_unknown"
    provider.claims = {"sub": "ann-3", "preferred_username": "x\x00y"}
    assert code_of(await log_in(provider, await browser_of(api))) == "403 openid_account_unknown"
    provider.claims = {
        "sub": "ben",
        "preferred_username": None,
        "email_verified": False,
        "email": "b@evil.example",
        "name": "Ben",
    }
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    [user] = [one for one in await api.services.users.all() if one.name == "Ben"]
    assert user.email is None
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE name = 'Ben'")
    assert code_of(await log_in(provider, await browser_of(api))) == "403 account_deactivated"


BOTH = {"oidc_create_accounts": True, "oidc_match_email": True}


@pytest.mark.parametrize("settings", [BOTH], indirect=True)
@pytest.mark.parametrize("email", ["ann@lab.example.org", "other@lab.example.org"])
async def test_many_first_logins_at_once_have_one_account(api: Api, provider: FakeProvider, email: str) -> None:
    await known(api, email)
    browsers = [await browser_of(api) for _ in range(6)]
    begun_with = [(browser, (await begun(provider, browser))["state"], provider.nonce) for browser in browsers]
    waiting = {nonce: nonce for _, _, nonce in begun_with}
    provider.make_token = lambda one, claims: openid.signed(
        one.key, {**claims, "nonce": waiting[one.asked[-1][1]["code"]]}
    )
    provider.one_at_a_time = threading.Lock()
    answers = await asyncio.gather(
        *(came_back(browser, state=state, code=nonce) for browser, state, nonce in begun_with)
    )
    assert [answer.status_code for answer in answers] == [303] * 6
    assert len({await name_of(browser) for browser in browsers}) == 1
    async with api.services.pool.connection() as conn:
        assert (await (await conn.execute("SELECT count(*) FROM identities")).fetchone()) == (1,)
        of_person = await conn.execute("SELECT count(*) FROM accounts WHERE email = 'ann@lab.example.org'")
        assert await of_person.fetchone() == (1,)


LIMITED = {
    "oidc_create_accounts": True,
    "oidc_allowed_domains": "lab.example.org",
    "oidc_required_claim": "groups=varloom",
}


@pytest.mark.parametrize("settings", [LIMITED], indirect=True)
async def test_only_those_of_the_domain_and_the_group_are_let_in(api: Api, provider: FakeProvider) -> None:
    async def tried(**claims: Any) -> str:
        provider.claims = claims
        return code_of(await log_in(provider, await browser_of(api)))

    refused = "403 openid_not_allowed"
    assert await tried() == refused
    assert await tried(groups=["others"]) == refused
    assert await tried(groups="varloom,others") == refused
    assert await tried(groups=["varloom"], email="ann@evil.example") == refused
    assert await tried(groups=["varloom"], email="ann@sub.lab.example.org") == refused
    assert await tried(groups=["varloom"], email_verified=False) == refused
    assert await tried(groups=["others", "varloom"]) == "303"
    assert await tried(groups="varloom") == "303"
    assert await tried(groups=["others"]) == refused, "who has left the group is out"
    provider.claims, provider.userinfo = {}, {"sub": "ann-1", "groups": ["varloom"]}
    api.services.openid.provider._remembered = None
    assert code_of(await log_in(provider, await browser_of(api))) == "303"


async def test_an_identity_is_connected_by_its_account_and_taken_off(api: Api, provider: FakeProvider) -> None:
    ann, ben = await known(api), await known(api)
    browsers = []
    for person in (ann, ben):
        browser = await browser_of(api)
        await browser.post("/login", data={"token": await api.services.accounts.create_login_link(person.account.id)})
        browsers.append(browser)
    browser, other = browsers
    session = browser.cookies[SESSION_COOKIE]
    assert "Connect with single sign-on" in (await browser.get("/account")).text
    begins = await browser.post("/account/identities")
    asked = asked_of(provider, begins.headers["hx-redirect"])
    answer = await came_back(browser, state=asked["state"], code="x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert browser.cookies[SESSION_COOKIE] == session
    page = (await browser.get("/account")).text
    assert "ann@lab.example.org" in page
    # Another account cannot have it, nor take it off.
    asked = asked_of(provider, (await other.post("/account/identities")).headers["hx-redirect"])
    assert code_of(await came_back(other, state=asked["state"], code="x")) == "409 identity_taken"
    [identity] = await api.services.openid.identities(ann.account.id)
    assert (await other.delete(f"/account/identities/{identity.id}")).status_code == 404
    # Who has logged out meanwhile, or is somebody else, connects nothing.
    provider.claims = {"sub": "ann-2"}
    asked = asked_of(provider, (await browser.post("/account/identities")).headers["hx-redirect"])
    browser.cookies.set(SESSION_COOKIE, other.cookies[SESSION_COOKIE], domain="127.0.0.1")
    assert code_of(await came_back(browser, state=asked["state"], code="x")) == "400 openid_login_invalid"
    browser.cookies.set(SESSION_COOKIE, session, domain="127.0.0.1")
    provider.claims = {}
    fresh = await browser_of(api)
    assert (await log_in(provider, fresh)).status_code == 303
    assert await name_of(fresh) == ann.account.name
    listed = (await ann.client.get("/api/v1/account/identities")).json()["identities"]
    assert [(one["issuer"], one["label"]) for one in listed] == [(provider.issuer, "ann@lab.example.org")]
    assert (await browser.delete(f"/account/identities/{identity.id}")).status_code == 200
    assert code_of(await log_in(provider, await browser_of(api))) == "403 openid_account_unknown"
    assert [entry[0] for entry in await entries(api, "identity.connected")] == [200]
    assert [entry[0] for entry in await entries(api, "identity.disconnected")] == [404, 200]
    token = await ann.client.post("/account/identities")
    assert token.status_code == 401


@MATCHES
async def test_an_owner_takes_the_identity_of_a_user_off(api: Api, provider: FakeProvider) -> None:
    ann, owner = await known(api), await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET role = 'owner' WHERE id = %s", [owner.account.id])
        await conn.execute("UPDATE accounts SET email = NULL WHERE id = %s", [owner.account.id])
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    users = (await owner.client.get("/api/v1/users")).json()["users"]
    assert {one["name"]: one["is_connected"] for one in users}[ann.account.name] is True
    server = ("--url", api.url, "--token", owner.token)
    listed = await asyncio.to_thread(varloom, "users", "list", *server)
    assert "single sign-on" in listed.out
    path = f"/api/v1/users/{ann.account.id}/identities"
    assert (await ann.client.delete(path)).status_code == 403
    assert (await owner.client.delete(path)).json() == {"disconnected": 1}
    assert (await owner.client.delete(path)).json() == {"disconnected": 0}
    said = [(await asyncio.to_thread(varloom, "users", "disconnect", ann.account.name, *server)).out]
    assert (await log_in(provider, await browser_of(api))).status_code == 303
    said.append((await asyncio.to_thread(varloom, "users", "disconnect", ann.account.name, *server)).out)
    assert said == [f"{ann.account.name}: was not connected\n", f"{ann.account.name}: disconnected\n"]
    assert await api.services.openid.identities(ann.account.id) == []


async def test_a_login_by_the_provider_is_no_login_by_link(api: Api, provider: FakeProvider) -> None:
    ann, browser = await known(api), await browser_of(api)
    await api.services.passwords.set_own(ann.account.id, GOOD, present=None, session=None)
    async with api.services.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO identities (account_id, issuer, subject) VALUES (%s, %s, 'ann-1')",
            [ann.account.id, provider.issuer],
        )
    assert (await log_in(provider, browser)).status_code == 303
    answer = await browser.put("/api/v1/account/password", json={"password": "another one of mine"})
    assert (answer.status_code, answer.json()["code"]) == (403, "password_wrong")


async def test_the_secret_of_the_client_stands_nowhere(
    api: Api,
    provider: FakeProvider,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    caplog.set_level("DEBUG")
    provider.answers = {"/token": (400, b'{"error": "invalid_client"}')}
    answer = await log_in(provider, await browser_of(api))
    monkeypatch.setenv("VARLOOM_OIDC_CLIENT_SECRET", CLIENT_SECRET)
    worker = _worker_process(settings, Database("postgresql://"))
    assert CLIENT_SECRET not in str(worker._environment)
    said = [caplog.text, answer.text, repr(settings), repr(api.services.openid)]
    assert not [text for text in said if CLIENT_SECRET in text]


def test_the_doctor_looks_at_the_provider(tmp_path: Path, provider: FakeProvider) -> None:
    def found() -> tuple[str, str]:
        given = {"VARLOOM_OIDC_ISSUER": provider.issuer, "VARLOOM_OIDC_CLIENT_ID": "varloom"}
        told = json.loads(varloom("doctor", "--json", data=tmp_path, **given).out)["findings"]
        [one] = [finding for finding in told if finding["id"] == "openid"]
        return one["verdict"], one["message"]

    assert found()[0] == "ok"
    provider.metadata = {"issuer": "https://other.example"}
    assert found() == (
        "problem",
        "The provider calls itself https://other.example, and not as in `oidc_issuer`. (openid_unreachable)",
    )
    provider.metadata, provider.published = {}, [RSAKey.generate_key(2048, {"use": "enc"})]
    assert found()[0] == "problem"


REAL = free_port()


@pytest.mark.parametrize(
    "settings",
    [{"issuer": f"http://127.0.0.1:{REAL}", "oidc_create_accounts": True, "oidc_allowed_domains": "lab.example.org"}],
    indirect=True,
)
async def test_a_real_provider_lets_people_in(api: Api) -> None:
    with real_provider(REAL, api.url):
        browser = await browser_of(api)
        address = (await browser.get("/login/openid?next=/jobs")).headers["location"]
        back = pass_the_provider(address, "ann")
        answer = await browser.get(back, headers={"Sec-Fetch-Site": "cross-site"})
        assert (answer.status_code, answer.headers.get("location")) == (303, "/jobs"), answer.text
        assert await name_of(browser) == "ann"
        [user] = [one for one in await api.services.users.all() if one.name == "ann"]
        assert user.email == "ann@lab.example.org"
        # The provider itself takes a code once, and only with the verifier of its login.
        assert code_of(await browser.get(back)) == "400 openid_login_invalid"
        thief = await browser_of(api)
        stolen = pass_the_provider((await browser.get("/login/openid")).headers["location"], "ann")
        state = parse_qs(urlsplit((await thief.get("/login/openid")).headers["location"]).query)["state"][0]
        code = parse_qs(urlsplit(stolen).query)["code"][0]
        assert code_of(await came_back(thief, state=state, code=code)) == "401 openid_refused"
        stranger = await browser_of(api)
        back = pass_the_provider((await stranger.get("/login/openid")).headers["location"], "unverified")
        assert code_of(await stranger.get(back)) == "403 openid_not_allowed"
