"""A stage was skipped, or promoted without its evidence.

## What it finds
A live policy whose `stage.current` the record does not bear out: an earlier stage that the journal never had, one that
was left before its time (sandbox 7, paper 14, micro-live 7, small-live 14 days), one without a single order or with
denials that nobody looked at; or a `since` that is before the journal's own. What the record does not say is unknown;
with `evidence: external`, or where a named person said so to the store (`stage promote --external`), it is declared,
not verified.

## Why
Each stage finds what the one before cannot: error paths, real data, real fills, real size. A stage that was skipped
is found again at full size (G41).

## Bad
```yaml
stage: {current: small-live, since: 2026-11-20}
```
```json record
{"stages": {"sandbox": {"since": "2026-11-01", "orders": 40, "denials_open": 0},
  "micro-live": {"since": "2026-11-17", "orders": 9, "denials_open": 2}}}
```
```finding
open observed policy.yaml:1:18 small-live: the journal never had paper
open observed policy.yaml:1:18 small-live: micro-live lasted 3 days; the guide asks for 7
open observed policy.yaml:1:18 small-live: 2 denials of micro-live were never looked at
```
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```json record
{"stages": {"sandbox": {"since": "2026-09-01", "orders": 0, "denials_open": 0},
  "paper": {"since": "2026-10-01", "orders": 5, "denials_open": 1}, "micro-live": {"since": "2026-11-10T09:00:00Z"}}}
```
```finding
open observed policy.yaml:1:18 micro-live: no order was sent in sandbox
open observed policy.yaml:1:18 micro-live: 1 denial of paper was never looked at
open observed policy.yaml:1:37 micro-live is said to be in force since 2026-11-01; the journal had it first on
  2026-11-10
```
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```json record
{"stages": {"sandbox": {"since": "2026-09-01", "orders": 40}, "paper": {"since": "2026-10-01", "denials_open": 0}}}
```
```finding
unknown policy.yaml:1:18 whether micro-live was earned is not known: the record does not say the denials of sandbox and
  the orders of paper
```
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```json record
{"last_drill_at": "2026-11-10T10:00:00Z"}
```
```finding
unknown policy.yaml:1:18 whether micro-live was earned is not known: the record knows of no stage
```
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```finding
unknown policy.yaml:1:18 whether micro-live was earned is not known: no record was given
```
```yaml
stage: {current: full-live, since: 2026-11-01, evidence: external}
```
```finding
declared policy.yaml:1:58 that the stages before full-live were passed is kept elsewhere; not verified
```
```yaml
stage: {current: micro-live, since: 2026-11-01}
```
```json record
{"stages": {"sandbox": {"since": "2026-11-01", "external": true}, "paper": {"since": "2026-11-01", "external": true}}}
```
```finding
declared policy.yaml:1:18 that sandbox and paper were passed is kept elsewhere, as a person said; not verified
```

## Good
```yaml
stage: {current: full-live, since: 2026-10-01}
```
```json record
{"stages": {"sandbox": {"since": "2026-07-01", "orders": 20, "denials_open": 0},
  "paper": {"since": "2026-07-08", "orders": 20, "denials_open": 0},
  "micro-live": {"since": "2026-07-22", "orders": 20, "denials_open": 0},
  "small-live": {"since": "2026-07-29", "orders": 1, "denials_open": 0}, "full-live": {"since": "2026-10-01"}}}
```
```yaml
stage: {current: sandbox}
```
```yaml
stage: {current: paper}
```
```json record
{"stages": {"sandbox": {"since": "2026-11-14", "orders": 20, "denials_open": 0}}}
```

## Source
GUIDE.md G41; DESIGN.md, sections 3 (`stage.evidence`) and 4 (the record).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from policykit.finding import Finding
from policykit.model import Stage
from policykit.record import StageFacts
from policykit.rules.base import DAY_MS, Inputs, Rule, days, iso_ms, words
from policykit.rules.stages import MINIMUM_DAYS, STAGES

RULE = Rule(
    "PK714",
    "stage-unproven",
    "medium",
    ("G41",),
    "a stage that was skipped is found again at full size (G41)",
    ("policy", "record"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the stage with the journal's; the first stage needs no evidence."""
    stage = inputs.model.stage
    if stage is None or inputs.model.environment != "live" or stage.current == STAGES[0]:
        return
    if stage.evidence == "external":
        message = f"that the stages before {stage.current} were passed is kept elsewhere; not verified"
        yield RULE.finding(inputs.place("stage.evidence"), message, status="declared")
        return
    place = inputs.place("stage.current")
    stages = inputs.record.stages if inputs.record else None
    elsewhere = [name for name in _before(stage) if stages and name in stages and stages[name].external]
    if elsewhere:
        was = "was" if len(elsewhere) == 1 else "were"
        said = f"that {words(elsewhere)} {was} passed is kept elsewhere, as a person said; not verified"
        yield RULE.finding(place, said, status="declared")
    reason = _untold(stage, stages) if inputs.record else "no record was given"
    if reason:
        yield RULE.unknown(
            place,
            f"whether {stage.current} was earned is not known: {reason}",
            "give a record of its stages: --record FILE; or say `evidence: external`",
        )
    if stages is None:
        return
    for claim in _claims(stage, stages, inputs.now_ms):
        yield RULE.finding(
            place,
            f"{stage.current}: {claim}",
            confidence="observed",
            label="not earned",
            next_step="go back to the stage that lacks it, or keep the evidence elsewhere and say `evidence: external`",
        )
    yield from _since(inputs, stage, stages)


