"""The checker can fail: each state that must not be is found in evidence that was doctored by hand."""

from __future__ import annotations

import copy
import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.chaos.checker import Evidence, Outcome, findings, told_wrongly
from tests.chaos.origin import Answer, Offered, Version
from tests.chaos.traffic import Entry

ORIGINAL = b"an original"
SHA256 = hashlib.sha256(ORIGINAL).hexdigest()
WHOLE = Outcome(None, ((3, 3, "hash"),), ("reference/dataset",))
REFUSED = Outcome("vcf_header")
EXPECTED = {(0, False): WHOLE, (1, False): REFUSED}
FETCHED = b"a newer one"
NEWER = Version(0, hashlib.sha256(FETCHED).hexdigest(), len(FETCHED))
OLDER = Version(1, SHA256, len(ORIGINAL))
INTERRUPTED = {"code": "download_interrupted", "title": "t", "message": "m", "resolution": ["r"], "retryable": True}
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


def history(first, job_id, *steps, stage_of=None):
    return [
        {"account_id": "ada", "id": first + at, "job_id": job_id, "message": ""}
        | {"state": state, "attempt": attempt, "stage": (stage_of or {}).get(state, "parse")}
        for at, (state, attempt) in enumerate(steps)
    ]


@pytest.fixture
def ledger():
    return [
        Entry("good", "ada", 0, split=False, sha256=SHA256, job_id="job of good"),
        Entry("broken", "ada", 1, split=False, sha256=SHA256, job_id="job of broken"),
        Entry("abandoned", "ada", 0, split=False, sha256=SHA256, abandoned=True),
        Entry("fetched", "ada", 1, split=False, sha256=SHA256, job_id="job of fetched", offered=replaced()),
        Entry("cut off", "ada", 0, split=False, sha256=SHA256, job_id="job of cut off", offered=never_whole()),
    ]


def replaced():
    """An object that was replaced after its first bytes, and then came in two pieces, one of which was broken off."""
    cut, rest = Answer("cut", 206, 1, 0, 6), Answer(None, 206, 1, 5, 6)
    return Offered("replaced", [OLDER, NEWER], [Answer("cut", 206, 0, 0, 4), cut, rest])


def never_whole():
    return Offered("hopeless", [NEWER], [Answer("cut", 200, 0, 0, 3)] * 4)


