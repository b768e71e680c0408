"""An entry of a list is covered by another one.

## What it finds
In every list of the policy an entry that changes nothing: said twice, covered by a wider pattern or scope beside it,
or a symbol that an exclusion of the same list takes out. Only what the file itself says on both sides.

## Why
Who takes the narrow entry out believes that something is now forbidden, and the wide one still allows it (G01).

## Bad
```yaml
risk:
  symbols: ["*/USDT", "BTC/USDT", "LUNA/BTC", "!LUNA*", "!LUNA2*"]
  order_types: [limit, market, limit]
```
```finding
open certain policy.yaml:2:23 BTC/USDT of risk.symbols changes nothing: */USDT is beside it
open certain policy.yaml:2:35 LUNA/BTC of risk.symbols changes nothing: !LUNA* is beside it
open certain policy.yaml:2:57 !LUNA2* of risk.symbols changes nothing: !LUNA* is beside it
open certain policy.yaml:3:32 limit of risk.order_types is said twice
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade, trade.spot]}
```
```finding
open certain policy.yaml:2:55 trade.spot of keys.mm-exec.scopes changes nothing: trade is beside it
```

## Good
```yaml
risk:
  symbols: ["*/USDT", "BTC/*", "!LUNA*", "!*/BTC"]
  order_types: [limit, market]
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot, trade.margin]}
```
```yaml
risk:
  symbols: ["LUNA/USDT", "!LUNA*"]
```

## Source
GUIDE.md G01, G06; DESIGN.md, section 2 (subset fields).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.model.base import SCOPES, SYMBOLS, Strictness
from policykit.model.shape import walk
from policykit.model.symbols import matches
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK613",
    "entry-shadowed",
    "low",
    ("G01",),
    "who takes the narrow entry out believes it is forbidden; the wide one allows it",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Hold every entry of every list against the others of its list."""
    origins, file = inputs.effective.origins, inputs.effective.file
    for path, value, meta in walk(inputs.model):
        if type(value) is not tuple or not all(isinstance(item, str) for item in value):
            continue
        here = [i for i in range(len(value)) if (at := origins.get(f"{path}.{i}")) is not None and at.file == file]
        for index in here:
            others = [(i, value[i]) for i in here if i != index]
            by = next((o for i, o in others if _covers(meta.strictness, o, value[index], i < index)), None)
            if by is None or _all_taken_out(meta.strictness, value):
                continue
            place = inputs.place(f"{path}.{index}")
            how = "is said twice" if by == value[index] else f"changes nothing: {by} is beside it"
            yield RULE.finding(
                place,
                f"{value[index]} of {path} {how}",
                label="covered",
                next_step="take it out, or the wider one",
                # An exclusion that goes is no looser beside a wider one; what only reads the two files cannot tell.
                fix=Fix.remove(place, "take it out", safe=not value[index].startswith("!")),
            )


def _covers(strictness: Strictness, other: str, item: str, earlier: bool) -> bool:
    """Tell whether an entry changes nothing beside another one, by the strictness of the list."""
    if other == item:
        return earlier
    if strictness == SCOPES:
        return item.startswith(f"{other}.")
    if strictness != SYMBOLS:
        return False
    if other.startswith("!"):
        return matches(other[1:], item.removeprefix("!"))
    return not item.startswith("!") and matches(other, item)


def _all_taken_out(strictness: Strictness, value: tuple[str, ...]) -> bool:
    """Tell whether exclusions leave nothing of a list of symbols: PK611 says so once."""
    if strictness != SYMBOLS:
        return False
    wanted = [s for s in value if not s.startswith("!")]
    without = [s[1:] for s in value if s.startswith("!")]
    return bool(wanted) and all(any(matches(w, s) for w in without) for s in wanted)
