"""One API key serves two purposes.

## What it finds
Two keys of a policy with the same secret reference, or that are the same key as the exchange reports them. The same
in two policies, where exchange, account, environment and purpose are not all the same; where they are, the policies
are two versions of one thing (two stages, two bots of one desk) and that is none. `env://` and `keyring://` are read on
each host by itself, so the same words in two policies are looked at only when they are about one account.

## Why
A key that two purposes share has the scopes of both, is rotated by neither, and cannot be revoked for one (G07).

## Bad
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://MM
```
```finding
open certain policy.yaml:7:13 keys `mm-exec` and `dashboard` have one secret reference; one key serves one
  purpose
```
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://DASHBOARD
```
```json
{"keys": [{"name": "mm-exec", "id": "sha256:3f9a01c2d4e5"}, {"name": "dashboard", "id": "sha256:3f9a01c2d4e5"}]}
```
```finding
open observed policy.yaml:5:3 keys `mm-exec` and `dashboard` are one key at the exchange; one key serves one
  purpose
```
```yaml
keys:
  mm-exec: {purpose: execution, secret: "vault://kv/trading/mm"}
```
```yaml tracker.yaml
name: tracker
keys:
  tracker: {purpose: tracking, secret: "vault://kv/trading/mm"}
```
```finding
open certain tracker.yaml:3:40 keys `mm-exec` of policy.yaml and `tracker` have one secret reference; one key
  serves one purpose
```
```yaml
keys:
  mm-exec: {purpose: execution, secret: "vault://kv/trading/mm"}
```
```yaml second.yaml
name: other
account: {name: second, currency: USDT}
keys:
  mm-exec: {purpose: execution, secret: "vault://kv/trading/mm"}
```
```finding
open certain second.yaml:4:41 keys `mm-exec` of policy.yaml and `mm-exec` have one secret reference for binance/main
  and binance/second; a key is of one account
```
```yaml
keys:
  mm-exec: {purpose: execution, secret: "env://MM"}
```
```yaml tracker.yaml
name: tracker
keys:
  tracker: {purpose: tracking, secret: "env://MM"}
```
```finding
open likely tracker.yaml:3:40 keys `mm-exec` of policy.yaml and `tracker` have one secret reference; one key
  serves one purpose
```

## Good
```yaml
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
  dashboard:
    purpose: tracking
    secret: env://DASHBOARD
```
```yaml
keys:
  mm-exec: {purpose: execution, secret: "env://BOT"}
```
```yaml other.yaml
name: other
exchange: kraken
keys:
  mm-exec: {purpose: execution, secret: "env://BOT"}
```
```yaml
keys:
  mm-exec: {purpose: execution, secret: "vault://kv/trading/mm"}
stage: {current: full-live}
```
```yaml micro.yaml
name: micro
keys:
  mm-exec: {purpose: execution, secret: "vault://kv/trading/mm"}
stage: {current: micro-live}
```

## Source
GUIDE.md G07; DESIGN.md, section 6 (two names share counters and keep their own caps); INTERFACE.md (secret references).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from policykit.finding import Confidence, Finding, Observed
from policykit.rules.base import Inputs, Rule
from policykit.rules.fleet import Card, KeyCard

RULE = Rule(
    "PK106",
    "shared-key",
    "high",
    ("G07",),
    "a key of two purposes has the scopes of both and cannot be revoked for one (G07)",
    ("fleet", "snapshot"),
)

#: References that each host resolves by itself: the same words may be two keys.
_OF_A_HOST = ("env://", "keyring://")


class _Use(NamedTuple):
    """One key of one policy."""

    card: Card
    key: KeyCard

    @property
    def account(self) -> str:
        return f"{self.card.exchange}/{self.card.account}"

    @property
    def role(self) -> tuple[str, str, str]:
        """What the uses of one key have in common."""
        return (self.account, self.card.environment, self.key.purpose)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare references, then ids as observed; two keys are said to be one only once."""
    uses = [_Use(card, key) for card in sorted(inputs.fleet, key=lambda c: c.file) for key in card.keys]
    said: set[tuple[str, str]] = set()
    for other, use in _pairs(uses, lambda use: use.key.secret):
        said.add((use.card.file, use.key.name))
        sure = other.card is use.card or not _of_host(use.key.secret)
        yield _finding(other, use, "have one secret reference", "certain" if sure else "likely")
    for other, use in _pairs(uses, lambda use: use.key.observed.value if use.key.observed else None):
        # One report may serve two policies that name their keys alike: no proof.
        alike = other.card is not use.card and other.key.name == use.key.name
        if not alike and (use.card.file, use.key.name) not in said:
            yield _finding(other, use, "are one key at the exchange", "observed", use.key.observed)


def _of_host(reference: str | None) -> bool:
    return reference is not None and reference.startswith(_OF_A_HOST)


def _pairs(uses: list[_Use], identity: Callable[[_Use], str | None]) -> Iterator[tuple[_Use, _Use]]:
    """Yield (first use, other use) of what is one key: two of a policy, or of two whose roles differ."""
    in_policy: dict[tuple[str, str], _Use] = {}
    first: dict[tuple[str, ...], _Use] = {}
    for use in uses:
        key = identity(use)
        if key is None:
            continue
        other = in_policy.setdefault((use.card.file, key), use)
        if other is use:
            scope = (key, use.account, use.card.environment) if _of_host(key) else (key,)
            other = first.setdefault(scope, use)
            if other.role == use.role:
                continue
        yield other, use


def _finding(other: _Use, use: _Use, what: str, confidence: Confidence, observed: Observed | None = None) -> Finding:
    field = "" if observed else ".secret"
    where = "" if other.card is use.card else f" of {other.card.file}"
    reason = "one key serves one purpose"
    if other.account != use.account:
        what, reason = f"{what} for {other.account} and {use.account}", "a key is of one account"
    elif other.card.environment != use.card.environment:
        what = f"{what} for {other.card.environment} and {use.card.environment}"
        reason = "a key is of one environment"
    return RULE.finding(
        use.card.place(f"keys.{use.key.name}{field}"),
        f"keys `{other.key.name}`{where} and `{use.key.name}` {what}; {reason}",
        confidence=confidence,
        label="the same key" if observed else "the same reference",
        context=(
            (
                f"also called {other.key.name}" if observed else f"first used by {other.key.name}",
                other.card.place(f"keys.{other.key.name}{field}"),
            ),
        ),
        observed=observed,
        next_step="make a second key at the exchange",
    )
