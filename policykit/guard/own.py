"""Whose request passes a gate: a bot's, or the guard's own, which comes first and may call what no bot may.

What the guard asks by itself (facts, open orders, look-ups of unknown orders, the dead man's switch) goes through the
same gate as a bot's calls, and spends of the same budgets. Bots that read as fast as they can would starve it: facts
would grow old, and increases be denied.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

#: What the guard may call beside reads while it asks by itself; None: a bot asks.
OWN: Final[ContextVar[frozenset[str] | None]] = ContextVar("policykit_own", default=None)


@contextmanager
def asking(*calls: str) -> Iterator[None]:
    """Make every request in here the guard's own; it may also make these calls (`POST /fapi/v1/...`)."""
    token = OWN.set(frozenset(calls))
    try:
        yield
    finally:
        OWN.reset(token)
