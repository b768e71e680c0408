"""What a policy polls eats its rate budget.

## What it finds
Cadences that together weigh more than half of what a budget leaves for entries and reads: facts at a third of
`account.max_age`, `reconciliation`, the dead man's switch, and one look-up of an unknown order by each of
`account.bots`. Facts are read once for all bots that share a store, and by each bot where `store.share` is `process`.
Weights are the traits' of the exchange.

## Why
Open orders of a whole account weigh 80 on Binance: read every ten seconds by each of five bots they eat the allowance,
and the orders get the 429 (G22, PITFALLS 26).

## Bad
```yaml
reconciliation: {on_start: required, orders_every: 2s, positions_every: 1m}
```
```finding
open certain policy.yaml:1:52 polling weighs 2,834 of the 4,200 per 1m that `request-weight` leaves for entries and
  reads: reconciliation.orders_every 2,400, account.max_age 414 and reconciliation.positions_every 20
```
```yaml
account: {name: main, currency: USDT, max_age: 3s, bots: 5}
store: {share: process}
```
```finding
open certain policy.yaml:1:48 polling weighs 6,900 of the 4,200 per 1m that `request-weight` leaves for entries and
  reads: account.max_age 6,900
```

## Good
```yaml
account: {name: main, currency: USDT, max_age: 3s, bots: 5}
store: {share: host}
retry:
  orders: {lookup_every: 2s, when_absent: hold}
dead_man_switch: {timeout: 60s, refresh: 15s}
reconciliation: {on_start: required, orders_every: 60s, positions_every: 60s}
```
```yaml
exchange: kraken
reconciliation: {on_start: required, orders_every: 100ms}
```

## Source
GUIDE.md G22, G25; PITFALLS.md 26; ccxt 4.5.90 (weights of calls).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.budgets import products, wanted
from policykit.traits.base import Exchange, cost
from policykit.units import Duration

RULE = Rule(
    "PK408",
    "polling-budget",
    "medium",
    ("G22", "G25"),
    "reads that eat the allowance leave the 429 to the orders (G25)",
)

#: What polling may take of what entries and reads have, percent.
MAX_PERCENT = 50
#: The guard reads facts so many times within `account.max_age`, and at least this often (ms).
ROUNDS_IN_MAX_AGE = 3
LONGEST_ROUND_MS = 5_000
#: What lists the open orders of the whole account.
_WHOLE = "reconciliation.orders_every"
#: What one round of the guard asks.
_ROUND = ("time", "account", "prices")


class Poll(NamedTuple):
    """One cadence: the field that says it, the calls that it makes, how often (ms), and how many ask."""

    path: str
    calls: tuple[str, ...]
    every_ms: float
    askers: int


def check(inputs: Inputs) -> Iterator[Finding]:
    """Add up what each cadence weighs in the window of each budget."""
    traits = inputs.traits
    if traits is None:
        return
    polls = tuple(_polls(inputs))
    for name, budget in (inputs.model.rate_budgets or {}).items():
        weights = [(_weight(inputs, traits, name, poll) * budget.per.ms / poll.every_ms, poll) for poll in polls]
        total, room = round(sum(w for w, _ in weights)), budget.for_entries
        if not total or total * 100 <= room * MAX_PERCENT:
            continue
        weights.sort(key=lambda row: -row[0])
        parts = words(f"{poll.path} {round(weight):,}" for weight, poll in weights if round(weight))
        yield RULE.finding(
            inputs.place(weights[0][1].path),
            f"polling weighs {total:,} of the {room:,} per {budget.per} that `{name}` leaves for entries and reads: "
            f"{parts}",
            label=f"{round(weights[0][0]):,} per {budget.per}",
            next_step="poll less often, or let bots share a store (`store: {share: host}`): one of them polls for all",
        )


def _polls(inputs: Inputs) -> Iterator[Poll]:
    model = inputs.model
    bots = model.account.bots or 1
    pollers = bots if model.store is not None and model.store.share == "process" else 1
    max_age = model.account.max_age
    if max_age is not None and max_age.ms:
        yield Poll("account.max_age", _ROUND, min(max_age.ms / ROUNDS_IN_MAX_AGE, LONGEST_ROUND_MS), pollers)
    checks, switch = model.reconciliation, model.dead_man_switch
    orders = model.retry.orders if model.retry else None
    cadences: tuple[tuple[str, str, Duration | None, int], ...] = (
        ("reconciliation.orders_every", "orders", checks.orders_every if checks else None, pollers),
        ("reconciliation.positions_every", "account", checks.positions_every if checks else None, pollers),
        ("dead_man_switch.refresh", "dead_man", switch.refresh if switch else None, pollers),
        ("retry.orders.lookup_every", "order", orders.lookup_every if orders else None, bots),
    )
    for path, call, every, askers in cadences:
        if every is not None and every.ms:
            yield Poll(path, (call,), every.ms, askers)


def _weight(inputs: Inputs, traits: Exchange, budget: str, poll: Poll) -> int:
    """Return what one turn costs for everybody who asks; of products that the traits do not know nothing."""
    known = [traits.products[p].polls for p in products(inputs) if p in traits.products]
    whole = poll.path == _WHOLE
    return poll.askers * sum(_cost(inputs, traits, budget, of[c], whole) for of in known for c in poll.calls if c in of)


def _cost(inputs: Inputs, traits: Exchange, budget: str, call: str, whole: bool) -> int:
    """Return what a call costs: for each symbol or once for all, whichever is less; one without symbols costs once.

    `whole`: for all, since orders from elsewhere may be on any symbol.
    """
    symbols = wanted(inputs)
    one, every = cost(traits, budget, call), cost(traits, budget, call, "all")
    if whole:
        return every
    by_symbol = bool(symbols) and not any("*" in s for s in symbols)
    return min(one * len(symbols), every) if by_symbol else every
