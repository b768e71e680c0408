"""`policykit kill` and `resume` over every policy of a store: halt first, then cancel, then say what is left."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import PolicykitError
from policykit.guard.core import Guard
from policykit.guard.halt import WAIT_MS, Cancelled, cancel_entries, concerns_policy, wait_for_sends
from policykit.guard.settings import choose_key
from policykit.orders.intent import Intent
from policykit.policy import EffectivePolicy, load
from policykit.store import Store

#: How long orders that may still arrive are waited for and cancelled again, ms; the longest fence is shorter.
ARRIVALS_MS: Final = 30_000
#: A guard that was silent for so long is not counted on to cancel its entries, ms.
SILENT_MS: Final = 30_000


@dataclass(slots=True)
class Killed:
    """What a kill came to. `not_reached`: policies whose orders this host cannot cancel, and why."""

    scope: str
    generation: int
    sending: list[str] = field(default_factory=list)
    accounts: list[Cancelled] = field(default_factory=list)
    not_reached: dict[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Tell whether nothing that increases is out, and all of it was seen."""
        left = any(account.failed or account.pending for account in self.accounts)
        return not (self.sending or self.not_reached or left)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"complete": self.complete}


def policies_of(store: Store, given: Iterable[str]) -> list[str]:
    """Return the policy files to act on, each once however it is written: those given, those that guards run."""
    files = [*given, *(guard.policy_file for guard in store.guards())]
    return list({os.path.realpath(file): file for file in reversed(files)}.values())[::-1]


def kill(
    store: Store, clock: Clock, *, scope: str, by: str, why: str, freeze: bool, files: list[str], endpoint: str | None
) -> Killed:
    """Halt a scope and finish: what `policykit kill` does, for a program that has loaded all this before."""
    halted = store.halt(scope, "HALTED", by, why, clock.now_ms(), freeze=freeze)
    return finish(store, clock, scope, halted, files, endpoint)


def finish(
    store: Store, clock: Clock, scope: str, halted: tuple[int, list[Intent]], files: list[str], endpoint: str | None
) -> Killed:
    """Wait for the permits older than a halt, cancel the scope's entries, wait for late arrivals and cancel those.

    `halted` is what `store.halt` returned. The halt comes first and by itself: what this room loads (policies, ccxt)
    takes longer than an order.
    """
    generation, unsent = halted
    result = Killed(scope, generation)
    loaded: dict[str, EffectivePolicy] = {}
    for file in files:
        try:
            loaded[file] = load(file, now_ms=clock.now_ms())
        except (PolicykitError, OSError) as error:
            result.not_reached[file] = str(error).splitlines()[0]
    result.sending = [intent.id for intent in wait_for_sends(store, clock, unsent, _wait_ms(loaded.values()))]
    for file, policy in loaded.items():
        if concerns_policy(policy, scope):
            _cancel(store, clock, policy, file, result, endpoint)
    unknown = _unknown_scope(store, scope, loaded.values())
    if unknown is not None:
        result.not_reached[scope] = unknown
    return result


def _unknown_scope(store: Store, scope: str, policies: Iterable[EffectivePolicy]) -> str | None:
    """Return what is known where a scope names nothing that this store has heard of: a slip of the pen halts nobody."""
    kind, _, name = scope.partition(":")
    guards, loaded, intents = store.guards(), list(policies), store.intents(open_only=False)
    accounts = {g.account for g in guards} | {p.account_key for p in loaded}
    known = {
        "account": accounts,
        "exchange": {account.partition("/")[0] for account in accounts},
        "bot": {g.bot for g in guards} | {i.bot for i in intents},
        "symbol": {i.order.symbol for i in intents} | {s for p in loaded for s in _symbols(p)},
    }.get(kind, {name})
    if name in known:
        return None
    return f"nothing known here has this {kind}; known: {', '.join(sorted(known)) or 'none'}; halt one of them, or all"


def _symbols(policy: EffectivePolicy) -> tuple[str, ...]:
    return (policy.model.risk.symbols if policy.model.risk else None) or ()


def _wait_ms(policies: Iterable[EffectivePolicy]) -> int:
    waits = [p.model.kill_switch.wait.ms for p in policies if p.model.kill_switch and p.model.kill_switch.wait]
    return max(waits, default=WAIT_MS)


def _cancel(
    store: Store, clock: Clock, policy: EffectivePolicy, file: str, result: Killed, endpoint: str | None
) -> None:
    try:
        guard = Guard(policy, key=choose_key(policy, None), store=store, clock=clock)
        guard.endpoint = endpoint or _endpoint(store, file)
        client = guard.own_client()
        started = clock.monotonic_ms()
        report = cancel_entries(guard, client, result.scope)
        while report.pending and clock.monotonic_ms() - started < ARRIVALS_MS:
            clock.sleep(1)
            again = cancel_entries(guard, client, result.scope)
            again.cancelled = [*report.cancelled, *again.cancelled]
            report = again
    except (PolicykitError, ValueError) as error:
        result.not_reached[file] = f"{error}; {_who_else(store, clock, policy)}"
        return
    result.accounts.append(report)


def _endpoint(store: Store, file: str) -> str | None:
    """Return where the guards that run a policy send their own clients; None: to the exchange."""
    return next((guard.endpoint for guard in store.guards() if guard.policy_file == file and guard.endpoint), None)


def _who_else(store: Store, clock: Clock, policy: EffectivePolicy) -> str:
    """Say which live guard of the account cancels its entries by itself."""
    for guard in store.guards():
        silent_ms = clock.now_ms() - guard.beat_ms
        if guard.account == policy.account_key and silent_ms < SILENT_MS:
            return f"its guard on {guard.host} (pid {guard.pid}, heard {silent_ms / 1000:.0f} s ago) cancels there"
    return "no live guard of that account was heard of: cancel at the exchange"


def may_resume(files: Iterable[str], by: str, now_ms: int) -> str | None:
    """Return why this person may not re-arm, by `kill_switch.rearm.by` of the policies; None: they may."""
    for file in files:
        try:
            switch = load(file, now_ms=now_ms).model.kill_switch
        except (PolicykitError, OSError) as error:
            return f"{str(error).splitlines()[0]}: who may re-arm cannot be read; mend or restore the policy"
        allowed = switch.rearm.by if switch and switch.rearm else None
        if allowed and by not in allowed:
            return f"{file}: kill_switch.rearm.by is {', '.join(allowed)}; {by} may not re-arm"
    return None
