"""How the page writes: times, numbers, shares; and what it does to text that others wrote before a browser gets it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any, Final

from policykit.clock import iso
from policykit.redact import scrub
from policykit.telemetry.words import grouped, seen

#: Of one text so many characters are shown; the whole of it is in the journal.
MAX_TEXT: Final = 2_000
#: A block of text, a row of the journal as it is: so many.
MAX_BLOCK: Final = 20_000
_DAY_MS: Final = 86_400_000
#: Decimals that two different numbers are written with at most, so that they are seen to differ.
_MAX_PLACES: Final = 12


def shown(text: str, most: int = MAX_TEXT) -> str:
    """Return text as it may be shown: without secrets, without hidden characters, of bounded length."""
    text = seen(scrub(text[: 2 * most]))
    return text if len(text) <= most else text[: most - 1] + "…"


def number(value: Any) -> str:
    """Write a number for reading: thousands apart, two decimals from 100 on, more below."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        return str(value)
    if not exact.is_finite():
        return str(value)
    places = 2 if abs(exact) >= 100 else 8 if abs(exact) < 1 else 4
    return _rounded(exact, places)


def pair(observed: Any, limit: Any) -> tuple[str, str]:
    """Write two numbers with so many decimals that different ones look different: 50,000.004 is over 50,000."""
    try:
        left, right = Decimal(str(observed)), Decimal(str(limit))
    except InvalidOperation:
        return str(observed), str(limit)
    if not left.is_finite() or not right.is_finite():
        return str(observed), str(limit)
    first, second = number(left), number(right)
    places = 2
    while first == second and left != right and places < _MAX_PLACES:
        places += 2
        first, second = _rounded(left, places), _rounded(right, places)
    return first, second


def _rounded(exact: Decimal, places: int) -> str:
    text = f"{exact:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places != 2 and "." in text else text.removesuffix(".00")


def exact(value: Any) -> str:
    """Write a number whole."""
    return grouped(value)


def moment(at_ms: int, now_ms: int) -> str:
    """Return the time of day (UTC), with the date where it is not today's."""
    text = iso(at_ms)
    same = at_ms // _DAY_MS == now_ms // _DAY_MS
    return text[11:19] if same else f"{text[:10]} {text[11:19]}"


def ago(ms: int) -> str:
    """Return a length of time in the one unit that says it best: 4 s, 3 min, 2 h, 5 d."""
    seconds = max(0, ms) / 1000
    for most, one, unit in ((90, 1, "s"), (5_400, 60, "min"), (172_800, 3_600, "h")):
        if seconds < most:
            return f"{seconds / one:.0f} {unit}"
    return f"{seconds / 86_400:.0f} d"


def took(ms: float | None) -> str:
    """Return a short length of time: 0.42 ms, 18 ms, 3.01 s."""
    if ms is None:
        return "–"
    if ms < 10:
        return f"{ms:.2f} ms".replace(".00 ", " ")
    return f"{ms:.0f} ms" if ms < 1_000 else f"{ms / 1000:.2f} s"


def per_cent(share: Decimal | float | None) -> str:
    """Return a share as per cent, never rounded up to 100: 99.96 % is 99.9 %."""
    if share is None:
        return "–"
    hundred = float(share) * 100
    if 99 < hundred < 100:
        return f"{int(hundred * 10) / 10:g} %"
    return f"{hundred:.0f} %"
