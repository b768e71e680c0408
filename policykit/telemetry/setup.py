"""Set up OpenTelemetry's SDK where nobody else has: for the demo, for a bot without a set-up of its own.

The SDK is the extra `otel`; only this module loads it, and what it loads (span_ids, exporting, scrubbing). It differs
from the SDK's defaults (TELEMETRY.md, "What telemetry is not"): ids come from the decision or from `os.urandom`,
because a bot that seeds `random` would get the same trace ids twice; secrets are taken out; what is lost is counted;
the end of the process waits EXIT_S, not 7.75 s, for a dead collector.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from policykit.redact import WINDOW, register, scrub
from policykit.telemetry.names import SCOPE

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

    from policykit.telemetry.exporting import Counted

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
        from opentelemetry.sdk.trace import TracerProvider

        from policykit.telemetry.span_ids import SpanIds
    except ImportError:
        raise _missing() from None
    provider = TracerProvider(resource=_resource(service), id_generator=SpanIds(), shutdown_on_exit=False)
    for processor in processors:
        provider.add_span_processor(processor)
    if endpoint is not None:
        _keep_secret()
        provider.add_span_processor(_exporting(endpoint))
    if install:
        trace.set_tracer_provider(provider)
    _at_exit(provider)
    return provider


def configure_metrics(endpoint: str, *, service: str = SCOPE, install: bool = True) -> MeterProvider:
    """Return a meter provider that exports to an OTLP/HTTP endpoint every OTEL_METRIC_EXPORT_INTERVAL (a minute)."""
    try:
        from opentelemetry import metrics
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    except ImportError:
        raise _missing() from None
    _keep_secret()
    url = endpoint.rstrip("/") + "/v1/metrics"
    exporter = OTLPMetricExporter(endpoint=url, timeout=EXPORT_S, session=_session())
    reader = PeriodicExportingMetricReader(exporter, export_timeout_millis=EXPORT_S * 1000)
    provider = MeterProvider([reader], resource=_resource(service), shutdown_on_exit=False)
    if install:
        metrics.set_meter_provider(provider)
    _at_exit(provider)
    return provider


def configure_from_environment() -> TracerProvider | None:
    """Set up export when POLICYKIT_OTLP names a collector; a provider that is set already stays as it is.

    The SDK's own counters of what it drops are switched on with it, unless the environment says otherwise. Raise
    ValueError for what is no URL.
    """
    endpoint = os.environ.get(VARIABLE)
    if not endpoint:
        return None
    if not endpoint.startswith(("http://", "https://")):
        raise ValueError(
            f'{VARIABLE} is "{scrub(endpoint[:80])}"; the origin of a collector is needed, such as '
            "http://127.0.0.1:4318; nothing is sent"
        )
    from opentelemetry import metrics, trace

    os.environ.setdefault("OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED", "true")
    if type(metrics.get_meter_provider()).__name__ == "_ProxyMeterProvider":
        configure_metrics(endpoint)
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return None
    return configure(endpoint)


def lost() -> int:
    """Return how many finished spans did not get to the collector, as far as export was set up here."""
    return sum(processor.lost for processor in _exporting_ones)


def shutdown(*providers: TracerProvider | MeterProvider, timeout_s: float = EXIT_S) -> bool:
    """Export what is left and stop, waiting at most `timeout_s` for all; False when that was not enough.

    The journal has what is lost; the SDK's own `force_flush` returns True after a failed export, so no more is said.
    """
    threads = [
        threading.Thread(target=one.shutdown, name="policykit-telemetry-shutdown", daemon=True) for one in providers
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + timeout_s
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


_to_end: list[TracerProvider | MeterProvider] = []
_exporting_ones: list[Counted] = []


def _at_exit(provider: TracerProvider | MeterProvider) -> None:
    if not _to_end:
        atexit.register(_end)
    _to_end.append(provider)


def _end() -> None:
    shutdown(*_to_end)
    for processor in _exporting_ones:
        processor.ended()


def _exporting(endpoint: str) -> SpanProcessor:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from policykit.telemetry.exporting import Counted

    url = endpoint.rstrip("/") + "/v1/traces"
    made = Counted(OTLPSpanExporter(endpoint=url, timeout=EXPORT_S, session=_session()), url)
    _exporting_ones.append(made)
    return made


def _session() -> Any:
    """Return the session of an exporter; None where the user's own, with credentials, is named in the environment."""
    from policykit.telemetry.bounded import Bounded

    return None if any(name.endswith("_CREDENTIAL_PROVIDER") for name in os.environ) else Bounded()


def _keep_secret() -> None:
    """Make known to `scrub` the headers that the collector gets: its answer may cite a token, and the SDK logs that."""
    from opentelemetry.util.re import parse_env_headers

    for signal in ("", "TRACES_", "METRICS_"):
        given = os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "")
        for value in parse_env_headers(given, liberal=True).values():
            if len(value) >= WINDOW:  # a team's name or a "true" would blank the spans
                register(value)  # INVARIANT I23: a collector's token is a secret as any other


def _resource(service: str) -> Resource:
    """Return who sends: OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, else `service`."""
    from opentelemetry.sdk.resources import Resource

    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": service}
    return Resource.create(named)


def _missing() -> RuntimeError:
    return RuntimeError(
        'opentelemetry-sdk is not installed; spans need it to be exported; pip install "policykit-trading[otel]"'
    )
