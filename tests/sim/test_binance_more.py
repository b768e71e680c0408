"""What bots and adapters ask besides orders (binance-spot-api-docs rest-api.md, read 2026-11 at a5e0bc3)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from policykit.sim import SimClock, SimServer
from tests.sim.wire import limit_order, send, signed


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """Give a flat market at 60,000."""
    with SimServer(clock=SimClock(), amplitude=0) as started:
        yield started


def test_a_test_order_is_checked_and_goes_nowhere(sim: SimServer) -> None:
    """POST order/test answers {} for a good order and the filter's words for a bad one; nothing is executed."""
    assert signed(sim, "POST", "/api/v3/order/test", **limit_order()).body == {}
    wrong = signed(sim, "POST", "/api/v3/order/test", **limit_order(quantity="0.000001")).body
    assert wrong == {"code": -1013, "msg": "Filter failure: LOT_SIZE"}
    assert sim.truth.executed == []


def test_the_weights_are_those_of_the_documentation(sim: SimServer) -> None:
    """Each request adds the documented weight to the address's minute."""
    signed(sim, "POST", "/api/v3/order", **limit_order())
    public = {
        "/api/v3/ping": 1,
        "/api/v3/time": 1,
        "/api/v3/exchangeInfo": 20,
        "/api/v3/depth?symbol=BTCUSDT": 5,
        "/api/v3/depth?symbol=BTCUSDT&limit=500": 25,
        "/api/v3/depth?symbol=BTCUSDT&limit=1000": 50,
        "/api/v3/depth?symbol=BTCUSDT&limit=5000": 250,
        "/api/v3/trades?symbol=BTCUSDT": 10,
        "/api/v3/aggTrades?symbol=BTCUSDT": 2,
        "/api/v3/klines?symbol=BTCUSDT&interval=1m": 2,
        "/api/v3/avgPrice?symbol=BTCUSDT": 2,
        "/api/v3/ticker/24hr?symbol=BTCUSDT": 2,
        "/api/v3/ticker/24hr": 80,
        "/api/v3/ticker/price?symbol=BTCUSDT": 2,
        "/api/v3/ticker/price": 4,
        "/api/v3/ticker/bookTicker?symbol=BTCUSDT": 2,
        "/api/v3/ticker/bookTicker": 4,
    }
    private = {
        ("GET", "/api/v3/order", "orderId=1&symbol=BTCUSDT"): 4,
        ("GET", "/api/v3/openOrders", "symbol=BTCUSDT"): 6,
        ("GET", "/api/v3/openOrders", ""): 80,
        ("GET", "/api/v3/allOrders", "symbol=BTCUSDT"): 20,
        ("GET", "/api/v3/myTrades", "symbol=BTCUSDT"): 20,
        ("GET", "/api/v3/myTrades", "symbol=BTCUSDT&orderId=1"): 5,
        ("GET", "/api/v3/account", ""): 20,
        ("GET", "/api/v3/rateLimit/order", ""): 40,
        ("DELETE", "/api/v3/openOrders", "symbol=BTCUSDT"): 1,
    }
    used = 1
    for target, weight in public.items():
        answer = send(sim, "GET", target)
        used += weight
        assert (answer.status, answer.headers["x-mbx-used-weight-1m"]) == (200, str(used)), target
    for (method, path, query), weight in private.items():
        params: dict[str, object] = {p.partition("=")[0]: p.partition("=")[2] for p in query.split("&") if p}
        answer = signed(sim, method, path, **params)
        used += weight
        assert (answer.status, answer.headers["x-mbx-used-weight-1m"]) == (200, str(used)), (path, query)


def test_order_usage_is_told_with_its_limits(sim: SimServer) -> None:
    """GET rateLimit/order: each limit of the account with its count (the documented example's shape)."""
    signed(sim, "POST", "/api/v3/order", **limit_order())
    assert signed(sim, "GET", "/api/v3/rateLimit/order").body == [
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 50, "count": 1},
        {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 160_000, "count": 1},
    ]


