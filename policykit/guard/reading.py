"""Reads that failed are tried again: exponential back-off with jitter, bounded, and only where trying again can help.

Never an order, a cancel or a setting; never what a key, an address or a permission was refused for; never before the
time that the exchange named (the gate waits for that by itself). tenacity counts and loops; nothing of it is loaded,
and nothing here costs anything, before a read has failed.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from ccxt.base.errors import OperationFailed

from policykit.exchanges.base import Failure
from policykit.guard.admission import CURRENT
from policykit.guard.client_errors import ReadWaits
from policykit.guard.own import OWN
from policykit.model.retry import DataRetry

if TYPE_CHECKING:
    from tenacity import AsyncRetrying, RetryCallState

    from policykit.guard.core import Guard

#: What `retry.data` leaves out (GUIDE G27: base x 2^attempt plus random jitter, 3 to 5 attempts at most).
WAIT_INITIAL_MS: Final = 500
FACTOR: Final = 2
WAIT_MAX_MS: Final = 30_000
ATTEMPTS: Final = 5
#: Waits grow no further after so many tries: no power of a factor is beyond a float.
MAX_GROWTH: Final = 30
#: The guard's own reads are not tried again beyond so long, ms: its next round, or its next look-up, is due soon.
OWN_PATIENCE_MS: Final = 2_000
#: Failures that end by themselves.
PASSING: Final = frozenset(("NETWORK", "MAINTENANCE", "RATE_LIMIT", "CLOCK"))

#: True while `fetch2` stands behind the request: a failed read can be signed and sent again.
AGAIN: ContextVar[bool] = ContextVar("policykit_again", default=False)


class ReadFailed(Exception):
    """A read failed in a way that passes. Inside the client only; no class of ccxt's, whose own loop would retry."""

    def __init__(self, error: BaseException, started_ms: float) -> None:
        super().__init__(str(error))
        self.error = error
        self.started_ms = started_ms


class Reads:
    """How one client's reads are tried again, as `retry.data` says."""

    def __init__(self, guard: Guard, rng: random.Random | None = None) -> None:
        """`rng` is for tests; the usual one is no bot's, which may have been seeded alike in a whole fleet."""
        self._guard = guard
        self._random = rng or random.SystemRandom()

    @property
    def policy(self) -> DataRetry:
        """`retry.data`."""
        retry = self._guard.policy.model.retry
        return (retry.data if retry else None) or DataRetry()

    @property
    def wait_max_ms(self) -> int:
        """The longest wait of a read."""
        return self.policy.wait_max.ms if self.policy.wait_max is not None else WAIT_MAX_MS

    def helps(self, failure: Failure, error: BaseException) -> bool:
        """Tell whether the same read may pass when it is sent again, here and within the longest wait."""
        if not AGAIN.get() or isinstance(error, ReadWaits) or self._guard.mode == "shadow":
            return False
        if CURRENT.get() is not None:  # an order waits for it: it is not sent, which the bot should hear at once
            return False
        if (failure.retry_after_ms or 0) > (self.wait_max_ms if OWN.get() is None else OWN_PATIENCE_MS):
            return False
        failed = failure.code == "UNKNOWN" and isinstance(error, OperationFailed)  # ccxt's word for such
        return failed or failure.code in PASSING

    def wait_s(self, tried: int) -> float:
        """Return how long to wait after so many tries."""
        said = self.policy
        first = WAIT_INITIAL_MS if said.wait_initial is None else said.wait_initial.ms
        factor = float(FACTOR if said.factor is None else said.factor)
        span = min(self.wait_max_ms, first * factor ** min(tried - 1, MAX_GROWTH)) / 1000
        least = {"none": span, "equal": span / 2}.get(said.jitter or "full", 0.0)
        return self._random.uniform(least, span)

    def loop(self, sleep: Callable[[float], Awaitable[None]], started_ms: float) -> AsyncRetrying:
        """Return the loop over the tries of one read; the first one, which began at `started_ms`, counts as well."""
        from tenacity import AsyncRetrying, retry_if_exception_type

        most = self.policy.attempts or ATTEMPTS
        own = OWN.get() is not None

        def over(state: RetryCallState) -> bool:
            next_ms = self._guard.clock.monotonic_ms() + state.upcoming_sleep * 1000
            return state.attempt_number >= most or (own and next_ms - started_ms > OWN_PATIENCE_MS)

        def wait(state: RetryCallState) -> float:
            return self.wait_s(state.attempt_number)

        retried: Any = retry_if_exception_type(ReadFailed)
        return AsyncRetrying(sleep=sleep, stop=over, wait=wait, retry=retried, reraise=True)
