"""Stories 1, 2, 7 and 13 on USD-M contracts, where orders have two families and a sell can open a short."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied, OutcomeUnknown
from tests.guard.bots import Bot
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.world import World

LOST = {"at": "order", "do": "lost_reply", "when": [1]}
#: PITFALLS 24: a conditional order is taken at once, and not to be seen for up to a minute (freqtrade#12681).
HIDDEN = {"at": "order", "do": "lag", "when": [1], "seconds": 60}
BRIEF = policy().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
HELD = Decimal("0.1")


def stop(client: Bot, **params: Any) -> Any:
    """Protect a long of 0.1 contracts, as a bot does that does not say that it only reduces."""
    return client.create_order(SWAP, "stop_market", "sell", 0.1, None, {"triggerPrice": 55_000, **params})


def keep_stopped(world: World, client: Bot) -> None:
    """Place a stop; where it is not to be seen 40 s later, place it again (freqtrade#12681)."""
    for _ in range(2):
        if not client.fetch_open_orders(SWAP, params={"trigger": True}):
            with suppress(ccxt.NetworkError):
                stop(client)
        world.clock.advance(40)


def fall(world: World) -> Decimal:
    """Let the price fall through every stop; return what is held then."""
    world.sim.pin("BTC/USDT", 54_000)
    world.clock.advance(30)
    return world.sim.held(SWAP)


def test_story_1_bare_the_order_fills_twice(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: executed, the reply lost, tried again."""
    world = contracts(start, LOST)
    client = trading(world)
    with pytest.raises(ccxt.NetworkError):
        client.create_order(SWAP, "market", "buy", 0.01)
    client.create_order(SWAP, "market", "buy", 0.01)
    assert world.sim.held(SWAP) == Decimal("0.02")


def test_story_1_with_policykit_it_fills_once(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """It is looked up in its family and returned; the next order passes."""
    world = contracts(start, LOST)
    client = trading(world, world.guard())
    assert client.create_order(SWAP, "market", "buy", 0.01)["filled"] == 0.01
    assert world.sim.held(SWAP) == Decimal("0.01")
    assert client.create_order(SWAP, "limit", "buy", 0.01, 59_000)["status"] == "open"


def test_story_2_bare_a_second_stop_opens_a_short(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: the first stop does not show after 40 s, so a second one is placed; both trigger: a short."""
    world = contracts(start, LOST, HIDDEN)
    world.sim.hold(SWAP, HELD, entry=60_000)
    keep_stopped(world, trading(world))
    assert fall(world) == -HELD


def test_story_2_with_policykit_the_second_stop_waits(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Not visible is not absent: what could open a short is denied until the first stop shows, in its own family."""
    world = contracts(start, LOST, HIDDEN, text=BRIEF)
    world.sim.hold(SWAP, HELD, entry=60_000)
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(OutcomeUnknown) as unknown:
        keep_stopped(world, client)
    assert not isinstance(unknown.value, ccxt.NetworkError)
    world.clock.advance(40)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        keep_stopped(world, client)
    assert [reason.code for reason in denied.value.decision.reasons] == ["ORDER_OUTCOME_PENDING"]
    world.clock.advance(20)
    guard.maintain()
    assert [(intent.state, intent.family) for intent in guard.store.intents()] == [("found", "algo")]
    keep_stopped(world, client)  # it shows, so nothing more is placed
    assert fall(world) == 0


def test_story_2_a_stop_that_only_reduces_passes(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """The legitimate order: an exit is never held up, not even by an unknown stop; it cannot open a short."""
    world = contracts(start, LOST, HIDDEN, text=BRIEF)
    world.sim.hold(SWAP, HELD, entry=60_000)
    client = trading(world, world.guard())
    with pytest.raises(OutcomeUnknown):
        stop(client)
    assert stop(client, reduceOnly=True)["status"] == "open"
    assert fall(world) == 0


class NaiveRisk:
    """Over the cap no order is allowed at all, not even the way out."""

    def __init__(self, client: Bot, cap: Decimal) -> None:
        self.client, self.cap = client, cap

    def sell(self, held: Decimal) -> Any:
        if held * 60_000 > self.cap:
            raise PermissionError("risk: exposure is over the cap")
        return self.client.create_order(SWAP, "market", "sell", float(held), None, {"reduceOnly": True})


def test_story_7_bare_the_stop_loss_is_refused(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: 12,400 held of a cap of 10,000, and the way out is refused too."""
    world = contracts(start)
    world.sim.hold(SWAP, "0.2067", entry=60_000)
    with pytest.raises(PermissionError):
        NaiveRisk(trading(world), Decimal(10_000)).sell(Decimal("0.2067"))
    assert world.sim.held(SWAP) == Decimal("0.2067")


@pytest.mark.parametrize("state", ["over the cap", "REDUCING", "HALTED"])
def test_story_7_with_policykit_exits_pass(
    start: Callable[..., World], trading: Callable[..., Bot], state: str
) -> None:
    """124 % of the cap: a buy is denied, a stop and a market exit are sent; back below the cap a buy passes."""
    world = contracts(start, text=policy(position="10000 USDT"))
    world.sim.hold(SWAP, "0.2067", entry=60_000)
    guard = world.guard()
    if state != "over the cap":
        guard.halt("all", state, "desk", "drill")
    client = trading(world, guard)
    with pytest.raises(Denied):
        client.create_order(SWAP, "limit", "buy", 0.01, 59_000)
    assert stop(client, closePosition=True)["status"] == "open"
    assert client.create_order(SWAP, "market", "sell", 0.2, None, {"reduceOnly": True})["filled"] == 0.2
    guard.store.resume("all", "desk-head", "looked", guard.now())
    world.clock.advance(8)
    guard.maintain()
    assert client.create_order(SWAP, "limit", "buy", 0.01, 59_000)["status"] == "open"


def signal(client: Bot) -> Any:
    """Follow one signal: buy, unless the order or the position is there already."""
    if client.fetch_open_orders(SWAP) or client.fetch_my_trades(SWAP):
        return None
    try:
        return client.create_order(SWAP, "market", "buy", 0.01)
    except ccxt.NetworkError:
        return None


def test_story_13_the_bot_decides_again(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Bare the second signal doubles the position; behind the policy it is denied until the first order is found."""
    faults = (LOST, HIDDEN | {"seconds": 8})
    bare = contracts(start, *faults)
    client = trading(bare)
    signal(client)
    bare.clock.advance(5)
    signal(client)
    assert bare.sim.held(SWAP) == Decimal("0.02")
    world = contracts(start, *faults, text=BRIEF)
    guard = world.guard()
    client = trading(world, guard)
    with pytest.raises(OutcomeUnknown):
        signal(client)
    world.clock.advance(5)
    guard.maintain()
    with pytest.raises(Denied) as denied:
        signal(client)
    assert [reason.code for reason in denied.value.decision.reasons] == ["ORDER_OUTCOME_PENDING"]
    world.clock.advance(4)
    guard.maintain()
    assert world.sim.held(SWAP) == Decimal("0.01")
    assert client.create_order(SWAP, "limit", "buy", 0.01, 59_000)["status"] == "open"
