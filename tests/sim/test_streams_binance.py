"""What Binance pushes, spot and USD-M, against its documentation's own examples, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from policykit.sim import SimClock, Symbol
from policykit.sim.futures import FUNDING_EVERY_MS
from policykit.testing import Sim
from tests.sim import stream_examples as examples
from tests.sim.stream_examples import form
from tests.sim.wire import limit_order, signed
from tests.sim.wire_streams import API, LINEAR, SPOT, account, api, asked, heard, listen, listen_key, signature

HOUR_S = 3_600
CONTRACT = "BTC/USDT:USDT"


@pytest.fixture
def sim() -> Iterator[Sim]:
    """Give a flat market at 60,000 with money for contracts."""
    grants = {"read", "trade.spot", "trade.derivatives"}
    with Sim(clock=SimClock(), amplitude=0, margin={"USDT": 10_000}, grants=grants) as started:
        yield started


def _order(sim: Sim, **terms: object) -> Any:
    sent = {"symbol": "BTCUSDT", "type": "MARKET", "quantity": "0.1", "newClientOrderId": "a", **terms}
    return signed(sim, "POST", "/@fapi.binance.com/fapi/v1/order", **sent)


def _algo(sim: Sim, method: str = "POST", **terms: object) -> Any:
    sent = {"algoType": "CONDITIONAL", "symbol": "BTCUSDT", "clientAlgoId": "stop", **terms}
    return signed(sim, method, "/@fapi.binance.com/fapi/v1/algoOrder", **sent)


def _events(ws: ClientConnection, count: int, read: Callable[[Any], Any] = lambda event: event) -> list[Any]:
    return [read(heard(ws)) for _ in range(count)]


# -- prices ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", examples.SPOT)
def test_a_market_stream_has_the_documented_form(name: str) -> None:
    """Names and types of the documented example, for each stream, on the pair of the examples."""
    pair = Symbol("BNB", "BTC", Decimal("0.0025"), tick=Decimal("0.0001"))
    with Sim(clock=SimClock(), symbols=[pair]) as sim, listen(sim, name) as ws:
        heard(ws)
        sim.pin("BNB/BTC", "0.0030")  # so that a difference of the book is not empty
        sim.clock.advance(2)
        message = heard(ws)
        assert (form(message), message["s"]) == (form(examples.SPOT[name]), "BNBBTC")


def test_streams_are_subscribed_listed_and_left_as_documented(sim: Sim) -> None:
    """SUBSCRIBE, LIST_SUBSCRIPTIONS, UNSUBSCRIBE, SET_PROPERTY and what each answers; errors have their code."""
    with connect(sim.ws_url + SPOT) as ws:
        assert asked(ws, "SUBSCRIBE", "btcusdt@aggTrade", "btcusdt@depth") == {"result": None, "id": 1}
        assert [event["e"] for event in _events(ws, 2)] == ["aggTrade", "depthUpdate"]
        assert asked(ws, "UNSUBSCRIBE", "btcusdt@depth", number=312) == {"result": None, "id": 312}
        assert asked(ws, "LIST_SUBSCRIPTIONS", number=3) == {"result": ["btcusdt@aggTrade"], "id": 3}
        assert asked(ws, "SET_PROPERTY", "combined", True, number=5) == {"result": None, "id": 5}
        assert asked(ws, "GET_PROPERTY", "combined", number=2) == {"result": True, "id": 2}
        sim.clock.advance(0.5)
        wrapped = heard(ws)
        assert (wrapped["stream"], wrapped["data"]["e"]) == ("btcusdt@aggTrade", "aggTrade")
        assert asked(ws, "SET_PROPERTY", "other", True)["error"] == {"code": 0, "msg": "Unknown property"}
        assert asked(ws, "JUMP")["error"]["code"] == 2
        assert asked(ws, "SUBSCRIBE", 7)["error"]["code"] == 2
        assert asked(ws, "SUBSCRIBE", *["btcusdt@trade"] * 1024)["error"]["code"] == 2


def test_a_combined_connection_names_the_stream_and_keeps_its_pace(sim: Sim) -> None:
    """`/stream?streams=` wraps each message; tickers come each second, all in one list, trades at each step."""
    streams = "ethusdt@trade/!miniTicker@arr/nonsense/btcusdt@nonsense"
    with connect(f"{sim.ws_url}/@/stream.binance.com/stream?streams={streams}") as ws:
        assert [m["stream"] for m in _events(ws, 2)] == ["ethusdt@trade", "!miniTicker@arr"]
        sim.clock.advance(1)
        rest = _events(ws, 3)
        assert [m["stream"] for m in rest] == ["ethusdt@trade", "ethusdt@trade", "!miniTicker@arr"]
        assert [row["s"] for row in rest[2]["data"]] == ["BTCUSDT", "ETHUSDT"]


def test_contracts_have_their_own_prices_and_marks(sim: Sim) -> None:
    """USD-M's streams carry type and time, marks come each second or each three, a book says where it goes on."""
    names = ("btcusdt@bookTicker", "btcusdt@markPrice@1s", "ethusdt@markPrice", "btcusdt@depth@100ms", "btcusdt@trade")
    with listen(sim, *names, at=f"{LINEAR}/market/ws") as ws:
        first = _events(ws, 5)
        assert [m["e"] for m in first] == ["bookTicker", "markPriceUpdate", "markPriceUpdate", "depthUpdate", "trade"]
        assert (first[0]["b"], first[1]["p"], first[4]["X"]) == ("59994.00000000", "60000.00000000", "MARKET")
        sim.pin("BTC/USDT", "60000.5")
        sim.clock.advance(3)
        later = _events(ws, 6 * 3 + 3 + 1)
        assert [m["s"] for m in later if m["e"] == "markPriceUpdate"] == ["BTCUSDT", "BTCUSDT", "BTCUSDT", "ETHUSDT"]
        books = [m for m in later if m["e"] == "depthUpdate"]
        assert [(m["U"] - 1, m["pu"]) for m in books[1:]] == [(m["u"], m["u"]) for m in books[:-1]]
        # 59,994.0 and 60,006.0 become 59,994.5 and 60,006.5: five asks go, and twenty levels of each side are told
        assert books[0]["b"][:6] == [[f"59994.{n}0000000", "1.50000000"] for n in (5, 4, 3, 2, 1, 0)]
        assert books[0]["a"][:6] == [
            *([f"60006.{n}0000000", "0.00000000"] for n in range(5)),
            ["60006.50000000", "1.50000000"],
        ]
        assert (len(books[0]["b"]), len(books[0]["a"])) == (20, 25)
        assert (books[1]["b"], books[1]["a"]) == ([], [])


