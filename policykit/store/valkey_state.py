"""The ledger as keys of a server: a part of it is read, a row is applied to the part, and the differences are written.

So the meaning of every row stands in `Ledger` alone. Counters are written as what is to be added, since others add at
the same time; whatever is replaced is written only if it is still what was read.

    meta      epoch, seq, generation, format, halts; v|ACCOUNT how often its facts changed; i|CLIENT ID of which intent;
              counters: s|COUNTER sum, w|COUNTER window, t|OWNER totals, l|NAME lease
    a:ACCOUNT facts, groups; of a position KEY: l|KEY h|KEY bounds, b|KEY s|KEY out, u|KEY unit, p|KEY the rest
    open, closed, over, own           intents, their order of ending, client order ids of callers' own, for ever
    w, w:COUNTER, c:COUNTER           windows, oldest first; slices of one; permits and unknown, for `clear`
    k:KIND|ACCOUNT                    what operators did last, by name
    guards, beats, resets, succeeds
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic_core import to_json

from policykit.decision import Hold, unknown_counter
from policykit.engine.facts import Halt
from policykit.orders.intent import Intent
from policykit.store.chain import text_of
from policykit.store.codec import intent_from_dict, intent_to_dict
from policykit.store.kept import Kept
from policykit.store.ledger import Ledger
from policykit.units import MAX_COUNTER

Change = tuple[str | int, ...]
#: key, field, text that must be there; False: nothing.
Condition = tuple[str, str, str | bool]
#: States in which nobody reported on a permit yet.
_WAITING: Final = ("intended", "sent")
#: Where `PositionState.dump` has what orders hold and what a unit is worth: those have fields of their own.
_BUYS, _SELLS, _UNIT = 5, 6, 7
#: Intents that are over are kept up to so many: a fleet ends some thousands a minute, and fills may come late.
KEPT: Final = 20_000


def pairs(flat: list[str]) -> dict[str, str]:
    """Read the answer of HGETALL."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def id_field(intent: Intent) -> str:
    """Name the field of an intent's client order id."""
    return f"{intent.account}\n{intent.client_order_id}"


# ---- intents


def new_record(intent: dict[str, Any], held: tuple[str, int] | None) -> str:
    """Write a new intent, as it stands in its row, with what its position hold claims."""
    return text_of({"intent": intent, "held": held})


def record_of(intent: Intent, held: tuple[str, int] | None, old: Mapping[str, Any]) -> str:
    """Write what became of an intent; fields of another version are kept."""
    return text_of({**old, "intent": {**old["intent"], **intent_to_dict(intent)}, "held": held})


def intent_of(record: str) -> Intent:
    """Read the intent of a record."""
    return intent_from_dict(json.loads(record)["intent"])


def _score(intent: Intent) -> int | None:
    """Return what stands for an intent in its `clear` counter: 0 if unknown, else its permit's end; None: nothing."""
    if intent.state == "unknown":
        return 0
    return intent.permit_until_ms if intent.state in _WAITING else None


def intent_words(intent: Intent) -> list[Any]:
    """Write for the script what it keeps of an intent beside its holds and its record."""
    counter, score = unknown_counter(intent.account, intent.order.symbol, intent.order.side), _score(intent)
    own = intent.order.client_order_id is not None
    return [intent.id, id_field(intent), own, counter, False if score is None else score]


def claimed(holds: Iterable[Hold]) -> tuple[str, int] | None:
    """Return what holds claim of a position."""
    return next(((hold.counter, hold.amount) for hold in holds if hold.kind == "position"), None)


def _clear(before: Intent, after: Intent) -> list[Change]:
    was, score = _score(before), _score(after)
    counter = unknown_counter(after.account, after.order.symbol, after.order.side)
    if was == score:
        return []
    if score is None:
        return [("ZREM", f"c:{counter}", after.id)]
    return [("ZADD", f"c:{counter}", score, after.id)]


class OneIntent:
    """One intent with the account it is of, as a ledger; `changes` say what became of it."""

    def __init__(self, record: str, account: Mapping[str, str]) -> None:
        self._raw = record
        self._old = json.loads(record)
        self.before = intent_from_dict(self._old["intent"])
        self.ledger = ledger = Ledger()
        self._account = OneAccount(self.before.account, account, ledger)
        (ledger.open if self.before.open else ledger.closed)[self.before.id] = self.before
        if self._old["held"]:
            counter, amount = self._old["held"]
            ledger.held[self.before.id] = (counter, amount)
        # From nothing, so that what stands there afterwards is what is to be added.
        ledger.sums = {hold.counter: 0 for hold in self.before.holds if hold.kind == "sum"}

    @property
    def condition(self) -> Condition:
        """Ask that the intent is still as it was read."""
        return ("open" if self.before.open else "closed", self.before.id, self._raw)

    def changes(self) -> tuple[list[Condition], list[Change]]:
        """Return what to ask for and what to write."""
        before, ledger = self.before, self.ledger
        after = ledger.intent(before.id)
        assert after is not None
        conditions, changes = self._account.changes()
        record = record_of(after, ledger.held.get(after.id), self._old)
        if after.open:
            changes.append(("HSET", "open", after.id, record))
        elif before.open:
            changes.append(("CLOSE", after.id, id_field(after), record, KEPT))
        else:
            changes.append(("HSET", "closed", after.id, record))
        changes += [("ADD", counter, amount) for counter, amount in ledger.sums.items() if amount]
        if before.open:
            changes += _clear(before, after)
        return [self.condition, *conditions], changes


