"""Set up OpenTelemetry's SDK where nobody else has: for the demo, for a bot without a set-up of its own.

The SDK is the extra `otel`; this is the only module that imports it. What it does differently from the SDK's
defaults (TELEMETRY.md, "What telemetry is not"): ids come from `os.urandom`, because a bot that seeds `random` would
get the same trace ids twice; the end of the process waits EXIT_S, not 7.75 s, for a dead collector.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from policykit.telemetry.names import SCOPE

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

VARIABLE: Final = "POLICYKIT_OTLP"
#: The longest that the end of the process waits for the exporter, seconds.
EXIT_S: Final = 2.0
#: The longest that one request to the collector may take, seconds.
EXPORT_S: Final = 2.0
#: Spans that a Collector keeps; older ones go.
COLLECTED: Final = 10_000


class Collector:
    """A span processor that keeps finished spans in memory, for a trace tree and for tests."""

    def __init__(self, limit: int = COLLECTED) -> None:
        self.spans: deque[ReadableSpan] = deque(maxlen=limit)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Do nothing."""

    def _on_ending(self, span: Any) -> None:
        """Do nothing."""

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a finished span."""
        self.spans.append(span)

    def shutdown(self) -> None:
        """Do nothing."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: there is nothing to flush."""
        return True


def configure(
    endpoint: str | None = None, *, processors: Sequence[Any] = (), service: str = SCOPE, install: bool = True
) -> TracerProvider:
    """Return a tracer provider that exports to an OTLP/HTTP endpoint, and to `processors`; `install` makes it global.

    `endpoint` is the collector's origin (`http://127.0.0.1:4318`); `/v1/traces` is added. Without one nothing leaves
    the process. Raise RuntimeError with the command to run when the extra `otel` is not installed.
    """
    try:
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        from policykit.telemetry.span_ids import SpanIds
    except ImportError:
        raise RuntimeError(
            'opentelemetry-sdk is not installed; spans need it to be exported; pip install "policykit-trading[otel]"'
        ) from None
    provider = TracerProvider(
        resource=Resource.create({"service.name": service}), id_generator=SpanIds(), shutdown_on_exit=False
    )
    for processor in processors:
        provider.add_span_processor(processor)
    if endpoint is not None:
        provider.add_span_processor(_exporting(endpoint))
    if install:
        trace.set_tracer_provider(provider)
    atexit.register(shutdown, provider)
    return provider


def configure_from_environment() -> TracerProvider | None:
    """Set up export when POLICYKIT_OTLP names a collector and no provider is set yet; else leave all as it is."""
    endpoint = os.environ.get(VARIABLE)
    if not endpoint:
        return None
    from opentelemetry import trace

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return configure(endpoint)


def shutdown(provider: TracerProvider, timeout_s: float = EXIT_S) -> bool:
    """Export what is left and stop, waiting at most `timeout_s`; False when that was not enough.

    The journal has what is lost; the SDK's own `force_flush` returns True after a failed export, so no more is said.
    """
    thread = threading.Thread(target=provider.shutdown, name="policykit-telemetry-shutdown", daemon=True)
    thread.start()
    thread.join(timeout_s)
    return not thread.is_alive()


def _exporting(endpoint: str) -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces", timeout=EXPORT_S)
    return BatchSpanProcessor(exporter)
