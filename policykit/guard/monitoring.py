"""What `policykit status --check` tells a monitor: one line, and whether all is well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from policykit.guard.living import beats, undecided
from policykit.guard.measures import watched
from policykit.guard.notices import Notice, halted, notices, undecidable
from policykit.redact import scrub
from policykit.store import Store
from policykit.telemetry.causes import BY_ID

#: Troubles that the line names.
NAMED: Final = 3


class Bounds(NamedTuple):
    """What a monitor puts up with: orders of unknown outcome, silence of a guard (ms), so few live guards."""

    unknown: int = 0
    silent_ms: int = 60_000
    guards: int = 0


class State(NamedTuple):
    """What a store is like: what is wrong with it, and three counts; None: it cannot tell."""

    problems: tuple[Notice, ...]
    guards: int | None = None
    halts: int | None = None
    unknown: int | None = None

    @property
    def well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def line(self) -> str:
        """Return it as one line: what monitors show, with their performance data behind the bar."""
        counts = (("guards", self.guards), ("halts", self.halts), ("unknown", self.unknown))
        told = " ".join(f"{name}={count}" for name, count in counts if count is not None)
        figures = f" | {told}" if told else ""
        if self.well:
            trading = "ACTIVE" if not self.halts else "halted for a drill"
            return f"OK: trading is {trading}, live guards: {self.guards}, unknown orders: {self.unknown}{figures}"
        more = f"; and {len(self.problems) - NAMED} more" if len(self.problems) > NAMED else ""
        said = "; ".join(f"{problem.what}" for problem in self.problems[:NAMED])
        return scrub(f"TROUBLE ({len(self.problems)}): {said}{more}{figures}")

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON data, version 1."""
        problems = [
            {"cause": one.cause, "subject": one.subject, "severity": one.severity, "what": one.what, "do": one.do}
            | ({"since_ms": one.since_ms} if one.since_ms is not None else {})
            for one in self.problems
        ]
        counts = {"guards": self.guards, "halts": self.halts, "unknown_orders": self.unknown}
        return {"version": 1, "well": self.well, "problems": problems, **counts}


def inspect(store: Store, host: str, now_ms: int, bounds: Bounds, damage: str | None = None) -> State:
    """Return what is wrong with the accounts and guards of a store, the worst first. Raise StoreUnavailable.

    `damage` is what is wrong with its journal.
    """
    found = [halted(halt) for halt in store.halts() if not halt.drill]
    for one in watched(store, host, now_ms):
        found += notices(one.engine, store, host, now_ms, silent_ms=bounds.silent_ms)
    for account, why in idle(store, host, now_ms).items():
        found.append(Notice("cannot_decide", account, f"{account} decides on no increase: {why}"))
    unknown = len(undecided(store, host, now_ms))
    live = sum(beats(guard, host, now_ms) for guard in store.guards())
    found = [one for one in found if one.cause != "unknown_order" or unknown > bounds.unknown]
    if damage is not None:
        found.append(damaged(damage))
    if live < bounds.guards:
        found.append(Notice("guard_silent", "guards", f"live guards: {live}; at least {bounds.guards} are meant"))
    return State(tuple(_once(found)), live, len(store.halts()), unknown)


def idle(store: Store, host: str, now_ms: int) -> dict[str, str]:
    """Return why every increase of an account is denied though its guards are on duty: its exchange does not answer."""
    found = {}
    for one in watched(store, host, now_ms):
        if one.live and one.info.loop:
            why = one.info.unproven or undecidable(one.policy, store.facts(one.info.account, ""), now_ms)
            if why:
                found[one.info.account] = why
    return found


def damaged(why: str) -> Notice:
    """Say that the journal is damaged: a store on it denies every increase."""
    return Notice(
        "cannot_decide", "journal", f"the journal: {' '.join(scrub(why).split())}", "policykit journal verify"
    )


def _once(found: Iterable[Notice]) -> list[Notice]:
    """Return each once, those that cannot wait first."""
    kept = {notice.key: notice for notice in reversed(list(found))}
    order = list(BY_ID)
    return sorted(kept.values(), key=lambda one: (one.severity != "critical", order.index(one.cause), one.subject))
