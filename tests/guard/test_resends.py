"""A re-send of an order that was proved absent is that order over again: its own attempts stand in no entry's way."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.orders.intent import Intent, Outcome
from tests.guard.world import SYMBOL, World, kinds, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
WINDOWS = """\
  duplicate_window: 1m
  entry_cooldown: 1m
  repeated_execution: {limit: 1, per: 1m}
"""


def text(attempts: int = 2, windows: str = WINDOWS, orders: int = 1000) -> str:
    """Return a policy with windows of entries."""
    made = policy_text(orders=orders).replace("attempts: 2", f"attempts: {attempts}").replace("10s", "5m")
    return made.replace("retry:\n", f"{windows}retry:\n").replace("expires_after: 30s", "expires_after: 60s")


def codes(denied: pytest.ExceptionInfo[Denied]) -> list[str]:
    """Return the codes of a denial."""
    return [reason.code for reason in denied.value.decision.reasons]


@pytest.mark.parametrize("drops", [1, 2])
def test_own_attempts_do_not_count(start: Callable[..., World], drops: int) -> None:
    """Dropped once or twice on its way it is sent again and executed once; an order like it is denied by all three."""
    fault = {"at": "order", "do": "drop", "when": list(range(1, drops + 1))}
    world = start(fault, text=text(attempts=3, windows=WINDOWS.replace("1m", "2m")))
    guard = world.guard()
    client = world.protected(guard)
    assert client.create_order(*BUY)["status"] == "open"
    assert world.sent == [("buy", Decimal("0.01"))]
    assert kinds(guard).count("absent") == drops
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert codes(denied) == ["ORDER_DUPLICATE", "RATE_COOLDOWN", "RATE_REPEATED"]


def test_what_others_sent_meanwhile_counts(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry admitted elsewhere while the first is looked up counts: the re-send is denied, none is out."""
    world = start({"at": "order", "do": "drop", "when": [1]}, text=text(windows="  entry_cooldown: 1m\n"))
    guard = world.guard()
    client = world.protected(guard)
    conclude = guard.conclude

    def concluded(intent: Intent, outcome: Outcome, **more: Any) -> Intent:
        if outcome.state == "absent":
            (hold,) = (hold for hold in intent.holds if hold.check == "risk.entry_cooldown")
            assert guard.store.use((hold._replace(limit=2),), guard.now()).granted
        return conclude(intent, outcome, **more)

    monkeypatch.setattr(guard, "conclude", concluded)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert codes(denied) == ["RATE_COOLDOWN"]
    assert world.sent == []


def test_an_own_attempt_that_left_the_window_lifts_nothing(start: Callable[..., World]) -> None:
    """The first attempt is older than the window when it is sent again: the limit is the policy's own."""
    world = start({"at": "order", "do": "drop", "when": [1]}, text=text(windows="  entry_cooldown: 10s\n"))
    guard = world.guard()
    assert world.protected(guard).create_order(*BUY)["status"] == "open"
    (intent,) = guard.store.intents()
    assert [hold.limit for hold in intent.holds if hold.check == "risk.entry_cooldown"] == [1]


def test_orders_and_messages_are_counted_as_sent(start: Callable[..., World]) -> None:
    """A re-send is one more order on the wire: `max_orders` counts both, and here denies the second."""
    world = start({"at": "order", "do": "drop", "when": [1]}, text=text(orders=1))
    with pytest.raises(Denied) as denied:
        world.protected().create_order(*BUY)
    assert codes(denied) == ["RATE_ORDERS"]
    assert world.sent == []
