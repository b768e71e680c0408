"""What an exported policy is asked: one order, the facts, and what is used already, as whole numbers on a grid.

Fields that are not needed may be left out: what is left out is unknown, and what an increase needs and is unknown
denies it. Both languages get the same fields: Cedar as the context of the request, CEL as the map `o`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal, NamedTuple

from policykit.model.contracts import DIALECT
from policykit.units import plain

#: The grid: quantities, prices and money are whole numbers of these.
LOT: Final = Decimal("0.00001")
TICK: Final = Decimal("0.01")
CENT: Final = Decimal("0.01")
MOST_LOTS: Final = 10**8
MOST_TICKS: Final = 10**8


class Field(NamedTuple):
    """One field of a question. `needed`: it is asked for without a test of whether it is there."""

    kind: Literal["text", "whole", "flag"]
    doc: str
    needed: bool = False
    most: int | None = None


_LOTS: Final = f"in steps of {plain(LOT)}"
_TICKS: Final = f"in steps of {plain(TICK)}"
_MONEY: Final = f"of the account's currency, in steps of {plain(CENT)}"
_MS: Final = "UTC milliseconds"


def _dated(name: str, doc: str, unit: str = _MONEY) -> dict[str, Field]:
    read = Field("whole", f"When {doc[0].lower()}{doc[1:]} was read, {_MS}.")
    return {name: Field("whole", f"{doc}, {unit}."), f"{name}_as_of": read}


FIELDS: Final[Mapping[str, Field]] = {
    "action": Field("text", "What is asked: order.create, position.close, order.cancel, data.read, ...", needed=True),
    "symbol": Field("text", "The market, as ccxt writes it (BTC/USDT).", needed=True),
    "now": Field("whole", f"The time, {_MS}.", needed=True),
    "base": Field("text", "The base asset of a spot market in the account's currency; left out for any other market."),
    "side": Field("text", "buy or sell."),
    "type": Field("text", "The order type: limit, market, ..."),
    "time_in_force": Field("text", "GTC, IOC, ...; left out where the order says none."),
    "self_trade_prevention": Field("text", "The mode that the order carries."),
    "quantity": Field("whole", f"The quantity, {_LOTS}.", most=MOST_LOTS),
    "price": Field("whole", f"The limit price, {_TICKS}.", most=MOST_TICKS),
    "stop_price": Field("whole", f"The trigger, {_TICKS}.", most=MOST_TICKS),
    "stop_loss_price": Field("whole", f"The attached stop, {_TICKS}.", most=MOST_TICKS),
    **_dated("equity", "The equity"),
    **_dated("day_base", "The equity at the start of the day"),
    **_dated("transfers", "What was transferred in since then, less what went out"),
    **_dated("week_base", "The equity at the start of the week"),
    "week_transfers": Field("whole", f"The same of the week before this day, {_MONEY}."),
    **_dated("peak", "The highest equity less transfers"),
    **_dated("mark", "The mark of the symbol", _TICKS),
    "ask": Field("whole", f"The best ask, {_TICKS}."),
    "book_as_of": Field("whole", f"When it was read, {_MS}."),
    "positions_as_of": Field("whole", f"When the positions were read, {_MS}."),
    "losses": Field("whole", "Losing trades in a row."),
    "lost_at": Field("whole", f"When the last one ended, {_MS}."),
    "proved_at": Field("whole", f"When the key was proved to work from this host, {_MS}."),
    "skew": Field("whole", "The local clock less the exchange's, ms."),
    "banned_until": Field("whole", f"No request before, {_MS}."),
    "store_problem": Field("text", "Why the store cannot be trusted (STORE_DOWN, ...)."),
    "recovered": Field("flag", "Whether open intents of an earlier run are settled.", needed=True),
    "halted": Field("flag", "Whether trading is halted.", needed=True),
    "reducing": Field("flag", "Whether only reductions pass.", needed=True),
    "frozen": Field("flag", "Whether nothing passes but cancels.", needed=True),
    "position": Field("whole", f"What is held of the base asset, {_LOTS}.", needed=True),
    "open_buys": Field("whole", f"What open orders may still buy of it, {_LOTS}.", needed=True),
    "unknown": Field("whole", "Orders of this symbol and side of unknown outcome.", needed=True),
    "open_orders": Field("whole", "Orders that are out.", needed=True),
    "open_orders_here": Field("whole", "Those of this symbol.", needed=True),
    "other_positions": Field("whole", "Other assets that are held or may be.", needed=True),
    "orders": Field("whole", "Orders in the window of `max_orders`.", needed=True),
    "orders_here": Field("whole", "Those of this symbol, in the window of `max_orders_per_symbol`.", needed=True),
    "messages": Field("whole", "Orders and cancels in the window of `max_messages`.", needed=True),
    "weight": Field("whole", "What is used of the rate budget.", needed=True),
    "cost": Field("whole", "What this call costs of it.", needed=True),
}
_JSON: Final = {"text": "string", "whole": "integer", "flag": "boolean"}
_CEDAR: Final = {"text": "String", "whole": "Long", "flag": "Boolean"}


def json_schema() -> dict[str, Any]:
    """Return the form of a question as a JSON Schema."""
    return {
        "$schema": DIALECT,
        "title": "the question to an exported policy",
        "description": "One order, the facts and what is used. What is left out is unknown, never zero.",
        "type": "object",
        "additionalProperties": False,
        "required": [name for name, field in FIELDS.items() if field.needed],
        "properties": {
            name: {"type": _JSON[field.kind], "description": field.doc}
            | ({} if field.most is None else {"minimum": -field.most, "maximum": field.most})
            for name, field in FIELDS.items()
        },
    }


def cedar_schema() -> dict[str, Any]:
    """Return the same as Cedar's schema: a bot asks for an order on an account."""
    attributes = {name: {"type": _CEDAR[field.kind], "required": field.needed} for name, field in FIELDS.items()}
    applies = {
        "principalTypes": ["Bot"],
        "resourceTypes": ["Account"],
        "context": {"type": "Record", "attributes": attributes},
    }
    return {"": {"entityTypes": {"Bot": {}, "Account": {}}, "actions": {"order": {"appliesTo": applies}}}}
