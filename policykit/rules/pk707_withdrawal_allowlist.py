"""Withdrawals may go to addresses that nobody agreed to.

## What it finds
`withdrawals.allowlist: optional`; and, with live state, an address on the exchange's withdrawal allowlist that the
policy does not name. An exchange that does not show its list is unknown.

## Why
The first thing to look for in an incident is a withdrawal address that nobody knows (G42, G44).

## Bad
```yaml
withdrawals: {allowlist: optional}
```
```finding
open certain policy.yaml:1:26 withdrawals to any address are agreed to
```
```yaml
withdrawals: {allowlist: required, addresses: [bc1q-cold-store]}
```
```json
{"withdrawal_addresses": [{"address": "bc1q-cold-store"}, {"address": "bc1q-somebody-else"}]}
```
```finding
open observed policy.yaml:1:47 money may be withdrawn to bc1q-somebody-else, which the policy does not name
```
```yaml
withdrawals: {allowlist: required, addresses: []}
```
```json
{"withdrawal_addresses": null}
```
```finding
unknown policy.yaml:1:47 where binance lets money be withdrawn to could not be read: the snapshot does not have
  it
```

## Good
```yaml
withdrawals: {allowlist: required, addresses: [bc1q-cold-store]}
```
```json
{"withdrawal_addresses": [{"address": "bc1q-cold-store"}]}
```

## Source
GUIDE.md G42, G44; Binance, GET /sapi/v1/capital/withdraw/address/list (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK707",
    "withdrawal-allowlist",
    "high",
    ("G42", "G44"),
    "an address that nobody knows is where the money goes (G42)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the switch, then compare the exchange's list with the policy's."""
    section = inputs.model.withdrawals
    if section is None:
        return
    if section.allowlist != "required":
        yield RULE.finding(
            inputs.place("withdrawals.allowlist"),
            "withdrawals to any address are agreed to",
            label='"required" is the guide\'s',
            next_step="switch the withdrawal allowlist on at the exchange, and set `allowlist: required`",
        )
    if inputs.snapshot is None:
        return
    place = inputs.place("withdrawals.addresses")
    if inputs.snapshot.withdrawal_addresses is None:
        yield RULE.unknown(
            place,
            f"where {inputs.model.exchange} lets money be withdrawn to could not be read: "
            f"{inputs.not_told('withdrawal_addresses')}",
            "look at the exchange's withdrawal addresses",
        )
        return
    for row in inputs.snapshot.withdrawal_addresses:
        address = address_of(row)
        if address not in (section.addresses or ()):
            yield RULE.finding(
                place,
                f"money may be withdrawn to {shown(address)}, which the policy does not name",
                confidence="observed",
                label="not one of these",
                observed=inputs.evidence(
                    "withdrawal addresses", "withdrawal_addresses", shown(address), inputs.snapshot.taken_at
                ),
                next_step="if nobody knows it: this is an incident, see the runbook; else name it here",
            )


def address_of(row: Mapping[str, Any]) -> str:
    """Return the address of one row of the exchange's list."""
    return str(row.get("address"))


def shown(address: str) -> str:
    """Shorten an address to what tells it from others."""
    return address if len(address) <= 24 else f"{address[:8]}...{address[-6:]}"
