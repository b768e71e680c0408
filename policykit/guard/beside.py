"""Which candidate runs beside a guard's policy: the one that `policykit shadow start` keeps in the store.

Every guard of the account and the policy's name asks in each round, on every host, and needs no restart. What cannot
be compiled here changes nothing: why stands in the registry of guards, for `policykit status` and the report.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit import __version__
from policykit.errors import PolicykitError, StoreUnavailable
from policykit.guard.ceiling import held
from policykit.guard.settings import read_back
from policykit.guard.shadow import Shadow

if TYPE_CHECKING:
    from policykit.guard.core import Guard
    from policykit.policy import EffectivePolicy
    from policykit.store import GuardInfo, Store

#: The kind of the rows; their name is the policy's.
KIND: Final = "shadow"
#: Why a guard that was loaded with a candidate takes no other.
OWN: Final = "it was loaded with a candidate of its own"

_log = logging.getLogger("policykit.guard")


class Run(NamedTuple):
    """A candidate that was started: for which policy, what it says, and until when it runs (UTC ms).

    `against` is the version that was in force then, `host` the one where the candidate's `file` lies. `state` is what
    the row says: running, stopped, promoted.
    """

    id: str
    state: str
    account: str
    name: str
    version: str
    digest: str
    file: str
    host: str
    against: str
    by: str
    why: str
    started_ms: int
    until_ms: int
    policy: Mapping[str, Any]
    ended_ms: int | None = None

    def runs(self, now_ms: int) -> bool:
        """Tell whether guards judge by it."""
        return self.state == "running" and now_ms < self.until_ms

    def said(self, now_ms: int) -> str:
        """Return its state in a word: one whose time is over ended."""
        return "ended" if self.state == "running" and now_ms >= self.until_ms else self.state

    @property
    def over_ms(self) -> int:
        """Return when it was, or will be, over."""
        return self.until_ms if self.ended_ms is None else min(self.until_ms, self.ended_ms)


def run_of(row: Mapping[str, Any] | None) -> Run | None:
    """Read a row of the store; None: there is none, or it is of a library whose words this one does not have."""
    try:
        if row is None:
            return None
        texts = ("state", "account", "name", "version", "digest", "file", "host", "against", "by", "why")
        said = {name: str(row[name]) for name in texts}
        ended = row.get("ended_ms")
        return Run(
            id=str(row["run"]),
            started_ms=int(row["started_ms"]),
            until_ms=int(row["until_ms"]),
            policy=dict(row["policy"]),
            ended_ms=None if ended is None else int(ended),
            **said,
        )
    except (KeyError, TypeError, ValueError):
        return None


def runs_of(store: Store, account: str) -> dict[str, Run]:
    """Return the newest candidate of each policy of an account, by the policy's name. Raise StoreUnavailable."""
    rows = store.kept(account, KIND)
    return {name: run for name, row in rows.items() if (run := run_of(row)) is not None}


def missing(info: GuardInfo, run: Run) -> str:
    """Return why a live guard does not judge by a candidate that runs; empty: it does."""
    if info.candidate == run.id:
        return ""
    if info.candidate_why:
        return info.candidate_why
    if not info.loop:
        return "its maintenance loop does not run; it takes candidates in where the bot calls `maintain`"
    return "it has not taken it in: it does in its next round, unless its policykit is older than candidates"


class Beside:
    """The candidate of one guard, as the store names it."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        #: Why a candidate that runs does not judge here; empty: it does, or none runs.
        self.why = ""
        self._chosen: tuple[str, str] | None = None

    def refresh(self) -> None:
        """Take in the candidate that runs now, or let go of one that does not, and write it. Raise StoreUnavailable."""
        guard, why = self.guard, self.why
        changed = self.choose()
        shadow = guard.shadow
        if changed or (shadow is not None and shadow.unjudged != shadow.named):
            guard.announce()
        if self.why and self.why != why:
            _log.warning("no candidate judges beside %s: %s", guard.policy.name, self.why)

    def choose(self) -> bool:
        """Find the candidate that runs now; tell whether it is another one than before. Raise StoreUnavailable."""
        guard, shadow = self.guard, self.guard.shadow
        rows = guard.store.kept(guard.account, KIND)
        if not rows and self._chosen is None and not self.why:
            return False
        row = rows.get(guard.policy.name)
        run = run_of(row)
        if shadow is not None and not shadow.run:
            self.why = OWN if run is not None and run.runs(guard.now()) else ""
            return False
        if run is None or not run.runs(guard.now()) or run.digest == guard.in_force.own.digest:
            self.why = "" if row is None or run is not None else _unread()
            self._chosen, guard.shadow = None, None
            return shadow is not None
        return self._take(run)

    def _take(self, run: Run) -> bool:
        guard, before = self.guard, self.guard.shadow
        try:
            candidate = self._held(read_back(run.policy, run.name, run.file))
            stage = candidate.model.stage
            chosen = (run.id, stage.current if stage else "")
            if chosen == self._chosen:
                return False
            self._chosen = chosen
            if candidate.account_key != guard.account:
                raise PolicykitError(f"it is of {candidate.account_key}; this guard trades {guard.account}")
            candidate.__dict__["version"] = run.version  # where its secrets live is part of it, and stays on its host
            guard.shadow = Shadow.of(candidate, guard.key, guard.host, paper=guard.paper is not None, run=run.id)
            self.why = ""
        except StoreUnavailable:
            raise
        except PolicykitError as error:
            guard.shadow, self.why = None, str(error)
        except Exception:  # noqa: BLE001 - another library's words; the active policy's answers do not depend on it
            guard.shadow, self.why = None, _unread()
        return guard.shadow is not None or before is not None

    def _held(self, policy: EffectivePolicy) -> EffectivePolicy:
        """Return a candidate at the stage that it would run at."""
        guard, stage = self.guard, policy.model.stage
        staged = policy if stage is None else policy.at_stage(stage.current)
        return staged if guard.mode == "shadow" or guard.testing else held(staged, guard.store).policy


def _unread() -> str:
    return f"its words are not those of policykit {__version__}"
