"""Stores over a fork: SQLite's connections must not be carried into a child, nor be closed there.

(sqlite.org/howtocorrupt.html, "Carrying an open database file across a fork", read 2026-11.)
So every connection is closed before a fork and made anew by the next call, in the parent as in the child. A lock
that another thread holds is waited for: no child is born with one that nobody will ever release.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Protocol

_fork = threading.Lock()


class Forkable(Protocol):
    """What is known here of a store."""

    _lock: threading.Lock

    def _disconnect(self) -> None: ...

    def _forked(self) -> None: ...


_stores: weakref.WeakSet[Forkable] = weakref.WeakSet()
_held: list[Forkable] = []


def watch(store: Forkable) -> None:
    """Let go of a store's connection before every fork from now on."""
    _stores.add(store)


def _before() -> None:
    _fork.acquire()
    for store in tuple(_stores):
        store._lock.acquire()
        _held.append(store)
        store._disconnect()


def _after() -> None:
    while _held:
        _held.pop()._lock.release()
    _fork.release()


def _in_child() -> None:
    for store in _held:
        store._forked()  # the threads that waited for it are not here
    _after()


os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_in_child)
