"""What a person should do about each way in which a read can fail."""

from __future__ import annotations

from policykit.clock import iso
from policykit.exchanges.base import Failure
from policykit.snapshot import ADVICE


def said(failure: Failure, now_ms: int) -> str:
    """Return a failure's message; of a ban or a limit, until when."""
    if failure.code not in ("BANNED", "RATE_LIMIT") or not failure.retry_after_ms:
        return failure.message
    return f"{failure.message}; nothing may be sent before {iso(now_ms + failure.retry_after_ms)}"


def advice(code: str) -> str:
    """Return what to do about a failure code; empty where nothing can be said."""
    return ADVICE.get(code, "")
