"""What a bot and a guard read of a paper account, and what they do to it beside orders: as of a real one."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit import Order
from policykit.exchanges.base import run
from policykit.guard.halt import cancel_entries
from policykit.guard.kill import kill
from policykit.guard.paper import LEASE_MS, SLOTS
from policykit.guard.private import Private
from policykit.store import open_store
from tests.guard.paper_world import paper, paper_text
from tests.guard.test_paper_contracts import SWAP, TEXT
from tests.guard.world import SYMBOL, World, policy_text, world


def test_every_list_tells_of_the_paper_account(tmp_path: Path) -> None:
    """Open, closed, cancelled, trades; by symbol, since a moment, so many; by either id."""
    with paper(tmp_path) as w:
        client = w.protected()
        done = client.create_order(SYMBOL, "market", "buy", 0.1, None, {"clientOrderId": "mine-1"})
        w.clock.sleep(5)
        gone = client.create_order(SYMBOL, "limit", "buy", 0.1, 50_000)
        client.cancel_orders([gone["id"]], SYMBOL)
        rests = client.create_orders(
            [{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": 50_000, "params": {}}]
        )[0]

        def ids(name: str, *arguments: Any) -> list[str]:
            return [one["id"] for one in getattr(client, name)(*arguments)]

        assert ids("fetch_orders", SYMBOL) == [done["id"], gone["id"], rests["id"]]
        assert ids("fetch_orders", SYMBOL, w.clock.now_ms() - 1000, 1) == [rests["id"]]
        assert ids("fetchOpenOrders") == [rests["id"]]
        assert ids("fetch_closed_orders", SYMBOL) == [done["id"]]
        assert ids("fetch_canceled_orders", SYMBOL) == [gone["id"]]
        assert ids("fetch_canceled_and_closed_orders", SYMBOL) == [done["id"], gone["id"]]
        assert ids("fetch_my_trades", SYMBOL, None, 5) == ids("fetch_order_trades", done["id"], SYMBOL)
        assert client.fetch_order(None, SYMBOL, {"clientOrderId": "mine-1"})["id"] == done["id"]
        assert client.fetch_open_order(rests["id"], SYMBOL)["status"] == "open"
        with pytest.raises(ccxt.OrderNotFound):
            client.fetch_order("paper-9", SYMBOL)
        with pytest.raises(ccxt.NotSupported, match="not simulated"):
            client.withdraw("USDT", 1, "a")


def test_an_order_in_quote_quantity_buys_what_the_book_gives_for_it(tmp_path: Path) -> None:
    """In whole steps, rounded down."""
    with paper(tmp_path) as w:
        order = w.protected().create_order(SYMBOL, "market", "buy", None, None, {"cost": 1_000})
        assert order["filled"] == 0.01666
        assert order["cost"] <= 1_000


def test_an_async_client_trades_on_paper(tmp_path: Path) -> None:
    """Placed, read, cancelled; and no private stream of the real account is taken for it."""

    async def trade(w: World) -> Any:
        guard = w.guard()
        client = guard.protect(w.sim.client(async_=True))
        try:
            order = await client.create_order(SYMBOL, "limit", "buy", 0.1, 59_000)
            await client.edit_order(order["id"], SYMBOL, "limit", "buy", 0.1, 59_100)
            seen = await client.fetch_order(order["id"], SYMBOL)
            await client.cancel_all_orders()
            assert await client.fetch_open_orders() == []
            assert (await guard.place(Order(SYMBOL, "buy", "market", Decimal("0.1")), client))["status"] == "closed"
            with pytest.raises(ValueError, match="tells of the real account"):
                isinstance(guard.private_stream(client), Private)
            return seen["price"]
        finally:
            await client.close()

    with paper(tmp_path) as w:
        assert asyncio.run(trade(w)) == 59_100.0
        assert w.sent == []


def test_a_kill_cancels_the_entries_of_the_paper_account(tmp_path: Path) -> None:
    """Listed, cancelled and listed again; an exit stays."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        client.create_order(SYMBOL, "market", "buy", 0.1)
        w.clock.sleep(6)
        guard.maintain()
        client.create_order(SYMBOL, "limit", "buy", 0.1, 50_000)
        exit_ = client.create_order(SYMBOL, "limit", "sell", 0.05, 70_000)
        report = cancel_entries(guard, client, "all")
        assert (len(report.cancelled), len(report.kept), report.failed) == (1, 1, [])
        assert [one["id"] for one in client.fetch_open_orders()] == [exit_["id"]]
        [state] = run(guard.adapter, client, guard.adapter.open_orders(), guard.clock)
        assert run(guard.adapter, client, guard.adapter.cancel(state), guard.clock)
        assert not run(guard.adapter, client, guard.adapter.cancel(state), guard.clock)
        assert run(guard.adapter, client, guard.adapter.client_order_id_of(SYMBOL, state.order_id), guard.clock)
        assert run(guard.adapter, client, guard.adapter.borrowed(), guard.clock) == {}


