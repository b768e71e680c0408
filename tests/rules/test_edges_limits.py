"""Rates, retry and risk: what comes from a profile or a stage, exchanges with other windows, and the rarer answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policykit.finding import Finding
from policykit.policy import load_text
from policykit.rules import Inputs, find
from policykit.rules.budgets import most_in
from policykit.rules.fleet import card
from policykit.testing.rules.examples import NOW_MS, Example, policy_text, run, written
from policykit.traits import load as load_traits
from policykit.traits.base import Exchange, Product, RateWindow

BINANCE = load_traits("binance")
LIVE = "policykit: 1\nname: m\nexchange: binance\naccount: {name: main, currency: USDT}\n"


def _findings(code: str, text: str, *, above: str = "", traits: Exchange | None = BINANCE) -> list[Finding]:
    """Run one rule on a whole policy, which may extend another."""
    policy = load_text(text, resolve=lambda name: above)
    entry = find(code)
    assert entry is not None
    return list(entry.check(Inputs(NOW_MS, policy=policy, traits=traits)))


def _found(code: str, text: str, *, above: str = "", traits: Exchange | None = BINANCE) -> list[str]:
    return [written(f) for f in _findings(code, text, above=above, traits=traits)]


def _example(code: str, fragment: str) -> list[str]:
    entry = find(code)
    assert entry is not None
    return [written(f) for f in run(entry, Example("yaml", fragment))]


def _fleet(*texts: str) -> list[str]:
    entry = find("PK409")
    assert entry is not None
    cards = tuple(
        card(Inputs(NOW_MS, policy=load_text(policy_text(text), f"{index}.yaml"))) for index, text in enumerate(texts)
    )
    findings = list(entry.check(Inputs(NOW_MS, fleet=cards)))
    assert findings == list(entry.check(Inputs(NOW_MS, fleet=cards[::-1])))
    return [written(f) for f in findings]


# ---- rates ---------------------------------------------------------------------------------------------------------


def _other(window: RateWindow) -> Exchange:
    return Exchange(id="other", products={}, rate_windows=(window,))


BUDGET = (
    LIVE.replace("binance", "other") + "rate_budgets:\n  calls: {limit: 100, per: %s, window: %s, shared_by: %s%s}\n"
)


def test_fixed_budget_under_a_rolling_allowance() -> None:
    """A fixed window lets two pass at its edge; half of the allowance, or a rolling window, does not."""
    rolls = _other(RateWindow("calls", 100, 10_000, "rolling", "key"))
    text = BUDGET % ("10s", "fixed", "key", "")
    assert _found("PK406", text, traits=rolls) == [
        "open certain policy.yaml:6:41 budget `calls` lets 200 through in 10s; other allows 100 in each rolling 10s"
    ]
    assert _found("PK406", BUDGET % ("10s", "fixed", "key", ", use_at_most: 50%"), traits=rolls) == []
    assert _found("PK406", BUDGET % ("10s", "rolling", "key", ""), traits=rolls) == []


def test_window_that_does_not_divide_the_exchange_s() -> None:
    """Windows that start at other moments than the exchange's count one more in its span."""
    fixed = _other(RateWindow("calls", 190, 12_000, "fixed", "key"))
    assert _found("PK406", BUDGET % ("7s", "fixed", "key", ""), traits=fixed) == [
        "open certain policy.yaml:6:28 budget `calls` lets 300 through in 12s; other allows 190 in each fixed 12s"
    ]
    assert _found("PK406", BUDGET % ("6s", "fixed", "key", ", use_at_most: 95%"), traits=fixed) == []


def test_what_is_over_the_rate_is_left_to_pk401() -> None:
    """A budget over the published rate is one finding, not two."""
    text = LIVE + "rate_budgets:\n  orders: {limit: 60, per: 10s, window: fixed, shared_by: account}\n"
    assert _found("PK406", text) == []
    assert len(_found("PK401", text)) == 1


@pytest.mark.parametrize(("counted", "scope"), [("account", "key"), ("ip", "key"), ("key", "key"), ("ip", "ip")])
def test_budget_that_is_counted_as_widely_or_wider(counted: str, scope: str) -> None:
    """An allowance of each key that is counted for the account or the address is only stricter."""
    window = RateWindow("calls", 100, 10_000, "fixed", scope)  # type: ignore[arg-type]
    assert _found("PK407", BUDGET % ("10s", "fixed", counted, ""), traits=_other(window)) == []


