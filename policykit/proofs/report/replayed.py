"""What a replay found, for a terminal: what would change, by which check, and what could not be judged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from policykit.clock import iso
from policykit.lint.report.quote import clean
from policykit.proofs.difference import Replayed
from policykit.proofs.report.words import group, recorded

#: What the figures mean; it stands below them.
SEMANTICS: Final = (
    "each decision by itself, on the state of its own moment: what a changed one would have led to is not followed"
)


def lines(replayed: Replayed) -> Iterator[str]:
    """Yield what a replay found, a line each."""
    others = "would be another" if replayed.changed == 1 else "would be others"
    yield f"{head(replayed)}: {replayed.changed:,} {others}{unsure(replayed)}"
    for found in replayed.groups:
        yield f"  {found.check}: {group(found)}"
        for example in found.examples:
            yield f"    {clean(recorded(example, found.currency))}"
    for note in notes(replayed):
        yield f"  {clean(note)}"


def head(replayed: Replayed) -> str:
    """Name what was replayed, and of when it was."""
    since, until = (None if at is None else iso(at)[:16] + "Z" for at in (replayed.since_ms, replayed.until_ms))
    when = f", {since} to {until}" if since and until else ""
    made = f"{_count(replayed.decisions, 'decision')} in {_count(replayed.rows, 'row')}"
    return f"replay of {clean(replayed.source)}: {made}{when}"


def _count(of: int, what: str) -> str:
    return f"{of:,} {what}" if of == 1 else f"{of:,} {what}s"


def unsure(replayed: Replayed) -> str:
    """Return, for the line that counts the changes, of how many nobody can tell."""
    return f"; {replayed.unsure:,} could not be judged by every check" if replayed.unsure else ""


def notes(replayed: Replayed) -> Iterator[str]:
    """Yield what has to be known beside the figures: what was left, what was assumed, what they mean."""
    if replayed.incomplete:
        yield f"INCOMPLETE: {replayed.incomplete}"
    if replayed.other:
        were, them = ("was", "it") if replayed.other == 1 else ("were", "them")
        yield f"{replayed.other:,} {were} made by another version than OLD, which decided {them} again as well"
    for why, count in replayed.left.items():
        yield f"left, {count:,}: {why}"
    for words in replayed.assumed:
        yield f"assumed: {words}"
    if replayed.groups:
        yield SEMANTICS
