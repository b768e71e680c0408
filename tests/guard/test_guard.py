"""The life of a guard: rounds of maintenance, modes, several guards, what its journal and its gauges say."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.clock import SystemClock
from policykit.errors import Denied, SecretUnavailable, StoreUnavailable
from policykit.guard import enforce
from policykit.guard.living import lives
from policykit.guard.maintenance import equity_of
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Outcome
from policykit.orders.recovery import SILENT_MS
from policykit.store import GuardInfo
from policykit.telemetry import names
from policykit.telemetry.timeline import Story, find, render
from tests.guard.world import PRICE, SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
HELD = {"USDT": Decimal(40_000), "BTC": Decimal(1)}
ROOMY = policy_text(position="200% of equity")


def test_a_round_reads_what_an_increase_needs(start: Callable[..., World]) -> None:
    """Equity, positions, marks, the day's start and the clocks' offset, each with the time of its request."""
    world = start(balances=HELD)
    guard = world.guard()
    facts, now = guard.facts(), guard.now()
    assert facts.equity == (Decimal(100_000), now)
    assert facts.day_base == (Decimal(100_000), now - now % 86_400_000)
    assert facts.net_transfers == (Decimal(0), now)
    assert facts.marks[SYMBOL] == (PRICE, now)
    assert (facts.positions["BTC"].low, facts.positions["USDT"].high) == (1, 40_000)
    assert facts.skew_ms == 0
    assert guard.recovered


def test_an_asset_without_a_price_counts_nothing() -> None:
    """The safe side: what cannot be valued is no equity."""
    balances = {"USDT": Decimal(5), "BTC": Decimal(2), "DUST": Decimal(9)}
    assert equity_of(balances, {"BTC/USDT": Decimal(10)}, "USDT") == 25


@pytest.mark.parametrize("amount", [5_000, -5_000])
def test_a_transfer_is_neither_a_loss_nor_a_gain(start: Callable[..., World], amount: int) -> None:
    """A deposit or a withdrawal of 5 % trips nothing and hides nothing; 3 % really lost afterwards trips."""
    world = start(balances=HELD, text=ROOMY)
    guard = world.guard()
    client = world.protected(guard)
    (world.sim.deposit if amount > 0 else world.sim.withdraw)("USDT", abs(amount))
    for _ in range(4):
        world.clock.advance(3)
        guard.maintain()
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    facts = guard.facts()
    assert facts.net_transfers is not None
    assert facts.equity is not None
    assert (facts.net_transfers.value, facts.equity.value) == (amount, 100_000 + amount)
    assert guard.store.halts() == []
    world.sim.pin(SYMBOL, PRICE - 3_100)
    world.clock.advance(3)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert denied.value.decision.reasons[0].observed == "3100"


def test_a_deposit_before_the_first_round_of_the_day_is_no_loss(start: Callable[..., World]) -> None:
    """The base that is taken late in a day is without what was deposited since its start."""
    world = start(balances=HELD, text=ROOMY)
    world.sim.deposit("USDT", 10_000)
    world.clock.advance(60)
    guard = world.guard()
    facts = guard.facts()
    assert facts.day_base is not None
    assert (facts.day_base.value, facts.net_transfers) == (Decimal(100_000), (Decimal(10_000), guard.now()))
    world.protected(guard).create_order(SYMBOL, "limit", "buy", 0.001, 40_000)
    assert guard.store.halts() == []


def test_transfers_are_not_asked_for_in_every_round(start: Callable[..., World]) -> None:
    """They are dear: once a minute, unless equity jumped."""
    world = start(balances=HELD)
    guard = world.guard()

    def asked() -> int:
        return world.sim.truth.by_route["GET /sapi/v1/capital/deposit/hisrec"]

    before = asked()
    for _ in range(10):
        world.clock.advance(5)
        guard.maintain()
    assert asked() == before
    world.clock.advance(15)
    guard.maintain()
    assert asked() == before + 1
    world.sim.pin(SYMBOL, PRICE - 500)
    guard.maintain()
    assert asked() == before + 2


def test_what_left_the_book_is_looked_up(start: Callable[..., World]) -> None:
    """An order that filled or was cancelled by hand between two rounds is settled, and its hold given back."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    filled, cancelled = client.create_order(*BUY), client.create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
    open_still = client.create_order(SYMBOL, "limit", "buy", 0.01, 49_000)
    world.sim.pin(SYMBOL, 58_000)
    world.sim.client().cancel_order(cancelled["id"], SYMBOL)
    world.clock.advance(8)
    guard.maintain()
    assert [i.order_id for i in guard.store.intents()] == [open_still["id"]]
    done = {i.order_id: (i.state, i.filled) for i in guard.store.intents(open_only=False)}
    assert done[filled["id"]] == ("settled", Decimal("0.01"))
    assert done[cancelled["id"]] == ("settled", Decimal(0))


