"""Rooms: how close each limit is, in the very numbers that the next denial says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any

import pytest

from policykit.decision import Decision, Reason
from policykit.engine import Engine, explain_failed
from policykit.engine.check import Check
from policykit.engine.checks import all_checks
from policykit.engine.facts import Contract, Fact, Facts, Position, Setting, Streak
from policykit.engine.rooms import MAX_SYMBOLS, Room, rooms, symbols_of
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent
from policykit.place import Place
from policykit.store import Observation
from policykit.store.memory import MemoryStore
from policykit.traits import load
from tests.engine.worlds import ACCOUNT_FACTS, ACCOUNT_LIMITS, FACTS, LIMITS, NOW, engine, placed

ACCOUNT = "binance/main"
SYMBOLS = ("BTC/USDT", "ETH/USDT")
#: The least that exposure is counted in: 0.0001 USDT, and once more for what a unit is rounded up by.
STEP = Decimal("0.0002")


def _world(rng: Random) -> tuple[Engine, MemoryStore]:
    """Return a policy with caps of every sort, and a store that knows an account."""
    made = engine(
        {
            "risk.max_order_notional": None,
            "risk.max_position_notional": rng.choice([{"default": "9000 USDT"}, {"BTC/USDT": "7000 USDT"}]),
            "risk.max_gross_exposure": rng.choice([None, "12000 USDT", "15% of equity"]),
            "risk.max_net_exposure": rng.choice([None, "11000 USDT"]),
            "risk.max_asset_exposure": rng.choice([None, "8000 USDT"]),
            "risk.max_open_positions": rng.choice([None, 1, 2]),
            "risk.max_open_orders": rng.choice([2, 20]),
            "risk.max_open_orders_per_symbol": rng.choice([None, 3]),
            "risk.max_orders": {"limit": rng.choice([4, 30]), "per": "1m"},
            "risk.max_orders_per_symbol": rng.choice([None, {"limit": 3, "per": "1m"}]),
            "risk.max_messages": rng.choice([None, {"limit": 6, "per": "1m"}]),
            "risk.repeated_execution": rng.choice([None, {"limit": 3, "per": "1m"}]),
            "rate_budgets.request-weight.limit": rng.choice([7, 6000]),
        }
    )
    store = MemoryStore()
    store.announce(ACCOUNT, "USDT", {}, NOW)
    store.observe(
        ACCOUNT,
        Observation(
            NOW,
            NOW,
            equity=Decimal(100_000),
            net_transfers=Decimal(0),
            positions={"BTC": Decimal(rng.choice(["0", "0.05"])), "USDT": Decimal(90_000)},
            marks={"BTC/USDT": Decimal(60_000), "ETH/USDT": Decimal(3_000)},
            units={"BTC": Decimal(60_000), "ETH": Decimal(3_000)},
            skew_ms=12,
            day_start_ms=NOW - 1,
        ),
        NOW,
    )
    return made, store


def _ask(made: Engine, store: MemoryStore, order: Order) -> tuple[Reason, ...]:
    """Decide as a guard does, and hold what is granted; return why not."""
    facts = store.facts(ACCOUNT, "a")
    judged = made.assess(facts, order, NOW)
    if judged.reasons:
        return judged.reasons
    name = new_id()
    decision = Decision(name, "allow", "enforce", order.action, order, "mm", "v", "a", NOW)
    intent = Intent(
        name, ACCOUNT, order, name, "order", judged.holds, judged.reduces, "a", "h", 1, NOW, NOW + 250, 5_000
    )
    grant = store.reserve(decision, intent, judged.holds, facts.generation, NOW)
    if grant.granted:
        return ()
    return explain_failed(made, order, judged.holds, grant.used, grant.failed, facts=facts, now_ms=NOW)


def _rooms(made: Engine, store: MemoryStore, symbols: tuple[str, ...] = SYMBOLS) -> dict[tuple[str, str], Room]:
    facts = store.facts(ACCOUNT, "a")
    found = rooms(made, facts, symbols, lambda holds: store.used(holds, NOW), NOW)
    assert len({(room.check, room.key) for room in found}) == len(found)
    return {(room.check, room.key): room for room in found}


def _limit_order(symbol: str, quantity: Decimal, side: Any = "buy") -> Order:
    return Order(symbol, side, "limit", quantity, {"BTC/USDT": Decimal(60_000), "ETH/USDT": Decimal(3_000)}[symbol])


def test_I8_a_room_says_what_the_next_denial_says(tier: Callable[[int, int], int]) -> None:
    """In random histories each denial's numbers are the room's, and what a room has left for passes."""
    denials, fulls = 0, 0
    for seed in range(tier(60, 5_000)):
        rng = Random(seed)
        made, store = _world(rng)
        for _ in range(8):
            symbol = rng.choice(SYMBOLS)
            price = Decimal(60_000) if symbol == "BTC/USDT" else Decimal(3_000)
            before = _rooms(made, store)
            quantity = (Decimal(rng.choice([1, 100, 3_000, 8_900])) / price).quantize(Decimal("1e-8"))
            reasons = _ask(made, store, _limit_order(symbol, quantity))
            for reason in reasons:
                key = _key(reason.check, symbol)
                room = before[(reason.check, key)]
                worth = quantity * price if reason.unit == "USDT" else Decimal(1)
                assert reason.limit is not None
                assert reason.observed is not None
                assert (Decimal(reason.limit), reason.unit, reason.place) == (room.limit, room.unit, room.place)
                assert room.used is not None
                assert abs(Decimal(reason.observed) - room.used - worth) <= STEP
                assert room.left is not None
                assert room.left < worth + STEP
                denials += 1
            here = ("", symbol, symbol[:3], "request-weight")
            full = [
                room
                for room in before.values()
                if room.full
                and room.key in here
                and not (room.check == "risk.max_open_positions" and _held(store, symbol))
            ]
            assert not full or reasons
            fulls += len(full)
            if not reasons:
                assert _moved(before, _rooms(made, store), symbol, quantity * price)
    assert denials > 50
    assert fulls > 20


def _key(check: str, symbol: str) -> str:
    if check in ("risk.max_position_notional", "risk.repeated_execution") or check.endswith("_per_symbol"):
        return symbol
    if check.startswith("rate_budgets."):
        return check.removeprefix("rate_budgets.")
    return symbol.partition("/")[0] if check == "risk.max_asset_exposure" else ""


def _held(store: MemoryStore, symbol: str) -> bool:
    """Tell whether a symbol has a position, with orders that are out: one more there opens none."""
    position = store.facts(ACCOUNT, "a").positions.get(symbol[:3])
    return position is not None and position.high + position.open_buys > 0


def _moved(before: dict[Any, Room], after: dict[Any, Room], symbol: str, worth: Decimal) -> bool:
    """Tell whether what was admitted is used now, of each limit that counts it."""
    for name, was in before.items():
        now = after[name]
        assert was.used is not None
        assert now.used is not None
        added = now.used - was.used
        if was.kind in ("clock", "loss") or was.key not in ("", symbol, symbol[:3], "request-weight"):
            assert added == 0
        elif was.unit == "USDT":
            assert abs(added - worth) <= STEP
        elif was.check == "risk.max_open_positions":
            assert added in (0, 1)
        elif was.check != "risk.max_amends":
            assert added == 1
    return True


def _of(changes: dict[str, Any], facts: Facts = FACTS, symbols: tuple[str, ...] | None = None) -> list[Room]:
    """Return the rooms of a policy in a store where nothing is held yet."""
    made, store = engine(changes), MemoryStore()
    asked = symbols_of(made.setup, facts) if symbols is None else symbols
    return list(rooms(made, facts, asked, lambda holds: store.used(holds, NOW), NOW))


def test_every_limit_of_which_some_can_be_used_has_a_room() -> None:
    """Each with its kind, numbers, unit and place; one that was not observed says why, and is never 0."""
    known = replace(
        FACTS,
        **{**ACCOUNT_FACTS, "streak": Streak(2, NOW)},
        groups=("group|desk|USDT",),
        positions={"BTC": Position(unit=1), "ETH": Position(unit=1)},
        borrowed=Fact(Decimal(3), NOW),
    )
    found = _of(placed({**ACCOUNT_LIMITS, **LIMITS}), known, ("BTC/USDT",))
    assert [(r.check, r.kind, r.key, r.used and str(r.used), r.limit and str(r.limit), r.unit) for r in found] == [
        ("clock.max_skew", "clock", "", "12", "500", "ms"),
        ("risk.max_borrow", "loan", "", 0, "997", "USDT"),
        ("risk.max_margin_ratio", "margin", "", None, None, ""),
        ("risk.max_position_notional", "position", "BTC/USDT", 0, "20000", "USDT"),
        ("risk.max_asset_exposure", "exposure", "BTC", 0, "60000", "USDT"),
        ("risk.max_gross_exposure", "exposure", "", 0, "80000", "USDT"),
        ("risk.max_net_exposure", "exposure", "", 0, "80000", "USDT"),
        ("groups.max_gross_exposure", "exposure", "desk", 0, "90000", "USDT"),
        ("groups.max_net_exposure", "exposure", "desk", 0, "90000", "USDT"),
        ("risk.max_open_positions", "exposure", "", 0, "5", "positions"),
        ("risk.max_open_orders", "orders", "", 0, "20", "orders"),
        ("risk.max_open_orders_per_symbol", "orders", "BTC/USDT", 0, "9", "orders"),
        ("risk.max_orders", "rate", "", 0, "30", "orders"),
        ("risk.max_orders_per_symbol", "rate", "BTC/USDT", 0, "9", "orders in BTC/USDT"),
        ("risk.max_amends", "rate", "", 0, "9", "amends"),
        ("risk.max_messages", "rate", "", 0, "9", "messages (orders, amends, cancels)"),
        ("risk.repeated_execution", "rate", "BTC/USDT", 0, "9", "entries of BTC/USDT buy"),
        ("rate_budgets.request-weight", "budget", "request-weight", 0, "4200", "weight"),
        ("risk.daily_loss", "loss", "", "500", "3015.00", "USDT"),
        ("risk.weekly_loss", "loss", "", "500", "5025.00", "USDT"),
        ("risk.max_drawdown", "loss", "", "600", "10060.0", "USDT"),
        ("risk.consecutive_losses", "loss", "", "2", "3", "trades"),
    ]
    by_check = {room.check: room for room in found}
    margin = by_check["risk.max_margin_ratio"]
    assert (margin.unknown, margin.share, margin.left) == ("the margin ratio was not observed", None, None)
    assert not any(room.full for room in found)
    assert all(room.place is not None and room.place.path for room in found)
    assert by_check["risk.daily_loss"].left == Decimal("2515.00")


def test_a_check_of_a_counter_or_a_loss_says_what_sort_of_room_it_leaves() -> None:
    """Whoever holds a counter that can be shown, or tells a use, has a room; those without are listed here."""
    hidden = {
        "order.outcome_pending",  # what it counts is policykit.orders.unknown
        "risk.duplicate_window",  # of one order's own likes
        "risk.entry_cooldown",
        "risk.partial_fills",
    }
    held = {check.id for check in all_checks() if check.holds is not Check.holds or check.uses is not Check.uses}
    assert {check.id for check in all_checks() if check.room is not None} == held - hidden


def test_connects_are_counted_where_the_policy_limits_them() -> None:
    """No market is needed for it."""
    (room,) = [r for r in _of({"retry.reconnect.max_per": {"limit": 50, "per": "5m"}}) if r.check.startswith("retry")]
    assert (room.kind, room.used, room.limit, room.unit) == ("rate", 0, 50, "connects")


def test_in_hedge_mode_each_leg_has_its_room() -> None:
    """A long and a short leg of one contract each count for themselves, as their orders do."""
    perp = "BTC/USDT:USDT"
    changes = {
        "exchange": "binanceusdm",
        "risk.symbols": [perp],
        "risk.max_position_notional": {"default": "9000 USDT"},
    }
    facts = replace(
        FACTS,
        position_mode=Setting("hedge", NOW),
        positions={f"{perp}#long": Position(Decimal(1), Decimal(1), unit=1)},
        marks={perp: Fact(Decimal(60_000), NOW)},
        contract_sizes={perp: Decimal("0.001")},
        contracts={perp: Contract(as_of_ms=NOW)},
    )
    made = engine(changes, load("binanceusdm"))
    store = MemoryStore()
    seen = Observation(NOW, NOW, positions={f"{perp}#long": Decimal(10)})
    store.observe(ACCOUNT.replace("binance", "binanceusdm"), seen, NOW)
    assert symbols_of(made.setup, facts) == (perp,)
    found = rooms(made, facts, (perp,), lambda holds: store.used(holds, NOW), NOW)
    assert [(r.key, r.used) for r in found if r.kind == "position"] == [(f"{perp}#long", 600), (f"{perp}#short", 0)]
    assert [r.key for r in found if r.kind == "orders"] == [""]


def test_what_cannot_be_valued_is_not_known_and_says_so() -> None:
    """A market without a price leaves its own rooms open, and not those that another market tells."""
    facts = replace(FACTS, positions={"BTC": Position(unit=1)}, marks={"BTC/USDT": Fact(Decimal(60_000), NOW)})
    found = _of({"risk.max_asset_exposure": "8000 USDT", "risk.max_gross_exposure": "9000 USDT"}, facts)
    said = {(r.check, r.key): r.unknown for r in found if r.kind in ("position", "exposure")}
    assert said == {
        ("risk.max_position_notional", "BTC/USDT"): "",
        ("risk.max_position_notional", "ETH/USDT"): "no price of ETH/USDT was observed",
        ("risk.max_asset_exposure", "BTC"): "",
        ("risk.max_asset_exposure", "ETH"): (
            "what a position in ETH/USDT is worth was not observed, so it cannot be counted"
        ),
        ("risk.max_gross_exposure", ""): "",
    }


def test_an_error_in_a_check_leaves_the_others_their_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class is all that is said of it: its text can hold anything."""

    def broken(*_: object) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr("policykit.engine.checks.open_orders.OpenOrders.explain", broken)
    monkeypatch.setattr("policykit.engine.checks.clock_skew.ClockSkew.uses", broken)
    found = {room.check: room for room in _of({})}
    for check in ("risk.max_open_orders", "clock.max_skew"):
        assert found[check].unknown == f"{check} could not be evaluated: RuntimeError"
    assert found["risk.max_orders"].used == 0


