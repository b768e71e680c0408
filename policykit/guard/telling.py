"""Who is told when: one message per cause and `repeat` over all processes of a store, and one when it is over.

What is agreed lies in leases of the store, few for each target: `notify|KEY|TARGET|LEVEL` is held by whoever told it
last, for `repeat`; `notify.open|KEY|TARGET` stands while it was told and is not over; `notify.end|KEY|TARGET` is held
by who tells the end.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final

from policykit.clock import iso
from policykit.engine import Engine
from policykit.errors import StoreUnavailable
from policykit.guard.measures import watched
from policykit.guard.notices import Notice, defused, notices, possible
from policykit.guard.outbox import Message, Outbox
from policykit.model.notify import Notify, Target
from policykit.policy import EffectivePolicy
from policykit.store import Store
from policykit.telemetry.causes import BY_ID

#: How often a cause is told while it lasts, where the policy does not say, ms.
REPEAT_MS: Final = 15 * 60_000
#: How long after another process told a cause this one asks again, ms.
AGAIN_MS: Final = 30_000
#: How long the end of a cause is one process's to tell, ms.
END_MS: Final = 60_000
#: How long it is remembered that a cause was told and is not over, ms: 30 days.
OPEN_MS: Final = 30 * 86_400_000

_count = itertools.count()


class Watch:
    """One process's part in telling what is wrong with the accounts of a store.

    `round` is to be called every few seconds: it reads the store, hands messages to threads, and returns. It raises
    nothing of the store's: a store that is down is something to tell.
    """

    def __init__(self, store: Store, now: Callable[[], int], *, who: str, outbox: Outbox | None = None) -> None:
        self._store, self._now, self._who = store, now, who
        self._host = socket.gethostname()
        self._process = f"{self._host}/{os.getpid()}"
        self.outbox = outbox or Outbox(store, now)
        #: When each cause was first seen here, by key; what was told before this process started is in it too.
        self._seen: dict[str, int] = {}
        #: What was last seen of it.
        self._last: dict[str, Notice] = {}
        #: When it may be told again by this process, by what it agrees with others by.
        self._due: dict[str, int] = {}
        self._remembers = False

    def round(self, engine: Engine, own: Sequence[Notice] = (), own_keys: Iterable[str] = ()) -> None:
        """Tell what is wrong now and what is over. `own`: what only this process sees; `own_keys`: what that can be."""
        policy = engine.effective
        section = policy.model.notify
        if section is None or not section.targets:
            return
        now = self._now()
        for name, target in section.targets.items():
            self.outbox.ready(name, target)
        try:
            found = [*own, *notices(engine, self._store, self._host, now)]
            if not self._remembers:
                self._seen |= dict.fromkeys((*own_keys, *possible(policy, self._store)), now)
                self._remembers = True
        except StoreUnavailable as error:
            self._tell_all(policy, section, [*own, self._down(policy, error)], now)
            return
        self._tell_all(policy, section, found, now)
        current = {notice.key for notice in found}
        for key in self._seen.keys() - current:
            with suppress(StoreUnavailable):  # the next round sees that it is over as well
                self._over(policy, section, key, now)

    def close(self) -> None:
        """Let what waits be sent, for a few seconds at most."""
        self.outbox.close()

    def _down(self, policy: EffectivePolicy, error: StoreUnavailable) -> Notice:
        what = f"the store cannot be used: {defused(str(error))}"
        return Notice("cannot_decide", f"{self._who}@{policy.account_key}", what, "policykit doctor")

    # ---- what lasts

    def _tell_all(self, policy: EffectivePolicy, section: Notify, found: Sequence[Notice], now: int) -> None:
        for notice in found:
            if notice.key not in self._last:
                self._seen[notice.key] = now
            self._last[notice.key] = notice
            began = _began(notice, self._seen[notice.key])
            if now - began < BY_ID[notice.cause].for_s * 1000:
                continue
            for name, target in (section.targets or {}).items():
                if wants(target, notice):
                    self._tell(policy, section, notice, (name, target), began, now)

    def _tell(
        self,
        policy: EffectivePolicy,
        section: Notify,
        notice: Notice,
        to: tuple[str, Target],
        began: int,
        now: int,
    ) -> None:
        """Tell one target, if it is due and this process's to tell."""
        told = _told(notice.key, to[1])
        agreed = f"notify|{told}|{notice.severity}|{notice.level}"
        if now < self._due.get(agreed, 0):
            return
        repeat_ms = section.repeat.ms if section.repeat is not None else REPEAT_MS
        if not self._mine(agreed, repeat_ms, now):
            self._due[agreed] = now + AGAIN_MS
            return
        self._due[agreed] = now + repeat_ms
        with suppress(StoreUnavailable):
            self._store.lease(f"notify.open|{told}", "open", OPEN_MS, now)
        about = {"cause": notice.cause, "subject": notice.subject, "what": "told", "text": notice.what, "at_ms": now}
        self.outbox.put(*to, Message(*self._text(policy, notice, began), notice.severity, about))

    def _mine(self, name: str, ttl_ms: int, now: int) -> bool:
        """Tell whether it is this process's to tell; of a store that is down each process speaks for itself."""
        # A holder that nobody has twice: the lease is refused to everybody until it ends, this process too.
        holder = f"{self._process}/{now}/{next(_count)}"
        try:
            return self._store.lease(name, holder, ttl_ms, now)
        except StoreUnavailable:
            return True

    def _text(self, policy: EffectivePolicy, notice: Notice, began: int) -> tuple[str, str]:
        cause, incident = BY_ID[notice.cause], policy.model.incident
        lines = [
            notice.what,
            f"where: {policy.account_key}, policy {policy.name}, told by {defused(self._who)} on {defused(self._host)}",
            f"since: {iso(began)}",
            f"next: {notice.do or cause.do}",
        ]
        if incident is not None and incident.runbook:
            lines.append(f"runbook: {incident.runbook}")
        return f"policykit {policy.account_key}: {cause.title}", "\n".join(lines)

    # ---- what is over

    def _over(self, policy: EffectivePolicy, section: Notify, key: str, now: int) -> None:
        """Tell the end of what was told to whom it was told, and forget it. Raise StoreUnavailable."""
        left = [to for to in (section.targets or {}).items() if not self._ended(policy, to, key, now)]
        if left:
            return  # another process is telling it: the next round sees that it did
        del self._seen[key]
        self._last.pop(key, None)
        # When it comes back it may be told as soon as the others' word has run out.
        for agreed in [one for one in self._due if one.startswith(f"notify|{key}|")]:
            del self._due[agreed]

    def _ended(self, policy: EffectivePolicy, to: tuple[str, Target], key: str, now: int) -> bool:
        """Tell one target that a cause is over, if it was told of it; False while that is another process's to do."""
        told = _told(key, to[1])
        opened = f"notify.open|{told}"
        if self._store.lease(opened, "probe", 0, now):
            return True  # it was not told, or its end was
        if not self._mine(f"notify.end|{told}", END_MS, now):
            return False
        self._store.lease(opened, "open", 0, now)
        cause, _, subject = key.partition("|")
        last = self._last.get(key)
        what = BY_ID[cause].title  # type: ignore[index]  # keys are of Notice.key
        notice = last or Notice(cause, subject, f"{what}: {defused(subject)}")  # type: ignore[arg-type]  # as above
        title = f"policykit {policy.account_key}: over: {what}"
        about = {"cause": notice.cause, "subject": subject, "what": "over", "at_ms": now}
        lasted = f"\nlasted: {_span(now - _began(last, self._seen[key]))}" if last else ""
        self.outbox.put(*to, Message(title, f"was: {notice.what}{lasted}", "resolved", about))
        return True


