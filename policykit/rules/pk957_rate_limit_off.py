"""The client library does not keep to the exchange's rate limit.

## What it finds
`enableRateLimit` switched off for the exchange client in a bot's settings (freqtrade's `ccxt_config` and kin), or a
`rateLimit` of 0.

## Why
The bot then sends as fast as it can and learns of the limit by a 429 and a ban, which come when the market moves (G23,
G25).

## Bad
```settings config.json
{
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "ccxt_config": {"enableRateLimit": false}, "ccxt_async_config": {"rateLimit": 0}}
}
```
```finding
open certain config.json:3:72 `exchange.ccxt_config.enableRateLimit` is off: nothing slows requests before the limit
open certain config.json:3:115 `exchange.ccxt_async_config.rateLimit` is 0: nothing slows requests before the limit
```

## Good
```settings config.json
{
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "ccxt_config": {"enableRateLimit": true, "rateLimit": 200}}
}
```

## Source
GUIDE.md G23, G25; ccxt 4.5.90, `Exchange.throttle`; freqtrade's documentation, "Exchange-specific notes".
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.client import client_options

RULE = Rule(
    "PK957", "rate-limit-off", "medium", ("G25", "G23"), "a ban locks the bot out when it matters most", ("config",)
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the options that are given to the client."""
    for name, setting in client_options(inputs.settings):
        off = name == "enableratelimit" and setting.value.lower() in ("false", "0")
        if off or (name == "ratelimit" and setting.value.strip("0.") == ""):
            yield RULE.finding(
                setting.place,
                f"`{setting.place.path}` is {'off' if off else '0'}: nothing slows requests before the limit",
                next_step="remove it: ccxt's own figure for the exchange then holds",
            )
