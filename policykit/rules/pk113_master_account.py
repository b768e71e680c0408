"""A bot trades on the main account though the exchange has sub-accounts.

## What it finds
A key with a trade scope on an account that is a main account, as `account.kind` says or as the exchange reports it,
where the exchange has sub-accounts. Live, an account of which neither says what it
is, and whose `account.max_equity` is not stated either, is unknown.

## Why
A leaked trading key reaches all that its account holds. A sub-account holds what the bot needs, and nothing else is
lost with it (G01).

## Bad
```yaml
account: {name: main, currency: USDT, kind: master}
```
```finding
open certain policy.yaml:1:45 key `mm-exec` trades on the main account; binance has sub-accounts
```
```yaml
exchange: bybit
```
```json
{"exchange": "bybit", "keys": [{"name": "mm-exec", "sub_account": "no"}]}
```
```finding
open observed policy.yaml:5:1 key `mm-exec` trades on the main account; bybit has sub-accounts
```
```yaml
account: {name: main, currency: USDT}
```
```json
{}
```
```finding
unknown policy.yaml:1:1 whether this is a main account or a sub-account is not known: binance does not report it
```

## Good
```yaml
account: {name: mm, currency: USDT, kind: sub}
```
```json
{}
```
```yaml
account: {name: main, currency: USDT, max_equity: 100000 USDT}
```
```json
{}
```
```yaml
account: {name: main, currency: USDT, kind: master}
keys:
  dashboard: {purpose: tracking, scopes: [read]}
```

## Source
GUIDE.md G01; exchanges.json, `key_info` of Bybit (parentUid) and `revoke.subaccount` of each exchange.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.rules.base import Inputs, Rule, words

if TYPE_CHECKING:
    from policykit.snapshot import KeyReport

RULE = Rule(
    "PK113",
    "master-account",
    "low",
    ("G01",),
    "a leaked key reaches all that its account holds (G01)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Take what the exchange says of the account, else what the policy says."""
    trading = [n for n, key in inputs.keys.items() if any(scope.startswith("trade") for scope in key.scopes or ())]
    if not trading or (inputs.traits is not None and inputs.traits.sub_accounts is False):
        return
    reports = [report for name in trading if (report := inputs.report(name)) is not None]
    told = next((report for report in reports if report.sub_account != "unknown"), None)
    kind = inputs.model.account.kind
    if told is not None:
        kind = "master" if told.sub_account == "no" else "sub"
    if kind == "master" and (told is not None or inputs.traits is not None):
        yield _master(inputs, trading, told)
    elif kind != "sub" and reports and not inputs.model.account.max_equity:
        yield RULE.unknown(
            inputs.place("account.kind"),
            f"whether this is a main account or a sub-account is not known: {inputs.model.exchange} does not report it",
            "say `account: {kind: sub}` or `{kind: master}`",
        )


def _master(inputs: Inputs, trading: list[str], told: KeyReport | None) -> Finding:
    names = words(f"`{name}`" for name in trading)
    who = f"key {names} trades" if len(trading) == 1 else f"keys {names} trade"
    return RULE.finding(
        inputs.place("account.kind"),
        f"{who} on the main account; {inputs.model.exchange} has sub-accounts",
        confidence="observed" if told else "certain",
        label="all that the account holds is within reach",
        context=tuple(span for name in trading for span in inputs.declared_at(name)),
        observed=inputs.observed(told, "sub_account", told.sub_account) if told else None,
        next_step="make a sub-account, move to it what the bot needs, and give the bot a key of it",
    )
