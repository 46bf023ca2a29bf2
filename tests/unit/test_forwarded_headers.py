"""Whose word counts for the address and the scheme of a request."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest

from varloom.web.proxies import MOST_TOLD, ForwardedHeaders

PEERS = [ipaddress.ip_network(text) for text in ("127.0.0.2", "10.1.0.0/16", "2001:db8:1::/48")]


async def seen(peer: str, *headers: tuple[str, str], through: ForwardedHeaders | None = None) -> tuple[str, str]:
    """Address and scheme of a request behind the layer."""
    found: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.update(scope)

    layer = through or ForwardedHeaders(app, PEERS)
    layer.app = app
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    await layer({"type": "http", "client": (peer, 5000), "scheme": "http", "headers": sent}, None, None)
    return found["client"][0], found["scheme"]


FOR, PROTOCOL = "x-forwarded-for", "x-forwarded-proto"


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("127.0.0.1", ["192.0.2.1"], "127.0.0.1"),
        ("127.0.0.2", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:127.0.0.2", ["192.0.2.1"], "192.0.2.1"),
        ("::ffff:127.0.0.1", ["192.0.2.1"], "127.0.0.1"),
        ("2001:db8:1::5", ["192.0.2.1"], "192.0.2.1"),
        ("2001:db8:2::5", ["192.0.2.1"], "2001:db8:2::5"),
        ("fe80::1%eth0", ["192.0.2.1"], "fe80::1"),
        ("127.0.0.2", ["1.1.1.1, 192.0.2.1"], "192.0.2.1"),  # what stands left of it is the client's own word
        ("127.0.0.2", ["1.1.1.1", "192.0.2.1, 10.1.2.3"], "192.0.2.1"),  # through two proxies, in two lines
        ("127.0.0.2", ["192.0.2.1,2001:db8:1::9 , 10.1.2.3"], "192.0.2.1"),
        ("127.0.0.2", ["10.1.0.7, 10.1.2.3"], "10.1.0.7"),  # the client is itself in the trusted network
        ("127.0.0.2", ["192.0.2.1:61000"], "192.0.2.1"),
        ("127.0.0.2", ["[2001:db8:2::7]:443"], "2001:db8:2::7"),
        ("127.0.0.2", ["[2001:db8:2::7]"], "2001:db8:2::7"),
        ("127.0.0.2", ["2001:DB8:2::7"], "2001:db8:2::7"),
        ("127.0.0.2", ["::ffff:192.0.2.1"], "192.0.2.1"),
        ("127.0.0.2", ["192.0.2.1, garbage"], "127.0.0.2"),
        ("127.0.0.2", ["192.0.2.1, garbage, 10.1.2.3"], "10.1.2.3"),
        ("127.0.0.2", ["192.0.2.1, "], "127.0.0.2"),
        ("127.0.0.2", ["unknown"], "127.0.0.2"),
        ("127.0.0.2", [""], "127.0.0.2"),
        ("127.0.0.2", ["192.0.2.1:x"], "127.0.0.2"),
        ("127.0.0.2", ["[192.0.2.1]"], "127.0.0.2"),
        ("127.0.0.2", ["[2001:db8::1"], "127.0.0.2"),
        ("127.0.0.2", ["192.0.2.1\x00"], "127.0.0.2"),
        ("127.0.0.2", ["192.000.2.1"], "127.0.0.2"),
        ("127.0.0.2", ["\xb2.0.2.1"], "127.0.0.2"),
        ("127.0.0.2", [", ".join(["192.0.2.1"] + ["10.1.2.3"] * 500)], "10.1.2.3"),
        ("not an address", ["192.0.2.1"], "not an address"),
    ],
)
async def test_the_rightmost_address_that_is_no_trusted_peer_counts(peer: str, told: list[str], address: str) -> None:
    assert (await seen(peer, *((FOR, one) for one in told)))[0] == address


@pytest.mark.parametrize(
    ("peer", "told", "scheme"),
    [
        ("127.0.0.2", ["https"], "https"),
        ("127.0.0.2", ["HTTPS"], "https"),
        ("127.0.0.1", ["https"], "http"),
        ("127.0.0.2", ["http, https"], "https"),  # the peer's own word stands at the right
        ("127.0.0.2", ["https", "http"], "http"),
        ("127.0.0.2", ["javascript"], "http"),
        ("127.0.0.2", [""], "http"),
        ("127.0.0.2", [], "http"),
    ],
)
async def test_the_scheme_is_that_which_the_peer_tells(peer: str, told: list[str], scheme: str) -> None:
    assert (await seen(peer, *((PROTOCOL, one) for one in told)))[1] == scheme


async def test_an_untrusted_peer_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    layer = ForwardedHeaders(None, PEERS)
    for _ in range(3):
        await seen("127.0.0.1", (FOR, "192.0.2.1"), through=layer)
        await seen("127.0.0.2", (FOR, "192.0.2.1"), through=layer)
        await seen("192.0.2.9", through=layer)
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == ["127.0.0.1"]
    for number in range(200):
        await seen(f"192.0.2.{number}", (FOR, "192.0.2.1"), through=layer)
    assert len(caplog.records) == MOST_TOLD
