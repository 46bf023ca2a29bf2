"""At every boundary the process dies, or fails, once: whatever was going on comes to the same end as without it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections import Counter
from pathlib import Path

import psycopg
import pyarrow.dataset
import pytest
from tests.running import write_vcf

import varloom
from varloom import failpoints
from varloom.failpoints import Plan, Rule
from varloom.services.storage_mark import MARK
from varloom.storage import LocalStorage

SOURCE = Path(varloom.__file__).parent
STORY = Path(__file__).with_name("story.py")
ACTS = [
    "upload",
    "manifest",
    "discard",
    "die",
    "release",
    "cancel",
    "retry",
    "hurry",
    "work",
    "advance",
    "suspect",
    "give_up",
    "dismiss",
    "delete",
    "sweep",
]
RECORDS = {"good": 300, "single": 200, "large": 5000}
MOST_PLAYS = 100
SLOW_STAGES = "stage.before_answer=stall:1.5@100%"
"""So that something can happen to a stage while it runs."""


def points_of_source() -> set[str]:
    """The names of all failpoints, read from the code."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        if path.name != "failpoints.py":
            text = path.read_text(encoding="utf-8")
            found |= set(re.findall(r'(?<!\w)failpoint\("([a-z_.]+)"', text))
            for step in re.findall(r'commit_point\("([a-z_]+)"', text):
                found |= {f"{step}.{point}" for point in ("statement", "before_commit", "commit_sent", "after_commit")}
    return found


LOST = frozenset(point for point in points_of_source() if point.endswith(".commit_sent"))
"""Where a commit was done and its answer is lost: nothing of the step is done a second time."""
REMOTE = frozenset(point for point in points_of_source() if point.startswith("remote."))
"""Passed with an object store only; tests/integration/test_object_store_jobs.py kills there."""
SPOOLED = frozenset(point for point in points_of_source() if point.startswith("spool."))
"""Passed by uploads over several requests; tests/faults/test_resumable_uploads.py kills there."""
DOWNLOADED = frozenset(point for point in points_of_source() if point.startswith("download."))
"""Passed by files from URLs; tests/faults/test_download_jobs.py kills there."""
ANNOTATED = frozenset(point for point in points_of_source() if point.startswith(("annotate.", "annotation.", "refs.")))
"""Passed by annotation and the installation of what it needs; tests/faults/test_annotation_jobs.py and
tests/integration/test_reference_library.py kill there."""
PROCESSED = frozenset(point for point in points_of_source() if point.startswith(("process.", "processing.")))
"""Passed by jobs of reads; tests/faults/test_process_jobs.py and tests/processing kill there."""
BACKED_UP = frozenset(point for point in points_of_source() if point.startswith(("backup.", "restore.")))
"""Passed by backups; tests/integration/test_backup.py kills there."""
ROTATED = frozenset(point for point in points_of_source() if point.startswith("secrets."))
"""Passed by a rotation of the key; tests/integration/test_api_credentials.py kills there."""
ANSWERED = points_of_source() - LOST - REMOTE - SPOOLED - DOWNLOADED - ANNOTATED - PROCESSED - BACKED_UP - ROTATED
FILES = frozenset(
    point
    for point in ANSWERED
    if point.startswith(
        ("upload.", "stage.", "part.", "file.", "manifest.", "dataset.", "delete.", "discard.", "sweep.")
    )
)
PLAYS = [("kill", ANSWERED), ("kill", LOST), ("cut", ANSWERED), ("cut", LOST), ("eio", FILES)]


