"""Run an incident: one thread an account for what is done there, one a leaked key; no account waits for another.

A step that fails is written down, and the next one begins. Nothing is sent twice blindly: cancels are a list, cancels
and a list again; a key is asked whether it lives before anything is done about it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

from policykit.errors import PolicykitError
from policykit.operate.incident.book import ENDED, Book
from policykit.operate.incident.steps import Task
from policykit.redact import scrub

#: What is done for an account, in this order: first what stops the loss, then what shows it.
LANE: Final = ("halt", "cancel", "withdrawals", "audit", "activity", "history")


class Act(NamedTuple):
    """What came of a step. `state`: done, failed, unknown, waiting (for a person). `lines`: what was found."""

    state: str
    words: str
    lines: tuple[str, ...] = ()
    more: Mapping[str, Any] = {}


class Hands(Protocol):
    """What is done at an exchange, or in the store, for one step."""

    def do(self, task: Task, row: Mapping[str, Any]) -> Act:
        """Do it; `row` is what was written of it before. PolicykitError, OSError and ValueError may be raised."""
        ...


#: Told of each step that begins or ends: the task, its row.
Tell = Callable[[Task, Mapping[str, Any]], None]


class Runner:
    """What is still to be done of an incident by policykit."""

    def __init__(self, book: Book, hands: Hands, tell: Tell) -> None:
        """Take what writes, what does, and whom to tell."""
        self.book, self.hands, self._tell = book, hands, tell
        self._telling = threading.Lock()

    def run(self, steps: tuple[str, ...] = ("revoke", *LANE)) -> None:
        """Do every step of these that is not over; return when all have been tried, whatever came of each."""
        rows = self.book.rows()
        todo = [t for t in self.book.tasks if t.step.id in steps and rows.get(t.id, {}).get("state") not in ENDED]
        lanes: dict[str, list[Task]] = {}
        for task in todo:
            lane = f"revoke {task.account} {task.key}" if task.step.id == "revoke" else task.account
            lanes.setdefault(lane, []).append(task)
        threads = [
            threading.Thread(target=self._lane, args=(lane, rows), name=f"policykit-incident-{name}", daemon=True)
            for name, lane in lanes.items()
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _lane(self, lane: list[Task], rows: Mapping[str, Mapping[str, Any]]) -> None:
        """Do the steps of one account in order; at their end look once more for orders that came late."""
        cancelled: tuple[Task, dict[str, Any]] | None = None
        for task in sorted(lane, key=lambda one: LANE.index(one.step.id) if one.step.id in LANE else -1):
            row = self.one(task, rows.get(task.id, {}))
            if task.step.id == "cancel" and row["state"] != "failed":
                cancelled = task, row
        if cancelled is not None:
            self.one(*cancelled)

    def one(self, task: Task, before: Mapping[str, Any]) -> dict[str, Any]:
        """Do one step, write what came of it, tell it."""
        started = self.book.clock.monotonic_ms()
        try:
            act = self.hands.do(task, before)
        except (PolicykitError, OSError, ValueError) as error:
            act = Act("failed", scrub(str(error)).splitlines()[0] if str(error) else type(error).__name__)
        except Exception as error:  # noqa: BLE001 - a defect in one step must not keep the others from being done
            act = Act("failed", f"a defect of policykit: {type(error).__name__}; do it by hand")
        took = round(self.book.clock.monotonic_ms() - started)
        kept = {name: before[name] for name in ("alive_ms", "alive_from", "owner") if name in before}
        more = {**kept, **act.more, "by": "policykit", "took_ms": took, "ended_ms": self.book.elapsed_ms()}
        row = self.book.write(task, act.state, act.words, lines=list(act.lines), **more)
        with self._telling:
            self._tell(task, row)
        return row
