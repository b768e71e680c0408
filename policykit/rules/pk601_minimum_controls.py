"""A live policy lacks one of the five minimum controls.

## What it finds
A policy for a live environment without a cap on an order, on orders a minute, on a position, on the day's loss, or
without a kill switch. A cap on positions counts only if it has a `default` or covers every symbol that may be
traded.

## Why
Absent means no limit. Each of the five stops a failure that the other four let through (G33 to G37).

## Bad
```yaml
risk:
  symbols: [BTC/USDT]
  max_orders: {limit: 30, per: 1m}
  max_position_notional: 10% of equity
  daily_loss: {limit: 3% of equity}
```
```finding
open certain policy.yaml:1:1 no cap on a single order; the guide's range is 1-2% of equity
```
```yaml
risk:
  symbols: [BTC/USDT, ETH/USDT]
  max_order_notional: 1% of equity
  max_orders: {limit: 30, per: 1m}
  max_position_notional: {BTC/USDT: 10% of equity}
  daily_loss: {limit: 3% of equity}
```
```finding
open certain policy.yaml:5:3 no cap on the position in ETH/USDT
```
```yaml
risk:
  symbols: [BTC/USDT]
  max_order_notional: 1% of equity
  max_orders: {limit: 30, per: 1m}
  daily_loss: {limit: 3% of equity}
```
```finding
open certain policy.yaml:1:1 no cap on the position in any symbol
```
```yaml
risk:
  max_order_notional: 1% of equity
  max_orders: {limit: 30, per: 1m}
  max_position_notional: {BTC/USDT: 10% of equity}
  daily_loss: {limit: 3% of equity}
```
```finding
open certain policy.yaml:4:3 no cap on the position in any symbol
```

## Good
```yaml
risk:
  symbols: [BTC/USDT]
  max_order_notional: 1% of equity
  max_orders: {limit: 30, per: 1m}
  max_position_notional: {BTC/USDT: 10% of equity}
  daily_loss: {limit: 3% of equity}
kill_switch: {cancel: entries}
```
```yaml
risk:
  symbols: [BTC/USDT, ETH/USDT]
  risk_at_stop: 1% of equity
  max_orders: {limit: 30, per: 1m}
  max_position_notional: {BTC/USDC: 10% of equity, ETH: 5% of equity}
  daily_loss: {limit: 3% of equity}
```
```yaml
environment: sandbox
risk: {symbols: [BTC/USDT]}
```

## Source
GUIDE.md G33, G34, G35, G36, G37.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.budgets import same_position, wanted

RULE = Rule(
    "PK601",
    "minimum-controls",
    "critical",
    ("G33", "G34", "G35", "G36", "G37"),
    "absent means no limit",
)

#: What the fixes add: the guide's own figures.
ORDER = "1.5% of equity"
POSITION = "10% of equity"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Name each control that a live policy does not have."""
    if inputs.model.environment != "live":
        return
    for path, guide, message, value in _missing(inputs):
        place = inputs.place(path)
        add = f"{path.rpartition('.')[2]}: {value}"
        fix = Fix.add(place, value, f"add `{add}`")
        found = RULE.finding(place, message, label="none here", next_step=f"add `{add}`", fix=fix)
        yield replace(found, guide=(guide,))


def _missing(inputs: Inputs) -> Iterator[tuple[str, str, str, str]]:
    """Yield (path, guide, message, what to add)."""
    risk = inputs.model.risk
    if risk is None or not (risk.max_order_notional or risk.risk_at_stop):
        yield "risk.max_order_notional", "G33", "no cap on a single order; the guide's range is 1-2% of equity", ORDER
    if risk is None or risk.max_orders is None:
        yield "risk.max_orders", "G34", "no cap on orders a minute", "{limit: 30, per: 1m}"
    caps = (risk.max_position_notional if risk else None) or {}
    uncapped = _uncapped(inputs, caps)
    if uncapped:
        path = "risk.max_position_notional.default" if caps else "risk.max_position_notional"
        yield path, "G35", f"no cap on the position in {uncapped}", POSITION
    if risk is None or risk.daily_loss is None:
        message = "no daily loss limit; the guide's range is 3-5% of capital"
        yield "risk.daily_loss", "G36", message, "{limit: 3% of equity}"
    if inputs.model.kill_switch is None:
        yield "kill_switch", "G37", "no kill switch", "{cancel: entries, rearm: {by: [desk-head]}}"


def _uncapped(inputs: Inputs, caps: Mapping[str, object]) -> str:
    """Return the symbols without a cap on their position; empty when each has one."""
    symbols = wanted(inputs)
    if "default" in caps:
        return ""
    if not symbols or not caps:
        return "any symbol"
    return words(s for s in symbols if not any(same_position(inputs.traits, s, key) for key in caps))