def written(changes: Iterable[Change]) -> str:
    """Return the record that changes put among the open ones."""
    return next(str(change[3]) for change in changes if change[:2] == ("HSET", "open"))


# ---- accounts


def _outward(number: int, *, down: bool) -> int:
    """Return a number that the script reads exactly: none is between it and `number` on the side of the order."""
    if abs(number) <= MAX_COUNTER:
        return number
    near = float(number)
    if (near > number) if down else (near < number):
        near = math.nextafter(near, -math.inf if down else math.inf)
    return int(near)


class OneAccount:
    """One account in a ledger of its own, or of one with other parts."""

    def __init__(self, name: str, fields: Mapping[str, str], ledger: Ledger) -> None:
        self.name, self._fields = name, fields
        self._facts: dict[str, Any] = json.loads(fields.get("facts", "{}"))
        self._state = state = ledger.account(name)
        keys = dict.fromkeys(field[2:] for field in fields if field[1:2] == "|" and field[0] in "bspu")
        if self._facts:
            state.load({**self._facts, "positions": {}})
        for key in keys:
            dump = json.loads(fields.get(f"p|{key}", "null")) or state.position(key).dump()
            for index, letter in ((_BUYS, "b"), (_SELLS, "s"), (_UNIT, "u")):
                dump[index] = int(fields.get(f"{letter}|{key}", 0))
            state.position(key).load(dump)
        self._groups = state.groups
        self._before = {key: position.dump() for key, position in state.positions.items()}
        self._said = self._dump()

    def _dump(self) -> dict[str, Any]:
        facts = self._state.dump()
        del facts["positions"]
        return facts

    def changes(self) -> tuple[list[Condition], list[Change]]:
        """Return what to ask for and what to write."""
        name, key_of = self.name, f"a:{self.name}"
        conditions: list[Condition] = []
        changes: list[Change] = []
        facts = self._dump()
        if facts != self._said:
            conditions.append((key_of, "facts", self._fields.get("facts", False)))
            changes.append(("HSET", key_of, "facts", to_json({**self._facts, **facts}).decode()))
            changes.append(("HINCRBY", "meta", f"v|{name}", 1))
        joined = self._state.groups[len(self._groups) :]
        if joined:
            changes.append(("JOIN", name, *joined))
            changes.append(("HSET", key_of, "groups", json.dumps(self._state.groups)))
        for key, position in self._state.positions.items():
            old, new = self._before.get(key, [0] * 8), position.dump()
            if old == new and key in self._before:
                continue
            added = (new[_BUYS] - old[_BUYS], new[_SELLS] - old[_SELLS])
            unit = new[_UNIT] if new[_UNIT] != old[_UNIT] else ""
            for index in (_BUYS, _SELLS, _UNIT):
                old[index] = new[index] = 0
            rest: tuple[str | int, ...] = ("", "", "")
            if old != new or key not in self._before:
                conditions.append((key_of, f"p|{key}", self._fields.get(f"p|{key}", False)))
                low, high = position.bounds()
                rest = (_outward(low, down=True), _outward(high, down=False), json.dumps(new))
            changes.append(("POSITION", name, key, *added, *rest, unit))
        return conditions, changes


# ---- what operators did


def kept_of(flat: list[str]) -> dict[str, dict[str, Any]]:
    """Read the rows that are kept of one kind and account, the oldest first."""
    rows = {name: json.loads(text) for name, text in pairs(flat).items()}
    return dict(sorted(rows.items(), key=lambda item: item[1]["at_ms"]))


def kept_changes(at: str, before: Mapping[str, dict[str, Any]], after: Kept) -> list[Change]:
    """Return what to write so that `after` is kept where `before` was."""
    (rows,) = after.values()
    gone: list[Change] = [("HDEL", at, name) for name in before if name not in rows]
    return [*gone, *(("HSET", at, name, text_of(row)) for name, row in rows.items() if row != before.get(name))]


# ---- halts


def halts_of(text: str | None) -> dict[str, Halt]:
    """Read the halts that are in force, oldest first."""
    return {halt[0]: Halt(*halt[: len(Halt._fields)]) for halt in json.loads(text or "[]")}


def halts_text(halts: Iterable[Halt]) -> str:
    """Write halts."""
    return json.dumps([list(halt) for halt in halts])
