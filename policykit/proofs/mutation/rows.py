"""Boundary cases as tests of a policy: rows of orders by a clock, in the words of a test file.

What a decision alone shows (boundary.py) is written down step by step; what counts over time is counted by orders that
are really sent: the last that a window lets through, the next one, and the first after it moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from policykit.model import CountWindow, RateBudget
from policykit.policy import PAPER
from policykit.policy.show import flow, scalar
from policykit.proofs.mutation.boundary import edges
from policykit.proofs.mutation.counts import WINDOWS, budget_counter, budget_shares, leaving
from policykit.proofs.mutation.world import EQUITY, Case, Data, Step, World
from policykit.proofs.suite.form import DEFAULT_NOW, MAX_STEPS
from policykit.units import Duration

#: One test of a test file, as data.
Test = dict[str, Any]
#: What facts are that a step does not say any more.
_CALM: Final[dict[str, Any]] = {
    "skew_ms": 0,
    "halts": [],
    "streak": 0,
    "partials": {},
    "drift": [],
    "positions": {},
}
_AFTER_BREACH: Final = {
    "reduce_only": "TRADING_REDUCING",
    "cancel_open": "TRADING_HALTED",
    "halt": "TRADING_HALTED",
}
#: A rolling window forgets in slices: it may be so much longer, ms.
_SLICE_MS: Final = 1_000
#: The heaviest call that fills a budget, and the most orders of one step.
_HEAVY: Final = 100
_AT_ONCE: Final = 1_000
_CREATES: Final = "order.create"
#: When tests begin that do not say it, ms.
_NOW_MS: Final = int(datetime.fromisoformat(DEFAULT_NOW).timestamp()) * 1_000


def tests(world: World) -> Iterator[Test]:
    """Yield a test for each limit of a policy."""
    if world.key:
        order = dict(world.order())
        refused = not world.effective.account_key.endswith(PAPER) and any(
            reason.code == "KEY_PURPOSE" for reason in world.decide(Step(order, {})).reasons
        )
        expect = {"expect": {"deny": {"includes": "KEY_PURPOSE"}}} if refused else {}
        yield {"name": signed(world.key), "steps": [{"order": order, **expect}]}
    for case in edges(world):
        yield _test(world, case)
    yield from _days(world)
    yield from _windows(world)
    yield from _budgets(world)


def signed(key: str) -> str:
    """Name the test that notices that no bot can start with a key any more: its file names the key."""
    return f"Orders are signed with {key} (its file says `key: {key}`)"


def base(world: World) -> dict[str, Any]:
    """Return what is known in every test: only what is not taken for granted."""
    facts = world.facts()
    names = ("equity", "marks", "quotes", "contract_sizes", "contracts")
    return {name: facts[name] for name in names if name in facts}


# ---- one decision after another


def _test(world: World, case: Case) -> Test:
    said: dict[str, Any] = {}
    calm = {**_CALM, "net_transfers": world.money(Decimal(0)), "positions_as_of": "0s", **world.facts()}
    steps = []
    for step in case.steps:
        given: dict[str, Any] = {}
        for name in dict.fromkeys((*said, *step.facts)):
            value = step.facts.get(name, calm.get(name))
            if said.get(name, calm.get(name)) != value:
                given[name] = said[name] = value
        out: dict[str, Any] = {"given": _changed(given, calm)} if given else {}
        out["order"] = dict(step.order)
        if step.deny:
            out["expect"] = {"deny": _codes(world, step)}
        elif step.order.get("action", _CREATES) == _CREATES:
            out["then"] = "cancelled"
        steps.append(out)
        if step.on_breach in _AFTER_BREACH and case.path.startswith("risk."):
            steps.append(_stays(step, said, calm))
    return {"name": case.says, "steps": steps}


def _stays(step: Any, said: dict[str, Any], calm: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows a breach that latches: the cause is gone, and trading is not what it was."""
    given = {name: calm[name] for name in said if name in calm and said[name] != calm[name]}
    said.update(given)
    return {"given": given, "order": dict(step.order), "expect": {"deny": _AFTER_BREACH[step.on_breach]}}


