"""Nothing is served without access, nothing is done for another site, and no account sees another's things."""

from __future__ import annotations

import contextlib
import re
import uuid

from api_support import event_stream
from fastapi.routing import iter_route_contexts

from varloom.web.app import create_app
from varloom.web.security import SESSION_COOKIE

OPEN = {"/healthz", "/readyz", "/login", "/login/openid", "/login/openid/callback", "/favicon.ico"}
JOB_ROUTES = [
    ("GET", "/api/v1/jobs/{}"),
    ("GET", "/api/v1/jobs/{}/events"),
    ("POST", "/api/v1/jobs/{}/retry"),
    ("POST", "/api/v1/jobs/{}/cancel"),
    ("DELETE", "/api/v1/jobs/{}"),
    ("POST", "/jobs/{}/retry"),
    ("POST", "/jobs/{}/cancel"),
    ("POST", "/jobs/{}/dismiss"),
]


async def login(api, person):
    """A browser that has logged in: a client with a session cookie."""
    browser = await api.client(headers={"Accept": "text/html"})
    token = await api.services.accounts.create_login_link(person.account.id)
    answer = await browser.post("/login", data={"token": token})
    assert answer.status_code == 303, answer.text
    return browser


def routes(document):
    """Method and path of every operation, with ids filled in."""
    for path, operations in document["paths"].items():
        for method in operations:
            yield method.upper(), re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path)


async def test_every_route_but_the_open_ones_wants_a_login(api):
    ann, stranger = await api.person(), await api.client()
    document = (await ann.client.get("/api/v1/openapi.json")).json()
    asked = [*routes(document), ("GET", "/api/v1/openapi.json"), ("GET", "/api/v1/nothing"), ("GET", "/nothing")]
    refused = []
    for method, path in asked:
        answer = await stranger.request(method, path)
        if path not in {"/healthz", "/readyz"}:
            refused.append(path)
            assert answer.status_code == 401, (method, path)
            assert method == "HEAD" or answer.json()["code"] == "not_authenticated"
            assert answer.headers["www-authenticate"] == "Bearer"
    assert len(refused) > 20
    assert (await stranger.get("/healthz")).json() == {"status": "ok"}
    assert (await stranger.get("/readyz")).json() == {"status": "ready", "disk_low": []}


async def test_every_page_wants_a_login_too(api, settings):
    stranger = await api.client()
    pages = [
        (method, route.path)
        for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes)
        for method in getattr(route, "methods", None) or ()
        if not route.path.startswith("/api/") and route.path not in OPEN
    ]
    assert {"/", "/samples/{sample_id}", "/jobs/stream", "/jobs/{job_id}/cancel", "/logout"} <= {
        page[1] for page in pages
    }
    for method, path in pages:
        answer = await stranger.request(method, re.sub(r"\{[^}]*\}", str(uuid.uuid4()), path))
        told = answer.json()
        assert answer.status_code == 401, (method, path)
        assert told.get("code", "not_authenticated") == "not_authenticated", (method, path)
        assert ("code" in told) != path.startswith("/ga4gh/"), (method, path)


async def test_a_bad_authorization_is_refused_even_beside_a_good_cookie(api):
    browser = await login(api, await api.person())
    for header in ("Bearer", "Bearer x", "Basic eDp5", "bearer\tx", "Bearer x y", "x"):
        answer = await browser.get("/api/v1/jobs", headers={"Authorization": header})
        assert answer.status_code == 401, header
    assert (await browser.get("/api/v1/jobs")).status_code == 200


async def test_a_revoked_token_is_refused_at_once(api):
    ann = await api.person()
    made = (await ann.client.post("/api/v1/tokens", json={"label": "script"})).json()
    script = await api.client(headers={"Authorization": f"Bearer {made['token']}"})
    assert (await script.get("/api/v1/jobs")).status_code == 200
    tokens = (await ann.client.get("/api/v1/tokens")).json()["tokens"]
    [listed] = [token for token in tokens if token["label"] == "script"]
    assert made["token"] not in str(tokens)
    assert (await ann.client.delete(f"/api/v1/tokens/{listed['id']}")).status_code == 204
    assert (await script.get("/api/v1/jobs")).status_code == 401


async def test_a_login_link_works_once_and_gives_a_guarded_cookie(api):
    ann = await api.person()
    link = (await ann.client.post("/api/v1/login-links")).json()
    path, _, token = link["path"].partition("#")
    browser = await api.client()
    answer = await browser.post(path, data={"token": token})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/" in cookie
    assert "secure" not in cookie  # over http it would never be sent back
    assert (await browser.get("/api/v1/jobs")).status_code == 200
    again = await (await api.client()).post(path, data={"token": token})
    assert (again.status_code, again.json()["code"]) == (401, "login_link_invalid")


