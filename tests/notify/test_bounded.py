"""An answer that never ends fills no memory: the message is told as not sent, and others go on."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests

from policykit.guard.outbox import Message, Outbox
from policykit.model.notify import Target
from policykit.notify import Sent, send
from policykit.notify.bounded import MAX_ANSWER, bind
from policykit.redact import SecretUrl
from policykit.store.memory import MemoryStore
from tests.notify.receivers import webhook
from tests.telemetry.nouns import AT_MS

PIECE = b"x" * 65_536
#: What the server would send at most, so that a test that fails ends.
END = 64 * MAX_ANSWER
#: What the kernel holds between two ends of a connection, at most.
ON_THE_WAY = 16 * MAX_ANSWER


class Endless(ThreadingHTTPServer):
    """Answers without an end: `went` counts the bytes that a client took."""

    daemon_threads = True

    def __init__(self, status: int, headers: dict[str, str], piece: bytes) -> None:
        self.status, self.headers, self.piece, self.went = status, headers, piece, 0
        self.end = END
        super().__init__(("127.0.0.1", 0), _Post)

    @property
    def url(self) -> str:
        """Return the address for apprise."""
        return f"json://127.0.0.1:{self.server_address[1]}/in"


class _Post(BaseHTTPRequestHandler):
    server: Endless

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.end_headers()
        try:
            while self.server.went < self.server.end:
                self.wfile.write(self.server.piece)
                self.server.went += len(self.server.piece)
        except OSError:
            pass  # the client has gone: that is meant
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def endless(status: int = 200, headers: dict[str, str] | None = None, piece: bytes = PIECE) -> Iterator[Endless]:
    """Run a server that answers so until the block ends."""
    with Endless(status, headers or {}, piece) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "headers"), [(200, {}), (500, {}), (307, {"Location": "/in"})])
def test_an_answer_without_an_end_is_read_up_to_a_bound(status: int, headers: dict[str, str]) -> None:
    """Of a success, a failure and a redirect: each filled the memory of the bot before."""
    with endless(status, headers) as server:
        sent = send(SecretUrl(server.url), "halt", "text", "critical")
    assert not sent.ok
    assert sent.words
    assert server.went < ON_THE_WAY


def test_what_is_packed_is_bounded_unpacked() -> None:
    """A thousandth of it comes over the wire."""
    packed = gzip.compress(b"\0" * 32 * MAX_ANSWER)
    with endless(200, {"Content-Encoding": "gzip"}, packed) as server:
        server.end = len(packed)
        assert not send(SecretUrl(server.url), "halt", "text", "critical").ok
    assert server.went == len(packed) < MAX_ANSWER


def test_the_message_is_told_as_not_sent_and_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal has both: what the one target did not take, and what the other did."""
    store = MemoryStore()
    with endless() as server, webhook() as hook:
        monkeypatch.setenv("OPS_URL", server.url)
        monkeypatch.setenv("DESK_URL", hook.url())
        box = Outbox(store, lambda: AT_MS, wait_s=0)
        for name in ("ops", "desk"):
            box.put(name, Target(secret=f"env://{name.upper()}"), Message("t", "b", "warning", {"cause": "halt"}))
        box.close(60)
        assert [got["message"] for got in hook.got] == ["b"]
    rows = {row.body["target"]: row.body for row in store.rows()}
    assert (rows["ops"]["ok"], rows["desk"]["ok"], box.lost()) == (False, True, 1)
    assert rows["ops"]["words"]


def test_what_the_bot_asks_itself_is_not_bounded() -> None:
    """Its `requests` is the one that it imported; only apprise's services have another."""
    with webhook() as hook:
        assert send(SecretUrl(hook.url()), "t", "b", "warning") == Sent(True)
    bind()
    import apprise.plugins.custom_json as service

    assert service.requests is not requests
    assert service.requests.RequestException is requests.RequestException
    with endless() as server:
        address = server.url.replace("json://", "http://")
        with requests.post(address, data=b"x", timeout=30) as answer:
            assert len(answer.content) >= END
