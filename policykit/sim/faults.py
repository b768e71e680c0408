"""Faults at named points, chosen by seed: what goes wrong with the n-th request of a kind is a pure function of both.

    - {at: order, do: lost_reply, ratio: 0.12}          # executed, then the connection is closed without a reply
    - {at: order, do: late, when: [3], delay: 3, processing: 8}
    - {at: order, do: lag, ratio: 1, seconds: 2}        # look-ups show the order and its fills only 2 s later
    - {at: lookup, call: GET /api/v3/order, do: blind, ratio: 1}  # one place of several never shows one

    - {at: user, do: cut, when: [4]}                    # the connection breaks in place of the 4th message
    - {at: connect, do: silent, ratio: 1, after: 30}    # each connection goes silent 30 s after it opened

Points: `order` (a new order), `cancel`, `lookup` (order, openOrders, allOrders, myTrades), `account`, `market` (public
reads), `other`, and `any` of these; of streams: `connect` (a websocket's opening), `stream` (a message of prices),
`user` (one of the account). A rule fires by `ratio` (0 to 1, by seed), at the ordinals in `when` (the first request or
message of that point, or `call`, is 1), or both; `limit` bounds how often.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from policykit.sim.damage import HOWS

STREAM_POINTS = ("connect", "stream", "user")
POINTS = ("order", "cancel", "lookup", "account", "market", "other", "any", *STREAM_POINTS)
#: What each fault does. The first that fires of those above `lag` decides the reply; `lag` and `partial` add to it.
KINDS = {
    "drop": "the request never arrives; the connection is closed",
    "lost_reply": "the request is processed; the connection is closed without a reply",
    "late": "the connection is closed; the request arrives `wire` s later, waits `delay` s, is checked, `processing` s",
    "unknown": "HTTP 503 with `executed` or not",
    "timeout": "HTTP 408 with code -1007 and `executed` or not",
    "throttle": "HTTP 429 with Retry-After `seconds`",
    "ban": "HTTP 418 for `seconds`",
    "clock": "code -1021 as if the exchange's clock had stepped",
    "rejected_key": "code -2015 as if the key had been revoked or its address changed",
    "duplicate": "the request is processed and answered with -2010 Duplicate order sent.",
    "garbage": "an HTML page of a proxy, HTTP `status`, `executed` or not",
    "broken": "the answer is damaged as `how` says (`sim.damage`), `executed` or not",
    "lag": "look-ups show the order and its fills only `seconds` later",
    "partial": "the order fills at first only by `share`",
    "blind": "the look-up is answered as if there were no order and no fill",
    "lose": "the message never arrives",
    "twice": "the message arrives twice",
    "swap": "the message arrives after the next one",
    "hold": "the message arrives `seconds` later",
    "cut": "the connection breaks in place of the message; at `connect`: `after` s after it opened",
    "close": "the connection is closed with `code` in place of the message; at `connect`: `after` s after it opened",
    "silent": "nothing comes any more on an open connection; at `connect`: `after` s after it opened",
}
#: What can happen to a message, to a connection, and to its opening.
MESSAGES = frozenset({"lose", "twice", "swap", "hold"})
LINKS = frozenset({"cut", "close", "silent"})
OPENINGS = frozenset({"drop", "throttle", "ban", "garbage"})
MODIFIERS = frozenset({"lag", "partial", "blind"})
#: What the matching engine may take after the second timing check (binance-spot-api-docs, rest-api.md at a5e0bc3).
MAX_PROCESSING_S = 10.0
MAX_RULES = 100
MAX_SECONDS = 3_600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One rule. Times are seconds of the exchange's clock."""

    at: str
    do: str
    ratio: float = 0.0
    when: tuple[int, ...] = ()
    limit: int | None = None
    burst: int = 1
    seconds: float = 2.0
    wire: float = 0.0
    delay: float = 0.0
    processing: float = 0.0
    after: float = 0.0
    share: float = 0.4
    status: int = 502
    how: str = "html"
    executed: bool = True
    stall: bool = False
    code: int = 1001
    #: Only requests of this call (`GET /api/v3/order`); empty: any of the point.
    call: str = ""

    def __post_init__(self) -> None:
        if self.at not in POINTS:
            raise ValueError(f"fault: at is {self.at!r}; may be {', '.join(POINTS)}")
        if self.do not in KINDS:
            raise ValueError(f"fault: do is {self.do!r}; may be {', '.join(KINDS)}")
        if self.how not in HOWS:
            raise ValueError(f"fault: how is {self.how!r}; may be {', '.join(HOWS)}")
        possible = self._possible()
        if self.do not in possible:
            raise ValueError(f"fault: do is {self.do!r} at {self.at}; there may be {', '.join(possible)}")
        if not 1000 <= self.code <= 4999:
            raise ValueError(f"fault: code is {self.code!r}; a closing code from 1000 to 4999 is needed")
        if not 0 <= self.ratio <= 1:
            raise ValueError(f"fault: ratio is {self.ratio!r}; a share from 0 to 1 is needed")
        if not 0 < self.share < 1:
            raise ValueError(f"fault: share is {self.share!r}; a share between 0 and 1 is needed")
        if not 0 <= self.processing <= MAX_PROCESSING_S:
            raise ValueError(
                f"fault: processing is {self.processing!r}; the exchange takes at most {MAX_PROCESSING_S:g} s"
            )
        for name in ("seconds", "wire", "delay", "after"):
            if not 0 <= getattr(self, name) <= MAX_SECONDS:
                raise ValueError(f"fault: {name} is {getattr(self, name)!r}; 0 to {MAX_SECONDS:g} seconds are possible")

    def _possible(self) -> list[str]:
        """Return what can be done at the rule's point."""
        if self.at not in STREAM_POINTS:
            return [kind for kind in KINDS if kind not in MESSAGES | LINKS and (kind != "blind" or self.at == "lookup")]
        return [kind for kind in KINDS if kind in LINKS or kind in (OPENINGS if self.at == "connect" else MESSAGES)]


