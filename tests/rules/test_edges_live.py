"""Live rules on accounts: what they hold, what exchanges leave out, and policies that did not ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policykit.finding import Finding
from policykit.rules import catalogue
from policykit.testing.rules.examples import Example, inputs_of, snapshot_data
from tests.rules.asking import findings_of, lines_for, lines_of

SPOT = "exchange: bybit\nrisk:\n  symbols: [BTC/USDT, BTC/USDC, ETH/USDT]\n  %s\n"
SWAP = "exchange: bybit\nrisk:\n  symbols: ['BTC/USDT:USDT', 'ETH/USDT:USDT']\n  %s\n"


def _account(**said: Any) -> str:
    return json.dumps({"exchange": "bybit", "account": {"equity": "10000 USDT", "positions": [], **said}})


def _position(symbol: str = "BTC/USDT:USDT", notional: str | None = "3000", **said: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": "long", "quantity": "1", "notional": notional, "currency": "USDT", **said}


def _messages(code: str, text: str, live: str) -> list[str]:
    return [f"{f.status}: {f.message}" for f in findings_of(code, text, live)]


# -- positions ---------------------------------------------------------------------------------------------------------

CAP = "max_position_notional: 4000 USDT"


def test_markets_of_one_asset_are_one_position_on_spot() -> None:
    """Two spot rows of an asset are added up; parts in two currencies, or without a worth, cannot be."""
    btc = [_position("BTC/USDT", "3000"), _position("BTC/USDC", "1500")]
    assert _messages("PK617", SPOT % CAP, _account(positions=btc)) == [
        "open: the position BTC/USDT long is 4500 USDT; at most 4000 USDT"
    ]
    start = "unknown: whether the position BTC/USDT long is within its cap now is not known: "
    two = [btc[0], {**btc[1], "currency": "USDC"}]
    assert _messages("PK617", SPOT % CAP, _account(positions=two)) == [
        start + "its parts are counted in two currencies"
    ]
    for one in ([{**btc[0], "notional": None}, btc[1]], [btc[0], {**btc[1], "notional": "a lot"}]):
        assert _messages("PK617", SPOT % CAP, _account(positions=one)) == [start + "the exchange gave no notional"]


def test_legs_of_a_hedge_count_apart() -> None:
    """A long and a short of one symbol are two positions, and together are exposure."""
    legs = _account(positions=[_position(), _position(side="short")])
    assert _messages("PK617", SWAP % CAP, legs) == []
    assert _messages("PK617", SWAP % CAP.replace("4000", "2000"), legs) == [
        "open: the position BTC/USDT:USDT long is 3000 USDT; at most 2000 USDT",
        "open: the position BTC/USDT:USDT short is 3000 USDT; at most 2000 USDT",
    ]
    assert _messages("PK618", SWAP % "max_gross_exposure: 6000 USDT", legs) == []
    assert _messages("PK618", SWAP % "max_gross_exposure: 5999 USDT", legs) == [
        "open: all positions together are 6000 USDT; at most 5999 USDT"
    ]


@pytest.mark.parametrize(
    ("notional", "quantity", "said"),
    [
        ("4000", "1", []),
        ("4000.00000001", "1", ["open: the position BTC/USDT:USDT long is 4000.00000001 USDT; at most 4000 USDT"]),
        ("9000", "0", []),
        ("0", "1", []),
        (
            "-9000",
            "1",
            [
                (
                    "unknown: whether the position BTC/USDT:USDT long is within its cap now is not known: "
                    "the exchange gave no notional"
                )
            ],
        ),
    ],
)
def test_position_at_its_cap(notional: str, quantity: str, said: list[str]) -> None:
    """A position at its cap is within it; an empty one is none, whatever its notional; a negative one is not read."""
    live = _account(positions=[_position(notional=notional, quantity=quantity)])
    assert _messages("PK617", SWAP % CAP, live) == said


def test_tightest_bound_counts() -> None:
    """Of several bounds the tightest that is crossed is named, and one that cannot be compared hides none."""
    live = _account(positions=[_position()])
    bounds = "max_position_notional: [2500 USDT, 20% of equity, 1 BTC]"
    assert _messages("PK617", SWAP % bounds, live) == [
        "open: the position BTC/USDT:USDT long is 3000 USDT; at most 2000 USDT (20% of equity)"
    ]
    within = "max_position_notional: [50% of equity, 1 BTC]"
    start = "unknown: whether the position BTC/USDT:USDT long is within its cap now is not known: "
    assert _messages("PK617", SWAP % within, live) == [start + "it is counted in USDT, the cap in BTC"]
    inverse = _account(positions=[_position(currency="USD")])
    assert _messages("PK617", SWAP % "max_position_notional: 20% of equity", inverse) == [
        start + "it is counted in USD, equity in USDT"
    ]


def test_share_of_an_equity_that_is_not_whole() -> None:
    """What is within a share of a part of the equity is within it; what is over may not be."""
    share = SWAP % "max_position_notional: 20% of equity"
    start = "unknown: whether the position BTC/USDT:USDT long is within its cap now is not known: "

    def said(why: dict[str, str], notional: str, **more: Any) -> list[str]:
        return _messages("PK617", share, _account(positions=[_position(notional=notional)], unknown=why, **more))

    unpriced, other = {"equity.unpriced": "ABC, XYZ"}, {"equity.other": "balances of other products are not in it"}
    assert said(unpriced, "2000") == said(other, "2000") == []
    assert said(unpriced, "2001") == [start + "equity is not whole, ABC, XYZ in it has no price"]
    assert said(other, "2001") == [start + "equity is not whole, balances of other products are not in it"]
    refused = {"equity": "bybit refused\nthe key"}
    assert said(refused, "1", equity=None) == [start + "equity is not known, bybit refused the key"]
    assert said({}, "1", equity="10 BTC") == [start + "equity is not known, the snapshot does not have it"]
    assert said({}, "1", equity="a lot") == [start + "equity is not known, the snapshot does not have it"]


def test_cap_of_its_own_goes_before_the_default() -> None:
    """A market with a cap is held to that one alone; without any cap, or a default, nothing is said of it."""
    live = _account(positions=[_position(), _position("ETH/USDT:USDT")])
    own = "max_position_notional: {default: 1000 USDT, 'ETH/USDT:USDT': 4000 USDT}"
    assert _messages("PK617", SWAP % own, live) == [
        "open: the position BTC/USDT:USDT long is 3000 USDT; at most 1000 USDT"
    ]
    assert _messages("PK617", SWAP % "max_position_notional: {'ETH/USDT:USDT': 4000 USDT}", live) == []


def test_a_part_of_the_positions_is_unknown() -> None:
    """A product whose positions could not be read leaves the rest judged, and says so."""
    live = _account(positions=[_position()], unknown={"positions.options": "bybit: maintenance"})
    reason = "is not known: bybit: maintenance"
    assert _messages("PK617", SWAP % CAP, live) == [f"unknown: whether positions are within their caps now {reason}"]
    assert _messages("PK619", SWAP % "max_leverage: 3", live) == [
        f"unknown: whether leverage is within its bound now {reason}; that of BTC/USDT:USDT was not told"
    ]


def test_rows_that_are_odd() -> None:
    """A row without a symbol, a list that is none and a name that cannot be shown crash nothing and pass nothing."""
    start = "unknown: whether positions are within their caps now is not known: "
    for odd in ({}, {"symbol": ""}, "BTC", None):
        live = _account(positions=[odd, _position(notional="9000")])
        assert _messages("PK617", SWAP % CAP, live) == [
            start + "a row of it has no symbol",
            "open: the position BTC/USDT:USDT long is 9000 USDT; at most 4000 USDT",
        ]
    assert _messages("PK617", SWAP % CAP, _account(positions={"a": 1})) == [start + "the snapshot does not have it"]
    hidden = json.dumps("B\u202eTC/USDT\n:USDT")[1:-1]
    text = f"exchange: bybit\nrisk:\n  {CAP}\n"
    live = _account(positions=[_position("HERE", notional="9000")]).replace("HERE", hidden)
    assert _messages("PK617", text, live) == [
        "open: the position a market whose name cannot be shown long is 9000 USDT; at most 4000 USDT"
    ]
    code = _account(positions=[_position(currency="US\nDT")])
    assert _messages("PK617", SWAP % CAP, code) == [
        (
            "unknown: whether the position BTC/USDT:USDT long is within its cap now is not known: "
            "the exchange gave no notional"
        )
    ]


def test_balances_that_have_no_row() -> None:
    """A balance of what is traded on spot has to have a worth; collateral, another policy's asset and odd names not."""
    held = {"USDT": "9000", "BTC": "1", "XRP": "5", "ETH": "0", "a b": "1"}
    missing = [
        "whether the position BTC/USDT long is within its cap now is not known: there is a balance, and no price"
    ]
    found = _messages("PK617", SPOT % CAP, _account(balances=held))
    assert found == [f"unknown: {one} of it" for one in missing]
    assert _messages("PK617", SWAP % CAP, _account(balances=held)) == []
    derivatives = "keys:\n  k: {purpose: execution, scopes: [trade.derivatives]}\n"
    assert _messages("PK617", derivatives + f"exchange: bybit\nrisk:\n  {CAP}\n", _account(balances=held)) == []
    assert _messages("PK617", SPOT % CAP, _account(balances=None)) == []