def test_polling_of_many_symbols_costs_at_most_what_all_cost() -> None:
    """Open orders are those of the whole account, whatever is traded."""
    polls = "reconciliation: {on_start: required, orders_every: 1s}\naccount: {name: main, currency: USDT}\n"
    many = ", ".join(f"A{n}/USDT" for n in range(20))
    line = (
        "open certain policy.yaml:1:52 polling weighs 4,800 of the 4,200 per 1m that `request-weight` leaves for "
        "entries and reads: reconciliation.orders_every 4,800"
    )
    for symbols in (many, '"*/USDT"', "", "A/USDT, B/USDT"):  # orders from elsewhere may be on any symbol
        risk = f"risk: {{symbols: [{symbols}]}}\n" if symbols else "risk: {max_leverage: 1}\n"
        assert _example("PK408", polls + risk) == [line]


def test_polling_that_no_budget_counts() -> None:
    """A product that the traits do not know costs nothing that is known; half of the room is no finding."""
    polls = "reconciliation: {on_start: required, orders_every: 100ms}\naccount: {name: main, currency: USDT}\n"
    swap = 'keys: {k: {purpose: execution, scopes: [trade]}}\nrisk: {symbols: ["BTC/USDT:USDT"]}\n'
    assert _example("PK408", polls + swap) == []
    assert _example("PK408", polls.replace("100ms", "0s")) == []
    exact = polls.replace("orders_every: 100ms", "positions_every: 571ms").replace("USDT}", "USDT, max_age: 0s}")
    assert len(_example("PK408", exact)) == 1
    assert _example("PK408", exact.replace("571ms", "572ms")) == []


def test_policies_of_one_store_share_a_counter() -> None:
    """In one store the larger share counts once; two stores add up; who names no address is compared with itself."""
    base = "rate_budgets:\n  request-weight: {limit: 9, per: 1m, window: fixed, shared_by: ip, use_at_most: %s}\n"
    here = "account: {name: %s, currency: USDT, egress: fra-1}\nstore: {share: %s}\n"
    both = (here % ("a", "host") + base % "70%", here % ("b", "host") + base % "90%")
    assert _fleet(*both) == []
    assert _fleet(*both, here % ("c", "fleet") + base % "20%") == [
        (
            "open certain 0.yaml:4:82 budget `request-weight` of egress fra-1 may be used to 110%: 2 stores count it, "
            "each for itself"
        )
    ]
    assert _fleet(*both, here % ("c", "fleet") + base % "10%") == []
    alone = "account: {name: a, currency: USDT, bots: 2}\nstore: {share: process}\n" + base % "50%"
    assert _fleet(alone, alone.replace("name: a", "name: b")) == []
    keys = "rate_budgets:\n  calls: {limit: 9, per: 1m, window: fixed, shared_by: key}\n"
    assert _fleet(here % ("a", "host") + keys, here % ("a", "fleet") + keys) == []
    assert len(_fleet("account: {name: a, currency: USDT, bots: 2}\nstore: {share: process}\n" + keys)) == 1
    absent = base.replace(", use_at_most: %s", "")
    assert len(_fleet(here % ("a", "host") + absent, here % ("b", "fleet") + absent)) == 1


# ---- retry ---------------------------------------------------------------------------------------------------------

RESEND = "retry:\n  orders: {when_absent: new_client_order_id, attempts: 2, expires_after: 30s}\n"


def test_a_profile_that_re_sends_is_not_mended_from_below() -> None:
    """What another file says is found, and no fix edits that file for the sake of one policy."""
    text = LIVE.replace("binance", "kraken") + "extends: [base]\nrisk: {symbols: [BTC/USDT]}\n"
    above = "policykit: 1\nname: base\n" + RESEND
    (found,) = _findings("PK505", text, above=above, traits=None)
    assert (written(found), found.fix) == (
        (
            "open certain base:4:25 a missing order on kraken spot is to be sent again; no fence is known that proves "
            "it missing"
        ),
        None,
    )


