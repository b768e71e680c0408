"""One order may be too large a part of the account.

## What it finds
A cap on single orders above 2 % of equity. A cap that is only an amount of money is compared with the equity that
the exchange reports, when live state is given.

## Why
One bad order is the most common accident; at 1-2 % of the account it is survivable (G33).

## Bad
```yaml
risk:
  max_order_notional: 10% of equity
```
```finding
open certain policy.yaml:2:23 one order may be 10% of equity; the guide's range is 1-2%
```
```yaml
risk:
  max_order_notional: 5000 USDT
```
```json
{"account": {"equity": "100000", "balances": {}, "positions": [], "open_orders": []}}
```
```finding
open observed policy.yaml:2:23 one order may be 5000 of 100000 USDT; the guide's range is 1-2%
```
```yaml
risk:
  max_order_notional: 5000 USDT
```
```json
{"account": {"equity": null, "balances": {}, "positions": [], "open_orders": []}}
```
```finding
unknown policy.yaml:2:23 what share of equity one order may be is not known: the snapshot does not have it
```

## Good
```yaml
risk:
  max_order_notional: [2% of equity, 50000 USDT]
```
```yaml
risk:
  max_order_notional: 1500 USDT
```
```json
{"account": {"equity": "100000 USDT", "balances": {}, "positions": [], "open_orders": []}}
```

## Source
GUIDE.md G33 (1-2 % of portfolio value).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.units import Amount, Share, exact, plain

RULE = Rule(
    "PK603",
    "order-cap",
    "high",
    ("G33",),
    "one bad order is the most common accident; at 1-2% of the account it is survivable (G33)",
    ("policy", "snapshot"),
)

#: The guide's largest order, as a share of equity.
MAX_SHARE = Share(Decimal("0.02"))


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the cap's share with the guide's, or its amount with the equity that was observed."""
    bounds = inputs.model.risk.max_order_notional if inputs.model.risk else None
    if not bounds:
        return
    place = inputs.place("risk.max_order_notional")
    shares = [b for b in bounds if isinstance(b, Share)]
    if shares:
        largest = min(shares)
        if largest.fraction > MAX_SHARE.fraction:
            yield RULE.finding(
                place,
                f"one order may be {largest}; the guide's range is 1-2%",
                label=f'"{MAX_SHARE}" or less',
                next_step="lower the cap",
                fix=Fix.replace(place, str(MAX_SHARE), "lower the cap", safe=True) if len(bounds) == 1 else None,
            )
    elif inputs.snapshot is not None:
        yield from _amount(inputs, bounds)


def _amount(inputs: Inputs, bounds: tuple[Amount | Share, ...]) -> Iterator[Finding]:
    """Compare a cap in money with equity, both in the account's currency."""
    currency = inputs.model.account.currency
    place = inputs.place("risk.max_order_notional")
    cap = next((b.value for b in bounds if isinstance(b, Amount) and b.currency == currency), None)
    equity = _equity(inputs, currency)
    if cap is None or equity is None:
        reason = inputs.not_told("equity") if cap is not None else f"the cap is not in {currency}"
        yield RULE.unknown(
            place,
            f"what share of equity one order may be is not known: {reason}",
            "take a snapshot with balances (without --keys-only), or add a share: [1.5% of equity, ...]",
        )
    elif cap > equity * MAX_SHARE.fraction:
        at = inputs.snapshot.taken_at if inputs.snapshot else ""
        yield RULE.finding(
            place,
            f"one order may be {plain(cap)} of {plain(equity)} {currency}; the guide's range is 1-2%",
            confidence="observed",
            label=f"over {MAX_SHARE}",
            observed=inputs.evidence("account", "account.equity", f"{plain(equity)} {currency}", at),
            next_step=f"lower it to {MAX_SHARE} or less",
        )


def _equity(inputs: Inputs, currency: str) -> Decimal | None:
    """Read `100000` or `100000 USDT`; None when it is absent, no number or of another currency."""
    said = inputs.snapshot.account.get("equity") if inputs.snapshot else None
    number, _, unit = str(said).partition(" ")
    try:
        return exact(number) if unit in ("", currency) else None
    except ValueError:
        return None
