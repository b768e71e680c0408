"""The addresses at the exchange are not those of the policy.

## What it finds
An address that the exchange accepts and the policy does not name, and one that the policy names and the exchange
does not accept. Where the exchange does not tell (Binance reports only whether a restriction is set) it is unknown;
`declared.ip_allowlist` records what a person read there, and counts as declared, not as verified. A declaration
from before the key was made says nothing of it.

## Why
After a migration the old address stays on the list, and whoever gets that address next may use the key (G13).

## Bad
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156", "45.33.32.99"]}}]}
```
```finding
open observed policy.yaml:5:19 the addresses of key `mm-exec` at the exchange differ from the policy: also
  45.33.32.99
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "yes", "addresses": null},
  "unknown": {"ip_allowlist.addresses": "binance reports only whether a restriction is set"}}]}
```
```finding
unknown policy.yaml:4:19 which addresses `mm-exec` accepts could not be read: binance reports only whether a
  restriction is set
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
    declared: {ip_allowlist: [45.33.32.156], by: desk-head, at: 2026-11-20}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-10-20T10:00:00Z",
  "ip_allowlist": {"restricted": "yes", "addresses": null}}]}
```
```finding
declared policy.yaml:5:30 that `mm-exec` accepts 45.33.32.156 is what desk-head declared on 2026-11-20; not
  verified
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
    declared: {ip_allowlist: [45.33.32.156, 45.33.32.99], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:30 the addresses of key `mm-exec` that desk-head declared differ from the policy:
  also 45.33.32.99
```

## Good
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156"]}}]}
```

## Source
GUIDE.md G13; Binance wallet API, GET /sapi/v1/account/apiRestrictions has only `ipRestrict` (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.addresses import network_of
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.scopes import of_this_key

if TYPE_CHECKING:
    from policykit.model import Key
    from policykit.snapshot import KeyReport

RULE = Rule(
    "PK214",
    "allowlist-drift",
    "high",
    ("G13",),
    "an old address that stays on the list belongs to somebody else by now (G13)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare declared addresses with the policy, then those that the exchange tells."""
    for name, key in inputs.keys.items():
        if key.declared is not None and key.declared.ip_allowlist is not None:
            differs = _difference(_policy(key), key.declared.ip_allowlist)
            if differs:
                yield RULE.finding(
                    inputs.place(f"keys.{name}.declared.ip_allowlist"),
                    f"the addresses of key `{name}` that {key.declared.by} declared differ from the policy: {differs}",
                    label="as declared",
                    context=(("as agreed", inputs.place(f"keys.{name}.ip_allowlist")),),
                    next_step=f"make {inputs.key_page()} and `ip_allowlist` agree, then declare it anew",
                )
    for name, key, report in inputs.reports():
        if report.addresses is not None:
            yield from _observed(inputs, name, key, report)
        elif report.restricted != "no":
            yield from _untold(inputs, name, key, report)


def _observed(inputs: Inputs, name: str, key: Key, report: KeyReport) -> Iterator[Finding]:
    differs = _difference(_policy(key), report.addresses or [])
    if differs:
        yield RULE.finding(
            inputs.place(f"keys.{name}.ip_allowlist"),
            f"the addresses of key `{name}` at the exchange differ from the policy: {differs}",
            confidence="observed",
            label="as agreed",
            context=inputs.declared_at(name),
            observed=inputs.observed(report, "ip_allowlist.addresses", report.addresses),
            next_step=f"make {inputs.key_page()} and `ip_allowlist` agree",
        )


def _untold(inputs: Inputs, name: str, key: Key, report: KeyReport) -> Iterator[Finding]:
    declared = key.declared
    if declared is not None and declared.ip_allowlist is not None:
        if not of_this_key(declared, report):
            yield RULE.unknown(
                inputs.place(f"keys.{name}.declared.at"),
                f"which addresses `{name}` accepts is not known: the key was made after the declaration",
                f"compare {inputs.key_page()} by eye, then declare it anew",
            )
        elif not _difference(_policy(key), declared.ip_allowlist):
            yield RULE.finding(
                inputs.place(f"keys.{name}.declared.ip_allowlist"),
                f"that `{name}` accepts {words(declared.ip_allowlist)} is what {declared.by} declared on"
                f" {declared.at}; not verified",
                status="declared",
            )
        return
    reason = report.unknown.get("ip_allowlist.addresses") or report.unknown.get("ip_allowlist")
    yield RULE.unknown(
        inputs.place(f"keys.{name}.ip_allowlist"),
        f"which addresses `{name}` accepts could not be read: "
        f"{reason or f'the answer of {report.endpoint} does not say'}",
        f"compare {inputs.key_page()} by eye, then record it under `declared:`",
    )


def _policy(key: Key) -> tuple[str, ...]:
    return tuple(entry.address for entry in key.ip_allowlist or ())


def _difference(policy: Iterable[str], other: Iterable[str]) -> str:
    """Return `also 1.2.3.4; not 5.6.7.8`, or nothing when both hold the same addresses, however written."""
    ours = {str(network_of(text) or text): text for text in policy}
    theirs = {str(network_of(text) or text): text for text in other}
    more = words(theirs[n] for n in theirs if n not in ours)
    less = words(ours[n] for n in ours if n not in theirs)
    return "; ".join(part for part in (f"also {more}" if more else "", f"not {less}" if less else "") if part)