def test_a_validity_that_the_exchange_refuses_makes_no_fence() -> None:
    """Beyond the exchange's maximum there is no fence, whatever else is known; without a clock the defaults count."""
    risk = "risk: {symbols: [BTC/USDT]}\n"
    assert len(_found("PK505", LIVE + RESEND + risk + "clock: {request_validity: 90s}\n")) == 1
    assert _found("PK505", LIVE + RESEND + risk) == []
    short = RESEND.replace("30s", "17s")
    assert _found("PK506", LIVE + short + risk) == [
        (
            "open certain policy.yaml:6:74 a missing order expires after 17s, before it can be proved missing after 18s"
            ": it is never sent again"
        )
    ]
    assert _found("PK506", LIVE + short + risk + "clock: {max_skew: 0ms}\n") == []


def test_one_family_without_a_fence_leaves_the_product_without() -> None:
    """A product is fenced only when each of its order families is."""
    assert BINANCE is not None
    spot = BINANCE.products["spot"]
    unsure = replace(spot.families["order"], processing_ms=None)
    product = replace(spot, families={**spot.families, "algo": unsure})
    half = replace(BINANCE, products={"spot": product})
    assert len(_found("PK505", LIVE + RESEND + "risk: {symbols: [BTC/USDT]}\n", traits=half)) == 1


# ---- risk ----------------------------------------------------------------------------------------------------------


def test_dead_limits_of_a_profile_are_its_own_affair() -> None:
    """A cap that only the profile says and the child makes useless is no finding; one that the child says is."""
    above = "policykit: 1\nname: base\nrisk: {max_order_notional: 2% of equity, max_position_notional: 20% of equity}\n"
    spot = "symbols: [BTC/USDT]"
    child = LIVE + f"extends: [base]\nrisk: {{max_position_notional: 1% of equity, {spot}}}\n"
    assert _found("PK610", child, above=above) == []
    caps = f"max_order_notional: 1.5% of equity, max_position_notional: 1% of equity, {spot}"
    said = LIVE + f"extends: [base]\nrisk: {{{caps}}}\n"
    line = "risk.max_order_notional 1.5% of equity never binds: risk.max_position_notional is 1% of equity"
    assert _found("PK610", said, above=above) == [f"open certain policy.yaml:6:28 {line}"]
    both = above.replace("20% of equity", f"1% of equity, {spot}")
    line = "risk.max_order_notional 2% of equity never binds: risk.max_position_notional is 1% of equity"
    assert _found("PK610", LIVE + "extends: [base]\n", above=both) == [f"open certain base:3:28 {line}"]


def test_a_dead_limit_of_a_profile_hides_none_of_the_policy() -> None:
    """Behind a cap of the profile that the policy's own makes useless, a dead cap of the policy is found."""
    above = "policykit: 1\nname: base\nrisk: {max_order_notional: 2% of equity, max_position_notional: 20% of equity}\n"
    child = LIVE + "extends: [base]\nrisk: {max_asset_exposure: 1.5% of equity, max_gross_exposure: 1% of equity}\n"
    line = "risk.max_asset_exposure 1.5% of equity never binds: risk.max_gross_exposure is 1% of equity"
    assert _found("PK610", child, above=above) == [f"open certain policy.yaml:6:28 {line}"]


def test_unenforced_limits_are_shown_where_the_policy_itself_says_one() -> None:
    """Of limits that nothing enforces three are named, and the first of the policy's own is shown."""
    above = "policykit: 1\nname: base\nrisk: {price_collar: {max_deviation: 2%, reference: last}}\n"
    more = 'dead_man_switch: {timeout: 60s, refresh: 15s}\nrisk: {symbols: ["BTC/USDT"]}\n'
    (line,) = _found("PK605", LIVE + "extends: [base]\n" + more, above=above)
    assert line.startswith("open certain policy.yaml:6:18 ")
    assert line.endswith("does not enforce dead_man_switch and risk.price_collar.reference")


def test_what_a_stage_shadows_is_no_dead_limit() -> None:
    """Caps that only the stage goes under are not called dead, and one that is dead anyway is, at its own place."""
    caps = "max_order_notional: %s, max_position_notional: 10%% of equity, symbols: [BTC/USDT]"
    text = LIVE + f"stage: {{current: %s}}\nrisk: {{{caps}}}\n"
    for stage in ("micro-live", "small-live", "full-live"):
        assert _found("PK610", text % (stage, "2% of equity")) == []
        (line,) = _found("PK610", text % (stage, "20% of equity"))
        assert line.split(" ", 3)[3] == (
            "risk.max_order_notional 20% of equity never binds: risk.max_position_notional is 10% of equity"
        )
        assert line.split(" ")[2].startswith("policy.yaml:6:")


