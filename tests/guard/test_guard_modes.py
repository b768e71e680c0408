"""A guard beside its decisions: gauges, settings, what is given by hand."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, StoreUnavailable
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Outcome
from policykit.store import open_journal
from policykit.telemetry import names
from policykit.telemetry.timeline import Story, find, render
from tests.guard.test_guard import BUY, HELD, ROOMY
from tests.guard.world import PRICE, SYMBOL, World, kinds, policy_text


def test_gauges_say_what_is_unknown_and_that_the_loop_lives(start: Callable[..., World]) -> None:
    """Orders of unknown outcome, heartbeat and clock offset are set in every round."""
    brief = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    world = start({"at": "order", "do": "late", "when": [1], "wire": 4.0}, text=brief)
    guard = world.guard()
    with pytest.raises(ccxt.BaseError):
        world.protected(guard).create_order(*BUY)
    guard.maintain()
    counters = guard.telemetry.counters
    labels = {names.EXCHANGE: "binance", names.ACCOUNT: "main"}
    assert (1, labels) in counters.series(names.M_UNKNOWN)
    assert (guard.now() / 1000, labels | {names.BOT: "mm"}) in counters.series(names.M_HEARTBEAT)
    assert (0.0, labels) in counters.series(names.M_SKEW)


def test_the_journal_shows_each_look_up_and_the_fence(start: Callable[..., World]) -> None:
    """`policykit journal show` draws what was looked up, what was seen, and when absence will be proved."""
    world = start(
        {"at": "order", "do": "lost_reply", "when": [1]}, {"at": "order", "do": "lag", "when": [1], "seconds": 3}
    )
    guard = world.guard()
    order = world.protected(guard).create_order(*BUY)
    with closing(open_journal(world.store)) as journal:
        story = find(journal, order["clientOrderId"])
    assert isinstance(story, Story)
    lines = [" ".join(line.split()) for line in render(story).splitlines()]
    assert "10:00:00.000 looked up not visible; fence at 10:00:17.500" in lines
    assert "10:00:02.000 looked up not visible; fence at 10:00:17.500" in lines
    assert any(line.startswith("10:00:04.000 looked up FOUND id 1") for line in lines)


def test_a_trip_links_to_the_decision_that_made_it(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kill switch event names the denied decision; `cancel_open` halts and the next round cancels entries."""
    world = start(balances=HELD, text=policy_text(position="200% of equity", breach="cancel_open"))
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    kept = client.create_order(SYMBOL, "limit", "sell", 0.001, 70_000)
    world.sim.pin(SYMBOL, PRICE - 3_100)
    world.clock.advance(3)
    guard.maintain()
    said: list[Any] = []
    monkeypatch.setattr(guard.telemetry, "kill_switch", lambda *a, **k: said.append((a[:2], k)))
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert said == [(("account:binance/main", "HALTED"), {"decision_id": denied.value.decision.id})]
    guard.maintain()
    assert [order["id"] for order in client.fetch_open_orders(SYMBOL)] == [kept["id"]]


