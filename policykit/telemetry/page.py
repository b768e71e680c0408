"""The text of `docs/telemetry.md`, made from the constants; `make docs` writes it."""

from __future__ import annotations

from collections.abc import Sequence

from policykit.telemetry import names
from policykit.telemetry.prometheus import prometheus_name

_HEAD = """\
# Names on the wire

<!-- Made by `make docs` from policykit/telemetry/names.py; a test holds them equal. -->

Every span, attribute, metric and log event that policykit sends. Names are public API.
The record is the journal (`policykit journal`); telemetry is a view of it and never holds up or stops an order.
The library needs only `opentelemetry-api`; without a provider it makes no span. Set one up as for any other library,
or install the extra `otel` and set `POLICYKIT_OTLP=http://127.0.0.1:4318`.
"""


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, "## Spans\n", _table(("span", "when"), [(_code(s.name), s.meaning) for s in names.SPANS])]
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
