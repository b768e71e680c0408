"""How close each limit of a policy is, now: what the next denial would say, before there is one.

Nothing is computed a second way. The least order of each market asks every check for its holds, the store says what is
used of their counters, and the check explains that as it would a denial; what is held against facts, the check says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Final, NamedTuple

from policykit.decision import Hold
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.engine import Engine
from policykit.engine.facts import Facts, Position
from policykit.engine.money import ONE, ZERO
from policykit.engine.setup import Setup
from policykit.engine.use import Kind
from policykit.order import Order
from policykit.place import Place
from policykit.traits.base import product_of
from policykit.units import MAX_COUNTER, SCALE

#: So many markets are asked for; what is held comes first.
MAX_SYMBOLS: Final = 200
#: The least quantity that a counter tells apart.
LEAST: Final = ONE / SCALE

#: Returns what is used of each hold's counter: `Store.used`.
Used = Callable[[tuple[Hold, ...]], tuple[int, ...]]


class Room(NamedTuple):
    """What is used of one limit, in the numbers that a denial by it says; `used` None: not known, `unknown` says why.

    `key` is what the limit is kept for beside the account: a symbol (with `#long`, `#short` in hedge mode), an asset, a
    group, a budget. A limit that has two sides shows the one with less room. `full`: the next order is denied.
    """

    check: str
    kind: Kind
    key: str
    used: Decimal | None
    limit: Decimal | None
    unit: str
    place: Place | None = None
    full: bool = False
    unknown: str = ""

    @property
    def share(self) -> Decimal | None:
        """Return what part of the limit is used, 1 and more when it is reached; None: not known."""
        if self.used is None or self.limit is None:
            return None
        if self.limit <= 0:
            return ONE if self.full else ZERO
        return max(ZERO, self.used / self.limit)

    @property
    def left(self) -> Decimal | None:
        """Return what may still be used; None: not known."""
        return None if self.used is None or self.limit is None else max(ZERO, self.limit - self.used)


class _Asked(NamedTuple):
    check: Check
    case: Case
    hold: Hold


def rooms(engine: Engine, facts: Facts, symbols: Iterable[str], used: Used, now_ms: int) -> tuple[Room, ...]:
    """Return the room under each limit of which some can be used, in the order of the checks. Pure but for `used`."""
    checks = {check.id: check for check in engine.checks if check.room is not None}
    account = Case(engine.setup, facts, Order("", action="stream.connect"), now_ms)
    found = [room for check in checks.values() for room in _safely(check, account, _standing)]
    asked: dict[tuple[str, int, int], _Asked] = {}
    for case in (
        account,
        *(Case(engine.setup, facts, order, now_ms) for order in _probes(engine.setup, facts, symbols)),
    ):
        for check in checks.values():
            found += _safely(check, case, lambda check, case: _ask(check, case, asked))
    uses = used(tuple(each.hold for each in asked.values()))
    for (check, case, hold), use in zip(asked.values(), uses, strict=True):
        found += _safely(check, case, lambda check, case, hold=hold, use=use: [_counted(check, case, hold, use)])  # type: ignore[misc]
    return _fullest(found, list(checks))


def symbols_of(setup: Setup, facts: Facts, more: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the markets whose limits are worth showing: where something is held, `more`, and those the policy names.

    Where there is none, a market whose price is known stands for the limits of the account.
    """
    currency, risk = setup.currency, setup.policy.risk
    held = [key.partition("#")[0] for key, one in facts.positions.items() if one.unit and _out(one)]
    markets = [key if "/" in key else f"{key}/{currency}" for key in held if key != currency]
    named = [*((risk.symbols if risk else None) or ()), *((risk.max_position_notional if risk else None) or ())]
    markets += [*more, *(name for name in named if "/" in name and not set(name) & set("*?!"))]
    return tuple(dict.fromkeys(markets))[:MAX_SYMBOLS] or tuple(sorted(facts.marks))[:1]


def _out(position: Position) -> bool:
    return any((position.low, position.high, position.open_buys, position.open_sells))


