"""What PROMISES says of decisions: closed by default, deny wins, total, deterministic, tightening never loosens."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.decision import Assessment, Hold, Reason
from policykit.engine import Engine, compile_policy
from policykit.engine.case import Case
from policykit.engine.check import Check, Unknown
from policykit.engine.checks import all_checks
from policykit.engine.facts import Fact, Facts, Halt, Move, Position
from policykit.errors import PolicyError
from policykit.model.enforced import unheld
from policykit.order import ACTIONS, FLAGS, NUMBERS, Order
from policykit.policy import load_text
from policykit.traits import load
from tests.engine import random_worlds as worlds
from tests.engine.worlds import (
    ACCOUNT_FACTS,
    ACCOUNT_LIMITS,
    CANONICAL,
    FACTS,
    NOW,
    changed,
    codes,
    engine,
    facts,
    order,
    placed,
)
from tests.policy.documents import random_policy, text_of

Tier = Callable[[int, int], int]
EVERYTHING: dict[str, Any] = {
    "risk.price_collar": {"max_deviation": "2%"},
    "risk.max_leverage": 3,
}
#: These deny whatever the order is, or are not there.
ONLY_DENY = ("policy.unheld", "stage.current", "key.purpose")
#: What sets each check that the canonical policy does not.
SETS: dict[str, Any] = {
    "account.position_mode": "one_way",
    "risk.sides": ["buy"],
    "risk.trading_hours": ["daily 00:00-24:00 UTC"],
    "risk.time_in_force": ["GTC"],
    "risk.reduce_only_exits": True,
    "risk.self_trade_prevention": ["expire_taker"],
    "risk.max_order_quantity": {"default": 1},
    "risk.risk_at_stop": "1% of equity",
    "risk.max_price_move": {"limit": "10%", "per": "5m"},
    "risk.max_slippage": "1%",
    "retry.reconnect.max_per": {"limit": 50, "per": "5m"},
    "reconciliation.tolerance": "5 USDT",
    "risk.max_open_orders_per_symbol": 5,
    "risk.max_orders_per_symbol": {"limit": 10, "per": "1m"},
    "risk.max_amends": {"limit": 10, "per": "1m"},
    "risk.max_messages": {"limit": 100, "per": "1m"},
    "risk.repeated_execution": {"limit": 10, "per": "1m"},
    "risk.duplicate_window": "2s",
    "risk.entry_cooldown": "1s",
    **ACCOUNT_LIMITS,
}
#: What an order must say to pass them all.
SAYS: dict[str, Any] = {"self_trade_prevention": "expire_taker", "stop_loss_price": Decimal(58_000)}
#: Ten minutes in which the mark stood still.
STILL = tuple(
    Move(NOW - NOW % 60_000 - minute * 60_000, Decimal(60_000), Decimal(60_000)) for minute in range(9, -1, -1)
)


# ---- I12: closed by default


def _broken(*_: object) -> Iterator[Any]:
    raise RuntimeError("a bug with https://user:secret@host in its text")


@pytest.mark.parametrize("part", ["reasons", "holds"])
@pytest.mark.parametrize("check", [each for each in all_checks() if each.id not in ONLY_DENY], ids=lambda c: c.id)
def test_I12_an_error_in_a_check_denies_an_increase(
    check: type[Check], part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each check made to fail denies a buy with its own code and no foreign text; sells and cancels still pass."""
    monkeypatch.setattr(check, part, _broken)
    limit = {check.id: SETS[check.id]} if check.id in SETS else {}
    made = engine({**EVERYTHING, **placed(limit)}, key="mm-exec")
    assert check.id in [each.id for each in made.checks]
    known = facts(moves={"BTC/USDT": STILL}, **ACCOUNT_FACTS)
    bought = made.assess(known, order(**SAYS), NOW)
    text = f"{check.id} could not be evaluated: RuntimeError"
    assert bought.reasons == (Reason("CHECK_ERROR", check.id, text, failure=True),)
    sold = made.assess(FACTS, order(side="sell"), NOW)
    assert sold.reasons == ()
    if part == "holds" or check.stops_reductions:
        assert [warning.code for warning in sold.warnings] == ["CHECK_ERROR"]
    assert made.assess(FACTS, Order("BTC/USDT", action="order.cancel"), NOW).reasons == ()


