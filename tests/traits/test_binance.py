"""Facts of Binance: what the fence, the ids and the budgets are made of."""

from __future__ import annotations

import re
from pathlib import Path

import ccxt
import pytest

from policykit import traits
from policykit.traits.base import Exchange, cost, fence_length_ms, fence_terms, product_of
from policykit.traits.binance_costs import COSTS
from tests.traits.make_costs import module, tables


def _load(exchange_id: str) -> Exchange:
    exchange = traits.load(exchange_id)
    assert exchange is not None
    return exchange


def _binance() -> Exchange:
    return _load("binance")


def test_an_exchange_without_a_file_is_unknown() -> None:
    """Unknown, odd and hostile ids give None, the careful behaviour, and import nothing."""
    for name in ("nowhere", "", "base", "binance_costs", "binance_futures", "../binance", "os", "Binance", "__init__"):
        assert traits.load(name) is None
    assert {"binance", "binanceusdm", "binancecoinm"} <= set(traits.known())


def test_the_fence_of_a_spot_order_is_finite() -> None:
    """Every term of the fence is known: 5 s validity + 10 s processing + 2 s lag, 1 s ahead at most."""
    family = _binance().products["spot"].families["order"]
    assert (family.validity_default_ms, family.validity_max_ms, family.ahead_ms) == (5_000, 60_000, 1_000)
    assert (family.processing_ms, family.visibility_lag_ms) == (10_000, 2_000)
    assert fence_terms(family) == {
        "validity_max_ms": "documented",
        "processing_ms": "documented",
        "visibility_lag_ms": "assumed",
    }
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


def test_the_weights_are_those_of_the_installed_client(top: Path) -> None:
    """The committed file is the one made from ccxt, all 825 endpoints: a new ccxt with other weights fails here."""
    api = ccxt.binance().api
    made = tables(api)
    assert made == COSTS
    assert module(ccxt.__version__, made) == (top / "policykit/traits/binance_costs.py").read_text()
    assert sum(len(paths) for verbs in api.values() for paths in verbs.values()) == 825
    plain = [call for row in COSTS.values() for call in row if call.count(" ") == 1]
    assert len(plain) == 824  # GET /fapi/v1/apiTradingStatus is in two of ccxt's parts


@pytest.mark.parametrize(
    ("family", "call", "weight"),
    [
        ("api", "GET /api/v3/depth <=500", 25),
        ("fapi", "GET /fapi/v1/openOrders all", 40),
        ("fapi", "POST /fapi/v1/countdownCancelAll", 10),
        ("fapi", "GET /fapi/v2/ticker/price", 1),
        ("dapi", "GET /dapi/v1/pmAccountInfo", 5),
        ("sapi", "GET /sapi/v1/asset/wallet/balance", 60),
        ("sapi", "GET /sapi/v1/account/apiRestrictions", 1),
        ("sapi-uid", "POST /sapi/v1/margin/borrow-repay", 3_000),
        ("sapi-uid", "GET /sapi/v1/fiat/orders", 90_000),
        ("sapi-uid", "GET /sapi/v1/capital/withdraw/history", 18_000),
        ("papi", "GET /papi/v1/account", 20),
    ],
)
def test_a_weight_is_in_the_exchange_s_own_units(family: str, call: str, weight: int) -> None:
    """Ccxt's throttler units are read back into what Binance documents: by address, by account, never nothing."""
    assert COSTS[family][call] == weight


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
        ("request-weight", "GET /fapi/v1/openOrders", "", 1),
        ("request-weight", "GET /fapi/v1/openOrders", "all", 40),
        ("request-weight", "GET /fapi/v1/income", "", 30),
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