def test_what_the_policy_does_not_trade_ends_no_search() -> None:
    """A market of another policy is held to none of these caps, and what comes after it is still looked at."""
    other = _position("XRP/USDT:USDT", "900000", leverage="50", margin_mode="cross")
    held = [other, _position(notional="9000", leverage="50", margin_mode="cross")]
    assert _messages("PK617", SWAP % CAP, _account(positions=held)) == [
        "open: the position BTC/USDT:USDT long is 9000 USDT; at most 4000 USDT"
    ]
    assert len(lines_of("PK619", SWAP % "max_leverage: 3", _account(positions=held))) == 1
    isolated = "account: {name: main, currency: USDT, margin_mode: isolated}\n" + SWAP % CAP
    first = _position("ETH/USDT:USDT", margin_mode="isolated")
    assert _messages("PK625", isolated, _account(positions=[first, *held])) == [
        "open: the position BTC/USDT:USDT is in cross margin; the policy says isolated"
    ]
    orders = [_order("XRP/USDT:USDT", notional="900000"), _order()]
    assert _messages("PK622", SWAP % "max_order_notional: 1000 USDT", _account(open_orders=orders)) == [
        "open: an open order to sell BTC/USDT:USDT is 3000 USDT; at most 1000 USDT"
    ]
    unread = [_order(notional=None), *orders]
    assert len(lines_of("PK622", SWAP % "max_order_notional: 1000 USDT", _account(open_orders=unread))) == 2
    text = "exchange: bybit\nrisk:\n  symbols: ['*/USDC', '!OLD/USDC', OLD/USDT]\n"
    closed = _account(markets=[_market("OLD/USDT", active=False)])
    assert _messages("PK623", text, closed) == ["open: the market OLD/USDT is closed to trading"]


