"""The files of samples over real HTTP: whole, in parts, for their own account alone, and as long as the sample."""

from __future__ import annotations

import contextlib
import re
import uuid

import psycopg
import pytest
from api_support import VCF
from fastapi.routing import iter_route_contexts
from test_api_samples import sample_of

from varloom.dataset import sample_files
from varloom.dataset.sample_files import SampleFile
from varloom.pipeline.sweep import sweep
from varloom.web.app import create_app

BYTES = bytes(range(256)) * 40
SIZE = len(BYTES)
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
async def ann(api):
    return await api.person()


@pytest.fixture
async def sample(api, worker, ann):
    """A sample with an alignment, as the process stage would have left it; its name is markup."""
    sample_id = await sample_of(ann, worker, VCF, f"{MARKUP}.vcf", sample_name=MARKUP)
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/q.bam"
    api.services.storage.write_bytes(key, BYTES)
    async with api.services.pool.connection() as conn:
        await sample_files.keep_files(conn, sample_id, [SampleFile("q.bam", "alignment", key, SIZE, None)])
    return sample_id


RANGES = [
    ("bytes=0-0", 0, 1),
    ("bytes=10-19", 10, 20),
    ("bytes=10200-", 10200, SIZE),
    ("bytes=-7", SIZE - 7, SIZE),
    (f"bytes=-{SIZE * 2}", 0, SIZE),
    (f"bytes=5-{10**17}", 5, SIZE),
    (f"bytes=0-{'9' * 5000}", 0, SIZE),
    (f"bytes=-{'9' * 5000}", 0, SIZE),
    (f"bytes={'0' * 400}7-8", 7, 9),
    ("BYTES=1-2", 1, 3),
    ("bytes=,\t3-4 ,", 3, 5),
    (f"bytes={SIZE - 1}-", SIZE - 1, SIZE),
]
"""What is asked for, and where the part begins and ends that has to come."""
WHOLE = [
    *("bytes=0-1,4-5", "bytes=0-1,-1", "bytes=0-,0-,0-", f"bytes={','.join(['0-'] * 5000)}", f"bytes=0-1,{SIZE}-"),
    *("bytes=-", "bytes=--5", "bytes=5-2", "bytes=a-b", "bytes", "bytes=", "bytes=,", "bytes=0x1-2", "bytes=+1-2"),
    *("bytes=1 0-19", "bytes=1- 2", "bytes =1-2", "bytes=1-2-3", "bytes=1.0-2", "bytes=-1-", "bytes=1_0-20"),
    *("lines=1-2", "none", "", "bytes=0-1;q=1", "bytes=\u00b2-3", "bytes 0-1/2", "items=0-1,bytes=0-1"),
]
BEYOND = [f"bytes={SIZE}-", "bytes=-0", f"bytes={SIZE}-{SIZE + 5}", f"bytes=-{'0' * 30}", f"bytes={'9' * 5000}-"]


async def test_a_file_comes_whole_and_in_parts(ann, sample):
    path = f"/api/v1/samples/{sample}/files/q.bam"
    whole = await ann.client.get(path)
    assert (whole.status_code, whole.content) == (200, BYTES)
    assert "content-encoding" not in whole.headers, "it is packed already"
    etag = whole.headers["etag"]
    head = await ann.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-length", "etag", "accept-ranges", "content-type", "content-disposition"):
        assert head.headers[name] == whole.headers[name], name
    assert MARKUP not in whole.headers["content-disposition"]
    for asked, start, end in RANGES:
        part = await ann.client.get(path, headers={"Range": asked})
        assert (part.status_code, part.content) == (206, BYTES[start:end]), asked
        assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{SIZE}"
    for asked in WHOLE:
        answer = await ann.client.get(path, headers={"Range": asked.encode("latin-1")})
        assert (answer.status_code, answer.content) == (200, BYTES), asked
        assert "content-range" not in answer.headers, asked
    for asked in BEYOND:
        answer = await ann.client.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.json()["code"]) == (416, "range_invalid"), asked
        assert (answer.headers["content-range"], answer.headers["accept-ranges"]) == (f"bytes */{SIZE}", "bytes"), asked
    same = await ann.client.get(path, headers={"Range": "bytes=0-3", "If-Range": etag})
    other = await ann.client.get(path, headers={"Range": "bytes=0-3", "If-Range": '"what was there before"'})
    assert (same.status_code, same.content) == (206, BYTES[:4])
    assert (other.status_code, other.content) == (200, BYTES)
    for validator in (f"W/{etag}", etag.strip('"'), "*", f"{etag}, {etag}", "Tue, 01 Dec 2026 00:00:00 GMT", ""):
        answer = await ann.client.get(path, headers={"Range": "bytes=0-3", "If-Range": validator})
        assert (answer.status_code, answer.content) == (200, BYTES), validator
    answer = await ann.client.get(path, headers={"Range": f"bytes={SIZE}-", "If-Range": '"another"'})
    assert (answer.status_code, answer.content) == (200, BYTES), "a part of another file is not asked for"
    twice = await ann.client.get(path, headers=[("Range", "bytes=0-3"), ("Range", "bytes=5-6")])
    assert (twice.status_code, twice.content) == (200, BYTES), "two headers contradict each other"
    part = await ann.client.head(path, headers={"Range": "bytes=0-3"})
    assert (part.status_code, part.headers["content-length"]) == (200, str(SIZE)), "parts are for GET alone"
    beyond = await ann.client.head(path, headers={"Range": f"bytes={SIZE}-"})
    assert beyond.status_code == 200


