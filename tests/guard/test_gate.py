"""The gate: what passes, what is refused, and what a refusal says."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import ccxt.pro
import pytest

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.guard.protect import protect
from policykit.order import Order
from tests.guard.world import SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)


def code(denied: pytest.ExceptionInfo[Denied]) -> str:
    """Return the first reason of a denial."""
    return denied.value.decision.reasons[0].code


def _member(amount: float) -> dict[str, Any]:
    return {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": amount, "price": 59_000}


RAW: list[tuple[str, Callable[[Any], Any], str]] = [
    ("order", lambda c: c.private_post_order({"symbol": "BTCUSDT"}), "RAW_CALL_REFUSED"),
    ("camel case", lambda c: c.privatePostOrder({"symbol": "BTCUSDT"}), "RAW_CALL_REFUSED"),
    ("request", lambda c: c.fetch(c.urls["api"]["private"] + "/order", "POST"), "RAW_CALL_REFUSED"),
    ("withdraw", lambda c: c.withdraw("USDT", 1, "0x0000000000000000000000000000000000000000"), "ACTION_REFUSED"),
    ("transfer", lambda c: c.transfer("USDT", 1, "spot", "funding"), "ACTION_REFUSED"),
    ("dust", lambda c: c.sapi_post_asset_dust({"asset": "BNB"}), "RAW_CALL_REFUSED"),
    ("margin", lambda c: c.sapi_post_margin_order({"symbol": "BTCUSDT"}), "RAW_CALL_REFUSED"),
    ("borrow", lambda c: c.sapi_post_margin_borrow_repay({"type": "BORROW"}), "RAW_CALL_REFUSED"),
    ("unknown path", lambda c: c.fetch(c.urls["api"]["private"] + "/%2e%2e/order", "POST"), "RAW_CALL_REFUSED"),
    ("edit", lambda c: c.edit_order("1", *BUY), "RAW_CALL_REFUSED"),
    ("edit, camel case", lambda c: c.editOrder("1", *BUY), "RAW_CALL_REFUSED"),
    ("batch", lambda c: c.create_orders([_member(0.01), _member(0.1)]), "RISK_ORDER_NOTIONAL"),
    ("batch, camel case", lambda c: c.createOrders([_member(0.1)]), "RISK_ORDER_NOTIONAL"),
    ("batch over a websocket", lambda c: c.create_orders_ws([_member(0.01)]), "RAW_CALL_REFUSED"),
    ("websocket", lambda c: c.create_order_ws(*BUY), "RAW_CALL_REFUSED"),
    ("quantity in params", lambda c: c.create_order(*BUY, {"quantity": "5"}), "ORDER_DIFFERS"),
    ("side in params", lambda c: c.create_order(*BUY, {"side": "SELL"}), "ORDER_DIFFERS"),
    ("symbol in params", lambda c: c.create_order(*BUY, {"symbol": "ETHUSDT"}), "ORDER_DIFFERS"),
    ("iceberg", lambda c: c.create_order(*BUY, {"newOrderRespType": "ACK", "icebergQty": "0.001"}), "ORDER_DIFFERS"),
    ("margin in params", lambda c: c.create_order(*BUY, {"marginMode": "cross"}), "ORDER_DIFFERS"),
    ("test order", lambda c: c.create_order(*BUY, {"test": True}), "ORDER_DIFFERS"),
    ("stop in params", lambda c: c.create_order(*BUY, {"stopLossPrice": 61_000}), "RISK_ORDER_TYPE"),
    ("recvWindow in params", lambda c: c.create_order(*BUY, {"recvWindow": 60_000}), "REQUEST_VALIDITY"),
    ("id twice", lambda c: [c.create_order(*BUY, {"clientOrderId": "a"}) for _ in BUY], "CLIENT_ORDER_ID_REUSED"),
]  # fmt: skip


@pytest.mark.parametrize(("way", "expected"), [(way, expected) for _, way, expected in RAW], ids=[r[0] for r in RAW])
def test_no_way_around(start: Callable[..., World], way: Callable[[Any], Any], expected: str) -> None:
    """Raw calls, amends, batches over a cap, websockets and params that change the order are refused; none is sent."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(Denied) as denied:
        way(client)
    assert code(denied) == expected
    assert isinstance(denied.value, ccxt.InvalidOrder)
    assert len(world.sent) == (expected == "CLIENT_ORDER_ID_REUSED")
    routes = {name for name in world.sim.truth.by_route if not name.startswith("GET")}
    assert routes <= {"POST /api/v3/order"}
    assert kinds(guard)[-1] in {"decision deny", "not_sent"}


