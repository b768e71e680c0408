"""The policy knows a withdrawal address that the exchange does not.

## What it finds
Live: an address among `withdrawals.addresses` that the exchange's list does not have. (An address that only the
exchange has is PK707's.)

## Why
One of the two is not true any more. In an incident the list in the policy is what the exchange's is compared with; one
with addresses that somebody took away hides that somebody did (G42, G44).

## Bad
```yaml
withdrawals: {allowlist: required, addresses: [bc1q-cold-store, bc1q-old-store]}
```
```json
{"withdrawal_addresses": [{"address": "bc1q-cold-store"}]}
```
```finding
open observed policy.yaml:1:65 the policy names bc1q-old-store; the exchange's withdrawal addresses do not have it
```

## Good
```yaml
withdrawals: {allowlist: required, addresses: [bc1q-cold-store]}
```
```json
{"withdrawal_addresses": [{"address": "bc1q-cold-store"}]}
```
```yaml
withdrawals: {allowlist: required, addresses: [bc1q-cold-store]}
```
```json
{"withdrawal_addresses": null}
```

## Source
GUIDE.md G42, G44; PK707 for the other direction.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.pk707_withdrawal_allowlist import address_of, shown

RULE = Rule(
    "PK724",
    "withdrawal-address-gone",
    "low",
    ("G42", "G44"),
    "a list that is not true hides who changed the other one (G42)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up each address of the policy; PK707 says that the list could not be read."""
    listed = inputs.snapshot.withdrawal_addresses if inputs.snapshot else None
    section = inputs.model.withdrawals
    if listed is None or section is None:
        return
    known = {address_of(row) for row in listed}
    for index, address in enumerate(section.addresses or ()):
        if address not in known:
            yield RULE.finding(
                inputs.place(f"withdrawals.addresses.{index}"),
                f"the policy names {shown(address)}; the exchange's withdrawal addresses do not have it",
                confidence="observed",
                label="not there",
                observed=inputs.evidence(
                    "withdrawal addresses",
                    "withdrawal_addresses",
                    [shown(address_of(row)) for row in listed],
                    inputs.snapshot.taken_at if inputs.snapshot else "",
                ),
                next_step="find out who took it away; take it out here, or add it at the exchange",
            )
