"""What each request to Binance is: allow-lists by method and path, never by verb alone."""

from __future__ import annotations

import ccxt
import pytest

from policykit.exchanges import binance_calls
from policykit.exchanges.base import Call, Signed
from policykit.exchanges.binance import ADAPTER

HOST = "https://api.binance.com"


@pytest.mark.parametrize(
    ("method", "url", "body", "expected"),
    [
        ("GET", "/api/v3/time", None, Call("public", "GET /api/v3/time")),
        ("GET", "/api/v3/exchangeInfo", None, Call("public", "GET /api/v3/exchangeInfo", weight=20)),
        ("GET", "/api/v3/depth?symbol=BTCUSDT&limit=5000", None, Call("public", "GET /api/v3/depth", weight=250)),
        ("GET", "/api/v3/depth?symbol=BTCUSDT&limit=6000", None, Call("public", "GET /api/v3/depth", weight=250)),
        ("GET", "/@fapi.binance.com/fapi/v1/exchangeInfo", None, Call("public", "GET /fapi/v1/exchangeInfo")),
        ("GET", "/api/v3/account?timestamp=1", None, Call("read", "GET /api/v3/account", weight=20)),
        ("GET", "/api/v3/openOrders?symbol=BTCUSDT", None, Call("read", "GET /api/v3/openOrders", weight=6)),
        ("GET", "/api/v3/openOrders?timestamp=1", None, Call("read", "GET /api/v3/openOrders", weight=80)),
        ("get", "/sapi/v1/account/apiRestrictions", None, Call("read", "GET /sapi/v1/account/apiRestrictions")),
        ("POST", "/api/v3/order", "symbol=BTCUSDT", Call("write", "POST /api/v3/order", "order.create", "order")),
        ("DELETE", "/api/v3/order?symbol=X", None, Call("write", "DELETE /api/v3/order", "order.cancel", "order")),
        (
            "DELETE",
            "/api/v3/openOrders?symbol=X",
            None,
            Call("write", "DELETE /api/v3/openOrders", "orders.cancel_all", "order"),
        ),
        (
            "POST",
            "/@fapi.binance.com/fapi/v1/leverage",
            None,
            Call("write", "POST /fapi/v1/leverage", "account.configure", "usdm"),
        ),
        (
            "POST",
            "/sapi/v1/margin/borrow-repay",
            None,
            Call("write", "POST /sapi/v1/margin/borrow-repay", "margin.borrow", "margin"),
        ),
        (
            "POST",
            "/sapi/v1/capital/withdraw/apply",
            None,
            Call("refused", "POST /sapi/v1/capital/withdraw/apply", "withdraw"),
        ),
        ("POST", "/sapi/v1/asset/transfer", None, Call("refused", "POST /sapi/v1/asset/transfer", "transfer")),
        (
            "POST",
            "/api/v3/userDataStream",
            None,
            Call("read", "POST /api/v3/userDataStream", "stream.connect", weight=2),
        ),
        ("GET", "/api/v3/unheardOf", None, Call("refused", "GET /api/v3/unheardOf")),
        ("POST", "/api/v3/account", None, Call("refused", "POST /api/v3/account")),
        ("GET", "/api/v3/order/", None, Call("refused", "GET /api/v3/order/")),
        ("GET", "//api/v3/account", None, Call("refused", "a path that is not plain")),
        ("GET", "/api/v3/../v3/account", None, Call("refused", "a path that is not plain")),
        ("GET", "/api/v3/%61ccount", None, Call("refused", "a path that is not plain")),
        ("GET", "/@host", None, Call("refused", "a path that is not plain")),
        ("GET", "", None, Call("refused", "a path that is not plain")),
    ],
)
def test_what_a_request_is(method: str, url: str, body: str | None, expected: Call) -> None:
    """Kind, name, action, family and weight follow from method, path and parameters."""
    assert ADAPTER.call(method, HOST + url, body) == expected


