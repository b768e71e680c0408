"""I17 through @enforce and a protected client over HTTP: one attempt, one decision, one row, one span, equal ids."""

from __future__ import annotations

import asyncio
import itertools
import os
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from policykit.decision import Decision
from policykit.errors import Denied, OutcomeUnknown
from policykit.guard import Guard, enforce
from policykit.guard.admission import CURRENT, DRIVING
from policykit.order import Order
from policykit.orders.intent import Intent
from policykit.telemetry import Telemetry, names
from policykit.telemetry.relay import Relay
from policykit.telemetry.setup import Collector
from tests.guard.world import SYMBOL, World, kinds, policy_text

ROOMY = policy_text(open=10_000, orders=100_000, position="900 % of equity".replace(" %", "%"), weight=6_000)


@pytest.fixture
def traced() -> tuple[Collector, Telemetry]:
    """Return telemetry that makes its spans at once, and what collects them."""
    collector = Collector(1_000_000)
    provider = TracerProvider()
    provider.add_span_processor(collector)
    return collector, Telemetry(tracer_provider=provider, relay=Relay(deferred=False))


def decisions(guard: Guard) -> list[str]:
    """Return the ids of every decision row."""
    return [r.body["decision"]["id"] for r in guard.store.rows(0, 1_000_000) if r.kind == "decision"]


def spans(collector: Collector, name: str) -> list[str]:
    """Return the decision ids of every span of a kind."""
    return [str(s.attributes[names.DECISION_ID]) for s in collector.spans if s.name.startswith(name)]  # type: ignore[index]


def ways(guard: Guard, client: Any) -> list[Callable[[float], Any]]:
    """Return attempts through @enforce and a protected client: sent, denied, refused at the gate, rejected, raised."""

    @enforce("order.create", guard=guard)
    def sent(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price)

    @enforce("order.create", guard=guard)
    def refused(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price, {"icebergQty": "0.0001"})

    @enforce("order.create", guard=guard)
    def broken(symbol: str, side: str, amount: float, price: float) -> Any:
        client.create_order(symbol, "limit", side, amount, price)
        raise TimeoutError("after the order")

    return [
        lambda price: sent(SYMBOL, "buy", 0.0001, price),
        lambda price: sent(SYMBOL, "buy", 9, price),
        lambda price: refused(SYMBOL, "buy", 0.0001, price),
        lambda price: sent(SYMBOL, "sell", 9, 70_000),
        lambda price: broken(SYMBOL, "buy", 0.0001, price),
        lambda price: client.create_order(SYMBOL, "limit", "buy", 0.0001, price),
    ]


def test_I17_one_attempt_is_one_decision_one_row_one_span(
    start: Callable[..., World], traced: tuple[Collector, Telemetry], tier: Callable[[int, int], int]
) -> None:
    """However an attempt ends, with @enforce and the client both asking: the ids of rows and spans are the same."""
    collector, telemetry = traced
    world = start(text=ROOMY)
    guard = world.guard(store="memory:")
    guard.telemetry = telemetry
    attempts = ways(guard, world.protected(guard))
    count = tier(300, 5_000)  # over HTTP; the large figure is test_every_attempt.py's
    ended: dict[str, int] = {}
    for number, attempt in zip(range(count), itertools.cycle(attempts)):
        if number % 50 == 0:
            world.clock.advance(60)
            guard.maintain()
            for intent in guard.store.intents():
                world.sim.client().cancel_order(intent.order_id, SYMBOL)
        try:
            attempt(50_000 + number % 1_000)
            ended["sent"] = ended.get("sent", 0) + 1
        except Exception as error:
            ended[type(error).__name__] = ended.get(type(error).__name__, 0) + 1
    made = decisions(guard)
    assert len(made) == count
    assert len(set(made)) == len(made)
    assert spans(collector, "policykit.decide") == made
    assert set(ended) == {"sent", "ClientDenied", "Denied", "InsufficientFunds", "TimeoutError"}
    assert set(spans(collector, "policykit.send")) < set(made)


