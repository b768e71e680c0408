"""Exact arithmetic for caps, conversion over observed marks, and numbers as people read them."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from math import ceil, floor
from typing import Final

from policykit.units import EXPOSURE_SCALE, MAX_DIGITS, SCALE

# INVARIANT I8: uses are rounded up and limits down, so that no rounding lets an order through.
#: For uses: exact to 80 digits, and rounded up beyond.
UP: Final = Context(prec=2 * MAX_DIGITS, rounding=ROUND_CEILING)
#: For limits: exact to 80 digits, and rounded down beyond.
DOWN: Final = Context(prec=2 * MAX_DIGITS, rounding=ROUND_FLOOR)

ZERO: Final = Decimal(0)
ONE: Final = Decimal(1)
STEPS: Final = Decimal(SCALE)
#: No price or quantity is over this.
HIGHEST: Final = Decimal(10) ** MAX_DIGITS
#: What one unit of a position is worth is kept in steps of 1e-12 of the currency.
UNIT_SCALE: Final = 10**12
_EXPOSURE: Final = SCALE * UNIT_SCALE // EXPOSURE_SCALE
#: The most decimals that a message shows, and the digits that it shows of a number with decimals.
SHOWN: Final = 12
DIGITS: Final = 8


def counter_up(number: Decimal) -> int:
    """Return a use in counter steps, rounded up."""
    return ceil(UP.multiply(number, STEPS))


def counter_down(number: Decimal) -> int:
    """Return a limit in counter steps, rounded down."""
    return floor(DOWN.multiply(number, STEPS))


def unit_steps(unit: Decimal) -> int:
    """Return what one unit of a position is worth in steps of 1e-12 of a currency, rounded up."""
    return ceil(UP.multiply(unit, Decimal(UNIT_SCALE)))


def exposure_up(quantity: int, unit: int) -> int:
    """Return the worth of a quantity (counter steps) at `unit_steps` in exposure steps, rounded up."""
    return -(-quantity * unit // _EXPOSURE)


def exposure_down(worth: Decimal) -> int:
    """Return a limit in exposure steps, rounded down."""
    return floor(DOWN.multiply(worth, Decimal(EXPOSURE_SCALE)))


def money(number: Decimal, currency: str = "") -> str:
    """Write a number for people: `30,000.00 USDT`; eight digits where two decimals hide something, else more."""
    short = round(number, 2)
    if short == number:
        text = f"{short:,f}"
    else:
        eight = round(number, min(SHOWN, max(2, DIGITS - 1 - number.adjusted())))
        text = f"{eight if eight != short else round(number, SHOWN):,f}".rstrip("0").rstrip(".")
    return f"{text} {currency}" if currency else text


def seconds(ms: int) -> str:
    """Write an age for people: `3 s`, `0.4 s`."""
    return f"{ms / 1000:.1f} s" if abs(ms) < 1000 else f"{ms // 1000} s"
