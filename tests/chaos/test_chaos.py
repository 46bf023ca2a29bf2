"""A short chaos run: every kind of fault happens, and everything is as it must be afterwards."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from tests.chaos import faulty_disk
from tests.chaos.files import HUGE, LARGE, choose_files
from tests.chaos.plan import FREQUENCY, SOURCES, make_plan
from tests.chaos.run import ChaosRun

SEED, JOBS, WORKERS = 1, 200, 2


@pytest.mark.timeout(400)
@pytest.mark.skipif(not faulty_disk.is_possible(), reason="needs Linux and a C compiler")
def test_whatever_dies_every_upload_comes_to_its_one_right_end():
    home = Path(tempfile.mkdtemp(prefix="varloom-chaos-"))  # it is kept when something is found
    run = ChaosRun(home, SEED, JOBS, WORKERS)
    report = run.run()
    assert report.findings == [], "\n".join([report.summary, *report.findings, f"the folder of the run: {home}"])
    assert report.looks > 0
    assert report.rescued > 0
    run.destroy_database()
    shutil.rmtree(home)


def test_a_plan_comes_from_its_seed_alone(tmp_path):
    files = choose_files(random.Random(7), tmp_path)
    assert len(files) == 100 + len(LARGE) + len(HUGE)
    assert choose_files(random.Random(7), tmp_path) == files
    plan = make_plan(7, 500, files)
    assert plan == make_plan(7, 500, files) != make_plan(8, 500, files)
    assert {fault.kind for fault in plan.faults} == set(FREQUENCY)
    assert {upload.source.kind for upload in plan.uploads if upload.source} == set(SOURCES)
