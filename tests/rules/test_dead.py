"""I22: what lint calls dead never binds. Without it the engine decides every order the same, whatever came before."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.decision import Hold
from policykit.engine import Engine, compile_policy
from policykit.engine.facts import Fact, Facts
from policykit.order import Order
from policykit.policy import EffectivePolicy, load_text
from policykit.rules import Inputs, find
from policykit.rules import dead as dead_module
from policykit.rules import pk612_cap_of_no_symbol as no_symbol
from policykit.rules import pk613_entry_shadowed as shadowed
from policykit.rules.budgets import most_in
from policykit.traits import load as load_traits
from policykit.units import exact
from tests.engine.worlds import CANONICAL, DAY, FACTS, NOW, changed
from tests.policy.documents import changed as without

BINANCE = load_traits("binance")
#: The rules that say of a limit or an entry that it changes nothing.
CODES = ("PK610", "PK612", "PK613")
EQUITY = 10_000
#: Orders that each policy is tried with, one after the other on one ledger.
ORDERS = 16
Tier = Callable[[int, int], int]


def _caps(rng: Random) -> list[str]:
    share = rng.choice(["0.5% of equity", "1% of equity", "2% of equity", "5% of equity"])
    amount = rng.choice(["60 USDT", "100 USDT", "150 USDT", "400 USDT"])
    return rng.choice([[share], [amount], [share, amount], [share, amount, "0.01 BTC"]])


def _policy(rng: Random) -> dict[str, Any]:
    """Return a policy whose limits lie close together, so that many are dead and many only nearly."""
    rates = rng.random() < 0.5  # wide caps, so that only counts and windows deny
    window = {"per": rng.choice(["500ms", "1s", "2s"]), "window": rng.choice(["fixed", "rolling"])}
    orders = {
        "limit": rng.randint(2, 4 if rates else 8),
        **window,
        "shared_by": "account",
        "use_at_most": rng.choice(["100%"] if rates else ["50%", "100%"]),
    }
    keys = rng.sample(["BTC/USDT", "ETH/USDT", "BTC/USDC", "ETH", "SOL/USDT", "BTC/USDT:USDT"], rng.randint(0, 3))
    symbols = ["BTC/USDT", "ETH/USDT", "*/USDT", "ETH/*", "!SOL*", "!ETH/BTC", "BTC/USDT", "!*/BTC"]
    changes: dict[str, Any] = {
        "account.max_equity": rng.choice([None, f"{EQUITY} USDT"]),
        "account.max_age": "10s" if rates else rng.choice(["1s", "10s"]),
        "rate_budgets": rng.choice([{}, {"orders": orders}]),
        "risk.symbols": ["*/USDT"] if rates else rng.sample(symbols, rng.randint(1, 5)),
        "risk.order_types": rng.choice([["limit", "market"], ["limit", "market", "limit"]]),
        "risk.max_order_notional": "50% of equity" if rates else _caps(rng),
        "risk.max_position_notional": {
            "default": "50% of equity" if rates else _caps(rng),
            **{key: _caps(rng) for key in (() if rates else keys)},
        },
        "risk.max_orders": {"limit": rng.randint(2, 7 if rates else 12), "per": rng.choice(["500ms", "1s", "2s"])},
        "risk.max_open_orders": 50 if rates else rng.choice([5, 50]),
        "risk.max_open_orders_per_symbol": rng.choice([None, 3, 8]),
        "risk.max_orders_per_symbol": rng.choice(
            [None, {"limit": rng.randint(2, 8), "per": rng.choice(["500ms", "1s"])}]
        ),
        "risk.price_collar": {"max_deviation": "2%", "max_age": "10s" if rates else rng.choice(["500ms", "2s", "20s"])},
        "risk.max_gross_exposure": "4% of equity" if rng.random() < 0.05 else None,
    }
    return changed(changes, CANONICAL)


class Ledger:
    """What the store holds, read plainly: sums for ever, positions by side, windows as lists."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, bool]] = Counter()
        self.sent: list[tuple[str, int, int]] = []

    def _used(self, hold: Hold, now_ms: int) -> int:
        if hold.kind != "window":
            return self.sums[hold.counter, hold.amount < 0]
        start = now_ms - now_ms % hold.span_ms if hold.fixed else now_ms - hold.span_ms + 1
        return sum(amount for counter, at_ms, amount in self.sent if counter == hold.counter and at_ms >= start)

    def fits(self, hold: Hold, now_ms: int) -> bool:
        return hold.kind == "clear" or self._used(hold, now_ms) + abs(hold.amount) <= hold.limit

    def take(self, holds: tuple[Hold, ...], now_ms: int) -> None:
        for hold in holds:
            self.sums[hold.counter, hold.amount < 0] += abs(hold.amount)
            self.sent.append((hold.counter, now_ms, abs(hold.amount)))


def _facts(rng: Random, now_ms: int) -> Facts:
    equity = rng.choice([1_000, 5_000, EQUITY])
    age_ms = rng.choice([100, 100, 100, 1_500, 3_000])
    prices = {"BTC/USDT": 60_000, "ETH/USDT": 3_000, "ETH/BTC": Decimal("0.05"), "SOL/USDT": 150}
    return replace(
        FACTS,
        equity=Fact(Decimal(equity), now_ms - 100),
        day_base=Fact(Decimal(equity), DAY),
        net_transfers=Fact(Decimal(0), now_ms - 100),
        positions={},
        positions_as_of_ms=now_ms - 100,
        marks={symbol: Fact(exact(price), now_ms - age_ms) for symbol, price in prices.items()},
    )


