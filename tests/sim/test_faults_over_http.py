"""Each fault as stock ccxt sees it over HTTP, and what really happened behind it."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import ccxt
import pytest

from policykit.testing import Sim, SimClock

PAIR = "BTC/USDT"


def run(*faults: Mapping[str, Any], **more: Any) -> Sim:
    """Make an exchange with these faults on a flat market."""
    return Sim(clock=SimClock(), faults=faults, amplitude=0, **more)


def buy(client: Any, cid: str = "a", price: float = 50_000) -> dict[str, Any]:
    """Place a limit buy that rests, or fills at 61,000."""
    order: dict[str, Any] = client.create_order(PAIR, "limit", "buy", 0.01, price, {"clientOrderId": cid})
    return order


def ask(client: Any) -> None:
    """Ask for the time; the connection will be cut."""
    with pytest.raises(ccxt.NetworkError):
        client.fetch_time()


def test_a_lost_reply_is_an_executed_order() -> None:
    """The connection closes without a reply, the order is there; a blind retry with a new id doubles it."""
    with run({"at": "order", "do": "lost_reply", "when": [1], "after": 3}) as sim:
        client = sim.client()
        with pytest.raises(ccxt.NetworkError):
            buy(client)
        assert sim.clock.monotonic_ms() == 3_000
        assert client.fetch_order(None, PAIR, {"origClientOrderId": "a"})["status"] == "open"
        assert sim.truth.duplicates() == 0
        buy(client, "b")
        assert (sim.truth.duplicates(), sim.truth.per_tag()) == (1, {"BTC/USDT buy 0.01 @ 50000": 2})


def test_a_dropped_request_never_arrives() -> None:
    """The connection closes and nothing was executed or counted."""
    with run({"at": "order", "do": "drop", "when": [1]}) as sim:
        with pytest.raises(ccxt.NetworkError):
            buy(sim.client())
        assert (sim.truth.executed, sim.truth.by_route["POST /api/v3/order"], sim.truth.cut) == ([], 0, 1)


def test_a_stalled_connection_is_a_client_timeout() -> None:
    """With `stall` the client's own time-out ends it; the order was executed."""
    with run({"at": "order", "do": "lost_reply", "when": [1], "stall": True}) as sim:
        client = sim.client(timeout=150)
        client.load_markets()
        with pytest.raises(ccxt.RequestTimeout):
            buy(client)
        assert len(sim.truth.executed) == 1


def test_closing_does_not_wait_for_a_stalled_connection() -> None:
    """A server that holds a connection open stops at once all the same, and leaves no thread."""
    with run({"at": "market", "do": "drop", "when": [1], "stall": True}) as sim:
        waiting = threading.Thread(target=ask, args=(sim.client(),))
        waiting.start()
        while not sim.truth.cut:
            time.sleep(0.001)
        began = time.monotonic()
    assert time.monotonic() - began < 2
    waiting.join(5)
    assert [t.name for t in threading.enumerate() if "sim" in t.name or "process_request" in t.name] == []


@pytest.mark.parametrize(("delay", "executed"), [(4.999, 1), (5.001, 0)])
def test_late_delivery_is_checked_again_before_matching(delay: float, executed: int) -> None:
    """A request that waits longer than its recvWindow before the matching engine is refused there."""
    with run({"at": "order", "do": "late", "when": [1], "delay": delay, "processing": 9}) as sim:
        client = sim.client(options={"recvWindow": 5_000})
        with pytest.raises(ccxt.NetworkError):
            buy(client)
        sim.clock.sleep(delay + 8.9)
        assert sim.truth.executed == []
        sim.clock.sleep(0.2)
        assert [e.time_ms - sim.truth.faults[0][0] for e in sim.truth.executed] == [
            round(delay * 1000) + 9_000
        ] * executed
        assert sim.truth.rejected == ({} if executed else {-1021: 1})


