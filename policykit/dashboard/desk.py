"""What answers the page's questions: the journal's reader, its index, and the store, each opened only to read.

All of it is used by one thread, one question at a time: no locks, and the server's loop stays free. The store is opened
beside that, as it replays rows; until it stands the page shows what the journal tells. What cannot be read is said.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from policykit.clock import Clock, SystemClock
from policykit.dashboard import overview, story
from policykit.dashboard.index import Index
from policykit.dashboard.queries import Several
from policykit.dashboard.recent import Recent
from policykit.dashboard.rendering import render
from policykit.dashboard.view import Note
from policykit.errors import StoreUnavailable
from policykit.redact import scrub
from policykit.store import Store, default_uri, open_journal, open_store
from policykit.store.reader import JournalReader

T = TypeVar("T")
Page = tuple[int, str]

#: Rows taken in between two questions: so long a question waits at most (some tens of ms).
CHUNK: Final = 500
#: So long the page waits for the store to be opened, seconds, before it is shown without.
OPENING_S: Final = 0.2
#: Policy rows that are read for the spans of an order.
MAX_POLICIES: Final = 50


class Desk:
    """The sources of one store, opened when they are there; `clock` for tests."""

    def __init__(
        self,
        uri: str | None = None,
        *,
        clock: Clock | None = None,
        index: Path | None = None,
        patience_s: float = OPENING_S,
    ) -> None:
        self.uri = uri or default_uri()
        self._clock, self._index_path = clock or SystemClock(), index
        self._one = ThreadPoolExecutor(1, "policykit-page")
        self._reader: JournalReader | None = None
        #: The index has a reader of its own.
        self._beside: JournalReader | None = None
        self._index: Index | None = None
        self._patience_s = patience_s
        self._opener = ThreadPoolExecutor(1, "policykit-page-store")
        self._store: Future[Store] | None = None
        #: The page was shown without the store, and is to be shown again once it stands.
        self._awaited = False
        self._recent = Recent()
        self._behind = True
        #: The newest row of the journal; -1: there is none yet.
        self.newest = -1

    async def ask(self, work: Callable[[], T]) -> T:
        """Do work in the desk's own thread."""
        return await asyncio.get_running_loop().run_in_executor(self._one, work)

    def close(self) -> None:
        """Let go of everything, after what is being answered."""
        self._opener.shutdown()
        self._one.submit(self._leave).result()
        self._one.shutdown()

    def _leave(self) -> None:
        for one in (self._index, self._beside, self._reader):
            if one is not None:
                one.close()
        if self._store is not None and self._store.exception() is None:
            self._store.result().close()
        self._index = self._beside = self._reader = self._store = None

    # ---- following

    def advance(self) -> tuple[bool, bool]:
        """Read what is new, a part of it: whether the page should look again, and whether there is more to read."""
        try:
            reader, index = self._opened()
        except StoreUnavailable:
            gone, self.newest = self.newest >= 0, -1
            return gone, False
        try:
            moved = reader.changed()
            if self._awaited and self._store is not None and self._store.done():
                self._awaited, moved = False, True
            if not moved and not self._behind:
                return False, False
            newest = self._newest(reader)
            done = index.advance(CHUNK)
            done = max(done, self._recent.advance(reader, newest, CHUNK))
            self._behind = done >= CHUNK
        except StoreUnavailable:
            self._leave()
            return True, False
        return moved or done > 0, self._behind

    def _newest(self, reader: JournalReader) -> int:
        row = reader.newest()
        self.newest = 0 if row is None else row.seq
        return self.newest

    def _opened(self) -> tuple[JournalReader, Index]:
        if self._reader is None or self._index is None:
            self._reader, self._beside = open_journal(self.uri), open_journal(self.uri)
            self._index = Index(self._beside, self._index_path)
            self._recent, self._behind = Recent(), True
        return self._reader, self._index

    def _opened_store(self) -> Store | None:
        """Return the store; None while it is being opened. Raise StoreUnavailable."""
        if self._store is None:
            self._store = self._opener.submit(read_only, self.uri)
        try:
            return self._store.result(self._patience_s)
        except TimeoutError:
            self._awaited = True
            return None
        except StoreUnavailable:
            self._store = None
            raise

    # ---- answers

    def frame(self, title: str, asked: str = "") -> dict[str, Any]:
        """Return what every page needs."""
        named = scrub(self.uri)
        source = named if self.newest < 0 else f"{named}, {self.newest:,} rows"
        return {"title": title, "now_ms": self._clock.now_ms(), "source": source, "asked": asked}

    def overview(self, template: str, query: Mapping[str, str]) -> Page:
        """Return the overview, or only its parts; what to do where there is no journal yet."""
        try:
            reader, index = self._opened()
            newest = reader.newest()
        except StoreUnavailable as error:
            return 200, render("empty.html", **self.frame("No journal yet"), view=_welcome(str(error)))
        self.newest = 0 if newest is None else newest.seq
        now_ms, notes = self._clock.now_ms(), self._notes(reader, index)
        seen: overview.Store = overview.Store()
        try:
            store = self._opened_store()
            if store is None:
                notes.append(Note("info", "Opening the store.", "What it tells follows in a moment."))
                seen = overview.OPENING
            else:
                seen = overview.of_store(store, socket.gethostname(), now_ms, self._recent)
        except StoreUnavailable as error:
            notes.append(Note("bad", "The store cannot be asked.", f"{error}. What the journal tells is below."))
        view = overview.view(reader, index, seen, query, newest, now_ms, tuple(notes))
        return 200, render(template, **self.frame("Overview"), view=view)

    def _notes(self, reader: JournalReader, index: Index) -> list[Note]:
        done, newest = index.progress()
        health = index.health()
        notes = []
        if reader.damage is not None:
            text = f"{reader.damage.why}. What stands before it is shown; increases are refused on such a store."
            notes.append(Note("bad", "The journal is damaged.", text, "policykit journal verify"))
        elif health.problem is not None:
            notes.append(Note("bad", "The journal cannot be read on.", health.problem, "policykit journal verify"))
        elif newest - done > CHUNK:
            share = done / newest
            notes.append(
                Note("info", "Reading the journal.", f"{done:,} of {newest:,} rows; the newest follow.", None, share)
            )
        if health.missed:
            notes.append(Note("info", "Pruned.", f"{health.missed:,} rows were taken off before this page read them."))
        return notes

    def symbol(self, text: str) -> str | None:
        """Return the symbol that a search means, if orders or denials of it are known."""
        if "/" not in text or len(text) > overview.MAX_WORD:
            return None
        try:
            index = self._opened()[1]
            for name in dict.fromkeys((text, text.upper())):
                if index.denials(symbol=name, limit=1) or index.orders(symbol=name, limit=1):
                    return name
        except StoreUnavailable:
            pass
        return None

    def order(self, ident: str) -> Page:
        """Return the page of the order that an id fits, or what to do when none or several do."""
        try:
            reader, index = self._opened()
            found = index.story(ident)
            if found is None:
                return 404, self._unfound(ident, index)
            if isinstance(found, Several):
                return 300, self._ambiguous(ident, found, index)
            shown = [row for seq in found.seqs[: story.MAX_ROWS] if (row := reader.row(seq)) is not None]
            if not any(row.kind == "decision" for row in shown):
                return 404, self._unfound(ident, index)
            policies = [row for row in index.states(limit=MAX_POLICIES) if row.kind == "policy"]
            view = story.page(shown, found.idents, reversed(policies), len(found.seqs) - len(shown))
            if view.outcome == "deny":
                older = index.denials(before_seq=view.seq, limit=1)
                newer = index.newer_denial(view.seq)
                view = view._replace(older=older[0].ident if older else None, newer=newer)
            return 200, render("order.html", **self.frame(view.title.strip(), ident), view=view)
        except StoreUnavailable as error:
            said = {"title": "It cannot be looked up", "says": str(error), "candidates": (), "hints": ()}
            return 503, render("found.html", **self.frame("Not read", ident), view=said)

    def _unfound(self, ident: str, index: Index) -> str:
        done, newest = index.progress()
        hints = [
            "Ids are a decision's, a client order id (four characters of either end will do), the exchange's.",
            "An order that was sent around policykit has no row; policykit reconcile finds those.",
            "Another store? This one is named at the foot of the page.",
        ]
        if done < newest:
            hints.insert(0, f"The journal is still being read: {done:,} of {newest:,} rows. Try again in a moment.")
        view = {
            "title": "Nothing in this journal has that id",
            "says": f"Looked for {ident[: overview.MAX_WORD]!r} among {done:,} rows.",
            "candidates": (),
            "hints": hints,
        }
        return render("found.html", **self.frame("Not found", ident), view=view)

    def _ambiguous(self, ident: str, found: Several, index: Index) -> str:
        candidates = []
        for one in reversed(found.idents):
            told = index.story(one)
            row = None if told is None or isinstance(told, Several) else index.reader.row(told.seqs[0])
            candidates.append((one, "" if row is None else overview.line(row)))
        view = {
            "title": f"{found.total:,} orders fit that id",
            "says": "Give more of it, or its end: ids of one process begin alike. The newest:",
            "candidates": candidates,
            "hints": (),
        }
        return render("found.html", **self.frame("Which one?", ident), view=view)


def read_only(uri: str) -> Store:
    """Open a store so that nothing can be written to it. Raise StoreUnavailable."""
    if not uri.startswith("sqlite:///"):
        return open_store(uri)  # nothing that this page asks of it writes
    from policykit.store.sqlite import SqliteStore

    path = Path("/" + uri.removeprefix("sqlite:///").lstrip("/"))
    if not path.is_file():
        raise StoreUnavailable(f"{path}: there is no store")
    return SqliteStore(path, make=_connect_to_read)


def _connect_to_read(path: str, busy_ms: int) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{Path(path).as_uri()}?mode=ro",
        uri=True,
        timeout=busy_ms / 1000,
        isolation_level=None,
        check_same_thread=False,
    )


def _welcome(why: str) -> dict[str, Any]:
    example = "sqlite:////path/to/store.db"
    steps = (
        ("Point this page at the store that your bots use:", f"policykit dashboard --store {example}"),
        ("Or set it once, for this page and every command:", f"export POLICYKIT_STORE={example}"),
        ("No bot yet? The demo trades on a simulated exchange and keeps its journal:", "policykit demo"),
    )
    return {"title": "No journal yet", "says": f"{why}. This page shows one as soon as it is there.", "steps": steps}
