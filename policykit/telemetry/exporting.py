"""Export where nobody else set it up: bounded, scrubbed, and every span that is lost is counted.

The SDK's own queue drops the oldest span without a word (2,560 of 10,000 arrived, TELEMETRY.md), and `force_flush`
returns True after a failed export. So what goes in is counted, and what the collector took.
"""

from __future__ import annotations

import logging
import os
import threading
import weakref
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from policykit.redact import scrub
from policykit.telemetry.scrubbing import Scrubbed

#: Spans that wait to be exported at most; one more is dropped and counted.
WAITING: Final = 8_192
#: Spans of one request: encoding holds the interpreter, 25 us a span, and no decision is to wait for a millisecond.
BATCH: Final = 32
_log = logging.getLogger("policykit.telemetry")


class Counted(BatchSpanProcessor):
    """A batch processor that knows what it lost: spans that found the queue full, spans that no export took."""

    def __init__(self, exporter: SpanExporter, url: str, waiting: int = WAITING) -> None:
        self._counts = _Counts(Scrubbed(exporter), url)
        self._waiting = waiting
        super().__init__(self._counts, max_queue_size=waiting + BATCH, max_export_batch_size=BATCH)

    @property
    def lost(self) -> int:
        """Return how many spans were lost so far."""
        return self._counts.lost

    def ended(self) -> None:
        """Say at the end of the process what did not get out."""
        self._counts.ended()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a finished span, unless too many wait."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._counts.came(self._waiting):
            super().on_end(span)


class _Counts(SpanExporter):
    """Count what is handed to an exporter, and what it did not bring out."""

    def __init__(self, exporter: SpanExporter, url: str) -> None:
        self._exporter, self._url = exporter, scrub(url)
        self.lost = 0
        self._reset()
        if hasattr(os, "register_at_fork"):
            me = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _reset(me))

    def _reset(self) -> None:
        """Start anew: a forked child has an empty queue (the SDK sees to that), and exports its own spans only."""
        self._lock = threading.Lock()
        self._waiting = 0

    def came(self, limit: int) -> bool:
        """Count a span that is to be exported; False when `limit` wait already."""
        with self._lock:
            full = self._waiting >= limit
            if not full:
                self._waiting += 1
        if full:
            self._gone(1, "too many wait")
        return not full

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export, and count what failed."""
        with self._lock:
            self._waiting -= len(spans)
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            if result is not SpanExportResult.SUCCESS:
                self._gone(len(spans), "it does not answer")
        return result

    def ended(self) -> None:
        """Log how many spans were lost in all, those that still wait included."""
        missing = self.lost + self._waiting
        if missing:
            _log.warning(
                "telemetry: %s: %d spans did not get there; policykit journal export --otlp sends them",
                self._url,
                missing,
            )

    def _gone(self, count: int, why: str) -> None:
        with self._lock:
            first = not self.lost
            self.lost += count
        if first:
            _log.warning(
                "telemetry: %s: %s; spans are lost, the journal has them (policykit journal export --otlp)",
                self._url,
                why,
            )

    def shutdown(self) -> None:
        """End the exporter behind."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter behind."""
        return self._exporter.force_flush(timeout_millis)


def _reset(counts: weakref.ref[_Counts]) -> None:
    found = counts()
    if found is not None:
        found._reset()
