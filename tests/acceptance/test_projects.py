"""Projects as two people use them in a browser: make one, put samples in, add the other, look, take back."""

from __future__ import annotations

import hashlib
import secrets
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from accessibility import violations
from playwright.sync_api import expect
from visiting import Visitor, visiting

from running import write_vcf
from varloom.db.embedded import EmbeddedPostgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from running import Server

pytestmark = pytest.mark.browser

BOB = "bob <b>ob"


@pytest.fixture
def bob(server: Server, browser: Browser) -> Iterator[Visitor]:
    """Another account, in a browser of its own."""
    secret = "vl_" + secrets.token_urlsafe(32)
    with (
        EmbeddedPostgres(server.data) as postgres,
        psycopg.connect(postgres.conninfo, autocommit=True) as connection,
    ):
        account = connection.execute(
            "INSERT INTO accounts (name) VALUES (%s) ON CONFLICT (lower(name)) DO UPDATE SET name = EXCLUDED.name"
            " RETURNING id",
            [BOB],
        ).fetchone()
        connection.execute(
            "INSERT INTO api_tokens (account_id, label, token_sha256) VALUES (%s, 'test', %s)",
            [account and account[0], hashlib.sha256(secret.encode()).digest()],
        )
    with visiting(browser, server) as visitor:
        headers = {"Authorization": f"Bearer {secret}"}
        link = httpx.post(f"{server.url}/api/v1/login-links", headers=headers).raise_for_status().json()["path"]
        visitor.page.goto(server.url + link)
        visitor.page.wait_for_url("**/samples")
        visitor.wait_until_live()
        yield visitor


def sound(page: Page, state: str) -> None:
    """Axe finds nothing, and nothing stands out at the side."""
    assert violations(page) == [], state
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), state


