"""A key was made without an address.

## What it finds
Live: a key that was made within the last 7 days and works from any address. (That an older one does is PK201's alone:
nobody can tell whether its restriction was taken away later.)

## Why
A key is bound from its first minute. One that was not may have been copied in the meantime; binding it now does not
undo that (G16).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-11-19T10:00:00Z",
  "ip_allowlist": {"restricted": "no", "addresses": []}}]}
```
```finding
open observed policy.yaml:2:3 key `mm-exec` was made 2 days ago and is bound to no address yet
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-11-19T10:00:00Z",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156"]}}]}
```

## Source
GUIDE.md G16; INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import DAY_MS, Inputs, Rule, days

RULE = Rule(
    "PK211",
    "made-unrestricted",
    "medium",
    ("G16",),
    "binding a key later does not undo that it could be used from anywhere (G16)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

#: How long a key is new.
NEW_MS = 7 * DAY_MS


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for new keys without a restriction."""
    for name, _, report in inputs.reports():
        made_ms = inputs.past_ms(report.created_at)
        if report.restricted == "no" and made_ms is not None and inputs.now_ms - made_ms <= NEW_MS:
            yield RULE.finding(
                inputs.place(f"keys.{name}"),
                f"key `{name}` was made {days(max(0, inputs.now_ms - made_ms))} ago and is bound to no address yet",
                confidence="observed",
                label="open from its first minute",
                context=((("as agreed", inputs.place(f"keys.{name}.ip_allowlist"))),),
                observed=inputs.observed(report, "created_at", report.created_at),
                next_step="make a new key and bind it before it is used; delete this one",
            )
