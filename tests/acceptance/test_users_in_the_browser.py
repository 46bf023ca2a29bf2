"""Letting somebody in: invite, set a password, log out, log in again, log the other browser out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser

PASSWORD = "four words of mine"


def log_in_by_password(visitor: Visitor, password: str) -> None:
    visitor.page.get_by_label("Name", exact=True).fill("Ann")
    visitor.page.get_by_label("Password", exact=True).fill(password)
    visitor.page.get_by_role("button", name="Log in", exact=True).click()


def test_somebody_is_let_in_and_comes_back(visitor: Visitor, browser: Browser, server: Server) -> None:
    page = visitor.page
    visitor.log_in()
    page.get_by_role("button", name="Account and appearance").click()
    visitor.follow(page.get_by_role("link", name="Users"))
    users = page.get_by_role("list", name="Users")
    expect(users.get_by_role("listitem")).to_have_count(1)
    page.get_by_label("Name with which").fill("Ann")
    page.get_by_role("button", name="Make the account").click()
    link = page.get_by_label("Login link for Ann").first
    expect(link).to_have_value(f"{server.url}/login#" + link.input_value().partition("#")[2])
    expect(users.get_by_role("listitem")).to_have_count(2)
    assert violations(page) == []
    page.get_by_label("Name with which").fill("ANN")
    page.get_by_role("button", name="Make the account").click()
    expect(page.locator("#user-refused")).to_contain_text("The name is taken")
    expect(page.get_by_label("Name with which")).to_have_value("ANN")

    with visiting(browser, server) as ann, visiting(browser, server) as elsewhere:
        ann.page.goto(link.input_value())
        ann.page.wait_for_url("**/samples")
        ann.goto("/account")
        ann.page.get_by_label("New password at least").fill(PASSWORD)
        ann.page.get_by_label("New password, again").fill("something else")
        ann.page.get_by_role("button", name="Set the password").click()
        expect(ann.page.locator("#password-refused")).to_contain_text("Type the new password twice")
        ann.page.get_by_label("New password, again").fill(PASSWORD)
        ann.page.get_by_role("button", name="Set the password").click()
        expect(ann.page.get_by_role("heading", name="Change the password")).to_be_visible()
        assert violations(ann.page) == []
        ann.page.get_by_role("button", name="Account and appearance").click()
        expect(ann.page.get_by_role("link", name="Users")).to_have_count(0)
        ann.page.get_by_role("button", name="Log out", exact=True).click()
        ann.page.wait_for_url("**/login")
        assert violations(ann.page) == []

        ann.expected = ("status of 401",)
        log_in_by_password(ann, "not the password")
        expect(ann.page.get_by_role("alert")).to_contain_text("Name or password is wrong")
        log_in_by_password(ann, PASSWORD)
        ann.page.wait_for_url("**/samples")
        elsewhere.goto("/login")
        log_in_by_password(elsewhere, PASSWORD)
        elsewhere.page.wait_for_url("**/samples")

        ann.goto("/account")
        sessions = ann.page.get_by_role("list", name="Sessions")
        expect(sessions.get_by_role("listitem")).to_have_count(2)
        expect(sessions.get_by_role("listitem").first).to_contain_text("This browser")
        expect(sessions.get_by_role("listitem").last).to_contain_text("Chrome on Linux from 127.0.0.1")
        sessions.get_by_role("button", name="Log out Chrome on Linux").click()
        expect(sessions.get_by_role("listitem")).to_have_count(1)
        elsewhere.goto("/samples")
        expect(elsewhere.page.get_by_role("heading", name="Log in")).to_be_visible()

        page.reload()
        page.get_by_role("button", name="Deactivate Ann").click()
        page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
        expect(users).to_contain_text("Deactivated")
        page.get_by_role("button", name=f"Deactivate {server.client.get('account').json()['name']}").click()
        page.get_by_role("dialog").get_by_role("button", name="Deactivate").click()
        expect(page.locator("#users-refused")).to_contain_text("The last owner stays")
        ann.goto("/samples")
        expect(ann.page.get_by_role("heading", name="Log in")).to_be_visible()
