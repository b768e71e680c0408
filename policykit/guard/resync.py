"""The exchange's clock, measured anew as soon as it refused a request for its time (G03).

What was refused is not sent again; the next request is signed by the exchange's clock. How far this host's own clock
is off becomes a fact at once: beyond `clock.max_skew` increases are denied, whatever the client signs.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final

from policykit.exchanges.base import Steps
from policykit.store import Observation

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: One client's clock is measured at most once in so long, however many threads are refused, ms.
EVERY_MS: Final = 5_000


class Resync:
    """The clock of one client. Thread-safe."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._last_ms: float | None = None

    def due(self) -> bool:
        """Tell whether to measure now; the one caller that is told so does. Never in shadow mode."""
        if self._guard.mode == "shadow":
            return False
        now = self._guard.clock.monotonic_ms()
        with self._lock:
            if self._last_ms is not None and now - self._last_ms < EVERY_MS:
                return False
            self._last_ms = now
            return True

    def measure(self, client: Any) -> Steps[None]:
        """Ask for the exchange's time; sign by it, and take in how far this host's clock is from it.

        `client.milliseconds()` is what ccxt takes its offset off. Raise CallFailed.
        """
        guard = self._guard
        here, began = client.milliseconds(), guard.now()
        server = yield from guard.adapter.server_time()
        guard.adapter.set_offset(client, (here + client.milliseconds()) // 2 - server)
        until = guard.now()
        guard.take_in(Observation(began, until, skew_ms=(began + until) // 2 - server))
