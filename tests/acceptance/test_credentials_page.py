"""Credentials as people use them in a browser: store one, test it, see a failed download mend, remove it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from tests.sources import Source
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

TOKEN = "canary-token"
TABLE = b"a,b\n1,2\n"


@pytest.fixture(scope="module")
def source(source: Source) -> Source:
    source.serve_to_bearer("/private.csv", TABLE, TOKEN)
    return source


def store(visitor: Visitor, source: Source, token: str, *, replace: bool = False) -> None:
    page = visitor.page
    visitor.goto("/credentials?kind=bearer")
    page.get_by_label("Name", exact=True).fill("lab")
    page.get_by_label("Scope", exact=True).fill(source.url(""))
    page.get_by_label("Token", exact=True).fill(token)
    if replace:
        page.get_by_label("Replace the one of this name").check()
    page.get_by_role("button", name="Store").click()
    expect(page.get_by_label("Name", exact=True)).to_have_value("")  # the page has been drawn anew
    expect(page.get_by_role("list", name="Stored credentials")).to_contain_text("lab")


def test_a_private_file_fails_in_words_and_loads_with_a_credential(visitor: Visitor, source: Source) -> None:
    visitor.log_in()
    page = visitor.page
    page.click("#jobs-button")
    url = source.url("/private.csv")
    visitor.server.client.post("jobs", json={"source_url": url, "sample_name": "private"}).raise_for_status()
    visitor.wait_for_state("private", "failed")
    entry = visitor.entry("private")
    expect(entry).to_contain_text("Download failed: the file is not public")
    expect(entry).to_contain_text("answers 401")
    expect(entry).to_contain_text(url)
    expect(entry).to_contain_text("--credential NAME")

    page.get_by_role("button", name="Account and appearance").click()
    visitor.follow(page.get_by_role("link", name="Credentials"))
    expect(page.get_by_role("heading", name="No credentials")).to_be_visible()
    store(visitor, source, "wrong")
    page.get_by_label("URL of a file to test lab on").fill(url)
    page.get_by_role("button", name="Test access of lab").click()
    expect(page.get_by_role("status").filter(has_text="401")).to_contain_text("the key or signature is wrong")
    store(visitor, source, TOKEN, replace=True)
    page.get_by_label("URL of a file to test lab on").fill(url)
    page.get_by_role("button", name="Test access of lab").click()
    expect(page.get_by_text("Access granted")).to_be_visible()
    assert TOKEN not in page.content()
    assert violations(page) == []

    page.click("#jobs-button")
    expect(entry).to_contain_text("the source would answer the same")
    expect(entry.get_by_role("button", name="Upload mended file")).to_have_count(0)
    entry.get_by_role("button", name="Retry with changes").click()
    changes = page.get_by_role("dialog", name="Retry private with changes")
    changes.get_by_label("Credential").select_option("lab")
    assert violations(page) == []
    changes.get_by_role("button", name="Retry", exact=True).click()
    visitor.wait_for_state("private", "completed")
    page.get_by_role("button", name="Remove lab").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    expect(page.get_by_role("list", name="Stored credentials").get_by_role("listitem")).to_have_count(0)


def test_nothing_is_wider_than_a_narrow_window(browser: Browser, server: Server, source: Source) -> None:
    with visiting(browser, server) as visitor:
        visitor.log_in()
        visitor.page.set_viewport_size({"width": 360, "height": 700})
        store(visitor, source, TOKEN, replace=True)
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
        visitor.page.emulate_media(color_scheme="dark")
        assert violations(visitor.page) == []


def test_a_retry_and_its_reason_are_seen(visitor: Visitor, source: Source) -> None:
    visitor.log_in()
    visitor.page.click("#jobs-button")
    source.serve("/busy.csv", status=429, headers={"Retry-After": "600"})
    asked = {"source_url": source.url("/busy.csv"), "sample_name": "busy"}
    visitor.server.client.post("jobs", json=asked).raise_for_status()
    entry = visitor.entry("busy")
    expect(entry).to_contain_text("the source asks to wait")
    expect(entry).to_contain_text("Attempt 2 of 4")
    expect(entry).to_contain_text("answers 429")
    expect(entry.get_by_role("button", name="Retry with changes")).to_have_count(0)
    source.serve("/busy.csv", TABLE)
    entry.get_by_role("button", name="Retry now").press("Enter")
    visitor.wait_for_state("busy", "completed")


def test_what_is_refused_is_told_beside_the_form_and_keeps_what_was_written(visitor: Visitor, source: Source) -> None:
    visitor.log_in()
    page = visitor.page
    store(visitor, source, TOKEN, replace=True)
    asked = page.get_by_label("URL of a file to test lab on")
    for url, said in (
        ("s3://bucket/else.vcf", "The credential is for"),
        ("/home/ann/mine.vcf", "A URL begins with https://"),
    ):
        asked.fill(url)
        asked.press("Enter")
        told = page.get_by_role("list", name="Stored credentials").get_by_role("status")
        expect(told).to_contain_text(said)
        expect(told.locator("li").first).not_to_be_empty()
        expect(asked).to_have_value(url)
    page.get_by_label("Name", exact=True).fill("lab")
    page.get_by_label("Scope", exact=True).fill("ftp://example.org")
    page.get_by_label("Token", exact=True).fill(TOKEN)
    page.get_by_role("button", name="Store").press("Enter")
    refused = page.locator(".credential-form").get_by_role("alert")
    expect(refused.locator("li").first).not_to_be_empty()
    expect(page.get_by_label("Scope", exact=True)).to_have_value("ftp://example.org")
    expect(page.get_by_role("button", name="Store")).to_be_focused()
    expect(page.locator("#toasts > *")).to_have_count(0)
    assert violations(page) == []
