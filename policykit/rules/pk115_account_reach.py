"""More lies on an account than was agreed to lie within reach of its keys.

## What it finds
Live: an account whose equity is over `account.max_equity`. An equity that the exchange did not tell, or of which some
assets have no price, is unknown. Statically: a `max_equity` in another currency than the account's, which is compared
with nothing.

## Why
Caps hold the bot, not a thief: with a leaked trading key he can lose all that the account holds. The one figure that
bounds the damage is how much lies there (G01).

## Bad
```yaml
account: {name: main, currency: USDT, max_equity: 50000 USDT}
```
```json
{}
```
```finding
open observed policy.yaml:1:51 100000 USDT lie within reach of the keys of this account; at most 50000 USDT were agreed
  to
```
```yaml
account: {name: main, currency: USDT, max_equity: 50000 USDT}
```
```json
{"account": {"equity": null, "balances": {}, "positions": [], "open_orders": [],
  "unknown": {"equity": "no key could be read"}}}
```
```finding
unknown policy.yaml:1:51 how much lies within reach of the keys of this account is not known: no key could be read
```
```yaml
account: {name: main, currency: USDT, max_equity: 500000 USDT}
```
```json
{"account": {"equity": "100000 USDT", "balances": {}, "positions": [], "open_orders": [],
  "unknown": {"equity.unpriced": "ABC, XYZ"}}}
```
```finding
unknown policy.yaml:1:51 how much lies within reach of the keys of this account is not known: 100000 USDT at least; ABC,
  XYZ in it has no price
```
```yaml
account: {name: main, currency: USDT, max_equity: 2 BTC}
```
```finding
open certain policy.yaml:1:51 `account.max_equity` is in BTC; equity is counted in USDT, so nothing holds it
```

## Good
```yaml
account: {name: main, currency: USDT, max_equity: 100000 USDT}
```
```json
{}
```
```yaml
account: {name: main, currency: USDT}
```
```json
{}
```

## Source
GUIDE.md G01; PITFALLS.md 29 (what a thief of a trading key can do).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.holdings import equity_lacks, evidence
from policykit.units import Amount, parse_bound, plain

RULE = Rule(
    "PK115",
    "account-reach",
    "high",
    ("G01",),
    "a thief of a trading key can lose all that the account holds (G01)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare equity as observed with the most that may lie there."""
    account = inputs.model.account
    if not account.max_equity:
        return
    place = inputs.place("account.max_equity")
    limit = next((a.value for a in account.max_equity if a.currency == account.currency), None)
    if limit is None:
        yield RULE.finding(
            place,
            f"`account.max_equity` is in {words(a.currency for a in account.max_equity)}; equity is counted in"
            f" {account.currency}, so nothing holds it",
            label=f"an amount of {account.currency} is needed",
            next_step=f"state it in {account.currency}",
        )
    elif inputs.snapshot is not None:
        yield from _compare(inputs, limit)


def _compare(inputs: Inputs, limit: Decimal) -> Iterator[Finding]:
    live = inputs.snapshot.account if inputs.snapshot else {}
    place, currency = inputs.place("account.max_equity"), inputs.model.account.currency
    equity = _amount(live.get("equity"))
    lacks = equity_lacks(inputs)
    if equity is not None and equity.currency == currency and equity.value > limit:
        yield RULE.finding(
            place,
            f"{equity} lie within reach of the keys of this account; at most {plain(limit)} {currency} were agreed to",
            confidence="observed",
            label="the most that was agreed to",
            observed=evidence(inputs, "equity", "equity", str(equity)),
            next_step="move what the bot does not need to another account, by hand",
        )
    elif equity is None or equity.currency != currency or lacks:
        reason = inputs.not_told("equity")
        if equity is not None:
            reason = f"{equity} at least; {lacks}" if lacks else f"it was told in {equity.currency}"
        yield RULE.unknown(
            place,
            f"how much lies within reach of the keys of this account is not known: {reason}",
            "look at the account's page, and take the snapshot anew",
        )


def _amount(value: object) -> Amount | None:
    """Read an amount of a snapshot, which may be made by hand; None for anything else."""
    try:
        bound = parse_bound(str(value))
    except ValueError:
        return None
    return bound if isinstance(bound, Amount) else None