def _changed(given: dict[str, Any], calm: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of what is said by name (marks, contracts) all that stays as it is."""
    out = {}
    for name, value in given.items():
        before = calm.get(name)
        out[name] = value
        if isinstance(value, Mapping) and isinstance(before, Mapping) and "as_of" not in value:
            out[name] = {key: each for key, each in value.items() if before.get(key) != each} or dict(value)
    return out


def _codes(world: World, step: Any) -> Any:
    """Return the code that a step must be denied with; `includes` where others come with it."""
    others = {reason.code for reason in world.decide(step).reasons} - {step.deny}
    return {"includes": step.deny} if others else step.deny


# ---- days


def _days(world: World) -> Iterator[Test]:
    """Yield what the start of a day makes: until then the loss counts from the last one, and from then on anew."""
    risk = world.policy.risk
    limit = risk.daily_loss if risk is not None else None
    if limit is None:
        return
    hour, minute = int(limit.day_starts[:2]), limit.day_starts[3:5]
    now = f"2026-01-05T{(hour + 12) % 24:02}:{minute}:00Z"
    order = dict(world.order(notional=world.small(world.symbol) / 2))
    calm, lost = ({"equity": world.money(EQUITY - loss)} for loss in (Decimal(0), world.least(limit.limit)))
    first = {"given": calm, "order": order, "then": "cancelled"}
    late = {"after": "43199999ms", "given": lost, "order": order, "expect": {"deny": "DAILY_LOSS"}}
    anew = {"after": "12h", "given": lost, "order": order, "then": "cancelled"}
    yield {"name": f"A day lasts until {limit.day_starts}", "now": now, "steps": [first, late]}
    yield {"name": f"At {limit.day_starts} the loss begins anew", "now": now, "steps": [first, anew]}


# ---- windows


def _windows(world: World) -> Iterator[Test]:
    risk = world.policy.risk
    small = world.order(notional=world.small(world.symbol) / 20)
    for field, (code, action) in WINDOWS.items():
        window = getattr(risk, field) if risk is not None else None
        if window is None:
            continue
        if world.shadowed(field):
            yield _shadowed(world, small, field)
            continue
        messages = field == "max_messages"
        steps = _messages(world, small, window) if messages else _row(world, small, window, code, action)
        word = ((risk.on_breach if risk is not None else None) or {}).get(field, "")  # type: ignore[call-overload]
        name = field.removeprefix("max_").replace("_", " ").capitalize()
        if word in _AFTER_BREACH:
            *sent, _, early, _ = steps
            later = {"after": str(window.per), "order": dict(small), "expect": {"deny": _AFTER_BREACH[word]}}
            says = f"{name}: one more than {window.limit} in {window.per}, and then {word}"
            yield {"name": says, "steps": [*sent, early, later]}
            passes = {"after": f"{window.per.ms + _SLICE_MS // 2}ms", "order": dict(small), "then": "cancelled"}
            steps = [*sent, passes]
        yield {"name": f"{name}: {window.limit} in {window.per}, and no more", "steps": steps}
    reconnect = world.policy.retry.reconnect if world.policy.retry is not None else None
    if reconnect is not None and reconnect.max_per is not None:
        window, connect = reconnect.max_per, {"action": "stream.connect"}
        steps = _row(world, connect, window, "RATE_CONNECTS", "stream.connect")
        yield {"name": f"Streams connect {window.limit} times in {window.per}, and no more", "steps": steps}
    yield from _reentries(world, small)
    yield from _open_orders(world, small)


def _reentries(world: World, small: Data) -> Iterator[Test]:
    risk = world.policy.risk
    partial = risk.partial_fills if risk is not None else None
    if partial is None or not partial.max_reentries:
        return
    most = partial.max_reentries
    steps = [
        {"order": dict(small), "times": most, "then": "cancelled"},
        {"order": dict(small), "expect": {"deny": "PARTIAL_REENTRIES"}},
    ]
    says = f"At most {most} entries in an hour after one that filled in part"
    yield {"name": says, "given": {"partials": {world.symbol: {"as_of": "30m"}}}, "steps": steps}


def _row(world: World, order: Data, window: CountWindow, code: str, action: str) -> list[dict[str, Any]]:
    gone = {"then": "cancelled"} if action == _CREATES else {}
    steps, elapsed_ms = _sent(world, {"order": dict(order), **gone}, window.limit)
    order = _elsewhere(world, order, steps) if code == "RATE_ORDERS" else order
    denied = {"order": dict(order), "expect": {"deny": code}}
    early, late = str(Duration(window.per.ms - elapsed_ms - 1)), str(Duration(_SLICE_MS // 2))
    return [*steps, denied, {"after": early, **denied}, {"after": late, "order": dict(order), **gone}]


def _sent(world: World, step: dict[str, Any], times: int) -> tuple[list[dict[str, Any]], int]:
    """Return steps that send so many, no faster than the budgets let them, and how long that takes (ms)."""
    used, most, wait_ms = world.claims(step["order"]), times, 0
    for name, budget in (world.policy.rate_budgets or {}).items():
        cost = used.get(budget_counter(world, name, budget), 0)
        if cost and budget_shares(budget)[0] // cost < most:
            most, wait_ms = budget_shares(budget)[0] // cost, budget.per.ms + _SLICE_MS
    most = min(most, _alone(world, step["order"]))
    steps: list[dict[str, Any]] = []
    elapsed_ms = 0
    for left in range(times, 0, -most):
        order = _elsewhere(world, step["order"], steps) if not wait_ms else step["order"]
        steps.append({**step, "order": dict(order), "times": min(left, most)})
        if wait_ms:
            steps.append({"after": str(Duration(wait_ms))})
            elapsed_ms += wait_ms
    return steps, elapsed_ms


def _alone(world: World, order: Data) -> int:
    """Return how many orders of one symbol and side the policy lets through at once."""
    risk = world.policy.risk
    if risk is None or "side" not in order:
        return _AT_ONCE
    windows = [risk.max_orders_per_symbol, risk.repeated_execution]
    return min((window.limit for window in windows if window is not None), default=_AT_ONCE)


def _elsewhere(world: World, order: Data, steps: Sequence[Mapping[str, Any]]) -> Data:
    """Return the order, in a symbol of which as many as may be were not sent yet."""
    full = {step["order"]["symbol"] for step in steps if step.get("times", 1) >= _alone(world, order)}
    symbol = next((one for one in world.symbols if one not in full), world.symbol)
    return order if symbol == order.get("symbol") or not full else world.order(symbol, world.small(symbol) / 20)


def _shadowed(world: World, order: Data, field: str) -> Test:
    """Return what shows that a window is never full: all that the one on all orders lets through, twice."""
    risk = world.policy.risk
    assert risk is not None
    assert risk.max_orders is not None
    most = {"order": dict(order), "times": risk.max_orders.limit, "then": "cancelled"}
    again = {"after": f"{risk.max_orders.per.ms + _SLICE_MS // 2}ms", **most}
    return {"name": f"{field} is never met: max_orders is", "steps": [most, again]}


def _messages(world: World, order: Data, window: CountWindow) -> list[dict[str, Any]]:
    """Return a row of cancels, which count and always pass, and of orders; cancels may use up a budget as well."""
    cancel = {"action": "order.cancel", "symbol": world.symbol}
    used = world.claims(cancel)
    budgets = world.policy.rate_budgets or {}
    each = {name: used.get(budget_counter(world, name, budget), 0) for name, budget in budgets.items()}
    most = window.limit - 1
    crowded = any(most * cost >= budget_shares(budgets[name])[0] for name, cost in each.items())
    denied = {"order": order, "expect": {"deny": {"includes": "RATE_MESSAGES"} if crowded else "RATE_MESSAGES"}}
    last = {"order": order, "expect": {"deny": "RATE_BUDGET"}} if crowded else {"order": order, "then": "cancelled"}
    extra = [{"order": cancel}] if crowded else []
    again = {"after": f"{_SLICE_MS // 2}ms", "order": order, "then": "cancelled"}
    return [
        {"order": cancel, "times": most},
        last,
        *extra,
        denied,
        {"after": f"{window.per.ms - 1}ms", **denied},
        again,
    ]


def _open_orders(world: World, small: Data) -> Iterator[Test]:
    risk = world.policy.risk
    pace = risk.max_orders if risk is not None else None
    for field, what in (("max_open_orders", "orders"), ("max_open_orders_per_symbol", "orders of one symbol")):
        most = getattr(risk, field) if risk is not None else None
        if most is None:
            continue
        steps: list[dict[str, Any]] = []
        at_once = most if pace is None else min(most, pace.limit)
        after = {"after": f"{pace.per.ms + _SLICE_MS}ms"} if pace is not None else {}
        for left in range(most, 0, -at_once):
            sent, _ = _sent(world, {"order": dict(small)}, min(left, at_once))  # of other symbols where these are full
            steps += [{**after, **sent[0]} if steps else sent[0], *sent[1:]]
        small = dict(_elsewhere(world, small, steps))
        steps += [
            {**after, "order": dict(small), "expect": {"deny": "RISK_OPEN_ORDERS"}},
            {"cancelled": "last"},
            {"order": dict(small)},
        ]
        yield {"name": f"At most {most} {what} are out", "steps": steps}


# ---- budgets


def _budgets(world: World) -> Iterator[Test]:
    for name, budget in (world.policy.rate_budgets or {}).items():
        yield from _listed(world, name, budget)
        entries, exits = budget_shares(budget)
        says = f"{name}: entries and reads may use {entries} in {budget.per}, exits {exits}"
        held = {"positions": {world.kept(world.symbol): world.order()["quantity"]}}
        filled = _Budget(world, name, budget)
        for more, steps in (("", filled.row()), (", of which others used most", filled.said())):
            if 0 < len(steps) <= MAX_STEPS:
                yield {"name": says + more, "given": held, "steps": steps}


def _listed(world: World, name: str, budget: RateBudget) -> Iterator[Test]:
    """Yield a test of what each call costs that the policy says a cost of: that much is left, and then nothing."""
    for call, cost in (budget.costs or {}).items():
        filler, read = _Budget(world, name, budget), {"action": "data.read", "type": call}
        if not filler.calls:
            continue
        least = {"action": "data.read", "type": filler.calls[-1][1]}
        left = budget_shares(budget)[0] - cost
        steps = [*filler.fill(left), {"order": read}]
        if len(steps) >= MAX_STEPS:
            steps = [{"given": filler.others_used(left), "order": read}]
        steps.append({"order": least, "expect": {"deny": "RATE_BUDGET"}})
        yield {"name": f"{name}: {call} costs {cost}", "steps": steps}


class _Budget:
    """One budget, filled by calls that it lists, up to what entries may use, and then to what exits may."""

    def __init__(self, world: World, name: str, budget: RateBudget) -> None:
        self.world = world
        self.budget = budget
        self.counter = budget_counter(world, name, budget)
        self.entry = dict(world.order(notional=world.small(world.symbol) / 20))
        self.exit = dict(leaving(world)) | {"quantity": self.entry["quantity"]}
        self.cancel = {"action": "order.cancel", "symbol": world.symbol}
        self.others = {n: b for n, b in (world.policy.rate_budgets or {}).items() if n != name}
        traits = world.engine.setup.traits
        listed = {**(traits.costs.get(name, {}) if traits is not None else {}), **(budget.costs or {})}
        calls = [(cost, call) for call, cost in listed.items() if 0 < cost <= _HEAVY and call.count(" ") == 1]
        create = self.product_call()
        root = create.split("/")[1] if create else ""
        near = [each for each in calls if each[1].split("/")[1] == root]
        calls = near or calls
        #: Calls that count here, the heaviest first, reads before others.
        self.calls = sorted(calls, key=lambda each: (-each[0], not each[1].startswith("GET"), each[1]))
        self.elapsed_ms = 0
        self.sent = 0

    def probe(self) -> tuple[Data, int]:
        """Return what an entry or a read takes of the budget; 0 where nothing of a test is counted."""
        cost = self.costs(self.entry)
        if cost or not self.calls:
            return self.entry, cost
        return {"action": "data.read", "type": self.calls[-1][1]}, self.calls[-1][0]

    def row(self) -> list[dict[str, Any]]:
        """Return calls that fill the budget, and what follows; none where no call of a test is counted."""
        entries, exits = budget_shares(self.budget)
        probe, cost = self.probe()
        if not cost or not self.calls:
            return []
        out = [*self.fill(entries - cost), self.asked(probe), self.asked(probe, full=True)]
        connects = self.costs({"action": "stream.connect"})
        out.append({"order": {"action": "stream.connect"}, **({"expect": {"deny": "RATE_BUDGET"}} if connects else {})})
        each = self.costs(self.exit)
        if each:
            out += self.leave(exits - entries - each)
            out += [self.went(self.exit), {"order": self.exit, "expect": {"deny": "RATE_BUDGET"}}]
        left, fixed = self.budget.per.ms - self.elapsed_ms, self.budget.window == "fixed"
        out.append({"after": f"{left - 1}ms", **self.asked(probe, full=True)})
        out.append({"after": "1ms" if fixed else f"{_SLICE_MS // 2}ms", **self.asked(probe)})
        return out

    def said(self) -> list[dict[str, Any]]:
        """Return what follows where others used nearly all: no row of a test can fill a budget of a day."""
        entries, exits = budget_shares(self.budget)
        probe, cost = self.probe()
        if not cost:
            return []
        self.sent = self.elapsed_ms = 0
        out = [{"given": self.others_used(entries - cost), **self.asked(probe)}, self.asked(probe, full=True)]
        each = self.costs(self.exit)
        if each:
            out.append({"given": self.others_used(exits - each), **self.went(self.exit)})
            out.append({"order": self.exit, "expect": {"deny": "RATE_BUDGET"}})
        fixed = self.budget.window == "fixed"
        left = self.budget.per.ms - (_NOW_MS % self.budget.per.ms if fixed else 0)
        out.append({"after": f"{left - 1}ms", **self.asked(probe, full=True)})
        out.append({"after": "1ms" if fixed else f"{_SLICE_MS // 2}ms", **self.asked(probe)})
        return out

    def others_used(self, units: int) -> dict[str, Any]:
        """Return the fact that so much of this budget is used."""
        return {"used": {self.counter: units}}

    def product_call(self) -> str:
        """Return the call that sends an order: others of the same service are what a bot reads."""
        product = self.world.engine.setup.product(self.world.symbol)
        return "" if product is None else product.calls.get(_CREATES, "")

    def costs(self, order: Data) -> int:
        """Return what an order, a cancel or a call takes of this budget."""
        return self.world.claims(order).get(self.counter, 0)

    def fill(self, units: int) -> Iterator[dict[str, Any]]:
        """Yield calls that use exactly so many; where another budget counts them too, as fast as that one lets."""
        heavy, one = self.calls[0], next((each for each in self.calls if each[0] == 1), self.calls[-1])
        parts = [(units // heavy[0], heavy[1]), (units % heavy[0] // one[0], one[1])]
        paced = {call: self.pace({"action": "data.read", "type": call}) for _, call in parts}
        waits_ms = sum(-(-times // paced[call][0]) * paced[call][1] for times, call in parts if times > paced[call][0])
        # In the middle of a fixed window, so that one that rolls forgets later, or the other way round.
        start_ms = max(0, min(self.budget.per.ms // 2, self.budget.per.ms - waits_ms - 2 * _SLICE_MS))
        if self.budget.window == "fixed":
            self.elapsed_ms = start_ms
        yield {"after": str(Duration(start_ms or 1))}
        for times, call in parts:
            most, wait_ms = paced[call]
            left = times
            while left:
                times_said = {} if min(left, most) == 1 else {"times": min(left, most)}
                yield {"order": {"action": "data.read", "type": call}, **times_said}
                left -= min(left, most)
                if times > most:
                    self.elapsed_ms += wait_ms
                    yield {"after": str(Duration(wait_ms))}

    def pace(self, order: Data, *, exits: bool = False) -> tuple[int, int]:
        """Return how many of these the other budgets let through at once, and how long until as many again."""
        most, wait_ms = _AT_ONCE, 0
        for name, other in self.others.items():
            cost = self.world.claims(order).get(budget_counter(self.world, name, other), 0)
            least = budget_shares(other)[exits] // cost if cost else most
            if least < most and other.per.ms < self.budget.per.ms:
                most, wait_ms = least, other.per.ms + _SLICE_MS
        return most, wait_ms

    def leave(self, units: int) -> Iterator[dict[str, Any]]:
        """Yield what uses the reserve of exits: cancels, which always pass, else exits."""
        cancels = self.costs(self.cancel) == 1
        order, each = (self.cancel, 1) if cancels else (self.exit, self.costs(self.exit))
        left = units // each
        most, wait_ms = self.pace(order, exits=True)
        paced = left > most
        while left > 0:
            times = min(left, most)
            left -= times
            self.sent += 0 if cancels else times
            yield {
                "order": order,
                **({} if cancels else {"then": "cancelled"}),
                **({"times": times} if times > 1 else {}),
            }
            if paced and wait_ms:
                self.elapsed_ms += wait_ms
                yield {"after": str(Duration(wait_ms))}

    def went(self, order: Data) -> dict[str, Any]:
        self.sent += 1
        return {"order": order, "then": "cancelled"}

    def asked(self, probe: Data, *, full: bool = False) -> dict[str, Any]:
        """Return what becomes of an order here; more orders than their own window lets through are denied by that."""
        risk = self.world.policy.risk
        places = "side" in probe
        pace = risk.max_orders if risk is not None and places else None
        crowded = pace is not None and self.sent >= pace.limit
        if full:
            return {"order": probe, "expect": {"deny": {"includes": "RATE_BUDGET"} if crowded else "RATE_BUDGET"}}
        if crowded:
            return {"order": probe, "expect": {"deny": "RATE_ORDERS"}}
        return self.went(probe) if places else {"order": probe}


# ---- as text


def text(tests: Sequence[Test], given: Mapping[str, Any], head: str, added: str = "") -> str:
    """Write a test file; `given` holds for all tests."""
    out = [head.rstrip(), "policykit_test: 1", *([added.rstrip()] if added else []), ""]
    out += ["given:", *(f"  {name}: {flow(value)}" for name, value in given.items()), ""] if given else []
    out += ["tests:", *(f"  {line}" for test in tests for line in lines(test))]
    return "\n".join(out) + "\n"


def lines(test: Test) -> Iterator[str]:
    """Write one test as it stands in a list of them."""
    yield f"- name: {scalar(test['name'])}"
    yield from (f"  {name}: {flow(test[name])}" for name in ("now", "given") if name in test)
    yield "  steps:"
    yield from (f"    - {flow(step)}" for step in test["steps"])
