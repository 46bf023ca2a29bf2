"""Every failure is a problem document that tells enough and not too much."""

from __future__ import annotations

import logging
import uuid

import pytest
from psycopg_pool import PoolTimeout

REFUSALS = [
    ("GET", "/api/v1/nothing", 404, "not_found"),
    ("PUT", "/api/v1/jobs", 405, "method_not_allowed"),
    ("GET", "/api/v1/jobs/not-an-id", 422, "request_invalid"),
    ("GET", f"/api/v1/jobs/{uuid.uuid4()}", 404, "job_not_found"),
    ("GET", "/api/v1/jobs?limit=501", 422, "request_invalid"),
    ("GET", "/api/v1/jobs?limit=0", 422, "request_invalid"),
    ("GET", "/api/v1/jobs?state=done", 422, "request_invalid"),
    ("GET", "/api/v1/jobs?cursor=x", 422, "request_invalid"),
    ("GET", "/api/v1/jobs?cursor=WzEsMl0", 422, "request_invalid"),
    ("GET", f"/api/v1/samples/{uuid.uuid4()}", 404, "sample_not_found"),
    ("GET", f"/api/v1/samples/{uuid.uuid4()}/rows", 404, "sample_not_found"),
    ("GET", f"/api/v1/samples/{uuid.uuid4()}/export", 404, "sample_not_found"),
    ("DELETE", f"/api/v1/samples/{uuid.uuid4()}", 404, "sample_not_found"),
]


async def test_a_refusal_is_a_problem_document(api, subtests):
    ann = await api.person()
    for method, path, status, code in REFUSALS:
        with subtests.test(f"{method} {path}"):
            answer = await ann.client.request(method, path)
            problem = answer.json()
            assert (answer.status_code, problem["code"], problem["status"]) == (status, code, status)
            assert answer.headers["content-type"] == "application/problem+json"
            assert problem["type"] == f"urn:varloom:{code}"
            assert problem["title"]
            assert problem["detail"]
            assert problem["resolution"]
            assert problem["request_id"] == answer.headers["x-request-id"]


async def test_a_nul_character_is_refused_wherever_text_is_looked_for(api, subtests):
    ann = await api.person()
    for path in ("/api/v1/jobs?search=a%00", "/api/v1/samples?search=%00", "/samples?q=%00"):
        with subtests.test(path):
            answer = await ann.client.get(path)
            assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")


async def test_a_method_that_is_not_allowed_is_answered_with_all_that_are(api):
    ann = await api.person()
    for path, allowed in {"/api/v1/tokens": {"GET", "POST"}, f"/api/v1/jobs/{uuid.uuid4()}": {"GET", "DELETE"}}.items():
        answer = await ann.client.options(path)
        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
        assert set(answer.headers["allow"].split(", ")) == allowed


INVALID_BODIES = [
    ("/api/v1/tokens", b"{"),
    ("/api/v1/tokens", b'{"label": 1}'),
    ("/api/v1/tokens", b'{"label": "a", "more": 1}'),
    ("/api/v1/tokens", b'{"label": ""}'),
    (f"/api/v1/jobs/{uuid.uuid4()}/retry", b'{"from_stage": "sleep"}'),
    (f"/api/v1/jobs/{uuid.uuid4()}/retry", b"[]"),
    ("/login", b"nothing"),
]


async def test_an_invalid_body_is_named_and_not_repeated(api, subtests):
    ann = await api.person()
    for path, body in INVALID_BODIES:
        with subtests.test(f"{path} {body}"):
            answer = await ann.client.post(path, content=body, headers={"Content-Type": "application/json"})
            assert (answer.status_code, answer.json()["code"]) == (422, "request_invalid")
            assert '"input"' not in answer.text


@pytest.mark.parametrize("announced", [True, False])
async def test_a_large_body_that_is_no_upload_is_refused(api, announced):
    ann = await api.person()
    large = b'{"label": "' + b"x" * 2_000_000 + b'"}'

    async def in_pieces():
        for start in range(0, len(large), 100_000):
            yield large[start : start + 100_000]

    content = large if announced else in_pieces()
    answer = await ann.client.post("/api/v1/tokens", content=content, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_an_unexpected_error_tells_nothing_but_where_to_look(api, monkeypatch, caplog):
    ann = await api.person()

    async def broken(*args, **kwargs):
        raise RuntimeError("the secret recipe")

    monkeypatch.setattr("varloom.jobs.line.queue_overview", broken)
    with caplog.at_level(logging.INFO, "varloom"):
        answer = await ann.client.get("/api/v1/queue?token=hidden")
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert problem["request_id"] in caplog.text
    assert "the secret recipe" in caplog.text
    assert "hidden" not in caplog.text


async def test_pages_tell_people_in_html_what_went_wrong(api):
    ann = await api.person()
    answer = await ann.client.get("/nothing<script>", headers={"Accept": "text/html"})
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script>alert" not in answer.text


async def test_the_server_is_not_ready_while_the_database_is_away(api, monkeypatch):
    def away(*args, **kwargs):
        raise PoolTimeout

    monkeypatch.setattr(api.services.pool, "connection", away)
    stranger = await api.client()
    answer = await stranger.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unreachable")
    assert (await stranger.get("/healthz")).status_code == 200


async def test_the_openapi_document_is_complete(api):
    ann = await api.person()
    document = (await ann.client.get("/api/v1/openapi.json")).json()
    references = set()

    def walk(node):
        if isinstance(node, dict):
            references.update([node["$ref"]] if "$ref" in node else [])
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(document)
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert references <= known
    assert {"#/components/schemas/JobView", "#/components/schemas/ProblemDocument"} <= references
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["responses"], path
            if path.startswith("/api/"):
                assert operation["security"] == [{"token": []}, {"session": []}]
                problem = operation["responses"]["401"]["content"]["application/problem+json"]
                assert problem["schema"]["$ref"].endswith("ProblemDocument")
    assert "multipart/form-data" in document["paths"]["/api/v1/jobs"]["post"]["requestBody"]["content"]
    assert "/login" not in document["paths"]


async def test_json_is_compressed_and_event_streams_are_not(api):
    ann = await api.person()
    answer = await ann.client.get("/api/v1/openapi.json")
    assert answer.headers["content-encoding"] == "gzip"
    async with ann.client.stream("GET", "/api/v1/events") as stream:
        assert "content-encoding" not in stream.headers
        assert stream.headers["x-accel-buffering"] == "no"
        assert stream.headers["cache-control"] == "no-store"