def test_no_call_is_in_two_lists() -> None:
    """Public, reads, writes, streams and refusals are disjoint, and no list of reads holds anything but a GET."""
    lists = [
        binance_calls.PUBLIC,
        binance_calls.READS,
        frozenset(binance_calls.WRITES),
        binance_calls.STREAMS,
        frozenset(binance_calls.REFUSED),
    ]
    assert sum(map(len, lists)) == len(frozenset().union(*lists))
    assert {call.split()[0] for call in binance_calls.PUBLIC | binance_calls.READS} == {"GET"}


def test_every_write_that_ccxt_knows_is_no_read() -> None:
    """Over ccxt's whole table (2,000 calls), nothing that is not a GET passes as public or read without an action."""
    api = ccxt.binance().api
    prefixes = {"public": "/api/v3/", "private": "/api/v3/", "sapi": "/sapi/v1/", "fapiPrivate": "/fapi/v1/"}
    seen = 0
    for group, prefix in prefixes.items():
        for verb, paths in api[group].items():
            for path in paths:
                call = ADAPTER.call(verb.upper(), f"{HOST}{prefix}{path}", None)
                seen += 1
                if verb != "get":
                    assert call.kind in ("write", "refused") or call.action == "stream.connect", call
    assert seen > 500


@pytest.mark.parametrize(
    ("url", "body", "expected"),
    [
        ("/x?timestamp=1795255200000&recvWindow=5000&signature=s", None, Signed(1_795_255_200_000, 5000)),
        ("/x", "timestamp=1795255200000&recvWindow=5000&signature=s", Signed(1_795_255_200_000, 5000)),
        ("/x?timestamp=1795255200000&signature=s", None, Signed(1_795_255_200_000, None)),
        ("/x?timestamp=1795255200000000&recvWindow=4999.5&signature=s", None, Signed(1_795_255_200_000, 5000)),
        ("/x?timestamp=1795255200000&recvWindow=oops&signature=s", None, Signed(1_795_255_200_000, None)),
        (
            "/x?timestamp=1795255200000&recvWindow=60000&signature=s",
            "recvWindow=1",
            Signed(1_795_255_200_000, 60_000),
        ),
        ("/x?timestamp=1795255200000&recvWindow=5000", None, None),
        ("/x?timestamp=now&signature=s", None, None),
        ("/x", None, None),
    ],
)
def test_signing_time_and_validity_are_read_from_the_request(
    url: str, body: str | None, expected: Signed | None
) -> None:
    """What stands on the wire counts; the query wins over the body as at the exchange; no guess is made."""
    assert ADAPTER.signed(HOST + url, {}, body) == expected


def test_stock_ccxt_signs_what_set_validity_says() -> None:
    """Ccxt signs 10 s whatever the policy says (the control); after set_validity it signs the policy's."""
    client = ccxt.binance({"apiKey": "k", "secret": "s"})
    for expected in (10_000, 5_000):
        request = client.sign("order", ["private"], "POST", {"symbol": "BTCUSDT"})
        signed = ADAPTER.signed(request["url"], request["headers"], request["body"])
        assert signed is not None
        assert signed.validity_ms == expected
        ADAPTER.set_validity(client, 5_000)


def test_used_amounts_are_read_from_headers() -> None:
    """Weight and order counts come by budget and window; other headers and odd values are left out."""
    headers = {
        "x-mbx-used-weight-1m": "127",
        "X-MBX-ORDER-COUNT-10S": "3",
        "X-MBX-ORDER-COUNT-1D": "9",
        "X-MBX-USED-WEIGHT": "9",
        "Date": "now",
    }
    assert ADAPTER.usage(headers) == {"request-weight|60000": 127, "orders|10000": 3, "orders-day|86400000": 9}
    assert ADAPTER.usage({"X-MBX-USED-WEIGHT-1M": "-1"}) == {}
