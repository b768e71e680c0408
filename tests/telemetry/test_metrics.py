"""Metrics: plain numbers that a reader collects."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from policykit.telemetry import Telemetry, counters, names, setup
from policykit.telemetry.counters import Counters
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.telemetry.nouns import NOTIONAL, decision, intent, scope

ALLOWED = {
    "policykit.decision.outcome": "allow",
    "policykit.action": "order.create",
    "policykit.enforcement.mode": "enforce",
    "policykit.stage": "full-live",
}
DENIED = {
    **ALLOWED,
    "policykit.decision.outcome": "deny",
    "policykit.decision.reason.code": "RISK_ORDER_NOTIONAL",
    "policykit.check.id": "risk.max_order_notional",
}


def _read(reader: InMemoryMetricReader) -> dict[str, list[tuple[Any, dict[str, Any]]]]:
    data = reader.get_metrics_data()
    assert data is not None
    out = {}
    for scope_metrics in data.resource_metrics[0].scope_metrics:
        assert scope_metrics.scope.name == "policykit"
        for metric in scope_metrics.metrics:
            points: list[Any] = list(metric.data.data_points)
            out[metric.name] = [(getattr(p, "value", getattr(p, "count", None)), dict(p.attributes)) for p in points]
    return out


def test_a_reader_gets_every_metric_that_has_data() -> None:
    """Decisions by outcome and check, durations, gauges and the losses of telemetry itself, under their names."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader]), relay=Relay(deferred=False))
    telemetry.record(decision(), scope(), duration_ns=40_000)
    telemetry.record(decision(), scope(), duration_ns=40_000)
    telemetry.record(decision(reasons=(NOTIONAL,)), scope(), duration_ns=90_000)
    telemetry.policy_loaded("mm", "sha256:3f9a01c2d4e5", "mm.yaml", stage="full-live", mode="enforce")
    telemetry.kill_switch("all", "HALTED", "ops", "test")
    telemetry.kill_switch("bot:x", "HALTED", "ops", "test")
    telemetry.kill_switch("bot:x", "ACTIVE", "ops", "test")
    telemetry.gauge(names.M_UNKNOWN, 2, {names.EXCHANGE: "binance", names.ACCOUNT: "main"})
    telemetry.wrote([0.0001, 0.002, 0.1])
    in_force = {
        "policykit.policy.id": "mm",
        "policykit.policy.version": "sha256:3f9a01c2d4e5",
        "policykit.stage": "full-live",
        "policykit.enforcement.mode": "enforce",
    }
    assert _read(reader) == {
        "policykit.decisions": [(2, ALLOWED), (1, DENIED)],
        "policykit.decision.duration": [
            (2, {"policykit.decision.outcome": "allow", "policykit.action": "order.create"}),
            (1, {"policykit.decision.outcome": "deny", "policykit.action": "order.create"}),
        ],
        "policykit.journal.write.duration": [(3, {})],
        "policykit.orders.unknown": [(2, {"policykit.exchange.name": "binance", "policykit.account.alias": "main"})],
        "policykit.kill_switch.engaged": [
            (1, {"policykit.kill_switch.scope": "all"}),
            (0, {"policykit.kill_switch.scope": "bot:x"}),
        ],
        "policykit.policy.info": [(1, in_force)],
        "policykit.telemetry.dropped": [(0, {})],
        "policykit.telemetry.failures": [(0, {})],
        "policykit.notify.lost": [(0, {})],
    }


def test_units_and_buckets_are_those_of_the_table() -> None:
    """Each instrument has the unit of names.METRICS; durations have its buckets."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader]), relay=Relay(deferred=False))
    telemetry.record(decision(), scope(), duration_ns=1_500)
    data = reader.get_metrics_data()
    assert data is not None
    made = {m.name: m for s in data.resource_metrics[0].scope_metrics for m in s.metrics}
    table = {m.name: m.unit for m in names.METRICS}
    assert {name: m.unit for name, m in made.items()} == {name: table[name] for name in made}
    point = made["policykit.decision.duration"].data.data_points[0]
    assert tuple(point.explicit_bounds) == names.DURATION_BUCKETS  # type: ignore[union-attr]
    assert point.bucket_counts[1] == 1  # type: ignore[union-attr]


def test_durations_cost_nothing_until_somebody_reads(make: Callable[..., Any]) -> None:
    """Without a provider of metrics no duration is recorded; the first collection starts it."""
    telemetry, _ = make()
    assert telemetry.counters.read is False
    telemetry.wrote([0.1])
    telemetry.counters._reader(names.M_DECISIONS)(None)
    assert telemetry.counters.read is True
    telemetry.counters.histograms[names.M_WRITE] = None
    telemetry.wrote([0.1])
    assert telemetry.relay.failures == 0
    telemetry.counters.histograms[names.M_WRITE] = object()
    telemetry.wrote([0.1])
    assert telemetry.relay.failures == 1


def test_no_count_is_lost_between_threads() -> None:
    """Four threads that count at once arrive at the sum; so do two kinds of decision."""
    counted = Counters()

    def work() -> None:
        for _ in range(5_000):
            counted.allowed("order.create", "enforce", "full-live")
            counted.decided(("deny", "X", "c", "order.create", "enforce", "full-live"))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [n for n, _ in counted.series(names.M_DECISIONS)] == [20_000, 20_000]


def test_series_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too many different labels are counted together, and a gauge takes no new ones."""
    monkeypatch.setattr(counters, "MAX_SERIES", 2)
    counted = Counters()
    for number in range(5):
        counted.decided(("deny", f"C{number}", "c", "a", "m", "s"))
        counted.gauge(names.M_SKEW, number, {names.EXCHANGE: str(number)})
    assert [n for n, _ in counted.series(names.M_DECISIONS)] == [3, 1, 1]
    assert len(counted.series(names.M_SKEW)) == 2


