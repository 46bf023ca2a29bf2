"""The documentation as a site: it is whole, needs nothing from elsewhere, can be searched, and fits a telephone."""

from __future__ import annotations

import functools
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"

TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const moved = ".md-typeset__scrollwrap, .md-typeset__table, pre";
  return [...document.querySelectorAll(".md-content *")]
    .filter((one) => one.getBoundingClientRect().right > width + 1 && !one.closest(moved))
    .map((one) => one.outerHTML.slice(0, 100));
}"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name of the parameter
        pass


def build(script: Path = ROOT / "scripts" / "build_docs.py") -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, script], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    done = build()
    assert done.returncode == 0, done.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(SITE))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def opened(browser: Browser, site: str, width: int, scheme: str) -> Page:
    """A page that fails where it asks another host, or meets an error."""
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page.elsewhere = []
    page.on(
        "request",
        lambda asked: None if asked.url.startswith((site, "data:", "blob:")) else page.elsewhere.append(asked.url),
    )
    page.on("pageerror", lambda error: page.elsewhere.append(str(error)))
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_every_page_is_whole_and_fits(browser: Browser, site: str, width: int, scheme: str) -> None:
    page = opened(browser, site, width, scheme)
    names = sorted(str(one.relative_to(SITE)) for one in SITE.rglob("*.html") if one.name != "404.html")
    assert len(names) == len(list((ROOT / "docs").rglob("*.md"))) + 1  # and the changelog
    for name in names:
        page.goto(f"{site}/{name}")
        expect(page.locator("h1")).to_have_count(1)
        assert page.evaluate(TOO_WIDE) == [], name
        assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0, name
    assert page.elsewhere == []
    page.close()


def test_it_can_be_searched_and_darkened(browser: Browser, site: str) -> None:
    page = opened(browser, site, 1400, "light")
    page.goto(f"{site}/index.html")
    body = page.locator("body")
    expect(body).to_have_attribute("data-md-color-scheme", "default")
    page.locator("label[title=Dark], label[title=Light]").locator("visible=true").first.click()
    expect(body).to_have_attribute("data-md-color-scheme", "slate")
    field = page.locator("input[aria-label=Search]:focus")
    deadline = time.monotonic() + 60
    while field.count() == 0:  # the page hears the keys only once its index is there, and the field comes after them
        assert time.monotonic() < deadline
        page.keyboard.press("Control+k")
        page.wait_for_timeout(1_000)
    page.keyboard.type("idempotency")
    expect(page.locator("[id$=-results]")).to_contain_text("idempotency_conflict")
    assert page.elsewhere == []
    page.close()


@pytest.mark.parametrize(
    ("spoiled", "line", "told"),
    [
        ("how-to/monitor.md", "[page](nowhere.md)", "page does not exist"),
        ("how-to/monitor.md", "[part](uploads.md#nowhere)", "anchor does not exist"),
        ("how-to/monitor.md", "![picture](nothing.png)", "how-to/monitor.html needs nothing.png, which is not there."),
        ("how-to/lonely.md", "# Lonely", "how-to/lonely.md is not named in docs/README.md."),
        (
            "README.md",
            "\n## Reference\n\n[gone](how-to/gone.md)",
            "docs/README.md names how-to/gone.md, which is not there.",
        ),
    ],
)
def test_what_leads_nowhere_stops_it(tmp_path: Path, spoiled: str, line: str, told: str) -> None:
    for name in ("docs", "scripts", "CHANGELOG.md", "src/varloom/web/static/favicon.svg"):
        target = tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-r", ROOT / name, target], check=True)
    with (tmp_path / "docs" / spoiled).open("a") as file:
        file.write(f"\n{line}\n")
    done = build(tmp_path / "scripts" / "build_docs.py")
    assert done.returncode == 1
    assert told in done.stderr
