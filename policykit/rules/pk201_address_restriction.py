"""A key works from any address.

## What it finds
A key without an `ip_allowlist`, or whose restriction is off as the exchange reports it.

## Why
A leaked key that is bound to one address is of no use elsewhere; restriction is the default, not an option (G09).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```finding
open certain policy.yaml:2:3 key `mm-exec` is bound to no address
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 198.51.100.20, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "no", "addresses": null}, "raw": {"ipRestrict": false}}]}
```
```finding
open observed policy.yaml:4:19 key `mm-exec` works from any address: the restriction is off at the exchange
```
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 198.51.100.20, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "unknown", "addresses": null}}]}
```
```finding
unknown policy.yaml:4:19 whether `mm-exec` is bound to addresses could not be read: the answer of GET
  /sapi/v1/account/apiRestrictions does not say
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 198.51.100.20, why: "execution host"}]
```
```json
{"keys": [{"name": "mm-exec", "ip_allowlist": {"restricted": "yes", "addresses": null}}]}
```

## Source
GUIDE.md G09, G16; Binance wallet API, GET /sapi/v1/account/apiRestrictions, `ipRestrict` (exchanges.json, 2026-08).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK201",
    "address-restriction",
    "high",
    ("G09", "G16"),
    "a leaked key that works from anywhere is a key in everybody's hands (G09)",
    ("policy", "snapshot"),
)


#: What is left where the exchange has no allowlists at all.
_NOT_BOUND = "this exchange binds no key to an address: hold no more on the account than the bot needs"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look for a list in the policy, and for a restriction at the exchange."""
    for name, key in inputs.keys.items():
        if not key.ip_allowlist:
            yield RULE.finding(
                inputs.place(f"keys.{name}.ip_allowlist"),
                f"key `{name}` is bound to no address",
                label="no `ip_allowlist`" if key.ip_allowlist is None else "empty",
                next_step="add `ip_allowlist: [{address: ..., why: ...}]` with the static address of the bot's host",
            )
    for name, _key, report in inputs.reports():
        place = inputs.place(f"keys.{name}.ip_allowlist")
        if report.restricted == "no":
            field = "ipRestrict" if "ipRestrict" in report.raw else "ip_allowlist.restricted"
            yield RULE.finding(
                place,
                f"key `{name}` works from any address: the restriction is off at the exchange",
                confidence="observed",
                label="only these were agreed to",
                context=inputs.declared_at(name),
                observed=inputs.observed(report, field, report.raw.get(field, "no")),
                next_step=_NOT_BOUND
                if inputs.traits is not None and inputs.traits.most_addresses == 0
                else f"{inputs.key_page()} > {inputs.on_page('ip_allowlist')}",
            )
        elif report.restricted == "unknown":
            reason = report.unknown.get("ip_allowlist.restricted") or report.unknown.get("ip_allowlist")
            yield RULE.unknown(
                place,
                f"whether `{name}` is bound to addresses could not be read: "
                f"{reason or f'the answer of {report.endpoint} does not say'}",
                f"look at {inputs.key_page()}",
            )
