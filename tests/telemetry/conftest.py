"""A telemetry that makes its spans at once, into a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policykit.telemetry import Telemetry, setup
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.telemetry.nouns import AT_MS

Made = tuple[Telemetry, Collector]


@pytest.fixture
def make() -> Callable[..., Made]:
    """Return a maker of (telemetry, collector); `processors` come after the collector."""

    def maker(*processors: Any, deferred: bool = False, limit: int = 16_384, **more: Any) -> Made:
        collector = Collector()
        provider = setup.configure(processors=(collector, *processors), install=False)
        relay = Relay(deferred=deferred, limit=limit)
        now = more.pop("now_ns", lambda: AT_MS * 1_000_000)
        return Telemetry(tracer_provider=provider, relay=relay, now_ns=now, **more), collector

    return maker
