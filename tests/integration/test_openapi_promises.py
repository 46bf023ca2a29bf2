"""What the OpenAPI document promises is asked of a real server, at random: it never breaks, and answers as it says.

Schemathesis makes the requests from the document itself, so that a new route is tried as soon as it is there. Ids in
paths are mostly those of things that exist: behind a "not found" nothing could break.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.integration.api_support import VCF

from running import serving

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it warns of its own deprecations when it is imported
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        response_headers_conformance,
        response_schema_conformance,
        status_code_conformance,
    )

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import DataCopy
    from running import Server

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = int(os.environ.get("VARLOOM_OPENAPI_EXAMPLES", "12"))
"""Requests for each operation; more find more."""
ENDLESS = {("GET", "/api/v1/events")}


@schemathesis.serializer("application/offset+octet-stream")
def as_it_is(_context: Any, value: Any) -> bytes:
    """The bytes of a part of an upload."""
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture(scope="module")
def server(data_copy: DataCopy) -> Iterator[Server]:
    with data_copy() as data, serving(data, VARLOOM_DOWNLOAD_TRIES="1") as running:
        yield running


@pytest.fixture(scope="module")
def things(server: Server) -> dict[str, str]:
    """One of each thing that a path can name."""
    job = server.at_rest(server.submit(VCF, "promised.vcf")["id"])
    kept = {"name": "key", "kind": "bearer", "scope": "https://bucket.example", "values": {"token": "abc"}}
    credential = server.client.post("credentials", json=kept).raise_for_status().json()
    view = server.client.post("views", json={"name": "deep", "query": "filter=DP%3E5"}).raise_for_status().json()
    tus = {"Tus-Resumable": "1.0.0", "Upload-Length": "9", "Upload-Metadata": "filename YS52Y2Y="}
    upload = server.client.post("uploads", headers=tus).raise_for_status().headers["location"]
    project = server.client.post("projects", json={"name": "Trio"}).raise_for_status().json()
    return {
        "project_id": project["project"]["id"],
        "member": project["members"][0]["account"],
        "job_id": job["id"],
        "sample_id": job["sample_id"],
        "credential_id": credential["id"],
        "view_id": view["id"],
        "upload_id": upload.rpartition("/")[2],
        "column": "position",
        "name": "alignment.bam",
        "file": "cohort.vcf.gz",
    }


def test_every_operation_answers_as_the_document_says(server: Server, things: dict[str, str], subtests: Any) -> None:
    document = server.client.get("openapi.json").raise_for_status().json()
    operations = [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]
    operations.sort(key=lambda operation: operation.method.upper() == "DELETE" or "purge" in operation.path)
    assert len(operations) > 60
    asked = 0
    for operation in operations:
        if (operation.method.upper(), operation.path) in ENDLESS:
            continue

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), known=st.integers(0, 5))
        def ask(case: Any, known: int) -> None:
            nonlocal asked
            asked += 1
            if known:
                case.path_parameters = {name: things.get(name, value) for name, value in case.path_parameters.items()}
            answer = case.call(base_url=server.url, headers={"Authorization": f"Bearer {server.token}"}, timeout=60)
            case.validate_response(answer, checks=CHECKS)

        with subtests.test(f"{operation.method.upper()} {operation.path}"):
            ask()
    assert asked > 5 * len(operations)
