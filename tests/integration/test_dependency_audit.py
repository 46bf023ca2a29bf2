"""The audit of dependencies: the real tools ask services on loopback that know something, or cannot be asked."""

from __future__ import annotations

import datetime as dt
import gzip
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "audit_dependencies.py"
TODAY = dt.datetime.now(tz=dt.UTC).date()
HASH = "sha256:" + "0" * 64


class Services(http.server.BaseHTTPRequestHandler):
    """OSV and npm's registry, which know what the test tells them."""

    python: ClassVar[dict[str, dict]]
    npm: ClassVar[dict[str, dict]]
    asked: ClassVar[list[object]]
    status: ClassVar[int]

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        asked = json.loads(body)
        self.asked.append(asked)
        if self.path == "/osv":
            known = self.python.get(asked["package"]["name"])
            self.answer({"vulns": [known]} if known else {})
        else:
            self.answer({name: [self.npm[name]] for name in asked if name in self.npm})

    def do_GET(self):  # npm looks which versions of a package there are, before it says that one of them is touched
        name = self.path.strip("/")
        versions = {one: {"name": name, "version": one} for one in ("1.0.0", "1.0.1")}
        self.answer({"name": name, "dist-tags": {"latest": "1.0.1"}, "versions": versions})

    def answer(self, content):
        sent = json.dumps(content).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_):
        pass


@pytest.fixture
def services():
    class Own(Services):
        python, npm, asked, status = {}, {}, [], 200

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Own)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Own.address = f"http://127.0.0.1:{server.server_port}"
    yield Own
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder(tmp_path):
    """Two requirements and one package of npm, pinned."""
    (tmp_path / "run.txt").write_text(f"careful==1.0 \\\n    --hash={HASH}\n")
    (tmp_path / "dev.txt").write_text(f"careful==1.0 \\\n    --hash={HASH}\ncareless==2.0 \\\n    --hash={HASH}\n")
    package = {"name": "own", "version": "1.0.0", "dependencies": {"left": "1.0.0"}}
    (tmp_path / "package.json").write_text(json.dumps(package))
    packages = {"": package, "node_modules/left": {"version": "1.0.0"}}
    lock = {"name": "own", "version": "1.0.0", "lockfileVersion": 3, "requires": True, "packages": packages}
    (tmp_path / "package-lock.json").write_text(json.dumps(lock))
    (tmp_path / "accepted.toml").write_text("")
    return tmp_path


OSV_ENTRY = {
    "id": "PYSEC-2026-7",
    "aliases": ["CVE-2026-7"],
    "summary": "It answers\nto strangers",
    "affected": [
        {
            "package": {"name": "careless", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.1"}]}],
        }
    ],
}
NPM_ENTRY = {
    "id": 1,
    "url": "https://example.org/advisories/GHSA-aaaa-bbbb-cccc",
    "title": "It counts wrong",
    "severity": "high",
    "vulnerable_versions": "<1.0.1",
}


def audited(folder, address, *arguments):
    flags = {
        "--osv-url": f"{address}/osv",
        "--registry": f"{address}/",
        "--requirements": folder,
        "--npm-folder": folder,
        "--accepted": folder / "accepted.toml",
    }
    words = [str(word) for flag in flags.items() for word in flag]
    return subprocess.run([sys.executable, SCRIPT, *words, *arguments], capture_output=True, text=True, check=False)


def accept(folder, advisory, *, days):
    until = TODAY + dt.timedelta(days=days)
    text = f'[[accepted]]\nid = "{advisory}"\nreason = "Not reached."\nuntil = {until}\n'
    (folder / "accepted.toml").write_text((folder / "accepted.toml").read_text() + text)


def test_where_nothing_is_known_each_package_was_asked_about(folder, services):
    done = audited(folder, services.address, "--strict")
    assert (done.returncode, done.stdout.count("0 known")) == (0, 2), done
    assert {one["package"]["name"] for one in services.asked if "package" in one} == {"careful", "careless"}
    assert {"left": ["1.0.0"]} in services.asked


def test_what_is_known_fails_the_audit_until_it_is_accepted_and_again_when_that_has_ended(folder, services):
    services.python["careless"], services.npm["left"] = OSV_ENTRY, NPM_ENTRY
    done = audited(folder, services.address)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "  careless 2.0: PYSEC-2026-7, CVE-2026-7. It answers to strangers. Mended in: 2.1.",
        "  left 1.0.0: GHSA-aaaa-bbbb-cccc. It counts wrong. Mended in: left 1.0.1.",
    ]
    accept(folder, "CVE-2026-7", days=0)
    done = audited(folder, services.address)
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    accept(folder, "GHSA-aaaa-bbbb-cccc", days=30)
    assert audited(folder, services.address).returncode == 0
    (folder / "accepted.toml").write_text("")
    accept(folder, "CVE-2026-7", days=-1)
    accept(folder, "GHSA-aaaa-bbbb-cccc", days=30)
    done = audited(folder, services.address)
    assert done.returncode == 1
    assert "The acceptance of CVE-2026-7 ended on" in done.stderr


@pytest.mark.parametrize("text", ['[[accepted]]\nid = "X"', '[[accepted]]\nid="X"\nreason=" "\nuntil=2099-01-01', "["])
def test_an_acceptance_without_a_reason_or_an_end_is_none(folder, services, text):
    (folder / "accepted.toml").write_text(text)
    done = audited(folder, services.address)
    assert done.returncode == 1
    assert "accepted.toml" in done.stderr


def test_an_audit_that_did_not_take_place_is_not_told_as_one_that_found_nothing(folder, services):
    services.status = 503
    with socket.socket() as unused:  # bound, and not listening: nobody answers
        unused.bind(("127.0.0.1", 0))
        for address in (services.address, f"http://127.0.0.1:{unused.getsockname()[1]}"):
            done = audited(folder, address)
            assert (done.returncode, done.stdout.count("NOT LOOKED AT"), "known" in done.stdout) == (0, 2, False), done
            assert audited(folder, address, "--strict").returncode == 2


def test_a_requirement_that_cannot_be_looked_up_fails_the_audit(folder, services):
    (folder / "dev.txt").write_text("careless>=2.0\n")
    done = audited(folder, services.address)
    assert done.returncode == 1
    assert "pip-audit failed" in done.stderr


def test_every_file_of_requirements_is_audited_but_that_of_the_benchmarks():
    names = set(re.findall(r'"(\w+)"', re.search(r"REQUIREMENTS = \((.*)\)", SCRIPT.read_text())[1]))
    assert {path.stem for path in (ROOT / "requirements").glob("*.txt")} - names == {"peers", "licences"}
