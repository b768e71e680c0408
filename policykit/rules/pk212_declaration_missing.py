"""An exchange tells nothing of its keys that is documented, and nobody declared what its page shows.

## What it finds
A key on an exchange whose key report has no documentation that policykit could be held to, without `declared.scopes`,
`declared.ip_allowlist` or `declared.created`. With live state, what was declared is reported as declared, not verified.

## Why
Where nothing can be read, a person's look at the exchange's page is the only evidence, and it needs a name and a day
(G08, G13, G19).

## Bad
```yaml
exchange: mexc
keys:
  mm-exec:
    purpose: execution
    declared: {scopes: [read, trade.spot], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:5:15 only what is declared is known of key `mm-exec` on mexc; missing: its addresses and when
  it was made
```
```yaml
exchange: mexc
keys:
  mm-exec:
    purpose: execution
    declared: {scopes: [read, trade.spot], ip_allowlist: [45.33.32.156], created: 2026-11-01, by: desk-head,
      at: 2026-11-20}
```
```json
{"exchange": "mexc", "keys": []}
```
```finding
declared policy.yaml:5:5 what key `mm-exec` may do, from where and how old it is, is what desk-head declared on
  2026-11-20; not verified
```

## Good
```yaml
exchange: mexc
keys:
  mm-exec:
    purpose: execution
    declared: {scopes: [read, trade.spot], ip_allowlist: [45.33.32.156], created: 2026-11-01, by: desk-head,
      at: 2026-11-20}
```
```yaml
exchange: binance
keys:
  mm-exec:
    purpose: execution
```

## Source
GUIDE.md G08, G13, G19; exchanges.json (an exchange without documented evidence is declared only).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

RULE = Rule(
    "PK212",
    "declaration-missing",
    "medium",
    ("G08", "G13", "G19"),
    "where nothing can be read, a person's look at the page is the only evidence (G08)",
    ("policy", "snapshot"),
)

#: What a declaration has to say, in words.
_NEEDED = {"scopes": "its scopes", "ip_allowlist": "its addresses", "created": "when it was made"}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what is declared of each key, where the exchange's evidence is not documented."""
    if inputs.traits is None or inputs.traits.evidence != "declared":
        return
    for name, key in inputs.keys.items():
        place = inputs.place(f"keys.{name}.declared")
        without = [what for field, what in _NEEDED.items() if getattr(key.declared, field, None) is None]
        if without:
            yield RULE.finding(
                place,
                f"only what is declared is known of key `{name}` on {inputs.model.exchange}; missing: {words(without)}",
                label="the only evidence",
                next_step=f"look at {inputs.key_page()}, then add `declared: {{scopes: ..., ip_allowlist: ..., "
                "created: ..., by: ..., at: ...}`",
            )
        elif key.declared is not None and inputs.snapshot is not None:
            by = f"{key.declared.by} declared on {key.declared.at}"
            what = f"what key `{name}` may do, from where and how old it is, is what {by}; not verified"
            yield RULE.finding(place, what, status="declared")
