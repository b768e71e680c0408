"""OpenTelemetry's own instrumentations leave signatures and keys in clear; what passes here has none of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags

from policykit import redact
from policykit.telemetry import names, scrubbing
from policykit.telemetry.scrubbing import Scrubbed, clean
from tests.canary import assert_clean, canaries, leaks

BIRD = canaries(seed=31)[0]
ADDRESS = f"https://user:{BIRD}@api.binance.com/api/v3/order?symbol=BTCUSDT&timestamp=1&signature={BIRD}#x"
#: What the instrumentations write, by their semantic conventions old and new.
WRITTEN = {
    "url.full": ADDRESS,
    "http.url": ADDRESS,
    "http.target": f"/order?signature={BIRD}",
    "url.query": f"symbol=BTCUSDT&Signature={BIRD}&AccessKeyId={BIRD}&sign={BIRD}",
    "http.request.header.x_mbx_apikey": [BIRD],
    "http.request.header.ok-access-sign": [BIRD],
    "http.request.header.authorization": f"Bearer {BIRD}",
    "http.response.header.set_cookie": (BIRD,),
    "db.connection_string": f"valkey://me:{BIRD}@host/0",
    "exception.message": f"GET failed: token={BIRD}",
}


@pytest.fixture
def out(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a maker of (tracer, exporter), scrubbed unless told otherwise."""
    monkeypatch.setattr(scrubbing, "PAUSE_S", 0)

    def make(*, scrubbed: bool = True) -> Any:
        exporter = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({"process.command_args": ["bot", f"--secret={BIRD}"]}))
        provider.add_span_processor(SimpleSpanProcessor(Scrubbed(exporter) if scrubbed else exporter))
        return provider.get_tracer("opentelemetry.instrumentation.requests"), exporter

    return make


def _span(tracer: Any) -> None:
    to = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1))
    span = tracer.start_span(f"GET /?signature={BIRD}", attributes=WRITTEN, links=[Link(to, {"http.url": ADDRESS})])
    span.add_event("exception", WRITTEN)
    span.set_status(Status(StatusCode.ERROR, f"password={BIRD}"))
    span.end()


def test_I23_no_signature_leaves_in_anybodys_span(out: Callable[..., Any]) -> None:
    """Addresses, queries, headers, events, links, status, name, resource: no secret is left."""
    tracer, exporter = out()
    _span(tracer)
    (span,) = exporter.get_finished_spans()
    assert_clean(span.to_json(), [BIRD])
    assert span.attributes["url.full"] == (
        "https://[redacted]@api.binance.com/api/v3/order?symbol=BTCUSDT&timestamp=1&signature=[redacted]#x"
    )
    assert span.attributes["url.query"] == (
        "symbol=BTCUSDT&Signature=[redacted]&AccessKeyId=[redacted]&sign=[redacted]"
    )
    assert len(span.attributes) == len(span.events[0].attributes) == len(WRITTEN)
    assert (span.links[0].context.span_id, span.status.status_code) == (2, StatusCode.ERROR)


def test_I23_control_without_it_the_secret_is_there(out: Callable[..., Any]) -> None:
    """The control: the same span through the bare exporter leaks."""
    tracer, exporter = out(scrubbed=False)
    _span(tracer)
    assert leaks(exporter.get_finished_spans()[0].to_json(), [BIRD])


def test_a_known_secret_is_found_anywhere(out: Callable[..., Any]) -> None:
    """A secret that policykit has read is taken out of any attribute, whatever its name."""
    redact.register(BIRD)
    try:
        tracer, exporter = out()
        tracer.start_span("x", attributes={"note": f"<{BIRD[3:20]}>", "n": 1, "raw": [f"{BIRD}"]}).end()
        (span,) = exporter.get_finished_spans()
    finally:
        redact.forget([BIRD])
    assert dict(span.attributes) == {"note": "<[redacted]>", "n": 1, "raw": ["[redacted]"]}


def test_what_is_no_secret_stays() -> None:
    """Names of keys, policies and symbols, numbers and ordinary addresses are what they were."""
    said = {
        names.KEY: "mm-exec",
        names.FAILED_CHECKS: ("risk.a", "risk.b"),
        "url.full": "https://api.exchange/v3/depth?symbol=BTCUSDT&limit=100",
        "http.request.header.content_type": ["application/json"],
        "server.port": 443,
        "ok": True,
        "bytes": b"abc",
        "map": {"a": 1},
    }
    assert clean(said) == {
        **said,
        names.FAILED_CHECKS: ["risk.a", "risk.b"],
        "bytes": "abc",
    }
    assert clean(None) == {}


def test_own_spans_are_not_scrubbed_twice(out: Callable[..., Any]) -> None:
    """A span of policykit was scrubbed when it was made and goes on as it is; its process's resource is scrubbed."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "bot"}))
    front = Scrubbed(exporter)
    provider.add_span_processor(SimpleSpanProcessor(front))
    span = provider.get_tracer(names.SCOPE).start_span("policykit.decide order.create")
    span.end()
    (sent,) = exporter.get_finished_spans()
    assert sent.resource is span.resource
    assert front.force_flush()
    front.shutdown()


def test_it_can_be_chosen_by_its_name() -> None:
    """`OTEL_TRACES_EXPORTER=policykit` and `OTEL_PYTHON_ID_GENERATOR=policykit` find these, as the SDK does."""
    from importlib.metadata import entry_points

    (exporter,) = entry_points(group="opentelemetry_traces_exporter", name="policykit")
    (generator,) = entry_points(group="opentelemetry_id_generator", name="policykit")
    made = exporter.load()()
    assert isinstance(made, Scrubbed)
    made.shutdown()
    assert generator.load()().generate_trace_id() > 0
