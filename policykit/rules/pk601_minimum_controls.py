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
open certain policy.yaml:5:26 no cap on the position in ETH/USDT
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
environment: sandbox
risk: {symbols: [BTC/USDT]}
```

## Source
GUIDE.md G33, G34, G35, G36, G37.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

RULE = Rule(
    "PK601",
    "minimum-controls",
    "critical",
    ("G33", "G34", "G35", "G36", "G37"),
    "absent means no limit",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Name each control that a live policy does not have."""
    if inputs.model.environment != "live":
        return
    for path, guide, message, add in _missing(inputs):
        yield replace(
            RULE.finding(inputs.place(path), message, label="none here", next_step=f"add `{add}`"), guide=(guide,)
        )


def _missing(inputs: Inputs) -> Iterator[tuple[str, str, str, str]]:
    """Yield (path, guide, message, what to add)."""
    risk = inputs.model.risk
    if risk is None or not risk.max_order_notional:
        message = "no cap on a single order; the guide's range is 1-2% of equity"
        yield "risk.max_order_notional", "G33", message, "max_order_notional: 1.5% of equity"
    if risk is None or risk.max_orders is None:
        yield "risk.max_orders", "G34", "no cap on orders a minute", "max_orders: {limit: 30, per: 1m}"
    uncapped = _uncapped(inputs)
    if uncapped:
        message = f"no cap on the position in {uncapped}"
        yield "risk.max_position_notional", "G35", message, "max_position_notional: 10% of equity"
    if risk is None or risk.daily_loss is None:
        message = "no daily loss limit; the guide's range is 3-5% of capital"
        yield "risk.daily_loss", "G36", message, "daily_loss: {limit: 3% of equity}"
    if inputs.model.kill_switch is None:
        yield "kill_switch", "G37", "no kill switch", "kill_switch: {cancel: entries, rearm: {by: [desk-head]}}"


def _uncapped(inputs: Inputs) -> str:
    """Return the symbols without a cap on their position; empty when each has one."""
    risk = inputs.model.risk
    caps = (risk.max_position_notional if risk else None) or {}
    if "default" in caps:
        return ""
    symbols = [s for s in (risk.symbols if risk else None) or () if not s.startswith("!")]
    if not symbols or not caps:
        return "any symbol"
    return words(s for s in symbols if s not in caps)
