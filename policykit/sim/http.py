"""The listener of the simulated exchange: HTTP/1.1 on loopback, and the sockets that ask to be upgraded."""

from __future__ import annotations

import json
import select
import socket
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import unquote

from policykit.clock import Clock
from policykit.sim.dialects.base import Reply, Request
from policykit.sim.exchange import Outcome
from policykit.sim.sockets import Socket
from policykit.sim.streams import Streams

#: Connections served at once; the next one waits in the listen queue.
MAX_CONNECTIONS = 128
MAX_BODY = 64 * 1024
#: The longest a stalled connection is held, wall seconds.
MAX_STALL_S = 120.0
#: Between two bytes of an answer that drips, wall seconds.
DRIP_S = 0.02
#: A connection on which nothing is asked for so long is closed, wall seconds.
IDLE_S = 60.0


class Serves(Protocol):
    """What answers behind the listener."""

    clock: Clock
    streams: Streams

    def handle(self, request: Request) -> Outcome:
        """Answer one request."""
        ...


class HttpServer(ThreadingHTTPServer):
    """The listener; it knows its connections, so that stopping leaves none."""

    daemon_threads = False
    block_on_close = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], sim: Serves) -> None:
        self.sim = sim
        self.stopping = threading.Event()
        self._free = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        while not self._free.acquire(timeout=0.1):
            if self.stopping.is_set():
                self.shutdown_request(request)
                return
        with self._guard:
            self._open.add(request)
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._guard:
                self._open.discard(request)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that hang up."""

    def stop(self) -> None:
        """End every connection and every thread."""
        self.stopping.set()
        self.shutdown()
        with self._guard:
            for sock in self._open:
                _hang_up(sock)
        self.server_close()


def _hang_up(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


class _Handler(BaseHTTPRequestHandler):
    """One connection: HTTP/1.1, kept alive."""

    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    disable_nagle_algorithm = True
    server: HttpServer

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            self._send(Reply(413, {"code": -1000, "msg": f"A body of at most {MAX_BODY} bytes is read."}))
            return
        body = self.rfile.read(int(length)).decode("utf-8", "replace")
        path, _, query = self.path.partition("?")
        host, path = _split_host(path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, host, unquote(path), query, body, headers, self.client_address[0], self.path)
        if headers.get("upgrade", "").lower() == "websocket":
            self._upgrade(request)
        else:
            self._answer(self.server.sim.handle(request))

    def _answer(self, outcome: Outcome) -> None:
        if outcome.reply is None:
            self._cut(outcome.stall)
        else:
            self._send(outcome.reply)

    def _upgrade(self, request: Request) -> None:
        """Turn the connection into a websocket, and serve it until it ends."""
        self.close_connection = True
        answer = self.server.sim.streams.opening(request)
        if isinstance(answer, Outcome):
            self._answer(answer)
            return
        lines = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items()), "", ""]
        self.server.sim.streams.run(answer, Socket(self.connection, "\r\n".join(lines).encode()))

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

    def _send(self, reply: Reply) -> None:
        plain = isinstance(reply.body, str)
        text = reply.body if plain else json.dumps(reply.body, separators=(",", ":"))
        body = text.encode() if reply.raw is None else reply.raw
        self.send_response(reply.status)
        self.send_header("Content-Type", "text/html" if plain else "application/json;charset=UTF-8")
        self.send_header("Content-Length", str(len(body) if not reply.sending else len(body) + MAX_BODY))
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self._headers_buffer.append(b"\r\n" + body)  # type: ignore[attr-defined]
        self.flush_headers()
        if reply.sending:
            self._cut(reply.sending == "drip", b" ")

    def _cut(self, stall: bool, drip: bytes = b"") -> None:
        """Close without a reply; a stalled connection is first held until the client hangs up, or dripped on."""
        self.close_connection = True
        waited, step = 0.0, DRIP_S if drip else 0.05
        while stall and waited < MAX_STALL_S and not self.server.stopping.is_set():
            readable, _, _ = select.select([self.connection], [], [], step)
            if readable and not _peek(self.connection):
                break
            self.wfile.write(drip)
            waited += step
        _hang_up(self.connection)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Write the Date header in the exchange's time."""
        return formatdate(self.server.sim.clock.now_ms() / 1000, usegmt=True)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that http.server has
        """Log nothing: a request line holds a signature."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except (ConnectionError, TimeoutError):
            self.close_connection = True


def _peek(sock: socket.socket) -> bytes:
    try:
        return sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""


def _split_host(path: str) -> tuple[str, str]:
    """Take the `/@host` prefix off a path; a websocket's is `/@/host`."""
    if not path.startswith("/@"):
        return "", path
    host, slash, rest = path[2:].removeprefix("/").partition("/")
    return host, slash + rest
