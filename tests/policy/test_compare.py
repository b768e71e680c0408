"""Comparing two policies: the same strictness as composition, both ways, and what cannot be compared."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import MappingProxyType

import pytest

from policykit.model import Policy
from policykit.policy import Layer, compose, load_text
from policykit.policy.compare import Comparison, compare
from tests.policy.test_tighten import layer, looser

POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {name: main, currency: USDT}
keys:
  mm-exec: {purpose: execution, secret: "env://MM", scopes: [read, trade.spot]}
risk:
  symbols: ["BTC/USDT", "ETH/USDT"]
  max_order_notional: 1000 USDT
  max_position_notional: {default: 10% of equity, "BTC/USDT": 20% of equity}
  max_orders: {limit: 30, per: 1m}
  daily_loss: {limit: 3% of equity, on_breach: reduce_only}
"""


def changed(was: str, now: str) -> Comparison:
    """Compare the policy with itself after one edit."""
    assert was in POLICY
    return compare(load_text(POLICY).model, load_text(POLICY.replace(was, now)).model)


@pytest.mark.parametrize(
    ("was", "now", "looser"),
    [
        ("1000 USDT", "999 USDT", []),
        ("1000 USDT", "1001 USDT", ["risk.max_order_notional: 1000 USDT -> 1001 USDT"]),
        ("  max_order_notional: 1000 USDT\n", "", ["risk.max_order_notional: 1000 USDT -> nothing"]),
        ("1000 USDT", "[1000 USDT, 1% of equity]", []),
        ('["BTC/USDT", "ETH/USDT"]', '["ETH/USDT"]', []),
        ('["BTC/USDT", "ETH/USDT"]', '["*/USDT"]', ["risk.symbols: [BTC/USDT, ETH/USDT] -> [*/USDT]"]),
        (', "BTC/USDT": 20% of equity', "", []),
        ("default: 10%", "default: 5%", []),
        ("default: 10%", "default: 11%", ["risk.max_position_notional.default: 10% of equity -> 11% of equity"]),
        ("on_breach: reduce_only", "on_breach: halt", []),
        ("on_breach: reduce_only", "on_breach: warn", ["risk.daily_loss.on_breach: reduce_only -> warn"]),
        ("read, trade.spot", "read", []),
        ("read, trade.spot", "read, trade", ["keys.mm-exec.scopes: [read, trade.spot] -> [read, trade]"]),
        ("env://MM", "env://NEW", []),
        ("owner: desk-a", "owner: desk-b", []),
        ("limit: 30, per: 1m", "limit: 30, per: 60s", []),
    ],
)
def test_what_allows_more_is_looser_and_its_reverse_is_tighter(was: str, now: str, looser: list[str]) -> None:
    """Caps, lists, defaults of maps, words in an order; what is neutral, or said in other words, is neither."""
    found = changed(was, now)
    assert ([str(change) for change in found.looser], found.identity) == (looser, ())
    back = compare(load_text(POLICY.replace(was, now)).model, load_text(POLICY).model)
    assert [(c.path, c.now, c.was) for c in back.tighter] == [(c.path, c.was, c.now) for c in found.looser]
    assert [(c.path, c.now, c.was) for c in back.looser] == [(c.path, c.was, c.now) for c in found.tighter]


def test_a_waiver_makes_looser_and_its_end_tighter() -> None:
    """What a waiver accepts was refused before it."""
    waiver = 'waivers:\n  - {rule: PK204, at: keys, owner: a, ticket: T, reason: "r", expires: 2026-12-01}\nrisk:'
    found = changed("risk:", waiver)
    assert ([c.path for c in found.looser], found.tighter) == (["waivers"], ())


def test_another_account_or_currency_cannot_be_compared() -> None:
    """Both speak of other money: that is said, with both words."""
    found = changed("currency: USDT", "currency: USDC")
    assert [str(change) for change in found.identity] == ["account.currency: USDT -> USDC"]
    assert (found.looser, found.tighter) == ((), ())


