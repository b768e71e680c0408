"""Failed reads are retried too often, or all at once.

## What it finds
`retry.data` with more than 5 attempts or with none named, with a first wait of 0, with a factor below 2, or without
jitter.

## Why
Without growing, random waits every bot of an outage comes back in the same second, and the retries use up the
allowance that the exits need (G27).

## Bad
```yaml
retry:
  data: {wait_initial: 500ms, factor: 2, jitter: full, attempts: 50}
```
```finding
open certain policy.yaml:2:66 a read is tried 50 times; the guide says 3 to 5
```
```yaml
retry:
  data: {wait_initial: 500ms, factor: 1, jitter: none, attempts: 5}
```
```finding
open certain policy.yaml:2:39 waits between reads grow by 1; the guide says by 2
open certain policy.yaml:2:50 waits between reads have no random part
```

```yaml
retry:
  data: {wait_initial: 500ms, attempts: 5}
```
```finding
open certain policy.yaml:2:3 waits between reads have no random part
```

```yaml
retry:
  data: {wait_initial: 0s, factor: 2, jitter: full, attempts: 5}
```
```finding
open certain policy.yaml:2:24 waits between reads start at nothing, and stay there whatever they are multiplied by
```

## Good
```yaml
retry:
  data: {wait_initial: 500ms, factor: 2, jitter: full, attempts: 5}
```

## Source
GUIDE.md G27 (base delay x 2^attempt plus jitter, 3 to 5 attempts at most).
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding, Fix
from policykit.place import Place
from policykit.rules.base import Inputs, Rule

RULE = Rule(
    "PK503", "data-retry", "medium", ("G27",), "retries without growing, random waits come back all at once (G27)"
)

#: The guide's figures.
MAX_ATTEMPTS = 5
MIN_FACTOR = 2
#: What the fix sets as the first wait.
FIRST_WAIT = "500ms"


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the number of tries, then at how the waits grow and scatter."""
    data = inputs.model.retry.data if inputs.model.retry else None
    if data is None:
        return
    if data.attempts is None or data.attempts > MAX_ATTEMPTS:
        count = "without end" if data.attempts is None else f"{data.attempts} times"
        place = inputs.place("retry.data.attempts")
        yield RULE.finding(
            place,
            f"a read is tried {count}; the guide says 3 to {MAX_ATTEMPTS}",
            label=f"{MAX_ATTEMPTS} or less",
            next_step=f"set `attempts: {MAX_ATTEMPTS}`",
            fix=_set(place, data.attempts, str(MAX_ATTEMPTS)),
        )
    if data.wait_initial is not None and not data.wait_initial.ms:
        place = inputs.place("retry.data.wait_initial")
        yield RULE.finding(
            place,
            "waits between reads start at nothing, and stay there whatever they are multiplied by",
            label="over 0",
            next_step=f"set `wait_initial: {FIRST_WAIT}`",
            fix=Fix.replace(place, FIRST_WAIT, "wait before the first retry", safe=True),
        )
    if data.factor is not None and data.factor < MIN_FACTOR:
        place = inputs.place("retry.data.factor")
        yield RULE.finding(
            place,
            f"waits between reads grow by {data.factor}; the guide says by {MIN_FACTOR}",
            label=f"{MIN_FACTOR} or more",
            next_step=f"set `factor: {MIN_FACTOR}`",
            fix=_set(place, data.factor, str(MIN_FACTOR)),
        )
    if data.jitter in (None, "none"):
        place = inputs.place("retry.data.jitter")
        yield RULE.finding(
            place,
            "waits between reads have no random part",
            label='"full" scatters them' if data.jitter else "no `jitter`",
            next_step="set `jitter: full`",
            fix=_set(place, data.jitter, "full"),
        )


def _set(place: Place, said: object, value: str) -> Fix:
    """Write the guide's figure, in place of another or where there is none; it is never looser."""
    return (Fix.add if said is None else Fix.replace)(place, value, f"set it to {value}", safe=True)
