"""No secret in anybody's spans: an exporter in front of the one that sends, and the same as a choice by its name.

OpenTelemetry's own HTTP instrumentations write a request's whole address into `url.full` or `http.url` (measured with
opentelemetry-instrumentation-requests, -urllib3, -httpx, -aiohttp-client 0.66b2: `signature=` stands in clear), and its
headers where OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST says so. An application puts one line between:

    provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter())))

and under `opentelemetry-instrument` it is `OTEL_TRACES_EXPORTER=policykit`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, Status

from policykit.redact import REDACTED, scrub, secret_name
from policykit.telemetry import names

#: What a parameter or header may be called beside `redact.secret_name`'s words (OK-ACCESS-SIGN, API-Sign, sig=).
_SIGNED: Final = re.compile(r"sign|\bsig\b|hmac|auth|cookie", re.IGNORECASE)
#: One parameter of a query.
_PARAMETER: Final = re.compile(r"([?&;]|^)([^=&;?#]*)=([^&;#]*)")
#: Attributes that hold a query and nothing before it.
_QUERIES: Final = frozenset(("url.query",))
#: The pause after each span, seconds.
PAUSE_S: Final = 0.0001
_HEADER: Final = re.compile(r"^http\.(?:request|response)\.header\.(.+)$")


class Scrubbed(SpanExporter):
    """Export spans without secrets: names, attributes, events, links, status and resource are scrubbed on the way."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._resource: tuple[Resource, Resource] | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Hand copies on."""
        cleaned = []
        for span in spans:
            cleaned.append(self._clean(span))
            if cleaned[-1] is not span:
                time.sleep(PAUSE_S)  # the bot goes first: a batch would hold the interpreter for 5 ms at a time
        return self._exporter.export(cleaned)

    def shutdown(self) -> None:
        """End the exporter behind."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the exporter behind."""
        return self._exporter.force_flush(timeout_millis)

    # INVARIANT I23: whatever an instrumentation put into a span is scrubbed before it leaves the process.
    def _clean(self, span: ReadableSpan) -> ReadableSpan:
        resource = self._of(span.resource)
        scope = span.instrumentation_scope
        if resource is span.resource and scope is not None and scope.name == names.SCOPE:
            return span  # scrubbed when it was made
        return ReadableSpan(
            name=scrub(span.name),
            context=span.context,
            parent=span.parent,
            resource=resource,
            attributes=clean(span.attributes),
            events=[Event(scrub(one.name), clean(one.attributes), one.timestamp) for one in span.events],
            links=[Link(one.context, clean(one.attributes)) for one in span.links],
            kind=span.kind,
            instrumentation_scope=scope,
            status=Status(
                span.status.status_code, None if span.status.description is None else scrub(span.status.description)
            ),
            start_time=span.start_time,
            end_time=span.end_time,
        )

    def _of(self, resource: Resource) -> Resource:
        """Return a resource scrubbed (process.command_args can hold a secret); it is the same for all spans."""
        if self._resource is None or self._resource[0] is not resource:
            made = Resource(clean(resource.attributes), resource.schema_url)
            self._resource = resource, resource if made == resource else made
        return self._resource[1]


class ScrubbedOtlp(Scrubbed):
    """The usual OTLP/HTTP exporter, scrubbed; `OTEL_TRACES_EXPORTER=policykit` asks for it."""

    def __init__(self, **given: Any) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        super().__init__(OTLPSpanExporter(**given))


def clean(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return attributes without secrets: values of headers and of parameters by their names, every text scrubbed."""
    return {scrub(name): _value(name, value) for name, value in (attributes or {}).items()}


def _value(name: str, value: Any) -> Any:
    header = _HEADER.match(name)
    if header is not None and _secret(header[1]):
        return REDACTED
    if isinstance(value, str):
        return scrub(_parameters(value) if name in _QUERIES or "://" in value or value.startswith("/") else value)
    if isinstance(value, bytes):
        return scrub(value.decode("utf-8", "replace"))
    if isinstance(value, Mapping):
        return clean(value)
    if isinstance(value, Sequence):
        return [_value(name, one) for one in value]
    return value


def _secret(name: str) -> bool:
    return secret_name(name) or _SIGNED.search(name) is not None


def _parameters(address: str) -> str:
    """Return an address, or a query, with the values of secret-named parameters replaced."""
    return _PARAMETER.sub(lambda m: f"{m[1]}{m[2]}={REDACTED if _secret(m[2]) else m[3]}", address)
