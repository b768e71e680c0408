"""The dialect against the documentation's own examples.

Source: binance-spot-api-docs, rest-api.md (2023-06-07 version and a5e0bc3, read 2026-11) and errors.md (2025-01-09).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from policykit.sim import LimitSizes, SimClock, SimKey, SimServer, Symbol
from tests.sim.wire import limit_order, send, signed

#: rest-api.md, "SIGNED Endpoint Examples for POST /api/v3/order": published example keys, not secrets.
DOC_KEY = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"
DOC_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
DOC_MS = 1_499_827_319_559
WHOLE = "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559"
SIGNATURE = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
MIXED = "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77"


@pytest.fixture
def doc() -> Iterator[SimServer]:
    """Give the exchange of the documentation's example: its key, its pair, its moment."""
    pair = Symbol("LTC", "BTC", Decimal("0.2"), tick=Decimal("0.001"), min_notional=Decimal("0.0001"))
    held = {"BTC": "10"}
    with SimServer(clock=SimClock(DOC_MS), symbols=[pair], balances=held, amplitude=0) as sim:
        sim.adopt(SimKey(DOC_KEY, DOC_SECRET, DOC_MS))
        yield sim


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """Give a flat market with small limits."""
    sizes = LimitSizes(weight_1m=200, orders_10s=3)
    with SimServer(clock=SimClock(), amplitude=0, limits=sizes) as started:
        yield started


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("", f"{WHOLE}&signature={SIGNATURE}"),
        (f"?{WHOLE}&signature={SIGNATURE}", ""),
        (f"?{WHOLE}&signature={SIGNATURE.upper()}", ""),
        (
            "?symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            f"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559&signature={MIXED}",
        ),
    ],
)
def test_the_documented_signatures_open_the_gate(doc: SimServer, query: str, body: str) -> None:
    """Examples 1, 2, 2 in capitals ("not case sensitive") and 3 (mixed, no & between) are accepted as printed."""
    answer = send(doc, "POST", f"/api/v3/order{query}", body, {"X-MBX-APIKEY": DOC_KEY})
    assert (answer.status, answer.body["status"], answer.body["origQty"]) == (200, "NEW", "1.00000000")


def test_a_changed_request_does_not(doc: SimServer) -> None:
    """One changed digit, or the signature of another form, is -1022."""
    headers = {"X-MBX-APIKEY": DOC_KEY}
    for query in (f"{WHOLE.replace('price=0.1', 'price=0.2')}&signature={SIGNATURE}", f"{WHOLE}&signature={MIXED}"):
        answer = send(doc, "POST", f"/api/v3/order?{query}", headers=headers)
        told = {"code": -1022, "msg": "Signature for this request is not valid."}
        assert (answer.status, answer.body) == (400, told)
    assert doc.truth.executed == []


@pytest.mark.parametrize(
    ("off_ms", "window", "told"),
    [
        (999, None, None),
        (1_000, None, "Timestamp for this request was 1000ms ahead of the server's time."),
        (-5_000, None, None),
        (-5_001, None, "Timestamp for this request is outside of the recvWindow."),
        (-60_000, 60_000, None),
        (-60_001, 60_000, "Timestamp for this request is outside of the recvWindow."),
        (-101, 100, "Timestamp for this request is outside of the recvWindow."),
    ],
)
def test_the_timing_rule(sim: SimServer, off_ms: int, window: int | None, told: str | None) -> None:
    """Valid: timestamp < serverTime + 1000 and serverTime - timestamp <= recvWindow (5000 unless sent)."""
    more = {} if window is None else {"recvWindow": window}
    answer = signed(sim, "GET", "/api/v3/account", **{"timestamp": sim.clock.now_ms() + off_ms, **more})
    if told is None:
        assert answer.status == 200
    else:
        assert (answer.status, answer.body) == (400, {"code": -1021, "msg": told})