@pytest.fixture
def evidence(tmp_path):
    """As it must be: a job completed at its second attempt, one refused, and two by URL, of which one never came."""
    write_dataset(tmp_path / "reference" / "dataset")
    write_dataset(tmp_path / "attempts" / "good")
    write_dataset(tmp_path / "attempts" / "fetched")
    for name in ("good", "broken", "fetched"):
        (tmp_path / "uploads" / name).mkdir(parents=True)
        (tmp_path / "uploads" / name / "source").write_bytes(FETCHED if name == "fetched" else ORIGINAL)
    good = [("queued", 1), ("parsing", 1), ("queued", 2), ("parsing", 2), ("completed", 2)]
    broken = [("queued", 1), ("parsing", 1), ("failed", 1)]
    dataset = {"position": 0, "records": 3, "variants": 3, "content_hash": "hash"}
    reference = {"id": "r", "job_id": "job of reference", "sample_id": "s0", "storage_key": "reference/dataset"}
    fetched = [*[("queued", 1), ("downloading", 1)], ("queued", 1), ("parsing", 1), ("completed", 1)]
    cut_off = [step for attempt in (1, 2, 3, 4) for step in (("queued", attempt), ("downloading", attempt))]
    by_url = {"id": "f", "job_id": "job of fetched", "sample_id": "s2", "storage_key": "attempts/fetched"}
    own = {"id": "d", "job_id": "job of good", "sample_id": "s", "storage_key": "attempts/good"}
    return Evidence(
        storage=tmp_path,
        jobs=[
            job("good", "completed", "u1", attempt=2, records=3, sample_id="s"),
            job("broken", "failed", "u2", error=ERROR),
            job("reference", "completed", "u3", records=3, sample_id="s0"),
            job("fetched", "completed", "u4", records=3, sample_id="s2"),
            job("cut off", "failed", "u5", stage="download", attempt=4, error=INTERRUPTED),
        ],
        events=[
            *history(1, "job of good", *good),
            *history(6, "job of broken", *broken),
            *history(9, "job of reference", ("queued", 1), ("parsing", 1), ("completed", 1)),
            *history(12, "job of fetched", *fetched, stage_of={"downloading": "download"}),
            *history(17, "job of cut off", *cut_off, ("failed", 4), stage_of={"queued": "download"}),
        ],
        uploads=[
            {"id": "u1", "storage_key": "uploads/good/source", "sha256": SHA256, "bytes": 11},
            {"id": "u2", "storage_key": "uploads/broken/source", "sha256": SHA256, "bytes": 11},
            {"id": "u3", "storage_key": None, "sha256": SHA256, "bytes": 11},
            {"id": "u4", "storage_key": "uploads/fetched/source", "sha256": NEWER.sha256, "bytes": 11},
            {"id": "u5", "storage_key": None, "sha256": None, "bytes": None},
        ],
        datasets=[own | dataset, by_url | dataset, reference | dataset],
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
    evidence.events = [*evidence.events[5:], *history(26, "job of good", *steps)]
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
    evidence.events += history(26, "another", ("queued", 1), ("parsing", 1), ("completed", 1))


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


def a_file_that_was_never_served_whole(evidence, ledger):
    ledger[3].offered.answers.pop()


def a_file_whose_bytes_came_from_two_versions(evidence, ledger):
    """Of neither was every byte sent, of both together more than enough."""
    ledger[3].offered.answers[1] = Answer("cut", 206, 0, 0, 11)


def a_file_of_which_a_part_came_spoilt_only(evidence, ledger):
    ledger[3].offered.answers[-1] = Answer("mangled", 206, 1, 5, 6)


def a_file_that_is_none_of_the_versions(evidence, ledger):
    ledger[3].offered.versions.pop()


def the_table_of_another_version(evidence, ledger):
    """The older version was served whole, too; but it is a file that must be refused."""
    ledger[3].offered.answers[0] = Answer(None, 200, 0, 0, 11)
    evidence.uploads[3]["sha256"] = SHA256


def a_completed_job_without_a_file(evidence, ledger):
    evidence.uploads[3]["sha256"] = None


def a_table_of_a_download_that_failed(evidence, ledger):
    evidence.datasets[1]["job_id"] = "job of cut off"


def a_download_that_gave_up_before_its_last_attempt(evidence, ledger):
    evidence.jobs[4]["attempt"] = 3


def a_failure_that_the_source_did_not_cause(evidence, ledger):
    evidence.jobs[4]["error"] = INTERRUPTED | {"code": "download_rate_limited"}


def a_permanent_failure_that_the_source_did_not_cause(evidence, ledger):
    evidence.jobs[4]["error"] = INTERRUPTED | {"code": "download_not_found", "retryable": False}


def a_code_of_which_nobody_knows_a_cause(evidence, ledger):
    evidence.jobs[4]["error"] = INTERRUPTED | {"code": "download_new_kind", "retryable": False}


def a_failed_download_without_resolution(evidence, ledger):
    evidence.jobs[4]["error"] = INTERRUPTED | {"resolution": []}


def a_failure_of_the_download_in_another_stage(evidence, ledger):
    evidence.jobs[4]["stage"] = "parse"


def a_permanent_fault_that_was_asked_for_again_and_again(evidence, ledger):
    ledger[4].offered.answers = [Answer("missing", 404)] * 5
    evidence.jobs[4]["error"] = INTERRUPTED | {"code": "download_not_found", "retryable": False}


def a_download_begun_twice_in_an_attempt(evidence, ledger):
    for event in evidence.events[18:20]:
        event["attempt"] = 1


def a_partial_download(evidence, ledger):
    (evidence.storage / "downloads" / "job of fetched").mkdir(parents=True)
    (evidence.storage / "downloads" / "job of fetched" / "journal").touch()


def a_url_that_was_refused(evidence, ledger):
    ledger.append(Entry("refused", "ada", 0, split=False, sha256=SHA256, refused="x", offered=never_whole()))


DOCTORED = [
    a_file_that_was_never_served_whole,
    a_file_whose_bytes_came_from_two_versions,
    a_file_of_which_a_part_came_spoilt_only,
    a_file_that_is_none_of_the_versions,
    the_table_of_another_version,
    a_completed_job_without_a_file,
    a_table_of_a_download_that_failed,
    a_download_that_gave_up_before_its_last_attempt,
    a_failure_that_the_source_did_not_cause,
    a_permanent_failure_that_the_source_did_not_cause,
    a_code_of_which_nobody_knows_a_cause,
    a_failed_download_without_resolution,
    a_failure_of_the_download_in_another_stage,
    a_permanent_fault_that_was_asked_for_again_and_again,
    a_download_begun_twice_in_an_attempt,
    a_partial_download,
    a_url_that_was_refused,
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
