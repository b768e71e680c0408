"""Compare two policies: where the second is tighter than the first, where looser, and where neither can be said.

There is no second reading of strictness: the meet of two values (values.py) is as strict as each of them, and where it
is not the value of one side, that side allows more. What a policy leaves out means what engine and guard take then
(`Meta.absent`), a waiver counts until it expires, and what is neutral is no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import gt, lt
from typing import Any, Final, NamedTuple

from policykit.model.base import NEUTRAL, SECTION, Meta, Section, Strictness, metas
from policykit.model.group import Group
from policykit.model.policy import Policy
from policykit.model.rate import CountWindow, RateBudget
from policykit.model.shape import Shape, shapes
from policykit.model.types import date_ms
from policykit.model.waivers import Waiver
from policykit.policy.canonical import dump
from policykit.policy.effective import UNWAIVABLE, expired
from policykit.policy.meaning import (
    ByPosition,
    Sides,
    Verdict,
    caps_by_position,
    compared_every,
    facts_age,
    hours,
    leaning,
    mark_age,
    symbols,
    window,
)
from policykit.policy.values import meet
from policykit.units import Amount, Share

#: What each policy says of itself; it bounds nothing.
_OWN: Final = frozenset(("policykit", "name", "owner", "extends", "waivers"))
ABSENT: Final = "nothing"
#: Maps whose entries are no limits: what one more of them may do is neither tighter nor looser than its absence.
_REACH: Final = {"keys": "a key", "vendors": "a vendor"}
#: Words that stand for another field where they are absent: who may re-arm may grant a stage.
_INSTEAD: Final = frozenset(("stage.next_needs.approver",))


class Change(NamedTuple):
    """One value that is said otherwise: where, what was and is said as the language writes it, and what that makes.

    `equal`: it is proved to mean the same, and `why` says how. `identity`: both must say the same of this, and do not.
    """

    path: str
    was: str
    now: str
    verdict: Verdict
    why: str = ""
    identity: bool = False
    #: What is said of the field; None for waivers.
    meta: Meta | None = None

    def __str__(self) -> str:
        return f"{self.path}: {self.was} -> {self.now}"


class Comparison(NamedTuple):
    """How a new policy differs from an old one."""

    changes: tuple[Change, ...]

    @property
    def tighter(self) -> tuple[Change, ...]:
        """Return what is tighter, at least in part."""
        return tuple(c for c in self.changes if c.verdict in ("tighter", "different") and not c.identity)

    @property
    def looser(self) -> tuple[Change, ...]:
        """Return what is looser, at least in part."""
        return tuple(c for c in self.changes if c.verdict in ("looser", "different") and not c.identity)

    @property
    def identity(self) -> tuple[Change, ...]:
        """Return what must be equal in both, and is not."""
        return tuple(c for c in self.changes if c.identity)


def compare(old: Policy, new: Policy, now_ms: int | None = None) -> Comparison:
    """Return where `new` is tighter and looser than `old`. With `now_ms` a waiver that is expired then is none."""
    found = [*_section(Policy, old, new, ""), *_waivers(old.waivers, new.waivers, now_ms)]
    return Comparison(tuple(_entangled(old, new, found)))


def shown(value: Any) -> str:
    """Write a typed value as people read it: `1500 USDT`, `[buy, sell]`, `30 per 1m`."""
    if value is None:
        return ABSENT
    if isinstance(value, CountWindow):
        return f"{value.limit} per {value.per}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    written = value if isinstance(value, dict) else dump(value)
    if isinstance(written, dict):
        return "{" + ", ".join(f"{key}: {shown(item)}" for key, item in written.items()) + "}"
    if isinstance(written, list):
        return "[" + ", ".join(shown(item) for item in written) + "]"
    return str(written)


# ---- structure


def _section(kind: type[Section], old: Section | None, new: Section | None, path: str) -> Iterator[Change]:
    for name, shape in shapes(kind).items():
        if not path and name in _OWN:
            continue
        at = f"{path}.{name}" if path else name
        one, two = (None if side is None else getattr(side, name) for side in (old, new))
        if one is not two:
            for change in _field(shape, one, two, at):
                yield change if change.meta is not None else change._replace(meta=shape.meta)


def _field(shape: Shape, old: Any, new: Any, path: str) -> Iterator[Change]:
    meta = shape.meta
    if meta.strictness == NEUTRAL:
        yield from _neutral(meta, old, new, path)
    elif shape.kind == "section" and shape.section is not None:
        if shape.section is CountWindow:
            yield from _judged(path, old, new, window(old, new))
        else:
            yield from _section(shape.section, old, new, path)
    elif shape.kind == "map" and shape.section is not None:
        yield from _sections(shape.section, old or {}, new or {}, path)
    elif shape.kind == "map":
        yield from _map(meta, old or {}, new or {}, path)
    elif shape.kind == "list" and shape.section is not None:
        # An empty list binds a key to no address (PK201): it is none.
        yield from _items(shape.section, _said(meta, old or None), _said(meta, new or None), path)
    else:
        yield from _leaf(meta.strictness, _said(meta, old), _said(meta, new), path, (old, new))


def _neutral(meta: Meta, old: Any, new: Any, path: str) -> Iterator[Change]:
    """Say that something is said otherwise which bounds nothing; what may be a secret is not shown."""
    if (old or None) != (new or None):
        was, now = (ABSENT if not side else "..." if meta.secret else shown(side) for side in (old, new))
        if meta.held_by:
            alone = not (old and new) and path not in _INSTEAD
            verdict: Verdict = _one_side(old or None) if alone else "different"
            yield Change(
                path, was, now, verdict, "" if alone else "one word is neither stricter nor looser than the other"
            )
        else:
            yield Change(path, was, now, "equal", "it is neutral: nothing is allowed or denied by it")


def _said(meta: Meta, value: Any) -> Any:
    return meta.absent if value is None else value


def _sections(
    kind: type[Section], old: Mapping[str, Section], new: Mapping[str, Section], path: str
) -> Iterator[Change]:
    for key in dict.fromkeys((*old, *new)):
        at, one, two = f"{path}.{key}", old.get(key), new.get(key)
        if path in _REACH and (one is None or two is None):
            what = f"{_REACH[path]} {'more' if one is None else 'less'}: what it may do stands in its own fields"
            yield Change(at, *_there(one, two, key), "different", what)
        elif kind is RateBudget and (one is None or two is None):
            meta = metas(RateBudget)["limit"]
            yield Change(at, _budget(one), _budget(two), "tighter" if one is None else "looser", meta=meta)
        elif kind is Group and (one is None or two is None):
            why = "what this account holds counts for the other members, too"
            yield Change(at, *_there(one, two, key), _one_side(one), why, meta=metas(Group)["max_gross_exposure"])
            yield from _section(kind, one, two, at)
        else:
            yield from _same_budget(one, two, at) if kind is RateBudget else _section(kind, one, two, at)


def _map(meta: Meta, old: Mapping[str, Any], new: Mapping[str, Any], path: str) -> Iterator[Change]:
    of = meta.strictness.of
    assert of is not None
    assert of != SECTION
    positions = (ByPosition(old), ByPosition(new)) if path.endswith("max_position_notional") else None
    for key in dict.fromkeys((*old, *new)):
        said = tuple(_named(side, key) for side in (old, new))
        at = f"{path}.{key}"
        if said[0] == said[1]:
            continue
        if positions is not None:
            yield from _judged(at, said[0], said[1], caps_by_position(*positions, key))
        else:
            one, two = (side.get(key, side.get("default", meta.absent)) for side in (old, new))
            yield from _leaf(of, one, two, at, (said[0], said[1]))


def _named(entries: Mapping[str, Any], key: str) -> Any:
    """Return what a map says of a key; what its default says for it, as a text."""
    if key in entries or "default" not in entries:
        return entries.get(key)
    return f"{shown(entries['default'])} (default)"


def _items(kind: type[Section], old: Any, new: Any, path: str) -> Iterator[Change]:
    """Compare lists of objects that are named by a key of theirs; absent allows all, and is no list."""
    if old is None or new is None:
        if old != new:
            yield Change(path, _names(kind, old), _names(kind, new), "tighter" if old is None else "looser")
        return
    olds, news = ({getattr(item, kind.item_key): item for item in side} for side in (old, new))
    for key in dict.fromkeys((*olds, *news)):
        at, one, two = f"{path}.{key}", olds.get(key), news.get(key)
        if one is None or two is None:
            yield Change(at, *_there(one, two, key), "looser" if one is None else "tighter")
        else:
            yield from _section(kind, one, two, at)


def _there(old: object, new: object, key: str) -> tuple[str, str]:
    return ABSENT if old is None else key, ABSENT if new is None else key


def _names(kind: type[Section], items: Any) -> str:
    return ABSENT if items is None else shown(tuple(getattr(item, kind.item_key) for item in items))


# ---- values


def _leaf(strictness: Strictness, old: Any, new: Any, path: str, said: tuple[Any, Any]) -> Iterator[Change]:
    """Compare what holds; `said` is what the policies themselves say, for the text."""
    if strictness.kind == "identity":
        old, new = old or None, new or None
        if old != new:
            clash = old is not None and new is not None
            verdict: Verdict = (
                "different" if clash or (path in _PARTLY and _PARTLY[path] in (old, new)) else _one_side(old)
            )
            why = _another(path) if clash else "closing a leg needs no facts then" if verdict == "different" else ""
            yield Change(path, shown(said[0] or None), shown(said[1] or None), verdict, why, clash)
    elif strictness.order == ("symbols",):
        yield from _judged(path, *said, symbols(old, new))
    elif path.endswith("trading_hours"):
        yield from _judged(path, *said, hours(old, new))
    else:
        yield from _judged(path, *said, _sides(strictness, old, new))


def _another(path: str) -> str:
    """Say what follows where two words differ of which neither is the stricter."""
    whose = _WHOSE.get(path)
    if whose is None:
        return "neither is the stricter: each may allow what the other denies"
    return f"it is another {whose}: nothing of the two can be compared"


#: What other orders, facts and money altogether are of.
_WHOSE: Final = {
    "exchange": "exchange",
    "environment": "environment",
    "account.name": "account",
    "account.currency": "currency",
}
#: Words that allow something which the absence of any word does not: in hedge mode closing a leg needs no facts.
_PARTLY: Final = {"account.position_mode": "hedge"}


def _one_side(old: Any) -> Verdict:
    return "tighter" if old is None else "looser"


def _sides(strictness: Strictness, old: Any, new: Any) -> Sides:
    """Say which of two values allows something that the other does not: the meet of both is the other's."""
    if old is None or new is None:
        return Sides(looser=old is not None, tighter=new is not None)
    old, new = _normal(old), _normal(new)
    return Sides(
        looser=_normal(meet(strictness, old, new).value) != new,
        tighter=_normal(meet(strictness, new, old).value) != old,
    )


