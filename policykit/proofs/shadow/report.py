"""What a candidate would have decided otherwise, and how much of its time it judged: from the rows of journals.

A decision's row says where the candidate differs, and names the row in which its policy came into force; that one names
the candidate. So every decision that was judged is counted from durable rows, whichever process made it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from policykit.errors import StoreUnavailable
from policykit.guard.beside import Run, missing
from policykit.guard.judge import not_of_checks
from policykit.guard.living import beats
from policykit.guard.shadow import FAILED
from policykit.order import CANCELS
from policykit.proofs.difference import Recorded, Replayed
from policykit.proofs.replay.changes import Changes, Why
from policykit.proofs.shadow.starting import policies_of
from policykit.store import GuardInfo, Row, Store, open_journal
from policykit.store.reader import JournalReader

if TYPE_CHECKING:
    from collections.abc import Iterator

#: So much of the time that was asked for is enough, in percent: a guard takes a candidate in some seconds late.
ENOUGH: Final = 95
#: Why a judged decision tells nothing.
LEFT_FAILED: Final = "the candidate failed on them"


class Seen(NamedTuple):
    """One bot that a candidate judged: how many of its decisions, and for how long, ms."""

    bot: str
    host: str
    decisions: int
    covered_ms: int


@dataclass(frozen=True, slots=True)
class Report:
    """What is known of a candidate. `found` are the decisions that it would have made otherwise, of all it judged."""

    run: Run
    now_ms: int
    found: Replayed
    #: Denied by both, for other reasons.
    otherwise: int
    covered_ms: int
    seen: tuple[Seen, ...]
    #: The checks whose counters nobody counts, so that nothing could be held against them.
    unjudged: tuple[str, ...]
    #: Live guards that do not judge by it while it runs, and why: bot, host, why.
    absent: tuple[tuple[str, str, str], ...]
    #: Hosts that judge by it and whose journals were not read.
    unread: tuple[str, ...]
    #: Journals that could be read in part only, and why.
    damaged: tuple[str, ...]

    @property
    def asked_ms(self) -> int:
        """Return for how long it was started."""
        return self.run.until_ms - self.run.started_ms

    @property
    def short(self) -> str:
        """Return why it is not enough to promote by; empty: it is."""
        if not self.found.decisions:
            return "no decision was judged yet"
        if self.covered_ms * 100 < self.asked_ms * ENOUGH:
            return f"{span(self.asked_ms)} asked, {span(self.covered_ms)} seen so far"
        return ""


def report(store: Store, run: Run, journals: Iterable[tuple[str, Iterable[Row]]], host: str, now_ms: int) -> Report:
    """Count what journals say of a candidate. Raise StoreUnavailable for a registry that cannot be read."""
    guards = policies_of(store.guards(), run)
    live = [info for info in guards if beats(info, host, now_ms)]
    count = _Count(run, live, now_ms)
    names = []
    for name, rows in journals:
        names.append(name)
        count.read(name, rows)
    found = count.changes
    if count.failed:
        found.left[LEFT_FAILED] = count.failed
    groups = found.groups()
    replayed = Replayed(
        ", ".join(names), count.rows, found.decisions, groups, dict(found.left), found.since_ms, found.until_ms
    )
    judging = {info.host for info in guards if info.candidate == run.id}
    return Report(
        run,
        now_ms,
        replayed,
        count.otherwise,
        covered(count.spans()),
        count.seen(),
        tuple(sorted(count.unjudged)),
        tuple((i.bot, i.host, why) for i in live if run.runs(now_ms) and (why := missing(i, run))),
        tuple(sorted(judging - {place.host for place in count.places})),
        tuple(count.damaged),
    )


def journals_of(uri: str | None, files: Iterable[str], since_ms: int) -> Iterator[tuple[str, Iterable[Row]]]:
    """Yield the rows of journals since a moment: those of files, else that of the store. Raise StoreUnavailable."""
    readers = [JournalReader(Path(file)) for file in files] or [open_journal(uri)]
    for reader in readers:
        try:
            first = reader.first_at(since_ms)
            yield reader.path, () if first is None else reader.rows(first - 1, sys.maxsize)
        finally:
            reader.close()


def covered(spans: Iterable[tuple[int, int]]) -> int:
    """Return how long at least one of these spans lasted, ms."""
    total, until = 0, 0
    for start, end in sorted(spans):
        total += max(0, end - max(start, until))
        until = max(until, end)
    return total


def span(ms: int) -> str:
    """Write a time in the largest unit of which there are two, or one that fits: `1 day`, `7 h`, `90 min`."""
    for unit, length in (("day", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        whole, rest = divmod(ms, length)
        if whole >= 2 or (whole == 1 and not rest):
            return f"{whole} {unit}{'s' if unit == 'day' and whole > 1 else ''}"
    return f"{ms} ms"


@dataclass(slots=True)
class _Place:
    """One row of a policy that names the candidate: who announced it, and until when that is known to have lived."""

    bot: str
    host: str
    from_ms: int
    until_ms: int
    followed: bool = False
    decisions: int = 0


@dataclass(slots=True)
class _Count:
    run: Run
    live: list[GuardInfo]
    now_ms: int
    changes: Changes = field(default_factory=Changes)
    rows: int = 0
    otherwise: int = 0
    failed: int = 0
    unjudged: set[str] = field(default_factory=set)
    places: list[_Place] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def read(self, name: str, rows: Iterable[Row]) -> None:
        """Take in one journal; the numbers of its rows are its own."""
        here: dict[int, _Place] = {}
        try:
            for row in rows:
                self.rows += 1
                if row.kind == "policy":
                    self._policy(row, here)
                elif row.kind == "decision":
                    place = here.get(row.body.get("in_force", -1))
                    if place is not None:
                        self._decision(row, place)
        except StoreUnavailable as error:
            self.damaged.append(f"{name}: {error}")

    def _policy(self, row: Row, here: dict[int, _Place]) -> None:
        body = row.body
        before = here.get(body.get("follows", -1))
        if before is not None:
            before.until_ms, before.followed = row.at_ms, True
        candidate = body.get("candidate")
        if isinstance(candidate, Mapping) and candidate.get("run") == self.run.id:
            here[row.seq] = place = _Place(str(body.get("bot")), str(body.get("host")), row.at_ms, row.at_ms)
            self.places.append(place)
            self.unjudged.update(candidate.get("unjudged", ()))

    def _decision(self, row: Row, place: _Place) -> None:
        body, said = row.body, row.body["decision"]
        place.until_ms = max(place.until_ms, row.at_ms)
        if said["action"] in CANCELS or not_of_checks(body):
            return
        place.decisions += 1
        self.changes.decided(row.at_ms)
        shadow = body.get("shadow")
        if shadow is None:
            return
        if shadow["outcome"] == FAILED:
            self.failed += 1
        elif shadow["outcome"] == said["outcome"]:
            self.otherwise += 1
        else:
            self._changed(row, shadow)

    def _changed(self, row: Row, shadow: Mapping[str, Any]) -> None:
        body, said = row.body, row.body["decision"]
        was = tuple(reason["code"] for reason in said["reasons"])
        becomes: Literal["allow", "deny"] = "allow" if shadow["outcome"] == "allow" else "deny"
        if becomes == "deny":
            by = Why(shadow["reasons"][0], next(iter(shadow.get("checks", ())), ""))
        else:
            by = Why(was[0], said["reasons"][0]["check"])
        recorded = Recorded(
            said["id"], row.at_ms, self.run.account, said["order"], _money(body), was, tuple(shadow["reasons"])
        )
        currency = str(self.run.policy.get("account", {}).get("currency", ""))
        self.changes.changed(by, becomes, currency, recorded)

    def spans(self) -> list[tuple[int, int]]:
        """Return from when to when each announcement judged."""
        return [(place.from_ms, self._until(place)) for place in self.places]

    def _until(self, place: _Place) -> int:
        lives = any((info.bot, info.host, info.candidate) == (place.bot, place.host, self.run.id) for info in self.live)
        until = self.now_ms if lives and not place.followed else place.until_ms
        return max(place.from_ms, min(until, self.run.over_ms))

    def seen(self) -> tuple[Seen, ...]:
        """Return the bots that were judged."""
        who: dict[tuple[str, str], list[_Place]] = {}
        for place in self.places:
            who.setdefault((place.bot, place.host), []).append(place)
        return tuple(
            Seen(bot, host, sum(p.decisions for p in mine), covered((p.from_ms, self._until(p)) for p in mine))
            for (bot, host), mine in sorted(who.items())
        )


def _money(body: Mapping[str, Any]) -> Decimal | None:
    try:
        return abs(Decimal(body["notional"])) if "notional" in body else None
    except InvalidOperation:
        return None