def test_many_reasons_are_cut() -> None:
    """Of many positions without a worth, or reasons, a message names five and counts the rest."""
    held = [_position(f"A{i}/USDT:USDT", None) for i in range(7)]
    text = SWAP % "max_gross_exposure: 50% of equity"
    start = "unknown: whether all positions together are within their cap now is not known: "
    listed = ", ".join(f"A{i}/USDT:USDT long" for i in range(5))
    assert _messages("PK618", text, _account(positions=held)) == [
        f"{start}the worth of {listed} and 2 more was not told"
    ]
    assert _messages("PK618", text, _account(positions=held[:6])) == [
        f"{start}the worth of {listed} and 1 more was not told"
    ]
    six = _account(unknown={f"positions.p{i}": f"reason {i}" for i in range(6)})
    assert _messages("PK618", text, six) == [start + "reason 0; reason 1; reason 2; reason 3; reason 4; 1 more"]
    parts = _account(unknown={f"positions.p{i}": f"reason {i}" for i in range(7)})
    assert _messages("PK618", text, parts) == [
        start + "reason 0; reason 1; reason 2; reason 3; reason 4; 2 more",
    ]
    assert _messages("PK618", text, _account(equity=None)) == []


# -- evidence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "endpoint", "at", "age_s"),
    [
        ({}, "account", "2026-11-21T09:59:59Z", 1.0),
        (
            {"source": {"endpoint": "GET /v5/account", "at": "2026-11-21T09:59:58Z"}},
            "GET /v5/account",
            "2026-11-21T09:59:58Z",
            2.0,
        ),
        (
            {
                "source": {"endpoint": "GET /v5/account", "at": "2026-11-21T09:59:58Z"},
                "sources": {"positions": {"endpoint": "GET /v5/position/list", "at": "2026-11-21T09:59:57Z"}},
            },
            "GET /v5/position/list",
            "2026-11-21T09:59:57Z",
            3.0,
        ),
        ({"sources": {"positions": "x"}, "source": "y"}, "account", "2026-11-21T09:59:59Z", 1.0),
    ],
)
def test_evidence_is_where_the_list_was_read(more: dict[str, Any], endpoint: str, at: str, age_s: float) -> None:
    """A finding quotes the call that told of the list, else that of the account, else the snapshot."""
    (found,) = findings_of("PK617", SWAP % CAP, _account(positions=[_position(notional="9000")], **more))
    assert found.observed is not None
    assert found.observed.to_dict() == {
        "exchange": "bybit",
        "endpoint": endpoint,
        "path": "positions.0.notional",
        "value": "9000 USDT",
        "at": at,
        "age_s": age_s,
    }
    assert (found.primary.path, str(found.primary)) == ("risk.max_position_notional", "policy.yaml:4:26")


