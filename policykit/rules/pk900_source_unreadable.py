"""A bot's source cannot be read.

## What it finds
Python source that does not parse, is not UTF-8, or is too long, and a notebook that is no JSON: nothing is known of it.
A cell of a notebook that does not parse is left out alone.

## Why
What could not be looked at has not passed. The finding has the status unknown; `--strict` makes it count.

## Bad
```python
def trade(:
    exchange.create_order("BTC/USDT", "limit", "buy", 1, 100)
```
```finding
unknown bot.py:1:11 this source was not read: this does not parse as Python 3
```

## Good
```python
def trade():
    pass
```

## Source
DESIGN.md, section 4: what could not be observed is unknown, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.place import Place
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK900", "source-unreadable", "medium", ("G18", "G26"), "what was not looked at has not passed", ("source",)
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """State the reason why a source was not read."""
    reasons = [inputs.code.unreadable] if inputs.code.unreadable is not None else inputs.code.skipped
    for line, column, reason in reasons:
        place = Place(inputs.code.file, line, column, line, column)
        yield RULE.unknown(place, f"this source was not read: {reason}", "repair the file, or leave it out of PATHS")
