"""What a guard knows of an exchange ends at the products that its adapter can trade."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from policykit import traits
from policykit.errors import Denied
from policykit.exchanges import load, load_trading, trading
from policykit.order import Order
from tests.guard.world import World, policy_text

SWAP = "BTC/USDT:USDT"


def test_only_spot_is_traded_though_more_is_known() -> None:
    """Facts of contracts are there for lint; the one adapter that trades does spot, those of futures only read."""
    binance = traits.load("binance")
    adapter = load_trading("binance")
    assert binance is not None
    assert adapter is not None
    assert sorted(binance.products) == ["spot", "swap"]
    assert adapter.trades == {"spot"}
    for futures in ("binanceusdm", "binancecoinm"):
        assert load(futures) is not None
        assert load_trading(futures) is None
    assert trading() == ("binance",)


@pytest.mark.parametrize("reduce_only", [False, True])
def test_an_order_on_a_contract_is_never_sent(start: Callable[..., World], reduce_only: bool) -> None:
    """With a policy that allows contracts, no order of one leaves: neither an increase nor what says it reduces."""
    text = policy_text().replace('["BTC/USDT", "ETH/USDT"]', f'["BTC/USDT", "{SWAP}"]')
    world = start(text=text.replace("trade.spot]", "trade.spot, trade.derivatives]"))
    guard = world.guard()
    assert sorted(guard.traits.products) == ["spot"]
    order = Order(
        SWAP,
        side="sell" if reduce_only else "buy",
        type="limit",
        quantity=Decimal("0.01"),
        price=Decimal(60_000),
        reduce_only=reduce_only,
    )
    with pytest.raises((Denied, KeyError)):
        guard.decide(order)
    client = world.protected(guard)
    client.load_markets()
    with pytest.raises((Denied, KeyError)):
        client.create_order(SWAP, "limit", order.side, 0.01, 60_000, {"reduceOnly": reduce_only})
    assert world.sent == []
    assert [name for name in world.sim.truth.by_route if not name.startswith("GET")] == []
