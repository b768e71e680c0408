"""The engine and its store against Cedar and CEL: the same policy, orders and facts, the same checks and codes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

import pytest

from policykit.engine.case import Case
from policykit.engine.checks import all_checks
from policykit.engine.checks.order_notional import OrderNotional
from policykit.engine.facts import Facts
from policykit.order import Order
from policykit.proofs.export.cel import CEL
from policykit.proofs.export.conditions import Key, conditions
from policykit.proofs.export.table import TABLE
from tests.engine.worlds import NOW
from tests.oracles import worlds
from tests.oracles.ask import Cedar, Cel, Oracle, Stages
from tests.oracles.question import question
from tests.oracles.worlds import Trader, compiled, without

#: Orders to a policy, to a store of it, and to one set of facts.
ORDERS, STORE, FACTS = 120, 40, 5


def _asked(rng: Random, make: type[Oracle], count: int) -> Iterator[tuple[Trader, Facts, Order, set[Key]]]:
    """Yield random orders with what an oracle says of each."""
    for number in range(count):
        if number % ORDERS == 0:
            engine = compiled(worlds.policy(rng))
            oracle, stages = make(engine.effective), Stages(engine.effective)  # type: ignore[call-arg]
        if number % STORE == 0:
            trader = Trader(rng, engine)
        if number % FACTS == 0:
            facts = trader.facts()
        facts = replace(facts, positions=trader.positions())
        order = worlds.order(rng)
        yield trader, facts, order, stages.answer(oracle.denies(question(facts, order, NOW, trader.used)))


@pytest.mark.parametrize("make", [Cedar, Cel])
def test_I13_engine_and_store_agree_with_another_language(make: type[Oracle], tier: Callable[[int, int], int]) -> None:
    """Every order is denied by the same checks with the same codes, or allowed by both: no difference."""
    count = tier(3_000, 100_000)
    seen: Counter[Key] = Counter()
    allowed = 0
    for trader, facts, order, expected in _asked(Random(5), make, count):
        found = trader.answer(facts, order)
        assert found == expected, (order, facts, trader.used)
        seen.update(found)
        allowed += not found and order.action == "order.create"
    assert allowed > count // 20
    model = compiled(worlds.policy(Random(1))).effective.model
    named = {key[0] for part in conditions(model, CEL) for key in part}
    rare = {check for check in named if sum(n for key, n in seen.items() if key[0] == check) < 5}
    assert not rare, seen


def test_I13_control_a_check_left_out_is_noticed() -> None:
    """Without any one of the translated checks the engine answers otherwise than CEL does, soon."""
    unnoticed = {check for check, said in TABLE.items() if said.translated}
    assert len(unnoticed) > 15
    for trader, facts, order, expected in _asked(Random(6), Cel, 6_000):
        for check in sorted(unnoticed):
            if trader.would_answer(without(trader.engine, check), facts, order) != expected:
                unnoticed.discard(check)
        trader.answer(facts, order)
        if not unnoticed:
            return
    pytest.fail(f"nobody noticed that these were gone: {sorted(unnoticed)}")


@pytest.mark.parametrize("make", [Cedar, Cel])
def test_I13_control_an_injected_bug_is_noticed(make: type[Oracle], monkeypatch: pytest.MonkeyPatch) -> None:
    """A cap that denies what is exactly at it, by `<` where `<=` belongs, disagrees within the P figure."""
    right = OrderNotional.reasons

    def wrong(self: OrderNotional, case: Case) -> object:
        if case.notional is not None:
            case.notional += worlds.LEAST
        return right(self, case)

    monkeypatch.setattr(OrderNotional, "reasons", wrong)
    with pytest.raises(AssertionError, match="RISK_ORDER_NOTIONAL"):
        for trader, facts, order, expected in _asked(Random(5), make, 3_000):
            assert trader.answer(facts, order) == expected


def test_beyond_the_grid_nothing_is_asked() -> None:
    """Cedar passes over a `forbid` whose arithmetic fails, so numbers that could make it fail are refused before."""
    engine = compiled(worlds.policy(Random(1)))
    trader = Trader(Random(1), engine)
    order = Order("BTC/USDT", "buy", "limit", worlds.TOO_MANY, worlds.TOO_MANY)
    with pytest.raises(ValueError, match="beyond the grid"):
        question(trader.facts(), order, NOW, trader.used)
    asked = question(trader.facts(), replace_quantity(order), NOW, trader.used) | {"quantity": 2**62}
    with pytest.raises(ValueError, match="overflow"):
        Cedar(engine.effective).denies(asked)


def replace_quantity(order: Order) -> Order:
    """Return the order with numbers on the grid."""
    return Order(order.symbol, order.side, order.type, worlds.LEAST, worlds.LEAST * 1000)


def test_the_table_names_every_check_and_what_is_translated() -> None:
    """A new check needs a row: translated (policykit/proofs/export), or the reason why it cannot be."""
    assert {check.id for check in all_checks()} == set(TABLE), "add the check to policykit/proofs/export/table.py"
    everything = [compiled(worlds.policy(Random(seed))).effective.model for seed in range(30)]
    named = {
        key[0].split(".")[0] if key[0].startswith("rate_budgets") else key[0]
        for model in everything
        for part in conditions(model, CEL)
        for key in part
    }
    assert named == {check for check, said in TABLE.items() if said.translated}
