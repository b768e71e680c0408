"""A key is bound to a range of addresses.

## What it finds
An entry of an `ip_allowlist` that covers more than one address, and a range at the exchange that the policy does not
name.

## Why
A range lets in every neighbour in the same data centre: only specific static addresses are a restriction (G10).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.0/24, why: "the data centre"}]
```
```finding
open certain policy.yaml:4:30 key `mm-exec` is bound to 45.33.32.0/24: 256 addresses; name single ones
```
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156", "45.33.0.0/16"]}}]}
```
```finding
open observed policy.yaml:5:19 key `mm-exec` is bound to 45.33.0.0/16 at the exchange: 65,536 addresses; name single
  ones
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}, {address: "2600:3c01::7/128", why: "the same"}]
```
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156/32"]}}]}
```

## Source
GUIDE.md G10.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import Network, allowed, network_of
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK202",
    "address-range",
    "high",
    ("G10",),
    "a range lets in every neighbour of the host (G10)",
    ("policy", "snapshot"),
)

#: Longer counts are written as a power of two.
MAX_WRITTEN_BITS = 31
_NEXT = "name the static address of each host that trades, one entry each"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Count the addresses of each entry, then of each one that only the exchange has."""
    named: set[tuple[str, Network]] = set()
    for entry in allowed(inputs):
        if entry.network is not None and entry.network.num_addresses > 1:
            named.add((entry.key, entry.network))
            count = _count(entry.network)
            yield RULE.finding(
                entry.place,
                f"key `{entry.key}` is bound to {entry.text}: {count} addresses; name single ones",
                label=f"{count} addresses",
                next_step=_NEXT,
            )
    for name, _key, report in inputs.reports():
        for text in report.addresses or ():
            network = network_of(text)
            if network is None or network.num_addresses == 1 or (name, network) in named:
                continue
            yield RULE.finding(
                inputs.place(f"keys.{name}.ip_allowlist"),
                f"key `{name}` is bound to {text} at the exchange: {_count(network)} addresses; name single ones",
                confidence="observed",
                label="as agreed",
                context=inputs.declared_at(name),
                observed=inputs.observed(report, "ip_allowlist.addresses", text),
                next_step=f"{inputs.key_page()} > {inputs.on_page('ip_allowlist')}: {_NEXT}",
            )


def _count(network: Network) -> str:
    bits = network.max_prefixlen - network.prefixlen
    return f"{2**bits:,}" if bits <= MAX_WRITTEN_BITS else f"2^{bits}"
