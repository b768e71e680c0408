"""Where recorded decisions come from, as rows of a journal: one file a source makes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from policykit.store.ledger import Ledger

#: A row as it is read: number, time (UTC ms), kind, data.
Event = tuple[int, int, str, dict[str, Any]]


class Unreadable(Exception):
    """A row that is not as this version writes it."""


@dataclass(frozen=True, slots=True)
class Past:
    """What was recorded: `events` in order, on a `ledger` as of the row before the first.

    `of` is how many there are, for who wants to say how far it is. `policies`: the rows before the first in which
    policies came into force. `begun_ms`: when the first row was written, where there were others before it; None:
    nothing was counted before. `blind`: it tells of orders and little else, so what a check does not know it could not
    have known under either policy.
    """

    name: str
    events: Callable[[], Iterator[Event]]
    of: int
    ledger: Ledger = field(default_factory=Ledger)
    policies: tuple[Event, ...] = ()
    begun_ms: int | None = None
    blind: bool = False
    assumed: tuple[str, ...] = ()
