"""A worker's scratch space: its own, and nothing of it stays, however workers end."""

from __future__ import annotations

import os
import stat
import subprocess
import sys

import pytest

from varloom.errors import VarloomError
from varloom.pipeline.scratch import worker_scratch
from varloom.transfer.model import Version
from varloom.transfer.partial_file import PartialFile

OTHER = """
import pathlib, signal, sys
from varloom.pipeline.scratch import worker_scratch
with worker_scratch(pathlib.Path(sys.argv[1]), 1) as scratch:
    (scratch.attempts / "1").mkdir()
    (scratch.attempts / "1" / "part").write_text("half")
    scratch.sources.mkdir(exist_ok=True)
    (scratch.sources / "source").write_text("copy")
    print(scratch.attempts, flush=True)
    sys.stdin.readline()
"""


def other_worker(folder):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", OTHER, str(folder)], text=True, **pipes)
    return process, process.stdout.readline().strip()


def files(folder):
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_dead_workers_files_go_and_a_living_ones_stay(tmp_path):
    living, its_folder = other_worker(tmp_path)
    dead, _ = other_worker(tmp_path)
    dead.kill()
    dead.wait()
    with worker_scratch(tmp_path, 1) as scratch:
        folders = {path for path in scratch.attempts.parent.iterdir() if path.is_dir()}
        assert {str(path) for path in folders} == {its_folder, str(scratch.attempts)}
        assert (scratch.sources / "source").exists(), "it may be in use"
        for folder in (scratch.attempts, scratch.attempts.parent, scratch.attempts.parents[1]):
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert len(files(tmp_path)) == 3
    living.communicate("\n")
    assert files(tmp_path) == [], "the last one removes what they shared"
    for process in (living, dead):
        process.stdin.close()
        process.stdout.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_another_users_folder_among_the_temporary_files_is_not_used(tmp_path):
    theirs = tmp_path / f"varloom-{os.geteuid()}"
    theirs.mkdir()
    os.chown(theirs, 12345, 12345)
    with pytest.raises(VarloomError) as caught, worker_scratch(tmp_path, 1):
        pass
    assert caught.value.code == "scratch_unusable"


def test_a_link_or_a_file_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"varloom-{os.geteuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(VarloomError) as caught, worker_scratch(tmp_path, 1):
        pass
    assert caught.value.code == "scratch_unusable"
    (tmp_path / "other").write_text("")
    with pytest.raises(VarloomError) as caught, worker_scratch(tmp_path / "other", 1):
        pass
    assert caught.value.code == "scratch_unusable"


def test_a_download_is_old_when_nobody_has_worked_on_it_for_long(tmp_path):
    with worker_scratch(tmp_path, 1) as scratch:
        downloads = scratch.downloads
    partials = {name: PartialFile(downloads / name) for name in ("old", "under way", "taken up")}
    for name, partial in partials.items():
        partial.begin("x", Version(3))
        os.utime(downloads / name / "lock", (0, 0))
        if name != "under way":
            partial.close()
    PartialFile(downloads / "taken up").close()
    with worker_scratch(tmp_path, 1):
        assert {path.name for path in downloads.iterdir()} == {"under way", "taken up"}
    partials["under way"].close()
