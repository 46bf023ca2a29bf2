"""Notices as people set them up in a browser: an address with its link, a webhook with its secret, a test of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from standardwebhooks import Webhook
from tests.notice_receivers import PASSWORD, USER, MailBox, mail_server, receiving, until
from tests.sources import make_authority

from running import QUICK, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.notice_receivers import Receiver
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[MailBox, Path]]:
    authority = make_authority(tmp_path_factory.mktemp("mail"))
    with mail_server(MailBox(), authority.issue("127.0.0.1")) as opened:
        yield opened, authority.file


@pytest.fixture(scope="module")
def server(module_data_folder: Path, receiver: Receiver, box: tuple[MailBox, Path]) -> Iterator[Server]:
    mail = {
        "SSL_CERT_FILE": str(box[1]),
        "VARLOOM_SMTP_HOST": "127.0.0.1",
        "VARLOOM_SMTP_PORT": str(box[0].port),
        "VARLOOM_SMTP_USER": USER,
        "VARLOOM_SMTP_PASSWORD": PASSWORD,
        "VARLOOM_MAIL_FROM": "lab@example.org",
        "VARLOOM_PUBLIC_URL": "https://varloom.example.org",
    }
    with serving(module_data_folder, VARLOOM_ALLOWED_ENDPOINTS=receiver.endpoint, **mail, **QUICK) as running:
        yield running


def test_an_address_is_confirmed_by_its_link(visitor: Visitor, box: tuple[MailBox, Path]) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto("/samples")
    page.get_by_role("button", name="Account and appearance").click()
    visitor.follow(page.get_by_role("link", name="Notices"))
    page.get_by_label("Address").fill("ann@example.org")
    page.locator("#notices-area").get_by_label("Completed jobs").first.uncheck()
    page.get_by_role("button", name="Send me mails").click()
    expect(page.get_by_role("status").first).to_contain_text("A mail is on its way to ann@example.org")
    expect(page.get_by_text("Not confirmed")).to_be_visible()
    found = re.search(r"https://varloom\.example\.org(\S+)", box[0].mails[-1].get_content())
    assert found
    visitor.goto(found[1])
    expect(page.get_by_text("Confirm ann@example.org.")).to_be_visible()
    assert violations(page) == []
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status").first).to_contain_text("ann@example.org is confirmed.")
    page.get_by_role("button", name="Send a test to e-mail").click()
    expect(page.get_by_text("The other side answered 250.")).to_be_visible()
    expect(page.get_by_label("Completed jobs").first).not_to_be_checked()
    visitor.goto(found[1])
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("alert").filter(has_text="cannot be confirmed")).to_be_visible()


def states_of_sent(server: Server) -> list[str]:
    """The states of all that goes to the webhook."""
    channels = server.client.get("notices").raise_for_status().json()["channels"]
    [hook] = [one for one in channels if one["kind"] == "webhook"]
    sent = server.client.get(f"notices/{hook['id']}/deliveries").raise_for_status().json()["deliveries"]
    return [one["state"] for one in sent]


def test_a_webhook_is_added_tested_and_removed(visitor: Visitor, receiver: Receiver) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto("/account/notices")
    page.get_by_label("Name", exact=True).fill("LIMS")
    page.get_by_role("textbox", name="URL kept encrypted").fill("http://example.org/x")
    page.get_by_role("button", name="Add").click()
    expect(page.get_by_role("alert").filter(has_text="use https://")).to_be_visible()
    page.get_by_role("textbox", name="URL kept encrypted").fill(receiver.url("/hook"))
    page.get_by_role("button", name="Add").click()
    secret = page.get_by_label("Secret of LIMS").input_value()
    assert violations(page) == []
    page.get_by_role("button", name="Send a test to LIMS").click()
    expect(page.get_by_text("The other side answered 204.")).to_be_visible()
    [call] = receiver.calls
    assert Webhook(secret).verify(call.body, call.headers)["type"] == "test"
    visitor.server.at_rest(visitor.server.submit(b"a,b\n1,2\n", "a.csv")["id"])
    until(lambda: len(receiver.calls) == 2)
    until(lambda: states_of_sent(visitor.server) == ["sent", "sent"])  # only then can it be sent again
    page.set_viewport_size({"width": 360, "height": 700})
    page.emulate_media(color_scheme="dark")
    visitor.goto("/account/notices")
    page.get_by_text("What was sent to LIMS").click()
    expect(page.get_by_role("list", name="Sent to LIMS").get_by_role("listitem")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    assert violations(page) == []
    page.get_by_role("button", name=re.compile("Send again: 1 job")).click()
    until(lambda: len(receiver.calls) == 3)
    assert receiver.calls[1].headers["webhook-id"] == receiver.calls[2].headers["webhook-id"]
    page.get_by_role("button", name="Switch off LIMS").click()
    page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    expect(page.get_by_text("Nothing is sent there.")).to_be_visible()
    page.get_by_role("button", name="Enable LIMS").click()
    expect(page.get_by_text("Nothing is sent there.")).to_have_count(0)
    page.get_by_role("button", name="Remove LIMS").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("list", name="Webhooks").get_by_role("listitem")).to_have_count(0)