def test_I16_it_agrees_with_a_second_reading_of_strictness(tier: Callable[[int, int], int]) -> None:
    """Of random pairs: looser exactly where the simple reading finds something, and never against a composition."""
    draw = random.Random(17)
    both_ways = [0, 0]
    for _ in range(tier(80, 5_000)):
        old, new = layer(draw).model, layer(draw).model
        simple = any(True for _ in looser(new, old))
        both_ways[simple] += 1
        found = compare(old, new)
        if simple:
            # What is proved to mean the same, and shares of a budget that come to fewer calls, it does not see.
            proved = [c for c in found.changes if c.verdict == "equal" or c.path.startswith("rate_budgets.")]
            assert found.looser or found.identity or proved
        met, _ = compose(layer_of(old), layer_of(new), strict=False)
        # Composition takes silence for no word at all; here it is what the engine takes then (`Meta.absent`).
        changes = compare(old, met.model).changes
        assert [c for c in changes if c.verdict == "looser" and c.path != "waivers" and c.was != "nothing"] == []
    assert both_ways[1] > 0


def layer_of(model: Policy) -> Layer:
    """Return a model as a layer without places."""
    return Layer(model, MappingProxyType({}))


BUDGET = "{limit: 100, per: 1m, window: fixed, shared_by: ip, use_at_most: 80%, keep_for_exits: 10%}"
#: What a whole section says before and after, and what that comes to.
SECTIONS = [
    ("keys", "{a: {purpose: execution}}", "{a: {purpose: execution}, b: {purpose: tracking}}", ["keys.b different"]),
    ("keys", "{a: {purpose: execution}}", "{a: {purpose: hedging}}", ["keys.a.purpose different"]),
    (
        "keys",
        "{a: {purpose: execution, secret: 'env://A'}}",
        "{a: {purpose: execution, secret: 'env://B'}}",
        ["keys.a.secret equal"],
    ),
    (
        "keys",
        '{a: {purpose: execution, ip_allowlist: [{address: "203.0.113.7"}]}}',
        '{a: {purpose: execution, ip_allowlist: [{address: "203.0.113.7", why: x}, {address: "203.0.113.8"}]}}',
        ["keys.a.ip_allowlist.203.0.113.7.why equal", "keys.a.ip_allowlist.203.0.113.8 looser"],
    ),
    (
        "keys",
        '{a: {purpose: execution, ip_allowlist: [{address: "203.0.113.7"}]}}',
        "{a: {purpose: execution}}",
        ["keys.a.ip_allowlist looser"],
    ),
    (
        "keys",
        '{a: {purpose: execution, ip_allowlist: [{address: "203.0.113.7"}]}}',
        "{a: {purpose: execution, ip_allowlist: []}}",
        ["keys.a.ip_allowlist looser"],
    ),
    ("rate_budgets", "{w: " + BUDGET + "}", "{}", ["rate_budgets.w looser"]),
    (
        "rate_budgets",
        "{w: " + BUDGET + "}",
        "{w: " + BUDGET.replace("80%", "90%") + "}",
        ["rate_budgets.w.use_at_most looser"],
    ),
    (
        "rate_budgets",
        "{w: " + BUDGET + "}",
        "{w: " + BUDGET.replace("fixed", "rolling") + "}",
        ["rate_budgets.w.window different"],
    ),
    (
        "rate_budgets",
        "{w: " + BUDGET + "}",
        "{w: " + BUDGET.replace("10%}", "10%, costs: {GET /x: 5}}") + "}",
        ["rate_budgets.w.costs.GET /x tighter"],
    ),
    ("groups", "{all: {}}", "{}", ["groups.all looser"]),
    (
        "groups",
        "{all: {max_gross_exposure: 5 USDT}}",
        "{}",
        ["groups.all looser", "groups.all.max_gross_exposure looser"],
    ),
    ("kill_switch", "{file: STOP, drill_every: 30d}", "{drill_every: 30d}", ["kill_switch.file looser"]),
    ("kill_switch", "{file: STOP}", "{file: HALT}", ["kill_switch.file different"]),
    (
        "stage",
        "{current: paper, next_needs: {approver: desk-head}}",
        "{current: paper, next_needs: {approver: intern}}",
        ["stage.next_needs.approver different"],
    ),
    (
        "stage",
        "{current: paper}",
        "{current: paper, next_needs: {approver: intern}}",
        ["stage.next_needs.approver different"],
    ),
    (
        "reconciliation",
        "{tolerance: 5 USDT}",
        "{tolerance: 5 USDT, others: [{name: hand}]}",
        ["reconciliation.others.hand looser"],
    ),
    (
        "kill_switch",
        "{rearm: {reason_required: true}}",
        "{rearm: {reason_required: false}}",
        ["kill_switch.rearm.reason_required looser"],
    ),
    ("risk", "{max_borrow: 5 USDT}", "{}", ["risk.max_borrow different"]),
    ("risk", "{}", "{max_borrow: 0 USDT}", ["risk.max_borrow tighter"]),
    ("risk", "{max_borrow: 5 USDT}", "{max_borrow: 6 USDT}", ["risk.max_borrow looser"]),
    ("account", "{max_age: 5s}", "{max_age: 8s}", ["account.max_age looser"]),
    ("account", "{position_mode: hedge}", "{}", ["account.position_mode different"]),
    ("account", "{position_mode: one_way}", "{}", ["account.position_mode looser"]),
    (
        "risk",
        "{max_open_orders: 5, trading_hours: ['daily 00:00-24:00 UTC']}",
        "{max_open_orders: 5}",
        ["risk.trading_hours equal"],
    ),
    (
        "risk",
        "{trading_hours: ['daily 00:00-12:00 UTC']}",
        "{trading_hours: ['daily 06:00-18:00 UTC']}",
        ["risk.trading_hours different"],
    ),
    ("risk", "{symbols: [BTC/*]}", '{symbols: ["*/USDT"]}', ["risk.symbols different"]),
    ("risk", "{max_orders: {limit: 1, per: 1m}}", "{max_orders: {limit: 5, per: 10m}}", ["risk.max_orders different"]),
    ("risk", "{max_position_notional: {default: 5 USDT}}", "{}", ["risk.max_position_notional.default looser"]),
    (
        "risk",
        '{max_position_notional: {"BTC/USDT": 5 USDT, "BTC/USDC": 9 USDT}}',
        '{max_position_notional: {"BTC/USDT": 5 USDT}}',
        ["risk.max_position_notional.BTC/USDC equal"],
    ),
    ("risk", "{on_breach: {max_slippage: halt}}", "{}", ["risk.on_breach.max_slippage equal"]),
    (
        "reconciliation",
        "{orders_every: 30s}",
        "{orders_every: 30s, positions_every: 1h}",
        ["reconciliation.positions_every different"],
    ),
    (
        "reconciliation",
        "{orders_every: 30s, positions_every: 1h}",
        "{orders_every: 30s}",
        ["reconciliation.positions_every different"],
    ),
    (
        "reconciliation",
        "{tolerance: 5 USDT, others: [{name: hand}]}",
        "{tolerance: 5 USDT, others: [{name: hand}, {name: other}]}",
        ["reconciliation.others.other looser"],
    ),
]