def test_amounts_are_compared_with_shares_only_at_a_stated_equity() -> None:
    """Without `max_equity`, in another currency, or where the share could be larger, an amount is not called dead."""
    caps = "max_position_notional: 50%% of equity, symbols: [BTC/USDT]"
    risk = f"risk: {{max_order_notional: [1%% of equity, %s], {caps}}}\n"
    stated = LIVE.replace("USDT}", "USDT, max_equity: 10000 USDT}")
    assert _found("PK610", LIVE + risk % "5000 USDT") == []
    assert _found("PK610", stated + risk % "100 USDT") == []
    assert _found("PK610", stated + risk % "5000 EUR") == []
    assert len(_found("PK610", stated + risk % "101 USDT")) == 1
    wider = "risk: {max_order_notional: 6000 USDT, max_position_notional: 50% of equity, symbols: [BTC/USDT]}\n"
    assert _found("PK610", stated + wider) == [
        (
            "open certain policy.yaml:5:28 risk.max_order_notional 6000 USDT never binds: risk.max_position_notional "
            "is 50% of equity, 5000 USDT of 10000 USDT at most"
        )
    ]


def test_counts_that_no_order_uses_bound_nothing() -> None:
    """A budget of which an order costs nothing, or with nothing traded, says nothing of the count of orders."""
    text = LIVE + "rate_budgets: {desk: {limit: 1, per: 1m, window: fixed, shared_by: ip, costs: {%s}}}\n"
    risk = "risk: {symbols: [BTC/USDT], max_orders: {limit: 30, per: 1m}}\n"
    order = '"POST /api/v3/order"'
    assert _found("PK610", text % f"{order}: 0" + risk) == []
    assert len(_found("PK610", text % f"{order}: 1" + risk)) == 1
    assert _found("PK610", text % f"{order}: 1" + "risk: {max_orders: {limit: 30, per: 1m}}\n") == []
    assert _found("PK611", text % f"{order}: 2" + risk)[0].endswith(
        "budget `desk` leaves 1 for entries: 1 may be used and 0 of them are kept for exits"
    )


def test_entries_of_a_parent_are_not_held_against_the_child() -> None:
    """A cap by symbol and an exclusion that a profile says may have nothing to do in one of its policies."""
    above = (
        "policykit: 1\nname: base\nrisk: {symbols: ['*/USDT', '!LUNA*'], "
        "max_position_notional: {default: 10% of equity, SOL/USDT: 1% of equity}}\n"
    )
    child = LIVE + "extends: [base]\nrisk: {symbols: [BTC/USDT, '!LUNA2*']}\n"
    assert _found("PK612", child, above=above) == []
    assert _found("PK613", child, above=above) == []
    assert len(_found("PK613", child.replace("'!LUNA2*'", "BTC/USDT"), above=above)) == 1


def test_a_file_named_twice_and_a_rule_named_twice() -> None:
    """Every list of the language is looked at: files that are extended, rules that may be waived."""
    twice = "policykit: 1\nname: m\nextends: [base, base]\n"
    assert _found("PK613", twice, above="policykit: 1\nname: base\n") == [
        "open certain policy.yaml:3:17 base of extends is said twice"
    ]
    assert _found("PK613", "policykit: 1\nname: m\nwaivable: [PK204, PK204]\n") == [
        "open certain policy.yaml:3:19 PK204 of waivable is said twice"
    ]


@pytest.mark.parametrize(
    ("exchange", "symbol", "meant"),
    [
        ("binanceusdm", "BTC/USDT", '"BTC/USDT:USDT"'),
        ("binanceusdm", "!BTC/USDT", '"!BTC/USDT:USDT"'),
        ("binancecoinm", "BTC/USD", '"BTC/USD:BTC"'),
        ("krakenfutures", "BTC/USD", ""),
    ],
)
def test_the_contract_that_is_meant(exchange: str, symbol: str, meant: str) -> None:
    """Where contracts settle in one thing the fix names the contract, unsafely: what nothing matched, trades then."""
    text = LIVE.replace("binance", exchange) + f"risk: {{symbols: ['{symbol}', 'ETH*']}}\n"
    (found,) = _findings("PK614", text, traits=None)
    assert (found.fix.edits[0].text, found.fix.safe) == (meant, False) if meant and found.fix else found.fix is None


