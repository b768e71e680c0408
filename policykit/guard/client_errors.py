"""What a protected client raises: policykit's errors in classes that a ccxt bot already catches."""

from __future__ import annotations

from ccxt.base.errors import BaseError, InvalidOrder, PermissionDenied, RateLimitExceeded

from policykit.errors import Denied, OutcomeUnknown
from policykit.redact import scrub


class ClientDenied(Denied, InvalidOrder):  # type: ignore[misc]
    """The policy does not allow it; nothing was sent. A `ccxt.InvalidOrder`, which no bot retries."""


class ClientRefused(Denied, PermissionDenied):  # type: ignore[misc]
    """A call, not an order, that the policy does not allow. A `ccxt.PermissionDenied`: no key could make it pass."""


class ClientOutcomeUnknown(OutcomeUnknown, BaseError):  # type: ignore[misc]
    """Nobody knows whether the order executed. No NetworkError: bots retry those."""


class SignAgain(RateLimitExceeded):  # type: ignore[misc]
    """A signed read waited for its budget, and its signature grew old; the protected client signs it again."""


def scrubbed(error: Exception) -> Exception:
    """Return an error of the same ccxt class whose text holds no secret and no signed URL.

    Of an exception that is neither ccxt's nor ours only the class is told: its text can hold anything.
    """
    if isinstance(error, Denied | OutcomeUnknown | SignAgain):
        return error
    if isinstance(error, BaseError):
        clean: Exception = type(error)(scrub(str(error)))
        return clean
    unread: Exception = BaseError(f"{type(error).__name__} inside the client; nothing more is known")
    return unread
