"""Judge many files: parents read once, and over all cores where that pays."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from policykit.lint.discover import Target
from policykit.lint.judge import Judged, Options, StateOf, judge, project, reader
from policykit.rules import catalogue

if TYPE_CHECKING:
    from multiprocessing.context import ForkContext

#: How many parents are remembered; policies of one folder extend the same few.
MAX_PARENTS = 64
#: From so many files on, other processes are started: below, they cost more than they save (docs/speed.md).
MIN_PARALLEL = 256
#: The most processes, and how many files one of them is given at a time.
MAX_PROCESSES = 8
CHUNK = 64

Chunk = Sequence[Target]
#: What the processes that are forked are to do; they find it here, since it need not be sent to them.
_work: list[tuple[Options, StateOf]] = []


def judge_all(targets: Sequence[Target], options: Options, state_of: StateOf, *, alone: bool) -> list[Judged]:
    """Judge files, in their order. `alone`: in this process (what reads live state must not be forked)."""
    options = options if options.project else options._replace(project=project(targets))
    context = None if alone or len(targets) < MIN_PARALLEL else _fork()
    chunks = [targets[i : i + CHUNK] for i in range(0, len(targets), CHUNK)]
    judged: list[Judged] = []
    for part in (
        _serial(chunks, options, state_of) if context is None else _parallel(context, chunks, options, state_of)
    ):
        judged += part
        if options.progress is not None:
            options.progress(len(judged), len(targets))
    return judged


def _serial(chunks: Sequence[Chunk], options: Options, state_of: StateOf) -> Iterator[list[Judged]]:
    read_parent = lru_cache(MAX_PARENTS)(reader(options.texts))
    for chunk in chunks:
        yield [judge(target, options, state_of, read_parent) for target in chunk]


def _parallel(
    context: ForkContext, chunks: Sequence[Chunk], options: Options, state_of: StateOf
) -> Iterator[list[Judged]]:
    for subject in dict.fromkeys(target.kind for chunk in chunks for target in chunk):
        catalogue(subject)  # loaded once, before the others are made
    _work.append((options, state_of))
    try:
        with context.Pool(min(_cores(), MAX_PROCESSES)) as pool:
            yield from pool.imap(_forked, chunks)
    finally:
        _work.pop()


def _forked(chunk: Chunk) -> list[Judged]:
    options, state_of = _work[-1]
    return next(_serial([chunk], options, state_of))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fork() -> ForkContext | None:
    """Return what starts processes that share what is loaded here; None where there is one core or no fork."""
    import multiprocessing
    import threading

    if _cores() < 2 or threading.active_count() > 1 or "fork" not in multiprocessing.get_all_start_methods():
        return None
    return multiprocessing.get_context("fork")
