"""What an account is worth."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from policykit.engine.money import DOWN
from policykit.exchanges.base import price_of


def equity_of(balances: Mapping[str, Decimal], marks: Mapping[str, Decimal], currency: str) -> Decimal:
    """Return what the balances are worth in a currency; an asset without a mark counts 0 (the safe side)."""
    total = Decimal(0)
    for asset, quantity in balances.items():
        worth = DOWN.multiply(quantity, price_of(asset, marks, currency))  # the bot's own decimal context is not ours
        total = DOWN.add(total, worth)
    return total
