"""The policy trades a market that is closed.

## What it finds
Live: a symbol of `risk.symbols` that the exchange lists as closed to trading, or that it does not list beside others of
its kind. One of which it does not say is unknown; patterns with a star are not looked at.

## Why
A delisted market takes no order, exits neither; what is held in it is lost or settled at the exchange's price. It is
announced weeks before, and a bot does not read announcements (G01, G41).

## Bad
```yaml
risk:
  symbols: ["BTC/USDT", "OLD/USDT", "BTC/USTD", "ETH/USDT"]
```
```json
{"account": {"markets": [
  {"symbol": "BTC/USDT", "active": true, "min_notional": "5", "currency": "USDT"},
  {"symbol": "OLD/USDT", "active": false, "min_notional": "5", "currency": "USDT"},
  {"symbol": "BTC/USTD", "active": false, "min_notional": null, "currency": null}]}}
```
```finding
open observed policy.yaml:2:25 the market OLD/USDT is closed to trading
open observed policy.yaml:2:37 the exchange lists no market BTC/USTD
unknown policy.yaml:2:12 whether ETH/USDT is open to trading is not known: the snapshot does not say
```
```yaml
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
```
```json
{"account": {"unknown": {"markets": "binance: maintenance"}}}
```
```finding
unknown policy.yaml:2:12 whether BTC/USDT and ETH/USDT are open to trading is not known: binance: maintenance
```

## Good
```yaml
risk:
  symbols: ["BTC/USDT", "*/USDC", "!OLD/USDT"]
```
```json
{"account": {"markets": [{"symbol": "BTC/USDT", "active": true, "min_notional": "5", "currency": "USDT"}]}}
```

## Source
GUIDE.md G01, G41 (regular review); INTERFACE.md, "Snapshot, version 1" (account.markets).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.holdings import evidence, named, rows, untold

RULE = Rule(
    "PK623",
    "market-inactive",
    "medium",
    ("G01", "G41"),
    "a delisted market takes no order, exits neither",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up each symbol that the policy names in full."""
    symbols = inputs.model.risk.symbols if inputs.model.risk else None
    if inputs.snapshot is None or not symbols:
        return
    markets = {row["symbol"]: row for row in rows(inputs, "markets")}
    without = []
    for index, symbol in enumerate(symbols):
        if "*" in symbol or symbol.startswith("!"):
            continue
        market = markets.get(symbol, {})
        if market.get("active") is False:
            listed = market.get("currency") is not None
            yield RULE.finding(
                inputs.place(f"risk.symbols.{index}"),
                f"the market {symbol} is closed to trading" if listed else f"the exchange lists no market {symbol}",
                confidence="observed",
                label="closed" if listed else "not there",
                observed=evidence(inputs, "markets", f"markets.{symbol}.active", False),
                next_step="leave it by hand while that is possible, and take it out"
                if listed
                else "look for a slip in the name; a market that is gone is taken out",
            )
        elif market.get("active") is not True:
            without.append(symbol)
    if without:
        reason = untold(inputs, "markets") or "the snapshot does not say"
        yield RULE.unknown(
            inputs.place("risk.symbols"),
            f"whether {named(without)} {'is' if len(without) == 1 else 'are'} open to trading is not known: {reason}",
            "look for a slip in the name, then at the exchange's page of markets",
        )
