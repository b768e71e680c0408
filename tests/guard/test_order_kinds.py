"""What becomes of each kind of order that stock ccxt can ask for: sent, refused, and in a halt only exits."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import enforce
from policykit.order import Order
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.world import SYMBOL, World, policy_text

Call = Callable[[Any], Any]
D = Decimal
ENTRY = {"type": "limit", "side": "buy", "amount": 0.01, "price": 59_000}
RAW, OTHER, HALT = "RAW_CALL_REFUSED", "ORDER_DIFFERS", "TRADING_HALTED"
TEXT = policy_text(position="90000 USDT").replace(
    "order_types: [limit, market]", "order_types: [limit, market, stop_loss_limit, stop_loss, take_profit_limit]"
)


def order(*terms: Any, **params: Any) -> Call:
    """Return a call of create_order."""
    price = terms[4] if len(terms) > 4 else None
    return lambda client: client.create_order(*terms[:4], price, params)


#: Spot: what is asked, what the exchange executes, and in a halt; a text is the code of a denial.
SPOT: dict[str, tuple[Call, str, str]] = {
    "limit buy": (order(SYMBOL, "limit", "buy", 0.01, 59_000), "LIMIT buy 0.01", HALT),
    "limit sell": (order(SYMBOL, "limit", "sell", 0.01, 61_000), "LIMIT sell 0.01", "LIMIT sell 0.01"),
    "market buy": (order(SYMBOL, "market", "buy", 0.01), "MARKET buy 0.01", HALT),
    "market sell": (order(SYMBOL, "market", "sell", 0.01), "MARKET sell 0.01", "MARKET sell 0.01"),
    "buy for an amount of money": (
        lambda c: c.create_market_buy_order_with_cost(SYMBOL, 600), "MARKET buy 0.00999", HALT,
    ),
    "sell for an amount of money": (
        lambda c: c.create_market_sell_order_with_cost(SYMBOL, 600), "MARKET sell 0.01000", "MARKET sell 0.01000",
    ),
    "money over the cap": (
        order(SYMBOL, "market", "buy", 0.001, quoteOrderQty=2_000), "RISK_ORDER_NOTIONAL", HALT,
    ),
    "cost over the cap": (order(SYMBOL, "market", "buy", 0.001, cost=2_000), "RISK_ORDER_NOTIONAL", HALT),
    "stop to enter": (
        order(SYMBOL, "stop_loss_limit", "buy", 0.01, 60_400, stopPrice=60_300), "STOP_LOSS_LIMIT buy 0.01", HALT,
    ),
    "trigger that is worse than its limit": (
        order(SYMBOL, "stop_loss_limit", "buy", 0.024, 59_000, stopPrice=63_000), "RISK_ORDER_NOTIONAL", HALT,
    ),
    "limit that hides a trigger": (
        order(SYMBOL, "limit", "buy", 0.01, 61_000, stopPrice=60_500), "RISK_ORDER_TYPE", HALT,
    ),
    "stop to leave": (
        order(SYMBOL, "limit", "sell", 0.01, 58_000, stopPrice=58_500),
        "STOP_LOSS_LIMIT sell 0.01", "STOP_LOSS_LIMIT sell 0.01",
    ),
    "stop at the market to leave": (
        order(SYMBOL, "market", "sell", 0.01, stopLossPrice=58_500), "STOP_LOSS sell 0.01", "STOP_LOSS sell 0.01",
    ),
    "target to leave": (
        order(SYMBOL, "limit", "sell", 0.01, 62_500, takeProfitPrice=62_000),
        "TAKE_PROFIT_LIMIT sell 0.01", "TAKE_PROFIT_LIMIT sell 0.01",
    ),
    "trailing on spot": (
        order(SYMBOL, "stop_loss_limit", "sell", 0.01, 58_000, trailingDelta=100),
        "STOP_LOSS_LIMIT sell 0.01", "STOP_LOSS_LIMIT sell 0.01",
    ),
    "stop attached": (order(SYMBOL, "limit", "buy", 0.01, 59_000, stopLoss={"triggerPrice": 58_000}), OTHER, HALT),
    "target attached": (order(SYMBOL, "limit", "buy", 0.01, 59_000, takeProfit={"triggerPrice": 62_000}), OTHER, HALT),
    "OCO": (lambda c: c.private_post_orderlist_oco({"symbol": "BTCUSDT"}), RAW, RAW),
    "OTO": (lambda c: c.private_post_orderlist_oto({"symbol": "BTCUSDT"}), RAW, RAW),
    "OTOCO": (lambda c: c.private_post_orderlist_otoco({"symbol": "BTCUSDT"}), RAW, RAW),
    "moved": (lambda c: c.edit_limit_order("999", SYMBOL, "buy", 0.01, 59_000), RAW, RAW),
    "amended": (lambda c: c.edit_order("999", SYMBOL, "limit", "buy", 0.02, 59_000), RAW, RAW),
    "cancelled and replaced": (lambda c: c.private_post_order_cancelreplace({"symbol": "BTCUSDT"}), RAW, RAW),
    "reduceOnly on spot": (order(SYMBOL, "limit", "buy", 0.01, 59_000, reduceOnly=True), OTHER, HALT),
    "on margin": (order(SYMBOL, "limit", "sell", 0.01, 61_000, marginMode="cross"), OTHER, OTHER),
    "batch": (
        lambda c: c.create_orders([ENTRY | {"symbol": SYMBOL}]), "LIMIT buy 0.01", HALT,
    ),
}  # fmt: skip
#: USD-M, long 0.1: the rest of its kinds is in test_contracts.py.
PERP: dict[str, tuple[Call, str, str]] = {
    "entry": (order(SWAP, "limit", "buy", 0.01, 59_000), "LIMIT buy 0.01", HALT),
    "stop of the whole position": (
        order(SWAP, "market", "sell", 0.1, stopPrice=55_000, reduceOnly=True),
        "STOP_MARKET sell 0.1", "STOP_MARKET sell 0.1",
    ),
    "target of the whole position, beside the stop": (
        order(SWAP, "limit", "sell", 0.1, 65_000, reduceOnly=True), "LIMIT sell 0.1", "LIMIT sell 0.1",
    ),
    "stop attached": (order(SWAP, "limit", "buy", 0.01, 59_000, stopLoss={"triggerPrice": 58_000}), OTHER, HALT),
    "amended": (lambda c: c.edit_order("999", SWAP, "limit", "buy", 0.02, 59_000), RAW, RAW),
    "amended raw": (lambda c: c.fapiPrivatePutOrder({"symbol": "BTCUSDT"}), RAW, RAW),
    "batch raw": (lambda c: c.fapiPrivatePostBatchOrders({"batchOrders": "[]"}), RAW, RAW),
    "margin taken out": (lambda c: c.reduce_margin(SWAP, 1), RAW, RAW),
    "batch": (
        lambda c: c.create_orders([ENTRY | {"symbol": SWAP}]), "LIMIT buy 0.01", HALT,
    ),
}  # fmt: skip


def become(world: World, client: Any, asked: dict[str, tuple[Call, str, str]]) -> dict[str, str]:
    """Ask for every kind, one after another; return what the exchange took, or the code of the denial."""
    told = {}
    for name, (call, *_) in asked.items():
        before = len(world.sim.truth.executed)
        try:
            call(client)
        except Denied as denied:
            told[name] = denied.decision.reasons[0].code
        sent = [f"{one.type} {one.side} {one.quantity}" for one in world.sim.truth.executed[before:]]
        assert len(sent) == (name not in told), name
        told |= dict.fromkeys([name], *sent) if sent else {}
    return told


@pytest.mark.parametrize("halted", [False, True])
def test_kinds_on_spot(start: Callable[..., World], halted: bool) -> None:
    """Each kind of spot order meets its own answer; halted, what can only reduce leaves and nothing else does."""
    world = start(text=TEXT, balances={"USDT": D(88_000), "BTC": D("0.2")})
    guard = world.guard()
    if halted:
        guard.halt("all", "HALTED", "desk", "drill")
    expected = {name: (in_a_halt if halted else else_) for name, (_, else_, in_a_halt) in SPOT.items()}
    assert become(world, world.protected(guard), SPOT) == expected


@pytest.mark.parametrize("halted", [False, True])
def test_kinds_on_contracts(start: Callable[..., World], halted: bool) -> None:
    """The same on USD-M: a full-size stop and a full-size target stand beside each other, since both are marked."""
    world = contracts(start, text=policy(position="90000 USDT"))
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    world.clock.advance(7)
    guard.maintain()
    if halted:
        guard.halt("all", "HALTED", "desk", "drill")
    expected = {name: (in_a_halt if halted else else_) for name, (_, else_, in_a_halt) in PERP.items()}
    assert become(world, client, PERP) == expected


def meant(side: Any, quantity: str, price: int, was: str | None = None) -> Order:
    """Return an amend of an order of another quantity; `was` None: nobody knows of which."""
    old = None if was is None else Order(SYMBOL, side, "limit", D(was), D(59_000))
    return Order(SYMBOL, side, "limit", D(quantity), D(price), action="order.amend", amends=old)


def test_an_amend_that_can_increase_is_refused(start: Callable[..., World]) -> None:
    """Under @enforce too: nobody would keep what it adds; one that only lessens, or is a sale, passes in a halt."""
    world = start()
    guard = world.guard()
    ran: list[Order] = []

    @enforce("order.amend", guard=guard, order=lambda wish: wish)
    def amend(wish: Order) -> None:
        ran.append(wish)

    grows, moves, strange = (
        meant("buy", "0.02", 59_000, "0.01"), meant("buy", "0.01", 58_000, "0.01"), meant("buy", "0.01", 59_000),
    )  # fmt: skip
    passes = [meant("buy", "0.005", 59_000, "0.01"), meant("sell", "0.02", 62_000, "0.01")]
    for wish in (grows, moves, strange):
        with pytest.raises(Denied, match="an amend that can increase is tracked only through edit_order"):
            amend(wish)
    for wish in passes:
        amend(wish)
    guard.halt("all", "HALTED", "desk", "drill")
    with pytest.raises(Denied, match="trading is halted by desk"):
        amend(grows)
    for wish in passes:
        amend(wish)
    assert ran == passes * 2
