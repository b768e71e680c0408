"""A long journal by two processes: each makes the ledger of all rows before its own, and decides on its half.

Making the ledger takes a small part of the time that deciding takes, so two cores need little more than half of it.
Windows are full again once the longest of them has passed: the second half counts from that long before its first
decision, and of older orders what those that are still open claim.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from typing import Any, Final

from pydantic import BaseModel

from policykit.engine.checks.borrow import LAG_MS
from policykit.engine.checks.partial_fills import WINDOW_MS as REENTRIES_MS
from policykit.policy import EffectivePolicy
from policykit.proofs.difference import Replayed
from policykit.proofs.replay import journal
from policykit.proofs.replay.run import Pair, Part, Run
from policykit.store.reader import JournalReader
from policykit.units import Duration

#: Of fewer rows one process makes short work.
MIN_ROWS: Final = 100_000
#: The part of the rows that the first process judges: the other has to make their ledger first.
FIRST: Final = 0.61


def replayed_by_two(
    reader: JournalReader,
    pairs: tuple[Pair, ...],
    *,
    since_ms: int | None,
    until_ms: int | None,
    told: Callable[[int, int], None] | None,
) -> Replayed:
    """Decide again what a journal recorded; by two processes where it is long, and this system forks."""
    past = journal.past(reader)
    halves = _halves(past.of, reader, pairs) if past.begun_ms is None else None
    if halves is None:
        run = Run(past, pairs, since_ms, until_ms)
        return run.result(*run.over(told))
    first, second = halves
    ours, theirs = multiprocessing.Pipe(duplex=False)
    other = multiprocessing.get_context("fork").Process(
        target=_second, args=(theirs, reader.path, pairs, since_ms, until_ms, second), daemon=True
    )
    other.start()
    theirs.close()
    try:
        run = Run(past, pairs, since_ms, until_ms, first)
        ended = run.over(None if told is None else lambda done, of: told(min(of, done * of // first.last), of))
        if not ended[0]:
            ended = _joined(run, ours)
        return run.result(*ended)
    finally:
        other.terminate()
        other.join()


def _joined(run: Run, ours: Connection) -> tuple[str, bool]:
    """Add what the other process found, once it has; return why not all was read."""
    try:
        changes, rows, incomplete = ours.recv()
    except KeyboardInterrupt:
        return f"interrupted after row {run.rows:,} of {run.past.of:,}", True
    except EOFError:
        return f"the process that judged the rows after {run.rows:,} ended before it was done", False
    run.changes.add(changes)
    run.rows = max(run.rows, rows)
    return incomplete, False


def _second(
    theirs: Connection,
    path: str,
    pairs: tuple[Pair, ...],
    since_ms: int | None,
    until_ms: int | None,
    part: Part,
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process ends this one
    with closing(JournalReader(path)) as reader:
        run = Run(journal.past(reader), pairs, since_ms, until_ms, part)
        incomplete, _ = run.over(None)
        theirs.send((run.changes, run.rows, incomplete))


def _halves(of: int, reader: JournalReader, pairs: Iterable[Pair]) -> tuple[Part, Part] | None:
    """Return the rows of each process; None: one does."""
    if of < MIN_ROWS or (os.cpu_count() or 1) < 2 or "fork" not in multiprocessing.get_all_start_methods():
        return None
    last = int(of * FIRST)
    row, begins = (next(reader.raw(after, 1), None) for after in (last, 0))
    if row is None or begins is None:
        return None
    counts_ms = row[1] - max(longest_ms(policy) for pair in pairs for policy in pair if policy is not None)
    return (Part(last=last), Part(after=last, counts_ms=counts_ms)) if counts_ms > begins[1] else None


def longest_ms(policy: EffectivePolicy) -> int:
    """Return a span that no window of a policy is longer than."""
    model = policy.model
    spans = [one.ms for said in (model.risk, model.rate_budgets, model.account) for one in _durations(said)]
    return max([*spans, REENTRIES_MS]) + LAG_MS  # what was borrowed counts for the age of facts and a lag


def _durations(said: Any) -> Iterator[Duration]:
    if isinstance(said, Duration):
        yield said
    elif isinstance(said, BaseModel):
        for name in type(said).model_fields:
            yield from _durations(getattr(said, name))
    elif isinstance(said, dict):
        for one in said.values():
            yield from _durations(one)
    elif isinstance(said, list | tuple):
        for one in said:
            yield from _durations(one)
