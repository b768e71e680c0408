"""What exchanges are like: a grid of everything that makes a difference, and each family of the real traits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Final

from policykit.traits import known, load
from policykit.traits.base import Family, fence_length_ms
from tests.orders.venue import Setting

DEDUPE: Final = ("forever", "open", "none")
VALIDITY_MS: Final = 5_000
BOUND_MS: Final = 500
#: What an exchange does of which its traits say nothing: the worst that the grid knows.
WORST_LAG_MS: Final = 60_000
WORST_PROCESSING_MS: Final = 10_000
ANY_AHEAD_MS: Final = 60_000


def grid() -> Iterator[Setting]:
    """Yield ids unique for ever, among open orders or not; expiry or none; lag 0 to 60 s; clocks 0 to 5 s apart."""
    for dedupe, expires, lag_ms, bound_ms in product(DEDUPE, (True, False), (0, 3_000, 60_000), (0, BOUND_MS, 5_000)):
        name = f"{dedupe}/{'expiry' if expires else 'no expiry'}/lag {lag_ms // 1000} s/clock {bound_ms} ms"
        validity_ms, ahead_ms = (20_000, 6_000) if bound_ms > BOUND_MS else (VALIDITY_MS, 1_000)
        yield Setting(
            name, dedupe, lag_ms, expires=expires, validity_ms=validity_ms, bound_ms=bound_ms, ahead_ms=ahead_ms
        )


def from_traits() -> Iterator[Setting]:
    """Yield every order family of every exchange in `policykit.traits`, with its own way of writing ids."""
    for exchange_id in known():
        exchange = load(exchange_id)
        assert exchange is not None
        for name, sold in exchange.products.items():
            for family_name, family in sold.families.items():
                yield _from_family(f"{exchange_id}/{name}/{family_name}", family)


def _from_family(name: str, family: Family) -> Setting:
    """Return how an exchange behaves that does what its traits say, and the worst where they say nothing."""
    validity_ms = min(VALIDITY_MS, family.validity_max_ms or VALIDITY_MS)
    return Setting(
        name,
        dedupe="none" if family.client_order_id is None else family.client_order_id.unique,
        lag_ms=WORST_LAG_MS if family.visibility_lag_ms is None else family.visibility_lag_ms,
        processing_ms=WORST_PROCESSING_MS if family.processing_ms is None else family.processing_ms,
        expires=fence_length_ms(family, validity_ms, BOUND_MS) is not None,
        validity_ms=validity_ms,
        bound_ms=BOUND_MS,
        ahead_ms=ANY_AHEAD_MS if family.ahead_ms is None else family.ahead_ms,
        family=family,
    )


def settings() -> dict[str, Setting]:
    """Return all of them by name."""
    return {setting.name: setting for setting in (*grid(), *from_traits())}
