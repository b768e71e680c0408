"""The checks of the flow of orders: what counts, what each refuses word for word, and that exits and cancels pass."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from policykit.decision import Hold
from policykit.engine import explain_failed, trial
from policykit.order import Order
from policykit.store.account import MOVES
from policykit.store.base import Observation
from policykit.store.ledger import STEP_MS, Ledger
from tests.engine.worlds import FACTS, NOW, engine, order

MOST = 2**53 - 1
TEN = {"limit": 10, "per": "1m"}
CANCEL = Order("BTC/USDT", action="order.cancel")
AMEND = order(action="order.amend", amends=order(), quantity="0.011")
LIKE = "duplicate_window"

LIMITS: list[tuple[str, Any, str, str, list[int | None]]] = [
    # field, its value, the counter after the account, the store's refusal; limits for entry, exit, amend, cancel
    (
        "max_open_orders_per_symbol",
        3,
        "open_orders|BTC/USDT",
        "RISK_OPEN_ORDERS: 3 orders in BTC/USDT are open, max_open_orders_per_symbol is 3",
        [3, MOST, None, None],
    ),
    (
        "max_orders",
        TEN,
        "orders|60000",
        "RATE_ORDERS: 3 orders in the last 1m, max_orders is 10",
        [10, MOST, None, None],
    ),
    (
        "max_orders_per_symbol",
        TEN,
        "orders|BTC/USDT|60000",
        "RATE_ORDERS: 3 orders in BTC/USDT in the last 1m, max_orders_per_symbol is 10",
        [10, MOST, None, None],
    ),
    (
        "max_amends",
        TEN,
        "amends|60000",
        "RATE_AMENDS: 3 amends in the last 1m, max_amends is 10",
        [None, None, 10, None],
    ),
    (
        "max_messages",
        TEN,
        "messages|60000",
        "RATE_MESSAGES: 3 messages (orders, amends, cancels) in the last 1m, max_messages is 10",
        [10, MOST, 10, MOST],
    ),
    (
        "repeated_execution",
        TEN,
        "entries|BTC/USDT|buy|60000",
        "RATE_REPEATED: 3 entries of BTC/USDT buy in the last 1m, repeated_execution is 10",
        [10, None, None, None],
    ),
    (
        "entry_cooldown",
        "30s",
        "cooldown|BTC/USDT|30000",
        "RATE_COOLDOWN: an entry in BTC/USDT was admitted in the last 30s, entry_cooldown is 30s; wait",
        [1, None, None, None],
    ),
    (
        LIKE,
        "5s",
        "like|2ee0bd3a5bd7e2a4|5000",
        (
            "ORDER_DUPLICATE: an order like this one (BTC/USDT buy limit) was admitted in the last 5s, "
            "duplicate_window is 5s; if it is meant twice, wait"
        ),
        [1, None, None, None],
    ),
]


def _hold(field: str, value: Any, asked: Order) -> Hold | None:
    found = engine({f"risk.{field}": value}).assess(FACTS, asked, NOW)
    assert found.reasons == ()
    return next((hold for hold in found.holds if hold.check == f"risk.{field}"), None)


@pytest.mark.parametrize(("field", "value", "counter", "refusal", "limits"), LIMITS, ids=[row[0] for row in LIMITS])
def test_flow_limit_counts(field: str, value: Any, counter: str, refusal: str, limits: list[int | None]) -> None:
    """Each asks the store for one of its counter: entries under the limit, what must pass without one."""
    asked = (order(), order(side="sell"), AMEND, CANCEL)
    holds = [_hold(field, value, each) for each in asked]
    assert [hold and hold.limit for hold in holds] == limits
    held = next(hold for hold in holds if hold is not None)
    if field != LIKE:
        assert held.counter == f"binance/main|{counter}"
    made = engine({f"risk.{field}": value})
    found = made.assess(FACTS, asked[holds.index(held)], NOW)
    index = found.holds.index(held)
    [reason] = explain_failed(made, asked[holds.index(held)], found.holds, (3,) * len(found.holds), (index,))
    assert f"{reason.code}: {reason.message}" == refusal


def test_like_orders_have_one_counter() -> None:
    """Numbers are compared as numbers; another symbol, side, type, quantity or price is another order."""
    made = [
        order(), order(quantity="0.010", price="59000.00"), order(quantity="0.011"), order(price="59001"),
        order(symbol="ETH/USDT"), order(type="market", price=None), order(type="market", quantity=None, price=None,
        quote_quantity="100"),
    ]  # fmt: skip
    counters = [hold.counter for each in made if (hold := _hold(LIKE, "5s", each)) is not None]
    assert counters[0] == counters[1]
    assert len(set(counters)) == len(made) - 1


@pytest.mark.parametrize("field", ["entry_cooldown", LIKE])
def test_no_time_is_no_limit(field: str) -> None:
    """A span of nothing asks for nothing."""
    assert _hold(field, "0s", order()) is None


def test_held_limit_that_warns_is_counted_and_passes() -> None:
    """`on_breach: warn` lets an order pass that the store refused for that alone, and says so."""
    made = engine({"risk.entry_cooldown": "30s", "risk.duplicate_window": "5s"})
    counter = next(hold.counter for hold in made.assess(FACTS, order(), NOW).holds if "|like|" in hold.counter)
    given = trial.Given(FACTS, {counter: 1})
    assert trial.decide_once(made, order(), given, NOW)[0].outcome == "deny"
    warns = engine({"risk.duplicate_window": "5s", "risk.on_breach": {"duplicate_window": "warn"}})
    decision, assessment = trial.decide_once(warns, order(), given, NOW)
    assert (decision.outcome, [w.code for w in decision.warnings]) == ("allow", ["ORDER_DUPLICATE"])
    assert assessment.warnings == decision.warnings


def test_check_reads_every_field_of_an_order() -> None:
    """What a decision shows of an order, `policykit check` reads back: amends, legs, flags and words."""
    full = order(
        action="order.amend", amends=order(quantity="0.02"), stop_loss_price=Decimal(58_000), trailing=True,
        position_side="long", self_trade_prevention="expire_taker", time_in_force="GTC", leverage=Decimal(3),
    )  # fmt: skip
    data = json.loads(json.dumps(full.to_dict())) | {"action": "order.amend"}
    assert trial.read_order(data) == full
    with pytest.raises(ValueError, match="amends is no object; the fields of an order are needed"):
        trial.read_order({"amends": 7})


# ---- what the store keeps for them


def test_windows_that_are_long_empty_are_forgotten() -> None:
    """Counters made by each order do not grow for ever, and none is forgotten while a stepping clock could ask."""
    ledger = Ledger()
    for number in range(3_000):
        now = NOW + number * 60_000
        ledger.granted(None, (Hold(f"like|{number}", 1, 1, "window", "x", 5_000),), now)
        again = Hold(f"like|{number}", 1, 1, "window", "x", 5_000)
        assert ledger.use(again, now) == ledger.use(again, now - 3_600_000) == 1
    assert len(ledger.windows) <= 2 * STEP_MS // 60_000
    assert Ledger.load(json.loads(json.dumps(ledger.dump()))).dump() == ledger.dump()


def test_marks_of_an_hour_are_kept_by_minutes() -> None:
    """Each minute keeps its lowest and highest mark, an hour of them; a late answer changes none."""
    state = Ledger().account("binance/main")
    for number in range(200):
        at, mark = NOW + number * 30_000, Decimal(100 + number)
        state.observe(Observation(at, at, marks={"X/USDT": mark}))
    state.observe(Observation(NOW, NOW, marks={"X/USDT": Decimal(1)}))
    moves = state.facts(0).moves["X/USDT"]
    assert len(moves) == MOVES
    assert moves[-1] == (NOW + 99 * 60_000, Decimal(298), Decimal(299))
    loaded = Ledger().account("binance/main")
    loaded.load(json.loads(json.dumps(state.dump())))
    assert loaded.facts(0).moves["X/USDT"] == moves
