"""Two owners allow the same address.

## What it finds
A public address in the allowlists of policies with different `owner`s: once for each further owner. Advice: a company
whose desks share one way out to the exchange may mean it.

## Why
An allowlist keeps a leaked key from working elsewhere. Whoever is on a host that two desks share, or behind their
common address, is not elsewhere: one desk's intruder can use the other desk's key (G10, G01).

## Bad
```yaml
owner: desk-a
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml other.yaml
name: other
owner: desk-b
keys:
  arb-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```finding
open certain policy.yaml:3:58 key `mm-exec` of desk-a and key `arb-exec` of desk-b are bound to the same address,
  45.33.32.156
```

## Good
```yaml
owner: desk-a
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml other.yaml
name: other
owner: desk-a
keys:
  arb-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml
owner: desk-a
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 203.0.113.7, why: "an example"}, {address: 10.0.0.7}]}
```
```yaml other.yaml
name: other
owner: desk-b
keys:
  arb-exec: {purpose: execution, ip_allowlist: [{address: 203.0.113.7, why: "an example"}, {address: 10.0.0.7}]}
```

## Source
GUIDE.md G01, G10.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.place import Place
from policykit.rules.addresses import Network, public
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK208",
    "address-of-another",
    "low",
    ("G10", "G01"),
    "behind a shared address one desk's intruder can use the other's key (G10)",
    ("fleet",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Remember the first owner of each address; name each other one once."""
    first: dict[Network, tuple[str, str, Place]] = {}
    said: set[tuple[Network, str]] = set()
    for card in sorted(inputs.fleet, key=lambda c: c.file):
        for key in card.keys if card.owner else ():
            for text, place in key.addresses:
                network = public(text)
                if network is None or card.owner is None:
                    continue
                owner, name, at = first.setdefault(network, (card.owner, key.name, place))
                if owner == card.owner or (network, card.owner) in said:
                    continue
                said.add((network, card.owner))
                yield RULE.finding(
                    place,
                    f"key `{key.name}` of {card.owner} and key `{name}` of {owner} are bound to the same address,"
                    f" {text}",
                    label="shared",
                    context=((f"allowed by {owner}", at),),
                    next_step="give each desk an address of its own, or waive it where they share one on purpose",
                )
