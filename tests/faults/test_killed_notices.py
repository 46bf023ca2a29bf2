"""Notices outlast the servers that send them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import psycopg
from standardwebhooks import Webhook
from tests.notice_receivers import receiving, until

from running import Server, serving, write_vcf

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import MakeDatabase


def test_a_notice_outlasts_a_server_that_is_killed_in_the_midst_of_a_call(
    tmp_path: Path, make_database: MakeDatabase
) -> None:
    database, data, file = make_database(), tmp_path / "data", write_vcf(tmp_path / "a.vcf", 5)
    with receiving() as receiver:
        environment = {"VARLOOM_DATABASE_URL": database, "VARLOOM_ALLOWED_ENDPOINTS": receiver.endpoint}
        receiver.hold.set()
        server = Server(data, **environment)
        new = {"name": "lims", "url": receiver.url()}
        made = server.client.post("notices/webhooks", json=new).raise_for_status().json()
        jobs = [server.submit(file) for _ in range(3)]
        for job in jobs:
            assert server.at_rest(job["id"])["state"] == "completed"
        until(lambda: receiver.calls)
        server.kill()
        server.client.close()
        before = {call.headers["webhook-id"] for call in receiver.calls}
        receiver.hold.clear()
        with psycopg.connect(database) as connection:
            row = connection.execute(
                "SELECT count(*), count(*) FILTER (WHERE state = 'waiting') FROM notice_deliveries"
            )
            assert row.fetchone() == (3, 3)
            connection.execute("UPDATE notice_deliveries SET claimed_until = now() WHERE claim IS NOT NULL")
        with serving(data, "--no-worker", **environment) as second:
            address = f"notices/{made['channel']['id']}/deliveries"
            until(lambda: [one["state"] for one in second.client.get(address).json()["deliveries"]] == ["sent"] * 3)
        webhook = Webhook(made["secret"])
        told = [webhook.verify(call.body, call.headers)["data"]["job_id"] for call in receiver.calls]
        assert set(told) == {job["id"] for job in jobs}
        times = Counter(call.headers["webhook-id"] for call in receiver.calls)
        assert len(times) == len(jobs), "a notice keeps its number"
        assert all(times[one] == 2 for one in before), "what was under way is sent again, as it was"
