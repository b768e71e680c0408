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
    for _ in range(tier(1_000, 20_000)):
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
