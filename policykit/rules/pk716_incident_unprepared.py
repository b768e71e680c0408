"""Nobody is named to be called, or nothing to be read, in an incident.

## What it finds
A live policy with a trading key and no `incident.contacts`, or no `incident.runbook`.

## Why
The first five minutes decide most of the loss: who revokes the key and where it says how are looked up before, not
then (G42, G45).

## Bad
```yaml
incident: {contacts: [], runbook: docs/runbook.md}
```
```finding
open certain policy.yaml:1:22 nobody is named to be called in an incident
```
```yaml
incident: {contacts: [desk-head]}
```
```finding
open certain policy.yaml:1:1 no page is named that says what to do in an incident
```

## Good
```yaml
incident: {contacts: [desk-head], runbook: docs/runbook.md}
```

## Source
GUIDE.md G42, G43, G45.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK716", "incident-unprepared", "low", ("G42", "G43", "G45"), "the first minutes decide most of it (G45)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for persons and for the page."""
    if not inputs.trades or inputs.model.environment != "live":
        return
    incident = inputs.model.incident
    if incident is None or not incident.contacts:
        yield RULE.finding(
            inputs.place("incident.contacts"),
            "nobody is named to be called in an incident",
            label="no `contacts`",
            next_step="add `incident: {contacts: [...]}` with who may revoke the key",
        )
    if incident is None or incident.runbook is None:
        yield RULE.finding(
            inputs.place("incident.runbook"),
            "no page is named that says what to do in an incident",
            label="no `runbook`",
            next_step="add `runbook:` with the page to open: revoke, password, addresses, open orders",
        )
