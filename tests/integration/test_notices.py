"""Notices of jobs that have ended: by webhook and mail, signed, never twice while all is well, never lost."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from standardwebhooks import Webhook, WebhookVerificationError
from tests.notice_receivers import PASSWORD, USER, MailBox, mail_server, receiving
from tests.sources import make_authority

from varloom.services.notices import outbox
from varloom.services.notices.mail import MailServer
from varloom.services.notices.opening import open_sender
from varloom.services.sources import vault_of
from varloom.services.stored_secrets import renew_secrets
from varloom.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from api_support import Api, HandWorker, Person
    from tests.notice_receivers import Receiver

CANARY = "kanarienvogel"
PUBLIC = "https://varloom.example.org"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MailBox]:
    authority = make_authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with mail_server(MailBox(), authority.issue("127.0.0.1")) as opened:
        yield opened


@pytest.fixture
def settings(settings: Settings, receiver: Receiver, box: MailBox) -> Settings:
    mail = {"smtp_host": "127.0.0.1", "smtp_port": box.port, "smtp_user": USER, "smtp_password": PASSWORD}
    more = {"public_url": PUBLIC, "mail_from": "lab@example.org", "allowed_endpoints": (receiver.endpoint,)}
    return settings.model_copy(update=mail | more)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing waits for long."""
    monkeypatch.setattr(outbox, "FIRST_DELAY", 0.2)
    monkeypatch.setattr(outbox, "DELAY_FACTOR", 1.0)
    monkeypatch.setattr("varloom.services.notices.sender.LOOK_SECONDS", 0.05)


@pytest.fixture
async def ready(api: Api) -> Api:
    api.services.notices.sender.look_seconds = 0.05
    api.services.notices.sender.wake()
    return api


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.02)
        return found


async def add_webhook(person: Person, url: str, **more: Any) -> tuple[str, Webhook]:
    new = {"name": "lims", "url": url, **more}
    made = (await person.client.post("/api/v1/notices/webhooks", json=new)).raise_for_status().json()
    return made["channel"]["id"], Webhook(made["secret"])


async def sent_to(person: Person, channel: str, **wanted: Any) -> list[dict[str, Any]]:
    answer = await person.client.get(f"/api/v1/notices/{channel}/deliveries", params=wanted)
    return answer.raise_for_status().json()["deliveries"]


async def one_that(person: Person, channel: str, state: str) -> dict[str, Any]:
    """The newest delivery, once it is in this state."""
    async with asyncio.timeout(20):
        while True:
            found = await sent_to(person, channel)
            if found and found[0]["state"] == state:
                return found[0]
            await asyncio.sleep(0.05)


async def channel_of(person: Person, channel: str) -> dict[str, Any]:
    found = (await person.client.get("/api/v1/notices")).json()["channels"]
    return next(one for one in found if one["id"] == channel)


async def confirmed_email(person: Person, box: MailBox, address: str = "ann@example.org", **more: Any) -> str:
    saved = (await person.client.put("/api/v1/notices/email", json={"address": address, **more})).raise_for_status()
    token = confirmation_in(box)
    confirmed = await person.client.post("/api/v1/notices/email/confirm", json={"token": token})
    assert confirmed.json()["confirmed"], confirmed.text
    return str(saved.json()["id"])


def confirmation_in(box: MailBox) -> str:
    found = re.search(r"confirm=(\S+)", box.mails[-1].get_content())
    assert found
    return found[1]


async def gathered_at_once(api: Api) -> None:
    """Mails wait for nothing more."""
    async with api.services.pool.connection() as conn:
        await conn.execute("UPDATE notices SET at = at - interval '2 minutes' WHERE delivery_id IS NULL")


async def claimed(api: Api) -> int:
    """How many deliveries are under way."""
    async with api.services.pool.connection() as conn:
        cursor = await conn.execute("SELECT count(*) FROM notice_deliveries WHERE claim IS NOT NULL")
        [number] = await cursor.fetchone() or [0]
    return int(number)