@dataclass(frozen=True, slots=True)
class Chosen:
    """What happens to one request: at most one fault that decides the reply, and what is added to its order."""

    ordinal: int
    main: Fault | None
    lag_s: float
    share: float
    blind: bool = False


class Faults:
    """The rules of one run and the counters they are decided by. Thread-safe."""

    def __init__(self, rules: Iterable[Fault | Mapping[str, Any]] = (), seed: int = 0) -> None:
        self.rules = tuple(rule if isinstance(rule, Fault) else read_fault(rule) for rule in rules)
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"faults: {len(self.rules)} rules; at most {MAX_RULES} are read")
        self.seed = seed
        self._seen: Counter[str] = Counter()
        self._fired: Counter[int] = Counter()
        self._burst: dict[int, int] = {}
        self._lock = threading.Lock()

    def choose(self, point: str, call: str = "") -> Chosen:
        """Decide the next request of a point; `call` is its name, `GET /api/v3/order`."""
        with self._lock:
            points = {point} if point in STREAM_POINTS else {point, "any"}
            self._seen.update(points | {call})
            main: Fault | None = None
            lag, share, blind = 0.0, 1.0, False
            for index, rule in enumerate(self.rules):
                if rule.at not in points or rule.call not in {"", call}:
                    continue
                if main is not None and rule.do not in MODIFIERS:
                    continue
                if not self._fires(index, rule):
                    continue
                if rule.do == "lag":
                    lag = max(lag, rule.seconds)
                elif rule.do == "partial":
                    share = min(share, rule.share)
                elif rule.do == "blind":
                    blind = True
                else:
                    main = rule
            return Chosen(self._seen[point], main, lag, share, blind)

    def _fires(self, index: int, rule: Fault) -> bool:
        if self._burst.get(index, 0) > 0:
            self._burst[index] -= 1
            return True
        if rule.limit is not None and self._fired[index] >= rule.limit:
            return False
        ordinal = self._seen[rule.call or rule.at]
        by_seed = rule.ratio > 0 and random.Random(f"{self.seed}/{index}/{ordinal}").random() < rule.ratio  # noqa: S311
        if not by_seed and ordinal not in rule.when:
            return False
        self._fired[index] += 1
        self._burst[index] = rule.burst - 1
        return True


def read_fault(raw: Mapping[str, Any]) -> Fault:
    """Read one rule from plain data (YAML, JSON); raise ValueError that names what is wrong."""
    known = {f.name for f in fields(Fault)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ValueError(f"fault: {unknown[0]!r} is no key of a fault; known are {', '.join(sorted(known))}")
    for key in ("at", "do"):
        if not isinstance(raw.get(key), str):
            raise ValueError(f"fault: {key} is missing; each rule says at which point it does what")
    values = dict(raw)
    try:
        values["when"] = tuple(int(n) for n in values.get("when", ()))
        for name in ("ratio", "seconds", "wire", "delay", "processing", "after", "share"):
            if name in values:
                values[name] = float(values[name])
        for name in ("limit", "burst", "status", "code"):
            if values.get(name) is not None:
                values[name] = int(values[name])
    except (TypeError, ValueError):
        raise ValueError(
            f"fault at {raw['at']}: a value is not a number; when, ratio and seconds are numbers"
        ) from None
    for name in ("executed", "stall"):
        if not isinstance(values.get(name, True), bool):
            raise ValueError(f"fault at {raw['at']}: {name} is {values[name]!r}; true or false is needed")
    return Fault(**values)


#: The faults of `policykit demo` and of `policykit sim --faults demo`: connections close instead of stalling,
#: visibility lags at most 2 s, about one order in eight is ambiguous, and exactly one never arrives (the ninth).
DEMO: tuple[dict[str, Any], ...] = (
    {"at": "order", "do": "drop", "when": [9]},
    {"at": "order", "do": "throttle", "when": [25], "seconds": 1},
    {"at": "order", "do": "lost_reply", "ratio": 0.10},
    {"at": "order", "do": "unknown", "ratio": 0.02},
    {"at": "order", "do": "lag", "ratio": 1.0, "seconds": 2},
    {"at": "order", "do": "partial", "ratio": 0.15},
)
