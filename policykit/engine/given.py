"""The language of facts: what `policykit check --facts` and a policy's tests say of an account, and its inverse.

A fact that is not said is unknown; so is one that says `unknown`. Each may say when it was read: `{value: 60000,
as_of: 30s}` (so long ago, or an ISO time); without that, `as_of` of all facts counts, and without that, now.
docs/facts.md is its manual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from policykit.clock import iso
from policykit.engine import given_values as values
from policykit.engine.facts import (
    SCOPE,
    Contract,
    Drift,
    Fact,
    Facts,
    Halt,
    Move,
    Partial,
    Position,
    Quote,
    Setting,
    Streak,
)
from policykit.engine.given_values import UNKNOWN, Path, Times, Wrong
from policykit.engine.money import UNIT_SCALE, UP, unit_steps
from policykit.order import Order
from policykit.traits.base import product_of
from policykit.units import plain

#: Fields of `Facts` that the language does not have, and why.
NOT_READ: Final = {
    "generation": "the store's count of halts; a decision without a store has none to meet",
    "currency": "the account's currency is the policy's",
    "seq": "the row of the journal that the store stood at",
}
_COUNTED: Final = ("groups", "unpriced", "worths")
_POSITION: Final = ("held", "low", "high", "open_buys", "open_sells")


@dataclass(frozen=True, slots=True)
class Given:
    """Facts, and what is used of counters already (by their names: `binance/main|open_orders`).

    `counted`: the facts say what a store made of the positions, too (groups, units, what has no price); without it
    that follows from the positions and the marks.
    """

    facts: Facts = field(default_factory=Facts)
    used: Mapping[str, int] = field(default_factory=dict)
    counted: bool = False


class _Form(NamedTuple):
    """How one fact is read and written."""

    read: Callable[[Path, Any, Times, str], Any]
    write: Callable[[Any, Times, str], Any]


def read_facts(data: Mapping[str, Any], currency: str, now_ms: int) -> Given:
    """Read facts from JSON data. Raise `Wrong`, a ValueError that names the field."""
    values.known((), data, WORDS, "facts")
    said = {name: value for name, value in data.items() if value != UNKNOWN}
    times = Times(now_ms, Times(now_ms).of((), said))
    facts = {
        _FACT.get(name, name): form.read((name,), said[name], times, currency)
        for name, form in FORMS.items()
        if name in said
    }
    if "positions" in said or "positions_as_of" in said:
        facts["positions_as_of_ms"] = _positions_as_of(data, times)
    if "counted" in said:
        facts |= _read_counted(("counted",), said["counted"], facts.get("positions", {}))
    used = values.each(("used",), said.get("used", {}), _read_use)
    return Given(Facts(**facts), used, "counted" in said)


def facts_data(given: Given, currency: str, now_ms: int) -> dict[str, Any]:
    """Write facts as JSON data of which `read_facts` makes the same; what is not said of a Facts is left out."""
    times, facts, new = Times(now_ms), given.facts, Facts()
    out: dict[str, Any] = {}
    for name, form in FORMS.items():
        value = getattr(facts, _FACT.get(name, name))
        if value != getattr(new, _FACT.get(name, name)):
            out[name] = form.write(value, times, currency)
    if facts.positions_as_of_ms is None:
        out |= {"positions_as_of": UNKNOWN} if "positions" in out else {}
    else:
        out.setdefault("positions", {})
        out |= {} if facts.positions_as_of_ms == now_ms else {"positions_as_of": iso(facts.positions_as_of_ms)}
    if given.counted:
        worths = {key: plain(UP.divide(one.unit, UNIT_SCALE)) for key, one in facts.positions.items() if one.unit}
        out["counted"] = {"groups": list(facts.groups), "unpriced": list(facts.unpriced), "worths": worths}
    return out | ({"used": dict(given.used)} if given.used else {})


def order_data(order: Order) -> dict[str, Any]:
    """Write an order as data of which `read_order` makes the same."""
    return order.to_dict() if order.action == "order.create" else {"action": order.action, **order.to_dict()}


def _read_use(path: Path, value: Any) -> int:
    use = values.number(path, value)
    if use != int(use):
        raise Wrong(path, f"{values.named(path)} is {plain(use)}; a whole number of a counter's steps is needed")
    return int(use)


# ---- positions, and what a store makes of them


def position_key(name: str) -> str:
    """Return what a position is kept by: the base asset on spot, the symbol on derivatives."""
    return name.partition("/")[0] if product_of(name) == "spot" else name


def _positions_as_of(data: Mapping[str, Any], times: Times) -> int | None:
    said = data.get("positions_as_of")
    if said is None:
        return times.as_of_ms
    return None if said == UNKNOWN else times.moment(("positions_as_of",), said)


def _read_positions(path: Path, value: Any, times: Times, currency: str) -> dict[str, Position]:
    data = values.mapping(path, value)
    out: dict[str, Position] = {}
    for name, each in data.items():
        key = position_key(str(name))
        if key in out:
            raise Wrong((*path, name), f"{values.named((*path, name))} says the position of {key} a second time")
        out[key] = _read_position((*path, name), each)
    return out


def _read_position(path: Path, value: Any) -> Position:
    if not isinstance(value, Mapping):
        quantity = values.number(path, value)
        return Position(quantity, quantity)
    data = values.fields(path, value, *_POSITION)
    said: dict[str, Any] = {name: values.number((*path, name), each) for name, each in data.items()}
    if "held" in said:
        if "low" in said or "high" in said:
            raise Wrong(path, f"{values.named(path)} says held, and low or high; one way of saying it is needed")
        said["low"] = said["high"] = said.pop("held")
    if ("low" in said) != ("high" in said) or said.get("low", 0) > said.get("high", 0):
        raise Wrong(path, f"{values.named(path)} has no low and high of which the low is not over the high")
    for name in ("open_buys", "open_sells"):
        if said.get(name, 0) < 0:
            raise Wrong((*path, name), f"{values.named((*path, name))} is under 0; what is out on a side is needed")
    return Position(**said)


def _write_positions(positions: Mapping[str, Position], times: Times, currency: str) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, one in positions.items():
        held = {"held": one.low} if one.low == one.high else {"low": one.low, "high": one.high}
        more = {name: getattr(one, name) for name in _POSITION[3:] if getattr(one, name)}
        said = {name: plain(number) for name, number in (held | more).items()}
        out[key] = said["held"] if list(said) == ["held"] else said
    return out


def _read_counted(path: Path, value: Any, positions: Mapping[str, Position]) -> dict[str, Any]:
    data = values.fields(path, value, *_COUNTED)
    worths = values.each((*path, "worths"), data.get("worths", {}), values.number)
    units = {position_key(name): unit_steps(worth) for name, worth in worths.items()}
    keys = {**dict.fromkeys(units, Position()), **positions}
    return {
        "groups": values.listed((*path, "groups"), data.get("groups", ()), values.text),
        "unpriced": values.listed((*path, "unpriced"), data.get("unpriced", ()), values.text),
        "positions": {key: one._replace(unit=units.get(key, 0)) for key, one in keys.items()},
    }


# ---- facts that are lists or objects


def _read_quote(times: Times) -> Callable[[Path, Any], Quote]:
    def read(path: Path, value: Any) -> Quote:
        data = values.fields(path, value, "bid", "ask", "as_of")
        bid, ask = (values.number((*path, name), data.get(name)) for name in ("bid", "ask"))
        return Quote(bid, ask, times.of(path, data))

    return read


def _read_contract(times: Times) -> Callable[[Path, Any], Contract]:
    def read(path: Path, value: Any) -> Contract:
        data = values.fields(path, value, *_CONTRACT, "as_of")
        said = {name: form((*path, name), data[name]) for name, form in _CONTRACT.items() if name in data}
        return Contract(**said, as_of_ms=times.of(path, data))

    return read


_CONTRACT: Final[dict[str, Callable[[Path, Any], Any]]] = {
    "leverage": values.number,
    "margin_mode": values.one_of("cross", "isolated"),
    "liquidation_price": values.number,
    "funding_rate": values.share,
    "quanto_size": values.number,
}


def _read_moves(times: Times) -> Callable[[Path, Any], tuple[Move, ...]]:
    def move(path: Path, value: Any) -> Move:
        data = values.fields(path, value, "as_of", "low", "high")
        low, high = (values.number((*path, name), data.get(name)) for name in ("low", "high"))
        return Move(times.of(path, data), low, high)

    def read(path: Path, value: Any) -> tuple[Move, ...]:
        return tuple(sorted(values.listed(path, value, move)))

    return read


def _read_streak(path: Path, value: Any, times: Times, currency: str) -> Streak:
    losses, at_ms = times.fact(path, value, lambda path, value: values.whole(path, value, " of trades"))
    return Streak(losses, at_ms)


def _read_partial(times: Times) -> Callable[[Path, Any], Partial]:
    def read(path: Path, value: Any) -> Partial:
        data = values.fields(path, value, "as_of", "least")
        least = values.share((*path, "least"), data["least"]) if "least" in data else None
        return Partial(times.of(path, data) if "as_of" in data else None, least)

    return read


def _write_partials(partials: Mapping[str, Partial], times: Times, currency: str) -> dict[str, Any]:
    return {
        symbol: ({} if one.at_ms is None else {"as_of": iso(one.at_ms)})
        | ({} if one.least is None else {"least": plain(one.least)})
        for symbol, one in partials.items()
    }


def _read_halt(times: Times) -> Callable[[Path, Any], Halt]:
    def read(path: Path, value: Any) -> Halt:
        data = values.fields(path, value, "scope", "state", "by", "why", "as_of", "freeze", "latched")
        scope = values.text((*path, "scope"), data.get("scope", "all"))
        if not SCOPE.fullmatch(scope):
            needed = "all, exchange:X, account:X/NAME, bot:X or symbol:X is needed"
            raise Wrong((*path, "scope"), f"{values.named((*path, 'scope'))} is {scope!r}; {needed}")
        by, why = (values.text((*path, name), data.get(name, "given")) for name in ("by", "why"))
        freeze, latched = (values.flag((*path, n), data.get(n, n == "latched")) for n in ("freeze", "latched"))
        state = _STATE((*path, "state"), data.get("state", "HALTED"))
        return Halt(scope, state, by, why, times.of(path, data), freeze, latched)  # type: ignore[arg-type]

    return read


_STATE: Final = values.one_of("REDUCING", "HALTED")


def _write_halts(halts: tuple[Halt, ...], times: Times, currency: str) -> list[dict[str, Any]]:
    return [
        times.said(one.at_ms, scope=one.scope, state=one.state, by=one.by, why=one.why)
        | ({"freeze": True} if one.freeze else {})
        | ({} if one.latched else {"latched": False})
        for one in halts
    ]


def _read_problem(path: Path, value: Any) -> tuple[str, str]:
    data = values.fields(path, value, "code", "message")
    code, message = (values.text((*path, name), data.get(name)) for name in ("code", "message"))
    return code, message


def _write_problem(problem: tuple[str, str]) -> dict[str, str]:
    return {"code": problem[0], "message": problem[1]}


def _read_drift(currency: str) -> Callable[[Path, Any], Drift]:
    def read(path: Path, value: Any) -> Drift:
        data = values.fields(path, value, "kind", "key", "quantity", "worth", "note")
        worth = values.amount(currency)((*path, "worth"), data["worth"]) if "worth" in data else None
        return Drift(
            _DRIFT((*path, "kind"), data.get("kind", "position")),
            values.text((*path, "key"), data.get("key")),
            values.number((*path, "quantity"), data.get("quantity")),
            worth,
            values.text((*path, "note"), data["note"]) if "note" in data else "",
        )

    return read


_DRIFT: Final = values.one_of("order", "position", "balance")


def _write_drift(drifts: tuple[Drift, ...], times: Times, currency: str) -> list[dict[str, Any]]:
    return [
        {"kind": one.kind, "key": one.key, "quantity": plain(one.quantity)}
        | ({} if one.worth is None else {"worth": f"{plain(one.worth)} {currency}"})
        | ({"note": one.note} if one.note else {})
        for one in drifts
    ]


# ---- the table


def _money() -> _Form:
    return _Form(
        lambda path, value, times, currency: values.fact_of(values.amount(currency), times)(path, value),
        lambda fact, times, currency: times.timed(fact.as_of_ms, f"{plain(fact.value)} {currency}"),
    )


def _map(read: Callable[[Times], Callable[[Path, Any], Any]], write: Callable[[Any, Times], Any]) -> _Form:
    """Return the form of an object of names, each with a value of its own."""
    return _Form(
        lambda path, value, times, currency: values.each(path, value, read(times)),
        lambda facts, times, currency: {name: write(fact, times) for name, fact in facts.items()},
    )


def _list(read: Callable[[Path, Any], Any], write: Callable[[Any], Any]) -> _Form:
    return _Form(
        lambda path, value, times, currency: values.listed(path, value, read),
        lambda facts, times, currency: [write(fact) for fact in facts],
    )


def _one(read: Callable[[Path, Any], Any], write: Callable[[Any], Any] = lambda value: value) -> _Form:
    """Return the form of a value that has no time."""
    return _Form(lambda path, value, times, currency: read(path, value), lambda value, times, currency: write(value))


def _timed(fact: Fact, times: Times) -> object:
    return times.timed(fact.as_of_ms, plain(fact.value))


def _moment(*, ahead: bool = False) -> _Form:
    return _map(
        lambda times: lambda path, value: times.moment(path, value, ahead=ahead), lambda at_ms, times: iso(at_ms)
    )


#: Each word of the language that is a fact, with its form.
FORMS: Final[dict[str, _Form]] = {
    "equity": _money(),
    "day_base": _money(),
    "net_transfers": _money(),
    "week_base": _money(),
    "week_transfers": _Form(
        lambda path, value, times, currency: values.amount(currency)(path, value),
        lambda value, times, currency: f"{plain(value)} {currency}",
    ),
    "peak": _money(),
    "borrowed": _money(),
    "positions": _Form(_read_positions, _write_positions),
    "marks": _map(lambda times: values.fact_of(values.number, times), _timed),
    "quotes": _map(_read_quote, lambda one, times: times.said(one.as_of_ms, bid=one.bid, ask=one.ask)),
    "contract_sizes": _map(lambda times: values.number, lambda size, times: plain(size)),
    "contracts": _map(
        _read_contract,
        lambda one, times: times.said(one.as_of_ms, **{name: getattr(one, name) for name in _CONTRACT}),
    ),
    "moves": _map(
        _read_moves,
        lambda moves, times: [{"as_of": iso(m.start_ms), "low": plain(m.low), "high": plain(m.high)} for m in moves],
    ),
    "position_mode": _Form(
        lambda path, value, times, currency: Setting(*times.fact(path, value, values.one_of("one_way", "hedge"))),
        lambda mode, times, currency: times.timed(mode.as_of_ms, mode.value),
    ),
    "margin_ratio": _Form(
        lambda path, value, times, currency: values.fact_of(values.share, times)(path, value),
        lambda fact, times, currency: _timed(fact, times),
    ),
    "streak": _Form(_read_streak, lambda one, times, currency: times.timed(one.at_ms, one.losses)),
    "partials": _Form(
        lambda path, value, times, currency: values.each(path, value, _read_partial(times)), _write_partials
    ),
    "skew_ms": _one(lambda path, value: values.whole(path, value, " of milliseconds")),
    "halts": _Form(lambda path, value, times, currency: values.listed(path, value, _read_halt(times)), _write_halts),
    "banned_until": _moment(ahead=True),
    "address_proofs": _moment(),
    "recovered": _one(values.flag),
    "waits": _list(values.text, str),
    "drift": _Form(
        lambda path, value, times, currency: values.listed(path, value, _read_drift(currency)), _write_drift
    ),
    "reconciled": _Form(
        lambda path, value, times, currency: times.moment(path, value), lambda at_ms, times, currency: iso(at_ms)
    ),
    "foreign_orders": _one(lambda path, value: values.whole(path, value, " of orders")),
    "store_problem": _one(_read_problem, _write_problem),
    "streams": _list(_read_problem, _write_problem),
}
#: The field of `Facts` that a word is, where it has another name.
_FACT: Final = {"banned_until": "banned_until_ms", "reconciled": "reconciled_ms"}
#: Every word of the language.
WORDS: Final = (*FORMS, "positions_as_of", "counted", "used", "as_of")
