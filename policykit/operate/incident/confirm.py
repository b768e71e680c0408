"""Take a person's word on a step; of a dead key the exchange's too, and look once more for orders it left behind."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.errors import PolicykitError
from policykit.operate.incident import text
from policykit.operate.incident.book import Book
from policykit.operate.incident.runner import Runner, Tell
from policykit.operate.incident.steps import Task, named

if TYPE_CHECKING:
    from policykit.operate.incident.hands import RealHands

#: The step that ends an incident; it is none of the list.
CLOSE: Final = "close"


class Word(NamedTuple):
    """What a person says of a step: `done` or `skipped` (None: neither), who will do it, whose word it is, and why."""

    state: str | None
    owner: str | None
    claim: Mapping[str, Any]
    why: str

    def row(self, book: Book) -> dict[str, Any]:
        """Return it as rows of steps have it."""
        told = {"by": self.claim["name"], "claim": dict(self.claim), "why": self.why, "ended_ms": book.elapsed_ms()}
        return told if self.owner is None else {**told, "owner": self.owner}


class Told(NamedTuple):
    """What came of it: whether the word was taken, and what is said of it."""

    taken: bool
    lines: tuple[str, ...]


#: What a row says of a step that a person's word on it does not change.
_STAYS: Final = ("owner", "alive_ms", "alive_from", "lines", "families", "cancelled", "left", "foreign", "key")


def confirm(book: Book, asked: str, word: Word, uri: str | None) -> Told:
    """Write a person's word on a step. Again is the same as once."""
    if asked == CLOSE:
        return _close(book, word)
    found = named(book.tasks, asked)
    if len(found) != 1:
        may = ", ".join(task.id for task in (found or book.tasks)[:40])
        return Told(False, (f"{asked}: {len(found)} steps are meant; one of {may} may be",))
    task = found[0]
    before = book.rows().get(task.id, {})
    said = {name: before[name] for name in _STAYS if name in before} | word.row(book)
    if task.step.id == "revoke" and word.state == "done":
        return _revoked(book, task, said, uri)
    if word.state is None:
        row = book.write(task, before.get("state", "open"), f"{word.owner} does it", **said)
    else:
        row = book.write(task, word.state, f"{said['by']}: {word.why}", **said)
    return Told(True, (text.line(book, task, row),))


def _close(book: Book, word: Word) -> Told:
    left = book.left()
    if left:
        may = f"{', '.join(task.id for task in left[:20])}; --done or --skip each with its reason"
        return Told(False, (f"{book.id} is not over: {len(left)} steps are open: {may}",))
    book.close(word.claim["name"], word.why, word.claim)
    return Told(True, (f"{book.id} is closed by {word.claim['name']}",))


def _revoked(book: Book, task: Task, word: dict[str, Any], uri: str | None) -> Told:
    """Ask the exchange with the key: one that works stays open. Then cancel again what it placed until it died."""
    from policykit.operate.incident.hands import RealHands

    hands = RealHands(book, book.clock, book.head.get("endpoints") or (), uri)
    try:
        seen = hands.lives(task, hands.policies(task.account))
        state, words = seen.state, seen.words
    except (PolicykitError, OSError, ValueError) as error:
        state, words = "unknown", str(error).splitlines()[0]
    if state == "waiting":
        row = book.write(
            task, "waiting", f"{word['by']} says it is deleted, but {words}", **{**word, "by": "policykit"}
        )
        return Told(False, (text.line(book, task, row), "  look again: the right key, the right account?"))
    now = book.clock.now_ms()
    word = {**word, "ended_ms": book.elapsed_ms()}
    proved = state == "done" and word.get("alive_from") == socket.gethostname()
    proof = "refused" if proved else "claimed"
    said = "the exchange refuses it" if proved else f"nothing here can prove it ({words})"
    row = book.write(task, "done", f"{word['by']}: {word['why']}; {said}", **word, proof=proof, dead_ms=now)
    lines = [text.line(book, task, row)]
    again = next((one for one in book.tasks if one.step.id == "cancel" and one.account == task.account), None)
    left = [one for one in book.left(0) if one.step.id == "revoke" and one.account == task.account]
    if again is not None and not left:  # what the thief placed between our cancels and the end of the key
        lines.append(text.line(book, again, Runner(book, hands, _nobody).one(again, book.rows().get(again.id, {}))))
    return Told(True, tuple(lines))


def prove(book: Book, hands: RealHands, tell: Tell) -> None:
    """Ask the exchange again with each key that is dead by a person's word alone; one that works is open again."""
    rows, here = book.rows(), socket.gethostname()
    for task in book.unproved():
        row = rows.get(task.id, {})
        if row.get("state") != "done":
            continue
        try:
            seen = hands.lives(task, hands.policies(task.account))
        except (PolicykitError, OSError, ValueError):
            continue  # it stays claimed, and is said to be
        now = book.clock.now_ms()
        said: dict[str, Any] = {name: row[name] for name in (*_STAYS, "by", "claim", "why") if name in row}
        said["ended_ms"] = book.elapsed_ms()
        if seen.state == "waiting":
            words = f"{row['by']} said that it is deleted, but {seen.words}"
            alive = {"by": "policykit", "alive_from": here, "alive_ms": now}
            tell(task, book.write(task, "alarm", words, **{**said, **alive}))
            for one in book.tasks:  # what it placed since the last look
                if one.step.id == "cancel" and one.account == task.account:
                    Runner(book, hands, tell).one(one, rows.get(one.id, {}))
        elif seen.state == "done" and row.get("alive_from") == here:
            words = f"{row['by']}: {row['why']}; asked again, the exchange refuses it"
            tell(task, book.write(task, "done", words, **said, proof="refused", dead_ms=now))


def _nobody(task: Task, row: Mapping[str, Any]) -> None:
    """Tell nobody."""
