"""Read journals once, from their first row to the end of a period: what evidence is made of, and whether it is whole.

Every row is held against the chain; orders, facts and balances are counted or left, never copied.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.operate.evidence.package import Span
from policykit.store.checkpoint import Recount
from policykit.store.failures import UNREADABLE
from policykit.store.kept import KINDS as OPERATIONS
from policykit.store.pruned import Raw
from policykit.store.reader import JournalDamaged, JournalReader

#: Kinds of which each row is evidence by itself. What a paper account holds happened nowhere.
TOLD: Final = frozenset(
    (
        *(kind for kind in OPERATIONS if kind != "paper"),
        "halt",
        "resume",
        "resolved",
        "signer",
        "prune",
        "policy",
        "policy.refused",
        "address.proof",
        "lint",
    )
)
#: Kinds that are counted: of them there is one an order.
COUNTED: Final = frozenset(("decision", "outcome", "message", "reconcile"))
#: Hosts' clocks may be apart by so much, ms; a row that is older than the one before it by more was dated back.
APART_MS: Final = 300_000
#: After these an order's outcome is known.
_OPEN: Final = "unknown"


class Line(NamedTuple):
    """One journal row that is evidence."""

    at_ms: int
    kind: str
    body: dict[str, Any]
    row: int
    hash: str
    #: Which of the files it is from, from 0.
    file: int

    @property
    def source(self) -> dict[str, Any]:
        """Return where it stands, as every table tells it."""
        return {"at": iso(self.at_ms), "row": self.row, "hash": self.hash, "file": self.file}


@dataclass
class Told:
    """What journals tell of a period, and of what was before it as far as it still holds."""

    since_ms: int
    until_ms: int
    spans: list[Span] = field(default_factory=list)
    #: Oldest first, also from before the period: `within` tells.
    lines: list[Line] = field(default_factory=list)
    #: (policy, account, outcome, mode, code of a reason or "") of the period's decisions.
    decisions: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    #: The account of each policy that came into force, by (file, row).
    accounts: dict[tuple[int, int], str] = field(default_factory=dict)
    #: (target, whether it was told) of messages to people.
    messages: Counter[tuple[str, bool]] = field(default_factory=Counter)
    #: (account, whether something was unexplained) of comparisons with the exchange.
    compared: Counter[tuple[str, bool]] = field(default_factory=Counter)
    #: Orders of which nobody knows what became, at the end: intent to when that was written.
    open_unknown: dict[str, int] = field(default_factory=dict)
    #: (file, row, its time, the time of the row before it) where time goes back.
    back: list[tuple[int, int, int, int]] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Line]:
        """Return the rows of some kinds up to the period's end."""
        return [line for line in self.lines if line.kind in kinds]

    def within(self, *kinds: str) -> list[Line]:
        """Return the rows of some kinds that are of the period."""
        return [line for line in self.of(*kinds) if line.at_ms >= self.since_ms]


def read(journals: Iterable[JournalReader], since_ms: int, until_ms: int, through: Sequence[int] | None = None) -> Told:
    """Read journals up to a moment, or each `through` a row. What is damaged is read up to the damage, and said."""
    told = Told(since_ms, until_ms)
    for number, journal in enumerate(journals):
        told.spans.append(_file(told, journal, number, sys.maxsize if through is None else through[number]))
    # An archive and the journal that goes on from it both have what pruning carried on: it is told once.
    seen: dict[tuple[int, str], Line] = {}
    for line in told.lines:
        seen.setdefault((line.row, line.hash), line)
    told.lines = sorted(seen.values(), key=lambda line: (line.at_ms, line.file, line.row))
    return told


def _file(told: Told, journal: JournalReader, number: int, through: int) -> Span:
    base = journal.base()
    last: Raw | None = None
    good, problem = base.seq, None
    recount = Recount(journal)
    try:
        for row in journal.carried():
            _take(told, (row.seq, row.at_ms, row.kind, "", row.hash), row.body, number)
        before_ms = 0
        for raw in journal.raw():
            good = raw[0]
            if raw[1] < before_ms - APART_MS and before_ms >= told.since_ms:
                told.back.append((number, good, raw[1], before_ms))
            before_ms = raw[1]
            recount.take(raw)
            if raw[1] >= told.until_ms or good > through:
                continue
            last = raw
            if raw[2] in TOLD or raw[2] in COUNTED:
                _take(told, raw, json.loads(raw[3]), number)
        problem = journal.flaw(good) or recount.flaw()
    except JournalDamaged as error:
        problem = error.why
    except UNREADABLE:
        problem = f"row {good} is not of a form that this version knows; nothing behind it was read"
    pruned = base.seq if base.row else 0
    head = (Path(journal.path).name, journal.epoch, base.seq + 1 if last else 0, pruned)
    if last is None:
        return Span(*head, base.seq, base.hash if pruned else "", "", problem)
    return Span(*head, last[0], last[4], iso(last[1]), problem)


def _take(told: Told, raw: Raw, body: dict[str, Any], number: int) -> None:
    seq, at_ms, kind, _, row_hash = raw
    if kind in TOLD:
        told.lines.append(Line(at_ms, kind, body, seq, row_hash, number))
    if kind == "policy":
        told.accounts[(number, seq)] = str(body["account"])
    if kind in ("outcome", "resolved"):
        _settled(told, body, at_ms)
    if at_ms < told.since_ms:
        return
    if kind == "decision":
        decided = body["decision"]
        account = told.accounts.get((number, body.get("in_force", 0)), body.get("intent", {}).get("account", ""))
        head = (str(decided["policy"]["name"]), str(account), str(decided["outcome"]), str(decided["mode"]))
        for code in sorted({str(reason["code"]) for reason in decided["reasons"]}) or [""]:
            told.decisions[(*head, code)] += 1
    elif kind == "message":
        told.messages[(str(body["target"]), bool(body["ok"]))] += 1
    elif kind == "reconcile":
        told.compared[(str(body["account"]), bool(body["drift"]))] += 1


def _settled(told: Told, body: dict[str, Any], at_ms: int) -> None:
    """Keep which orders nobody knows the outcome of, as of the newest row on each."""
    intent = str(body["intent"])
    if body.get("state") == _OPEN:
        told.open_unknown.setdefault(intent, at_ms)
    else:
        told.open_unknown.pop(intent, None)
