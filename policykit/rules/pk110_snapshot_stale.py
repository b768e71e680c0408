"""A snapshot is old.

## What it finds
A snapshot, or what it has of one key, that was taken more than 7 days ago, in the future, or at no stated time.

## Why
Permissions and addresses are changed on a web page in seconds; what was true last month proves nothing today (G13).

## Bad
```yaml
exchange: binance
```
```json
{"taken_at": "2026-10-01T10:00:00Z"}
```
```finding
open observed policy.yaml:1:11 the snapshot of binance is 51 days old; at most 7 days
```
```yaml
exchange: binance
```
```json
{"taken_at": "2027-01-01T10:00:00Z"}
```
```finding
open observed policy.yaml:1:11 the snapshot of binance is from the future (now is 2026-11-21T10:00:00.000Z)
```
```yaml
exchange: binance
```
```json
{"taken_at": "yesterday"}
```
```finding
unknown policy.yaml:1:11 how old the snapshot is, is not known: it has no readable time
```
```yaml
exchange: binance
keys:
  mm-exec: {purpose: execution}
```
```json
{"keys": [{"name": "mm-exec", "source": {"endpoint": "GET /sapi/v1/account/apiRestrictions",
  "at": "2026-10-01T10:00:00Z"}}]}
```
```finding
open observed policy.yaml:3:12 what binance said of key `mm-exec` is 51 days old; at most 7 days
```

## Good
```yaml
exchange: binance
```
```json
{"taken_at": "2026-11-20T10:00:00Z"}
```

## Source
GUIDE.md G13; DESIGN.md, section 5 (a snapshot carries its time and age).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.clock import iso
from policykit.finding import Finding, Observed
from policykit.place import Place
from policykit.rules.base import DAY_MS, Inputs, Rule, days, iso_ms

RULE = Rule(
    "PK110",
    "snapshot-stale",
    "medium",
    ("G13",),
    "live state changes in seconds; an old answer proves nothing (G13)",
    ("policy", "snapshot"),
    needs_snapshot=True,
)

#: The oldest live state that is taken as live.
MAX_AGE_MS = 7 * DAY_MS
#: The units of an age: how long one is, from when on a span is told in it, and what it is called.
_UNITS = ((DAY_MS, 2 * DAY_MS, "days"), (3_600_000, 3_600_000, "h"), (60_000, 60_000, "min"), (1_000, 0, "s"))
#: How far ahead of this host's clock the other host's may be.
MAX_AHEAD_MS = DAY_MS


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the time of the snapshot with now, then that of each key's report, which another host may have taken."""
    if inputs.snapshot is None:
        return
    place = inputs.place("exchange")
    taken_ms = iso_ms(inputs.snapshot.taken_at)
    if taken_ms is None:
        yield RULE.unknown(place, "how old the snapshot is, is not known: it has no readable time", "take it anew")
        return
    exchange, taken_at = inputs.snapshot.exchange, inputs.snapshot.taken_at
    when = _off(taken_ms, inputs)
    if when:
        evidence = inputs.evidence("snapshot", "taken_at", taken_at, taken_at)
        yield _stale(place, f"the snapshot of {exchange} is {when}", evidence)
        return
    for name, _, report in inputs.reports():
        when = _off(iso_ms(report.at), inputs)
        if when:
            evidence = inputs.observed(report, "source.at", report.at)
            yield _stale(inputs.place(f"keys.{name}"), f"what {exchange} said of key `{name}` is {when}", evidence)


def _off(at_ms: int | None, inputs: Inputs) -> str:
    """Say how an answer is not of now; nothing when it is, or when nobody knows."""
    most = MAX_AGE_MS if inputs.max_age_ms is None else inputs.max_age_ms
    age_ms = 0 if at_ms is None else inputs.now_ms - at_ms
    if age_ms > most:
        old, bound = _spans(age_ms, most)
        return f"{old} old; at most {bound}"
    return f"from the future (now is {iso(inputs.now_ms)})" if -age_ms > MAX_AHEAD_MS else ""


def _spans(age_ms: int, most_ms: int) -> tuple[str, str]:
    """Write an age and its bound in the largest unit that each fills, the age in one that tells it from the bound."""
    bound = _span(most_ms, 0)
    told = (_span(age_ms, smaller) for smaller in range(len(_UNITS)))
    return next((old for old in told if old != bound), f"over {bound}"), bound


def _span(ms: int, smaller: int) -> str:
    """Write a span in whole units: the largest that it fills, or one that is so many steps smaller."""
    at = next((i for i, (_, least_ms, _) in enumerate(_UNITS) if ms >= least_ms), len(_UNITS) - 1)
    unit_ms, _, name = _UNITS[min(at + smaller, len(_UNITS) - 1)]
    return days(ms) if unit_ms == DAY_MS else f"{ms // unit_ms} {name}"


def _stale(place: Place, message: str, observed: Observed) -> Finding:
    return RULE.finding(
        place,
        message,
        confidence="observed",
        label="as it was then",
        observed=observed,
        next_step="take it anew with `policykit snapshot`",
    )
