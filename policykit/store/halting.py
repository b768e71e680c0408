"""The first step of a kill: halt the store, or leave a file that the guards of this host halt by."""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

from policykit.errors import PolicykitError
from policykit.orders.intent import Intent
from policykit.store import Store, open_store

#: Names the file in the usual one's stead for who makes it, beside it for guards.
FILE_VARIABLE: Final = "POLICYKIT_KILL_FILE"


class Halted(NamedTuple):
    """A store that is halted, with its generation and the intents that may still be sent; or why it is not.

    `file`: what was made for the guards of this user on this host, where the store took no halt; None: not even that.
    """

    store: Store | None
    generation: int = 0
    unsent: list[Intent] = []  # noqa: RUF012 - never written to
    problem: str = ""
    file: str | None = None


def kill_file() -> str:
    """Return the file that halts every guard of this user on this host: `policykit/KILL` in the state directory."""
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.join(state, "policykit", "KILL")


def kill_files() -> list[str]:
    """Return the files by which guards of this user and environment halt, beside what policies name."""
    return [*filter(None, [os.environ.get(FILE_VARIABLE)]), kill_file()]


def halt_first(uri: str | None, scope: str, by: str, why: str, now_ms: int, **more: Any) -> Halted:
    """Halt a scope in the store that a URI names; `more` goes to `Store.halt`. A store that is down raises nothing."""
    try:
        store = open_store(uri)
        return Halted(store, *store.halt(scope, "HALTED", by, why, now_ms, **more))
    except (PolicykitError, OSError) as error:
        problem = str(error)
    file = kill_files()[0]
    try:
        os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
        with open(file, "a", encoding="utf-8", opener=_at_once) as opened:
            opened.write(f"{scope} by {by}: {why}\n")
    except OSError as error:
        return Halted(None, problem=f"{problem}; {file} cannot be made either ({error.strerror})")
    return Halted(None, problem=problem, file=file)


def _at_once(file: str, flags: int) -> int:
    """Open without waiting: a pipe that nobody reads would hold up the kill."""
    return os.open(file, flags | os.O_NONBLOCK, 0o666)
