"""Which addresses may be reached on behalf of a user. It is asked at the moment of connecting, after the name service.

What is judged is the address that is then connected to, never a text: so no way to write a number (decimal, octal, in
hexadecimal, as IPv6) and no name that changes its mind between two questions gets past.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from varloom.errors import VarloomError
from varloom.transfer.problems import DOWNLOAD_ADDRESS_REFUSED, DOWNLOAD_DNS

if TYPE_CHECKING:
    from collections.abc import Sequence

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REFUSED = (
    ipaddress.ip_network("168.63.129.16/32"),  # Azure's virtual machines reach the service of their own host there
    ipaddress.ip_network("192.0.0.0/24"),  # of protocols; Oracle's machines reach theirs there
    ipaddress.ip_network("192.88.99.0/24"),  # once relays to IPv6
    ipaddress.ip_network("64:ff9b:1::/48"),  # gateways of a site, which hide an IPv4 address anywhere within it
    ipaddress.ip_network("3fff::/20"),  # documentation
)
"""What is not public though Python, or some versions of it, say so."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What an operator lists: a host or a network, on one port or on all."""

    host: str | None
    network: IPNetwork | None
    port: int | None

    def covers(self, host: str, address: IPAddress | None, port: int) -> bool:
        """Whether this host, or this address of it, is meant."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        return host == self.host


def parse_endpoint(text: str) -> Endpoint:
    """One entry of the setting `allowed_endpoints`: HOST, HOST:PORT, ADDRESS, ADDRESS:PORT or NETWORK/BITS.

    Raises:
        ValueError: it is none.
    """
    entry = text.strip().lower()
    host, port = entry, None
    if entry.startswith("["):
        host, bracket, rest = entry[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r} is not of the form [ADDRESS]:PORT")
        port = _port(rest[1:], text) if rest else None
    elif entry.count(":") == 1:
        host, _, number = entry.partition(":")
        port = _port(number, text)
    with contextlib.suppress(ValueError):
        return Endpoint(None, ipaddress.ip_network(host, strict=False), port)
    if not host or not all(char.isalnum() or char in "-._" for char in host):
        raise ValueError(f"{text!r} is neither a host nor an address nor a network, with or without a port")
    return Endpoint(host.rstrip("."), None, port)


def _port(number: str, text: str) -> int:
    if not number.isdigit() or not 0 < int(number) < 65536:
        raise ValueError(f"{text!r} has no port from 1 to 65535 after the colon")
    return int(number)


class Network(Protocol):
    """What the guard needs of the network; tests bring one that sends nothing."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a host; OSError when there are none."""
        ...

    def connect(self, address: str, port: int, timeout: float) -> socket.socket:
        """A connection to this address, and no other; OSError when it fails."""
        ...


class SystemNetwork:
    """The network of this machine."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """See `Network.resolve`."""
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    def connect(self, address: str, port: int, timeout: float) -> socket.socket:
        """See `Network.connect`."""
        connection = socket.create_connection((address, port), timeout)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


@dataclass(frozen=True, slots=True)
class Guard:
    """Connects to public addresses and to what the operator lists, and to nothing else.

    Attributes:
        allowed: what the operator lists.
        network: through which connections are made.
    """

    allowed: tuple[Endpoint, ...] = ()
    network: Network = field(default_factory=SystemNetwork)

    def is_listed(self, host: str, port: int) -> bool:
        """Whether the operator lists this very host, or the address that it is."""
        name = normal_host(host)
        return any(entry.covers(name, _address(name), port) for entry in self.allowed)

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to the host, at an address that may be reached.

        Raises:
            VarloomError: `download_address_refused`, before any packet is sent; `download_dns`.
            OSError: the connection failed.
        """
        name = normal_host(host)
        allowed = self.addresses(name, port)
        failure: OSError | None = None
        for address in allowed:
            try:
                return self.network.connect(address, port, timeout)
            except OSError as error:
                failure = error
        raise failure or OSError("no address")

    def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of the host that may be reached, none of which was contacted yet.

        Raises:
            VarloomError: `download_address_refused` when there is none; `download_dns`.
        """
        try:
            found = self.network.resolve(host, port)
        except (OSError, UnicodeError):
            raise VarloomError(DOWNLOAD_DNS, f"The name {host} is not known.") from None
        may = [address for address in found if self._may_reach(host, address, port)]
        if not may:
            raise refused(host)
        return may

    def check_for_proxy(self, host: str, port: int) -> None:
        """Refuse a host that a proxy would connect to, as far as it can be told from here.

        Which of its addresses the proxy takes is not ours to choose: each must be one that may be reached.
        It asks a name service of its own: a name that is not known here is left to it.

        Raises:
            VarloomError: `download_address_refused`.
        """
        with contextlib.suppress(OSError, UnicodeError):
            found = self.network.resolve(host, port)
            if not all(self._may_reach(normal_host(host), address, port) for address in found):
                raise refused(host)

    def _may_reach(self, host: str, text: str, port: int) -> bool:
        address = _address(text)
        if address is None:
            return False
        return is_public(address) or any(entry.covers(host, address, port) for entry in self.allowed)


def refused(host: str) -> VarloomError:
    """The refusal of a host whose addresses may not be reached."""
    return VarloomError(
        DOWNLOAD_ADDRESS_REFUSED, f"The host {host} has no public address, and the operator does not list it."
    )


def normal_host(host: str) -> str:
    """A host as it is compared: lower case, without brackets and final dot."""
    return host.strip("[]").rstrip(".").lower()


def is_public(address: IPAddress) -> bool:
    """Whether an address belongs to the public internet, also as what it stands for inside an IPv6 address."""
    if any(address in network for network in _REFUSED):
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = _inner(address)
        if inner is not None:
            return is_public(inner)
    return (
        address.is_global
        and not (address.is_multicast or address.is_reserved or address.is_private or address.is_unspecified)
        and not (address.is_loopback or address.is_link_local or getattr(address, "is_site_local", False))
    )


def _inner(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address to which a gateway would pass on what is sent to this IPv6 address."""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64 or int(address) >> 32 == 0:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    return None


def _address(text: str) -> IPAddress | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
