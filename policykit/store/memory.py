"""A store in one process's memory: for tests, sim and shadow. A live policy refuses increases on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from policykit.orders.intent import Intent
from policykit.store.backed import Body, LedgerStore
from policykit.store.base import GUARD_SILENT_MS, GuardInfo, Row
from policykit.store.chain import GENESIS, link, text_of
from policykit.store.ledger import Ledger


class MemoryStore(LedgerStore):
    """Keep rows as what they are made from, and write them out when somebody reads."""

    backend = "memory"
    problem: tuple[str, str] | None = (
        "STORE_EPHEMERAL",
        "the store is memory:, which forgets; use sqlite:///path, or testing=True in tests",
    )

    def __init__(self) -> None:
        super().__init__()
        self._queue: list[tuple[str, int, Body, tuple[Any, ...]]] = []
        self._rows: list[Row] = []
        self._leases: dict[str, tuple[str, int]] = {}
        self._guards: dict[tuple[str, str, int, str], GuardInfo] = {}
        self._own_ids: dict[tuple[str, str], str] = {}

    def _begin(self) -> Ledger:
        return self._ledger

    _current = _begin

    def _end(self, *, failed: bool) -> None:
        pass

    def _write(self, kind: str, at_ms: int, body: Body, *args: Any) -> int:
        self._queue.append((kind, at_ms, body, args))
        self._ledger.seq += 1
        return self._ledger.seq

    def _taken(self, intent: Intent) -> str | None:
        return self._own_ids.get((intent.account, intent.client_order_id))

    def _take(self, intent: Intent) -> None:
        self._own_ids[(intent.account, intent.client_order_id)] = intent.id

    def beat(self, guard: GuardInfo) -> None:
        with self._lock:
            self._guards[(guard.bot, guard.host, guard.pid, guard.account)] = guard
            for key, other in list(self._guards.items()):
                if other.beat_ms < guard.beat_ms - GUARD_SILENT_MS:
                    del self._guards[key]

    def guards(self) -> list[GuardInfo]:
        with self._lock:
            return [self._guards[key] for key in sorted(self._guards)]

    def lease(self, name: str, holder: str, ttl_ms: int, now_ms: int) -> bool:
        with self._lock:
            owner, until_ms = self._leases.get(name, (holder, 0))
            if owner != holder and until_ms > now_ms:
                return False
            self._leases[name] = (holder, now_ms + ttl_ms)
            return True

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        with self._lock:
            for kind, at_ms, body, args in self._queue[len(self._rows) :]:
                text = text_of(body(*args))
                seq = len(self._rows) + 1
                before = self._rows[-1].hash if self._rows else GENESIS
                self._rows.append(Row(seq, at_ms, kind, json.loads(text), link(before, seq, at_ms, kind, text)))
        yield from self._rows[after : after + limit]

    def verify(self) -> tuple[int, str | None]:
        return sum(1 for _ in self.rows(limit=len(self._queue))), None

    def checkpoint(self) -> None:
        pass

    def close(self) -> None:
        pass
