"""A candidate beside a policy in live guards: it comes and goes without a restart, judges all, and moves nothing."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import copy
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.beside import KIND, OWN, Run, missing, run_of, runs_of
from policykit.guard.deciding import Deciding
from policykit.guard.replay import replay
from policykit.guard.shadow import Judged, Shadow
from policykit.order import Order
from policykit.policy import load
from policykit.proofs.shadow.starting import Who, start, stop
from policykit.sim import SimClock
from policykit.store import Store, open_store
from policykit.telemetry.tail import every
from tests.guard.test_replay import POLICY, History, told
from tests.guard.world import SYMBOL, policy_text
from tests.store.servers import Servers

Tier = Callable[[int, int], int]
WHO = Who("desk-head", "tighter caps, OPS-7", {"name": "desk-head", "proof": "claimed", "os_user": "ops", "host": "h"})
HOUR = 3_600_000


class Desk:
    """A policy, a store, guards of it on a simulated clock, and candidates."""

    def __init__(self, folder: Path, uri: str = "memory:") -> None:
        self.folder, self.clock = folder, SimClock()
        self.store: Store = open_store(uri)
        self.file = folder / "mm.yaml"
        self.file.write_text(policy_text(), encoding="utf-8")

    def guard(self, **more: Any) -> Guard:
        """Load a guard whose facts are known."""
        guard = Guard.load(self.file, store=self.store, clock=self.clock, testing=True, **more)
        guard.recovered = True
        self.facts(guard)
        return guard

    def facts(self, guard: Guard) -> None:
        """Tell it what it needs to decide."""
        marks = {SYMBOL: "60000", "ETH/USDT": "3000"}
        guard.observe(equity="100000 USDT", positions={}, marks=marks, net_transfers="0 USDT", skew_ms=3)

    def candidate(self, text: str | None = None, **changes: object) -> Path:
        """Write a candidate."""
        path = self.folder / f"new{len(list(self.folder.iterdir()))}.yaml"
        path.write_text(policy_text(**changes) if text is None else text, encoding="utf-8")
        return path

    def start(self, path: Path, for_ms: int = 24 * HOUR) -> Run:
        """Start it, as `policykit shadow start` does."""
        now = self.clock.now_ms()
        return start(self.store, load(path, now_ms=now), str(self.file), for_ms, WHO, now).run

    def ask(self, guard: Guard, notional: int, **more: Any) -> list[str]:
        """Have an order decided and forgotten; return why it is denied."""
        order = Order(SYMBOL, "buy", "limit", Decimal(notional) / 60_000, Decimal(60_000), **more)
        try:
            guard.release(guard.decide(order))
        except Denied as denied:
            return [reason.code for reason in denied.decision.reasons]
        return []

    def shadows(self) -> list[Any]:
        """Return what rows of decisions say of a candidate: None where it agreed, or where there was none."""
        return [row.body.get("shadow") for row in every(self.store) if row.kind == "decision"]


@pytest.fixture(params=["memory:", "sqlite", "valkey"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Give a desk on each kind of store, the real ones."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("POLICYKIT_JOURNAL", str(tmp_path / "journal.db"))
    uri = {"memory:": "memory:", "sqlite": f"sqlite:///{tmp_path}/store.db"}.get(request.param)
    if uri is None:
        servers: Servers = request.getfixturevalue("servers")
        uri = servers.uri
    made = Desk(tmp_path, uri)
    yield made
    made.store.close()
