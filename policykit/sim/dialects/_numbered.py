"""What dialects share whose exchange numbers a key's requests: a number that is not above the last one is refused."""

from __future__ import annotations

from abc import abstractmethod

from policykit.sim.dialects.base import Call, Reply, Request, World
from policykit.sim.dialects.reading import Reading


class Numbered(Reading):
    """A dialect of reads with nonces: strictly rising a key, whatever the time is."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    @abstractmethod
    def number(self, request: Request) -> tuple[str, str]:
        """Return the key and the nonce of a request, as sent."""

    def gate(self, world: World, call: Call, now_ms: int) -> Reply | None:
        """Check as every dialect does, then the number, which counts once it is signed by the key."""
        refused = super().gate(world, call, now_ms)
        if refused is not None or call.route.security == "none":
            return refused
        key, nonce = self.number(call.request)
        if not nonce.isdigit() or int(nonce) <= self._last.get(key, 0):
            return self.error("clock", now_ms)
        self._last[key] = int(nonce)
        return None