def test_one_poller_an_account(start: Callable[..., World]) -> None:
    """The second guard of an account reads its facts from the store, and takes over when the first falls silent."""
    world = start()
    first, second = world.guard(), world.guard()
    requests = sum(world.sim.truth.requests.values())
    second.maintain()
    assert sum(world.sim.truth.requests.values()) == requests
    assert second.facts().equity == first.facts().equity
    world.clock.advance(21)
    second.maintain()
    assert second.facts().equity.as_of_ms == second.now()  # type: ignore[union-attr]
    asked = sum(world.sim.truth.requests.values())
    first.maintain()
    assert sum(world.sim.truth.requests.values()) == asked


def test_a_guard_that_ends_lets_the_next_one_lead(start: Callable[..., World]) -> None:
    """`with guard:` on its own client; at its end the account's lease is free at once."""
    world = start()
    with world.guard(ready=False) as guard:
        assert guard.facts().equity is not None
    world.clock.advance(1)
    assert world.guard().facts().equity.as_of_ms == world.clock.now_ms()  # type: ignore[union-attr]


def test_with_guard_keeps_facts_fresh_on_the_machine_s_clock(start: Callable[..., World]) -> None:
    """A few rounds on a thread, at a third of max_age; the thread ends with the block."""
    world = start(clock=SystemClock(), text=policy_text().replace("max_age: 10s", "max_age: 300ms"))
    seen: set[int] = set()
    with world.guard(ready=False) as guard:
        client = guard.protect(world.sim.client())
        client.load_markets()
        while len(seen) < 4:
            seen.add(guard.facts().equity.as_of_ms)  # type: ignore[union-attr]
        thread = guard._maintenance._thread
        assert client.create_order(*BUY)["status"] == "open"
        guard._maintenance.start()
        assert guard._maintenance._thread is thread
    assert thread is not None
    assert not thread.is_alive()
    guard._maintenance.stop()


async def test_async_with_guard(start: Callable[..., World]) -> None:
    """The same from a coroutine: the loop is not held while the first round asks."""
    world = start(clock=SystemClock())
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    async with world.guard(ready=False) as guard, world.sim.client(async_=True) as client:
        guard.protect(client)
        assert (await client.create_order(*BUY))["status"] == "open"
    ticking.cancel()
    assert ticks > 10


def test_a_guard_without_its_secret_says_what_is_missing(start: Callable[..., World]) -> None:
    """The own client needs the policy's secret; without it the error names the variable, never a value."""
    world = start()
    guard = world.guard(ready=False)
    os.environ.pop("MM_EXEC_API_SECRET")
    with pytest.raises(SecretUnavailable, match="MM_EXEC_API_SECRET"):
        guard.own_client()


