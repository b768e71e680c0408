"""No secret leaves through a span, a metric, a log event, the bytes on the wire or a view of the journal."""

from __future__ import annotations

import io
import json
import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from policykit import redact
from policykit.decision import Reason
from policykit.orders.intent import Outcome
from policykit.store import open_journal, open_store
from policykit.telemetry import events, scrubbing
from policykit.telemetry.otlp import Sender
from policykit.telemetry.rebuild import Rebuild
from policykit.telemetry.scrubbing import Scrubbed
from policykit.telemetry.tail import JsonTail, Tail
from policykit.telemetry.timeline import Story, find, render
from policykit.telemetry.tree import render_tree
from policykit.telemetry.words import verdict, verdict_text
from tests.canary import assert_clean, canaries, leaks
from tests.telemetry.nouns import AT_MS, decision, intent, scope

#: Cases that share a journal and a telemetry.
TOGETHER = 50


def _texts(bird: str) -> list[str]:
    """Return the shapes in which a secret gets into an error's text."""
    return [
        f"timed out: GET https://x/api?apiKey={bird}&signature={bird}",
        f"OSError: {quote(bird, safe='')} at valkey://user:{bird}@host",
        f"bad header X-MBX-APIKEY: {bird.encode().hex()}",
        f"basic {b64encode(('u:' + bird).encode()).decode()}",
        bird,
    ]


class Ways:
    """Every way out of the process that telemetry has, around one journal."""

    def __init__(self, make: Callable[..., Any], folder: Path) -> None:
        self.telemetry, self.seen = make()
        uri = f"sqlite:///{folder}/{len(list(folder.iterdir()))}.db"
        self.store, self.journal = open_store(uri), open_journal(uri)
        self.rebuild, self.read, self.cases = Rebuild(), 0, 0
        self.sender = Sender("http://127.0.0.1:9", say=lambda _: None, stop=None)  # type: ignore[arg-type]
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(events.JsonFormatter())
        self.logger = logging.getLogger(events.LOGGER)
        self.logger.addHandler(self.handler)
        self.foreign = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(Scrubbed(self.foreign)))
        self.tracer = provider.get_tracer("opentelemetry.instrumentation.requests")

    def close(self) -> None:
        """Let go of files and handler."""
        self.logger.removeHandler(self.handler)
        self.journal.close()
        self.store.close()

    def everything(self, text: str) -> bytes:
        """Drive every way out with a text, and return all that came out."""
        self.cases += 1
        one, other = f"A{self.cases:07}", f"B{self.cases:07}"
        telemetry, store = self.telemetry, self.store
        reason = Reason("STORE_DOWN", "store", text, failure=True)
        telemetry.record(decision(one, reasons=(reason,)), scope())
        telemetry.sent(intent(one, state="unknown", error=text), scope())
        telemetry.kill_switch("all", "HALTED", "ops", text)
        telemetry.policy_rejected("mm.yaml", ("PK001",))
        telemetry.gauge("policykit.test", 1.0, {"label": redact.scrub(text)})
        self.logger.warning("the loop failed: %s", text)
        span = self.tracer.start_span("GET", attributes={"url.full": f"https://x/?a={text}", "error.message": text})
        span.record_exception(RuntimeError(text))
        span.end()
        store.reserve(decision(one), intent(one), (), store.facts("binance/main", "mm-1").generation, AT_MS)
        store.outcome(one, Outcome("unknown", AT_MS, error=text, took_ms=1.0))
        store.record(decision(other, reasons=(reason,)), AT_MS)
        store.halt("all", "HALTED", "ops", text, AT_MS)
        store.event("note", {"text": text}, AT_MS)
        rows = list(self.journal.rows(self.read))
        self.read = rows[-1].seq
        spans = list(self.seen.spans)
        out = [render_tree(spans), json.dumps([dict(s.attributes or {}) for s in spans])]
        out += [view.take(row) or "" for view in (Tail(), JsonTail(), Tail(width=100)) for row in rows]
        for name in (one, other):
            story = find(self.journal, name)
            assert isinstance(story, Story)
            out.append(render(story))
        out.append(verdict_text(verdict(redact.scrub("sqlite:///x"), 1, text, self.journal)))
        out += [self.stream.getvalue(), str(telemetry.counters.gauges)]
        rebuilt = [span for row in rows for span in self.rebuild.take(row)]
        assert len(rebuilt) == 3
        wire = [encode_spans(spans), encode_spans(self.foreign.get_finished_spans()), self.sender.request(rebuilt)]
        self.seen.spans.clear()
        self.foreign.clear()
        self.stream.truncate(self.stream.seek(0))
        telemetry.counters.gauges.clear()
        return "\n".join(out).encode() + b"".join(message.SerializeToString() for message in wire)


@pytest.fixture
def ways(make: Callable[..., Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Ways]]:
    """Return a maker of ways out; a new one ends the one before."""
    monkeypatch.setattr(scrubbing, "PAUSE_S", 0)
    made: list[Ways] = []

    def begin() -> Ways:
        if made:
            made.pop().close()
        made.append(Ways(make, folder))
        return made[0]

    yield begin
    made[0].close()


def test_I23_no_canary_leaves_through_telemetry_or_the_journals_views(
    ways: Callable[[], Ways], tier: Callable[[int, int], int], caplog: pytest.LogCaptureFixture
) -> None:
    """Known secrets in messages, errors, reasons, addresses, in every encoding: no window of one comes out."""
    caplog.set_level(logging.CRITICAL + 1)
    shapes = len(_texts(""))
    there = ways()
    for number, bird in enumerate(canaries(seed=23, count=tier(500, 100_000) // shapes)):
        if number % (TOGETHER // shapes) == 0:
            there = ways()
        redact.register(bird)
        try:
            for text in _texts(bird):
                out = there.everything(text)
                assert b"STORE_DOWN" in out
                assert_clean(out, [bird])
        finally:
            redact.forget([bird])


def test_I23_control_without_the_scrubbing_the_canary_is_found(
    ways: Callable[[], Ways], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with scrubbing taken out of any one of these the same drive leaks, so the test can fail."""
    from policykit.telemetry import attributes, tail, timeline, words

    (bird,) = canaries(seed=24)
    for module in (attributes, events, tail, timeline, words, scrubbing):
        with monkeypatch.context() as patch:
            patch.setattr(module, "scrub", lambda text: text)
            if module is scrubbing:
                patch.setattr(module, "_parameters", lambda text: text)
            redact.register(bird)
            try:
                there = ways()
                assert any(leaks(there.everything(text), [bird]) for text in _texts(bird)), module.__name__
            finally:
                redact.forget([bird])
