"""The exchange could bind a key to its symbols, and nothing says that it does.

## What it finds
A key with a scope for which the exchange keeps a list of symbols of its own (Binance: spot and margin keys of
sub-accounts, at most 30 symbols), in a policy that names its symbols one by one, without `declared.symbols`; and a
list that a person declared which lets the key trade more than `risk.symbols`.

## Why
The policy's list stops the bot; only the exchange's list stops a thief, who with any thin market can trade the account
empty against himself (G01, G07).

## Bad
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```
```finding
open certain policy.yaml:3:3 key `mm-exec` may trade every symbol at the exchange; binance can bind it to the 1 of
  this policy
```
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {symbols: ["BTC/USDT", "DOGE/USDT"], by: desk-head, at: 2026-11-20}
```
```finding
open certain policy.yaml:6:25 key `mm-exec` may trade DOGE/USDT at the exchange, as desk-head declared; the policy
  does not
```
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {symbols: ["BTC/USDT"], by: desk-head, at: 2026-11-20}
```
```json
{}
```
```finding
declared policy.yaml:6:25 that `mm-exec` is bound to BTC/USDT at the exchange is what desk-head declared on 2026-11-20;
  not verified
```
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {symbols: ["BTC/USDT"], by: desk-head, at: 2026-10-01}
```
```json
{"keys": [{"name": "mm-exec", "created_at": "2026-10-20T10:00:00Z"}]}
```
```finding
unknown policy.yaml:6:25 which symbols `mm-exec` may trade at the exchange is not known: the key was made after the
  declaration
```

## Good
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec:
    purpose: execution
    scopes: [read, trade.spot]
    declared: {symbols: ["BTC/USDT"], by: desk-head, at: 2026-11-20}
```
```yaml
account: {name: mm, currency: USDT, kind: sub}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
risk:
  symbols: ["*/USDT"]
```
```yaml
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.spot]}
```

## Source
GUIDE.md G01, G07; binance.com/en/support/faq/96dde1d806a44a67924f322f4f8092f6 (Enable Symbol Whitelist, read 2026-11).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from policykit.finding import Finding
from policykit.model.symbols import within
from policykit.rules.base import Inputs, Rule, words
from policykit.rules.scopes import of_this_key

if TYPE_CHECKING:
    from policykit.model import Declared, Key

RULE = Rule(
    "PK114",
    "symbol-allowlist",
    "low",
    ("G01", "G07"),
    "the policy's list of symbols stops the bot, only the exchange's stops a thief (G01)",
    ("policy", "snapshot"),
)


def check(inputs: Inputs) -> Iterator[Finding]:
    """Look at what each key is bound to, where it could be bound."""
    for name, key in inputs.keys.items():
        declared = key.declared
        if declared is not None and declared.symbols is not None:
            yield from _declared(inputs, name, declared, declared.symbols)
        elif count := _offered(inputs, key):
            yield RULE.finding(
                inputs.place(f"keys.{name}.declared.symbols"),
                f"key `{name}` may trade every symbol at the exchange; {inputs.model.exchange} can bind it to the"
                f" {count} of this policy",
                label="no `declared: {symbols: ...}`",
                next_step=f"set the list at {inputs.key_page()}, then record it under `declared: {{symbols: ...}}`",
            )


def _offered(inputs: Inputs, key: Key) -> int:
    """Return to how many symbols of the policy the exchange can bind this key; 0 when it cannot."""
    offer = inputs.traits.symbol_allowlist if inputs.traits else None
    symbols = (inputs.model.risk.symbols if inputs.model.risk else None) or ()
    if offer is None or len(symbols) > offer.most or any("*" in s or s.startswith("!") for s in symbols):
        return 0
    if offer.sub_accounts_only and inputs.model.account.kind != "sub":
        return 0
    return len(symbols) if any(scope in offer.scopes for scope in key.scopes or ()) else 0


def _declared(inputs: Inputs, name: str, declared: Declared, symbols: tuple[str, ...]) -> Iterator[Finding]:
    place = inputs.place(f"keys.{name}.declared.symbols")
    allowed = inputs.model.risk.symbols if inputs.model.risk else None
    beyond = within(symbols, allowed) if allowed else ()
    report = inputs.report(name)
    if beyond:
        yield RULE.finding(
            place,
            f"key `{name}` may trade {words(beyond)} at the exchange, as {declared.by} declared; the policy does not",
            label="as declared",
            context=(("as agreed", inputs.place("risk.symbols")),),
            next_step=f"take it from the list at {inputs.key_page()}, then declare it anew",
        )
    elif report is not None and of_this_key(declared, report):
        yield RULE.finding(
            place,
            f"that `{name}` is bound to {words(symbols)} at the exchange is what {declared.by} declared on"
            f" {declared.at}; not verified",
            status="declared",
        )
    elif report is not None:
        yield RULE.unknown(
            place,
            f"which symbols `{name}` may trade at the exchange is not known: the key was made after the declaration",
            f"look at {inputs.key_page()}, then declare it anew",
        )
