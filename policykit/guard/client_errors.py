"""What a protected client raises: policykit's errors in classes that a ccxt bot already catches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ccxt.base.errors import (
    BadResponse,
    BaseError,
    DDoSProtection,
    ExchangeError,
    InvalidOrder,
    PermissionDenied,
    RateLimitExceeded,
)

from policykit.decision import Decision
from policykit.errors import Denied, OutcomeUnknown
from policykit.exchanges.base import CallFailed
from policykit.redact import scrub


class ClientDenied(Denied, InvalidOrder):  # type: ignore[misc]
    """The policy does not allow it; nothing was sent. A `ccxt.InvalidOrder`, which no bot retries."""


class ClientHeld(Denied, ExchangeError):  # type: ignore[misc]
    """A stop that may not be placed now, for a reason that passes by itself; nothing was sent.

    No InvalidOrder: on that freqtrade leaves the trade at the market (`create_stoploss_order`, 2026.9), while after
    any other ExchangeError it places the stop again in its next round.
    """


class ClientRefused(Denied, PermissionDenied):  # type: ignore[misc]
    """A call, not an order, that the policy does not allow. A `ccxt.PermissionDenied`: no key could make it pass."""


class ClientOutcomeUnknown(OutcomeUnknown, BaseError):  # type: ignore[misc]
    """Nobody knows whether the order executed. No NetworkError: bots retry those.

    `orders` is what became of each order of a batch that this one was in, as `create_orders` would have returned it.
    """

    def __init__(self, intent: str, message: str, orders: Sequence[Any] = ()) -> None:
        super().__init__(intent, message)
        self.orders = list(orders)


#: Reasons for which a stop is tried again, rather than given up: nobody has to change anything for them to end.
PASSING: Final = frozenset(
    (
        *("RATE_BANNED", "RATE_BUDGET", "RATE_ORDERS", "PERMIT_EXPIRED", "STATE_MOVING", "ORDER_OUTCOME_PENDING"),
        *("RECOVERY_PENDING", "FACTS_MISSING", "FACTS_STALE", "PRICE_MISSING", "PRICE_STALE", "STORE_DOWN"),
        *("STORE_LOCKED", "TRADING_FROZEN", "DEAD_MAN_UNARMED"),
    )
)


def client_denied(decision: Decision, message: str) -> Denied:
    """Return the denial that a protected client raises."""
    waits = decision.order.stop_price is not None and all(reason.code in PASSING for reason in decision.reasons)
    return (ClientHeld if waits else ClientDenied)(decision, message)


class ReadWaits(DDoSProtection, RateLimitExceeded):  # type: ignore[misc]
    """A read that may not be sent yet, and would have to wait longer than `retry.data.wait_max`.

    Both of ccxt's classes, which know nothing of each other: bots that wait on one of them wait (freqtrade 2026.9 backs
    off on a DDoSProtection alone, and repeats a RateLimitExceeded at once).
    """


class SignAgain(ReadWaits):
    """A signed read waited for its budget, and its signature grew old; the protected client signs it again."""


def scrubbed(error: Exception) -> Exception:
    """Return an error of the same ccxt class whose text holds no secret and no signed URL.

    An answer that the transport refused is a `BadResponse`. Of an exception that is neither ccxt's nor ours only the
    class is told: its text can hold anything.
    """
    if isinstance(error, Denied | OutcomeUnknown | SignAgain):
        return error
    if isinstance(error, BaseError | CallFailed):
        kind = BadResponse if isinstance(error, CallFailed) else type(error)
        clean: Exception = kind(scrub(str(error)))
        return clean
    unread: Exception = BaseError(f"{type(error).__name__} inside the client; nothing more is known")
    return unread