async def test_logging_out_ends_the_session_itself(api):
    browser = await login(api, await api.person())
    secret = browser.cookies[SESSION_COOKIE]
    origin = {"Origin": api.url}
    assert (await browser.post("/logout", headers=origin)).headers["location"] == "/login"
    thief = await api.client(cookies={SESSION_COOKIE: secret})
    assert (await thief.get("/api/v1/jobs")).status_code == 401


async def test_people_are_sent_to_the_login_page_and_back(api):
    stranger = await api.client(headers={"Accept": "text/html"})
    answer = await stranger.get("/samples?q=a&cursor=b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fsamples%3Fq%3Da%26cursor%3Db"
    page = await stranger.get("/login")
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    part = await stranger.get("/jobs/entries?cursor=x", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")


async def test_the_login_leads_to_this_server_only(api):
    ann, browser = await api.person(), await api.client()
    targets = {"/samples?q=1": "/samples?q=1", "//evil.example": "/", "https://evil.example": "/", "/\\evil": "/"}
    for target, goes_to in targets.items():
        token = await api.services.accounts.create_login_link(ann.account.id)
        answer = await browser.post("/login", data={"token": token, "next": target}, headers={"Origin": api.url})
        assert answer.headers["location"] == goes_to


CROSS_SITE = [
    {},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "same"},
]


SAME_SITE = [{"Origin": "same"}, {"Sec-Fetch-Site": "same-origin", "Origin": "same"}]


async def test_only_our_own_pages_can_use_a_browsers_session(api):
    browser = await login(api, await api.person())

    async def upload(headers):
        sent = {name: api.url if value == "same" else value for name, value in headers.items()}
        return await browser.post("/api/v1/jobs", files={"file": ("a.vcf", b"x")}, headers=sent)

    for headers in CROSS_SITE:
        answer = await upload(headers)
        assert (answer.status_code, answer.json()["code"]) == (403, "cross_site_refused"), headers
    for headers in SAME_SITE:
        assert (await upload(headers)).status_code == 202, headers


async def test_another_site_cannot_log_a_browser_in(api):
    ann = await api.person()
    token = await api.services.accounts.create_login_link(ann.account.id)
    browser = await api.client()
    answer = await browser.post("/login", data={"token": token}, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


HOSTS = [
    ("127.0.0.1:1234", True),
    ("localhost", True),
    ("varloom.localhost:8400", True),
    ("[::1]:8400", True),
    ("192.168.1.7", True),
    ("evil.example", False),
    ("localhost.evil.example", False),
    ("127.0.0.1.evil.example", False),
    ("", False),
    ("[", False),
]


async def test_only_our_own_host_names_are_answered(api, subtests):
    stranger = await api.client()
    for host, allowed in HOSTS:
        with subtests.test(host):
            answer = await stranger.get("/healthz", headers={"Host": host})
            if allowed:
                assert answer.status_code == 200
            else:
                # An empty host is turned away by the HTTP parser in some versions, by us otherwise.
                assert answer.status_code in {400, 421}
                assert "evil" not in answer.text


async def test_every_answer_carries_the_security_headers(api):
    ann, stranger = await api.person(), await api.client(headers={"Accept": "text/html"})
    answers = [
        await stranger.get("/login"),
        await stranger.get("/healthz"),
        await stranger.get("/api/v1/jobs"),
        await ann.client.get("/api/v1/nothing"),
        await ann.client.get("/api/v1/jobs"),
        await stranger.get("/healthz", headers={"Host": "evil.example"}),
    ]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert answer.headers["cache-control"] == "no-store"
        assert "server" not in answer.headers
    nonces = {re.search(r"'nonce-([^']+)'", answer.headers["content-security-policy"])[1] for answer in answers}
    assert len(nonces) == len(answers)


async def test_another_accounts_jobs_do_not_exist(api):
    ann, ben = await api.person(), await api.person()
    job = await ann.upload()
    for method, path in JOB_ROUTES:
        answer = await ben.client.request(method, path.format(job["id"]))
        assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found"), (method, path)
    assert (await ben.client.get("/api/v1/jobs")).json() == {"jobs": [], "next": None}
    assert (await ben.client.get("/api/v1/queue")).json()["positions"] == {}
    async with event_stream(ben.client) as stream:
        [only] = await stream.until("snapshot")
        assert only.data == '{"jobs": 0, "active": 0}'
    # Nothing of it was done.
    assert (await ann.client.get(f"/api/v1/jobs/{job['id']}")).json()["state"] == "queued"


async def test_another_accounts_tokens_do_not_exist(api):
    ann, ben = await api.person(), await api.person()
    [token] = (await ann.client.get("/api/v1/tokens")).json()["tokens"]
    answer = await ben.client.delete(f"/api/v1/tokens/{token['id']}")
    assert (answer.status_code, answer.json()["code"]) == (404, "token_not_found")
    assert (await ann.client.get("/api/v1/jobs")).status_code == 200
