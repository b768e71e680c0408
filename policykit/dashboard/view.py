"""What the overview shows, as plain data: the templates only lay it out."""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from policykit.dashboard.filters import SPANS, Filters
from policykit.dashboard.trading import Guarding, Trading, Unknown

#: The lengths of time to choose from: the name in the address, the words.
CHOICES: Final = tuple((name, text) for name, _, text in SPANS)
#: From this share of a limit on it is said to be near.
NEAR: Final = Decimal("0.8")


class Note(NamedTuple):
    """A word at the top of the page. `level`: bad, info. `share`: how far some work is."""

    level: str
    title: str
    text: str
    command: str | None = None
    share: float | None = None


class Figure(NamedTuple):
    """One figure beside the trading state, and the part of the page that has more of it. `level`: "", near, over."""

    name: str
    value: str
    more: str = ""
    level: str = ""
    part: str = ""


class Totals(NamedTuple):
    """Decisions of the shown time by outcome; `shadow`: denials that did not act."""

    allow: int = 0
    deny: int = 0
    shadow: int = 0


class Bucket(NamedTuple):
    """Decisions of one bar of the chart."""

    at_ms: int
    allow: int
    deny: int
    shadow: int


class Count(NamedTuple):
    """How often a check denied."""

    check: str
    denials: int


class Denial(NamedTuple):
    """One line of the denial timeline; `more` other checks failed too."""

    seq: int
    at_ms: int
    ident: str
    order: str
    symbol: str
    bot: str
    check: str
    code: str
    message: str
    observed: str | None
    limit: str | None
    unit: str | None
    mode: str
    more: int


class Head(NamedTuple):
    """Use of one limit; None: not known, and `unknown` says why. `level`: "", near, over."""

    check: str
    key: str
    used: Decimal | None
    limit: Decimal | None
    unit: str
    share: Decimal
    level: str
    place: str
    place_short: str
    unknown: str = ""


class Loss(NamedTuple):
    """The day's loss of one account against its limit, and how it came about."""

    account: str
    used: Decimal
    limit: Decimal
    unit: str
    share: Decimal
    level: str
    place: str
    place_short: str
    says: str
    points: tuple[tuple[int, Decimal], ...]


class Latency(NamedTuple):
    """How long one step took, ms."""

    name: str
    orders: int
    p50: float | None
    p95: float | None
    p99: float | None


class Key(NamedTuple):
    """A key, how old it is and when it is due. `level`: "", near, over."""

    name: str
    says: str
    level: str


class Candidate(NamedTuple):
    """A policy on trial, and what it would decide otherwise."""

    policy: str
    version: str
    says: str


class Overview(NamedTuple):
    """Everything the overview shows."""

    now_ms: int
    newest: int
    filters: Filters
    since_ms: int
    until_ms: int
    bucket_ms: int
    range_text: str
    notes: tuple[Note, ...]
    trading: Trading
    facts: tuple[Figure, ...]
    choices: tuple[tuple[str, str, tuple[str, ...], str | None], ...]
    totals: Totals
    outcomes: tuple[Bucket, ...]
    quiet_text: str
    checks: tuple[Count, ...]
    denials: tuple[Denial, ...]
    older: int | None
    denials_text: str
    rooms: tuple[Head, ...]
    rooms_text: str
    losses: tuple[Loss, ...]
    loss_text: str
    unknown: tuple[Unknown, ...] | None
    guards: tuple[Guarding, ...]
    guards_text: str
    latencies: tuple[Latency, ...]
    latency_text: str
    keys: tuple[Key, ...]
    keys_text: str
    lint_text: str
    shadow: tuple[Candidate, ...]
    spans: tuple[tuple[str, str], ...] = CHOICES


def level(share: Decimal) -> str:
    """Say how near to its limit a use is."""
    return "over" if share >= 1 else "near" if share >= NEAR else ""


def short(place: str) -> str:
    """Return `mm.yaml:31` of `policies/mm.yaml:31:23`: the file and the line, as they are looked up."""
    name = place.replace("\\", "/").rpartition("/")[2]
    parts = name.split(":")
    return ":".join(parts[:2])
