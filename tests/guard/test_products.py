"""What a guard knows of an exchange ends at the products that its adapter can trade."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from policykit.errors import Denied
from policykit.exchanges import load, load_trading, trading
from policykit.order import Order
from tests.guard.world import World, policy_text

SWAP = "BTC/USDT:USDT"


def test_what_can_be_traded() -> None:
    """Binance does spot and USD-M, under its own id and under that of the contracts; COIN-M can only be read.

    Bybit does spot.
    """
    trades = {name: set(load_trading(name).trades) for name in trading()}  # type: ignore[union-attr]
    assert trades == {"binance": {"spot", "swap"}, "binanceusdm": {"swap"}, "bybit": {"spot"}}
    assert load("binancecoinm") is not None
    assert load_trading("binancecoinm") is None


@pytest.mark.parametrize(
    ("scopes", "symbols", "products"),
    [
        ("trade.spot", '["BTC/USDT"]', {"spot"}),
        ("trade.spot", f'["BTC/USDT", "{SWAP}"]', {"spot"}),
        ("trade.spot, trade.derivatives", f'["BTC/USDT", "{SWAP}"]', {"spot", "swap"}),
        ("trade.spot, trade.derivatives", '["*/USDT:USDT", "!LUNA*"]', {"swap"}),
        ("trade.spot, trade.derivatives", '["*"]', {"spot", "swap"}),
        ("trade.derivatives", '["BTC/USDT"]', set()),
    ],
)
def test_products_follow_the_key_and_the_symbols(
    start: Callable[..., World], scopes: str, symbols: str, products: set[str]
) -> None:
    """A guard reads the wallets its key trades from, and no others: a key of spot may not read those of futures."""
    text = policy_text().replace('["BTC/USDT", "ETH/USDT"]', symbols).replace("trade.spot]", f"{scopes}]")
    guard = start(text=text).guard(ready=False)
    assert set(guard.adapter.trades) == products
    assert set(guard.traits.products) == products


@pytest.mark.parametrize("reduce_only", [False, True])
def test_an_order_on_a_product_that_is_not_traded(start: Callable[..., World], reduce_only: bool) -> None:
    """With a key of spot no order on a contract leaves, nor one that says it reduces: a denial with its own code."""
    text = policy_text().replace('["BTC/USDT", "ETH/USDT"]', f'["BTC/USDT", "{SWAP}"]')
    world = start(text=text)
    guard = world.guard()
    order = Order(
        SWAP,
        side="sell" if reduce_only else "buy",
        type="limit",
        quantity=Decimal("0.01"),
        price=Decimal(60_000),
        reduce_only=reduce_only,
    )
    with pytest.raises(Denied) as caught:
        guard.decide(order)
    assert [reason.code for reason in caught.value.decision.reasons] == ["PRODUCT_NOT_TRADED"]
    client = world.protected(guard)
    client.load_markets()
    with pytest.raises(Denied):
        client.create_order(SWAP, "limit", order.side, 0.01, 60_000, {"reduceOnly": reduce_only})
    assert world.sent == []
    assert [name for name in world.sim.truth.by_route if not name.startswith("GET")] == []