@pytest.mark.parametrize("scope", ["all", "account:binance/main", f"symbol:{SYMBOL}"])
def test_a_kill_does_not_take_paper_for_the_account_that_traded_before(scope: str, tmp_path: Path) -> None:
    """The file went to paper with a real entry in the book: nothing open on paper is no proof of an empty account."""
    with world(tmp_path) as w:
        w.protected().create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        w.policy.write_text(f"{policy_text()}stage: {{current: paper, paper_balances: 1000 USDT}}\n")
        store, said = open_store(w.store), {"by": "a", "why": "b", "freeze": False, "endpoint": w.sim.url}
        result = kill(store, w.clock, scope=scope, files=[str(w.policy)], **said)  # type: ignore[arg-type]
        assert result.not_reached.keys() == {"binance/main"}
        assert result.not_reached["binance/main"].startswith("1 of its orders may be open, and no policy at hand")
        assert not result.complete
        w.policy.write_text(policy_text())
        assert kill(store, w.clock, scope=scope, files=[str(w.policy)], **said).complete  # type: ignore[arg-type]
        assert not w.sim.client().fetch_open_orders(SYMBOL)


@pytest.mark.parametrize("text", [paper_text(), TEXT], ids=["spot", "contracts"])
def test_the_account_is_reconciled_as_a_real_one(tmp_path: Path, text: str) -> None:
    """Fills, fees and what was realised explain all that moved."""
    symbol, dialect = (SYMBOL, "binance") if text != TEXT else (SWAP, "binanceusdm")
    with paper(tmp_path, text + "reconciliation: {on_start: required, tolerance: 1 USDT}\n", dialect=dialect) as w:
        guard = w.guard()
        client = w.protected(guard)
        for side in ("buy", "sell"):
            client.create_order(symbol, "market", side, 0.1 if side == "buy" else 0.05)
            for _ in range(20):
                w.clock.sleep(5)
                guard.maintain()
        assert guard.facts().drift == ()
        assert guard.reconciled
        adapter = guard.adapter
        fills = run(adapter, client, adapter.fills((symbol,), 0), guard.clock)
        assert [fill.quantity for fill in fills] == [Decimal("0.1"), Decimal("-0.05")]
        incomes = run(adapter, client, adapter.incomes(0), guard.clock)
        assert [one.why for one in incomes] == ([] if symbol == SYMBOL else ["fee", "fee", "fill"])


def test_who_holds_the_book_is_waited_for_and_then_named(tmp_path: Path) -> None:
    """Another process that died in the middle keeps others out for its lease only, and nothing is booked meanwhile."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        guard.store.lease(f"paper|{guard.account}", "another", 60_000, w.clock.now_ms())
        with pytest.raises(ccxt.ExchangeNotAvailable, match="another process holds the paper book"):
            client.create_order(SYMBOL, "market", "buy", 0.1)
        w.clock.sleep(60)
        guard.maintain()
        assert client.create_order(SYMBOL, "market", "buy", 0.1)["status"] == "closed"
        assert LEASE_MS < 60_000


def test_a_market_that_cannot_be_read_takes_no_order(tmp_path: Path) -> None:
    """Nothing is booked, the order is known not to be there; a cancel passes all the same."""
    with paper(tmp_path) as w:
        guard = w.guard()
        client = w.protected(guard)
        rests = client.create_order(SYMBOL, "limit", "buy", 0.1, 50_000)

        def broken(*_: Any) -> Any:
            raise ccxt.NetworkError("no answer")

        type(client).fetch_order_book = broken
        with pytest.raises(ccxt.ExchangeNotAvailable, match="the market could not be read"):
            client.create_order(SYMBOL, "limit", "buy", 0.1, 50_000)
        with pytest.raises(ccxt.BaseError, match="the market could not be read"):
            client.edit_order(rests["id"], SYMBOL, "limit", "buy", 0.2, 50_000)
        assert client.cancel_order(rests["id"], SYMBOL)["status"] == "canceled"
        states = [intent.state for intent in guard.store.intents(guard.account, open_only=False)]
        assert states.count("rejected") >= 1


def test_nothing_to_begin_with_is_said(tmp_path: Path) -> None:
    """Neither the policy nor a key tells what the account has: increases are denied with that reason."""
    text = paper_text().replace(", paper_balances: 100000 USDT", "").replace('secret: "env://MM_EXEC", ', "")
    with paper(tmp_path, text) as w:
        guard = w.guard()
        assert guard.account_problem is not None
        assert "set stage.paper_balances" in guard.account_problem[1]


def test_more_orders_than_are_remembered(tmp_path: Path) -> None:
    """The oldest that is over makes room; one that is open stays, however long."""
    with paper(tmp_path) as w:
        guard = w.guard()
        assert guard.paper is not None
        client = w.protected(guard)
        old = client.create_order(SYMBOL, "limit", "buy", 0.1, 50_000)
        with guard.paper._change() as desk:
            desk.book.account.orders = SLOTS
            desk.write(None)
        assert client.create_order(SYMBOL, "market", "buy", 0.01)["id"] == f"paper-{SLOTS + 2}"
        assert [one["id"] for one in client.fetch_open_orders()] == [old["id"]]
