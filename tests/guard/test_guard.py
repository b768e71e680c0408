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
from policykit.errors import Denied, PolicykitError, SecretUnavailable
from policykit.guard import enforce
from policykit.guard.living import lives
from policykit.guard.worth import equity_of
from policykit.orders.recovery import SILENT_MS
from policykit.store import GuardInfo
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


def test_a_debt_without_a_price_leaves_equity_unknown() -> None:
    """What is owed in a coin that nothing prices is not counted as nothing."""
    with pytest.raises(PolicykitError, match="BTC is owed, and no price of it in USDT is known"):
        equity_of({"USDT": Decimal(5), "BTC": Decimal(-1)}, {}, "USDT")


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
    """The second guard reads its facts from the store; when the first is silent it leads before they are too old."""
    world = start()
    first, second = world.guard(), world.guard()
    requests = sum(world.sim.truth.requests.values())
    second.maintain()
    assert sum(world.sim.truth.requests.values()) == requests
    assert second.facts().equity == first.facts().equity
    world.clock.advance(7)  # two rounds: at 10 s increases would be denied
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
    world = start(clock=SystemClock(), text=policy_text().replace("max_age: 10s", "max_age: 3s"))
    seen: set[int] = set()
    with world.guard(ready=False) as guard:
        client = guard.protect(world.sim.client())
        client.load_markets()
        while len(seen) < 3:
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
    assert denied == ["RAW_CALL_REFUSED", "RISK_POSITION", "ORDER_DIFFERS", "RATE_BANNED"]
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


def test_what_other_hands_bought_counts(start: Callable[..., World]) -> None:
    """PITFALLS 16: 0.15 BTC bought by hand leave no room under a cap of 10,000; sold by hand, there is room again."""
    world = start()
    guard = world.guard()
    client, by_hand = world.protected(guard), world.sim.client()
    by_hand.create_order(SYMBOL, "market", "buy", 0.15)
    assert client.create_order(SYMBOL, "limit", "buy", 0.02, 59_000)["status"] == "open"  # nobody has looked yet
    world.clock.advance(6)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        client.create_order(SYMBOL, "limit", "buy", 0.02, 59_000)
    assert [reason.code for reason in denied.value.decision.reasons] == ["RISK_POSITION"]
    by_hand.create_order(SYMBOL, "market", "sell", 0.149)
    world.clock.advance(6)
    guard.maintain()
    assert client.create_order(SYMBOL, "limit", "buy", 0.02, 59_000)["status"] == "open"
