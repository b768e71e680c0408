"""A vendor holds a key that the policy does not have.

## What it finds
A name in `vendors.NAME.keys` that is not among `keys`.

## Why
A key that no policy knows has no scopes, addresses or rotation to be held to, and is forgotten when the vendor is cut
off (G46).

## Bad
```yaml
vendors:
  tax-report: {keys: [reports], asks_for: [read]}
```
```finding
open certain policy.yaml:2:23 vendor `tax-report` holds key `reports`, which the policy does not have
```

## Good
```yaml
vendors:
  tax-report: {keys: [mm-exec], asks_for: [read, trade]}
```

## Source
GUIDE.md G46.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK805", "vendor-key-unknown", "medium", ("G46",), "a key that no policy knows is held to nothing (G46)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up each key that a vendor holds."""
    for name, vendor in (inputs.model.vendors or {}).items():
        for index, key in enumerate(vendor.keys or ()):
            if key not in inputs.keys:
                yield RULE.finding(
                    inputs.place(f"vendors.{name}.keys.{index}"),
                    f"vendor `{name}` holds key `{key}`, which the policy does not have",
                    label="not among `keys`",
                    next_step="declare it under `keys`, with its scopes and addresses; or take it out",
                )