def _untold(stage: Stage, stages: Mapping[str, StageFacts] | None) -> str:
    """Return what the record does not say of the stages before this one, or nothing."""
    if stages is None:
        return "the record knows of no stage"
    had = [(name, stages[name]) for name in _before(stage) if name in stages]
    untold = [
        f"the {what} of {name}"
        for name, facts in had
        for what, count in (("orders", facts.orders), ("denials", facts.denials_open))
        if count is None and not facts.external
    ]
    return f"the record does not say {words(untold)}" if untold else ""


def _before(stage: Stage) -> tuple[str, ...]:
    return STAGES[: STAGES.index(stage.current)]


def _claims(stage: Stage, stages: Mapping[str, StageFacts], now_ms: int) -> Iterator[str]:
    """Yield what the journal holds against a stage, the first stage first."""
    until_ms = _start(stages.get(stage.current)) or iso_ms(stage.since) or now_ms
    claims: list[str] = []
    for name in reversed(_before(stage)):
        facts = stages.get(name)
        if facts is None:
            claims.insert(0, f"the journal never had {name}")
            continue
        if facts.external:
            continue
        started_ms = _start(facts) or until_ms
        claims[:0] = _faults(name, facts, until_ms - started_ms)
        until_ms = started_ms
    yield from claims


def _faults(name: str, facts: StageFacts, lasted_ms: int) -> Iterator[str]:
    if lasted_ms < MINIMUM_DAYS[name] * DAY_MS:
        yield f"{name} lasted {days(max(lasted_ms, 0))}; the guide asks for {MINIMUM_DAYS[name]}"
    if facts.orders == 0:
        yield f"no order was sent in {name}"
    if facts.denials_open:
        count = "1 denial" if facts.denials_open == 1 else f"{facts.denials_open} denials"
        yield f"{count} of {name} {'was' if facts.denials_open == 1 else 'were'} never looked at"


def _start(facts: StageFacts | None) -> int | None:
    return iso_ms(facts.since) if facts else None


def _since(inputs: Inputs, stage: Stage, stages: Mapping[str, StageFacts]) -> Iterator[Finding]:
    said_ms, first_ms = iso_ms(stage.since), _start(stages.get(stage.current))
    if said_ms is not None and first_ms is not None and said_ms + DAY_MS <= first_ms:
        yield RULE.finding(
            inputs.place("stage.since"),
            f"{stage.current} is said to be in force since {stage.since}; the journal had it first on"
            f" {stages[stage.current].since[:10]}",
            confidence="observed",
            label="too early",
            next_step="write the journal's day",
        )
