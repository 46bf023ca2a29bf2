"""User URLs reach public addresses and what the operator lists. The network of these tests sends nothing."""

from __future__ import annotations

import socket

import pytest

from varloom.errors import VarloomError
from varloom.transfer.guard import Guard, SystemNetwork, is_public, parse_endpoint
from varloom.transfer.http_client import HttpClient


class NoNetwork:
    """Answers like a name service of its own, and remembers every connection that was asked for."""

    def __init__(self, **names):
        self.names = names
        self.connected = []

    def resolve(self, host, port):
        if host in self.names:
            return self.names[host]
        flags = socket.AI_NUMERICHOST  # numbers in any form, without asking anybody
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)]

    def connect(self, address, port, _timeout):
        self.connected.append((address, port))
        raise ConnectionRefusedError


PRIVATE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "0",
    "0.0.0.0",  # noqa: S104
    "10.0.0.1",
    "10.1",
    "172.16.5.5",
    "192.168.0.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "2852039166",
    "0251.0376.0251.0376",
    "100.100.100.200",
    "168.63.129.16",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:a9fe:a9fe",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a9fe:a9fe",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "192.0.0.192",
    "2002:7f00:1::",
    "2002:c0a8:1::1",
    "fe80::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("host", PRIVATE)
def test_no_form_of_a_private_address_opens_a_socket(host):
    network = NoNetwork()
    with pytest.raises(VarloomError) as caught:
        Guard((), network).connect(host, 443, 1)
    assert caught.value.code == "download_address_refused"
    assert network.connected == []


@pytest.mark.parametrize("host", PRIVATE)
def test_a_name_that_leads_inside_opens_no_socket(host):
    [inside] = {str(entry[4][0]) for entry in socket.getaddrinfo(host, 1, type=socket.SOCK_STREAM)}
    network = NoNetwork(**{"innocent.example.org": [inside]})
    with pytest.raises(VarloomError) as caught:
        Guard((), network).connect("innocent.example.org", 443, 1)
    assert caught.value.code == "download_address_refused"
    assert network.connected == []


def test_of_several_addresses_only_the_public_ones_are_tried():
    network = NoNetwork(mixed=["10.0.0.1", "93.184.215.14", "::1", "2606:2800:21f::1"])
    with pytest.raises(ConnectionRefusedError):
        Guard((), network).connect("mixed", 443, 1)
    assert network.connected == [("93.184.215.14", 443), ("2606:2800:21f::1", 443)]


def test_what_is_connected_to_is_what_was_judged():
    """A name service that answers first with a public address, then with a private one."""

    answers = [["93.184.215.14"], ["127.0.0.1"]]

    class Rebinding(NoNetwork):
        def resolve(self, *_):
            return answers.pop(0)

    network = Rebinding()
    with pytest.raises(ConnectionRefusedError):
        Guard((), network).connect("rebinding.example.org", 443, 1)
    assert network.connected == [("93.184.215.14", 443)]
    with pytest.raises(VarloomError):
        Guard((), network).connect("rebinding.example.org", 443, 1)
    assert len(network.connected) == 1


@pytest.mark.parametrize(
    ("entry", "host", "port", "may"),
    [
        ("127.0.0.1:9000", "127.0.0.1", 9000, True),
        ("127.0.0.1:9000", "127.1", 9000, True),
        ("127.0.0.1:9000", "127.0.0.1", 9001, False),
        ("127.0.0.1", "127.0.0.1", 1, True),
        ("10.1.0.0/16", "10.1.200.3", 443, True),
        ("10.1.0.0/16", "10.2.0.1", 443, False),
        ("minio.lab", "minio.lab", 443, True),
        ("MINIO.lab.:443", "minio.LAB", 443, True),
        ("minio.lab", "other.lab", 443, False),
        ("[::1]:9000", "::1", 9000, True),
        ("[::1]:9000", "::1", 9001, False),
        ("fd00::/8", "fd00::5", 1, True),
    ],
)
def test_what_the_operator_lists_may_be_reached(entry, host, port, may):
    network = NoNetwork(**{"minio.lab": ["10.0.0.9"], "other.lab": ["10.0.0.9"]})
    guard = Guard((parse_endpoint(entry),), network)
    with pytest.raises(ConnectionRefusedError if may else VarloomError):
        guard.connect(host.lower(), port, 1)
    assert len(network.connected) == may


@pytest.mark.parametrize("entry", ["", "a b", "host:", "host:0", "host:99999", "[::1", "10.0.0.0/99", "http://a"])
def test_what_cannot_be_an_endpoint_is_refused(entry):
    with pytest.raises(ValueError):
        parse_endpoint(entry)


def test_public_addresses_are_public():
    import ipaddress

    for text in ("8.8.8.8", "2606:4700::1111", "52.216.1.1", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert is_public(ipaddress.ip_address(text)), text


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/latest/meta-data/", "https://[::ffff:127.0.0.1]/", "https://0x7f.1/"]
)
def test_a_request_to_a_private_address_ends_before_the_network(url):
    network = NoNetwork()
    client = HttpClient(Guard((), network), silence=1)
    with pytest.raises(VarloomError) as caught:
        client.get(url, {})
    assert caught.value.code == "download_address_refused"
    assert network.connected == []


def test_without_tls_only_listed_hosts_are_asked():
    network = NoNetwork(plain=["93.184.215.14"])
    with pytest.raises(VarloomError) as caught:
        HttpClient(Guard((), network), silence=1).get("http://plain/", {})
    assert caught.value.code == "download_redirect_refused"
    assert network.connected == []


def test_through_a_proxy_private_addresses_are_refused_too():
    network = NoNetwork(inside=["10.0.0.1"], mixed=["93.184.215.14", "169.254.169.254"])
    client = HttpClient(Guard((), network), silence=1, proxy="http://127.0.0.1:9")
    for url in ("https://inside/", "https://127.1/", "https://[::1]/", "https://mixed/"):
        with pytest.raises(VarloomError) as caught:
            client.get(url, {})
        assert caught.value.code == "download_address_refused"
    assert network.connected == []


def test_the_system_connects_to_the_address_itself(monkeypatch):
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    guard = Guard((parse_endpoint("localhost"),), SystemNetwork())
    with pytest.raises(ConnectionRefusedError):
        guard.connect("localhost", 9, 1)
    assert {address[0] for address in asked} <= {"127.0.0.1", "::1"}
