"""Bad input: whatever stands in a field of an order or of the facts, the answer is a denial with the right code.

The engine never raises, and what it allows is sound by a definition that shares nothing with its own.
"""

from __future__ import annotations

import decimal
import json
import re
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policykit.cli.__main__ import main
from policykit.decision import Assessment
from policykit.engine.facts import Fact, Facts, Halt, Position
from policykit.engine.reasons import REASONS
from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.order import ACTIONS, Order
from policykit.testing import SimClock
from tests.engine.worlds import CANONICAL, DAY, FACTS, NOW, changed, codes, engine, facts, order

Tier = Callable[[int, int], int]
COLLAR = {"risk.price_collar": {"max_deviation": "50%"}}
ENGINE = engine(COLLAR)
#: Only an amount caps, and nothing but the loss looks at equity: what is infinite finds no cap that it breaks.
WIDE = engine({**COLLAR, "risk.max_position_notional": None, "risk.max_order_notional": "5000 USDT"})


class Awkward:
    """An object that answers every question with an error; hypothesis alone may name it."""

    def __str__(self) -> str:
        raise RuntimeError("https://user:secret@host")

    __eq__ = __bool__ = __len__ = __hash__ = __lt__ = __abs__ = __str__  # type: ignore[assignment]


NO_NUMBERS: list[Any] = [
    Decimal("NaN"), Decimal("sNaN"), Decimal("-NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(0),
    Decimal("-0"), Decimal(-1), Decimal("1e41"), Decimal("1e999999"), "0.01", "NaN", "", "1e3", "0x10", "１", 0.01,
    float("nan"), float("inf"), 1, 0, -1, 2**200, True, False, b"1", [], {}, (), object(), Fact(Decimal(1), NOW),
]  # fmt: skip
NO_WORDS: list[Any] = [
    "",
    "BUY",
    "Buy",
    " buy",
    "hold",
    "buy\x00",
    0,
    1,
    True,
    None,
    [],
    {},
    ("buy",),
    object(),
    b"buy",
]
NO_SYMBOLS: list[Any] = [
    *("", "BTC", "BTCUSDT", "BTC/", "/USDT", "BTC/USDT/X", "BTC /USDT", "BTC/USDT:", "BTC/USDT\n", "x" * 10_000),
    *(None, 7, True, [], {}, object(), b"BTC/USDT"),
]

# ---- the right code


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("name", ["quantity", "price", "stop_price"])
def test_what_is_no_number_over_0_is_malformed(name: str, side: str) -> None:
    """NaN, infinity, zero, negative, huge, text, floats, other types: malformed on either side, never a reduction."""
    for value in NO_NUMBERS:
        asked = order(side=side)
        setattr(asked, name, value)
        found = ENGINE.assess(FACTS, asked, NOW)
        assert "ORDER_INVALID" in codes(found), value
        assert "CHECK_ERROR" not in codes(found), value
        assert not found.reduces


@pytest.mark.parametrize("value", NO_NUMBERS)
def test_a_quote_quantity_that_is_no_number_is_malformed(value: Any) -> None:
    """The same of an order in quote quantity."""
    asked = order(quantity=None, price=None, type="market")
    asked.quote_quantity = value
    assert codes(ENGINE.assess(FACTS, asked, NOW))[0] == "ORDER_INVALID"


@pytest.mark.parametrize(
    ("field", "values", "code"),
    [
        ("side", NO_WORDS, "ORDER_INVALID"),
        ("symbol", NO_SYMBOLS, "ORDER_INVALID"),
        ("type", [None, 0, True, "", [], b"limit", object()], "ORDER_INVALID"),
        ("type", ["LIMIT", "iceberg", "limit ", "x" * 10_000], "RISK_ORDER_TYPE"),
        ("symbol", ["DOGE/USDT", "BTC/USDT:USDT", "btc/usdt", "BTC/USD"], "RISK_SYMBOL"),
        ("action", ["", "dance", "ORDER.CREATE", None, 0, True, [], {}, object()], "ORDER_INVALID"),
        ("action", ["withdraw", "transfer", "key.admin"], "ACTION_REFUSED"),
        ("quantity", [Decimal("90071992.54740993"), Decimal("1e40")], "NUMBER_RANGE"),
        ("quantity", [None], "ORDER_INVALID"),
        ("price", [None], "ORDER_INVALID"),
    ],
)
def test_each_bad_word_has_its_code(field: str, values: list[Any], code: str) -> None:
    """Unknown and misspelt symbols, sides, types and actions are denied with a code that names what is wrong."""
    for value in values:
        asked = order()
        setattr(asked, field, value)
        assert code in codes(ENGINE.assess(FACTS, asked, NOW)), value


def _facts(at: int) -> dict[str, Any]:
    numbers = ["NaN", "sNaN", "Infinity", "-Infinity"]
    return {
        **{text: Fact(Decimal(text), at) for text in numbers},
        **{f"at {text}": Fact(Decimal(100_500), float(text)) for text in ("nan", "inf", "-inf")},  # type: ignore[arg-type]
        "value None": Fact(None, at),  # type: ignore[arg-type]
        "value text": Fact("100000", at),  # type: ignore[arg-type]
        "value float": Fact(1e5, at),  # type: ignore[arg-type]
        "at None": Fact(Decimal(100_500), None),  # type: ignore[arg-type]
        "at text": Fact(Decimal(100_500), "1"),  # type: ignore[arg-type]
        "no fact": "100000",
        "object": object(),
        "awkward": Awkward(),
    }


@pytest.mark.parametrize("made", [ENGINE, WIDE], ids=["shares", "amounts"])
@pytest.mark.parametrize("name", ["equity", "day_base", "net_transfers"])
def test_money_that_is_no_number_denies(name: str, made: Any) -> None:
    """Equity, base and transfers that are NaN, infinite, undated or of another type deny every buy, and no sell."""
    at = DAY if name == "day_base" else NOW - 3_000
    dated = {"at None", "at text", "at nan", "at inf", "at -inf"} if name == "net_transfers" else set()
    for what, value in _facts(at).items():
        if what in dated:
            continue  # transfers are read with equity, whose age is judged
        known = replace(FACTS, **{name: value})
        assert codes(made.assess(known, order(), NOW)), what
        assert made.assess(known, order(side="sell"), NOW).reasons == (), what


def test_a_mark_that_is_no_price_denies() -> None:
    """A price that is NaN, infinite, zero, negative, undated or of another type denies what needs it."""
    for what, value in {**_facts(NOW), "zero": Fact(Decimal(0), NOW), "negative": Fact(Decimal(-1), NOW)}.items():
        for asked in (order(), order(type="market", price=None)):
            assert codes(ENGINE.assess(facts(marks={"BTC/USDT": value}), asked, NOW)), what


def test_infinite_equity_raises_no_cap() -> None:
    """Found here: an infinite or undated equity made every share of it infinite, or looked fresh for ever."""
    for value in (Fact(Decimal("Infinity"), NOW), Fact(Decimal(100_000), float("nan"))):  # type: ignore[arg-type]
        assert set(codes(WIDE.assess(facts(equity=value), order(), NOW))) <= {"FACTS_MISSING", "FACTS_STALE"}
        assert codes(WIDE.assess(facts(equity=value), order(), NOW))


@pytest.mark.parametrize("skew", [float("nan"), float("inf"), "12", None, object(), 2**80, [], Awkward()])
def test_a_skew_that_is_no_number_denies(skew: Any) -> None:
    """NaN passes every `>`: the bound is written as deny-unless."""
    assert codes(ENGINE.assess(facts(skew_ms=skew), order(), NOW))[0] in ("CLOCK_SKEW", "CHECK_ERROR")


# ---- anything in any field

_NUMBER = st.one_of(
    st.sampled_from([Decimal("0.01"), Decimal(59000), *NO_NUMBERS]),
    st.decimals(),
    st.floats(),
    st.integers(),
    st.text(max_size=5),
)
_ANY = st.one_of(
    st.none(), st.booleans(), _NUMBER, st.sampled_from([*NO_WORDS, *NO_SYMBOLS]), st.builds(Awkward), st.binary()
)
_FIELDS: dict[str, Any] = {
    "symbol": st.sampled_from(["BTC/USDT", "BTC/USDT", "ETH/USDT", *NO_SYMBOLS]) | st.text(max_size=12),
    "side": st.sampled_from(["buy", "buy", "sell", *NO_WORDS]),
    "type": st.sampled_from(["limit", "limit", "market", *NO_WORDS]),
    "action": st.sampled_from(["order.create"] * 4 + [*ACTIONS, *NO_WORDS]),
    "quantity": _NUMBER | st.just(Decimal("0.01")),
    "price": _NUMBER | st.just(Decimal(59000)),
}


@st.composite
def _orders(draw: st.DrawFn) -> Order:
    asked = order()
    for name in draw(st.lists(st.sampled_from(Order.__slots__), max_size=3, unique=True)):
        setattr(asked, name, draw(_FIELDS.get(name, _ANY)))
    return asked


_ODD_FACTS = st.one_of(
    _ANY,
    st.builds(Fact, _NUMBER, st.one_of(_NUMBER, st.just(NOW))),
    st.dictionaries(
        st.sampled_from(["BTC/USDT", "BTC", "ip"]), st.one_of(_ANY, st.builds(Fact, _NUMBER, st.just(NOW)))
    ),
    st.builds(lambda v: {"BTC": Position(v, v, v, v)}, _NUMBER),
    st.lists(st.one_of(_ANY, st.just(Halt("all", "HALTED", "x", "y", NOW))), max_size=2).map(tuple),
)


@st.composite
def _known(draw: st.DrawFn) -> Facts:
    names = draw(st.lists(st.sampled_from([field.name for field in fields(Facts)]), max_size=2, unique=True))
    return replace(FACTS, **{name: draw(_ODD_FACTS) for name in names})


def _word(value: Any) -> str:
    """Return a text, and nothing for everything else."""
    return value if isinstance(value, str) else ""


def _sound(asked: Order) -> bool:
    """Say, without the engine's words, whether an order that may increase is one at all."""
    numbers = [getattr(asked, name) for name in ("quantity", "price", "stop_price", "quote_quantity")]
    right = all(
        n is None or (type(n) is Decimal and n.is_finite() and Decimal(0) < n <= Decimal(10) ** 40) for n in numbers
    )
    sized = (asked.quantity is None) != (asked.quote_quantity is None)
    market = re.fullmatch(r"[^\s/:]+/[^\s/:]+(:[^\s/:]+)?", _word(asked.symbol))
    return bool(right and sized and market) and _word(asked.side) in ("buy", "sell") and bool(_word(asked.type))


def _holds(asked: Order, known: Facts, careless: bool) -> None:
    # A bot may have told its own context to let NaN pass every comparison, and to keep three digits.
    with decimal.localcontext() as context:
        if careless:
            context.prec = 3
            context.traps[decimal.InvalidOperation] = context.traps[decimal.Overflow] = False
        found = ENGINE.assess(known, asked, NOW)
    assert isinstance(found, Assessment)
    assert not any("secret" in str(reason.message) for reason in found.reasons)
    if known.store_problem is None:  # its code and words are the store's own
        assert {reason.code for reason in found.reasons} <= set(REASONS)
    if _word(asked.action) == "order.create" and not _sound(asked):
        assert {"ORDER_INVALID", "CHECK_ERROR"} & set(codes(found))
    if not found.reasons:
        assert _word(asked.action) in ACTIONS


def _searched(examples: int) -> None:
    """Look for a counter-example; the same ones on every run."""

    @settings(
        max_examples=examples, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(asked=_orders(), known=_known(), careless=st.booleans())
    def search(asked: Order, known: Facts, careless: bool) -> None:
        _holds(asked, known, careless)

    search()


def test_I14_anything_in_any_field_is_answered(tier: Tier) -> None:
    """Never an exception, never a foreign text, and no create is allowed that is not sound."""
    _searched(tier(500, 20_000))


def test_I14_control_an_engine_that_reads_numbers_loosely_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A shape that takes every Decimal for a number fails the property."""
    from policykit.engine.case import Case

    shape = Case._shape

    def loose(self: Case) -> None:
        shape(self)
        self.complaints = [text for text in self.complaints if "a number over 0 is needed" not in text]

    monkeypatch.setattr(Case, "_shape", loose)
    with pytest.raises((AssertionError, ArithmeticError, ExceptionGroup)):  # there may be several failures at once
        _searched(500)


# ---- through @enforce, and through `policykit check`


@pytest.fixture
def guard(tmp_path: Path) -> Guard:
    """Return a guard that knows everything, on a store in memory."""
    path = tmp_path / "mm.yaml"
    keys = {"bot": {"purpose": "execution", "scopes": ["read", "trade.spot"]}}
    path.write_text(json.dumps(changed({"keys": keys, "rate_budgets": None, "risk.max_orders": None})))
    made = Guard.load(path, store="memory:", clock=SimClock(), testing=True)
    made.observe(equity="100000 USDT", positions={}, marks={"BTC/USDT": "60000"}, net_transfers="0 USDT", skew_ms=0)
    return made


def test_I14_enforce_denies_bad_arguments_and_calls_nothing(guard: Guard) -> None:
    """Whatever a bot passes for amount, price, side or symbol: `Denied`, and the function does not run."""
    ran: list[Any] = []

    @enforce("order.create", guard=guard)
    def buy(symbol: Any, side: Any, amount: Any, price: Any) -> dict[str, str]:
        ran.append((symbol, side, amount, price))
        return {"id": "1", "status": "canceled", "filled": "0"}

    buy("BTC/USDT", "buy", "0.001", "59000")
    assert len(ran) == 1
    bad = [("BTC/USDT", "buy", value, "59000") for value in (*AMOUNTS, None)]
    bad += [("BTC/USDT", "buy", "0.001", value) for value in AMOUNTS]
    bad += [("BTC/USDT", value, "0.001", "59000") for value in ("BUYY", "", None, 1, [])]
    bad += [(value, "buy", "0.001", "59000") for value in ("DOGE/USDT", "BTC", "", None, 1, [])]
    for arguments in bad:
        with pytest.raises(Denied) as refused:
            buy(*arguments)
        assert refused.value.decision.reasons[0].code in ("ORDER_INVALID", "RISK_SYMBOL", "NUMBER_RANGE"), arguments
    assert len(ran) == 1


#: What a bot may pass for a number; text and floats are read exactly there, so none of these is a number.
AMOUNTS: list[Any] = [
    *(float("nan"), float("inf"), -1, 0, 0.0, "NaN", "much", "", True, [], {}, b"1", object(), 2**200, "1e50"),
    *(Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")),
]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("quantity", value) for value in ("NaN", "Infinity", "-1", 0, -1, 1e300, "much", True, [], {}, "1" * 50)),
        *(("price", value) for value in ("NaN", 0, -1, "cheap", False, [])),
        *(("side", value) for value in ("hold", "", 1, [], {}, None)),
        *(("symbol", value) for value in ("DOGE/USDT", "BTC", "", 1, [], {}, None)),
        *(("type", value) for value in ("iceberg", "", 1, [], {})),
        *(("action", value) for value in ("dance", "withdraw", "", 1, [], {})),
        *(("reduce_only", value) for value in ("yes", 1, [])),
        ("nothing", 1),
    ],
)
def test_check_says_no_or_what_is_wrong(
    name: str, value: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`policykit check` denies (1) or names the wrong value in one line (2); never a traceback, never an allow."""
    path = tmp_path / "mm.yaml"
    path.write_text(json.dumps(CANONICAL))
    asked = {"symbol": "BTC/USDT", "side": "buy", "type": "limit", "quantity": "0.01", "price": 59_000, name: value}
    known = {"equity": "100000 USDT", "day_base": "100000 USDT", "net_transfers": "0 USDT", "positions": {}}
    given_facts = json.dumps({**known, "marks": {"BTC/USDT": "60000"}, "skew_ms": 0})
    code = main(
        ["check", str(path), "--order", json.dumps(asked), "--facts", given_facts, "--now", "2026-11-21T10:00:00Z"]
    )
    done = capsys.readouterr()
    assert code in (1, 2), done
    assert "Traceback" not in done.out + done.err
    assert (done.out if code != 2 else done.err).strip()