def test_I12_control_an_engine_that_skips_errors_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an error in a check taken for a pass, the order over its cap would pass: the test above can fail."""
    monkeypatch.setattr("policykit.engine.checks.order_notional.OrderNotional.reasons", lambda *_: iter(()))
    assert engine().assess(FACTS, order(quantity="0.03"), NOW).reasons == ()


MISSING = {
    "equity": "FACTS_MISSING",
    "day_base": "DAY_BASE_MISSING",
    "net_transfers": "FACTS_MISSING",
    "positions_as_of_ms": "FACTS_MISSING",
    "marks": "PRICE_MISSING",
    "skew_ms": "CLOCK_SKEW",
}
HARMLESS = {
    "generation",
    "seq",
    "currency",
    "groups",
    "halts",
    "positions",
    "contract_sizes",
    "banned_until_ms",
    "recovered",
    "waits",
    "store_problem",
    "streams",
    "drift",
    "reconciled_ms",
    "foreign_orders",
    # Facts that only some limits ask for: each such check has its own test.
    "quotes",
    "contracts",
    "position_mode",
    "margin_ratio",
    "borrowed",
    "partials",
    "moves",
    "week_base",
    "week_transfers",
    "peak",
    "streak",
    "address_proofs",
    "unpriced",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Facts)])
def test_I12_every_missing_fact_denies(name: str) -> None:
    """Facts taken away field by field: what is unknown denies a buy with a code, and lets a sell pass."""
    assert set(MISSING) | HARMLESS == {field.name for field in fields(Facts)}
    empty = {"marks": {}, "positions": {}, "contract_sizes": {}, "banned_until_ms": {}, "halts": (), "streams": ()}
    empty |= {"generation": 0, "drift": (), "foreign_orders": 0}
    known = replace(FACTS, **{name: empty.get(name, True if name == "recovered" else None)})
    found = codes(engine().assess(known, order(), NOW))
    assert (found[:1] == [MISSING[name]]) if name in MISSING else (found == [])
    assert engine().assess(known, order(side="sell"), NOW).reasons == ()


# ---- I13: deny wins; order and repetition do not matter


class _Fake(Check):
    codes = ("X",)
    rank = 0

    def __init__(self, kind: str) -> None:
        super().__init__(ENGINE.setup)
        self.kind = kind

    def reasons(self, case: Case) -> Iterable[Reason]:
        if self.kind == "unknown":
            raise Unknown("PRICE_MISSING", "no price")
        if self.kind == "error":
            raise RuntimeError
        return (
            [] if self.kind == "pass" else [Reason(self.kind.upper(), self.kind, self.kind, on_breach=self._breach())]
        )

    def _breach(self) -> Any:
        return "warn" if self.kind == "warn" else "deny"

    def holds(self, case: Case) -> Iterable[Hold]:
        return [Hold(self.kind, 1, 1, "sum", self.kind)]


ENGINE = engine()
_Fake.id = "fake"
KINDS = ("pass", "a", "b", "warn", "unknown", "error")
CODES = {"a": "A", "b": "B", "unknown": "PRICE_MISSING", "error": "CHECK_ERROR"}


def test_I13_deny_wins_exhaustively() -> None:
    """Every list of up to four checks of six kinds: denied if and only if one denies, each reason there, in order."""
    lists = [kinds for size in range(5) for kinds in itertools.product(KINDS, repeat=size)]
    assert len(lists) == 1 + 6 + 36 + 216 + 1296
    seen: dict[frozenset[str], set[frozenset[str]]] = {}
    for kinds in lists:
        found = Engine(ENGINE.setup, tuple(_Fake(kind) for kind in kinds)).assess(FACTS, order(), NOW)
        assert codes(found) == [CODES[kind] for kind in kinds if kind in CODES]
        assert [w.code for w in found.warnings] == ["WARN" for kind in kinds if kind == "warn"]
        seen.setdefault(frozenset(kinds), set()).add(frozenset(codes(found)))
    # The set of kinds alone decides: neither order nor repetition changes which reasons there are.
    assert all(len(outcomes) == 1 for outcomes in seen.values())


def test_I13_control_first_match_would_hide_reasons() -> None:
    """An engine that stops at the first answer gives another result for the same checks in another order."""
    first = [next((CODES[k] for k in kinds if k in CODES), None) for kinds in (("a", "b"), ("b", "a"))]
    assert len(set(first)) == 2


# ---- I14: total and deterministic

JUNK: list[Any] = [
    None, True, False, 0, -1, 7, 2**200, 0.1, float("nan"), float("inf"), "", "BTC/USDT", "BTC/USDT:USDT", "buy",
    "sell",
    "limit", "market", "x" * 1000, "\x00", [], {}, (), object(), Decimal("NaN"), Decimal("sNaN"), Decimal("Infinity"),
    Decimal("-Infinity"), Decimal("1e999999"), Decimal("1e-999999"), Decimal("-0"), Decimal("0.01"), Decimal(60_000),
    Fact(Decimal("NaN"), NOW), Fact(Decimal(1), 2**63), Position(Decimal("NaN"), Decimal("sNaN")),
    {"BTC/USDT": Fact(Decimal("sNaN"), NOW)}, {"BTC": Position(Decimal("NaN"))}, {"BTC": None}, {"ip": None},
    (Halt("all", "HALTED", "x", "y", 10**20),), ("X",),
]  # fmt: skip


def _junk_order(rng: Random) -> Order:
    made = order(side=rng.choice(["buy", "sell"]), symbol=rng.choice(["BTC/USDT", "BTC/USDT:USDT"]))
    made.action = rng.choice(ACTIONS) if rng.random() < 0.2 else "order.create"
    for name in rng.sample(Order.__slots__, rng.choice([0, 1, 1, 2, 4])):
        setattr(made, name, rng.choice(JUNK))
    return made


def _junk_facts(rng: Random) -> Facts:
    names = [field.name for field in fields(Facts)]
    return replace(FACTS, **{name: rng.choice(JUNK) for name in rng.sample(names, rng.choice([0, 0, 1, 2]))})


def test_I14_total_and_deterministic(tier: Tier) -> None:
    """Anything in any field: an answer, never an exception; the same again, and the same from an engine made anew."""
    rng = Random(14)
    policies = [
        engine(EVERYTHING),
        engine(placed(ACCOUNT_LIMITS), key="mm-exec"),
        engine({}, None),
        engine({"risk": None}),
        engine({"account.position_mode": "hedge"}),
    ]
    allowed = denied = 0
    for _ in range(tier(5_000, 1_000_000)):
        known, asked, made = _junk_facts(rng), _junk_order(rng), rng.choice(policies)
        answers = [made.assess(known, asked, NOW) for _ in range(2)]
        answers.append(Engine(made.setup, made.checks).assess(known, asked, NOW))
        assert isinstance(answers[0], Assessment)
        assert repr(answers[0]) == repr(answers[1]) == repr(answers[2])
        allowed += not answers[0].reasons
        denied += bool(answers[0].reasons)
    assert allowed > 500
    assert denied > 500


def test_I14_the_lane_says_what_the_checks_say(tier: Tier) -> None:
    """Over times that step both ways and orders near every edge, an engine with lanes and one without agree."""
    rng = Random(15)
    taken = 0
    cases = tier(5_000, 100_000)
    for number in range(cases):
        if number % 100 == 0:
            made, _ = worlds.policy(rng)
            known = worlds.facts(rng)
        asked, now = worlds.order(rng), NOW + rng.choice([0, 0, 0, 1, 7_000, 7_001, 9_001, -501])
        before = made._memo[1].get((asked.symbol, asked.side, asked.type, asked.action))
        taken += before is not None and before.since_ms <= now < before.until_ms
        assert repr(made.assess(known, asked, now)) == repr(made._long_way(known, asked, now)), (asked, now)
    assert taken > cases // 10


def test_I14_control_a_lane_that_never_ends_is_noticed(monkeypatch: pytest.MonkeyPatch, tier: Tier) -> None:
    """A lane that forgets when its facts get too old disagrees with the checks."""
    monkeypatch.setattr("policykit.engine.case.Case.fresh", lambda self, as_of, most: self.age_ms(as_of) <= most)
    made = engine()
    assert made.assess(FACTS, order(), NOW).reasons == ()
    late = NOW + 60_000
    assert made.assess(FACTS, order(), late) != Engine(made.setup, made.checks).assess(FACTS, order(), late)


def test_no_lane_without_its_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check that cannot narrow a lane, or fails to, keeps its orders on the long way; answers stay the same."""
    expected = engine().assess(FACTS, order(), NOW)

    class Careful(Check):
        id, codes, rank = "careful", ("X",), 200

    for narrow in (Check.narrow, _broken):
        monkeypatch.setattr(Careful, "narrow", narrow)
        made = Engine(ENGINE.setup, (*ENGINE.checks, Careful(ENGINE.setup)))
        assert made.assess(FACTS, order(), NOW) == made.assess(FACTS, order(), NOW) == expected
        assert made._memo[1] == {}


