"""One sync for many rows: threads that wait for a store while the disk syncs write into one transaction.

Who finds others waiting leaves its row to the last of them to sync, and is told nothing before that is done. Eight
threads made 2.7 times as many decisions so where a sync took 0.2 ms, and more where it takes longer; one thread pays
nothing (bench/store.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from policykit.errors import StoreUnavailable

#: Rows of one sync at most.
MAX_ROWS: Final = 64
#: How often who waits for a sync sees to it, seconds: who should have done it may have been interrupted.
AGAIN_S: Final = 0.05


class Group:
    """Rows that wait for one sync; `error` once it failed. `sync` has it done now."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self.rows = 0
        self.error: StoreUnavailable | None = None
        self._done = threading.Event()

    def end(self, error: StoreUnavailable | None = None) -> None:
        """Say to all who wait that their rows are on disk, or why they are not."""
        self.error = error
        self._done.set()

    def wait(self) -> None:
        """Return when the rows are on disk; raise StoreUnavailable where none of them is."""
        while not self._done.wait(AGAIN_S):
            self._sync()
        if self.error is not None:
            raise StoreUnavailable(str(self.error), self.error.code)
