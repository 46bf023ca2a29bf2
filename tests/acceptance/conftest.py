"""A real Chromium before a real server, for tests that do what a person does.

Every page is watched: a request to another host, a violation of the content security policy, a script error or a
dialog of the browser fails the test.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright
from tests.absent import absent
from tests.sources import web_source
from visiting import Visitor, visiting

from running import QUICK, Server, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser
    from tests.sources import Source

ROOT = Path(__file__).resolve().parents[2]
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage"]

expect.set_options(timeout=30_000)  # a busy machine is slow, and that is no failure


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    script = ROOT / "scripts" / "ensure_browser.py"
    found = subprocess.run(
        [sys.executable, script, "--find"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not found:
        absent("needs a Chromium: `python scripts/ensure_browser.py` tries to install one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    """A web server from which `server` may load; a module puts there what it needs by a fixture of the same name."""
    with web_source() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(module_data_folder: Path, source: Source) -> Iterator[Server]:
    with serving(module_data_folder, VARLOOM_ALLOWED_ENDPOINTS=source.endpoint, **QUICK) as running:
        yield running


@pytest.fixture
def visitor(browser: Browser, server: Server) -> Iterator[Visitor]:
    with visiting(browser, server) as visitor:
        yield visitor
