"""What goes wrong with streams by rule: lost, doubled, swapped, late messages, and connections that break."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from policykit.sim import Fault, SimClock
from policykit.testing import Sim
from tests.sim.wire import limit_order, signed
from tests.sim.wire_streams import api, heard, listen

BOOK = "btcusdt@bookTicker"
Rule = Mapping[str, Any]


def run(*faults: Rule) -> Sim:
    """Return an exchange with these faults on a simulated clock and a flat market."""
    return Sim(clock=SimClock(), amplitude=0, faults=faults)


def _seen(sim: Sim, steps: int, messages: int) -> list[int]:
    """Return at which steps of half a second the messages were made that came, in the order in which they came."""
    start = sim.clock.now_ms()
    with listen(sim, BOOK) as ws:
        for _ in range(steps):
            sim.clock.advance(0.5)
        return [(heard(ws)["u"] - start) // 500 for _ in range(messages)]


@pytest.mark.parametrize(
    ("rule", "seen"),
    [
        ({"do": "lose", "when": [2]}, [0, 2, 3, 4]),
        ({"do": "twice", "when": [2]}, [0, 1, 1, 2, 3, 4]),
        ({"do": "swap", "when": [2]}, [0, 2, 1, 3, 4]),
        ({"do": "hold", "when": [2], "seconds": 1.2}, [0, 2, 3, 1, 4]),
        ({"do": "lose", "when": [2], "burst": 2}, [0, 3, 4]),
    ],
)
def test_single_messages_are_lost_doubled_swapped_or_late(rule: Rule, seen: list[int]) -> None:
    """Each fault strikes the message of its ordinal and no other."""
    with run({"at": "stream", **rule}) as sim:
        assert _seen(sim, 4, len(seen)) == seen
        assert sim.truth.faults[0][1:] == ("stream", 2, rule["do"])


@pytest.mark.parametrize(("rule", "code"), [({"do": "cut"}, 1006), ({"do": "close", "code": 1008}, 1008)])
def test_a_connection_ends_in_place_of_a_message(rule: Rule, code: int) -> None:
    """After two messages the third breaks the line, or closes it with the code that the rule says."""
    with run({"at": "stream", "when": [3], **rule}) as sim, listen(sim, BOOK) as ws:
        sim.clock.advance(2)
        heard(ws), heard(ws)
        with pytest.raises(ConnectionClosed):
            heard(ws)
        assert ws.protocol.close_code == code
        sim.streams.wait(0)


def test_a_connection_breaks_at_a_time_of_the_exchanges_clock() -> None:
    """A rule at `connect` strikes so many seconds after the connection opened, and not the next one."""
    with run({"at": "connect", "do": "cut", "when": [1], "after": 30}) as sim:
        with listen(sim, BOOK) as ws:
            sim.clock.advance(29)
            assert sim.streams.open == 1
            sim.clock.advance(1)
            with pytest.raises(ConnectionClosed):
                for _ in range(100):
                    heard(ws)
        with listen(sim, BOOK) as ws:
            sim.clock.advance(60)
            assert sim.streams.open == 1


def test_a_connection_falls_silent_by_rule_and_stays_open() -> None:
    """From the third message on nothing comes, a ping has no answer, and the next connection is well."""
    with run({"at": "stream", "do": "silent", "when": [3], "limit": 1}) as sim:
        with listen(sim, BOOK) as ws:
            sim.clock.advance(5)
            heard(ws), heard(ws)
            with pytest.raises(TimeoutError):
                ws.recv(timeout=0.2)
            assert sim.streams.open == 1
            sim.streams.drop()
        with listen(sim, BOOK) as ws:
            heard(ws)
            assert ws.ping().wait(10)


@pytest.mark.parametrize(
    ("rule", "status", "wait"),
    [
        ({"do": "throttle", "seconds": 7}, 429, "7"),
        ({"do": "ban", "seconds": 120}, 418, "120"),
        ({"do": "garbage", "status": 502}, 502, None),
        ({"do": "drop"}, None, None),
    ],
)
def test_an_opening_can_be_refused_by_rule(rule: Rule, status: int | None, wait: str | None) -> None:
    """429 and 418 with Retry-After, a proxy's page, or a line that is cut; each try is counted with its status."""
    with run({"at": "connect", "when": [1], **rule}) as sim:
        with pytest.raises((InvalidStatus, InvalidMessage)) as caught, listen(sim, BOOK):
            pass
        response = getattr(caught.value, "response", None)
        assert (response and response.status_code, response and response.headers.get("Retry-After")) == (status, wait)
        assert [told for _, _, told in sim.truth.connects] == [status or 0]
        banned = signed(sim, "GET", "/api/v3/account").status == 418
        assert (banned, sim.truth.banned is not None) == (status == 418, status == 418)


def test_a_fill_can_be_told_after_the_answer_as_well() -> None:
    """`hold` on the user stream turns it around: the answer is there, the stream says nothing for two seconds."""
    with run({"at": "user", "do": "hold", "ratio": 1, "seconds": 2}) as sim, api(sim) as ws:
        answer = signed(sim, "POST", "/api/v3/order", **limit_order(price="61000"))
        assert answer.body["status"] == "FILLED"
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.1)
        sim.clock.advance(2)
        assert [heard(ws)["event"]["e"] for _ in range(4)] == ["executionReport", "outboundAccountPosition"] * 2


def test_a_stream_tells_what_a_lost_reply_did_not() -> None:
    """The order whose answer was lost is on the stream, under its own id."""
    with run({"at": "order", "do": "lost_reply", "when": [1]}) as sim, api(sim) as ws:
        with pytest.raises(ConnectionError):
            signed(sim, "POST", "/api/v3/order", **limit_order(price="61000"))
        events = [heard(ws)["event"] for _ in range(4)]
        assert [(e["c"], e["x"]) for e in events[::2]] == [("a", "NEW"), ("a", "TRADE")]


def test_faults_of_streams_and_of_requests_are_told_apart() -> None:
    """A kind that cannot happen at a point is refused with those that can; `any` means requests, and no message."""
    with pytest.raises(ValueError, match=r"^fault: do is 'lose' at order; there may be drop, lost_reply, "):
        Fault("order", "lose")
    with pytest.raises(ValueError, match=r"^fault: do is 'lost_reply' at user; there may be lose, twice, swap, hold, "):
        Fault("user", "lost_reply")
    with pytest.raises(ValueError, match=r"^fault: do is 'lose' at connect; there may be drop, throttle, ban, garbage"):
        Fault("connect", "lose")
    with pytest.raises(ValueError, match=r"^fault: code is 99; a closing code from 1000 to 4999 is needed$"):
        Fault("user", "close", code=99)
    with run({"at": "any", "do": "drop", "when": [1]}) as sim:
        assert _seen(sim, 1, 2) == [0, 1]
        assert sim.truth.faults == []
