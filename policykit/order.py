"""An order as both roads speak of it, and the closed set of actions."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final, Literal

from policykit.units import plain

Side = Literal["buy", "sell"]

#: TELEMETRY.md, "Span": the closed set of actions.
ACTIONS: Final = (
    "order.create",
    "order.amend",
    "order.cancel",
    "orders.cancel_all",
    "position.close",
    "account.configure",
    "margin.borrow",
    "margin.repay",
    "convert",
    "data.read",
    "stream.connect",
    "transfer",
    "withdraw",
    "key.admin",
)
CANCELS: Final = frozenset(("order.cancel", "orders.cancel_all"))


class Order:
    """One thing a bot asks to do. Treat it as immutable.

    `quantity` is what ccxt calls amount: base units on spot, contracts on swaps, always positive; None only for
    actions that carry no quantity (cancels) or when `quote_quantity` is given. `price` is None for market orders.
    `symbol` is ccxt's unified name (`BTC/USDT`). Only `order.create` and its kin have a side and a type; a cancel of
    everything has an empty symbol.
    """

    __slots__ = (
        "action",
        "client_order_id",
        "price",
        "quantity",
        "quote_quantity",
        "reduce_only",
        "side",
        "stop_price",
        "symbol",
        "time_in_force",
        "type",
    )

    def __init__(
        self,
        symbol: str,
        side: Side | None = None,
        type: str | None = None,  # noqa: A002 - the field's standard name
        quantity: Decimal | None = None,
        price: Decimal | None = None,
        *,
        action: str = "order.create",
        client_order_id: str | None = None,
        stop_price: Decimal | None = None,
        quote_quantity: Decimal | None = None,
        reduce_only: bool = False,
        time_in_force: str | None = None,
    ) -> None:
        self.action = action
        self.symbol = symbol
        self.side = side
        self.type = type
        self.quantity = quantity
        self.price = price
        self.client_order_id = client_order_id
        self.stop_price = stop_price
        self.quote_quantity = quote_quantity
        self.reduce_only = reduce_only
        self.time_in_force = time_in_force

    def to_dict(self) -> dict[str, Any]:
        """Return the order as INTERFACE's decision shows it: numbers as text, absent fields left out."""
        out: dict[str, Any] = {}
        for name in ("symbol", "side", "type", "quantity", "price", "stop_price", "quote_quantity", "time_in_force"):
            value = getattr(self, name)
            if value is not None:
                out[name] = plain(value) if isinstance(value, Decimal) else value
        if self.reduce_only:
            out["reduce_only"] = True
        if self.client_order_id is not None:
            out["client_order_id"] = self.client_order_id
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any], action: str = "order.create") -> Order:
        """Read what `to_dict` wrote."""
        numbers = {n: Decimal(data[n]) for n in ("quantity", "price", "stop_price", "quote_quantity") if n in data}
        return cls(
            data["symbol"],
            data.get("side"),
            data.get("type"),
            numbers.get("quantity"),
            numbers.get("price"),
            action=action,
            client_order_id=data.get("client_order_id"),
            stop_price=numbers.get("stop_price"),
            quote_quantity=numbers.get("quote_quantity"),
            reduce_only=data.get("reduce_only", False),
            time_in_force=data.get("time_in_force"),
        )

    def __repr__(self) -> str:
        return f"Order({self.action}, {self.to_dict()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]