@pytest.mark.parametrize(("scope", "left"), [
    ("symbol:ETH/USDT", ["BTC/USDT", "BTC/USDT"]), ("bot:other", ["BTC/USDT", "ETH/USDT"]), ("bot:nobody", None),
    ("exchange:kraken", None), ("exchange:binance", []), ("account:binance/other", None),
])  # fmt: skip
def test_each_live_guard_cancels_what_the_halt_s_scope_names(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch, scope: str, left: list[str] | None
) -> None:
    """A halt of a symbol, a bot, an exchange, an account: its entries go, others stay; again only for a newer halt."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*BUY)
    client.create_order("ETH/USDT", "limit", "buy", 0.1, 1_000)
    monkeypatch.setenv("POLICYKIT_BOT", "other")
    world.protected(world.guard()).create_order(SYMBOL, "limit", "buy", 0.01, 58_000)
    guard.store.halt(scope, "HALTED", "desk", "stop", guard.now())
    guard.maintain()
    symbols = [o["symbol"] for s in (SYMBOL, "ETH/USDT") for o in client.fetch_open_orders(s)]
    assert symbols == (["BTC/USDT", "BTC/USDT", "ETH/USDT"] if left is None else left)
    cancels = world.sim.truth.by_route["DELETE /api/v3/order"]
    guard.maintain()
    assert world.sim.truth.by_route["DELETE /api/v3/order"] == cancels == 3 - len(symbols)


def test_a_moving_state_is_assessed_again_and_then_refused(start: Callable[..., World]) -> None:
    """A reservation that is stale three times in a row is denied for an increase; exits try longer, cancels pass."""
    world = start(balances=HELD, text=ROOMY)
    guard = world.guard()
    client = world.protected(guard)
    kept = client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    real = guard.store
    calls = {"left": 0}

    class Stale:
        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

        def reserve(self, decision: Any, intent: Any, holds: Any, generation: int, now_ms: int) -> Any:
            calls["left"] -= 1
            return real.reserve(decision, intent, holds, generation - (calls["left"] >= 0), now_ms)

    guard.store = Stale()  # type: ignore[assignment]
    for stale, side, code in (
        (2, "buy", None),
        (3, "buy", "STATE_MOVING"),
        (20, "sell", None),
        (21, "sell", "STATE_MOVING"),
    ):
        calls["left"] = stale
        order = (SYMBOL, "limit", side, 0.001, 40_000 if side == "buy" else 70_000)
        if code is None:
            assert client.create_order(*order)["status"] == "open"
            continue
        with pytest.raises(Denied) as denied:
            client.create_order(*order)
        assert denied.value.decision.reasons[0].code == code
    calls["left"] = 1_000
    assert client.cancel_order(kept["id"], SYMBOL)["status"] == "canceled"


def test_an_exit_over_its_budget_is_denied_for_it(start: Callable[..., World]) -> None:
    """Not even the exits' reserve is left: the denial names the budget, after the store was asked for good."""
    world = start(balances=HELD, text=policy_text(weight=300, position="200% of equity"))
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    (hold,) = guard.engine.assess(guard.facts(), Order("", type="x", action="data.read"), guard.now()).holds
    guard.store.at_least(hold._replace(amount=240), guard.now())
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "sell", 0.001, 70_000)
    assert denied.value.decision.reasons[0].code == "RATE_BUDGET"


def test_observe_names_what_is_wrong(start: Callable[..., World]) -> None:
    """Facts given by hand are text with units; what is no number or another currency is a ValueError with its field."""
    guard = start().guard(ready=False)
    guard.observe(
        equity="100000 USDT", positions={SYMBOL: "0.5"}, marks={SYMBOL: "60000"}, net_transfers="0 USDT", skew_ms=4
    )
    facts = guard.facts()
    assert (facts.equity, facts.positions["BTC"].high) == ((Decimal(100_000), guard.now()), Decimal("0.5"))
    guard.observe(positions={"ETH/USDT": "2"}, partial=True)
    assert guard.facts().positions["BTC"].high == Decimal("0.5")
    for given, words in (
        ({"equity": "100000"}, 'equity is "100000"; an amount in the account\'s currency'),
        ({"equity": "1 EUR"}, "an amount in the account's currency"),
        ({"net_transfers": "x USDT"}, "net_transfers: "),
        ({"marks": {SYMBOL: "NaN"}}, "BTC/USDT: "),
    ):
        with pytest.raises(ValueError, match=words):
            guard.observe(**given)  # type: ignore[arg-type]
    assert guard.check(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(60_000))).outcome == "allow"
    assert guard.check(Order(SYMBOL, "buy", "limit", Decimal(1), Decimal(60_000))).outcome == "deny"
    assert guard.store.intents() == []


