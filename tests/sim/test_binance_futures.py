"""Binance's futures as simulated: what a test sets is what the documented calls tell, on their own hosts."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from policykit.sim import SimClock, SimServer
from tests.sim.wire import Answer, signed

LINEAR, INVERSE = "BTC/USDT:USDT", "BTC/USD:BTC"


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """A flat market: BTC at 60,000."""
    with SimServer(clock=SimClock(), amplitude=0.0) as server:
        yield server


def _get(sim: SimServer, path: str, **params: str) -> Any:
    answer = signed(sim, "GET", path, **params)
    assert answer.status == 200
    return answer.body


def _refused(sim: SimServer, path: str, **params: str) -> tuple[int, Any]:
    answer: Answer = signed(sim, "GET", path, **params)
    return answer.status, answer.body


def test_what_is_held_is_told_with_its_profit(sim: SimServer) -> None:
    """A linear short loses what the price rose; an inverse long wins the difference of two quotients."""
    sim.hold(LINEAR, "-0.5", entry=50_000, leverage=10)
    (short,) = _get(sim, "/@fapi.binance.com/fapi/v3/positionRisk")
    assert {name: short[name] for name in ("symbol", "positionSide", "positionAmt", "markPrice", "notional")} == {
        "symbol": "BTCUSDT",
        "positionSide": "BOTH",
        "positionAmt": "-0.5",
        "markPrice": "60000.00000000",
        "notional": "-30000.00000000",
    }
    assert (short["unRealizedProfit"], short["initialMargin"]) == ("-5000.00000000", "3000.00000000")
    sim.hold(INVERSE, 10, entry=50_000, leverage=5, isolated=True)
    (long,) = _get(sim, "/@dapi.binance.com/dapi/v1/positionRisk")
    assert (long["symbol"], long["leverage"], long["marginType"]) == ("BTCUSD_PERP", "5", "isolated")
    assert (long["notionalValue"], long["unRealizedProfit"]) == ("0.01666667", "0.00333333")
    sim.hold(LINEAR, 0, entry=1)
    assert _get(sim, "/@fapi.binance.com/fapi/v3/positionRisk") == []


def test_the_wallet_counts_what_positions_won(sim: SimServer) -> None:
    """The wallet's balance stands; with unrealised profit it is the margin balance."""
    sim.fund(LINEAR, 1_000)
    sim.hold(LINEAR, 1, entry=59_000)
    (asset,) = _get(sim, "/@fapi.binance.com/fapi/v3/account")["assets"]
    told = (asset["asset"], asset["walletBalance"], asset["unrealizedProfit"], asset["marginBalance"])
    assert told == ("USDT", "1000.00000000", "1000.00000000", "2000.00000000")
    assert [row["balance"] for row in _get(sim, "/@fapi.binance.com/fapi/v3/balance")] == ["1000.00000000"]


def test_an_order_is_in_one_list_only(sim: SimServer) -> None:
    """Open orders and those of the algo service; a list of one symbol leaves out the others."""
    plain = sim.rest(LINEAR, "buy", "0.1", 50_000)
    waiting = sim.rest(LINEAR, "sell", "0.1", trigger=55_000, reduce_only=True)
    sim.rest("ETH/USDT:USDT", "buy", 1, 2_000)
    orders = _get(sim, "/@fapi.binance.com/fapi/v1/openOrders", symbol="BTCUSDT")
    assert [(row["orderId"], row["clientOrderId"], row["price"], row["type"]) for row in orders] == [
        (plain.id, "sim-1", "50000", "LIMIT")
    ]
    algo = _get(sim, "/@fapi.binance.com/fapi/v1/openAlgoOrders")
    assert [(row["clientAlgoId"], row["triggerPrice"], row["orderType"], row["reduceOnly"]) for row in algo] == [
        (waiting.client_id, "55000", "STOP_MARKET", True)
    ]
    assert len(_get(sim, "/@fapi.binance.com/fapi/v1/openOrders")) == 2
    assert _get(sim, "/@dapi.binance.com/dapi/v1/openOrders") == []


def test_two_sides_make_a_hedged_account(sim: SimServer) -> None:
    """USD-M and COIN-M have a mode each."""
    sim.hold(LINEAR, 1, entry=60_000, side="LONG")
    assert _get(sim, "/@fapi.binance.com/fapi/v1/positionSide/dual") == {"dualSidePosition": True}
    assert _get(sim, "/@dapi.binance.com/dapi/v1/positionSide/dual") == {"dualSidePosition": False}


@pytest.mark.parametrize(
    ("path", "params", "status", "body"),
    [
        ("/fapi/v3/positionRisk", {}, 404, "<html><body>404 Not Found</body></html>"),
        ("/@dapi.binance.com/fapi/v3/positionRisk", {}, 404, "<html><body>404 Not Found</body></html>"),
        (
            "/@fapi.binance.com/fapi/v1/openOrders",
            {"symbol": "NOPE"},
            400,
            {"code": -1121, "msg": "Invalid symbol."},
        ),
    ],
)
def test_what_is_refused(sim: SimServer, path: str, params: dict[str, str], status: int, body: Any) -> None:
    """Each host answers for itself, and knows its own symbols."""
    assert _refused(sim, path, **params) == (status, body)


def test_a_contract_that_is_not_there(sim: SimServer) -> None:
    """A typing error in a test is told, with the names that there are."""
    with pytest.raises(ValueError, match="sim: 'BTC/EUR:EUR' is no contract here; may be BTC/USDT:USDT, ETH/USDT:USDT"):
        sim.hold("BTC/EUR:EUR", Decimal(1), entry=1)


def test_weight_is_counted_on_each_host(sim: SimServer) -> None:
    """A list of all open orders weighs 40 of the futures' 2,400, and nothing of spot's window."""
    asked = ("/@fapi.binance.com/fapi/v1/openOrders", "/@dapi.binance.com/dapi/v1/positionRisk", "/api/v3/account")
    used = [signed(sim, "GET", path).headers["x-mbx-used-weight-1m"] for path in asked]
    assert used == ["40", "1", "20"]
