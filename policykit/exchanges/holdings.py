"""Rows of a snapshot's account: positions and open orders, read from ccxt's unified structures.

Sources: ccxt 4.5.90, base/exchange.py `safe_position`, `safe_order` and its manual ("Position structure", "Order
structure"): `contracts` counts contracts of `contractSize`, `amount` of an order the same; `side` is `long`, `short`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from policykit.exchanges.numbers import decimal, text_of
from policykit.units import plain

Market = Mapping[str, Any]


def position_row(position: Mapping[str, Any], market: Market | None, product: str) -> dict[str, Any] | None:
    """Return a position; None for an empty one. What the exchange does not say is None."""
    contracts = decimal(position.get("contracts"))
    if contracts == 0:
        return None
    mark = decimal(position.get("markPrice"))
    size = decimal(position.get("contractSize"))
    notional, currency = _worth(market, None if contracts is None else abs(contracts), size, mark)
    if notional is None and market is not None and not market.get("inverse"):
        said = decimal(position.get("notional"))
        notional = None if said is None else abs(said)
        currency = text_of(market.get("quote"))
    side = position.get("side")
    if side not in ("long", "short"):
        side = None if contracts is None else ("long" if contracts > 0 else "short")
    mode = position.get("marginMode")
    return {
        "symbol": text_of(position.get("symbol")) or "",
        "product": product,
        "side": side,
        "quantity": None if contracts is None else plain(abs(contracts)),
        "notional": None if notional is None else plain(notional),
        "currency": currency,
        "leverage": _text(position.get("leverage")),
        "margin_mode": mode if mode in ("cross", "isolated") else None,
        "mark": None if mark is None else plain(mark),
    }


def order_row(order: Mapping[str, Any], market: Market | None, family: str) -> dict[str, Any]:
    """Return an open order; `notional` is of what can still fill, at its limit or else at its trigger."""
    amount, filled = decimal(order.get("amount")), decimal(order.get("filled"))
    price = _price(order)
    left = None if amount is None else amount - (filled or Decimal(0))
    notional, currency = _worth(market, left, None, price)
    reduce_only = order.get("reduceOnly")
    return {
        "symbol": text_of(order.get("symbol")) or "",
        "side": order.get("side") if order.get("side") in ("buy", "sell") else None,
        "quantity": None if amount is None else plain(amount),
        "filled": None if filled is None else plain(filled),
        "price": None if price is None else plain(price),
        "notional": None if notional is None else plain(notional),
        "currency": currency,
        "family": family,
        "reduce_only": reduce_only if isinstance(reduce_only, bool) else None,
        "client_order_id": text_of(order.get("clientOrderId")) or "",
        "order_id": text_of(order.get("id")) or "",
    }


def _price(order: Mapping[str, Any]) -> Decimal | None:
    """Return what an order can fill at, as far as it says: its limit, or else its trigger; 0 is how none is written."""
    said = (decimal(order.get(name)) for name in ("price", "triggerPrice", "stopPrice", "stopLossPrice"))
    return next((price for price in said if price), None)


def _worth(
    market: Market | None, quantity: Decimal | None, size: Decimal | None, price: Decimal | None
) -> tuple[Decimal | None, str | None]:
    """Return the notional in the market's quote currency; an inverse contract is worth the same at any price."""
    if market is None:
        return None, None
    quote = text_of(market.get("quote"))
    each = Decimal(1) if market.get("spot") else size or decimal(market.get("contractSize"))
    if quantity is None or each is None:
        return None, quote
    units = quantity * each
    if market.get("inverse"):
        return units, quote
    return (None if price is None else units * price), quote


def spot_rows(
    balances: Mapping[str, Decimal], prices: Mapping[str, Decimal], currency: str, symbols: Sequence[str]
) -> list[dict[str, Any]]:
    """Return what is held of the base assets of spot symbols: on spot a position is the base asset's balance."""
    rows: list[dict[str, Any]] = []
    bases = dict.fromkeys(symbol.partition("/")[0] for symbol in symbols if ":" not in symbol and "/" in symbol)
    for asset in bases:
        quantity, price = balances.get(asset), prices.get(asset)
        if not quantity or asset == currency:
            continue
        named = f"{asset}/{currency}"
        symbol = named if named in symbols else next(s for s in symbols if s.startswith(f"{asset}/"))
        rows.append(
            {
                "symbol": symbol,
                "product": "spot",
                "side": "long" if quantity > 0 else "short",
                "quantity": plain(abs(quantity)),
                "notional": None if price is None else plain(abs(quantity) * price),
                "currency": currency,
                "leverage": None,
                "margin_mode": None,
                "mark": None if price is None else plain(price),
            }
        )
    return rows


def _text(value: object) -> str | None:
    number = decimal(value)
    return None if number is None else plain(number)
