"""`edit_order` over real HTTP: what it holds, what it does, what it may not, and its three outcomes."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit import Denied, OutcomeUnknown
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.test_bybit import BYBIT, SPOT
from tests.guard.world import SYMBOL, World, policy_text

Start = Callable[..., World]
#: Each exchange's world, its market, and what one of its amends is.
PLACES = ("binance", "binanceusdm", "bybit")


class Desk:
    """One exchange, a guard, and stock ccxt behind it; 10 % of equity, or 15,000 USDT, is the cap of a position."""

    def __init__(self, start: Start, exchange: str, *faults: dict[str, Any], wait: str = "") -> None:
        self.exchange, self.config = exchange, SPOT if exchange == "bybit" else {}
        if exchange == "binanceusdm":
            text = policy(position="1000 USDT", more="  max_amends: {limit: 5, per: 1m}\n")
        else:
            text = BYBIT if exchange == "bybit" else policy_text()
        text = text.replace("expires_after: 30s", f"expires_after: 30s, wait: {wait}") if wait else text
        if exchange == "binanceusdm":
            self.world, self.symbol = contracts(start, *faults, text=text), SWAP
        else:
            money = {"USDT": 10_000}
            self.world, self.symbol = start(*faults, text=text, dialect=exchange, balances=money), SYMBOL
        self.guard = self.world.guard(ready=False)
        self.round()
        self.client = self.guard.protect(self.world.sim.client(**self.config))

    def round(self) -> None:
        """One round of maintenance."""
        self.guard.maintain(self.world.sim.client(**self.config))

    def buy(self, quantity: float = 0.01, price: float = 59_000) -> str:
        """Place a buy that rests, and return its id."""
        return str(self.client.create_order(self.symbol, "limit", "buy", quantity, price)["id"])

    def edit(self, ident: str, quantity: float | None, price: float | None = 59_000, **params: Any) -> Any:
        """Amend a buy."""
        return self.client.edit_order(ident, self.symbol, "limit", "buy", quantity, price, params)

    @property
    def open(self) -> list[tuple[Decimal, Decimal | None]]:
        """Return quantity and price of the orders that are really open."""
        if self.exchange == "binanceusdm":
            return [(o.quantity, o.price) for o in self.world.sim.linear.book.orders]
        return [(o.quantity, o.new.price) for o in self.world.sim.venue.orders.values() if o.is_open]

    @property
    def held(self) -> Decimal:
        """Return what open orders claim of the position."""
        facts = self.guard.store.facts(self.guard.account, self.guard.bot, self.symbol)
        found = facts.positions.get("BTC" if self.symbol == SYMBOL else SWAP)
        return Decimal(0) if found is None else found.open_buys

    def known(self) -> list[tuple[str, str, str]]:
        """Return action, state and quantity of every open intent."""
        return [(i.order.action, i.state, str(i.order.quantity)) for i in self.guard.store.intents()]


def code(denied: pytest.ExceptionInfo[Denied]) -> str:
    """Return the first reason of a denial."""
    return denied.value.decision.reasons[0].code


@pytest.mark.parametrize("exchange", PLACES)
def test_an_amend_is_decided_sent_and_kept(start: Start, exchange: str) -> None:
    """Less, more, another price: the exchange has it, and the position claims exactly what can still fill."""
    desk = Desk(start, exchange)
    ident = desk.buy()
    for quantity, price in ((0.005, 59_000), (0.012, 58_000), (0.012, 58_500)):
        made = desk.edit(ident, quantity, price)
        ident = str(made["id"])
        assert desk.open == [(Decimal(str(quantity)), Decimal(price))]
        assert desk.held == Decimal(str(quantity))
        assert [(state, size) for _, state, size in desk.known()] == [("acknowledged", str(quantity))]
    desk.client.cancel_order(ident, desk.symbol)
    desk.round()
    assert desk.held == 0
    assert desk.known() == []
    assert desk.buy(0.016)


@pytest.mark.parametrize("exchange", PLACES)
def test_an_amend_over_the_cap_is_denied_and_one_that_lessens_passes(start: Start, exchange: str) -> None:
    """It is judged as the order that it makes; nothing is sent, and the order stays what it is and held."""
    desk = Desk(start, exchange)
    ident = desk.buy()
    for quantity, price in ((0.018, 59_000), (0.016, 70_000)):
        with pytest.raises(Denied) as denied:
            desk.edit(ident, quantity, price)
        assert code(denied) in ("RISK_POSITION", "RISK_ORDER_NOTIONAL")
        assert isinstance(denied.value, ccxt.InvalidOrder)
    assert (desk.open, desk.held) == ([(Decimal("0.01"), Decimal(59_000))], Decimal("0.01"))
    assert desk.edit(ident, 0.016, 59_000)  # the larger of both is under the cap, though their sum is not
    assert desk.held == Decimal("0.016")


@pytest.mark.parametrize("exchange", PLACES)
def test_in_a_halt_only_what_lessens_passes(start: Start, exchange: str) -> None:
    """As a cancel does; another price may be a worse one, and is no exit."""
    desk = Desk(start, exchange)
    ident = desk.buy()
    desk.guard.halt("all", "HALTED", "test", "a drill")
    for quantity, price in ((0.011, 59_000), (0.01, 58_000), (0.005, 58_000)):
        with pytest.raises(Denied) as denied:
            desk.edit(ident, quantity, price)
        assert code(denied) == "TRADING_HALTED"
    assert desk.edit(ident, 0.004)
    assert (desk.open, desk.held) == ([(Decimal("0.004"), Decimal(59_000))], Decimal("0.004"))


@pytest.mark.parametrize("exchange", PLACES)
@pytest.mark.parametrize("do", ["lost_reply", "timeout", "unknown"])
def test_one_that_executed_without_an_answer_is_found(start: Start, exchange: str, do: str) -> None:
    """It is looked up before the bot hears of it, and is what the order is from then on."""
    desk = Desk(start, exchange, {"at": "order", "do": do, "when": [2]})
    ident = desk.buy()
    made = desk.edit(ident, 0.012, 58_000)
    assert (made["amount"], made["price"]) == (0.012, 58_000)
    assert desk.open == [(Decimal("0.012"), Decimal(58_000))]
    desk.round()
    assert desk.held == Decimal("0.012")
    assert [(state, size) for _, state, size in desk.known()] == [
        ("found" if exchange == "binance" else "acknowledged", "0.012")
    ]


@pytest.mark.parametrize("exchange", ["binance", "binanceusdm"])
def test_one_that_was_lost_is_absent_behind_the_fence(start: Start, exchange: str) -> None:
    """The order is what it was, the bot gets ccxt's error, and nothing more is held; it is not sent again."""
    desk = Desk(start, exchange, {"at": "order", "do": "drop", "when": [2]})
    ident = desk.buy()
    with pytest.raises(ccxt.NetworkError):
        desk.edit(ident, 0.014, 58_000)
    desk.round()
    assert (desk.open, desk.held) == ([(Decimal("0.01"), Decimal(59_000))], Decimal("0.01"))
    assert desk.known() == [("order.create", "acknowledged", "0.01")]
    states = [i.state for i in desk.guard.store.intents(open_only=False) if i.order.action == "order.amend"]
    assert states == ["absent"]


