"""A key of the live exchange is in a policy for the sandbox.

## What it finds
Live: a policy with `environment: sandbox` one of whose keys opened the live exchange. Where that could not be told it
is unknown.

## Why
What runs against the sandbox runs without caution: without caps, without review, by whoever tries something out. With
this key it trades money (G41).

## Bad
```yaml
environment: sandbox
stage: {current: sandbox, next_needs: {days: 7, orders: 100, approver: desk-head}}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```
```json
{"keys": [{"name": "mm-exec", "environment": "live"}]}
```
```finding
open observed policy.yaml:1:14 key `mm-exec` opens the live exchange; the policy is for the sandbox
```
```yaml
environment: sandbox
stage: {current: sandbox, next_needs: {days: 7, orders: 100, approver: desk-head}}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```
```json
{"keys": [{"name": "mm-exec", "environment": "unknown"}]}
```
```finding
unknown policy.yaml:1:14 which exchange key `mm-exec` opens, the sandbox or the live one, is not known: the answer of
  GET /sapi/v1/account/apiRestrictions does not say
```

## Good
```yaml
environment: sandbox
stage: {current: sandbox, next_needs: {days: 7, orders: 100, approver: desk-head}}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```
```json
{"keys": [{"name": "mm-exec", "environment": "sandbox"}]}
```
```yaml
environment: live
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```
```json
{"keys": [{"name": "mm-exec", "environment": "live"}]}
```

## Source
GUIDE.md G41 (a stage is left only with its evidence); INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK723",
    "sandbox-key-live",
    "critical",
    ("G41",),
    "what is tried out without caution trades money with this key (G41)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what each key of a sandbox policy opened."""
    if inputs.model.environment != "sandbox":
        return
    place = inputs.place("environment")
    for name, _, report in inputs.reports():
        if report.environment == "live":
            yield RULE.finding(
                place,
                f"key `{name}` opens the live exchange; the policy is for the sandbox",
                confidence="observed",
                label="no sandbox",
                context=inputs.declared_at(name),
                observed=inputs.observed(report, "environment", report.environment),
                next_step="put a key of the sandbox into `secret`, and find out where this one was used",
            )
        elif report.environment == "unknown":
            reason = report.unknown.get("environment") or f"the answer of {report.endpoint} does not say"
            yield RULE.unknown(
                place,
                f"which exchange key `{name}` opens, the sandbox or the live one, is not known: {reason}",
                "look the key up on the pages of both",
            )
