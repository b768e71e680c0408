"""A client for BitMEX, which ccxt 4.5.90 does not have: ccxt's base class, five reads, cancels, BitMEX's signature.

Source: BitMEX "API Key Usage": signature = hex(HMAC-SHA256(secret, verb + path with query + expires + data)), where
`api-expires` is a UNIX time in seconds after which the request is no longer valid.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import cache
from typing import Any, Final
from urllib.parse import urlencode

from policykit.exchanges.imports import base_class

#: How long a signed request is valid, seconds.
VALID_S: Final = 60
#: ccxt's name of a call -> which part of the API, and its path.
CALLS: Final = {
    "publicGetRoot": ("public", ""),
    "publicGetInstrumentActive": ("public", "/instrument/active"),
    "privateGetApiKey": ("private", "/apiKey"),
    "privateGetUserMargin": ("private", "/user/margin"),
    "privateGetAddress": ("private", "/address"),
}
#: What BitMEX has that writes: known by name, and without a method here.
WRITES: Final = {
    "post": ["/order", "/order/cancelAllAfter", "/user/requestWithdrawal"],
    "delete": ["/order", "/order/all"],
}
#: The most orders of one answer (swagger Order.getOrders: count).
PAGE: Final = 500


@cache
def client_class(*, asynchronous: bool = False) -> type[Any]:
    """Return the client's class."""
    base = base_class(asynchronous=asynchronous)

    class Bitmex(base):  # type: ignore[misc, valid-type]
        """Reads of BitMEX, and on the sync class its open orders and their cancels; nothing else has a method."""

        def describe(self) -> Any:
            return self.deep_extend(
                super().describe(),
                {
                    "id": "bitmex",
                    "name": "BitMEX",
                    "urls": {
                        "api": {"public": "https://www.bitmex.com", "private": "https://www.bitmex.com"},
                        "test": {"public": "https://testnet.bitmex.com", "private": "https://testnet.bitmex.com"},
                    },
                    "api": {
                        "public": {"get": [path for kind, path in CALLS.values() if kind == "public"]},
                        "private": {"get": [path for kind, path in CALLS.values() if kind == "private"], **WRITES},
                    },
                },
            )

        def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None, *more: Any) -> Any:
            kind = api[0] if isinstance(api, list | tuple) else api
            target = "/api/v1" + path + (f"?{urlencode(params)}" if params else "")
            headers = None
            if kind == "private":
                self.check_required_credentials()
                expires = str(int(self.milliseconds()) // 1000 + VALID_S)
                proof = hmac.new(self.secret.encode(), f"{method}{target}{expires}".encode(), hashlib.sha256)
                headers = {"api-key": self.apiKey, "api-expires": expires, "api-signature": proof.hexdigest()}
            return {"url": self.urls["api"][kind] + target, "method": method, "body": None, "headers": headers}

        def load_markets(self, *_: Any) -> Any:
            """Return no markets: orders are told by BitMEX's own names of its contracts."""
            return {}

        def fetch_open_orders(
            self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
        ) -> Any:
            """List open orders, those that wait for a price too (Order.getOrders, `filter={"open": true}`)."""
            rows = self.request("/order", ["private"], "GET", {"filter": '{"open": true}', "count": PAGE}, config={})
            return [{**_order(row), "timestamp": self.parse8601(row.get("timestamp"))} for row in rows]

        def cancel_order(self, id: str, symbol: Any = None, params: Any = None) -> Any:  # noqa: A002 - ccxt's name
            """Cancel one order (Order.cancel)."""
            return self.request("/order", ["private"], "DELETE", {"orderID": id}, config={})

        def cancel_all_orders(self, symbol: Any = None, params: Any = None) -> Any:
            """Cancel every order of the account (Order.cancelAll)."""
            return self.request("/order/all", ["private"], "DELETE", {}, config={})

    for name, (kind, path) in CALLS.items():
        setattr(Bitmex, name, _method(kind, path))
    return Bitmex


def _order(row: Any) -> dict[str, Any]:
    """Return an order in ccxt's words; a contract keeps BitMEX's own name (`XBTUSD`).

    Quantities are as BitMEX counts them: contracts, or units of a currency.
    """
    instructions = str(row.get("execInst") or "").split(",")
    return {
        "id": row.get("orderID"),
        "clientOrderId": row.get("clOrdID"),
        "symbol": str(row.get("symbol") or "").replace("XBT_", "BTC_").replace("_", "/"),
        "side": str(row.get("side") or "").lower(),
        "amount": row.get("orderQty"),
        "filled": row.get("cumQty"),
        "price": row.get("price"),
        "reduceOnly": "ReduceOnly" in instructions or "Close" in instructions,
        "info": row,
    }


def _method(kind: str, path: str) -> Any:
    def call(self: Any, params: dict[str, Any] | None = None) -> Any:
        """Send one read; on the async class what comes back is awaited."""
        return self.request(path, [kind], "GET", params or {}, config={})

    return call
