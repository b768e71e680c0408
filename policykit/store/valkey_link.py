"""How a store is linked to its server: which store that is, one step of the script on it, the row that tells of it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from pydantic_core import to_json

from policykit.errors import StoreUnavailable
from policykit.orders.intent import Intent
from policykit.store import forks
from policykit.store import valkey_state as state
from policykit.store.durability import ephemeral
from policykit.store.journal import Journal
from policykit.store.leases import Leases
from policykit.store.ledger import SILENT_MS, STEP_MS, Ledger
from policykit.store.valkey_keep import keeps
from policykit.store.valkey_server import TIMEOUT_MS, Answer, Server, encode, parse

#: The form of the keys. A store that has another one is refused: two versions would count apart.
FORMAT: Final = 2
#: How old facts may be that an idle guard assesses on, ms. A grant says whether newer ones are there.
FACTS_MS: Final = 100
#: How often a change is tried again that others were quicker with.
TRIES: Final = 100
#: Records of open intents that are kept here, so that their outcome need not read them first.
_RECORDS: Final = 10_000


class Link:
    """A server, a host's journal, and what is known here of both. Its methods are called under `_lock`, but `close`."""

    def __init__(
        self,
        uri: str,
        journal: str | Path | None = None,
        *,
        server_time: bool = True,
        facts_ms: float = FACTS_MS,
        timeout_ms: int = TIMEOUT_MS,
    ) -> None:
        self.address = parse(uri)
        self._server = Server(self.address, timeout_ms)
        self._lock = threading.Lock()
        self._journal = Journal(journal or journal_path(), self._lock)
        self._server_time, self._facts_s = server_time, facts_ms / 1000
        self.epoch = ""
        #: What is asked of the server's sequence at least.
        self._least = 0
        #: Why increases wait for a person: this host remembers another state of the store.
        self.reset: tuple[str, str] | None = None
        self._views: dict[str, tuple[Ledger, tuple[int, str], float]] = {}
        self._records: dict[str, str] = {}
        self._leases = Leases()
        self._lost: list[str] = []
        with self._lock:
            self._look()
            problem, self.warnings = keeps(self._server)
        self.problem = problem or ephemeral(os.path.realpath(self._journal.path))
        forks.watch(self)

    def _look(self) -> None:
        """Find out which store this is, and whether it is the one that this host knows."""
        new = secrets.token_hex(8)
        tag = self.address.tag
        answers = self._server.ask(
            encode("HSETNX", f"{tag}:meta", "epoch", new),
            encode("HSETNX", f"{tag}:meta", "format", FORMAT),
            encode("HMGET", f"{tag}:meta", "epoch", "format", "seq"),
            encode("HGETALL", f"{tag}:succeeds"),
        )
        (epoch, found, seq), succeeds = answers[2], state.pairs(answers[3])
        if int(found) > FORMAT:
            raise StoreUnavailable(
                f"{self.address}: written by a newer policykit (format {found}); formats up to {FORMAT} "
                "can be read; upgrade policykit",
                "STORE_VERSION",
            )
        if int(found) < FORMAT:
            raise StoreUnavailable(
                f"{self.address}: written by an older policykit (format {found}), whose counters are not read; once "
                "its bots have stopped empty it, or give it another `?name=`",
                "STORE_VERSION",
            )
        self.epoch, self._least = epoch, int(seq or 0)
        self._views.clear()
        self._records.clear()
        self._leases.forget()
        self.reset = None
        seen = self._journal.seen()
        if seen is not None and seen[0] not in succeeds and (seen[0] != self.epoch or seen[1] > self._least):
            why = "it lost data, was set back, or is another store"
            what = f"{self.address}: is not as {self._journal.path} remembers it ({why})"
            self.reset = ("STORE_RESET", f"{what}; reconcile, then `policykit resume --scope all`")
            claim = json.dumps({"host": socket.gethostname(), "seq": seen[1]})
            self._server.ask(encode("HSETNX", f"{tag}:resets", seen[0], claim))

    def _step(
        self,
        now_ms: int,
        holds: Iterable[tuple[Any, ...]],
        changes: list[state.Change] | tuple[()] = (),
        conditions: list[state.Condition] | tuple[()] = (),
        *,
        generation: int = -1,
        account: str = "",
        intent: Intent | None = None,
        record: str = "",
    ) -> Answer:
        """Run the script; `record` is the intent's."""
        head = [
            self.epoch,
            self._least,
            FORMAT,
            -1 if self._server_time else now_ms,
            generation,
            account,
            SILENT_MS,
            STEP_MS,
            conditions,
            holds,
            intent is not None and state.intent_words(intent),
        ]
        answer = self._server.step(_json(head), record, changes)
        if answer.status == "reset":
            self._look()
        else:
            self._least = answer.seq
            self._forget(account, (answer.generation, answer.version))
        return answer

    def _forget(self, account: str, version: tuple[int, str]) -> None:
        """Drop a view that others have outrun."""
        view = self._views.get(account)
        if view is not None and view[1] != version:
            del self._views[account]

    def _get(self, *commands: tuple[str | int, ...]) -> list[Any]:
        """Ask for keys: command, key, arguments."""
        tag = self.address.tag
        return self._server.ask(*(encode(c[0], f"{tag}:{c[1]}", *c[2:]) for c in commands))

    def _write(self, kind: str, at_ms: int, body: dict[str, Any], answer: Answer) -> int:
        """Write the row of a step that was made."""
        # A grant of a store that is not trusted yet must not pass for what this host remembers.
        grant = None if self.reset else (answer.epoch, answer.seq)
        return self._journal.append(kind, at_ms, body, grant)

    def _record(self, intent_id: str) -> str | None:
        """Return the record of an intent, as it was last seen here or as it is."""
        known = self._records.get(intent_id)
        if known is not None:
            return known
        found: list[str | None] = self._get(("HGET", "open", intent_id), ("HGET", "closed", intent_id))
        return found[0] or found[1]

    def _keep(self, intent_id: str, record: str) -> None:
        if len(self._records) >= _RECORDS:
            self._records.clear()
        self._records[intent_id] = record

    def _sure(self, step: Callable[[], Answer]) -> Answer:
        """Make a step; once more on the store that was found instead of the one that was known."""
        answer = step()
        for _ in range(TRIES):
            if answer.status != "reset":
                return answer
            answer = step()
        raise self._busy()

    def _busy(self) -> StoreUnavailable:
        return StoreUnavailable(
            f"{self.address}: others changed the same {TRIES} times in a row; try again", "STORE_LOCKED"
        )

    def close(self) -> None:
        with self._lock:
            self._server.disconnect()
        self._journal.close()

    def _disconnect(self) -> None:
        self._server.disconnect()
        self._journal._disconnect()
        self._leases.forget()

    def _forked(self) -> None:
        """Nothing is kept of threads that wait."""


def _json(head: list[Any]) -> bytes:
    try:
        return to_json(head)
    except ValueError:  # half a surrogate pair, from a bot: two such names are taken for one
        return json.dumps(head, ensure_ascii=False).encode("utf-8", "replace")


def journal_path() -> str:
    """Return POLICYKIT_JOURNAL, or a file in the user's state directory."""
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.environ.get("POLICYKIT_JOURNAL") or os.path.join(home, "policykit", "journal.db")
