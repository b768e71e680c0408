"""A cap is so low that the exchange takes no order under it.

## What it finds
A cap on orders or on positions that, at the equity which the policy states (`account.max_equity`) and at its stage, is
below the least notional of the exchange's markets. A cap in money is compared without a stated equity too. Where the
traits do not know the least notional nothing is said.

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

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products, wanted
from policykit.rules.caps import max_equity, money, most
from policykit.units import Bound, Share

RULE = Rule(
    "PK607",
    "cap-under-minimum",
    "medium",
    ("G33", "G35"),
    "nothing can be bought under such a cap, so it is raised in a hurry",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each cap, at the largest equity that the policy states, with the least notional of what is traded."""
    risk, currency = inputs.model.risk, inputs.model.account.currency
    least = _least(inputs)
    if risk is None or least is None:
        return
    caps: dict[str, tuple[Bound, ...]] = {"risk.max_order_notional": risk.max_order_notional or ()}
    caps |= {f"risk.max_position_notional.{key}": cap for key, cap in (risk.max_position_notional or {}).items()}
    equity = max_equity(inputs)
    for path, bounds in caps.items():
        cap = most(bounds, currency, equity)
        if cap is not None and cap < least:
            what = path.removeprefix("risk.")
            at = f" of {money(equity, currency)}" if equity and any(isinstance(b, Share) for b in bounds) else ""
            yield RULE.finding(
                inputs.place(path),
                f"{what} is {money(cap, currency)} at most{at}; {inputs.model.exchange} takes no order under "
                f"{money(least, currency)}",
                label=f"under {money(least, currency)}",
                next_step="raise the cap or the account, or stay in paper until it is larger",
            )


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
