"""Spans, metrics and log events; the only room that knows OpenTelemetry. The names are in names.py."""

from __future__ import annotations

from policykit.telemetry.attributes import Scope
from policykit.telemetry.spans import Telemetry, shared

__all__ = ["Scope", "Telemetry", "shared"]
