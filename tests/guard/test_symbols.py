"""`risk.symbols` as people write it: globs with exclusions, and the prices of what a glob allows and nobody named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit import Denied
from policykit.guard import Guard, enforce
from policykit.guard.pricing import MAX_WANTED, Wanted
from policykit.testing import Symbol
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.world import World, policy_text

ZERO = Decimal(0)
MARKETS = (
    Symbol("BTC", "USDT", Decimal(60_000)),
    Symbol("ETH", "USDT", Decimal(3_000)),
    Symbol("LUNA", "USDT", Decimal(100)),
    Symbol("LUNA2", "USDT", Decimal(100)),
    Symbol("ETH", "BTC", Decimal("0.05"), tick=Decimal("0.00001"), min_price=ZERO, min_notional=ZERO),
)


def world(start: Callable[..., World], symbols: str, **more: Any) -> World:
    """Give an exchange with five markets and a policy of these symbols."""
    text = policy_text(position="90% of equity", **more).replace('["BTC/USDT", "ETH/USDT"]', symbols)
    return start(text=text, symbols=MARKETS, amplitude=0, balances={"USDT": 100_000, "BTC": 1})


def buys(client: Any, *symbols: str) -> list[str]:
    """Buy for about 50 USDT on each of the markets; return what became of each."""
    became = []
    for symbol in symbols:
        price = client.fetch_ticker(symbol)["bid"] * 0.999
        try:
            became.append(
                client.create_order(symbol, "limit", "buy", 50 / price if price > 1 else 0.02, price)["status"]
            )
        except Denied as denied:
            became.append(denied.decision.reasons[0].code)
    return became


@pytest.mark.parametrize(
    ("symbols", "became"),
    [
        ('["*/USDT", "!LUNA*"]', ["open", "open", "RISK_SYMBOL", "RISK_SYMBOL", "RISK_SYMBOL"]),
        ('["*/USDT", "!LUNA/*"]', ["open", "open", "RISK_SYMBOL", "open", "RISK_SYMBOL"]),
        ('["!LUNA*"]', ["open", "open", "RISK_SYMBOL", "RISK_SYMBOL", "open"]),
        ('["ETH/*"]', ["RISK_SYMBOL", "open", "RISK_SYMBOL", "RISK_SYMBOL", "open"]),
        ('["*"]', ["open", "open", "open", "open", "open"]),
    ],
)
def test_a_glob_allows_what_it_says_from_the_first_order_on(
    start: Callable[..., World], symbols: str, became: list[str]
) -> None:
    """Nobody has named these markets, so nobody has priced them: the client reads the price with the first order."""
    client = world(start, symbols).protected()
    assert buys(client, "BTC/USDT", "ETH/USDT", "LUNA/USDT", "LUNA2/USDT", "ETH/BTC") == became


def test_an_async_client_reads_the_first_price_as_well(start: Callable[..., World]) -> None:
    """Without waiting on anything but its own request; a batch reads that of all its markets."""
    here = world(start, '["*/USDT"]')
    guard = here.guard()

    async def trade() -> list[str]:
        client = guard.protect(here.sim.client(async_=True))
        try:
            placed = [await client.create_order("ETH/USDT", "limit", "buy", 0.01, 2_900)]
            placed += await client.create_orders(
                [
                    {"symbol": s, "type": "limit", "side": "buy", "amount": 0.5, "price": 99}
                    for s in ("LUNA/USDT", "LUNA2/USDT")
                ]
            )
            return [one["status"] for one in placed]
        finally:
            await client.close()

    assert asyncio.run(trade()) == ["open", "open", "open"]


def test_what_was_asked_for_stays_priced(start: Callable[..., World]) -> None:
    """The next rounds read it too, by the poller and by a guard that is not: each prices what its own bot asks for."""
    here = world(start, '["*/USDT"]')
    poller, other = here.guard(), here.guard()
    for guard, symbol in ((poller, "ETH/USDT"), (other, "LUNA/USDT")):
        assert buys(here.protected(guard), symbol) == ["open"]
    here.clock.advance(9)
    poller.maintain()
    other.maintain()
    ages = {symbol: here.clock.now_ms() - mark.as_of_ms for symbol, mark in poller.facts().marks.items()}
    assert set(ages) == {"BTC/USDT", "ETH/USDT", "LUNA/USDT"}
    assert max(ages.values()) < 1_000


def test_behind_enforce_the_first_order_is_denied_and_the_next_passes(start: Callable[..., World]) -> None:
    """There is no client to read with: the denial says so, and the next round of maintenance reads the price."""
    here = world(start, '["*/USDT"]')
    guard = here.guard()

    @enforce(guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> str:
        return "sent"

    with pytest.raises(Denied) as denied:
        buy("ETH/USDT", "buy", 0.01, 2_900)
    assert denied.value.decision.reasons[0].code == "PRICE_MISSING"
    assert "try again in a few seconds" in str(denied.value)
    guard.maintain()
    assert buy("ETH/USDT", "buy", 0.01, 2_900) == "sent"


def test_a_market_that_is_not_there_is_denied(start: Callable[..., World]) -> None:
    """A glob allows names that the exchange does not list; no price is read, and rounds go on."""
    here = world(start, '["*/USDT"]')
    guard = here.guard()

    @enforce(guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> None:
        """Send nothing."""

    for _ in range(2):
        with pytest.raises(Denied) as denied:
            buy("NOPE/USDT", "buy", 1, 1)
        assert denied.value.decision.reasons[0].code == "PRICE_MISSING"
        guard.maintain()
    assert buys(here.protected(guard), "ETH/USDT") == ["open"]


def test_the_markets_asked_for_are_bounded(start: Callable[..., World]) -> None:
    """Those asked for first make room; a named market, one that is not allowed and what is no name take none."""
    guard: Guard = world(start, '["BTC/USDT", "X*"]').guard(ready=False)
    wanted = Wanted()
    for odd in ("BTC/USDT", "ETH/USDT", None, ["X"], 7):
        assert not wanted.add(guard.policy, odd)
    for number in range(MAX_WANTED + 1):
        assert wanted.add(guard.policy, f"X{number}")
    assert not wanted.add(guard.policy, "X1")
    assert len(list(wanted)) == MAX_WANTED
    assert wanted.add(guard.policy, "X0")


@pytest.mark.parametrize("more", ["", "  max_leverage: 25\n", "  max_slippage: 1%\n", "  max_funding_rate: 1%\n"])
def test_a_glob_of_contracts_allows_from_the_first_order_on(start: Callable[..., World], more: str) -> None:
    """Size, mark, bids and asks, and what is set of the contract: all that a check of the policy asks for is there."""
    text = policy(more=more).replace('["BTC/USDT:USDT", "ETH/USDT:USDT"]', '["*/USDT:USDT", "!ETH*"]')
    client = contracts(start, text=text).protected()
    assert client.create_order(SWAP, "market", "buy", 0.01)["status"] == "closed"
    with pytest.raises(Denied, match=r"ETH/USDT:USDT is not in symbols \(\*/USDT:USDT, !ETH\*\)"):
        client.create_order("ETH/USDT:USDT", "market", "buy", 0.01)
