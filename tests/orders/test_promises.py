"""I1, I2, I5, I6, I7 over a simulated exchange: the real orders and store code, one thread, every run from its seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from policykit.decision import Decision, Hold
from policykit.order import Order
from policykit.orders.ids import digest, new_id
from policykit.orders.intent import Intent, Outcome
from policykit.orders.life import RetryPlan
from policykit.store.memory import MemoryStore
from tests.orders.simulation import ACCOUNT, PLAN, STEPS, Rules, Simulation
from tests.orders.table import TERMS
from tests.orders.venue import Setting

Tier = Callable[[int, int], int]

#: What exchanges are like: ids unique for ever, among open orders, not at all; lag to 60 s; skew to the bound.
SETTINGS = (
    Setting("like Binance spot"),
    Setting("ids for ever, no lag", dedupe="forever", lag_ms=0),
    Setting("ids of no use", dedupe="none", lag_ms=3_000),
    Setting("algo orders show after a minute", lag_ms=60_000),
    Setting("clocks five seconds apart", bound_ms=5_000, validity_ms=20_000, ahead_ms=6_000),
    Setting("most requests go wrong", faults=0.9),
)
CHUNK = 2_000
OURS = Rules()


def runs(wishes: int, setting: Setting, rules: Rules = OURS, plan: RetryPlan = PLAN) -> Iterator[Simulation]:
    """Yield finished simulations of at most CHUNK wishes, each from a seed of its own."""
    for seed, start in enumerate(range(0, wishes, CHUNK)):
        yield Simulation(setting, seed, min(CHUNK, wishes - start), rules, plan=plan).run()


@pytest.mark.parametrize("crash", [0.0, 0.01], ids=["", "crashing"])
@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_I1_a_wish_is_executed_at_most_once(setting: Setting, crash: float, tier: Tier) -> None:
    """Under every fault, and killed at any step, no wish is executed twice, and the store believes what is true."""
    for sim in runs(tier(1_700, 8_400), setting, Rules(crash=crash)):
        assert (sim.duplicated, sim.untrue(), sim.sent_while_unknown) == (0, [], 0)
        assert sim.reserved() == 0
        assert sim.dropped < 0.05 * len(sim.wish_of)


def test_I1_the_bot_that_is_not_kept_waiting_decides_again_in_vain(tier: Tier) -> None:
    """With a short wait the bot gets OutcomeUnknown and decides again; it is denied until the first is settled."""
    for sim in runs(tier(2_000, 50_000), SETTINGS[0], plan=replace(PLAN, wait_ms=1_000)):
        assert (sim.duplicated, sim.sent_while_unknown, sim.untrue()) == (0, 0, [])
        assert sim.denied > 100


def test_I1_control_without_the_pending_rule_positions_double() -> None:
    """The same bot without the rule opens second orders while the first is unknown."""
    (sim,) = runs(2_000, SETTINGS[0], Rules(pending=False), replace(PLAN, wait_ms=1_000))
    assert sim.sent_while_unknown > 100
    assert sim.duplicated > 20


@pytest.mark.parametrize("term", TERMS)
def test_I1_control_every_term_of_the_fence_is_needed(term: str) -> None:
    """Without any one term of the fence the same simulation shows duplicated orders: four of four."""
    rules = Rules(terms=frozenset(TERMS) - {term})
    assert sum(sim.duplicated for sim in runs(4_000, SETTINGS[0], rules)) > 2


@pytest.mark.parametrize("retry", ["blind", "look_once", "same_id"])
def test_I1_control_what_people_do_about_a_time_out_duplicates(retry: str) -> None:
    """Blind retry, the guide's literal rule and the same id again all duplicate orders."""
    (sim,) = runs(2_000, SETTINGS[0], Rules(retry=retry, pending=False))  # type: ignore[arg-type]
    assert sim.duplicated > 100


def test_I1_one_seed_replays_a_run_exactly() -> None:
    """The same seed gives the same orders at the same moments, so a failure can be looked at again."""
    first, second = (
        [(o.at_ms, o.request.wish, o.request.signed_ms, o.total) for o in sim.venue.orders]
        for sim in (Simulation(SETTINGS[0], 3, 400, Rules(crash=0.02)).run() for _ in range(2))
    )
    assert first == second
    assert len(first) > 300


@pytest.mark.parametrize("crash", [0.0, 0.01], ids=["", "crashing"])
def test_I2_without_a_fence_nothing_is_sent_again(crash: float, tier: Tier) -> None:
    """Where requests do not expire, an unknown intent is listed, keeps its reservation, and waits for a person."""
    for sim in runs(tier(2_500, 50_000), Setting("no expiry", expires=False), Rules(crash=crash)):
        assert [i for i in sim.store.intents(ACCOUNT, open_only=False) if i.replaces] == []
        assert (sim.sent_while_unknown, sim.duplicated, sim.unreserved, sim.untrue()) == (0, 0, 0, [])
        assert sim.reserved() == len(sim.store.intents(ACCOUNT))
        assert sim.resolved > 10


def test_I2_control_a_made_up_fence_duplicates() -> None:
    """Taking a fence where the exchange lets requests in for ever shows duplicates: the traits must not guess."""
    made_up = Setting("no expiry, but trusted", expires=False)
    sim = Simulation(made_up, 1, 2_000)
    sim.family = replace(sim.family, validity_max_ms=60_000)
    assert sim.run().duplicated > 20


