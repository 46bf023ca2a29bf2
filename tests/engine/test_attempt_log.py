"""What the processes of an attempt say is kept with the job: bounded, without secrets, and never another job's."""

from __future__ import annotations

import re
import signal

import pytest
from tests.engine.conftest import FAILURE

from varloom.jobs import attempt_log, repository
from varloom.jobs.attempt_log import HEAD_CHARACTERS, TAIL_CHARACTERS, AttemptLog, Lines, redacted

TIME = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d ")


async def logs_of(engine, job, account=None):
    async with engine.pool.connection() as conn:
        logs = await repository.logs_of(conn, (account or engine.account).id, job.id)
    return [(log.stage.value, log.attempt, [TIME.sub("", line) for line in log.text.split("\n")]) for log in logs]


@pytest.mark.parametrize("has_proc", [attempt_log.HAS_PROC, False])
async def test_each_attempt_keeps_what_it_said_however_it_ended(engine, make_account, monkeypatch, has_proc):
    monkeypatch.setattr(attempt_log, "HAS_PROC", has_proc)
    tried = [
        [["say", "one"], ["fail", FAILURE]],
        [["say", "two"], ["die", signal.SIGSEGV]],
        [["say", "three\n\n  four"], ["done", {}]],
    ]
    job = await engine.create(parse=tried)
    silent = await engine.create()
    async with engine.worker():
        await engine.at_rest(job.id)
        await engine.at_rest(silent.id)
    kept = await logs_of(engine, job)
    assert kept == [("parse", 1, ["one"]), ("parse", 2, ["two"]), ("parse", 3, ["three", "  four"])]
    assert await logs_of(engine, silent) == []
    assert await logs_of(engine, job, await make_account()) == []


async def test_a_cancelled_attempt_keeps_what_it_said(engine):
    job = await engine.create(parse=[[["say", "far"], ["progress", 1, 2], ["sleep", 60]]])
    async with engine.worker():
        await engine.until(job.id, lambda job: job.progress is not None)
        async with engine.pool.connection() as conn:
            await repository.request_cancel(conn, engine.account.id, job.id)
        await engine.at_rest(job.id)
    assert await logs_of(engine, job) == [("parse", 1, ["far"])]


async def test_what_a_stage_left_behind_says_nothing_into_the_next_log(engine, tmp_path):
    told, first_ended = tmp_path / "told", tmp_path / "ended"
    talker = f"trap '' PIPE; while [ ! -e {first_ended} ]; do sleep 0.02; done; echo late >&2; touch {told}"
    first = await engine.create(parse=[[["say", "first"], ["shell", talker], ["done", {}]]])
    async with engine.worker(slots={repository.Stage.PARSE: 1}):
        await engine.at_rest(first.id)
        second = await engine.create(
            parse=[[["say", "second"], ["touch", str(first_ended)], ["wait", str(told)], ["done", {}]]]
        )
        await engine.at_rest(second.id)
    assert await logs_of(engine, first) == [("parse", 1, ["first"])]
    assert await logs_of(engine, second) == [("parse", 1, ["second"])]


async def test_a_flood_is_bounded_and_the_newest_attempts_keep_their_log(engine, monkeypatch):
    monkeypatch.setattr(repository, "KEPT_LOGS", 2)
    job = await engine.create(
        parse=[[["flood", 0, 3_000_000], ["fail", FAILURE]], *[[["say", str(n)], ["fail", FAILURE]] for n in range(3)]]
    )
    async with engine.worker():
        await engine.until(job.id, lambda job: job.attempt == 2)
        [log] = await logs_of(engine, job)
        assert HEAD_CHARACTERS < sum(map(len, log[2])) < HEAD_CHARACTERS + TAIL_CHARACTERS
        assert any("left out" in line for line in log[2])
        await engine.at_rest(job.id)
    assert [log[1] for log in await logs_of(engine, job)] == [3, 4]


def test_a_log_keeps_its_beginning_and_its_end():
    log = AttemptLog()
    for number in range(10_000):
        log.add(f"line {number}")
    lines = log.text.split("\n")
    assert lines[0].endswith(" line 0")
    assert lines[-1].endswith(" line 9999")
    [gap] = [number for number, line in enumerate(lines) if line.startswith("[")]
    left_out = int(lines[gap].split()[0].strip("[").replace(",", ""))
    assert left_out + len(lines) - 1 == 10_000
    assert len(log.text) < HEAD_CHARACTERS + TAIL_CHARACTERS + 50


def test_lines_come_whole_however_they_are_cut():
    for size in (1, 3, 1000):
        told: list[str] = []
        lines = Lines(told.append)
        content = "one\n\ntwo \u00e9\r\n\nthree".encode()
        for start in range(0, len(content), size):
            lines.feed(content[start : start + size])
        lines.end()
        assert told == ["one", "two \u00e9", "three"]


def test_a_secret_is_not_told_in_two_pieces():
    for before in range(8150, 8200):
        told: list[str] = []
        lines = Lines(told.append)
        for portion in (b"x" * before, b" token=", b"abcdef" * 10, b"\n"):
            lines.feed(portion)
        assert [redacted(piece) for piece in told][-1].endswith("token=[removed]")
        assert not any("abc" in redacted(piece) for piece in told)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("GET https://ann:pw@host/a.vcf", "GET https://[removed]@host/a.vcf"),
        (
            "s3 at https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&x=1 failed",
            "s3 at https://b.s3.amazonaws.com/k?[removed] failed",
        ),
        ("Authorization: Bearer eyJhbGciOi.abc-1", "Authorization: Bearer [removed]"),
        ("AWS_SECRET_ACCESS_KEY=abc/def+1 next", "AWS_SECRET_ACCESS_KEY=[removed] next"),
        ('{"account_key": "aGVsbG8="}', '{"account_key": "[removed]"}'),
        ("failed with url: /c/b?sv=2021&sig=abc%3D&se=2", "failed with url: /c/b?sv=2021&sig=[removed]&se=2"),
        ("https://ann:p@ss@host/a", "https://[removed]@host/a"),
        ("Authorization: SharedKey account:aGVsbG8=", "Authorization: SharedKey [removed]"),
        ("X-Api-Key: abc", "X-Api-Key: [removed]"),
        (
            "-----BEGIN PRIVATE KEY-----\\nabc\\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----[removed]-----END PRIVATE KEY-----",
        ),
        ("x" * 8192, "x" * 8192),
        ("the token bucket holds 3 tokens", "the token bucket holds 3 tokens"),
        ("line 12, column 3 of chr1?.vcf", "line 12, column 3 of chr1?.vcf"),
    ],
)
def test_what_gives_access_is_left_out(said, kept):
    assert redacted(said) == kept
