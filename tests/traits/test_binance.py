"""Facts of Binance: what the fence, the ids and the budgets are made of."""

from __future__ import annotations

import re

import ccxt
import pytest

from policykit import traits
from policykit.traits.base import Exchange, cost, product_of
from policykit.traits.binance_costs import WEIGHTS
from tests.traits.make_costs import table


def _binance() -> Exchange:
    exchange = traits.load("binance")
    assert exchange is not None
    return exchange


def test_an_exchange_without_a_file_is_unknown() -> None:
    """Unknown, odd and hostile ids give None, the careful behaviour, and import nothing."""
    for name in ("kraken", "", "base", "binance_costs", "../binance", "os", "Binance", "__init__"):
        assert traits.load(name) is None
    assert traits.known() == ("binance",)


def test_the_fence_of_a_spot_order_is_finite() -> None:
    """Every term of the fence is known: 5 s validity + 10 s processing + 2 s lag, 1 s ahead at most."""
    family = _binance().products["spot"].families["order"]
    assert (family.validity_default_ms, family.validity_max_ms, family.ahead_ms) == (5_000, 60_000, 1_000)
    assert (family.processing_ms, family.visibility_lag_ms) == (10_000, 2_000)
    assert family.source.startswith("github.com/binance/binance-spot-api-docs rest-api.md")


def test_rendered_ids_fit_the_exchange() -> None:
    """Our 26-character id, rendered, matches the exchange's pattern and starts with pk."""
    identity = _binance().products["spot"].families["order"].client_order_id
    assert identity is not None
    rendered = identity.encode("01JZ0123456789ABCDEFGHJKMN")
    assert rendered == "pk01JZ0123456789ABCDEFGHJKMN"
    assert re.fullmatch(identity.pattern, rendered)
    assert not re.fullmatch(identity.pattern, "x" * 37)
    assert (identity.param, identity.unique) == ("newClientOrderId", "open")


def test_the_weights_are_those_of_the_installed_client() -> None:
    """The committed table equals the one made from ccxt: a new ccxt with other weights fails here."""
    assert table(ccxt.binance().api) == WEIGHTS


@pytest.mark.parametrize(
    ("budget", "call", "variant", "expected"),
    [
        ("request-weight", "POST /api/v3/order", "", 1),
        ("request-weight", "GET /api/v3/account", "", 20),
        ("request-weight", "GET /api/v3/openOrders", "", 6),
        ("request-weight", "GET /api/v3/openOrders", "all", 80),
        ("request-weight", "GET /api/v3/depth", "<=500", 25),
        ("request-weight", "GET /api/v3/order", "all", 4),
        ("request-weight", "GET /sapi/v1/account/apiRestrictions", "", 1),
        ("orders", "POST /api/v3/order", "", 1),
        ("orders", "POST /api/v3/orderList/otoco", "", 3),
        ("orders", "GET /api/v3/account", "", 0),
        ("unheard-of", "POST /api/v3/order", "", 0),
    ],
)
def test_what_a_call_costs(budget: str, call: str, variant: str, expected: int) -> None:
    """Listed calls cost what is listed; others weigh 1 by address and count as no order."""
    assert cost(_binance(), budget, call, variant) == expected


def test_the_published_windows() -> None:
    """Weight is fixed, per address; orders are fixed, per account."""
    windows = {w.name: (w.limit, w.per_ms, w.window, w.scope) for w in _binance().rate_windows}
    assert windows == {
        "request-weight": (6_000, 60_000, "fixed", "ip"),
        "orders": (50, 10_000, "fixed", "account"),
        "orders-day": (160_000, 86_400_000, "fixed", "account"),
    }


def test_products_by_the_form_of_a_symbol() -> None:
    """A colon makes a ccxt symbol a swap."""
    assert product_of("BTC/USDT") == "spot"
    assert product_of("BTC/USDT:USDT") == "swap"