def test_a_validity_over_a_minute_is_refused(sim: SimServer) -> None:
    """The max of recvWindow cannot go beyond 60,000."""
    answer = signed(sim, "GET", "/api/v3/account", recvWindow=60_001)
    assert answer.body == {"code": -1131, "msg": "recvWindow must be less than 60000"}


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"symbol": "XXX"}, {"code": -1121, "msg": "Invalid symbol."}),
        ({"side": "HOLD"}, {"code": -1117, "msg": "Invalid side."}),
        ({"type": "MAYBE"}, {"code": -1116, "msg": "Invalid orderType."}),
        ({"timeInForce": "SOON"}, {"code": -1115, "msg": "Invalid timeInForce."}),
        ({"price": "50000.001"}, {"code": -1013, "msg": "Filter failure: PRICE_FILTER"}),
        ({"quantity": "0.000001"}, {"code": -1013, "msg": "Filter failure: LOT_SIZE"}),
        ({"quantity": "0.00002"}, {"code": -1013, "msg": "Filter failure: NOTIONAL"}),
        ({"quantity": "3"}, {"code": -2010, "msg": "Account has insufficient balance for requested action."}),
        (
            {"quantity": ""},
            {"code": -1102, "msg": "Mandatory parameter 'quantity' was not sent, was empty/null, or malformed."},
        ),
        (
            {"newClientOrderId": "a b"},
            {
                "code": -1100,
                "msg": "Illegal characters found in parameter 'newClientOrderId'; "
                "legal range is '^[\\.A-Z\\:/a-z0-9_-]{1,36}$'.",
            },
        ),
    ],
)
def test_wrong_orders_get_the_documented_codes(sim: SimServer, changed: dict[str, object], told: object) -> None:
    """errors.md: code and message of each; nothing is accepted."""
    answer = signed(sim, "POST", "/api/v3/order", **limit_order(**changed))
    assert (answer.status, answer.body, sim.truth.executed) == (400, told, [])


def test_keys_are_told_apart_as_documented(sim: SimServer) -> None:
    """No key -2014, an unknown, revoked or unpermitted one -2015, both with 401; a missing timestamp -1102."""
    form = {"code": -2014, "msg": "API-key format invalid."}
    wrong = {"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}
    assert send(sim, "GET", "/api/v3/account").body == form
    assert send(sim, "GET", "/api/v3/account", headers={"X-MBX-APIKEY": "x" * 64}).body == wrong
    missing = send(sim, "GET", "/api/v3/account?signature=1", headers={"X-MBX-APIKEY": sim.key})
    text = "Mandatory parameter 'timestamp' was not sent, was empty/null, or malformed."
    assert missing.body == {"code": -1102, "msg": text}
    sim.main_key.flags["enableSpotAndMarginTrading"] = False
    assert signed(sim, "POST", "/api/v3/order", **limit_order()).body == wrong
    assert signed(sim, "GET", "/api/v3/account").status == 200
    sim.main_key.revoked = True
    answer = signed(sim, "GET", "/sapi/v1/account/apiRestrictions")
    assert (answer.status, answer.body) == (401, wrong)


def test_duplicates_lookups_and_cancels_have_their_codes(sim: SimServer) -> None:
    """An open order's id is -2010 "Duplicate order sent."; what is not there is -2013 to look up, -2011 to cancel."""
    assert signed(sim, "POST", "/api/v3/order", **limit_order()).status == 200
    again = signed(sim, "POST", "/api/v3/order", **limit_order())
    assert again.body == {"code": -2010, "msg": "Duplicate order sent."}
    asked = {"symbol": "BTCUSDT", "origClientOrderId": "b"}
    assert signed(sim, "GET", "/api/v3/order", **asked).body == {"code": -2013, "msg": "Order does not exist."}
    assert signed(sim, "DELETE", "/api/v3/order", **asked).body == {"code": -2011, "msg": "Unknown order sent."}
    assert signed(sim, "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="a").body["status"] == "CANCELED"


def test_an_order_reads_as_documented(sim: SimServer) -> None:
    """The forms ACK, RESULT and FULL, and the one of a look-up, have the documented fields and text numbers."""
    ack = signed(sim, "POST", "/api/v3/order", **limit_order(newOrderRespType="ACK"))
    now = sim.clock.now_ms()
    first = {"symbol": "BTCUSDT", "orderId": 1, "orderListId": -1, "clientOrderId": "a", "transactTime": now}
    assert ack.body == first
    sale = {"side": "BUY", "type": "MARKET", "newClientOrderId": "m"}
    terms = {k: v for k, v in limit_order(**sale).items() if k not in {"price", "timeInForce"}}
    full = signed(sim, "POST", "/api/v3/order", **terms).body
    assert (full["status"], full["executedQty"], full["cummulativeQuoteQty"]) == (
        "FILLED",
        "0.01000000",
        "600.06000000",
    )
    assert full["fills"] == [
        {
            "price": "60006.00000000",
            "qty": "0.01000000",
            "commission": "0.00001000",
            "commissionAsset": "BTC",
            "tradeId": 1,
        }
    ]
    seen = signed(sim, "GET", "/api/v3/order", symbol="BTCUSDT", orderId=1).body
    assert {name: seen[name] for name in ("status", "price", "origQty", "executedQty", "time", "isWorking")} == {
        "status": "NEW",
        "price": "50000.00000000",
        "origQty": "0.01000000",
        "executedQty": "0.00000000",
        "time": now,
        "isWorking": True,
    }


def test_weights_are_told_in_headers_then_refused_with_a_time_to_wait(sim: SimServer) -> None:
    """X-MBX-USED-WEIGHT-1M on every reply; 429 with Retry-After at the limit; 418 for who goes on."""
    used = [signed(sim, "GET", "/api/v3/account").headers["x-mbx-used-weight-1m"] for _ in range(10)]
    assert used == [str(20 * n) for n in range(1, 11)]
    sim.clock.sleep(15)
    refused = [send(sim, "GET", "/api/v3/time") for _ in range(12)]
    assert [r.status for r in refused] == [429] * 10 + [418] * 2
    assert [r.headers["retry-after"] for r in refused] == ["45"] * 10 + ["120"] * 2
    assert refused[0].body == {
        "code": -1003,
        "msg": "Too much request weight used; current limit is 200 request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
    }
    until = sim.clock.now_ms() + 120_000
    assert refused[-1].body == {
        "code": -1003,
        "msg": f"Way too much request weight used; IP banned until {until}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
    }
    assert (sim.truth.throttled, sim.truth.bans, sim.truth.refused_while_banned) == (10, 1, 2)
    sim.clock.sleep(120)
    assert send(sim, "GET", "/api/v3/time").body == {"serverTime": until}


def test_orders_are_counted_in_headers_then_refused_without_one(sim: SimServer) -> None:
    """Each accepted order tells the counts; over the limit it is 429, -1015, without Retry-After."""
    told = []
    for n in range(3):
        headers = signed(sim, "POST", "/api/v3/order", **limit_order(newClientOrderId=f"c{n}")).headers
        told.append((headers["x-mbx-order-count-10s"], headers["x-mbx-order-count-1d"]))
    assert told == [("1", "1"), ("2", "2"), ("3", "3")]
    over = signed(sim, "POST", "/api/v3/order", **limit_order(newClientOrderId="c3"))
    text = "Too many new orders; current limit is 3 orders per 10 SECOND."
    assert (over.status, over.body) == (429, {"code": -1015, "msg": text})
    assert "retry-after" not in over.headers


def test_exchange_info_publishes_the_limits_and_filters_that_are_kept(sim: SimServer) -> None:
    """The rateLimits and filters name the very figures that requests are held to."""
    info = send(sim, "GET", "/api/v3/exchangeInfo?symbol=BTCUSDT").body
    assert info["rateLimits"] == [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 200},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 3},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160_000},
        {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61_000},
    ]
    filters = {f["filterType"]: f for f in info["symbols"][0]["filters"]}
    assert (filters["PRICE_FILTER"]["tickSize"], filters["LOT_SIZE"]["stepSize"]) == ("0.01000000", "0.00001000")
    assert filters["NOTIONAL"]["minNotional"] == "5.00000000"
    assert send(sim, "GET", "/api/v3/exchangeInfo?symbol=NONE").body == {"code": -1121, "msg": "Invalid symbol."}


