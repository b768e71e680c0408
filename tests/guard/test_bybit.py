"""Bybit behind a guard: stock ccxt in `guard.protect`, and stock pybit behind `@enforce`, run as a user runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit import Denied, OutcomeUnknown
from policykit.clock import SystemClock
from policykit.testing import Sim
from tests.guard.world import SYMBOL, World, policy_text

TOP = Path(__file__).parents[2]
BYBIT = (
    policy_text(absent="hold")
    .replace("exchange: binance", "exchange: bybit")
    .replace("attempts: 2", "attempts: 1")
    .replace("request-weight: {limit: 6000, per: 1m, window: fixed", "requests: {limit: 600, per: 5s, window: rolling")
    .replace("[limit, market]", "[limit, market, stop_loss]")
)
HELD = {"USDT": 100_000, "BTC": "0.02"}
SPOT = {"options": {"fetchMarkets": {"types": ["spot"]}}}


def bybit(start: Callable[..., World], *faults: dict[str, Any]) -> tuple[World, Any]:
    """Give stock ccxt's bybit behind a guard that knows its facts."""
    world = start(*faults, text=BYBIT, dialect="bybit", balances=HELD)
    return world, world.protected(**SPOT)


def test_ccxt_enters_and_leaves(start: Callable[..., World]) -> None:
    """A limit and a market entry, a cancel, an exit; each under the id that the policy gave it."""
    world, client = bybit(start)
    guard = client.policykit_gate.guard
    resting = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    client.create_order(SYMBOL, "market", "buy", 0.01)
    client.cancel_order(resting["id"], SYMBOL)
    client.create_order(SYMBOL, "market", "sell", 0.02)
    assert world.sent == [("buy", Decimal("0.01")), ("buy", Decimal("0.01")), ("sell", Decimal("0.02"))]
    assert all(order.client_order_id.startswith("pk") for order in world.sim.truth.executed)
    for _ in range(3):  # acknowledgements say nothing of fills: look-ups do, and then a wallet that is newer than they
        world.clock.advance(61)
        guard.maintain()
    assert guard.store.intents() == []
    held = {asset: (one.low, one.high) for asset, one in guard.facts().positions.items() if one.high}
    assert held == {asset: (world.sim.position(asset),) * 2 for asset in ("USDT", "BTC")}


def test_ccxt_is_denied_and_cannot_go_round(start: Callable[..., World]) -> None:
    """Over a cap, by a raw call, by params that make another order of it, and on a contract."""
    world, client = bybit(start)
    raw = {"category": "spot", "symbol": "BTCUSDT", "side": "Buy", "orderType": "Market", "qty": "9"}
    for call, code in (
        (lambda: client.create_order(SYMBOL, "limit", "buy", 0.5, 59_000), "RISK_ORDER_NOTIONAL"),
        (lambda: client.privatePostV5OrderCreate(raw), "RAW_CALL_REFUSED"),
        (lambda: client.privatePostV5PositionSetLeverage({"symbol": "BTCUSDT"}), "RAW_CALL_REFUSED"),
        (lambda: client.create_order(SYMBOL, "market", "buy", 0.01, None, {"qty": "1"}), "ORDER_DIFFERS"),
        (lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, {"isLeverage": 1}), "ORDER_DIFFERS"),
        (lambda: client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, {"category": "linear"}), "ORDER_DIFFERS"),
    ):
        with pytest.raises(Denied) as denied:
            call()
        assert denied.value.decision.reasons[0].code == code
        assert isinstance(denied.value, ccxt.InvalidOrder)
    assert world.sent == []


def test_an_order_has_the_id_under_which_it_is_looked_up(start: Callable[..., World]) -> None:
    """Bybit's own name of it is read as well: beside ccxt's it would have been the one on the wire."""
    world, client = bybit(start)
    order = (SYMBOL, "limit", "buy", 0.01, 59_000)
    client.create_order(*order, {"orderLinkId": "mine"})
    client.create_order(*order, {"clientOrderId": "5", "orderLinkId": "other"})
    assert [one.client_order_id for one in world.sim.truth.executed] == ["mine", "5"]
    kept = client.policykit_gate.guard.store.intents()
    assert sorted(intent.client_order_id for intent in kept) == ["5", "mine"]


def test_what_bybit_refuses_holds_nothing(start: Callable[..., World]) -> None:
    """A code beside no id is a no: the reservation is given back, and ccxt's own class is raised."""
    world, client = bybit(start)
    with pytest.raises(ccxt.InsufficientFunds):
        client.create_order(SYMBOL, "limit", "sell", 0.021, 70_000)
    assert client.policykit_gate.guard.store.intents() == []
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["id"]
    assert len(world.sent) == 1


def test_a_lost_reply_is_looked_up_and_never_sent_again(start: Callable[..., World]) -> None:
    """It executed: found at once. It never arrived: without a fence nobody concludes that, and a person decides."""
    world, client = bybit(start, {"at": "order", "do": "lost_reply", "when": [1]})
    assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"
    assert len(world.sent) == 1
    world, client = bybit(start, {"at": "order", "do": "drop", "when": [1]})
    with pytest.raises(OutcomeUnknown):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    client.policykit_gate.guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    assert denied.value.decision.reasons[0].code == "ORDER_OUTCOME_PENDING"
    assert client.create_order(SYMBOL, "market", "sell", 0.02)["id"]
    assert world.sent == [("sell", Decimal("0.02"))]


def test_a_stop_of_what_is_held_is_placed_and_seen(start: Callable[..., World]) -> None:
    """Spot's TP/SL order is in the list of open orders, and a halt leaves it there."""
    world, client = bybit(start)
    guard = client.policykit_gate.guard
    stop = client.create_order(SYMBOL, "market", "sell", 0.02, None, {"stopLossPrice": 58_000})
    guard.halt("all", "HALTED", "test", "drill")
    guard.maintain()
    assert [order["id"] for order in client.fetch_open_orders(SYMBOL)] == [stop["id"]]
    assert len(world.sent) == 1


#: What starts the example on the simulated exchange: pybit has no setting for another origin.
PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
import pybit_bot as bot
from pybit.unified_trading import HTTP
from policykit import Guard

session = HTTP(api_key=os.environ["BOT_API_KEY"], api_secret=os.environ["BOT_API_SECRET"])
session.endpoint = sys.argv[2]
with Guard.load(bot.POLICY, endpoint=sys.argv[2]) as guard:
    print(bot.Bot(session, guard).trade("BTC/USDT", ["0.01", "1", "0.000001"]))
    print([(i.state, i.client_order_id[:4]) for i in guard.store.intents()])
"""


def test_the_pybit_example_as_a_program(tmp_path: Path) -> None:
    """A small order leaves and is taken back, a large one never leaves, one that Bybit refuses holds nothing."""
    with Sim(clock=SystemClock(), dialect="bybit", seed=3) as sim:
        env = {**os.environ, "BOT_API_KEY": sim.key, "BOT_API_SECRET": sim.secret}
        env["POLICYKIT_STORE"] = f"sqlite:///{tmp_path}/store.db"
        command = (sys.executable, "-c", PROGRAM, str(TOP / "examples"), sim.url)
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        said = done.stdout.splitlines()
        assert said[-2:] == [
            "['canceled', 'RISK_ORDER_NOTIONAL', 'rejected']",
            "[('acknowledged', 'pk01')]",
        ]
        assert said[0].startswith("order.create denied: order notional ")
        assert [(o.side, o.quantity, o.client_order_id[:4]) for o in sim.truth.executed] == [
            ("buy", Decimal("0.01"), "pk01")
        ]
