"""Several people on one server: who manages them, how they log in, and who is shut out at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from api_support import VCF, event_stream
from cli_support import varloom
from hypothesis import given
from hypothesis import strategies as st

from running import serving
from varloom.errors import VarloomError
from varloom.services import password_rules, passwords
from varloom.services.sessions import Client
from varloom.services.users import UserChange
from varloom.web.security import SESSION_COOKIE

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from api_support import Api, Person

GOOD = "four words of mine"
OTHER = "quite another one"
PAGE = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


async def owner_of(api: Api) -> Person:
    """Somebody who manages the server."""
    person = await api.person()
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET role = 'owner' WHERE id = %s", [person.account.id])
    return person


async def browser_of(api: Api, **form: str) -> tuple[httpx.AsyncClient, httpx.Response]:
    """A browser after it sent the login form."""
    browser = await api.client(headers=PAGE)
    answer = await browser.post("/login", data=form, headers={"Accept": "application/json"})
    return browser, answer


async def invited(api: Api, owner: Person, name: str) -> tuple[str, httpx.AsyncClient]:
    """Somebody new, who has come in by the link: the id of the account, and their browser."""
    made = (await owner.client.post("/api/v1/users", json={"name": name})).raise_for_status().json()
    browser, answer = await browser_of(api, token=made["link"]["path"].partition("#")[2])
    assert answer.status_code == 303, answer.text
    return made["user"]["id"], browser


async def set_password(browser: httpx.AsyncClient, password: str, present: str | None = None) -> httpx.Response:
    return await browser.put("/api/v1/account/password", json={"password": password, "present": present})


async def test_an_invited_person_sets_a_password_and_comes_back_with_it(api: Api) -> None:
    owner = await owner_of(api)
    _, browser = await invited(api, owner, "Ann Müller")
    assert (await browser.get("/api/v1/account")).json()["present_password_needed"] is False
    assert (await set_password(browser, GOOD)).status_code == 204
    for name, password in (("ann müller", GOOD), (" ANN MÜLLER ", "four words of mine".replace("f", "\uff46", 1))):
        again, answer = await browser_of(api, name=name, password=password)
        assert answer.status_code == 303, (name, answer.text)
        assert (await again.get("/api/v1/account")).json()["name"] == "Ann Müller"
    [shown] = [one for one in (await owner.client.get("/api/v1/users")).json()["users"] if one["name"] == "Ann Müller"]
    assert shown["has_password"] is True
    async with api.services.pool.connection() as conn:
        kept = await (await conn.execute("SELECT string_agg(to_jsonb(a)::text, '') FROM accounts a")).fetchone()
    assert GOOD not in kept[0]


async def test_whoever_guesses_learns_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = await owner_of(api)
    gone, browser = await invited(api, owner, "gone")
    await set_password(browser, GOOD)
    await invited(api, owner, "without")
    _, browser = await invited(api, owner, "ann")
    await set_password(browser, GOOD)
    await owner.client.patch(f"/api/v1/users/{gone}", json={"active": False})
    compared = Counter()
    real = passwords.matches

    def counting(kept: str, password: str) -> bool:
        compared[kept.rpartition("$")[0].partition("p=4")[0]] += 1
        return real(kept, password)

    monkeypatch.setattr(passwords, "matches", counting)
    bodies = set()
    for name in ("nobody", "without", "gone", "ann", "?", "a\0b", "x" * 200, "\ud800"):
        wrong = GOOD if name == "gone" else "wrong"
        refused = await browser_of(api, name=name.encode(errors="replace").decode(), password=wrong)
        problem = refused[1].json()
        problem.pop("request_id")
        bodies.add((refused[1].status_code, json.dumps(problem)))
    assert len(bodies) == 1, bodies
    assert "login_refused" in str(bodies)
    assert list(compared.values()) == [8], "each is compared with something, at the same cost"


async def test_guessing_is_slowed_down_where_it_comes_from_and_nowhere_else(api: Api) -> None:
    owner = await owner_of(api)
    _, browser = await invited(api, owner, "ann")
    await set_password(browser, GOOD)
    here, there = Client("192.0.2.1"), Client("192.0.2.2")

    async def tried(password: str, client: Client, name: str = "ann") -> str:
        try:
            await api.services.passwords.log_in(name, password, client)
        except VarloomError as error:
            return error.code if error.retry_after is None else f"{error.code} for a while"
        return "in"

    at_once = Counter(await asyncio.gather(*(tried("wrong", here) for _ in range(25))))
    assert at_once == {
        "login_refused": passwords.TRIES_PER_NAME,
        "logins_limited for a while": 25 - passwords.TRIES_PER_NAME,
    }
    assert await tried(GOOD, here) == "logins_limited for a while"
    assert await tried(GOOD, there) == "in"
    assert await tried("wrong", here, "ben") == "login_refused"
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE failed_logins SET at = at - interval '16 minutes'")
    assert await tried(GOOD, here) == "in"
    network = [Client(f"2001:db8:0:1::{number:x}") for number in range(passwords.TRIES_PER_NAME + 1)]
    refused = [await tried("wrong", one) for one in network]
    assert refused == ["login_refused"] * passwords.TRIES_PER_NAME + ["logins_limited for a while"], "one IPv6 network"
    assert await tried("wrong", Client("2001:db8:0:2::1")) == "login_refused"
    names = [f"name-{number}" for number in range(passwords.TRIES_PER_ADDRESS)]
    async with api.services.pool.connection() as conn:
        await conn.execute(
            "INSERT INTO failed_logins (name_sha256, address)"
            " SELECT sha256(name::bytea), %s FROM unnest(%s::text[]) name",
            [here.address, names],
        )
    assert await tried(GOOD, here) == "logins_limited for a while"
    assert await tried(GOOD, there) == "in"


async def test_the_answer_says_how_long_to_wait(api: Api) -> None:
    for _ in range(passwords.TRIES_PER_NAME):
        _, answer = await browser_of(api, name="ann", password="wrong")
        assert answer.status_code == 401
    _, answer = await browser_of(api, name="ann", password="wrong")
    assert (answer.status_code, answer.json()["code"]) == (429, "logins_limited")
    assert 0 < int(answer.headers["retry-after"]) <= passwords.WINDOW_SECONDS


async def test_a_changed_password_ends_every_other_session_and_asks_for_the_present_one(api: Api) -> None:
    owner = await owner_of(api)
    _, first = await invited(api, owner, "ann")
    assert (await set_password(first, "short")).json()["code"] == "password_unfit"
    assert (await set_password(first, GOOD)).status_code == 204
    second, _ = await browser_of(api, name="ann", password=GOOD)
    refused = await set_password(second, OTHER, "not this")
    assert (refused.status_code, refused.json()["code"]) == (403, "password_wrong")
    assert (await set_password(second, OTHER)).json()["code"] == "password_wrong"
    assert (await set_password(second, OTHER, GOOD)).status_code == 204
    assert (await first.get("/api/v1/account")).status_code == 401
    assert (await second.get("/api/v1/account")).status_code == 200
    assert (await browser_of(api, name="ann", password=GOOD))[1].status_code == 401
    assert (await browser_of(api, name="ann", password=OTHER))[1].status_code == 303


async def test_only_a_fresh_login_by_link_replaces_a_forgotten_password(api: Api) -> None:
    owner = await owner_of(api)
    ann, browser = await invited(api, owner, "ann")
    await set_password(browser, GOOD)
    link = (await owner.client.post(f"/api/v1/users/{ann}/login-links")).json()["path"]
    forgetful, _ = await browser_of(api, token=link.partition("#")[2])
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE sessions SET created_at = created_at - interval '16 minutes'")
    assert (await set_password(forgetful, OTHER)).json()["code"] == "password_wrong"
    link = (await owner.client.post(f"/api/v1/users/{ann}/login-links")).json()["path"]
    forgetful, _ = await browser_of(api, token=link.partition("#")[2])
    assert (await set_password(forgetful, OTHER)).status_code == 204


async def test_a_login_gives_a_new_session_and_ends_the_one_it_came_with(api: Api) -> None:
    owner = await owner_of(api)
    _, browser = await invited(api, owner, "ann")
    await set_password(browser, GOOD)
    planted = browser.cookies[SESSION_COOKIE]
    await browser.post("/login", data={"name": "ann", "password": GOOD})
    assert browser.cookies[SESSION_COOKIE] != planted
    thief = await api.client(cookies={SESSION_COOKIE: planted})
    assert (await thief.get("/api/v1/account")).status_code == 401
    made_up = await api.client(headers=PAGE, cookies={SESSION_COOKIE: "chosen-by-somebody"})
    await made_up.post("/login", data={"name": "ann", "password": GOOD})
    assert (await (await api.client(cookies={SESSION_COOKIE: "chosen-by-somebody"})).get("/")).status_code == 401


async def test_sessions_are_listed_and_ended(api: Api) -> None:
    owner = await owner_of(api)
    _, first = await invited(api, owner, "ann")
    await set_password(first, GOOD)
    second = await api.client(headers={**PAGE, "User-Agent": "<b>Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"})
    await second.post("/login", data={"name": "ann", "password": GOOD})
    listed = (await first.get("/api/v1/sessions")).json()["sessions"]
    assert [one["current"] for one in listed] == [True, False]
    assert [one["opened_by"] for one in listed] == ["link", "password"]
    assert {one["address"] for one in listed} == {"127.0.0.1"}
    page = (await first.get("/account")).text
    assert "Firefox on Linux" in page
    assert "<b>" not in page
    async with event_stream(second) as stream:
        await stream.until("snapshot")
        assert (await first.delete(f"/api/v1/sessions/{listed[1]['id']}")).status_code == 204
        while await stream.next(timeout=30) is not None:
            pass  # it ends by itself
    assert (await second.get("/api/v1/account")).status_code == 401
    again = await first.delete(f"/api/v1/sessions/{listed[1]['id']}")
    assert (again.status_code, again.json()["code"]) == (404, "session_not_found")
    await browser_of(api, name="ann", password=GOOD)
    assert (await first.delete("/api/v1/sessions")).json() == {"ended": 1}
    assert (await first.get("/api/v1/account")).status_code == 200


async def test_who_is_deactivated_is_out_at_once_and_loses_nothing(api: Api) -> None:
    owner = await owner_of(api)
    ann, browser = await invited(api, owner, "ann")
    await set_password(browser, GOOD)
    token = (await browser.post("/api/v1/tokens", json={"label": "script"}, headers={"Origin": api.url})).json()[
        "token"
    ]
    script = await api.client(headers={"Authorization": f"Bearer {token}"})
    job = (await script.post("/api/v1/jobs", files={"file": ("a.csv", b"a,b\n1,2\n")})).raise_for_status().json()
    link = (await owner.client.post(f"/api/v1/users/{ann}/login-links")).json()["path"].partition("#")[2]
    async with event_stream(script) as stream:
        await stream.until("snapshot")
        gone = await owner.client.patch(f"/api/v1/users/{ann}", json={"active": False})
        assert gone.json()["deactivated_at"] is not None
        while await stream.next(timeout=30) is not None:
            pass
    for client in (browser, script):
        assert (await client.get("/api/v1/jobs")).status_code == 401
    assert (await browser_of(api, name="ann", password=GOOD))[1].status_code == 401
    assert (await browser_of(api, token=link))[1].json()["code"] == "login_link_invalid"
    assert (await owner.client.post(f"/api/v1/users/{ann}/login-links")).json()["code"] == "user_not_found"
    await owner.client.patch(f"/api/v1/users/{ann}", json={"active": True})
    assert (await script.get("/api/v1/jobs")).status_code == 401, "its tokens are revoked for good"
    back, _ = await browser_of(api, name="ann", password=GOOD)
    assert [one["id"] for one in (await back.get("/api/v1/jobs")).json()["jobs"]] == [job["id"]]


@dataclass
class Held:
    """A request whose head has arrived, and whose body lacks its last bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    last: bytes

    async def answered(self) -> int:
        """Send the rest; the status of the answer."""
        self.writer.write(self.last)
        async with asyncio.timeout(20):
            head = await self.reader.readline()
        self.writer.close()
        return int(head.split()[1])


