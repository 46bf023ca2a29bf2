"""The queue as operators use it in a browser: see the workers, pause a stage, see it on the jobs, resume."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from visiting import Visitor

pytestmark = pytest.mark.browser

TABLE = b"a,b\n1,2\n"
SOON = 60_000
"""Milliseconds within which the page has looked again, also on a busy machine: it does so every five seconds."""


def test_an_owner_pauses_a_stage_sees_what_waits_and_resumes(visitor: Visitor) -> None:
    visitor.log_in()
    page = visitor.page
    visitor.goto("/jobs")
    visitor.follow(page.get_by_role("link", name="Queue", exact=True))
    expect(page).to_have_url(re.compile("/queue$"))
    workers = page.get_by_role("table")
    expect(workers.get_by_role("row")).to_have_count(2, timeout=SOON)
    expect(workers).to_contain_text("Parse 0/2")
    expect(workers).to_contain_text("just now")

    stage = page.locator("[data-stage=parse]")
    stage.get_by_role("button", name="Pause").click()
    page.get_by_role("dialog").get_by_role("button", name="Pause").click()
    expect(stage).to_contain_text("Paused")
    visitor.upload("held.csv", TABLE)
    expect(visitor.entry("held")).to_contain_text("Paused by the operator")
    expect(stage).to_contain_text("1 job waits", timeout=SOON)
    page.get_by_role("button", name="Resume Stage Parse").click()
    visitor.wait_for_state("held", "completed")
    expect(stage.get_by_role("button", name="Pause")).to_be_visible(timeout=SOON)


def test_nothing_is_wider_than_a_narrow_window(visitor: Visitor) -> None:
    visitor.log_in()
    visitor.page.set_viewport_size({"width": 360, "height": 700})
    visitor.goto("/queue")
    expect(visitor.page.get_by_role("heading", name="Workers")).to_be_visible()
    assert visitor.page.evaluate("document.documentElement.scrollWidth") <= 360
