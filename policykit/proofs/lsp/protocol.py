"""What the protocol asks of every message, where pygls would be silent: each request is answered by its id."""

from __future__ import annotations

from typing import Any, BinaryIO, Final

from lsprotocol import types as lsp
from pygls.exceptions import (
    JsonRpcException,
    JsonRpcInvalidRequest,
    JsonRpcServerNotInitialized,
)
from pygls.protocol import LanguageServerProtocol

#: The longest message that is read, and the longest line of its head: many times the text of a policy.
MAX_MESSAGE: Final = 64 * 1024 * 1024
MAX_HEAD: Final = 1_000


class TooLong(Exception):
    """A message over what is read; behind it nothing tells where the next one begins."""


class Bounded:
    """An input of which no message is longer than what is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readline(self) -> bytes:
        """Read a line of a head; of one that is too long a piece, which is none."""
        return self._stream.readline(MAX_HEAD)

    def read(self, length: int) -> bytes:
        """Read a message. Raise TooLong."""
        if length > MAX_MESSAGE:
            raise TooLong(f"policykit lsp: a message of {length:,} bytes; {MAX_MESSAGE:,} are read at most")
        return self._stream.read(length)


class Protocol(LanguageServerProtocol):
    """Answers what pygls only logs: what cannot be read, and what comes before `initialize` or after `shutdown`."""

    def structure_message(self, data: dict[str, Any]) -> Any:
        """Return a message; None for a request that cannot be read, which is answered here."""
        try:
            return super().structure_message(data)
        except JsonRpcException as error:
            if "method" not in data or not isinstance(data.get("id"), int | str):
                raise
            self._send_response(data["id"], error=error.to_response_error())
            return None

    def handle_message(self, message: Any) -> None:
        """Hand a message on, if this is the time for it."""
        if message is None:
            return
        method, asked = getattr(message, "method", ""), getattr(message, "id", None)
        error: JsonRpcException | None = None
        if self._shutdown:
            error = JsonRpcInvalidRequest("policykit lsp: it was shut down; only `exit` may follow")
        elif self._workspace is None and method != lsp.INITIALIZE:
            error = JsonRpcServerNotInitialized("policykit lsp: `initialize` comes first")
        if error is None or method == lsp.EXIT:
            super().handle_message(message)
        elif method and asked is not None:
            self._send_response(asked, error=error.to_response_error())