async def test_a_webhook_is_told_of_each_job_signed_and_without_what_is_secret(
    ready: Api, worker: HandWorker, receiver: Receiver
) -> None:
    ann = await ready.person()
    channel, webhook = await add_webhook(ann, receiver.url(f"/hook/{CANARY}?key={CANARY}"))
    done = await ann.upload(name=f"{CANARY}.vcf")
    sample = await worker.complete(await worker.claim())
    failed = await ann.upload(name=f"{CANARY}.vcf")
    await worker.fail(await worker.claim())
    cancelled = await ann.upload()
    assert (await ann.client.post(f"/api/v1/jobs/{cancelled['id']}/cancel")).is_success
    await until(lambda: len(receiver.calls) == 2)
    told = {}
    for call in receiver.calls:
        payload = webhook.verify(call.body, call.headers)
        told[payload["type"]] = payload["data"]
        assert call.path == f"/hook/{CANARY}?key={CANARY}"
        assert CANARY.encode() not in call.body, "sample names are not told"
        assert b"CHROM" not in call.body, "nothing of the file is told"
        with pytest.raises(WebhookVerificationError):
            webhook.verify(call.body + b" ", call.headers)
    assert told["job.completed"]["job_id"] == done["id"]
    assert (told["job.completed"]["sample_id"], told["job.completed"]["records"]) == (sample, 3)
    assert told["job.failed"]["job_id"] == failed["id"]
    assert told["job.failed"]["error"] == {"code": "vcf_header", "title": "Malformed VCF header", "stage": "parse"}
    assert told["job.failed"]["url"] == f"{PUBLIC}/jobs/{failed['id']}"
    await one_that(ann, channel, "sent")
    listed = await sent_to(ann, channel)
    assert {one["id"] for one in listed} == {call.headers["webhook-id"] for call in receiver.calls}
    assert {(one["state"], one["status"], one["attempts"]) for one in listed} == {("sent", 204, 1)}
    shown = (await ann.client.get("/api/v1/notices")).text
    page = (await ann.client.get("/account/notices", headers={"Accept": "text/html"})).text
    assert CANARY not in shown + page


async def test_a_webhook_that_fails_is_tried_again_under_the_same_id_and_holds_up_nobody_else(
    ready: Api, worker: HandWorker, receiver: Receiver
) -> None:
    ann, ben = await ready.person(), await ready.person()
    tries = iter([500, 302, 429])
    receiver.answers = lambda call: next(tries, 200) if call.path == "/ann" else 200
    receiver.location = receiver.url("/elsewhere")
    channel, webhook = await add_webhook(ann, receiver.url("/ann"))
    await add_webhook(ben, receiver.url("/ben"))
    await ann.upload()
    await worker.complete(await worker.claim())
    await until(lambda: sum(call.path == "/ann" for call in receiver.calls) == 1)
    await ben.upload()
    await worker.complete(await worker.claim())
    await one_that(ann, channel, "sent")
    of_ann = [call for call in receiver.calls if call.path == "/ann"]
    assert len(of_ann) == 4
    assert len({call.headers["webhook-id"] for call in of_ann}) == len({call.body for call in of_ann}) == 1
    assert all(webhook.verify(call.body, call.headers) for call in of_ann)
    assert "/elsewhere" not in {call.path for call in receiver.calls}, "redirects are not followed"
    assert [call.path for call in receiver.calls].count("/ben") == 1
    assert (await channel_of(ann, channel))["failing_since"] is None


