"""What a person should do about each way in which a read can fail."""

from __future__ import annotations

from typing import Final

from policykit.clock import iso
from policykit.exchanges.base import Failure

#: Failure code -> the next step.
ADVICE: Final = {
    "KEY_REJECTED": "check key, secret and allowlist, and whether the key lives and is of this environment",
    "ADDRESS_NOT_ALLOWED": "run this where the key is allowed, or add this host's address to the key's allowlist",
    "PERMISSION_MISSING": "let the key read; what it may not read stays unknown",
    "CLOCK": "set this host's clock (chrony, systemd-timesyncd); where it is right, give each program its own key",
    "RATE_LIMIT": "wait, then ask again; where it recurs, leave room for reads in rate_budgets, or read less often",
    "BANNED": "send nothing until then, from this address and with this key; find what sent too much or a wrong key",
    "MAINTENANCE": "wait until the exchange is back, then ask again",
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