# -- leverage, margin, orders ------------------------------------------------------------------------------------------


def test_leverage_is_said_once_a_symbol() -> None:
    """Two legs of one leverage are one finding; a leverage that is no number is not told; an empty leg is none."""
    legs = [_position(leverage="20"), _position(side="short", leverage="20"), _position(leverage="50", quantity="0")]
    text = SWAP % 'max_leverage: "2.5"'
    assert _messages("PK619", text, _account(positions=legs)) == [
        "open: the leverage of BTC/USDT:USDT is 20; at most 2.5"
    ]
    assert _messages("PK619", text, _account(positions=[_position(leverage="cross")])) == [
        "unknown: whether leverage is within its bound now is not known: that of BTC/USDT:USDT was not told"
    ]
    margin = [_position("BTC/USDT", leverage="5"), _position("ETH/USDT", leverage=None)]
    assert _messages("PK619", SPOT % "max_leverage: 3", _account(positions=margin)) == [
        "open: the leverage of BTC/USDT is 5; at most 3"
    ]


def _order(symbol: str = "BTC/USDT:USDT", side: str | None = "sell", **said: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": side, "quantity": "1", "filled": "0", "notional": "3000", **said}


@pytest.mark.parametrize(
    ("order", "account", "counts"),
    [
        (_order(), {}, True),
        (_order(reduce_only=True), {}, False),
        (_order(), {"positions": [_position()]}, False),
        (_order(quantity="1.5", filled="0.5"), {"positions": [_position()]}, False),
        (_order(quantity="1.5"), {"positions": [_position()]}, True),
        (_order(quantity=None), {"positions": [_position()]}, True),
        (_order(side="buy"), {"positions": [_position()]}, True),
        (_order(side="buy"), {"positions": [_position(side="short")]}, False),
        (_order(), {"positions": [_position(side="short")]}, True),
        (_order(), {"positions": [_position(quantity=None)]}, True),
        (_order(), {"positions": None}, True),
        (_order(), {"positions": [_position()], "position_mode": "hedge"}, True),
        (_order(side=None), {}, True),
        (_order("XRP/USDT:USDT"), {}, False),
        (_order(notional="1000"), {}, False),
    ],
)
def test_open_orders_that_can_only_reduce(order: dict[str, Any], account: dict[str, Any], counts: bool) -> None:
    """An order is left out only if the snapshot proves that it reduces, or if the policy does not trade its market."""
    live = _account(open_orders=[order], **account)
    said = f"open: an open order to {order['side'] or 'buy'} BTC/USDT:USDT is 3000 USDT; at most 1000 USDT"
    assert _messages("PK622", SWAP % "max_order_notional: 1000 USDT", live) == ([said] if counts else [])
    hedge = "account: {name: main, currency: USDT, position_mode: hedge}\n" + SWAP % "max_order_notional: 1000 USDT"
    proved = order.get("reduce_only") is True or order["symbol"].startswith("XRP") or order["notional"] == "1000"
    assert bool(_messages("PK622", hedge, live)) is not proved


def test_orders_on_spot() -> None:
    """A sale on spot reduces what is held; a purchase does not."""
    text = SPOT % "max_order_notional: 1000 USDT"
    assert _messages("PK622", text, _account(open_orders=[_order("BTC/USDT")])) == []
    assert _messages("PK622", text, _account(open_orders=[_order("BTC/USDT", "buy")])) == [
        "open: an open order to buy BTC/USDT is 3000 USDT; at most 1000 USDT"
    ]


@pytest.mark.parametrize(
    ("symbol", "more", "why"),
    [
        ("BTC/USD:BTC", {}, "the order to sell BTC/USD:BTC has no notional"),
        ("BTC/USD:USD-261226", {}, "the order to sell BTC/USD:USD-261226: it is counted in USD, the cap in USDT"),
        ("BTC", {}, "the order to sell BTC has no notional"),
        ("BTC/USD:BTC", {"currency": "USD"}, "the order to sell BTC/USD:BTC: it is counted in USD, the cap in USDT"),
        ("BTC/USDT:USDT", {"currency": 5}, "the order to sell BTC/USDT:USDT has no notional"),
    ],
)
def test_currency_of_an_order(symbol: str, more: dict[str, Any], why: str) -> None:
    """An order is counted in what its row says, else in its quote, unless it settles in something else."""
    text = "exchange: bybit\nrisk:\n  max_order_notional: 1000 USDT\n"
    order = _order(symbol, **more)
    if ":" not in symbol:
        order["side"] = "buy"
        why = why.replace("sell", "buy")
    assert _messages("PK622", text, _account(open_orders=[order])) == [
        f"unknown: whether open orders are within the cap is not known: {why}"
    ]


# -- markets -----------------------------------------------------------------------------------------------------------


def _market(symbol: str, least: str | None = "5", **said: Any) -> dict[str, Any]:
    return {"symbol": symbol, "active": True, "min_notional": least, "currency": "USDT", **said}


def test_least_orders_of_now() -> None:
    """Each cap is compared with the markets that it is for, at the equity of now, else at the one that is stated."""
    spot = SPOT % "max_order_notional: 1% of equity"
    markets = [_market("BTC/USDT", "100"), _market("BTC/USDC", "99999", currency="USDC"), _market("ETH/USDT", "100.5")]
    assert _messages("PK607", spot, _account(markets=markets)) == [
        "open: max_order_notional is 100 USDT at most of 10000 USDT; bybit takes no order of ETH/USDT under 100.5 USDT"
    ]
    stated = "account: {name: main, currency: USDT, max_equity: 9000 USDT}\n" + spot
    assert _messages("PK607", stated, _account(markets=markets, equity=None)) == [
        (
            "open: max_order_notional is 90 USDT at most of 9000 USDT; bybit takes no order of BTC/USDT under 100 "
            "USDT, and none of ETH/USDT under 100.5 USDT"
        )
    ]
    unstated = spot.replace("exchange", "account: {name: main, currency: USDT}\nexchange", 1)
    assert _messages("PK607", unstated, _account(markets=markets, equity=None)) == []
    assert _messages("PK607", SPOT % "max_open_orders: 3", _account(markets=markets)) == []


def test_markets_that_were_not_read() -> None:
    """Without a list the documented least order serves; where there is none, that is unknown."""
    named = "risk:\n  symbols: [BTC/USDT]\n  max_order_notional: %s USDT\n"
    unread = '{"account": {"markets": null, "unknown": {"markets": "binance: maintenance"}}}'
    assert _messages("PK607", named % 4, unread) == [
        "open: max_order_notional is 4 USDT at most; binance takes no order under 5 USDT"
    ]
    assert _messages("PK607", named % 5, unread) == []
    start = "unknown: whether caps are over the least order is not known: "
    bybit = "exchange: bybit\n" + named % 4
    assert _messages("PK607", bybit, unread.replace("binance", "bybit")) == [start + "bybit: maintenance"]
    assert _messages("PK607", bybit.replace("BTC/USDT", '"*/USDT"'), unread) == []
    some = '{"account": {"markets": [{"symbol": "BTC/USDT", "active": true, "currency": "USDT"}]}}'
    assert _messages("PK607", named % 5, some) == []
    assert _messages("PK607", bybit, some) == [start + "bybit gave no least notional of BTC/USDT"]


def test_market_of_which_nobody_says_whether_it_is_open() -> None:
    """What is neither open nor closed is unknown, with the reason for the whole list where there is one."""
    text = "exchange: bybit\nrisk:\n  symbols: [BTC/USDT]\n"
    start = "unknown: whether BTC/USDT is open to trading is not known: "
    for active in (None, "yes", 1):
        live = _account(markets=[_market("BTC/USDT", active=active)])
        assert _messages("PK623", text, live) == [start + "the snapshot does not say"]
    assert _messages("PK623", "exchange: bybit\nrisk: {max_leverage: 3}\n", _account()) == []


# -- what nobody asked, and what is null -------------------------------------------------------------------------------

#: An account on which everything is wrong that a policy could speak of.
WILD = {
    "equity": "10 USDT",
    "balances": {"USDT": "10", "BTC": "9"},
    "positions": [_position(notional="900000", leverage="125", margin_mode="cross")],
    "open_orders": [_order(notional="900000")] * 3,
    "position_mode": "hedge",
    "markets": [_market("BTC/USDT", "99999", active=False)],
}
ASKS_NOTHING = "account: {name: main, currency: USDT}\nrisk: {}\n"
ACCOUNT_RULES = ("PK607", "PK617", "PK618", "PK619", "PK621", "PK622", "PK623", "PK624", "PK625")


def test_policy_that_asks_nothing_is_told_nothing() -> None:
    """A policy without a word on positions, orders, modes and markets has no finding on them, known or not."""
    for account in (WILD, {}, dict.fromkeys(WILD)):
        live = json.dumps({"account": account})
        assert [line for code in ACCOUNT_RULES for line in lines_of(code, ASKS_NOTHING, live)] == []
    no_risk = inputs_of(Example("yaml", "account: {name: main, currency: USDT}\n", absent=("risk",), snapshot="{}"))
    assert [line for code in ACCOUNT_RULES for line in lines_for(code, no_risk)] == []


ASKS_ALL = """exchange: bybit
account: {name: main, currency: USDT, position_mode: one_way, margin_mode: isolated, max_equity: 100 USDT}
keys:
  mm-exec: {purpose: execution, scopes: [read, trade.derivatives]}
risk:
  symbols: ["BTC/USDT:USDT"]
  max_order_notional: 5 USDT
  max_position_notional: 5 USDT
  max_gross_exposure: 5 USDT
  max_leverage: 3
  max_open_orders: 2
"""


def _of_account(account: dict[str, Any]) -> set[tuple[str, str]]:
    found = [f for code in (*ACCOUNT_RULES, "PK115") for f in findings_of(code, ASKS_ALL, _live(account))]
    return {(f.rule, f.status) for f in found}


def _live(account: dict[str, Any]) -> str:
    return json.dumps({"exchange": "bybit", "account": account})


def test_null_is_unknown_wherever_the_policy_asks() -> None:
    """An account of nulls gives unknown for every rule that the policy asks, and one in which all is wrong is found."""
    asked = {*ACCOUNT_RULES, "PK115"}
    assert _of_account(dict.fromkeys(WILD)) == {(code, "unknown") for code in asked}
    assert _of_account({}) == {(code, "unknown") for code in asked}
    markets = [_market("BTC/USDT:USDT", "99999", active=False)]
    wild = {**WILD, "equity": "1000 USDT", "markets": markets}
    assert {code for code, status in _of_account(wild) if status == "open"} == asked


@pytest.mark.parametrize("field", ["notional", "currency", "leverage", "margin_mode", "quantity", "side"])
def test_null_in_a_row_opens_no_way_round(field: str) -> None:
    """A field of a position that is null makes no finding pass: what it decided is unknown, the rest stays found."""
    row = {**_position(notional="900000", leverage="125", margin_mode="cross"), field: None}
    rules = {"notional": ("PK617", "PK618"), "leverage": ("PK619",), "margin_mode": ("PK625",)}
    found = _of_account({**WILD, "positions": [row]})
    for code in ("PK617", "PK618", "PK619", "PK625"):
        assert (code, "unknown" if code in rules.get(field, ()) else "open") in found


def test_every_open_live_finding_shows_both_spans() -> None:
    """A live finding has its place in the policy, labelled, and what was observed, with call and time."""

    def whole(f: Finding) -> bool:
        seen = f.observed
        return bool(f.label and f.primary.line and seen and seen.endpoint and seen.path and seen.at)

    from policykit.testing.rules.examples import all_examples, run

    lacking = [
        (f.rule, f.message)
        for entry, _, example in all_examples(catalogue("policy", "fleet"), "Bad")
        for f in run(entry, example)
        if f.status == "open" and f.confidence == "observed" and example.record is None and not whole(f)
    ]
    assert lacking == []
    assert snapshot_data("{}")["account"]["markets"], "the base has markets, so that examples speak of them"
