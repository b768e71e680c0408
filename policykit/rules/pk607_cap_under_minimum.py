"""A cap is so low that the exchange takes no order under it.

## What it finds
A cap on orders or on positions that, at the equity which the policy states (`account.max_equity`) and at its stage, is
below the least notional of the exchange's markets. A cap in money is compared without a stated equity too. Where the
traits do not know the least notional nothing is said.

Live the figures are those of now: the equity, and the least notional of each market that the policy names. A market of
which the exchange tells none is unknown.

## Why
Nothing can be bought, and every entry is refused either here or by the exchange; what is found out at the first
signal is raised in a hurry (G33).

## Bad
```yaml
account: {name: main, currency: USDT, max_equity: 3000 USDT}
stage: {current: micro-live}
```
```finding
open certain policy.yaml:2:18 max_order_notional is 3 USDT at most of 3000 USDT; binance takes no order under 5 USDT
open certain policy.yaml:2:18 max_position_notional.default is 3 USDT at most of 3000 USDT; binance takes no order
  under 5 USDT
```
```yaml
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  max_order_notional: 10 USDT
  max_position_notional: {default: 100 USDT, "ETH/USDT": 4 USDT}
```
```finding
open certain policy.yaml:4:58 max_position_notional.ETH/USDT is 4 USDT at most; binance takes no order under 5 USDT
```
```yaml
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  max_order_notional: 1% of equity
  max_position_notional: {default: 5% of equity, ETH/USDT: 40 USDT}
```
```json
{"account": {"equity": "1500 USDT", "markets": [
  {"symbol": "BTC/USDT", "active": true, "min_notional": "20", "currency": "USDT"},
  {"symbol": "ETH/USDT", "active": true, "min_notional": "50", "currency": "USDT"}]}}
```
```finding
open observed policy.yaml:3:23 max_order_notional is 15 USDT at most of 1500 USDT; binance takes no order of BTC/USDT
  under 20 USDT, and none of ETH/USDT under 50 USDT
open observed policy.yaml:4:60 max_position_notional.ETH/USDT is 40 USDT at most; binance takes no order of ETH/USDT
  under 50 USDT
```
```yaml
exchange: bybit
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1500 USDT
```
```json
{"exchange": "bybit", "account": {"markets": [
  {"symbol": "BTC/USDT", "active": true, "min_notional": null, "currency": "USDT"}]}}
```
```finding
unknown policy.yaml:4:23 whether caps are over the least order is not known: bybit gave no least notional of BTC/USDT
```

## Good
```yaml
account: {name: main, currency: USDT, max_equity: 5000 USDT}
stage: {current: micro-live}
```
```yaml
exchange: kraken
risk:
  symbols: ["BTC/USDT"]
  max_order_notional: 1 USDT
```

## Source
GUIDE.md G33, G35; Binance filters.md, NOTIONAL `minNotional` (exchangeInfo).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products, wanted
from policykit.rules.caps import max_equity, money, most
from policykit.rules.holdings import caps_of, currency_of, equity, evidence, named, number, rows, symbol_of, untold
from policykit.units import Bound, Share

RULE = Rule(
    "PK607",
    "cap-under-minimum",
    "medium",
    ("G33", "G35"),
    "nothing can be bought under such a cap, so it is raised in a hurry",
    ("policy", "snapshot"),
)

_ORDER = "risk.max_order_notional"
_RAISE = "raise the cap or the account, or stay in paper until it is larger"
Caps = Mapping[str, tuple[Bound, ...]]


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each cap with the least notional of what is traded: of each market where it was read, else of any."""
    risk = inputs.model.risk
    if risk is None:
        return
    caps: dict[str, tuple[Bound, ...]] = {_ORDER: risk.max_order_notional} if risk.max_order_notional else {}
    caps |= {f"risk.max_position_notional.{key}": cap for key, cap in (risk.max_position_notional or {}).items()}
    if inputs.snapshot is not None:
        yield from _untold(inputs, caps)
        if rows(inputs, "markets"):
            yield from _live(inputs, caps)
            return
    yield from _static(inputs, caps)


