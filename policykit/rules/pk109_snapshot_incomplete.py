"""A snapshot lacks a field.

## What it finds
A snapshot file without one of the fields of "Snapshot, version 1", or with one whose value is of the wrong kind.

## Why
A field that was cut out, or that another version did not write, must not read as "nothing to report".

## Bad
```yaml
name: mm
```
```json without clock.skew_ms
{}
```
```finding
unknown policy.yaml:4:11 `clock.skew_ms` is not known: the snapshot does not have it
```

## Good
```yaml
name: mm
```
```json
{}
```

## Source
INTERFACE.md, "Snapshot, version 1"; PROMISES.md I18.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK109",
    "snapshot-incomplete",
    "medium",
    ("G01",),
    "what is not there has not passed",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Name each field that is missing."""
    for field in inputs.missing:
        yield RULE.unknown(
            inputs.place("exchange"),
            f"`{field}` is not known: {inputs.not_told(field.removeprefix('account.'))}",
            "take the snapshot anew with `policykit snapshot` of this version",
        )
