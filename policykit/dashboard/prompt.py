"""A connection of the exporter that is let go when nothing comes of it: a few idle ones would else keep Prometheus out.

Imported only where a server is started: it loads uvicorn.
"""

from __future__ import annotations

from typing import Any, Final

from uvicorn.protocols.http.h11_impl import H11Protocol

#: For a request to be whole, and again for its answer to be taken, seconds. Prometheus gives a scrape up 10 s after it.
PATIENCE_S: Final = 15


class Prompt(H11Protocol):
    """HTTP/1.1, with an end for who sends a byte now and then, or does not take the answer (uvicorn has none)."""

    def connection_made(self, transport: Any) -> None:
        """Begin to watch the connection."""
        super().connection_made(transport)
        self.loop.call_later(PATIENCE_S, self._look, None)

    def _look(self, seen: object) -> None:
        """Cut the connection that is at the same request, or before the first, as at the last look."""
        if self.transport.is_closing():
            return
        if self.cycle is seen:
            self.transport.abort()
            return
        self.loop.call_later(PATIENCE_S, self._look, self.cycle)
