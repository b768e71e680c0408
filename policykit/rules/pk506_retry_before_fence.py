"""An unknown order is given up before it can be settled.

## What it finds
`retry.orders.wait` or `expires_after` shorter than the fence of a product that is traded: request validity +
processing time + clock bound + visibility lag, by the exchange's traits.

## Why
Only behind the fence a look-up can prove an order missing. A wait that ends before leaves it unknown, and increases of
that symbol denied; an order that expires before is never sent again, whatever `attempts` says (G26).

## Bad
```yaml
retry:
  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 10s}
```
```finding
open certain policy.yaml:2:74 a missing order expires after 10s, before it can be proved missing after 17500ms: it is
  never sent again
```
```yaml
retry:
  orders: {when_absent: hold, wait: 5s}
```
```finding
open certain policy.yaml:2:37 a call waits 5s for an unknown order; it can be proved missing only after 17500ms
```

## Good
```yaml
retry:
  orders: {lookup_every: 2s, when_absent: new_client_order_id, attempts: 2, expires_after: 30s}
```
```yaml
retry:
  orders: {when_absent: hold, expires_after: 10s, wait: 17500ms}
```

## Source
GUIDE.md G26; DESIGN.md, section 7 (the fence, and `retry.orders.wait`).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.budgets import products
from policykit.rules.fences import fences
from policykit.units import Duration

RULE = Rule(
    "PK506",
    "retry-before-fence",
    "medium",
    ("G26",),
    "only a look-up behind the fence proves an order missing (G26)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the times of `retry.orders` with the longest fence that is known of what is traded."""
    orders = inputs.model.retry.orders if inputs.model.retry else None
    known = [length for p in products(inputs) for length in fences(inputs, p).values() if length is not None]
    if orders is None or not known:
        return
    fence = Duration(max(known))
    if orders.wait is not None and orders.wait.ms < fence.ms:
        yield RULE.finding(
            inputs.place("retry.orders.wait"),
            f"a call waits {orders.wait} for an unknown order; it can be proved missing only after {fence}",
            label=f"over {fence}, or absent",
            next_step="leave `wait` out: it is the fence and one look-up, then",
        )
    resends = orders.when_absent == "new_client_order_id"
    if resends and orders.expires_after is not None and orders.expires_after.ms < fence.ms:
        yield RULE.finding(
            inputs.place("retry.orders.expires_after"),
            f"a missing order expires after {orders.expires_after}, before it can be proved missing after {fence}: it "
            "is never sent again",
            label=f"over {fence}",
            next_step=f"set `expires_after` to more than {fence}, or say what happens: `when_absent: hold`",
        )
