"""What export loses is counted and said, whoever lost it."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from policykit.telemetry import exporting, names, setup
from policykit.telemetry.exporting import Counted
from policykit.telemetry.spans import Telemetry
from tests.telemetry.nouns import decision, scope

HOW = "policykit journal export --otlp"
URL = "http://me:hunter2hunter2@collector:4318/v1/traces"


class Told(SpanExporter):
    """An exporter that answers as it is told, and can be held up."""

    def __init__(self, answer: Any = SpanExportResult.SUCCESS) -> None:
        self.answer, self.taken = answer, 0
        self.go, self.inside = threading.Event(), threading.Event()
        self.go.set()

    def export(self, spans: Sequence[Any]) -> SpanExportResult:
        self.inside.set()
        self.go.wait(30)
        if isinstance(self.answer, Exception):
            raise self.answer
        self.taken += len(spans)
        return self.answer


def made(exporter: SpanExporter, waiting: int = 100, **more: Any) -> tuple[Counted, Any]:
    """Return a processor and a tracer of it."""
    processor = Counted(exporter, URL, waiting)
    provider = TracerProvider(shutdown_on_exit=False, **more)
    provider.add_span_processor(processor)
    return processor, provider.get_tracer("x")


def test_what_the_collector_takes_is_not_lost(caplog: pytest.LogCaptureFixture) -> None:
    """Ten spans in, ten out, nothing lost and nothing said; what a sampler left out is none of it."""
    exporter = Told()
    processor, tracer = made(exporter)
    for _ in range(10):
        tracer.start_span("s").end()
    off, silent = made(exporter, sampler=ALWAYS_OFF)
    silent.start_span("s").end()
    processor.shutdown()
    off.shutdown()
    processor.ended()
    assert (exporter.taken, processor.lost, off.lost, caplog.records) == (10, 0, 0, [])


@pytest.mark.parametrize("answer", [SpanExportResult.FAILURE, RuntimeError("mad")])
def test_what_it_does_not_take_is_counted_and_said_once(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """A failed export and one that raises lose their spans; the log says so once, and the sum at the end."""
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    processor, tracer = made(Told(answer))
    for _ in range(70):
        tracer.start_span("s").end()
    processor.shutdown()
    processor.ended()
    assert processor.lost == 70
    where = "http://[redacted]@collector:4318/v1/traces"
    assert [record.getMessage() for record in caplog.records if record.name == "policykit.telemetry"] == [
        f"telemetry: {where}: it does not answer; spans are lost, the journal has them ({HOW})",
        f"telemetry: {where}: 70 spans did not get there; policykit journal export --otlp sends them",
    ]


def test_what_finds_the_queue_full_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    """A collector that does not answer: so many wait, every further span is dropped, counted, and in the metric."""
    exporter = Told()
    exporter.go.clear()
    processor, tracer = made(exporter, waiting=50)
    for _ in range(exporting.BATCH):
        tracer.start_span("s").end()
    assert exporter.inside.wait(10)
    for _ in range(75):
        tracer.start_span("s").end()
    assert processor.lost == 25
    processor.ended()
    assert (
        caplog.records[-1]
        .getMessage()
        .endswith("75 spans did not get there; policykit journal export --otlp sends them")
    )
    telemetry = Telemetry()
    before = telemetry.counters.series(names.M_DROPPED)[0][0]
    setup._exporting_ones.append(processor)
    try:
        assert telemetry.counters.series(names.M_DROPPED) == [(before + 25, {})]
    finally:
        setup._exporting_ones.remove(processor)
        exporter.go.set()
        processor.shutdown()


def test_a_forked_child_counts_anew() -> None:
    """What waits in the parent is the parent's to export: a child's queue is empty, and so is its count."""
    exporter = Told()
    exporter.go.clear()
    processor, tracer = made(exporter, waiting=3)
    for _ in range(3):
        tracer.start_span("s").end()
    child = os.fork()
    if not child:
        tracer.start_span("s").end()
        os._exit(processor.lost)
    assert os.waitpid(child, 0)[1] == 0
    tracer.start_span("s").end()
    assert processor.lost == 1
    exporter.go.set()
    processor.shutdown()
    exporting._reset(lambda: None)  # type: ignore[arg-type]


def test_metrics_go_with_the_spans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where POLICYKIT_OTLP names a collector, our instruments arrive there, the count of decisions among them."""
    from tests.telemetry.taps import tap

    with tap() as there:
        provider = setup.configure_metrics(there.url, install=False)
        telemetry = Telemetry(meter_provider=provider)
        telemetry.record(decision(), scope())
        assert provider.force_flush()
        assert setup.shutdown(provider)
        sent = b"".join(body for _, body, _ in there.requests)
    assert names.M_DECISIONS.encode() in sent
    assert names.M_DROPPED.encode() in sent