def wants(target: Target, notice: Notice) -> bool:
    """Tell whether a target is told of a notice."""
    asked = target.causes is None or notice.cause in target.causes
    return asked and (target.severity == "warning" or notice.severity == "critical")


def _began(notice: Notice, seen_ms: int) -> int:
    """Return since when it lasts: what has its own time is as old as that says, so a restart does not make it young."""
    return seen_ms if notice.since_ms is None else min(seen_ms, notice.since_ms)


def _span(ms: int) -> str:
    return f"{ms // 1000} s" if ms < 120_000 else f"{ms // 60_000} min"


def _told(key: str, target: Target) -> str:
    """Name a cause told to a target: whoever sends to the same place agrees by it, and nobody else."""
    return f"{key}|{hashlib.sha256(target.secret.encode()).hexdigest()[:12]}"


class HostWatch:
    """The part of a process without a guard (`policykit exporter`): it tells of every account of a store.

    It knows the policies that guards told of, and where to send of those whose file is at hand and is still the same.
    """

    def __init__(self, store: Store, now: Callable[[], int], who: str = "exporter") -> None:
        self._store, self._now, self._who = store, now, who
        self._outbox = Outbox(store, now)
        self._watches: dict[tuple[str, str], Watch] = {}

    def round(self) -> None:
        """Tell what is wrong with each account now, and what is over. Raise StoreUnavailable."""
        for one in watched(self._store, socket.gethostname(), self._now()):
            name = (one.info.account, one.info.policy_name)
            if name not in self._watches:
                self._watches[name] = Watch(self._store, self._now, who=self._who, outbox=self._outbox)
            self._watches[name].round(one.engine)

    def lost(self) -> int:
        """Return how many messages nobody got."""
        return self._outbox.lost()

    def close(self) -> None:
        """Let what waits be sent, for a few seconds at most."""
        self._outbox.close()