FORM, JSON = {"Content-Type": "application/x-www-form-urlencoded"}, {"Content-Type": "application/json"}


async def held(api: Api, token: str, request: str, body: bytes, headers: dict[str, str]) -> Held:
    """A request that the gate has let in, as it noted when the token was used."""
    address = urlsplit(api.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    named = {"Host": address.netloc, "Authorization": f"Bearer {token}", "Content-Length": str(len(body)), **headers}
    head = "\r\n".join([f"{request} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items()), "", ""])
    writer.write(head.encode() + body[:-8])
    await writer.drain()
    used, seen = "SELECT last_used_at FROM api_tokens WHERE token_sha256 = sha256(%s)", None
    async with asyncio.timeout(20):
        while seen is None:
            async with api.services.pool.connection() as conn:
                row = await (await conn.execute(used, [token.encode()])).fetchone()
            seen = row and row[0]
    return Held(reader, writer, body[-8:])


async def test_who_was_shut_out_while_a_request_came_is_not_served(api: Api) -> None:
    owner, ann = await owner_of(api), await owner_of(api)
    secrets = [await api.services.accounts.create_token(ann.account.id, f"held {number}") for number in range(5)]
    herself = f"/api/v1/users/{ann.account.id}"
    credential = b"name=x&scope=https://x.example&token=12345"
    again = await held(api, secrets[0], f"PATCH {herself}", b'{"role": "owner"}', JSON)
    page = await held(api, secrets[1], f"POST /users/{ann.account.id}", b"role=owner", FORM)
    token = await held(api, secrets[2], "POST /api/v1/tokens", b'{"label": "another"}', JSON)
    kept = await held(api, secrets[3], "POST /credentials?kind=bearer", credential, FORM)
    good = await held(api, secrets[4], "POST /api/v1/tokens", b'{"label": "good"}', JSON)
    assert (await owner.client.patch(herself, json={"role": "member"})).status_code == 200
    for one in await api.services.accounts.list_tokens(ann.account.id):
        if one.label in {"held 2", "held 3"}:
            await api.services.accounts.revoke_token(ann.account.id, one.id)
    assert [await one.answered() for one in (again, page, token, kept, good)] == [403, 403, 401, 401, 201]
    assert (await ann.client.get("/api/v1/account")).json()["role"] == "member"
    labels = {one.label for one in await api.services.accounts.list_tokens(ann.account.id)}
    assert labels == {"test", "held 0", "held 1", "held 4", "good"}
    assert (await ann.client.get("/api/v1/credentials")).json()["credentials"] == []


async def test_what_was_on_its_way_from_somebody_who_is_shut_out_becomes_no_job(api: Api) -> None:
    owner, ann = await owner_of(api), await api.person()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(VCF)), "Upload-Metadata": "filename YS52Y2Y="}
    begun = await ann.client.post("/api/v1/uploads", headers=tus)
    assert begun.status_code == 201, begun.text
    piece = {
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
        "Content-Type": "application/offset+octet-stream",
    }
    file = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.vcf"\r\n\r\n' + VCF + b"\r\n--b--\r\n"
    secrets = [await api.services.accounts.create_token(ann.account.id, f"held {number}") for number in range(3)]
    whole = await held(api, secrets[0], "POST /api/v1/jobs", file, {"Content-Type": "multipart/form-data; boundary=b"})
    url = await held(api, secrets[1], "POST /api/v1/jobs", b'{"source_url": "https://example.org/a.vcf"}', JSON)
    last = await held(api, secrets[2], f"PATCH {urlsplit(begun.headers['location']).path}", VCF, piece)
    assert (await owner.client.patch(f"/api/v1/users/{ann.account.id}", json={"active": False})).status_code == 200
    assert [await one.answered() for one in (whole, url, last)] == [401, 401, 401]
    async with api.services.pool.connection() as conn:
        rows = await conn.execute("SELECT count(*) FROM jobs WHERE account_id = %s", [ann.account.id])
        assert await rows.fetchone() == (0,)


async def test_the_last_owner_stays_also_when_two_go_at_the_same_moment(api: Api) -> None:
    first, second = await owner_of(api), await owner_of(api)
    users = api.services.users

    async def leave(person: Person, change: UserChange) -> str:
        try:
            await users.change(person.account.id, change)
        except VarloomError as error:
            return error.code
        return "left"

    changes = [(first, UserChange(active=False)), (second, UserChange(role="member"))]
    assert sorted(await asyncio.gather(*(leave(*change) for change in changes))) == ["last_owner", "left"]
    left = [user for user in await users.all() if user.role == "owner" and user.deactivated_at is None]
    assert len(left) == 1


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "OWNER"}, 409, "user_name_taken"),
        ({"name": ""}, 422, "user_invalid"),
        ({"name": " ann"}, 422, "user_invalid"),
        ({"name": "a\u202eb"}, 422, "user_invalid"),
        ({"email": "no address"}, 422, "user_invalid"),
        ({"email": "a@b\nBcc: c@d"}, 422, "user_invalid"),
        ({"role": "god"}, 422, "request_invalid"),
    ],
)
async def test_what_an_account_cannot_be(api: Api, change: dict[str, Any], status: int, code: str) -> None:
    owner = await owner_of(api)
    await owner.client.patch(f"/api/v1/users/{owner.account.id}", json={"name": "owner"})
    ann, _ = await invited(api, owner, "ann")
    answer = await owner.client.patch(f"/api/v1/users/{ann}", json=change)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_members_manage_nobody(api: Api) -> None:
    owner, ben = await owner_of(api), await api.person()
    browser, _ = await browser_of(api, token=await api.services.accounts.create_login_link(ben.account.id))
    target = f"/users/{owner.account.id}"
    for client, method, path in (
        *((ben.client, method, f"/api/v1{path}") for method, path in (("GET", "/users"), ("PATCH", target))),
        (ben.client, "POST", f"/api/v1{target}/login-links"),
        *((browser, method, path) for method, path in (("GET", "/users"), ("POST", target))),
        (browser, "POST", f"{target}/login-link"),
    ):
        body = {"json": {"role": "member"}} if method == "PATCH" else {}
        answer = await client.request(method, path, **body)
        assert answer.status_code == 403, (method, path)
    assert "/users" not in (await browser.get("/account")).text