@pytest.fixture
def folder(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    for name, records in RECORDS.items():
        write_vcf(files / f"{name}.vcf", records)
    (files / "broken.vcf").write_text("##fileformat=VCFv4.2\nchr1\t1\t.\tA\tC\t.\t.\t.\n")
    return tmp_path


class Theatre:
    """Plays acts under failpoints, each again and again until it comes to its end."""

    def __init__(self, url, folder, action, points, connection):
        self.folder = folder
        self.log = folder / "fired"
        self.action, self.points = action, points
        self.told = (folder / "story.log").open("wb")
        self.rules = ";".join([*(f"{point}={action}@1" for point in sorted(points)), f"log={self.log}"])
        self.connection = connection
        self.process = subprocess.Popen(
            [sys.executable, str(STORY), url, str(folder)],
            env={**os.environ, failpoints.VARIABLE: ""},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.told,
            text=True,
        )

    def play(self, act):
        """Until an exit with status 0; how the process ended each time before."""
        endings = []
        for _ in range(MOST_PLAYS):
            report = act != "die"  # that death is noticed by silence alone
            rules = f"{self.rules};{SLOW_STAGES}" if act in {"die", "release", "cancel"} else self.rules
            self.process.stdin.write(json.dumps({"act": act, "rules": rules, "report": report}) + "\n")
            self.process.stdin.flush()
            status = int(self.process.stdout.readline())
            self.assert_nothing_half()
            if status == 0:
                return endings
            endings.append(status)
        raise AssertionError((self.folder / "story.log").read_text()[-4000:])

    def fired(self):
        lines = [line.split() for line in self.log.read_text().splitlines()]
        return [point for point, action, _ in lines if action == self.action]

    def rows(self, query):
        return self.connection.execute(query).fetchall()

    def assert_nothing_half(self):
        """At no moment can a table be seen that has not all rows of its file, or of a job that is not completed."""
        query = (
            "SELECT samples.name, storage_key, datasets.records, state FROM datasets"
            " JOIN samples ON samples.id = sample_id JOIN jobs ON jobs.id = datasets.job_id"
            " WHERE samples.deleted_at IS NULL"
        )
        for name, key, records, state in self.rows(query):
            assert (records, state) == (RECORDS[name], "completed")
            assert rows_of(self.folder / "storage" / key) == RECORDS[name]

    def close(self):
        self.process.communicate()
        self.told.close()


def rows_of(dataset):
    return pyarrow.dataset.dataset(sorted(map(str, dataset.glob("*.parquet")))).count_rows()


@pytest.fixture
def theatre(database_url, folder, request):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO accounts (name) VALUES ('ada')")
        mark = uuid.uuid4()
        connection.execute("INSERT INTO storage (id, marked_at) VALUES (%s, now())", [mark])
        LocalStorage(folder / "storage").write_bytes(MARK, json.dumps({"storage": str(mark)}).encode())
        opened = Theatre(database_url, folder, *request.param, connection)
        yield opened
        opened.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("theatre", PLAYS, indirect=True)
def test_every_boundary_can_be_the_last(theatre, folder):
    """Each failpoint fires at its first hit, once: the act is played again, and ends as if nothing had been."""
    endings = {act: theatre.play(act) for act in ACTS}
    endings["work again"] = theatre.play("work")
    endings["sweep again"] = theatre.play("sweep")
    assert Counter(theatre.fired()) == Counter(dict.fromkeys(theatre.points, 1))
    if theatre.action == "kill":
        assert {status for statuses in endings.values() for status in statuses} == {-signal.SIGKILL}
    assert_the_end_is_right(theatre, folder / "storage")


def assert_the_end_is_right(theatre, storage):
    """One job for each file, in the state that it deserves; one dataset for each completed one; nothing beside."""
    jobs = theatre.rows(
        "SELECT uploads.name, state, jobs.records FROM jobs JOIN uploads ON uploads.id = upload_id ORDER BY 1"
    )
    assert jobs == [
        ("broken.vcf", "failed", None),
        ("good.vcf", "completed", RECORDS["good"]),
        ("large.vcf", "completed", RECORDS["large"]),
        ("line 1.vcf", "cancelled", None),
        ("line 2.vcf", "cancelled", None),
        ("single.vcf", "completed", RECORDS["single"]),
        ("suspect 1.vcf", "cancelled", None),
        ("suspect 2.vcf", "cancelled", None),
        ("two stages.vcf", "cancelled", None),
    ]
    visible = theatre.rows(
        "SELECT samples.name, storage_key FROM datasets JOIN samples ON samples.id = sample_id"
        " WHERE deleted_at IS NULL ORDER BY 1"
    )
    assert [name for name, _ in visible] == ["good", "large"]
    kept = theatre.rows("SELECT storage_key FROM uploads WHERE storage_key IS NOT NULL")
    folders = {key for _, key in visible} | {key.rpartition("/")[0] for (key,) in kept}
    files = [path.relative_to(storage).as_posix() for path in storage.rglob("*") if path.is_file()]
    assert {name.rpartition("/")[0] for name in files if name != MARK} == folders
    assert len(kept) == 2


def test_a_process_that_is_not_under_test_passes_by():
    """No plan, and the failpoints are one empty function."""
    code = (
        "from varloom import failpoints as f; from varloom.db.faulty_commits import connection_class as c;"
        "import psycopg; assert f.armed is None; assert f.failpoint is f.commit_point is f._nothing;"
        "assert c() is psycopg.AsyncConnection"
    )
    environment = {name: value for name, value in os.environ.items() if name != failpoints.VARIABLE}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


def test_rules_are_read():
    assert Rule.parse("*.before_commit=stall:0.5@2%") == Rule("*.before_commit", "stall", 0.5, None, 0.02)
    assert Rule.parse("claim.statement=kill@3") == Rule("claim.statement", "kill", 0.0, 3, None)
    for wrong in ("claim", "claim=kill", "claim=burn@1", "claim=kill@often"):
        with pytest.raises(ValueError, match="is not of the form"):
            Rule.parse(wrong)


def test_chances_come_from_the_seed_and_end_with_the_file(tmp_path):
    going_on = tmp_path / "going on"
    going_on.touch()

    def firings(seed):
        plan = Plan(f"a=stall:0@30%;seed={seed};while={going_on}")
        return [plan.choose("a") is not None for _ in range(200)]

    assert firings(1) == firings(1) != firings(2)
    assert 30 < sum(firings(1)) < 90
    going_on.unlink()
    assert not any(firings(1))


def test_what_is_to_happen_once_happens_once_among_processes(tmp_path):
    rules = f"a=stall:0@1;log={tmp_path / 'log'}"
    assert [Plan(rules).choose("a") is not None for _ in range(3)] == [True, False, False]
    shutil.copy(tmp_path / "log", tmp_path / "kept")
    assert (tmp_path / "kept").read_text() == f"a stall {os.getpid()}\n"