@pytest.mark.parametrize("exchange", ["binance", "binanceusdm"])
def test_while_nobody_knows_the_larger_one_is_held(start: Start, exchange: str) -> None:
    """The bot waits 2 s and is told; increases there are denied until a round behind the fence shows what it is."""
    desk = Desk(start, exchange, {"at": "order", "do": "drop", "when": [2]}, wait="2s")
    ident = desk.buy()
    with pytest.raises(OutcomeUnknown):
        desk.edit(ident, 0.014)
    held = desk.held
    assert held >= Decimal("0.014")
    with pytest.raises(Denied) as denied:
        desk.buy(0.001)
    assert "ORDER_OUTCOME_PENDING" in [reason.code for reason in denied.value.decision.reasons]
    desk.round()
    assert desk.known() == [("order.create", "acknowledged", "0.01"), ("order.amend", "unknown", "0.014")]
    assert desk.held == held
    desk.world.clock.advance(60)
    desk.round()
    assert desk.known() == [("order.create", "acknowledged", "0.01")]
    assert desk.held == Decimal("0.01")


def test_an_amend_in_place_of_a_partly_filled_order_claims_the_rest(start: Start) -> None:
    """USD-M: 0.004 of 0.01 filled; amended to 0.012, 0.008 can still fill; below what filled, the order ends."""
    desk = Desk(start, "binanceusdm", {"at": "order", "do": "partial", "when": [1], "share": 0.4})
    desk.world.sim.pin(SYMBOL, 60_000)
    made = desk.client.create_order(SWAP, "limit", "buy", 0.01, 60_100)
    desk.world.sim.pin(SYMBOL, 61_000)
    desk.round()
    filled = desk.guard.store.intents()[0].filled
    assert filled == Decimal("0.004")
    desk.edit(str(made["id"]), 0.012, 60_100)
    assert desk.held == Decimal("0.012") - filled


