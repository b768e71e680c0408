"""Orders, holds and stores as the tests of this folder use them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

from policykit.decision import Decision, Hold, position_counter, unknown_counter
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent
from policykit.store import Grant, Store
from policykit.store.base import Row
from policykit.store.ledger import Ledger
from tests.store.servers import dump_of, ledger_of

ACCOUNT = "binance/main"
NOW = 1_795_255_200_000
BTC = 10**8
UNIT = Decimal("0.00000001")
POSITION = position_counter(ACCOUNT, "BTC")
UNKNOWN = {side: unknown_counter(ACCOUNT, "BTC/USDT", side) for side in ("buy", "sell")}


def hold_sum(amount: int, limit: int, counter: str = "open_orders") -> Hold:
    """Hold some of a cap that is given back."""
    return Hold(f"{ACCOUNT}|{counter}", amount, limit, "sum", "risk.max_open_orders")


def hold_window(amount: int, limit: int, span_ms: int = 1_000, *, fixed: bool = False) -> Hold:
    """Hold some of a window."""
    counter = f"{ACCOUNT}|orders|{span_ms}" + ("|fixed" if fixed else "")
    return Hold(counter, amount, limit, "window", "risk.max_orders", span_ms, fixed)


def hold_position(amount: int, limit: int) -> Hold:
    """`amount` and `limit` in 1e-8 BTC; a sell is negative."""
    return Hold(POSITION, amount, limit, "position", "risk.max_position_notional")


def hold_clear(side: str = "buy") -> Hold:
    """Ask that nothing is unknown on a side."""
    return Hold(UNKNOWN[side], 0, 0, "clear", "orders.unknown")


def wanted(
    *holds: Hold, now: int = NOW, side: str = "buy", quantity: str = "1", own: str | None = None, **changes: Any
) -> tuple[Decision, Intent]:
    """Return a decision that allows an order, and its intent. `own`: the caller's own client order id."""
    name = new_id()
    order = Order("BTC/USDT", side, "limit", Decimal(quantity), Decimal(60_000), client_order_id=own)  # type: ignore[arg-type]
    decision = Decision(name, "allow", "enforce", "order.create", order, "mm", "sha256:0", "bot", now)
    intent = Intent(
        name, ACCOUNT, order, own or f"pk{name}", "order", holds, False, "bot", "host", 1, now, now + 250, 5_000
    )
    return decision, replace(intent, **changes)


def reserve(store: Store, *holds: Hold, now: int = NOW, generation: int = 0, **changes: Any) -> tuple[Intent, Grant]:
    """Ask for one order; return what was asked for and the answer."""
    decision, intent = wanted(*holds, now=now, **changes)
    return intent, store.reserve(decision, intent, holds, generation, now)


def replayed(rows: Iterator[Row]) -> Ledger:
    """Make the ledger that the rows tell, from nothing."""
    ledger = Ledger()
    for row in rows:
        ledger.apply(row.kind, row.body, row.at_ms, row.seq)
    return ledger


def dump(store: Any, like: Any = None) -> dict[str, Any]:
    """Return the state that a store, or a ledger to be compared with the store `like`, has now."""
    if isinstance(store, Ledger):
        return dump_of(store) if like is not None and like.backend == "valkey" else store.dump()
    if store.backend == "valkey":
        return dump_of(ledger_of(store))
    with store._lock:
        state: dict[str, Any] = store._current().dump()
    return state
