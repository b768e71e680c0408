"""The language of facts: every fact can be said, and what is written is read back exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import pytest

from policykit.engine import trial
from policykit.engine.facts import (
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
from policykit.engine.given import FORMS, NOT_READ, WORDS, Given, facts_data, order_data, read_facts
from policykit.engine.given_values import Wrong
from tests.engine import random_worlds
from tests.engine.worlds import NOW, engine, order

USDT = "USDT"
#: What says a field of Facts, where no word has its name.
ELSEWHERE = {
    "banned_until_ms": "banned_until",
    "reconciled_ms": "reconciled",
    "positions_as_of_ms": "positions_as_of",
    "groups": "counted",
    "unpriced": "counted",
}


def _wild(rng: Random) -> Facts:
    """Return facts of which each field may be anything that a store can say."""
    number = lambda: Decimal(rng.choice(["1", "0.00000001", "60000.5", "-3", "123456789.123456789", "0"]))  # noqa: E731
    at = lambda: NOW - rng.choice([-500, 0, 1, 999, 30_000, 86_400_001])  # noqa: E731
    fact = lambda: Fact(number(), at())  # noqa: E731
    low, more = number(), abs(number())
    made: dict[str, Any] = {
        **{name: fact() for name in ("equity", "day_base", "net_transfers", "week_base", "peak", "borrowed")},
        "week_transfers": number(),
        "margin_ratio": fact(),
        "positions": {
            "BTC": Position(low, low + more, abs(number()), abs(number()), unit=rng.choice([0, 1, 10**17 + 1])),
            "ETH/USDT:USDT#long": Position(unit=7),
            "X": Position(number(), Decimal(10**9)),
        },
        "positions_as_of_ms": rng.choice([None, at()]),
        "unpriced": ("LUNA", "X"),
        "groups": ("group|desk|USDT",),
        "marks": {"BTC/USDT": fact(), "ETH/USDT": fact()},
        "quotes": {"BTC/USDT": Quote(number(), number(), at())},
        "contract_sizes": {"BTC/USDT:USDT": number()},
        "contracts": {
            "BTC/USDT:USDT": Contract(number(), "cross", number(), number(), at(), number()),
            "ETH/USDT:USDT": Contract(as_of_ms=at()),
        },
        "position_mode": Setting(rng.choice(["one_way", "hedge"]), at()),
        "moves": {"BTC/USDT": (Move(NOW - 60_000, number(), number()), Move(NOW, number(), number()))},
        "streak": Streak(rng.choice([0, 3]), at()),
        "partials": {"BTC/USDT": Partial(at(), number()), "ETH/USDT": Partial(), "X/USDT": Partial(None, number())},
        "address_proofs": {"host-a|mm-exec": at()},
        "skew_ms": rng.choice([-501, 0, 12]),
        "banned_until_ms": {"ip": at(), "account": NOW + 1},
        "recovered": False,
        "waits": ("until 10:00",),
        "halts": (
            Halt("bot:a", "HALTED", "ops", "leak", at(), freeze=True),
            Halt("all", "REDUCING", "a", "b", NOW, latched=False),
        ),
        "drift": (Drift("order", "1", number(), None), Drift("balance", "BTC", number(), number(), "a note")),
        "reconciled_ms": at(),
        "foreign_orders": 3,
        "store_problem": ("STORE_RESET", "another epoch"),
        "streams": (("STREAM_STALE", "silent"),),
    }
    few = rng.sample(sorted(made), rng.randint(0, len(made)))
    return replace(Facts(), **{name: made[name] for name in few})


def test_every_fact_can_be_said() -> None:
    """Each field of Facts has a word, or a reason why it has none."""
    said = {ELSEWHERE.get(field.name, field.name) for field in fields(Facts)}
    assert said - set(WORDS) == set(NOT_READ)
    assert set(FORMS) - said == set()


def _back(given: Given) -> Given:
    return read_facts(json.loads(json.dumps(facts_data(given, USDT, NOW)), parse_float=Decimal), USDT, NOW)


@pytest.mark.parametrize("made", [random_worlds.facts, _wild])
def test_what_is_written_is_read_back_exactly(made: Callable[[Random], Facts], tier: Callable[[int, int], int]) -> None:
    """Facts, as JSON and back, are the same facts, to the last digit and millisecond."""
    rng, seen = Random(9), set()
    for _ in range(tier(300, 20_000)):
        given = Given(made(rng), {"binance/main|open_orders": rng.randint(0, 9)}, counted=True)
        assert _back(given) == given
        seen |= {f.name for f in fields(Facts) if getattr(given.facts, f.name) != getattr(Facts(), f.name)}
    assert made is random_worlds.facts or seen == {f.name for f in fields(Facts)} - set(NOT_READ)


def test_what_is_written_decides_the_same(tier: Callable[[int, int], int]) -> None:
    """Facts that a store did not count are counted again from what was written, and decide the same, id included."""
    rng, outcomes = Random(10), set()
    for _ in range(tier(60, 5_000)):
        made, _plain = random_worlds.policy(rng)
        given, asked = Given(random_worlds.facts(rng)), random_worlds.order(rng)
        given = trial.counted(made.setup, given, NOW)
        first, _ = trial.decide_once(made, asked, given, NOW)
        again, _ = trial.decide_once(made, asked, _back(given), NOW)
        assert (again.to_dict(), again.warnings) == (first.to_dict(), first.warnings)
        outcomes.add(first.outcome)
    assert outcomes == {"allow", "deny"}


def test_an_order_is_written_and_read_back() -> None:
    """An order of every field, as JSON and back, is the same order; the action is said where it is another."""
    full = order(stop_price="1", leverage=Decimal(3), amends=order(), reduce_only=True, position_side="long")
    cancel = order(action="order.cancel", quantity=None)
    for one in (full, cancel):
        assert trial.read_order(json.loads(json.dumps(order_data(one)))) == one
    assert ("action" in order_data(full), order_data(cancel)["action"]) == (False, "order.cancel")


def test_words_are_plain() -> None:
    """Ages, shares, halts and positions are said as a person says them."""
    data = {
        "as_of": "2s",
        "equity": {"value": "100000 USDT", "as_of": "30s"},
        "marks": {"BTC/USDT": 60000, "ETH/USDT": {"value": "3000", "as_of": "-500ms"}, "X/USDT": "unknown"},
        "margin_ratio": "35%",
        "positions": {"BTC/USDT": {"held": 1, "open_buys": "0.5"}, "ETH/USDT:USDT#short": -2},
        "positions_as_of": "2026-11-21T09:59:00Z",
        "halts": [{"freeze": True}, {"scope": "symbol:BTC/USDT", "state": "REDUCING", "by": "ops", "why": "news"}],
        "banned_until": {"ip": "30s"},
        "address_proofs": {"h|k": "3d"},
        "streak": 2,
        "day_base": "unknown",
    }
    given = read_facts(data, USDT, NOW)
    assert _back(given) == given
    assert given.facts == Facts(
        equity=Fact(Decimal(100_000), NOW - 30_000),
        marks={"BTC/USDT": Fact(Decimal(60_000), NOW - 2_000), "ETH/USDT": Fact(Decimal(3_000), NOW + 500)},
        margin_ratio=Fact(Decimal("0.35"), NOW - 2_000),
        positions={
            "BTC": Position(Decimal(1), Decimal(1), Decimal("0.5")),
            "ETH/USDT:USDT#short": Position(Decimal(-2), Decimal(-2)),
        },
        positions_as_of_ms=NOW - 60_000,
        halts=(
            Halt("all", "HALTED", "given", "given", NOW - 2_000, freeze=True),
            Halt("symbol:BTC/USDT", "REDUCING", "ops", "news", NOW - 2_000),
        ),
        banned_until_ms={"ip": NOW + 30_000},
        address_proofs={"h|k": NOW - 3 * 86_400_000},
        streak=Streak(2, NOW - 2_000),
    )


def test_orders_that_are_out_count() -> None:
    """What is out on a side counts against the limits of positions, as a store counts it."""
    made = engine({"rate_budgets": None}, None)
    said = {
        "equity": "100000 USDT",
        "day_base": {"value": "100000 USDT", "as_of": "2026-11-21T00:00:00Z"},
        "net_transfers": "0 USDT",
        "marks": {"BTC/USDT": "59000"},
        "skew_ms": 0,
    }
    for out, outcome in (("0.2", "allow"), ("0.33", "deny")):
        given = read_facts({**said, "positions": {"BTC": {"open_buys": out}}}, USDT, NOW)
        assert trial.decide_once(made, order(), given, NOW)[0].outcome == outcome


WRONG: list[tuple[dict[str, Any], tuple[str | int, ...], str]] = [
    (
        {"positions": {"BTC": 1, "BTC/USDT": 1}},
        ("positions", "BTC/USDT"),
        "positions.BTC/USDT says the position of BTC a second time",
    ),
    (
        {"positions": {"BTC": "unknown"}},
        ("positions", "BTC"),
        "positions.BTC: text is not a number; a plain number is needed",
    ),
    (
        {"positions": {"BTC": {"held": 1, "low": 0}}},
        ("positions", "BTC"),
        "positions.BTC says held, and low or high; one way of saying it is needed",
    ),
    (
        {"positions": {"BTC": {"low": 1, "high": 0}}},
        ("positions", "BTC"),
        "positions.BTC has no low and high of which the low is not over the high",
    ),
    (
        {"positions": {"BTC": {"open_buys": -1}}},
        ("positions", "BTC", "open_buys"),
        "positions.BTC.open_buys is under 0; what is out on a side is needed",
    ),
    ({"equity": {"as_of": "3s"}}, ("equity",), "equity has no value; one is needed"),
    (
        {"equity": {"value": "1 USDT", "age": 1}},
        ("equity", "age"),
        "'age' is no field of equity; the fields are value, as_of",
    ),
    (
        {"marks": {"A/B": {"value": 1, "as_of": "soon"}}},
        ("marks", "A/B", "as_of"),
        'marks.A/B.as_of is no moment; an ISO time (2026-11-21T10:00:00Z) is needed, or how long ago ("30s")',
    ),
    ({"margin_ratio": "x%"}, ("margin_ratio",), 'margin_ratio: "x" is not a plain number; a percentage is needed'),
    ({"recovered": "no"}, ("recovered",), "recovered is neither true nor false; one of them is needed"),
    ({"waits": "long"}, ("waits",), "waits is no list; one is needed"),
    ({"waits": [""]}, ("waits", 0), "waits.0 is no text; one is needed"),
    ({"position_mode": "both"}, ("position_mode",), "position_mode is 'both'; one of one_way, hedge is needed"),
    (
        {"halts": [{"scope": "me"}]},
        ("halts", 0, "scope"),
        "halts.0.scope is 'me'; all, exchange:X, account:X/NAME, bot:X or symbol:X is needed",
    ),
    (
        {"halts": ["now"]},
        ("halts", 0),
        "halts.0 is no object; its fields are scope, state, by, why, as_of, freeze, latched",
    ),
    (
        {"quotes": {"A/B": {"bid": 1}}},
        ("quotes", "A/B", "ask"),
        "quotes.A/B.ask: NoneType is not a number; a plain number is needed",
    ),
    ({"used": {"x|y": "1.5"}}, ("used", "x|y"), "used.x|y is 1.5; a whole number of a counter's steps is needed"),
    ({"foreign_orders": True}, ("foreign_orders",), "foreign_orders is no whole number of orders; one is needed"),
]


@pytest.mark.parametrize(("data", "path", "message"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_is_named_with_its_path(data: dict[str, Any], path: tuple[str | int, ...], message: str) -> None:
    """What cannot be read says where it stands and what is needed."""
    with pytest.raises(Wrong) as caught:
        read_facts(data, USDT, NOW)
    assert (caught.value.path, str(caught.value)) == (path, message)


def test_the_manual_has_every_word() -> None:
    """docs/facts.md has a row for each word of the language, and for what has none."""
    rows = [
        line.split("|")[1].strip(" `")
        for line in Path("docs/facts.md").read_text("utf-8").splitlines()
        if line.startswith("| `")
    ]
    assert sorted(rows) == sorted((*WORDS, *NOT_READ))
