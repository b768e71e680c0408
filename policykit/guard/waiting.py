"""What increases wait for after a start: orders of an earlier run, a first comparison; and until when."""

from __future__ import annotations

from typing import TYPE_CHECKING

from policykit.clock import iso
from policykit.errors import StoreUnavailable

if TYPE_CHECKING:
    from policykit.guard.core import Guard


def waits(guard: Guard) -> tuple[str, ...]:
    """Return a sentence for each thing that `RECOVERY_PENDING` waits for; () when there is none."""
    found = []
    if not guard.recovered:
        try:
            left = guard.abandoned()
        except StoreUnavailable:
            left = []  # the store's own reason stands beside this one
        first = f" (the first: {left[0].client_order_id}, {left[0].order.symbol})" if left else ""
        found.append(f"orders of an earlier run were not looked up yet: {len(left)}{first}")
    if not guard.reconciled:
        found.append("the account was not compared with what it should have yet (reconciliation)")
    return (*found, _until(guard)) if found else ()


def _until(guard: Guard) -> str:
    due_ms = guard.next_round_ms
    if due_ms is None:
        return "no round of maintenance is due: run the bot in `with guard:`"
    return f"the next round of maintenance does it, due at {iso(due_ms)}"
