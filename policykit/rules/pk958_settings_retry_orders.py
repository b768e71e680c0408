"""Settings let the client library repeat requests, orders too.

## What it finds
`maxRetriesOnFailure` over 0 in the options that a bot's settings give to the exchange client (freqtrade's `ccxt_config`
and kin). In source it is PK902.

## Why
ccxt then repeats any request whose answer did not come, orders too: with 3, one order was sent four times. Whether the
first one executed has to be asked before anything is sent again (G26, G32).

## Bad
```settings config.json
{
    "stake_currency": "USDT",
    "exchange": {"ccxt_config": {"options": {"maxRetriesOnFailure": 3}}}
}
```
```finding
open certain config.json:3:69
  `exchange.ccxt_config.options.maxRetriesOnFailure` is 3: an order may be sent 4 times; 0 is safe
```

```settings .env
FREQTRADE__EXCHANGE__CCXT_CONFIG__OPTIONS__maxRetriesOnFailure=10
```
```finding
open certain .env:1:64
  `FREQTRADE__EXCHANGE__CCXT_CONFIG__OPTIONS__maxRetriesOnFailure` is 10: an order may be sent 11 times; 0 is safe
```

## Good
```settings config.json
{
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "ccxt_config": {"options": {"maxRetriesOnFailure": 0}}}
}
```

## Source
GUIDE.md G26, G32; PITFALLS.md 18 and story 3; ccxt 4.5.90, `Exchange.fetch2`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.client import client_options

RULE = Rule(
    "PK958",
    "settings-retry-orders",
    "high",
    ("G26", "G32", "G38"),
    "a repeated order request is a second order when the first one executed",
    ("config",),
)

_OVER_0 = re.compile(r"0*([1-9][0-9]{0,8})\Z")


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the options that are given to the client."""
    for name, setting in client_options(inputs.settings):
        count = _OVER_0.match(setting.value) if name == "maxretriesonfailure" else None
        if count is not None:
            times = int(count[1])
            yield RULE.finding(
                setting.place,
                f"`{setting.place.path}` is {times}: an order may be sent {times + 1} times; 0 is safe",
                next_step="set it to 0, or remove it",
            )
