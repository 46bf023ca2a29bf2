"""A full disk: nothing half is ever visible, the job says so, and goes on when there is space again."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from tests.absent import require_aligner
from tests.processing.conftest import analyse
from tests.reads import GENOME, R1, R2
from tests.running import QUICK, serving, write_vcf
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
    reserve = {"VARLOOM_DISK_RESERVE_BYTES": "0", "VARLOOM_MAX_ATTEMPTS": "50"}
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
