"""How close each limit is now, as the page shows it: head-room, the day's loss, the keys."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.dashboard.burn import Equity, outlook
from policykit.dashboard.view import Head, Key, Loss, level, short
from policykit.dashboard.words import ago, per_cent
from policykit.engine.rooms import Room
from policykit.guard.measures import Sample, Watched, measure, rooms_of, watched
from policykit.store import Store
from policykit.telemetry import names

#: Limits that are shown.
MAX_ROOMS: Final = 60
DAILY_LOSS: Final = "risk.daily_loss"
_DAY_S: Final = 86_400
_SOON_S: Final = 14 * _DAY_S


class Limits(NamedTuple):
    """What a store tells of the limits of the policies that are in force."""

    rooms: tuple[Head, ...] = ()
    losses: tuple[Loss, ...] = ()
    keys: tuple[Key, ...] = ()
    findings: str = ""


def limits(store: Store, host: str, now_ms: int, equity: Equity) -> Limits:
    """Return the limits of every policy in force, the tightest first. Raise StoreUnavailable."""
    policies = watched(store, host, now_ms)
    found = [(one, room) for one in policies for room in rooms_of(store, one.engine, now_ms, one.info.bot)]
    several = len({one.info.account for one in policies}) > 1
    heads = sorted((_head(one, room, several) for one, room in found), key=lambda head: (not head.unknown, -head.share))
    losses = tuple(_loss(store, one, room, equity) for one, room in found if room.check == DAILY_LOSS and _known(room))
    samples = measure(store, host, now_ms, policies)
    return Limits(tuple(heads[:MAX_ROOMS]), losses, keys(samples), findings(samples))


def _known(room: Room) -> bool:
    return room.used is not None and room.limit is not None


def _head(one: Watched, room: Room, several: bool) -> Head:
    share = room.share if room.share is not None else Decimal(0)
    key = "" if room.check.endswith(room.key) else room.key
    key = f"{one.info.account} {key}".strip() if several else key
    place = "" if room.place is None else str(room.place)
    tight = "over" if room.full else level(share) if _known(room) else "near"
    return Head(room.check, key, room.used, room.limit, room.unit, share, tight, place, short(place), room.unknown)


def _loss(store: Store, one: Watched, room: Room, equity: Equity) -> Loss:
    used, limit = room.used or Decimal(0), room.limit or Decimal(0)
    base = store.facts(one.info.account, "").day_base
    points = [] if base is None else equity.losses(one.info.account, base.value, base.as_of_ms)
    place = "" if room.place is None else str(room.place)
    share = room.share or Decimal(0)
    says = outlook(points, used, limit, room.unit)
    return Loss(one.info.account, used, limit, room.unit, share, level(share), place, short(place), says, tuple(points))


def keys(samples: Iterable[Sample]) -> tuple[Key, ...]:
    """Say of each key how old it is and when it must be rotated, those that are due first."""
    ages: dict[str, float] = {}
    left: dict[str, float] = {}
    for sample in samples:
        name = sample.labels.get(names.KEY, "")
        if sample.name == names.M_KEY_AGE:
            ages[name] = sample.value
        elif sample.name == names.M_KEY_REMAINING:
            left[name] = min(sample.value, left.get(name, sample.value))
    found = sorted(ages | left, key=lambda name: left.get(name, _SOON_S))
    return tuple(_key(name, ages.get(name), left.get(name)) for name in found)


def _key(name: str, age: float | None, left: float | None) -> Key:
    said = [] if age is None else [f"{ago(round(age * 1000))} old"]
    if left is not None:
        due = ago(round(abs(left) * 1000))
        said.append(f"due for rotation since {due}" if left <= 0 else f"to be rotated in {due}")
    return Key(name, ", ".join(said), "" if left is None or left > _SOON_S else "over" if left <= 0 else "near")


def findings(samples: Iterable[Sample]) -> str:
    """Say what lint found last; empty where it never said."""
    counts = {s.labels.get(names.SEVERITY, ""): s.value for s in samples if s.name == names.M_LINT}
    return ", ".join(f"{count:.0f} {severity}" for severity, count in counts.items() if count)


def tightest(heads: Iterable[Head]) -> str:
    """Say which limit is the nearest to being reached."""
    head = next(iter(heads), None)
    return "" if head is None else f"{head.check} {per_cent(head.share)}"
