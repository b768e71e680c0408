"""The guard's own reads have a part of each budget that bots' reads cannot spend."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from policykit.guard.own import OWN, asking
from policykit.model.rate import RateBudget
from tests.guard.world import SYMBOL, World, policy_text

#: Six bots on one account, one of whose guards polls for all; a round every 3 s, as `max_age: 10s` asks for.
BOTS, ROUND_S, ROUNDS = 6, 3, 20
#: Bots that do not wait for their budget: they ask again at once.
TEXT = policy_text(weight=2000, open=1000, orders=10_000).replace("retry:", "retry:\n  data: {wait_max: 1ms}", 1)


def greedy(world: World) -> tuple[int, list[str], int]:
    """Have six bots read as fast as they can; return reads that passed, the codes of denied entries, the worst age."""
    guards = [world.guard() for _ in range(BOTS)]
    clients = [world.protected(guard) for guard in guards]
    for client in clients:
        client.load_markets()
    passed, codes, oldest = 0, [], 0
    for number in range(ROUNDS):
        for client in clients:
            try:
                while True:
                    client.fetch_tickers()
                    passed += 1
            except ccxt.RateLimitExceeded:
                continue
        for guard in guards:
            guard.maintain()
        equity = guards[0].facts().equity
        assert equity is not None
        oldest = max(oldest, world.clock.now_ms() - equity.as_of_ms)
        try:
            clients[number % BOTS].create_order(SYMBOL, "limit", "buy", 0.001, 59_000)
        except Denied as denied:
            codes += [reason.code for reason in denied.decision.reasons]
        world.clock.advance(ROUND_S)
    return passed, codes, oldest


def test_I7_bots_that_read_as_fast_as_they_can_starve_no_poller(start: Callable[..., World]) -> None:
    """Facts stay fresh in every round, every entry passes, the exchange never says 429, and bots read what is left."""
    world = start(text=TEXT)
    passed, codes, oldest = greedy(world)
    assert (codes, oldest) == ([], 0)
    assert world.sim.truth.throttled == 0
    assert len(world.sent) == ROUNDS
    worst = world.sim.truth.worst_minute()[1]
    assert 0 < passed * 80 <= 2 * 700
    assert worst <= 1400


def test_control_without_a_part_of_its_own_the_poller_starves(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bots where reads may spend all that entries may: facts grow old, and entries are denied for it."""
    monkeypatch.setattr(RateBudget, "for_reads", RateBudget.for_entries)
    _, codes, oldest = greedy(start(text=TEXT))
    assert "FACTS_STALE" in codes
    assert oldest > 10_000


def test_a_look_up_of_an_unknown_order_passes_when_bots_have_spent_theirs(start: Callable[..., World]) -> None:
    """What became of an order is asked at once, though no read of a bot would pass any more."""
    world = start({"at": "order", "do": "lost_reply", "when": [1]}, text=TEXT)
    client = world.protected()
    client.load_markets()
    with pytest.raises(ccxt.RateLimitExceeded):
        while True:
            client.fetch_tickers()
    began = world.clock.now_ms()
    assert client.create_order(SYMBOL, "limit", "buy", 0.001, 59_000)["status"] == "open"
    assert world.clock.now_ms() - began <= 2_000


@pytest.mark.parametrize(
    ("limit", "at_most", "exits", "entries", "reads"),
    [(6000, "80%", "10%", 4200, 2100), (101, "100%", "0%", 101, 51), (10, "10%", "10%", 0, 0)],
)
def test_what_reads_may_use(limit: int, at_most: str, exits: str, entries: int, reads: int) -> None:
    """Half of what entries may, rounded up; nothing where those may nothing."""
    said: dict[str, Any] = {"limit": limit, "per": "1m", "window": "fixed", "shared_by": "ip"}
    budget = RateBudget.model_validate(said | {"use_at_most": at_most, "keep_for_exits": exits})
    assert (budget.for_entries, budget.for_reads) == (entries, reads)


def test_what_is_asked_inside_is_the_guards_own_and_nothing_after() -> None:
    """It nests, names what may be called, and ends."""
    assert OWN.get() is None
    with asking():
        with asking("POST /fapi/v1/countdownCancelAll"):
            assert OWN.get() == {"POST /fapi/v1/countdownCancelAll"}
        assert OWN.get() == frozenset()
    assert OWN.get() is None


def test_an_exit_passes_when_reads_have_spent_theirs(start: Callable[..., World]) -> None:
    """A sale of what is held and a cancel are not kept waiting by bots that read."""
    world = start(text=TEXT, balances={"USDT": Decimal(99_400), "BTC": Decimal("0.01")})
    client = world.protected()
    client.load_markets()
    with pytest.raises(ccxt.RateLimitExceeded):
        while True:
            client.fetch_tickers()
    assert client.create_order(SYMBOL, "market", "sell", 0.005)["status"] == "closed"
