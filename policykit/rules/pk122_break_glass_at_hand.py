"""The key for the worst day lies where every other key lies.

## What it finds
A key with `purpose: break_glass` that is bound to an address which another key of the policy works from, or whose
secret lies in the environment of a process (`env://`).

## Why
It cancels the orders of a key that leaked (G42). Who has the host of the bots has everything that lies on it: a key
that is there as well leaks with the others, and a revoked key cancels nothing.

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: vault://kv/trading/mm-exec
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
  emergency:
    purpose: break_glass
    secret: keyring://policykit/emergency
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```finding
open certain policy.yaml:11:30 the key `emergency` for the worst day works from 45.33.32.156, as `mm-exec` does
```
```yaml
keys:
  emergency:
    purpose: break_glass
    secret: env://EMERGENCY
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.157, why: "office"}]
```
```finding
open certain policy.yaml:4:13 the key `emergency` for the worst day lies in the environment of a process
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: vault://kv/trading/mm-exec
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
  emergency:
    purpose: break_glass
    secret: keyring://policykit/emergency
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 45.33.32.157, why: "office"}]
```

## Source
GUIDE.md G07, G42.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import allowed
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK122",
    "break-glass-at-hand",
    "medium",
    ("G07", "G42"),
    "who takes the host of the bots takes this key too (G42)",
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the addresses of the keys for the worst day with those of all others, and look where they lie."""
    kept = {name: key for name, key in inputs.keys.items() if key.purpose == "break_glass"}
    for name, key in kept.items():
        if (key.secret or "").startswith("env://"):
            yield RULE.finding(
                inputs.place(f"keys.{name}.secret"),
                f"the key `{name}` for the worst day lies in the environment of a process",
                label="where the bots' keys lie",
                next_step="keep it where no bot runs: a keyring, or a path of the manager that no bot can read",
            )
    entries = list(allowed(inputs))
    others = {one.network: one.key for one in entries if one.key not in kept and one.network is not None}
    for one in entries:
        if one.key in kept and one.network in others:
            yield RULE.finding(
                one.place,
                f"the key `{one.key}` for the worst day works from {one.text}, as `{others[one.network]}` does",
                label="the address of another key",
                next_step="bind it to an address of its own, of a place where no bot runs",
            )
