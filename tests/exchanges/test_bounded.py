"""Servers that never end, unpack to gigabytes or point elsewhere, over real HTTP: bounded, and nothing follows."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from policykit.clock import SystemClock
from policykit.exchanges import bounded, load
from policykit.exchanges.base import CallFailed, arun, run
from policykit.exchanges.client import make_client
from policykit.redact import Secret

#: Writes an answer on the wire.
Write = Callable[[Callable[[bytes], Any]], None]
KEY = {"api_key": Secret("AKEYAKEYAKEYAKEY"), "api_secret": Secret("SECRETSECRETSECRET")}


class _Server(ThreadingHTTPServer):
    """A server that answers every request in the same way, and keeps their paths."""

    daemon_threads = True

    def __init__(self, write: Write) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.write = write
        self.paths: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.paths.append(self.path.partition("?")[0])
        self.close_connection = True
        with suppress(OSError):
            server.write(self.wfile.write)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        """Log nothing."""


@pytest.fixture
def served() -> Iterator[Callable[[Write], _Server]]:
    """Return what starts a server that answers so."""
    started: list[_Server] = []

    def start(write: Write) -> _Server:
        server = _Server(write)
        started.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return server

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def _answer(body: bytes, *headers: str, status: str = "200 OK") -> Write:
    head = "\r\n".join((f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", "")).encode()
    return lambda write: write(head + body)


def _for_ever(head: bytes, part: bytes) -> Write:
    def write_all(write: Callable[[bytes], Any]) -> None:
        write(head)
        while True:
            write(part)

    return write_all


def _read(server: _Server) -> Any:
    adapter = load("binance")
    assert adapter is not None
    client = make_client("binance", KEY, endpoint=server.url)
    return run(adapter, client, adapter.key_report(), SystemClock())


class _Hurry:
    """A clock of which a second passes with every look at it."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 1.0
        return self.now


@pytest.mark.parametrize(
    "write",
    [
        _for_ever(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        _for_ever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        _for_ever(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b" "),
        _for_ever(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["headers", "continue", "body", "chunks"],
)
def test_an_answer_that_never_ends_is_ended(
    write: Write, served: Callable[[Write], _Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However little comes at a time, and in whichever part of the answer: the whole of it has one bound."""
    monkeypatch.setattr(bounded, "time", _Hurry())
    with pytest.raises(CallFailed) as failed:
        _read(served(write))
    assert failed.value.failure.code == "NETWORK"


def test_an_answer_is_measured_as_it_is_unpacked(
    served: Callable[[Write], _Server], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kilobyte of gzip that unpacks to a megabyte is as long as a megabyte."""
    monkeypatch.setattr(bounded, "MAX_BYTES", 2**19)
    packed = gzip.compress(b" " * 2**20)
    assert len(packed) < 2**11
    with pytest.raises(CallFailed) as failed:
        _read(served(_answer(packed, "Content-Encoding: gzip")))
    assert str(failed.value) == "the answer is longer than 0 MiB; check the endpoint"
    assert failed.value.failure.code == "BAD_ANSWER"


def test_an_answer_within_its_bounds_is_read(served: Callable[[Write], _Server]) -> None:
    """Packed or plain, a good answer comes through whole."""
    body = b'{"enableWithdrawals": true, "ipRestrict": false}'
    for write in (_answer(body), _answer(gzip.compress(body), "Content-Encoding: gzip")):
        report = _read(served(write))
        assert (report.permissions["withdraw"], report.restricted) == ("granted", "no")


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_I19_a_redirect_is_not_followed(status: str, served: Callable[[Write], _Server]) -> None:
    """A redirect would carry the key to another host, and the verb to another path; neither client follows one."""
    other = served(_answer(b"{}"))
    first = served(_answer(b"", f"Location: {other.url}/sapi/v1/capital/withdraw/apply", status=status))
    with pytest.raises(CallFailed) as failed:
        _read(first)
    assert str(failed.value) == "the answer is a redirect, which is not followed; check the endpoint"

    async def read() -> None:
        adapter = load("binance")
        assert adapter is not None
        client = make_client("binance", KEY, endpoint=first.url, asynchronous=True)
        try:
            await arun(adapter, client, adapter.key_report(), SystemClock())
        finally:
            await client.close()

    with pytest.raises(CallFailed):
        asyncio.run(read())
    assert first.paths == ["/sapi/v1/account/apiRestrictions"] * 2
    assert other.paths == []


async def test_an_async_client_reads_no_longer_than_the_longest_answer(served: Callable[[Write], _Server]) -> None:
    """What unpacks to more is refused, and the connection closed; a good answer on the next one is read."""
    answers = [_answer(gzip.compress(b" " * (bounded.MAX_BYTES + 1)), "Content-Encoding: gzip"), _answer(b'{"a": 1}')]

    def one_after_the_other(write: Callable[[bytes], Any]) -> None:
        answers.pop(0)(write)

    server = served(one_after_the_other)
    client = make_client("binance", KEY, endpoint=server.url, asynchronous=True)
    try:
        with pytest.raises(CallFailed, match="the answer is longer than 32 MiB; check the endpoint"):
            await client.fetch(f"{server.url}/api/v3/time")
        assert await client.fetch(f"{server.url}/api/v3/time") == {"a": 1}
    finally:
        await client.close()
