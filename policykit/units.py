"""Numbers with units: money, shares, percentages, durations, and the scaled integers that counters are kept in.

Every reader here takes the text of a policy or a value from a bot and raises `ValueError` with a sentence that
says what is needed; callers add the place.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal, DecimalException
from typing import NamedTuple

#: Counters are integers below 2^53, so that a Lua script (Valkey) reads them exactly.
MAX_COUNTER = 2**53 - 1
#: Money and quantities in a counter: eight decimals, the finest step any listed exchange uses.
SCALE = 10**8
#: Exposure is counted in steps of 0.0001 of its currency, rounded up.
EXPOSURE_SCALE = 10**4
#: The longest number that is read; longer text is refused, not rounded.
MAX_DIGITS = 40

#: Never the caller's own decimal context: a bot may have set that to six digits.
_EXACT = Context(prec=2 * MAX_DIGITS)
_PLACES = 8  # decimal places of SCALE
_NUMBERS = (str, int, float, Decimal)
_NUMBER = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?\Z")
_CODE = re.compile(r"[A-Z0-9]{2,20}\Z")
_DURATION = re.compile(r"([0-9]{1,9})(ms|s|m|h|d)\Z")
_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def exact(value: object) -> Decimal:
    """Return a finite number exactly: text, int and Decimal as they are, a float by its shortest text.

    Raise ValueError for bool, NaN, infinity, None, text that is not a plain decimal number, and anything else.
    """
    if isinstance(value, bool) or not isinstance(value, _NUMBERS):
        raise ValueError(f"{type(value).__name__} is not a number")
    text = repr(value) if isinstance(value, float) else value
    try:
        number = Decimal(text)
    except DecimalException:
        raise ValueError("text is not a number") from None
    if not number.is_finite():
        raise ValueError("NaN and infinity are not numbers")
    short = isinstance(text, str) and len(text) <= MAX_DIGITS  # so many characters hold no more digits
    if not -MAX_DIGITS <= number.adjusted() <= MAX_DIGITS or not (short or len(number.as_tuple().digits) <= MAX_DIGITS):
        raise ValueError(f"a number of over {MAX_DIGITS} digits")
    return number


def scale_up(number: Decimal) -> int:
    """Return the counter value of a use: in steps of 1e-8, rounded up (against the order)."""
    return int(number.scaleb(_PLACES, _EXACT).to_integral_value(ROUND_CEILING, _EXACT))


def scale_down(number: Decimal) -> int:
    """Return the counter value of a limit: in steps of 1e-8, rounded down (against the order)."""
    return int(number.scaleb(_PLACES, _EXACT).to_integral_value(ROUND_FLOOR, _EXACT))


def unscale(counter: int) -> Decimal:
    """Return the number behind a counter value."""
    return Decimal(counter).scaleb(-_PLACES, _EXACT)


def plain(number: Decimal) -> str:
    """Write a number without exponent and without trailing zeros: `1500`, `0.001`."""
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


class Amount(NamedTuple):
    """An amount of a currency: `5000 USDT`, `0.5 BTC`."""

    value: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{plain(self.value)} {self.currency}"


class Share(NamedTuple):
    """A share of the account's equity: `1.5% of equity`; `fraction` is 0.015."""

    fraction: Decimal

    def __str__(self) -> str:
        return f"{plain(self.fraction * 100)}% of equity"


class Percent(NamedTuple):
    """A percentage of whatever the field names: `2%`; `fraction` is 0.02."""

    fraction: Decimal

    def __str__(self) -> str:
        return f"{plain(self.fraction * 100)}%"


class Duration(NamedTuple):
    """A length of time in whole milliseconds: `500ms`, `90d`."""

    ms: int

    def __str__(self) -> str:
        unit = next((u for u in ("d", "h", "m", "s") if self.ms and self.ms % _MS[u] == 0), "ms")
        return f"{self.ms // _MS[unit]}{unit}"


#: One bound of a cap; a cap is a tuple of them, at most one a dimension (see `dimension`).
Bound = Amount | Share


def dimension(bound: Bound) -> str:
    """Name what a bound is measured in; bounds of two dimensions are never compared."""
    return bound.currency if isinstance(bound, Amount) else "share of equity"


def _number(text: str) -> Decimal:
    if not _NUMBER.match(text):
        raise ValueError(f'"{text[:MAX_DIGITS]}" is not a plain number')
    return exact(text)


def parse_amount(text: str) -> Amount:
    """Read `5000 USDT`."""
    number, _, code = text.partition(" ")
    if not _CODE.match(code):
        raise ValueError('an amount ("5000 USDT") is needed')
    return Amount(_number(number), code)


def parse_percent(text: str) -> Percent:
    """Read `2%`."""
    if not text.endswith("%"):
        raise ValueError('a percentage ("2%") is needed')
    return Percent(_number(text[:-1]) / 100)


def parse_bound(text: str) -> Bound:
    """Read `5000 USDT` or `1.5% of equity`."""
    if text.endswith("% of equity"):
        return Share(_number(text.removesuffix("% of equity")) / 100)
    try:
        return parse_amount(text)
    except ValueError:
        raise ValueError('an amount ("5000 USDT") or a share ("1.5% of equity") is needed') from None


def parse_duration(text: str) -> Duration:
    """Read `500ms`, `30s`, `5m`, `24h`, `90d`."""
    match = _DURATION.match(text)
    if not match:
        raise ValueError('a duration ("500ms", "30s", "5m", "24h", "90d") is needed')
    return Duration(int(match[1]) * _MS[match[2]])
