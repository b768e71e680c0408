"""Where exits and cancels are written down while the store cannot be: one file a policy and store, a JSON line each.

Once the store is there again the guard's maintenance merges the file into it: decisions and outcomes become rows of the
journal, and an order whose outcome was not known becomes an intent that recovery looks up. Nothing is sent for it.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from policykit.decision import Decision
from policykit.orders.intent import Intent, Outcome
from policykit.store import Store
from policykit.store.codec import (
    decision_body,
    decision_from_body,
    intent_from_dict,
    outcome_from_dict,
    outcome_to_dict,
)
from policykit.store.failures import UNREADABLE

#: The file is not grown beyond this, bytes; a store that is down for so long has been noticed.
MAX_BYTES = 50_000_000
#: What the name of a file that is being merged ends in.
TAKEN = ".merging"
#: For how long one process has it to itself, ms.
LEASE_MS = 30_000
#: Rows that one round of maintenance merges: halts, timers and facts wait for it meanwhile.
ROWS = 2_000
#: How many rows of a file this process has merged, by its name and what tells it from a later one of that name.
_DONE: dict[tuple[str, int, int, int], int] = {}
#: How often an order is offered to a store whose trading state moves meanwhile.
ADOPT_TRIES = 10

_log = logging.getLogger("policykit.guard")


def path_of(name: str, epoch: str) -> Path:
    """Return the file: POLICYKIT_JOURNAL, or the policy's name in the user's state directory, and the store's epoch.

    What was sent beside one store is not another's: a file of a store that was lost stays for people.
    """
    named = os.environ.get("POLICYKIT_JOURNAL")
    if named:
        return Path(f"{named}.{epoch}.fallback.jsonl")
    state = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(state) / "policykit" / f"{name}.{epoch}.fallback.jsonl"


def write(name: str, epoch: str, decision: Decision, intent: Intent | None = None) -> None:
    """Write a decision down, if it can be; an exit is never kept from the exchange by a full disk."""
    _append(path_of(name, epoch), {"at_ms": decision.at_ms, "kind": "decision", **decision_body(decision, intent, ())})


def write_outcome(name: str, epoch: str, intent: str, outcome: Outcome) -> None:
    """Write an outcome down, if it can be."""
    _append(path_of(name, epoch), {"at_ms": outcome.at_ms, "kind": "outcome", **outcome_to_dict(intent, outcome)})


def _append(path: Path, row: dict[str, Any]) -> None:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(path, "a") as file:
            if os.fstat(file.fileno()).st_size <= MAX_BYTES:
                file.write(json.dumps(row, default=str) + "\n")
    except OSError:
        return


@contextmanager
def _locked(path: Path, mode: str) -> Iterator[IO[str]]:
    """Open the file that has this name now, and keep others from writing to it or taking it away meanwhile."""
    while True:
        with path.open(mode, encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.exists(path) and os.path.samestat(os.stat(path), os.fstat(file.fileno())):
                yield file
                return


def _which(path: Path) -> tuple[str, int, int, int]:
    """Tell a file from every other of its name: an inode alone is used again."""
    found = path.stat()
    return str(path), found.st_ino, found.st_mtime_ns, found.st_size


def pending(name: str, epoch: str) -> int:
    """Return how many rows wait to be merged into the store."""
    path, rows = path_of(name, epoch), 0
    for file in (path, path.with_name(path.name + TAKEN)):
        with suppress(OSError):
            rows += file.read_bytes().count(b"\n") - _DONE.get(_which(file), 0)
    return rows


def merge(name: str, store: Store, host: str, now_ms: int) -> int:
    """Bring what was written down into the store; return how many rows. Raise StoreUnavailable: it is tried again.

    One process takes the file, and a long one takes it several calls. A decision of it that was merged before (that
    process died meanwhile) may stand twice in the journal; an order counts once.
    """
    path = path_of(name, store.epoch)
    taken = path.with_name(path.name + TAKEN)
    try:
        if not taken.exists():
            with _locked(path, "r"):
                path.rename(taken)
        if not store.lease(f"fallback|{host}|{taken}", str(os.getpid()), LEASE_MS, now_ms):
            return 0
        file = _which(taken)
        lines = taken.read_text(encoding="utf-8", errors="replace").splitlines()
        done = _DONE.get(file, 0)
        part = lines[done : done + ROWS]
        for line in part:
            _take(store, line, now_ms)
        if done + len(part) < len(lines):
            _DONE[file] = done + len(part)
            return len(part)
        _DONE.pop(file, None)
        if _which(taken) == file:  # not the next one, which another took after ours was slow
            taken.unlink()
    except OSError:  # there is none, or it cannot be read: it stays for people
        return 0
    _log.info("%d rows that were written while the store was down are in its journal now", len(lines))
    return len(part)


def _take(store: Store, line: str, now_ms: int) -> None:
    try:
        row = json.loads(line)
        at_ms, intent, decision, outcome = row["at_ms"], None, None, None
        if row["kind"] == "decision":
            decision = decision_from_body(row, at_ms)
            decision.extra["without_store"] = True
            intent = intent_from_dict(row["intent"]) if "intent" in row else None
        else:
            outcome = outcome_from_dict(row, at_ms)
    except UNREADABLE:
        store.event("fallback", {"unreadable": len(line)}, now_ms)  # the power went while it was written
        return
    if outcome is not None:
        with suppress(KeyError):  # the store does not know the order any more: it is over
            store.outcome(row["intent"], outcome)
    elif decision is not None and intent is not None:
        _adopt(store, decision, intent)
    elif decision is not None:
        store.record(decision, at_ms)


def _adopt(store: Store, decision: Decision, intent: Intent) -> None:
    """Let the store know of an order that was sent without it: it holds nothing, and is looked up until it is over."""
    if store.intent(intent.id) is not None:
        return
    for _ in range(ADOPT_TRIES):
        generation = store.facts(intent.account, intent.bot).generation
        if not store.reserve(decision, intent, (), generation, decision.at_ms).stale:
            return
