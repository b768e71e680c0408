"""Batches: admitted all or none, each on top of those before it; exits first; what is unknown stops entries only."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import Guard, enforce
from policykit.guard.batch import MAX_ORDERS
from policykit.guard.client_errors import ClientOutcomeUnknown
from tests.guard.world import SYMBOL, World, kinds, policy_text

D = Decimal
HELD = {"USDT": D(94_000), "BTC": D("0.1")}


def wish(side: str, amount: float = 0.01, price: float | None = 59_000, **more: Any) -> dict[str, Any]:
    """Return one order as ccxt's create_orders takes it."""
    return {"symbol": SYMBOL, "type": "limit", "side": side, "amount": amount, "price": price} | more


BUY, SELL = wish("buy"), wish("sell", price=61_000)


def statuses(orders: list[Any]) -> list[Any]:
    """Return the status of each order."""
    return [order["status"] for order in orders]


def free(guard: Guard) -> bool:
    """Tell whether nothing is reserved and nothing is out."""
    return guard.store.intents() == [] and guard.facts().positions["BTC"].open_buys == 0


def test_a_batch_is_admitted_on_top_of_itself(start: Callable[..., World]) -> None:
    """Seven orders fit one by one and not together: the seventh is named, none is sent, nothing stays reserved."""
    world = start(text=policy_text(position="10000 USDT"))
    guard = world.guard()
    client = world.protected(guard)
    seven = [wish("buy", 0.025)] * 7
    with pytest.raises(Denied) as denied:
        client.create_orders(seven)
    assert [reason.code for reason in denied.value.decision.reasons] == ["RISK_POSITION"]
    assert str(denied.value).startswith("order 7 of 7, of which none was sent: ")
    assert isinstance(denied.value, ccxt.InvalidOrder)
    assert world.sent == []
    assert free(guard)
    assert kinds(guard)[-6:] == ["not_sent"] * 6
    assert statuses(client.create_orders(seven[:6])) == ["open"] * 6
    assert world.sent == [("buy", D("0.025"))] * 6
    assert guard.facts().positions["BTC"].open_buys == D("0.15")


def test_bare_one_by_one_the_sum_is_what_stops(start: Callable[..., World]) -> None:
    """Control: the same seven one by one leave six at the exchange, which all or none exists to avoid."""
    world = start(text=policy_text(position="10000 USDT"))
    client = world.protected()
    with pytest.raises(Denied):
        [client.create_order(SYMBOL, "limit", "buy", 0.025, 59_000) for _ in range(7)]
    assert len(world.sent) == 6


@pytest.mark.parametrize("asynchronous", [False, True])
def test_exits_go_first_and_answers_stand_as_asked(start: Callable[..., World], asynchronous: bool) -> None:
    """A sell between two buys is sent before them; what comes back is in the order of the call."""
    world = start(balances=HELD)
    guard = world.guard()
    asked = [wish("buy", 0.001), wish("sell", 0.002, 61_000), wish("buy", 0.003)]

    async def place() -> Any:
        async with world.sim.client(async_=True) as client:
            return await guard.protect(client).create_orders(asked)

    told = asyncio.run(place()) if asynchronous else world.protected(guard).create_orders(asked)
    assert [(order["side"], order["amount"]) for order in told] == [("buy", 0.001), ("sell", 0.002), ("buy", 0.003)]
    assert world.sent == [("sell", D("0.002")), ("buy", D("0.001")), ("buy", D("0.003"))]
    assert len({order["clientOrderId"] for order in told}) == 3


def test_what_the_exchange_refuses_stops_nothing(start: Callable[..., World]) -> None:
    """A post-only order that would cross comes back rejected with the exchange's words; its neighbours stand."""
    world = start()
    guard = world.guard()
    crossing = wish("buy", 0.01, 60_500, params={"postOnly": True})
    told = world.protected(guard).create_orders([BUY, crossing, BUY])
    assert statuses(told) == ["open", "rejected", "open"]
    assert "immediately match" in told[1]["info"]["error"]
    assert len(guard.store.intents()) == 2


def test_where_no_order_came_of_any_the_error_is_raised(start: Callable[..., World]) -> None:
    """A bot that only looks for exceptions learns that nothing was placed."""
    world = start()
    guard = world.guard()
    crossing = wish("buy", 0.01, 60_500, params={"postOnly": True})
    with pytest.raises(ccxt.OrderImmediatelyFillable):
        world.protected(guard).create_orders([crossing, crossing])
    assert free(guard)


