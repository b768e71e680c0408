"""A websocket server on loopback that greets, talks, drops and refuses as a test tells it."""

from __future__ import annotations

import http
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.sync.server import ServerConnection, serve


class Feed:
    """Every connection is greeted with its number ("hello 1") unless `greets` is False."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self.url = ""
        self.greets = True
        #: Whether a connection is dropped as soon as it is greeted.
        self.drops = False
        #: The answer to further handshakes: status and headers; None: they are taken.
        self.refuses: tuple[int, dict[str, str]] | None = None
        #: When each handshake was tried, taken or not (ms of the test's clock).
        self.tried: list[int] = []
        self._now_ms = now_ms
        self._open: set[ServerConnection] = set()
        self._lock = threading.Lock()

    def asked(self, connection: ServerConnection, _: Any) -> Any:
        """Take a handshake, or answer it with what it is refused by."""
        self.tried.append(self._now_ms())
        if self.refuses is None:
            return None
        answer = connection.respond(http.HTTPStatus(self.refuses[0]), "no\n")
        answer.headers.update(self.refuses[1])
        return answer

    def serve(self, connection: ServerConnection) -> None:
        """Keep a connection until either side ends it."""
        with self._lock:
            self._open.add(connection)
        with suppress(Exception):
            if self.greets:
                connection.send(f"hello {len(self.tried)}")
            if not self.drops:
                for _ in connection:
                    pass
        with self._lock:
            self._open.discard(connection)

    def say(self, text: str) -> None:
        """Send a message to every connection."""
        with self._lock:
            for connection in self._open:
                connection.send(text)

    def drop(self) -> None:
        """End every connection, as a server that restarts does; on threads, since a close waits for the other side."""
        with self._lock:
            gone = list(self._open)
        for connection in gone:
            threading.Thread(target=connection.close, args=(1012,), daemon=True).start()

    @property
    def open(self) -> int:
        """How many connections there are now."""
        return len(self._open)


@contextmanager
def feed(now_ms: Callable[[], int]) -> Iterator[Feed]:
    """Listen on loopback until the end of the block."""
    made = Feed(now_ms)
    with serve(made.serve, "127.0.0.1", 0, process_request=made.asked) as server:
        made.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.drop()
            server.shutdown()
            thread.join()


def most_in_a_window(times: list[int], span_ms: int) -> int:
    """Return how many of these moments lie in the fullest window of a span."""
    return max(sum(start <= at < start + span_ms for at in times) for start in times)