def _probes(setup: Setup, facts: Facts, symbols: Iterable[str]) -> Iterator[Order]:
    """Yield the least order on each side of each market, at the mark; an amend, and a loan."""
    said, mode = setup.policy.account.position_mode, facts.position_mode
    hedge = (said if mode is None else mode.value) == "hedge"
    first = True  # amends are counted for the account
    for symbol in symbols:
        mark = facts.marks.get(symbol)
        price = ONE if mark is None else mark.value  # without a mark the checks that need one say so
        contract = product_of(symbol) != "spot"
        buy = Order(symbol, "buy", "limit", LEAST, price, position_side="long" if hedge and contract else None)
        yield buy
        yield Order(symbol, "sell", "limit", LEAST, price, position_side="short" if hedge and contract else None)
        if first:
            first = False
            yield Order(symbol, "buy", "limit", LEAST, price, action="order.amend", position_side=buy.position_side)
    yield Order(setup.currency, quantity=LEAST, action="margin.borrow")


def _safely(check: Check, case: Case, ask: Callable[[Check, Case], Iterable[Room]]) -> list[Room]:
    """Return what a check says; of one that cannot say it, why."""
    try:
        return list(ask(check, case))
    except Unknown as unknown:
        why = str(unknown)
    except Exception as error:  # noqa: BLE001 - as in the engine: its class says enough
        why = f"{check.id} could not be evaluated: {type(error).__name__}"
    assert check.room is not None
    return [
        Room(check.id, check.room.kind, _key(check, case), None, None, "", check.setup.place(check.id), unknown=why)
    ]


def _standing(check: Check, case: Case) -> Iterator[Room]:
    assert check.room is not None
    for use in check.uses(case):
        place = check.setup.place(check.id)
        yield Room(check.id, check.room.kind, "", use.used, use.limit, use.unit, place, use.reached)


def _ask(check: Check, case: Case, asked: dict[tuple[str, int, int], _Asked]) -> tuple[()]:
    """Note what the store is to be asked for a check; a claim that cannot be refused bounds nothing."""
    for hold in check.claims(case):
        if not case.reduces and hold.limit < MAX_COUNTER:
            # Of one counter both sides are asked for, and each limit: the currencies of two markets may differ.
            asked.setdefault((hold.counter, 1 if hold.amount > 0 else -1, hold.limit), _Asked(check, case, hold))
    return ()


def _counted(check: Check, case: Case, hold: Hold, use: int) -> Room:
    """Return what the denial of one more would say of what is there without it."""
    assert check.room is not None
    reason = check.explain(case, hold, use - abs(hold.amount))
    assert reason.observed is not None
    assert reason.limit is not None
    assert reason.unit is not None
    full = use + abs(hold.amount) > hold.limit
    key = reason.check.removeprefix(f"{check.id}.") if check.room.by == "budget" else _key(check, case, hold)
    numbers = Decimal(reason.observed), Decimal(reason.limit), reason.unit
    return Room(reason.check, check.room.kind, key, *numbers, reason.place, full)


def _key(check: Check, case: Case, hold: Hold | None = None) -> str:
    """Name what a limit is kept for beside the account."""
    by = check.room.by if check.room is not None else "account"
    if by == "symbol":
        legs = hold is None or hold.kind == "position"
        return case.position_key if legs and "#" in case.position_key else case.order.symbol
    if by == "asset" and case.market is not None:
        return case.market.base
    return hold.counter.split("|")[1] if by == "group" and hold is not None else ""


def _fullest(found: Iterable[Room], order: list[str]) -> tuple[Room, ...]:
    """Return the fullest room under each limit; one that is not known only where no other is."""
    best: dict[tuple[str, str], Room] = {}
    for room in found:
        name = (room.check, room.key)
        if name not in best or _more(room) > _more(best[name]):
            best[name] = room
    known = {room.check for room in best.values() if room.used is not None}
    kept = (room for (check, key), room in best.items() if room.used is not None or key or check not in known)
    rank = {check: index for index, check in enumerate(order)}
    return tuple(
        sorted(kept, key=lambda room: (rank.get(room.check, rank.get(room.check.partition(".")[0], 0)), room.key))
    )


def _more(room: Room) -> tuple[bool, Decimal]:
    return room.full, -ONE if room.share is None else room.share
