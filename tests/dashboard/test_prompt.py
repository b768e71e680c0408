"""Who opens connections to the exporter and sends nothing, or a byte now and then, keeps nobody else out."""

from __future__ import annotations

import socket
import time
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from policykit.dashboard import prompt
from policykit.dashboard.background import MAX_REQUESTS, Background
from policykit.dashboard.serving import listen

GIVE_UP_S = 20


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Answer everything with 200."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


async def flood(scope: Any, receive: Any, send: Any) -> None:
    """Answer with more than any buffer takes."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    for _ in range(1_000):
        await send({"type": "http.response.body", "body": b"x" * 65_536, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a connection be cut after a moment."""
    monkeypatch.setattr(prompt, "PATIENCE_S", 0.2)


@pytest.fixture
def served(patience: None) -> Iterator[Background]:
    """A server that answers at once."""
    running = Background(answer, listen(0))
    running.start()
    yield running
    running.stop()


def connect(running: Background) -> socket.socket:
    """Open a connection."""
    port = int(running.url.rpartition(":")[2])
    return socket.create_connection(("127.0.0.1", port), GIVE_UP_S)


def cut(open_socket: socket.socket) -> bool:
    """Tell whether the other side ended the connection without an answer."""
    try:
        return open_socket.recv(100) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "])
def test_a_request_that_does_not_come_is_cut(served: Background, sent: bytes) -> None:
    """Nothing, or a header that never ends."""
    with connect(served) as slow:
        slow.sendall(sent)
        assert cut(slow)


def test_who_fills_every_place_keeps_nobody_out_for_long(served: Background) -> None:
    """As many as are allowed are opened; once they were cut a scrape is answered."""
    slow = [connect(served) for _ in range(MAX_REQUESTS)]
    assert all(cut(one) for one in slow)
    with urllib.request.urlopen(served.url, timeout=GIVE_UP_S) as got:
        assert (got.status, got.read()) == (200, b"ok")
    for one in slow:
        one.close()


def test_a_second_request_that_does_not_come_is_cut_too(served: Background) -> None:
    """A connection that was answered once is no licence."""
    with connect(served) as slow:
        slow.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        answered = b""
        while not answered.endswith(b"ok"):
            answered += slow.recv(1_000)
        slow.sendall(b"GET / HTTP/1.1\r\nX: ")
        assert cut(slow)


def test_an_answer_that_nobody_takes_is_cut(patience: None) -> None:
    """Who asks and does not read holds a place no longer than who does not ask."""
    running = Background(flood, listen(0))
    running.start()
    try:
        with connect(running) as deaf:
            deaf.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            begun = deaf.recv(1)
            while running.connections:
                time.sleep(0.01)
        assert begun
    finally:
        running.stop()
