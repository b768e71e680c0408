"""A rate budget is above what the exchange publishes.

## What it finds
A budget whose limit in its window is above the allowance of that name: as the exchange publishes it when live state
is given, else as its traits record it. Contracts on a host of their own (Binance USD-M) have an allowance of their own.

## Why
A budget that is too high throttles nothing: the exchange answers 429, then bans the address for minutes to hours,
when an exit matters most (G22, G23).

## Bad
```yaml
rate_budgets:
  request-weight: {limit: 12000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:2:27 budget `request-weight` is 12,000 per 1m; binance documents 6,000 per 1m
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```finding
open certain policy.yaml:4:27 budget `request-weight` is 6,000 per 1m; binance documents 2,400 per 1m
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```json
{"limits": [{"name": "request-weight", "limit": 1200, "per_ms": 60000}]}
```
```finding
open observed policy.yaml:2:27 budget `request-weight` is 6,000 per 1m; binance publishes 1,200 per 1m
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```json
{"limits": []}
```
```finding
unknown policy.yaml:2:27 what binance allows for `request-weight` could not be read: the snapshot has no limit
  of that name
```

## Good
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
rate_budgets:
  orders: {limit: 300, per: 10s, window: fixed, shared_by: account}
```
```yaml
rate_budgets:
  request-weight: {limit: 6000, per: 1m, window: fixed, shared_by: ip}
```
```json
{"limits": [{"name": "request-weight", "limit": 6000, "per_ms": 60000}]}
```

## Source
GUIDE.md G22, G24; Binance spot, GET /api/v3/exchangeInfo `rateLimits` (rest-api.md at a5e0bc3, read November 2026);
Binance USD-M, "Rate limits on Binance Futures" (2023-08-04).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.budgets import documented
from policykit.units import Duration

if TYPE_CHECKING:
    from policykit.model import RateBudget
    from policykit.place import Place
    from policykit.traits.base import RateWindow

RULE = Rule(
    "PK401",
    "budget-over-published",
    "high",
    ("G22", "G23", "G24"),
    "a budget above the allowance throttles nothing; the exchange bans the address instead (G23)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each budget with what is published, live where there is live state."""
    for name, budget in (inputs.model.rate_budgets or {}).items():
        place = inputs.place(f"rate_budgets.{name}.limit")
        known, own = documented(inputs, name)
        if inputs.snapshot is None:
            yield from _static(inputs, (*known, *own), budget, place)
            continue
        if known or not own:
            yield from _live(inputs, known, name, budget, place)
        yield from _static(inputs, own, budget, place)


def _static(inputs: Inputs, windows: tuple[RateWindow, ...], budget: RateBudget, place: Place) -> Iterator[Finding]:
    for window in windows:
        if _over(budget, window.limit, window.per_ms):
            published = f"{window.limit:,} per {Duration(window.per_ms)}"
            yield RULE.finding(
                place,
                f"budget `{window.name}` is {budget.limit:,} per {budget.per}; "
                f"{inputs.model.exchange} documents {published}",
                label=f"{window.limit} or less" if window.per_ms == budget.per.ms else f"over {published}",
                next_step="lower it to what the exchange allows",
                fix=_fix(budget, place, window.limit, window.per_ms),
            )
            return


def _live(
    inputs: Inputs, known: tuple[RateWindow, ...], name: str, budget: RateBudget, place: Place
) -> Iterator[Finding]:
    exchange = inputs.model.exchange
    limits = [one for one in (inputs.snapshot.limits if inputs.snapshot else []) if one.name == name]
    if not limits:
        yield from _static(inputs, known, budget, place)
        if "limits" in ((inputs.snapshot.account.get("unknown") or {}) if inputs.snapshot else {}):
            return  # the exchange has no call for them: its documents are all there is
        failed = [e.get("message", "") for e in (inputs.snapshot.errors if inputs.snapshot else []) if not e.get("key")]
        yield RULE.unknown(
            place,
            f"what {exchange} allows for `{name}` could not be read: "
            f"{words(failed) or 'the snapshot has no limit of that name'}",
            "take a snapshot with limits (`policykit snapshot` without --keys-only)",
        )
    for limit in limits:
        if limit.limit <= 0 or limit.per_ms <= 0:
            yield RULE.unknown(
                place, f"what {exchange} allows for `{name}` could not be read: no number is given", "take it anew"
            )
        elif _over(budget, limit.limit, limit.per_ms):
            published = f"{limit.limit:,} per {Duration(limit.per_ms)}"
            yield RULE.finding(
                place,
                f"budget `{name}` is {budget.limit:,} per {budget.per}; {exchange} publishes {published}",
                confidence="observed",
                label=f"{limit.limit} or less" if limit.per_ms == budget.per.ms else f"over {published}",
                observed=inputs.evidence(limit.endpoint, f"limits.{name}", limit.limit, limit.at),
                next_step="lower it to what the exchange allows",
                fix=_fix(budget, place, limit.limit, limit.per_ms),
            )


def _over(budget: RateBudget, limit: int, per_ms: int) -> bool:
    """Tell whether the budget lets through more; windows of another length compare as rates."""
    return budget.limit * per_ms > limit * budget.per.ms


def _fix(budget: RateBudget, place: Place, limit: int, per_ms: int) -> Fix | None:
    return Fix.replace(place, str(limit), "lower the budget", safe=True) if budget.per.ms == per_ms else None
