"""What the store tells now: whether trading is on and who stopped it, the guards, the orders that nobody knows of."""

from __future__ import annotations

import json
import shlex
import socket
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from policykit.engine.facts import Halt
from policykit.guard.living import beats, undecided
from policykit.store import GuardInfo, Store
from policykit.telemetry.words import order_text

#: Guards that are gone and still shown, the latest first.
GONE_SHOWN: Final = 3
#: Orders of unknown outcome that are listed.
UNKNOWN_SHOWN: Final = 50


class Stopped(NamedTuple):
    """A halt in force, and the command that lifts it."""

    scope: str
    state: str
    by: str
    why: str
    at_ms: int
    freeze: bool
    latched: bool
    command: str


class Trading(NamedTuple):
    """The trading state in a word and a sentence. `level`: active, reducing, halted, unsure."""

    level: str
    word: str
    says: str
    halts: tuple[Stopped, ...] = ()


class Guarding(NamedTuple):
    """A guard: who, where it trades, under which policy, when it was heard."""

    bot: str
    account: str
    mode: str
    stage: str
    policy: str
    version: str
    beat_ms: int
    live: bool


class Unknown(NamedTuple):
    """An order that was sent and of which nobody knows whether it executed."""

    ident: str
    order: str
    bot: str
    at_ms: int


def trading(halts: list[Halt], live: int, idle: Mapping[str, str] = MappingProxyType({})) -> Trading:
    """Say whether trading is on. Several halts: the strictest is the word. `idle`: who decides on no increase."""
    stopped = tuple(
        Stopped(h.scope, h.state, h.by, h.why, h.at_ms, h.freeze, h.latched, _resume(h.scope)) for h in halts
    )
    if not stopped:
        if idle:
            why = "; ".join(f"{account}: {said}" for account, said in list(idle.items())[:3])
            return Trading("unsure", "ACTIVE, but blind", f"No increase is decided. {why}.")
        if live:
            return Trading("active", "ACTIVE", f"{live} {'guard is' if live == 1 else 'guards are'} on duty.")
        return Trading("unsure", "ACTIVE, no guard", "No guard is alive: no bot trades behind a policy now.")
    level = "halted" if any(h.state == "HALTED" for h in stopped) else "reducing"
    everything = any(h.scope == "all" and h.state.lower() == level for h in stopped)
    scopes = sorted({h.scope for h in stopped})
    where = "everywhere" if everything else "for " + ", ".join(scopes[:3]) + (" and more" if len(scopes) > 3 else "")
    frozen = any(h.freeze for h in stopped)
    says = "Nothing passes, exits neither." if frozen else "Orders that can only reduce still pass, and so do cancels."
    return Trading(level, level.upper(), f"New risk is refused {where}. {says}", stopped)


def _resume(scope: str) -> str:
    return f"policykit resume --scope {shlex.quote(scope)} --by NAME --why TEXT"


def guards(known: list[GuardInfo], now_ms: int) -> tuple[Guarding, ...]:
    """Return the guards that live, and the last of those that are gone."""
    host = socket.gethostname()
    told = [
        Guarding(
            info.bot, info.account, info.mode, _stage(info), info.policy_name, info.policy_version, info.beat_ms,
            beats(info, host, now_ms),
        )
        for info in known
    ]  # fmt: skip
    told.sort(key=lambda guard: (not guard.live, -guard.beat_ms))
    live = sum(guard.live for guard in told)
    return tuple(told[: live + GONE_SHOWN])


def _stage(info: GuardInfo) -> str:
    """Return the stage that a guard's effective policy says; empty when it told none."""
    try:
        stage = json.loads(info.policy or "{}").get("stage") or {}
        return str(stage.get("current", ""))
    except (ValueError, AttributeError):
        return ""


def unknown(store: Store, now_ms: int) -> tuple[Unknown, ...]:
    """Return the orders of unknown outcome, oldest first."""
    found = undecided(store, socket.gethostname(), now_ms)[:UNKNOWN_SHOWN]
    return tuple(Unknown(i.id, order_text(i.order.to_dict()), i.bot, i.signed_ms or i.decided_ms) for i in found)
