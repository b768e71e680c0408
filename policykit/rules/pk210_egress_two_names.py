"""One address has two egress names.

## What it finds
Two policies of one exchange whose keys are bound to one and the same public address, and to no other, with budgets
shared by address under two `account.egress` names.

## Why
The exchange counts both into one allowance, the store counts them into two: each stays within its own, and together
they are banned (G24, G25).

## Bad
```yaml
account: {name: main, currency: USDT, egress: fra-1}
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml other.yaml
name: other
account: {name: second, currency: USDT, egress: fra-2}
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```finding
open certain policy.yaml:1:47 requests from 45.33.32.156 are counted as `fra-1` here and as `fra-2` in other.yaml; the
  exchange counts them as one
```

## Good
```yaml
account: {name: main, currency: USDT, egress: fra-1}
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml other.yaml
name: other
account: {name: second, currency: USDT, egress: fra-1}
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml
account: {name: main, currency: USDT, egress: fra-1}
keys:
  mm-exec: {purpose: execution, ip_allowlist: [{address: 45.33.32.156, why: "execution host"}]}
```
```yaml other.yaml
name: other
account: {name: second, currency: USDT, egress: fra-2}
keys:
  mm-exec:
    purpose: execution
    ip_allowlist: [{address: 45.33.32.156, why: "this host"}, {address: 45.33.32.157, why: "the way out"}]
```

## Source
GUIDE.md G24, G25; DESIGN.md, section 8 (address budgets are counted by exchange and egress name).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.addresses import Network, public
from policykit.rules.base import Inputs, Rule
from policykit.rules.fleet import Card

RULE = Rule(
    "PK210",
    "egress-two-names",
    "medium",
    ("G24", "G25"),
    "two counts of one allowance together go over it (G25)",
    ("fleet",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the names under which each single address is counted."""
    first: dict[tuple[str, Network], Card] = {}
    for card in sorted(inputs.fleet, key=lambda c: c.file):
        address = _only(card)
        if address is None or card.egress is None or all(budget.shared_by != "ip" for budget in card.budgets):
            continue
        other = first.setdefault((card.exchange, address), card)
        if other.egress != card.egress:
            yield RULE.finding(
                card.place("account.egress"),
                f"requests from {address.network_address} are counted as `{card.egress}` here and as `{other.egress}`"
                f" in {other.file}; the exchange counts them as one",
                label="another name of the same address",
                context=((f"called {other.egress}", other.place("account.egress")),),
                next_step="use one name for one address",
            )


def _only(card: Card) -> Network | None:
    """Return the one address that every key of a policy is bound to."""
    found = {public(text) for key in card.keys for text, _ in key.addresses}
    return found.pop() if len(found) == 1 else None
