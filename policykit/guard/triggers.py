"""`kill_switch.triggers`: what halts an account by itself, because something goes wrong again and again.

Counted in windows of the store, so over every process and restart. Losses, drawdown, drift and repeated entries are
limits of their own, whose `on_breach: halt` does the same (deciding.trip).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from policykit.decision import Hold
from policykit.errors import StoreUnavailable
from policykit.orders.intent import Intent

if TYPE_CHECKING:
    from policykit.engine.facts import Facts
    from policykit.guard.core import Guard
    from policykit.model import Triggers as Policy

#: The trigger that counts an outcome, and what an order of it came to.
_COUNTED: Final = {"rejected": ("rejects", "were refused"), "unknown": ("unknowns", "have an unknown outcome")}


class Triggers:
    """The triggers of one guard."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._since_ms = guard.now()

    @property
    def _policy(self) -> Policy | None:
        switch = self._guard.policy.model.kill_switch
        return None if switch is None or self._guard.mode == "shadow" else switch.triggers

    def count(self, before: Intent, after: Intent) -> None:
        """Count what an order came to; halt the account where it is one too many."""
        policy, guard = self._policy, self._guard
        if policy is None or before.state == after.state or after.state not in _COUNTED:
            return
        name, what = _COUNTED[after.state]
        window = getattr(policy, name)
        if window is None:
            return
        field, span = f"kill_switch.triggers.{name}", window.per.ms
        hold = Hold(f"{guard.account}|{name}|{span}", 1, window.limit, "window", field, span)
        with suppress(StoreUnavailable):  # increases are denied as long as it is down
            if not guard.store.use((hold,), guard.now()).granted:
                why = f"more than {window.limit} orders {what} in {window.per}"
                guard.halt_once(f"account:{guard.account}", "HALTED", field, why, decision_id=after.id)

    def started(self) -> None:
        """Say that the maintenance loop begins: what was read before it is no fault of this run."""
        self._since_ms = self._guard.now()

    def look(self, facts: Facts) -> None:
        """Halt the account if it went unread for too long while the maintenance loop runs."""
        policy, guard = self._policy, self._guard
        if policy is None or policy.stale_data is None or not guard.looping:
            return
        read_ms = max(facts.positions_as_of_ms or 0, 0 if facts.equity is None else facts.equity.as_of_ms)
        age = guard.now() - max(read_ms, self._since_ms)
        if age > max(policy.stale_data.ms, guard.engine.setup.max_age_ms):  # younger facts are not even stale
            why = f"the account was not read for {age / 1000:.0f} s; stale_data is {policy.stale_data}"
            guard.halt_once(f"account:{guard.account}", "HALTED", "kill_switch.triggers.stale_data", why)