def test_after_an_unknown_one_no_entry_follows_and_exits_do(start: Callable[..., World]) -> None:
    """The second order's reply is lost: the exit behind it is sent, the entries are not, and it is found."""
    world = start({"at": "order", "do": "lost_reply", "when": [2]}, balances=HELD)
    guard = world.guard()
    asked = [wish("buy", 0.001), wish("sell", 0.002, 61_000), wish("sell", 0.003, 62_000), wish("buy", 0.004)]
    told = world.protected(guard).create_orders(asked)
    assert world.sent == [("sell", D("0.002")), ("sell", D("0.003"))]
    assert statuses(told) == ["rejected", "open", "open", "rejected"]
    assert "no known outcome" in told[3]["info"]["error"]
    assert guard.facts().positions["BTC"].open_buys == 0
    order = ["not_sent", "not_sent", "found"]
    assert [kind for kind in kinds(guard) if kind in order] == order


def test_exits_do_not_wait_for_look_ups(start: Callable[..., World]) -> None:
    """An exit that cannot be seen for 8 s keeps no other exit waiting: both reach the exchange in the same second."""
    faults = ({"at": "order", "do": do, "when": [1], "seconds": 8} for do in ("lost_reply", "lag"))
    world = start(*faults, balances=HELD)
    told = world.protected().create_orders([wish("sell", 0.001, 61_000), wish("sell", 0.002, 61_000)])
    assert statuses(told) == ["open", "open"]
    first, second = (order.time_ms for order in world.sim.truth.executed)
    assert second - first < 1_000


def test_one_that_stays_unknown_is_raised_with_what_became_of_the_others(start: Callable[..., World]) -> None:
    """Nobody can say what became of the first: the error names it and carries the others; its reservation stays."""
    faults = ({"at": "order", "do": "lost_reply", "when": [2]}, {"at": "lookup", "do": "unknown", "ratio": 1})
    world = start(*faults, balances=HELD)
    guard = world.guard()
    with pytest.raises(OutcomeUnknown) as unknown:
        world.protected(guard).create_orders([wish("sell", 0.001, 61_000), wish("buy", 0.002), wish("buy", 0.003)])
    assert isinstance(unknown.value, ClientOutcomeUnknown)
    assert not isinstance(unknown.value, ccxt.NetworkError)
    assert statuses(unknown.value.orders) == ["open", None, "rejected"]
    assert str(unknown.value).startswith("in a batch of 3: order ")
    (lost,) = (intent for intent in guard.store.intents() if intent.state == "unknown")
    assert lost.id == unknown.value.intent
    assert guard.facts().positions["BTC"].open_buys == D("0.002")


def test_one_that_never_arrived_is_sent_again_after_the_others(start: Callable[..., World]) -> None:
    """The first exit is dropped on its way: the second does not wait; the first is proved absent and sent once more."""
    world = start({"at": "order", "do": "drop", "when": [1]}, balances=HELD)
    guard = world.guard()
    told = world.protected(guard).create_orders([wish("sell", 0.001, 61_000), wish("sell", 0.002, 61_000)])
    assert statuses(told) == ["open", "open"]
    assert world.sent == [("sell", D("0.002")), ("sell", D("0.001"))]


