"""What rules share: evidence and words of a finding, what a policy trades and what it costs, caps side by side."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policykit.finding import Observed
from policykit.place import Place
from policykit.rules.base import Inputs, Rule, iso_ms, words
from policykit.rules.budgets import order_costs, products, published
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of
from policykit.traits import load as load_traits
from tests.rules.asking import findings_of, lines_of

BINANCE = load_traits("binance")
BUDGET = "rate_budgets:\n  orders: {limit: 50, per: 10s, window: fixed, shared_by: account}\n"


def _inputs(text: str = "name: m\n", snapshot: str | None = None) -> Inputs:
    return inputs_of(Example("yaml", text, snapshot=snapshot))


# -- what a finding says -----------------------------------------------------------------------------------------------


def test_a_finding_says_that_it_cannot_be_waived() -> None:
    """A rule can be waived unless it says otherwise; of one that cannot, each finding says so."""
    rule = Rule("PK999", "x", "low", (), "it hurts")
    held = rule._replace(waivable=False)
    assert [r.finding(Place("p"), "m").why for r in (rule, held)] == ["it hurts", "it hurts; cannot be waived"]


@pytest.mark.parametrize(
    ("at", "age"), [("2026-11-21T09:58:30Z", 90.0), ("2026-11-21T10:00:01Z", 0.0), ("yesterday", None)]
)
def test_evidence_is_so_many_seconds_old(at: str, age: float | None) -> None:
    """Evidence names the exchange and its age; what another clock saw in the future is new, without a time unknown."""
    assert _inputs(snapshot="{}").evidence("GET /x", "a.b", 1, at) == Observed("binance", "GET /x", "a.b", 1, at, age)
    assert _inputs().evidence("GET /x", "a.b", 1, at).exchange == ""


def test_where_a_person_edits_a_key() -> None:
    """The page and its boxes are called as the exchange calls them; where that is not known, as the policy does."""
    okx, kraken = _inputs("exchange: okx\n"), _inputs("exchange: kraken\n")
    assert (okx.key_page(), kraken.key_page()) == ("OKX > API", "kraken: the page of the API key")
    assert okx.traits is not None
    known = okx._replace(traits=replace(okx.traits, scope_labels={"withdraw": "Withdraw"}))
    assert [i.on_page("withdraw") for i in (known, okx, kraken)] == ['"Withdraw"', "withdraw", "withdraw"]


def test_times_of_every_zone_are_one_moment() -> None:
    """A time with a zone is that moment; one without is UTC, a date its first moment, anything else no time."""
    texts = ("2026-11-21T12:00:00+02:00", "2026-11-21T10:00:00Z", "2026-11-21T10:00:00")
    assert [iso_ms(text) for text in texts] == [NOW_MS] * 3
    assert [iso_ms(text) for text in ("2026-11-21", "soon", None, 7)] == [NOW_MS - 36_000_000, None, None, None]


@pytest.mark.parametrize(
    ("names", "sentence"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_names_in_a_sentence(names: tuple[str, ...], sentence: str) -> None:
    """Names are joined with commas, the last one with `and`."""
    assert words(names) == sentence


# -- what is traded, and what it costs ---------------------------------------------------------------------------------


def test_published_rows_without_a_number_are_left_out() -> None:
    """Of the rows that the exchange publishes, those with a count and a span are taken; without one, the traits'."""
    row = '{"name": "orders", "limit": %s, "per_ms": %s}'
    rows = ", ".join(row % pair for pair in ((0, 10_000), (50, 0), (1, 1)))
    found = published(_inputs(BUDGET, f'{{"limits": [{rows}]}}'), "orders")
    assert [(one.limit, one.per_ms) for one in found] == [(1, 1)]
    none = published(_inputs(BUDGET, f'{{"limits": [{row % (0, 0)}]}}'), "orders")
    assert BINANCE is not None
    assert none == tuple(one for one in BINANCE.rate_windows if one.name == "orders")