def test_control_a_decorator_that_hides_its_decision_makes_two(start: Callable[..., World]) -> None:
    """The check can fail: where the inner client does not see the outer decision, one attempt is decided twice."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> Any:
        token = CURRENT.set(None)
        try:
            return client.create_order(symbol, "limit", side, amount, price)
        finally:
            CURRENT.reset(token)

    buy(SYMBOL, "buy", 0.001, 59_000)
    assert len(decisions(guard)) == 2


def test_the_client_may_send_less_at_a_better_price(start: Callable[..., World]) -> None:
    """Not more, not worse: less at a better price is covered by the decision; more, worse or another order is not."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    def attempt(*arguments: Any) -> Any:
        @enforce("order.create", guard=guard)
        def buy(symbol: str, side: str, amount: float, price: float) -> Any:
            return client.create_order(*arguments)

        return buy(SYMBOL, "buy", 0.01, 59_000)

    assert attempt(SYMBOL, "limit", "buy", 0.005, 58_000)["amount"] == 0.005
    others: list[tuple[Any, ...]] = [
        (SYMBOL, "limit", "buy", 0.02, 59_000),
        (SYMBOL, "limit", "buy", 0.01, 59_001),
        (SYMBOL, "limit", "sell", 0.01, 59_000),
        (SYMBOL, "market", "buy", 0.01),
        ("ETH/USDT", "limit", "buy", 0.01, 59_000),
        (SYMBOL, "market", "buy", None, None, {"cost": 5}),
        (SYMBOL, "limit", "buy", 0.01, 59_000, {"timeInForce": "IOC"}),
    ]
    for arguments in others:
        with pytest.raises(Denied) as denied:
            attempt(*arguments)
        assert denied.value.decision.reasons[0].code == "ORDER_DIFFERS", arguments
        for intent in guard.store.intents():
            if intent.state == "unknown":
                guard.store.outcome(intent.id, _absent(guard))
    assert len(world.sent) == 1


def _absent(guard: Guard) -> Any:
    from policykit.orders.intent import Outcome

    return Outcome("absent", guard.now(), closed=True)


def test_covers_is_strict_about_what_it_cannot_compare() -> None:
    """Prices and quantities are compared where both are there; a reduce-only admission covers no other order."""
    from policykit.guard.admission import covers

    def order(quantity: str | None = "1", price: str | None = "10", side: Any = "buy", **more: Any) -> Order:
        return Order(SYMBOL, side, "limit", quantity and Decimal(quantity), price and Decimal(price), **more)  # type: ignore[arg-type]

    assert covers(order(), order("0.5", "9"))
    assert not covers(order(), order("0.5", "11"))
    assert covers(order(side="sell"), order("0.5", "11", "sell"))
    assert not covers(order(side="sell"), order("0.5", "9", "sell"))
    assert not covers(order(reduce_only=True), order())
    assert not covers(order(), order("1", None))
    assert covers(order("1", None), order("1", None))
    assert covers(order(None, "10"), order(None, "10"))
    assert not covers(order(None, "10"), order("1", "10"))


def test_methods_stack_and_are_named(start: Callable[..., World]) -> None:
    """A method is enforced like a function; the wrapper keeps name and docstring; two guards' decorators stack."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    class Bot:
        @enforce("order.create", guard=guard)
        def buy(self, symbol: str, side: str, amount: float, price: float | None = None) -> Any:
            """Buy."""
            return client.create_order(symbol, "limit" if price else "market", side, amount, price)

    assert (Bot.buy.__name__, Bot.buy.__doc__) == ("buy", "Buy.")
    assert Bot().buy(SYMBOL, "buy", 0.001, price=59_000)["type"] == "limit"
    assert Bot().buy(SYMBOL, "buy", 0.001)["type"] == "market"

    @enforce("order.create", guard=guard)
    @enforce("order.create", guard=guard)
    def twice(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price)

    assert twice(SYMBOL, "buy", 0.001, 59_000)["status"] == "open"
    assert len(world.sent) == 3


def test_order_reads_any_signature(start: Callable[..., World]) -> None:
    """`order=` is for a function whose arguments have other names."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    def read(signal: dict[str, Any]) -> Order:
        return Order(signal["what"], "buy", "limit", Decimal(signal["much"]), Decimal(signal["at"]))

    @enforce("order.create", guard=guard, order=read)
    def follow(signal: dict[str, Any]) -> Any:
        return client.create_order(signal["what"], "limit", "buy", signal["much"], signal["at"])

    assert follow({"what": SYMBOL, "much": "0.001", "at": "59000"})["price"] == 59_000
    with pytest.raises(Denied):
        follow({"what": SYMBOL, "much": "1", "at": "59000"})


def test_what_cannot_work_is_said_at_decoration() -> None:
    """A generator, a missing argument and a wrong action are TypeErrors before anything runs."""
    with pytest.raises(TypeError, match=r'action is "order.make"; one of order.create, '):
        enforce("order.make")
    with pytest.raises(TypeError, match="has no argument for symbol, amount; name them so, or give"):

        @enforce("order.create")
        def unnamed(what: str, side: str, much: float) -> None: ...

    with pytest.raises(TypeError, match="is a generator; a permit cannot outlive a yield"):

        @enforce("order.create")
        def generator(symbol: str, side: str, amount: float) -> Any:
            yield

    with pytest.raises(TypeError, match="is a generator"):

        @enforce("order.create")
        async def agenerator(symbol: str, side: str, amount: float) -> Any:
            yield


