"""An exchange's secret stands in plain settings.

## What it finds
The secret, private key or passphrase of an exchange as a plain value in a file that git does not track: in freqtrade's
`config.json`, hummingbot's `conf_*.yml`, under `environment:` of docker compose, in `Environment=` of a systemd unit,
in other settings. A `.env` is an environment file: what it needs is PK953's and PK954's.

## Why
The guide allows a secrets manager, or environment variables on a locked-down host, and no plain configuration (G14,
G15): such files are copied to the next bot, pasted into questions and backed up. `docker inspect` and `systemctl show`
show literal values to whoever may ask.

## Bad
```settings config.json ignored
{
    "stake_currency": "USDT",
    "exchange": {
        "name": "okx",
        "key": "EXAMPLEexample0123456789EXAMPLEexample",
        "secret": "EXAMPLEexample0123456789EXAMPLEexample",
        "password": "Example-Pass-0123"
    },
    "telegram": {"token": "123456789:EXAMPLEexample0123456789EXAMPLEex-_"}
}
```
```finding
open certain config.json:6:19 `exchange.secret` is a secret in plain settings
open certain config.json:7:21 `exchange.password` is a passphrase in plain settings
```
```settings docker-compose.yml outside
services:
  bot:
    environment:
      - OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
  other:
    environment: {OKX_PASSPHRASE: "Example-Pass-0123"}
```
```finding
open likely docker-compose.yml:4:24 `services.bot.environment.OKX_API_SECRET` is a secret in plain settings
open likely docker-compose.yml:6:35 `services.other.environment.OKX_PASSPHRASE` is a passphrase in plain settings
```
```settings bot.service outside
[Service]
Environment="OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample" MODE=live
```
```finding
open likely bot.service:2:29 `OKX_API_SECRET` is a secret in plain settings
```
```settings conf/connectors/okx.yml outside
connector: okx
okx_secret_key: EXAMPLEexample0123456789EXAMPLEexample
```
```finding
open certain conf/connectors/okx.yml:2:17 `okx_secret_key` is a secret in plain settings
```

## Good
```settings config.json ignored
{
    "stake_currency": "USDT",
    "exchange": {"name": "okx", "key": "your_exchange_key", "secret": "your_exchange_secret", "password": ""}
}
```
```settings config.json tracked
{"stake_currency": "USDT", "exchange": {"name": "okx", "secret": "EXAMPLEexample0123456789EXAMPLEexample"}}
```
```settings .env ignored
OKX_API_SECRET=EXAMPLEexample0123456789EXAMPLEexample
```
```settings docker-compose.yml outside
services:
  bot:
    env_file: /etc/bot/okx.env
    secrets: [okx_api_secret]
    environment:
      - OKX_API_SECRET=${OKX_API_SECRET}
      - OKX_API_SECRET_FILE=/run/secrets/okx_api_secret
      - POSTGRES_PASSWORD=example0123456789example
```
```settings bot.service outside
[Service]
EnvironmentFile=/etc/bot/okx.env
LoadCredential=okx:/etc/credstore/okx
```

## Source
GUIDE.md G14, G15, G18; systemd.exec(5), section "Environment"; docs.docker.com, "Secrets in Compose"; freqtrade 2026.9,
`environment_vars.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule
from policykit.rules.config.base import Kind
from policykit.rules.config.leaks import hidden, leaks

RULE = Rule(
    "PK955",
    "secret-in-plain-settings",
    "medium",
    ("G15", "G14", "G18"),
    "plain settings are copied, pasted and backed up",
    ("config",),
)

#: Where it belongs instead, by what reads the file.
_NEXT: dict[Kind, str] = {
    "freqtrade": "give it as FREQTRADE__EXCHANGE__{name} in an environment file of mode 0600, and take it out here",
    "hummingbot": "store it with hummingbot's `connect`, which encrypts it",
    "compose": "use `secrets:`, or `env_file:` with a file of mode 0600 that git ignores",
    "systemd": "use LoadCredential=, or EnvironmentFile= with a file of mode 0600",
}
_ELSE = "load it at run time: from a secrets manager, or from an environment file of mode 0600"


def check(inputs: Inputs) -> Iterator[Finding]:
    """State each secret of an exchange in settings that are no environment file."""
    config = inputs.settings
    if config.past is not None or config.git == "tracked" or config.kind == "dotenv":
        return
    for leak in leaks(config):
        if leak.exchange:
            yield hidden(
                RULE.finding(
                    leak.setting.place,
                    f"`{leak.setting.place.path}` is {leak.what} in plain settings",
                    confidence="certain" if leak.certain else "likely",
                    label=leak.what,
                    next_step=_NEXT.get(config.kind, _ELSE).format(name=leak.setting.name.upper()),
                )
            )
