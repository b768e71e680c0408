"""The rare branches of gate, steps and client: each can happen, and each ends on the safe side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import ccxt
import ccxt.async_support
import pytest

from policykit.errors import Denied, StoreUnavailable
from policykit.guard import enforce
from policykit.guard.admission import CURRENT
from policykit.guard.gate import MAX_WAITS
from policykit.guard.steps import Placement, order_of
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Outcome
from policykit.orders.life import Decide, Record
from policykit.store import Observation
from policykit.testing import point
from tests.guard.world import SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)


@pytest.mark.parametrize("other", ["mine", "{id}x"])
def test_a_request_without_the_admitted_id_is_refused(start: Callable[..., World], other: str) -> None:
    """A raw order inside an enforced function carries another client order id, or one that contains the admitted."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def raw(symbol: str, side: str, amount: float, price: float) -> Any:
        admitted = CURRENT.get()
        assert admitted is not None
        assert admitted.intent is not None
        sent = other.format(id=admitted.intent.client_order_id)
        return client.private_post_order({"symbol": "BTCUSDT", "newClientOrderId": sent})

    with pytest.raises(Denied, match="does not carry the admitted client order id"):
        raw(SYMBOL, "buy", 0.01, 59_000)
    assert world.sent == []


def test_a_write_of_another_kind_inside_an_order_is_refused(start: Callable[..., World]) -> None:
    """What @enforce admitted is an order; an amend of another one under it is a raw call."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def amend(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.private_post_order_cancelreplace({"symbol": "BTCUSDT"})

    with pytest.raises(Denied, match=r"the policy admitted order\.create, the client sends order\.amend"):
        amend(SYMBOL, "buy", 0.01, 59_000)


def test_without_budgets_reads_cost_nothing(start: Callable[..., World]) -> None:
    """A policy that limits no weight lets reads pass and counts none."""
    lines = [line for line in policy_text().splitlines() if "rate_budgets" not in line and "request-weight" not in line]
    world = start(text="\n".join(lines))
    guard = world.guard()
    assert world.protected(guard).fetch_balance()["USDT"]["free"] == 100_000
    assert "use" not in [row.kind for row in guard.store.rows(0, 1_000)]


def test_rolling_budgets_are_waited_for_in_tenths(start: Callable[..., World]) -> None:
    """A rolling window has no edge: a read looks again after a tenth of it, and is told when others are quicker."""
    text = policy_text(weight=400).replace("window: fixed", "window: rolling")
    world = start(text=text.replace("retry:", "retry:\n  data: {wait_max: 90s}", 1))
    guard = world.guard()
    client = world.protected(guard)
    began = world.clock.now_ms()
    client.fetch_tickers()
    client.fetch_tickers()
    assert 54_000 <= world.clock.now_ms() - began <= 126_000
    real = guard.store.use

    def never(holds: Any, now_ms: int) -> Any:
        return real(tuple(hold._replace(limit=0) for hold in holds), now_ms)

    guard.store.use = never  # type: ignore[method-assign]
    with pytest.raises(ccxt.RateLimitExceeded, match=f"others took the budget {MAX_WAITS} times; read later"):
        client.fetch_ticker(SYMBOL)
    with pytest.raises(ccxt.RateLimitExceeded, match="must be signed again; send it anew"):
        client.fetch_balance()


class Odd(ccxt.binance):
    """A bot's own client whose fetch ends in other ways than ccxt's."""

    raises: BaseException | None = None

    def fetch(self, url: str, *rest: Any, **more: Any) -> Any:
        if self.raises is not None and "/order" in url:
            raise self.raises
        return super().fetch(url, *rest, **more)


def odd(world: World, guard: Any) -> Any:
    """Return a protected client of that class."""
    client = point(Odd({"apiKey": world.sim.key, "secret": world.sim.secret}), world.sim.url)
    world.clock.follow(client)
    return guard.protect(client)


def test_an_interrupt_is_passed_on(start: Callable[..., World]) -> None:
    """Ctrl-C during a read or a cancel is Ctrl-C; during an order it leaves the outcome unknown."""
    world = start()
    guard = world.guard()
    client = odd(world, guard)
    client.load_markets()
    client.raises = KeyboardInterrupt()
    for call in (lambda: client.fetch_order("1", SYMBOL), lambda: client.cancel_order("1", SYMBOL)):
        with pytest.raises(KeyboardInterrupt):
            call()
    assert guard.store.intents() == []
    with pytest.raises(KeyboardInterrupt):
        client.create_order(*BUY)
    assert [(i.state, i.error) for i in guard.store.intents()] == [("unknown", "INTERRUPTED")]


def test_our_own_errors_are_passed_on(start: Callable[..., World]) -> None:
    """A StoreUnavailable out of a bot's own fetch is not taken for the exchange's word."""
    world = start(text=policy_text(absent="hold"))
    guard = world.guard()
    client = odd(world, guard)
    client.load_markets()
    client.raises = StoreUnavailable("down")
    with pytest.raises(StoreUnavailable):
        client.fetch_order("1", SYMBOL)


def test_foreign_errors_become_ccxt_s(start: Callable[..., World]) -> None:
    """What a bot's own fetch raises is told by its class only, in a class that bots catch."""
    world = start(text=policy_text(absent="hold"))
    guard = world.guard()
    client = odd(world, guard)
    client.load_markets()
    client.raises = ZeroDivisionError("text of somebody else")
    with pytest.raises(ccxt.BaseError, match=r"^ZeroDivisionError inside the client; nothing more is known$"):
        client.fetch_order("1", SYMBOL)


