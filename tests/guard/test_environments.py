"""A sandbox and a live policy of one name on one store: play money counts nowhere else."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit import Denied, Guard, Order
from policykit.decision import gross_counter
from policykit.store import open_store
from policykit.testing import SimClock
from tests.guard.world import SYMBOL, policy_text

BUY = Order(SYMBOL, "buy", "limit", Decimal("0.02"), Decimal(50_000))
GROUPS = "groups: {desk: {max_gross_exposure: 100000 USDT}}\n"


def two(tmp_path: Path) -> tuple[Guard, Guard]:
    """Load a live policy and, on the same store, the one it was tried with."""
    store, clock = open_store("memory:"), SimClock()

    def guard(environment: str, **facts: Any) -> Guard:
        path = tmp_path / environment / "mm.yaml"
        path.parent.mkdir()
        text = policy_text().replace("environment: live", f"environment: {environment}") + GROUPS
        path.write_text(text, encoding="utf-8")
        made = Guard.load(path, store=store, clock=clock, testing=True)
        made.observe(marks={SYMBOL: "50000"}, net_transfers="0 USDT", skew_ms=0, **facts)
        return made

    live = guard("live", equity="10000 USDT", positions={})
    return live, guard("sandbox", equity="1000000 USDT", positions={"BTC": "1"})


def test_facts_are_of_one_environment(tmp_path: Path) -> None:
    """Equity of a sandbox is no head-room, and what it holds no exposure."""
    live, sandbox = two(tmp_path)
    assert (live.account, sandbox.account) == ("binance/main", "binance/main@sandbox")
    equity, positions = live.facts().equity, live.facts().positions
    assert equity is not None
    assert equity.value == 10_000
    assert positions["BTC"].high == 0
    assert sandbox.facts().positions["BTC"].high == 1
    with pytest.raises(Denied, match="max_position_notional"):
        live.decide(Order(SYMBOL, "buy", "limit", Decimal("0.025"), Decimal(50_000)))  # 1,250 of 10 %


def test_a_group_is_of_one_environment(tmp_path: Path) -> None:
    """The sum of a group's accounts is of real money only."""
    live, sandbox = two(tmp_path)
    assert live.facts().groups != sandbox.facts().groups
    held = {gross_counter(owner) for owner in (*live.facts().groups, *sandbox.facts().groups)}
    assert held == {"group|desk|USDT|gross", "group|desk@sandbox|USDT|gross"}


def test_a_halt_of_an_account_is_of_one_environment(tmp_path: Path) -> None:
    """A drill in the sandbox stops nothing live; a halt of everything stops both."""
    live, sandbox = two(tmp_path)
    small = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(50_000))
    sandbox.halt(f"account:{sandbox.account}", "HALTED", "alice", "a drill")
    assert live.check(small).outcome == "allow"
    assert sandbox.check(small).outcome == "deny"
    sandbox.halt("all", "HALTED", "alice", "for good")
    assert live.check(small).outcome == "deny"
