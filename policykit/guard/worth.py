"""What an account is worth, and each unit of what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from policykit.engine.market import parse_market
from policykit.engine.money import DOWN, UP
from policykit.exchanges.base import price_of


def equity_of(balances: Mapping[str, Decimal], marks: Mapping[str, Decimal], currency: str) -> Decimal:
    """Return what the balances are worth in a currency; an asset without a mark counts 0 (the safe side)."""
    total = Decimal(0)
    for asset, quantity in balances.items():
        worth = DOWN.multiply(quantity, price_of(asset, marks, currency))  # the bot's own decimal context is not ours
        total = DOWN.add(total, worth)
    return total


def units_of(
    keys: Iterable[str], marks: Mapping[str, Decimal], sizes: Mapping[str, Decimal], currency: str
) -> dict[str, Decimal]:
    """Return what one unit of each position (`BTC`, `BTC/USDT:USDT#long`) is worth in a currency.

    What has no price, or no size, is left out, and so is the currency itself: cash is no exposure.
    """
    found = {key: _unit(key, marks, sizes, currency) for key in keys if key != currency}
    return {key: unit for key, unit in found.items() if unit > 0}


def _unit(key: str, marks: Mapping[str, Decimal], sizes: Mapping[str, Decimal], currency: str) -> Decimal:
    symbol = key.partition("#")[0]
    market = parse_market(symbol)
    if market is None:
        return price_of(key, marks, currency)
    unit = UP.multiply(sizes.get(symbol, Decimal(0)), price_of(market.quote, marks, currency))
    inverse = market.settle == market.base  # it is worth a fixed amount of its quote currency
    return unit if inverse else UP.multiply(unit, marks.get(symbol, Decimal(0)))
