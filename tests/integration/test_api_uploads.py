"""POST /api/v1/jobs over real HTTP: what is taken, what is refused, and what is left behind."""

from __future__ import annotations

import asyncio
import gc
import gzip
import re
import tracemalloc

import pytest
from api_support import VCF

from varloom.services.storage_mark import MARK
from varloom.storage import incoming

BOUNDARY = "b0undary"


def form(*parts: tuple[str, str | None, bytes]) -> bytes:
    """A multipart body of (name, file name, content), in this order."""
    body = b""
    for name, file_name, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{file_name}"' if file_name is not None else "")
        body += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


async def send(client, body, **headers):
    kind = f"multipart/form-data; boundary={BOUNDARY}"
    return await client.post("/api/v1/jobs", content=body, headers={"Content-Type": kind, **headers})


def stored(settings):
    """The keys of all files in the storage, but for its mark."""
    root = settings.data / "storage"
    found = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    return sorted(found - {MARK})


async def test_an_upload_becomes_a_queued_job_with_every_key_of_the_contract(api, settings):
    ann = await api.person()
    packed = gzip.compress(VCF, mtime=0)
    answer = await ann.client.post("/api/v1/jobs", files={"file": ("HG002.vcf.gz", packed)})
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/api/v1/jobs/{job['id']}"
    contract = """id sample_name source options state stage attempt max_attempts retry_at queue_position progress
        records variants sample_id error created_at started_at finished_at"""
    assert set(contract.split()) <= job.keys()
    assert job["sample_name"] == "HG002"
    assert job["source"] == {"kind": "file", "name": "HG002.vcf.gz", "bytes": len(packed)}
    assert (job["state"], job["stage"], job["attempt"], job["max_attempts"]) == ("queued", "parse", 1, 4)
    assert job["plan"] == ["parse"]
    assert job["queue_position"] == 0
    assert job["created_at"].endswith("Z")
    assert job["options"] == {"assembly": None, "split_by_sample": False}
    assert (await ann.client.get(f"/api/v1/jobs/{job['id']}")).json() == job
    [key] = stored(settings)
    assert (settings.data / "storage" / key).read_bytes() == packed


@pytest.mark.parametrize("options_first", [True, False])
async def test_fields_may_come_before_or_after_the_file(api, options_first):
    ann = await api.person()
    fields = [
        ("sample_name", None, "Naïve ☃".encode()),
        ("options", None, b'{"assembly": "hg38"}'),
        ("split_by_sample", None, b"true"),
        ("priority", None, b"7"),
    ]
    file = ("file", "a.vcf", VCF)
    answer = await send(ann.client, form(*([*fields, file] if options_first else [file, *fields])))
    job = answer.json()
    assert answer.status_code == 202, job
    assert job["sample_name"] == "Naïve ☃"
    assert job["options"] == {"assembly": "GRCh38", "split_by_sample": True}
    assert job["priority"] == 7


async def test_bytes_arrive_unchanged_whatever_they_hold_and_however_they_are_cut(api, settings):
    ann = await api.person()
    content = b"\r\n--" + BOUNDARY.encode()[:-1] + bytes(range(256)) * 5000 + b"\r\n--" + b"\r" * 70
    body = form(("file", "x.vcf", content))

    async def dribble():
        for start in range(0, len(body), 997):
            yield body[start : start + 997]

    answer = await send(ann.client, dribble())
    assert answer.status_code == 202, answer.text
    [key] = stored(settings)
    assert (settings.data / "storage" / key).read_bytes() == content


FILE_NAMES = [
    ("../../etc/x.vcf", "x.vcf", "x"),
    ("C:\\data\\run 7.vcf.gz", "run 7.vcf.gz", "run 7"),
    ("<img onerror=alert(1) src=x>.vcf", "<img onerror=alert(1) src=x>.vcf", "<img onerror=alert(1) src=x>"),
    ("a\u202e\u0007b.csv", "ab.csv", "ab"),
    ("..", "..", ".."),
    ("", "upload", "upload"),
    ("x" * 300 + ".vcf", "x" * 200, "x" * 200),
    (".vcf.gz", ".vcf.gz", ".vcf.gz"),
]


