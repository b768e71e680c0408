"""An order as both roads speak of it, and the closed set of actions."""

from __future__ import annotations

from decimal import Decimal
from operator import attrgetter
from typing import Any, Final, Literal

from policykit.units import plain

Side = Literal["buy", "sell"]
PositionSide = Literal["long", "short"]

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
#: The fields of an order that hold a number.
NUMBERS: Final = (
    "quantity",
    "price",
    "stop_price",
    "quote_quantity",
    "stop_loss_price",
    "take_profit_price",
    "leverage",
)
#: The other fields that hold a word.
WORDS: Final = (
    "time_in_force",
    "position_side",
    "self_trade_prevention",
    "margin_mode",
    "position_mode",
)
FLAGS: Final = ("reduce_only", "close_position", "trailing")
_FIRST: Final = ("symbol", "side", "type")
#: The order in which a decision shows them; what is not said is left out.
_SAID: Final = (*_FIRST, *NUMBERS, *WORDS)
_said: Final = attrgetter(*_SAID)


class Order:
    """One thing a bot asks to do. Treat it as immutable.

    `quantity` is what ccxt calls amount: base units on spot, contracts on swaps, always positive; None only for
    actions that carry no quantity (cancels) or when `quote_quantity` is given. `price` is None for market orders.
    `symbol` is ccxt's unified name (`BTC/USDT`). Only `order.create` and its kin have a side and a type; a cancel of
    everything has an empty symbol.

    `position_side` is the leg in hedge mode. `close_position` and `reduce_only`: the exchange itself forbids more than
    to close. `trailing`: the trigger follows the price, so no `stop_price` says where it is. `stop_loss_price` and
    `take_profit_price` are legs attached to an entry. `leverage`, `margin_mode`, `position_mode` are what
    `account.configure` sets (an order may carry them too); of `margin.borrow` and the like `symbol` is the currency.
    `amends` is the order that an `order.amend` changes, as far as it still can fill; None: not known.
    """

    __slots__ = (
        "action",
        "amends",
        "client_order_id",
        "close_position",
        "leverage",
        "margin_mode",
        "position_mode",
        "position_side",
        "price",
        "quantity",
        "quote_quantity",
        "reduce_only",
        "self_trade_prevention",
        "side",
        "stop_loss_price",
        "stop_price",
        "symbol",
        "take_profit_price",
        "time_in_force",
        "trailing",
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
        close_position: bool = False,
        position_side: PositionSide | None = None,
        trailing: bool = False,
        stop_loss_price: Decimal | None = None,
        take_profit_price: Decimal | None = None,
        self_trade_prevention: str | None = None,
        leverage: Decimal | None = None,
        margin_mode: str | None = None,
        position_mode: str | None = None,
        amends: Order | None = None,
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
        self.close_position = close_position
        self.position_side = position_side
        self.trailing = trailing
        self.stop_loss_price = stop_loss_price
        self.take_profit_price = take_profit_price
        self.self_trade_prevention = self_trade_prevention
        self.leverage = leverage
        self.margin_mode = margin_mode
        self.position_mode = position_mode
        self.amends = amends

    def to_dict(self) -> dict[str, Any]:
        """Return the order as INTERFACE's decision shows it: numbers as text, absent fields left out."""
        out: dict[str, Any] = {}
        for name, value in zip(_SAID, _said(self), strict=True):
            if value is not None:
                out[name] = plain(value) if isinstance(value, Decimal) else value
        if self.reduce_only or self.close_position or self.trailing:
            out |= {name: True for name in FLAGS if getattr(self, name)}
        if self.client_order_id is not None:
            out["client_order_id"] = self.client_order_id
        if self.amends is not None:
            out["amends"] = self.amends.to_dict()
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any], action: str = "order.create") -> Order:
        """Read what `to_dict` wrote; what was no number stays as it is."""
        said: dict[str, Any] = {
            name: data[name] for name in (*_FIRST, *WORDS, *FLAGS, "client_order_id") if name in data
        }
        said |= {name: _number(data[name]) for name in NUMBERS if name in data}
        if "amends" in data:
            said["amends"] = cls.from_dict(data["amends"])
        return cls(action=action, **said)

    def __repr__(self) -> str:
        return f"Order({self.action}, {self.to_dict()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Order) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]


def _number(value: Any) -> Any:
    try:
        return Decimal(value)
    except (ArithmeticError, TypeError, ValueError):
        return value
