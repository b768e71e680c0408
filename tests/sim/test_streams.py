"""Websockets of the simulated exchange, with the plain library over loopback: who hears what, and how they end."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from policykit.sim import LimitSizes, SimClock, sockets
from policykit.testing import Sim
from tests.sim.wire import limit_order, signed
from tests.sim.wire_streams import SPOT, api, heard, listen

BOOK = "btcusdt@bookTicker"
FLAT = {"s": "BTCUSDT", "b": "59994.00000000", "B": "1.50000000", "a": "60006.00000000", "A": "1.50000000"}


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a flat market at 60,000."""
    with Sim(clock=SimClock(), amplitude=0) as started:
        yield started


def _ticks(ws: ClientConnection, count: int) -> list[int]:
    return [heard(ws)["u"] for _ in range(count)]


def test_prices_come_at_once_and_at_each_step_of_the_exchanges_clock(sim: Sim) -> None:
    """A subscription is followed by the price of now, and by one every half second of simulated time."""
    start = sim.clock.now_ms()
    with listen(sim, BOOK) as ws:
        assert heard(ws) == {"u": start, **FLAT}
        sim.clock.advance(1.2)
        assert _ticks(ws, 2) == [start + 500, start + 1000]
        sim.pin("BTC/USDT", 50_000)
        sim.clock.advance(0.3)
        assert heard(ws)["b"] == "49995.00000000"


def test_on_the_machines_clock_prices_come_by_themselves() -> None:
    """Without a simulated clock the first price comes at once and the next without anybody's doing."""
    with Sim(amplitude=0) as sim, listen(sim, BOOK) as ws:
        first, second = heard(ws)["u"], heard(ws)["u"]
        assert 0 < second - first < 10_000


def test_a_dropped_connection_breaks_without_a_closing_frame(sim: Sim) -> None:
    """`drop()` is a broken line, `drop(1001)` a closing frame with that code; a new connection hears again."""
    for code, seen in ((None, 1006), (1001, 1001)):
        with listen(sim, BOOK) as ws:
            heard(ws)
            assert sim.streams.drop(code) == 1
            with pytest.raises(ConnectionClosed):
                heard(ws)
            assert ws.protocol.close_code == seen
        sim.streams.wait(0)
    with listen(sim, BOOK) as ws:
        assert heard(ws)["s"] == "BTCUSDT"
    assert [status for _, _, status in sim.truth.connects] == [101, 101, 101]


def test_a_silent_connection_stays_open_and_answers_nothing(sim: Sim) -> None:
    """After `silence()` neither prices nor pongs come, and nobody has closed anything."""
    with listen(sim, BOOK) as ws:
        heard(ws)
        assert sim.streams.silence() == 1
        sim.clock.advance(5)
        pong = ws.ping()
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.2)
        assert (pong.is_set(), sim.streams.open) == (False, 1)
        sim.streams.drop()


def test_new_connections_can_be_refused(sim: Sim) -> None:
    """`refuse(503)` answers the opening handshake so, until it is taken back; each try is counted."""
    sim.streams.refuse(503)
    with pytest.raises(InvalidStatus) as caught, listen(sim, BOOK):
        pass
    assert caught.value.response.status_code == 503
    sim.streams.refuse(None)
    with listen(sim, BOOK) as ws:
        heard(ws)
    assert [status for _, _, status in sim.truth.connects] == [503, 101]


def test_an_address_that_connects_too_often_is_refused_and_then_banned() -> None:
    """Over the allowance of five minutes: 429 with the time to wait, then 418, for the REST interface as well."""
    with Sim(clock=SimClock(), limits=LimitSizes(connects_5m=3)) as sim:
        answers = []
        for _ in range(15):
            try:
                with listen(sim, BOOK):
                    answers.append((101, None))
            except InvalidStatus as refused:
                response = refused.response
                answers.append((response.status_code, response.headers.get("Retry-After")))
        assert answers[:4] == [(101, None)] * 3 + [(429, "300")]
        assert answers[-1][0] == 418
        assert signed(sim, "GET", "/api/v3/account").status == 418
        assert (sim.truth.most_connects(300), sim.truth.most_connects(0.001)) == (15, 15)


