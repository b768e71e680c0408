"""Our ids as numbers: 26 characters of Crockford's base 32 hold 128 bits (orders/ids.py)."""

from __future__ import annotations

from typing import Final

_DIGITS: Final = {character: value for value, character in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ")}


def number_of(identity: str) -> int:
    """Return an id's 128 bits. Raise ValueError for text that is none of our ids."""
    number = 0
    for character in identity:
        if character not in _DIGITS:
            raise ValueError(f"{identity!r:.40} is no id; 26 characters of 0-9 and A-Z without I, L, O, U may be")
        number = number << 5 | _DIGITS[character]
    if len(identity) != 26 or number >> 128:
        raise ValueError(f"{identity!r:.40} is no id of 26 characters and 128 bits")
    return number
