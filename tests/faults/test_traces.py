"""Traces, as a collector on this machine receives them; and collectors that are away, wrong or silent."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from tests.running import QUICK, serving, write_vcf


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent; or answers with an error; or, until it is let, with nothing."""

    daemon_threads = True

    def __init__(self, how="well"):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.how, self.spans, self.asked, self.let = how, [], threading.Event(), threading.Event()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.set()
        if self.server.how == "silent":
            self.server.let.wait(60)
        if self.server.how == "well":
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                about = values(resource.resource.attributes)
                self.server.spans += [(about, span) for scope in resource.scope_spans for span in scope.spans]
        self.send_response({"well": 200, "wrong": 400}.get(self.server.how, 503))
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def values(attributes):
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextlib.contextmanager
def collecting(how="well"):
    with Collector(how) as collector:
        thread = threading.Thread(target=collector.serve_forever, daemon=True)
        thread.start()
        yield collector
        collector.let.set()
        collector.shutdown()
        thread.join()


def test_a_job_is_one_trace_from_its_request_through_its_worker(data_folder, tmp_path):
    vcf = write_vcf(tmp_path / "a.vcf", 20)
    parent = f"00-{uuid.uuid4().hex}-00f067aa0ba902b7-01"
    with collecting() as collector:
        with serving(data_folder, VARLOOM_OTEL_ENDPOINT=collector.url, **QUICK) as server:
            server.client.headers["traceparent"] = parent
            job = server.submit(vcf)
            del server.client.headers["traceparent"]
            broken = server.submit(b"##fileformat=VCFv4.2\nnonsense\n", "b.vcf")
            assert server.at_rest(job["id"])["state"] == "completed"
            code = server.at_rest(broken["id"])["error"]["code"]
            assert server.client.get("jobs/secret-of-a-path").status_code in {404, 422}
        found = collector.spans
    trace = uuid.UUID(job["id"]).bytes
    (entry,) = [span for _, span in found if span.trace_id == trace and span.name == "job"]
    ((where, attempt),) = [(about, span) for about, span in found if span.trace_id == trace and span.name != "job"]
    assert (attempt.name, attempt.parent_span_id, where["service.name"]) == (
        "stage parse",
        entry.span_id,
        "varloom-worker",
    )
    told = values(attempt.attributes)
    assert (told["varloom.job_id"], told["varloom.attempt"], told["varloom.outcome"]) == (job["id"], 1, "succeeded")
    assert told["varloom.account_id"] == values(entry.attributes)["varloom.account_id"]
    (link,) = entry.links
    ((server_of, request),) = [(about, span) for about, span in found if span.span_id == link.span_id]
    assert (request.name, server_of["service.name"]) == ("POST /api/v1/jobs", "varloom-server")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == tuple(parent.split("-")[1:3])
    assert [one.span_id for one in request.links] == [entry.span_id]
    asked = values(request.attributes)
    assert (asked["http.response.status_code"], asked["http.request.method"]) == (202, "POST")
    assert asked["varloom.account_id"] == told["varloom.account_id"]
    (failed,) = [
        span for _, span in found if span.trace_id == uuid.UUID(broken["id"]).bytes and span.name == "stage parse"
    ]
    assert (failed.status.code, values(failed.attributes)["varloom.outcome"]) == (2, "failed")
    assert values(failed.attributes)["varloom.code"] == failed.status.message == code
    assert "secret-of-a-path" not in str(found)
    assert any(span.name == "GET /api/v1/jobs/{job_id}" for _, span in found)


@pytest.mark.parametrize("how", ["wrong", "away", "silent"])
def test_a_collector_that_fails_harms_nothing(data_folder, tmp_path, how):
    with collecting(how) as collector:
        url = "http://127.0.0.1:9" if how == "away" else collector.url
        environment = {"VARLOOM_OTEL_ENDPOINT": url, "OTEL_BSP_SCHEDULE_DELAY": "50", **QUICK}
        with serving(data_folder, **environment) as server:
            for _ in range(3):
                job = server.submit(write_vcf(tmp_path / "a.vcf", 20))
                assert server.at_rest(job["id"])["state"] == "completed"
            if how != "away":
                assert collector.asked.wait(60)
            assert server.stop() == 0


def test_without_the_setting_nothing_of_it_is_imported():
    code = (
        "import sys, varloom.cli.serve, varloom.cli.worker, varloom.web.app, varloom.services.work\n"
        "import varloom.tracing as t\n"
        "t.start(None, 'x')\n"
        "with t.request('GET', {}) as span: span.tell('x', failed='y', a=1)\n"
        "heavy = ('opentelemetry.sdk', 'opentelemetry.exporter', 'google.protobuf', 'requests')\n"
        "print([name for name in sys.modules if name.startswith(heavy)])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout == "[]\n"


def test_libraries_that_are_not_installed_are_told(data_folder):
    code = (
        "import sys; sys.modules['opentelemetry.sdk.resources'] = None\n"
        "import varloom.tracing as t\n"
        "from varloom.errors import VarloomError\n"
        "try: t.start('http://127.0.0.1:1', 'x')\n"
        "except VarloomError as error: print(error.code, error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "settings_invalid" in said.stdout
    assert "varloom[otel]" in said.stdout
