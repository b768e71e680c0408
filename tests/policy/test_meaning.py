"""What values mean together, held against trying it: rows of orders through windows, caps by position."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

from policykit.engine.case import Case
from policykit.engine.checks.position_notional import PositionNotional
from policykit.model import CountWindow
from policykit.model.types import BoundsBySymbol
from policykit.order import Order
from policykit.policy.meaning import ByPosition, caps_by_position, least, window
from policykit.units import Amount, Duration, Share
from tests.engine.worlds import FACTS, NOW, engine

#: Moments at which orders may be sent, and how many at each.
MOMENTS = 6


def passes(rows: tuple[int, ...], limit: int, per: int) -> bool:
    """Tell whether a rolling window lets a row of counts through, one a moment."""
    return all(sum(rows[max(0, end - per + 1) : end + 1]) <= limit for end in range(len(rows)))


def test_I16_windows_compare_as_the_rows_that_they_let_through() -> None:
    """Every pair of small windows, against every row of up to four orders at each of six moments."""
    rows = list(product(range(5), repeat=MOMENTS))
    windows = [(limit, per) for limit in (1, 2, 3, 4) for per in (1, 2, 3, 6)]
    through = {one: {row for row in rows if passes(row, *one)} for one in windows}
    for old, new in product(windows, windows):
        sides = window(*(CountWindow.model_construct(limit=limit, per=Duration(per)) for limit, per in (old, new)))
        said = bool(through[new] - through[old]), bool(through[old] - through[new])
        # What such rows show is so; and where the densest row of each is among them, they show all that is so.
        assert said[0] <= sides.looser, (old, new)
        assert said[1] <= sides.tighter, (old, new)
        if old[1] == new[1] or MOMENTS not in (old[1], new[1]):
            assert (sides.looser, sides.tighter) == said, (old, new)


NAMES = ("default", "BTC/USDT", "BTC/USDC", "BTC", "BTC/USDT:USDT", "ETH/USDT:USDT", "ETH")
MARKETS = ("BTC/USDT", "BTC/USDC", "BTC/USDT:USDT", "BTC/USDC:USDC", "ETH/USDT", "ETH/USDT:USDT", "SOL/USDT")


def caps(draw: random.Random) -> dict[str, Any]:
    """Return a random map of caps."""
    return {name: f"{draw.choice((1, 2, 3))}000 USDT" for name in draw.sample(NAMES, draw.choice((0, 1, 2, 3)))}


def bounds(said: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each market with what the engine's own check holds its position to."""
    made = engine({"risk.max_position_notional": said or None})
    check = next(c for c in made.checks if isinstance(c, PositionNotional))
    for symbol in MARKETS:
        case = Case(made.setup, FACTS, Order(symbol, "buy", "limit", Decimal(1), Decimal(1)), NOW)
        yield symbol, least(check.bounds(case))


def test_I16_caps_compare_as_the_engine_applies_them(tier: Callable[[int, int], int]) -> None:
    """Random maps: some entry is looser exactly if the engine bounds the position of some market less."""
    draw, seen = random.Random(9), set()
    for _ in range(tier(120, 3_000)):
        old, new = caps(draw), caps(draw)
        typed = [{name: (_amount(text),) for name, text in side.items()} for side in (old, new)]
        positions = ByPosition(typed[0]), ByPosition(typed[1])
        changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
        sides = [caps_by_position(*positions, name) for name in changed]
        was, now = dict(bounds(old)), dict(bounds(new))
        looser = any(_less(now[market], was[market]) for market in MARKETS)
        tighter = any(_less(was[market], now[market]) for market in MARKETS)
        assert (any(s.looser for s in sides), any(s.tighter for s in sides)) == (looser, tighter), (old, new)
        seen.add((looser, tighter))
    assert len(seen) == 4


def _amount(text: str) -> Amount:
    return Amount(Decimal(text.split(maxsplit=1)[0]), "USDT")


def _less(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return any(name not in one or one[name] > value for name, value in other.items())


def test_a_cap_of_zero_lets_nothing_through_whatever_stands_beside_it() -> None:
    """Of a cap with a bound of nothing no other bound says anything."""
    zero: BoundsBySymbol = {"default": (Amount(Decimal(0), "USDT"), Share(Decimal(1)))}
    none: BoundsBySymbol = {"default": (Share(Decimal(0)),)}
    sides = caps_by_position(ByPosition(zero), ByPosition(none), "default")
    assert (sides.looser, sides.tighter) == (False, False)
