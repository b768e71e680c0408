"""A symbol is of another kind of market than the policy trades.

## What it finds
A spot symbol (`BTC/USDT`) where only contracts are traded, by the exchange (`binanceusdm`) or by the scopes of the
keys; a contract (`BTC/USDT:USDT`) where the keys trade spot only. Exclusions are looked at too: one of the wrong kind
excludes nothing.

## Why
ccxt calls the perpetual of BTC/USDT `BTC/USDT:USDT`. Under the wrong name every order is denied, or the bot trades a
market that its caps were not made for (G01).

## Bad
```yaml
exchange: binanceusdm
risk:
  symbols: ["BTC/USDT", "ETH/USDT:USDT", "!LUNA/USDT"]
```
```finding
open certain policy.yaml:3:13 BTC/USDT is a spot market; binanceusdm has contracts only
open certain policy.yaml:3:42 LUNA/USDT is a spot market; binanceusdm has contracts only
```
```yaml
risk:
  symbols: ["BTC/USDT:USDT"]
```
```finding
open certain policy.yaml:2:13 BTC/USDT:USDT is a contract; the keys trade spot only
```

## Good
```yaml
exchange: binanceusdm
risk:
  symbols: ["BTC/USDT:USDT", "*/USDT:USDT", "ETH*", "XRP/*"]
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk:
  symbols: ["BTC/USDT", "BTC/USDT:USDT"]
```

## Source
GUIDE.md G01; ccxt's manual, "Markets" (unified symbols of contracts: base/quote:settle).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import DERIVATIVES_ONLY, one_kind

RULE = Rule("PK614", "wrong-market", "medium", ("G01",), "ccxt calls the perpetual of BTC/USDT `BTC/USDT:USDT`")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Hold the form of each symbol against the markets that exchange and keys can trade."""
    kind, why = one_kind(inputs)
    symbols = (inputs.model.risk.symbols if inputs.model.risk else None) or ()
    for index, symbol in enumerate(symbols):
        contract = ":" in symbol
        if not kind or "/" not in symbol or (kind == "swap") == contract or (symbol.endswith("*") and not contract):
            continue
        place = inputs.place(f"risk.symbols.{index}")
        meant = _meant(inputs.model.exchange, symbol)
        yield RULE.finding(
            place,
            f"{symbol.removeprefix('!')} is {'a contract' if contract else 'a spot market'}; {why}",
            label=f'"{meant}"?' if meant else "another kind of market",
            next_step=f'write "{meant}"' if meant else "name it as ccxt does: base/quote:settle",
            fix=Fix.replace(place, f'"{meant}"', f"write {meant}") if meant else None,
        )


def _meant(exchange: str, symbol: str) -> str:
    """Return the symbol that is meant; empty when it can be several."""
    if ":" in symbol:
        return symbol.partition(":")[0]
    base, _, quote = symbol.removeprefix("!").partition("/")
    settles = DERIVATIVES_ONLY.get(exchange, "quote")
    settle = {"quote": quote, "base": base, "": ""}[settles]
    return f"{symbol}:{settle}" if settle else ""