async def test_a_file_name_is_data_and_never_a_path(api, settings):
    ann = await api.person()
    for file_name, shown, sample in FILE_NAMES:
        answer = await send(ann.client, form(("file", file_name, VCF)))
        job = answer.json()
        assert answer.status_code == 202, job
        assert (job["source"]["name"], job["sample_name"]) == (shown, sample)
    keys = stored(settings)
    assert len(keys) == len(FILE_NAMES)
    assert all(re.fullmatch(r"uploads/[0-9a-f-]{36}/source", key) for key in keys)
    outside = [path for path in settings.data.parent.rglob("*") if path.is_file() and "storage" not in path.parts]
    assert [path.name for path in outside] == ["secret.key"]


REFUSED = {
    "annotation": ([("annotate", None, b"small"), ("file", "a.vcf", VCF)], 409, "reference_data_missing"),
    "pgx": ([("file", "a.vcf", VCF), ("pgx", None, b"true")], 409, "pgx_definitions_missing"),
    "credential": ([("file", "a.vcf", VCF), ("credential", None, b"my-bucket")], 422, "request_invalid"),
    "url": ([("source_url", None, b"https://example.org/x.vcf")], 422, "request_invalid"),
    "unknown option": ([("file", "a.vcf", VCF), ("asembly", None, b"GRCh38")], 422, "option_unknown"),
    "unknown option in JSON": ([("options", None, b'{"x": 1}'), ("file", "a", VCF)], 422, "option_unknown"),
    "assembly": ([("file", "a.vcf", VCF), ("assembly", None, b"GRCh39")], 422, "request_invalid"),
    "flag": ([("file", "a.vcf", VCF), ("split_by_sample", None, b"perhaps")], 422, "request_invalid"),
    "priority": ([("file", "a.vcf", VCF), ("priority", None, b"1e9")], 422, "request_invalid"),
    "options are no JSON": ([("file", "a.vcf", VCF), ("options", None, b"{")], 422, "request_invalid"),
    "annotation as a list": ([("options", None, b'{"annotate": []}'), ("file", "a", VCF)], 422, "request_invalid"),
    "credential as an object": ([("options", None, b'{"credential": {}}'), ("file", "a", VCF)], 422, "request_invalid"),
    "large fields": (
        [*((f"f{n}", None, b"x" * 300_000) for n in range(4)), ("file", "a", VCF)],
        422,
        "request_invalid",
    ),
    "options are no object": ([("file", "a.vcf", VCF), ("options", None, b"[1]")], 422, "request_invalid"),
    "option twice": (
        [("file", "a", VCF), ("options", None, b'{"assembly": null}'), ("assembly", None, b"GRCh38")],
        422,
        "option_unknown",
    ),
    "two files": ([("file", "a.vcf", VCF), ("file", "b.vcf", VCF)], 422, "request_invalid"),
    "no file": ([("assembly", None, b"GRCh38")], 422, "request_invalid"),
    "file in another field": ([("upload", "a.vcf", VCF)], 422, "request_invalid"),
    "empty file": ([("file", "a.vcf", b"")], 422, "upload_empty"),
    "long name": ([("file", "a.vcf", VCF), ("sample_name", None, b"x" * 201)], 422, "sample_name_invalid"),
    "control characters": ([("file", "a.vcf", VCF), ("sample_name", None, b"a\x1b[2Jb")], 422, "sample_name_invalid"),
    "not UTF-8": ([("file", "a.vcf", VCF), ("sample_name", None, b"\xff")], 422, "request_invalid"),
    "too large": ([("file", "a.vcf", b"x" * 5_000_001)], 413, "upload_too_large"),
}


async def test_a_refused_upload_names_its_reason_and_leaves_nothing_behind(api, settings, subtests):
    ann = await api.person()
    for case, (parts, status, code) in REFUSED.items():
        with subtests.test(case):
            answer = await send(ann.client, form(*parts))
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (status, code), problem
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["title"]
            assert problem["detail"]
            assert problem["resolution"]
            assert stored(settings) == []
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []


