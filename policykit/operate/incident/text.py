"""What a person reads during an incident: what to do now, numbered; what was done, with the clock; what is open."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from policykit.clock import iso
from policykit.operate.incident.book import ENDED, Book, in_time
from policykit.operate.incident.steps import PHASES, Task, tasks
from policykit.telemetry.words import who

_WIDTH: Final = 12


def clock(ms: int) -> str:
    """Return a span as `mm:ss`; over an hour as `h:mm:ss`."""
    minutes, seconds = divmod(max(0, ms) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes:02}:{seconds:02}"


def opening(head: Mapping[str, Any]) -> str:
    """Return what stands on the screen first: how each leaked key is revoked. Nothing was asked of anybody before."""
    drill = "DRILL " if head["drill"] else ""
    lines = [f"{drill}INCIDENT {head['incident']}, since {iso(head['started_ms'])[:19]}Z, by {who(head)}", ""]
    leaked = [task for task in tasks(head) if task.step.id == "revoke"]
    lines.append(f"DO THIS NOW: revoke {len(leaked)} key{'s' if len(leaked) > 1 else ''}. The rest runs beside you.")
    for task in leaked:
        lines += ["", f"  {task.key} on {task.account}", *_numbered(task.do, "    ")]
    return "\n".join([*lines, ""])


def line(book: Book, task: Task, row: Mapping[str, Any]) -> str:
    """Return one line of progress: the clock, whose, what, how it went."""
    subject = task.account or "all"
    if task.key:
        subject = f"{subject} {task.key}"
    head = f"{clock(int(row.get('ended_ms', book.elapsed_ms())))}  {subject:<24} {task.step.id:<{_WIDTH}}"
    return f"{head} {str(row['state']).upper() if row['state'] not in ENDED else row['state']}: {row['words']}"


def status(book: Book, *, everything: bool = False) -> str:
    """Return how an incident stands: what was done, then what is open, each with what a person does."""
    head, rows = book.head, book.rows()
    over = head["state"] == "closed"
    drill = "DRILL " if head["drill"] else ""
    lasted = f"{clock(book.elapsed_ms())} {'long' if over else 'since the start'}"
    lines = [
        f"{drill}INCIDENT {book.id}: {head['state']}, {lasted}; by {who(head)}: {head['why']}",
        _minutes(book),
        "",
    ]
    for task in book.tasks:
        row = rows.get(task.id)
        if row is not None:
            lines.append(line(book, task, row))
            if everything or row["state"] not in ENDED:
                lines += [f"         {one}" for one in row.get("lines") or ()]
    if book.unwritten:
        lines += ["", f"NOT RECORDED: {book.unwritten}; keep a copy of this screen"]
    return "\n".join([*lines, "", open_steps(book, rows)])


def open_steps(book: Book, rows: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Return what is still open, part by part, numbered, with what a person does or types; the later parts in short."""
    rows = book.rows() if rows is None else rows
    left = [task for task in book.tasks if rows.get(task.id, {}).get("state") not in ENDED]
    if not left:
        return f"nothing is open. policykit incident step close --done --by YOU --why TEXT\n{_minutes(book)}"
    lines: list[str] = []
    number = 0
    now = min(task.step.phase for task in left)
    for phase, title in enumerate(PHASES):
        there = [task for task in left if task.step.phase == phase]
        if not there:
            continue
        lines.append(f"{'STILL OPEN' if phase == now else 'LATER'}, {title.lower()}:")
        for task in there:
            number += 1
            row = rows.get(task.id, {})
            owner = f" ({row['owner']})" if row.get("owner") else ""
            lines.append(f" {number:>2}. {task.what}{owner}")
            if phase == now:
                lines += [f"     now: {row['words']}"] if row else []
                lines += [f"       {one}" for one in task.do]
                lines.append(f"     then: {done(task)}")
        lines.append("")
    return "\n".join(
        [*lines, _minutes(book), "again at any time: policykit incident status | policykit incident resume"]
    )


def done(task: Task) -> str:
    """Return the command that says a step is done."""
    return f'policykit incident step {task.id} --done --by YOU --why "WHAT YOU SAW"'


def _numbered(lines: Iterable[str], indent: str) -> list[str]:
    return [f"{indent}{number}. {text}" for number, text in enumerate(lines, 1)]


def _minutes(book: Book) -> str:
    """Say how long the leaked keys lived after the detection, against the ten minutes that count (G45)."""
    took = book.revoked_ms()
    if took is None:
        lived = book.clock.now_ms() - int(book.head["detected_ms"])
        late = "" if in_time(lived) else ", over the ten minutes that count"
        return f"from detection to revocation: NOT YET, {clock(lived)} so far{late}"
    if claimed := ", ".join(task.key for task in book.unproved()):
        asks = "policykit incident resume asks the exchange again"
        return f"from detection to revocation: CLAIMED, NOT PROVED: {claimed}, after {clock(took)}; {asks}"
    return f"from detection to revocation: {clock(took)} ({'within' if in_time(took) else 'OVER'} ten minutes)"


def to_dict(book: Book) -> dict[str, Any]:
    """Return an incident as JSON has it."""
    rows, head = book.rows(), book.head
    took = book.revoked_ms()
    return {
        "version": 1,
        "incident": book.id,
        "state": head["state"],
        "drill": head["drill"],
        "by": head["by"],
        "claim": head.get("claim"),
        "why": head["why"],
        "started_at": iso(head["started_ms"]),
        "detected_at": iso(head["detected_ms"]),
        "since": head["since"],
        "elapsed_ms": book.elapsed_ms(),
        "revoked_ms": took,
        "in_time": None if took is None or book.unproved() else in_time(took),
        "accounts": [one["account"] for one in head["accounts"]],
        "unwritten": book.unwritten,
        "steps": [_step(task, rows.get(task.id, {})) for task in book.tasks],
        "left": [task.id for task in book.tasks if rows.get(task.id, {}).get("state") not in ENDED],
    }


_SHOWN: Final = ("words", "lines", "owner", "by", "claim", "why", "proof", "families", "cancelled", "key", "foreign",
                 "took_ms", "ended_ms")  # fmt: skip


def _step(task: Task, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": task.id,
        "phase": task.step.phase + 1,
        "guide": task.step.guide,
        "account": task.account,
        "key_name": task.key,
        "hand": task.step.hand,
        "what": task.what,
        "do": list(task.do),
        "state": row.get("state", "open"),
        "at": iso(int(row["at_ms"])) if "at_ms" in row else None,
        **{name: row[name] for name in _SHOWN if name in row},
    }
