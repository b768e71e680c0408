"""What a protected client raises: policykit's errors in classes that a ccxt bot already catches."""

from __future__ import annotations

from ccxt.base.errors import BaseError, InvalidOrder

from policykit.errors import Denied, OutcomeUnknown
from policykit.redact import scrub


class ClientDenied(Denied, InvalidOrder):  # type: ignore[misc]
    """The policy does not allow it; nothing was sent. A `ccxt.InvalidOrder`, which no bot retries."""


class ClientOutcomeUnknown(OutcomeUnknown, BaseError):  # type: ignore[misc]
    """Nobody knows whether the order executed. No NetworkError: bots retry those."""


def scrubbed(error: BaseException) -> BaseException:
    """Return an error of the same ccxt class whose text holds no secret and no signed URL."""
    if isinstance(error, Denied | OutcomeUnknown) or not isinstance(error, BaseError):
        return error
    clean: BaseException = type(error)(scrub(str(error)))
    return clean