def _normal(value: Any) -> Any:
    """Return a value so that equal meanings are equal: a list is a set, and a cap with a bound of zero is zero."""
    if type(value) is not tuple:
        return value
    if any(isinstance(item, Amount | Share) for item in value):
        zero = Share(value[0][0] * 0)
        return (zero,) if any(item[0] == 0 for item in value) else tuple(sorted(set(value), key=str))
    return tuple(sorted(set(value)))


def _judged(path: str, was: Any, now: Any, sides: Sides) -> Iterator[Change]:
    if was != now:
        why = sides.why
        if sides.verdict == "equal" and not why:
            why = f"{ABSENT} means {shown(now if was is None else was)}" if None in (was, now) else "it means the same"
        yield Change(path, shown(was), shown(now), sides.verdict, why)


# ---- rate budgets


def _budget(budget: Section | None) -> str:
    return f"{budget.limit} per {budget.per}" if isinstance(budget, RateBudget) else ABSENT


def _same_budget(old: Section | None, new: Section | None, path: str) -> Iterator[Change]:
    """Compare two budgets of one name; shares that come to the same numbers of calls are no difference."""
    assert isinstance(old, RateBudget)
    assert isinstance(new, RateBudget)
    found = tuple(_section(RateBudget, old, new, path))
    if any(change.identity for change in found):
        yield from found
        return
    yield from (change for change in found if change.path.startswith(f"{path}.costs."))
    shares = [change for change in found if not change.path.startswith(f"{path}.costs.")]
    was, now = ((b.for_entries, b.for_exits, b.for_reads) for b in (old, new))
    more, less = (any(op(b, a) for a, b in zip(was, now, strict=True)) for op in (gt, lt))
    why = f"entries may use {was[0]} -> {now[0]} of a window, exits {was[1]} -> {now[1]}"
    for change in shares:
        yield change._replace(verdict=Sides(more, less).verdict, why=why)


