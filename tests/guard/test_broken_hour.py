"""A bot that loops for an hour while everything breaks: no order twice, no cap overrun, never stuck for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

import ccxt
import pytest

from policykit.sim.damage import HOWS
from tests.guard.bots import KINDS
from tests.guard.broken import EXCHANGES, Broken, broken

#: Seconds between two signals; 720 of them are an hour.
SIGNAL_S = 5
#: What may be held, in USDT, and what a fill may cost beyond the price that was decided on.
CAP = 7_500
SLIPPAGE = Decimal("1.01")
#: Damages that cost no wall time.
QUICK = [how for how in HOWS if how not in ("drip", "bomb", "deep")]
#: Of an account these could be true: a loss, a gain, a short, as far as a single answer tells.
LIES = ("negative", "duplicate_keys", "huge")


def weather(seed: str) -> list[dict[str, Any]]:
    """Return what goes wrong in one run: a fifth of all orders, a tenth of everything else."""
    random = Random(seed)
    rules: list[dict[str, Any]] = [
        {"at": "order", "do": "lost_reply", "ratio": 0.08},
        {"at": "order", "do": "drop", "ratio": 0.04},
        {"at": "order", "do": "late", "ratio": 0.04, "wire": 1.0, "processing": 6.0},
        {"at": "order", "do": "unknown", "ratio": 0.02, "executed": random.random() < 0.5},
        {"at": "order", "do": "timeout", "ratio": 0.02},
        {"at": "order", "do": "throttle", "ratio": 0.01, "seconds": 2},
        {"at": "order", "do": "partial", "ratio": 0.1},
        {"at": "order", "do": "lag", "ratio": 0.2, "seconds": 3},
        {"at": "lookup", "do": "drop", "ratio": 0.04},
        {"at": "cancel", "do": "lost_reply", "ratio": 0.1},
        {"at": "cancel", "do": "drop", "ratio": 0.05},
    ]
    for point, ratio in (("order", 0.006), ("lookup", 0.006), ("cancel", 0.006), ("account", 0.003), ("market", 0.003)):
        for how in random.sample(QUICK, 17):
            if point != "account" or how not in LIES:
                executed = random.random() < 0.7
                rules.append({"at": point, "do": "broken", "how": how, "ratio": ratio, "executed": executed})
    return rules


class Loop:
    """A bot that follows random signals and forgets what it was told; it catches ccxt's errors and goes on."""

    def __init__(self, world: Broken, seed: str) -> None:
        self.world = world
        self.random = Random(seed)
        self.resting: list[str] = []
        self.told: Counter[str] = Counter()

    def signal(self) -> None:
        """Do one thing."""
        self.world.later(SIGNAL_S)
        choice = self.random.random()
        try:
            self._act(choice)
        except ccxt.BaseError as error:
            self.told[type(error).__name__] += 1
        else:
            self.told["passed"] += 1

    def _act(self, choice: float) -> None:
        client, symbol = self.world.client, self.world.symbol
        if choice < 0.5:
            client.create_order(symbol, "market", "buy", 0.01)
        elif choice < 0.75:
            params = {"reduceOnly": True} if ":" in symbol else {}
            client.create_order(symbol, "market", "sell", 0.01, None, params)
        elif choice < 0.9 or not self.resting:
            self.resting.append(client.create_order(symbol, "limit", "buy", 0.01, 50_000)["id"])
        else:
            client.cancel_order(self.resting.pop(), symbol)


def executed_per_wish(world: Broken) -> Counter[str]:
    """Return how often each wish of the bot was executed: a re-send has another id and is the same wish."""
    known = world.ours()
    by_id = {intent.id: intent for intent in known.values()}
    count: Counter[str] = Counter()
    for order in world.sent_orders():
        first = known[order.client_order_id]
        while first.replaces is not None:
            first = by_id[first.replaces]
        count[first.id] += 1
    return count


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_I1_an_hour_in_a_broken_world(folder: Path, tier: Callable[[int, int], int], exchange: str, kind: str) -> None:
    """Whatever the seed: each wish is executed once at most, the cap holds, and afterwards a good order passes."""
    with broken(folder, exchange, kind, cap=f"{CAP} USDT") as world:
        world.world.sim.strike(*weather(f"{exchange} {kind}"))
        loop = Loop(world, f"{exchange} {kind}")
        for _ in range(tier(12, 720)):
            loop.signal()
        struck = world.world.sim.truth.fault_counts()
        assert sum(struck.values()) > 3, "nothing went wrong"
        assert loop.told["passed"] > 3, loop.told
        assert max(executed_per_wish(world).values()) == 1
        truth = world.world.sim.truth
        asset = world.symbol if ":" in world.symbol else "BTC"
        assert truth.max_position_notional(asset) <= CAP * SLIPPAGE
        world.world.sim.strike()
        world.later(61, 3)
        world.settle()
        assert max(executed_per_wish(world).values()) == 1
        world.guard.maintain()
        for price in (50_000, 49_000):
            assert world.trade("buy", 0.001, price).error is None, "a good order does not pass afterwards"
        assert world.trade("sell", 0.001, 70_000).error is None or world.world.sim.position("BTC") < Decimal("0.001")
        assert world.guard.store.verify()[1] is None
