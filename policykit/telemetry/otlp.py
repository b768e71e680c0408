"""Spans of the journal over OTLP/HTTP (protobuf, gzip): one request a batch, sent again until the collector has it.

What an answer means is the specification's (opentelemetry.io/docs/specs/otlp, 1.9.0, "OTLP/HTTP Response", read
2026-11-21): 2xx is taken, what a partial success rejects is never sent again; 429, 502, 503 and 504 are tried again,
after Retry-After where it is given. Beyond it, a 400, 413 or 422 skips the batch, as it would be refused for ever, and
any other status that asks for no second try (a wrong path, a missing token) ends the export, as every batch would be.
"""

from __future__ import annotations

import gzip
import http.client
import os
import random
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from email.utils import parsedate_to_datetime
from threading import Event
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status
from opentelemetry.sdk.resources import Resource as SdkResource
from opentelemetry.util.re import parse_env_headers
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_any
from tenacity.nap import sleep_using_event
from tenacity.stop import stop_when_event_set

from policykit import redact
from policykit.telemetry import names
from policykit.telemetry.attributes import AttributeValue, clean
from policykit.telemetry.export import Refused, Unreachable
from policykit.telemetry.rebuild import JournalSpan

PATH: Final = "/v1/traces"
#: The longest that one request may take to connect, and then to be answered, seconds.
REQUEST_S: Final = 10.0
#: Tries of one batch where the export is not to go on for ever, about a minute.
TRIES: Final = 7
#: The longest pause between two tries, seconds; a Retry-After beyond it is cut to MAX_ASKED_S.
MAX_PAUSE_S: Final = 30.0
MAX_ASKED_S: Final = 600.0
#: So much of an answer is read, bytes.
MAX_ANSWER: Final = 65_536
AGAIN: Final = frozenset((429, 500, 502, 503, 504))
SKIPPED: Final = frozenset((400, 413, 422))


class Taken(NamedTuple):
    """What became of a batch: spans that the collector has, spans that it rejected, and its words for it."""

    accepted: int
    rejected: int
    why: str


class _Again(Exception):
    """An answer after which the batch is sent again, `after_s` from now where the collector said when."""

    def __init__(self, why: str, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow nothing: the headers, which hold a token, are for the collector that was named."""

    def redirect_request(self, *_: Any) -> None:
        """Return nothing, which makes the redirect an error with its status."""


class Sender:
    """Sends batches to one collector. `say` is told once when it stops answering, and once when it is back.

    Headers are those of OTEL_EXPORTER_OTLP_HEADERS and _TRACES_HEADERS; a certificate authority and a client
    certificate come from OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE, _CLIENT_KEY. `stop` ends every wait.
    """

    def __init__(
        self, url: str, *, say: Callable[[str], None], stop: Event, forever: bool = False, timeout_s: float = REQUEST_S
    ) -> None:
        self.url = endpoint(url)
        self._say, self._stop, self._forever, self._timeout_s = say, stop, forever, timeout_s
        self._headers = _headers()
        self._opener = urllib.request.build_opener(_NoRedirect(), urllib.request.HTTPSHandler(context=_tls()))
        said = {"service.name": names.SCOPE, "service.version": _version()}
        self._resource = Resource(attributes=_pairs(SdkResource.create(said).attributes))
        self._down = False

    def send(self, spans: list[JournalSpan]) -> Taken:
        """Send a batch until it is taken. Raise Refused; Unreachable after TRIES, unless `forever`."""
        body = gzip.compress(self.request(spans).SerializeToString(), compresslevel=5)
        stops: list[Any] = [stop_when_event_set(self._stop)]
        if not self._forever:
            stops.append(stop_after_attempt(TRIES))
        tries = Retrying(
            retry=retry_if_exception_type(_Again),
            stop=stop_any(*stops),
            wait=_pause,
            sleep=sleep_using_event(self._stop),
            before_sleep=self._failed,
            reraise=True,
        )
        try:
            taken: Taken = tries(self._once, body, len(spans))
        except _Again as error:
            raise Unreachable(f"{self.url}: {error}") from None
        if self._down:
            self._down = False
            self._say(f"{self.url}: answers again")
        return taken

    def request(self, spans: Iterable[JournalSpan]) -> ExportTraceServiceRequest:
        """Return spans as the request has them."""
        scope = ScopeSpans(spans=[_span(span) for span in spans])
        scope.scope.name, scope.scope.version = names.SCOPE, _version()
        return ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=self._resource, scope_spans=[scope])])

    def _failed(self, state: RetryCallState) -> None:
        if not self._down and state.outcome is not None:
            self._down = True
            self._say(f"{self.url}: {state.outcome.exception()}; it is tried again, the journal keeps what is to come")

    def _once(self, body: bytes, count: int) -> Taken:
        request = urllib.request.Request(self.url, body, self._headers, method="POST")  # noqa: S310 - http(s): endpoint
        try:
            with self._opener.open(request, timeout=self._timeout_s) as answer:
                return _taken(answer.read(MAX_ANSWER), count)
        except urllib.error.HTTPError as error:
            with error:
                return _refused(error, count)
        except (OSError, http.client.HTTPException) as error:  # a URLError is an OSError; texts of it are not ours
            raise _Again(f"no answer ({_class(error)})") from None


def endpoint(url: str) -> str:
    """Return where spans are posted: the collector's origin and /v1/traces. Raise Refused for what is no such URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or parts.query or parts.fragment:
        raise Refused(f"{clean(url)}: is no collector; an origin such as http://127.0.0.1:4318 is needed")
    if parts.username is not None or parts.password is not None:
        raise Refused("the collector's URL holds credentials; put them in OTEL_EXPORTER_OTLP_HEADERS")
    whole = url.rstrip("/")
    return whole if whole.endswith(PATH) else whole + PATH


def _headers() -> dict[str, str]:
    given: dict[str, str] = {}
    for name in ("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"):
        given |= parse_env_headers(os.environ.get(name, ""), liberal=True)
    for value in given.values():
        if len(value) >= redact.WINDOW:  # a team's name or a "true" would blank the spans
            redact.register(value)  # INVARIANT I23: a collector's token is a secret as any other
    about = {
        "content-type": "application/x-protobuf",
        "content-encoding": "gzip",
        "user-agent": f"policykit/{_version()}",
    }
    return given | about


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=os.environ.get("OTEL_EXPORTER_OTLP_CERTIFICATE") or None)
    own = os.environ.get("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE")
    if own:
        context.load_cert_chain(own, os.environ.get("OTEL_EXPORTER_OTLP_CLIENT_KEY") or None)
    return context