def _order(rng: Random, facts: Facts) -> Order:
    symbol = rng.choice(["BTC/USDT", "BTC/USDT", "ETH/USDT", "ETH/BTC", "SOL/USDT"])
    price = facts.marks[symbol].value
    worth = Decimal(rng.choice([20, 20, 59, 99, 110, 149, 390, 500]))
    quantity = worth / price if symbol != "ETH/BTC" else worth / 3_000
    at_market = rng.random() < 0.2
    kind = "market" if at_market else "limit"
    return Order(symbol, rng.choice(["buy", "buy", "sell"]), kind, round(quantity, 10), None if at_market else price)


def _allows(engine: Engine, ledger: Ledger, facts: Facts, order: Order, now_ms: int) -> tuple[bool, tuple[Hold, ...]]:
    made = engine.assess(facts, order, now_ms)
    return not made.reasons and all(ledger.fits(hold, now_ms) for hold in made.holds), made.holds


def _same(rng: Random, one: Engine, other: Engine) -> bool:
    """Tell whether two policies decide a run of random orders alike; what is allowed is held."""
    ledger, now_ms = Ledger(), NOW + rng.randint(0, 2_000)
    for _ in range(ORDERS):
        now_ms += rng.choice([0, 0, 1, 50, 200, 499])
        facts = _facts(rng, now_ms)
        order = _order(rng, facts)
        allowed, holds = _allows(one, ledger, facts, order, now_ms)
        if allowed != _allows(other, ledger, facts, order, now_ms)[0]:
            return False
        if allowed:
            ledger.take(holds, now_ms)
    return True


def _without(document: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a policy without a bound or an entry; a count goes with its window, an emptied cap goes whole."""
    steps: list[str | int] = [int(part) if part.isdigit() else part for part in path.removesuffix(".limit").split(".")]
    while len(_at(document, steps[:-1])) == 1:
        steps.pop()
    return dict(without(document, tuple(steps), ...))


def _at(document: Any, steps: list[str | int]) -> Any:
    for step in steps:
        document = document[step]
    return document


def _dead(policy: EffectivePolicy) -> Iterator[tuple[str, str]]:
    """Yield (rule, path) of everything that lint calls dead."""
    inputs = Inputs(NOW, policy=policy, traits=BINANCE)
    for code in CODES:
        entry = find(code)
        assert entry is not None
        yield from ((code, finding.primary.path) for finding in entry.check(inputs))


def _differing(cases: int, seed: int, *, first: bool = False) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Take out one dead limit after the other; return how often each rule spoke, and what was not dead."""
    rng = Random(seed)
    spoke: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    while spoke.total() < cases and not (first and wrong):
        document = _policy(rng)
        policy = load_text(json.dumps(document))
        one = compile_policy(policy, BINANCE)
        for code, path in _dead(policy):
            spoke[f"{code} {path.split('.')[1]}"] += 1
            other = compile_policy(load_text(json.dumps(_without(document, path))), BINANCE)
            if not _same(rng, one, other):
                wrong.append((code, path))
    return spoke, wrong


def test_I22_a_limit_called_dead_never_binds(tier: Tier) -> None:
    """Of 500 limits that lint calls dead, none changes a decision when it is taken out; every kind is among them."""
    spoke, wrong = _differing(tier(500, 10_000), seed=22)
    assert wrong == []
    kinds = ["max_order_notional", "max_position_notional", "max_orders", "price_collar"]
    kinds += ["max_orders_per_symbol", "max_open_orders_per_symbol"]
    expected = [
        *(f"PK610 {kind}" for kind in kinds),
        "PK612 max_position_notional",
        "PK613 symbols",
        "PK613 order_types",
    ]
    assert [kind for kind in expected if spoke[kind] < 5] == []


def _any_is_tighter(inputs: Inputs, bound: Any, cap: Any) -> tuple[Decimal, str]:
    return Decimal(1), "said to be tighter"


def _one_window(budget: Any, limit: int, span_ms: int, *, aligned: bool) -> int:
    return int(limit * -(-span_ms // budget.per.ms))


@pytest.mark.parametrize(
    ("module", "name", "slip", "seed"),
    [
        (dead_module, "_tighter", _any_is_tighter, 7),
        (dead_module, "most_in", _one_window, 9),
        (no_symbol, "_trades", lambda *_: False, 7),
        (shadowed, "_covers", lambda *_: True, 7),
    ],
    ids=["a looser cap", "one window at the edge", "a cap that is used", "an entry of its own"],
)
def test_I22_control_a_cap_wrongly_called_dead_is_noticed(
    module: Any, name: str, slip: Any, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Control: a slip in each judgement is found out by the same test."""
    monkeypatch.setattr(module, name, slip)
    assert _differing(1_500, seed=seed, first=True)[1] != []


def test_the_most_in_a_span_is_what_plain_windows_let_through() -> None:
    """The bound on a span equals the worst that greedy senders reach, over small windows of every alignment."""
    for per, span, limit in ((2, 2, 1), (2, 3, 2), (3, 2, 1), (2, 5, 1), (5, 2, 2)):
        for kind in ("fixed", "rolling"):
            text = f"{{b: {{limit: {limit}, per: {per}ms, window: {kind}, shared_by: ip}}}}"
            budgets = load_text(f"policykit: 1\nname: x\nrate_budgets: {text}").model.rate_budgets or {}
            worst = 0
            for start in range(per * 2):  # the sender starts at `start` and sends whenever it may
                sent: list[int] = []
                for now in range(start, start + 4 * (per + span)):
                    first = now - now % per if kind == "fixed" else now - per + 1
                    sent += [now] * (limit - sum(at >= first for at in sent))
                spans = range(start, start + 4 * per + 3 * span)
                worst = max(worst, *(sum(at <= one < at + span for one in sent) for at in spans))
            # Sending early in a window and late in the next is what reaches the edge case of fixed windows.
            assert most_in(budgets["b"], limit, span, aligned=False) >= worst