def test_a_request_that_is_late_on_the_wire_meets_the_gate_late() -> None:
    """With `wire` even the first check happens later: a stale request is refused, and counted when it arrives."""
    with run({"at": "order", "do": "late", "when": [1], "wire": 11}) as sim:
        with pytest.raises(ccxt.NetworkError):
            buy(sim.client())
        assert sim.truth.by_route["POST /api/v3/order"] == 0
        sim.clock.sleep(11)
        assert (sim.truth.rejected, sim.truth.by_route["POST /api/v3/order"]) == ({-1021: 1}, 1)


@pytest.mark.parametrize(
    ("fault", "raised", "code"),
    [
        ({"do": "unknown"}, ccxt.OperationFailed, "-1000"),
        ({"do": "timeout"}, ccxt.RequestTimeout, "-1007"),
        ({"do": "garbage", "status": 502}, ccxt.ExchangeNotAvailable, "502 Bad Gateway"),
        ({"do": "duplicate"}, ccxt.InvalidOrder, "-2010"),
    ],
)
def test_an_ambiguous_answer_may_hide_an_executed_order(
    fault: dict[str, Any], raised: type[Exception], code: str
) -> None:
    """503, 408, a proxy's page and "Duplicate order sent." come for an order that executed."""
    with run({"at": "order", "when": [1], **fault}) as sim:
        with pytest.raises(ccxt.BaseError) as caught:
            buy(sim.client())
        assert isinstance(caught.value, raised), repr(caught.value)
        assert code in str(caught.value)
        assert len(sim.truth.executed) == 1


@pytest.mark.parametrize("do", ["unknown", "timeout", "garbage"])
def test_or_an_order_that_never_was(do: str) -> None:
    """The same answers come with `executed: false` for an order that was not."""
    with run({"at": "order", "do": do, "executed": False, "when": [1]}) as sim:
        with pytest.raises(ccxt.BaseError):
            buy(sim.client())
        assert sim.truth.executed == []


def test_clock_and_key_faults_are_refusals() -> None:
    """-1021 is InvalidNonce; -2015 is AuthenticationError, and DDoSProtection once the client had authenticated."""
    with run(
        {"at": "order", "do": "clock", "when": [1]},
        {"at": "order", "do": "rejected_key", "when": [2, 3]},
    ) as sim:
        client = sim.client()
        with pytest.raises(ccxt.InvalidNonce):
            buy(client)
        with pytest.raises(ccxt.AuthenticationError):
            buy(client)
        client.fetch_balance()
        with pytest.raises(ccxt.DDoSProtection):
            buy(client)
        assert sim.truth.executed == []


def test_throttle_and_ban_hold_for_the_whole_address() -> None:
    """After 429 every request is refused until Retry-After has passed; after 418 until the ban ends."""
    with run(
        {"at": "order", "do": "throttle", "when": [1], "seconds": 2},
        {"at": "order", "do": "ban", "when": [2], "seconds": 30},
    ) as sim:
        client = sim.client()
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            buy(client)
        assert client.last_response_headers["Retry-After"] == "2"
        with pytest.raises(ccxt.DDoSProtection, match="429"):
            sim.client().fetch_time()
        sim.clock.sleep(2)
        with pytest.raises(ccxt.DDoSProtection, match="418"):
            buy(client)
        with pytest.raises(ccxt.DDoSProtection, match="418"):
            sim.client().fetch_time()
        sim.clock.sleep(30)
        assert buy(client)["status"] == "open"
        assert (sim.truth.throttled, sim.truth.bans, sim.truth.refused_while_banned) == (2, 1, 2)


