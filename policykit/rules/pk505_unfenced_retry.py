"""A missing order is to be sent again where nothing proves it missing.

## What it finds
`retry.orders.when_absent: new_client_order_id` for a product, or a family of its orders (`algo`: stops and
take-profits of Binance's contracts), of which the traits give no finite fence: a request's
longest life, its processing time or the lag of look-ups is not known, or the exchange takes no client order id. So
also where `clock.request_validity` is longer than the exchange takes. Of an id that ccxt does not have, PK730 says all:
the right name may have a fence.

## Why
"Not found" may only mean "not yet visible". Without a fence a second order can execute beside the first; a guard
therefore never sends it, and waits for a person (G26, G38).

## Bad
```yaml
exchange: kraken
retry:
  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
```
```finding
open certain policy.yaml:3:25 a missing order on kraken spot is to be sent again; no fence is known that proves it
  missing
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade]}
risk: {symbols: ["BTC/USDT", "ETH/USDT:USDT"]}
retry:
  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
```
```finding
open certain policy.yaml:5:25 a missing order on binance swap (algo) is to be sent again; no fence is known that proves
  it missing
```

## Good
```yaml
retry:
  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
```
```yaml
exchange: kraken
retry:
  orders: {when_absent: hold}
```

```yaml
exchange: binanse
retry:
  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
```

## Source
GUIDE.md G26, G28, G38; DESIGN.md, section 7 (missing trait = no fence = no re-send).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.budgets import products
from policykit.rules.fences import fences
from policykit.traits import exists

RULE = Rule(
    "PK505",
    "unfenced-retry",
    "high",
    ("G26", "G28", "G38"),
    "without a fence a second order can execute beside the first (G38)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Ask for the fence of each product that is traded, where a missing order may be sent again."""
    orders = inputs.model.retry.orders if inputs.model.retry else None
    if orders is None or orders.when_absent != "new_client_order_id" or not exists(inputs.model.exchange):
        return
    unfenced = [text for product in products(inputs) for text in _unfenced(product, fences(inputs, product))]
    if unfenced:
        place = inputs.place("retry.orders.when_absent")
        here = place.file == inputs.effective.file
        yield RULE.finding(
            place,
            f"a missing order on {inputs.model.exchange} {words(unfenced)} is to be sent again; no fence is known that "
            "proves it missing",
            label='"hold" is what a guard does',
            next_step="set `when_absent: hold`: a person decides",
            fix=Fix.replace(place, "hold", "hold it for a person", safe=True) if here else None,
        )


def _unfenced(product: str, lengths: dict[str, int | None]) -> Iterator[str]:
    """Yield the product, or those of its order families, that have no fence."""
    families = [family for family, length in lengths.items() if length is None]
    if len(families) == len(lengths):
        yield product
    elif families:
        yield f"{product} ({', '.join(families)})"
