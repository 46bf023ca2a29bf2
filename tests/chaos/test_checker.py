"""The checker can fail: each state that must not be is found in evidence that was doctored by hand."""

from __future__ import annotations

import copy
import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.chaos.checker import Evidence, Outcome, findings, told_wrongly
from tests.chaos.traffic import Entry

ORIGINAL = b"an original"
SHA256 = hashlib.sha256(ORIGINAL).hexdigest()
WHOLE = Outcome(None, ((3, 3, "hash"),), ("reference/dataset",))
REFUSED = Outcome("vcf_header")
EXPECTED = {(0, False): WHOLE, (1, False): REFUSED}
ERROR = {"code": "vcf_header", "title": "t", "message": "m", "resolution": ["r"], "retryable": False}


def write_dataset(folder, values=(1, 2, 3)):
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"rowno": list(values)}), folder / "part-0.parquet")
    digest = hashlib.sha256((folder / "part-0.parquet").read_bytes()).hexdigest()
    manifest = {"content_hash": "hash", "parts": [{"name": "part-0.parquet", "sha256": digest}]}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def job(name, state, upload, **values):
    fixed = {"stage": None, "attempt": 1, "max_attempts": 4, "error": None, "records": None, "sample_id": None}
    more = {"attempt_token": None, "account_id": "ada", "upload_id": upload}
    return fixed | more | {"id": f"job of {name}", "sample_name": name, "state": state} | values


def history(first, job_id, *steps):
    return [
        {"account_id": "ada", "id": first + at, "job_id": job_id, "stage": "parse", "message": ""}
        | {"state": state, "attempt": attempt}
        for at, (state, attempt) in enumerate(steps)
    ]


@pytest.fixture
def ledger():
    return [
        Entry("good", "ada", 0, split=False, sha256=SHA256, job_id="job of good"),
        Entry("broken", "ada", 1, split=False, sha256=SHA256, job_id="job of broken"),
        Entry("abandoned", "ada", 0, split=False, sha256=SHA256, abandoned=True),
    ]


@pytest.fixture
def evidence(tmp_path):
    """Two jobs as they must be: one completed at its second attempt, one refused."""
    write_dataset(tmp_path / "reference" / "dataset")
    write_dataset(tmp_path / "attempts" / "good")
    for name in ("good", "broken"):
        (tmp_path / "uploads" / name).mkdir(parents=True)
        (tmp_path / "uploads" / name / "source").write_bytes(ORIGINAL)
    good = [("queued", 1), ("parsing", 1), ("queued", 2), ("parsing", 2), ("completed", 2)]
    broken = [("queued", 1), ("parsing", 1), ("failed", 1)]
    dataset = {"position": 0, "records": 3, "variants": 3, "content_hash": "hash"}
    reference = {"id": "r", "job_id": "job of reference", "sample_id": "s0", "storage_key": "reference/dataset"}
    own = {"id": "d", "job_id": "job of good", "sample_id": "s", "storage_key": "attempts/good"}
    return Evidence(
        storage=tmp_path,
        jobs=[
            job("good", "completed", "u1", attempt=2, records=3, sample_id="s"),
            job("broken", "failed", "u2", error=ERROR),
            job("reference", "completed", "u3", records=3, sample_id="s0"),
        ],
        events=[
            *history(1, "job of good", *good),
            *history(6, "job of broken", *broken),
            *history(9, "job of reference", ("queued", 1), ("parsing", 1), ("completed", 1)),
        ],
        uploads=[
            {"id": "u1", "storage_key": "uploads/good/source", "sha256": SHA256, "bytes": 11},
            {"id": "u2", "storage_key": "uploads/broken/source", "sha256": SHA256, "bytes": 11},
            {"id": "u3", "storage_key": None, "sha256": SHA256, "bytes": 11},
        ],
        datasets=[own | dataset, reference | dataset],
    )


def found(evidence, ledger):
    reference = Entry("reference", "ada", 0, split=False, sha256=SHA256, job_id="job of reference")
    entries = [*ledger, reference]
    return [*findings(evidence, entries, EXPECTED), *told_wrongly(evidence, entries)]


def test_what_is_as_it_must_be_is_not_complained_about(evidence, ledger):
    assert found(evidence, ledger) == []


def a_row_fewer(evidence, ledger):
    write_dataset(evidence.storage / "attempts" / "good", (1, 2))


def a_changed_cell(evidence, ledger):
    write_dataset(evidence.storage / "attempts" / "good", (1, 2, 4))


def a_damaged_part(evidence, ledger):
    pq.write_table(pa.table({"rowno": [1, 2, 3], "x": [1, 1, 1]}), evidence.storage / "attempts/good/part-0.parquet")


def fewer_records_in_the_row(evidence, ledger):
    evidence.datasets[0]["records"] = 2


