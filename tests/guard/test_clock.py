"""The clock at run time (G03): a refused time is measured anew at once, and beyond the bound increases are denied."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from policykit.guard.resync import EVERY_MS, Resync
from policykit.sim import HostClock
from tests.guard.bots import KINDS, bot
from tests.guard.contracts import SWAP, contracts
from tests.guard.test_bybit import BYBIT, HELD, SPOT
from tests.guard.world import SYMBOL, World, policy_text

Start = Callable[..., World]
SPOT_BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.005, 61_000)
#: Exchange -> the entry, its call, the call for the time, the error in ccxt's words.
EXCHANGES: dict[str, tuple[tuple[Any, ...], str, str]] = {
    "binance": (SPOT_BUY, "POST /api/v3/order", "GET /api/v3/time"),
    "binanceusdm": ((SWAP, "limit", "buy", 0.01, 55_000), "POST /fapi/v1/order", "GET /fapi/v1/time"),
    "bybit": (SPOT_BUY, "POST /v5/order/create", "GET /v5/market/time"),
}


def begin(start: Start, exchange: str, *faults: dict[str, Any], text: str = "") -> World:
    """Start one of the exchanges that can be traded."""
    if exchange == "binanceusdm":
        return contracts(start, *faults)
    if exchange == "bybit":
        return start(*faults, text=BYBIT, dialect="bybit", balances=HELD)
    return start(*faults, text=text or policy_text(), balances={"USDT": Decimal(99_400), "BTC": Decimal("0.01")})


def apart(world: World, skew_ms: int) -> HostClock:
    """Put the guards of a world on a host whose clock is off."""
    world.clock = host = HostClock(world.clock, skew_ms)
    return host


def on_host(world: World, guard: Guard, host: HostClock) -> Any:
    """Make a client that signs by the host's clock."""
    client = world.sim.client()
    host.follow(client)
    return guard.protect(client)


def asked(world: World, exchange: str) -> tuple[int, int]:
    """Return how many orders and how many questions for the time the exchange got."""
    _, order, time = EXCHANGES[exchange]
    return world.sim.truth.by_route[order], world.sim.truth.by_route[time]


def codes(denied: pytest.ExceptionInfo[Denied]) -> list[str]:
    """Return the codes of a denial."""
    return [reason.code for reason in denied.value.decision.reasons]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_client_whose_offset_is_wrong_sends_its_next_order(start: Start, exchange: str, kind: str) -> None:
    """Signed 20 s ago: the order is refused, a clean no that nobody sends again; the next one is taken."""
    world = begin(start, exchange)
    guard = world.guard()
    with bot(world, kind, guard, **(SPOT if exchange == "bybit" else {})) as ours:
        ours.fetch_balance()
        ours.client.options["timeDifference"] += 20_000
        orders, times = asked(world, exchange)
        with pytest.raises(ccxt.InvalidNonce):
            ours.create_order(*EXCHANGES[exchange][0])
        assert asked(world, exchange) == (orders + 1, times + 1)
        assert world.sent == []
        assert guard.store.intents() == []
        assert guard.facts().skew_ms == 0
        assert ours.create_order(*EXCHANGES[exchange][0])["id"]
        assert asked(world, exchange) == (orders + 2, times + 1)
    assert len(world.sent) == 1


def test_control_stock_ccxt_is_refused_for_ever(start: Start) -> None:
    """Without a guard the same client is refused each time."""
    world = begin(start, "binance")
    client = world.sim.client()
    client.load_markets()
    client.options["timeDifference"] += 20_000
    for _ in range(3):
        with pytest.raises(ccxt.InvalidNonce):
            client.create_order(*SPOT_BUY)


def test_I11_a_host_that_steps_is_noticed_by_the_first_refusal(start: Start) -> None:
    """The clock jumps by 6 s between two rounds: one refusal, then increases are denied and exits pass."""
    world = begin(start, "binance", text=policy_text().replace("max_age: 10s", "max_age: 1m"))
    host = apart(world, 0)
    guard = world.guard()
    client = on_host(world, guard, host)
    client.load_markets()
    host.skew_ms = 6_000
    with pytest.raises(ccxt.InvalidNonce):
        client.create_order(*SPOT_BUY)
    assert guard.facts().skew_ms == 6_000
    with pytest.raises(Denied) as denied:
        client.create_order(*SPOT_BUY)
    assert codes(denied) == ["CLOCK_SKEW"]
    assert client.create_order(*SELL)["status"] == "open"
    host.skew_ms = 0
    world.clock._clock.advance(6)
    guard.maintain()
    assert guard.facts().skew_ms == 0
    with pytest.raises(ccxt.InvalidNonce):  # signed by what was right for the stepped clock
        client.create_order(*SPOT_BUY)
    assert client.create_order(*SPOT_BUY)["status"] == "open"
    assert world.sent == [("sell", Decimal("0.005")), ("buy", Decimal("0.01"))]