def test_lists_are_cut_by_id_time_and_limit(sim: SimServer) -> None:
    """Without orderId the most recent come, with it those from it on; times bound both ways."""
    start = sim.clock.now_ms()
    for n in range(5):
        signed(sim, "POST", "/api/v3/order", **limit_order(newClientOrderId=f"c{n}"))
        sim.clock.sleep(1)

    def ids(**params: object) -> list[int]:
        rows = signed(sim, "GET", "/api/v3/allOrders", symbol="BTCUSDT", **params).body
        return [row["orderId"] for row in rows]

    assert ids() == [1, 2, 3, 4, 5]
    assert ids(limit=2) == [4, 5]
    assert ids(orderId=2, limit=2) == [2, 3]
    assert ids(startTime=start + 1_000, endTime=start + 3_000) == [2, 3, 4]


@pytest.mark.parametrize(
    ("path", "params", "code"),
    [
        ("/api/v3/klines", "symbol=BTCUSDT&interval=7m", -1120),
        ("/api/v3/klines", "symbol=BTCUSDT", -1102),
        ("/api/v3/depth", "symbol=BTCUSDT&limit=many", -1100),
        ("/api/v3/exchangeInfo", "symbols=[%22BTCUSDT%22,%22NONE%22]", -1121),
        ("/api/v3/exchangeInfo", "symbols=BTC", -1121),
    ],
)
def test_wrong_reads_get_their_codes(sim: SimServer, path: str, params: str, code: int) -> None:
    """Bad intervals, numbers and symbols are told apart."""
    answer = send(sim, "GET", f"{path}?{params}")
    assert (answer.status, answer.body["code"]) == (400, code)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"newOrderRespType": "LONG"}, -1136),
        ({"type": "MARKET", "timeInForce": "GTC"}, -1106),
        ({"quantity": "1e3"}, -1100),
        ({"type": "STOP_LOSS_LIMIT"}, -1102),
        ({"recvWindow": "soon"}, -1100),
    ],
)
def test_wrong_parameters_of_an_order_get_their_codes(sim: SimServer, changed: dict[str, object], code: int) -> None:
    """What does not belong, does not read or is missing is refused before the matching engine."""
    answer = signed(sim, "POST", "/api/v3/order", **limit_order(**changed))
    assert (answer.status, answer.body["code"], sim.truth.executed) == (400, code, [])


def test_a_lookup_without_an_id_is_refused(sim: SimServer) -> None:
    """Either orderId or origClientOrderId must be sent."""
    text = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
    assert signed(sim, "GET", "/api/v3/order", symbol="BTCUSDT").body == {"code": -1102, "msg": text}


def test_a_pinned_price_moves_what_rests(sim: SimServer) -> None:
    """`pin` moves the market at once; what rests fills at the next price step, and the position is told."""
    signed(sim, "POST", "/api/v3/order", **limit_order())
    sim.pin("BTC/USDT", "49000")
    assert send(sim, "GET", "/api/v3/ticker/price?symbol=BTCUSDT").body["price"] == "49000.00000000"
    sim.clock.sleep(1)
    assert str(sim.position("BTC")) == "0.00999"
    assert sim.truth.summary()["max_position"] == {"BTC": "0.00999"}
    sim.pin("BTC/USDT", None)
    assert send(sim, "GET", "/api/v3/ticker/price?symbol=BTCUSDT").body["price"] == "60000.00000000"


def test_status_reads(sim: SimServer) -> None:
    """The wallet's status endpoints answer that all is well."""
    assert send(sim, "GET", "/sapi/v1/system/status").body == {"status": 0, "msg": "normal"}
    assert signed(sim, "GET", "/sapi/v1/account/status").body == {"data": "Normal"}
    assert signed(sim, "GET", "/sapi/v1/capital/withdraw/address/list").headers["x-sapi-used-ip-weight-1m"] == "12"
