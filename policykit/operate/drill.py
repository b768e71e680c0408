"""Drill the kill switch: trip it, measure how long each process went on sending, verify, re-arm, write it down.

In a sandbox, or against the simulated exchange, everything that a kill does is done. On a live account only with
`noop`: the halt is real and ends within seconds, and nothing is cancelled.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from policykit.clock import Clock, iso
from policykit.engine.facts import DRILL_NOTHING_CANCELLED
from policykit.errors import PolicykitError
from policykit.guard.halt import ON_THE_WIRE_MS, Cancelled, wait_for_sends
from policykit.guard.kill import finish, may_resume
from policykit.operate.person import Person
from policykit.policy import EffectivePolicy, load
from policykit.store import SEND_WITHIN_MS, GuardInfo, Store

#: A guard that was silent for so long takes part in no drill, ms.
SILENT_MS: Final = 60_000
#: An order that increases may leave so long after the trip, ms: what was granted before it.
BOUND_MS: Final = SEND_WITHIN_MS + ON_THE_WIRE_MS


class NoDrill(PolicykitError):
    """A drill that must not be held, and why."""


@dataclass(frozen=True, slots=True)
class Sender:
    """A process that trades on a drilled account. `last_send_ms`: from the trip to its last order that increases.

    None: it sent none after the trip.
    """

    account: str
    bot: str
    host: str
    pid: int
    last_send_ms: int | None

    @property
    def late(self) -> bool:
        """Tell whether it sent later than it may."""
        return self.last_send_ms is not None and self.last_send_ms > BOUND_MS


@dataclass(slots=True)
class Drill:
    """What a drill came to. `took_ms`: from the trip until all was cancelled and seen."""

    at_ms: int
    noop: bool
    took_ms: int = 0
    senders: list[Sender] = field(default_factory=list)
    accounts: list[Cancelled] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Tell whether the switch did what it must: in time, in every account, in every family."""
        whole = all(account.complete for account in self.accounts)
        return whole and not self.problems and not any(sender.late for sender in self.senders)

    def row(self, account: str, by: Person) -> dict[str, Any]:
        """Return what the journal keeps of it for one account."""
        found = next((one for one in self.accounts if one.account == account), None)
        sums = {
            name: sum(getattr(count, name) for count in found.families.values()) if found else 0
            for name in ("listed", "cancelled", "kept", "left")
        }
        unknown = {name: c.unknown for name, c in found.families.items() if c.unknown} if found else {}
        return {
            "by": by.name,
            "claim": by.to_dict(),
            "result": "passed" if self.passed else "failed",
            "live_noop": self.noop,
            "took_ms": self.took_ms,
            "senders": [
                {"bot": s.bot, "host": s.host, "pid": s.pid, "last_send_ms": s.last_send_ms}
                for s in self.senders
                if s.account == account
            ],
            **({} if self.noop else sums | {"unknown": unknown}),
            "problems": list(self.problems),
        }


def drill_kill(
    store: Store, clock: Clock, files: Sequence[str], by: Person, *, noop: bool = False, endpoint: str | None = None
) -> Drill:
    """Hold a drill over the accounts of these policies. Raise NoDrill before anything is tripped, StoreUnavailable.

    The halt is lifted at its end, whatever came of it: so only who may re-arm may drill, and nothing else may be halted
    there.
    """
    policies = {file: load(file, now_ms=clock.now_ms()) for file in files}
    accounts = sorted({policy.account_key for policy in policies.values()})
    _may(store, clock, policies, by, noop=noop, endpoint=endpoint)
    drill = Drill(clock.now_ms(), noop)
    why = DRILL_NOTHING_CANCELLED if noop else "drill of the kill switch"
    started, halted = clock.monotonic_ms(), []
    try:
        for account in accounts:
            scope = f"account:{account}"
            tripped_ms = clock.now_ms()
            answer = store.halt(scope, "HALTED", by.name, why, tripped_ms, claim=by.to_dict())
            halted.append((account, scope, tripped_ms, answer))
        for account, scope, tripped_ms, answer in halted:
            if noop:
                sending = [intent.id for intent in wait_for_sends(store, clock, answer[1])]
            else:
                mine = [file for file, policy in policies.items() if policy.account_key == account]
                killed = finish(store, clock, scope, answer, mine, endpoint)
                sending = killed.sending
                drill.accounts += killed.accounts
                drill.problems += [f"{what}: {reason}" for what, reason in killed.not_reached.items()]
            drill.problems += [f"{account}: still sending, without a gate: intent {one}" for one in sending]
            drill.senders += _senders(store, account, tripped_ms, clock.now_ms())
        drill.took_ms = round(clock.monotonic_ms() - started)
    finally:
        for _, scope, _, _ in halted:
            drill.problems += _rearm(store, clock, scope, by)
    for account in accounts:
        # Only a drill that passed counts as held: a switch that failed is one that was not drilled.
        name = "kill" if drill.passed else "kill failed"
        store.keep(account, "drill", name, drill.row(account, by), clock.now_ms())
    return drill


