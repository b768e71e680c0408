"""The random numbers that trace ids are made of are seeded.

## What it finds
`random.seed(...)` with a value in a file that uses OpenTelemetry or policykit.

## Why
OpenTelemetry makes its trace ids from the global `random`. A bot that seeds it makes the same ids after each start, and
two of one strategy make the same ones: the record of orders (G29) runs together.

## Bad
```python
import random
from opentelemetry import trace

random.seed(42)
```
```finding
open certain bot.py:4:1 `random.seed` makes the ids of traces repeat after each start
```

## Good
```python
import random
from opentelemetry import trace

rng = random.Random(42)
random.seed()
```

## Source
GUIDE.md G29; PITFALLS.md 21; opentelemetry-sdk 1.39, `RandomIdGenerator`.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.code.retries import origin

RULE = Rule(
    "PK914",
    "seeded-trace-ids",
    "medium",
    ("G29",),
    "the same trace ids after each start run the records of different orders together",
    ("source",),
)

_TRACED = ("opentelemetry", "policykit", "logfire")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at each seed in a file that traces."""
    code = inputs.code
    if not any(where.partition(".")[0] in _TRACED for where in code.imports.values()):
        return
    for call in code.calls_of("seed"):
        if origin(code, call.function) == "random.seed" and call.arguments:
            yield RULE.finding(
                code.place(call.node, "seed"),
                "`random.seed` makes the ids of traces repeat after each start",
                label="the generator that OpenTelemetry uses",
                next_step="use a generator of its own: `rng = random.Random(42)`",
            )