def test_derivatives_by_the_scopes_of_the_keys() -> None:
    """Keys that trade derivatives only make a policy one of contracts; margin alone is spot."""
    keys = "keys: {k: {purpose: execution, scopes: [read, %s]}}\nrisk: {symbols: ['%s']}\n"
    assert _found("PK614", LIVE + keys % ("trade.derivatives", "BTC/USDT")) == [
        "open certain policy.yaml:6:18 BTC/USDT is a spot market; the keys trade derivatives only"
    ]
    assert len(_found("PK614", LIVE + keys % ("trade.margin", "BTC/USDT:USDT"))) == 1
    for scopes in ("trade", "trade.spot, trade.derivatives"):
        assert _found("PK614", LIVE + keys % (scopes, "BTC/USDT")) == []
    assert len(_found("PK615", LIVE + keys % ("trade.derivatives", "BTC*"))) == 1
    # One contract too many under keys of spot is PK614's alone: nothing of it can be traded.
    for code in ("PK505", "PK609", "PK615"):
        assert _found(code, LIVE + RESEND + keys % ("trade.spot", "BTC/USDT:USDT")) == []


def test_minimum_is_compared_where_it_is_known() -> None:
    """A market of another quote, a product without a known minimum, and a cap in another currency say nothing."""
    risk = "risk: {symbols: ['%s'], max_order_notional: %s}\n"
    assert len(_found("PK607", LIVE + risk % ("BTC/USDT", "4.99 USDT"))) == 1
    for symbol, cap in (
        ("BTC/USDT", "5 USDT"),
        ("BTC/EUR", "1 USDT"),
        ("BTC/USDT", "1 EUR"),
        ("BTC/USDT", "0.001% of equity"),
        ("BTC/USDT:USDT", "1 USDT"),
    ):
        assert _found("PK607", LIVE + risk % (symbol, cap)) == []
    bare = Exchange(id="binance", products={"spot": Product(families={}, position_key="base")})
    assert _found("PK607", LIVE + risk % ("BTC/USDT", "1 USDT"), traits=bare) == []


def test_the_most_in_a_span_by_hand() -> None:
    """Aligned fixed windows fit exactly; any other span of a fixed window may touch one more."""
    budgets = load_text(BUDGET % ("10s", "fixed", "key", "")).model.rate_budgets or {}
    spans = [(10_000, True, 1), (20_000, True, 2), (5_000, True, 1), (15_000, True, 3), (10_000, False, 2)]
    assert [most_in(budgets["calls"], 1, span, aligned=aligned) for span, aligned, _ in spans] == [n for *_, n in spans]


def test_section_that_only_the_stage_makes_is_missing_from_the_file() -> None:
    """Without `risk` in the file, what it lacks is shown at the exchange, not at the stage that adds caps."""
    lines = _found("PK601", LIVE + "stage: {current: micro-live}\n")
    assert [line.split(" ")[2] for line in lines] == ["policy.yaml:3:1"] * 3


def test_equal_limits_are_not_dead() -> None:
    """A limit that is as tight as the one around it is no finding: it is the stage's and the profile's usual shape."""
    text = LIVE.replace("USDT}", "USDT, max_age: 10s}") + (
        "risk: {max_order_notional: 1% of equity, max_position_notional: 1% of equity, "
        "max_gross_exposure: 1% of equity, price_collar: {max_deviation: 2%, max_age: 10s}}\n"
    )
    assert _found("PK610", text) == []
    assert len(_found("PK610", text.replace("max_age: 10s}}", "max_age: 11s}}"))) == 1


def test_cap_by_symbol_without_default_leaves_orders_room() -> None:
    """Under caps of named symbols only, an order of another symbol is bounded by its own cap alone."""
    caps = "max_order_notional: 9% of equity, max_position_notional: {BTC/USDT: 1% of equity}"
    text = LIVE + f"risk: {{{caps}, symbols: [BTC/USDT, ETH/USDT]}}\n"
    assert _found("PK610", text) == []
    bounded = text.replace("{BTC/USDT:", "{default:")
    assert len(_found("PK610", bounded)) == 1
    # An order that turns a short position is larger than what is held then: contracts, loans, and what is not known.
    assert _found("PK610", bounded.replace("ETH/USDT]", '"ETH/USDT:USDT"]')) == []
    assert _found("PK610", bounded.replace("ETH/USDT]", "ETH/BTC]")) == []
    assert _found("PK610", bounded.replace(", symbols: [BTC/USDT, ETH/USDT]", "")) == []
    assert _found("PK610", bounded, traits=None) == []


