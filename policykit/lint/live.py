"""Read live state for lint: say what it costs, take a snapshot, and make what failed unknown, never a pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from policykit.clock import iso
from policykit.lint.state import State

if TYPE_CHECKING:
    from policykit.lint import TakeState
    from policykit.policy import EffectivePolicy


def taker(endpoint: str | None, now_ms: int, announce: Callable[[str], None]) -> TakeState:
    """Return what reads the live state of a policy's keys, on the host where they live.

    `announce` is given one line with the cost before anything is sent. The reader raises ValueError for an endpoint
    that is no origin, or plain http off this machine.
    """
    from policykit import secrets
    from policykit.errors import ExchangeUnavailable, SecretUnavailable
    from policykit.exchanges import snapshot as live
    from policykit.snapshot import Snapshot

    def take(policy: EffectivePolicy) -> tuple[State, tuple[str, ...]]:
        announce(cost_line(policy, live.plan(policy)))
        try:
            taken = live.take(policy, endpoint=endpoint, secret_source=secrets.read)
        except (ExchangeUnavailable, SecretUnavailable) as error:
            lines = (str(error),)
            errors = [{"key": name, "code": "NOT_READ", "message": str(error)} for name in policy.model.keys or {}]
            return State(Snapshot(iso(now_ms), policy.model.exchange, endpoint, errors=errors)), lines
        return State(taken), tuple(_line(policy, error) for error in taken.errors)

    return take


def _line(policy: EffectivePolicy, error: dict[str, str]) -> str:
    name = error.get("key")
    place = policy.place(f"keys.{name}") if name else policy.place("exchange")
    what = f"key `{name}` could not be read" if name else "live state could not be read"
    return f"{place}: {what}: {error.get('message', '')}"


def cost_line(policy: EffectivePolicy, plan: dict[str, int]) -> str:
    """Return `live: binance, 1 key, 6 calls, 14 of 6000 weight a minute, no order endpoint`."""
    from policykit.traits import load

    keys, calls = len(policy.model.keys or {}), plan["calls"]
    traits = load(policy.model.exchange)
    windows = [w for w in (traits.rate_windows if traits else ()) if w.name == "request-weight"]
    of = f" of {windows[0].limit}" if windows else ""
    parts = [
        policy.model.exchange,
        f"{keys} key{'' if keys == 1 else 's'}",
        f"{calls} call{'' if calls == 1 else 's'}",
        f"{plan['weight']}{of} weight a minute",
        "no order endpoint",
    ]
    return f"live: {', '.join(parts)}"
