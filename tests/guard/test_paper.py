"""Paper trading: the same decisions and rows, fills by what the market shows, and nothing like an order leaves."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit import Denied, Order, enforce
from policykit.guard.paper import KIND
from tests.guard.paper_world import paper, paper_text
from tests.guard.world import PRICE, SYMBOL, kinds

#: The sim's spread is 0.01 % on either side, its fee 0.1 %, and each level of its book, a cent apart, holds 1.5 BTC.
ASK, BID = Decimal(60006), Decimal(59994)


def test_a_market_order_pays_spread_and_fee_and_is_recorded_as_any_other(tmp_path: Path) -> None:
    """Decided, journaled, filled at the ask; the exchange has had no order, and the account is one of its own."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        order = client.create_order(SYMBOL, "market", "buy", 0.1)
        assert (order["status"], order["average"], order["filled"]) == ("closed", 60006.0, 0.1)
        assert order["fee"] == {"currency": "BTC", "cost": 0.0001}
        assert order["info"]["paper"] is True
        balance = client.fetch_balance()
        assert balance["total"] == {"USDT": 93_999.4, "BTC": 0.0999}
        assert guard.account == "binance/main@paper"
        assert kinds(guard)[-3:] == ["decision allow", "paper", "settled"]
        guard.maintain()
        assert guard.facts().equity is not None
        assert guard.facts().equity.value == Decimal("93999.4") + Decimal("0.0999") * PRICE
        assert w.sent == []


def test_a_large_order_walks_the_book_and_what_it_took_is_gone(tmp_path: Path) -> None:
    """1.6 BTC take the first level, of 1.5, and some of the next; the next buyer finds what is left."""
    with paper(tmp_path, paper_text(begins="200000 USDT", order="200000 USDT")) as w:
        client = w.protected()
        first = client.create_order(SYMBOL, "market", "buy", 1.6)
        prices = [(fill["price"], fill["quantity"]) for fill in first["info"]["fills"]]
        assert prices == [("60006", "1.5"), ("60006.01", "0.1")]
        second = client.create_order(SYMBOL, "market", "buy", 0.1)
        assert [(f["price"], f["quantity"]) for f in second["info"]["fills"]] == [("60006.01", "0.1")]


def test_what_the_visible_book_cannot_fill_expires(tmp_path: Path) -> None:
    """A market order larger than what stands there fills that, and no more; it is told so."""
    text = paper_text(begins="20000000 USDT", order="20000000 USDT")
    with paper(tmp_path, text) as w:
        order = w.protected().create_order(SYMBOL, "market", "buy", 160)
        assert (order["status"], order["filled"], order["remaining"]) == ("expired", 150.0, 10.0)


@pytest.mark.parametrize(
    ("mid", "filled"),
    [
        ("59500", 0.0),  # nobody came near it
        ("59000", 0.0),  # a trade at its price: it is last in the queue
        ("58999.9", 0.5),  # through it: all of it
    ],
)
def test_a_resting_order_fills_when_the_market_goes_through_it(tmp_path: Path, mid: str, filled: float) -> None:
    """At its price is not through it; and then it fills at its own price, as a maker."""
    with paper(tmp_path) as w:
        client = w.protected()
        order = client.create_order(SYMBOL, "limit", "buy", 0.5, 59_000)
        assert (order["status"], order["filled"]) == ("open", 0.0)
        assert client.fetch_balance()["USDT"] == {"free": 70_500.0, "used": 29_500.0, "total": 100_000.0}
        w.sim.pin(SYMBOL, Decimal(mid))
        w.clock.sleep(2)
        seen = client.fetch_order(order["id"], SYMBOL)
        assert seen["filled"] == filled
        assert [trade["price"] for trade in client.fetch_my_trades(SYMBOL)] == [59_000.0] * bool(filled)


def test_the_guard_learns_of_a_fill_as_of_a_real_one(tmp_path: Path) -> None:
    """A round of maintenance settles the intent, and the position is counted."""
    with paper(tmp_path) as w:
        guard = w.guard()
        w.protected(guard).create_order(SYMBOL, "limit", "buy", 0.5, 59_000)
        [intent] = guard.store.intents(guard.account)
        w.sim.pin(SYMBOL, Decimal(58_000))
        w.clock.sleep(5)
        guard.maintain()
        done = guard.store.intent(intent.id)
        assert done is not None
        assert (done.state, done.filled) == ("settled", Decimal("0.5"))
        assert guard.facts().positions["BTC"].low == Decimal("0.4995")


def test_a_restart_goes_on_where_it_was(tmp_path: Path) -> None:
    """Orders, balances and what was seen of the market lie in the store; another process has them at once."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        client.create_order(SYMBOL, "market", "buy", 0.1)
        rests = client.create_order(SYMBOL, "limit", "sell", 0.05, 61_000)
        guard.store.close()
        again = w.protected(w.guard())
        assert [order["id"] for order in again.fetch_open_orders(SYMBOL)] == [rests["id"]]
        assert again.fetch_balance()["BTC"] == {"free": 0.0499, "used": 0.05, "total": 0.0999}
        w.sim.pin(SYMBOL, Decimal(62_000))
        w.clock.sleep(2)
        assert again.fetch_order(rests["id"])["status"] == "closed"
        assert again.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)["id"] == "paper-3"


def test_it_refuses_what_the_exchange_would(tmp_path: Path) -> None:
    """Minimum sizes, money that is not there, a post-only order that takes: classes that bots catch, and rejects."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        for error, arguments in (
            (ccxt.InvalidOrder, ("limit", "buy", 0.00005, 60_000)),
            (ccxt.InvalidOrder, ("limit", "buy", 0.1, 60_100, {"postOnly": True})),
            (ccxt.InsufficientFunds, ("limit", "sell", 0.1, 61_000)),
            (ccxt.NotSupported, ("market", "buy", 0.1, None, {"stopLoss": {"triggerPrice": 50_000}})),
        ):
            with pytest.raises(error, match="paper: ") as raised:
                client.create_order(SYMBOL, *arguments)
            assert not isinstance(raised.value, Denied)
        assert [k for k in kinds(guard) if k not in ("paper", "decision allow")] == ["rejected"] * 4
        with pytest.raises(ccxt.OrderNotFound):
            client.cancel_order("paper-77", SYMBOL)
        assert guard.store.kept(guard.account, KIND).keys() == {"account"}