@pytest.mark.parametrize(
    ("symbols", "scopes", "traded"),
    [
        ("", "trade", "spot"),
        ("", "trade.spot, trade.margin", "spot"),
        ("", "trade.derivatives, trade.options", "swap"),
        ("BTC/USDT", "trade.spot, trade.derivatives", "spot"),
        ("BTC/USDT:USDT", "trade.spot, trade.derivatives", "swap"),
        ("BTC/USDT:*", "trade.spot, trade.derivatives", "swap"),
        ("BTC*", "trade.derivatives, trade.options", "swap"),
        ("BTC*", "trade.spot, trade.derivatives", "spot swap"),
        ("BTC/USDT, ETH*", "trade.derivatives, trade.options", "spot swap"),
    ],
)
def test_what_a_policy_surely_trades(symbols: str, scopes: str, traded: str) -> None:
    """A symbol says its product, a glob with a settlement too; any other glob, or no list, is what the keys trade."""
    named = ", ".join(f"'{symbol}'" for symbol in symbols.split(", "))
    risk = f"risk: {{symbols: [{named}]}}\n" if symbols else "risk: {}\n"
    inputs = _inputs(f"keys: {{a: {{purpose: execution}}, k: {{purpose: execution, scopes: [{scopes}]}}}}\n{risk}")
    assert " ".join(products(inputs)) == traded


def test_an_order_of_an_unknown_call_counts_once() -> None:
    """Where the traits do not know the call that places an order, it counts as one."""
    swap = 'keys: {k: {purpose: execution, scopes: [trade]}}\nrisk: {symbols: ["BTC/USDT:USDT"]}\n'
    inputs = _inputs(BUDGET + swap)
    budget = (inputs.model.rate_budgets or {})["orders"]
    assert products(inputs) == ("swap",)
    assert [order_costs(i, "orders", budget) for i in (inputs, inputs._replace(traits=None))] == [(1,), (1,)]


# -- caps side by side -------------------------------------------------------------------------------------------------

ACCOUNT = "account: {name: main, currency: USDT, max_equity: 10000 USDT}\n"


def test_of_amounts_the_one_in_the_accounts_currency_is_judged() -> None:
    """An amount of another currency says nothing of the share of equity, wherever it stands."""
    for caps in ("1 EUR, 300 USDT", "300 USDT, 1 EUR"):
        (line,) = lines_of("PK603", ACCOUNT + f"risk: {{max_order_notional: [{caps}]}}\n")
        assert line.endswith("one order may be 300 USDT, 3% of equity; the guide's range is 1-2%")


@pytest.mark.parametrize(
    ("caps", "loosest"),
    [
        ("default: 9% of equity, BTC/USDT: 10% of equity", "10% of equity"),
        ("default: 50 USDT, BTC/USDT: 1% of equity", "1% of equity, 100 USDT of 10000 USDT at most"),
        ("default: 200 USDT, BTC/USDT: 1% of equity", "200 USDT"),
    ],
)
def test_the_loosest_cap_around_a_dead_one_is_named(caps: str, loosest: str) -> None:
    """Of several caps that all bind before, the one that lets most through is named, compared at the most equity."""
    order = "20% of equity" if "USDT," not in caps else "1000 USDT"
    risk = f"max_order_notional: {order}, max_position_notional: {{{caps}}}, symbols: [BTC/USDT, ETH/USDT]"
    (found,) = findings_of("PK610", ACCOUNT + f"risk: {{{risk}}}\n")
    assert found.message == (
        f"risk.max_order_notional {order} never binds: risk.max_position_notional is at most {loosest}"
    )


def test_a_cap_around_is_shown_at_its_first_bound() -> None:
    """The second span of a dead cap is the first bound of the list around it."""
    text = "risk:\n  max_order_notional: 5% of equity\n  max_position_notional:\n    - 1% of equity\n    - 900 USDT\n"
    text += "  symbols: [BTC/USDT]\n"
    (found,) = findings_of("PK610", text)
    assert [(what, place.line) for what, place in found.context] == [("always tighter", 4)]


def test_orders_that_cost_more_than_one_let_fewer_through() -> None:
    """A count of orders is held against the budget divided by what one order costs."""
    text = (
        "rate_budgets:\n  desk: {limit: 20, per: 1m, window: rolling, shared_by: ip, costs: {%s: 2}}\n"
        "risk: {symbols: [BTC/USDT], max_orders: {limit: %s, per: 1m}}\n"
    )
    found = [lines_of("PK610", text % ('"POST /api/v3/order"', limit)) for limit in (10, 11)]
    assert [len(lines) for lines in found] == [0, 1]
    assert found[1][0].endswith("risk.max_orders 11 per 1m never binds: rate_budgets.desk lets 10 through")
