"""Judge many files: parents read once, and over all cores where that pays."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING

from policykit.lint.discover import Target
from policykit.lint.judge import Judged, Options, StateOf, judge, project, reader
from policykit.rules import catalogue

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.context import ForkContext, ForkProcess

#: How many parents are remembered; policies of one folder extend the same few.
MAX_PARENTS = 64
#: From so many files on, other processes are started: below, they cost more than they save (docs/speed.md).
MIN_PARALLEL = 256
#: The most processes, and how many files one of them is given at a time.
MAX_PROCESSES = 8
CHUNK = 64

Chunk = Sequence[Target]


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
    """Yield what other processes make of the chunks, dealt out in turn; what one that ended owes is judged here."""
    for subject in dict.fromkeys(target.kind for chunk in chunks for target in chunk):
        catalogue(subject)  # loaded once, before the others are made
    count = min(_cores(), MAX_PROCESSES, len(chunks))
    readers: list[Connection] = []
    workers: list[ForkProcess] = []
    try:
        for index in range(count):
            reader, writer = context.Pipe(duplex=False)
            readers.append(reader)
            # What a forked process is given is not sent to it.
            given = (tuple(readers), writer, chunks[index::count], options, state_of)
            workers.append(context.Process(target=_work, args=given, daemon=True))
            workers[-1].start()
            writer.close()  # the other process has the only one: when it ends, whatever ends it, reading ends
        for index, chunk in enumerate(chunks):
            yield _received(readers[index % count]) or next(_serial([chunk], options, state_of))
    finally:
        for reader in readers:
            reader.close()
        for worker in workers:
            worker.terminate()
            worker.join()


def _work(
    readers: Sequence[Connection], writer: Connection, chunks: Sequence[Chunk], options: Options, state_of: StateOf
) -> None:
    """Judge chunks in another process, silently: what fails here fails again, and is said, where it is awaited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is answered by the process that started this one
    for other in readers:
        other.close()  # or else this process would go on writing for one that is gone
    with suppress(Exception):
        for judged in _serial(chunks, options, state_of):
            writer.send(judged)


def _received(reader: Connection) -> list[Judged] | None:
    """Return the next chunk of a process; None when it has ended and owes it."""
    try:
        judged: list[Judged] = reader.recv()
    except (EOFError, OSError):
        return None
    return judged


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _fork() -> ForkContext | None:
    """Return what starts processes that share what is loaded here; None where there is one core or no fork."""
    import multiprocessing
    import threading

    if _cores() < 2 or threading.active_count() > 1 or "fork" not in multiprocessing.get_all_start_methods():
        return None
    return multiprocessing.get_context("fork")