def test_the_markets_that_are_shown() -> None:
    """What is held comes first, then orders that are out, then what the policy names; no glob, and not too many."""
    made = engine({"risk.symbols": ["*/USDT", "!LUNA/USDT", "ADA/USDT"]})
    position = Position(Decimal(1), Decimal(1), unit=1)
    facts = replace(
        FACTS,
        positions={
            "USDT": position,
            "ETH": position,
            "SOL/USDT:USDT#long": position,
            "DUST": Position(high=Decimal(1)),
        },
    )
    assert symbols_of(made.setup, facts, ["XRP/USDT", "ETH/USDT"]) == (
        "ETH/USDT",
        "SOL/USDT:USDT",
        "XRP/USDT",
        "ADA/USDT",
        "BTC/USDT",
    )
    assert len(symbols_of(made.setup, facts, [f"A{n}/USDT" for n in range(2 * MAX_SYMBOLS)])) == MAX_SYMBOLS
    bare = engine({"risk.symbols": ["*/USDT"], "risk.max_position_notional": None})
    assert symbols_of(bare.setup, replace(FACTS, positions={})) == ("BTC/USDT",)
    assert symbols_of(engine({"risk": None}).setup, replace(FACTS, positions={}, marks={})) == ()


def test_of_several_bounds_and_sides_the_one_with_least_room_is_shown() -> None:
    """All of them bind, so the fullest says how much is left; of both sides of a contract the fuller."""
    for bounds in (["9000 USDT", "1% of equity"], ["700 USDT", "5% of equity"]):
        (room,) = [room for room in _of({"risk.daily_loss.limit": bounds}) if room.kind == "loss"]
        assert (room.used, room.limit) == (500, 1_005 if "9000 USDT" in bounds else 700)
    made, store = engine({"risk.max_net_exposure": "9000 USDT", "exchange": "kraken"}, None), MemoryStore()
    short = Observation(NOW, NOW, positions={"BTC": Decimal(-1)}, units={"BTC": Decimal(60)})
    store.observe("kraken/main", short, NOW)
    facts = replace(FACTS, positions={"BTC": Position(Decimal(-1), Decimal(-1), unit=1)})
    (net,) = [
        room
        for room in rooms(made, facts, SYMBOLS[:1], lambda holds: store.used(holds, NOW), NOW)
        if "net" in room.check
    ]
    assert (net.used, net.limit) == (60, 9_000)


