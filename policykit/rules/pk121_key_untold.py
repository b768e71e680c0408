"""The exchange does not tell all that there is to know of a key.

## What it finds
Live, one finding a key: when the key ends, when it was last used, whether it is a third party's (of a key that no
vendor of the policy holds), and which other keys the account has, as far as the exchange does not tell. PK308, PK309,
PK806 and PK120 look at these and have passed nothing. Of scopes, addresses and age their own rules say what is untold.

## Why
What was not observed is unknown, never a pass; whoever audits the keys looks at it on the exchange's page (G43).

## Bad
```yaml
keys:
  mm-exec: {purpose: execution}
```
```json
{"keys": [{"name": "mm-exec", "last_used_at": null, "third_party": "unknown",
  "unknown": {"last_used_at": "binance does not report it", "expires_at": "binance does not report it"}}]}
```
```finding
unknown policy.yaml:2:12 more of key `mm-exec` could not be read: when it ends, when it was last used (binance does not
  report it); whether it is a third party's (the answer of GET /sapi/v1/account/apiRestrictions does not say)
```

## Good
```yaml
keys:
  mm-exec: {purpose: execution}
vendors:
  tax-report: {keys: [mm-exec], asks_for: [read]}
```
```json
{"keys": [{"name": "mm-exec", "third_party": "unknown", "unknown": {}}]}
```

## Source
GUIDE.md G43 (audit every key: permissions, addresses, last use); INTERFACE.md, "Snapshot, version 1".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.vendors import held_by_vendors

if TYPE_CHECKING:
    from policykit.snapshot import KeyReport

RULE = Rule(
    "PK121",
    "key-untold",
    "low",
    ("G43",),
    "what was not observed is unknown, never a pass (G43)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

#: What a report may not tell, in words.
_UNTOLD = {
    "expires_at": "when it ends",
    "last_used_at": "when it was last used",
    "third_party": "whether it is a third party's",
    "others": "which other keys the account has",
}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Gather what is not told of each key, by its reason."""
    held = held_by_vendors(inputs)
    for name, _, report in inputs.reports():
        by_reason: dict[str, list[str]] = {}
        for field, what in _UNTOLD.items():
            if _untold(report, field) and not (field == "third_party" and name in held):
                reason = report.unknown.get(field) or f"the answer of {report.endpoint} does not say"
                by_reason.setdefault(reason, []).append(what)
        if by_reason:
            parts = "; ".join(f"{', '.join(what)} ({reason})" for reason, what in by_reason.items())
            yield RULE.unknown(
                inputs.place(f"keys.{name}"),
                f"more of key `{name}` could not be read: {parts}",
                f"look at {inputs.key_page()}",
            )


def _untold(report: KeyReport, field: str) -> bool:
    """Tell whether a field is not known; no end, no use and no other key without a reason are answers."""
    if field == "third_party":
        return report.third_party == "unknown"
    return not getattr(report, field) and field in report.unknown