def test_arguments_that_are_no_numbers_are_denied(start: Callable[..., World]) -> None:
    """A word for an amount or a price reaches the engine as it is, which denies it."""
    world = start()
    client = world.protected()
    for amount, price in (("much", 59_000), (0.01, "cheap"), (float("nan"), 59_000), (None, 59_000), (True, 59_000)):
        with pytest.raises(Denied):
            client.create_order(SYMBOL, "limit", "buy", amount, price)
    assert order_of(SYMBOL, "LIMIT", "buy", "x", "y", {}).quantity == "x"
    assert world.sent == []


def test_a_late_word_about_another_intent_leaves_this_one(start: Callable[..., World]) -> None:
    """What is recorded of an intent that was taken for absent does not become the state of its replacement."""
    guard = start().guard()
    order = Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000))
    first = guard.decide(order).intent
    assert first is not None
    guard.store.outcome(first.id, Outcome("unknown", guard.now()))
    placement = Placement(guard, replace_side(order))
    placement.decide(Decide(None))
    assert placement.admitted is not None
    before = placement.admitted.intent
    answer = placement.record(Record(first, Outcome("found", guard.now(), error="ORDER_LATE")))
    assert answer.intent is not None
    assert (answer.intent.state, placement.admitted.intent) == ("found", before)


def replace_side(order: Order) -> Order:
    """Return the order on the other side, so that the unknown one does not stand in its way."""
    return Order(order.symbol, "sell", order.type, order.quantity, order.price)


