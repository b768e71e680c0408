"""`kill --flatten`: positions are closed by orders that can only reduce, and seen to be gone (G37)."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.guard import flatten as flattening
from policykit.guard.flatten import flatten
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.world import SYMBOL, World, policy_text

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01"), "XRP": Decimal(50)}
ALL = ("kill", "--scope", "all", "--by", "alice", "--why", "stop", "--flatten")


def run(capsys: pytest.CaptureFixture[str], world: World, *more: str) -> tuple[int, str]:
    """Kill and flatten; return the exit code and what was printed."""
    code = main([*ALL, "--store", world.store, *more])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_contracts_are_closed_by_orders_that_only_reduce(
    start: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    """A long position and a resting entry: both are gone, and what was sent could open nothing."""
    world = contracts(start, clock=SystemClock())
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.02)
    client.create_order(SWAP, "limit", "buy", 0.01, 50_000)
    code, said = run(capsys, world)
    assert code == 0, said
    assert "binance" in said
    assert f"  closed: {SWAP} sell 0.02" in said.splitlines()
    assert [p for p in world.sim.client().fetch_positions() if p["contracts"]] == []
    closing = [i for i in guard.store.intents(open_only=False) if i.order.side == "sell"]
    assert [(i.order.reduce_only, i.reduces) for i in closing] == [(True, True)]
    assert run(capsys, world)[0] == 0


def test_both_legs_of_hedge_mode_are_closed(start: Callable[..., World]) -> None:
    """A long and a short of one contract: each leg is closed by an order of its own side."""
    world = contracts(start, clock=SystemClock(), text=policy(mode="hedge"))
    world.sim.client().set_position_mode(True)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.03, None, {"positionSide": "LONG"})
    client.create_order(SWAP, "market", "sell", 0.01, None, {"positionSide": "SHORT"})
    (found,) = flatten(guard.store, world.clock, f"symbol:{SWAP}", [str(world.policy)], None)
    assert (sorted(found.closed), found.left) == ([f"{SWAP} buy 0.01", f"{SWAP} sell 0.03"], {})


def test_spot_sells_what_the_policy_names_and_nothing_else(
    start: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    """BTC is a symbol of the policy and is sold; XRP is not, and stays."""
    world = start(clock=SystemClock(), balances=HELD)
    world.guard()
    code, said = run(capsys, world, "--format", "json")
    report: dict[str, Any] = json.loads(said)
    assert (code, report["flattened"]) == (
        0,
        [{"account": "binance/main", "closed": [f"{SYMBOL} sell 0.01"], "left": {}}],
    )
    balances = world.sim.client().fetch_balance()["total"]
    assert (balances.get("BTC", 0), balances["XRP"]) == (0, 50)


def test_what_rests_for_sale_on_spot_is_told(start: Callable[..., World], capsys: pytest.CaptureFixture[str]) -> None:
    """A take-profit holds most of the position, and is kept: what it holds is left, and the exit code says so."""
    world = start(clock=SystemClock(), balances=HELD)
    world.protected(world.guard()).create_order(SYMBOL, "limit", "sell", 0.006, 70_000)
    code, said = run(capsys, world)
    assert (code, f"  closed: {SYMBOL} sell 0.004" in said.splitlines()) == (1, True)
    assert f"  left: {SYMBOL}: 0.006 is held for open orders that sell it, which were kept; " in said
    assert world.sim.client().fetch_balance()["total"]["BTC"] == 0.006
    store = world.guard(ready=False).store
    (found,) = flatten(store, world.clock, "symbol:ETH/USDT", [str(world.policy)], world.sim.url)
    assert found.left == {}


def test_what_could_not_be_closed_is_told(start: Callable[..., World], capsys: pytest.CaptureFixture[str]) -> None:
    """The exchange refuses the order: the position is named as left, with why; exit code 1."""
    world = start({"at": "order", "do": "clock", "ratio": 1}, clock=SystemClock(), balances=HELD)
    world.guard()
    code, said = run(capsys, world)
    assert code == 1
    assert f"  left: {SYMBOL}: 0.01 is held; " in said


def test_freeze_and_flatten_exclude_each_other_and_bots_hold_nothing(
    start: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    """A freeze blocks exits, so both are a wrong call; a position is the account's."""
    world = start(clock=SystemClock(), balances=HELD)
    guard = world.guard()
    assert run(capsys, world, "--freeze")[0] == 2
    assert guard.store.halts() == []
    (found,) = flatten(guard.store, world.clock, "bot:mm", [str(world.policy)], None)
    assert found.left == {"everything": "positions are the account's, not a bot's; flatten the account"}
    (found,) = flatten(guard.store, world.clock, "symbol:ETH/USDT", [str(world.policy)], None)
    assert (found.closed, found.left) == ([], {})
    (found,) = flatten(guard.store, world.clock, "all", ["no such file"], None)
    assert list(found.left) == ["everything"]


def test_what_goes_wrong_inside_is_told(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No guard trades there, a fault of ours, an account that says nothing: each is left, with why, and none raises."""
    world = start(clock=SystemClock(), balances=HELD)
    guard = world.guard()
    elsewhere = tmp_path / "elsewhere.yaml"
    elsewhere.write_text(policy_text(name="other").replace("exchange: binance", "exchange: kraken"))
    (found,) = flatten(guard.store, world.clock, "all", [str(elsewhere)], None)
    assert (found.account, found.left) == (
        "kraken/main",
        {"everything": "no guard trades on this exchange: close it there"},
    )

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a secret")

    monkeypatch.setattr(flattening, "_close_with", broken)
    (found,) = flatten(guard.store, world.clock, "all", [str(world.policy)], None)
    assert found.left == {"everything": "ZeroDivisionError"}
    monkeypatch.setattr(flattening, "BOUND_S", 0.01)
    monkeypatch.setattr(flattening, "_close", lambda *_: None)
    (found,) = flatten(guard.store, world.clock, "all", [str(world.policy)], None)
    assert (found.account, found.left) == ("binance/main", {"everything": "no answer within 0 s"})


def test_nothing_is_closed_without_the_store(
    start: Callable[..., World], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What is sent must be journaled before: a kill with a broken store cancels, and says that it closes nothing."""
    world = start(clock=SystemClock(), balances=HELD)
    where = ("--store", f"sqlite:///{tmp_path}", "--policy", str(world.policy), "--endpoint", world.sim.url)
    code = main([*ALL, *where])
    assert (code, capsys.readouterr().err) == (
        1,
        "nothing is closed without the store: close it at the exchange\n",
    )
    assert world.sim.client().fetch_balance()["total"]["BTC"] == 0.01
