"""The client library writes signed requests to the log.

## What it finds
`verbose` switched on for the exchange client in a bot's settings: freqtrade's `ccxt_config`, `ccxt_sync_config` and
`ccxt_async_config`, in its file or its environment (`FREQTRADE__EXCHANGE__CCXT_CONFIG__VERBOSE`).

## Why
ccxt then logs every request with its headers (the key's id) and its signed payload, and every answer with balances
(G21). Logs travel further than keys.

## Bad
```settings config.json
{
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "ccxt_config": {"verbose": true}}
}
```
```finding
open certain config.json:3:64 `exchange.ccxt_config.verbose` is on: signed requests and key ids go to the log
```
```settings .env
FREQTRADE__EXCHANGE__CCXT_CONFIG__VERBOSE=true
```
```finding
open certain .env:1:43 `FREQTRADE__EXCHANGE__CCXT_CONFIG__VERBOSE` is on: signed requests and key ids go to the log
```

## Good
```settings config.json
{
    "stake_currency": "USDT",
    "verbose": true,
    "logger": {"verbose": true},
    "exchange": {"name": "binance", "ccxt_config": {"verbose": false}}
}
```

## Source
GUIDE.md G21, G02; ccxt 4.5.90, `Exchange.fetch`: with `verbose` it logs headers and body.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.client import client_options

RULE = Rule("PK956", "verbose-client", "high", ("G21", "G02"), "what is logged is read by many and kept", ("config",))


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at the options that are given to the client."""
    for name, setting in client_options(inputs.settings):
        if name == "verbose" and setting.value.lower() in ("true", "1"):
            yield RULE.finding(
                setting.place,
                f"`{setting.place.path}` is on: signed requests and key ids go to the log",
                next_step="remove it; to look for a fault, switch it on by hand on a key that can be revoked",
            )
