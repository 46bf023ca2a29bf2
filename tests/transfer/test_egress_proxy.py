"""Through the operator's proxy: a real one, of another maker, on this machine."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from tests.notice_receivers import receiving
from tests.ports import free_port
from tests.transfer.conftest import noise, sha256

from varloom.errors import VarloomError
from varloom.services.notices.webhook import Caller, new_key
from varloom.transfer.guard import Guard, parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.sources import Source
    from tests.transfer.conftest import Fetching

USER, PASSWORD = "varloom", "p@ss:w/rd"
MB = 1024**2


@dataclass
class Proxy:
    """A proxy that runs and asks for a password."""

    port: int
    log: Path

    def url(self, login: str = "varloom:p%40ss%3Aw%2Frd@") -> str:
        return f"http://{login}127.0.0.1:{self.port}"

    def lines(self, wanted: int = 0) -> list[str]:
        """What it says of the connections that ended, once it has said so many."""
        deadline = time.monotonic() + 60
        while len(told := [line for line in self.log.read_text().splitlines() if "bytes" in line]) < wanted:
            assert time.monotonic() < deadline, told
            time.sleep(0.05)
        return told


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxy")
    port = free_port()
    command = [sys.executable, "-m", "proxy", "--hostname=127.0.0.1", f"--port={port}", "--num-workers=1"]
    command += ["--num-acceptors=1", f"--basic-auth={USER}:{PASSWORD}", f"--log-file={folder / 'log'}"]
    command += [f"--data-dir={folder / 'data'}", "--cache-dir", str(folder / "cache")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield Proxy(port, folder / "log")
        finally:
            process.terminate()


@pytest.mark.parametrize("kind", ["secure_source", "source"], ids=["https in a tunnel", "http of a listed host"])
def test_everything_goes_through_the_proxy(
    proxy: Proxy, fetch: Fetching, kind: str, request: pytest.FixtureRequest
) -> None:
    content, asked = noise(40 * MB), request.getfixturevalue(kind)
    asked.serve("/x", content)
    fetch.options["allowed_endpoints"] = (asked.endpoint,)
    before = len(proxy.lines())
    arrived = fetch(asked.url("/x"), egress_proxy=proxy.url())
    assert (arrived.sha256, fetch.content == content) == (sha256(content), True)
    assert all("proxy-authorization" not in one.headers for one in asked.asked)  # it is for the proxy alone
    assert any(f"127.0.0.1:{asked.port}" in line for line in proxy.lines(before + 1)[before:])


@pytest.mark.parametrize("kind", ["secure_source", "source"], ids=["https in a tunnel", "http of a listed host"])
def test_a_proxy_that_refuses_is_told_without_its_password(
    proxy: Proxy, fetch: Fetching, kind: str, request: pytest.FixtureRequest
) -> None:
    asked = request.getfixturevalue(kind)
    asked.serve("/x", b"content")
    fetch.options["allowed_endpoints"] = (asked.endpoint,)
    for login, port, told in (("varloom:canary@", proxy.port, "answers 407"), ("", 1, "cannot be reached")):
        with pytest.raises(VarloomError) as caught:
            fetch(asked.url("/x"), egress_proxy=f"http://{login}127.0.0.1:{port}")
        assert caught.value.code == "download_unreachable"
        assert f"The egress proxy {told}." in str(caught.value)
        assert "canary" not in repr(caught.value) + str(caught.value)
    assert asked.asked == []


def test_the_guard_stands_before_the_proxy(proxy: Proxy, fetch: Fetching, source: Source) -> None:
    """The proxy would let us through to this machine; a redirect from a listed host leads there too."""
    source.serve("/x", status=302, headers={"Location": f"https://localhost:{proxy.port}/inside"})
    urls = (source.url("/x"), f"https://127.0.0.1:{proxy.port}/", "https://2130706433/", "https://[::1]/")
    fetch.options["egress_proxy"] = proxy.url()
    before = len(proxy.lines())
    for url in urls:
        with pytest.raises(VarloomError) as caught:
            fetch(url)
        assert caught.value.code == "download_address_refused"
    assert [one.path for one in source.asked] == ["/x"]
    assert len(proxy.lines(before + 1)) == before + 1  # what the listed host was asked, and nothing else


def test_a_name_that_only_the_proxy_knows_is_left_to_it(proxy: Proxy, fetch: Fetching) -> None:
    with pytest.raises(VarloomError) as caught:
        fetch("https://known.to.nobody.invalid/x", egress_proxy=proxy.url())
    assert caught.value.code == "download_unreachable"
    assert "The egress proxy answers 502." in str(caught.value)


async def test_webhooks_are_called_through_it_too(proxy: Proxy) -> None:
    with receiving() as receiver, receiving() as inside:
        guard = Guard((parse_endpoint(receiver.endpoint),))
        before = len(proxy.lines())
        called = await Caller(guard, proxy.url()).call(receiver.url(), uuid4(), b"{}", [new_key()])
        assert (called.status, called.delivered) == (204, True)
        assert "proxy-authorization" not in receiver.calls[0].headers
        assert any(f"127.0.0.1:{receiver.port}" in line for line in proxy.lines(before + 1)[before:])
        refused = await Caller(guard, proxy.url()).call(f"https://{inside.endpoint}/", uuid4(), b"{}", [new_key()])
        assert "no public address" in (refused.problem or "")
        assert inside.calls == []
        wrong = await Caller(guard, proxy.url("varloom:canary@")).call(receiver.url(), uuid4(), b"{}", [new_key()])
        assert (wrong.delivered, "canary" in (wrong.problem or "")) == (False, False)
