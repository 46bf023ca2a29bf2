"""What the Job Manager says of a job: the texts, not the markup."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from varloom.jobs.lifecycle import Stage, State
from varloom.services.events import SNAPSHOT_NEWEST, Message
from varloom.services.views import JobView, ProgressView
from varloom.web.pages.formatting import about, clock, size, with_code
from varloom.web.pages.job_entries import STATE_LOOKS, job_entry, step_text
from varloom.web.pages.job_segments import STAGE_NAMES
from varloom.web.pages.stream import SHOWN_ACTIVE, LivePanel, render_entry, render_snapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
RAGGED = {
    "code": "ragged_row",
    "title": "Parsing error",
    "message": "Line 3 has 11 columns, but the #CHROM line has 10.",
    "stage": "parse",
    "line": 3,
    "column": 11,
    "field": "NA12878",
    "excerpt": "chr1<b>",
    "resolution": ["Make the number of columns the same in every row."],
    "retryable": False,
    "problems": [
        {"code": "ragged_row", "line": 3, "message": "Line 3 has 11 columns, but the #CHROM line has 10."},
        {"code": "ragged_row", "line": 9, "message": "Line 9 has 8 columns, but the #CHROM line has 10."},
    ],
}


def make_job(state: str = "queued", **changes: Any) -> JobView:
    """A job of one minute ago, in a state that hangs together."""
    created = NOW - timedelta(minutes=1)
    final = state in {"completed", "failed", "cancelled"}
    values = {
        "id": uuid4(),
        "sample_name": "HG002",
        "source": {"kind": "file", "name": "HG002.vcf.gz", "bytes": 12_431_233},
        "options": {"assembly": "GRCh38", "split_by_sample": True},
        "state": state,
        "stage": None if state == "completed" else "parse",
        "plan": ["parse"],
        "attempt": 1,
        "max_attempts": 4,
        "retry_at": None,
        "queue_position": None,
        "priority": 0,
        "cancel_requested": False,
        "progress": None,
        "records": None,
        "variants": None,
        "warnings": [],
        "sample_id": None,
        "error": None,
        "message": "",
        "created_at": created,
        "started_at": None if state == "queued" else created + timedelta(seconds=10),
        "finished_at": created + timedelta(seconds=47) if final else None,
        "dismissed": False,
        **changes,
    }
    return JobView.model_validate(values)


def test_every_state_and_stage_has_its_look() -> None:
    assert set(STATE_LOOKS) == {state.value for state in State}
    assert set(STAGE_NAMES) == {stage.value for stage in Stage}


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"queue_position": 0}, "Next for a Parsing slot"),
        ({"queue_position": 2}, "2 ahead of you for a Parsing slot"),
        ({"queue_position": 1234}, "1,234 ahead of you for a Parsing slot"),
        (
            {"queue_position": 3, "stage": "annotate", "plan": ["annotate", "parse"]},
            "3 ahead of you for an Annotating slot",
        ),
        ({"attempt": 2, "retry_at": NOW - timedelta(seconds=1), "queue_position": 0}, "Next for a Parsing slot"),
        ({"cancel_requested": True}, "Cancelling"),
        ({"held_up": {"cause": "paused", "message": "Paused by the operator."}}, "Paused by the operator."),
        ({"held_up": {"cause": "no_slots", "message": "Waiting: no worker."}}, "Waiting: no worker."),
        (
            {"held_up": {"cause": "no_slots", "message": "x"}, "queue_position": 2},
            "2 ahead of you for a Parsing slot; no running worker has one",
        ),
    ],
)
def test_a_queued_job_says_why_it_waits(changes: dict[str, Any], status: str) -> None:
    entry = job_entry(make_job(**changes), NOW)
    assert entry.status == status
    assert entry.retry_seconds is None


def test_a_job_that_waits_for_its_retry_says_when_and_why() -> None:
    job = make_job(attempt=2, retry_at=NOW + timedelta(seconds=15), error={**RAGGED, "retryable": True})
    entry = job_entry(job, NOW)
    assert entry.retry_seconds == 15
    assert entry.attempt == "Attempt 2 of 4"
    assert entry.setback == "Parsing error: Line 3 has 11 columns, but the #CHROM line has 10."
    assert entry.failure is None


def test_a_running_job_shows_how_far_how_fast_and_how_long() -> None:
    progress = {"done": 4_000_000, "total": 8_000_000, "unit": "bytes", "rate": 1_000_000, "eta_seconds": 38}
    entry = job_entry(make_job("parsing", progress=progress), NOW)
    assert (entry.status, entry.pace) == ("4 MB of 8 MB", "1 MB/s, about 40 s left")
    for rate, left, pace in ((45, 4e6, "45 bytes/s"), (1e-9, 1e15, "No progress at the moment")):
        slow = job_entry(make_job("parsing", progress=progress | {"rate": rate, "eta_seconds": left}), NOW)
        assert slow.pace == pace
    assert (entry.segments[0].state, entry.segments[0].note) == ("running", "50%")
    assert (entry.elapsed_label, entry.elapsed, entry.ticking) == ("Running", 50, True)


def test_the_segments_follow_the_plan() -> None:
    plan = ["download", "annotate", "parse"]
    states = [segment.state for segment in job_entry(make_job("annotating", plan=plan, stage="annotate"), NOW).segments]
    assert states == ["done", "running", "waiting"]
    failed = make_job("failed", plan=plan, stage="annotate", error=RAGGED)
    assert [segment.state for segment in job_entry(failed, NOW).segments] == ["done", "failed", "waiting"]


def test_a_failed_job_says_what_where_and_how_to_mend_it() -> None:
    entry = job_entry(make_job("failed", error=RAGGED), NOW)
    failure = entry.failure
    assert failure is not None
    assert failure.places == (("Line", "3"), ("Column", "11"), ("Field", "NA12878"))
    assert failure.steps == ("Make the number of columns the same in every row.",)
    assert [finding.place for finding in failure.further] == ["Line 9"], "the first problem is told already"
    assert "Not tried again" in failure.verdict
    assert entry.can_replace
    assert (entry.retry_label, entry.can_cancel, entry.can_dismiss) == ("Retry", False, True)


def test_each_stage_tells_what_it_took_and_what_it_will_take() -> None:
    plan = ["download", "annotate", "parse"]
    began = NOW - timedelta(seconds=20)
    stages = [
        {"stage": "download", "state": "done", "began_at": began, "seconds": 12.4},
        {"stage": "annotate", "state": "running", "began_at": began, "expected_seconds": 41},
        {"stage": "parse", "state": "waiting", "expected_seconds": 200},
    ]
    job = make_job("annotating", plan=plan, stage="annotate", stages=stages)
    first, second, third = job_entry(job, NOW).segments
    assert (first.time, first.expected) == ("0:12", "")
    assert (second.elapsed, second.time, second.expected) == (20, "0:20", "about 40 s")
    assert (third.time, third.expected) == ("", "about 3 min")
    assert "usually about 40 s" in render_entry(job)


def test_a_failed_job_says_what_was_tried_and_where_a_retry_begins() -> None:
    lost = {"outcome": "failed", "code": "storage_unreachable", "title": "Storage unreachable", "message": "No answer."}
    tries = [
        {"stage": "download", "attempt": 1, "began_at": NOW, "seconds": 2, "outcome": "succeeded"},
        {"stage": "parse", "attempt": 1, "began_at": NOW, "seconds": 0.2, **lost},
        {"stage": "parse", "attempt": 2, "began_at": NOW, "seconds": 75, **lost},
    ]
    plan = ["download", "parse"]
    entry = job_entry(
        make_job("failed", error={**RAGGED, "retryable": True}, plan=plan, attempts=tries, attempt=2), NOW
    )
    assert entry.failure is not None
    assert [(one.name, one.time) for one in entry.failure.tried] == [
        ("Parse, attempt 1", "under 1 s"),
        ("Parse, attempt 2", "1:15"),
    ]
    assert entry.failure.verdict == "Tried 2 times."
    assert entry.retry_label == "Retry from Parse"


def test_a_completed_job_holds_what_was_read_against_what_the_table_has() -> None:
    variants = job_entry(make_job("completed", records=50_284, variants=50_301, sample_id=uuid4()), NOW)
    assert variants.status == "50,284 records in the file = 50,284 records in the table, 50,301 variants"
    rows = job_entry(make_job("completed", records=1, variants=None, sample_id=uuid4()), NOW)
    assert rows.status == "1 row in the file = 1 row in the table"


def test_a_priority_that_a_program_gave_can_be_seen_and_kept() -> None:
    entry = job_entry(make_job(priority=7), NOW)
    assert entry.priorities[1] == (7, "Priority 7")
    assert "Priority 7" in entry.facts
    assert '<option value="7" selected>' in render_entry(make_job(priority=7))


def test_nothing_of_the_user_becomes_markup() -> None:
    name = "<img src=x onerror=alert(1)>"
    job = make_job("failed", error=RAGGED, sample_name=name, source={"kind": "file", "name": name, "bytes": 1})
    html = render_entry(job)
    assert "<img" not in html
    assert "<b>" not in html.replace("<b>3</b>", "").replace("<b>11</b>", "").replace("<b>NA12878</b>", "")
    assert html.count("&lt;img src=x onerror=alert(1)&gt;") >= 3, "name, file and announcement"


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("queued", {"cancel", "priority"}),
        ("parsing", {"cancel", "priority"}),
        ("completed", {"open", "dismiss"}),
        ("failed", {"replace", "retry", "change", "report", "dismiss"}),
        ("cancelled", {"retry", "change", "dismiss"}),
    ],
)
def test_each_state_offers_what_can_be_done(state: str, offered: set[str]) -> None:
    error = RAGGED if state == "failed" else None
    html = render_entry(make_job(state, error=error, sample_id=uuid4(), records=1, variants=2))
    assert set(re.findall(r'data-act="(\w+)"', html)) == offered


def test_a_wait_for_a_retry_can_be_ended_and_nothing_changed_with_it() -> None:
    waiting = make_job(attempt=2, retry_at=datetime.now(UTC) + timedelta(hours=1), error={**RAGGED, "retryable": True})
    html = render_entry(waiting)
    assert set(re.findall(r'data-act="(\w+)"', html)) == {"retry", "cancel", "priority"}
    assert "Retry now</button>" in html
    assert job_entry(make_job(attempt=2, retry_at=NOW - timedelta(seconds=1)), NOW).retry_label is None, "it is due"


def message(job: JobView) -> Message:
    return Message("job", job.model_dump_json())


def take(panel: LivePanel, *messages: Message) -> list[tuple[str, str]]:
    return [event for one in messages for event in panel.take(one)]


def test_the_stream_begins_with_one_snapshot_newest_first() -> None:
    older, newer = make_job("completed", sample_id=uuid4()), make_job(sample_name="second")
    panel = LivePanel()
    assert take(panel, message(older), message(newer)) == []
    (name, html), active = take(panel, Message("snapshot", "{}"))
    assert name == "snapshot"
    assert html.index(str(newer.id)) < html.index(str(older.id))
    assert active == ("active", "1")


def test_the_count_of_active_jobs_is_sent_when_it_changes() -> None:
    panel = LivePanel()
    job = make_job()
    take(panel, Message("snapshot", "{}"))
    assert [name for name, _ in take(panel, message(job))] == ["job", "active"]
    running = job.model_copy(update={"state": "parsing"})
    assert [name for name, _ in take(panel, message(running))] == ["job"]
    done = make_job("completed", id=job.id, sample_id=uuid4())
    assert take(panel, message(done))[-1] == ("active", "0")
    gone = done.model_copy(update={"dismissed": True})
    assert take(panel, message(gone)) == [("gone", str(job.id))]


def test_active_jobs_that_the_snapshot_does_not_show_are_counted() -> None:
    panel = LivePanel()
    shown, other = make_job(), make_job(created_at=NOW - timedelta(hours=1))
    events = take(panel, message(shown), Message("snapshot", '{"active": 700}'))
    assert events[-1] == ("active", "700")
    begun = other.model_copy(update={"state": "parsing"})
    assert [name for name, _ in take(panel, message(begun))] == ["job"], "it was counted already"
    done = make_job("completed", id=other.id, created_at=other.created_at, sample_id=uuid4())
    assert take(panel, message(done))[-1] == ("active", "699")
    unseen = make_job("completed", created_at=other.created_at, sample_id=uuid4())
    assert take(panel, message(unseen))[-1] == ("active", "698")
    assert take(panel, message(make_job()))[-1] == ("active", "699")


def test_of_a_job_whose_place_in_the_queue_moves_only_that_is_sent() -> None:
    panel = LivePanel()
    job = make_job(queue_position=3)
    take(panel, message(job), Message("snapshot", "{}"))
    moved = Message("queue", f'{{"positions": {{"{job.id}": 1, "{uuid4()}": 0}}}}')
    ((name, places),) = take(panel, moved)
    assert name == "places"
    assert json.loads(places) == {str(job.id): "1 ahead of you for a Parsing slot"}
    assert take(panel, moved) == [], "the same places are not sent twice"


def test_a_full_snapshot_says_down_to_where_it_is_complete() -> None:
    jobs = [make_job(created_at=NOW - timedelta(minutes=minute)) for minute in range(SNAPSHOT_NEWEST + 1)]
    floor = job_entry(jobs[SNAPSHOT_NEWEST - 1]).created_key
    assert f'data-floor="{floor}"' in render_snapshot(jobs)
    assert 'data-floor=""' in render_snapshot(jobs[:-2])


def test_a_snapshot_shows_the_newest_jobs_and_some_older_active_ones() -> None:
    newest = [make_job() for _ in range(SNAPSHOT_NEWEST)]
    older = [make_job("completed", sample_id=uuid4()), *(make_job() for _ in range(SHOWN_ACTIVE + 5))]
    html = render_snapshot([*newest, *older])
    assert html.count("<article") == SNAPSHOT_NEWEST + SHOWN_ACTIVE
    assert str(older[0].id) not in html


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1 kB"), (999_499, "999 kB"), (12_431_233, "12.4 MB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (7.9, "0:07"), (765, "12:45"), (3727, "1:02:07"), (183_600, "2 d 3:00:00")]
)
def test_durations(seconds: float, text: str) -> None:
    assert clock(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(2, "a few seconds"), (38, "about 40 s"), (120, "about 2 min"), (7200, "about 2 h"), (7900, "about 2 h 10 min")],
)
def test_rough_durations(seconds: float, text: str) -> None:
    assert about(seconds) == text


def test_code_in_steps_is_marked_and_all_else_is_escaped():
    assert with_code("Test it with `gzip -t`.") == "Test it with <code>gzip -t</code>."
    assert with_code("<b> `a<b` `") == "&lt;b&gt; <code>a&lt;b</code> `"


@pytest.mark.parametrize(
    ("progress", "told"),
    [
        ({"done": 41, "total": 100, "unit": "aligning reads"}, "Aligning reads, 41%"),
        ({"done": 1339, "total": 3266, "unit": "reads aligned"}, "Aligning reads, 40%"),
        (
            {"done": 150_000_000, "total": None, "unit": "aligning reads (bases)"},
            "Aligning reads, 150,000,000 bases so far",
        ),
        ({"done": 3, "total": None, "unit": "quality counts"}, "Counting quality"),
    ],
)
def test_the_step_of_the_process_stage_is_told_with_its_share(progress, told):
    assert step_text(ProgressView(**progress)) == told
