"""Every metric and log event that names.py lists is really sent: one run of a guard that meets everything once."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from policykit.errors import Denied, OutcomeUnknown, PolicyError
from policykit.guard import Guard, core
from policykit.telemetry import Telemetry, names
from policykit.telemetry.relay import Relay
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.feed import feed
from tests.guard.test_dead_man import SWITCH
from tests.guard.test_reconcile import DUE_S, SECTION
from tests.guard.test_streams import sync
from tests.guard.world import World

LIMITS = '  daily_loss: {limit: 3% of equity, day_starts: "00:00 UTC", on_breach: warn}\n'
KEY = 'secret: "env://MM_EXEC", rotation: {every: 90d}, declared: {created: 2026-11-01, by: desk, at: 2026-11-20}'


def _text(**more: str) -> str:
    written = policy(position="60000 USDT", more=LIMITS, **more).replace('secret: "env://MM_EXEC"', KEY)
    written = written.replace("expires_after: 30s}", "expires_after: 30s, wait: 1s}")
    return f"{written}{SWITCH}{SECTION}, on_breach: warn}}\nstage: {{current: full-live, since: 2026-11-01}}\n"


def _rounds(world: World, guard: Guard, own: Any) -> None:
    for _ in range(3):
        world.clock.advance(DUE_S)
        guard.maintain(own)


def test_every_metric_and_event_is_sent(
    start: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each with labels that its row lists; a name that nothing sends would be a panel that stays empty."""
    reader = InMemoryMetricReader()
    telemetry = Telemetry(meter_provider=MeterProvider([reader]), relay=Relay(deferred=False))
    monkeypatch.setattr(core, "shared", lambda: telemetry)
    caplog.set_level(logging.INFO, "policykit.events")
    broken, candidate = tmp_path / "broken.yaml", tmp_path / "candidate.yaml"
    broken.write_text("policykit: [", encoding="utf-8")
    candidate.write_text(_text(), encoding="utf-8")
    world = contracts(
        start,
        {"at": "order", "do": "lost_reply", "when": [1]},
        {"at": "order", "do": "lag", "when": [1], "seconds": 300},
        text=_text(),
    )
    with pytest.raises(PolicyError):
        Guard.load(broken, store=world.store, clock=world.clock)
    guard, own = world.guard(shadow=candidate), world.sim.client()
    rotation = {"state": "swapping", "active": "sha256:b", "retiring": "sha256:a", "staged_ms": 1, "swapped_ms": 2}
    guard.store.keep(guard.account, "rotation", guard.key, rotation, world.clock.now_ms())
    guard.looping = True  # as `with guard:` says it: this test is its loop
    _rounds(world, guard, own)
    client = world.protected(guard)
    with pytest.raises(OutcomeUnknown):
        client.create_order(SWAP, "limit", "buy", 0.01, 55_000)
    with pytest.raises(Denied):
        client.create_order(SWAP, "limit", "buy", 0.01, 55_000)
    world.sim.client().create_order(SWAP, "market", "sell", 0.1)
    guard.store.linted(guard.account, {"policy": guard.policy.name, "findings": [["high", "PK603", 1]]}, guard.now())
    world.policy.write_text(_text().replace("full-live", "small-live"), encoding="utf-8")
    guard.reload()
    guard.halt("bot:perps", "REDUCING", "ops", "a test")
    with feed(world.clock.now_ms) as server, guard.stream("trades", sync(server), quiet=True):
        _rounds(world, guard, own)
    events = {getattr(record, "event_name", "") for record in caplog.records if record.name == "policykit.events"}
    assert events == {event.name for event in names.EVENTS}
    data = reader.get_metrics_data()
    assert data is not None
    sent = {
        metric.name: {key for point in metric.data.data_points for key in point.attributes or {}}
        for scope in data.resource_metrics[0].scope_metrics
        for metric in scope.metrics
        if metric.data.data_points
    }
    table = {metric.name: set(metric.attributes) for metric in names.METRICS}
    assert sent.keys() == table.keys()
    assert {name: labels - table[name] for name, labels in sent.items() if labels - table[name]} == {}
