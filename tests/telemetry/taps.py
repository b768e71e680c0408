"""Collectors that the tests send to: a real one of somebody else's (oteltap), and ours that misbehave as told."""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Answer:
    """One answer of a collector: status, headers, body."""

    def __init__(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        self.status, self.body = status, body
        #: Clear it, and the answer waits until it is set.
        self.held = threading.Event()
        self.held.set()
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Tap:
    """A collector that answers as told, then with 200; it keeps what it was sent."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.requests: list[tuple[int, bytes, dict[str, str]]] = []
        self.url = ""
        self._came = threading.Condition()

    def came(self, request: tuple[int, bytes, dict[str, str]]) -> None:
        """Keep a request."""
        with self._came:
            self.requests.append(request)
            self._came.notify_all()

    def wait(self, count: int) -> bool:
        """Wait until so many requests came."""
        with self._came:
            return self._came.wait_for(lambda: len(self.requests) >= count, 30)

    @property
    def taken(self) -> list[Span]:
        """Return every span that it answered 200 for, in order."""
        return [span for status, body, _ in self.requests if status == 200 for span in spans_in(body)]


def spans_in(body: bytes) -> list[Span]:
    """Return the spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [span for one in request.resource_spans for scope in one.scope_spans for span in scope.spans]


@contextmanager
def tap(*answers: Answer) -> Iterator[Tap]:
    """Run a collector on loopback."""
    made = Tap(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = made.answers.pop(0) if made.answers else Answer()
            made.came((answer.status, body, {k.lower(): v for k, v in self.headers.items()}))
            answer.held.wait(30)
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