def test_the_key_report_has_the_documented_fields(sim: SimServer) -> None:
    """The key report tells of the asking key: its permissions, its address restriction as yes or no, its age."""
    old = sim.add_key(140, enableWithdrawals=True, ipRestrict=False)
    sim.main_key = old
    report = signed(sim, "GET", "/sapi/v1/account/apiRestrictions").body
    assert report == {
        "ipRestrict": False,
        "createTime": sim.clock.now_ms() - 140 * 86_400_000,
        "enableReading": True,
        "enableSpotAndMarginTrading": True,
        "enableWithdrawals": True,
        "enableInternalTransfer": False,
        "permitsUniversalTransfer": False,
        "enableMargin": False,
        "enableFutures": False,
        "enableVanillaOptions": False,
        "enablePortfolioMarginTrading": False,
        "enableFixApiTrade": False,
        "enableFixReadOnly": False,
    }
    with pytest.raises(ValueError, match="'enableEverything' is no permission"):
        sim.add_key(enableEverything=True)


def test_hosts_come_as_a_prefix(sim: SimServer) -> None:
    """`/@fapi.binance.com/fapi/...` is the futures host; its paths on the main host are not there, nor the reverse."""
    assert send(sim, "GET", "/@fapi.binance.com/fapi/v1/exchangeInfo").status == 200
    assert send(sim, "GET", "/@api.binance.com/api/v3/time").status == 200
    for target in ("/fapi/v1/exchangeInfo", "/@fapi.binance.com/api/v3/time", "/api/v9/time", "/"):
        assert (send(sim, "GET", target).status, sim.truth.by_route["-"]) == (404, 0)


def test_a_parameter_twice_and_too_many_are_refused(sim: SimServer) -> None:
    """-1101 for a repeated parameter and for more of them than any endpoint has."""
    assert send(sim, "GET", "/api/v3/time?a=1&a=2").body["code"] == -1101
    many = "&".join(f"p{n}=1" for n in range(61))
    assert send(sim, "GET", f"/api/v3/time?{many}").body == {
        "code": -1101,
        "msg": "Too many parameters sent for this endpoint.",
    }
