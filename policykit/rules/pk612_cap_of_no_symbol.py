"""A cap names a symbol that the policy does not trade.

## What it finds
An entry of a cap by symbol that this policy says and whose symbol or asset no pattern of `risk.symbols` touches. On
spot a cap of one market of an asset holds for all of its markets.

## Why
A misspelt symbol leaves the real one under the looser `default`, or under no cap at all (G35).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT:USDT", "ETH/USDT:USDT", "!SOL*"]
  max_position_notional: {default: 10% of equity, "BTC/USDT": 2% of equity, SOL: 1% of equity}
```
```finding
open certain policy.yaml:3:51 max_position_notional caps BTC/USDT, which `risk.symbols` does not allow
open certain policy.yaml:3:77 max_position_notional caps SOL, which `risk.symbols` does not allow
```
```yaml
risk:
  symbols: ["*/USDT", "!LUNA*"]
  max_position_notional: {default: 10% of equity, "LUNA/USDT": 1% of equity, "BTC/USDT:USDT": 1% of equity}
```
```finding
open certain policy.yaml:3:51 max_position_notional caps LUNA/USDT, which `risk.symbols` does not allow
open certain policy.yaml:3:78 max_position_notional caps BTC/USDT:USDT, which `risk.symbols` does not allow
```
```yaml
risk:
  symbols: ["BTC/USDT:USDT", "ETH/USDC:USDC"]
  max_position_notional: {default: 10% of equity, "BTC/USDT:USDT": 3% of equity, "BTC/USDC:USDC": 1% of equity}
```
```finding
open certain policy.yaml:3:82 max_position_notional caps BTC/USDC:USDC, which `risk.symbols` does not allow
```
```yaml
risk:
  symbols: ["*/USDT:USDT"]
  max_position_notional: {"BTC/USDT": 1% of equity, BTC: 1% of equity, "ETH/USDT:USDT": 1% of equity}
```
```finding
open certain policy.yaml:3:27 max_position_notional caps BTC/USDT, which `risk.symbols` does not allow
```

## Good
```yaml
risk:
  symbols: ["BTC/USDT", "ETH*"]
  max_position_notional: {default: 10% of equity, "BTC/USDC": 2% of equity, "ETH/USDT": 1% of equity, BTC: 3% of equity}
```
```yaml
risk:
  max_position_notional: {default: 10% of equity, "SOL/USDT": 1% of equity}
```

## Source
GUIDE.md G35; DESIGN.md, section 2 (maps are pointwise).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from policykit.finding import Finding, Fix
from policykit.model.symbols import allows, matches
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import same_position
from policykit.rules.dead import limits, said

if TYPE_CHECKING:
    from policykit.traits.base import Exchange

RULE = Rule(
    "PK612", "cap-of-no-symbol", "medium", ("G35",), "a cap of a misspelt symbol leaves the real one without it"
)

#: How alike a symbol must be to be suggested.
ALIKE = 0.6


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for the market or the asset of each entry of a cap by symbol among what may be traded."""
    symbols = (inputs.model.risk.symbols if inputs.model.risk else None) or ()
    if not symbols:
        return
    for path, meta, _ in limits():
        by_symbol = (said(inputs.model, path) if meta.strictness.kind == "pointwise" else None) or {}
        for key in by_symbol:
            place = inputs.effective.key_places.get(f"{path}.{key}")
            if place is None or key == "default" or _trades(inputs.traits, symbols, key):
                continue
            free = [s for s in symbols if not set(s) & set("!*") and s not in by_symbol]
            close = difflib.get_close_matches(key, free, cutoff=ALIKE)
            yield RULE.finding(
                place._replace(path=f"{path}.{key}"),
                f"{path.removeprefix('risk.')} caps {key}, which `risk.symbols` does not allow",
                label=f"did you mean {close[0]}?" if close else "caps nothing",
                next_step="name the symbol as `risk.symbols` does, or take the entry out",
                fix=Fix.replace(place, f'"{close[0]}"', f"cap {close[0]}") if close else None,
            )


def _trades(traits: Exchange | None, symbols: Sequence[str], key: str) -> bool:
    """Tell whether a symbol that the list allows may count against the cap of `key`."""
    base = key.partition("/")[0]
    wanted = [s for s in symbols if not s.startswith("!")] or ["*"]
    without = [s for s in symbols if s.startswith("!")]
    if any(matches(s[1:], f"{base}/*") for s in without):
        return False
    for pattern in wanted:
        if "*" not in pattern:
            touched = allows(without, pattern) and same_position(traits, pattern, key)
        else:
            part = pattern if "/" not in pattern else pattern.partition("/")[0]
            other_product = "/" in key and ":" in key and ":" not in pattern and not pattern.endswith("*")
            spot_only = "/" in key and ":" not in key and ":" in pattern
            touched = matches(part, base) and not other_product and not spot_only
        if touched:
            return True
    return False
