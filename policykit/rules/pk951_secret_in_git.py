"""A secret stands in settings that git tracks.

## What it finds
A secret (of an exchange, of Telegram, of a bot's own server, a private key) in a file of settings that git tracks:
`.env`, freqtrade's and hummingbot's files, docker compose, systemd units, and other JSON, YAML, TOML or ini files that
speak of an exchange. It is certain where the format is known or the bot's file has it in its place, else likely.
Placeholders, references (`${SECRET}`, `vault://...`) and what hummingbot, sops or ansible encrypted are none. The value
is never shown.

## Why
What git tracks is copied to every clone, every fork and every build, and stays in its history (G15, G18). `dry_run`
makes a key no less real.

## Bad
```settings config.json tracked
{
    "dry_run": true,
    "stake_currency": "USDT",
    "exchange": {"name": "binance", "key": "", "secret": "EXAMPLEexample0123456789EXAMPLEexample"}
}
```
```finding
open certain config.json:4:58 `exchange.secret` is a secret, in a file that git tracks
```
```settings deploy/.env tracked
OKX_API_KEY=EXAMPLEexample9876543210EXAMPLEexample
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
NOTIFY=123456789:EXAMPLEexample0123456789EXAMPLEex-_
```
```finding
open likely deploy/.env:2:16 `OKX_API_SECRET` is a secret, in a file that git tracks
open certain deploy/.env:3:8 `NOTIFY` is a Telegram bot token, in a file that git tracks
```
```settings .env unknown
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
OKX_PASSPHRASE=Example-Pass-0123
```
```finding
unknown .env:1:16 `OKX_API_SECRET` is a secret; whether git tracks this file could not be asked
unknown .env:2:16 `OKX_PASSPHRASE` is a passphrase; whether git tracks this file could not be asked
```

## Good
```settings .env ignored
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```settings .env.example tracked
OKX_API_SECRET=YOUR_API_SECRET_0123456789
KRAKEN_API_SECRET=${KRAKEN_SECRET}
```
```settings conf/connectors/binance.yml tracked
connector: binance
binance_api_secret: 7b2263727970746f223a207b2263697068657274657874223a20226131222c20226b6466223a202262227d7d
```

## Source
GUIDE.md G02, G15, G18; freqtrade 2026.9, `config_secrets.py`; hummingbot, `config_crypt.py` (an Ethereum key file in
hexadecimal), read in November 2026.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.leaks import hidden, leaks

RULE = Rule(
    "PK951",
    "secret-in-git",
    "critical",
    ("G15", "G02", "G18"),
    "what git tracks is in every clone and stays in its history",
    ("config",),
)

_REVOKE = "revoke it, make a new one, and load that at run time; a commit that removes it unpublishes nothing"


def check(inputs: Inputs) -> Iterator[Finding]:
    """State each secret of a tracked file."""
    config = inputs.settings
    if config.past is not None or config.git not in ("tracked", "unknown"):
        return
    for leak in leaks(config):
        if leak.keeps != "secret":
            continue
        what = f"`{leak.setting.place.path}` is {leak.what}"
        if config.git == "unknown":
            yield RULE.unknown(
                leak.setting.place, f"{what}; whether git tracks this file could not be asked", "git ls-files, by hand"
            )
            continue
        yield hidden(
            RULE.finding(
                leak.setting.place,
                f"{what}, in a file that git tracks",
                confidence="certain" if leak.certain else "likely",
                label=leak.what,
                next_step=_REVOKE,
            )
        )