def test_orders_that_no_lane_speaks_of_take_the_long_way() -> None:
    """Beside a lane of plain orders, one with a stop price or a price on a market order is judged by the checks."""
    made = engine()
    for plain in (order(), order(type="market", price=None)):
        assert made.assess(FACTS, plain, NOW).reasons == ()
    assert len(made._memo[1]) == 2
    assert codes(made.assess(FACTS, order(stop_price="1"), NOW)) == ["RISK_ORDER_TYPE"]
    priced = made.assess(FACTS, order(type="market", price="60000"), NOW)
    assert (priced.reasons, priced.notional) == ((), Decimal("630.0000"))
    assert codes(made.assess(FACTS, order(quantity="NaN"), NOW)) == ["ORDER_INVALID"]
    assert codes(made.assess(FACTS, order(quantity="-1"), NOW)) == ["ORDER_INVALID"]


def test_a_lane_speaks_of_every_field_of_an_order() -> None:
    """One that says more than the lane's first order is judged by the checks, whatever field says it."""
    made = engine()
    assert made.assess(FACTS, order(), NOW).reasons == ()
    (lane,) = made._memo[1].values()
    assert lane.plain(order())
    free = ("symbol", "side", "type", "action", "quantity", "price", "client_order_id")
    for name in (name for name in Order.__slots__ if name not in free):
        said = order()
        setattr(said, name, True if name in FLAGS else Decimal(1) if name in NUMBERS else "x")
        assert not lane.plain(said), name


