"""One order may be too large a part of the account.

## What it finds
A cap on single orders above 2 % of equity, unless `risk_at_stop` bounds what one order may lose at its stop by as much.
A cap that is only an amount of money is compared with `account.max_equity`, else with the equity that the exchange
reports when live state is given; where that cannot be done, the share is unknown.

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
account: {name: main, currency: USDT}
risk:
  max_order_notional: 5000 USDT
```
```json
{"account": {"equity": "100000", "balances": {}, "positions": [], "open_orders": []}}
```
```finding
open observed policy.yaml:3:23 one order may be 5000 of 100000 USDT; the guide's range is 1-2%
```
```yaml
account: {name: main, currency: USDT}
risk:
  max_order_notional: 5000 USDT
```
```json
{"account": {"equity": null, "balances": {}, "positions": [], "open_orders": []}}
```
```finding
unknown policy.yaml:3:23 what share of equity one order may be is not known: the snapshot does not have it
```

```yaml
account: {name: main, currency: USDT, max_equity: 100000 USDT}
risk:
  max_order_notional: 5000 USDT
  risk_at_stop: 3% of equity
```
```finding
open certain policy.yaml:3:23 one order may be 5000 USDT, 5% of equity; the guide's range is 1-2%
open certain policy.yaml:4:17 one order may lose 3% of equity at its stop; the guide's range is 1-2%
```
```yaml
account: {name: main, currency: USDT, max_equity: 100000 USDT}
risk:
  max_order_notional: 5000 BTC
```
```finding
unknown policy.yaml:3:23 what share of equity one order may be is not known: the cap is not in USDT
```
```yaml
account: {name: main, currency: USDT, max_equity: 500000 USDT}
risk:
  max_order_notional: 5000 USDT
```
```json
{}
```
```finding
open observed policy.yaml:3:23 one order may be 5000 of 100000 USDT; the guide's range is 1-2%
```
```yaml
account: {name: main, currency: USDT}
risk:
  max_order_notional: 5000 USDT
```
```finding
unknown policy.yaml:3:23 what share of equity one order may be is not known: no `account.max_equity` is stated
```

## Good
```yaml
risk:
  max_order_notional: 20% of equity
  risk_at_stop: 1% of equity
```
```yaml
risk:
  max_order_notional: [2% of equity, 50000 USDT]
```
```json
{}
```
```yaml
account: {name: main, currency: USDT, max_equity: 200000 USDT}
risk:
  max_order_notional: 2000 USDT
```
```json
{"account": {"equity": "100000 USDT", "balances": {}, "positions": [], "open_orders": []}}
```
```yaml
account: {name: main, currency: USDT, max_equity: 200000 USDT}
risk:
  max_order_notional: 2000 USDT
```

## Source
GUIDE.md G33 (1-2 % of portfolio value).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from policykit.finding import Finding, Fix
from policykit.rules.base import Inputs, Rule
from policykit.rules.caps import bound_place, judged, max_equity, most
from policykit.rules.holdings import equity
from policykit.units import Bound, Share, plain

RULE = Rule(
    "PK603",
    "order-cap",
    "medium",
    ("G33",),
    "one bad order is the most common accident; at 1-2% of the account it is survivable (G33)",
    ("policy", "snapshot"),
)

#: The guide's largest order, as a share of equity.
MAX_SHARE = Share(Decimal("0.02"))
#: The two caps of which one is enough, and what each says of an order.
WORDS = {"max_order_notional": "one order may be {}", "risk_at_stop": "one order may lose {} at its stop"}


def check(inputs: Inputs) -> Iterator[Finding]:
    """Compare the share that one order may lose or be with the guide's; one of both inside it is enough."""
    risk = inputs.model.risk
    caps = {name: getattr(risk, name) for name in WORDS if risk is not None and getattr(risk, name)}
    found = []
    for name, bounds in caps.items():
        said = judged(bounds, inputs.model.account.currency, max_equity(inputs))
        if said is not None and said[1].fraction > MAX_SHARE.fraction:
            found.append(_over(inputs, name, bounds[said[0]], *said))
            continue
        # What was observed counts more than the most that there may be.
        asked = said is None or (inputs.snapshot is not None and not any(isinstance(b, Share) for b in bounds))
        observed = list(_amount(inputs, name, bounds)) if asked else []
        if not observed:
            return
        found += observed
    yield from found


def _over(inputs: Inputs, name: str, bound: Bound, index: int, share: Share) -> Finding:
    place = bound_place(inputs, f"risk.{name}", index)
    is_share = isinstance(bound, Share)
    return RULE.finding(
        place,
        f"{WORDS[name].format(bound if is_share else f'{bound}, {share}')}; the guide's range is 1-2%",
        label=f'"{MAX_SHARE}" or less',
        next_step="lower the cap",
        fix=Fix.replace(place, str(MAX_SHARE), "lower the cap", safe=True) if is_share else None,
    )


def _amount(inputs: Inputs, name: str, bounds: tuple[Bound, ...]) -> Iterator[Finding]:
    """Compare a cap in money with the equity that was observed, both in the account's currency."""
    currency = inputs.model.account.currency
    place = inputs.place(f"risk.{name}")
    cap = most(bounds, currency, None)
    equity_now = equity(inputs)
    if cap is None or equity_now is None:
        unstated = inputs.not_told("equity") if inputs.snapshot else "no `account.max_equity` is stated"
        reason = unstated if cap is not None else f"the cap is not in {currency}"
        yield RULE.unknown(
            place,
            f"what share of equity {WORDS[name].format('').replace('  ', ' ').strip()} is not known: {reason}",
            "state `account.max_equity`, take a snapshot with balances, or add a share: [1.5% of equity, ...]",
        )
    elif cap > equity_now * MAX_SHARE.fraction:
        at = inputs.snapshot.taken_at if inputs.snapshot else ""
        yield RULE.finding(
            place,
            f"{WORDS[name].format(f'{plain(cap)} of {plain(equity_now)} {currency}')}; the guide's range is 1-2%",
            confidence="observed",
            label=f"over {MAX_SHARE}",
            observed=inputs.evidence("account", "account.equity", f"{plain(equity_now)} {currency}", at),
            next_step=f"lower it to {MAX_SHARE} or less",
        )
