"""Orders are sent again without a bound.

## What it finds
`retry.orders` that sends a missing order again (`when_absent: new_client_order_id`) with no `attempts`, with more
than 5, or with no `expires_after`.

## Why
A signal of a minute ago is a bad trade now; and each send is one more chance to open the position twice (G26, G38).

## Bad
```yaml
retry:
  orders: {when_absent: new_client_order_id, attempts: 10, expires_after: 30s}
```
```finding
open certain policy.yaml:2:56 one intent may be sent 10 times; at most 5
```
```yaml
retry:
  orders: {when_absent: new_client_order_id, attempts: 2}
```
```finding
open certain policy.yaml:2:3 an order that was missing may be sent again however old it is
```
```yaml
retry:
  orders: {when_absent: new_client_order_id}
```
```finding
open certain policy.yaml:2:3 one intent may be sent any number of times; at most 5
open certain policy.yaml:2:3 an order that was missing may be sent again however old it is
```

## Good
```yaml
retry:
  orders: {when_absent: new_client_order_id, attempts: 5, expires_after: 30s}
```
```yaml
retry:
  orders: {when_absent: hold}
```

## Source
GUIDE.md G26, G38; DESIGN.md, section 7.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK501",
    "order-retry-unbounded",
    "high",
    ("G26", "G38"),
    "each send of an order is one more chance to open the position twice (G38)",
)

#: The most sends of one intent.
MAX_ATTEMPTS = 5
#: What the fix sets: the first send and one more behind the fence.
SAFE_ATTEMPTS = 2


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the bounds of re-sending."""
    orders = inputs.model.retry.orders if inputs.model.retry else None
    if orders is None or orders.when_absent != "new_client_order_id":
        return
    if orders.attempts is None or orders.attempts > MAX_ATTEMPTS:
        count = "any number of times" if orders.attempts is None else f"{orders.attempts} times"
        place = inputs.place("retry.orders.attempts")
        yield RULE.finding(
            place,
            f"one intent may be sent {count}; at most {MAX_ATTEMPTS}",
            label=f"{MAX_ATTEMPTS} or less",
            next_step="set `attempts: 2`: the first send and one more behind the fence",
            fix=(Fix.add if orders.attempts is None else Fix.replace)(
                place, str(SAFE_ATTEMPTS), "send at most twice", safe=True
            ),
        )
    if orders.expires_after is None:
        place = inputs.place("retry.orders.expires_after")
        yield RULE.finding(
            place,
            "an order that was missing may be sent again however old it is",
            label="no `expires_after`",
            next_step="set `expires_after` to how long the signal is good for, such as 30s",
            fix=Fix.add(place, "30s", "let it expire after 30s"),
        )
