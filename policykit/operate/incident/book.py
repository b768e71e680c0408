"""The record of an incident: its head and the last word on each step, kept in the store and in every host's journal.

A store that cannot be reached stops nobody: what is written then is held here, said to be lost when the command ends,
and everything that is done at the exchanges is done all the same.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Mapping
from typing import Any, Final

from policykit.clock import Clock, iso
from policykit.errors import StoreUnavailable
from policykit.operate.incident.steps import TEN_MINUTES_MS, Task, tasks
from policykit.redact import scrub, texts
from policykit.store import Store
from policykit.store.memory import MemoryStore

KIND: Final = "incident"
#: States of a step after which nothing is left to do.
ENDED: Final = frozenset(("done", "skipped"))
#: How many lines a step keeps of what it found, and how long each may be.
MAX_LINES: Final = 60
MAX_LINE: Final = 400


class Book:
    """One incident, as it is written. Thread-safe."""

    def __init__(self, store: Store, clock: Clock, head: Mapping[str, Any]) -> None:
        """Take the head row of the incident; `begin` writes a new one, `find` finds one that is there."""
        self.store, self.clock = store, clock
        self.head = dict(head)
        self.tasks: list[Task] = tasks(head)
        #: Why rows could not be written, if they could not.
        self.unwritten: str | None = None
        self._lock = threading.Lock()
        self._held: dict[str, dict[str, Any]] = {}

    @property
    def id(self) -> str:
        """What the incident is called."""
        return str(self.head["incident"])

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the last word on each step that there is one of, by the step's id."""
        found: dict[str, dict[str, Any]] = {}
        for account in {task.account for task in self.tasks}:
            found |= {task: dict(row) for task, row in self._kept(account).items()}
        with self._lock:
            return found | self._held

    def _kept(self, account: str) -> dict[str, Mapping[str, Any]]:
        head = f"{self.id}/"
        try:
            kept = self.store.kept(account, KIND)
        except StoreUnavailable:
            return {}
        return {name.removeprefix(head): row for name, row in kept.items() if name.startswith(head)}

    def write(self, task: Task, state: str, words: str, **more: Any) -> dict[str, Any]:
        """Write how far a step is: running, done, failed, unknown, waiting (for a person), skipped."""
        row = {"incident": self.id, "step": task.id, "state": state, "words": _line(scrub(words)), **texts(more)}
        if "lines" in row:
            row["lines"] = [_line(str(line)) for line in row["lines"]][:MAX_LINES]
        self._keep(task.account, f"{self.id}/{task.id}", row, task.id)
        return row

    def close(self, by: str, why: str, claim: Mapping[str, Any]) -> None:
        """Write that the incident is over."""
        self.head |= {"state": "closed", "closed_ms": self.clock.now_ms(), "closed_by": by, "closed_why": scrub(why)}
        self._keep("", self.id, self.head | {"claim": dict(claim)}, None)

    def begin(self) -> None:
        """Write the head row."""
        self._keep("", self.id, self.head, None)

    def _keep(self, account: str, name: str, row: Mapping[str, Any], task: str | None) -> None:
        now = self.clock.now_ms()
        try:
            self.store.keep(account, KIND, name, row, now)
        except StoreUnavailable as error:
            with self._lock:
                self.unwritten = scrub(str(error))
                if task is not None:
                    self._held[task] = {**row, "at_ms": now}

    # ---- what is asked of it

    def left(self, phase: int | None = None) -> list[Task]:
        """Return the steps that are not over, of one part or of all."""
        rows = self.rows()
        return [
            task
            for task in self.tasks
            if (phase is None or task.step.phase == phase) and rows.get(task.id, {}).get("state") not in ENDED
        ]

    def revoked_ms(self) -> int | None:
        """Return how long after the detection the last leaked key was known to be dead; None: one is not yet."""
        rows = self.rows()
        ends = [rows.get(task.id, {}) for task in self.tasks if task.step.id == "revoke"]
        if not ends or any(row.get("state") != "done" for row in ends):
            return None
        return max(int(row["dead_ms"]) for row in ends) - int(self.head["detected_ms"])

    def unproved(self) -> list[Task]:
        """Return the steps of the leaked keys that no refusal of the exchange proved dead, claimed or not."""
        rows = self.rows()
        ends = [(task, rows.get(task.id, {})) for task in self.tasks if task.step.id == "revoke"]
        return [task for task, row in ends if (row.get("state"), row.get("proof")) != ("done", "refused")]

    def elapsed_ms(self) -> int:
        """Return how long ago it began, or how long it took."""
        return int(self.head.get("closed_ms") or self.clock.now_ms()) - int(self.head["started_ms"])


def new_head(
    ident: str, accounts: list[dict[str, Any]], *, by: str, why: str, claim: Mapping[str, Any], at: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the head of a new incident; `at` has its times (`started_ms`, `detected_ms`, `since_ms`) and switches."""
    return {
        "incident": ident,
        "state": "open",
        "by": by,
        "why": _line(scrub(why)),
        "claim": dict(claim),
        "accounts": accounts,
        "since": iso(int(at["since_ms"]))[:19] + "Z",
        **at,
    }


def ident_of(now_ms: int) -> str:
    """Return a new incident's name: the second it began, `20261122-031105-9f3a`; no store is asked for it.

    Two that begin in one second, on two hosts, are two: the later row would else take the other's place.
    """
    text = iso(now_ms)
    return f"{text[:4]}{text[5:7]}{text[8:10]}-{text[11:13]}{text[14:16]}{text[17:19]}-{secrets.token_hex(2)}"


def _line(text: str) -> str:
    """Return what was found as one line that moves no cursor: an exchange, and who holds a key, chose some of it."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MAX_LINE])


def heads(store: Store) -> dict[str, Mapping[str, Any]]:
    """Return the head of every incident of a store, the oldest first; of none that cannot be asked."""
    try:
        kept = store.kept("", KIND)
    except StoreUnavailable:
        return {}
    return {name: row for name, row in kept.items() if "accounts" in row}


def find(store: Store, clock: Clock, ident: str | None) -> Book | None:
    """Return an incident by its name; without one the newest that is open, else the newest. None: there is none."""
    known = heads(store)
    by_age = sorted(known.values(), key=lambda row: (row["state"] == "open", row["started_ms"]))
    head = known.get(ident) if ident else (by_age[-1] if by_age else None)
    if head is None:
        return None
    return Book(store, clock, {name: said for name, said in head.items() if name != "at_ms"})


def store_or_none(uri: str | None) -> tuple[Store, str | None]:
    """Open the store; for one that cannot be opened return one in memory, and why: what must be done is done."""
    from policykit.store import open_store

    try:
        return open_store(uri), None
    except StoreUnavailable as error:
        return MemoryStore(), scrub(str(error))


def in_time(ms: int) -> bool:
    """Tell whether a leaked key was dead within the ten minutes that count (G45)."""
    return ms <= TEN_MINUTES_MS
