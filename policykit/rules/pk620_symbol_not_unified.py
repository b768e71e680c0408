"""A symbol is not written as ccxt writes it.

## What it finds
An entry of `risk.symbols` without a `/` and without a `*`: `BTCUSDT`, `BTC-USDT`, `BTC`. ccxt's names have a slash
(`BTC/USDT`, `BTC/USDT:USDT`), so such an entry matches no market.

## Why
What should be allowed is denied, order by order; and what `!` should keep out is let in (G01).

## Bad
```yaml
risk:
  symbols: ["*/USDT", BTCUSDT, ETH-USDT, XRP, "!LUNAUSDT"]
```
```finding
open certain policy.yaml:2:23 `BTCUSDT` is no name of ccxt and matches no market
open certain policy.yaml:2:32 `ETH-USDT` is no name of ccxt and matches no market
open certain policy.yaml:2:42 `XRP` is no name of ccxt and matches no market
open certain policy.yaml:2:47 `!LUNAUSDT` is no name of ccxt and keeps no market out
```

## Good
```yaml
risk:
  symbols: [BTC/USDT, "ETH*", "!LUNA*"]
```

## Source
GUIDE.md G01; ccxt manual, "Market Structure" (symbol: BASE/QUOTE, BASE/QUOTE:SETTLE), read November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK620",
    "symbol-not-unified",
    "medium",
    ("G01",),
    "an entry that matches nothing allows nothing, and keeps nothing out (G01)",
)

#: Base and quote of a name without a slash, where the quote is one that most markets have.
_PAIR = re.compile(r"([A-Z0-9]{2,12})[-_]?(USDT|USDC|USD|EUR|BTC)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the form of each symbol."""
    for index, entry in enumerate((inputs.model.risk.symbols if inputs.model.risk else None) or ()):
        if "/" in entry or "*" in entry:
            continue
        found = _PAIR.fullmatch(entry.removeprefix("!").upper())
        base, quote = found.groups() if found else (entry.removeprefix("!").upper(), "USDT")
        mark = "!" if entry.startswith("!") else ""
        yield RULE.finding(
            inputs.place(f"risk.symbols.{index}"),
            f"`{entry}` is no name of ccxt and {'keeps no market out' if mark else 'matches no market'}",
            label=f'"{mark}{base}/{quote}"?',
            next_step=f'write "{mark}{base}/{quote}", or "{mark}{base}/{quote}:{quote}" for a perpetual',
        )
