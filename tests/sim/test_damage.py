"""Damaged answers: what each kind makes of a good one, on the wire."""

from __future__ import annotations

import gzip
import http.client
import json
import math
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest

from policykit.sim.damage import HOWS
from policykit.sim.dialects.base import Reply
from policykit.sim.faults import read_fault
from policykit.testing import Sim, SimClock

#: An order as two exchanges have it, one inside a list.
ORDER = {"orderId": 7, "clientOrderId": "pk1", "side": "BUY", "origQty": "0.010", "isWorking": True}
LISTED = {"retCode": 0, "result": {"list": [{"orderId": "7", "orderLinkId": "pk1", "side": "Sell", "qty": "1"}]}}


def body(how: str, answer: Any) -> Any:
    """Return what arrives, read as JSON."""
    from policykit.sim.damage import damaged

    reply = damaged(Reply(200, answer), how, "/there?a=1", Reply(503, {"code": -1000}))
    return json.loads(json.dumps(reply.body) if reply.raw is None else reply.raw)


@pytest.mark.parametrize(
    ("how", "order", "listed"),
    [
        ("null", None, None),
        ("list", [], []),
        ("object", {}, {}),
        ("text", "OK", "OK"),
        ("number", 42, 42),
        ("huge", {**ORDER, "orderId": 1e30, "origQty": "1e30"}, None),
        ("negative", {**ORDER, "orderId": -7, "origQty": "-0.010"}, None),
        ("nested", {name: {"value": value} for name, value in ORDER.items()}, None),
        ("duplicate_keys", {**dict.fromkeys(ORDER, "other"), "orderId": "0", "origQty": "0"}, None),
        (
            "other_order",
            {**ORDER, "orderId": 1_000_007, "clientOrderId": "otherpk1"},
            {"orderId": "1000007", "orderLinkId": "otherpk1", "side": "Sell", "qty": "1"},
        ),
        ("other_id", {**ORDER, "orderId": 1_000_007}, None),
        (
            "other_side",
            {**ORDER, "side": "SELL"},
            {"orderId": "7", "orderLinkId": "pk1", "side": "Buy", "qty": "1"},
        ),
        ("error_200", {"code": -1000}, {"code": -1000}),
        ("status_500", ORDER, None),
    ],
)
def test_what_becomes_of_an_answer(how: str, order: Any, listed: Any) -> None:
    """Values change at any depth; everything else of the answer stays."""
    assert body(how, ORDER) == order
    if isinstance(listed, dict) and listed.get("orderId"):
        assert body(how, LISTED) == {"retCode": 0, "result": {"list": [listed]}}


def test_nan_is_in_text_and_as_a_number() -> None:
    """Both forms that Python's JSON reads as NaN."""
    found = body("nan", ORDER)
    assert math.isnan(found.pop("orderId"))
    assert found == {name: value for name, value in (ORDER | {"origQty": "NaN"}).items() if name != "orderId"}


def asked(how: str) -> tuple[int, dict[str, str], bytes | str]:
    """Ask for the time under a fault; return status, headers and what of the body arrives."""
    with Sim(clock=SimClock(), faults=[{"at": "any", "do": "broken", "how": how, "when": [1]}]) as sim:
        connection = http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=5)
        connection.request("GET", "/api/v3/time?x=1")
        answer = connection.getresponse()
        try:
            got: bytes | str = answer.read() if how != "drip" else answer.read(5)
        except http.client.IncompleteRead as error:
            got = f"cut after {error.partial.decode()}"
        connection.close()
        return answer.status, dict(answer.headers), got


GOOD = b'{"serverTime":1795255200000}'


@pytest.mark.parametrize(
    ("how", "status", "found"),
    [
        ("empty", 200, b""),
        ("binary", 200, b"\xff\xfe\x00\x80\xc3\x28"),
        ("html", 200, b"<html>"),
        ("deep", 200, b"[" * 100_000),
        ("truncated", 200, b'{"serverTime": '[: len(GOOD) // 2]),
        ("cut", 200, 'cut after {"serverTime"'),
        ("drip", 200, b"     "),
        ("status_500", 500, GOOD),
        ("status_400", 400, GOOD),
        ("error_200", 200, b'{"code":-1000'),
        ("no_gzip", 200, b'{"serverTime"'),
        ("redirect", 307, b""),
    ],
)
def test_what_is_on_the_wire(how: str, status: int, found: bytes | str) -> None:
    """Status and body as a client meets them."""
    got = asked(how)
    assert (got[0], got[2][: len(found)]) == (status, found)


def test_headers_say_what_the_body_is_not() -> None:
    """A redirect goes to the very same place; a bomb unpacks to 64 MiB."""
    assert asked("redirect")[1]["Location"] == "/api/v3/time?x=1"
    assert asked("no_gzip")[1]["Content-Encoding"] == "gzip"
    bomb = asked("bomb")[2]
    assert isinstance(bomb, bytes)
    assert (len(bomb) < 100_000, len(gzip.decompress(bomb))) == (True, 64 * 1024 * 1024)


def test_an_order_is_executed_behind_a_damaged_answer_or_not() -> None:
    """`executed` says which; the fault is counted like every other."""
    for executed in (True, False):
        fault = {"at": "order", "do": "broken", "how": "empty", "executed": executed, "when": [1]}
        with Sim(clock=SimClock(), faults=[fault]) as sim:
            sim.client().create_order("BTC/USDT", "market", "buy", 0.01)
            assert (len(sim.truth.executed), sim.truth.fault_counts()) == (int(executed), {"broken": 1})


def test_a_kind_that_is_none_is_refused() -> None:
    """Each kind is known; another one is refused with all of them."""
    assert [read_fault({"at": "order", "do": "broken", "how": how}).how for how in HOWS] == list(HOWS)
    with pytest.raises(ValueError, match="fault: how is 'wrong'; may be html, empty, null, "):
        read_fault({"at": "order", "do": "broken", "how": "wrong"})


def test_a_client_that_hangs_up_ends_the_drip() -> None:
    """The thread of a dripping answer ends with its connection, and the server stops at once."""
    with Sim(clock=SimClock(), faults=[{"at": "any", "do": "broken", "how": "drip", "when": [1]}]) as sim:
        sock = socket.create_connection(("127.0.0.1", urlsplit(sim.url).port or 0), timeout=5)
        sock.sendall(b"GET /api/v3/time HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sock.recv(10)
        sock.close()