def test_the_book_that_is_followed_is_the_book_that_is_asked_for() -> None:
    """Differences applied to a snapshot as documented give the book of the REST interface, step by step."""
    with Sim(clock=SimClock(), seed=5) as sim, listen(sim, "btcusdt@depth") as ws:
        heard(ws)
        book = _book(sim)
        for _ in range(6):
            sim.clock.advance(0.5)
            event = heard(ws)
            for side, name in (("bids", "b"), ("asks", "a")):
                for price, quantity in event[name]:
                    book[side].pop(price, None) if Decimal(quantity) == 0 else book[side].update({price: quantity})
            now = _book(sim)
            assert sorted(map(Decimal, book["bids"]))[-100:] == sorted(map(Decimal, now["bids"]))[-100:]
            assert sorted(map(Decimal, book["asks"]))[:100] == sorted(map(Decimal, now["asks"]))[:100]


def _book(sim: Sim) -> dict[str, dict[str, str]]:
    told = signed(sim, "GET", "/api/v3/depth", symbol="BTCUSDT", limit=5000).body
    return {side: dict(told[side]) for side in ("bids", "asks")}


# -- the account on spot --------------------------------------------------------------------------------------------


def test_an_orders_life_on_the_user_stream_has_the_documented_form(sim: Sim) -> None:
    """Placed, filled in parts, cancelled: executionReport and outboundAccountPosition as printed, quantities add up."""
    sim.strike({"at": "order", "do": "partial", "when": [1], "share": 0.4})
    with api(sim) as ws:
        signed(sim, "POST", "/api/v3/order", **limit_order(price="60006", quantity="1"))
        signed(sim, "DELETE", "/api/v3/order", symbol="BTCUSDT", origClientOrderId="a")
        messages = _events(ws, 6)
        assert [m["subscriptionId"] for m in messages] == [0] * 6
        events = [m["event"] for m in messages]
        reports, positions = events[::2], events[1::2]
        assert [form(p) for p in positions] == [form(examples.ACCOUNT_POSITION)] * 3
        assert form(reports[0]) == form(examples.EXECUTION)
        assert form(reports[1]) == form(examples.EXECUTION) | {"N": "str"}
        told = [tuple(r[n] for n in ("x", "X", "l", "z", "Z", "c", "C", "w")) for r in reports]
        part = ("0.40000000", "0.40000000", "24002.40000000", "a", "", True)
        assert told[0] == ("NEW", "NEW", "0.00000000", "0.00000000", "0.00000000", "a", "", True)
        assert told[1] == ("TRADE", "PARTIALLY_FILLED", *part)
        assert (told[2][:2], told[2][3], told[2][6:]) == (("CANCELED", "CANCELED"), "0.40000000", ("a", False))
        assert told[2][5] not in ("a", "")  # the cancel has an id of its own
        balances = {row["a"]: (row["f"], row["l"]) for row in positions[2]["B"]}
        assert balances == {"BTC": ("0.39960000", "0.00000000"), "USDT": ("75997.60000000", "0.00000000")}