def test_a_clock_that_was_never_compared_is_not_known() -> None:
    """It denies, and there is no number for it."""
    (room,) = [room for room in _of({}, replace(FACTS, skew_ms=None)) if room.kind == "clock"]
    assert (room.used, room.unknown) == (None, "the clock was never compared with the exchange's")


def test_a_limit_of_nothing_is_full_or_empty() -> None:
    """No share can be computed of 0: an order more than it lets be is the whole of it."""
    place = Place("mm.yaml")
    assert Room("a", "orders", "", Decimal(0), Decimal(0), "orders", place, full=True).share == 1
    assert Room("a", "orders", "", Decimal(0), Decimal(0), "orders", place).share == 0
    assert Room("a", "exposure", "", Decimal(-5), Decimal(10), "USDT", place).share == 0
    assert Room("a", "exposure", "", Decimal(15), Decimal(10), "USDT", place, full=True).left == 0


def test_control_a_room_that_forgot_the_reserve_for_exits_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a limit computed a second way, the next denial would disagree: the test above can fail."""
    monkeypatch.setattr(
        "policykit.engine.checks.rate_budgets.RateBudgets.claims",
        lambda self, case: (self._hold(b, 1, b.for_exits) for b in self.budgets),
    )
    with pytest.raises(AssertionError):
        test_I8_a_room_says_what_the_next_denial_says(lambda p, n: p)