async def test_a_webhook_that_wants_no_more_is_disabled_until_it_is_enabled(
    ready: Api, worker: HandWorker, receiver: Receiver
) -> None:
    ann = await ready.person()
    receiver.answers = lambda _: 410
    channel, _ = await add_webhook(ann, receiver.url())
    await ann.upload()
    await worker.complete(await worker.claim())
    gone = await one_that(ann, channel, "given_up")
    assert (gone["status"], "410" in gone["problem"]) == (410, True)
    assert (await channel_of(ann, channel))["disabled_at"]
    await ann.upload()
    await worker.complete(await worker.claim())
    assert len(await sent_to(ann, channel)) == 1, "nothing more is noted for it"
    assert "Nothing is sent there" in (await ann.client.get("/account/notices", headers={"Accept": "text/html"})).text
    receiver.answers = lambda _: 204
    address = f"/api/v1/notices/{channel}"
    assert (await ann.client.patch(address, json={"enabled": True})).json()["disabled_at"] is None
    again = await ann.client.post(f"{address}/deliveries/{gone['id']}/again")
    assert again.status_code == 202, again.text
    await one_that(ann, channel, "sent")
    assert {call.headers["webhook-id"] for call in receiver.calls} == {gone["id"]}
    assert (await ann.client.patch(address, json={"completed": False, "failed": False})).status_code == 422


async def test_what_fails_for_days_is_given_up_and_disabled(ready: Api, worker: HandWorker, receiver: Receiver) -> None:
    ann = await ready.person()
    receiver.answers = lambda _: 503
    channel, _ = await add_webhook(ann, receiver.url())
    await ann.upload()
    await worker.complete(await worker.claim())
    await until(lambda: len(receiver.calls) >= 1)
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_deliveries SET first_tried_at = now() - interval '25 hours'")
        await conn.execute("UPDATE notice_channels SET next_at = now()")
    given_up = await one_that(ann, channel, "given_up")
    assert given_up["problem"] == "It answered 503; expected was 200 to 299."
    assert (await channel_of(ann, channel))["disabled_at"] is None
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_channels SET failing_since = now() - interval '73 hours', failures = 30")
    await ann.upload()
    await worker.complete(await worker.claim())
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_channels SET next_at = now()")
    await one_that(ann, channel, "given_up")
    assert "3 days" in (await channel_of(ann, channel))["disabled_because"]


HOSTILE = [
    "http://{endpoint}@127.0.0.1/",
    "http://user:kanarienvogel@{endpoint}/",
    "http://127.0.0.1:1/",
    "http://example.org/hook",
    "ftp://example.org/",
    "https://",
    "https:///hook",
    "https://example.org\\@127.0.0.1/",
    "https://example.org/a b",
    "https://example.org/\r\nX: y",
    "https://example.org:99999/",
    "https://example.org/" + "x" * 2048,
    "javascript:alert(1)",
    "",
]


async def test_an_url_that_is_none_is_refused_without_repeating_it(
    ready: Api, receiver: Receiver, subtests: pytest.Subtests
) -> None:
    ann = await ready.person()
    for url in HOSTILE:
        with subtests.test(url[:60]):
            new = {"name": "x", "url": url.format(endpoint=receiver.endpoint)}
            answer = await ann.client.post("/api/v1/notices/webhooks", json=new)
            assert (answer.status_code, answer.json()["code"]) == (422, "notice_invalid"), answer.text
            assert CANARY not in answer.text
    assert receiver.calls == []


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:{port}/", "https://localhost:{port}/", "https://[::ffff:127.0.0.1]:{port}/"]
)
async def test_a_webhook_never_reaches_an_address_that_is_not_public(
    ready: Api, worker: HandWorker, receiver: Receiver, url: str
) -> None:
    ann = await ready.person()
    with receiving() as inside:
        channel, _ = await add_webhook(ann, url.format(port=inside.port))
        tested = (await ann.client.post(f"/api/v1/notices/{channel}/test")).raise_for_status().json()
        assert (tested["state"], "no public address" in tested["problem"]) == ("given_up", True)
        await ann.upload()
        await worker.complete(await worker.claim())
        async with asyncio.timeout(30):
            while (found := (await sent_to(ann, channel))[0])["is_test"] or found["problem"] is None:
                await asyncio.sleep(0.05)
        assert "no public address" in found["problem"]
        assert inside.calls == []
    assert receiver.calls == []


