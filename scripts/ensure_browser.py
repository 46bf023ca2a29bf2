"""See to it that the browser tests have a Chromium; called by `make test`.

What is installed already is used; else, as root on Debian, the system's package; else the one of Playwright. Where none
can be had the browser tests are skipped and say so, except in CI (`CI=true`), where this fails.

`--find` installs nothing and only prints the path of the browser, if there is one.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
APT_MINUTES = 10


def find_browser() -> Path | None:
    """A Chromium or Chrome on PATH, else the one that Playwright installed."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return Path(found)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
    return own if own.exists() else None


def install_browser() -> None:
    """Try the ways that are open on this machine, until one succeeds."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get"):
        ways.insert(0, ["apt-get", "install", "-y", "--no-install-recommends", "chromium"])
        _run(["apt-get", "update"])
    for way in ways:
        if _run(way) and find_browser():
            return


def _run(command: list[str]) -> bool:
    """Whether the command succeeded; what it says is shown only when it did not."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"Getting a browser for the tests: {' '.join(command)}", flush=True)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=APT_MINUTES * 60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  {error}")
        return False
    if done.returncode != 0:
        print("  " + "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-3:]))
    return done.returncode == 0


def main() -> int:
    """0 unless CI asks for a browser and there is none."""
    browser = find_browser()
    if "--find" in sys.argv[1:]:
        print(browser or "")
        return 0
    if browser is None:
        install_browser()
        browser = find_browser()
    if browser is None:
        print("There is no Chromium and none could be installed: the browser tests will be skipped.")
        return 1 if os.environ.get("CI") == "true" else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
