"""What a person should do about each way in which a read can fail."""

from __future__ import annotations

from typing import Final

from policykit.clock import iso
from policykit.exchanges.base import Failure

#: Failure code -> the next step.
ADVICE: Final = {
    "KEY_REJECTED": "check that the key lives, that its secret is this one, and that it is of this host",
    "ADDRESS_NOT_ALLOWED": "run this where the key is allowed, or add this host's address to the key's allowlist",
    "PERMISSION_MISSING": "let the key read; what it may not read stays unknown",
    "CLOCK": "set this host's clock (chrony or systemd-timesyncd)",
    "RATE_LIMIT": "wait; leave room for reads in rate_budgets, or take snapshots less often",
    "BANNED": "send nothing from this address until then; find what broke the limit",
    "MAINTENANCE": "wait until the exchange is back, then take it anew",
    "NETWORK": "check this host's way to the exchange: name service, firewall, proxy, --endpoint",
    "NOT_SUPPORTED": "look it up on the exchange's page of the key, and record it under `declared:`",
    "BAD_ANSWER": "check the endpoint: something answered that is not the exchange",
    "READ_ONLY": "report it: this version asked for a call that it does not allow itself",
    "SECRET_UNAVAILABLE": "put the secret where the reference says, on the host where the key lives",
}


def said(failure: Failure, now_ms: int) -> str:
    """Return a failure's message; of a ban or a limit, until when."""
    if failure.code not in ("BANNED", "RATE_LIMIT") or not failure.retry_after_ms:
        return failure.message
    return f"{failure.message}; nothing may be sent before {iso(now_ms + failure.retry_after_ms)}"


def advice(code: str) -> str:
    """Return what to do about a failure code; empty where nothing can be said."""
    return ADVICE.get(code, "")