def test_a_function_that_sends_by_itself(start: Callable[..., World]) -> None:
    """Without a protected client a return is an acknowledgement, an exception leaves the outcome unknown."""
    guard = start().guard()
    answers: list[Any] = [
        {"id": 7, "filled": "0.001", "status": "closed"},
        {"id": "8", "filled": "much"},
        None,
        TimeoutError("no answer"),
    ]

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    for _ in range(3):
        buy(SYMBOL, "buy", 0.001, 59_000)
    with pytest.raises(TimeoutError):
        buy(SYMBOL, "buy", 0.001, 59_000)
    with pytest.raises(Denied) as denied:
        buy(SYMBOL, "buy", 0.001, 59_000)
    assert denied.value.decision.reasons[0].code == "ORDER_OUTCOME_PENDING"
    states = [(i.state, i.order_id, i.filled) for i in guard.store.intents(open_only=False)]
    assert states == [
        ("settled", "7", Decimal("0.001")),
        ("acknowledged", "8", Decimal(0)),
        ("acknowledged", None, Decimal(0)),
        ("unknown", None, Decimal(0)),
    ]
    assert not DRIVING & {i.id for i in guard.store.intents(open_only=False)}


def test_a_halt_between_decision_and_client_is_one_decision(start: Callable[..., World]) -> None:
    """The function dawdles, trading is halted: the client refuses under the decision that was made."""
    world = start()
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def slow(symbol: str, side: str, amount: float, price: float) -> Any:
        guard.halt("all", "HALTED", "desk", "stop")
        return client.create_order(symbol, "limit", side, amount, price)

    with pytest.raises(Denied) as denied:
        slow(SYMBOL, "buy", 0.001, 59_000)
    assert denied.value.decision.reasons[0].code == "PERMIT_EXPIRED"
    assert [denied.value.decision.id] == decisions(guard)
    assert kinds(guard) == ["decision allow", "halt", "not_sent"]
    assert world.sent == []


async def test_two_tasks_do_not_take_each_other_s_permit(start: Callable[..., World]) -> None:
    """Admitted orders of one gather go out as their own; a task that a function left behind has no part in it."""
    world = start()
    guard = world.guard()
    left: list[Any] = []
    async with world.sim.client(async_=True) as client:
        guard.protect(client)

        @enforce("order.create", guard=guard)
        async def buy(symbol: str, side: str, amount: float, price: float) -> Any:
            await asyncio.sleep(0)
            made = await client.create_order(symbol, "limit", side, amount, price)
            if price == 50_000:

                async def later() -> Any:
                    await asyncio.sleep(0.01)
                    return await client.create_order(symbol, "limit", side, amount, 40_000)

                left.append(asyncio.create_task(later()))
            return made

        made = await asyncio.gather(*(buy(SYMBOL, "buy", 0.001, 50_000 + n) for n in range(10)))
        assert (await left[0])["price"] == 40_000
        with pytest.raises(Denied, match="was sent already"):
            await _both(guard, client)
    assert [order["price"] for order in made] == [50_000 + n for n in range(10)]
    assert len(decisions(guard)) == 13


async def _both(guard: Guard, client: Any) -> None:
    @enforce("order.create", guard=guard)
    async def buy(symbol: str, side: str, amount: float, price: float) -> Any:
        order = (symbol, "limit", side, amount, price)
        return await asyncio.gather(client.create_order(*order), client.create_order(*order))

    await buy(SYMBOL, "buy", 0.001, 49_000)


async def test_a_cancelled_task_leaves_its_order_unknown(start: Callable[..., World]) -> None:
    """Cancelled while the answer was on its way: the order may be out, so it is unknown, and recovery finds it."""
    world = start(latency=0.0)
    guard = world.guard()
    async with world.sim.client(async_=True) as client:
        guard.protect(client)
        await client.load_markets()
        task = asyncio.create_task(client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000))
        while not world.sent:  # noqa: ASYNC110 - the exchange has no event
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    (intent,) = guard.store.intents()
    assert (intent.state, intent.error) == ("unknown", "INTERRUPTED")
    guard.maintain()
    assert guard.store.intents()[0].state == "found"


