"""How Bybit v5 writes orders and fills, and how it refuses; of spot and of contracts.

Source: bybit-exchange/docs docs/v5 (read 2026-11-21): order/create-order.mdx@00a9d59b, order/open-order.mdx@0168962c,
order/order-list.mdx@01dc5dcf, order/execution.mdx@059d5565, enum.mdx@000982e1 "orderStatus", error.mdx@029bda0c; codes
of spot (170xxx) and 110072, 110092 to 110094 as ccxt 4.5.90 has them (bybit.py, `exceptions`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from policykit.sim.contracts import Contract, ContractOrder, ContractTrade
from policykit.sim.dialects.base import Reply
from policykit.sim.futures import Refused
from policykit.sim.venue import LIMITED, OPEN, ZERO, Order, Rejected, Trade

_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?\Z")
#: What stands at each level of a book, and what each trade is of.
SIZE: Final = "1.5"
#: Where spot's order ids begin: 19 digits.
SPOT_IDS: Final = 1_500_000_000_000_000_000
_CONTRACT_ID: Final = re.compile(r"([0-9]{8})-0000-4000-8000-000000000000\Z")
_INDEX: Final = {"BOTH": 0, "LONG": 1, "SHORT": 2}
_TIMES: Final = {"GTX": "PostOnly"}
#: What the contracts' venue refuses, as the error page has it; anything else is 10001.
_REFUSED: Final[dict[str, tuple[int, str]]] = {
    "reduce_only": (110017, "ReduceOnly rule not satisified."),
    "margin": (110007, "Insufficient available balance"),
    "duplicate": (110072, "OrderLinkedID is duplicate"),
    "too_many": (110020, "Cannot have more than 500 active orders."),
    "notional": (110094, "Order notional value below the lower limit"),
    "not_open": (110001, "Order does not exist"),
    "lookup": (110001, "Order does not exist"),
    "margin_leverage": (110004, "Insufficient wallet balance"),
}
#: The same of spot's venue, by what it says.
_REJECTED: Final[dict[str, tuple[int, str]]] = {
    "Filter failure: PRICE_FILTER": (170134, "Order price decimal too long."),
    "Filter failure: LOT_SIZE": (170137, "Order volume decimal too long."),
    "Filter failure: NOTIONAL": (170140, "Order value exceeded lower limit."),
    "Account has insufficient balance for requested action.": (170131, "Insufficient balance."),
    "Duplicate order sent.": (170141, "Duplicate clientOrderId."),
    "Unknown order sent.": (170213, "Order does not exist."),
    "Order does not exist.": (170213, "Order does not exist."),
}


class Bad(Exception):
    """A request that is refused."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.reply = bad(code, text)


def bad(code: int, message: str) -> Reply:
    """Make an error, which Bybit answers with status 200."""
    return Reply(200, {"retCode": code, "retMsg": message, "result": {}, "retExtInfo": {}}, code=code)


def ok(result: Any, now_ms: int) -> dict[str, Any]:
    """Make an answer."""
    return {"retCode": 0, "retMsg": "", "result": result, "retExtInfo": {}, "time": now_ms}


def levels(best: Decimal, away: Decimal, depth: int) -> list[list[str]]:
    """Write one side of a book from its best price on."""
    return [[str(best + n * away), SIZE] for n in range(depth) if best + n * away > 0]


def refusal(error: Refused | Rejected) -> Bad:
    """Return the exchange's answer to what its matching engine refuses."""
    if isinstance(error, Refused):
        return Bad(*_REFUSED.get(error.why, (10001, f"Request parameter error: {error.why}.")))
    return Bad(*_REJECTED.get(error.text, (10001, f"Request parameter error: {error.text}")))


def need(params: Mapping[str, Any], name: str) -> str:
    """Return a mandatory parameter as text."""
    value = params.get(name)
    if value in (None, ""):
        raise Bad(10001, f"Request parameter error: {name} is missing.")
    return str(value)


def one_of(params: Mapping[str, Any], name: str, *known: str) -> str:
    """Return a mandatory parameter that has one of these values."""
    value = need(params, name)
    if value not in known:
        raise Bad(10001, f"Request parameter error: {name} is {value}.")
    return value


