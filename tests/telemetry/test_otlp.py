"""What each answer of a collector means to `journal export --otlp`."""

from __future__ import annotations

import time
from email.utils import formatdate
from threading import Event

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from policykit import redact
from policykit.telemetry import otlp
from policykit.telemetry.export import Refused, Unreachable
from policykit.telemetry.otlp import Sender, Taken, endpoint
from policykit.telemetry.rebuild import JournalSpan, Ref
from tests.telemetry.taps import Answer, free_port, tap

SPAN = JournalSpan(
    "policykit.decide order.create",
    "INTERNAL",
    "0" * 31 + "1",
    "0" * 15 + "2",
    "0" * 15 + "3",
    1_000,
    2_000,
    {"text": "half \ud800 a pair", "yes": True, "n": 4, "x": 0.5, "many": ("a", "b")},
    True,
    (Ref("0" * 31 + "4", "0" * 15 + "5"),),
    7,
)


class Waits(Event):
    """Keep how long each wait was to be, and wait for none."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout or 0.0)
        return self.is_set()


class Sent:
    """A sender, what it waited for and what it said."""

    def __init__(self, url: str, *, forever: bool = False) -> None:
        self.waits, self.said = Waits(), list[str]()
        self.sender = Sender(url, say=self.said.append, stop=self.waits, forever=forever, timeout_s=5)

    def send(self) -> Taken:
        return self.sender.send([SPAN])


def test_a_span_arrives_whole() -> None:
    """Ids, parent, links, times, status and every type of attribute stand on the wire as they are in the span."""
    with tap() as there:
        assert Sent(there.url).send() == (1, 0, "")
        ((_, _, headers),) = there.requests
        (span,) = there.taken
    assert (headers["content-type"], headers["content-encoding"]) == ("application/x-protobuf", "gzip")
    assert (span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex()) == SPAN[2:5]
    assert (span.name, span.kind, span.start_time_unix_nano, span.end_time_unix_nano) == (SPAN.name, 1, 1_000, 2_000)
    assert (span.status.code, span.links[0].trace_id.hex(), span.links[0].span_id.hex()) == (2, *SPAN.links[0])
    said = {pair.key: pair.value for pair in span.attributes}
    assert said["text"].string_value == "half ? a pair"
    assert (said["yes"].bool_value, said["n"].int_value, said["x"].double_value) == (True, 4, 0.5)
    assert [one.string_value for one in said["many"].array_value.values] == ["a", "b"]


def test_it_is_sent_again_after_the_time_that_the_collector_says() -> None:
    """429 and 503 with Retry-After as seconds and as a date, other ones with a growing pause; said once, and back."""
    soon = formatdate(time.time() + 120, usegmt=True)
    again = [Answer(429, Retry_After="7"), Answer(503, Retry_After=soon), Answer(502), Answer(504), Answer(500)]
    with tap(*again) as there:
        sent = Sent(there.url)
        assert sent.send() == (1, 0, "")
        assert len(there.taken) == 1
    first, second, *rest = sent.waits.asked
    assert first == 7
    assert 100 < second <= 120
    assert [2 <= rest[0] <= 4, 4 <= rest[1] <= 8, 8 <= rest[2] <= 16] == [True] * 3
    assert sent.said == [
        f"{there.url}/v1/traces: answered 429; it is tried again, the journal keeps what is to come",
        f"{there.url}/v1/traces: answers again",
    ]


@pytest.mark.parametrize(("given", "after"), [("1e9", None), ("soon", None), ("99999999999", 600.0), ("-1", None)])
def test_a_strange_retry_after_is_bounded(given: str, after: float | None) -> None:
    """What is no time gives the usual pause; what is far off is cut."""
    with tap(Answer(503, Retry_After=given)) as there:
        sent = Sent(there.url)
        sent.send()
    (waited,) = sent.waits.asked
    assert waited == after or (after is None and 0.5 <= waited <= 1)


def test_nobody_there_ends_after_some_tries_unless_it_follows() -> None:
    """A refused connection is tried TRIES times; with `forever` until it is told to stop."""
    url = f"http://127.0.0.1:{free_port()}"
    sent = Sent(url)
    with pytest.raises(Unreachable) as gone:
        sent.send()
    assert str(gone.value) == f"{url}/v1/traces: no answer (ConnectionRefusedError)"
    assert len(sent.waits.asked) == otlp.TRIES - 1
    going = Sent(url, forever=True)
    tried = 0

    def until(timeout: float | None = None) -> bool:
        nonlocal tried
        tried += 1
        if tried == 100:
            going.waits.set()
        return going.waits.is_set()

    going.waits.wait = until  # type: ignore[method-assign,assignment]
    with pytest.raises(Unreachable):
        going.send()
    assert tried == 100


def test_what_is_rejected_is_counted_and_not_sent_again() -> None:
    """A partial success, a 400, a 413, a 422: the batch is over, its loss is told."""
    partial = ExportTraceServiceResponse()
    partial.partial_success.rejected_spans = 1
    partial.partial_success.error_message = "bad span, apiKey=abcdefgh12345678"
    with tap(Answer(200, partial.SerializeToString()), Answer(400), Answer(413), Answer(422)) as there:
        sent = Sent(there.url)
        told = [sent.send() for _ in range(4)]
        assert len(there.requests) == 4
    assert told[0] == (0, 1, "bad span, apiKey=[redacted]")
    assert told[1:] == [(0, 1, f"answered {code}") for code in (400, 413, 422)]


@pytest.mark.parametrize(
    ("code", "what"), [(401, "its token"), (403, "its token"), (404, "the path"), (307, "the URL")]
)
def test_a_collector_that_would_refuse_everything_ends_it(code: int, what: str) -> None:
    """A missing token, a wrong path, a redirect: nothing is skipped and nothing is sent elsewhere."""
    with tap() as other, tap(Answer(code, Location=other.url)) as there:
        with pytest.raises(Refused, match=f"answered {code}; nothing was skipped; check {what} "):
            Sent(there.url).send()
        assert (len(there.requests), len(other.requests)) == (1, 0)


@pytest.mark.parametrize("body", [b"OK", b'{"partialSuccess":{}}', b"\xff\xff\xff", b"x" * 100_000])
def test_an_answer_of_another_kind_is_a_yes(body: bytes) -> None:
    """Some collectors answer with JSON or a word: 200 is what counts, and no more than a bit of it is read."""
    with tap(Answer(200, body)) as there:
        assert Sent(there.url).send() == (1, 0, "")


def test_headers_come_from_the_environment_and_are_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token is sent, and is known to `scrub` from then on."""
    token = "Qm4xS9tKdP2wLz7v"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", f"authorization=Bearer%20{token},x-team=desk%20a")
    with tap() as there:
        Sent(there.url).send()
        ((_, _, headers),) = there.requests
    try:
        assert (headers["authorization"], headers["x-team"]) == (f"Bearer {token}", "desk a")
        assert token not in redact.scrub(f"it said {token}")
    finally:
        redact.forget([f"Bearer {token}"])


@pytest.mark.parametrize(
    "url", ["ftp://x", "127.0.0.1:4318", "http://", "http://[", "http://x:0", "http://x:99999", "http://x/?a=b", ""]
)
def test_what_is_no_collector_is_said(url: str) -> None:
    """A URL that cannot be one is refused before anything is read."""
    with pytest.raises(Refused, match="is no collector; an origin such as http"):
        endpoint(url)


def test_credentials_in_the_url_are_refused_and_not_repeated() -> None:
    """They would stand in process lists and messages."""
    with pytest.raises(Refused) as refused:
        endpoint("https://me:hunter2hunter2@collector:4318")
    assert "hunter2" not in str(refused.value)


def test_the_path_is_added_once() -> None:
    """An origin, with or without a slash, and a whole address mean the same."""
    want = "https://c:4318/v1/traces"
    assert {endpoint(u) for u in ("https://c:4318", "https://c:4318/", want, want + "/")} == {want}


def test_tls_that_does_not_verify_is_no_answer() -> None:
    """A collector that speaks no TLS is not sent anything in clear."""
    with tap() as there:
        sent = Sent(there.url.replace("http:", "https:"))
        with pytest.raises(Unreachable, match=r"no answer \(SSL"):
            sent.send()
        assert there.requests == []
