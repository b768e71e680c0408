"""A stage before the last does not say what must be there before it is left.

## What it finds
A stage before full-live without a time (`next_needs.days`), without evidence (`orders` or `denials_reviewed`), or
without a person who agrees (`approver`); and a stage whose evidence is kept elsewhere (`evidence: external`) that does
not say `since` when it is in force.

## Why
What is not agreed beforehand is decided on a good day, by whoever wants more size (G41).

## Bad
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```finding
open certain policy.yaml:1:1 micro-live may be left without a time, evidence and an approver
```
```yaml
stage: {current: small-live, since: 2026-11-01, next_needs: {days: 14, denials_reviewed: true}}
```
```finding
open certain policy.yaml:1:61 small-live may be left without an approver
```
```yaml
stage: {current: full-live, evidence: external}
```
```finding
open certain policy.yaml:1:1 the evidence for full-live is kept elsewhere, and nothing says since when it is in force
```

## Good
```yaml
stage: {current: micro-live, since: 2026-11-01, next_needs: {days: 7, orders: 100, approver: desk-head}}
```
```yaml
stage: {current: full-live, since: 2026-11-01, evidence: external}
```
```yaml
stage: {current: full-live}
```

## Source
GUIDE.md G41.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.model import NextNeeds
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.stages import LAST

RULE = Rule("PK713", "stage-open-ended", "low", ("G41",), "what was not agreed is decided on a good day (G41)")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for what the next stage needs, and for the date where the journal cannot tell it."""
    stage = inputs.model.stage
    if stage is None:
        return
    lacking = list(_lacking(stage.next_needs or NextNeeds())) if stage.current != LAST else []
    if lacking:
        yield RULE.finding(
            inputs.place("stage.next_needs"),
            f"{stage.current} may be left without {words(lacking)}",
            label="not agreed",
            next_step="add `next_needs: {days: ..., orders: ..., approver: ...}`",
        )
    if stage.evidence == "external" and stage.since is None:
        yield RULE.finding(
            inputs.place("stage.since"),
            f"the evidence for {stage.current} is kept elsewhere, and nothing says since when it is in force",
            label="no `since`",
            next_step="add `since:` with the day on which the stage was agreed to",
        )


def _lacking(needs: NextNeeds) -> Iterator[str]:
    if needs.days is None:
        yield "a time"
    if needs.orders is None and not needs.denials_reviewed:
        yield "evidence"
    if needs.approver is None:
        yield "an approver"
