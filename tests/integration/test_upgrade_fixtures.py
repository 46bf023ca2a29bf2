"""Data folders of earlier releases, kept as text: today's server finds all of it, and goes on with what waited."""

from __future__ import annotations

import importlib.util
import json
import tarfile
from pathlib import Path

import psycopg
import pytest

from running import QUICK, Process, serving
from varloom.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]
FIXTURES = sorted((ROOT / "tests/fixtures/upgrade").iterdir())
PATIENT = {"VARLOOM_UNFINISHED_UPLOAD_DAYS": "36500", "VARLOOM_UNDO_DAYS": "36500"}
"""What a fixture holds is old."""


def _script():
    spec = importlib.util.spec_from_file_location("make_upgrade_fixture", ROOT / "scripts/make_upgrade_fixture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def restore(fixture, data):
    with tarfile.open(fixture / "data.tar.gz") as archive:
        archive.extractall(data, filter="data")
    (data / "secret.key").chmod(0o600)
    with EmbeddedPostgres(data) as server, psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute((fixture / "database.dump").read_text())


@pytest.mark.parametrize("fixture", FIXTURES, ids=[path.name for path in FIXTURES])
def test_all_of_an_earlier_release_is_found_and_what_waited_is_done(fixture, data_folder):
    restore(fixture, data_folder)
    expected = json.loads((fixture / "expected.json").read_text())
    script = _script()
    with serving(data_folder, "--no-worker", **PATIENT, **QUICK) as server:
        server.client.headers["Authorization"] = f"Bearer {expected['token']}"
        found, before = json.loads(json.dumps(script.shown(server.client))), expected["shown"]
        assert found.keys() == before.keys()
        for what, told in before.items():
            assert found[what] == told, what
        states = {job["sample_name"]: job["state"] for job in found["jobs"].values()}
        assert (
            states.items()
            >= {
                "Plain sample": "completed",
                "Broken": "failed",
                "Cancelled": "cancelled",
                "Was running": "parsing",
                "Was queued": "queued",
            }.items()
        )
        names = {job["sample_name"]: job_id for job_id, job in found["jobs"].items()}
        worker = Process("worker", "--data", str(data_folder), **PATIENT, **QUICK)
        try:
            for name in ("Was queued", "Was running"):
                done = server.at_rest(names[name])
                assert (done["state"], done["records"]) == ("completed", 3)
            retried = server.client.post(f"jobs/{names['Cancelled']}/retry").raise_for_status().json()
            assert server.at_rest(retried["id"])["state"] == "completed"
            (upload_id, (offset, size)) = next(iter(before["uploads"].items()))
            rest = script.VCF.encode()[offset:]
            headers = {
                "Tus-Resumable": "1.0.0",
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
            }
            ended = server.client.patch(f"uploads/{upload_id}", headers=headers, content=rest)
            assert (ended.status_code, ended.headers["Upload-Offset"]) == (204, str(size)), ended.text
            (credential_id,) = [one["id"] for one in before["credentials"]]
            renamed = server.client.post(f"credentials/{credential_id}/test", json={"url": "https://example.org/a.vcf"})
            assert "source_secret_unreadable" not in renamed.text
        finally:
            worker.stop()
    with serving(data_folder, "--no-worker", **PATIENT, **QUICK) as server:  # again: nothing is upgraded twice
        server.client.headers["Authorization"] = f"Bearer {expected['token']}"
        again = json.loads(json.dumps(script.shown(server.client)))
        for what in ("samples", "rows", "exports"):
            assert again[what].items() >= before[what].items()


def test_the_fixtures_are_small():
    for fixture in FIXTURES:
        assert sum(path.stat().st_size for path in fixture.iterdir()) < 250_000