def test_the_windows_of_futures() -> None:
    """2,400 of weight a minute by address, 300 orders in 10 s and 1,200 a minute by account, headers that count up."""
    for exchange_id in ("binanceusdm", "binancecoinm"):
        windows = _load(exchange_id).rate_windows
        assert [(w.name, w.limit, w.per_ms, w.window, w.scope, w.header) for w in windows] == [
            ("request-weight", 2_400, 60_000, "fixed", "ip", "X-MBX-USED-WEIGHT-1M"),
            ("orders", 300, 10_000, "fixed", "account", "X-MBX-ORDER-COUNT-10S"),
            ("orders-minute", 1_200, 60_000, "fixed", "account", "X-MBX-ORDER-COUNT-1M"),
        ]
    usdm = _load("binanceusdm")
    assert cost(usdm, "request-weight", "GET /fapi/v1/openAlgoOrders", "all") == 40
    assert cost(usdm, "request-weight", "GET /sapi/v1/account/apiRestrictions") == 1
    assert cost(usdm, "orders", "POST /fapi/v1/batchOrders") == 5


@pytest.mark.parametrize(
    ("exchange_id", "api"), [("binance", "fapi"), ("binanceusdm", "fapi"), ("binancecoinm", "dapi")]
)
def test_of_futures_only_plain_orders_of_usdm_have_a_fence(exchange_id: str, api: str) -> None:
    """Its matching engine holds recvWindow, and is given a second more; of the others that is not documented."""
    product = _load(exchange_id).products["swap"]
    assert sorted(product.families) == ["algo", "order", "ws-api"]
    fenced = {"order"} if api == "fapi" else set()
    for name, family in product.families.items():
        assert (family.validity_default_ms, family.ahead_ms) == (5_000, 1_000)
        terms = (family.validity_max_ms, family.processing_ms, family.visibility_lag_ms)
        assert terms == ((60_000, 1_000, 10_000) if name in fenced else (None, None, None))
        assert fence_length_ms(family, 5_000, 500) == (16_500 if name in fenced else None)
        assert set(fence_terms(family).values()) == ({"documented", "assumed"} if name in fenced else {"unknown"})
    ids = {name: family.client_order_id for name, family in product.families.items()}
    assert {name: found and found.param for name, found in ids.items()} == {
        "order": "newClientOrderId",
        "algo": "clientAlgoId",
        "ws-api": "newClientOrderId",
    }
    ways = {name: family.cancel_all and family.cancel_all.call for name, family in product.families.items()}
    assert ways == {
        "order": f"DELETE /{api}/v1/allOpenOrders",
        "algo": f"DELETE /{api}/v1/algoOpenOrders",
        "ws-api": None,
    }
    switch = product.dead_man_switch
    assert switch is not None
    assert (switch.call, switch.unit, switch.scope, switch.off) == (
        f"POST /{api}/v1/countdownCancelAll",
        "ms",
        "symbol",
        0,
    )


def test_a_code_of_spot_may_mean_something_else_on_futures() -> None:
    """-2026 is an archived order on spot, a wrong type of reduce-only order on futures; -1013 proves nothing there."""
    spot, usdm = _binance().errors, _load("binanceusdm").errors
    assert (spot["-2026"].code, usdm["-2026"].code) == ("ORDER_NOT_FOUND", "ORDER_REJECTED")
    assert (spot["-1013"].executed, usdm.get("-1013")) == ("no", None)
    assert usdm["-2015"] == spot["-2015"]
    assert usdm["-4116"].code == "DUPLICATE_ID"


def test_spot_s_families_share_one_engine() -> None:
    """Order lists and the websocket have the timing of orders, so the fence of spot is what it was."""
    families = _binance().products["spot"].families
    assert {fence_length_ms(family, 5_000, 1_000) for family in families.values()} == {18_000}
    assert sorted(families) == ["list", "order", "ws-api"]


def test_products_by_the_form_of_a_symbol() -> None:
    """A colon makes a ccxt symbol a swap."""
    assert product_of("BTC/USDT") == "spot"
    assert product_of("BTC/USDT:USDT") == "swap"
