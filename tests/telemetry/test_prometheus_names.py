"""The names that dashboards, alerts and the exporter ask Prometheus for."""

from __future__ import annotations

import re

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from policykit.telemetry import names
from policykit.telemetry.names import Metric
from policykit.telemetry.prometheus import prometheus_label, prometheus_name

METRICS = (*names.METRICS, *names.EXPORTED)


def test_names_are_those_that_a_collector_makes() -> None:
    """The cases of the translators' own table: words joined, the unit in words, annotations dropped, the suffixes."""
    cases = {
        Metric("policykit.decisions", "counter", "{decision}", (), ""): "policykit_decisions_total",
        Metric("policykit.decision.duration", "histogram", "s", (), ""): "policykit_decision_duration_seconds",
        Metric("policykit.rate_budget.utilization", "gauge", "1", (), ""): "policykit_rate_budget_utilization_ratio",
        Metric("policykit.kill_switch.engaged", "gauge", "{halt}", (), ""): "policykit_kill_switch_engaged",
        Metric("policykit.guard.heartbeat", "gauge", "s", (), ""): "policykit_guard_heartbeat_seconds",
        Metric("a..b-c", "counter", "1", (), ""): "a_b_c_total",
    }
    assert {metric: prometheus_name(metric) for metric in cases} == cases


def test_every_metric_and_attribute_has_a_name_of_its_own() -> None:
    """Prometheus takes each name, and no two of ours become one."""
    metrics = [prometheus_name(metric) for metric in METRICS]
    labels = [prometheus_label(attribute.name) for attribute in names.ATTRIBUTES]
    for found in (metrics, labels):
        assert [name for name in found if not re.fullmatch(r"[a-zA-Z_][a-zA-Z0-9_]*", name)] == []
        assert len(set(found)) == len(found)


def test_no_name_depends_on_the_road_that_a_metric_takes() -> None:
    """A gauge of unit "1" is `_ratio` behind a Collector and not by the SDK's own exporter: ours carry annotations."""
    assert [metric.name for metric in METRICS if metric.unit == "1"] == []


def test_the_client_library_adds_nothing_to_them() -> None:
    """What prometheus-client writes for a family of that name is that name."""
    for metric in METRICS:
        name = prometheus_name(metric)
        if metric.instrument == "counter":
            counter = CounterMetricFamily(name, "")
            counter.add_metric([], 1)
            assert [sample.name for sample in counter.samples] == [name]
        elif metric.instrument == "gauge":
            gauge = GaugeMetricFamily(name, "")
            gauge.add_metric([], 1)
            assert [sample.name for sample in gauge.samples] == [name]
