"""Bots that do not share a store each use an allowance that they share.

## What it finds
Policies behind one named egress, or of one account, whose counters lie in different stores (`store.share`: each
process, each host, the fleet) and whose `use_at_most` of one budget add up to over 100 %. Bots of one policy with
`store: {share: process}` count as so many.

## Why
A budget is shared by those who share a store. Two stores know nothing of each other's requests: 80 % and 80 % of one
address are 160 % (PITFALLS, story 4).

## Bad
```yaml
account: {name: main, currency: USDT, egress: fra-1}
store: {share: fleet}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%}
```
```yaml second.yaml
name: second
account: {name: second, currency: USDT, egress: fra-1}
store: {share: host}
```
```finding
open certain policy.yaml:4:85 budget `request-weight` of egress fra-1 may be used to 160%: 2 stores count it, each for
  itself
```
```yaml
account: {name: main, currency: USDT, bots: 3}
store: {share: process}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%}
  orders: {limit: 50, per: 10s, window: fixed, shared_by: account, use_at_most: 50%}
```
```finding
open certain policy.yaml:4:85 budget `request-weight` of one address may be used to 240%: 3 stores count it, each for
  itself
open certain policy.yaml:5:81 budget `orders` of account main may be used to 150%: 3 stores count it, each for itself
```

## Good
```yaml
account: {name: main, currency: USDT, egress: fra-1, bots: 4}
```
```yaml second.yaml
name: second
account: {name: second, currency: USDT, egress: fra-1}
```
```yaml
account: {name: main, currency: USDT, egress: fra-1}
store: {share: fleet}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 50%}
```
```yaml second.yaml
name: second
account: {name: second, currency: USDT, egress: fra-1}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip, use_at_most: 50%}
```

## Source
GUIDE.md G24, G25; DESIGN.md, section 8 (address budgets are counted by exchange and egress name).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.fleet import BudgetCard, Card
from policykit.units import Percent

RULE = Rule(
    "PK409",
    "split-budget",
    "high",
    ("G24", "G25"),
    "stores that know nothing of each other's requests use one allowance several times",
    ("fleet",),
)

#: What everybody together may use.
ALL = Decimal(1)
#: How many other policies a finding points at.
SHOWN = 5
#: By exchange, what shares the budget, the one file it is compared in (empty: all), and the budget's name.
_Groups = dict[tuple[str, str, str, str], list[tuple[Card, BudgetCard]]]


def check(inputs: Inputs) -> Iterator[Finding]:
    """Add up, over the stores, what the policies of each address and each account use of each budget."""
    groups: _Groups = {}
    for card in sorted(inputs.fleet, key=lambda card: (card.file, card.name)):
        for budget in card.budgets:
            # A key, and an address without a name, are compared with the bots of the same policy only.
            shared, file = ("one key" if budget.shared_by == "key" else "one address"), card.file
            if budget.shared_by == "account":
                shared, file = f"account {card.account}", ""
            elif budget.shared_by == "ip" and card.egress:
                shared, file = f"egress {card.egress}", ""
            groups.setdefault((card.exchange, shared, file, budget.name), []).append((card, budget))
    for (_, shared, _, name), members in groups.items():
        used, stores = _used(members)
        if used > ALL:
            (first, _), *others = members
            path = f"rate_budgets.{name}.use_at_most"
            yield RULE.finding(
                first.place(path),
                f"budget `{name}` of {shared} may be used to {Percent(used)}: {stores} stores count it, "
                f"each for itself",
                label="counted in several stores",
                next_step="let all share one store (`store: {share: host}` or `fleet`), or divide the allowance",
                context=tuple((f"also used by {card.name}", card.place(path)) for card, _ in others[:SHOWN]),
            )


def _used(members: list[tuple[Card, BudgetCard]]) -> tuple[Decimal, int]:
    """Return what is used of a budget and by how many stores: policies of one store share its counter."""
    shared: dict[str, Decimal] = {}
    used, stores = Decimal(0), 0
    for card, budget in members:
        if card.share == "process":
            used, stores = used + budget.used * card.bots, stores + card.bots
        else:
            shared[card.share] = max(shared.get(card.share, budget.used), budget.used)
    return used + sum(shared.values()), stores + len(shared)
