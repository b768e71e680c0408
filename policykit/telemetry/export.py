"""`journal export --otlp`: every span of a journal to a collector, at least once, from a cursor that is kept in a file.

The cursor moves only after the collector has what is before it, so a process that is killed sends its last batch again:
with the same ids, which is the same spans. The file also holds the policies in force, whose rows may lie far back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from threading import Event
from typing import Any, Final, NamedTuple, Protocol

from policykit.errors import PolicykitError
from policykit.store.base import Row
from policykit.store.pruned import Base
from policykit.telemetry.rebuild import MAX_DECISIONS, JournalSpan, Rebuild

#: Spans of one request, and rows read for it, at most.
BATCH: Final = 512
PAGE: Final = 1_000
#: How often `--follow` looks for new rows, seconds.
POLL_S: Final = 0.5
VERSION: Final = 1


class Refused(PolicykitError):
    """The collector takes nothing from us as we are; the message says what to do."""


class Unreachable(PolicykitError):
    """The collector did not take a batch, however often it was sent; or sending was told to stop."""


class Rows(Protocol):
    """What is read of a journal; `policykit.store.reader.JournalReader` has it."""

    epoch: str

    def base(self) -> Base:
        """Return where the journal begins."""

    def carried(self) -> list[Row]:
        """Return what is in force of the rows that were pruned."""

    def newest(self) -> Row | None:
        """Return the newest row."""

    def rows(self, after: int = 0, limit: int = 1000) -> Iterator[Row]:
        """Yield rows in order."""


class Sends(Protocol):
    """What takes spans; `otlp.Sender` does."""

    def send(self, spans: list[JournalSpan]) -> Any:
        """Send a batch, return (accepted, rejected, why)."""


class Done(NamedTuple):
    """What an export did: rows read, spans that the collector has, spans it rejected, rows that no span came of."""

    rows: int
    spans: int
    rejected: int
    unreadable: int


class Cursor:
    """Up to which row of which journal a collector has everything; kept in a file that is never half written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seq = 0
        self.epoch = ""
        self.policies: list[dict[str, Any]] = []
        #: Whether there was a file to go on from.
        self.found = False
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise PolicykitError(f"{path}: the cursor cannot be read ({type(error).__name__})") from None
        try:
            said = json.loads(text)
            ours = said["version"] == VERSION
            self.seq, self.epoch, self.policies = int(said["seq"]), str(said["journal"]), list(said["policies"])
        except (ValueError, LookupError, TypeError):
            ours = False
        if not ours:
            raise PolicykitError(f"{path}: is no cursor of this version; give another --cursor, or --from a row")
        self.found = True

    def move(self, seq: int, epoch: str, policies: list[dict[str, Any]]) -> None:
        """Write that everything up to a row was taken; on disk when it returned."""
        self.seq, self.epoch, self.policies = seq, epoch, policies
        said = {"version": VERSION, "journal": epoch, "seq": seq, "policies": policies}
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                json.dump(said, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise PolicykitError(f"{self.path}: the cursor cannot be written ({error.strerror})") from None


class Export:
    """One journal on its way to one collector. `progress` is told rows done and rows there are."""

    def __init__(
        self,
        reader: Rows,
        sender: Sends,
        cursor: Cursor,
        *,
        stop: Event,
        say: Callable[[str], None],
        progress: Callable[[int, int], None] = lambda done, of: None,
        start: int | None = None,
    ) -> None:
        self._reader, self._sender, self._cursor, self._stop = reader, sender, cursor, stop
        self._say, self._progress = say, progress
        self._rows = self._spans = self._rejected = 0
        self._told = False
        self._after = self._begin(start)

    def _begin(self, start: int | None) -> int:
        """Return the row to go on after; raise PolicykitError where the cursor is not one of this journal."""
        cursor, newest = self._cursor, self._reader.newest()
        if start is None and cursor.found:
            if cursor.epoch != self._reader.epoch or cursor.seq > (newest.seq if newest is not None else 0):
                raise PolicykitError(
                    f"{cursor.path}: is the cursor of another journal, or this one lost rows; "
                    "give another --cursor, or --from a row"
                )
            after = cursor.seq
        else:
            after = 0 if start is None else max(0, start - 1)
        self._rebuild = Rebuild(cursor.policies)
        for row in self._reader.carried():
            self._rebuild.take(row)
        after = self._behind_pruned(after)
        # Of decisions just before the cursor the sends may still come; without a cursor the policies lie there too.
        known = after - MAX_DECISIONS if cursor.found and start is None else 0
        for row in self._read(max(known, self._reader.base().seq), after):
            self._rebuild.take(row)
        self._rebuild.unreadable = 0
        return after

    def _behind_pruned(self, after: int) -> int:
        """Return the row to go on after, where the journal begins behind it; that is said, and never passed over."""
        pruned = self._reader.base().seq
        if after < pruned:
            self._say(
                f"rows {after + 1:,} to {pruned:,} were pruned before they were sent; their archive can be exported: "
                "--store sqlite:///ARCHIVE"
            )
        return max(after, pruned)

    def _read(self, after: int, last: int) -> Iterator[Row]:
        while after < last and not self._stop.is_set():
            page = list(self._reader.rows(after, min(PAGE, last - after)))
            yield from page
            if not page:
                return
            after = page[-1].seq

    def run(self, *, follow: bool = False) -> Done:
        """Send every row there is, with `follow` those to come too, until `stop`. Raise as reader and sender do."""
        try:
            while not self._stop.is_set():
                if not self._page() and (not follow or self._stop.wait(POLL_S)):
                    break
        except Unreachable:
            if not self._stop.is_set():  # told to stop while the collector was away: the cursor stays
                raise
        return Done(self._rows, self._spans, self._rejected, self._rebuild.unreadable)

    def _page(self) -> bool:
        """Send the next rows; False when there are none."""
        spans: list[JournalSpan] = []
        before = last = self._after = self._behind_pruned(self._after)
        try:
            for row in self._reader.rows(self._after, PAGE):
                spans += self._rebuild.take(row)
                last = row.seq
                self._rows += 1
                if len(spans) >= BATCH:
                    break
        finally:  # what is good before a damaged row is sent
            if last > self._after:
                self._hand_over(spans, last)
        return last > before

    def _hand_over(self, spans: list[JournalSpan], last: int) -> None:
        if spans:
            taken = self._sender.send(spans)
            self._spans += taken.accepted
            self._rejected += taken.rejected
            if taken.rejected and not self._told:
                self._told = True
                self._say(
                    f"{taken.rejected} spans were rejected and are not sent again: {taken.why or 'no reason given'}"
                )
        # INVARIANT I17: at least once: the cursor moves after the collector has the spans, never before.
        self._cursor.move(last, self._reader.epoch, [dict(body) for body in self._rebuild.policies.values()])
        self._after = last
        newest = self._reader.newest()
        self._progress(last, newest.seq if newest is not None else last)
