"""Make the unified calls that an adapter names for a snapshot, over HTTP, and count what they asked."""

from __future__ import annotations

from collections import Counter
from typing import Any

from policykit.exchanges.adapter import Adapter
from policykit.sim import SimServer


def live_calls(
    adapter: Adapter, sim: SimServer, client: Any, symbols: tuple[str, ...] = (), refused: str = ""
) -> Counter[str]:
    """Return how often each endpoint was asked by markets, balances, positions, orders, position mode and prices.

    `refused`: a part of the text with which a balance may be refused that this kind of account does not have.
    """
    before = sim.truth.by_route.copy()
    client.load_markets()
    for reads in adapter.live.values():
        for params in reads.balances:
            try:
                client.fetch_balance(dict(params))
            except Exception as error:
                if not refused or refused not in str(error):
                    raise
        for params in reads.positions:
            client.fetch_positions(None, dict(params))
        for _, params in reads.orders:
            for symbol in symbols if reads.by_symbol else (None,):
                client.fetch_open_orders(symbol, None, None, dict(params))
    if client.has.get("fetchPositionMode"):
        client.fetch_position_mode()
    client.fetch_tickers(["BTC/USDT"])
    return sim.truth.by_route - before
