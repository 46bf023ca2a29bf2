"""A person at a browser, and what must not happen while they look at Varloom."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.sync_api import TimeoutError as BrowserTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Dialog, Locator, Page, Request, Route

    from running import Server

WATCH_STATES = """() => {
    window.seenStates = [];
    const look = () => {
        for (const entry of document.querySelectorAll("#job-manager [data-job]")) {
            const seen = `${entry.querySelector(".job-name").textContent}: ${entry.dataset.state}`;
            if (!window.seenStates.includes(seen)) window.seenStates.push(seen);
        }
    };
    new MutationObserver(look).observe(document.getElementById("job-manager"),
        { subtree: true, childList: true, attributes: true, attributeFilter: ["data-state"] });
    look();
}"""


class Visitor:
    """A person at a browser. `page` is what they look at; `troubles` is what must not happen while they do.

    `leaves` is what they answer when a page asks before it is left; None where it must not ask.
    """

    def __init__(self, context: BrowserContext, server: Server) -> None:
        self.server = server
        self.context = context
        self.troubles: list[str] = []
        self.expected: tuple[str, ...] = ()
        self.leaves: bool | None = None
        self.asked_before_leaving = 0
        self._origin = urlsplit(server.url).netloc
        context.set_default_timeout(60_000)
        context.route("**/*", self._only_here)
        context.on("page", self._watch)
        self.page = context.new_page()

    def log_in(self) -> None:
        """Open a fresh login link."""
        link = self.server.client.post("login-links").raise_for_status().json()["path"]
        self.page.goto(self.server.url + link)
        self.page.wait_for_url("**/samples")
        self.wait_until_live()

    def wait_until_live(self) -> None:
        """Wait for the snapshot of the event stream."""
        self.page.wait_for_selector("body[data-link=live]", state="attached")

    def goto(self, path: str) -> None:
        """Open a page."""
        self.page.goto(self.server.url + path)

    def follow(self, link: Locator) -> None:
        """Follow a link, and wait for the scripts of the page: its buttons are there before what they do."""
        with self.page.expect_navigation():
            link.click()

    def choose(self, name: str, content: str | bytes | Path, field: str = "#upload-input") -> None:
        """Open the upload dialog and choose a file."""
        if not self.page.is_visible("#upload"):
            self.page.click(".header [data-open-upload]")
        buffer = content.encode() if isinstance(content, str) else content
        buffer = buffer if isinstance(buffer, bytes) else buffer.read_bytes()
        self.page.set_input_files(field, {"name": name, "mimeType": "", "buffer": buffer})

    def chosen(self, name: str) -> Locator:
        """The entry of the upload dialog with exactly this file name."""
        heading = self.page.locator(".upload-file-name").get_by_text(name, exact=True)
        return self.page.locator(".upload-file").filter(has=heading)

    def upload(self, name: str, content: bytes | Path) -> None:
        """Upload a file by the dialog; the Job Manager opens by itself."""
        self.choose(name, content)
        self.page.click("#upload-send")
        self.page.wait_for_selector("#upload", state="hidden")
        self.page.wait_for_selector("#job-manager", state="visible")

    def watch_states(self) -> None:
        """From here on, remember every state that the Job Manager shows."""
        self.page.evaluate(WATCH_STATES)

    def states_of(self, name: str) -> list[str]:
        """The states that were seen of this sample, in order."""
        seen = self.page.evaluate("window.seenStates")
        return [one.removeprefix(f"{name}: ") for one in seen if one.startswith(f"{name}: ")]

    def spoken_until(self, text: str, seconds: float = 30.0) -> list[str]:
        """What `window.spoken` holds once it holds this text. (`wait_for_function` breaks the policy of the page.)"""
        deadline = time.monotonic() + seconds
        while True:
            spoken = self.page.evaluate("window.spoken")
            if any(text in one for one in spoken):
                return spoken
            assert time.monotonic() < deadline, spoken
            self.page.wait_for_timeout(50)

    def first_held(self, held: list[Route], seconds: float = 60.0) -> Route:
        """The request that a route holds, taken out; it comes here later than the page asks for it."""
        deadline = time.monotonic() + seconds
        while not held:
            assert time.monotonic() < deadline, "nothing was asked for"
            self.page.wait_for_timeout(20)
        return held.pop(0)

    def entry(self, name: str) -> Any:
        """The entry of the Job Manager with exactly this sample name."""
        heading = self.page.locator(".job-name").get_by_text(name, exact=True)
        return self.page.locator("#job-manager [data-job]").filter(has=heading)

    def wait_for_state(self, name: str, state: str, seconds: float = 90.0) -> Any:
        """The entry, once it shows this state."""
        entry = self.entry(name)
        try:
            entry.and_(self.page.locator(f"[data-state={state}]")).wait_for(timeout=seconds * 1000)
        except BrowserTimeout as error:
            said = [*self.page.locator("#job-manager").all_inner_texts(), *self.server.output[-30:]]
            raise AssertionError(f"{name} is not {state}:\n" + "\n".join(said)) from error
        return entry

    def _watch(self, page: Page) -> None:
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.troubles.append(f"script error: {error}"))
        page.on("dialog", self._asked)

    def _only_here(self, route: Route, request: Request) -> None:
        if urlsplit(request.url).netloc == self._origin:
            route.fallback()
        else:
            self.troubles.append(f"request to another host: {request.url}")
            route.abort()

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(part in message.text for part in self.expected):
            self.troubles.append(f"console: {message.text} ({message.location})")

    def _asked(self, dialog: Dialog) -> None:
        if dialog.type == "beforeunload" and self.leaves is not None:
            self.asked_before_leaving += 1
            (dialog.accept if self.leaves else dialog.dismiss)()
            return
        self.troubles.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextlib.contextmanager
def visiting(browser: Browser, server: Server) -> Iterator[Visitor]:
    """A visitor in a browser profile of its own; what must not happen fails the test at the end."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    visitor = Visitor(context, server)
    yield visitor
    context.close()
    assert visitor.troubles == [], "\n".join(visitor.troubles)
