"""What is to break the loop of partial fills does not.

## What it finds
`risk.partial_fills` without a least part of an order that counts as a fill (`min_fill_to_act`, or one of 0 %), or
without a bound on the entries that follow (`max_reentries`).

## Why
Buy, partly filled, sell at a loss, again: a bot that acts on every crumb pays the spread and the fees each time round
(G40, PITFALLS, story 9).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT"]
  partial_fills: {min_fill_to_act: 0%, cooldown: 60s}
```
```finding
open certain policy.yaml:3:36 any crumb of a fill is acted on: no least part of an order counts as one
open certain policy.yaml:3:3 entries after a partial fill are not counted: the loop has no end
```
```yaml
risk:
  partial_fills: {max_reentries: 3}
```
```finding
open certain policy.yaml:2:3 any crumb of a fill is acted on: no least part of an order counts as one
```

## Good
```yaml
risk:
  partial_fills: {min_fill_to_act: 10%, max_reentries: 3, cooldown: 60s}
```
```yaml
risk:
  symbols: ["BTC/USDT"]
```

## Source
GUIDE.md G40; PITFALLS.md, story 9.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK616",
    "partial-fill-loop",
    "medium",
    ("G40",),
    "a bot that acts on every crumb pays the spread each time round (G40)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the threshold and for the bound where partial fills are spoken of."""
    fills = inputs.model.risk.partial_fills if inputs.model.risk else None
    if fills is None:
        return
    if fills.min_fill_to_act is None or not fills.min_fill_to_act.fraction:
        yield RULE.finding(
            inputs.place("risk.partial_fills.min_fill_to_act"),
            "any crumb of a fill is acted on: no least part of an order counts as one",
            label="no threshold",
            next_step="set `min_fill_to_act: 10%`",
        )
    if fills.max_reentries is None:
        yield RULE.finding(
            inputs.place("risk.partial_fills.max_reentries"),
            "entries after a partial fill are not counted: the loop has no end",
            label="no `max_reentries`",
            next_step="set `max_reentries: 3`",
        )
