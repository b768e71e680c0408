"""`policykit.kill`: what `policykit kill` does, for a program."""

from __future__ import annotations

from collections.abc import Iterable

from policykit.clock import SystemClock
from policykit.engine.facts import SCOPE
from policykit.guard.kill import Killed, finish, policies_of
from policykit.store.halting import halt_first


def kill(
    scope: str = "all",
    *,
    by: str,
    why: str,
    policies: Iterable[str] = (),
    store: str | None = None,
    freeze: bool = False,
    endpoint: str | None = None,
) -> Killed:
    """Stop trading now, as `policykit kill` does: `policykit.kill(by="watchdog", why="feed is frozen")`.

    Halts the store (`store`, else POLICYKIT_STORE), then cancels the entries of these policies and of those that guards
    run; exits stay, and pass. Never raises for a store or an exchange that is down: what was not reached is in the
    answer, which is `complete` where nothing that increases is left and all of it was seen. ValueError: a scope that
    is none, which no guard would halt by.
    """
    if not SCOPE.fullmatch(scope):
        raise ValueError(f'scope is "{scope}"; all, exchange:X, account:X/NAME, bot:X or symbol:X may be')
    clock = SystemClock()
    halted = halt_first(store, scope, by, why, clock.now_ms(), freeze=freeze)
    files = policies_of(halted.store, policies)
    return finish(halted.store, clock, scope, (halted.generation, halted.unsent), files, endpoint)
