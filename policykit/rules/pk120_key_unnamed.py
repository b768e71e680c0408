"""The account has a key that no policy names.

## What it finds
Live: another key of the account, as the exchange lists it beside a key of the policy, that is not among the keys of all
policies of this lint. While some key of the account was not read, which one it is is unknown.

## Why
A key that nobody wrote down is held to nothing: the old one that was to go within a day of a rotation, one that
somebody made to try something, or the one that an intruder made for himself (G20, G43).

## Bad
```yaml
exchange: deribit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.derivatives]
```
```json
{"exchange": "deribit", "keys": [{"name": "mm-exec", "id": "sha256:3f9a01c2d4e5",
  "others": [{"id": "sha256:3f9a01c2d4e5", "label": "mm"}, {"id": "sha256:77ce01aa93b2", "label": "test 2024"}]}]}
```
```finding
open observed policy.yaml:3:3 the account of key `mm-exec` has the key "test 2024" (sha256:77ce01aa93b2), which no
  policy names
```
```yaml
exchange: deribit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.derivatives]
  hedge:
    purpose: hedging
    scopes: [read, trade.derivatives]
```
```json
{"exchange": "deribit", "keys": [{"name": "mm-exec", "others": [{"id": "sha256:77ce01aa93b2", "label": ""}]}]}
```
```finding
unknown policy.yaml:3:3 whether key sha256:77ce01aa93b2 of the account of `mm-exec` is in a policy is not known: `hedge`
  was not read
```

## Good
```yaml
exchange: deribit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.derivatives]
  hedge:
    purpose: hedging
    scopes: [read, trade.derivatives]
```
```json
{"exchange": "deribit", "keys": [
  {"name": "mm-exec", "id": "sha256:3f9a01c2d4e5", "others": [{"id": "sha256:77ce01aa93b2", "label": "hedge"}]},
  {"name": "hedge", "id": "sha256:77ce01aa93b2", "others": [{"id": "sha256:3f9a01c2d4e5", "label": "mm"}]}]}
```

## Source
GUIDE.md G43 (audit every remaining key), G20; Deribit, private/list_api_keys (exchanges.json, 2026-08).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policykit.finding import Finding, Observed
from policykit.rules.base import Inputs, Rule
from policykit.rules.fleet import Card, KeyCard
from policykit.rules.holdings import named

RULE = Rule(
    "PK120",
    "key-unnamed",
    "medium",
    ("G43", "G20", "G07"),
    "a key that nobody wrote down is held to nothing (G43)",
    ("fleet", "snapshot"),
)

#: What a person called a key is shown only when it is plain.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/ -]{0,63}\Z")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look up every other key among those that were read, each once."""
    cards = sorted(inputs.fleet, key=lambda card: card.file)
    said = {key.observed.value for card in cards for key in card.keys if key.observed is not None}
    for card in cards:
        for key in card.keys:
            for other, label in key.others:
                if other.value not in said:
                    said.add(other.value)
                    yield _finding(cards, card, key, other, label)


def _finding(cards: list[Card], card: Card, key: KeyCard, other: Observed, label: str) -> Finding:
    place = card.place(f"keys.{key.name}")
    unread = [
        one.name
        for of in cards
        if (of.exchange, of.account) == (card.exchange, card.account)
        for one in of.keys
        if one.observed is None
    ]
    shown = f'"{label}" ({other.value})' if _PLAIN.match(label) else f"{other.value}"
    if unread:
        return RULE.unknown(
            place,
            f"whether key {shown} of the account of `{key.name}` is in a policy is not known: "
            f"{named(f'`{name}`' for name in unread)} {'was' if len(set(unread)) == 1 else 'were'} not read",
            "take a snapshot of every key of the account, and lint all its policies together",
        )
    return RULE.finding(
        place,
        f"the account of key `{key.name}` has the key {shown}, which no policy names",
        confidence="observed",
        label="read beside this key",
        observed=other,
        next_step="find out whose it is: name it in a policy, or delete it; if nobody knows it, this is an incident",
    )