def decimal(params: Mapping[str, Any], name: str) -> Decimal | None:
    """Read an optional number."""
    value = params.get(name)
    if value in (None, ""):
        return None
    if not _NUMBER.match(str(value)):
        raise Bad(10001, f"Request parameter error: {name} is {value}.")
    return Decimal(str(value))


def contract_name(contract: Contract) -> str:
    """Return Bybit's name of a contract."""
    return f"{contract.base}USD" if contract.inverse else contract.id


def contract_quantity(contract: Contract, amount: Decimal) -> Decimal:
    """Return a size as Bybit counts it: an inverse contract there is 1 USD."""
    return amount * contract.size if contract.inverse else amount


def id_of(order: Order | ContractOrder) -> str:
    """Write an order's id: a number of spot, hexadecimal groups of a contract."""
    return str(SPOT_IDS + order.id) if isinstance(order, Order) else f"{order.id:08d}-0000-4000-8000-000000000000"


def spot_number(text: str | None) -> int | None:
    """Read an id that `id_of` wrote of a spot order; of any other text an id that no order has; None of None."""
    if not text:
        return None
    return int(text) - SPOT_IDS if re.fullmatch(r"[0-9]{1,19}", text) else 0


def contract_number(text: str | None) -> int | None:
    """Read the same of a contract's order."""
    if not text:
        return None
    found = _CONTRACT_ID.match(text)
    return int(found[1]) if found else 0


def acknowledged(order: Order | ContractOrder) -> dict[str, Any]:
    """Write what create and cancel answer: that the request was taken, and nothing of what became of the order."""
    link = order.new.client_order_id if isinstance(order, Order) else order.client_id
    return {"orderId": id_of(order), "orderLinkId": link}


def spot_form(order: Order, at_ms: int) -> dict[str, Any]:
    """Write a spot order as a look-up at that time shows it."""
    new, filled, value = order.new, order.filled(at_ms), order.filled_quote(at_ms)
    status = _status(order.status_seen(at_ms), waits=not order.working, spot=True, filled=filled)
    return {
        **acknowledged(order),
        "blockTradeId": "",
        "symbol": new.symbol.id,
        "price": str(new.price or 0),
        "qty": str(order.quantity),
        "side": new.side.capitalize(),
        "isLeverage": "0",
        "positionIdx": 0,
        "orderStatus": status,
        "cancelType": "CancelByUser" if "Cancel" in status else "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": str(value / filled) if filled else "",
        "leavesQty": str(order.quantity - filled if order.status_seen(at_ms) in OPEN else ZERO),
        "cumExecQty": str(filled),
        "cumExecValue": str(value),
        "cumExecFee": str(sum((t.fee for t in order.trades if t.visible_ms <= at_ms), ZERO)),
        "timeInForce": "PostOnly" if new.type == "LIMIT_MAKER" else new.time_in_force if new.price else "IOC",
        "orderType": "Limit" if new.type in LIMITED else "Market",
        "stopOrderType": "" if new.stop_price is None else "tpslOrder",
        "marketUnit": "" if new.type in LIMITED else "baseCoin",
        "triggerPrice": str(new.stop_price or "0"),
        "takeProfit": "",
        "stopLoss": "",
        "reduceOnly": False,
        "closeOnTrigger": False,
        "createdTime": str(order.time_ms),
        "updatedTime": str(order.updated_ms or order.time_ms),
    }