def test_spot_puts_no_whole_order_in_the_place_of_a_part(start: Start) -> None:
    """The exchange replaces only an order of which nothing filled, and so does policykit, which says so."""
    desk = Desk(start, "binance", {"at": "order", "do": "partial", "when": [1], "share": 0.4})
    made = desk.client.create_order(SYMBOL, "limit", "buy", 0.01, 60_100)
    with pytest.raises(Denied, match=r"0\.004[0]* of the order filled already"):
        desk.edit(str(made["id"]), 0.012, 60_000)


def test_a_fill_that_nobody_heard_of_keeps_spot_from_replacing(start: Start) -> None:
    """-2022: nothing was cancelled, no new order was attempted; the amend holds nothing, and the fill is looked up."""
    desk = Desk(start, "binance")
    ident = desk.buy()
    desk.world.sim.pin(SYMBOL, 58_000)
    desk.world.clock.advance(1)
    with pytest.raises(ccxt.ExchangeError):
        desk.edit(ident, 0.012)
    assert len(desk.world.sent) == 1
    desk.world.sim.pin(SYMBOL, 60_000)
    desk.round()
    assert desk.known() == []
    assert desk.guard.facts().positions["BTC"].high >= Decimal("0.01")
    assert desk.held == 0


def test_a_replacement_that_only_cancelled_is_told(start: Start) -> None:
    """-2021: the old order is gone, the new one was refused (a maker order that would take); nothing is held."""
    desk = Desk(start, "binance")
    made = desk.client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000, {"postOnly": True})
    with pytest.raises(ccxt.ExchangeError):
        desk.edit(str(made["id"]), 0.01, 60_500)
    assert desk.open == []
    desk.round()
    assert (desk.known(), desk.held) == ([], Decimal(0))


def test_an_amend_of_an_order_that_is_over_changes_nothing(start: Start) -> None:
    """USD-M: it filled meanwhile; the exchange knows no such open order, and the fill counts."""
    desk = Desk(start, "binanceusdm")
    ident = desk.buy()
    desk.world.sim.pin(SYMBOL, 58_000)
    desk.world.clock.advance(1)
    with pytest.raises(ccxt.ExchangeError):
        desk.edit(ident, 0.012)
    desk.round()
    assert (desk.known(), desk.held) == ([], Decimal(0))


@pytest.mark.parametrize("exchange", PLACES)
def test_what_an_amend_may_not_be(start: Start, exchange: str) -> None:
    """An order of somebody else, another side or type, params that would change more; nothing of it is sent."""
    desk = Desk(start, exchange)
    ident = desk.buy()
    client, symbol = desk.client, desk.symbol
    for call in (
        lambda: desk.edit("999", 0.01),
        lambda: client.edit_order(ident, symbol, "limit", "sell", 0.01, 59_000),
        lambda: client.edit_order(ident, symbol, "market", "buy", 0.01),
        lambda: desk.edit(ident, 0.01, reduceOnly=True),
        lambda: desk.edit(ident, 0.01, timeInForce="IOC"),
        lambda: desk.edit(ident, 0.01, cancelReplaceMode="ALLOW_FAILURE"),
    ):
        with pytest.raises(Denied) as denied:
            call()
        assert code(denied) in ("ORDER_DIFFERS", "RAW_CALL_REFUSED")
    assert desk.open == [(Decimal("0.01"), Decimal(59_000))]


def test_amends_are_counted(start: Start) -> None:
    """`risk.max_amends`: the sixth in a minute that can increase is denied; one that lessens is not."""
    desk = Desk(start, "binanceusdm")
    ident = desk.buy()
    for price in range(58_001, 58_006):
        desk.edit(ident, 0.01, price)
    with pytest.raises(Denied) as denied:
        desk.edit(ident, 0.01, 58_006)
    assert code(denied) == "RATE_AMENDS"
    assert desk.edit(ident, 0.009, 58_005)


@pytest.mark.parametrize("exchange", PLACES)
async def test_the_async_client_does_the_same(start: Start, exchange: str) -> None:
    """One that passes, one over the cap, and one that executed without an answer."""
    desk = Desk(start, exchange, {"at": "order", "do": "timeout", "when": [3]})
    async with desk.world.sim.client(async_=True, **desk.config) as bare:
        client = desk.guard.protect(bare)
        made = await client.create_order(desk.symbol, "limit", "buy", 0.01, 59_000)
        made = await client.edit_order(made["id"], desk.symbol, "limit", "buy", 0.012, 59_000)
        with pytest.raises(Denied):
            await client.editOrder(made["id"], desk.symbol, "limit", "buy", 0.02, 59_000)
        await client.edit_order(made["id"], desk.symbol, "limit", "buy", 0.014, 58_000)
    desk.round()
    assert (desk.open, desk.held) == ([(Decimal("0.014"), Decimal(58_000))], Decimal("0.014"))
