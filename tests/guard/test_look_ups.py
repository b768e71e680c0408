"""Look-ups over HTTP with stock ccxt: each place where an order can show is enough to find it, none is left out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import OutcomeUnknown
from tests.guard.contracts import SWAP, contracts
from tests.guard.contracts import policy as swap_policy
from tests.guard.test_bybit import BYBIT, HELD, SPOT
from tests.guard.world import SYMBOL, World, policy_text

Start = Callable[..., World]
LOST = {"at": "order", "do": "lost_reply", "when": [1]}
REST = ("limit", "buy", 0.01, 59_000)
FILL = ("market", "buy", 0.01)
STOP = ("stop_market", "buy", 0.01, None, {"stopPrice": 61_000})
#: The places of each product and family, cheapest first; the order by its id is the one before the fence.
SPOT_PLACES = ("GET /api/v3/order", "GET /api/v3/openOrders", "GET /api/v3/allOrders", "GET /api/v3/myTrades")
USDM_PLACES = ("GET /fapi/v1/order", "GET /fapi/v1/openOrders", "GET /fapi/v1/allOrders", "GET /fapi/v1/userTrades")
ALGO_PLACES = ("GET /fapi/v1/algoOrder", "GET /fapi/v1/openAlgoOrders", "GET /fapi/v1/allAlgoOrders")
BYBIT_PLACES = ("GET /v5/order/realtime", "GET /v5/order/history", "GET /v5/execution/list")


def seldom(text: str) -> str:
    """Return a policy that looks up at once and then behind the fence, with facts that stay fresh so long."""
    return text.replace("lookup_every: 2s", "lookup_every: 60s").replace("max_age: 10s", "max_age: 5m")


def begin(start: Start, exchange: str, *faults: dict[str, Any]) -> tuple[World, Any, str]:
    """Start an exchange, a client behind a guard that knows its facts, and name what is traded."""
    if exchange == "bybit":
        world = start(*faults, text=seldom(BYBIT), dialect="bybit", balances=HELD)
        return world, world.protected(**SPOT), SYMBOL
    if exchange == "binance":
        world = start(*faults, text=seldom(policy_text()))
        return world, world.protected(), SYMBOL
    world = contracts(start, *faults, exchange=exchange, text=seldom(swap_policy(exchange)))
    return world, world.protected(), SWAP


def blind(places: tuple[str, ...], seeing: str, limit: int | None = None) -> list[dict[str, Any]]:
    """Blind every place but one; by its id an order is found nowhere `limit` times."""
    first = places[0]
    return [
        {"at": "lookup", "call": place, "do": "blind", "ratio": 1, "limit": limit if place == first else None}
        for place in places
        if place != seeing or (limit is not None and place == first)
    ]


@pytest.mark.parametrize(("exchange", "places"), [("binance", SPOT_PLACES), ("binanceusdm", USDM_PLACES)])
def test_one_place_is_enough(start: Start, exchange: str, places: tuple[str, ...]) -> None:
    """PITFALLS story 2: the answer is lost and every other place is blind; the order is found and not sent again."""
    world, client, symbol = begin(start, exchange)
    asked = world.sim.truth.by_route
    for sent, (seeing, order) in enumerate(zip(places, (REST, REST, FILL, FILL), strict=True), 1):
        # A fill names its order, which then shows by that id: only by ours it did not, twice.
        world.sim.strike(LOST, *blind(places, seeing, limit=2 if seeing == places[3] else None))
        before = dict(asked)
        assert client.create_order(symbol, *order)["status"] == ("open" if order is REST else "closed"), seeing
        assert len(world.sent) == sent, seeing
        used = [place for place in places if asked[place] > before.get(place, 0)]
        assert used == list(places[: places.index(seeing) + 1])  # cheapest first, and none after it was found


@pytest.mark.parametrize("exchange", ["binance", "binanceusdm"])
def test_a_fill_of_an_order_that_nothing_shows_proves_nothing_absent(start: Start, exchange: str) -> None:
    """Only a fill shows, and its order does not even by its own id: it may be of ours, so nothing is sent again."""
    places = SPOT_PLACES if exchange == "binance" else USDM_PLACES
    world, client, symbol = begin(start, exchange, LOST, *blind(places, places[3]))
    with pytest.raises(OutcomeUnknown):
        client.create_order(symbol, *FILL)
    assert len(world.sent) == 1
    (left,) = client.policykit_gate.guard.store.intents()
    assert (left.state, left.error) == ("unknown", "NOT_SETTLED_IN_TIME")


@pytest.mark.parametrize("exchange", ["binance", "binanceusdm"])
def test_where_every_place_is_blind_an_order_is_sent_twice(start: Start, exchange: str) -> None:
    """Control: an exchange that breaks its own timing in every place; what the honest promise leaves out."""
    places = SPOT_PLACES if exchange == "binance" else USDM_PLACES
    world, client, symbol = begin(start, exchange, LOST, *blind(places, ""))
    assert client.create_order(symbol, *FILL)["status"] == "closed"
    assert len(world.sent) == 2


@pytest.mark.parametrize(
    ("exchange", "places", "orders"),
    [("binanceusdm", ALGO_PLACES, (STOP, STOP, STOP)), ("bybit", BYBIT_PLACES, (REST, REST, FILL))],
)
def test_one_place_is_enough_without_a_fence(
    start: Start, exchange: str, places: tuple[str, ...], orders: tuple[tuple[Any, ...], ...]
) -> None:
    """Nothing can be proved absent; the call may end before it is found, and the next round of maintenance finds it."""
    world, client, symbol = begin(start, exchange)
    guard = client.policykit_gate.guard
    for sent, (seeing, order) in enumerate(zip(places, orders, strict=True), 1):
        world.sim.strike(LOST, *blind(places, seeing))
        if seeing == places[0]:
            assert client.create_order(symbol, *order)["status"] == "open"
        else:
            with pytest.raises(OutcomeUnknown):
                client.create_order(symbol, *order)
            guard.maintain()
        assert len(world.sent) == sent, seeing
        told = [row.body for row in guard.store.rows(0, 10_000) if row.kind == "outcome"]
        state, filled = ("settled", "0.01") if order is FILL else ("found", "0")
        assert (told[-1]["state"], Decimal(told[-1]["filled"])) == (state, Decimal(filled)), seeing


def test_an_algo_order_that_triggered_is_followed_to_what_it_placed(start: Start) -> None:
    """Its answer was lost and it triggered before it was looked up: only the order that it placed tells what filled."""
    blinded = [{**one, "limit": 1} for one in blind(ALGO_PLACES, "")]
    world, client, symbol = begin(start, "binanceusdm", LOST, *blinded)
    guard = client.policykit_gate.guard
    with pytest.raises(OutcomeUnknown):
        client.create_order(symbol, *STOP)
    world.sim.pin("BTC/USDT", 62_000)
    world.clock.advance(1)
    guard.maintain()
    told = [row.body for row in guard.store.rows(0, 1_000) if row.kind == "outcome"]
    assert (told[-1]["state"], Decimal(told[-1]["filled"])) == ("settled", Decimal("0.01"))
    assert guard.store.intents() == []


@pytest.mark.parametrize(
    ("exchange", "weight"), [("binance", 4 + 4 + 6 + 20 + 20), ("binanceusdm", 2 + 2 + 1 + 5 + 1 + 5 + 5)]
)
def test_what_a_look_up_costs_is_counted(
    start: Start, monkeypatch: pytest.MonkeyPatch, exchange: str, weight: int
) -> None:
    """One cheap look-up and one in every place behind the fence: each call by its own weight, before it is sent."""
    world, client, symbol = begin(start, exchange, {"at": "order", "do": "drop", "when": [1]})
    store, asked = client.policykit_gate.guard.store, world.sim.truth.by_route
    client.load_markets()
    earlier, spent, use = dict(asked), [], store.use

    def counting(holds: Any, now_ms: int) -> Any:
        spent.extend(hold.amount for hold in holds if hold.counter.split("|")[1] == "request-weight")
        return use(holds, now_ms)

    monkeypatch.setattr(store, "use", counting)
    assert client.create_order(symbol, *FILL)["status"] == "closed"
    assert sum(spent) == weight, (spent, {name: n - earlier.get(name, 0) for name, n in asked.items()})
    assert len(world.sent) == 1
