"""What an account has is held against what it should have, and each difference is explained: over HTTP, stock ccxt."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.store.codec import accepted
from policykit.telemetry import names
from tests.guard.world import PRICE, SYMBOL, World, policy_text

SECTION = "reconciliation: {on_start: required, orders_every: 30s, positions_every: 30s, tolerance: 5 USDT"
#: Until everything is compared again, and longer than anything takes to show at the exchange, seconds.
DUE_S = 31
BUY = (SYMBOL, "limit", "buy", 0.001, 50_000)


def text(on_breach: str = "reduce_only", more: str = "", **changes: object) -> str:
    """Return a policy that reconciles."""
    return policy_text(**changes) + f"{SECTION}, on_breach: {on_breach}{more}}}\n"


def compared(w: World, guard: Guard, client: Any, rounds: int = 2) -> list[tuple[str, str, str]]:
    """Let maintenance run until everything is compared anew; return kind, key and why of the last differences."""
    for _ in range(rounds):
        w.clock.advance(DUE_S)
        guard.maintain(client)
    kept = guard.store.reconciled(guard.account)
    explained = [(kind, key, why) for kind, key, _, _, why, _ in kept["lines"]]
    return sorted(explained + [(kind, key, "unknown") for kind, key, *_ in kept["drift"]])


def codes(client: Any) -> list[str]:
    """Return the codes for which an increase is denied."""
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    return [reason.code for reason in denied.value.decision.reasons]


def test_an_account_that_agrees_trades(start: Callable[..., World]) -> None:
    """An account that agrees is ready in the first round, and stays so; without a first comparison it waits."""
    w = start(text=text())
    guard = w.guard(ready=False)
    client = w.protected(guard)
    guard.maintain(w.sim.client())
    assert guard.facts().recovered
    assert client.create_order(*BUY)["id"]
    assert compared(w, guard, w.sim.client()) == []


def test_a_fee_in_base_coin_is_a_fee(start: Callable[..., World]) -> None:
    """The bot holds less than it bought: the exchange took its fee in coin."""
    w = start(text=text(order="9000 USDT", position="20000 USDT"))
    guard = w.guard()
    client = w.protected(guard)
    compared(w, guard, w.sim.client())
    client.create_order(SYMBOL, "market", "buy", 0.1)
    seen = set()
    for _ in range(3):
        seen |= set(compared(w, guard, w.sim.client(), 1))
    assert seen == {("balance", "BTC", "fee")}
    held = {k: tuple(map(Decimal, v)) for k, v in guard.store.reconciled(guard.account)["bounds"].items()}
    assert held["BTC"] == (Decimal("0.0999"), Decimal("0.0999"))


def test_an_order_by_hand_is_named_and_denies(start: Callable[..., World]) -> None:
    """A position that was moved by hand denies increases with the order that did it; exits pass."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    client = w.protected(guard)
    compared(w, guard, own)
    hand = w.sim.client()
    hand.create_order(SYMBOL, "market", "buy", 0.01, params={"newClientOrderId": "web_by_hand"})
    assert compared(w, guard, own) == [("balance", "BTC", "unknown"), ("balance", "USDT", "unknown")]
    assert codes(client) == ["RECONCILE_DRIFT", "RECONCILE_DRIFT"]
    drift = {one.key: one for one in guard.facts().drift}
    assert drift["BTC"].quantity == Decimal("0.00999")
    assert drift["BTC"].worth == Decimal("0.00999") * PRICE
    assert "(web_by_hand) bought 0.01 BTC/USDT" in drift["BTC"].note
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["id"]


def test_an_order_by_hand_that_rests_is_listed_and_counts(start: Callable[..., World]) -> None:
    """It is named with side, size and id, counts among open orders and in the position, and goes."""
    w = start(text=text(order="9000 USDT", position="20000 USDT", open=2))
    guard, own, hand = w.guard(), w.sim.client(), w.sim.client()
    client = w.protected(guard)
    compared(w, guard, own, 1)
    placed = hand.create_order(SYMBOL, "limit", "buy", 0.2, 50_000, {"newClientOrderId": "web_7"})
    assert compared(w, guard, own, 1) == [("order", placed["id"], "unknown")]
    (drift,) = guard.facts().drift
    assert (drift.quantity, drift.worth) == (Decimal("0.2"), Decimal("0.2") * PRICE)
    assert drift.note == "buy 0.2 BTC/USDT at 50000 (web_7), of nobody here"
    assert guard.facts().positions["BTC"].open_buys == Decimal("0.2")
    assert guard.facts().foreign_orders == 1
    assert codes(client) == ["RECONCILE_DRIFT"]
    hand.cancel_order(placed["id"], SYMBOL)
    assert compared(w, guard, own, 1) == []
    assert guard.facts().positions["BTC"].open_buys == 0
    assert client.create_order(*BUY)["id"]


