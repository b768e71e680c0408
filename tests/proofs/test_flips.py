"""Every check that holds a field of the language has a flip: an order that a loosened policy lets through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policykit.engine import compile_policy, trial
from policykit.model.enforced import CHECKS
from policykit.policy import EffectivePolicy, load_text
from policykit.proofs.diff import diff
from policykit.proofs.difference import FieldChange, Flip
from policykit.traits import load as load_traits

BUDGET = {"limit": 100, "per": "1m", "window": "fixed", "shared_by": "ip"}
KEY = {"purpose": "execution", "scopes": ["read", "trade.spot"]}

#: By field: what an old and a new policy say, the new one looser, and which check the flip is by.
LOOSER: list[tuple[str, Any, Any, str]] = [
    ("account.margin_mode", "isolated", "cross", "account.margin_mode"),
    ("account.max_age", None, "20s", "account.max_age"),
    ("account.max_age", "5s", "8s", "account.max_age"),
    ("account.position_mode", "one_way", None, "account.position_mode"),
    ("clock.max_skew", "500ms", "1s", "clock.max_skew"),
    ("groups.all.max_gross_exposure", "1000 USDT", "2000 USDT", "groups.max_gross_exposure"),
    ("groups.all.max_net_exposure", "1000 USDT", "2000 USDT", "groups.max_net_exposure"),
    ("keys.mm.address_proof.max_age", "7d", "30d", "key.address_proof"),
    ("reconciliation.tolerance", "5 USDT", "10 USDT", "reconciliation.tolerance"),
    ("reconciliation.orders_every", "2m", "5m", "reconciliation.tolerance"),
    ("rate_budgets.request-weight.limit", 100, 200, "rate_budgets"),
    ("rate_budgets.request-weight.keep_for_exits", "20%", "10%", "rate_budgets"),
    ("rate_budgets.request-weight", BUDGET, None, "rate_budgets"),
    ("risk.consecutive_losses.limit", 3, 5, "risk.consecutive_losses"),
    (
        "risk.consecutive_losses",
        {"limit": 9, "cooldown": "10m"},
        {"limit": 9, "cooldown": "1m"},
        "risk.consecutive_losses",
    ),
    ("risk.daily_loss", {"limit": "1% of equity"}, {"limit": "2% of equity"}, "risk.daily_loss"),
    ("risk.daily_loss", {"limit": "1% of equity"}, {"limit": "1% of equity", "on_breach": "warn"}, "risk.daily_loss"),
    ("risk.weekly_loss", {"limit": "1000 USDT"}, {"limit": "2000 USDT"}, "risk.weekly_loss"),
    ("risk.max_drawdown", {"limit": "10% of equity"}, None, "risk.max_drawdown"),
    ("risk.duplicate_window", "10s", "2s", "risk.duplicate_window"),
    ("risk.entry_cooldown", "10s", None, "risk.entry_cooldown"),
    ("risk.max_amends", {"limit": 10, "per": "1m"}, {"limit": 20, "per": "1m"}, "risk.max_amends"),
    ("risk.max_asset_exposure", "1000 USDT", "2000 USDT", "risk.max_asset_exposure"),
    ("risk.max_borrow", None, "100 USDT", "risk.max_borrow"),
    ("risk.max_borrow", "100 USDT", "200 USDT", "risk.max_borrow"),
    ("risk.max_funding_rate", "0.1%", "0.2%", "risk.max_funding_rate"),
    ("risk.max_gross_exposure", "50% of equity", "60% of equity", "risk.max_gross_exposure"),
    ("risk.max_net_exposure", "1000 USDT", "1% of equity", "risk.max_net_exposure"),
    ("risk.max_leverage", 2, 3, "risk.max_leverage"),
    ("risk.max_margin_ratio", "50%", "80%", "risk.max_margin_ratio"),
    ("risk.max_messages", {"limit": 10, "per": "1m"}, {"limit": 20, "per": "1m"}, "risk.max_messages"),
    ("risk.max_open_orders", 1, 2, "risk.max_open_orders"),
    ("risk.max_open_orders_per_symbol", 1, 2, "risk.max_open_orders_per_symbol"),
    ("risk.max_open_positions", 1, 2, "risk.max_open_positions"),
    ("risk.max_order_notional", "1000 USDT", "2% of equity", "risk.max_order_notional"),
    ("risk.max_order_notional", ["1000 USDT", "0.1 BTC"], "1000 USDT", "risk.max_order_notional"),
    ("risk.on_breach", {}, {"max_order_notional": "warn"}, "risk.max_order_notional"),
    ("risk.max_order_quantity", {"default": 1}, {"default": 2}, "risk.max_order_quantity"),
    ("risk.max_order_quantity", {"default": 1}, {"default": 1, "BTC/USDT": "1.5"}, "risk.max_order_quantity"),
    ("risk.max_orders", {"limit": 30, "per": "1m"}, {"limit": 300, "per": "10m"}, "risk.max_orders"),
    ("risk.max_orders", {"limit": 30, "per": "1m"}, None, "risk.max_orders"),
    ("risk.max_orders_per_symbol", {"limit": 3, "per": "1m"}, {"limit": 4, "per": "1m"}, "risk.max_orders_per_symbol"),
    ("risk.max_position_notional", {"default": "1000 USDT"}, {"default": "2000 USDT"}, "risk.max_position_notional"),
    ("risk.max_position_notional", "1000 USDT", {"BTC/USDT": "1000 USDT"}, "risk.max_position_notional"),
    ("risk.max_price_move", {"limit": "5%", "per": "5m"}, {"limit": "10%", "per": "5m"}, "risk.max_price_move"),
    ("risk.max_slippage", "1%", "2%", "risk.max_slippage"),
    ("risk.min_liquidation_distance", "20%", "10%", "risk.min_liquidation_distance"),
    ("risk.order_types", ["limit"], ["limit", "stop_limit"], "risk.order_types"),
    ("risk.partial_fills", {"cooldown": "60s"}, {"cooldown": "10s"}, "risk.partial_fills"),
    ("risk.partial_fills", {"min_fill_to_act": "10%"}, {"min_fill_to_act": "5%"}, "risk.partial_fills"),
    ("risk.partial_fills", {"max_reentries": 1}, {"max_reentries": 3}, "risk.partial_fills"),
    ("risk.price_collar", {"max_deviation": "2%"}, {"max_deviation": "3%"}, "risk.price_collar"),
    ("risk.price_collar", {"max_deviation": "2%", "max_age": "2s"}, {"max_deviation": "2%"}, "risk.price_collar"),
    ("risk.reduce_only_exits", True, None, "risk.reduce_only_exits"),
    ("risk.repeated_execution", {"limit": 3, "per": "1m"}, {"limit": 4, "per": "1m"}, "risk.repeated_execution"),
    ("risk.risk_at_stop", "100 USDT", "200 USDT", "risk.risk_at_stop"),
    ("risk.risk_at_stop", "100 USDT", None, "risk.risk_at_stop"),
    ("risk.self_trade_prevention", ["expire_taker"], ["expire_taker", "expire_both"], "risk.self_trade_prevention"),
    ("risk.sides", ["buy"], ["buy", "sell"], "risk.sides"),
    ("risk.symbols", ["BTC/USDT"], ["*/USDT"], "risk.symbols"),
    ("risk.time_in_force", ["GTC"], ["GTC", "IOC"], "risk.time_in_force"),
    ("risk.trading_hours", ["mon-fri 08:00-20:00 UTC"], ["mon-fri 08:00-21:00 UTC"], "risk.trading_hours"),
    ("retry.reconnect.max_per", {"limit": 5, "per": "5m"}, {"limit": 6, "per": "5m"}, "retry.reconnect.max_per"),
    ("stage.current", "paper", "full-live", "stage.current"),
]


def policy(path: str, value: Any, text: str = "") -> EffectivePolicy:
    """Return an ordinary policy that says a value at a path; None: it says nothing there."""
    data: dict[str, Any] = {
        "policykit": 1,
        "name": "mm",
        "exchange": "binance",
        "account": {"name": "main", "currency": "USDT"},
        "keys": {"mm": dict(KEY)},
        "risk": {"max_order_notional": "50000 USDT"},
        "groups": {"all": {}},
        "rate_budgets": {"request-weight": dict(BUDGET)},
    }
    *names, last = path.split(".")
    at = data
    for name in names:
        at = at.setdefault(name, {})
    if value is None:
        at.pop(last, None)
    else:
        at[last] = value
    return load_text(json.dumps(data) + text)


def decided(policy: EffectivePolicy, flip: Flip, change: FieldChange) -> set[str]:
    """Decide a flip as a reader would, from its JSON; return the checks that deny it."""
    key = change.path.split(".")[1] if change.path.startswith("keys.") else None
    engine = compile_policy(
        policy, load_traits("binance"), key, "host" if key else "", paper=not change.path.startswith("stage.")
    )
    order = trial.read_order(json.loads(json.dumps(flip.order)))
    given = trial.read_facts(json.loads(json.dumps(flip.facts)), "USDT", flip.now_ms)
    return {reason.check for reason in trial.decide_once(engine, order, given, flip.now_ms)[0].reasons}


@pytest.mark.parametrize(("path", "old", "new", "check"), LOOSER, ids=lambda value: str(value)[:40])
def test_I16_every_loosening_has_an_order_that_flips(path: str, old: Any, new: Any, check: str) -> None:
    """The flip, decided again from its JSON under both policies, is denied by that check before and allowed now."""
    was, now = policy(path, old), policy(path, new)
    loosened = [field for field in diff(was, now).fields if field.verdict in ("looser", "different")]
    assert loosened
    for field in loosened:
        assert field.flip is not None, field.why
        by = decided(was, field.flip, field)
        assert any(one.startswith(check) for one in by) or path.endswith("max_age") or by == {"order.action"}
        assert decided(now, field.flip, field) == set()
    back = [field for field in diff(now, was).fields if field.verdict in ("tighter", "different")]
    assert all(field.flip is not None or field.back is not None for field in back), back


def test_every_check_that_holds_a_field_is_tried() -> None:
    """A check that is added needs a field whose loosening is shown; one purpose a key is no limit that loosens."""
    assert {check for *_, check in LOOSER} == CHECKS - {"key.purpose"}