def test_an_order_in_the_hands_of_nobody_is_not_looked_up_by_its_caller(start: Callable[..., World]) -> None:
    """Without an admission (shadow mode with nothing kept) there is nothing to end, to name or to look up."""
    guard = start().guard()
    placement = Placement(guard, Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    placement.ended()
    assert placement.client_order_id is None
    assert placement.looked_up(guard.now(), None, asked=False, retry_after_ms=500).not_before_ms == guard.now() + 500
    assert "lookup" not in kinds(guard)


def test_a_look_up_under_a_clock_that_is_apart_proves_nothing(start: Callable[..., World]) -> None:
    """While the measured offset is beyond the bound, or was never measured, missing is not absent."""
    guard = start().guard()
    placement = Placement(guard, Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    for skew, ok in ((0, True), (500, True), (-501, False)):
        now = guard.now()
        guard.store.observe(guard.account, Observation(now, now, skew_ms=skew), now)
        assert placement.looked_up(now, None, asked=True, retry_after_ms=None).clock_ok is ok
    other = start().guard(ready=False)
    placement = Placement(other, Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    assert placement.looked_up(0, None, asked=True, retry_after_ms=None).clock_ok is False


def test_a_reply_without_a_request_is_the_client_s_own(start: Callable[..., World]) -> None:
    """Ccxt calls its response hook in a task of its own too: nothing is noted, nothing breaks."""
    client = start().protected()
    assert client.on_rest_response(200, "OK", "http://x", "GET", {}, "{}", None, None) == "{}"


async def test_async_waits_for_its_budget(start: Callable[..., World]) -> None:
    """The async client sleeps on the guard's clock and signs again, as the sync one does; cancels pass."""
    world = start(text=policy_text(weight=300).replace("retry:", "retry:\n  data: {wait_max: 90s}", 1))
    guard = world.guard()
    async with world.sim.client(async_=True) as client:
        guard.protect(client)
        began = world.clock.now_ms()
        for _ in range(12):
            assert (await client.fetch_balance())["USDT"]["free"] == 100_000
        assert world.clock.now_ms() >= began + 60_000 - began % 60_000
        guard.maintain()
        made = await client.create_order(*BUY)
        assert (await client.cancel_order(made["id"], SYMBOL))["status"] == "canceled"
        await client.create_order(*BUY)
        assert len(await client.cancel_all_orders(SYMBOL)) == 1
    assert world.sim.truth.rejected.get(-1021, 0) == 0


async def test_async_finds_an_order_whose_reply_was_lost(start: Callable[..., World]) -> None:
    """Look-ups of the async client: also under an adapter that fails, and an exchange that cannot be asked."""
    faults = (
        {"at": "order", "do": "lost_reply", "when": [1]},
        {"at": "lookup", "do": "throttle", "when": [1], "seconds": 20},
    )
    world = start(*faults)
    guard = world.guard()
    async with world.sim.client(async_=True) as client:
        guard.protect(client)
        assert (await client.create_order(*BUY))["status"] == "open"
    assert kinds(guard) == ["decision allow", "unknown", "ban", "lookup", "found"]


async def test_a_context_of_a_task_is_its_own() -> None:
    """The permit's variable is empty in a fresh task, so no order is admitted by chance."""
    assert await asyncio.create_task(_current()) is None


async def _current() -> Any:
    return CURRENT.get()


def test_ids_of_a_family_without_client_ids_are_ours(start: Callable[..., World]) -> None:
    """Where an exchange takes no client order id the intent keeps ours: it can be listed, and is never re-sent."""
    guard = start().guard()
    guard.traits = replace(
        guard.traits,
        products={
            "spot": replace(
                guard.traits.products["spot"],
                families={"order": replace(guard.family(SYMBOL), client_order_id=None)},
            )
        },
    )
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    assert admitted.intent is not None
    assert admitted.intent.client_order_id == admitted.decision.id
    assert len(new_id()) == 26


def test_a_budget_of_plain_requests_counts_each_read_once(start: Callable[..., World]) -> None:
    """What a call weighs is of the weight budget only; a budget of requests counts one for each."""
    costs = 'costs: {"GET /api/v3/ticker/24hr": 1}'
    more = "rate_budgets:\n  raw-requests: {limit: 9000, per: 5m, window: fixed, shared_by: ip, " + costs + "}"
    world = start(text=policy_text().replace("rate_budgets:", more))
    guard = world.guard()
    world.protected(guard).fetch_tickers()
    spent = [row.body["holds"] for row in guard.store.rows(0, 1_000) if row.kind == "use"]
    last = {hold[0].split("|")[1]: hold[1] for hold in spent[-1]}
    assert last == {"raw-requests": 1, "raw-requests:reads": 1, "request-weight": 80, "request-weight:reads": 80}


def test_a_sandbox_policy_takes_no_client_of_the_live_exchange(start: Callable[..., World]) -> None:
    """Its checks trust that nothing is at stake; on a test host the same client is taken."""
    world = start(text=policy_text().replace("environment: live", "environment: sandbox"))
    guard = world.guard()
    with pytest.raises(ValueError, match=r"environment is sandbox and the client talks to .*; set_sandbox_mode"):
        guard.protect(ccxt.binance())
    sandbox = ccxt.binance()
    sandbox.set_sandbox_mode(True)
    assert guard.protect(sandbox) is sandbox
    dialled: list[str] = []
    sandbox.session.request = lambda method, url, **_: dialled.append(url)
    sandbox.apiKey = sandbox.secret = "k" * 64
    sandbox.set_sandbox_mode(False)  # it goes live behind the guard's back
    for call in (sandbox.fetch_time, sandbox.private_get_account, lambda: sandbox.private_delete_order({"orderId": 1})):
        with pytest.raises(ccxt.PermissionDenied, match="environment is sandbox and the client talks to api"):
            call()
    assert dialled == []
    replaced = world.sim.client()
    replaced.fetch = replaced.fetch
    with pytest.raises(ValueError, match="the client's fetch was replaced on the object"):
        guard.protect(replaced)


def test_a_reply_s_word_about_a_known_order_says_nothing_new(start: Callable[..., World]) -> None:
    """The same order seen twice is written once; one of somebody else is passed over."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)
    made = client.create_order(*BUY)
    rows = kinds(guard)
    state = guard.adapter.order_state(made["info"])
    guard.saw(state)
    guard.saw(state._replace(client_order_id="somebody's"))
    assert kinds(guard) == rows


def test_a_permit_is_not_renewed_while_the_state_keeps_moving(start: Callable[..., World]) -> None:
    """Halted and resumed between assessment and renewal: refused, and decided again by the bot."""
    guard = start().guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    guard.store.renew = lambda *_: False  # type: ignore[method-assign]
    assert not guard.renew(admitted)


def test_a_ban_is_of_one_exchange(start: Callable[..., World]) -> None:
    """A guard of another exchange on the same store has another address book: it is not banned."""
    guard = start().guard()
    guard.store.beat(guard.store.guards()[0]._replace(account="kraken/main"))
    guard.banned(guard.now() + 1_000)
    assert guard.store.facts("kraken/main", "mm").banned_until_ms == {}
    assert list(guard.facts().banned_until_ms) == ["ip"]


def test_shadow_lets_what_is_no_order_through(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that would withdraw runs in shadow, on record as a denial."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    guard = start().guard()

    @enforce("withdraw", guard=guard)
    def withdraw() -> str:
        return "ran"

    assert withdraw() == "ran"
    assert kinds(guard) == ["decision deny"]


def test_facts_of_the_future_are_refused(start: Callable[..., World]) -> None:
    """Seconds taken for milliseconds, or a clock ahead: `as_of` must not lie ahead of now."""
    guard = start().guard()
    with pytest.raises(ValueError, match="ahead of now"):
        guard.observe(equity="1 USDT", as_of=guard.now() + 6_000)
    guard.observe(equity="1 USDT", as_of=guard.now())


def test_an_account_is_counted_in_one_currency(start: Callable[..., World]) -> None:
    """A second policy in another currency on the same store and account denies increases, and says why."""
    world = start()
    world.guard()
    world.policy.write_text(policy_text(order="1500 USDC").replace("currency: USDT", "currency: USDC"))
    with pytest.raises(Denied, match=r"binance/main is counted in USDT in this store; account.currency is USDC"):
        world.protected(world.guard()).create_order(*BUY)


def test_maintenance_keeps_the_state_beside_the_journal(start: Callable[..., World]) -> None:
    """Every so many rounds the store is checkpointed, so that the next process replays less."""
    world = start()
    guard = world.guard()
    checkpoints: list[int] = []
    guard.store.checkpoint = lambda: checkpoints.append(1)  # type: ignore[method-assign]
    for _ in range(120):
        guard._maintenance._rounds += 1
        if guard._maintenance._rounds % 120 == 119:
            guard.maintain()
    assert checkpoints == [1]


def test_an_order_in_quote_quantity_is_resolved_by_what_was_held(start: Callable[..., World]) -> None:
    """A person's word "executed" about a market order by cost counts all that was held for it."""
    from policykit.guard.resolve import resolve

    guard = start().guard()
    admitted = guard.decide(Order(SYMBOL, "buy", "market", quote_quantity=Decimal(600)))
    guard.settle(admitted, Outcome("unknown", guard.now()))
    assert resolve(guard.store, admitted.decision.id, "executed", None, by="a", why="b", now_ms=guard.now()) is None
    assert guard.facts().positions["BTC"].high >= Decimal("0.0099")
