"""Ids of intents and decisions: 128 bits that no two processes share, as 26 characters of ULID's alphabet.

    48 bits  start of the process, UTC ms      so that ids sort by process start
    40 bits  random, one draw a process        so that two processes that started together differ
    40 bits  counter                           so that two orders of one process differ

This is the one file from `engine` and `orders` down that reads a clock and randomness, once a process and once again
in each forked child: an id decides nothing, it only has to be new. Ids are never drawn from `random`, which a bot may
seed (PITFALLS 21).
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Final

from policykit.order import Order

#: Crockford's base 32: no I, L, O, U.
ALPHABET: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
#: Characters of an id: 130 bits, of which the first two are always zero.
LENGTH: Final = 26
_TIME_BITS: Final = 48
_RANDOM_BITS: Final = 40
#: Low bits of the counter that are looked up; the other characters are a cached head.
_LOW_BITS: Final = 20
_COUNTER_BITS: Final = 40
_BLOCK: Final = 1 << _LOW_BITS
_PAIRS: Final = tuple(a + b for a in ALPHABET for b in ALPHABET)


def _text(number: int, characters: int) -> str:
    """Write a number in base 32, most significant character first."""
    return "".join(ALPHABET[number >> 5 * place & 31] for place in range(characters - 1, -1, -1))


class Ids:
    """A source of ids. `start_ms` and `noise` (5 bytes) are for tests; without them clock and os.urandom are read.

    Thread-safe: a number comes from one `itertools.count` step, and a new head is made under a lock.
    """

    __slots__ = ("_block", "_lock", "_origin", "_state")

    def __init__(self, start_ms: int | None = None, noise: bytes | None = None) -> None:
        started = time.time_ns() // 1_000_000 if start_ms is None else start_ms
        drawn = os.urandom(_RANDOM_BITS // 8) if noise is None else noise
        self._origin = started % (1 << _TIME_BITS) << _RANDOM_BITS | int.from_bytes(drawn, "big")
        self._lock = threading.Lock()
        self._block = 0
        self._state = self._head()

    def _head(self) -> tuple[str, Callable[[], int]]:
        high = self._origin << _COUNTER_BITS - _LOW_BITS | self._block
        return _text(high, LENGTH - _LOW_BITS // 5), count().__next__

    def new(self) -> str:
        """Return an id that was never returned before."""
        head, step = self._state
        number = step()
        if number >= _BLOCK:
            return self._turn(head)
        return head + _PAIRS[number >> 10] + _PAIRS[number & 1023]

    def _turn(self, spent: str) -> str:
        """Go on in the next block of the counter, once however many threads found the old one spent."""
        with self._lock:
            if self._state[0] is spent:
                self._block += 1
                self._state = self._head()
        return self.new()


_ids = Ids()


def new_id() -> str:
    """Return a new id of 26 characters; never twice the same, also in a forked child. Not for secrets: it counts."""
    return _ids.new()


def _after_fork() -> None:
    global _ids  # noqa: PLW0603 - a forked child must not go on in its parent's counter
    _ids = Ids()


os.register_at_fork(after_in_child=_after_fork)


def digest(account: str, order: Order) -> str:
    """Return 16 hex digits that differ whenever account or order differ in anything but the client order id.

    Same id, same order: an id that comes with another digest is denied, not taken as a retry.
    """
    # INVARIANT I6: the whole order counts, so that an id that comes again with another body is told from a retry.
    body = order.to_dict() | {"account": account, "action": order.action}
    body.pop("client_order_id", None)
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
