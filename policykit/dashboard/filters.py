"""What of the journal is shown: a time and a few words. They stand in the address, so that a view can be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

HOUR_MS: Final = 3_600_000
#: Name in the address, length (None: the whole journal), words.
SPANS: Final = (
    ("5m", HOUR_MS // 12, "5 minutes"),
    ("15m", HOUR_MS // 4, "15 minutes"),
    ("1h", HOUR_MS, "1 hour"),
    ("6h", 6 * HOUR_MS, "6 hours"),
    ("24h", 24 * HOUR_MS, "24 hours"),
    ("7d", 168 * HOUR_MS, "7 days"),
    ("30d", 720 * HOUR_MS, "30 days"),
    ("all", None, "everything"),
)
#: What is shown when nothing is asked for, and the journal is at least as old.
DEFAULT: Final = "24h"
#: A word in the address is cut here, characters.
MAX_WORD: Final = 200
#: Bars of the chart, at most.
BARS: Final = 72
_MINUTE_MS: Final = 60_000
_BUCKETS_S: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400)


class Filters(NamedTuple):
    """What is shown; None: all of it. `before` is a row of the journal: denials older than it."""

    span: str = DEFAULT
    check: str | None = None
    symbol: str | None = None
    bot: str | None = None
    before: int | None = None

    @property
    def narrow(self) -> bool:
        """Tell whether a word is asked for."""
        return any((self.check, self.symbol, self.bot))

    def query(self, **changes: Any) -> str:
        """Return it as the query of an address, with some of it changed: `?span=1h&bot=mm-1`."""
        said = {name: value for name, value in self._replace(**changes)._asdict().items() if value is not None}
        return f"?{urlencode(said)}"

    def link(self, **changes: Any) -> str:
        """Return the address of the overview with some of it changed, from the newest denial on."""
        return f"/{self.query(**{'before': None, **changes})}"


def read(query: Mapping[str, str], life_ms: int) -> Filters:
    """Read the query of an address; `life_ms`: from the journal's first row to its newest.

    What cannot be read is as if not said.
    """
    names = [name for name, _, _ in SPANS]
    span = query.get("span", "")
    if span not in names:
        limit = names.index(DEFAULT)
        span = next((name for name, ms, _ in SPANS[:limit] if ms is not None and life_ms <= ms), DEFAULT)
    before = query.get("before", "")
    words = {name: query.get(name, "")[:MAX_WORD] or None for name in ("check", "symbol", "bot")}
    return Filters(span, **words, before=int(before) if before.isdecimal() and len(before) < 16 else None)


def bounds(filters: Filters, first_ms: int, newest_ms: int, now_ms: int) -> tuple[int, int, int]:
    """Return from when to when (UTC ms), and the length of a bar: whole bars and whole minutes, as they are counted.

    A journal that ended before shows its own last hours, not an empty page.
    """
    length = next(ms for name, ms, _ in SPANS if name == filters.span)
    if length is None:
        since_ms, until_ms = first_ms, max(newest_ms, first_ms) + 1
    else:
        until_ms = now_ms if now_ms - newest_ms < length else newest_ms + 1
        since_ms = until_ms - length
    bar_ms = 1000 * next((s for s in _BUCKETS_S if until_ms - since_ms <= s * 1000 * BARS), _most(until_ms - since_ms))
    whole_ms = max(bar_ms, _MINUTE_MS)
    return since_ms - since_ms % whole_ms, until_ms + -until_ms % whole_ms, bar_ms


def _most(length_ms: int) -> int:
    """Return the length of a bar in whole days, seconds."""
    return -(-length_ms // (BARS * 86_400_000)) * 86_400