def _static(inputs: Inputs, caps: Caps) -> Iterator[Finding]:
    """Compare at the largest equity that the policy states, with what the traits know."""
    currency, least, at = inputs.model.account.currency, _least(inputs), max_equity(inputs)
    for path, bounds in caps.items():
        cap = most(bounds, currency, at)
        if least is not None and cap is not None and cap < least:
            yield RULE.finding(
                inputs.place(path),
                f"{_is(path, bounds, cap, currency, at)}; {inputs.model.exchange} takes no order under "
                f"{money(least, currency)}",
                label=f"under {money(least, currency)}",
                next_step=_RAISE,
            )


def _live(inputs: Inputs, caps: Caps) -> Iterator[Finding]:
    """Compare at the equity of now, with each market that a cap is for."""
    currency, at = inputs.model.account.currency, equity(inputs) or max_equity(inputs)
    for path, bounds in caps.items():
        cap = most(bounds, currency, at)
        over = [(s, least) for s, least in _minima(inputs, path) if cap is not None and cap < least]
        if cap is not None and over:
            least = max(amount for _, amount in over)
            under = [f"of {symbol} under {money(amount, currency)}" for symbol, amount in over]
            yield RULE.finding(
                inputs.place(path),
                f"{_is(path, bounds, cap, currency, at)}; {inputs.model.exchange} takes no order "
                f"{', and none '.join(under)}",
                confidence="observed",
                label=f"under {money(least, currency)}",
                observed=evidence(inputs, "markets", f"markets.{over[0][0]}.min_notional", money(over[0][1], currency)),
                next_step=_RAISE,
            )


def _untold(inputs: Inputs, caps: Caps) -> Iterator[Finding]:
    """Name the markets of the policy whose least notional is not known, at the first cap."""
    exact = {symbol for symbol in wanted(inputs) if "*" not in symbol}
    told = {row["symbol"] for row in rows(inputs, "markets") if number(row.get("min_notional")) is not None}
    without = sorted(exact - told)
    gave = f"{inputs.model.exchange} gave no least notional of {named(without)}"
    reason = untold(inputs, "markets") or gave
    if without and caps and (told or _least(inputs) is None):
        yield RULE.unknown(
            inputs.place(next(iter(caps))),
            f"whether caps are over the least order is not known: {reason}",
            "look up the least order of each market on the exchange's page",
        )


def _minima(inputs: Inputs, path: str) -> list[tuple[str, Decimal]]:
    """Return (symbol, least notional) of the markets that a cap is for, in the account's currency."""
    found = []
    for row in rows(inputs, "markets"):
        symbol, least = symbol_of(row), number(row.get("min_notional"))
        mine = path == _ORDER or path == f"risk.max_position_notional.{caps_of(inputs, symbol)[0]}"
        if mine and least is not None and currency_of(row) == inputs.model.account.currency:
            found.append((symbol, least))
    return found


def _is(path: str, bounds: tuple[Bound, ...], cap: Decimal, currency: str, at: Decimal | None) -> str:
    of = f" of {money(at, currency)}" if at and any(isinstance(b, Share) for b in bounds) else ""
    return f"{path.removeprefix('risk.')} is {money(cap, currency)} at most{of}"


def _least(inputs: Inputs) -> Decimal | None:
    """Return the least notional of the traded markets that are quoted in the account's currency; None: not known."""
    currency = inputs.model.account.currency
    patterns = wanted(inputs)
    if patterns and not any(p.partition("/")[2].partition(":")[0] in (currency, "*") for p in patterns):
        return None
    known = (
        [inputs.traits.products[p] for p in products(inputs) if p in inputs.traits.products] if inputs.traits else []
    )
    return min((p.min_notional[currency] for p in known if currency in p.min_notional), default=None)
