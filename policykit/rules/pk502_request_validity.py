"""A signed request stays good for longer than its exchange accepts.

## What it finds
`clock.request_validity` above what the exchange takes. Where policykit has no figure of it, it is unknown; of an id
that ccxt does not have, PK730 says all.

## Why
The validity is part of the fence behind which a lost order can no longer execute. One that the exchange refuses
fails every order; a long one makes every lost order wait (G03, G26).

## Bad
```yaml
clock: {max_skew: 500ms, request_validity: 90s}
```
```finding
open certain policy.yaml:1:44 requests are signed for 90s; binance takes at most 1m
```
```yaml
exchange: kraken
clock: {max_skew: 500ms, request_validity: 5s}
```
```finding
unknown policy.yaml:2:44 how long kraken lets a request live is not known: policykit has no figure of it
```

## Good
```yaml
clock: {max_skew: 500ms, request_validity: 5s}
```
```yaml
clock: {max_skew: 500ms, request_validity: 60s}
```

```yaml
exchange: binanse
clock: {max_skew: 500ms, request_validity: 5s}
```

## Source
GUIDE.md G03, G26; Binance rest-api.md, "Timing security": recvWindow cannot be greater than 60000 (a5e0bc3).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.traits import exists
from policykit.units import Duration

RULE = Rule(
    "PK502",
    "request-validity",
    "medium",
    ("G03", "G26"),
    "an order that was lost can execute until its request expires",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the validity with the shortest bound of the exchange's order families."""
    validity = inputs.model.clock.request_validity if inputs.model.clock else None
    if validity is None or not exists(inputs.model.exchange):
        return
    place = inputs.place("clock.request_validity")
    families = [f for p in inputs.traits.products.values() for f in p.families.values()] if inputs.traits else []
    bounds = [f.validity_max_ms for f in families if f.validity_max_ms is not None]
    if not bounds:
        yield RULE.unknown(
            place,
            f"how long {inputs.model.exchange} lets a request live is not known: policykit has no figure of it",
            "nothing is to be done: while it is not known, a lost order is held for a person and never sent again",
        )
    elif validity.ms > min(bounds):
        longest = Duration(min(bounds))
        yield RULE.finding(
            place,
            f"requests are signed for {validity}; {inputs.model.exchange} takes at most {longest}",
            label=f'"{longest}" or less',
            next_step="5s is enough on a host whose clock is right",
            fix=Fix.replace(place, "5s", "sign for 5s", safe=True),
        )
