"""What lists of the language stand for: symbol patterns as sets of symbols, trading hours as minutes of a week.

Two lists that are written otherwise may allow the same: here that is decided, not guessed from their texts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

from policykit.model.symbols import matches, within

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES: Final = 1_440
#: The most steps of one question about symbols; a list that needs more is not decided, and counts as allowing more.
MAX_STATES: Final = 20_000
#: What stands in a symbol for every letter that no pattern names.
_SPARE: Final = "QZX7ABCDEFGHIJKLMNOPRSTUVWY0123456789"
_STAR: Final = "*"

#: A place in a pattern that a symbol may stand at: which pattern, and how many of its letters are read.
_At = tuple[int, int]


class Beyond(NamedTuple):
    """The answer to "which symbol does one list allow and another not": one, none (`""`), or not decided."""

    symbol: str
    decided: bool = True

    @property
    def some(self) -> bool:
        """Tell whether there is one, or may be."""
        return bool(self.symbol) or not self.decided


def beyond(one: Sequence[str] | None, other: Sequence[str] | None) -> Beyond:
    """Return a symbol (`BTC/USDT`, `BTC/USDT:USDT`) that `one` allows and `other` does not; None allows every one."""
    if other is None or one == other:
        return Beyond("")
    mine, theirs = _List(one or ()), _List(other)
    if mine.globs or mine.plain:
        named = (p for p in mine.plain if not theirs.allows(p) and mine.allows(p) and _market(p))
        found = next(named, "")
        globs = mine.globs
        if set(theirs.without) <= set(mine.without):
            globs = within(globs, other)  # those that a pattern of the other does not cover as a whole
        if found or not globs:
            return Beyond(found)
        one = (*globs, *(f"!{p}" for p in mine.without))
    return _Walk(one or (), other).beyond()


class _List:
    """The patterns of one list, by what has to be done with them."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self.without = tuple(p[1:] for p in patterns if p.startswith("!"))
        self.globs = tuple(p for p in patterns if _STAR in p and not p.startswith("!"))
        self.plain = dict.fromkeys(p for p in patterns if _STAR not in p and not p.startswith("!"))

    def allows(self, symbol: str) -> bool:
        """Say what `symbols.allows` says, sooner."""
        named = symbol in self.plain or any(matches(p, symbol) for p in self.globs)
        return (named or not (self.plain or self.globs)) and not any(matches(p, symbol) for p in self.without)


def _market(symbol: str) -> bool:
    part = 0
    for letter in symbol:
        then = _next(part, letter)
        if then is None:
            return False
        part = then
    return _whole(part)


#: What of a market's name is being read: 0-1 base, 2-3 quote, 4-5 settle, 6-7 expiry; odd: there is a letter of it.
def _next(part: int, letter: str) -> int | None:
    if part >= 6:
        return 7
    if letter == "/":
        return 2 if part == 1 else None
    if letter == ":":
        return 4 if part == 3 else None
    if letter == "-" and part in (4, 5):
        return 6 if part == 5 else None
    return part | 1


def _whole(part: int) -> bool:
    return part in (3, 5, 7)


class _Walk:
    """All symbols at once, letter by letter: they differ only in where each pattern of both lists stands."""

    def __init__(self, one: Sequence[str], other: Sequence[str]) -> None:
        lists = [
            [p.removeprefix("!") for p in patterns if p.startswith("!") is excluded]
            for patterns in (one, other)
            for excluded in (False, True)
        ]
        self.texts = [text for texts in lists for text in texts]
        ends = list(accumulate(map(len, lists)))
        self.bounds = tuple(zip([0, *ends], ends, strict=False))
        letters = sorted({c for text in self.texts for c in text} - {_STAR})
        spare = next((c for c in _SPARE if c not in letters), "")
        self.letters = "".join(dict.fromkeys((spare, "/", ":", *letters, "-")))

    def beyond(self) -> Beyond:
        start = (self._closed((index, 0) for index in range(len(self.texts))), 0)
        seen, queue = {start}, deque([(start, "")])
        while queue:
            (places, part), text = queue.popleft()
            if _whole(part) and self._between(places):
                return Beyond(text)
            for letter in self.letters:
                then = _next(part, letter)
                state = None if then is None else (self._step(places, letter), then)
                if state is None or state in seen or not self._alive(state[0]):
                    continue
                if len(seen) >= MAX_STATES:
                    return Beyond("", decided=False)
                seen.add(state)
                queue.append((state, text + letter))
        return Beyond("")

    def _between(self, places: frozenset[_At]) -> bool:
        """Tell whether the symbol that was read is allowed by the one list, and not by the other."""
        ended = {index for index, at in places if at == len(self.texts[index])}
        wanted, without, theirs, not_theirs = (any(a <= i < b for i in ended) for a, b in self.bounds)
        mine = (wanted or not self._named(0)) and not without
        return mine and not ((theirs or not self._named(2)) and not not_theirs)

    def _named(self, which: int) -> bool:
        first, last = self.bounds[which]
        return first < last

    def _alive(self, places: frozenset[_At]) -> bool:
        """Tell whether the one list may still allow a symbol that begins so."""
        first, last = self.bounds[0]
        return first == last or any(first <= index < last for index, _ in places)

    def _step(self, places: frozenset[_At], letter: str) -> frozenset[_At]:
        texts = self.texts
        after = []
        for index, at in places:
            text = texts[index]
            if at < len(text):
                if text[at] == _STAR:
                    after.append((index, at))
                elif text[at] == letter:
                    after.append((index, at + 1))
        return self._closed(after)

    def _closed(self, places: Iterable[_At]) -> frozenset[_At]:
        """Add the places that a star lets a symbol pass without a letter."""
        out = set()
        for index, at in places:
            text = self.texts[index]
            out.add((index, at))
            while at < len(text) and text[at] == _STAR:
                at += 1
                out.add((index, at))
        return frozenset(out)


class Span(NamedTuple):
    """Some days of the week, and from when to when: minutes of the day, UTC; the end is not in it."""

    days: frozenset[int]
    start: int
    end: int


def read_hours(text: str) -> Span:
    """Read `mon-fri 08:00-20:00 UTC`, as the language's pattern lets it through."""
    days, hours, _ = text.split(" ")
    start, end = (int(t[:2]) * 60 + int(t[3:]) for t in hours.split("-"))
    if days == "daily":
        return Span(frozenset(range(7)), start, end)
    first, _, last = days.partition("-")
    one, other = DAYS.index(first), DAYS.index(last or first)
    return Span(frozenset((one + n) % 7 for n in range((other - one) % 7 + 1)), start, end)


def minutes(texts: Sequence[str] | None) -> frozenset[int]:
    """Return the minutes of the week (from Monday 00:00 UTC) in which trading hours let trade; None: all."""
    if texts is None:
        return frozenset(range(7 * DAY_MINUTES))
    spans = [read_hours(text) for text in texts]
    return frozenset(
        day * DAY_MINUTES + minute for span in spans for day in span.days for minute in range(span.start, span.end)
    )