def test_bare_params_do_send_another_order(start: Callable[..., World]) -> None:
    """Control: stock ccxt lets a param override the size, so the check at the gate is needed."""
    world = start()
    world.sim.client().create_order(*BUY, {"quantity": "1.5"})
    assert world.sent == [("buy", Decimal("1.5"))]


def test_a_refusal_says_what_to_do(start: Callable[..., World]) -> None:
    """The first line of each refusal names the call and the way that is open."""
    client = start().protected()
    said = {
        lambda: client.private_post_order({}): "use create_order or @enforce",
        lambda: client.edit_order("1", *BUY): "no open order 1 of this guard is known; cancel it and create a new one",
        lambda: client.edit_orders([]): "use edit_order",
        lambda: client.create_orders([_member(0.1)]): "order 1 of 1, of which none was sent",
        lambda: client.create_order(*BUY, {"recvWindow": 60_000}): "leave recvWindow to policykit",
    }
    for call, words in said.items():
        with pytest.raises(Denied) as denied:
            call()
        assert words in str(denied.value).splitlines()[0]


def test_a_refusal_at_the_gate_names_the_line_of_the_policy(start: Callable[..., World]) -> None:
    """A validity that is too long is held against `clock.request_validity`, in its file and line."""
    with pytest.raises(Denied) as denied:
        start().protected().create_order(*BUY, {"recvWindow": 60_000})
    assert str(denied.value.decision.reasons[0].place).endswith("/mm.yaml:9:44")
    assert "/mm.yaml:9:44\n" in str(denied.value)


def used_of(guard: Guard) -> int:
    """Return the weight that the store counts in the running minute."""
    asked = Order("", type="GET /api/v3/time", action="data.read")
    (hold,) = guard.engine.assess(guard.facts(), asked, guard.now()).holds
    return guard.store.use((hold._replace(limit=0),), guard.now()).used[0]


def test_reads_pass_and_spend_budget(start: Callable[..., World]) -> None:
    """Every read of a usual bot passes, and what it weighs is counted."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    counted, weight = used_of(guard), world.sim.truth.worst_minute()[1]
    assert client.fetch_ticker(SYMBOL)["symbol"] == SYMBOL
    assert client.fetch_balance()["USDT"]["free"] == 100_000
    assert client.fetch_open_orders(SYMBOL) == client.fetch_my_trades(SYMBOL) == client.fetch_orders(SYMBOL) == []
    assert used_of(guard) - counted == world.sim.truth.worst_minute()[1] - weight == 2 + 20 + 6 + 20 + 20


def test_orders_of_every_kind_pass(start: Callable[..., World]) -> None:
    """Limit, post-only, market by quantity and by cost, the camel-case names, and a bot's own fresh id."""
    world = start()
    client = world.protected()
    assert client.create_limit_buy_order(SYMBOL, 0.001, 59_000)["type"] == "limit"
    assert client.createOrder(*BUY)["amount"] == 0.01
    assert client.create_order(*BUY, {"postOnly": True})["postOnly"] is True
    assert client.create_market_buy_order(SYMBOL, 0.001)["filled"] == 0.001
    assert client.create_market_buy_order_with_cost(SYMBOL, 60)["status"] == "closed"
    assert client.create_order(*BUY, {"clientOrderId": "mine-1"})["clientOrderId"] == "mine-1"
    assert client.create_market_sell_order(SYMBOL, 0.001)["side"] == "sell"


