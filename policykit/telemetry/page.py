"""The text of `docs/telemetry.md`, made from the constants; `make docs` writes it."""

from __future__ import annotations

from collections.abc import Sequence

from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_name
from policykit.telemetry.relay import EXIT_S
from policykit.telemetry.setup import EXIT_S as SDK_EXIT_S

_HEAD = """\
# Names on the wire

<!-- Made by `make docs` from policykit/telemetry/names.py; a test holds them equal. -->

Every span, attribute, metric and log event that policykit sends. Names are public API.
The record is the journal (`policykit journal`); telemetry is a view of it and never holds up or stops an order.
The library needs only `opentelemetry-api`; without a provider it makes no span. Set one up as for any other library,
or install the extra `otel` and set `POLICYKIT_OTLP=http://127.0.0.1:4318`.
"""

_USE = f"""\
## Three ways out

| | what it needs | what it gives |
|---|---|---|
| `POLICYKIT_OTLP=URL` | the extra `otel`, no set-up of the bot's own | spans and metrics over OTLP/HTTP; ids of the \
journal, no secret in any span, losses counted |
| the bot's own provider, or `opentelemetry-instrument` | what the bot has | spans and metrics where the bot's own \
go |
| `policykit journal export --otlp URL --follow` | the extra `otel`, a journal that this host can read | every span at \
least once, also of a bot that is dead |

A provider that the bot sets is used, before or after the guard is loaded; `POLICYKIT_OTLP` then changes nothing of it.
Headers, certificates, sampler and resource are OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_HEADERS`,
`OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`). What a sampler leaves out is in the journal all the same.

### The bot's own provider

The SDK draws ids from `random`, so a bot that seeds it repeats its trace ids ([PK914](rules.md)), and OpenTelemetry's
HTTP instrumentations leave `signature=` in clear in `url.full`. Two words mend both:

```python
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from policykit.telemetry.scrubbing import Scrubbed
from policykit.telemetry.span_ids import SpanIds

provider = TracerProvider(id_generator=SpanIds())
provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter())))
```

Under `opentelemetry-instrument` the same is `OTEL_PYTHON_ID_GENERATOR=policykit OTEL_TRACES_EXPORTER=policykit`.
With these ids, or `POLICYKIT_OTLP`, a span has the id that `journal export --otlp` gives it: sent both ways it is one.
The bot's own logs are scrubbed by `policykit.redact.install()`, called once at its start: every logger, whenever it is
made, `extra` fields too. What a library prints is no log: ccxt's `verbose` is scrubbed on a protected client only.

### From the journal

`journal export --otlp` keeps in a file (`--cursor`) up to which row the collector has everything, and moves it only
after the collector's 2xx: a restart goes on there, a kill loses nothing. 429, 502, 503 and 504 are tried again, after
`Retry-After` where it is given, with `--follow` for ever; what a collector rejects (a partial success, 400, 413, 422)
is counted, said and passed over; a missing token or a wrong path ends it, and nothing is skipped. Times are the
journal's, in milliseconds: the span of a decision has no length here.

### When the collector is broken

No decision waits for it: spans are made and sent by other threads, from queues that are bounded.

- `{names.M_DROPPED}` counts what a full queue dropped and, with `POLICYKIT_OTLP`, what no export brought out; the log
  says so at the first and, with the sum, at the end. `OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED` is on then: the SDK's
  own counters go out with ours.
- The end of the process waits at most {EXIT_S:g} s for spans to be made and {SDK_EXIT_S:g} s for the exporters; the SDK
  alone takes 7.75 s.
- Refused, silent, answering 500 or rubbish, no name, no TLS, a full disk behind the log: `make prove` runs a bot
  against each, and holds decisions equal and within 1 ms at p99.
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, _USE, "## Spans\n", _table(("span", "when"), [(_code(s.name), s.meaning) for s in names.SPANS])]
    parts.append(
        f"The scope is `{names.SCOPE}` with the library's version. No span has events, none is current while an order "
        "is on its way.\nA re-send links to the first decision of its order; a denial by a kill switch links to the "
        "span that engaged it, where that is known.\n"
    )
    rows = [(_code(a.name), a.type, a.on + (", metric" if a.metric else ""), a.meaning) for a in names.ATTRIBUTES]
    parts += ["## Attributes\n", _table(("attribute", "type", "on", "meaning"), rows)]
    head = ("metric", "instrument", "unit", "in Prometheus", "attributes", "meaning")
    parts += ["## Metrics\n", _table(head, [_row(metric) for metric in names.METRICS])]
    parts.append("`policykit exporter` tells these too, and of itself and of the journal:\n")
    parts.append(_table(head, [_row(metric) for metric in names.EXPORTED]))
    buckets = ", ".join(f"{bound:g}" for bound in names.DURATION_BUCKETS)
    parts.append(f"Buckets of `{names.M_DURATION}`, seconds: {buckets}. Symbols are never on metrics.\n")
    parts += ["## Log events\n", _table(("event_name", "when"), [(_code(e.name), e.meaning) for e in names.EVENTS])]
    parts.append(
        "Written through Python's `logging`, logger `policykit.events`, with `event_name` and `attributes` as fields "
        "of the record.\n`POLICYKIT_LOG=json` writes one JSON object a line on stderr: time (UTC), level, logger, "
        "event_name, message, attributes.\n"
    )
    return "\n".join(parts)


def _row(metric: names.Metric) -> tuple[str, ...]:
    labels = ", ".join(_code(name) for name in metric.attributes)
    name, in_prometheus = _code(metric.name), _code(prometheus_name(metric))
    return name, metric.instrument, metric.unit, in_prometheus, labels, metric.meaning


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines) + "\n"