def two_datasets(evidence, ledger):
    second = evidence.datasets[0] | {"id": "second", "storage_key": "attempts/second"}
    write_dataset(evidence.storage / "attempts" / "second")
    evidence.datasets.insert(1, second)


def no_dataset(evidence, ledger):
    del evidence.datasets[0]


def an_orphan_folder(evidence, ledger):
    write_dataset(evidence.storage / "attempts" / "lost")


def a_hidden_orphan(evidence, ledger):
    (evidence.storage / ".trash").mkdir()
    (evidence.storage / ".trash" / "part").touch()


def an_attempt_too_many(evidence, ledger):
    evidence.jobs[0]["max_attempts"] = 1


def an_attempt_begun_twice(evidence, ledger):
    for event in evidence.events[2:5]:
        event["attempt"] = 1


def an_attempt_begun_again_and_again_with_a_dying_worker(evidence, ledger):
    steps = [
        ("queued", 1),
        ("parsing", 1),
        ("queued", 1),
        ("parsing", 1),
        ("queued", 1),
        ("parsing", 1),
        ("completed", 1),
    ]
    evidence.events = [*evidence.events[5:], *history(12, "job of good", *steps)]
    for number, event in enumerate(evidence.events, 1):
        event["id"] = number
        if event["state"] == "queued":
            event["message"] = "Its worker died while it ran this and another stage."


def a_missing_event(evidence, ledger):
    del evidence.events[6]


def an_illegal_step(evidence, ledger):
    evidence.events[4]["state"], evidence.events[3]["state"] = "completed", "queued"


def an_altered_original(evidence, ledger):
    (evidence.storage / "uploads" / "good" / "source").write_bytes(b"an Original")


def a_lost_original(evidence, ledger):
    (evidence.storage / "uploads" / "broken" / "source").unlink()


def another_file_than_was_sent(evidence, ledger):
    ledger[0].sha256 = "0" * 64


def a_lost_job(evidence, ledger):
    del evidence.jobs[1]
    del evidence.events[5:8]


def a_job_done_twice(evidence, ledger):
    evidence.jobs.append(copy.deepcopy(evidence.jobs[0]) | {"id": "another"})
    evidence.events += history(12, "another", ("queued", 1), ("parsing", 1), ("completed", 1))


def a_job_of_an_upload_that_was_abandoned(evidence, ledger):
    evidence.jobs.append(job("abandoned", "completed", "u1"))


def a_job_that_is_stuck(evidence, ledger):
    evidence.jobs[0]["state"], evidence.events[4]["state"] = "parsing", "parsing"


def a_claim_that_is_still_held(evidence, ledger):
    evidence.busy_workers = 1


def a_failure_visible_as_a_table(evidence, ledger):
    evidence.datasets[0]["job_id"] = "job of broken"


def a_failure_without_resolution(evidence, ledger):
    evidence.jobs[1]["error"] = ERROR | {"resolution": []}


def a_failure_of_a_good_file(evidence, ledger):
    evidence.jobs[0] |= {"state": "failed", "error": ERROR, "sample_id": None}
    evidence.events[4]["state"] = "failed"


def a_failure_before_the_last_attempt(evidence, ledger):
    evidence.jobs[1]["error"] = ERROR | {"code": "disk_full", "retryable": True}


def a_broken_file_that_was_read(evidence, ledger):
    evidence.jobs[1] |= {"state": "completed", "error": None}
    evidence.events[7]["state"] = "completed"


def a_cancelled_job_that_nobody_cancelled(evidence, ledger):
    evidence.jobs[1] |= {"state": "cancelled"}
    evidence.events[7]["state"] = "cancelled"


DOCTORED = [
    a_row_fewer,
    a_changed_cell,
    a_damaged_part,
    fewer_records_in_the_row,
    two_datasets,
    no_dataset,
    an_orphan_folder,
    a_hidden_orphan,
    an_attempt_too_many,
    an_attempt_begun_twice,
    an_attempt_begun_again_and_again_with_a_dying_worker,
    a_missing_event,
    an_illegal_step,
    an_altered_original,
    a_lost_original,
    another_file_than_was_sent,
    a_lost_job,
    a_job_done_twice,
    a_job_of_an_upload_that_was_abandoned,
    a_job_that_is_stuck,
    a_claim_that_is_still_held,
    a_failure_visible_as_a_table,
    a_failure_without_resolution,
    a_failure_of_a_good_file,
    a_failure_before_the_last_attempt,
    a_broken_file_that_was_read,
    a_cancelled_job_that_nobody_cancelled,
]


@pytest.mark.parametrize("doctor", DOCTORED, ids=lambda doctor: doctor.__name__)
def test_what_must_not_be_is_found(evidence, ledger, doctor):
    doctor(evidence, ledger)
    assert found(evidence, ledger) != []