def test_a_project_is_made_shared_and_taken_back(
    visitor: Visitor, bob: Visitor, server: Server, tmp_path: Path
) -> None:
    for name in ("Mother <i>", "Child"):
        server.at_rest(server.submit(write_vcf(tmp_path / "x.vcf", 20), sample_name=name)["id"])
    visitor.log_in()
    page, other = visitor.page, bob.page
    visitor.follow(page.get_by_role("navigation", name="Main").get_by_role("link", name="Projects"))
    expect(page.get_by_role("heading", name="No projects")).to_be_visible()
    sound(page, "no projects")
    page.get_by_label("Name", exact=True).fill("Trio <7>")
    page.keyboard.press("Enter")
    page.wait_for_url("**/projects/*-*")
    expect(page.get_by_role("heading", level=1)).to_have_text("Trio <7>")
    sound(page, "a new project")

    offered = page.get_by_role("list", name="Your samples that are not in the project")
    page.get_by_role("searchbox", name="Search your samples by name").press_sequentially("moth")
    expect(page.locator("#project-offered [name=q]")).to_have_value("moth")  # what comes later is drawn over a choice
    expect(offered.get_by_role("listitem")).to_have_count(1)
    offered.get_by_label("Mother <i>").check()
    page.get_by_role("button", name="Put in").click()
    expect(page.locator("#project-samples")).to_be_focused()
    expect(page.locator(".samples tbody tr")).to_have_count(1)

    visitor.expected = ("status of 404", "status of 409")
    page.get_by_label("Account by its exact name").fill("bob")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.get_by_role("alert")).to_contain_text("no account 'bob'")
    page.get_by_role("button", name="Close this message").click()
    page.get_by_label("Account by its exact name").fill(BOB)
    page.keyboard.press("Enter")
    members = page.get_by_role("list", name="Members")
    expect(members.get_by_role("listitem")).to_have_count(2)
    expect(page.get_by_label("Account by its exact name")).to_be_focused()
    sound(page, "a project with a member")

    bob.goto("/samples")
    row = other.locator(".samples tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("shared by")
    expect(row.get_by_role("button")).to_have_count(0)
    sound(other, "a shared sample in the list")
    bob.follow(other.get_by_role("navigation", name="Projects").get_by_role("link", name="Trio <7>"))
    expect(row).to_have_count(1)
    bob.follow(row.get_by_role("link", name="Mother <i>"))
    expect(other.locator("#row-count")).to_have_text("20 rows")
    expect(other.locator(".provenance")).to_contain_text("Shared by")
    sound(other, "a shared table")
    bob.follow(other.get_by_role("link", name="Provenance"))
    expect(other.get_by_role("heading", name="Table")).to_be_visible()
    expect(other.get_by_role("heading", name="Job")).to_have_count(0)
    sound(other, "provenance of a shared table")
    bob.follow(other.locator(".provenance").get_by_role("link", name="Trio <7>"))
    expect(other.get_by_role("button", name="Leave")).to_be_visible()
    expect(other.get_by_role("heading", name="Put samples in")).to_have_count(0)
    sound(other, "a project as a viewer sees it")

    page.get_by_role("combobox", name=f"Role of {BOB}").select_option("editor")
    with page.expect_response("**/members"):  # the choice shows at once, also before the server knows
        page.get_by_role("button", name=f"Set the role of {BOB}").click()
    expect(page.get_by_role("combobox", name=f"Role of {BOB}")).to_have_value("editor")
    bob.goto("/samples")
    other.get_by_role("button", name="Rename or tag Mother <i>").click()
    other.get_by_role("textbox", name="Tags").fill("solved")
    other.keyboard.press("Enter")
    expect(row.locator(".tag")).to_have_text(["Samples tagged solved"])

    child = next(one["id"] for one in server.client.get("samples").json()["samples"] if one["name"] == "Child")
    visitor.goto(f"/samples/{child}")
    visitor.follow(page.locator(".provenance").get_by_role("link", name="Share"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Share Child")
    sound(page, "a sample is to be shared")
    page.get_by_role("button", name="Put in Trio <7>").click()
    page.wait_for_url(f"**/samples/{child}")
    visitor.follow(page.locator(".provenance").get_by_role("link", name="Trio <7>"))
    page.get_by_role("button", name="Take out Child").click()
    expect(page.locator(".samples tbody tr")).to_have_count(1)

    page.get_by_role("button", name=f"Remove {BOB}").click()
    expect(page.get_by_role("dialog", name="Remove this member?")).to_contain_text("no more")
    sound(page, "the question before a member is removed")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(members.get_by_role("listitem")).to_have_count(1)
    expect(page.locator("#project-members")).to_be_focused()
    bob.expected = ("status of 404",)
    bob.goto("/samples")
    expect(other.get_by_role("heading", name="Turn a file into a table")).to_be_visible()
    other.go_back()
    other.reload()
    expect(row).to_have_count(0)

    page.get_by_role("button", name="Leave").click()
    page.get_by_role("dialog").get_by_role("button", name="Leave").click()
    expect(page.get_by_role("alert")).to_contain_text("last owner")
    page.get_by_role("button", name="Delete the project").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    page.wait_for_url("**/projects")
    expect(page.get_by_role("heading", name="No projects")).to_be_visible()


@pytest.mark.parametrize(
    ("scheme", "forced", "width"), [("light", "none", 1280), ("dark", "none", 360), ("dark", "active", 768)]
)
def test_the_pages_are_sound_in_every_look(
    visitor: Visitor, bob: Visitor, server: Server, tmp_path: Path, scheme: Any, forced: Any, width: int
) -> None:
    """As the owner, and as a viewer; with names as long as they may be."""
    sample = server.at_rest(server.submit(write_vcf(tmp_path / "x.vcf", 20), sample_name="x" * 200)["id"])["sample_id"]
    made = server.client.post("projects", json={"name": f"{width} {'long ' * 14}"}).raise_for_status().json()
    project = made["project"]["id"]
    server.client.put(f"projects/{project}/samples/{sample}").raise_for_status()
    server.client.put(f"projects/{project}/members/{BOB}", json={"role": "viewer"}).raise_for_status()
    visitor.log_in()
    for one in (visitor, bob):
        one.page.emulate_media(color_scheme=scheme, forced_colors=forced)
        one.page.set_viewport_size({"width": width, "height": 800})
        paths = ["/projects", f"/projects/{project}", f"/samples?project={project}", f"/samples/{sample}/versions"]
        for path in [*paths, *([f"/projects?sample={sample}"] if one is visitor else [])]:
            one.goto(path)
            expect(one.page.get_by_role("heading", level=1)).to_be_visible()
            sound(one.page, path)