def contract_form(one: ContractOrder, at_ms: int) -> dict[str, Any]:
    """Write an order on a contract; of one that triggered, what the order that it placed did, under its own id."""
    acts = one.child or one
    quantity, fills = contract_quantity(one.contract, one.quantity), acts.fills(at_ms)
    filled = contract_quantity(one.contract, acts.filled(at_ms))
    value = sum((one.contract.notional(t.quantity, t.price) for t in fills), ZERO)
    waits = one.conditional and one.child is None
    status = _status(acts.status_seen(at_ms), waits=waits, spot=False, filled=filled)
    return {
        **acknowledged(one),
        "blockTradeId": "",
        "symbol": contract_name(one.contract),
        "price": str(one.price or 0),
        "qty": str(quantity),
        "side": one.side.capitalize(),
        "isLeverage": "",
        "positionIdx": _INDEX[one.position_side],
        "orderStatus": status,
        "createType": "CreateByStopOrder" if one.conditional else "CreateByUser",
        "cancelType": "CancelByUser" if status == "Cancelled" else "UNKNOWN",
        "rejectReason": "EC_NoError",
        "avgPrice": str(sum((t.quantity * t.price for t in fills), ZERO) / acts.filled(at_ms)) if fills else "",
        "leavesQty": str(quantity - filled if acts.status_seen(at_ms) in OPEN else ZERO),
        "cumExecQty": str(filled),
        "cumExecValue": str(value),
        "cumExecFee": str(sum((t.fee for t in fills), ZERO)),
        "timeInForce": "IOC" if one.price is None else _TIMES.get(one.time_in_force, one.time_in_force),
        "orderType": "Market" if one.price is None else "Limit",
        "stopOrderType": "" if one.trigger is None else "Stop",
        "triggerPrice": "" if one.trigger is None else str(one.trigger),
        "takeProfit": "",
        "stopLoss": "",
        "tpslMode": "",  # spot's orders have no such field: by it stock ccxt knows a contract's
        "triggerDirection": 0 if one.trigger is None else direction(one),
        "reduceOnly": one.reduce_only or one.close_position,
        "closeOnTrigger": one.close_position,
        "createdTime": str(one.time_ms),
        "updatedTime": str(one.updated_ms or one.time_ms),
    }


def direction(one: ContractOrder) -> int:
    """Return which way the price must go for an order to trigger: 1 up, 2 down."""
    return 1 if (one.side == "BUY") == one.type.startswith("STOP") else 2


def _status(status: str, *, waits: bool, spot: bool, filled: Decimal) -> str:
    if status in OPEN:
        return "Untriggered" if waits else "PartiallyFilled" if filled else "New"
    if status == "FILLED":
        return "Filled"
    if waits:
        return "Deactivated"
    return "PartiallyFilledCanceled" if spot and filled else "Cancelled"


def spot_fill(order: Order, trade: Trade, fee_rate: Decimal) -> dict[str, Any]:
    """Write a fill of a spot order."""
    return _fill(order, trade, trade.symbol.id, trade.quantity * trade.price) | {
        "side": trade.side.capitalize(),
        "orderPrice": str(order.new.price or 0),
        "orderType": "Limit" if order.new.type in LIMITED else "Market",
        "feeCurrency": trade.fee_asset,
        "feeRate": str(fee_rate),
    }


def contract_fill(order: ContractOrder, trade: ContractTrade) -> dict[str, Any]:
    """Write a fill of an order on a contract; of a conditional one, what the order that it placed did."""
    value = order.contract.notional(trade.quantity, trade.price)
    return _fill(order, trade, contract_name(order.contract), value) | {
        "side": order.side.capitalize(),
        "orderPrice": str(order.price or 0),
        "orderType": "Market" if order.price is None else "Limit",
        "feeCurrency": order.contract.settle,
        "feeRate": str(trade.fee / value) if value else "0",
    }


def _fill(order: Order | ContractOrder, trade: Trade | ContractTrade, symbol: str, value: Decimal) -> dict[str, Any]:
    placed = order if isinstance(order, Order) else order.child or order
    left = placed.quantity - sum((t.quantity for t in placed.trades if t.id <= trade.id), ZERO)
    return {
        **acknowledged(order),
        "symbol": symbol,
        "orderQty": str(order.quantity),
        "leavesQty": str(max(ZERO, left) if placed.is_open or trade is not placed.trades[-1] else ZERO),
        "execId": f"{trade.id:08d}-0000-5000-8000-000000000000",
        "execFee": str(trade.fee),
        "execPrice": str(trade.price),
        "execQty": str(trade.quantity),
        "execValue": str(value),
        "execType": "Trade",
        "execTime": str(trade.time_ms),
        "isMaker": trade.maker,
        "stopOrderType": "",
    }
