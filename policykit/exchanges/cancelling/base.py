"""What an exchange's file in this room says: which calls cancel, and how each order family is listed and cancelled.

CANCELLING = Cancelling(
    calls=calls("POST", "/0/private/", "CancelOrder CancelOrderBatch CancelAll"),
    families=(Resting("spot.order", many=50, mixed=True, every="account"),),
)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, NamedTuple


class Resting(NamedTuple):
    """One list of an order family, and how the orders in it are cancelled. A family may have several lists.

    `family` is `PRODUCT.FAMILY` as the traits name them. `ask` and `cancel` are ccxt's params of `fetch_open_orders`
    and of the cancels. `many`: how many ids one `cancel_orders` takes, 0: there is none; of one symbol unless `mixed`.
    `every`: whether `cancel_all_orders` takes those of the account, or of a symbol; `every_call` is an implicit method
    in its stead. `by_symbol`: it lists one symbol at a time; `symbols_call` names those with open orders.
    `page`: the most rows that one answer has; 0: all of them, as far as is documented.
    """

    family: str
    ask: Mapping[str, Any] = {}
    cancel: Mapping[str, Any] = {}
    many: int = 0
    mixed: bool = False
    every: Literal["", "account", "symbol"] = ""
    every_call: str = ""
    by_symbol: bool = False
    symbols_call: str = ""
    page: int = 0
    #: The family in whose list these orders show as well.
    also_in: str = ""
    #: One list of several products: which family a row is of, and the others beside `family` that there are.
    split: Callable[[Mapping[str, Any]], str] | None = None
    others: tuple[str, ...] = ()
    #: In the stead of `fetch_open_orders`: an implicit method that lists them all, whose rows are where `rows` says.
    list_call: str = ""
    rows: tuple[str, ...] = ("result",)

    @property
    def families(self) -> tuple[str, ...]:
        """Every family that its rows can be of."""
        return (self.family, *self.others)


def by_symbol(row: Mapping[str, Any]) -> str:
    """Return the family of an order of a list of all products: by its symbol (`BTC/USDT:USDT-261225-90000-C`)."""
    symbol = str(row.get("symbol") or "")
    if ":" not in symbol:
        return "spot.order"
    return "option.order" if symbol.endswith(("-C", "-P")) else "swap.order"


def _by_name(name: str, body: str | None) -> bool:
    """Take a call for what its name says."""
    return True


class Cancelling(NamedTuple):
    """How one exchange's open orders are cancelled.

    `calls`: those beyond the read allowlist that a cancelling client may make; `admits` looks at the body where one
    call does several things. `unlisted`: families that no call of ours lists, and why.
    """

    calls: frozenset[str]
    families: tuple[Resting, ...]
    unlisted: Mapping[str, str] = {}
    admits: Callable[[str, str | None], bool] = _by_name


class OpenOrder(NamedTuple):
    """One open order, whoever placed it. What the exchange does not say is None or empty.

    `reduces`: whether the exchange itself keeps it from doing more than to close. `resting`: the list it was found in.
    """

    family: str
    symbol: str
    order_id: str
    client_order_id: str
    side: str | None
    quantity: Decimal | None
    filled: Decimal | None
    price: Decimal | None
    reduces: bool | None
    at_ms: int | None
    resting: Resting

    @property
    def only_reduces(self) -> bool:
        """Whether it can only give back what is held; what is not known can increase."""
        return self.side == "sell" if self.family.startswith("spot.") else self.reduces is True


class Listed(NamedTuple):
    """What is open, by family. A family in `unknown` was not listed in full, and why: never take it for empty."""

    orders: Mapping[str, tuple[OpenOrder, ...]]
    unknown: Mapping[str, str]


@dataclass(slots=True)
class FamilyCount:
    """What became of one order family: orders listed, cancelled, kept on purpose, and left that were to be cancelled.

    `left` is what was listed last. `unknown`: why the family could not be listed to its end, so that what is left there
    is not known, and never flat; empty: it was.
    """

    listed: int = 0
    cancelled: int = 0
    kept: int = 0
    left: int = 0
    unknown: str = ""

    @property
    def flat(self) -> bool:
        """Tell whether nothing that had to go is open, and that was seen."""
        return not self.left and not self.unknown
