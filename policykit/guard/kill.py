"""`policykit kill` and `resume` over every policy of a store: halt first, then cancel, then say what is left.

Each account is worked on by a thread of its own, each order family of it by another: an exchange that answers slowly,
or not at all, holds up no other.
"""

from __future__ import annotations

import os
import queue
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from policykit.clock import Clock
from policykit.errors import PolicykitError, StoreUnavailable
from policykit.guard.emptying import Emptying, Target, target_of
from policykit.guard.halt import WAIT_MS, Cancelled, wait_for_sends
from policykit.orders.intent import Intent
from policykit.policy import PAPER, EffectivePolicy, load
from policykit.redact import scrub
from policykit.store import Store

#: They are looked for again after so long, seconds.
AGAIN_S: Final = 1.0
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
    #: Whether the store took the halt.
    halted: bool = True

    @property
    def complete(self) -> bool:
        """Tell whether nothing that increases is out, and all of it was seen; where no account is known nothing was."""
        return (
            self.halted
            and bool(self.accounts)
            and not (self.sending or self.not_reached)
            and all(account.complete for account in self.accounts)
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"complete": self.complete}


#: What is told of an account as soon as it is known: its report, or the policy's file and why it was not reached.
Told = Callable[["Cancelled | tuple[str, str]"], None]


def policies_of(store: Store | None, given: Iterable[str]) -> list[str]:
    """Return the policy files to act on, each once however it is written: those given, those that guards run.

    Where no store says what runs, POLICYKIT_POLICY has to.
    """
    running = [os.environ.get("POLICYKIT_POLICY") or ""]
    if store is not None:
        with suppress(StoreUnavailable):
            running = [guard.policy_file for guard in store.guards()]
    files = [*given, *filter(None, running)]
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
    store: Store | None,
    clock: Clock,
    scope: str,
    halted: tuple[int, list[Intent]],
    files: list[str],
    endpoint: str | None,
    told: Told | None = None,
) -> Killed:
    """Cancel the scope's entries, wait for the permits older than a halt and for late arrivals, and cancel those.

    `halted` is what `store.halt` returned. The halt comes first and by itself: what this room loads (policies, ccxt)
    takes longer than an order. `told` is called with each account's report as it is there. Without a store nothing is
    known of what is on its way, and the kill is not complete.
    """
    generation, unsent = halted
    result = Killed(scope, generation, halted=store is not None)
    accounts: dict[str, Emptying] = {}
    targets: list[Target] = []
    for file in files:
        try:
            target = target_of(file, clock.now_ms())
        except (PolicykitError, OSError) as error:
            _take(result, file, str(error).splitlines()[0], told)
            continue
        targets.append(target)
        if target.concerned(scope):
            accounts[file] = Emptying(store, clock, target, scope, endpoint)
    policies = [target.policy for target in targets if target.policy is not None]
    _cancel(accounts, result, told, lambda: store is not None and _sends(store, clock, unsent, policies, result))
    for target in targets:
        if target.why:
            _take(result, target.file, f"its guards do not start: {target.why}", told)
    with suppress(StoreUnavailable):
        unknown = None if store is None else _unknown_scope(store, scope, targets)
        if unknown is not None:
            _take(result, scope, unknown, told)
        for account, why in () if store is None else _elsewhere(store, scope, targets):
            _take(result, account, why, told)
    return result


def _sends(
    store: Store, clock: Clock, unsent: list[Intent], policies: Iterable[EffectivePolicy], result: Killed
) -> bool:
    """Wait until no order granted before the halt can leave any more; tell whether there was any."""
    try:
        result.sending = [intent.id for intent in wait_for_sends(store, clock, unsent, _wait_ms(policies))]
    except StoreUnavailable as error:
        result.not_reached["store"] = f"what may still be sent is not known: {error}"
    return bool(unsent)


def _cancel(accounts: dict[str, Emptying], result: Killed, told: Told | None, sends_over: Callable[[], bool]) -> None:
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


def _unknown_scope(store: Store, scope: str, targets: Iterable[Target]) -> str | None:
    """Return what is known where a scope names nothing that this store has heard of: a slip of the pen halts nobody."""
    kind, _, name = scope.partition(":")
    guards, loaded, intents = store.guards(), list(targets), store.intents(open_only=False)
    accounts = {g.account for g in guards} | {t.account for t in loaded}
    known = {
        "account": accounts,
        "exchange": {account.partition("/")[0] for account in accounts},
        "bot": {g.bot for g in guards} | {i.bot for i in intents},
        "symbol": {i.order.symbol for i in intents} | {s for t in loaded for s in t.symbols},
    }.get(kind, {name})
    if name in known:
        return None
    return f"nothing known here has this {kind}; known: {', '.join(sorted(known)) or 'none'}; halt one of them, or all"


def _elsewhere(store: Store, scope: str, targets: Iterable[Target]) -> Iterator[tuple[str, str]]:
    """Yield accounts with orders of the scope that no policy at hand is of, and why they are not known to be empty.

    A file that went to paper, or was given another account, says nothing of what was sent before.
    """
    kind, _, name = scope.partition(":")
    there = {target.account for target in targets}
    open_there: Counter[str] = Counter()
    for intent in store.intents():
        exchange, bot = intent.account.partition("/")[0], intent.bot
        of = {"account": intent.account, "exchange": exchange, "bot": bot, "symbol": intent.order.symbol}
        if of.get(kind, name) == name and intent.account not in there and not intent.account.endswith(PAPER):
            open_there[intent.account] += 1
    for account, count in sorted(open_there.items()):
        words = f"{count} of its orders may be open, and no policy at hand is of it; give one (--policy)"
        yield account, f"{words}, or cancel at the exchange"


def _wait_ms(policies: Iterable[EffectivePolicy]) -> int:
    waits = [p.model.kill_switch.wait.ms for p in policies if p.model.kill_switch and p.model.kill_switch.wait]
    return max(waits, default=WAIT_MS)


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
