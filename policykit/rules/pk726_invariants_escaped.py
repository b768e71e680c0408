"""A policy escapes the invariants of its organisation.

## What it finds
A live policy that does not extend a file which lies beside it in the same lint, is a profile, and says what must never
be (`never:`).

## Why
What an organisation forbids holds for who extends its file; a policy that extends nothing is held to nothing (G01).

## Bad
```yaml
owner: desk-a
```
```yaml organisation.yaml
never: [key.withdraw]
```
```finding
open certain policy.yaml:4:1 this policy does not extend organisation.yaml, which says what must never be
```

## Good
```yaml
owner: desk-a
```

## Source
GUIDE.md G01; docs/invariants.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import normpath

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK726",
    "invariants-escaped",
    "medium",
    ("G01",),
    "what an organisation forbids holds only for the policies that extend its file (G01)",
    ("fleet",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for each file with invariants among the files of each live policy."""
    for card in inputs.fleet:
        files = {normpath(file) for file in card.files or (card.file,)}
        for said in inputs.never:
            if card.environment == "live" and normpath(said.file) not in files:
                yield RULE.finding(
                    card.place("extends"),
                    f"this policy does not extend {said.file}, which says what must never be",
                    label="held to none of its invariants",
                    context=(("what must never be", said),),
                    next_step="extend it, or say in a waiver at `extends` why it is not this policy's",
                )