@pytest.mark.parametrize(("section", "was", "now", "said"), SECTIONS, ids=lambda value: str(value)[:50])
def test_sections_compare_by_what_is_in_them(section: str, was: str, now: str, said: list[str]) -> None:
    """Each entry and field by itself; what is neutral, or means the same, is equal and says why."""
    old, new = (load_text(f"policykit: 1\nname: p\n{section}: {text}\n").model for text in (was, now))
    changes = compare(old, new).changes
    assert [f"{c.path} {c.verdict}" for c in changes] == said
    assert all(c.why for c in changes if c.verdict == "equal" or (c.verdict == "different" and section != "risk"))
    back = [f"{c.path} {c.verdict}" for c in compare(new, old).changes]
    mirror = {"tighter": "looser", "looser": "tighter"}
    assert sorted(back) == sorted(f"{path} {mirror.get(word, word)}" for path, word in (s.rsplit(" ", 1) for s in said))


@pytest.mark.parametrize(
    ("was", "now", "verdict"),
    [
        ("2026-12-01", "2027-01-01", ["looser"]),
        ("2027-01-01", "2026-12-01", ["tighter"]),
        ("2026-12-01", "2026-12-01", []),
    ],
)
def test_a_waiver_that_lasts_longer_is_looser(was: str, now: str, verdict: list[str]) -> None:
    """By its day; who agreed to it and why is no difference."""
    waiver = 'waivers:\n  - {rule: PK204, at: keys, owner: %s, reason: "r", expires: %s}\nrisk:'
    old, new = (load_text(POLICY.replace("risk:", waiver % said)).model for said in (("a", was), ("b", now)))
    found = compare(old, new, 0).changes
    assert sorted({c.verdict for c in found}) == verdict
