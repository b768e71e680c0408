"""One websocket of the simulated exchange, over a socket that an HTTP listener took: what is said is written at once by
whoever says it, so that it is on its way before the call that caused it returns; one thread reads.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from select import select
from typing import Any, Final

#: The most bytes of one message of a client, and those kept for a client that does not read: then it is cut off.
MAX_MESSAGE: Final = 64 * 1024
MAX_UNREAD: Final = 4 * 1024 * 1024
#: How long a client may take to answer a closing frame, and how often a thread looks, wall seconds.
CLOSING_S: Final = 1.0
LOOK_S: Final = 0.2


def available() -> bool:
    """Tell whether the library that speaks the protocol is installed."""
    try:
        import websockets.server
    except ImportError:
        return False
    return bool(websockets.server)


class Socket:
    """One connection, from its opening handshake on. Thread-safe."""

    def __init__(self, connection: socket.socket, head: bytes) -> None:
        """Answer the opening handshake, whose request line and headers are `head`."""
        from websockets.server import ServerProtocol

        self._connection = connection
        connection.setblocking(False)
        self._protocol: Any = ServerProtocol(max_size=MAX_MESSAGE)
        self._lock = threading.Lock()
        self._unread = bytearray()
        self._silent = False
        self._until: float | None = None
        self._protocol.receive_data(head)
        request: Any = self._protocol.events_received()[0]
        self._protocol.send_response(self._protocol.accept(request))
        self._write()

    @property
    def is_open(self) -> bool:
        """Whether something can still be said."""
        return bool(self._protocol.state.name == "OPEN")

    def send(self, text: str) -> None:
        """Send a message; a closed connection loses it, a silent one as well."""
        with self._lock:
            if self.is_open:
                self._protocol.send_text(text.encode())
                self._write()

    def ping(self) -> None:
        """Send a ping frame."""
        with self._lock:
            if self.is_open:
                self._protocol.send_ping(b"")
                self._write()

    def silence(self) -> None:
        """Send nothing from now on, not even an answer to a ping, and stay open."""
        with self._lock:
            self._silent = True

    def close(self, code: int, reason: str = "") -> None:
        """Send a closing frame, and end the connection when it is answered."""
        with self._lock:
            if self.is_open:
                self._protocol.send_close(code, reason)
                self._until = time.monotonic() + CLOSING_S
                self._write()

    def cut(self) -> None:
        """End the connection without a closing frame."""
        try:
            self._connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

    def run(self, hear: Callable[[str], None]) -> None:
        """Read until the connection ends, and say what was read."""
        said = b""
        while self._until is None or time.monotonic() < self._until:
            readable, writable, _ = select([self._connection], [self._connection] if self._unread else [], [], LOOK_S)
            with self._lock:
                if writable:
                    self._flush()
                frames = self._read() if readable else []
            if frames is None:
                break
            for frame in frames:
                said += frame.data if frame.opcode in (0, 1, 2) else b""
                if frame.opcode in (0, 1, 2) and frame.fin:
                    text, said = said.decode("utf-8", "replace"), b""
                    hear(text)
        self.cut()

    def _read(self) -> list[Any] | None:
        """Return the frames that came, or None at the end."""
        try:
            data = self._connection.recv(MAX_MESSAGE)
        except BlockingIOError:
            return []
        except OSError:
            return None
        if data:
            self._protocol.receive_data(data)
        else:
            self._protocol.receive_eof()
        self._write()
        frames: list[Any] = self._protocol.events_received()
        return frames if data and self._protocol.state.name in ("OPEN", "CLOSING") else None

    def _write(self) -> None:
        pieces = self._protocol.data_to_send()
        if b"" in pieces:  # nothing more is to be sent: what is left is to hang up
            self._until = time.monotonic()
        if not self._silent:
            self._unread += b"".join(pieces)
            self._flush()

    def _flush(self) -> None:
        try:
            while self._unread:
                del self._unread[: self._connection.send(self._unread)]
        except BlockingIOError:
            if len(self._unread) > MAX_UNREAD:
                self.cut()
        except OSError:
            self._unread.clear()