def test_lanes_are_bounded() -> None:
    """However many symbols a bot makes up, the memo stays small, and new facts clear it."""
    from policykit.engine.engine import MAX_LANES

    made = engine({"risk.symbols": ["*"], "risk.max_position_notional": None})
    for number in range(MAX_LANES + 5):
        assert made.assess(FACTS, order(symbol=f"X{number}/USDT"), NOW).reasons == ()
    assert len(made._memo[1]) == 5
    other = facts(generation=2)
    assert made.assess(other, order(), NOW).reasons == ()
    assert (made._memo[0] is other, len(made._memo[1])) == (True, 1)


# ---- I16: tightening never loosens

_TIGHTER: list[tuple[str, Callable[[Random], Any]]] = [
    ("account.max_age", lambda rng: rng.choice(["1s", "3s", "5s"])),
    ("clock.max_skew", lambda rng: rng.choice(["10ms", "11ms", "499ms"])),
    ("risk.symbols", lambda rng: rng.choice([["BTC/USDT"], ["*/USDT", "!ETH*", "!DOGE*"]])),
    ("risk.order_types", lambda rng: [rng.choice(["limit", "market"])]),
    (
        "risk.max_order_notional",
        lambda rng: rng.choice(["0.6% of equity", ["1.5% of equity", "1000 USDT"], "0.01 BTC"]),
    ),
    (
        "risk.max_position_notional",
        lambda rng: rng.choice(["9% of equity", {"default": "10% of equity", "BTC/USDT": "1 USDT"}]),
    ),
    ("risk.max_gross_exposure", lambda rng: rng.choice(["30% of equity", ["60% of equity", "700 USDT"], "0.01 BTC"])),
    ("risk.max_net_exposure", lambda rng: rng.choice(["20% of equity", "7000 USDT"])),
    ("risk.max_asset_exposure", lambda rng: rng.choice(["20% of equity", "8000 USDT"])),
    ("risk.max_open_positions", lambda rng: rng.choice([1, 3])),
    ("risk.max_open_orders", lambda rng: rng.choice([0, 19])),
    ("risk.max_orders", lambda rng: {"limit": rng.choice([1, 29]), "per": "1m"}),
    (
        "risk.price_collar",
        lambda rng: {"max_deviation": rng.choice(["1%", "20%"]), "max_age": rng.choice(["1s", "5m"])},
    ),
    ("risk.daily_loss.limit", lambda rng: rng.choice(["0.4% of equity", ["3% of equity", "500 USDT"]])),
    ("risk.partial_fills", lambda rng: {"max_reentries": 1}),
    ("reconciliation", lambda rng: {"tolerance": "5 USDT"}),
    ("risk.max_leverage", lambda rng: 1),
    ("rate_budgets.request-weight.use_at_most", lambda rng: "50%"),
    ("rate_budgets.request-weight.keep_for_exits", lambda rng: "40%"),
]