def test_the_allowance_comes_back_when_its_window_has_passed() -> None:
    """Three connects, five minutes, three more; the fourth in between waits."""
    with Sim(clock=SimClock(), limits=LimitSizes(connects_5m=3)) as sim:
        for passed in (0, 100, 100):
            sim.clock.advance(passed)
            with listen(sim, BOOK):
                pass
        with pytest.raises(InvalidStatus) as caught, listen(sim, BOOK):
            pass
        assert caught.value.response.headers["Retry-After"] == "200"
        sim.clock.advance(200)  # two of four tries are older than five minutes
        with listen(sim, BOOK):
            pass
        assert sim.truth.most_connects(300) == 4


def test_a_fill_is_on_the_stream_before_the_answer_to_its_order(sim: Sim) -> None:
    """PITFALLS 6: when the REST answer is there, what the stream says of the fill is already there to be read."""
    with api(sim) as ws:
        signed(sim, "POST", "/api/v3/order", **limit_order(price="61000"))
        events: list[Any] = [heard(ws)["event"] for _ in range(4)]
    assert [(e["e"], e.get("x"), e.get("X")) for e in events] == [
        ("executionReport", "NEW", "NEW"),
        ("outboundAccountPosition", None, None),
        ("executionReport", "TRADE", "FILLED"),
        ("outboundAccountPosition", None, None),
    ]


def test_the_server_ends_with_its_connections() -> None:
    """Closing the exchange ends what is open; no thread is left that would keep the process."""
    before = set(threading.enumerate())
    sim = Sim(clock=SimClock()).start()
    with listen(sim, BOOK) as ws:
        heard(ws)
        sim.close()
        with pytest.raises(ConnectionClosed):
            heard(ws)
    left = [t.name for t in threading.enumerate() if "policykit" in t.name and t not in before]
    assert (sim.streams.open, left) == (0, [])


def test_a_path_that_is_no_stream_is_not_found(sim: Sim) -> None:
    """Hosts and paths that the exchange does not have answer 404, other dialects say that they do not speak."""
    for path in ("/@/stream.binance.com/other", "/@/elsewhere.example/ws", "/@/api.binance.com/ws-api/v3"):
        with pytest.raises(InvalidStatus) as caught, connect(sim.ws_url + path):
            pass
        assert caught.value.response.status_code == 404, path
    with (
        Sim(clock=SimClock(), dialect="kraken") as other,
        pytest.raises(InvalidStatus) as caught,
        connect(other.ws_url + SPOT),
    ):
        pass
    assert caught.value.response.status_code == 501


def test_a_client_that_does_not_read_holds_nobody_up_and_is_cut_off(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a client leaves unread is kept up to a bound, the exchange goes on meanwhile, and then the line is cut."""
    monkeypatch.setattr(sockets, "MAX_UNREAD", 100_000)
    names = "/".join(f"{pair}@{kind}" for pair in ("btcusdt", "ethusdt") for kind in ("trade", "depth", "ticker"))
    head = f"GET {SPOT}/{names} HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        client.connect(("127.0.0.1", urlsplit(sim.url).port))
        client.sendall(f"{head}Sec-WebSocket-Key: {'A' * 22}==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        sim.streams.wait()
        minutes = 0
        while sim.streams.open and minutes < 600:
            sim.clock.advance(60)
            minutes += 1
        sim.streams.wait(0)
        assert 0 < minutes < 600


def test_without_the_library_it_is_said_what_to_install(sim: Sim, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the exchange does without it; an opening is answered 501 with the extra to install."""
    monkeypatch.setitem(sys.modules, "websockets.server", None)
    with pytest.raises(InvalidStatus) as caught, connect(sim.ws_url + SPOT):
        pass
    assert caught.value.response.status_code == 501
    assert b"pip install 'policykit-trading[streams]'" in caught.value.response.body
    assert signed(sim, "GET", "/api/v3/account").status == 200


def test_waiting_for_what_does_not_come_says_what_is_there(sim: Sim) -> None:
    """`wait` is bounded, and its words name the count that it found."""
    with pytest.raises(TimeoutError, match=r"^sim: 0 websockets to user after 0\.01 s; 1 awaited$"):
        sim.streams.wait(to="user", timeout_s=0.01)


def test_a_message_that_is_no_json_is_answered_and_a_huge_one_ends_the_connection(sim: Sim) -> None:
    """The documented error for bad JSON; more than 64 KiB in one message closes with 1009."""
    with listen(sim, BOOK) as ws:
        heard(ws)
        ws.send("{")
        assert heard(ws)["error"]["code"] == 3
        ws.send(json.dumps("x" * 70_000))
        with pytest.raises(ConnectionClosed):
            heard(ws)
        assert ws.protocol.close_code == 1009
