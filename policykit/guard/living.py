"""Whether another process with a guard lives."""

from __future__ import annotations

import os

from policykit.orders.intent import Intent
from policykit.orders.life import UNDECIDED
from policykit.orders.recovery import SILENT_MS, abandoned
from policykit.store import GuardInfo, Store


def beats(guard: GuardInfo, host: str, now_ms: int) -> bool:
    """Tell whether a guard, of this process too, said lately that it lives, and is not known to be gone."""
    if now_ms - guard.beat_ms >= SILENT_MS:
        return False
    return (guard.host, guard.pid) == (host, os.getpid()) or lives(guard, host, now_ms)


def lives(guard: GuardInfo, host: str, now_ms: int) -> bool:
    """Tell whether another process with a guard lives: by its process id on this host, by its heartbeat elsewhere."""
    if guard.host != host:
        return now_ms - guard.beat_ms < SILENT_MS
    if guard.pid == os.getpid():
        return False  # this process knows its own by DRIVING; its id may be that of a life before
    return alive(guard.pid)


def alive(pid: int) -> bool:
    """Tell whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def undecided(store: Store, host: str, now_ms: int, account: str | None = None) -> list[Intent]:
    """Return the orders whose outcome nobody knows, those that a process left on their way when it died among them."""
    alive = [(guard.host, guard.pid) for guard in store.guards() if lives(guard, host, now_ms)]
    return abandoned([i for i in store.intents(account) if i.state in UNDECIDED], now_ms, alive)
