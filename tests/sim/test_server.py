"""The HTTP server: bounded, quick, and gone when closed."""

from __future__ import annotations

import http.client
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from policykit.clock import SystemClock
from policykit.sim import SimClock, SimServer
from policykit.sim.http import MAX_BODY, MAX_CONNECTIONS
from tests.sim.wire import limit_order, send, signed


def test_a_body_over_the_bound_is_refused_unread() -> None:
    """64 KiB is the most that is read."""
    with SimServer(clock=SimClock()) as sim:
        assert send(sim, "POST", "/api/v3/order", "x" * (MAX_BODY + 1)).status == 413
        assert send(sim, "GET", "/api/v3/ping").body == {}


def test_bytes_that_are_no_http_end_the_connection_only() -> None:
    """Garbage on a connection is answered and closed; the server goes on."""
    with SimServer(clock=SimClock()) as sim:
        with socket.create_connection(("127.0.0.1", int(sim.url.rpartition(":")[2])), timeout=5) as raw:
            raw.sendall(b"\x00\xff not http\r\n\r\n")
            assert b"400" in raw.recv(4096)
        assert send(sim, "GET", "/api/v3/ping").status == 200


def test_closing_ends_idle_connections_and_every_thread() -> None:
    """After close no thread is left, a kept-alive connection is shut, and closing again does nothing."""
    before = set(threading.enumerate())
    sim = SimServer(clock=SimClock()).start()
    kept = http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=5)
    kept.request("GET", "/api/v3/ping")
    kept.getresponse().read()
    began = time.monotonic()
    sim.close()
    sim.close()
    assert time.monotonic() - began < 2
    assert set(threading.enumerate()) == before
    with pytest.raises((ConnectionError, http.client.HTTPException)):
        kept.request("GET", "/api/v3/ping")
        kept.getresponse()
    kept.close()
    with pytest.raises(RuntimeError, match="not started"):
        _ = sim.url


def test_connections_beyond_the_bound_wait_and_are_not_refused() -> None:
    """With every place taken one more connection waits until a place is free."""
    with SimServer(clock=SimClock()) as sim:
        address = ("127.0.0.1", int(sim.url.rpartition(":")[2]))
        taken = [socket.create_connection(address, timeout=5) for _ in range(MAX_CONNECTIONS)]
        try:
            extra = socket.create_connection(address, timeout=0.3)
            extra.sendall(b"GET /api/v3/ping HTTP/1.1\r\nHost: x\r\n\r\n")
            with pytest.raises(TimeoutError):
                extra.recv(100)
            taken.pop().close()
            extra.settimeout(5)
            assert extra.recv(100).startswith(b"HTTP/1.1 200")
            extra.close()
        finally:
            for sock in taken:
                sock.close()


def test_requests_of_many_threads_are_all_counted() -> None:
    """Four threads place 30 orders each: 120 are executed, each once, and the weight is exact."""
    with SimServer(clock=SimClock(), amplitude=0) as sim:

        def place(who: int) -> None:
            for n in range(30):
                terms = limit_order(newClientOrderId=f"t{who}-{n}", quantity="0.001")
                assert signed(sim, "POST", "/api/v3/order", **terms).status in {200, 429}

        threads = [threading.Thread(target=place, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(sim.truth.executed) == 50
        assert set(sim.truth.per_client_order_id().values()) == {1}
        assert sim.truth.worst_minute() == (120, 120)


def test_the_date_header_is_the_exchanges_time() -> None:
    """A client that reads Date sees simulated time."""
    with SimServer(clock=SimClock()) as sim:
        assert send(sim, "GET", "/api/v3/ping").headers["date"] == "Sat, 21 Nov 2026 10:00:00 GMT"


def test_on_the_machines_clock_late_orders_arrive_by_themselves() -> None:
    """Without a simulated clock a late request is matched by a timer, and closing forgets what is pending."""
    rule = {"at": "order", "do": "late", "delay": 0.02, "when": [1]}
    with SimServer(clock=SystemClock(), faults=[rule, {**rule, "when": [2], "delay": 3}], amplitude=0) as sim:
        for n in range(2):
            with pytest.raises((ConnectionError, http.client.HTTPException)):
                signed(sim, "POST", "/api/v3/order", **limit_order(newClientOrderId=f"c{n}"))
        until = time.monotonic() + 5
        while not sim.truth.executed and time.monotonic() < until:
            threading.Event().wait(0.005)
        assert [e.client_order_id for e in sim.truth.executed] == ["c0"]
    assert [t for t in threading.enumerate() if isinstance(t, threading.Timer)] == []


def test_what_cannot_be_is_refused_before_anything_starts() -> None:
    """An unknown dialect is named with what may be."""
    with pytest.raises(ValueError, match="sim: dialect is 'nowhere'; may be binance, "):
        SimServer(dialect="nowhere")
