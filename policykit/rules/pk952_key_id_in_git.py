"""The id of an API key stands in settings that git tracks.

## What it finds
The id of an API key (`apiKey`, `exchange.key`, an AWS access key) in a file of settings that git tracks. Its secret is
PK951's.

## Why
The id alone signs nothing, and it is still not for publication: it names the account's key to whoever looks for its
secret, and support desks take it for proof (G02).

## Bad
```settings config.json tracked
{
    "dry_run": false,
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "key": "EXAMPLEexample0123456789EXAMPLEexample", "secret": ""}
}
```
```finding
open certain config.json:4:44 `exchange.key` is an API key, in a file that git tracks
```

## Good
```settings config.json ignored
{
    "dry_run": false,
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "key": "EXAMPLEexample0123456789EXAMPLEexample", "secret": ""}
}
```
```settings .env.example tracked
OKX_API_KEY=your-key-0123456789abcdef
```

## Source
GUIDE.md G02: the key id is less dangerous but still not for publication.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.leaks import hidden, leaks

RULE = Rule(
    "PK952",
    "key-id-in-git",
    "medium",
    ("G02", "G15"),
    "the id of a key leads whoever looks for its secret",
    ("config",),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """State each key id of a tracked file."""
    config = inputs.settings
    if config.past is not None or config.git != "tracked":
        return
    for leak in leaks(config):
        if leak.keeps == "key":
            yield hidden(
                RULE.finding(
                    leak.setting.place,
                    f"`{leak.setting.place.path}` is {leak.what}, in a file that git tracks",
                    confidence="certain" if leak.certain else "likely",
                    label=leak.what,
                    next_step="load it at run time, as its secret; make a new key at the next rotation",
                )
            )