def test_whom_the_policy_names_is_explained(start: Callable[..., World]) -> None:
    """An order of one that `others` names is no unexplained difference, nor is what it filled; another id is one."""
    named = ", others: [{name: rebalancer, client_order_ids: 'reb_*', symbols: ['BTC/USDT'], why: weekly}]"
    w = start(text=text(more=named))
    guard, own, hand = w.guard(), w.sim.client(), w.sim.client()
    compared(w, guard, own, 1)
    hand.create_order(SYMBOL, "market", "buy", 0.01, params={"newClientOrderId": "reb_1"})
    resting = hand.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "reb_2"})
    assert compared(w, guard, own) == [
        ("balance", "BTC", "fee"),
        ("balance", "BTC", "others: rebalancer"),
        ("balance", "USDT", "others: rebalancer"),
        ("order", resting["id"], "others: rebalancer"),
    ]
    assert w.protected(guard).create_order(*BUY)["id"]
    hand.create_order(SYMBOL, "market", "buy", 0.01, params={"newClientOrderId": "hand_1"})
    assert ("balance", "BTC", "unknown") in compared(w, guard, own)


def test_a_sibling_bot_is_told_from_a_hand(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """What another bot of the store did is explained as its doing."""
    w = start(text=text(order="9000 USDT", position="20000 USDT"))
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    monkeypatch.setenv("POLICYKIT_BOT", "second")
    w.protected(w.guard(ready=False)).create_order(SYMBOL, "market", "buy", 0.1)
    assert compared(w, guard, own) == [
        ("balance", "BTC", "fee"),
        ("balance", "BTC", "sibling bot"),
        ("balance", "USDT", "sibling bot"),
    ]


def test_deposits_withdrawals_and_transfers_are_explained(start: Callable[..., World]) -> None:
    """By the exchange's own lists; a credit that no list has is unknown, and dust is dust."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    w.sim.deposit("USDT", 1_000)
    w.sim.withdraw("USDT", 50)
    w.sim.venue.balances["BTC"].free += Decimal("0.000001")
    assert compared(w, guard, own) == [
        ("balance", "BTC", "dust"),
        ("balance", "USDT", "deposit"),
        ("balance", "USDT", "withdrawal"),
    ]
    assert guard.facts().drift == ()
    w.sim.venue.balances["USDT"].free += 100
    assert ("balance", "USDT", "unknown") in compared(w, guard, own)


def test_accepted_by_name_it_is_as_it_should_be(start: Callable[..., World]) -> None:
    """Also over a restart: the difference stands until somebody accepts it; then increases pass again."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    w.sim.client().create_order(SYMBOL, "market", "buy", 0.01)
    resting = w.sim.client().create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
    compared(w, guard, own)
    again = w.guard()
    assert "RECONCILE_DRIFT" in codes(w.protected(again))
    w.clock.advance(1)
    now = w.clock.now_ms()
    again.store.reconcile(again.account, {**accepted(again.store.reconciled(again.account)), "accepted_ms": now}, now)
    assert w.protected(again).create_order(*BUY)["id"]
    assert compared(w, again, own) == [("order", resting["id"], "accepted")]


@pytest.mark.parametrize(
    ("word", "halted"), [("halt", "HALTED"), ("cancel_open", "HALTED"), ("deny", None), ("warn", None)]
)
def test_what_follows_is_the_policys_word(start: Callable[..., World], word: str, halted: str | None) -> None:
    """A halt comes at once, without an order; lifted by a person it takes the account as it is. To warn lets pass."""
    w = start(text=text(word))
    guard, own = w.guard(), w.sim.client()
    client = w.protected(guard)
    compared(w, guard, own, 1)
    w.sim.client().create_order(SYMBOL, "market", "buy", 0.01)
    compared(w, guard, own)
    halts = guard.store.halts()
    assert [halt.state for halt in halts] == ([halted] if halted else [])
    if word == "warn":
        assert client.create_order(*BUY)["id"]
        return
    assert "RECONCILE_DRIFT" in codes(client)
    if halted:
        assert halts[0].by == "reconciliation.tolerance"
        w.clock.advance(1)
        guard.store.resume("all", "desk-head", "seen", w.clock.now_ms())
        assert client.create_order(*BUY)["id"]
        assert compared(w, guard, own) == []


def test_it_is_told_once(start: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    """One event a difference, not one a round; the gauges say how many there are, and how old the comparison is."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    w.sim.client().create_order(SYMBOL, "market", "buy", 0.01)
    compared(w, guard, own, 5)
    told = [r.getMessage() for r in caplog.records if getattr(r, "event_name", "") == names.E_DRIFT]
    assert len(told) == 2
    assert told[0].startswith("binance/main: balance BTC differs by 0.00999, and nothing explains it (order 1 ")
    where = {names.EXCHANGE: "binance", names.ACCOUNT: "main"}
    gauges = guard.telemetry.counters.series
    assert (2, where | {names.DRIFT_KIND: "balance"}) in gauges(names.M_DRIFT)
    assert (0.0, where) in gauges(names.M_RECONCILE_AGE)


def test_what_cannot_be_read_explains_nothing(start: Callable[..., World]) -> None:
    """Control: the same fee in coin, but the fills cannot be read: unknown, and it says why."""
    w = start(text=text(order="9000 USDT", position="20000 USDT"))
    guard, own = w.guard(), w.sim.client()
    client = w.protected(guard)
    compared(w, guard, own, 1)
    client.create_order(SYMBOL, "market", "buy", 0.1)
    w.sim.strike({"at": "lookup", "do": "unknown", "ratio": 1.0, "call": "GET /api/v3/myTrades"})
    assert compared(w, guard, own) == [("balance", "BTC", "unknown"), ("balance", "USDT", "unknown")]
    assert "fills of BTC/USDT could not be read" in guard.facts().drift[0].note


def test_a_spot_account_on_bybit(start: Callable[..., World]) -> None:
    """Its fills tell the client order id, its log what else moved; a hand is told from the bot there, too."""
    w = start(
        text=text(order="9000 USDT", position="20000 USDT")
        .replace("exchange: binance", "exchange: bybit")
        .replace("request-weight: {limit: 6000, per: 1m", "requests: {limit: 600, per: 5s"),
        dialect="bybit",
    )
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    w.protected(guard).create_order(SYMBOL, "market", "buy", 0.1, 60_000)
    w.sim.deposit("USDT", 500)
    assert compared(w, guard, own) == [("balance", "BTC", "fee"), ("balance", "USDT", "transfer")]
    w.sim.client().create_order(SYMBOL, "market", "sell", 0.05, 60_000, {"clientOrderId": "web-1"})
    assert compared(w, guard, own) == [("balance", "BTC", "unknown"), ("balance", "USDT", "unknown")]
    assert "(web-1) sold 0.05 BTC/USDT" in guard.facts().drift[0].note


def test_a_follower_compares_where_the_poller_does_not(start: Callable[..., World]) -> None:
    """The account's poller has a policy that does not ask for it: the guard whose policy does, compares by itself."""
    w = start(text=policy_text(name="other"))
    poller = w.guard()
    w.policy.write_text(text(), encoding="utf-8")
    guard = w.guard()
    assert guard.facts().recovered
    w.sim.client().create_order(SYMBOL, "market", "buy", 0.01)
    for _ in range(4):
        w.clock.advance(31)
        poller.maintain()
        guard.maintain()
    assert "RECONCILE_DRIFT" in codes(w.protected(guard))


def test_a_stream_that_was_blind_has_it_compared_anew(start: Callable[..., World]) -> None:
    """Increases wait until it was, due or not."""
    w = start(text=text())
    guard, own = w.guard(), w.sim.client()
    client = w.protected(guard)
    guard.reconcile()
    assert codes(client) == ["RECOVERY_PENDING"]
    w.clock.advance(1)
    guard.maintain(own)
    assert client.create_order(*BUY)["id"]


def test_a_sibling_of_the_poller_waits_for_its_next_comparison(start: Callable[..., World]) -> None:
    """What was compared before its stream was blind is no answer to it."""
    w = start(text=text())
    poller = w.guard()
    sibling = w.guard()
    client = w.protected(sibling)
    assert client.create_order(*BUY)["id"]
    w.clock.advance(1)
    sibling.reconcile()
    sibling.maintain()
    assert codes(client) == ["RECOVERY_PENDING"]
    w.clock.advance(61)
    poller.maintain()
    sibling.maintain()
    assert client.create_order(*BUY)["id"]
