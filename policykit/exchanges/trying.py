"""A test order: the exchange checks key, permission, address and form as of an order, and makes none of it.

Nothing but the one documented test call, and reads, leaves the client: an order cannot be placed by mistake.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.clock import Clock, SystemClock
from policykit.errors import ExchangeUnavailable
from policykit.exchanges.adapter import Adapter
from policykit.exchanges.calls import listed, name_of
from policykit.exchanges.client import make_client
from policykit.redact import Secret

#: The call of ccxt's `create_order(..., params={"test": True})`: Binance spot "Test new order", USD-M "Test Order"
#: (developers.binance.com), MEXC spot v3 "Test New Order", KuCoin "Add Order Test" (HF); read 2026-11-21. Others have
#: none, or one that ccxt 4.5.90 does not make.
CALLS: Final[Mapping[str, str]] = {
    "binance": "POST /api/v3/order/test",
    "binanceusdm": "POST /fapi/v1/order/test",
    "kucoin": "POST /api/v1/hf/orders/test",
    "mexc": "POST /api/v3/order/test",
}
#: Answers that say that the key is not what it has to be; all others are about this order, or this moment.
REFUSED: Final = frozenset(("KEY_REJECTED", "PERMISSION_MISSING", "ADDRESS_NOT_ALLOWED"))


class Tried(NamedTuple):
    """What came of a test order. `passed`: True, False, or None: there is none here, or it was not judged."""

    passed: bool | None
    words: str


def try_order(
    exchange_id: str,
    credentials: Mapping[str, Secret],
    symbol: str,
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    clock: Clock | None = None,
) -> Tried:
    """Send one test order of the smallest size, and say what came of it."""
    call, clock = CALLS.get(exchange_id), clock or SystemClock()
    if call is None:
        return Tried(None, f"{exchange_id} has no test order that is known here")
    adapter: Adapter | None = None
    client = None
    try:
        client = make_client(
            exchange_id,
            credentials,
            endpoint=endpoint,
            sandbox=sandbox,
            clock=clock,
            beyond=lambda method, url, body: listed(name_of(method, url), frozenset((call,))),
        )
        adapter = client.policykit_adapter
        client.has["fetchCurrencies"] = False  # not needed, and one more private call
        client.load_markets()
        price = Decimal(str(client.fetch_ticker(symbol)["last"]))
        amount = smallest(client.market(symbol), price)
        client.create_order(symbol, "limit", "buy", float(amount), float(price), {"test": True})
    except ExchangeUnavailable as error:
        return Tried(False if error.code in REFUSED else None, str(error))
    except Exception as error:  # noqa: BLE001 - ccxt's, whose text may hold a signed URL
        if adapter is None:
            return Tried(None, f"{exchange_id}: {type(error).__name__} before anything was sent")
        failure = adapter.failure(error, client)
        return Tried(False if failure.code in REFUSED else None, failure.message)
    return Tried(True, f"{call}: the exchange would take an order")


def smallest(market: Mapping[str, Any], price: Decimal) -> Decimal:
    """Return the amount of an order just over the least that a market takes."""
    limits = market.get("limits") or {}
    least = Decimal(str((limits.get("amount") or {}).get("min") or 0))
    cost = Decimal(str((limits.get("cost") or {}).get("min") or 0))
    step = Decimal(str((market.get("precision") or {}).get("amount") or 0))
    amount = max(least, cost * Decimal("1.2") / price if price else least)
    if step:
        amount = -(-amount // step) * step
    return amount