def test_cancels_amends_and_stops(tmp_path: Path) -> None:
    """An amend moves the order that is there; a stop waits for its price, and then pays the market's."""
    with paper(tmp_path) as w:
        client = w.protected()
        order = client.create_order(SYMBOL, "limit", "buy", 0.1, 59_000)
        moved = client.edit_order(order["id"], SYMBOL, "limit", "buy", 0.2, 59_500)
        assert (moved["id"], moved["amount"], moved["price"]) == (order["id"], 0.2, 59_500.0)
        assert client.cancel_order(order["id"], SYMBOL)["status"] == "canceled"
        client.create_order(SYMBOL, "limit", "buy", 0.1, 58_000)
        assert [one["status"] for one in client.cancel_all_orders(SYMBOL)] == ["canceled"]
        assert client.fetch_open_orders() == []
        client.create_order(SYMBOL, "market", "buy", 0.2)
        w.clock.sleep(6)
        client.policykit_gate.guard.maintain()
        stop = client.create_order(SYMBOL, "market", "sell", 0.1, None, {"triggerPrice": 58_000})
        assert stop["status"] == "open"
        w.sim.pin(SYMBOL, Decimal(57_000))
        w.clock.sleep(2)
        seen = client.fetch_order(stop["id"], SYMBOL)
        assert (seen["status"], seen["average"]) == ("closed", 56_994.3)


def test_a_function_under_enforce_is_not_called(tmp_path: Path) -> None:
    """Whatever client it has inside: the order is simulated, and comes back as ccxt writes one."""
    with paper(tmp_path) as w:
        guard, bare, called = w.guard(), w.sim.client(), []

        @enforce("order.create", guard=guard)
        def buy(symbol: str, side: str, amount: float) -> Any:
            called.append(symbol)
            return bare.create_order(symbol, "market", side, amount)

        @enforce("order.create", guard=guard)
        async def abuy(symbol: str, side: str, amount: float) -> Any:
            return buy(symbol, side, amount)

        @enforce("order.cancel", guard=guard)
        def cancel(symbol: str) -> Any:
            called.append(symbol)

        assert buy(SYMBOL, "buy", 0.1)["status"] == "closed"
        assert asyncio.run(abuy(SYMBOL, "buy", 0.1))["info"]["paper"] is True
        with pytest.raises(Denied, match="the stage is paper"):
            cancel(SYMBOL)
        assert guard.place(Order(SYMBOL, "sell", "market", Decimal("0.1")))["average"] == float(BID)
        assert (called, w.sent) == ([], [])
        told = [row.body["decision"]["outcome"] for row in guard.store.rows(0, 1000) if row.kind == "decision"]
        assert told == ["allow", "allow", "deny", "allow"]


def test_without_a_key_public_data_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy says what the account begins with, so nothing of the real one is asked."""
    text = paper_text()
    lines = [line for line in text.splitlines() if not line.startswith(("keys:", "  mm-exec"))]
    with paper(tmp_path, "\n".join(lines) + "\n") as w:
        guard = w.guard(ready=False)
        guard.maintain()
        assert guard.place(Order(SYMBOL, "buy", "market", Decimal("0.1")))["status"] == "closed"
        private = [route for route in w.sim.truth.by_route if "/sapi/" in route or "account" in route]
        assert private == []


def test_it_begins_with_what_the_real_account_has(tmp_path: Path) -> None:
    """Where the policy does not say; a key that reads is asked once."""
    with paper(tmp_path, paper_text().replace(", paper_balances: 100000 USDT", "")) as w:
        has = w.protected().fetch_balance()["total"]
        assert has == {asset: float(b.total) for asset, b in w.sim.venue.balances.items() if b.total}
        assert w.sim.truth.by_route["GET /api/v3/account"] == 1


def test_a_policy_that_goes_to_paper_while_a_bot_trades_for_real_stops_it(tmp_path: Path) -> None:
    """It is not simulated half-way: orders are denied until the bot is started anew, and exits too."""
    text = paper_text("full-live").replace("tracking", "execution").replace("[read]", "[read, trade.spot]")
    with paper(tmp_path, text) as w:
        guard = w.guard()
        client = w.protected(guard)
        client.create_order(SYMBOL, "limit", "buy", 0.1, 59_000)
        w.policy.write_text(text.replace("full-live", "paper"), encoding="utf-8")
        assert guard.reload().taken
        assert guard.account == "binance/main"
        with pytest.raises(Denied, match="began to trade for real"):
            client.create_order(SYMBOL, "limit", "buy", 0.1, 59_000)
        assert client.cancel_all_orders(SYMBOL)
        assert len(w.sent) == 1
        w.policy.write_text(text, encoding="utf-8")
        assert guard.reload(allow_loosen=True).taken
        assert w.guard().paper is None