async def test_the_body_of_an_answer_is_not_read(ready: Api, receiver: Receiver) -> None:
    ann = await ready.person()
    receiver.endless = True
    receiver.answers = lambda _: 200
    channel, _ = await add_webhook(ann, receiver.url())
    tested = (await ann.client.post(f"/api/v1/notices/{channel}/test")).raise_for_status().json()
    assert (tested["state"], tested["is_test"], tested["status"]) == ("sent", True, 200)
    assert receiver.sent < 32 * 1024**2
    payload = json.loads(receiver.calls[0].body)
    assert payload["type"] == "test"


async def test_a_webhook_that_does_not_answer_is_given_up_in_time(
    ready: Api, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ann = await ready.person()
    sender = ready.services.notices.sender
    monkeypatch.setattr(sender, "caller", type(sender.caller)(sender.caller.guard, timeout=0.5))
    receiver.hold.set()
    channel, _ = await add_webhook(ann, receiver.url())
    tested = (await ann.client.post(f"/api/v1/notices/{channel}/test")).raise_for_status().json()
    assert tested["problem"] == "There was no answer within 0.5 seconds."


async def test_for_a_day_after_a_change_both_secrets_hold(ready: Api, receiver: Receiver) -> None:
    ann = await ready.person()
    channel, former = await add_webhook(ann, receiver.url())
    made = (await ann.client.post(f"/api/v1/notices/{channel}/secret")).raise_for_status().json()
    assert made["secret"].startswith("whsec_")
    await ann.client.post(f"/api/v1/notices/{channel}/test")
    [call] = receiver.calls
    assert call.headers["webhook-signature"].count("v1,") == 2
    for webhook in (former, Webhook(made["secret"])):
        assert webhook.verify(call.body, call.headers)["type"] == "test"


async def test_two_servers_send_nothing_twice(
    ready: Api, worker: HandWorker, receiver: Receiver, settings: Settings
) -> None:
    ann = await ready.person()
    other = open_sender(ready.services.pool, settings, vault_of(settings))
    other.look_seconds = 0.01
    running = asyncio.create_task(other.run())
    try:
        for number in range(3):
            await add_webhook(ann, receiver.url(f"/{number}"))
        for _ in range(12):
            await ann.upload()
            await worker.complete(await worker.claim())
        await until(lambda: len(receiver.calls) >= 36)
        await asyncio.sleep(0.3)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    ids = [call.headers["webhook-id"] for call in receiver.calls]
    assert (len(ids), len(set(ids))) == (36, 36)


async def test_what_a_dead_server_had_claimed_is_sent_by_another_one(
    ready: Api, worker: HandWorker, receiver: Receiver, settings: Settings
) -> None:
    ann = await ready.person()
    channel, _ = await add_webhook(ann, receiver.url())
    receiver.hold.set()
    await ann.upload()
    await worker.complete(await worker.claim())
    await until(lambda: len(receiver.calls) == 1)
    other = open_sender(ready.services.pool, settings, vault_of(settings))
    await other.look()
    assert len(receiver.calls) == 1, "the claim holds"
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_deliveries SET claimed_until = now()")
    await other.look()
    await until(lambda: len(receiver.calls) == 2)
    receiver.hold.clear()
    await one_that(ann, channel, "sent")
    await other.close()
    [delivery] = await sent_to(ann, channel)
    assert delivery["attempts"] == 2, "the one that lost its claim has noted nothing"
    assert len({call.headers["webhook-id"] for call in receiver.calls}) == 1


async def test_an_address_is_sent_nothing_before_it_is_confirmed(ready: Api, worker: HandWorker, box: MailBox) -> None:
    ann, ben = await ready.person(), await ready.person()
    saved = (await ann.client.put("/api/v1/notices/email", json={"address": "ann@example.org"})).json()
    assert saved["confirmed"] is False
    assert box.to == [["ann@example.org"]]
    first = confirmation_in(box)
    await ann.upload()
    await worker.complete(await worker.claim())
    assert (await ann.client.post(f"/api/v1/notices/{saved['id']}/test")).json()["code"] == "notice_not_confirmed"
    wrong = {"token": first[:-1] + ("A" if first[-1] != "A" else "B")}
    for person, proof in ((ben, {"token": first}), (ann, wrong)):
        refused = await person.client.post("/api/v1/notices/email/confirm", json=proof)
        assert refused.json()["code"] == "notice_confirmation_invalid"
    assert (await ann.client.put("/api/v1/notices/email", json={"address": "ann@example.org"})).is_success
    assert (await ann.client.post("/api/v1/notices/email/confirm", json={"token": first})).status_code == 422, "newer"
    second = confirmation_in(box)
    assert (await ann.client.post("/api/v1/notices/email/confirm", json={"token": second})).json()["confirmed"]
    assert (await ann.client.post("/api/v1/notices/email/confirm", json={"token": second})).status_code == 422, "once"
    moved = (await ann.client.put("/api/v1/notices/email", json={"address": "ann@example.com"})).json()
    assert moved["confirmed"] is False
    await ann.upload()
    await worker.complete(await worker.claim())
    await gathered_at_once(ready)
    await asyncio.sleep(0.5)
    assert [mail["Subject"] for mail in box.mails] == ["Varloom: confirm this address"] * 3
    async with ready.services.pool.connection() as conn:
        held = await (await conn.execute("SELECT to_jsonb(c)::text FROM notice_confirmations c")).fetchall()
    assert first not in str(held)
    assert second not in str(held)


async def test_mails_that_confirm_are_few(ready: Api, box: MailBox) -> None:
    people = [await ready.person() for _ in range(3)]
    for number in range(5):
        answer = await people[0].client.put("/api/v1/notices/email", json={"address": f"a{number}@example.org"})
        assert answer.is_success
    refused = await people[0].client.put("/api/v1/notices/email", json={"address": "b@example.org"})
    assert (refused.status_code, refused.json()["code"]) == (429, "notices_limited")
    assert int(refused.headers["retry-after"]) > 0
    [kept] = (await people[0].client.get("/api/v1/notices")).json()["channels"]
    assert kept["target"] == "a4@example.org"
    for person in people[1:]:
        for address in ("victim@example.org", "Victim@example.org", "VICTIM@EXAMPLE.ORG"):
            last = await person.client.put("/api/v1/notices/email", json={"address": address})
            if last.is_success:  # to remove it does not let more through
                assert (await person.client.delete(f"/api/v1/notices/{last.json()['id']}")).is_success
    assert last.status_code == 429
    assert sum(to[0].lower() == "victim@example.org" for to in box.to) == 5


async def test_many_jobs_are_one_mail(ready: Api, worker: HandWorker, box: MailBox) -> None:
    ann = await ready.person()
    channel = await confirmed_email(ann, box)
    jobs = [await ann.upload(name=f"{CANARY}.vcf") for _ in range(7)]
    for _ in range(6):
        await worker.complete(await worker.claim())
    await worker.fail(await worker.claim())
    await asyncio.sleep(0.3)
    assert len(box.raw) == 1, "it waits for more"
    await gathered_at_once(ready)
    await until(lambda: len(box.raw) == 2)
    mail = box.mails[1]
    assert (mail["Subject"], mail["To"], mail["From"]) == (
        "Varloom: 1 job failed, 6 completed",
        "ann@example.org",
        "Varloom <lab@example.org>",
    )
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content().replace("\r\n", "\n")
    assert all(f"{PUBLIC}/jobs/{job['id']}" in text for job in jobs)
    assert text.startswith("failed (parse): vcf_header - Malformed VCF header\n")
    assert CANARY not in text
    sent = await one_that(ann, channel, "sent")
    assert (sent["jobs"], sent["attempts"]) == (7, 1)
    assert mail["Message-ID"] == f"<{sent['id']}@example.org>"
    await ann.upload()
    await worker.complete(await worker.claim())
    await gathered_at_once(ready)
    await asyncio.sleep(0.3)
    assert len(box.raw) == 2, "the next one comes after a minute at the earliest"
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_channels SET last_mail_at = now() - interval '61 seconds'")
    await until(lambda: len(box.raw) == 3)
    async with ready.services.pool.connection() as conn:
        row = await (await conn.execute("SELECT mail_gap FROM notice_channels")).fetchone()
    assert row == (120,), "and the one after that after two"
    assert (await ann.client.post(f"/api/v1/notices/{channel}/test")).json()["state"] == "sent"
    assert box.mails[-1]["Subject"] == "Varloom: a test"


async def test_mails_wait_until_the_mail_server_is_there_again(ready: Api, worker: HandWorker, box: MailBox) -> None:
    ann = await ready.person()
    channel = await confirmed_email(ann, box)
    box.refusal = "451 try later"
    async with ready.services.pool.connection() as conn:
        assert (await outbox.waiting(conn))["email"] == (0, 0.0)
    await ann.upload()
    await worker.complete(await worker.claim())
    await gathered_at_once(ready)
    async with asyncio.timeout(30):
        while (found := await sent_to(ann, channel))[:1] == [] or found[0]["attempts"] < 2:
            await asyncio.sleep(0.05)
    assert (found[0]["status"], "451" in found[0]["problem"]) == (451, True)
    async with ready.services.pool.connection() as conn:
        [number, age] = (await outbox.waiting(conn))["email"]
    assert (number, 0 < age < 60) == (1, True), "the operator sees that it waits"
    box.refusal = ""
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_channels SET next_at = now()")
    await one_that(ann, channel, "sent")
    assert len(box.raw) == 2


ADDRESSES = [
    "ann@example.org\r\nBcc: eve@example.org",
    "ann@example.org\nBcc: eve@example.org",
    "ann@example.org, eve@example.org",
    "Ann <ann@example.org>",
    '"ann eve"@example.org',
    "ann@example.org> NOTIFY=NEVER",
    "ann@[127.0.0.1]",
    "ann@exa mple.org",
    "ann@\u00e9xample.org",
    "@example.org",
    "ann",
    "",
    "a" * 250 + "@example.org",
]


async def test_an_address_is_nothing_else_in_any_header(ready: Api, box: MailBox, subtests: pytest.Subtests) -> None:
    ann = await ready.person()
    for address in ADDRESSES:
        with subtests.test(address[:40]):
            answer = await ann.client.put("/api/v1/notices/email", json={"address": address})
            assert answer.status_code == 422, answer.text
    assert box.raw == []


@pytest.fixture
def told_names(settings: Settings) -> Settings:
    return settings.model_copy(update={"notice_names": True})


async def test_names_are_told_where_the_operator_wants_it_and_change_no_header(
    ready: Api, worker: HandWorker, box: MailBox, receiver: Receiver, told_names: Settings
) -> None:
    ann = await ready.person()
    ready.services.notices.sender.settings = told_names
    await confirmed_email(ann, box)
    _, webhook = await add_webhook(ann, receiver.url())
    name = "NA12878 \u2603 Bcc: eve@example.org"
    await ann.upload(sample_name=name)
    await worker.complete(await worker.claim())
    await gathered_at_once(ready)
    await until(lambda: len(box.raw) == 2 and receiver.calls)
    mail = box.mails[1]
    assert f"{name}: completed with 3 records" in mail.get_content()
    assert (mail["Bcc"], mail["Subject"]) == (None, "Varloom: 1 job completed")
    assert box.to[1] == ["ann@example.org"]
    assert webhook.verify(receiver.calls[0].body, receiver.calls[0].headers)["data"]["sample_name"] == name


async def test_who_is_deactivated_is_told_nothing(
    ready: Api, worker: HandWorker, receiver: Receiver, box: MailBox
) -> None:
    ann = await ready.person()
    receiver.answers = lambda _: 500
    channel, _ = await add_webhook(ann, receiver.url())
    await confirmed_email(ann, box)
    for _ in range(3):
        await ann.upload()
    await worker.complete(await worker.claim())
    await until(lambda: receiver.calls)
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = now() WHERE id = %s", [ann.account.id])
    async with asyncio.timeout(20):  # what was under way comes to its end
        while await claimed(ready):
            await asyncio.sleep(0.05)
    called = len(receiver.calls)
    await worker.complete(await worker.claim())
    await worker.fail(await worker.claim())
    await gathered_at_once(ready)
    await ready.services.notices.sender.outbox.tidy(30)
    await asyncio.sleep(0.5)
    assert (len(receiver.calls), len(box.raw)) == (called, 1)
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE accounts SET deactivated_at = NULL WHERE id = %s", [ann.account.id])
    assert [one["state"] for one in await sent_to(ann, channel)] == ["given_up"]


async def test_no_secret_of_a_notice_is_kept_or_logged(
    ready: Api, worker: HandWorker, receiver: Receiver, box: MailBox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    ann = await ready.person()
    receiver.answers = lambda _: 500
    channel, _ = await add_webhook(ann, receiver.url(f"/{CANARY}?x={CANARY}"))
    made = (await ann.client.post(f"/api/v1/notices/{channel}/secret")).json()["secret"]
    await confirmed_email(ann, box)
    token = confirmation_in(box)
    box.refusal = "535 no"
    await ann.upload()
    await worker.complete(await worker.claim())
    await gathered_at_once(ready)
    await until(lambda: "Could not send the notice" in caplog.text)
    await asyncio.sleep(0.3)
    written = caplog.text
    async with ready.services.pool.connection() as conn:
        tables = await conn.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
            " AND table_type = 'BASE TABLE'"
        )
        for (table,) in await tables.fetchall():
            written += str(await (await conn.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')).fetchall())
    key = made.removeprefix("whsec_")
    for secret in (CANARY, key, token, PASSWORD):
        assert secret not in written
    assert PASSWORD not in repr(ready.services.settings)


async def test_a_list_of_what_was_sent_ends_after_a_while(ready: Api, receiver: Receiver) -> None:
    ann = await ready.person()
    channel, _ = await add_webhook(ann, receiver.url())
    for _ in range(10):
        assert (await ann.client.post(f"/api/v1/notices/{channel}/test")).is_success
    refused = await ann.client.post(f"/api/v1/notices/{channel}/test")
    assert (refused.status_code, refused.json()["code"]) == (429, "notices_limited")
    async with ready.services.pool.connection() as conn:
        await conn.execute("UPDATE notice_deliveries SET ended_at = now() - interval '31 days' WHERE is_test")
    await ready.services.notices.sender.outbox.tidy(30)
    assert await sent_to(ann, channel) == []


async def test_a_webhook_outlasts_a_change_of_the_key(
    ready: Api, receiver: Receiver, settings: Settings, database_url: str
) -> None:
    ann = await ready.person()
    channel, webhook = await add_webhook(ann, receiver.url())
    new, old = Fernet.generate_key().decode(), (settings.data / "secret.key").read_text().strip()
    vault = vault_of(settings.model_copy(update={"secret_keys": (new, old)}))
    assert (await asyncio.to_thread(renew_secrets, database_url, vault)).renewed == 1
    ready.services.notices.sender.vault = vault_of(settings.model_copy(update={"secret_keys": (new,)}))
    assert (await ann.client.post(f"/api/v1/notices/{channel}/test")).json()["state"] == "sent"
    assert webhook.verify(receiver.calls[0].body, receiver.calls[0].headers)


async def test_nothing_piles_up_where_no_server_sends_mails(ready: Api, worker: HandWorker, box: MailBox) -> None:
    ann = await ready.person()
    await confirmed_email(ann, box)
    ready.services.notices.sender.mail = MailServer(Settings(data=ready.services.settings.data))
    await ann.upload()
    await worker.complete(await worker.claim())
    tidy = ready.services.notices.sender.outbox.tidy
    async with ready.services.pool.connection() as conn:
        await tidy(30)
        assert (await outbox.waiting(conn))["email"][0] == 1
        await conn.execute("UPDATE notices SET at = at - interval '31 days'")
        await conn.commit()
        await tidy(30)
        assert (await outbox.waiting(conn))["email"][0] == 0
    assert len(box.raw) == 1
