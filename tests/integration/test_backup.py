"""Backups: what comes back is what was there, and nothing less is ever called a backup."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from api_support import VCF
from cli_support import varloom
from psycopg.conninfo import conninfo_to_dict

from running import QUICK, Slowness, serving, write_vcf
from varloom.db import dumps
from varloom.db.embedded import EmbeddedPostgres
from varloom.errors import VarloomError
from varloom.failpoints import VARIABLE
from varloom.services.backup_contents import check

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.conftest import MakeDatabase
    from tests.object_stores import ObjectStore

    from running import Server

SECRET = "canary-of-the-credentials"


@pytest.fixture
def restored(open_folder: Path) -> Iterator[Path]:
    """A data folder that is not there yet, and whose database goes with the test."""
    folder = open_folder / "restored"
    yield folder
    if folder.exists():
        EmbeddedPostgres(folder).destroy()


@dataclass(frozen=True)
class Stopped:
    """A server that has stopped, with one completed job; a backup of it, and what it showed."""

    data: Path
    backup: Path
    job: dict[str, Any]
    shown: dict[str, object]


@pytest.fixture(scope="module")
def stopped(prepared_data: Path, module_open_folder: Path) -> Iterator[Stopped]:
    folder = module_open_folder
    data = folder / "data"
    subprocess.run(["cp", "-a", prepared_data, data], check=True)
    with serving(data) as server:
        job = server.at_rest(server.submit(VCF, "a.vcf")["id"])
        write_credential(server)
        before = shown(server)
    assert varloom("backup", folder / "backup", data=data).status == 0  # without a server
    yield Stopped(data, folder / "backup", job, before)
    EmbeddedPostgres(data).destroy()


def shown(server: Server) -> dict[str, object]:
    """All that a user sees of jobs, samples and tables."""
    get = server.client.get
    jobs = get("jobs").raise_for_status().json()["jobs"]
    samples = get("samples").raise_for_status().json()["samples"]
    return {
        "jobs": {
            job["id"]: (job["state"], job["error"], job["records"], job["sample_id"], job["created_at"]) for job in jobs
        },
        "events": {job["id"]: get(f"jobs/{job['id']}/events").json() for job in jobs if job["finished_at"]},
        "samples": samples,
        "rows": {sample["id"]: get(f"samples/{sample['id']}/rows?limit=50").json()["rows"] for sample in samples},
        "tables": {sample["id"]: get(f"samples/{sample['id']}/export?format=tsv").content for sample in samples},
        "credentials": get("credentials").json(),
    }


def write_credential(server: Server) -> None:
    body = {"name": "lab", "kind": "bearer", "scope": "https://example.org/", "values": {"token": SECRET}}
    answer = server.client.post("credentials", json=body)
    assert answer.is_success, answer.text


def all_bytes(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_what_is_restored_is_what_was_there(data_folder, restored, tmp_path):
    backup, later = tmp_path / "monday", tmp_path / "tuesday"
    slowness = Slowness(tmp_path / "slow")
    with serving(data_folder, **QUICK, **slowness.environment) as server:
        done = server.submit(VCF, "done.vcf")
        slowness.end()
        assert server.at_rest(done["id"])["state"] == "completed"
        failed = server.submit(VCF.replace(b"chr1\t200", b"chr1\tx"), "failed.vcf")
        assert server.at_rest(failed["id"])["state"] == "failed"
        write_credential(server)
        before = shown(server)
        (tmp_path / "slow").touch()
        running = server.submit(write_vcf(tmp_path / "running.vcf", 400_000))
        server.until(running["id"], lambda job: job["state"] == "parsing")

        made = varloom(
            "backup", backup, "--with-secrets", "--json", data=data_folder
        )  # the server runs, and a job does
        assert (made.status, made.err) == (0, "")
        slowness.end()
        after = server.at_rest(running["id"])
        second = varloom("backup", later, "--with-secrets", "--previous", backup, "--json", data=data_folder)
        assert second.status == 0, second.err
    contents = json.loads(made.out)
    assert contents["has_files"]
    assert contents["missing"] == []
    assert stat.S_IMODE(backup.stat().st_mode) == 0o700
    assert SECRET.encode() not in all_bytes(backup)
    linked = [path for path in (later / "files").rglob("*") if path.is_file() and path.stat().st_nlink > 1]
    assert len(linked) >= 2, "what the earlier backup has is not copied again"
    check(later, lambda _: None)

    assert varloom("restore", backup, "--check").status == 0
    shutil.rmtree(data_folder / "storage")
    answer = varloom("restore", backup, data=restored)
    assert (answer.status, answer.err) == (0, "")
    with serving(restored, **QUICK) as server:
        assert server.at_rest(running["id"])["state"] == "completed"  # its worker is gone: it begins its stage anew
        assert server.job(running["id"])["records"] == after["records"] == 400_000
        server.client.delete(f"samples/{server.job(running['id'])['sample_id']}").raise_for_status()
        now = shown(server)
        del now["jobs"][running["id"]], now["events"][running["id"]]
        assert now == before
        assert server.client.get("credentials").json()["credentials"][0]["name"] == "lab"


def test_damage_is_found_before_anything_is_restored(stopped, restored, tmp_path):
    backup = tmp_path / "backup"
    shutil.copytree(stopped.backup, backup)
    damaged = 0
    for path in sorted(backup.rglob("*")):
        if not path.is_file() or path.name == "varloom-backup.json":
            continue
        content = path.read_bytes()
        for spoiled in (content[:-1] + bytes([content[-1] ^ 1]), content[:-1], content + b"x", None):
            path.unlink()  # it may be linked to another backup
            if spoiled is not None:
                path.write_bytes(spoiled)
            with pytest.raises(VarloomError, match=re.escape(path.name)) as found:
                check(backup, lambda _: None)
            assert found.value.code == "backup_damaged"
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            damaged += 1
    assert damaged >= 20
    contents = backup / "varloom-backup.json"
    told = contents.read_text()
    for spoiled in (told.replace('"format": 1', '"format": 2'), told[:-20], "[]", "{}"):
        contents.write_text(spoiled)
        with pytest.raises(VarloomError) as found:
            check(backup, lambda _: None)
        assert found.value.code == "backup_damaged"
    contents.write_text(told)
    check(backup, lambda _: None)
    (backup / "database.dump").write_bytes(b"")
    refused = varloom("restore", backup, data=restored)
    assert (refused.status, "database.dump" in refused.err) == (1, True)
    assert not restored.exists()


def test_a_backup_that_leads_elsewhere_is_not_read(stopped, restored, tmp_path):
    backup, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    shutil.copytree(stopped.backup, backup)
    secrets = backup / "secrets"
    secrets.mkdir(exist_ok=True)
    elsewhere.write_text("quota = 1\n")
    for path in (next(path for path in (backup / "files").rglob("*") if path.is_file()), backup / "database.dump"):
        kept = path.rename(elsewhere.with_name(path.name))
        path.symlink_to(kept)
        refused = varloom("restore", backup, data=restored)
        assert (refused.status, f"{path.relative_to(backup)} is a link" in refused.err) == (1, True)
        path.unlink()
        kept.rename(path)
    for make in (lambda path: path.symlink_to(elsewhere), os.mkfifo):
        make(secrets / "varloom.toml")
        refused = varloom("restore", backup, data=restored)
        assert (refused.status, "secrets/varloom.toml is a link" in refused.err) == (1, True)
        (secrets / "varloom.toml").unlink()
    assert not restored.exists()


def test_nothing_is_restored_over_what_is_there(stopped, restored):
    there = varloom("restore", stopped.backup, data=stopped.data)
    assert (there.status, "holds tables already" in there.err) == (1, True)
    with serving(stopped.data) as server:
        assert shown(server) == stopped.shown, "it is as it was, and starts"
        running = varloom("restore", stopped.backup, data=stopped.data)
        assert (running.status, "Another server uses" in running.err) == (1, True)
    again = varloom("backup", stopped.backup, data=stopped.data)
    assert (again.status, "is there already" in again.err) == (1, True)
    (restored / "storage" / "uploads").mkdir(parents=True)
    (restored / "storage" / "uploads" / "strange").write_bytes(b"somebody's")
    strange = varloom("restore", stopped.backup, data=restored)
    assert (strange.status, "uploads/strange" in strange.err) == (1, True)


def test_a_backup_that_was_killed_is_none_and_the_next_one_is_whole(stopped, tmp_path):
    backup = tmp_path / "backup"
    for point in ("backup.after_dump", "backup.before_rename"):
        killed = varloom("backup", backup, data=stopped.data, **{VARIABLE: f"{point}=kill@1"})
        assert killed.status == -signal.SIGKILL, killed.err
        assert not backup.exists()
    assert varloom("backup", backup, data=stopped.data).status == 0
    check(backup, lambda _: None)
    assert list(tmp_path.iterdir()) == [backup]


def test_what_has_gone_bad_in_an_earlier_backup_is_copied_again(stopped, tmp_path):
    earlier, later = tmp_path / "earlier", tmp_path / "later"
    shutil.copytree(stopped.backup, earlier)
    [bad, *_] = sorted(path for path in (earlier / "files").rglob("*") if path.is_file())
    bad.write_bytes(bytes(bad.stat().st_size))
    assert varloom("backup", later, "--previous", earlier, data=stopped.data).status == 0
    check(later, lambda _: None)
    with pytest.raises(VarloomError):
        check(earlier, lambda _: None)


def test_a_dump_that_fails_is_told_without_the_password(database_url, tmp_path):
    with pytest.raises(VarloomError) as failed:
        dumps.dump(database_url, "00000000-0000000-1", tmp_path / "dump")
    assert failed.value.code == "database_copy_failed"
    assert "pg_dump failed" in failed.value.message
    assert conninfo_to_dict(database_url)["password"] not in failed.value.message


@pytest.mark.parametrize("point", ["backup.before_file", "file.before_write"])
def test_a_disk_that_fills_up_is_told_and_leaves_nothing(stopped, tmp_path, point):
    done = varloom("backup", tmp_path / "backup", data=stopped.data, **{VARIABLE: f"{point}=enospc@1"})
    assert (done.status, "no space left" in done.err) == (1, True)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_restore_is_gone_on_with(stopped, restored):
    for point in ("restore.after_file", "restore.before_database", "restore.after_database"):
        killed = varloom("restore", stopped.backup, data=restored, **{VARIABLE: f"{point}=kill@1"})
        assert killed.status == -signal.SIGKILL, killed.err
    refused = varloom("serve", "--port", "0", data=restored)
    assert (refused.status, "was not finished" in refused.err) == (1, True), "no server starts on half a restore"
    answer = varloom("restore", stopped.backup, data=restored)
    assert answer.status == 0, answer.err
    with serving(restored) as server:
        assert shown(server) == stopped.shown
        assert server.job(stopped.job["id"])["state"] == "completed"
        key = stopped.data / "secret.key"
        assert (restored / "secret.key").read_bytes() != key.read_bytes(), "it is no part of this backup"


def test_files_that_are_gone_are_named_and_the_rest_is_kept(stopped, restored, tmp_path):
    backup, lost = tmp_path / "backup", f"attempts/{stopped.job['id']}"
    (stopped.data / "storage" / lost).rename(tmp_path / "lost")
    made = varloom("backup", backup, data=stopped.data)
    (tmp_path / "lost").rename(stopped.data / "storage" / lost)
    assert (made.status, lost in made.err) == (1, True)
    assert json.loads((backup / "varloom-backup.json").read_text())["missing"]
    answer = varloom("restore", backup, data=restored)
    assert (answer.status, lost in answer.err) == (1, True)
    assert [path.name for path in (restored / "storage" / "uploads").rglob("*") if path.is_file()]


def test_a_database_of_ones_own_with_an_object_store_by_reference(
    data_folder, s3: ObjectStore, make_database: MakeDatabase, tmp_path
):
    first, second = make_database(migrated=False), make_database(migrated=False)
    storage = f"{s3.url}/{hashlib.sha256(str(tmp_path).encode()).hexdigest()[:8]}"
    place = {**s3.environment, "VARLOOM_STORAGE": storage}
    backup = tmp_path / "backup"
    with serving(data_folder, **place, VARLOOM_DATABASE_URL=first) as server:
        job = server.at_rest(server.submit(VCF, "a.vcf")["id"])
        assert job["state"] == "completed"
        before = shown(server)
        made = varloom("backup", backup, data=data_folder, **place, VARLOOM_DATABASE_URL=first)
        assert made.status == 0, made.err
    assert not (backup / "files").exists()
    target = {**place, "VARLOOM_DATABASE_URL": second}
    careful = varloom("restore", backup, data=tmp_path / "other", **target)
    assert (careful.status, "--take-over" in careful.err) == (1, True)
    elsewhere = {**target, "VARLOOM_STORAGE": str(tmp_path / "folder")}
    wrong = varloom("restore", backup, "--take-over", data=tmp_path / "other", **elsewhere)
    assert (wrong.status, "is not the storage" in wrong.err) == (1, True)
    answer = varloom("restore", backup, "--take-over", data=tmp_path / "other", **target)
    assert answer.status == 0, answer.err
    with serving(tmp_path / "other", **target) as server:
        assert shown(server) == before
