"""What a plain scalar means: `true`, `false`, whole numbers; all else is text, or refused where readers disagree."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

#: The most digits of a whole number.
MAX_INT_DIGITS = 18

_INT = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_TRUE = frozenset(("y", "yes", "on", "true"))
_SWITCHES = _TRUE | frozenset(("n", "no", "off", "false"))
_FRACTION = re.compile(r"[-+]?([0-9][0-9_]*)?\.[0-9_]*\Z|[-+]?[0-9][0-9_.]*[eE][-+]?[0-9]+\Z")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+\Z")
_THOUSANDS = re.compile(r"[-+]?[1-9][0-9]{0,2}(_[0-9]{3})+\Z")
_INFINITE = re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE)
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?\Z")
_OTHER_INT = re.compile(r"[-+]?(0[0-9_]+|0[oO][0-7_]+|0[xX][0-9a-fA-F_]+|0[bB][01_]+|[0-9][0-9_]*)\Z")
#: Format controls, bidirectional marks, joiners, private use, line separators: all that a reviewer cannot see.
INVISIBLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0d\ufeff\uffa0\ufff0-\uffff\ud800-\udfff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff\U000f0000-\U0010ffff]"
)


class Cure(NamedTuple):
    """What to write instead. `safe`: no reader and no author can have meant anything else."""

    text: str
    label: str
    safe: bool = True


class Refusal(NamedTuple):
    """Why a plain scalar is not taken: what it is, what may be, and what to write instead if that can be told."""

    code: str
    what: str
    may: str
    cure: Cure | None = None


def meaning(text: str) -> str | int | bool | Refusal:
    """Return what a plain (unquoted) scalar means. No message holds the text itself, except words like `yes`."""
    first = text[:1]
    if first.isalpha() and text.lower() in _SWITCHES:
        if text in ("true", "false"):
            return text == "true"
        word = "true" if text.lower() in _TRUE else "false"
        what = f"`{text}` is a word to some YAML readers and `{word}` to others"
        cure = Cure(word, f"write `{word}`", safe=text.lower() == word)
        return Refusal("PK004", what, f"write `{word}`, or quotes for the word", cure)
    if text in _NULL:
        return Refusal("PK007", "there is no value", "a value, or no key at all")
    if first not in "0123456789+-.=<":
        return text
    return _number(text)


def _number(text: str) -> str | int | Refusal:
    if _INT.match(text):
        if len(text) > MAX_INT_DIGITS:
            return Refusal("PK004", f"a whole number of over {MAX_INT_DIGITS} digits", "a smaller one, or quotes")
        return int(text)
    if text in ("=", "<<"):
        what = f"`{text}` has a meaning of its own to some YAML readers"
        return Refusal("PK004", what, "write it in quotes", quoted(text))
    if _INFINITE.match(text):
        return Refusal("PK004", "infinity and NaN are no limits", "a number, or no key at all")
    if _FRACTION.match(text) and text not in (".", "-.", "+."):
        what = "a fraction without quotes is a binary float to most readers, not exact"
        return Refusal("PK004", what, "write it in quotes", _fraction(text))
    if _BASE60.match(text):
        what = "some YAML readers take this for a number to the base 60"
        return Refusal("PK004", what, "write it in quotes", quoted(text))
    if _OTHER_INT.match(text):
        return Refusal(
            "PK004", "YAML readers disagree on this number", "plain decimal digits, or quotes", _digits(text)
        )
    return text


def quoted(text: str) -> Cure:
    """Return the cure that puts a text in quotes."""
    return Cure(f'"{text}"', "put it in quotes")


def _fraction(text: str) -> Cure | None:
    """Return a fraction exactly, in quotes; a whole number (`1e3`, `5.`) in digits."""
    if _DECIMAL.match(text):
        return quoted(text)
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if "_" in text or abs(value.adjusted()) > MAX_INT_DIGITS or len(text) > 2 * MAX_INT_DIGITS:
        return None
    if value == value.to_integral_value() and value.adjusted() < MAX_INT_DIGITS:
        return Cure(str(int(value)), "write it in digits")
    return Cure(f'"{value:f}"', "write it in digits, in quotes")


def _digits(text: str) -> Cure | None:
    """Return a whole number in digits where all its readers agree: thousands apart (`1_000`), or a plus before it."""
    plain = text.removeprefix("+").replace("_", "")
    grouped = "_" not in text or _THOUSANDS.match(text)
    return Cure(plain, "write it in digits") if grouped and _INT.match(plain) and len(plain) <= MAX_INT_DIGITS else None