def test_what_rests_is_filled_on_the_stream_while_time_passes_and_nobody_asks(sim: Sim) -> None:
    """A resting order that the market meets is told at the step at which it filled; a market order's rest expires."""
    with api(sim) as ws:
        signed(sim, "POST", "/api/v3/order", **limit_order(price="59000"))
        _events(ws, 2)
        sim.pin("BTC/USDT", 58_000)
        sim.clock.advance(0.5)
        event = heard(ws)["event"]
        assert (event["x"], event["m"], event["T"]) == ("TRADE", True, sim.clock.now_ms())
        sim.strike({"at": "order", "do": "partial", "when": [1]})
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.1"}
        signed(sim, "POST", "/api/v3/order", **terms)
        later = [m["event"].get("x") for m in _events(ws, 7)]
        assert [x for x in later if x] == ["NEW", "TRADE", "EXPIRED"]


def test_deposits_and_withdrawals_are_balance_updates(sim: Sim) -> None:
    """A `balanceUpdate` as printed, with the sign of what moved."""
    with api(sim) as ws:
        sim.deposit("BTC", 100)
        sim.withdraw("BTC", "0.5")
        events = [m["event"] for m in _events(ws, 2)]
        assert [form(e) for e in events] == [form(examples.BALANCE_UPDATE)] * 2
        assert [(e["a"], e["d"]) for e in events] == [("BTC", "100.00000000"), ("BTC", "-0.50000000")]


def test_a_subscription_needs_a_key_a_signature_and_the_right_time(sim: Sim) -> None:
    """Wrong ones are refused with the codes of the REST interface; `ping` and `time` need none; others are unknown."""
    good = signature(sim)
    late = signature(sim, timestamp=sim.clock.now_ms() - 60_000)
    cases = ((good | {"signature": "0" * 64}, -1022), (good | {"apiKey": "x" * 64}, -2015), (late, -1021), ({}, -2014))
    with connect(sim.ws_url + API) as ws:
        for params, code in cases:
            ws.send(json.dumps({"id": "7", "method": "userDataStream.subscribe.signature", "params": params}))
            answer = heard(ws)
            assert (answer["id"], answer["status"] >= 400, answer["error"]["code"]) == ("7", True, code)
        told = []
        for method in ("ping", "time", "order.place"):
            ws.send(json.dumps({"id": method, "method": method}))
            told.append(heard(ws))
        assert [t["status"] for t in told] == [200, 200, 400]
        assert told[1]["result"] == {"serverTime": sim.clock.now_ms()}
        sim.deposit("BTC", 1)  # nobody is subscribed
        ws.send(json.dumps({"id": 9, "method": "userDataStream.subscribe.signature", "params": good}))
        assert heard(ws)["result"] == {"subscriptionId": 0}
        ws.send(json.dumps({"id": 10, "method": "userDataStream.unsubscribe"}))
        assert heard(ws)["status"] == 200
        sim.deposit("BTC", 1)
        ws.send(json.dumps({"id": 11, "method": "ping"}))
        assert heard(ws)["id"] == 11  # no event came in between


def test_a_revoked_key_ends_its_stream(sim: Sim) -> None:
    """eventStreamTerminated, and nothing of the account any more; the connection stays."""
    key = sim.grant_key(grants={"read"})
    with api(sim, key) as ws:
        key.revoked = True
        sim.clock.advance(0.5)
        assert heard(ws) == {
            "subscriptionId": 0,
            "event": {"e": "eventStreamTerminated", "E": sim.clock.now_ms()},
        }
        sim.deposit("BTC", 1)
        assert sim.streams.drop() == 1
        with pytest.raises(ConnectionClosed):
            heard(ws)


