"""Which jobs the page shows: from its address to what is asked, and to what live entries must match."""

from __future__ import annotations

from datetime import UTC, date, datetime
from urllib.parse import parse_qs

import pytest

from varloom.web.pages.job_filter import JobFilter, asked_filter, created_key


def test_days_are_those_of_the_readers_time_zone_and_the_last_one_counts() -> None:
    asked = asked_filter(first_day="2026-03-28", last_day="2026-03-29", zone="Europe/Berlin")
    assert asked.created.since == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert asked.created.until == datetime(2026, 3, 29, 22, tzinfo=UTC), "the clocks went forward that night"
    assert asked.live["since"] == created_key(datetime(2026, 3, 27, 23, tzinfo=UTC))


def test_an_address_is_read_and_written_alike() -> None:
    asked = JobFilter("failed", "a&b", date(2026, 11, 1), None, "UTC")
    told = parse_qs(asked.query)
    assert told == {"state": ["failed"], "q": ["a&b"], "from": ["2026-11-01"], "zone": ["UTC"]}
    again = asked_filter(told["state"][0], told["q"][0], told["from"][0], "", told["zone"][0])
    assert again == asked
    assert JobFilter().query == ""


@pytest.mark.parametrize(
    "address",
    [
        {"state": "odd"},
        {"first_day": "yesterday"},
        {"last_day": "0000-00-00"},
        {"q": "\0"},
        {"zone": "../../etc/passwd"},
        {"first_day": "0001-01-01", "last_day": "9999-12-31", "zone": "Asia/Tokyo"},
    ],
)
def test_what_cannot_be_read_leaves_nothing_out(address: dict[str, str]) -> None:
    asked = asked_filter(**address)
    assert (asked.states, asked.text) == ((), "")
    assert asked.created.since is None or asked.created.since.year == 1
    assert asked.created.until is None


def test_live_entries_are_held_to_the_same() -> None:
    assert asked_filter(state="active").live["states"].split()[0] == "queued"
    assert asked_filter(q="HG002").live["text"] == "hg002"
