"""A vendor holds a key that may do more than the vendor asks for.

## What it finds
A key of `vendors.NAME.keys` with a scope that `asks_for` does not have, and a key that two vendors hold.

## Why
What it does not ask for it does not need: the day it is breached, the rest is a gift. A key that two hold cannot be
taken from one (G46, G07).

## Bad
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
vendors:
  tax-report: {keys: [mm-exec], asks_for: [read]}
```
```finding
open certain policy.yaml:2:41 vendor `tax-report` holds key `mm-exec`, which has trade.spot; it asks only for read
```
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
  dashboards: {keys: [reports], asks_for: [read]}
```
```finding
open certain policy.yaml:5:23 vendor `dashboards` holds key `reports`, which vendor `tax-report` holds too
```

## Good
```yaml
keys:
  reports: {purpose: tracking, scopes: [read]}
  copy-trade: {purpose: execution, scopes: [read, trade.spot]}
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
  copy-inc: {keys: [copy-trade], asks_for: [read, trade]}
  nobody: {keys: [reports-2], asks_for: [read]}
  unasked: {keys: [mm-exec]}
```

## Source
GUIDE.md G46, G07.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

RULE = Rule("PK804", "vendor-scope", "high", ("G46", "G07"), "what a vendor does not ask for it does not need (G46)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the scopes of each key that a vendor holds with what the vendor asks for."""
    holders: dict[str, str] = {}
    for name, vendor in (inputs.model.vendors or {}).items():
        for index, key in enumerate(vendor.keys or ()):
            more = _beyond(inputs, key, vendor.asks_for)
            if more:
                yield RULE.finding(
                    inputs.place(f"keys.{key}.scopes"),
                    f"vendor `{name}` holds key `{key}`, which has {words(more)}; it asks only for"
                    f" {words(vendor.asks_for or ())}",
                    label="more than it asks for",
                    context=((f"held by {name}", inputs.place(f"vendors.{name}.keys.{index}")),),
                    next_step="give it a key of its own with what it asks for",
                )
            if key in holders:
                yield RULE.finding(
                    inputs.place(f"vendors.{name}.keys.{index}"),
                    f"vendor `{name}` holds key `{key}`, which vendor `{holders[key]}` holds too",
                    label="one key, one holder",
                    next_step="give each vendor a key of its own",
                )
            holders.setdefault(key, name)


def _beyond(inputs: Inputs, name: str, asked: tuple[str, ...] | None) -> list[str]:
    """Return the scopes of a key that were not asked for; an unanswered question (None) is PK802's."""
    key = inputs.keys.get(name)
    held = (key.scopes if key else None) or ()
    return [scope for scope in held if asked is not None and scope.partition(".")[0] not in asked]