# ---- waivers


def _waivers(old: Sequence[Waiver], new: Sequence[Waiver], now_ms: int | None) -> Iterator[Change]:
    """Compare what is accepted: a rule at a path until a day. Who agreed to it, and why, is no difference."""
    was, now = (_accepting(side, now_ms) for side in (old, new))
    for waiver in now:
        if not any(_covers(other, waiver) for other in was):
            yield Change("waivers", _sooner(was, waiver), _waiver(waiver), "looser")
    for waiver in was:
        if not any(_covers(other, waiver) for other in now):
            yield Change("waivers", _waiver(waiver), _sooner(now, waiver), "tighter")


def _accepting(waivers: Iterable[Waiver], now_ms: int | None) -> tuple[Waiver, ...]:
    at = 0 if now_ms is None else now_ms
    return tuple(w for w in waivers if w.rule not in UNWAIVABLE and not expired(w, at))


def _covers(one: Waiver, other: Waiver) -> bool:
    here = other.at == one.at or other.at.startswith(f"{one.at}.")
    return one.rule == other.rule and here and (date_ms(one.expires) or 0) >= (date_ms(other.expires) or 0)


def _sooner(waivers: Iterable[Waiver], waiver: Waiver) -> str:
    same = (w for w in waivers if (w.rule, w.at) == (waiver.rule, waiver.at))
    return next((_waiver(w) for w in same), ABSENT)


