"""Rates at their edges: windows side by side, what polling costs to the unit, what stores share; times of retry."""

from __future__ import annotations

import pytest

from policykit.policy import load_text
from policykit.rules import Inputs
from policykit.rules.fleet import card
from policykit.testing.rules.examples import NOW_MS, Example, inputs_of, policy_text
from policykit.traits.base import Exchange, RateWindow
from tests.rules.asking import findings_for, findings_of, lines_for, lines_of

BUDGETS = "rate_budgets:\n"
ORDERS = "  orders: {limit: %s, per: %s, window: fixed, shared_by: account}\n"
WEIGHT = "  request-weight: {limit: %s, per: 1m, window: fixed, shared_by: ip}\n"


@pytest.mark.parametrize(
    ("limit", "per_ms", "said"),
    [(1, 10_000, ["budget `orders` is 50 per 10s; binance publishes 1 per 10s"]), (50, 1, [])],
)
def test_an_allowance_of_one_is_an_allowance(limit: int, per_ms: int, said: list[str]) -> None:
    """One request, and one millisecond, are numbers."""
    live = f'{{"limits": [{{"name": "orders", "limit": {limit}, "per_ms": {per_ms}}}]}}'
    assert [f.message for f in findings_of("PK401", BUDGETS + ORDERS % (50, "10s"), live)] == said


def test_one_window_of_an_allowance_is_said_also_behind_one_that_is_kept() -> None:
    """Of several windows under one name the first that a budget breaks is said, and only that one."""
    windows = tuple(RateWindow("orders", limit, ms, "fixed", "account") for limit, ms in ((100, 60_000), (20, 10_000)))
    last = RateWindow("orders", 30, 15_000, "fixed", "account")
    inputs = inputs_of(Example("yaml", BUDGETS + ORDERS % (100, "1m")))
    traits = Exchange(id="binance", products={}, rate_windows=(*windows, last))
    assert lines_for("PK406", inputs._replace(traits=traits)) == [
        "open certain policy.yaml:2:29 budget `orders` lets 100 through in 10s; binance allows 20 in each fixed 10s"
    ]


def test_the_published_row_that_is_broken_is_the_evidence() -> None:
    """Behind rows of other windows, too."""
    rows = ", ".join(
        f'{{"name": "orders", "limit": {limit}, "per_ms": {ms}}}' for limit, ms in ((100, 60_000), (20, 10_000))
    )
    (found,) = findings_of("PK406", BUDGETS + ORDERS % (100, "1m"), f'{{"limits": [{rows}]}}')
    assert found.observed is not None
    assert (found.confidence, found.observed.value) == ("observed", 20)


def test_the_name_of_a_profile_s_budget_is_not_written_anew() -> None:
    """A misnamed budget that only a profile says is found in the policy, which has no name to mend."""
    above = "policykit: 1\nname: base\nrate_budgets:\n  order: {limit: 9, per: 1m, window: fixed, shared_by: account}\n"
    text = policy_text("extends: [base]\n", ("rate_budgets",))
    inputs = inputs_of(Example("yaml", "name: m\n"))._replace(policy=load_text(text, resolve=lambda name: above))
    assert [(f.label, f.fix) for f in findings_for("PK403", inputs)] == [("did you mean `orders`?", None)]


# -- polling -----------------------------------------------------------------------------------------------------------

BARE = "account: {name: main, currency: USDT}\n"


def test_a_budget_that_polling_leaves_alone_hides_none_behind_it() -> None:
    """Each budget is looked at, whatever stands before it."""
    polls = "reconciliation: {on_start: required, orders_every: 100ms}\n"
    (line,) = lines_of("PK408", BARE + polls + BUDGETS + ORDERS % (50, "10s") + WEIGHT % 6000)
    assert "`request-weight`" in line


@pytest.mark.parametrize(("room", "count"), [(4_800, 0), (4_799, 1)])
def test_a_policy_that_counts_no_bots_is_of_one(room: int, count: int) -> None:
    """One look-up of 4 every 100 ms is 2,400 a minute: half of 4,800, and more than half of less."""
    lookups = "retry: {orders: {when_absent: hold, lookup_every: 100ms}}\n"
    assert len(lines_of("PK408", BARE + lookups + BUDGETS + WEIGHT % room)) == count


def test_facts_are_read_every_five_seconds_to_the_millisecond() -> None:
    """A hundred bots that each read facts of 23 every five seconds weigh 27,600 a minute."""
    account = BARE.replace("USDT}", "USDT, max_age: 1h, bots: 100}") + "store: {share: process}\n" + BUDGETS
    assert [len(lines_of("PK408", account + WEIGHT % room)) for room in (55_200, 55_199)] == [0, 1]


def test_what_is_asked_without_a_symbol_costs_once() -> None:
    """The account, the time and one order cost the same however many symbols are traded; prices cost by symbol."""
    symbols = ", ".join(f"A{n}/USDT" for n in range(20))
    polls = "reconciliation: {on_start: required, positions_every: 1s}\n" + BUDGETS + WEIGHT
    risk = f"risk: {{symbols: [{symbols}]}}\n"
    assert [len(lines_of("PK408", BARE + risk + polls % room)) for room in (2_400, 2_399)] == [0, 1]
    facts = BARE.replace("USDT}", "USDT, max_age: 3s}") + BUDGETS + WEIGHT % 100
    found = [findings_of("PK408", facts + f"risk: {{symbols: [{few}]}}\n")[0] for few in ("A/USDT", "A/USDT, B/USDT")]
    assert [f.label for f in found] == ["1,380 per 1m", "1,500 per 1m"]


# -- stores ------------------------------------------------------------------------------------------------------------


def test_a_finding_on_split_budgets_points_at_five_others() -> None:
    """Of many policies that share a budget, five others are shown beside the first."""
    stores = "account: {name: main, currency: USDT, egress: fra-1, bots: 2}\nstore: {share: process}\n"
    cards = tuple(card(Inputs(NOW_MS, policy=load_text(policy_text(stores), f"{n}.yaml"))) for n in range(7))
    shown = [[place.file for _, place in f.context] for f in findings_for("PK409", Inputs(NOW_MS, fleet=cards))]
    assert shown == [[f"{n}.yaml" for n in range(1, 6)]] * 2


def test_a_store_of_one_process_is_one_store() -> None:
    """A policy that counts no bots has one, whose store of its own may use all of the budget."""
    alone = "account: {name: main, currency: USDT, egress: fra-1}\nstore: {share: process}\n" + BUDGETS + WEIGHT % 6000
    assert lines_of("PK409", alone) == []
    assert len(lines_of("PK409", alone.replace("fra-1", "fra-1, bots: 2"))) == 1