@pytest.mark.parametrize("halts", [True, False])
def test_entries_behind_a_halt_or_a_slow_exchange_are_kept_back(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch, halts: bool
) -> None:
    """After the first the account is halted, or its facts grow old: the entry is withdrawn, the exit passes."""
    world = start(balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real = guard.settle

    def settle(*args: Any) -> None:
        real(*args)
        if len(world.sent) == 1 and guard.now() < began + 1_000:
            if halts:
                guard.halt("all", "HALTED", "desk", "drill")
            world.clock.advance(2 if halts else 11)

    monkeypatch.setattr(guard, "settle", settle)
    began = guard.now()
    told = client.create_orders([BUY, wish("sell", 0.002, 61_000), wish("sell", 0.003, 61_000)])
    assert statuses(told) == ["rejected", "open", "open"]
    assert "the order does not pass any more; decide again" in told[0]["info"]["error"]
    assert [side for side, _ in world.sent] == ["sell", "sell"]


def test_an_interrupted_batch_gives_back_what_was_not_sent(start: Callable[..., World]) -> None:
    """Ctrl-C while the first is on the wire: it is unknown and kept, the others hold nothing."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    real = client.policykit_gate.replied

    def replied(*_: Any) -> Any:
        client.policykit_gate.replied = real
        raise KeyboardInterrupt

    client.policykit_gate.replied = replied
    with pytest.raises(KeyboardInterrupt):
        client.create_orders([BUY, wish("buy", 0.02)])
    assert [intent.order.quantity for intent in guard.store.intents()] == [D("0.01")]
    assert guard.facts().positions["BTC"].open_buys == D("0.01")
    guard.maintain()
    assert [intent.state for intent in guard.store.intents()] == ["found"]


def test_an_interrupt_while_it_is_decided_on_leaves_nothing(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between two decisions: what the first reserved is given back, and nothing was sent."""
    world = start()
    guard = world.guard()
    real = guard.decide

    def decide(*args: Any, **more: Any) -> Any:
        if guard.store.intents():
            raise KeyboardInterrupt
        return real(*args, **more)

    client = world.protected(guard)
    monkeypatch.setattr(guard, "decide", decide)
    with pytest.raises(KeyboardInterrupt):
        client.create_orders([BUY, BUY])
    assert world.sent == []
    assert free(guard)


def test_a_step_that_breaks_never_says_rejected(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """The order is out and its settling fails in a way that nobody foresaw: it is unknown, not a rejection."""
    world = start({"at": "order", "do": "lost_reply", "when": [1]})
    guard = world.guard()

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("conclude")

    client = world.protected(guard)
    monkeypatch.setattr(guard, "looked", broken)
    monkeypatch.setattr(guard.adapter, "find_order", broken)
    with pytest.raises(OutcomeUnknown, match="its outcome is unknown: 'conclude'"):
        client.create_orders([BUY, BUY])
    assert world.sent == [("buy", D("0.01"))]


def test_an_answer_that_ccxt_cannot_read_never_says_rejected(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exchange took the order and ccxt breaks on its answer: the order stands, and nobody is told otherwise."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()

    def broken(*_: Any, **__: Any) -> Any:
        raise KeyError("status")

    monkeypatch.setattr(type(client), "parse_order", broken)
    with pytest.raises(OutcomeUnknown, match=r"is at the exchange \(1\): KeyError inside the client") as unknown:
        client.create_orders([BUY])
    assert statuses(unknown.value.orders) == [None]  # type: ignore[attr-defined]
    with pytest.raises(OutcomeUnknown, match=r"is at the exchange \(2\): KeyError inside the client"):
        client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)  # alone the same
    assert [intent.state for intent in guard.store.intents()] == ["acknowledged"] * 2
    assert world.sent == [("buy", D("0.01"))] * 2


def test_what_is_no_batch_is_refused(start: Callable[..., World]) -> None:
    """Too many, a malformed member, and a batch inside @enforce, which admitted one order; an empty one is empty."""
    world = start(text=policy_text(open=MAX_ORDERS + 1))
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Denied, match="101 orders are in the batch; at most 100 may be"):
        client.create_orders([wish("buy", 0.0001)] * (MAX_ORDERS + 1))
    with pytest.raises(Denied, match=r"^order 2 of 2, of which none was sent: .*malformed order"):
        client.create_orders([BUY, {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1}])
    with pytest.raises(Denied, match="symbol is not written as ccxt writes a market"):
        client.create_orders([{"type": "limit", "side": "buy", "amount": 1, "price": 1}])
    assert client.create_orders([]) == []
    assert free(guard)

    @enforce("order.create", guard=guard)
    def both(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.createOrders([BUY, BUY])

    with pytest.raises(Denied, match="create_orders: @enforce admitted one order; call create_order for it"):
        both(SYMBOL, "buy", 0.01, 59_000)
    assert world.sent == []


def test_shadow_decides_on_each_and_lets_the_client_have_its_way(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In shadow mode each member is recorded as it would be decided, and ccxt's own batch is called once."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(ccxt.NotSupported):
        client.create_orders([BUY, wish("buy", 1)])
    with pytest.raises(ccxt.NotSupported):
        client.create_orders([BUY] * (MAX_ORDERS + 1))
    decided = [r.body["decision"]["outcome"] for r in guard.store.rows(0, 1_000) if r.kind == "decision"]
    assert decided[:3] == ["allow", "deny", "deny"]
    assert guard.store.intents() == []
