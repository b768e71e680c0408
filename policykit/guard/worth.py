"""What an account is worth, and what it owes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from policykit.engine.money import DOWN, UP
from policykit.errors import PolicykitError
from policykit.exchanges.base import price_of


def equity_of(balances: Mapping[str, Decimal], marks: Mapping[str, Decimal], currency: str) -> Decimal:
    """Return what the balances are worth in a currency; an asset without a mark counts 0 (the safe side).

    Raise PolicykitError for a debt without a mark: to count it 0 is the other side.
    """
    total = Decimal(0)
    for asset, quantity in balances.items():
        price = price_of(asset, marks, currency)
        if quantity < 0 and not price:
            raise PolicykitError(f"{asset} is owed, and no price of it in {currency} is known: equity is not known")
        total = DOWN.add(total, DOWN.multiply(quantity, price))  # the bot's own decimal context is not ours
    return total


def debt_of(owed: Mapping[str, Decimal] | None, marks: Mapping[str, Decimal], currency: str) -> Decimal | None:
    """Return what is owed in a currency, rounded up; None where it was not read, or an asset of it has no mark."""
    total = Decimal(0)
    for asset, quantity in (owed or {}).items():
        price = price_of(asset, marks, currency)
        if not price:
            return None
        total = UP.add(total, UP.multiply(quantity, price))
    return None if owed is None else total
