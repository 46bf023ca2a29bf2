"""A service manager is told when a server or worker is ready, and nothing that they start can speak for them."""

from __future__ import annotations

import contextlib
import signal
import socket

import httpx
import psutil
import pytest

from running import READY, Process, Server


@contextlib.contextmanager
def manager(address):
    """A socket on which a service manager would listen."""
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(address)
        listener.settimeout(60)
        yield listener


def test_a_server_says_that_it_is_ready_once_it_answers_and_that_it_stops(tmp_path):
    address = str(tmp_path / "notify")
    with manager(address) as listener:
        server = Process("serve", "--data", str(tmp_path / "data"), "--port", "0", NOTIFY_SOCKET=address)
        try:
            assert listener.recv(100) == b"READY=1"
            url = server.line(READY)[1]
            assert httpx.get(f"{url}/readyz").status_code == 200
            below = psutil.Process(server.popen.pid).children(recursive=True)
            assert below
            assert [child.pid for child in below if "NOTIFY_SOCKET" in child.environ()] == []
            server.popen.send_signal(signal.SIGTERM)
            assert listener.recv(100) == b"STOPPING=1"
            assert server.popen.wait(60) == 0
        finally:
            server.stop()
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.recv(100)


def test_a_worker_says_that_it_is_ready_at_an_abstract_address(tmp_path):
    server = Server(tmp_path / "data", "--no-worker")
    try:
        with manager("\0varloom-test") as listener:
            worker = Process("worker", "--data", str(server.data), NOTIFY_SOCKET="@varloom-test")
            try:
                assert listener.recv(100) == b"READY=1"
            finally:
                assert worker.stop() in {0, -signal.SIGTERM}  # it may not have begun to work yet
    finally:
        server.stop()
