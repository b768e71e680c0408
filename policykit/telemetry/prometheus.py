"""How Prometheus names what names.py names: one translation for our exporter, dashboards and alert rules.

It is OpenTelemetry's own, as a Collector and Prometheus' OTLP receiver do it with suffixes on: "Prometheus and
OpenMetrics Compatibility", section "Metric Metadata" (opentelemetry.io/docs/specs/otel/compatibility, read 2026-11),
and the table of opentelemetry-collector-contrib's pkg/translator/prometheus (pkg.go.dev, read 2026-11).
"""

from __future__ import annotations

import re
from typing import Final

from policykit.telemetry.names import Metric

_WORD: Final = re.compile(r"[a-zA-Z0-9]+")
#: UCUM's units that our metrics have, in Prometheus' words. A unit in braces is an annotation and adds nothing.
_UNITS: Final = {"s": "seconds"}


def prometheus_name(metric: Metric) -> str:
    """Return a metric's name in Prometheus: `policykit_decisions_total`.

    Of a histogram it is the name before `_bucket`, `_sum` and `_count`. Raise KeyError for a unit without a word.
    """
    words = _WORD.findall(metric.name)
    if metric.unit == "1":
        words += ["ratio"] if metric.instrument == "gauge" else []
    elif not metric.unit.startswith("{"):
        words.append(_UNITS[metric.unit])
    if metric.instrument == "counter":
        words.append("total")
    return "_".join(words)


def prometheus_label(attribute: str) -> str:
    """Return an attribute's name as a label: `policykit_decision_outcome`."""
    return "_".join(_WORD.findall(attribute))
