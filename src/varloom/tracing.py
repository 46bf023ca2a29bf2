"""Traces by OpenTelemetry, where the setting `otel_endpoint` asks for them; else nothing of it is imported.

A request is a span. A job is a trace of its own, whose id is the job's: so server and workers agree on it without
telling each other. It begins with a span for its entry, which is linked with the request; each attempt at a stage is a
span below.

Spans are sent by a thread of their own, from a bounded queue: a collector that is away, slow or wrong costs spans
alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import varloom
from varloom.errors import SETTINGS_INVALID, VarloomError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

EXPORT_TIMEOUT = 5
"""Seconds that a collector has to take a batch."""
STOP_PATIENCE = 6.0
"""Seconds that an ending process waits until its last spans are taken."""

_NO_ERRORS: dict[str, Any] = {"record_exception": False, "set_status_on_exception": False}
"""What an exception says may hold what gives access; its code is told instead."""

_tracing: _Tracing | None = None


class Span:
    """A span that is being made; one of a process that makes none takes all and keeps nothing."""

    def __init__(self, span: Any = None) -> None:
        self._span = span

    def tell(self, name: str | None = None, *, failed: str | None = None, **attributes: Any) -> None:
        """Change its name, say with which code it failed, add attributes: `job_id` becomes `varloom.job_id`."""
        if self._span is None:
            return
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(_attributes(attributes))
        if failed is not None:
            from opentelemetry.trace import Status, StatusCode

            self._span.set_status(Status(StatusCode.ERROR, failed))
            self._span.set_attribute("varloom.code", failed)


def start(endpoint: str | None, service: str) -> None:
    """Begin to make spans and send them to a collector (OTLP over HTTP); None: none are made.

    Args:
        endpoint: its address, such as http://127.0.0.1:4318, to which `/v1/traces` is added.
        service: what this process is: `varloom-server`, `varloom-worker`.

    Raises:
        VarloomError: `settings_invalid` where the libraries are not installed.
    """
    global _tracing  # noqa: PLW0603 - a process makes spans, or none
    if endpoint is None:
        return
    try:
        _tracing = _Tracing(endpoint, service)
    except ImportError as error:
        message = f"otel_endpoint: {error.name or 'a library'} is missing; install Varloom with `varloom[otel]`."
        raise VarloomError(SETTINGS_INVALID, message) from None


def stop() -> None:
    """Send what is left, but not for longer than `STOP_PATIENCE`."""
    global _tracing
    ending, _tracing = _tracing, None
    if ending is not None:
        last = threading.Thread(target=ending.provider.shutdown, name="last spans", daemon=True)
        last.start()
        last.join(STOP_PATIENCE)


@contextlib.contextmanager
def request(method: str, headers: Mapping[str, str]) -> Iterator[Span]:
    """The span of a request, in the trace that its `traceparent` names, if it has one."""
    if _tracing is None:
        yield Span()
        return
    with _tracing.request(method, headers) as span:
        yield Span(span)


def job_is_entered(job_id: UUID, account_id: UUID) -> None:
    """Begin the trace of a job, linked with the request that is being served."""
    if _tracing is not None:
        _tracing.job_is_entered(job_id, _attributes({"job_id": job_id, "account_id": account_id}))


@contextlib.contextmanager
def attempt(job_id: UUID, stage: str, **attributes: Any) -> Iterator[Span]:
    """The span of an attempt at a stage, in the trace of its job."""
    if _tracing is None:
        yield Span()
        return
    with _tracing.attempt(job_id, stage, _attributes({"job_id": job_id, "stage": stage, **attributes})) as span:
        yield Span(span)


def _attributes(given: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values under the names of OpenTelemetry; a name without a dot is one of ours."""
    return {
        name.replace("__", ".") if "__" in name else f"varloom.{name}": value
        if isinstance(value, str | int | float)
        else str(value)
        for name, value in given.items()
        if value is not None
    }


def _span_id_of(job_id: UUID) -> int:
    """The id of the span by which a job is entered: the same wherever it is asked for, and never 0."""
    return int.from_bytes(hashlib.blake2b(job_id.bytes, digest_size=8, person=b"varloom-job").digest(), "big") or 1


class _Tracing:
    """The libraries at work: they are imported with the first of it."""

    def __init__(self, endpoint: str, service: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        chosen = self._chosen = ContextVar[tuple[int, int] | None]("chosen_ids", default=None)

        class Ids(RandomIdGenerator):
            """Chosen ids where they are, else random ones."""

            def generate_trace_id(self) -> int:
                """That of the trace of a job that is entered."""
                ids = chosen.get()
                return ids[0] if ids else int(super().generate_trace_id())

            def generate_span_id(self) -> int:
                """That of the span by which it is."""
                ids = chosen.get()
                return ids[1] if ids else int(super().generate_span_id())

        about = Resource.create({"service.name": service, "service.version": varloom.__version__})
        self.provider = TracerProvider(resource=about, sampler=ALWAYS_ON, id_generator=Ids(), shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=EXPORT_TIMEOUT)
        self.provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self.provider.get_tracer("varloom", varloom.__version__)

    @contextlib.contextmanager
    def request(self, method: str, headers: Mapping[str, str]) -> Iterator[Any]:
        """See `request`."""
        from opentelemetry.context import Context
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        given = {"traceparent": headers["traceparent"]} if "traceparent" in headers else {}
        context = TraceContextTextMapPropagator().extract(given, Context())
        with self._tracer.start_as_current_span(method, context, kind=SpanKind.SERVER, **_NO_ERRORS) as span:
            yield span

    def job_is_entered(self, job_id: UUID, attributes: dict[str, Any]) -> None:
        """See `job_is_entered`."""
        from opentelemetry.context import Context
        from opentelemetry.trace import Link, get_current_span

        asking = get_current_span()
        asked = asking.get_span_context()
        links = [Link(asked)] if asked.is_valid else []
        held = self._chosen.set((job_id.int, _span_id_of(job_id)))
        try:
            span = self._tracer.start_span("job", Context(), links=links, attributes=attributes)
        finally:
            self._chosen.reset(held)
        span.end()
        asking.add_link(span.get_span_context())

    @contextlib.contextmanager
    def attempt(self, job_id: UUID, stage: str, attributes: dict[str, Any]) -> Iterator[Any]:
        """See `attempt`."""
        from opentelemetry.context import Context
        from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context

        entry = SpanContext(job_id.int, _span_id_of(job_id), is_remote=True, trace_flags=TraceFlags(1))
        context = set_span_in_context(NonRecordingSpan(entry), Context())
        facts = {"kind": SpanKind.CONSUMER, "attributes": attributes, **_NO_ERRORS}
        with self._tracer.start_as_current_span(f"stage {stage}", context, **facts) as span:
            yield span