def _waiver(waiver: Waiver) -> str:
    return f"{waiver.rule} at {waiver.at} until {waiver.expires}"


# ---- fields that lean on each other


def _entangled(old: Policy, new: Policy, found: Iterable[Change]) -> Iterator[Change]:
    """Correct the verdict of a field whose effect hangs on others."""
    ages = {"account.max_age": facts_age, "risk.price_collar.max_age": mark_age}
    compared = {"reconciliation.orders_every", "reconciliation.positions_every"}
    for change in found:
        if change.path in ages:
            was, now = ages[change.path](old), ages[change.path](new)
            yield _aged(change, was > now, now > was, leaning(old) or leaning(new))
        elif change.path == "risk.max_borrow":
            yield _borrowed(change)
        elif change.path in compared:
            yield _compared(change, compared_every(old.reconciliation), compared_every(new.reconciliation))
        elif change.path.startswith("risk.on_breach.") and not any(_sets(p, change.path) for p in (old, new)):
            yield change._replace(verdict="equal", why="neither policy sets that limit")
        else:
            yield change


def _aged(change: Change, tighter: bool, looser: bool, leans: str) -> Change:
    if not (tighter or looser):
        return change._replace(verdict="equal", why="facts and prices are as old at most as before")
    if leans:
        return change._replace(verdict="different", why=leans)
    return change._replace(verdict=Sides(looser, tighter).verdict, why="")


def _compared(change: Change, was: int | None, now: int | None) -> Change:
    later = was is not None and now is not None and now > was
    sooner = was is not None and now is not None and now < was
    if (change.verdict, later, sooner) in (("tighter", True, False), ("looser", False, True)):
        why = f"the account may go {'longer' if later else 'less long'} without being compared, of which less is read"
        return change._replace(verdict="different", why=why)
    return change


def _borrowed(change: Change) -> Change:
    """A cap on loans, of nothing too, denies orders that may borrow by themselves; without one nothing is borrowed."""
    if ABSENT not in (change.was, change.now):
        return change
    verdict = change.verdict
    if verdict == "equal":
        verdict = "tighter" if change.was == ABSENT else "looser"
    elif verdict == ("looser" if change.was == ABSENT else "tighter"):
        verdict = "different"
    return change._replace(verdict=verdict, why="orders that may borrow by themselves are denied under such a cap only")


def _sets(policy: Policy, path: str) -> bool:
    return getattr(policy.risk, path.rpartition(".")[2], None) is not None