def test_what_an_owner_tells_no_more_is_gone_and_a_lifted_halt_is_0() -> None:
    """A gauge that nothing stands behind any more would be taken for the truth; a halt that is over reads 0."""
    told = Counters()
    told.tell("a", [(names.M_LOSS_USAGE, 5, {"x": "1"}), (names.M_KILL, 1, {names.SCOPE_NAME: "bot:a"})])
    told.tell("b", [(names.M_LOSS_USAGE, 7, {"x": "2"})])
    told.tell("a", [(names.M_LOSS_LIMIT, 9, {"x": "1"})])
    assert told.series(names.M_LOSS_USAGE) == [(7, {"x": "2"})]
    assert told.series(names.M_LOSS_LIMIT) == [(9, {"x": "1"})]
    assert told.series(names.M_KILL) == [(0, {names.SCOPE_NAME: "bot:a"})]
    told.tell("a", [])
    assert told.series(names.M_KILL) == [(0, {names.SCOPE_NAME: "bot:a"})]
    assert told.series(names.M_LOSS_LIMIT) == []


def test_a_version_of_a_policy_that_was_replaced_is_in_force_no_more() -> None:
    """One file has one version in force in a process."""
    telemetry = Telemetry(relay=Relay(deferred=False))
    for version in ("sha256:1", "sha256:2"):
        telemetry.policy_loaded("mm", version, "mm.yaml", stage="paper", mode="enforce")
    telemetry.policy_loaded("other", "sha256:9", "other.yaml", stage="paper", mode="enforce")
    found = [labels[names.POLICY_VERSION] for _, labels in telemetry.counters.series(names.M_POLICY)]
    assert found == ["sha256:2", "sha256:9"]


def test_an_exemplar_of_a_duration_is_the_decisions_span(make: Callable[..., Any]) -> None:
    """From a slow bucket one gets to the trace of a decision in it; a decision that is not sampled gives none."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    from policykit.telemetry import Telemetry
    from policykit.telemetry.relay import Relay

    reader = InMemoryMetricReader()
    telemetry, seen = make(meter_provider=MeterProvider([reader]), deferred=True)
    telemetry.record(decision(), scope(), duration_ns=40_000)
    telemetry.flush()
    assert [(one.trace_id, one.span_id) for one in _exemplars(reader)] == [
        (seen.spans[0].context.trace_id, seen.spans[0].context.span_id)
    ]
    other = InMemoryMetricReader()
    off = Telemetry(
        tracer_provider=TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False),
        meter_provider=MeterProvider([other]),
        relay=Relay(deferred=False),
    )
    off.record(decision(), scope(), duration_ns=40_000)
    assert _exemplars(other) == []


def _exemplars(reader: Any) -> list[Any]:
    data = reader.get_metrics_data()
    points = [
        point
        for resource in data.resource_metrics
        for scoped in resource.scope_metrics
        for metric in scoped.metrics
        if metric.name == names.M_DURATION
        for point in metric.data.data_points
    ]
    assert sum(point.count for point in points) == 1
    return [one for point in points for one in point.exemplars]


@pytest.mark.parametrize("first", ["allowed", "unknown"])
def test_a_reader_of_metrics_keeps_no_span_back(monkeypatch: pytest.MonkeyPatch, first: str) -> None:
    """With metrics read and a provider set later, the very first span is made, whatever it is of."""
    telemetry = Telemetry(meter_provider=MeterProvider([InMemoryMetricReader()]), relay=Relay(deferred=False))
    collector = Collector()
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", setup.configure(processors=(collector,), install=False))
    if first == "allowed":
        telemetry.record(decision(), scope())
    else:
        telemetry.sent(intent(state="unknown"), scope())
    assert len(collector.spans) == 1