def test_raw_cancels_pass_and_are_recorded(start: Callable[..., World]) -> None:
    """Cancels pass whatever way they take, one decision each; what they say of the order is taken in."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    made = [client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000 + n) for n in range(5)]
    client.cancel_order(made[0]["id"], SYMBOL)
    client.cancelOrder(made[1]["id"], SYMBOL)
    client.private_delete_order({"symbol": "BTCUSDT", "orderId": made[2]["id"]})
    client.cancel_all_orders(SYMBOL)
    assert guard.store.intents() == []
    rows = [row.body["decision"]["action"] for row in guard.store.rows(0, 10_000) if row.kind == "decision"]
    assert rows[5:] == ["order.cancel"] * 3 + ["orders.cancel_all"]
    with pytest.raises(ccxt.OrderNotFound):
        client.cancel_order(made[0]["id"], SYMBOL)


def test_a_cancel_inside_enforce_is_one_decision(start: Callable[..., World]) -> None:
    """@enforce around a protected client's cancel decides once; a cancel inside an enforced order passes as well."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    first = client.create_order(*BUY)

    @enforce("order.cancel", guard=guard)
    def cancel(symbol: str, ident: str) -> Any:
        return client.cancel_order(ident, symbol)

    @enforce("order.create", guard=guard)
    def replace(symbol: str, side: str, amount: float, price: float, old: str) -> Any:
        client.private_delete_order({"symbol": "BTCUSDT", "orderId": old})
        return client.create_order(symbol, "limit", side, amount, price)

    assert cancel(SYMBOL, first["id"])["status"] == "canceled"
    second = client.create_order(*BUY)
    assert replace(SYMBOL, "buy", 0.01, 58_000, second["id"])["price"] == 58_000
    assert kinds(guard) == [
        "decision allow", "acknowledged", "decision allow", "settled",
        "decision allow", "acknowledged", "decision allow", "decision allow", "settled", "renew", "acknowledged",
    ]  # fmt: skip


def test_a_request_signed_ahead_is_refused(start: Callable[..., World]) -> None:
    """A client whose clock runs ahead would let its request live longer than was journaled."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    client.options = dict(client.options) | {"timeDifference": client.options["timeDifference"] - 3_000}
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert code(denied) == "CLOCK_SKEW"
    assert kinds(guard) == ["decision allow", "not_sent"]
    assert guard.store.intents() == []


def test_a_withdrawn_order_keeps_its_one_decision(start: Callable[..., World]) -> None:
    """I17: what the gate takes back is the outcome of the same decision: one row, one id, and nothing is held."""
    world = start()
    guard = world.guard()
    with pytest.raises(Denied) as denied:
        world.protected(guard).create_order(*BUY, {"quantity": "5"})
    rows = [row for row in guard.store.rows(0, 10_000) if row.kind == "decision"]
    assert [row.body["decision"]["id"] for row in rows] == [denied.value.decision.id]
    assert guard.store.intent(denied.value.decision.id).error == "ORDER_DIFFERS"  # type: ignore[union-attr]
    assert guard.facts().positions["BTC"].open_buys == 0


class Broken:
    """An adapter of which one method fails in a way that nobody foresaw."""

    def __init__(self, real: Any, name: str) -> None:
        self._real = real
        self._name = name

    def __getattr__(self, name: str) -> Any:
        if name == self._name:
            raise KeyError("adapter")
        return getattr(self._real, name)


@pytest.mark.parametrize("name", ["call", "differs", "signed"])
def test_I12_a_gate_that_cannot_check_sends_nothing(start: Callable[..., World], name: str) -> None:
    """An adapter that fails at the gate denies with a code."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    client.policykit_gate.adapter = Broken(guard.adapter, name)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert code(denied) == ("RAW_CALL_REFUSED" if name == "call" else "CHECK_ERROR")
    assert world.sent == []
    assert guard.store.intents() == []


@pytest.mark.parametrize(("name", "faults"), [("order_state", ()), ("failure", ("lost_reply",)), ("usage", ())])
def test_I12_an_answer_that_cannot_be_read_proves_nothing(
    start: Callable[..., World], name: str, faults: tuple[str, ...]
) -> None:
    """An adapter that fails after the send leaves the outcome unknown; the order is looked up, and found once."""
    world = start(*({"at": "order", "do": fault, "when": [1]} for fault in faults))
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    client.policykit_gate.adapter = Broken(guard.adapter, name)
    assert client.create_order(*BUY)["status"] == "open"
    assert kinds(guard) == (
        ["decision allow", "acknowledged"] if name == "usage" else ["decision allow", "unknown", "found"]
    )
    assert len(world.sent) == 1


def test_an_html_answer_is_unknown_and_looked_up(start: Callable[..., World]) -> None:
    """A proxy's page in place of an answer, executed or not: never a second order, never a foreign exception."""
    for status, executed in ((200, True), (502, True), (502, False)):
        fault = {"at": "order", "do": "garbage", "when": [1], "status": status, "executed": executed}
        world = start(fault, text=policy_text(absent="hold"))
        client = world.protected()
        if executed:
            assert client.create_order(*BUY)["status"] == "open"
        else:
            with pytest.raises(ccxt.ExchangeNotAvailable):
                client.create_order(*BUY)
        assert len(world.sent) == executed


