"""Numbers and names as exchanges write them, read strictly: what is none is None, never zero."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from policykit.units import exact

#: The longest name or id of an exchange's that goes on, in characters.
MAX_NAME: Final = 100


def decimal(value: object) -> Decimal | None:
    """Return a finite number exactly, or None."""
    try:
        return exact(value)
    except ValueError:
        return None


def text_of(value: object) -> str | None:
    """Return a name or an id that can be shown, or None."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value).strip()[:MAX_NAME]
    return text if text and text.isprintable() else None
