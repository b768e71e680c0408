"""How close each limit is now, as the page shows it: head-room, the day's loss, the keys."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.dashboard.burn import Equity, outlook
from policykit.dashboard.view import Head, Key, Loss, level, short
from policykit.dashboard.words import ago
from policykit.engine.rooms import Room
from policykit.guard.measures import KeyAge, Watched, key_ages, rooms_of, watched
from policykit.store import Store

#: Limits that are shown.
MAX_ROOMS: Final = 60
DAILY_LOSS: Final = "risk.daily_loss"
_SOON_MS: Final = 14 * 86_400_000


class Limits(NamedTuple):
    """What a store tells of the limits of the policies that are in force."""

    rooms: tuple[Head, ...] = ()
    losses: tuple[Loss, ...] = ()
    keys: tuple[Key, ...] = ()
    lint: str = ""


def limits(store: Store, host: str, now_ms: int, equity: Equity) -> Limits:
    """Return the limits of every policy in force, the tightest first. Raise StoreUnavailable."""
    policies = watched(store, host, now_ms)
    found = [(one, room) for one in policies for room in rooms_of(store, one.engine, now_ms, one.info.bot)]
    several = len({one.info.account for one in policies}) > 1
    heads = sorted((_head(one, room, several) for one, room in found), key=lambda head: (not head.unknown, -head.share))
    losses = tuple(_loss(store, one, room, equity) for one, room in found if room.check == DAILY_LOSS and _known(room))
    ages = keys((age for one in policies for age in key_ages(store, one.policy)), now_ms)
    return Limits(tuple(heads[:MAX_ROOMS]), losses, ages, _lint(store, policies, now_ms))


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


def keys(ages: Iterable[KeyAge], now_ms: int) -> tuple[Key, ...]:
    """Say of each key how old it is and when it must be rotated, those that are due first."""
    found = sorted(set(ages), key=lambda one: (one.due_ms is None, one.due_ms or one.made_ms))
    return tuple(_key(one, now_ms) for one in found)


def _key(one: KeyAge, now_ms: int) -> Key:
    said = f"{ago(now_ms - one.made_ms)} old{'' if one.observed else ', as declared'}"
    if one.exposed_ms is not None:
        return Key(one.key, f"may be in other hands since {ago(now_ms - one.exposed_ms)}, due for rotation", "over")
    if one.due_ms is None:
        return Key(one.key, said, "")
    left_ms = one.due_ms - now_ms
    if left_ms <= 0:
        return Key(one.key, f"{said}, due for rotation since {ago(-left_ms)}", "over")
    return Key(one.key, f"{said}, to be rotated in {ago(left_ms)}", "near" if left_ms < _SOON_MS else "")


def _lint(store: Store, policies: Iterable[Watched], now_ms: int) -> str:
    """Say what the last live lint of each policy found; empty where there was none."""
    said = []
    for one in policies:
        last = store.lints(one.info.account).get(one.info.policy_name)
        if last is not None:
            counts: Counter[str] = Counter()
            for severity, _, count in last.get("findings", ()):
                counts[str(severity)] += int(count)
            found = ", ".join(f"{count} {severity}" for severity, count in counts.items()) or "nothing"
            said.append(
                f"The last live lint of {one.info.policy_name}, {ago(now_ms - last['at_ms'])} ago, found {found}."
            )
    return " ".join(dict.fromkeys(said))