def test_visibility_lags_for_orders_open_orders_and_trades() -> None:
    """A filled order is found, listed and traded only after its lag; the position is there at once."""
    with run({"at": "order", "do": "lag", "ratio": 1, "seconds": 3}) as sim:
        client = sim.client()
        assert buy(client, "a", 61_000)["status"] == "closed"
        buy(client, "b")
        with pytest.raises(ccxt.OrderNotFound):
            client.fetch_order(None, PAIR, {"origClientOrderId": "a"})
        assert (client.fetch_open_orders(PAIR), client.fetch_orders(PAIR), client.fetch_my_trades(PAIR)) == ([], [], [])
        assert client.fetch_balance()["BTC"]["total"] == 0.00999
        sim.clock.sleep(3)
        assert [o["clientOrderId"] for o in client.fetch_orders(PAIR)] == ["a", "b"]
        assert [o["clientOrderId"] for o in client.fetch_open_orders(PAIR)] == ["b"]
        assert [t["amount"] for t in client.fetch_my_trades(PAIR)] == [0.01]


def test_partial_fills() -> None:
    """The order fills by its share at first, the rest while it rests."""
    with run({"at": "order", "do": "partial", "ratio": 1, "share": 0.3}) as sim:
        client = sim.client()
        first = buy(client, "a", 61_000)
        assert (first["status"], first["filled"]) == ("open", 0.003)
        sim.clock.sleep(5)
        assert client.fetch_order(first["id"], PAIR)["filled"] == 0.01


def test_retries_inside_ccxt_send_one_order_four_times() -> None:
    """PITFALLS story 3, the bad run: maxRetriesOnFailure=3 executes four orders for one call, all of one id."""
    with run({"at": "order", "do": "lost_reply", "when": [1, 2, 3]}) as sim:
        client = sim.client(options={"maxRetriesOnFailure": 3})
        client.create_order(PAIR, "limit", "buy", 0.01, 61_000)
        assert (len(sim.truth.executed), sim.truth.duplicates(), len(sim.truth.per_client_order_id())) == (4, 3, 1)


def test_an_open_order_stops_such_a_retry_by_its_id() -> None:
    """While the first order is open its id is taken: the retry is refused as a duplicate, and that is an answer."""
    with run({"at": "order", "do": "lost_reply", "when": [1]}) as sim:
        client = sim.client(options={"maxRetriesOnFailure": 3})
        with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
            client.create_order(PAIR, "limit", "buy", 0.01, 50_000)
        assert len(sim.truth.executed) == 1


def test_a_seed_replays_exactly() -> None:
    """The same seed, faults and calls give the same truth; another seed does not."""

    def play(seed: int) -> tuple[Any, ...]:
        rules = [
            {"at": "order", "do": "lost_reply", "ratio": 0.3},
            {"at": "order", "do": "late", "ratio": 0.2, "delay": 2, "processing": 3},
            {"at": "order", "do": "partial", "ratio": 0.3},
            {"at": "lookup", "do": "unknown", "ratio": 0.2},
        ]
        with Sim(clock=SimClock(), seed=seed, faults=rules, latency=0.02) as sim:
            client = sim.client()
            for n in range(40):
                price = client.fetch_ticker(PAIR)["ask"]
                for call in (lambda n=n, p=price: buy(client, f"c{n}", p), lambda: client.fetch_orders(PAIR)):
                    try:
                        call()
                    except ccxt.BaseError:
                        sim.clock.sleep(0.5)
            sim.clock.sleep(20)
            return sim.truth.executed, sim.truth.positions, sim.truth.faults, sim.truth.summary()

    first = play(11)
    assert first == play(11)
    assert first != play(12)
    assert first[3]["executed"] > 20
    assert {"lost_reply", "late", "partial", "unknown"} == set(first[3]["faults"])


async def test_async_ccxt_meets_the_same_faults() -> None:
    """The async client sees a lost reply as NetworkError, then finds the order."""
    with run({"at": "order", "do": "lost_reply", "when": [1]}) as sim:
        client = sim.client(async_=True)
        try:
            with pytest.raises(ccxt.NetworkError):
                await client.create_order(PAIR, "limit", "buy", 0.01, 50_000, {"clientOrderId": "a"})
            found = await client.fetch_order(None, PAIR, {"origClientOrderId": "a"})
            assert (found["status"], found["remaining"]) == ("open", 0.01)
        finally:
            await client.close()
