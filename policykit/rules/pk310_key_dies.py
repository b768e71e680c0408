"""A key ends soon by the exchange's own rule.

## What it finds
Live: a key that the exchange ends within `rotation.warn_before` (without one: 14 days) because of its age, or because
nobody used it, where the key report has no end of its own (then PK308 says so). Exchanges spare keys that are bound to
addresses from some of these rules. What the rule rests on and the exchange does not tell is unknown.

## Why
A key that ends while orders rest leaves them there: nobody can cancel them by it (G19, G37).

## Bad
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec", "created_at": "2026-08-30T10:00:00Z",
  "ip_allowlist": {"restricted": "no", "addresses": []}}]}
```
```finding
open observed policy.yaml:3:3 key `mm-exec` ends in 7 days: bybit ends keys without an address 90 days after they were
  made
```
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec", "created_at": "2026-08-30T10:00:00Z",
  "ip_allowlist": {"restricted": "unknown", "addresses": null}}]}
```
```finding
unknown policy.yaml:3:3 whether key `mm-exec` ends soon is not known: bybit ends keys without an address 90 days after
  they were made, and whether this one has an address could not be read
```
```yaml
exchange: htx
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "htx", "keys": [{"name": "mm-exec", "last_used_at": null,
  "unknown": {"last_used_at": "htx does not report it"}}]}
```
```finding
unknown policy.yaml:3:3 whether key `mm-exec` ends soon is not known: htx ends keys 30 days after their last use, and
  when that was could not be read
```

## Good
```yaml
exchange: bybit
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec", "created_at": "2026-08-30T10:00:00Z",
  "ip_allowlist": {"restricted": "yes", "addresses": ["45.33.32.156"]}}]}
```

## Source
GUIDE.md G19, G37; bybit-exchange/docs, user/create-subuid-apikey.mdx (2026-07-24): 90 days without an address.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, days
from policykit.rules.pk304_rotation_unannounced import WARN_MS

if TYPE_CHECKING:
    from policykit.model import Key
    from policykit.snapshot import KeyReport
    from policykit.traits.base import KeyExpiry

RULE = Rule(
    "PK310",
    "key-dies",
    "medium",
    ("G19", "G37"),
    "a key that ends while orders rest leaves them there (G19)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare each key with each of the exchange's rules by which keys end."""
    for name, key, report in inputs.reports():
        if report.expires_at is None:
            for rule in inputs.traits.key_expiries if inputs.traits else ():
                yield from _judge(inputs, name, key, report, rule)


def _judge(inputs: Inputs, name: str, key: Key, report: KeyReport, rule: KeyExpiry) -> Iterator[Finding]:
    said = {report.permissions.get(scope, "unknown") for scope in rule.scopes}
    if (said and said == {"denied"}) or (rule.only_without_address and report.restricted == "yes"):
        return
    words = "after they were made" if rule.counts_from == "creation" else "after their last use"
    whose = "keys without an address" if rule.only_without_address else "keys"
    what = f"{inputs.model.exchange} ends {whose} {days(rule.after_ms)} {words}"
    text, field = _begins(report, rule)
    from_ms = inputs.past_ms(text)
    warn = key.rotation.warn_before if key.rotation else None
    doubts = []
    if from_ms is None:
        doubts.append("when that was could not be read")
    elif from_ms + rule.after_ms - inputs.now_ms > (warn.ms if warn else WARN_MS):
        return
    if rule.only_without_address and report.restricted == "unknown":
        doubts.append("whether this one has an address could not be read")
    if said and "granted" not in said:
        doubts.append("whether it is a key of that kind could not be read")
    place = inputs.place(f"keys.{name}")
    if doubts or from_ms is None:
        yield RULE.unknown(
            place,
            f"whether key `{name}` ends soon is not known: {', and '.join((what, *doubts))}",
            f"look at {inputs.key_page()}",
        )
        return
    left_ms = from_ms + rule.after_ms - inputs.now_ms
    yield RULE.finding(
        place,
        f"key `{name}` {f'ends in {days(left_ms)}' if left_ms > 0 else 'is past its end'}: {what}",
        confidence="observed",
        label="time to rotate" if left_ms > 0 else "too late",
        observed=inputs.observed(report, field, text),
        next_step="bind the key to the address of the bot's host; or make a new key and move the bot to it"
        if rule.only_without_address
        else "make a new key at the exchange, move the bot to it, delete this one within 24 hours",
    )


def _begins(report: KeyReport, rule: KeyExpiry) -> tuple[str | None, str]:
    """Return the time that the rule counts from; of a key that was never used, the one when it was made."""
    never = report.last_used_at is None and "last_used_at" not in report.unknown
    if rule.counts_from == "creation" or never:
        return report.created_at, "created_at"
    return report.last_used_at, "last_used_at"