@pytest.mark.parametrize("skew_ms", [-8_000, 8_000])
def test_exits_pass_on_a_host_that_is_far_apart(start: Start, skew_ms: int) -> None:
    """Behind or ahead by more than any window: a refused read is enough, and exits are signed by the right time."""
    world = begin(start, "binance")
    host = apart(world, skew_ms)
    guard = world.guard()
    client = on_host(world, guard, host)
    client.load_markets()  # a signed read is among it
    assert client.create_order(*SELL)["status"] == "open"
    with pytest.raises(Denied) as denied:
        client.create_order(*SPOT_BUY)
    assert "CLOCK_SKEW" in codes(denied)


def test_within_the_bound_a_corrected_clock_trades(start: Start) -> None:
    """A host that is 2 s ahead under a policy that allows 3 s: Binance refuses the first order, and takes the next."""
    world = begin(start, "binance", text=policy_text().replace("max_skew: 500ms", "max_skew: 3s"))
    host = apart(world, 0)
    guard = world.guard()
    client = on_host(world, guard, host)
    client.load_markets()
    host.skew_ms = 2_000
    with pytest.raises(ccxt.InvalidNonce):
        client.create_order(*SPOT_BUY)
    assert client.create_order(*SPOT_BUY)["status"] == "open"
    (intent,) = guard.store.intents()
    assert intent.signed_ms is not None
    assert abs(intent.signed_ms - world.sim.clock.now_ms()) < 500  # not 2 s ahead


def test_a_read_that_was_refused_is_signed_anew(start: Start) -> None:
    """What changes nothing is read again with the right time, and the bot notices nothing."""
    world = begin(start, "binance")
    client = world.protected()
    client.load_markets()
    client.options["timeDifference"] += 20_000
    assert client.fetch_balance()["USDT"]["free"] == 99_400


def test_many_refusals_are_one_measurement(start: Start) -> None:
    """An exchange whose own clock stepped refuses everything: it is asked for the time once in 5 s."""
    world = begin(start, "binance", {"at": "order", "do": "clock", "ratio": 1.0})
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    _, before = asked(world, "binance")
    for _ in range(5):
        with pytest.raises(ccxt.InvalidNonce):
            client.create_order(*SPOT_BUY)
    assert asked(world, "binance") == (5, before + 1)
    world.clock.advance(EVERY_MS / 1000)
    with pytest.raises(ccxt.InvalidNonce):
        client.create_order(*SPOT_BUY)
    assert asked(world, "binance") == (6, before + 2)


def test_of_many_threads_one_measures(start: Start) -> None:
    """Refused at once, they share one measurement."""
    resync, told = Resync(begin(start, "binance").guard()), []
    ready = threading.Barrier(8)

    def refused() -> None:
        ready.wait()
        told.append(resync.due())

    threads = [threading.Thread(target=refused) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == [False] * 7 + [True]


def test_a_time_that_cannot_be_asked_leaves_the_refusal(start: Start) -> None:
    """The measurement fails as well: the bot gets the exchange's first word."""
    world = begin(start, "binance", {"at": "order", "do": "clock", "when": [1]})
    client = world.protected()
    client.load_markets()
    client.publicGetTime = lambda params: (_ for _ in ()).throw(ccxt.NetworkError("gone"))
    with pytest.raises(ccxt.InvalidNonce):
        client.create_order(*SPOT_BUY)


def test_in_shadow_mode_the_clients_clock_is_its_own(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that only watches changes nothing of the client."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world = begin(start, "binance")
    client = world.protected()
    client.load_markets()
    client.options["timeDifference"] += 20_000
    for _ in range(2):
        with pytest.raises(ccxt.InvalidNonce):
            client.create_order(*SPOT_BUY)
