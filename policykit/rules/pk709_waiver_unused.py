"""A waiver waives nothing.

## What it finds
A waiver of a rule that does not exist, or for a place where the rule finds nothing. One whose rule needs live state
or a record is looked at only when that is given; an expired one is PK708's.

## Why
An unused waiver silences the next finding before anybody has seen it.

## Bad
```yaml
waivers:
  - {rule: PK205, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "host is being moved", expires: 2026-12-01}
```
```finding
open certain policy.yaml:2:12 the waiver of PK205 at keys.mm-exec waives nothing: the rule finds nothing there
```
```yaml
waivers:
  - {rule: PK299, at: keys.mm-exec, owner: desk-a, ticket: OPS-12, reason: "a slip", expires: 2026-12-01}
```
```finding
open certain policy.yaml:2:12 the waiver of PK299 at keys.mm-exec waives nothing: there is no such rule
```

## Good
```yaml
waivers: []
```

## Source
DESIGN.md, section 3 (waivers; a waiver of a rule that cannot be waived is PK030).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule, iso_ms
from policykit.rules.fleet import Card

RULE = Rule(
    "PK709",
    "waiver-unused",
    "low",
    ("G01",),
    "an unused waiver silences the next finding before anybody has seen it",
    ("fleet", "findings"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for what each waiver covers among the findings of the other rules."""
    for card in inputs.fleet:
        mine = [f for file in card.files for f in inputs.findings.get(file, ())]
        for index, waiver in enumerate(card.waivers):
            expires_ms = iso_ms(waiver.expires)
            if expires_ms is None or expires_ms <= inputs.now_ms:
                continue
            reason = _unused(card, mine, waiver.rule, waiver.at)
            if reason:
                place = card.place(f"waivers.{index}.rule")
                yield RULE.finding(
                    place,
                    f"the waiver of {waiver.rule} at {waiver.at} waives nothing: {reason}",
                    label="unused",
                    next_step="take it out",
                    fix=Fix.remove(place._replace(path=f"waivers.{index}"), "take the waiver out", safe=True),
                )


def _unused(card: Card, findings: Sequence[Finding], code: str, at: str) -> str:
    from policykit.rules import find  # the catalogue imports this file

    entry = find(code)
    if entry is None:
        return "there is no such rule"
    if not {*card.given, "fleet"}.issuperset(entry.rule.reads):
        return ""
    used = any(f.rule == code and f"{f.primary.path}.".startswith(f"{at}.") for f in findings)
    return "" if used else "the rule finds nothing there"
