"""A Bybit that answers what an account reads, in the forms of its documents, over HTTP.

Source: bybit-exchange/docs@072c197d0 (2026-07-24) docs/v5: market/instrument.mdx, market/tickers.mdx,
account/wallet-balance.mdx, position/position.mdx, order/open-order.mdx; figures are made up.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

NOW_MS = 1_795_255_200_000
_SPOT = {
    "symbol": "BTCUSDT",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "innovation": "0",
    "status": "Trading",
    "marginTrading": "both",
    "lotSizeFilter": {
        "basePrecision": "0.000001",
        "quotePrecision": "0.00000001",
        "minOrderQty": "0.000048",
        "maxOrderQty": "71",
        "minOrderAmt": "5",
        "maxOrderAmt": "4000000",
    },
    "priceFilter": {"tickSize": "0.01"},
}
_LINEAR = {
    "symbol": "BTCUSDT",
    "contractType": "LinearPerpetual",
    "status": "Trading",
    "baseCoin": "BTC",
    "quoteCoin": "USDT",
    "launchTime": "1585526400000",
    "deliveryTime": "0",
    "priceScale": "2",
    "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
    "priceFilter": {"minPrice": "0.10", "maxPrice": "199999.80", "tickSize": "0.10"},
    "lotSizeFilter": {"maxOrderQty": "100.000", "minOrderQty": "0.001", "qtyStep": "0.001", "minNotionalValue": "5"},
    "unifiedMarginTrade": True,
    "fundingInterval": 480,
    "settleCoin": "USDT",
    "copyTrading": "both",
}
_ORDER = {
    "orderId": "1523347543495541248",
    "orderLinkId": "pk01JD3V7K2M",
    "symbol": "BTCUSDT",
    "side": "Buy",
    "orderType": "Limit",
    "orderStatus": "New",
    "price": "58000.5",
    "qty": "0.250",
    "cumExecQty": "0.050",
    "cumExecValue": "2900.025",
    "avgPrice": "58000.5",
    "timeInForce": "GTC",
    "reduceOnly": False,
    "triggerPrice": "",
    "tpslMode": "",
    "createdTime": str(NOW_MS - 60_000),
    "updatedTime": str(NOW_MS - 60_000),
}
_POSITION = {
    "positionIdx": 0,
    "symbol": "BTCUSDT",
    "side": "Sell",
    "size": "0.3",
    "avgPrice": "61000.1",
    "positionValue": "18300.03",
    "tradeMode": 0,
    "leverage": "4",
    "markPrice": "60000.2",
    "unrealisedPnl": "299.97",
    "positionIM": "4575.01",
    "positionMM": "91.5",
    "createdTime": str(NOW_MS - 3_600_000),
    "updatedTime": str(NOW_MS - 3_600_000),
}


class Answers:
    """What is answered, by path and category; a test changes it, or puts an error in an answer's place."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.coins = [
            {"coin": "USDT", "walletBalance": "1000.10", "equity": "1300.07", "locked": "0", "totalOrderIM": "0"},
            {"coin": "BTC", "walletBalance": "0.1", "equity": "0.1", "locked": "0", "totalOrderIM": "0"},
            {"coin": "DUST", "walletBalance": "7", "equity": "7", "locked": "0", "totalOrderIM": "0"},
        ]
        self.spot, self.linear = [dict(_SPOT)], [dict(_LINEAR)]
        self.positions = [dict(_POSITION)]
        self.orders: dict[str, list[dict[str, Any]]] = {
            "spot": [],
            "linear": [dict(_ORDER)],
            "linear trigger": [
                {**_ORDER, "orderId": "2", "price": "0", "orderType": "Market", "triggerPrice": "55000", "side": "Sell"}
            ],
        }
        #: Whether numbers are written without quotes, as other exchanges do.
        self.plain = False
        #: Path (and ` trigger`, where orders are conditional ones) -> the answer in its place.
        self.instead: dict[str, dict[str, Any]] = {}

    def of(self, path: str, params: dict[str, str]) -> dict[str, Any]:
        self.asked.append((path, params))
        category = params.get("category", "")
        conditional = " trigger" if params.get("orderFilter") in ("StopOrder", "tpslOrder") else ""
        if path + conditional in self.instead:
            return self.instead[path + conditional]
        rows: list[Any] = []
        if path == "/v5/market/instruments-info":
            rows = {"spot": self.spot, "linear": self.linear}.get(category, [])
        elif path == "/v5/market/tickers":
            price = {"symbol": "BTCUSDT", "bid1Price": "59999.5", "ask1Price": "60000.5", "lastPrice": "60001"}
            rows = [price] if category in ("spot", "linear") else []
        elif path == "/v5/account/wallet-balance":
            rows = [{"accountType": "UNIFIED", "coin": self.coins}]
        elif path == "/v5/position/list":
            rows = self.positions if category == "linear" and params.get("settleCoin") == "USDT" else []
        elif path == "/v5/order/realtime":
            rows = self.orders.get(category + conditional, []) if params.get("settleCoin") != "USDC" else []
        return _ok({"category": category, "list": rows, "nextPageCursor": ""})


def _ok(result: Any) -> dict[str, Any]:
    return {"retCode": 0, "retMsg": "OK", "result": result, "retExtInfo": {}, "time": NOW_MS}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server: Any = self.server
        parts = urlsplit(self.path)
        text = json.dumps(server.answers.of(parts.path, dict(parse_qsl(parts.query))))
        if server.answers.plain:
            text = re.sub(r'(": )"([0-9]+\.[0-9]+)"', r"\1\2", text)
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep quiet."""


@contextmanager
def serving() -> Iterator[tuple[str, Answers]]:
    """Serve on a free loopback port; give the origin and the answers."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads, server.answers = True, Answers()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", server.answers
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
