"""The life of one stream as pure steps: when it may connect, whether it is heard, and what a gap asks for.

Times are ms of one monotonic clock, but for those called `utc_ms`; chance comes in as an argument.
"""

from __future__ import annotations

from policykit.orders.backoff import Backoff


class Line:
    """One stream of messages from an exchange, over all its connections.

    `silence_ms`: how long it may say nothing while it is connected; None: for ever (a stream of own orders says nothing
    while nothing happens, and only its connection tells that it lives). It is *up* from its first message after a
    connect on, or from the connect where it may be silent. What was said while it was not up is lost: it is *whole*
    again once the account was read by a request that was sent after it came up.
    """

    def __init__(self, now: float, silence_ms: int | None = None) -> None:
        self.silence_ms = silence_ms
        #: Connects in a row that failed, were denied, or did not live long.
        self.failures = 0
        #: Since when it is connected; None: it is not.
        self.connected: float | None = None
        #: The last sign of life; before the first one, the beginning.
        self.heard_at = now
        #: The last gap, measured when it came up again, ms.
        self.gap = 0.0
        #: When it came up (UTC ms), until it is whole.
        self.back_utc_ms: int | None = None
        self._up = False
        self._not_before = now

    def wait_ms(self, now: float) -> float:
        """Return how long no connect may be tried."""
        return max(0.0, self._not_before - now)

    def opened(self, now: float, utc_ms: int) -> None:
        """Say that it is connected, and subscribed."""
        self.connected = now
        if self.silence_ms is None:
            self.heard(now, utc_ms)

    def heard(self, now: float, utc_ms: int) -> bool:
        """Take a sign of life; True: it has come up by it."""
        came = not self._up and self.connected is not None
        if came:
            self._up = True
            self.gap = max(0.0, now - self.heard_at)
            self.back_utc_ms = utc_ms
        self.heard_at = now
        return came

    # INVARIANT I7: waits grow until a connection has lived as long as the longest wait, so that no loop makes a storm.
    def lost(self, now: float, backoff: Backoff, chance: float) -> None:
        """Say that its connection ended, or that a connect failed or was denied."""
        if self.connected is not None:
            if self._up and self.silence_ms is None:
                self.heard_at = now  # a connection that may be silent was alive until now
            if now - self.connected >= backoff.max_ms:
                self.failures = 0
        self.failures += 1
        self.connected, self._up, self.back_utc_ms = None, False, None
        self._not_before = now + backoff.wait_ms(self.failures, chance)

    def gap_ms(self, now: float) -> float:
        """Return how long nothing was heard; 0 while it is connected and may be silent."""
        if self._up and self.silence_ms is None:
            return 0.0
        return max(0.0, now - self.heard_at)

    def silent_in_ms(self, now: float) -> float | None:
        """Return in how long it has been silent for too long; None: it may be silent, or is not connected."""
        if self.silence_ms is None or self.connected is None:
            return None
        return max(self.heard_at, self.connected) + self.silence_ms - now

    def stale(self, now: float) -> bool:
        """Tell whether what was heard says nothing of now: it is not up, or silent beyond its bound."""
        return not self._up or (self.silence_ms is not None and now - self.heard_at > self.silence_ms)

    def read(self, as_of_utc_ms: int | None) -> bool:
        """Tell whether it is whole, by when the request was sent that read the account last."""
        if self.back_utc_ms is not None and as_of_utc_ms is not None and as_of_utc_ms > self.back_utc_ms:
            self.back_utc_ms = None
        return self.back_utc_ms is None
