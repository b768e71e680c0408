"""The errors of policykit.

    PolicykitError
    |-- PolicyError           a policy cannot be read, composed or enforced; has `findings` (the PK0 ones)
    |-- Denied                a decision said no; has `decision`
    |-- StoreUnavailable      the store cannot be reached, written or trusted; increases are denied
    |-- ExchangeUnavailable   the exchange cannot be reached, or refused the call; has `code`
    |-- SecretUnavailable     a secret reference leads nowhere; names what is missing, never a value
    `-- OutcomeUnknown        an order was sent and nobody knows whether it executed; has `intent`

From a protected ccxt client, `Denied` is also a `ccxt.InvalidOrder` and `OutcomeUnknown` a `ccxt.BaseError` that is
no NetworkError (`guard` makes those classes): what a bot already catches stays catchable, and bots retry NetworkError.
Foreign exceptions are converted at the edge `from None`: their text can hold a signed URL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policykit.finding import Finding

if TYPE_CHECKING:
    from policykit.decision import Decision


class PolicykitError(Exception):
    """The root of all errors of policykit."""


class PolicyError(PolicykitError):
    """A policy cannot be used; each finding says where, what is, what may be, and what to do."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        self.findings = findings
        super().__init__("\n".join(f"{f.primary}: {f.message}" for f in findings))


class Denied(PolicykitError):
    """The policy does not allow it; nothing was sent."""

    def __init__(self, decision: Decision, message: str) -> None:
        self.decision = decision
        super().__init__(message)


class StoreUnavailable(PolicykitError):
    """The store cannot be used; `code` is a reason code (STORE_DOWN, STORE_DAMAGED, STORE_RESET, STORE_EPHEMERAL)."""

    def __init__(self, message: str, code: str = "STORE_DOWN") -> None:
        self.code = code
        super().__init__(message)


class ExchangeUnavailable(PolicykitError):
    """The exchange did not answer, or refused; `code`: key, address, permission, clock, rate, ban, network."""

    def __init__(self, message: str, code: str = "NETWORK") -> None:
        self.code = code
        super().__init__(message)


class SecretUnavailable(PolicykitError):
    """A secret reference leads nowhere."""


class OutcomeUnknown(PolicykitError):
    """An order was sent and its outcome is unknown; the reservation stays until it is settled."""

    def __init__(self, intent: str, message: str) -> None:
        self.intent = intent
        super().__init__(message)