@given(st.text(min_size=10, max_size=40))
def test_a_password_that_is_taken_stays_as_it_is(text: str) -> None:
    with contextlib.suppress(VarloomError):
        given = password_rules.checked(text, name="ann")
        assert password_rules.checked(given, name="ann") == given


@pytest.mark.parametrize(
    "text", ["", "123456789", "x" * 1025, "aaaaaaaaaaaa", "Password 1234", "ann ann ann ann", "a\0" * 9]
)
def test_what_is_no_password(text: str) -> None:
    with pytest.raises(VarloomError) as caught:
        password_rules.checked(text, name="Ann")
    assert caught.value.code == "password_unfit"
    assert len(text) < 5 or text not in caught.value.message


def test_the_commands(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with serving(data, "--no-worker") as server:
        made = varloom("users", "add", "Ann", "--email", "ann@example.org", data=data)
        assert made.status == 0, made.err
        assert made.out.startswith(f"{server.url}/login#")
        assert varloom("users", "add", "ann", data=data).status == 1
        assert "Ann: owner" in varloom("users", "role", "ann", "owner", data=data).out
        assert varloom("users", "quota", "ann", "1.5TB", data=data).out == "Ann: quota 1.5 TB\n"
        assert "1.5 TB" in varloom("users", "list", data=data).out
        refused = varloom("users", "quota", "ann", "lots", data=data)
        assert (refused.status, "'lots' is no amount" in refused.err) == (1, True), refused.err
        assert "Anna: owner" in varloom("users", "rename", "ANN", "Anna", data=data).out
        assert "Anna: deactivated" in varloom("users", "deactivate", "anna", data=data).out
        assert varloom("users", "login-link", "anna", data=data).status == 1
        assert "Anna: owner" in varloom("users", "activate", "anna", data=data).out
        assert "/login#" in varloom("users", "login-link", "anna", data=data).out
        listed = json.loads(varloom("users", "list", "--json", data=data).out)
        assert [(one["email"], one["role"]) for one in listed if one["name"] == "Anna"] == [
            ("ann@example.org", "owner")
        ]
        assert "links only" in varloom("users", "list", data=data).out
        assert varloom("users", "role", "nobody", "member", data=data).status == 1
        assert varloom("users", "password", "--stdin", data=data, stdin=f"{GOOD}\n".encode()).status == 0
        wrong = varloom("users", "password", "--stdin", data=data, stdin=f"wrong\n{OTHER}\n".encode())
        assert (wrong.status, "present password" in wrong.err) == (1, True)
        assert varloom("users", "password", "--stdin", data=data, stdin=f"{GOOD}\n{OTHER}\n".encode()).status == 0
        listed = json.loads(varloom("users", "list", "--json", data=data).out)
        assert sum(one["has_password"] for one in listed) == 1
        log = "\n".join(server.output)
    assert GOOD not in log
    assert OTHER not in log
