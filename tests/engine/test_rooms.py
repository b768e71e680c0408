"""Rooms: how close each limit is, in the very numbers that the next denial says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from random import Random
from typing import Any

from policykit.decision import Decision, Reason
from policykit.engine import Engine, explain_failed
from policykit.engine.rooms import Room, rooms
from policykit.order import Order
from policykit.orders.ids import new_id
from policykit.orders.intent import Intent
from policykit.store import Observation
from policykit.store.memory import MemoryStore
from tests.engine.worlds import (
    NOW,
    engine,
)

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