# -- the account on USD-M -------------------------------------------------------------------------------------------


def test_a_fill_of_a_contract_is_told_three_times_as_documented(sim: Sim) -> None:
    """TRADE_LITE, ACCOUNT_UPDATE and ORDER_TRADE_UPDATE of one trade: its id is in two of them, the position in one."""
    with account(sim) as ws:
        _order(sim, side="BUY")
        new, lite, wallet, update = _events(ws, 4)
        assert form(update) == form(examples.ORDER_UPDATE)
        assert {**form(new), "o": form(new)["o"] | {"N": "str", "n": "str"}} == form(examples.ORDER_UPDATE)
        assert (form(lite), form(wallet)) == (form(examples.TRADE_LITE), form(examples.ACCOUNT_UPDATE))
        assert (lite["t"], lite["i"], update["o"]["t"], update["o"]["i"]) == (1, 1, 1, 1)
        assert [update["o"][n] for n in ("x", "X", "l", "z", "L")] == ["TRADE", "FILLED", "0.1", "0.1", "60006.00"]
        assert (wallet["a"]["m"], wallet["a"]["P"][0]["pa"], wallet["a"]["P"][0]["ep"]) == ("ORDER", "0.1", "60006.00")
        assert wallet["a"]["B"][0]["wb"] == "9996.99970000"  # 0.05 % of 6,000.6 paid


def test_an_order_that_rests_is_amended_and_cancelled_on_the_stream(sim: Sim) -> None:
    """NEW, AMENDMENT and CANCELED tell what rests on either side; the account's money is not told of."""
    rest = {"side": "BUY", "type": "LIMIT", "price": "50000", "timeInForce": "GTC"}
    with account(sim) as ws:
        _order(sim, **rest)
        path = "/@fapi.binance.com/fapi/v1/order"
        changed = {"symbol": "BTCUSDT", "origClientOrderId": "a", "side": "BUY", "quantity": "0.2", "price": "50000"}
        signed(sim, "PUT", path, **changed)
        signed(sim, "DELETE", path, symbol="BTCUSDT", origClientOrderId="a")
        told = [(m["e"], m["o"]["x"], m["o"]["X"], m["o"]["b"]) for m in _events(ws, 3)]
        assert told == [
            ("ORDER_TRADE_UPDATE", "NEW", "NEW", "5000.00000000"),
            ("ORDER_TRADE_UPDATE", "AMENDMENT", "NEW", "10000.00000000"),
            ("ORDER_TRADE_UPDATE", "CANCELED", "CANCELED", "0.00000000"),
        ]


def test_an_algo_orders_life_is_told_by_algo_updates(sim: Sim) -> None:
    """NEW, TRIGGERED, the order that it placed with its own messages, FINISHED; cancelled it is CANCELED."""
    stop = {"side": "SELL", "type": "STOP_MARKET", "triggerPrice": "59000", "quantity": "0.1", "reduceOnly": "true"}
    with account(sim) as ws:
        _order(sim, side="BUY")
        _events(ws, 4)
        assert _algo(sim, **stop).status == 200
        assert form(heard(ws)) == form(examples.ALGO_UPDATE)
        sim.pin("BTC/USDT", 58_000)
        sim.clock.advance(0.5)
        told = _events(ws, 6)
        assert [m["e"] for m in told] == [
            "ALGO_UPDATE",
            "ORDER_TRADE_UPDATE",
            "TRADE_LITE",
            "ACCOUNT_UPDATE",
            "ORDER_TRADE_UPDATE",
            "ALGO_UPDATE",
        ]
        assert [told[n]["o"]["X"] for n in (0, 1, 4, 5)] == ["TRIGGERED", "NEW", "FILLED", "FINISHED"]
        assert (told[5]["o"]["ai"], told[5]["o"]["aq"], told[5]["o"]["act"]) == ("3", "0.1", "MARKET")
        assert form(told[5])["o"] == form(examples.ALGO_UPDATE)["o"] | form(examples.ALGO_PLACED)
        _order(sim, side="BUY", newClientOrderId="b")
        _events(ws, 4)
        _algo(sim, **stop | {"triggerPrice": "50000"})
        _algo(sim, "DELETE")
        assert [m["o"]["X"] for m in _events(ws, 2)] == ["NEW", "CANCELED"]


