"""Two keys of a policy are one key.

## What it finds
Two entries under `keys` with the same secret reference, or that are the same key as the exchange reports them.

## Why
A key that two purposes share has the scopes of both, is rotated by neither, and cannot be revoked for one (G07).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://MM
```
```finding
open certain policy.yaml:7:13 keys `mm-exec` and `dashboard` have one secret reference; one key serves one
  purpose
```
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://DASHBOARD
```
```json
{"keys": [{"name": "mm-exec", "id": "sha256:3f9a01c2d4e5"}, {"name": "dashboard", "id": "sha256:3f9a01c2d4e5"}]}
```
```finding
open observed policy.yaml:5:3 keys `mm-exec` and `dashboard` are one key at the exchange; one key serves one
  purpose
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://DASHBOARD
```

## Source
GUIDE.md G07.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK106",
    "shared-key",
    "high",
    ("G07",),
    "a key of two purposes has the scopes of both and cannot be revoked for one (G07)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare references, then ids as observed."""
    first: dict[str, str] = {}
    said: set[str] = set()
    for name, key in inputs.keys.items():
        if key.secret is None:
            continue
        other = first.setdefault(key.secret, name)
        if other != name:
            said.add(name)
            yield RULE.finding(
                inputs.place(f"keys.{name}.secret"),
                f"keys `{other}` and `{name}` have one secret reference; one key serves one purpose",
                label="the same reference",
                context=((f"first used by {other}", inputs.place(f"keys.{other}.secret")),),
                next_step="make a second key at the exchange",
            )
    first = {}
    for name, _key, report in inputs.reports():
        other = first.setdefault(report.id, name) if report.id else name
        if other != name and name not in said:
            yield RULE.finding(
                inputs.place(f"keys.{name}"),
                f"keys `{other}` and `{name}` are one key at the exchange; one key serves one purpose",
                confidence="observed",
                label="the same key",
                context=((f"also called {other}", inputs.place(f"keys.{other}")),),
                observed=inputs.observed(report, "id", report.id),
                next_step="make a second key at the exchange",
            )
