"""A worker elsewhere is cut off in the middle of a stage: its work is done once, by another, and it comes back.

Servers and workers are whole processes: a PostgreSQL and an object store over TCP, a web server, and two workers that
know nothing but the addresses of the two and have no data folder.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
import unittest.mock
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from tests.cut_network import SUBNET, Namespaces, Proxies, opened
from tests.object_stores import SECRET, s3_environment, s3_server
from tests.running import QUICK, Process, Server, Slowness, serving, write_vcf

from varloom.db import embedded
from varloom.db.embedded import EmbeddedPostgres
from varloom.db.pool import open_pool
from varloom.pipeline.sweep import sweep
from varloom.storage import ObjectStorage
from varloom.storage.object_access import access_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.object_stores import ObjectStore

pytestmark = pytest.mark.timeout(400)

RECORDS = 500_000
"""Enough for several row groups, in the midst of which the worker can be cut off."""
GIVEN_UP = re.compile("was given up for dead; it drops its work and registers anew")
THROWN_AWAY = re.compile("the result of a lost claim is thrown away")


@pytest.fixture(scope="module")
def vcf(tmp_path_factory):
    return write_vcf(tmp_path_factory.mktemp("vcf") / "large.vcf", RECORDS)


@dataclass
class Site:
    """The servers, and the means to start workers elsewhere."""

    network: Namespaces | Proxies
    database: str
    store: ObjectStore
    server: Server
    folder: Path

    def worker(self, number: int, storage: str | None = None, **more: str) -> Process:
        """A worker that has only the two addresses, as it reaches them."""
        given = conninfo_to_dict(self.database)
        host = given["host"]
        place = Path(host) / embedded.SOCKET if host.startswith("/") else host
        database_host, database_port = self.network.way_to(number, place, int(given["port"]))
        endpoint = urlsplit(self.store.environment["AWS_ENDPOINT_URL"])
        store_host, store_port = self.network.way_to(number, endpoint.hostname, endpoint.port)
        environment = {
            **QUICK,
            **s3_environment(f"http://{store_host}:{store_port}"),
            "VARLOOM_DATABASE_URL": make_conninfo(self.database, host=database_host, port=database_port),
            "HOME": "/nonexistent",
            "VARLOOM_DATA": "/nonexistent/data",
            **more,
        }
        arguments = ["worker", "--storage", storage or f"{self.store.url}/files", "--slots", "parse=1"]
        scratch = self.folder / f"scratch-{number}"
        arguments += ["--scratch", str(scratch), "--verbose"]
        return Process(*arguments, before=self.network.command(number), **environment)

    def workers(self) -> list[tuple[int, bool]]:
        """The registry: process id, and whether it counts as living."""
        with psycopg.connect(self.database) as connection:
            return connection.execute("SELECT pid, stopped_at IS NULL FROM workers ORDER BY started_at").fetchall()

    def storage(self) -> ObjectStorage:
        return ObjectStorage(access_of(f"{self.store.url}/files", self.store.environment))

    def connections_of(self, number: int) -> list[tuple[str, ...]]:
        """The connections that the database believes to have with a worker; their locks live as long as they do."""
        query = (
            "SELECT application_name, state, query, backend_start::text FROM pg_stat_activity WHERE client_addr = %s"
        )
        with psycopg.connect(self.database) as connection:
            return connection.execute(query, [f"{SUBNET}.{number + 2}"]).fetchall()

    def sweep(self) -> None:
        """One round of what a worker does every ten minutes."""

        async def once() -> None:
            async with open_pool(self.database) as pool:
                await sweep(pool, self.storage())

        asyncio.run(once())


@contextlib.contextmanager
def _database(folder: Path, network: Namespaces | Proxies) -> Iterator[str]:
    """An embedded PostgreSQL that other network namespaces reach by TCP; proxies come by its Unix socket."""
    over_tcp = isinstance(network, Namespaces)
    settings = {"listen_addresses": network.host} if over_tcp else {}
    with unittest.mock.patch.dict(embedded._SERVER_SETTINGS, settings), EmbeddedPostgres(folder) as postgres:
        conninfo = postgres.conninfo
        if over_tcp:
            with psycopg.connect(conninfo, autocommit=True) as connection:
                (hba,) = connection.execute("SHOW hba_file").fetchone()
                with Path(hba).open("a") as file:
                    file.write(f"host all all {SUBNET}.0/24 scram-sha-256\n")
                connection.execute("SELECT pg_reload_conf()")
            conninfo = make_conninfo(conninfo, host=network.host)
        try:
            yield conninfo
        finally:
            postgres.destroy()


@pytest.fixture(params=["namespaces", "proxies"])
def site(request, open_folder):
    if request.param == "namespaces" and not Namespaces.can_be_made():
        pytest.skip("network namespaces need root on Linux; the same test runs with proxies")
    with contextlib.ExitStack() as held:
        network = held.enter_context(opened(Namespaces if request.param == "namespaces" else Proxies))
        (open_folder / "database").mkdir(mode=0o711)
        database = held.enter_context(_database(open_folder / "database", network))
        (open_folder / "s3").mkdir()
        store = held.enter_context(s3_server(open_folder / "s3", network.host))
        environment = {**QUICK, **store.environment, "VARLOOM_DATABASE_URL": database}
        arguments = ["--no-worker", "--storage", f"{store.url}/files"]
        server = held.enter_context(serving(open_folder / "data", *arguments, **environment))
        yield Site(network, database, store, server, open_folder)


def is_reading(job):
    return job["state"] == "parsing" and job["progress"] is not None and job["progress"]["done"] > 0


def assert_done_once(site, job):
    """Completed, with exactly the file's records, in the one dataset that can be seen."""
    assert (job["state"], job["records"], job["attempt"]) == ("completed", RECORDS, 2), job
    samples = site.server.client.get("samples").json()["samples"]
    assert [sample["id"] for sample in samples] == [job["sample_id"]]
    assert site.server.client.get(f"samples/{job['sample_id']}/count").json()["count"] == RECORDS
    failed = [event["message"] for event in site.server.events(job["id"]) if "failed" in event["message"]]
    assert failed == ["Attempt 1 of 4 failed: The worker died while it ran the parse stage."]