def test_fixes_say_what_the_finding_is_about() -> None:
    """A budget of another span than the published one is not given that one's number; what is said is replaced."""
    budget = "rate_budgets: {orders: {limit: %s, per: %s, window: fixed, shared_by: account%s}}\n"
    (same,) = _findings("PK401", LIVE + budget % (60, "10s", ""))
    (other,) = _findings("PK401", LIVE + budget % (600, "1m", ""))
    assert (same.fix.edits[0].text if same.fix else None, other.fix) == ("50", None)
    assert (same.label, other.label) == ("50 or less", "over 50 per 10s")
    for more, kind, label in (("", "add", "no `use_at_most`"), (", use_at_most: 100%", "replace", "all of it")):
        (found,) = _findings("PK405", LIVE + budget % (50, "10s", more))
        assert found.fix is not None
        assert (found.fix.edits[0].kind, found.fix.edits[0].text, found.label) == (kind, "80%", label)


def test_facts_are_polled_at_least_every_five_seconds() -> None:
    """However old facts may get, a guard reads them every five seconds: 25 weight each with two symbols."""
    text = (
        "account: {name: main, currency: USDT, max_age: 1h}\nrisk: {symbols: [A/USDT]}\n"
        "rate_budgets:\n  request-weight: {limit: %s, per: 1m, window: fixed, shared_by: ip}\n"
    )
    assert len(_example("PK408", text % 551)) == 1
    assert _example("PK408", text % 552) == []
    assert "polling weighs 276 of the 551 per 1m" in _example("PK408", text % 551)[0]


def test_derivatives_only_exchanges_trade_swaps() -> None:
    """What an exchange of contracts trades is known without symbols and keys; elsewhere a glob needs the keys."""
    assert len(_found("PK505", LIVE.replace("binance", "binanceusdm") + RESEND, traits=None)) == 1
    assert _found("PK505", LIVE + RESEND + "risk: {symbols: ['*']}\n") == []
    keys = "keys: {k: {purpose: execution, scopes: [read, trade]}}\n"
    assert len(_found("PK505", LIVE + RESEND + keys + "risk: {symbols: ['*:USDT']}\n")) == 1
    assert _found("PK505", LIVE + RESEND + keys + "risk: {symbols: ['BTC*']}\n") == []


def test_position_of_an_exchange_without_traits() -> None:
    """Where nothing is known of an exchange, spot is kept by asset and a contract by its market."""
    text = LIVE.replace("binance", "kraken") + "risk: {symbols: ['%s'], max_position_notional: {'%s': 1%% of equity}}\n"
    assert _found("PK612", text % ("BTC/USDT", "BTC/USDC"), traits=None) == []
    assert len(_found("PK612", text % ("BTC/USDT:USDT", "BTC/USDC:USDC"), traits=None)) == 1
    assert _found("PK612", text % ("BTC/USDT:USDT", "BTC"), traits=None) == []


def test_live_figure_of_another_span_is_said_not_written() -> None:
    """A published figure is a fix only in the budget's own span; else the label says it."""
    entry = find("PK401")
    assert entry is not None
    budget = "rate_budgets: {orders: {limit: 100, per: 10s, window: fixed, shared_by: account}}\n"
    for per_ms, label, fix in ((10_000, "60 or less", True), (60_000, "over 60 per 1m", False)):
        limits = f'{{"limits": [{{"name": "orders", "limit": 60, "per_ms": {per_ms}}}]}}'
        (found,) = run(entry, Example("yaml", budget, snapshot=limits))
        assert (found.label, found.fix is not None) == (label, fix)


def test_daily_loss_at_the_guide_s_edge() -> None:
    """Five percent is inside the guide, in a share and in money; over it only a share is lowered by the fix."""
    text = LIVE.replace("USDT}", "USDT, max_equity: 1000 USDT}") + "risk: {daily_loss: {limit: %s}}\n"
    assert _found("PK604", text % "5% of equity") == _found("PK604", text % "50 USDT") == []
    fixes = [_findings("PK604", text % limit)[0].fix for limit in ("5.1% of equity", "51 USDT")]
    assert [fix and fix.edits[0].text for fix in fixes] == ["5% of equity", None]
