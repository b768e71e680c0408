"""Lists as what they stand for: symbols and minutes, held against trying them one by one."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import product

import pytest

from policykit.engine.checks.trading_hours import TradingHoursCheck
from policykit.engine.market import parse_market
from policykit.model import languages
from policykit.model.languages import Beyond, beyond, minutes
from policykit.model.symbols import allows
from tests.engine.worlds import NOW, engine

#: Every market of one or two letters a part.
PARTS = ("A", "B", "AB", "BA", "AA")
MARKETS = [f"{base}/{quote}" for base, quote in product(PARTS, PARTS)]
MARKETS += [f"{market}:{settle}" for market, settle in product(MARKETS, ("A", "B", "AB"))]
MARKETS += [f"{market}-1" for market in MARKETS if ":" in market]


def patterns(draw: random.Random) -> tuple[str, ...] | None:
    """Return a random list of patterns, now and then none."""
    if draw.random() < 0.05:
        return None
    made = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        text = "".join(draw.choice(("A", "B", "*", "/", ":", "*/", "A/")) for _ in range(draw.choice((1, 2, 3, 4))))
        made.append(draw.choice(("", "", "!")) + (draw.choice(MARKETS) if draw.random() < 0.4 else text))
    return tuple(made)


def allowed(one: tuple[str, ...] | None, symbol: str) -> bool:
    """Say what the check says; None allows every market."""
    return one is None or allows(one, symbol)


def test_I16_a_list_allows_more_exactly_when_a_market_says_so(tier: Callable[[int, int], int]) -> None:
    """Of random pairs: the symbol that is named is one, and where none is named no market of them all is one."""
    draw, found = random.Random(3), [0, 0]
    for _ in range(tier(1_500, 50_000)):
        one, other = patterns(draw), patterns(draw)
        answer = beyond(one, other)
        found[bool(answer.symbol)] += 1
        assert answer.decided
        if answer.symbol:
            assert parse_market(answer.symbol) is not None
            assert allowed(one, answer.symbol)
            assert not allowed(other, answer.symbol)
        else:
            assert [m for m in MARKETS if allowed(one, m) and not allowed(other, m)] == [], (one, other)
    assert min(found) > 100


def test_what_takes_too_many_steps_is_not_decided(monkeypatch: pytest.MonkeyPatch) -> None:
    """It counts as allowing more: closed by default."""
    monkeypatch.setattr(languages, "MAX_STATES", 3)
    answer = beyond(("*A*B*",), ("*B*A*",))
    assert (answer, answer.some) == (Beyond("", decided=False), True)


@pytest.mark.parametrize(
    "texts",
    [
        ("mon-fri 08:00-20:00 UTC",),
        ("sat-mon 22:00-24:00 UTC", "daily 03:15-03:16 UTC"),
        ("sun 00:00-00:01 UTC",),
        ("wed 10:00-09:00 UTC",),
    ],
)
def test_the_minutes_of_trading_hours_are_those_in_which_the_check_lets_trade(texts: tuple[str, ...]) -> None:
    """Of a whole week, minute by minute."""
    check = next(c for c in engine({"risk.trading_hours": list(texts)}).checks if isinstance(c, TradingHoursCheck))
    monday = NOW // (7 * 86_400_000) * 7 * 86_400_000 + 4 * 86_400_000

    class _Case:
        until_ms = 2**63

        def __init__(self, now_ms: int) -> None:
            self.now_ms = now_ms

    let = {m for m in range(7 * 1_440) if not list(check.reasons(_Case(monday + m * 60_000)))}  # type: ignore[arg-type]
    assert let == minutes(texts)
