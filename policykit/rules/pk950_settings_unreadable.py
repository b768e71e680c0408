"""A file of settings cannot be read.

## What it finds
A file that keeps a bot's settings (`.env`, freqtrade's `config.json`, a compose file, a systemd unit, ...) that is not
UTF-8, too long, nested too deep, or not what its name says: nothing is known of it.

## Why
What could not be looked at has not passed. The finding has the status unknown; `--strict` makes it count.

## Bad
```settings config.json
{"exchange": {"name": "binance", "secret": "EXAMPLEexample0123456789EXAMPLEexample"}, "dry_run": true
```
```finding
unknown config.json:1:1 these settings were not read: this is not JSON: a bracket is not closed
```

## Good
```settings config.json
{
    // freqtrade's own files have comments and trailing commas
    "exchange": {"name": "binance", "key": "", "secret": ""},
    "dry_run": true,
}
```

## Source
GUIDE.md G15; DESIGN.md, section 4: what could not be observed is unknown, never a pass.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.place import Place
from policykit.rules.base import Inputs, Rule

RULE = Rule("PK950", "settings-unreadable", "medium", ("G15",), "what was not looked at has not passed", ("config",))


def check(inputs: Inputs) -> Iterator[Finding]:
    """State the reason why settings were not read."""
    config = inputs.settings
    if config.unreadable:
        message = f"these settings were not read: {config.unreadable}"
        yield RULE.unknown(Place(config.file), message, "repair the file, or leave it out of PATHS")