def test_a_policy_without_a_daily_limit_reads_no_transfers(start: Callable[..., World]) -> None:
    """Nothing is asked for that no check needs; without retry and clock sections the careful defaults hold."""
    text = "\n".join(
        line for line in policy_text().splitlines()
        if not line.startswith(("  daily_loss", "retry", "  orders:", "clock", "kill_switch"))
    )  # fmt: skip
    world = start({"at": "order", "do": "drop", "when": [1]}, text=text)
    guard = world.guard()
    assert world.sim.truth.by_route["GET /sapi/v1/capital/deposit/hisrec"] == 0
    assert (guard.plan.when_absent, guard.plan.attempts, guard.validity_ms, guard.clock_bound_ms) == (
        "hold",
        1,
        5_000,
        1_000,
    )
    with pytest.raises(ccxt.NetworkError):
        world.protected(guard).create_order(*BUY)
    assert kinds(guard)[-1] == "absent"


def test_a_re_send_is_a_fresh_decision(start: Callable[..., World]) -> None:
    """Proved absent, the wish is sent once more under a new decision and a new id; a state that moved denies it."""
    text = policy_text().replace("max_age: 10s", "max_age: 1m")
    world = start({"at": "order", "do": "drop", "when": [1, 2]}, text=text)
    guard = world.guard()
    client = world.protected(guard)
    with pytest.raises(ccxt.NetworkError):
        client.create_order(*BUY)
    assert kinds(guard).count("decision allow") == 2
    assert kinds(guard).count("absent") == 2
    assert world.sent == []
    guard.maintain()
    assert client.create_order(*BUY)["status"] == "open"


def test_renewing_and_settling_without_a_store_is_refused_or_written_down(start: Callable[..., World]) -> None:
    """A permit is not renewed by guesswork; without an intent there is nothing to renew or to settle."""
    world = start()
    guard = world.guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)), gated=False)
    cancel = guard.decide(Order("", action="order.cancel"))
    assert guard.renew(cancel)
    assert cancel.deadline_ms is None
    guard.settle(cancel, Outcome("not_sent", guard.now()))
    assert guard.gated(admitted)
    assert guard.gated(admitted)
    real, down = guard.store, StoreUnavailable("down")

    class Down:
        def __getattr__(self, name: str) -> Any:
            raise down

    guard.store = Down()  # type: ignore[assignment]
    assert not guard.renew(admitted)
    guard.halt_once("all", "HALTED", "desk", "stop")
    guard.banned(guard.now() + 1)
    guard.store = real
    assert guard.store.halts() == []
    guard.store.halt("all", "HALTED", "desk", "stop", guard.now())
    assert not guard.renew(admitted)
    intent = admitted.intent
    assert intent is not None
    assert guard.conclude(intent.__class__(**{n: getattr(intent, n) for n in intent.__slots__} | {"id": new_id()}),
                          Outcome("not_sent", guard.now(), closed=True)).state == "not_sent"  # fmt: skip
    guard.release(admitted)
    guard.release(None)


def test_an_exit_whose_permit_ran_out_is_renewed_by_the_store_or_not_at_all(start: Callable[..., World]) -> None:
    """It needs no fresh facts and passes a halt; with the store down, or an intent that is over, it is not renewed."""
    world = start(balances={"USDT": Decimal(94_000), "BTC": Decimal("0.1")})
    guard = world.guard()
    admitted = guard.decide(Order(SYMBOL, "sell", "limit", Decimal("0.01"), Decimal(61_000)))
    world.clock.advance(60)
    guard.halt("all", "HALTED", "desk", "stop")
    assert guard.renew(admitted)
    real = guard.store

    class Down:
        def __getattr__(self, name: str) -> Any:
            raise StoreUnavailable("down")

    guard.store = Down()  # type: ignore[assignment]
    assert not guard.renew(admitted)
    guard.store = real
    guard.settle(admitted, Outcome("not_sent", guard.now(), closed=True))
    assert not guard.renew(admitted)
    guard.release(admitted)
