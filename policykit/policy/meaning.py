"""What values mean together: lists that allow the same, windows of two spans, caps of one position, fields that lean on
each other.

The strictness of a field judges its value alone. Here stands what needs more: two lists of symbols are compared as sets
of symbols, a cap of a position with every other one that bounds it, and so on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

from policykit.model.account import Account
from policykit.model.base import metas
from policykit.model.languages import beyond, minutes
from policykit.model.operation import COMPARED_EVERY, Reconciliation
from policykit.model.policy import Policy
from policykit.model.rate import CountWindow
from policykit.traits.base import product_of
from policykit.units import Bound, Duration, dimension

Verdict = Literal["equal", "tighter", "looser", "different"]


class Sides(NamedTuple):
    """Whether a new value allows what the old one denied, and the other way round; `why` says how it shows."""

    looser: bool
    tighter: bool
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Say it in a word."""
        if self.looser == self.tighter:
            return "different" if self.looser else "equal"
        return "looser" if self.looser else "tighter"


# ---- lists


def symbols(old: Sequence[str] | None, new: Sequence[str] | None) -> Sides:
    """Compare two lists of patterns by the symbols that they allow; None allows all."""
    more, less = beyond(new, old), beyond(old, new)
    said = [f"{more.symbol} is allowed now"] if more.symbol else []
    said += [f"{less.symbol} was allowed"] if less.symbol else []
    if not (more.decided and less.decided):
        said.append("the patterns are too many to be compared symbol by symbol")
    return Sides(more.some, less.some, "; ".join(said) or "both allow the same symbols")


def hours(old: Sequence[str] | None, new: Sequence[str] | None) -> Sides:
    """Compare trading hours by the minutes of the week that they are."""
    was, now = minutes(old), minutes(new)
    more, less = len(now - was), len(was - now)
    said = [f"{more} minutes of the week more"] if more else []
    said += [f"{less} minutes of the week less"] if less else []
    return Sides(bool(more), bool(less), ", ".join(said) or "both are the same minutes of the week")


# ---- windows


def window(old: CountWindow | None, new: CountWindow | None) -> Sides:
    """Compare two rolling windows by the sequences that they let through, exactly.

    Whatever one lets through passes the other one, too, if even its densest row does: a full window at once, the next
    as soon as it may be. Of `30 per 1m` that is 300 within 10 minutes, of `300 per 10m` it is 300 within one.
    """
    if old is None or new is None:
        return Sides(new is None and old is not None, old is None and new is not None)
    loose, tight = _most(new, old.per) > old.limit, _most(old, new.per) > new.limit
    if old.per == new.per:
        return Sides(loose, tight)
    said = [f"{_most(new, old.per)} within {old.per} pass now, {old.limit} before"] if loose else []
    said += [f"{_most(old, new.per)} within {new.per} passed before, {new.limit} now"] if tight else []
    return Sides(loose, tight, "; ".join(said) or "both let the same rows of orders through")


def _most(window: CountWindow, span: Duration) -> int:
    """Return how many a window lets through within a span at most."""
    return window.limit * -(-span.ms // window.per.ms)


# ---- caps of positions

Caps = Mapping[str, tuple[Bound, ...]]
#: A settle currency that no policy names: it stands for every contract of an asset that has no cap of its own.
_ANY: Final = "*"


class _Position(NamedTuple):
    """A position by what it is kept by: the asset on spot (`key` == `base`), the market's symbol elsewhere."""

    key: str
    base: str


class ByPosition:
    """Caps by the position that they are of."""

    def __init__(self, caps: Caps) -> None:
        self.caps = caps
        self._named: dict[str, list[Bound]] = {}
        for name, bounds in caps.items():
            if name != "default":
                for at in _positions(name):
                    self._named.setdefault(at.key, []).extend(bounds)

    def bounds(self, at: _Position) -> tuple[Bound, ...]:
        """Return every bound of a position: those of each of its markets and of its asset, else the default."""
        named = list(self._named.get(at.key, ()))
        if at.key != at.base:
            named += self.caps.get(at.base, ())
        return tuple(named) or tuple(self.caps.get("default", ()))


def caps_by_position(old: ByPosition, new: ByPosition, name: str) -> Sides:
    """Compare what bounds the positions that one entry speaks of: every cap that names a market of it, or its asset.

    On spot a position is of an asset, whatever it was bought with, so caps of BTC/USDT and BTC/USDC are both of BTC; a
    contract has its own, and its asset's. What no entry names has the default.
    """
    if name == "default":
        return _sides([(old.caps.get(name, ()), new.caps.get(name, ()))])
    sides = _sides([(old.bounds(at), new.bounds(at)) for at in _positions(name)])
    if sides.looser or sides.tighter:
        return sides
    return sides._replace(why="other caps of the same position come to the same")


def _positions(name: str) -> Iterator[_Position]:
    base = name.partition("/")[0]
    if "/" not in name or product_of(name) == "spot":
        yield _Position(base, base)
    if "/" not in name:
        yield _Position(f"{base}/{_ANY}:{_ANY}", base)
    elif product_of(name) != "spot":
        yield _Position(name, base)


def _sides(pairs: Iterable[tuple[tuple[Bound, ...], tuple[Bound, ...]]]) -> Sides:
    looser = tighter = False
    for old, new in pairs:
        was, now = least(old), least(new)
        looser |= _allows_more(now, was)
        tighter |= _allows_more(was, now)
    return Sides(looser, tighter)


def least(bounds: Iterable[Bound]) -> dict[str, Any]:
    """Return the smallest bound of each dimension; where one is zero, nothing else is left to say."""
    out: dict[str, Any] = {}
    for bound in bounds:
        if bound[0] == 0:
            return {"": bound[0]}
        name = dimension(bound)
        out[name] = min(out.get(name, bound[0]), bound[0])
    return out


def _allows_more(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Tell whether a cap lets something through that another does not: one of whose bounds it has not, or not so low.

    Prices and equity may be anything, so any bound of the other may be its lowest one; a cap of zero lets nothing
    through.
    """
    if "" in one or "" in other:
        return "" in other and "" not in one
    return any(name not in one or one[name] > value for name, value in other.items())


# ---- fields that lean on each other


def mark_age(policy: Policy) -> Duration:
    """Return the oldest price that is used: what the collar says, and never an older one than the account's facts."""
    collar = policy.risk.price_collar if policy.risk is not None else None
    most = facts_age(policy)
    return most if collar is None or collar.max_age is None else min(most, collar.max_age)


def facts_age(policy: Policy) -> Duration:
    """Return the oldest facts on which an increase is allowed."""
    said: Duration | None = policy.account.max_age
    absent: Duration = metas(Account)["max_age"].absent
    return absent if said is None else said


def leaning(policy: Policy) -> str:
    """Name what an older price or fact may make stricter; empty: nothing."""
    risk = policy.risk
    if risk is not None and risk.max_price_move is not None:
        return "risk.max_price_move counts marks of a longer time then"
    if risk is not None and risk.max_borrow is not None:
        return "risk.max_borrow counts loans of a longer time then"
    return ""


def compared_every(section: Reconciliation | None) -> int | None:
    """Return after how long without a comparison increases stop, less what is the same for all; None: never."""
    if section is None or not (section.tolerance or section.orders_every or section.positions_every):
        return None
    return max((every or COMPARED_EVERY).ms for every in (section.orders_every, section.positions_every))