def test_shadow_lets_everything_through_and_records_what_it_would_deny(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """POLICYKIT_MODE=shadow: denied orders are sent and settled, hold nothing, and say mode=shadow; nothing trips."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start({"at": "order", "do": "lost_reply", "when": [3]})
    guard = world.guard(store="memory:")
    client = world.protected(guard)
    allowed = client.create_order(*BUY)
    denied = client.create_order(SYMBOL, "limit", "buy", 0.5, 59_000)
    with pytest.raises(ccxt.NetworkError):
        client.create_order(SYMBOL, "limit", "buy", 0.5, 58_000)
    client.cancel_order(denied["id"], SYMBOL)
    outcomes = [r.body["decision"] for r in guard.store.rows(0, 1_000) if r.kind == "decision"]
    assert [(d["outcome"], d["mode"]) for d in outcomes] == [
        ("allow", "shadow"), ("deny", "shadow"), ("deny", "shadow"), ("allow", "shadow"),
    ]  # fmt: skip
    states = {i.order_id: (i.state, i.holds) for i in guard.store.intents(open_only=False)}
    assert states[allowed["id"]][0] == "acknowledged"
    assert states[denied["id"]] == ("settled", ())
    assert guard.facts().positions["BTC"].open_buys == Decimal("0.01")
    assert next(i.state for i in guard.store.intents() if i.order_id is None) == "unknown"
    guard.maintain()
    assert [i.state for i in guard.store.intents()] == ["acknowledged", "found"]
    assert [quantity for _, quantity in world.sent] == [Decimal("0.01"), Decimal("0.5"), Decimal("0.5")]


def test_shadow_passes_every_way_around(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Raw calls, batches, params that differ, a second send, a reused id, a dead store: recorded, and sent."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    raw = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "quantity": "0.01",
        "price": "59000",
        "timeInForce": "GTC",
    }
    assert client.private_post_order(dict(raw))["status"] == "NEW"
    assert client.create_order(*BUY, {"quantity": "0.02"})["amount"] == 0.02
    with pytest.raises(ccxt.NotSupported):
        client.create_orders([{"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 1, "price": 1}])

    @enforce("order.create", guard=guard)
    def twice(symbol: str, side: str, amount: float, price: float) -> Any:
        client.create_order(symbol, "limit", side, amount, price)
        return client.create_order(symbol, "limit", side, amount * 2, price)

    assert twice(SYMBOL, "buy", 0.001, 59_000)["amount"] == 0.002
    for price in (58_000, 57_000):
        assert client.create_order(SYMBOL, "limit", "buy", 0.001, price, {"clientOrderId": f"own{price}"})["id"]
    guard.store.ban(guard.account, "ip", guard.now() + 60_000, guard.now())
    assert client.fetch_balance()["USDT"]["total"] > 0
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 56_000)["status"] == "open"
    denied = [r.body["decision"]["reasons"][0]["code"] for r in guard.store.rows(0, 1_000)
              if r.kind == "decision" and r.body["decision"]["outcome"] == "deny"]  # fmt: skip
    assert denied == ["RAW_CALL_REFUSED", "RAW_CALL_REFUSED", "ORDER_DIFFERS", "RATE_BANNED"]
    guard.store.close()
    sent = len(world.sent)
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 55_000)["status"] == "open"
    assert len(world.sent) == sent + 1


def test_shadow_sends_an_order_that_meets_a_used_id(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An id that belongs to another intent is denied; in shadow the order goes out, and no intent is kept of it."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    first = client.create_order(*BUY, {"clientOrderId": "mine"})
    client.cancel_order(first["id"], SYMBOL)
    assert client.create_order(*BUY, {"clientOrderId": "mine"})["clientOrderId"] == "mine"
    assert len(guard.store.intents(open_only=False)) == 1
    assert len(world.sent) == 2


def test_shadow_retries_of_ccxt_pass(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the client library does by itself it still does in shadow, and it is on record."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = start({"at": "order", "do": "drop", "when": [1]})
    guard = world.guard()
    client = world.protected(guard)
    client.options["maxRetriesOnFailure"] = 2
    assert client.create_order(*BUY)["status"] == "open"
    assert kinds(guard) == ["decision allow", "unknown", "decision deny"]


def test_two_accounts_in_one_process(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Two guards on one store, also under one bot name: each has its caps, and both are listed as living."""
    monkeypatch.setenv("POLICYKIT_BOT", "fleet")
    world = start(text=policy_text(position="600 USDT"))
    first = world.guard()
    world.policy = world.policy.with_name("hedge.yaml")
    world.policy.write_text(policy_text(name="hedge", account="hedge", position="600 USDT"))
    second = world.guard()
    for guard in (first, second):
        client = world.protected(guard)
        assert client.create_order(*BUY)["status"] == "open"
        with pytest.raises(Denied):
            client.create_order(*BUY)
    assert sorted(g.account for g in first.store.guards()) == ["binance/hedge", "binance/main"]


def test_which_processes_live() -> None:
    """By process id on this host, by heartbeat elsewhere; this one does not count, its id may be of a life before."""

    def info(host: str, pid: int, beat_ms: int = 0) -> GuardInfo:
        return GuardInfo("b", host, pid, "a", "p", "v", "f", "enforce", beat_ms)

    assert lives(info("here", os.getppid()), "here", 0)
    assert lives(info("here", 1), "here", 0)
    assert not lives(info("here", os.getpid()), "here", 0)
    assert not lives(info("here", 2**22 - 1), "here", 0)
    assert lives(info("there", 1, 1_000), "here", 1_000 + SILENT_MS - 1)
    assert not lives(info("there", 1, 1_000), "here", 1_000 + SILENT_MS)


def test_a_permission_error_means_that_the_process_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user is alive, whatever may be asked of it."""

    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(os, "kill", forbidden)
    assert lives(GuardInfo("b", "here", 77, "a", "p", "v", "f", "enforce", 0), "here", 0)


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
    assert (guard.now() / 1000, {names.BOT: "mm"}) in counters.series(names.M_HEARTBEAT)
    assert (0.0, {names.EXCHANGE: "binance"}) in counters.series(names.M_SKEW)


def test_the_journal_shows_each_look_up_and_the_fence(start: Callable[..., World]) -> None:
    """`policykit journal show` draws what was looked up, what was seen, and when absence will be proved."""
    world = start(
        {"at": "order", "do": "lost_reply", "when": [1]}, {"at": "order", "do": "lag", "when": [1], "seconds": 3}
    )
    guard = world.guard()
    order = world.protected(guard).create_order(*BUY)
    story = find(guard.store, order["clientOrderId"])
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
    guard.halt("all", "HALTED", "desk", "stop")
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
