"""POST /api/v3/order/cancelReplace against its documented answers (rest-api.md, errors.md at a5e0bc3, read 2026-11)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from policykit.sim import SimClock, SimServer
from tests.sim.wire import limit_order, signed

PATH = "/api/v3/order/cancelReplace"
NO_ORDER = {"code": -2011, "msg": "Unknown order sent."}


@pytest.fixture
def sim() -> Iterator[SimServer]:
    """Give a flat market with one buy that rests."""
    with SimServer(clock=SimClock(), amplitude=0) as started:
        assert signed(started, "POST", "/api/v3/order", **limit_order()).status == 200
        yield started


def replace(sim: SimServer, mode: str = "STOP_ON_FAILURE", **changed: object) -> tuple[int, Any]:
    """Replace the order `a` by `b`; return status and body."""
    terms = limit_order(newClientOrderId="b", cancelReplaceMode=mode, **changed)
    answer = signed(sim, "POST", PATH, **terms)
    return answer.status, answer.body


def results(body: Any) -> tuple[Any, ...]:
    """Return what became of each, and the code of the whole."""
    told = body.get("data", body)
    return body.get("code"), told["cancelResult"], told["newOrderResult"]


@pytest.mark.parametrize("by", [{"cancelOrderId": 1}, {"cancelOrigClientOrderId": "a"}])
def test_both_are_done(sim: SimServer, by: dict[str, object]) -> None:
    """200, with both orders as their own calls would answer."""
    status, body = replace(sim, cancelRestrictions="ONLY_NEW", quantity="0.02", **by)
    assert (status, results(body)) == (200, (None, "SUCCESS", "SUCCESS"))
    old, new = body["cancelResponse"], body["newOrderResponse"]
    assert (old["origClientOrderId"], old["status"], old["executedQty"]) == ("a", "CANCELED", "0.00000000")
    assert (new["clientOrderId"], new["status"], new["origQty"]) == ("b", "NEW", "0.02000000")


@pytest.mark.parametrize(
    ("mode", "status", "code", "placed"),
    [("STOP_ON_FAILURE", 400, -2022, "NOT_ATTEMPTED"), ("ALLOW_FAILURE", 409, -2021, "SUCCESS")],
)
def test_a_cancel_that_fails(sim: SimServer, mode: str, status: int, code: int, placed: str) -> None:
    """The mode says whether the new order is placed all the same."""
    found, body = replace(sim, mode, cancelOrigClientOrderId="nobody's")
    assert (found, results(body)) == (status, (code, "FAILURE", placed))
    assert body["data"]["cancelResponse"] == NO_ORDER
    assert (body["data"]["newOrderResponse"] is None) == (placed == "NOT_ATTEMPTED")


def test_a_new_order_that_is_refused(sim: SimServer) -> None:
    """409: the old one is gone. With a cancel that fails as well, 400."""
    terms: dict[str, object] = {"type": "LIMIT_MAKER", "price": "70000"}
    found, body = replace(sim, "ALLOW_FAILURE", cancelOrderId=7, **terms)
    assert (found, results(body)) == (400, (-2022, "FAILURE", "FAILURE"))
    found, body = replace(sim, cancelOrderId=1, **terms)
    assert (found, results(body)) == (409, (-2021, "SUCCESS", "FAILURE"))
    refused = {"code": -2010, "msg": "Order would immediately match and take."}
    assert body["data"]["newOrderResponse"] == refused
    assert signed(sim, "GET", "/api/v3/openOrders", symbol="BTCUSDT").body == []


def test_a_restriction_keeps_an_order_that_is_not_as_it_says(sim: SimServer) -> None:
    """ONLY_PARTIALLY_FILLED of one that is new: nothing is done."""
    found, body = replace(sim, cancelOrderId=1, cancelRestrictions="ONLY_PARTIALLY_FILLED")
    assert (found, results(body)) == (400, (-2022, "FAILURE", "NOT_ATTEMPTED"))
    assert body["data"]["cancelResponse"]["msg"] == "Order was not canceled due to cancel restrictions."
    assert len(signed(sim, "GET", "/api/v3/openOrders", symbol="BTCUSDT").body) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"cancelReplaceMode": "PERHAPS", "cancelOrderId": 1}, -1102),
        ({"cancelOrderId": 1, "cancelRestrictions": "NEVER"}, -1145),
        ({}, -1102),
        ({"cancelOrderId": 1, "quantity": "0.000001"}, -1013),
    ],
)
def test_what_is_refused_before_either_is_done(sim: SimServer, changed: dict[str, object], code: int) -> None:
    """Parameters, and filters of the new order: the old one rests."""
    terms = {**limit_order(newClientOrderId="b", cancelReplaceMode="STOP_ON_FAILURE"), **changed}
    assert signed(sim, "POST", PATH, **terms).body["code"] == code
    assert len(signed(sim, "GET", "/api/v3/openOrders", symbol="BTCUSDT").body) == 1


def test_a_trailing_delta_has_bounds(sim: SimServer) -> None:
    """filters.md, TRAILING_DELTA."""
    for delta, status in ((9, 400), (10, 200), (2_000, 200), (2_001, 400)):
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "STOP_LOSS", "quantity": "0.01", "trailingDelta": delta}
        assert signed(sim, "POST", "/api/v3/order", **terms).status == status, delta
