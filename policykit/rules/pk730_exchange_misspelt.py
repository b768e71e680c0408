"""The exchange is written as none that ccxt has.

## What it finds
An `exchange` that is no id of ccxt and nearly one that is. An id that resembles none is unknown: a later ccxt may have
it. One that ccxt has no more and this version still reads (`bitmex`) is none of both.

## Why
Everything that is known of an exchange is found by this id: under another one no allowance, no bound on requests and
no permission is compared, and nothing says so (G08, G22).

## Bad
```yaml
exchange: binanse
```
```finding
open likely policy.yaml:1:11 ccxt has no exchange `binanse`; is it `binance`?
```
```yaml
exchange: qqqqqq
```
```finding
unknown policy.yaml:1:11 ccxt 4.5 has no exchange `qqqqqq`
```

## Good
```yaml
exchange: kraken
```
```yaml
exchange: bitmex
```

## Source
DESIGN.md, section 3 (`exchange`: a ccxt exchange id); ccxt 4.5.90, `ccxt.exchanges` (read November 2026).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.traits import exists, known
from policykit.traits.ccxt_ids import IDS

RULE = Rule(
    "PK730",
    "exchange-misspelt",
    "medium",
    ("G08", "G22"),
    "under a misspelt id nothing is compared with the exchange, and nothing says so (G08)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look the exchange up among ccxt's."""
    exchange = inputs.model.exchange
    if exists(exchange):
        return
    place = inputs.place("exchange")
    near = difflib.get_close_matches(exchange, sorted(IDS.union(known())), cutoff=0.75)
    if not near:
        yield RULE.unknown(
            place, f"ccxt 4.5 has no exchange `{exchange}`", "look it up in `ccxt.exchanges` of the ccxt that you run"
        )
        return
    yield RULE.finding(
        place,
        f"ccxt has no exchange `{exchange}`; is it `{near[0]}`?",
        confidence="likely",
        label=f"`{near[0]}`?",
        next_step=f"write `{near[0]}`, or another id of ccxt",
        fix=Fix.replace(place, near[0], f"write {near[0]}"),
    )