def test_wrong_secrets_and_no_exchange(start: Callable[..., World]) -> None:
    """A wrong secret is refused in ccxt's own class and holds nothing; an exchange that is gone too."""
    world = start()
    guard = world.guard()
    wrong = guard.protect(world.sim.client(secret="0" * 64))
    with pytest.raises(ccxt.AuthenticationError):
        wrong.create_order(*BUY)
    assert guard.store.intents() == []
    gone = world.sim.client()
    world.sim.close()
    with pytest.raises(ccxt.NetworkError):
        guard.protect(gone).create_order(*BUY)
    assert guard.store.intents() == []
    assert world.sent == []


def test_an_exchange_that_goes_away_leaves_the_order_unknown(start: Callable[..., World]) -> None:
    """Gone between load_markets and the send: the look-ups fail as well, so the outcome stays unknown and is listed."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    world.sim.close()
    with pytest.raises(ccxt.BaseError, match=r"its outcome is unknown: .* \(NOT_SETTLED_IN_TIME\)"):
        client.create_order(*BUY)
    (intent,) = guard.store.intents()
    assert (intent.state, intent.error) == ("unknown", "NOT_SETTLED_IN_TIME")


def test_what_cannot_be_protected_is_refused(start: Callable[..., World]) -> None:
    """A client of another exchange, or of another guard; protecting twice changes nothing."""
    world = start()
    guard, other = world.guard(), world.guard(store="memory:")
    client = world.protected(guard)
    assert isinstance(client, ccxt.binance)
    assert guard.protect(client) is client
    with pytest.raises(ValueError, match="another guard; make one client a guard"):
        protect(other, client)
    with pytest.raises(ValueError, match="the client is for kraken; the policy is for binance"):
        guard.protect(ccxt.kraken())
    assert type(guard.protect(ccxt.async_support.binance())).__name__ == "ProtectedBinance"


def test_a_second_send_of_one_decision_is_refused(start: Callable[..., World]) -> None:
    """Inside one enforced call the second order, raw or not, is refused: one decision is for one send."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def twice(symbol: str, side: str, amount: float, price: float) -> Any:
        client.create_order(symbol, "limit", side, amount, price)
        return client.create_order(symbol, "limit", side, amount, price)

    with pytest.raises(Denied, match="the order that @enforce admitted was sent already"):
        twice(SYMBOL, "buy", 0.01, 59_000)
    real = type(client).__mro__[3].create_order
    seen: list[str] = []

    def again(self: Any, *args: Any) -> Any:
        reply = real(self, *args)
        for call in (lambda: real(self, *args), lambda: self.private_post_order({})):
            with pytest.raises(Denied) as denied:
                call()
            seen.append(str(denied.value).splitlines()[0].rpartition("; ")[2])
        return reply

    type(client).__mro__[3].create_order = again
    try:
        assert client.create_order(*BUY)["status"] == "open"
    finally:
        type(client).__mro__[3].create_order = real
    assert seen == ["one decision is for one send"] * 2
    assert len(world.sent) == 2


def test_two_threads_share_a_client(start: Callable[..., World]) -> None:
    """Orders of two threads on one protected client take their own permits: every one is sent once."""
    world = start()
    client = world.protected()
    client.load_markets()
    made: list[Any] = []

    def trade(first: int) -> None:
        made.extend(client.create_order(SYMBOL, "limit", "buy", 0.0001, 50_000 + first + n) for n in range(8))

    threads = [threading.Thread(target=trade, args=(first,)) for first in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(order["price"] for order in made) == [50_000 + first + n for first in (0, 100) for n in range(8)]
    assert len({order["clientOrderId"] for order in made}) == len(world.sent) == 16


async def _fifty(world: World, guard: Guard, halt_after: int | None) -> tuple[list[Any], int]:
    async with world.sim.client(async_=True) as client:
        client.enableRateLimit = True
        client.rateLimit = 5
        client.init_throttler()
        guard.protect(client)
        await client.load_markets()
        orders = [client.create_order(SYMBOL, "limit", "buy", 0.0001, 50_000 + n) for n in range(50)]
        tasks = [asyncio.create_task(order) for order in orders]
        after = 0
        if halt_after is not None:
            while len(world.sim.truth.executed) < halt_after:  # noqa: ASYNC110 - the exchange has no event
                await asyncio.sleep(0.001)
            guard.store.halt("all", "HALTED", "desk", "stop", guard.now())
            await asyncio.sleep(0.5)
            after = len(world.sim.truth.executed)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        return results, len(world.sim.truth.executed) - after
