"""What a reverse proxy tells of a request, which counts from the peers of the setting `proxy_peers` alone.

Whoever can reach the server's socket can send these headers: limits on guessing, the list of sessions and the audit log
would be of no use with an address that anybody may choose.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from typing import TYPE_CHECKING

from varloom.errors import VarloomError, safe_excerpt
from varloom.services.account_problems import PROXY_USER_INVALID
from varloom.services.accounts import NAME_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.requests import HTTPConnection
    from starlette.types import ASGIApp, Receive, Scope, Send

    from varloom.settings import Network

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address

logger = logging.getLogger(__name__)

FROM_PROXY = "from_proxy"
"""In the state of a request: whether its connection comes from a trusted peer."""
MOST_HOPS = 64
MOST_TOLD = 20
"""Peers that the log names, one line each: a flood of others tells nothing new."""

_FOR, _PROTOCOL = b"x-forwarded-for", b"x-forwarded-proto"
_SCHEMES = {"http", "https"}
_WITH_PORT = re.compile(r"\[(?P<v6>[^\[\]]*:[^\[\]]*)\](?::\d{1,5})?|(?P<v4>[\d.]+):\d{1,5}", re.ASCII)


class ForwardedHeaders:
    """Takes a request's address and scheme from `X-Forwarded-For` and `X-Forwarded-Proto` of a trusted peer.

    Every proxy adds the address that it saw at the right, so the rightmost one that is no trusted peer is the client's;
    what stands further left is the client's own word. What is no address ends the search: the last address before it
    counts.
    """

    def __init__(self, app: ASGIApp, peers: Iterable[Network] = ()) -> None:
        self.app = app
        self._peers = tuple(peers)
        self._told: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope = self._seen(scope)
        await self.app(scope, receive, send)

    def _seen(self, scope: Scope) -> Scope:
        """The request, as it came to the first of the proxies that are trusted."""
        client = scope.get("client")
        peer = _address_of(client[0]) if client else None
        trusted = peer is not None and self.trusts(peer)
        scope.setdefault("state", {})[FROM_PROXY] = trusted
        if client is None or peer is None:
            return scope
        if not trusted:
            self._tell_untrusted(scope, peer)
            return {**scope, "client": (str(peer), client[1])}
        told = {
            "client": (str(self._client(peer, _values(scope, _FOR))), 0),
            "scheme": _scheme(_values(scope, _PROTOCOL)) or scope["scheme"],
        }
        return {**scope, **told}

    def trusts(self, address: Address) -> bool:
        """Whether an address is that of a proxy whose word counts."""
        return any(address in network for network in self._peers)

    def _client(self, peer: Address, hops: list[str]) -> Address:
        found = peer
        for hop in reversed(hops[-MOST_HOPS:]):
            address = _address_of(hop)
            if address is None:
                break
            found = address
            if not self.trusts(address):
                break
        return found

    def _tell_untrusted(self, scope: Scope, peer: Address) -> None:
        """Say once of each peer that its word does not count: else everybody behind a proxy looks like the proxy."""
        who = str(peer)
        if who in self._told or len(self._told) >= MOST_TOLD or not _values(scope, _FOR):
            return
        self._told.add(who)
        logger.warning(
            "%s sends X-Forwarded-For, which does not count: it is not in the setting proxy_peers. If it is your"
            " reverse proxy, add it there; else all who come by it share one address. It is said once.",
            who,
        )


def proxy_user(connection: HTTPConnection, header: str | None) -> str | None:
    """Whom a trusted proxy says to be logged in; None where it says nothing, or nobody is trusted to.

    Args:
        connection: the request.
        header: the setting `proxy_user_header`.

    Raises:
        VarloomError: `proxy_user_invalid`.
    """
    if header is None or not connection.scope.get("state", {}).get(FROM_PROXY):
        return None
    given: list[bytes] = [value for name, value in connection.scope["headers"] if name == header.encode() and value]
    if not given:
        return None
    if len(given) > 1:
        raise VarloomError(PROXY_USER_INVALID, f"The header {header} came {len(given)} times.")
    try:
        name: str = given[0].decode()
    except UnicodeDecodeError:
        name = ""
    # Two values that a proxy on the way has joined look like one; Apache writes `(null)` for nobody.
    if not 0 < len(name) <= NAME_LIMIT or not name.isprintable() or "," in name or name == "(null)":
        raise VarloomError(PROXY_USER_INVALID, f"The header {header} holds {safe_excerpt(given[0], 60)!r}.")
    return name


def _values(scope: Scope, name: bytes) -> list[str]:
    """The values of a header that is a list, from all lines that it has."""
    lines = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return [one.strip() for one in ",".join(lines).split(",")] if lines else []


def _scheme(told: list[str]) -> str | None:
    """The rightmost word is that of the peer itself."""
    scheme = told[-1].lower() if told else ""
    return scheme if scheme in _SCHEMES else None


def _address_of(text: str) -> Address | None:
    """An address such as `192.0.2.1`, `192.0.2.1:5000`, `2001:db8::1` or `[2001:db8::1]:5000`; None for anything else.

    An IPv4 address within IPv6 is the IPv4 address: a socket that listens to both tells it so.
    """
    if match := _WITH_PORT.fullmatch(text):
        text = match["v6"] or match["v4"]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # without the link of this machine
    return address