def _looser(tight: Assessment, loose: Assessment) -> str:
    """Say in which way the tighter policy's answer is looser; empty when it is not."""
    if not tight.reasons and loose.reasons:
        return "allowed"
    if tight.reasons:
        return ""
    limits = {(hold.counter, hold.kind): hold for hold in tight.holds}
    for hold in loose.holds:
        mine = limits.get((hold.counter, hold.kind))
        if mine is None or mine.limit > hold.limit or abs(mine.amount) < abs(hold.amount):
            return hold.counter
    return ""


def test_I16_tightening_never_loosens(tier: Tier) -> None:
    """What a tightened policy allows, the looser one allows, and every hold of it fits under a limit no higher."""
    rng = Random(16)
    cases, allowed = tier(5_000, 100_000), 0
    for number in range(cases):
        if number % 25 == 0:
            steps = {path: value(rng) for path, value in rng.sample(_TIGHTER, rng.choice([1, 1, 2, 3]))}
            loose, tight = engine(), engine(steps)
        known, asked = worlds.facts(rng), worlds.order(rng)
        answer = tight.assess(known, asked, NOW)
        assert _looser(answer, loose.assess(known, asked, NOW)) == "", (steps, asked)
        allowed += not answer.reasons
    assert allowed > cases // 20


def test_I16_control_a_looser_policy_is_noticed() -> None:
    """The comparison tells a looser policy: by what it allows, and by a limit that it raises."""
    large = order(quantity="0.03")
    wide = engine({"risk.max_order_notional": "5% of equity"})
    assert _looser(wide.assess(FACTS, large, NOW), engine().assess(FACTS, large, NOW)) == "allowed"
    more = engine({"risk.max_open_orders": 21})
    assert _looser(more.assess(FACTS, order(), NOW), engine().assess(FACTS, order(), NOW)) == "binance/main|open_orders"


def test_canonical_policy_is_what_speed_measures() -> None:
    """The changes that tests make leave the canonical policy as it is."""
    changed({"risk.symbols": ["X/Y"]})
    assert CANONICAL["risk"]["symbols"] == ["BTC/USDT", "ETH/USDT"]


# ---- I22: lint and run time agree


def test_I22_the_engine_compiles_every_policy_that_loads(tier: Tier) -> None:
    """A policy without a PK0 finding compiles and decides; what no check holds denies, and is never passed over."""
    rng = Random(22)
    loaded = missing = 0
    compiled: set[str] = set()
    for _ in range(tier(500, 10_000)):
        document = random_policy(rng)
        modes = {"position_mode": rng.choice(["one_way", "hedge"]), "margin_mode": rng.choice(["cross", "isolated"])}
        said = {name: mode for name, mode in modes.items() if rng.random() < 0.3}
        document.update(exchange="binance", account={"name": "main", "currency": "USDT", **said})
        try:
            effective = load_text(text_of(document))
        except PolicyError:
            continue
        loaded += 1
        made = compile_policy(effective, load("binance"))
        compiled |= {check.id for check in made.checks}
        bought = made.assess(FACTS, order(), NOW)
        assert not any(unheld(effective.model, effective.origins))
        missing += "CHECK_MISSING" in codes(bought)
        assert "CHECK_ERROR" not in codes(bought)
    assert loaded > 50
    assert missing > 5
    assert {check.id for check in all_checks()} - compiled == {"key.address_proof", "key.purpose"}  # no key is named