def _version() -> str:
    from policykit import __version__

    return __version__


def _class(error: BaseException) -> str:
    """Return what kind of error it is, in a word: its text may hold anything."""
    reason = getattr(error, "reason", error)
    return type(reason if isinstance(reason, BaseException) else error).__name__


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    if isinstance(error, _Again) and error.after_s is not None:
        return min(error.after_s, MAX_ASKED_S)
    ceiling = min(MAX_PAUSE_S, 2.0 ** min(state.attempt_number - 1, 10))
    return ceiling * (0.5 + random.SystemRandom().random() / 2)


def _taken(answer: bytes, count: int) -> Taken:
    try:
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
    except DecodeError:  # some answer with JSON or a word
        return Taken(count, 0, "")
    rejected = min(max(partial.rejected_spans, 0), count)
    return Taken(count - rejected, rejected, clean(partial.error_message))


def _refused(error: urllib.error.HTTPError, count: int) -> Taken:
    if error.code in AGAIN:
        raise _Again(f"answered {error.code}", _after_s(error.headers.get("retry-after")))
    if error.code in SKIPPED:
        return Taken(0, count, f"answered {error.code}")
    advice = {401: "its token", 403: "its token", 404: "the path", 405: "the path"}.get(error.code, "the URL")
    where = "OTEL_EXPORTER_OTLP_HEADERS" if error.code in (401, 403) else "--otlp"
    raise Refused(f"answered {error.code}; nothing was skipped; check {advice} ({where}) and start again")


def _after_s(given: str | None) -> float | None:
    """Return the seconds of a Retry-After: a number of them, or a date."""
    if given is None:
        return None
    if given.strip().isascii() and given.strip().isdigit():
        return float(given.strip()[:9])
    try:
        return max(0.0, parsedate_to_datetime(given).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _span(span: JournalSpan) -> Span:
    made = Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        name=span.name,
        kind=Span.SPAN_KIND_CLIENT if span.kind == "CLIENT" else Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=_pairs(span.attributes),
        links=[Span.Link(trace_id=bytes.fromhex(to.trace_id), span_id=bytes.fromhex(to.span_id)) for to in span.links],
        flags=1,
    )
    if span.parent_id is not None:
        made.parent_span_id = bytes.fromhex(span.parent_id)
    if span.error:
        made.status.code = Status.STATUS_CODE_ERROR
    return made


def _pairs(said: Mapping[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=name, value=_value(value)) for name, value in said.items()]


def _value(value: AttributeValue) -> AnyValue:
    if isinstance(value, bool):  # before int, which a bool is
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, str):
        return AnyValue(string_value=value.encode("utf-8", "replace").decode())  # half a surrogate is no text here
    return AnyValue(array_value=ArrayValue(values=[_value(one) for one in value]))
