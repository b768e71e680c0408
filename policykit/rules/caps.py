"""Caps as numbers: what a set of bounds lets through at the equity that a policy states, and where a bound stands."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING

from policykit.units import Amount, Bound, Share, plain

if TYPE_CHECKING:
    from policykit.place import Place
    from policykit.rules.base import Inputs


def max_equity(inputs: Inputs) -> Decimal | None:
    """Return the most that is kept on the account, in its currency; None when the policy does not say."""
    account = inputs.model.account
    return next((a.value for a in account.max_equity or () if a.currency == account.currency), None)


def worth(bound: Bound, currency: str, equity: Decimal | None) -> Decimal | None:
    """Return a bound in a currency, a share of it at this equity; None when it cannot be said."""
    if isinstance(bound, Share):
        return None if equity is None else bound.fraction * equity
    return bound.value if bound.currency == currency else None


def most(bounds: Iterable[Bound], currency: str, equity: Decimal | None) -> Decimal | None:
    """Return what a cap lets through at most at this equity, in a currency; None when no bound says it."""
    values = [v for v in (worth(b, currency, equity) for b in bounds) if v is not None]
    return min(values, default=None)


def judged(bounds: tuple[Bound, ...], currency: str, equity: Decimal | None) -> tuple[int, Share] | None:
    """Return the bound that says which share of equity a cap lets through, by its index, and that share.

    The smallest share of those that it says; without one, an amount of the account's currency as a part of the most
    equity that there may be. None: it cannot be said.
    """
    shares = [(index, bound) for index, bound in enumerate(bounds) if isinstance(bound, Share)]
    if shares:
        return min(shares, key=lambda row: row[1])
    own = [i for i, bound in enumerate(bounds) if isinstance(bound, Amount) and bound.currency == currency]
    return (own[0], Share(bounds[own[0]][0] / equity)) if own and equity else None


def bound_place(inputs: Inputs, path: str, index: int = 0) -> Place:
    """Return where the file says a bound of a cap, also when its stage says a tighter one."""
    origins = inputs.effective.origins
    exact = origins.get(f"{path}.{index}") or origins.get(path)
    stage = origins.get("stage.current")
    if exact is None or (stage is not None and exact[:3] == stage[:3]):
        return inputs.effective.key_place(path)._replace(path=path)
    return inputs.place(f"{path}.{index}" if f"{path}.{index}" in origins else path)


def money(value: Decimal, currency: str) -> str:
    """Write an amount for people: `1500 USDT`."""
    return f"{plain(value.normalize())} {currency}"
