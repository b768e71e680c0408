"""`policykit kill` and `resume` over every policy of a store: halt first, then cancel, then say what is left.

Each account is worked on by a thread of its own, each order family of it by another: an exchange that answers slowly,
or not at all, holds up no other.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import PolicykitError
from policykit.guard.core import Guard
from policykit.guard.halt import (
    WAIT_MS,
    Cancelled,
    cancel_family,
    concerns_policy,
    still_coming,
    wait_for_sends,
)
from policykit.guard.settings import choose_key
from policykit.orders.intent import Intent
from policykit.policy import EffectivePolicy, load
from policykit.redact import scrub
from policykit.store import Store

#: How long orders that may still arrive are waited for and cancelled again, ms; the longest fence is shorter.
ARRIVALS_MS: Final = 30_000
#: They are looked for again after so long, seconds.
AGAIN_S: Final = 1.0
#: A guard that was silent for so long is not counted on to cancel its entries, ms.
SILENT_MS: Final = 30_000
#: An account that said nothing for so long is told as not reached, seconds of the machine; its thread goes on.
BOUND_S: Final = 180.0


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
        return not (self.sending or self.not_reached) and all(account.complete for account in self.accounts)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"complete": self.complete}


#: What is told of an account as soon as it is known: its report, or the policy's file and why it was not reached.
Told = Callable[["Cancelled | tuple[str, str]"], None]


def policies_of(store: Store, given: Iterable[str]) -> list[str]:
    """Return the policy files to act on, each once however it is written: those given, those that guards run."""
    files = [*given, *(guard.policy_file for guard in store.guards())]
    return list({os.path.realpath(file): file for file in reversed(files)}.values())[::-1]


def kill(  # noqa: PLR0913 - what `policykit kill` takes
    store: Store,
    clock: Clock,
    *,
    scope: str,
    by: str,
    why: str,
    freeze: bool,
    files: list[str],
    endpoint: str | None,
    told: Told | None = None,
) -> Killed:
    """Halt a scope and finish: what `policykit kill` does, for a program that has loaded all this before."""
    halted = store.halt(scope, "HALTED", by, why, clock.now_ms(), freeze=freeze)
    return finish(store, clock, scope, halted, files, endpoint, told)


def finish(
    store: Store,
    clock: Clock,
    scope: str,
    halted: tuple[int, list[Intent]],
    files: list[str],
    endpoint: str | None,
    told: Told | None = None,
) -> Killed:
    """Cancel the scope's entries, wait for the permits older than a halt and for late arrivals, and cancel those.

    `halted` is what `store.halt` returned. The halt comes first and by itself: what this room loads (policies, ccxt)
    takes longer than an order. `told` is called with each account's report as it is there.
    """
    generation, unsent = halted
    result = Killed(scope, generation)
    loaded: dict[str, EffectivePolicy] = {}
    accounts: dict[str, _Account] = {}
    for file in files:
        try:
            loaded[file] = load(file, now_ms=clock.now_ms())
        except (PolicykitError, OSError) as error:
            _take(result, file, str(error).splitlines()[0], told)
            continue
        if concerns_policy(loaded[file], scope):
            accounts[file] = _Account(store, clock, loaded[file], file, scope, endpoint)
    _cancel(accounts, result, told, lambda: _sends(store, clock, unsent, loaded.values(), result))
    unknown = _unknown_scope(store, scope, loaded.values())
    if unknown is not None:
        _take(result, scope, unknown, told)
    return result


def _sends(
    store: Store, clock: Clock, unsent: list[Intent], policies: Iterable[EffectivePolicy], result: Killed
) -> bool:
    """Wait until no order granted before the halt can leave any more; tell whether there was any."""
    result.sending = [intent.id for intent in wait_for_sends(store, clock, unsent, _wait_ms(policies))]
    return bool(unsent)


def _cancel(accounts: dict[str, _Account], result: Killed, told: Told | None, sends_over: Callable[[], bool]) -> None:
    """Cancel in every account at once, again once what was out has left, and while something may still arrive."""
    ended: queue.Queue[str] = queue.Queue()
    for account in accounts.values():
        account.begin(ended)
    again = set(accounts) if sends_over() else set()
    working, resting = set(accounts), set[str]()
    while working or resting:
        if resting and ended.empty():
            accounts[min(resting)].clock.sleep(AGAIN_S)
            for file in sorted(resting):
                accounts[file].begin(ended)
            working, resting = working | resting, set()
        try:
            file = ended.get(timeout=BOUND_S)
        except queue.Empty:
            for file in sorted(working):
                _take(result, file, f"no answer within {BOUND_S:.0f} s; run kill again", told)
            return
        working.discard(file)
        found = accounts[file].found
        if isinstance(found, Cancelled) and file in again:
            again.discard(file)
            working.add(file)
            accounts[file].begin(ended)
        elif isinstance(found, Cancelled) and found.pending and accounts[file].patient:
            resting.add(file)
        else:
            _take(result, file, found, told)


def _take(result: Killed, file: str, found: Cancelled | str, told: Told | None) -> None:
    if isinstance(found, Cancelled):
        result.accounts.append(found)
    else:
        found = result.not_reached[file] = scrub(found)
    if told is not None:
        told(found if isinstance(found, Cancelled) else (file, found))


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


class _Account:
    """The work on one account; `found` is what came of it so far, or why nothing did."""

    def __init__(
        self, store: Store, clock: Clock, policy: EffectivePolicy, file: str, scope: str, endpoint: str | None
    ) -> None:
        self.store, self.clock, self.policy, self.file = store, clock, policy, file
        self.scope, self.endpoint = scope, endpoint
        self.found: Cancelled | str = "it was not begun"
        self._guard: Guard | None = None
        self._clients: dict[str, Any] = {}
        self._until_ms = clock.monotonic_ms() + ARRIVALS_MS

    @property
    def patient(self) -> bool:
        """Whether what may still arrive is waited for."""
        return self.clock.monotonic_ms() < self._until_ms

    def begin(self, ended: queue.Queue[str]) -> None:
        """Cancel once, on a thread of its own; its end is put into the queue, whatever came of it."""
        threading.Thread(target=self._run, args=(ended,), name=f"policykit-kill {self.file}", daemon=True).start()

    def _run(self, ended: queue.Queue[str]) -> None:
        try:
            self._guard = self._guard or self._open()
            report = self._pass(self._guard)
            if isinstance(self.found, Cancelled):
                self.found.add(report)
            else:
                self.found = report
        except (PolicykitError, ValueError) as error:
            self.found = f"{error}; {_who_else(self.store, self.clock, self.policy)}"
        except BaseException as error:  # noqa: BLE001 - a thread's end must be heard of; the text is not ours
            self.found = f"{type(error).__name__}; cancel at the exchange"
        finally:
            ended.put(self.file)

    def _open(self) -> Guard:
        guard = Guard(self.policy, key=choose_key(self.policy, None), store=self.store, clock=self.clock)
        guard.endpoint = self.endpoint or _endpoint(self.store, self.file)
        self._clients = {family: guard.own_client() for family in guard.adapter.families}
        return guard

    def _pass(self, guard: Guard) -> Cancelled:
        """Cancel in every family at once."""
        parts = {family: Cancelled(guard.account) for family in self._clients}
        work = [
            threading.Thread(
                target=cancel_family, args=(guard, self._clients[family], family, part, self.scope), daemon=True
            )
            for family, part in parts.items()
        ]
        for thread in work:
            thread.start()
        for thread in work:
            thread.join()
        report = Cancelled(guard.account)
        for part in parts.values():
            report.families |= part.families
            report.cancelled += part.cancelled
            report.kept += part.kept
            report.failed += part.failed
        still_coming(guard, report, self.scope)
        return report


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
