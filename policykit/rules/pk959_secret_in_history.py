"""A secret stands in git's history.

## What it finds
With `--git-history`: a secret in a version of a bot's source, notebook, settings or policy that any branch, tag or
stash still reaches. One finding for each secret, at the commit that added it, whether or not a later commit removed
it. The place is `PATH@COMMIT`, as `git show COMMIT:PATH` has it. The value is never shown.

## Why
Every clone, fork and cache has the commit. Removing the line removes nothing, and rewriting history reaches no copy:
only a secret that no longer works is safe (G15, G19, G20).

## Bad
```settings .env commit=1f0c2a9b7d4e,gone
OKX_API_KEY=EXAMPLEexample0123456789EXAMPLEexample
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```finding
open likely .env@1f0c2a9b7d4e:2:16
  `OKX_API_SECRET` is a secret, added on 2026-03-01 and gone since; every clone still has it
```
```settings config.json commit=1f0c2a9b7d4e,present
{"stake_currency": "USDT", "exchange": {"name": "okx", "secret": "EXAMPLEexample0123456789EXAMPLEexample"}}
```
```finding
open certain config.json@1f0c2a9b7d4e:1:66
  `exchange.secret` is a secret, added on 2026-03-01 and still there; every clone has it
```

## Good
```settings .env commit=1f0c2a9b7d4e,gone
OKX_API_SECRET=${OKX_API_SECRET}
OKX_API_KEY=EXAMPLEexample0123456789EXAMPLEexample
```

## Source
GUIDE.md G15, G18, G19, G20.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.leaks import hidden, leaks

RULE = Rule(
    "PK959",
    "secret-in-history",
    "critical",
    ("G15", "G19", "G20", "G02"),
    "every clone has the commit, and no later one takes it back",
    ("config",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """State each secret of a past version."""
    past = inputs.settings.past
    if past is None:
        return
    since = "still there; every clone has it" if past.present else "gone since; every clone still has it"
    for leak in leaks(inputs.settings):
        place = leak.setting.place
        if leak.keeps != "secret" or past.place not in (None, place):
            continue
        finding = RULE.finding(
            place._replace(file=f"{place.file}@{past.commit}"),
            f"`{place.path}` is {leak.what}, added on {past.date} and {since}",
            confidence="certain" if leak.certain else "likely",
            next_step="revoke it and rotate now, if that was not done since; then it may be accepted in a baseline",
        )
        finding.extra["commit"] = past.commit
        yield hidden(finding)
