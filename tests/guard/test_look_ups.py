"""Look-ups over HTTP with stock ccxt: each place where an order can show is enough to find it, none is left out."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import OutcomeUnknown, StoreUnavailable
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


#: What each exchange answers to an order that its client order id was used for, and to one without the money for it.
STORY: dict[str, tuple[dict[str, Any], tuple[Any, ...], tuple[Any, ...]]] = {
    "binance": ({"balances": {"USDT": 1_000}}, ("market", "buy", 0.01), ("ETH/USDT", "limit", "buy", 0.2, 2_900)),
    "binanceusdm": ({"margin": {"USDT": 40}}, ("market", "buy", 0.01), ("ETH/USDT:USDT", "limit", "buy", 0.2, 2_900)),
    "bybit": ({"balances": {"USDT": 1_000}}, ("market", "buy", 0.01), ("ETH/USDT", "limit", "buy", 0.2, 2_900)),
}


def short(start: Start, exchange: str) -> tuple[World, Any, str]:
    """Start an exchange whose account pays for one order, which executes, is not answered and shows 3 s later."""
    late = {"at": "order", "do": "lag", "when": [1], "seconds": 3}
    setup, _, _ = STORY[exchange]
    wait = ("expires_after: 30s", "expires_after: 30s, wait: 1s")
    roomy = ("10% of equity", "90% of equity")
    if exchange == "binanceusdm":
        text = seldom(swap_policy(exchange)).replace(*wait)
        world = start(
            LOST, late, text=text, dialect=exchange, amplitude=0.0, grants={"read", "trade.derivatives"}, **setup
        )
        return world, world.protected(), SWAP
    text = seldom(BYBIT if exchange == "bybit" else policy_text()).replace(*wait).replace(*roomy)
    world = start(LOST, late, text=text, dialect=exchange, **setup)
    return world, world.protected(**(SPOT if exchange == "bybit" else {})), SYMBOL


@pytest.mark.parametrize("exchange", list(STORY))
def test_insufficient_balance_after_a_timeout_finds_what_used_it(start: Start, exchange: str) -> None:
    """PITFALLS 10: the next order is refused for want of money: the unknown one is looked up at once, and named."""
    world, client, symbol = short(start, exchange)
    guard = client.policykit_gate.guard
    _, first, second = STORY[exchange]
    with pytest.raises(OutcomeUnknown):
        client.create_order(symbol, *first)
    (unknown,) = guard.store.intents()
    assert unknown.state == "unknown"
    world.clock.advance(4)
    with pytest.raises(ccxt.ExchangeError) as refused:  # ccxt has no class of its own for -2019
        client.create_order(*second)
    told = f"order {unknown.client_order_id} ({symbol} buy 0.01 at the market), whose outcome was unknown, is at the "
    assert f"{told}exchange and filled 0.01" in str(refused.value)
    assert guard.store.intents() == []  # both are over, and the fill is counted
    assert len(world.sent) == 1


def test_a_refusal_that_finds_nothing_says_nothing_more(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The unknown one does not show yet, or the store cannot name it: the refusal is the exchange's own."""
    world, client, symbol = short(start, "binance")
    guard = client.policykit_gate.guard
    _, first, second = STORY["binance"]
    with pytest.raises(OutcomeUnknown):
        client.create_order(symbol, *first)
    with pytest.raises(ccxt.InsufficientFunds) as refused:
        client.create_order(*second)
    assert "whose outcome" not in str(refused.value)
    assert [one.state for one in guard.store.intents()] == ["unknown"]

    def down(*_: object) -> None:
        raise StoreUnavailable("the store is away")

    world.clock.advance(4)
    monkeypatch.setattr(guard.store, "intents", down)
    with pytest.raises(ccxt.InsufficientFunds) as refused:
        client.create_order(*second)
    assert "whose outcome" not in str(refused.value)


async def test_insufficient_balance_after_a_timeout_on_an_async_client(start: Start) -> None:
    """The same steps, awaited."""
    world, _, symbol = short(start, "binance")
    _, first, second = STORY["binance"]
    async with world.sim.client(async_=True) as bare:
        client = world.guard().protect(bare)
        with pytest.raises(OutcomeUnknown):
            await client.create_order(symbol, *first)
        world.clock.advance(4)
        with pytest.raises(ccxt.InsufficientFunds, match=r"is at the exchange and filled 0\.01"):
            await client.create_order(*second)
    assert len(world.sent) == 1


def test_a_duplicate_id_is_looked_up(start: Start) -> None:
    """PITFALLS 10: the answer to a send that executed says that the id is taken: it is taken by this very order."""
    world, client, symbol = begin(start, "binance", {"at": "order", "do": "duplicate", "when": [1]})
    assert client.create_order(symbol, *FILL)["status"] == "closed"
    assert len(world.sent) == 1
    assert outcomes(client) == [("unknown", "DUPLICATE_ID"), ("settled", None)]


@pytest.mark.parametrize(("exchange", "code"), [("binance", -2010), ("binanceusdm", -4116), ("bybit", 170141)])
def test_an_id_that_is_taken_is_looked_up(start: Start, exchange: str, code: int) -> None:
    """The bot's own id, of an order that it sent around policykit: what has it is found and returned, none is added."""
    world, client, symbol = begin(start, exchange)
    bare = world.sim.client(**(SPOT if exchange == "bybit" else {}))
    name = "clientOrderId" if exchange == "bybit" else "newClientOrderId"
    bare.create_order(symbol, *REST, {name: "mine"})
    order = client.create_order(symbol, *REST, {name: "mine"})
    assert (order["clientOrderId"], order["status"]) == ("mine", "open")
    assert world.sim.truth.rejected[code] == 1
    assert outcomes(client) == [("unknown", "DUPLICATE_ID"), ("found", None)]
    assert len(world.sent) == 1


def outcomes(client: Any) -> list[tuple[str, str | None]]:
    """Return what was written of the client's orders: states and their reasons."""
    rows = client.policykit_gate.guard.store.rows(0, 10_000)
    return [(row.body["state"], row.body.get("error")) for row in rows if row.kind == "outcome"]