OTHER_BODIES = [
    ("application/json", b'{"source_url": "ftp://example.org/x.vcf.gz", "sample_name": "x"}', "source_url_invalid"),
    ("application/json", b'{"source_url": 5}', "request_invalid"),
    ("application/json", b'{"sample_name": "x"}', "request_invalid"),
    ("application/json", b"[" * 100_000, "request_invalid"),
    ("text/plain", b"x", "request_invalid"),
    ("multipart/form-data", b"x", "request_invalid"),
    (f"multipart/form-data; boundary={BOUNDARY}", b"no boundary at all", "request_invalid"),
    (f"multipart/form-data; boundary={BOUNDARY}", b"", "upload_interrupted"),
    (f"multipart/form-data; boundary={BOUNDARY}", form(("file", "a.vcf", VCF))[:-8], "upload_interrupted"),
]


async def test_other_bodies_are_refused(api, settings):
    ann = await api.person()
    for kind, body, code in OTHER_BODIES:
        answer = await ann.client.post("/api/v1/jobs", content=body, headers={"Content-Type": kind})
        assert answer.json()["code"] == code, (kind, body[:60], answer.text)
        assert stored(settings) == []


async def test_an_upload_that_breaks_off_leaves_nothing_behind(api, settings):
    ann = await api.person()
    begun = asyncio.Event()

    async def broken():
        yield form(("file", "a.vcf", b"x" * 3_000_000))[:-100]
        begun.set()
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        await send(ann.client, broken())
    await begun.wait()
    async with asyncio.timeout(30):
        while stored(settings):
            await asyncio.sleep(0.02)
    assert (await ann.client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_the_same_key_gives_the_same_job_and_stores_the_bytes_once(api, settings):
    ann, ben = await api.person(), await api.person()
    body = form(("file", "a.vcf", VCF), ("assembly", None, b"GRCh38"))
    first = await send(ann.client, body, **{"Idempotency-Key": "one"})
    again = await send(ann.client, body, **{"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json()["id"] == first.json()["id"]
    assert len(stored(settings)) == 1
    # The key belongs to its account.
    other = await send(ben.client, body, **{"Idempotency-Key": "one"})
    assert other.json()["id"] != first.json()["id"]
    assert len((await ann.client.get("/api/v1/jobs")).json()["jobs"]) == 1


async def test_a_key_used_for_something_else_is_a_conflict(api, settings):
    ann = await api.person()
    body = form(("file", "a.vcf", VCF), ("assembly", None, b"GRCh38"))
    await send(ann.client, body, **{"Idempotency-Key": "one"})
    others = {
        "file": form(("file", "a.vcf", VCF + b"#"), ("assembly", None, b"GRCh38")),
        "options": form(("file", "a.vcf", VCF), ("assembly", None, b"GRCh37")),
        "name": form(("file", "a.vcf", VCF), ("assembly", None, b"GRCh38"), ("sample_name", None, b"other")),
    }
    for what, changed in others.items():
        answer = await send(ann.client, changed, **{"Idempotency-Key": "one"})
        assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_conflict"), what
    assert len(stored(settings)) == 1


async def test_equal_requests_at_the_same_moment_give_one_job(api, settings):
    ann = await api.person()
    body = form(("file", "a.vcf", VCF))
    answers = await asyncio.gather(*(send(ann.client, body, **{"Idempotency-Key": "race"}) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(stored(settings)) == 1


async def test_a_key_that_cannot_be_one_is_refused(api):
    ann = await api.person()
    for key in (b"", b"x" * 256, "naïve".encode("latin-1")):
        answer = await send(ann.client, form(("file", "a.vcf", VCF)), **{"Idempotency-Key": key})
        assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid"), key


async def test_a_large_upload_passes_through_in_bounded_memory(api, monkeypatch):
    """The body is produced faster than it is written: what waits must stay small.

    Portions are small against the body: on a busy machine four of them can be there at once.
    """
    monkeypatch.setattr(incoming, "_PORTION", 1 << 17)
    ann = await api.person()
    head, tail = form(("file", "a.vcf", b"")).split(b"\r\n\r\n", 1)

    async def body():
        yield head + b"\r\n\r\n"
        for _ in range(70):
            yield b"x" * 65_536
        yield tail

    await send(ann.client, form(("file", "a.vcf", VCF)))  # what the first request loads and keeps is not its own
    gc.collect()
    tracemalloc.start()
    answer = await send(ann.client, body())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert answer.status_code == 202, answer.text
    assert answer.json()["source"]["bytes"] == 70 * 65_536
    assert peak < 3_000_000, peak