def _rearm(store: Store, clock: Clock, scope: str, by: Person) -> list[str]:
    """Lift a drill's halt, unless somebody halted the same scope meanwhile; return what is wrong then."""
    meant = [halt for halt in store.halts() if halt.scope == scope and not halt.drill]
    if meant:
        return [f"{scope} was {meant[0].state} by {meant[0].by} meanwhile ({meant[0].why}): it is not re-armed"]
    store.resume(scope, by.name, "drill of the kill switch is over", clock.now_ms(), claim=by.to_dict())
    return []


def _may(
    store: Store,
    clock: Clock,
    policies: Mapping[str, EffectivePolicy],
    by: Person,
    *,
    noop: bool,
    endpoint: str | None,
) -> None:
    if not policies:
        raise NoDrill("no policy is known to this store; name one with --policy")
    refused = may_resume(policies, by.name, clock.now_ms())
    if refused is not None:
        raise NoDrill(f"{refused}, and a drill ends with that")
    guards = store.guards()
    for file, policy in policies.items():
        scopes = (f"account:{policy.account_key}", f"exchange:{policy.model.exchange}", "all")
        standing = [halt for halt in store.halts() if halt.scope in scopes]
        if standing:
            raise NoDrill(f"{standing[0].scope} is {standing[0].state} by {standing[0].by}; a drill would lift that")
        pointed = [g.endpoint for g in guards if g.account == policy.account_key and _hears(g, clock)] or [""]
        simulated = all(_loopback(endpoint or one) for one in pointed)
        if not (noop or simulated or policy.model.environment == "sandbox"):
            raise NoDrill(
                f"{file}: environment is live, and a drill cancels entries; drill in a sandbox, or say --live-noop: it "
                "halts for some seconds and cancels nothing"
            )


def _hears(guard: GuardInfo, clock: Clock) -> bool:
    return clock.now_ms() - guard.beat_ms < SILENT_MS


def _loopback(endpoint: str) -> bool:
    host = urlsplit(endpoint).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _senders(store: Store, account: str, tripped_ms: int, now_ms: int) -> list[Sender]:
    """Return each process that guards an account, and when the last order that increases left it after the trip."""
    last: dict[tuple[str, int], int] = {}
    for intent in store.intents(account, open_only=False):
        if not intent.reduces and intent.signed_ms is not None and intent.signed_ms > tripped_ms:
            who = (intent.host, intent.pid)
            last[who] = max(last.get(who, 0), intent.signed_ms - tripped_ms)
    guards = {(g.host, g.pid): g.bot for g in store.guards() if g.account == account and now_ms - g.beat_ms < SILENT_MS}
    bots = guards | {who: guards.get(who, "") for who in last}
    return [Sender(account, bot, host, pid, last.get((host, pid))) for (host, pid), bot in sorted(bots.items())]


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands with its drills. Times are UTC ms; None: there was none."""

    file: str
    account: str
    passed_ms: int | None
    failed_ms: int | None
    due_ms: int | None
    overdue: bool

    def to_dict(self) -> dict[str, Any]:
        """Return it as `drill status --format json` has it."""
        moments = {"passed_at": self.passed_ms, "failed_at": self.failed_ms, "due_at": self.due_ms}
        told = {name: None if at is None else iso(at) for name, at in moments.items()}
        return {"policy": self.file, "account": self.account, **told, "overdue": self.overdue}

    def __str__(self) -> str:
        last = "never passed a drill" if self.passed_ms is None else f"passed a drill at {iso(self.passed_ms)}"
        failed = self.failed_ms is not None and self.failed_ms > (self.passed_ms or 0)
        told = [f"{self.account}: {last}", *([f"FAILED one at {iso(self.failed_ms or 0)}"] if failed else [])]
        if self.overdue:
            told.append("OVERDUE: policykit drill kill")
        elif self.due_ms is not None:
            told.append(f"next by {iso(self.due_ms)}")
        return "; ".join(told)


def standing(store: Store, file: str, now_ms: int) -> Standing:
    """Return when an account was drilled, and when it is due by its policy. Raise PolicyError, StoreUnavailable."""
    policy = load(file, now_ms=now_ms)
    kept = store.kept(policy.account_key, "drill")
    passed, failed = (kept[name]["at_ms"] if name in kept else None for name in ("kill", "kill failed"))
    switch = policy.model.kill_switch
    every = None if switch is None or switch.drill_every is None else switch.drill_every.ms
    due = None if every is None or passed is None else passed + every
    overdue = every is not None and (due is None or now_ms > due)
    return Standing(file, policy.account_key, passed, failed, due, overdue)
