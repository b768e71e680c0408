"""Boundary cases of what is counted over time: the last that a window or a budget lets through, and the next one.

What was used before is said by the names that counters are kept by; rows.py makes it of orders that are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any, Final

from policykit.model import CountWindow, RateBudget
from policykit.proofs.mutation.world import EQUITY, Case, Data, Step, World

#: Fields that count in a window, and the codes that they deny with; `what` is one of what is counted.
WINDOWS: Final = {
    "max_orders": ("RATE_ORDERS", "order.create"),
    "max_orders_per_symbol": ("RATE_ORDERS", "order.create"),
    "max_messages": ("RATE_MESSAGES", "order.create"),
    "repeated_execution": ("RATE_REPEATED", "order.create"),
    "max_amends": ("RATE_AMENDS", "order.amend"),
}


def leaving(world: World) -> dict[str, Any]:
    """Return an order that only reduces what the calm order built."""
    flag = {"reduce_only": True} if world.contract(world.symbol) else {}
    return {**world.order(), "side": "sell", **flag}


def _counts(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    said = risk.on_breach if risk is not None else None
    for field, (code, action) in WINDOWS.items():
        window = getattr(risk, field) if risk is not None else None
        if window is not None:
            order = _sent(world, action)
            word = (said or {}).get(field, "")  # type: ignore[call-overload]
            yield from _window(world, f"risk.{field}", window, order, code, word)
    for field, what in (("max_open_orders", "orders"), ("max_open_orders_per_symbol", "orders in one symbol")):
        most = getattr(risk, field) if risk is not None else None
        if most is not None:
            yield _used(
                world, f"risk.{field}", f"At most {most} {what} are out", world.order(), most, "RISK_OPEN_ORDERS"
            )


def _sent(world: World, action: str) -> Data:
    order = world.order()
    return order if action == "order.create" else {**order, "action": action, "amends": order}


def _window(world: World, path: str, window: CountWindow, order: Data, code: str, word: str = "") -> Iterator[Case]:
    name = path.rpartition(".")[2].removeprefix("max_").replace("_", " ")
    says = f"{name.capitalize()}: {window.limit} in {window.per}, and no more"
    yield _used(world, path, says, order, window.limit, code, word)


def _used(world: World, path: str, says: str, order: Data, most: int, code: str, word: str = "") -> Case:
    """Return the last order that a count lets through, and the next one."""
    held = world.counter(path, order)
    assert held is not None, path
    steps = (Step(order, {"used": {held[0]: most - 1}}), Step(order, {"used": {held[0]: most}}, code, word))
    return Case(path, says, steps)


def _connects(world: World) -> Iterator[Case]:
    reconnect = world.policy.retry.reconnect if world.policy.retry is not None else None
    if reconnect is not None and reconnect.max_per is not None:
        connect = {"action": "stream.connect"}
        yield from _window(world, "retry.reconnect.max_per", reconnect.max_per, connect, "RATE_CONNECTS")


def _budgets(world: World) -> Iterator[Case]:
    for name, budget in (world.policy.rate_budgets or {}).items():
        entries, exits = budget_shares(budget)
        counter = budget_counter(world, name, budget)
        calls = [(order, cost, entries) for order, cost in _costs(world, counter, budget)]
        sell = leaving(world)
        cost = _cost(world, counter, sell)
        if cost:
            calls.append((sell, cost, exits))
        steps = []
        held = {"positions": {world.kept(world.symbol): sell["quantity"]}}
        for order, cost, most in calls:
            facts = held if order is sell else {}
            steps.append(Step(order, {**facts, "used": {counter: most - cost}}))
            if cost:
                steps.append(Step(order, {**facts, "used": {counter: most - cost + 1}}, "RATE_BUDGET"))
        if steps:
            says = f"{name}: entries and reads may use {entries} in {budget.per}, exits {exits}"
            yield Case(f"rate_budgets.{name}", says, tuple(steps))


def budget_shares(budget: RateBudget) -> tuple[int, int]:
    """Return what entries and what exits may use of one window, rounded against them."""
    limit = Decimal(budget.limit)
    used = limit if budget.use_at_most is None else limit * budget.use_at_most.fraction
    kept = Decimal(0) if budget.keep_for_exits is None else limit * budget.keep_for_exits.fraction
    exits = int(used.to_integral_value(ROUND_FLOOR))
    return max(0, exits - int(kept.to_integral_value(ROUND_CEILING))), exits


def budget_counter(world: World, name: str, budget: RateBudget) -> str:
    """Name what a budget is counted in, as the store does."""
    of_account = world.engine.setup.account
    where = {
        "ip": f"{world.policy.exchange}@{world.engine.setup.egress}",
        "account": of_account,
        "key": f"{of_account}/{world.key}" if world.key else of_account,
    }[budget.shared_by]
    return f"{where}|{name}|{budget.per.ms}|{budget.window}"


def _costs(world: World, counter: str, budget: RateBudget) -> Iterator[tuple[Data, int]]:
    """Yield what can be sent that a budget counts: an order, and each call that it says a cost of."""
    order = world.order()
    cost = _cost(world, counter, order)
    if cost:
        yield order, cost
    for call, listed in (budget.costs or {}).items():
        yield {"action": "data.read", "type": call}, listed


def _cost(world: World, counter: str, order: Data) -> int:
    """Return what an order takes of a counter: the traits of the exchange say it, and no policy."""
    return world.claims(order).get(counter, 0)


def _day_roll(world: World) -> Iterator[Case]:
    """Yield the last millisecond of a day, and the first of the next, whose base was not taken yet."""
    risk = world.policy.risk
    if risk is None or risk.daily_loss is None:
        return
    base, order = {"value": world.money(EQUITY)}, world.order()
    last, following = ({"day_base": {**base, "as_of": age}} for age in ("86399999ms", "1d"))
    steps = (Step(order, last), Step(order, following, "DAY_BASE_MISSING"))
    yield Case("risk.daily_loss", "A day has 24 hours", steps)


def _reentries(world: World) -> Iterator[Case]:
    risk = world.policy.risk
    partial = risk.partial_fills if risk is not None else None
    if partial is not None and partial.max_reentries:
        most, symbol, order = partial.max_reentries, world.symbol, world.order()
        counter = f"{world.policy.exchange}/{world.policy.account.name}|reentries|{symbol}"
        facts, path = {"partials": {symbol: {"as_of": "30m"}}}, "risk.partial_fills.max_reentries"
        last = Step(order, {**facts, "used": {counter: most - 1}})
        over = Step(order, {**facts, "used": {counter: most}}, "PARTIAL_REENTRIES")
        yield Case(path, f"At most {most} entries in an hour after one that filled in part", (last, over))


#: What is counted over time.
COUNTS: Final[tuple[Callable[[World], Iterator[Case]], ...]] = (_counts, _connects, _budgets, _reentries, _day_roll)