async def test_what_is_made_as_it_is_sent_comes_whole(ann, sample):
    path = f"/api/v1/samples/{sample}/export"
    whole = await ann.client.get(path)
    for asked in ("bytes=0-3", "bytes=-1", "bytes=99999999-"):
        part = await ann.client.get(path, headers={"Range": asked})
        assert (part.status_code, part.content) == (200, whole.content), asked
        assert (part.headers["accept-ranges"], "content-range" in part.headers) == ("none", False)


async def test_an_empty_file_has_no_parts(api, worker, ann):
    sample_id = await sample_of(ann, worker, VCF, "empty.vcf")
    key = f"processed/{uuid.uuid4()}/{uuid.uuid4()}/e.bam"
    api.services.storage.write_bytes(key, b"")
    async with api.services.pool.connection() as conn:
        await sample_files.keep_files(conn, sample_id, [SampleFile("e.bam", "alignment", key, 0, None)])
    path = f"/api/v1/samples/{sample_id}/files/e.bam"
    assert ((whole := await ann.client.get(path)).status_code, whole.content) == (200, b"")
    for asked in ("bytes=0-", "bytes=0-0", "bytes=-1"):
        answer = await ann.client.get(path, headers={"Range": asked})
        assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */0"), asked


async def test_a_name_that_is_none_is_not_found(ann, sample):
    for name in ("nothing.bam", "..%2Fq.bam", "%00", "q.bam%00", "x" * 5000, "%F0%9F%A7%AC", "%ff", "..%5Cq.bam"):
        answer = await ann.client.get(f"/api/v1/samples/{sample}/files/{name}")
        assert answer.status_code == 404, answer.text
        assert len(answer.content) < 2_000


async def test_markup_in_a_name_is_text_on_every_page_of_the_sample(ann, sample):
    for tab in ("", "/files", "/versions", "/provenance", "/renewal"):
        answer = await ann.client.get(f"/samples/{sample}{tab}")
        assert answer.status_code == 200, tab
        assert MARKUP not in answer.text, tab
        assert tab == "/renewal" or "&lt;img src=x" in answer.text, tab


async def test_no_route_of_a_sample_serves_another_account(api, worker, ann, sample, settings):
    """Every route that there is, so that none is forgotten: the next one is held to it, too."""
    ben = await api.person()
    routes = [
        (method, route.path)
        for route in iter_route_contexts(create_app(settings, contextlib.nullcontext).routes)
        for method in getattr(route, "methods", None) or ()
        if "{sample_id}" in route.path
    ]
    assert {"/api/v1/samples/{sample_id}/files/{name}", "/samples/{sample_id}/pgx"} <= {path for _, path in routes}
    values = {"sample_id": sample, "name": "q.bam", "column:path": "alt", "column": "alt"}
    for method, path in routes:
        asked = re.sub(r"\{([^}]*)\}", lambda found: values.get(found[1], str(uuid.uuid4())), path)
        body = {"json": {"name": "mine"}} if method == "PATCH" else {}
        if method == "POST":
            body = {"json": {}} if path.startswith("/api/") else {"data": {"annotate": "small"}}
        answer = await ben.client.request(method, asked, params={"position": "chr1"}, **body)
        assert answer.status_code == 404, (method, path, answer.text)
        unknown = "project_not_found" if "{project_id}" in path else "sample_not_found"
        assert method == "HEAD" or answer.json()["code"] == unknown, (method, path)
    assert (await ann.client.get(f"/api/v1/samples/{sample}")).json()["name"] == MARKUP


async def test_an_alignment_goes_with_its_sample_and_not_before(api, ann, sample, database_url):
    storage = api.services.storage
    with psycopg.connect(database_url) as connection:
        [(key,)] = connection.execute("SELECT storage_key FROM sample_files").fetchall()
    assert (await ann.client.get("/api/v1/storage")).json()["results"] == SIZE
    await sweep(api.services.pool, storage)
    await ann.client.delete(f"/api/v1/samples/{sample}")
    await sweep(api.services.pool, storage)
    assert storage.exists(key), "it can be brought back"
    assert (await ann.client.get(f"/api/v1/samples/{sample}/files/q.bam")).status_code == 404
    await ann.client.post(f"/api/v1/samples/{sample}/purge")
    await sweep(api.services.pool, storage)
    assert not storage.exists(key)
    assert (await ann.client.get("/api/v1/storage")).json()["results"] == 0
