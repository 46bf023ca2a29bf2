"""Logging in by a real OpenID Connect provider, connecting an account with it, and disconnecting it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from accessibility import violations
from playwright.sync_api import expect
from tests.openid import CLIENT_SECRET, real_provider
from tests.ports import free_port
from visiting import visiting

from running import QUICK, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser
    from visiting import Visitor

    from running import Server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(module_data_folder: Path) -> Iterator[Server]:
    port = free_port()
    provider = {
        "VARLOOM_OIDC_ISSUER": f"http://127.0.0.1:{port}",
        "VARLOOM_OIDC_CLIENT_ID": "varloom",
        "VARLOOM_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "VARLOOM_OIDC_NAME": "the lab's login",
    }
    with serving(module_data_folder, **provider, **QUICK) as running, real_provider(port, running.url) as issuer:
        running.provider = issuer
        yield running


FONTS = "https://fonts.googleapis.com/**"
"""The pages of the provider ask for one."""


def let_out(visitor: Visitor, server: Server) -> None:
    """The provider is another host, and the only one."""
    issuer = server.provider
    visitor.context.route(f"{issuer}/**", lambda route: route.continue_())
    visitor.context.route(FONTS, lambda route: route.fulfill(status=200, content_type="text/css", body=""))


def at_the_provider(visitor: Visitor, name: str) -> None:
    """Give a name there, and agree."""
    page = visitor.page
    page.get_by_placeholder("Enter any login").fill(name)
    page.get_by_placeholder("and password").fill("x")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def test_somebody_connects_the_account_and_logs_in_by_it(visitor: Visitor, browser: Browser, server: Server) -> None:
    page = visitor.page
    let_out(visitor, server)
    visitor.expected = ("status of 403",)
    visitor.goto("/login?next=%2Faccount")
    assert violations(page) == []
    page.get_by_role("link", name="Log in with the lab's login").click()
    at_the_provider(visitor, "ann")
    expect(page.get_by_role("heading", name="No account is connected with it")).to_be_visible()
    assert violations(page) == []

    visitor.log_in()
    visitor.goto("/account")
    page.get_by_role("button", name="Connect with the lab's login").click()
    page.wait_for_url("**/account")
    identities = page.get_by_role("list", name="Connected identities")
    expect(identities).to_contain_text("ann@lab.example.org")
    assert violations(page) == []

    with visiting(browser, server) as elsewhere:
        let_out(elsewhere, server)
        elsewhere.goto("/login?next=%2Faccount")
        elsewhere.page.get_by_role("link", name="Log in with the lab's login").click()
        at_the_provider(elsewhere, "ann")
        elsewhere.page.wait_for_url("**/account")
        expect(elsewhere.page.get_by_role("list", name="Sessions")).to_contain_text("Logged in by single sign-on")

    visitor.goto("/account")
    identities.get_by_role("button", name="Disconnect ann@lab.example.org").click()
    page.get_by_role("dialog").get_by_role("button", name="Disconnect").click()
    expect(identities.get_by_role("button")).to_have_count(0)
    visitor.goto("/account")
    expect(identities).to_contain_text("None.")