def test_a_triggered_order_that_the_margin_is_not_enough_for_is_rejected(sim: Sim) -> None:
    """ALGO_UPDATE says REJECTED with a reason, and nothing was placed."""
    entry = {"side": "BUY", "type": "STOP_MARKET", "triggerPrice": "61000", "quantity": "100"}
    with account(sim) as ws:
        _algo(sim, **entry)
        heard(ws)
        sim.pin("BTC/USDT", 62_000)
        sim.clock.advance(0.5)
        told = heard(ws)["o"]
        assert (told["X"], told["rm"], told["ai"]) == ("REJECTED", "Margin is insufficient.", "")


def test_transfers_are_account_updates(sim: Sim) -> None:
    """Money moved in and out is told with its amount, and without any position."""
    with account(sim) as ws:
        sim.transfer(CONTRACT, 250)
        sim.transfer(CONTRACT, -50)
        told = [m["a"] for m in _events(ws, 2)]
        assert [(a["m"], a["B"][0]["bc"], a["P"]) for a in told] == [
            ("DEPOSIT", "250.00000000", []),
            ("WITHDRAW", "-50.00000000", []),
        ]


@pytest.mark.parametrize("isolated", [False, True])
def test_funding_is_an_account_update(isolated: bool) -> None:
    """A crossed position's funding tells the money only, an isolated one's its position as well."""
    before = FUNDING_EVERY_MS * 62_335 - 1_000
    with Sim(clock=SimClock(before), amplitude=0, margin={"USDT": 10_000}) as sim, account(sim) as ws:
        sim.hold(CONTRACT, "0.1", entry=60_000, isolated=isolated)
        sim.clock.advance(1)
        body = heard(ws)["a"]
        assert (body["m"], body["B"][0]["bc"], len(body["P"])) == ("FUNDING_FEE", "-0.60000000", int(isolated))
        assert [(p["mt"], p["iw"]) for p in body["P"]] == [("isolated", "300.00000000")] * isolated


def test_a_listen_key_lives_an_hour_unless_it_is_kept(sim: Sim) -> None:
    """PUT extends it, after an hour without comes listenKeyExpired and nothing more; POST repeats a valid one."""
    with account(sim) as ws:
        name = listen_key(sim).body["listenKey"]
        sim.clock.advance(HOUR_S - 10)
        assert listen_key(sim, "PUT").body == {"listenKey": name}
        sim.clock.advance(HOUR_S - 10)
        sim.transfer(CONTRACT, 1)
        assert heard(ws)["e"] == "ACCOUNT_UPDATE"
        sim.clock.advance(10)
        expired = heard(ws)
        assert (form(expired), expired["listenKey"]) == (form(examples.EXPIRED), name)
        sim.transfer(CONTRACT, 1)
        assert asked(ws, "LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}
        refused = listen_key(sim, "PUT")
        assert (refused.status, refused.body["code"]) == (400, -1125)
        assert listen_key(sim).body["listenKey"] != name


def test_a_deleted_listen_key_hears_no_more(sim: Sim) -> None:
    """After DELETE the stream tells nothing of the account; a name that is no key never did."""
    with account(sim) as ws, connect(f"{sim.ws_url}{LINEAR}/ws/unknown") as other:
        assert listen_key(sim, "DELETE").body == {}
        sim.clock.advance(0.5)
        sim.transfer(CONTRACT, 1)
        for one in (ws, other):
            assert asked(one, "LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


def test_a_listen_key_that_ended_opens_nothing(sim: Sim) -> None:
    """A connection by a key that nobody kept alive opens, and hears nothing of the account."""
    name = listen_key(sim).body["listenKey"]
    sim.clock.advance(HOUR_S)
    with connect(f"{sim.ws_url}{LINEAR}/private/ws?listenKey={name}") as ws:
        assert asked(ws, "LIST_SUBSCRIPTIONS") == {"result": [], "id": 1}


def test_a_connection_lives_a_day_and_is_pinged() -> None:
    """After 24 hours the exchange pings it a last time and closes it."""
    with Sim(clock=SimClock(), amplitude=0) as sim, connect(sim.ws_url + API) as ws:
        sim.streams.wait()
        sim.clock.step_wall(24 * HOUR_S)
        sim.clock.advance(0.5)
        with pytest.raises(ConnectionClosed):
            heard(ws)
        assert ws.protocol.close_code == 1001
