"""USD-M contracts behind a guard, over HTTP with stock ccxt: entries, exits, stops, legs, and lost answers."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.client_errors import ClientOutcomeUnknown
from policykit.orders.intent import Intent
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.world import World, kinds

Start = Callable[..., World]
EXCHANGES = pytest.mark.parametrize("exchange", ["binanceusdm", "binance"])
STOP = {"stopPrice": 55_000, "reduceOnly": True}
#: An entry of each family.
ENTRIES: dict[str, tuple[Any, ...]] = {
    "order": (SWAP, "market", "buy", 0.1),
    "algo": (SWAP, "stop_market", "buy", 0.1, None, {"stopPrice": 61_000}),
}
TENTH = Decimal("0.1")
#: After so long the next fact holds a fill for certain; after the longer time a missing order is looked up, seconds.
DOUBT_S, LISTED_S = 7.0, 61.0


def code(denied: pytest.ExceptionInfo[Denied]) -> str:
    """Return the first reason of a denial."""
    return denied.value.decision.reasons[0].code


def placed(world: World) -> list[tuple[str, str, Decimal]]:
    """Return side, type and quantity of every order that the exchange accepted."""
    return [(one.side, one.type, one.quantity) for one in world.sim.truth.executed]


def begin(start: Start, *faults: dict[str, Any], **more: Any) -> tuple[World, Guard, Any]:
    """Start an exchange, a guard that knows its facts, and a client behind it."""
    world = contracts(start, *faults, **more)
    guard = world.guard()
    return world, guard, world.protected(guard)


def rounds(world: World, guard: Guard, seconds: float = DOUBT_S) -> None:
    """Let time pass and the guard look."""
    world.clock.advance(seconds)
    guard.maintain()


def intents(guard: Guard, family: str) -> list[Intent]:
    """Return the intents of one order family."""
    return [one for one in guard.store.intents(guard.account) if one.family == family]


@EXCHANGES
def test_an_entry_a_stop_and_an_exit(start: Start, exchange: str) -> None:
    """A whole trade: entered, its stop in the algo service, the stop taken back there, left; each a decision."""
    world, guard, client = begin(start, exchange=exchange)
    entry = client.create_order(SWAP, "market", "buy", 0.1)
    stop = client.create_order(SWAP, "market", "sell", 0.1, None, STOP)
    assert (entry["status"], entry["filled"], stop["status"]) == ("closed", 0.1, "open")
    rounds(world, guard)
    held = guard.facts().positions[SWAP]
    assert (held.low, held.high, held.open_sells) == (TENTH, TENTH, TENTH)
    client.cancel_order(stop["id"], SWAP, {"trigger": True})
    left = client.create_order(SWAP, "market", "sell", 0.1, None, {"reduceOnly": True})
    assert (left["status"], world.sim.held(SWAP)) == ("closed", 0)
    assert placed(world) == [("buy", "MARKET", TENTH), ("sell", "STOP_MARKET", TENTH), ("sell", "MARKET", TENTH)]
    assert all(one.client_order_id.startswith("pk") for one in world.sim.truth.executed)
    decided = [kind for kind in kinds(guard) if kind.startswith("decision")]
    assert decided == ["decision allow"] * 4  # the cancel too
    rounds(world, guard, LISTED_S)
    assert [one.state for one in intents(guard, "algo")] == []
    assert guard.facts().positions.get(SWAP) is None or guard.facts().positions[SWAP].high == 0


@EXCHANGES
def test_a_stop_that_triggers_is_taken_in(start: Start, exchange: str) -> None:
    """What a stop executed is told by the order that it placed: it is looked up, and the position is known as flat."""
    world, guard, client = begin(start, exchange=exchange)
    client.create_order(SWAP, "market", "buy", 0.1)
    client.create_order(SWAP, "market", "sell", 0.1, None, STOP)
    rounds(world, guard, LISTED_S)
    (waiting,) = intents(guard, "algo")
    assert (waiting.state, waiting.filled) == ("acknowledged", 0)
    world.sim.pin("BTC/USDT", 54_000)
    rounds(world, guard)
    assert world.sim.held(SWAP) == 0
    assert intents(guard, "algo") == []
    told = [
        row.body for row in guard.store.rows(0, 1_000) if row.kind == "outcome" and row.body["intent"] == waiting.id
    ]
    assert (told[-1]["state"], Decimal(told[-1]["filled"])) == ("settled", TENTH)
    rounds(world, guard)
    assert guard.facts().positions[SWAP].low == 0


def test_a_sale_that_would_flip(start: Start) -> None:
    """PITFALLS 3: the position that it makes is judged: a flip is an increase; marked, the sale ends at flat."""
    world, guard, client = begin(start, text=policy(position="6500 USDT"))
    client.create_order(SWAP, "market", "buy", 0.1)
    rounds(world, guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "sell", 0.21)
    assert (code(denied), world.sim.held(SWAP)) == ("RISK_POSITION", TENTH)
    client.create_order(SWAP, "limit", "sell", 0.04, 61_000)
    with pytest.raises(Denied) as denied:  # what rests may fill first: the rest of it would be a short of the whole
        client.create_order(SWAP, "limit", "sell", 0.18, 61_000)
    assert code(denied) == "RISK_POSITION"
    client.create_order(SWAP, "market", "sell", 0.21, None, {"reduceOnly": True})
    assert world.sim.held(SWAP) == 0


def test_bare_a_sale_does_flip(start: Start) -> None:
    """Control: nothing at the exchange keeps an unmarked sale from a short."""
    world = contracts(start)
    client = world.sim.client()
    client.create_order(SWAP, "market", "buy", 0.1)
    client.create_order(SWAP, "market", "sell", 0.21)
    assert world.sim.held(SWAP) == Decimal("-0.11")


def test_legs_of_hedge_mode(start: Start) -> None:
    """Each leg is a position of its own with its own cap; closing one passes in a halt, opening the other does not."""
    world = contracts(start, text=policy(mode="hedge", position="7000 USDT"))
    world.sim.client().set_position_mode(True)
    guard = world.guard()
    client = world.protected(guard)
    long, short = {"positionSide": "LONG"}, {"positionSide": "SHORT"}
    client.create_order(SWAP, "market", "buy", 0.1, None, long)
    client.create_order(SWAP, "market", "sell", 0.1, None, short)
    rounds(world, guard)
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "buy", 0.1, None, long)
    assert code(denied) == "RISK_POSITION"
    guard.halt(f"account:{guard.account}", "HALTED", "desk", "drill")
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "market", "sell", 0.01, None, short)
    assert code(denied) == "TRADING_HALTED"
    client.create_order(SWAP, "market", "sell", 0.1, None, long)
    client.create_order(SWAP, "market", "buy", 0.1, None, {"hedged": True, "reduceOnly": True})
    assert (world.sim.held(SWAP, "LONG"), world.sim.held(SWAP, "SHORT")) == (0, 0)


@pytest.mark.parametrize(
    ("terms", "kind"),
    [
        ((SWAP, "stop_market", "sell", None, None, {"stopPrice": 55_000, "closePosition": True}), "STOP_MARKET"),
        ((SWAP, "market", "sell", 0.1, None, {"trailingPercent": 1, "reduceOnly": True}), "TRAILING_STOP_MARKET"),
        ((SWAP, "market", "sell", 0.1, None, {"takeProfitPrice": 65_000, "reduceOnly": True}), "TAKE_PROFIT_MARKET"),
        ((SWAP, "limit", "sell", 0.1, 54_000, {"stopLossPrice": 55_000, "reduceOnly": True}), "STOP"),
    ],
)
def test_exits_that_wait_pass_in_a_halt(start: Start, terms: tuple[Any, ...], kind: str) -> None:
    """A halt that blocked a stop would be a fault; and what is taken in is the order that the bot meant."""
    world, guard, client = begin(start)
    client.create_order(SWAP, "market", "buy", 0.1)
    guard.halt(f"account:{guard.account}", "HALTED", "desk", "drill")
    client.create_order(*terms)
    assert placed(world)[-1][:2] == ("sell", kind)
    with pytest.raises(Denied) as denied:
        client.create_order(*ENTRIES["algo"])
    assert code(denied) == "TRADING_HALTED"
    world.sim.pin("BTC/USDT", {"TAKE_PROFIT_MARKET": 66_000}.get(kind, 54_500))
    world.clock.advance(3)
    assert world.sim.held(SWAP) == 0


@EXCHANGES
@pytest.mark.parametrize("family", ["order", "algo"])
def test_a_time_out_that_executed_is_found_in_its_family(start: Start, exchange: str, family: str) -> None:
    """Story 1 on contracts: the answer is lost, the order is looked up where it is, nothing is sent again."""
    terms = ENTRIES[family]
    world, guard, client = begin(start, {"at": "order", "do": "lost_reply", "when": [1]}, exchange=exchange)
    order = client.create_order(*terms)
    assert order["status"] == ("closed" if family == "order" else "open")
    assert [side for side, _, _ in placed(world)] == ["buy"]
    assert [kind for kind in kinds(guard) if kind != "lookup"][:2] == ["decision allow", "unknown"]
    client.create_order(SWAP, "limit", "buy", 0.01, 59_000)


@EXCHANGES
def test_one_that_never_arrived_is_sent_again_behind_the_fence(start: Start, exchange: str) -> None:
    """I1: the matching engine refuses it from its validity on: missing behind the fence it is absent, and sent anew."""
    text = policy(exchange).replace("max_age: 10s", "max_age: 5m")
    world, guard, client = begin(start, {"at": "order", "do": "drop", "when": [1]}, exchange=exchange, text=text)
    began = world.clock.now_ms()
    order = client.create_order(*ENTRIES["order"])
    assert (order["status"], order["filled"]) == ("closed", 0.1)
    assert placed(world) == [("buy", "MARKET", TENTH)]
    assert (
        world.sim.truth.executed[0].time_ms - began > 16_500
    )  # 5 s valid, 1 s of processing, 10 s of lag, clocks 0.5 s apart
    told = [kind for kind in kinds(guard) if kind != "lookup"]
    assert told == ["decision allow", "unknown", "absent", "decision allow", "settled"]


@EXCHANGES
def test_one_that_is_late_is_refused_by_the_matching_engine(start: Start, exchange: str) -> None:
    """It was let in at the last moment and waits for the engine until after the fence: that refuses it (-5028)."""
    late = {"at": "order", "do": "late", "when": [1], "wire": 4.9, "processing": 10.0}
    text = policy(exchange).replace("max_age: 10s", "max_age: 5m")
    world, _, client = begin(start, late, exchange=exchange, text=text)
    order = client.create_order(*ENTRIES["order"])
    assert (order["status"], placed(world)) == ("closed", [("buy", "MARKET", TENTH)])
    assert world.sim.truth.rejected[-5028] == 1
    assert world.sim.held(SWAP) == TENTH


@EXCHANGES
def test_an_algo_order_that_never_arrived_stays_unknown(start: Start, exchange: str) -> None:
    """I2: how late one may show is not documented, so there is no fence: nothing is re-sent, a person decides."""
    family = "algo"
    terms = ENTRIES[family]
    world, guard, client = begin(start, {"at": "order", "do": "drop", "when": [1]}, exchange=exchange)
    with pytest.raises(ClientOutcomeUnknown) as unknown:
        client.create_order(*terms)
    assert not isinstance(unknown.value, ccxt.NetworkError)
    assert placed(world) == []
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SWAP, "limit", "buy", 0.01, 59_000)
    assert code(denied) == "ORDER_OUTCOME_PENDING"
    client.create_order(SWAP, "limit", "sell", 0.01, 61_000)
    (left,) = [one for one in intents(guard, family) if one.state == "unknown"]
    assert guard.facts().positions[SWAP].open_buys == TENTH
    rounds(world, guard, 3_600.0)
    assert [one.id for one in intents(guard, family) if one.state == "unknown"] == [left.id]


@EXCHANGES
def test_a_halt_cancels_entries_of_both_families_and_keeps_stops(start: Start, exchange: str) -> None:
    """PITFALLS 19 and 24: what can only reduce stays at the exchange; an entry that waits in the algo service goes."""
    world, guard, client = begin(start, exchange=exchange)
    client.create_order(SWAP, "market", "buy", 0.1)
    client.create_order(SWAP, "market", "sell", 0.1, None, STOP)
    client.create_order(SWAP, "limit", "buy", 0.01, 59_000)
    client.create_order(*ENTRIES["algo"][:3], 0.02, None, {"stopPrice": 61_000})
    guard.halt(f"account:{guard.account}", "HALTED", "desk", "drill")
    rounds(world, guard)
    left = [(one.side, one.type, one.reduce_only) for one in world.sim.linear.book.orders]
    assert left == [("SELL", "STOP_MARKET", True)]
    rounds(world, guard, LISTED_S)
    assert guard.facts().positions[SWAP].open_buys == 0
