"""An exchange's own trade history as a past: each order that traded is one that was sent, and was all of what filled.

The file tells of fills, and of nothing else. What has to be taken for granted is said with the result; what a check
needs beyond it is not known under either policy, and is counted as such.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from policykit.decision import Decision, Hold, position_counter
from policykit.engine.setup import Setup
from policykit.exchanges.trade_csv import Trade, read
from policykit.order import Order
from policykit.orders.intent import Intent, Outcome
from policykit.policy import EffectivePolicy
from policykit.proofs.replay.past import Event, Past
from policykit.store import Observation
from policykit.store.codec import decision_body, observation_to_dict, outcome_to_dict
from policykit.traits import load
from policykit.traits.base import product_of
from policykit.units import MAX_COUNTER, exact, scale_up

#: What such a file leaves open, and what is taken in its place.
ASSUMED: Final = (
    "each order was sent when it first filled, as a limit order at its average price, for what filled of it",
    "the mark at that moment is the price of the trade; of another market, of its last trade",
    "positions are what the trades make, from nothing, or on spot from as much as was sold beyond that",
    "no halt, no ban and no other bot; cancels, amends, orders that never filled and reads are not in the file",
)


@dataclass(slots=True)
class _Sent:
    """One order, as its fills show it."""

    ident: str
    symbol: str
    side: str
    quantity: Decimal = Decimal(0)
    notional: Decimal = Decimal(0)
    fills: int = 0


def past(file: Path, policy: EffectivePolicy, equity: str | None = None) -> Past:
    """Return what a CSV of trades recorded, as orders of a policy's account. Raise ValueError with the place."""
    found = read(file)
    known = _equity(equity, policy.model.account.currency)
    said = (
        f"equity was {equity} all the time; no loss is judged" if equity else "equity is not known (--equity says it)"
    )
    left = f"{found.skipped:,} rows of the file were left out ({'; '.join(found.problems)})"
    assumed = (*ASSUMED, said, *([left] if found.problems else []))
    return Past(
        str(file), lambda: _events(found.trades, policy, known), _count(found.trades), blind=True, assumed=assumed
    )


def _equity(said: str | None, currency: str) -> Decimal | None:
    """Read `100000 USDT`."""
    if said is None:
        return None
    number, _, unit = said.strip().partition(" ")
    try:
        value = exact(number.replace(",", ""))
    except ValueError:
        value = Decimal(0)
    if unit != currency or not value > 0:
        raise ValueError(f"--equity is {said!r}; an amount in the account's currency (100000 {currency}) is needed")
    return value


def _named(trades: Iterable[Trade]) -> Iterator[tuple[str, Trade]]:
    """Yield each trade with the name of its order; one without is an order of its own."""
    for index, trade in enumerate(trades, 1):
        yield f"{trade.symbol} {trade.order}" if trade.order else f"trade {index}", trade


def _count(trades: tuple[Trade, ...]) -> int:
    return len({ident for ident, _ in _named(trades)}) + 2 * len(trades)


def _events(trades: tuple[Trade, ...], policy: EffectivePolicy, equity: Decimal | None) -> Iterator[Event]:
    """Yield the rows that a guard would have written: facts and a decision where an order begins, then its fills."""
    setup = Setup(policy, load(policy.model.exchange), None)
    sent: dict[str, _Sent] = {}
    for ident, trade in _named(trades):
        order = sent.setdefault(ident, _Sent(ident, trade.symbol, trade.side))
        order.quantity += trade.quantity
        order.notional += trade.notional
        order.fills += 1
    positions, left = _before(setup, trades), dict[str, Decimal]()
    seq = 0
    for ident, trade in _named(trades):
        order = sent[ident]
        bodies = [("observe", _observed(setup, trade, equity, positions))]
        if ident not in left:
            left[ident] = order.quantity
            bodies.append(("decision", _decision(setup, order, trade.at_ms)))
        key = setup.position_key(trade.symbol)
        positions[key] = positions.get(key, Decimal(0)) + _signed(trade)
        left[ident] -= trade.quantity
        order.fills -= 1
        bodies.append(("outcome", _outcome(ident, trade.at_ms, left[ident], over=not order.fills)))
        if not order.fills:
            del sent[ident]
        for kind, body in bodies:
            seq += 1
            yield seq, trade.at_ms, kind, body


def _before(setup: Setup, trades: Iterable[Trade]) -> dict[str, Decimal]:
    """Return what must have been held of each spot asset, so that none was ever sold that was not there."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    least: dict[str, Decimal] = {}
    for trade in trades:
        if product_of(trade.symbol) == "spot":
            key = setup.position_key(trade.symbol)
            held[key] += _signed(trade)
            least[key] = min(held[key], least.get(key, Decimal(0)))
    return {key: -quantity for key, quantity in least.items()}


def _signed(trade: Trade) -> Decimal:
    return trade.quantity if trade.side == "buy" else -trade.quantity


def _observed(setup: Setup, trade: Trade, equity: Decimal | None, positions: dict[str, Decimal]) -> dict[str, Any]:
    """Return the row of facts at a trade: its price, and what was held before it."""
    price = _price(trade.notional, trade.quantity)
    priced = trade.symbol.partition(":")[0].endswith(f"/{setup.currency}")
    seen = Observation(
        trade.at_ms,
        trade.at_ms,
        equity=equity,
        net_transfers=None if equity is None else Decimal(0),
        positions=dict(positions),
        marks={trade.symbol: price} if price else {},
        units={setup.position_key(trade.symbol): price} if price and priced else {},
        skew_ms=0,
    )
    return observation_to_dict(setup.account, seen)


def _price(notional: Decimal, quantity: Decimal) -> Decimal:
    return (notional / quantity).quantize(Decimal(1).scaleb(-12)) if quantity else notional


def _decision(setup: Setup, sent: _Sent, at_ms: int) -> dict[str, Any]:
    order = Order(sent.symbol, sent.side, "limit", sent.quantity, _price(sent.notional, sent.quantity))  # type: ignore[arg-type]
    name, account = setup.effective.name, setup.account
    decision = Decision(sent.ident, "allow", "enforce", order.action, order, name, "", name, at_ms)
    amount = min(scale_up(sent.quantity), MAX_COUNTER) * (1 if sent.side == "buy" else -1)
    counter = position_counter(account, setup.position_key(sent.symbol))
    holds = (Hold(counter, amount, MAX_COUNTER, "position", "risk.max_position_notional"),)
    intent = Intent(
        sent.ident, account, order, sent.ident, "order", holds, False, name, "", 0, at_ms, None, None, changed_ms=at_ms
    )
    return decision_body(decision, intent, ())


def _outcome(ident: str, at_ms: int, left: Decimal, *, over: bool) -> dict[str, Any]:
    """Return what a fill leaves out of an order. Its position is told as a fact, so the fill itself is not counted."""
    if over:
        return outcome_to_dict(ident, Outcome("settled", at_ms, closed=True))
    return outcome_to_dict(ident, Outcome("acknowledged", at_ms, quantity=left))