@pytest.mark.parametrize("expires", [True, False], ids=["fence", "no fence"])
@pytest.mark.parametrize("step", STEPS)
def test_I5_recovery_settles_after_a_crash_at_any_step(step: str, expires: bool, tier: Tier) -> None:
    """Killed at each step, the next life ends every intent found, absent or listed; once more changes nothing."""
    crashed = 0
    for seed in range(tier(5, 1_000)):
        rules = Rules(crash_at=(step, 1 + seed % 3))
        sim = Simulation(Setting("crash", expires=expires, faults=0.9), seed, 40, rules, bots=2).run()
        crashed += sim.crashes
        assert (sim.changed_again, sim.duplicated, sim.untrue()) == (0, 0, [])
        assert sim.reserved() == len(sim.store.intents(ACCOUNT))
    assert crashed


@pytest.mark.parametrize("expires", [True, False], ids=["fence", "no fence"])
def test_I5_recovery_needs_nothing_but_the_file(expires: bool, tier: Tier, folder: Path) -> None:
    """With the store opened afresh from its SQLite file after each of many crashes, the same holds."""
    for seed in range(tier(1, 100)):
        setting = Setting("crash", expires=expires, faults=0.6)
        sim = Simulation(setting, seed, 60, Rules(crash=0.05), bots=2, file=folder / f"{seed}.db").run()
        assert (sim.changed_again, sim.duplicated, sim.untrue(), sim.sent_while_unknown) == (0, 0, [], 0)
        assert sim.reserved() == len(sim.store.intents(ACCOUNT))
        assert sim.crashes > 10
        assert sim.store.verify() == (sim.store._ledger.seq, None)


def test_I5_control_a_recovery_that_sends_again_duplicates() -> None:
    """A recovery that takes a missing order as never executed, before the fence, lets orders run twice."""
    (sim,) = runs(2_000, replace(SETTINGS[0], faults=0.6), Rules(terms=frozenset(), crash=0.05))
    assert sim.duplicated > 20
    assert any("is absent, and executed" in line for line in sim.untrue())


def test_I6_an_id_with_another_body_is_denied(tier: Tier) -> None:
    """A client order id that comes again is refused and names its intent; the digest tells another body apart."""
    store, random = MemoryStore(), Random(6)
    for n in range(tier(500, 10_000)):
        first = _intent(f"mine-{n}", Decimal(random.randrange(1, 100)), Decimal(50))
        assert _reserve(store, first).granted
        change = n % 4
        quantity = first.order.quantity if change else Decimal(100)
        again = _intent(f"mine-{n}", quantity, Decimal(51) if change == 1 else Decimal(50))
        if change == 2:
            again = replace(again, order=Order("ETH/USDT", "buy", "limit", quantity, Decimal(50)))
        grant = _reserve(store, again)
        assert (grant.granted, grant.duplicate) == (False, first.id)
        same = digest(ACCOUNT, first.order) == digest(ACCOUNT, again.order)
        assert same == (change == 3)
        store.outcome(first.id, Outcome("settled", 2_000, filled=first.order.quantity, closed=True))


def test_I6_control_a_digest_of_symbol_and_side_lets_another_body_through() -> None:
    """Comparing less than the whole order takes another order for a retry."""
    one, other = _intent("a", Decimal(1), Decimal(50)).order, _intent("a", Decimal(100), Decimal(50)).order
    assert (one.symbol, one.side) == (other.symbol, other.side)
    assert digest(ACCOUNT, one) != digest(ACCOUNT, other)


@pytest.mark.parametrize("crash", [0.0, 0.01], ids=["", "crashing"])
def test_I7_nothing_is_sent_before_retry_after_is_over(crash: float, tier: Tier) -> None:
    """No process of the store sends or looks up before the stated time, over restarts; no order is retried blindly."""
    for sim in runs(tier(1_000, 50_000), SETTINGS[0], Rules(crash=crash)):
        assert (sim.venue.disobeyed, sim.duplicated) == (0, 0)
        assert sim.denied > 20


@pytest.mark.parametrize("rules", [Rules(obey=False), Rules(ban_margin=False)], ids=["disobeying", "one clock trusted"])
def test_I7_control_a_ban_forgotten_or_timed_by_one_clock_is_broken(rules: Rules) -> None:
    """Without the remembered ban, or without the clocks' bound in it, somebody comes back too early."""
    (sim,) = runs(1_000, SETTINGS[0], rules)
    assert sim.venue.disobeyed > 20


def _intent(client_order_id: str, quantity: Decimal | None, price: Decimal) -> Intent:
    order = Order("BTC/USDT", "buy", "limit", quantity, price)
    return Intent(
        new_id(), ACCOUNT, order, client_order_id, "order", (), False, "bot", "host", 1, 1_000, 1_250, 5_000
    )  # fmt: skip


def _reserve(store: MemoryStore, intent: Intent):  # type: ignore[no-untyped-def]
    decision = Decision(intent.id, "allow", "enforce", "order.create", intent.order, "p", "sha256:0", "bot", 1_000)
    hold = Hold(f"{ACCOUNT}|open_orders", 1, 10, "sum", "risk.max_open_orders")
    return store.reserve(decision, replace(intent, holds=(hold,)), (hold,), 0, 1_000)
