"""A limit is set that this version does not enforce.

## What it finds
Every limit of the policy whose check or part of the guard is not there yet, in one finding. So also `max_leverage`
where spot is traded that may borrow, and a collar around another price than mark or mid: this version sees neither;
and a dead man's switch where the exchange has no timer that counts down so long for what is traded.

## Why
A set limit is never silently unenforced: a guard denies every increase while one of these is set. Cancels and
reductions pass, and `mode: shadow` only counts.

## Bad
```yaml
exchange: binance
dead_man_switch: {timeout: 60s, refresh: 15s}
```
```finding
open certain policy.yaml:2:18 a guard of this version denies every increase: it does not enforce dead_man_switch
```

```yaml
exchange: okx
risk: {symbols: ["BTC/USDT"], max_leverage: 3, price_collar: {max_deviation: 2%, reference: last}}
```
```finding
open certain policy.yaml:2:45 a guard of this version denies every increase: it does not enforce risk.max_leverage
  and risk.price_collar.reference
```
```yaml
exchange: okx
risk: {symbols: ["BTC/USDT"], max_leverage: 1}
```
```finding
open certain policy.yaml:2:45 a guard of this version denies every increase: it does not enforce risk.max_leverage
```

## Good
```yaml
environment: live
store: {share: fleet}
stage: {current: full-live, evidence: journal}
```
```yaml
exchange: binanse
risk: {symbols: ["BTC/USDT"], max_leverage: 1}
```
```yaml
risk: {symbols: ["BTC/USDT"], max_leverage: 1, price_collar: {max_deviation: 2%, reference: mark}}
```
```yaml
exchange: binance
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
risk: {symbols: ["BTC/USDT:USDT"], max_leverage: 3}
```
```yaml
reconciliation: {on_start: required}
retry:
  reconnect: {wait_initial: 1s, factor: 2, jitter: full}
```

## Source
DESIGN.md, section 3 (a set limit whose check does not exist denies increases); GUIDE.md G01.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model import Risk
from policykit.model.enforced import unheld
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.budgets import products
from policykit.traits import exists
from policykit.traits.base import unarmable

RULE = Rule(
    "PK605", "limit-unenforced", "low", ("G01",), "a guard denies increases rather than leave a set limit unenforced"
)

#: How many of the limits the message names; the next step names all.
SHOWN = 3


def check(inputs: Inputs) -> Iterator[Finding]:
    """List what is set and held by nothing, as the engine's check of the same name does."""
    effective = inputs.effective
    paths = sorted({*(found.path for found in unheld(effective.model, effective.origins)), *_unseen(inputs)})
    if paths:
        places = {path: inputs.place(path) for path in paths}
        first = min(paths, key=lambda path: (places[path].file != effective.file, places[path]))
        more = [f"{len(paths) - SHOWN} more"] if len(paths) > SHOWN else []
        yield RULE.finding(
            places[first],
            f"a guard of this version denies every increase: it does not enforce {words([*paths[:SHOWN], *more])}",
            label="not enforced by this version",
            next_step=f"to trade with this version, take out {words(paths)}",
        )


def _unseen(inputs: Inputs) -> Iterator[str]:
    """Yield the limits on what this version does not observe: their checks are there, and deny."""
    switch, risk = inputs.model.dead_man_switch, inputs.model.risk or Risk()
    if switch is not None and inputs.traits and unarmable(inputs.traits, products(inputs), switch.timeout.ms):
        yield "dead_man_switch"
    if risk.max_leverage is not None and any(_borrows(inputs, product) for product in products(inputs)):
        yield "risk.max_leverage"
    if risk.price_collar is not None and risk.price_collar.reference not in ("mark", "mid"):
        yield "risk.price_collar.reference"


def _borrows(inputs: Inputs, product: str) -> bool:
    """Tell whether it is spot that may be held with borrowed money; the leverage of contracts is observed."""
    known = inputs.traits.products.get(product) if inputs.traits else None
    held = product != "spot" or (known is not None and known.auto_borrow is False)
    return not held and exists(inputs.model.exchange)
