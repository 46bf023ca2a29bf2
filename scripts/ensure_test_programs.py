"""See to it that the tests have what no package of Python brings; called by `make test`.

Azurite (366 MB; it emulates Azure's storage) and oidc-provider (4 MB; an OpenID Connect provider) come from npm into
`build`, as the `package-lock.json` of `tests/azurite` and `tests/openid_provider` pin them. libfaketime is the system's
package, as root on Debian. Where one cannot be had, its tests are skipped and say so, except in CI (`CI=true`), where
this fails.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from nodejs import node_and_npm

ROOT = Path(__file__).resolve().parents[1]
LOCK = "package-lock.json"
MINUTES = 10


def is_installed(name: str) -> bool:
    """Whether what is installed from npm is what is pinned."""
    folder = ROOT / "build" / name
    installed = folder / LOCK
    whole = (folder / "node_modules" / ".package-lock.json").exists()  # npm writes it last
    return whole and installed.exists() and installed.read_bytes() == (ROOT / "tests" / name / LOCK).read_bytes()


def install(name: str) -> None:
    """Install from npm what is pinned."""
    folder = ROOT / "build" / name
    folder.mkdir(parents=True, exist_ok=True)
    for file in ("package.json", LOCK):
        shutil.copy(ROOT / "tests" / name / file, folder / file)
    _, npm, environment = node_and_npm()
    run([*npm, "ci", "--loglevel=error", "--no-audit", "--no-fund"], folder, environment)


def has_faketime() -> bool:
    """Whether the system has libfaketime where Debian keeps it."""
    return next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None) is not None


def install_faketime() -> None:
    """Install the system's package, where we may."""
    if os.geteuid() == 0 and Path("/etc/debian_version").exists() and shutil.which("apt-get"):
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], ROOT, environment)
        run(["apt-get", "install", "-y", "--no-install-recommends", "libfaketime"], ROOT, environment)


def run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a command; what it says is shown only when it fails."""
    print(f"Getting a program for the tests: {' '.join(command)}", flush=True)
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=MINUTES * 60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"  {error}")
        return
    if done.returncode != 0:
        print("  " + "\n  ".join((done.stderr or done.stdout).strip().splitlines()[-3:]))


def main() -> int:
    """0 unless CI asks for the programs and one is not there."""
    missing = []
    for name, is_there, get in (
        ("Azurite", partial(is_installed, "azurite"), partial(install, "azurite")),
        ("oidc-provider", partial(is_installed, "openid_provider"), partial(install, "openid_provider")),
        ("libfaketime", has_faketime, install_faketime),
    ):
        if not is_there():
            get()
        if not is_there():
            missing.append(name)
            print(f"{name} could not be installed: the tests that need it will be skipped.")
    return 1 if missing and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
