"""The loop of partial fills behind a guard (PITFALLS, story 9): what really filled decides when a bot enters again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard
from tests.guard.world import PRICE, SYMBOL, World, policy_text

Start = Callable[..., World]
#: It crosses the book, so that it fills at once, by as much as the exchange lets it.
ENTRY = (SYMBOL, "limit", "buy", 0.01, 60_100)


def begin(start: Start, fields: str, *parts: int, share: float = 0.3) -> tuple[World, Guard, Any]:
    """Start an exchange on which the orders of these ordinals fill in part; a guard, a client behind it."""
    text = policy_text().replace("  max_open_orders", f"  partial_fills: {fields}\n  max_open_orders")
    world = start({"at": "order", "do": "partial", "when": list(parts), "share": share}, text=text)
    guard = world.guard()
    return world, guard, world.protected(guard)


def refused(client: Any, *order: Any) -> list[str]:
    """Return the codes of a denial."""
    with pytest.raises(Denied) as caught:
        client.create_order(*(order or ENTRY))
    return [reason.code for reason in caught.value.decision.reasons]


def later(world: World, guard: Guard, seconds: float) -> None:
    """Let time pass, and the guard look."""
    world.clock.advance(seconds)
    guard.maintain()


def test_a_bot_that_loops_is_stopped(start: Start) -> None:
    """Buys, gets 30 %, cancels, sells at a loss, buys again: once a minute, twice, and then no more within the hour."""
    world, guard, client = begin(start, "{max_reentries: 2, cooldown: 60s}", *range(1, 99, 2))
    for turn in range(3):
        bought = client.create_order(*ENTRY)
        assert bought["filled"] == 0.003
        client.cancel_order(bought["id"], SYMBOL)
        later(world, guard, 8)
        assert refused(client) == ["PARTIAL_COOLDOWN"]
        assert client.create_order(SYMBOL, "market", "sell", 0.00299)["status"] == "closed"  # the fee was in coin
        later(world, guard, 61)
        assert len([order for order in world.sim.truth.executed if order.side == "buy"]) == turn + 1
    assert refused(client) == ["PARTIAL_REENTRIES"]
    again = world.guard()
    assert refused(world.protected(again)) == ["PARTIAL_REENTRIES"]
    client.create_order("ETH/USDT", "limit", "buy", 0.1, 2_000)
    later(world, guard, 3_600)
    client.create_order(*ENTRY)


def test_an_entry_that_fills_wholly_ends_the_count(start: Start) -> None:
    """One in part, then a whole one: the next enters at once."""
    world, guard, client = begin(start, "{max_reentries: 1, cooldown: 5s}", 1)
    client.cancel_order(client.create_order(*ENTRY)["id"], SYMBOL)
    later(world, guard, 8)
    whole = client.create_order(*ENTRY)
    assert whole["filled"] == 0.01
    client.create_order(*ENTRY)
    client.create_order(*ENTRY)


def test_a_crumb_is_waited_for(start: Start) -> None:
    """5 % of an entry filled and the rest is out: another waits until it is cancelled; the exit of the 5 % does not."""
    world, guard, client = begin(start, "{min_fill_to_act: 10%}", 1, share=0.05)
    out = client.create_order(*ENTRY)
    assert (out["filled"], out["status"]) == (0.0005, "open")
    assert refused(client) == ["PARTIAL_FILL"]
    assert refused(client, SYMBOL, "limit", "buy", 0.01, 50_000) == ["PARTIAL_FILL"]
    client.create_order(SYMBOL, "limit", "sell", 0.00049, float(PRICE) + 500)
    client.cancel_order(out["id"], SYMBOL)
    later(world, guard, 8)
    client.create_order(*ENTRY)


def test_what_fills_while_it_rests_is_seen_by_the_next_round(start: Start) -> None:
    """The part that fills later, of which no answer tells, is found in the list of open orders; then all of it."""
    world, guard, client = begin(start, "{cooldown: 60s}", 1, share=0.5)
    resting = client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    world.sim.pin(SYMBOL, 58_900)
    world.clock.advance(1)
    world.sim.pin(SYMBOL, PRICE)
    later(world, guard, 4)
    filled = Decimal(str(world.sim.client().fetch_order(resting["id"], SYMBOL)["filled"]))
    partials = guard.facts().partials
    assert partials is not None
    assert 0 < filled < Decimal("0.01")
    assert partials[SYMBOL].least == filled * 100
    assert refused(client) == ["PARTIAL_COOLDOWN"]
    world.sim.pin(SYMBOL, 58_900)
    later(world, guard, 8)
    assert guard.facts().partials == {}
    client.create_order(*ENTRY)


def test_a_candidate_beside_is_counted_for(start: Start) -> None:
    """A candidate that limits partial fills and trades is told of both; the active policy of neither."""
    world = start()
    candidate = world.policy.with_name("next.yaml")
    more = "  partial_fills: {cooldown: 60s}\n  consecutive_losses: {limit: 3}\n  max_open_orders"
    candidate.write_text(policy_text().replace("  max_open_orders", more), encoding="utf-8")
    guard = world.guard(shadow=candidate)
    assert (guard.facts().partials, guard.facts().streak) != (None, None)
    client = world.protected(guard)
    client.create_order(*ENTRY)
    assert guard.shadow is not None
    assert guard.shadow.differed == 0
    assert world.guard().facts().groups == ()
