"""The values of the language of facts, read and written: numbers, money, shares, moments, and objects of them.

A value may be text or a number. What is wrong raises `Wrong`, which knows where in the data it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

from policykit.clock import iso
from policykit.engine.facts import Fact
from policykit.model.types import date_ms
from policykit.units import MAX_COUNTER, exact, parse_duration, parse_percent, plain

#: Where a value stands: the names from the outermost in; an index of a list is a number.
Path = tuple[str | int, ...]
#: A name or an object that is not known.
UNKNOWN: Final = "unknown"
_MOMENT: Final = 'an ISO time (2026-11-21T10:00:00Z) is needed, or how long ago ("30s")'

T = TypeVar("T")


class Wrong(ValueError):
    """A value of an order or of facts that cannot be read; `path` says which."""

    def __init__(self, path: Path, message: str) -> None:
        self.path = path
        super().__init__(message)


def named(path: Path) -> str:
    """Write a path as messages have it: `marks.BTC/USDT`, `halts.0.scope`."""
    return ".".join(map(str, path))


def known(path: Path, data: Mapping[str, Any], names: Collection[str], what: str) -> None:
    """Refuse a name that is none of these."""
    for name in data:
        if name not in names:
            raise Wrong((*path, name), f"{name!r} is no field of {what}; the fields are {', '.join(names)}")


def number(path: Path, value: object) -> Decimal:
    """Read a number exactly."""
    try:
        return exact(value)
    except ValueError as error:
        raise Wrong(path, f"{named(path)}: {error}; a plain number is needed") from None


def whole(path: Path, value: object, of: str = "") -> int:
    """Read a whole number; `of` says of what."""
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > MAX_COUNTER:
        raise Wrong(path, f"{named(path)} is no whole number{of}; one is needed")
    return value


def share(path: Path, value: object) -> Decimal:
    """Read a share: `35%`, or the number that it is (0.35)."""
    if isinstance(value, str) and value.endswith("%"):
        try:
            return parse_percent(value).fraction
        except ValueError as error:
            raise Wrong(path, f"{named(path)}: {error}; a percentage is needed") from None
    return number(path, value)


def flag(path: Path, value: object) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise Wrong(path, f"{named(path)} is neither true nor false; one of them is needed")
    return value


def text(path: Path, value: object) -> str:
    """Read a text that says something."""
    if not isinstance(value, str) or not value:
        raise Wrong(path, f"{named(path)} is no text; one is needed")
    return value


def one_of(*words: str) -> Callable[[Path, object], str]:
    """Return a reader of one of these words."""

    def read(path: Path, value: object) -> str:
        if value not in words:
            raise Wrong(path, f"{named(path)} is {str(value)!r}; one of {', '.join(words)} is needed")
        return str(value)

    return read


def mapping(path: Path, value: object, of: str = "names with numbers are needed") -> Mapping[str, Any]:
    """Return an object; `of` says of what."""
    if not isinstance(value, Mapping):
        raise Wrong(path, f"{named(path)} is no object; {of}")
    return value


def fields(path: Path, value: object, *names: str) -> Mapping[str, Any]:
    """Return an object whose names are all of these; what is said to be unknown is left out."""
    data = mapping(path, value, f"its fields are {', '.join(names)}")
    known(path, data, names, named(path))
    return {name: each for name, each in data.items() if each != UNKNOWN}


def listed(path: Path, value: object, read: Callable[[Path, object], T]) -> tuple[T, ...]:
    """Read a list."""
    if not isinstance(value, list | tuple):
        raise Wrong(path, f"{named(path)} is no list; one is needed")
    return tuple(read((*path, index), each) for index, each in enumerate(value))


def each(path: Path, value: object, read: Callable[[Path, object], T]) -> dict[str, T]:
    """Read an object of names, each with a value; those that are said to be unknown are left out."""
    data = mapping(path, value)
    return {str(name): read((*path, name), value) for name, value in data.items() if value != UNKNOWN}


class Times:
    """When facts were read: moments are ISO times, or how long before now; without one, `as_of_ms`."""

    def __init__(self, now_ms: int, as_of_ms: int | None = None) -> None:
        self.now_ms = now_ms
        self.as_of_ms = now_ms if as_of_ms is None else as_of_ms

    def moment(self, path: Path, value: object, *, ahead: bool = False) -> int:
        """Read a moment; `ahead`: a duration is from now on."""
        said = str(value)
        at_ms = date_ms(said)
        if at_ms is None:
            try:
                span_ms = parse_duration(said.removeprefix("-")).ms
            except ValueError:
                raise Wrong(path, f"{named(path)} is no moment; {_MOMENT}") from None
            at_ms = self.now_ms + (span_ms if ahead or said.startswith("-") else -span_ms)
        return at_ms

    def of(self, path: Path, data: Mapping[str, Any]) -> int:
        """Return when what an object says was read."""
        return self.moment((*path, "as_of"), data["as_of"]) if "as_of" in data else self.as_of_ms

    def fact(self, path: Path, value: object, read: Callable[[Path, object], T]) -> tuple[T, int]:
        """Read a value with its time: as it stands, or `{value: ..., as_of: ...}`."""
        if not isinstance(value, Mapping):
            return read(path, value), self.as_of_ms
        data = fields(path, value, "value", "as_of")
        if "value" not in data:
            raise Wrong(path, f"{named(path)} has no value; one is needed")
        return read((*path, "value"), data["value"]), self.of(path, data)

    def said(self, at_ms: int, **data: Any) -> dict[str, Any]:
        """Write an object with its time, where that is not now; what is None is left out."""
        out = {name: plain(value) if isinstance(value, Decimal) else value for name, value in data.items()}
        return {k: v for k, v in out.items() if v is not None} | ({} if at_ms == self.now_ms else {"as_of": iso(at_ms)})

    def timed(self, at_ms: int, value: object) -> object:
        """Write a value with its time, where that is not now."""
        said = self.said(at_ms, value=value)
        return said if len(said) > 1 else said["value"]


def amount(currency: str) -> Callable[[Path, object], Decimal]:
    """Return a reader of amounts in a currency: `100000 USDT`."""

    def read(path: Path, value: object) -> Decimal:
        figure, _, code = str(value).strip().partition(" ")
        if code != currency:
            needed = f'an amount in the account\'s currency ("100000 {currency}") is needed'
            raise Wrong(path, f"{named(path)} is {str(value)!r}; {needed}")
        return number(path, figure)

    return read


def fact_of(read: Callable[[Path, object], Decimal], times: Times) -> Callable[[Path, object], Fact]:
    """Return a reader of numbers with their times."""
    return lambda path, value: Fact(*times.fact(path, value, read))
