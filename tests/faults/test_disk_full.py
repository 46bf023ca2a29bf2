"""A full disk: nothing half is ever visible, the job says so, and goes on when there is space again."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import time

import httpx
import pytest
from tests.absent import require_aligner
from tests.processing.conftest import analyse
from tests.reads import GENOME, R1, R2
from tests.running import HELD_STAGES, QUICK, Process, serving, write_vcf
from tests.shared_data import needs

from varloom.errors import VarloomError
from varloom.processing import disk_space
from varloom.processing.references import from_fasta

RECORDS = 30_000
MIB = 1024 * 1024


@pytest.fixture
def small_disk(open_folder):
    """A folder that is a disk of 8 MiB of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small disk needs root")
    folder = open_folder / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def server(small_disk, data_folder):
    reserve = {"VARLOOM_DISK_RESERVE_BYTES": "0", "VARLOOM_DISK_LOW": "0", "VARLOOM_MAX_ATTEMPTS": "50"}
    storage = small_disk / "storage"
    with serving(data_folder, "--storage", str(storage), **QUICK, **reserve) as running:
        yield running


def test_a_parse_on_a_full_disk_is_tried_again_and_completes_when_there_is_space(server, small_disk, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", RECORDS)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - vcf.stat().st_size - 12 * 1024))
    job = server.submit(vcf)
    waiting = server.until(job["id"], lambda job: job["attempt"] > 1 and job["error"] is not None)
    assert waiting["error"]["code"] == "disk_full"
    assert waiting["error"]["resolution"]
    assert server.client.get("samples").json()["samples"] == []
    filler.unlink()
    done = server.at_rest(job["id"])
    assert (done["state"], done["records"], done["error"]) == ("completed", RECORDS, None)
    assert server.client.get(f"samples/{done['sample_id']}/count").json()["count"] == RECORDS


def test_an_upload_that_does_not_fit_is_refused_and_leaves_nothing(server, small_disk):
    before = os.statvfs(small_disk).f_bavail
    response = server.client.post("jobs", files={"file": ("big.vcf", b"x" * 20 * MIB)})
    assert (response.status_code, response.json()["code"]) == (507, "storage_full")
    assert server.client.get("jobs").json()["jobs"] == []
    assert os.statvfs(small_disk).f_bavail >= before - 4


@pytest.mark.parametrize("limit", [str(3 * MIB), "37.5%"])
def test_while_the_disk_is_low_nothing_is_begun_or_taken_and_then_it_goes_on(small_disk, data_folder, tmp_path, limit):
    """What runs goes on; all who wait are told why; and it takes more than the limit to begin again."""
    vcf = write_vcf(tmp_path / "a.vcf", 200)
    settings = {**QUICK, "VARLOOM_DISK_RESERVE_BYTES": "0", "VARLOOM_DISK_LOW": limit}
    place = ["--data", str(data_folder), "--storage", str(small_disk / "storage")]
    filler = small_disk / "filler"
    with contextlib.ExitStack() as ending:
        server = ending.enter_context(serving(data_folder, *place[2:], "--no-worker", **settings))
        worker = Process("worker", *place, "--slots", "parse=1", **settings, **HELD_STAGES)
        ending.callback(worker.stop)
        running, *waiting = [server.submit(vcf) for _ in range(3)]
        worker.held_stages()
        server.until(running["id"], lambda job: job["state"] == "parsing")
        leave(filler, 2 * MIB)
        (shown,) = [one for one in until(lambda: low_workers(server)) if one["low_disk"]]
        assert str(small_disk) in shown["low_disk"]
        assert "2.1 MB of 8.4 MB free; 3.1 MB must be" in shown["low_disk"]
        assert worker.line(re.compile("begins nothing more: the disk of"))
        assert ready(server) == ["server", "workers"]
        assert figure(server, "varloom_disk_low") == 1.0
        assert figure(server, "varloom_worker_disk_low") == 1.0
        for refused in (
            server.client.post("jobs", files={"file": ("b.vcf", vcf.read_bytes())}),
            server.client.post(
                "uploads",
                headers={"Tus-Resumable": "1.0.0", "Upload-Length": "100", "Upload-Metadata": "filename Yi52Y2Y="},
            ),
        ):
            assert (refused.status_code, refused.json()["code"]) == (507, "storage_full"), refused.text
            assert "takes no uploads until it has more disk space" in refused.text
        assert page(server, "/queue").count("data-low-disk") == 2  # of the server, and of the worker
        worker.release_stages()
        assert server.at_rest(running["id"])["state"] == "completed"
        held = server.until(waiting[-1]["id"], lambda job: job["held_up"] is not None)
        assert (held["state"], held["held_up"]["cause"]) == ("queued", "disk_low")
        leave(filler, 3 * MIB + 256 * 1024)  # above the limit, but not by a quarter
        assert until(lambda: "3.9 MB must be" in (low_workers(server) or [shown])[0]["low_disk"])
        assert server.job(waiting[-1]["id"])["state"] == "queued"
        filler.unlink()
        assert {server.at_rest(job["id"])["state"] for job in waiting} == {"completed"}
        until(lambda: not low_workers(server))
        assert ready(server) == []
        assert "data-low-disk" not in page(server, "/queue")


def leave(filler, free):
    """Let the disk have so much space."""
    filler.unlink(missing_ok=True)
    disk = os.statvfs(filler.parent)
    filler.write_bytes(b"\0" * (disk.f_bavail * disk.f_frsize - free))


def low_workers(server):
    return [one for one in server.client.get("queue").json()["workers"] if one["low_disk"]]


def ready(server):
    return httpx.get(f"{server.url}/readyz").raise_for_status().json()["disk_low"]


def page(server, path):
    return httpx.get(f"{server.url}{path}", headers=server.client.headers).raise_for_status().text


def figure(server, name):
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page(server, "/metrics"), re.MULTILINE)
    assert len(found) == 1, found
    return float(found[0])


def until(look, seconds=60.0):
    """What is found, as soon as something is."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)
    return found


@needs(GENOME)
def test_an_alignment_on_a_disk_that_fills_up_says_so_and_goes_on_when_there_is_space(
    small_disk, tmp_path, monkeypatch
):
    """The space that it needs is looked at before it begins; others may take it meanwhile."""
    require_aligner()
    monkeypatch.setattr(disk_space, "hold_to", lambda *_: None)
    fasta = tmp_path / GENOME.name
    shutil.copyfile(GENOME, fasta)
    reference = from_fasta(fasta, "GRCh38", tmp_path / "indexes", lambda *_: None)
    filler = small_disk / "filler"
    free = os.statvfs(small_disk)
    filler.write_bytes(b"\0" * (free.f_bavail * free.f_frsize - 200 * 1024))
    with pytest.raises(VarloomError) as full:
        analyse([R1, R2], reference.fasta, small_disk, indexes=reference.indexes)
    assert full.value.code == "disk_full"
    filler.unlink()
    assert analyse([R1, R2], reference.fasta, small_disk, indexes=reference.indexes).variants.exists()
