"""What processes say is kept without what gives access: whatever the secret, however quoted, wherever it stands."""

from __future__ import annotations

import base64
import json

from hypothesis import example, given
from hypothesis import strategies as st

from varloom.jobs.attempt_log import AttemptLog, redacted

CANARY = "kanary7"
VISIBLE = st.characters(codec="ascii", categories=("L", "N", "P", "S"))
SPOKEN = st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), include_characters=" "), max_size=30)
NAMES = st.sampled_from(
    ["password", "db_passwd", "PGPASSWORD", "secret_access_key", "AccountKey", "session-token", "api_key", "Set-Cookie"]
)
WORDS = st.lists(st.sampled_from(["reading", "chr1", "line", "12", "of", "the", "file", "a.vcf", "="]), max_size=6)
BETWEEN = st.sampled_from(["=", ": ", " = ", ":"])


def around(words, text):
    before, after = words
    return " ".join([*before, text, *after])


def canary_in(before, after):
    return f"{before}{CANARY}{after}"


SECRETS = st.builds(canary_in, SPOKEN, SPOKEN)


@given(NAMES, BETWEEN, SECRETS, st.tuples(WORDS, WORDS))
@example("password", "=", f"two words {CANARY}", ([], ["next"]))
def test_a_quoted_value_goes_whole(name, between, secret, words):
    for quote in "\"'":
        escaped = secret.replace("\\", "\\\\").replace(quote, f"\\{quote}")
        said = around(words, f"{name}{between}{quote}{escaped}{quote}")
        kept = redacted(said)
        assert CANARY not in kept, said
        assert kept.split(quote)[0] == said.split(quote)[0]
        assert kept.endswith(said.rpartition(quote)[2])


@given(NAMES, BETWEEN, st.text(VISIBLE.filter(lambda one: one not in "'\",;&"), max_size=20), st.tuples(WORDS, WORDS))
@example("password", "=", "a\\b", ([], ["next"]))
def test_a_value_without_quotation_marks_goes_up_to_the_next_blank(name, between, odd, words):
    said = around(words, f"{name}{between}{odd}{CANARY}{odd}")
    assert CANARY not in redacted(said)
    assert redacted(said).endswith(" ".join(words[1]))


@given(NAMES, SECRETS, st.tuples(WORDS, WORDS))
def test_json_is_read_as_json_even_within_a_text(name, secret, words):
    plain = json.dumps({name: secret, "line": 7})
    assert CANARY not in redacted(around(words, plain))
    assert '"line": 7' in redacted(around(words, plain))
    simple = secret.replace("\\", "").replace('"', "").replace("'", "")
    within = json.dumps(json.dumps({name: simple, "line": 7}))
    assert CANARY not in redacted(around(words, within))


PASSWORDS = st.builds(
    canary_in,
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="'\"<>"), max_size=20),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S"), exclude_characters="'\"<>"), max_size=20),
)


@given(st.sampled_from(["postgresql", "postgres", "postgresql+psycopg", "mysql", "redis"]), PASSWORDS, WORDS)
@example("postgresql", f"a/{CANARY}/b@c", [])
@example("postgresql", f"12/{CANARY}", [])
def test_a_password_of_a_database_may_hold_what_it_likes(scheme, password, words):
    said = around((words, words), f"{scheme}://ann:{password}@db.example.org:5432/varloom")
    kept = redacted(said)
    assert CANARY not in kept
    assert "@db.example.org:5432/varloom" in kept


@given(st.sampled_from(["https", "s3", "gs", "http"]), VISIBLE.filter(lambda one: one not in "'\"<>"), WORDS)
def test_queries_and_fragments_go(scheme, odd, words):
    for mark in "?#":
        said = around((words, words), f"{scheme}://host.example.org:8443/a/b@2.vcf{mark}x{odd}{CANARY}{odd}")
        kept = redacted(said)
        assert CANARY not in kept
        assert f"{scheme}://host.example.org:8443/a/b@2.vcf{mark}" in kept


KEYS = st.binary(min_size=100, max_size=2_000).map(lambda content: base64.b64encode(content).decode())
KINDS = st.sampled_from(["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "])
PREFIXES = st.sampled_from(["", "  ", "stderr: ", "2026-11-30 12:00:00 ERROR "])


@given(KEYS, KINDS, PREFIXES, st.integers(30, 76), st.booleans())
def test_a_key_over_many_lines_goes_whole(key, kind, prefix, width, ends):
    body = [key[at : at + width] for at in range(0, len(key), width)]
    begin, end = f"-----BEGIN {kind}PRIVATE KEY-----", f"-----END {kind}PRIVATE KEY-----"
    log = AttemptLog()
    for line in ["before", begin, *body, *([end] if ends else []), "the end is near: it goes on"]:
        log.add(prefix + line)
    for line in body:
        assert len(line) < 16 or line not in log.text
    assert begin in log.text
    assert log.text.endswith("the end is near: it goes on")
    if ends:
        log.add("a1b2c3d4e5f6a7b8c9d0")
        assert log.text.endswith("a1b2c3d4e5f6a7b8c9d0"), "behind the key nothing is taken away"


def test_what_begins_a_key_and_never_ends_it_does_not_hide_all_that_follows():
    log = AttemptLog()
    log.add("-----BEGIN PRIVATE KEY-----")
    for number in range(300):
        log.add(f"{number:020}")
    assert log.text.count("[removed]") <= 201
    assert log.text.endswith(f"{299:020}")


@given(
    st.lists(
        st.sampled_from(
            ["reading", "line", "12", "of", "a.vcf:", "POS=100", "https://host/a/b.vcf", "chr1:5-9", "[::1]:8400"]
        )
    )
)
def test_what_gives_no_access_stays(words):
    said = " ".join(words)
    assert redacted(said) == said