async def test_a_task_cancelled_before_the_gate_was_never_sent(start: Callable[..., World]) -> None:
    """Cancelled in ccxt's throttler: nothing is held and nothing is looked up."""
    world = start()
    guard = world.guard()
    async with world.sim.client(async_=True) as client:
        guard.protect(client)
        await client.load_markets()
        inside = asyncio.Event()

        async def throttle(cost: float) -> None:
            inside.set()
            await asyncio.Event().wait()

        client.enableRateLimit, client.throttle = True, throttle
        task = asyncio.create_task(client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000))
        await inside.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert guard.store.intents() == []
    assert kinds(guard) == ["decision allow", "not_sent"]


def test_the_default_guard_is_that_of_the_environment(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without guard= POLICYKIT_POLICY decides on the store of POLICYKIT_STORE, loaded at the first call."""
    world = start()
    monkeypatch.setattr(sys.modules["policykit.guard.enforce"], "_default", {})
    monkeypatch.setenv("POLICYKIT_POLICY", str(world.policy))
    monkeypatch.setenv("POLICYKIT_STORE", "memory:")

    @enforce()
    def buy(symbol: str, side: str, amount: float, price: float) -> None: ...

    for _ in range(2):
        with pytest.raises(Denied) as denied:
            buy(SYMBOL, "buy", 0.001, 59_000)
        assert "STORE_EPHEMERAL" in [reason.code for reason in denied.value.decision.reasons]


def test_enforce_of_another_action_is_decided_too(start: Callable[..., World]) -> None:
    """A withdrawal is denied whatever the policy says, an amend that says nothing for that; neither function runs."""
    guard = start().guard()
    ran: list[str] = []
    for action, code in (("withdraw", "ACTION_REFUSED"), ("order.amend", "ORDER_INVALID")):

        @enforce(action, guard=guard)
        def act(symbol: str | None = None) -> None:
            ran.append("ran")

        with pytest.raises(Denied) as denied:
            act()
        assert denied.value.decision.reasons[0].code == code
    assert ran == []


def test_an_enforced_client_that_cannot_settle_raises_outcome_unknown(start: Callable[..., World]) -> None:
    """OutcomeUnknown of the client inside comes through, and is not recorded a second time."""
    brief = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
    world = start({"at": "order", "do": "drop", "when": [1]}, text=brief)
    guard = world.guard()
    client = world.protected(guard)

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> Any:
        return client.create_order(symbol, "limit", side, amount, price)

    with pytest.raises(OutcomeUnknown, match="policykit orders resolve"):
        buy(SYMBOL, "buy", 0.001, 59_000)
    assert kinds(guard).count("unknown") == 2
    assert kinds(guard)[-1] == "unknown"


def test_a_decision_says_what_made_it(start: Callable[..., World]) -> None:
    """Each field of a decision, of its intent and of its row holds what its name says."""
    guard = start().guard()
    order = Order(SYMBOL, "buy", "limit", Decimal("0.001"), Decimal(59_000))
    now, facts, engine = guard.now(), guard.facts(SYMBOL), guard.engine
    admitted = guard.decide(order, gated=False)
    decision, intent, held = admitted.decision, admitted.intent, engine.assess(facts, order, now)
    assert facts.equity is not None
    assert intent is not None
    assert decision == Decision(
        id=decision.id,
        outcome="allow",
        mode="enforce",
        action="order.create",
        order=order,
        policy_name=guard.policy.name,
        policy_version=guard.policy.version,
        bot=guard.bot,
        at_ms=now,
        reduces=False,
        notional=Decimal(59),
        seq=decision.seq,
        facts_age_s=(now - facts.equity.as_of_ms) / 1000,
        checks=len(engine.checks),
        facts_seq=facts.seq,
        in_force=guard.announced,
    )
    assert decision.seq == [row.seq for row in guard.store.rows()][-1]
    assert intent == Intent(
        id=decision.id,
        account=guard.account,
        order=order,
        client_order_id=f"pk{decision.id}",
        family="order",
        holds=admitted.holds,
        reduces=False,
        bot=guard.bot,
        host=guard.host,
        pid=os.getpid(),
        decided_ms=now,
        permit_until_ms=None,
        validity_ms=None,
        changed_ms=now,
    )
    assert [hold.counter for hold in admitted.holds] == [hold.counter for hold in held.holds]
    guard.release(admitted)


def test_an_answer_of_any_form_reaches_the_bot(start: Callable[..., World]) -> None:
    """What stands where ccxt has a status need not be a word: the order was sent, and is kept as one that is open."""
    guard = start().guard()

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> dict[str, Any]:
        return {"id": 7, "status": ["closed"], "filled": 0, "cost": "none"}

    assert buy(SYMBOL, "buy", 0.001, 59_000)["id"] == 7
    (intent,) = guard.store.intents()
    assert (intent.state, intent.order_id, intent.closed, intent.cost) == ("acknowledged", "7", False, None)
