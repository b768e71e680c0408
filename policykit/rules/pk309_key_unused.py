"""A key has long been unused.

## What it finds
Live: a key that was last used more than 30 days ago, or was made as long ago and never used. A key for emergencies
(`break_glass`) is meant to lie there. Where the exchange does not tell the last use, PK121 says so.

## Why
A key that nobody uses is missed by nobody when somebody else does (G43).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
```
```json
{"keys": [{"name": "mm-exec", "last_used_at": "2026-09-01T10:00:00Z"}]}
```
```finding
open observed policy.yaml:3:5 key `mm-exec` was last used 81 days ago
```
```yaml
keys:
  mm-exec:
    purpose: execution
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-10-01T10:00:00Z", "last_used_at": null}]}
```
```finding
open observed policy.yaml:3:5 key `mm-exec` was made 51 days ago and never used
```

## Good
```yaml
keys:
  panic:
    purpose: break_glass
  mm-exec:
    purpose: execution
```
```json
{"keys": [{"name": "panic", "last_used_at": "2026-09-01T10:00:00Z"},
  {"name": "mm-exec", "last_used_at": "2026-11-20T10:00:00Z"}]}
```

## Source
GUIDE.md G43 (audit every key: permissions, addresses, last use).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import DAY_MS, Inputs, Rule, days

RULE = Rule(
    "PK309",
    "key-unused",
    "low",
    ("G43", "G20"),
    "a key that nobody uses is missed by nobody when somebody else does (G43)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

#: The longest time without use.
MAX_IDLE_MS = 30 * DAY_MS


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the last use with now; of a key that was never used, the day it was made."""
    for name, key, report in inputs.reports():
        never = report.last_used_at is None and "last_used_at" not in report.unknown
        field, text = ("created_at", report.created_at) if never else ("last_used_at", report.last_used_at)
        at_ms = inputs.past_ms(text)
        if key.purpose == "break_glass" or at_ms is None or inputs.now_ms - at_ms <= MAX_IDLE_MS:
            continue
        ago = f"{days(inputs.now_ms - at_ms)} ago"
        yield RULE.finding(
            inputs.place(f"keys.{name}"),
            f"key `{name}` was made {ago} and never used" if never else f"key `{name}` was last used {ago}",
            confidence="observed",
            label="who needs it?",
            observed=inputs.observed(report, field, text),
            next_step=f"delete it at {inputs.key_page()}, and take it out of the policy",
        )