def attempts_in(storage):
    return {key.split("/")[2] for key in storage.list_prefix("attempts")}


def cut_off_and_brought_back(site, vcf, cut, is_late_enough=lambda: True):
    """Worker 0 loses the servers in the middle of a parse, and finds them again when it is late enough; its output."""
    slowness = Slowness(site.folder / "slow", 1.0)
    first = site.worker(0, **slowness.environment)
    second = None
    try:
        job = site.server.submit(vcf)
        site.server.until(job["id"], is_reading)
        second = site.worker(1)
        cut()
        slowness.end()
        done = site.server.at_rest(job["id"], 200)
        assert_done_once(site, done)
        events = site.server.events(job["id"])
        (adopted,) = {key for key in attempts_in(site.storage()) if _is_adopted(site, key)}
        wait_until(is_late_enough)
        if isinstance(site.network, Namespaces):
            wait_until(lambda: site.connections_of(0) == [], 30)
        site.network.restore(0)
        first.line(GIVEN_UP, 90)

        assert second.stop() == 0
        small = site.server.submit(write_vcf(site.folder / "small.vcf", 300), sample_name="later")
        assert site.server.at_rest(small["id"])["state"] == "completed", "it takes further jobs"
        assert [pid for pid, alive in site.workers() if alive] == [first.popen.pid], "under a new entry"
        assert len(site.workers()) == 3

        assert site.server.job(job["id"]) == done
        assert site.server.events(job["id"]) == events
        assert site.server.client.get(f"samples/{done['sample_id']}/count").json()["count"] == RECORDS
        site.sweep()
        left = attempts_in(site.storage())
        assert adopted in left
        assert len(left) == 2, "the lost attempt's files are gone"
        assert first.stop() == 0
        assert not [path for path in site.folder.glob("scratch-*/**/*") if path.is_file() and path.name != "lock"]
        for process in (first, second, site.server):
            assert SECRET not in "\n".join(process.output)
        return first.output
    finally:
        for process in filter(None, [first, second]):
            site.network.restore(0)
            process.stop()


def wait_until(condition, seconds=90.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def _is_adopted(site, token):
    with psycopg.connect(site.database) as connection:
        query = "SELECT count(*) FROM datasets WHERE split_part(storage_key, '/', 3) = %s"
        return connection.execute(query, [token]).fetchone() == (1,)


def test_a_worker_cut_off_from_everything_is_rescued_and_comes_back(site, vcf):
    cut_off_and_brought_back(site, vcf, lambda: site.network.cut(0))


@pytest.mark.parametrize("site", ["proxies"], indirect=True)
def test_a_worker_cut_off_from_the_database_alone_finishes_late_and_changes_nothing(site, vcf):
    """Its child comes to its end and stores the whole result; only settling it is too late."""

    def both_results_are_stored():
        return len([key for key in site.storage().list_prefix("attempts") if key.endswith("manifest.json")]) == 2

    output = cut_off_and_brought_back(site, vcf, lambda: site.network.cut_first(0), both_results_are_stored)
    assert any(THROWN_AWAY.search(line) for line in output)
