"""Paper against the simulated exchange's own fills: one bot, one price path, one clock; how far paper is off.

Run it with `-s` to see the figures that docs/paper.md names.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.guard.paper_world import paper, paper_text
from tests.guard.world import SYMBOL

_WIDE = {"begins": "[10000000 USDT, 100 BTC]", "order": "1000000 USDT", "position": "95% of equity"}


class Run(NamedTuple):
    """What came of one run: mean slippage of what took, in basis points of the mid; and how much of the rest filled."""

    slippage: float
    fill_ratio: float
    orders: int


def trade(tmp_path: Path, stage: str, rounds: int, size: float) -> Run:
    """Let the bot trade: a market order, and a limit order a little away that lives for half a minute."""
    text = paper_text(stage, **_WIDE)
    if stage != "paper":
        text = text.replace("tracking", "execution").replace("[read]", "[read, trade.spot]")
    tmp_path.mkdir()
    with paper(tmp_path, text, balances={"USDT": "10000000", "BTC": "100"}, seed=7) as w:
        w.sim.pin(SYMBOL, None)
        guard, draw = w.guard(), random.Random(3)
        client: Any = w.protected(guard)
        slips, meant, got = [], 0.0, 0.0
        for number in range(rounds):
            w.clock.sleep(max(0.0, (number + 1) * 60 - (w.clock.now_ms() - _START) / 1000))
            guard.maintain()
            quote = client.fetch_ticker(SYMBOL)
            mid = (quote["bid"] + quote["ask"]) / 2
            side = "buy" if number % 2 == 0 else "sell"
            done = client.create_order(SYMBOL, "market", side, size)
            slips.append((done["average"] / mid - 1) * (1 if side == "buy" else -1) * 10_000)
            away = 1 - draw.choice((0.0002, 0.0005, 0.001))
            rests = client.create_order(SYMBOL, "limit", "buy", size, round(mid * away, 2))
            for _ in range(6):
                w.clock.sleep(5)
                guard.maintain()
            seen = client.fetch_order(rests["id"], SYMBOL)
            if seen["status"] == "open":
                client.cancel_order(rests["id"], SYMBOL)
            meant, got = meant + size, got + seen["filled"]
        return Run(sum(slips) / len(slips), got / meant, rounds * 2)


#: The time at which a simulated clock starts.
_START = 1_795_255_200_000


def test_small_orders_fill_on_paper_as_they_do_for_real(tmp_path: Path, tier: Callable[[int, int], int]) -> None:
    """Within a basis point of slippage, and never more of what rests than really filled."""
    rounds = tier(3, 60)
    real, on_paper = (trade(tmp_path / stage, stage, rounds, 0.5) for stage in ("full-live", "paper"))
    print(f"\n0.5 BTC, {real.orders} orders: slippage {real.slippage:.2f} bp real, {on_paper.slippage:.2f} bp paper; ")
    print(f"resting orders filled {real.fill_ratio:.0%} real, {on_paper.fill_ratio:.0%} paper")
    assert abs(on_paper.slippage - real.slippage) < 1
    assert on_paper.fill_ratio <= real.fill_ratio
    assert real.fill_ratio - on_paper.fill_ratio < 0.5  # 0.08 over 80 orders


def test_a_large_order_pays_for_its_size_on_paper(tmp_path: Path) -> None:
    """The simulated exchange has no depth, so there a large order costs nothing; on paper it walks the book."""
    real, on_paper = (trade(tmp_path / stage, stage, 1, 12.0) for stage in ("full-live", "paper"))
    assert on_paper.slippage > real.slippage
