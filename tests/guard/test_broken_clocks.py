"""A host's clock that steps by an hour while an order is unknown: nothing is absent too early, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied, OutcomeUnknown
from policykit.testing import SimClock
from tests.guard.bots import KINDS, bot
from tests.guard.world import SYMBOL, World, kinds, policy_text

BRIEF = policy_text().replace("expires_after: 30s", "expires_after: 30s, wait: 1s")
#: It arrives 1 s after the connection was cut, and is matched 9 s later: 10 s in which no look-up shows it.
LATE = {"at": "order", "do": "late", "when": [1], "wire": 1.0, "processing": 9.0}
ONE = [("buy", Decimal("0.01"))]
HOUR = 3_600


class Host:
    """The clock of the bot's host: the exchange's, and a step. Its clients sign with the exchange's time, as with
    ccxt's `adjustForTimeDifference`: else the exchange itself would refuse every look-up."""

    def __init__(self, real: SimClock) -> None:
        self.real = real
        self.step_s = 0

    def now_ms(self) -> int:
        return self.real.now_ms() + self.step_s * 1_000

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def host_of(world: World) -> Host:
    """Give the bots of a world a clock of their own."""
    world.clock = Host(world.clock)
    return world.clock


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_I11_a_step_while_the_caller_waits(start: Callable[..., World], step: int, kind: str) -> None:
    """The step comes between two look-ups of `create_order`: it is found all the same, and returned; one order."""
    world = start(LATE)
    host = host_of(world)
    guard = world.guard()
    with bot(world, kind, guard) as client:
        client.load_markets()
        host.real.after(3, lambda: setattr(host, "step_s", step))
        assert client.create_order(SYMBOL, "market", "buy", 0.01)["filled"] == 0.01
    assert world.sent == ONE
    assert "absent" not in kinds(guard)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_I11_a_step_while_it_is_recovered(start: Callable[..., World], step: int, kind: str) -> None:
    """The step comes before a round of maintenance: that round proves nothing, entries wait, and it is found later."""
    world = start(LATE, text=BRIEF)
    host = host_of(world)
    guard = world.guard()
    with bot(world, kind, guard) as client:
        with pytest.raises(OutcomeUnknown):
            client.create_order(SYMBOL, "market", "buy", 0.01)
        host.step_s = step
        guard.maintain()
        with pytest.raises(Denied) as denied:
            client.create_order(SYMBOL, "market", "buy", 0.01)
        assert "CLOCK_SKEW" in {reason.code for reason in denied.value.decision.reasons}
        assert [intent.state for intent in guard.store.intents()] == ["unknown"]
        host.real.advance(12)
        guard.maintain()
        assert (world.sent, guard.store.intents()) == (ONE, [])
        with pytest.raises(Denied):  # until the clock is mended
            client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
        host.step_s = 0
        host.real.advance(max(0, step))  # what was read an hour ahead is the newest until then: increases wait
        guard.maintain()
        assert client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)["status"] == "open"
    assert "absent" not in kinds(guard)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
def test_I11_a_step_before_a_restart(start: Callable[..., World], step: int) -> None:
    """The process ends, the clock steps, another one starts: its first round, which knows no skew, proves nothing."""
    world = start(LATE, text=BRIEF)
    host = host_of(world)
    guard = world.guard()
    with pytest.raises(OutcomeUnknown):
        world.protected(guard).create_order(SYMBOL, "market", "buy", 0.01)
    guard.store.close()
    host.step_s = step
    again = world.guard()
    assert [intent.state for intent in again.store.intents()] == ["unknown"]
    host.step_s = 0
    world.clock.advance(30)
    again.maintain()
    assert (world.sent, again.store.intents()) == (ONE, [])


def test_I11_an_exit_that_a_clock_an_hour_ahead_sends(start: Callable[..., World]) -> None:
    """Exits pass with a clock that is wrong; its own hour is no hour at the exchange, so nothing is sold twice."""
    world = start(LATE | {"at": "order"}, balances={"USDT": Decimal(90_000), "BTC": Decimal("0.02")})
    host = host_of(world)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    host.step_s = HOUR
    assert client.create_order(SYMBOL, "market", "sell", 0.01)["filled"] == 0.01
    host.real.advance(30)
    guard.maintain()
    assert world.sent == [("sell", Decimal("0.01"))]
    assert "absent" not in kinds(guard)
