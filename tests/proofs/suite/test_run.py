"""The runner: what a guard and its store do with a row of orders, a test file can say and hold."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.engine.facts import Fact, Facts
from policykit.proofs.suite.trader import Trader
from policykit.proofs.suite.world import Account, Book
from tests.proofs.suite.making import buy, ran, sell, why

NOTHING: dict[str, Any] = {}
MARKET = {"symbol": "BTC/USDT", "side": "buy", "type": "market", "quantity": "0.01"}
#: Each row: what the policy is changed by, and the steps; every step comes out as it says.
ROWS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "an order inside the caps passes": (NOTHING, [{"order": buy()}]),
    "a denial has its codes, all of them": (
        NOTHING,
        [{"order": buy("0.5"), "expect": {"deny": ["RISK_ORDER_NOTIONAL", "RISK_POSITION"]}}],
    ),
    "of a denial some codes may be said, or none": (
        NOTHING,
        [
            {"order": buy("0.5"), "expect": {"deny": {"includes": ["RISK_POSITION"]}}},
            {"order": buy("0.5"), "expect": "deny"},
            {"order": buy("0.5"), "expect": {"deny": "any"}},
        ],
    ),
    "a code may say its check": (
        {"rate_budgets.request-weight.limit": 10},
        [
            {"order": buy(), "times": 7},
            {"order": buy(), "expect": {"deny": [{"code": "RATE_BUDGET", "check": "rate_budgets.request-weight"}]}},
        ],
    ),
    "orders that are out count until they are cancelled": (
        {"risk.max_open_orders": 2},
        [
            {"order": buy(), "as": "first"},
            {"order": buy()},
            {"order": buy(), "expect": {"deny": ["RISK_OPEN_ORDERS"]}},
            {"cancelled": "first"},
            {"order": buy()},
        ],
    ),
    "a bot cancels its order, by name or all": (
        {"risk.max_open_orders": 1},
        [
            {"order": buy(), "as": "first"},
            {"order": {"action": "order.cancel", "symbol": "BTC/USDT"}, "of": "first"},
            {"order": buy()},
            {"order": {"action": "orders.cancel_all"}},
            {"order": buy()},
        ],
    ),
    "a window opens again": (
        {"risk.max_orders.limit": 2},
        [
            {"order": buy(), "times": 2},
            {"order": buy(), "expect": {"deny": ["RATE_ORDERS"]}},
            {"after": "60001ms", "order": buy()},
        ],
    ),
    "a fill is held at once, with nothing in doubt": (
        {"risk.max_position_notional": {"default": "1200 USDT"}},
        [
            {"given": {"positions": {"BTC/USDT": 0}}, "order": buy(), "then": "filled"},
            {"order": buy(), "then": "filled"},
            {"order": buy(), "expect": {"deny": ["RISK_POSITION"]}},
            {"order": sell("0.02"), "then": "filled"},
            {"order": buy("0.02")},
        ],
    ),
    "a part may fill": (
        {"risk.max_position_notional": {"default": "1200 USDT"}},
        [
            {"order": buy("0.02"), "as": "entry"},
            {"filled": {"of": "entry", "quantity": "0.005"}},
            {"cancelled": "entry"},
            {"order": buy("0.015")},
            {"order": buy("0.001"), "expect": {"deny": ["RISK_POSITION"]}},
        ],
    ),
    "an order that got lost stops its side": (
        NOTHING,
        [
            {"order": buy(), "as": "entry", "then": "lost"},
            {"order": buy(), "expect": {"deny": ["ORDER_OUTCOME_PENDING"]}},
            {"order": sell()},
            {"found": "entry"},
            {"order": buy(), "then": "lost"},
            {"absent": "last"},
            {"order": buy()},
        ],
    ),
    "a rejected order gives back what it held": (
        {"risk.max_open_orders": 1},
        [{"order": buy(), "then": "rejected"}, {"order": buy()}],
    ),
    "an order that rests for an hour is not taken for lost": (
        NOTHING,
        [{"order": buy()}, {"after": "1h", "order": buy()}],
    ),
    "a halt denies increases until it ends": (
        NOTHING,
        [
            {"halt": "all"},
            {"order": buy(), "expect": {"deny": ["TRADING_HALTED"]}},
            {"order": sell()},
            {"resume": "all"},
            {"halt": {"scope": "symbol:ETH/USDT", "state": "REDUCING"}},
            {"order": buy()},
            {"order": buy(symbol="ETH/USDT", price="3000"), "expect": {"deny": ["TRADING_REDUCING"]}},
            {"halt": {"freeze": True}},
            {"order": sell(), "expect": {"deny": ["TRADING_FROZEN"]}},
        ],
    ),
    "a loss trips, latches over the day, and a person lifts it": (
        NOTHING,
        [
            {"order": buy()},
            {"given": {"equity": "97000 USDT"}, "order": buy(), "expect": {"deny": ["DAILY_LOSS"]}},
            {"given": {"equity": "100000 USDT"}, "order": buy(), "expect": {"deny": ["TRADING_REDUCING"]}},
            {"after": "24h", "order": buy(), "expect": {"deny": ["TRADING_REDUCING"]}},
            {"resume": "all"},
            {"order": buy()},
        ],
    ),
    "a day rolls: its base is the equity it begins with": (
        {"risk.daily_loss.on_breach": "deny"},
        [
            {
                "given": {"equity": "97000 USDT", "day_base": "100000 USDT"},
                "order": buy(),
                "expect": {"deny": ["DAILY_LOSS"]},
            },
            {"after": "13h", "order": buy(), "expect": {"deny": ["DAILY_LOSS"]}},
            {"after": "1h", "order": buy()},
            {"given": {"equity": "94100 USDT"}, "order": buy(), "expect": "allow"},
            {"given": {"equity": "94090 USDT"}, "order": buy(), "expect": {"deny": ["DAILY_LOSS"]}},
        ],
    ),
    "what was transferred is no loss, and none of the next day's": (
        {"risk.daily_loss.on_breach": "deny", "risk.weekly_loss": {"limit": "5% of equity"}},
        [
            {"order": buy()},
            {"given": {"equity": "90000 USDT", "net_transfers": "-10000 USDT"}, "order": buy()},
            {"after": "24h", "order": buy()},
            {"given": {"equity": "80000 USDT"}, "order": buy(), "expect": {"deny": ["DAILY_LOSS", "WEEKLY_LOSS"]}},
        ],
    ),
    "losing trades in a row are counted by their fills": (
        {"risk.consecutive_losses": {"limit": 1}},
        [
            {"order": buy(), "then": "filled"},
            {"order": sell(price="59000"), "then": "filled"},
            {"order": buy(), "expect": {"deny": ["LOSS_STREAK"]}},
        ],
    ),
    "a streak is said and goes on": (
        {"risk.consecutive_losses": {"limit": 3}},
        [
            {"given": {"streak": 2}, "order": buy(), "then": "filled"},
            {"order": sell(), "then": {"filled": {"price": "50000"}}},
            {"order": buy(), "expect": {"deny": ["LOSS_STREAK"]}},
        ],
    ),
    "prices were calm unless a test says otherwise": (
        {"risk.max_price_move": {"limit": "1%", "per": "5m"}},
        [
            {"order": buy()},
            {
                "after": "10s",
                "given": {"marks": {"BTC/USDT": "60700"}},
                "order": buy(),
                "expect": {"deny": ["RISK_PRICE_MOVE"]},
            },
            {"after": "20m", "order": buy()},
        ],
    ),
    "a fact may be old, or not known": (
        NOTHING,
        [
            {
                "given": {"equity": {"value": "100000 USDT", "as_of": "11s"}},
                "order": buy(),
                "expect": {"deny": ["FACTS_STALE"]},
            },
            {
                "given": {"equity": "100000 USDT", "positions_as_of": "unknown"},
                "order": buy(),
                "expect": {"deny": ["FACTS_MISSING"]},
            },
            {"given": {"positions_as_of": "0s", "skew_ms": 501}, "order": buy(), "expect": {"deny": ["CLOCK_SKEW"]}},
            {
                "given": {"skew_ms": 500, "marks": {"BTC/USDT": "unknown"}},
                "order": MARKET,
                "expect": {"deny": {"includes": ["PRICE_MISSING"]}},
            },
        ],
    ),
    "positions that are given count, and so do others' orders": (
        {"risk.max_position_notional": {"default": "6000 USDT"}},
        [
            {"given": {"positions": {"BTC/USDT": "0.09"}}, "order": buy()},
            {"order": buy(), "expect": {"deny": ["RISK_POSITION"]}},
            {"given": {"positions": {"BTC/USDT": {"held": "0.05", "open_buys": "0.03"}}}, "order": buy()},
            {"order": buy(), "expect": {"deny": ["RISK_POSITION"]}},
        ],
    ),
    "totals count what is held at its price": (
        {"risk.max_gross_exposure": "9000 USDT", "risk.max_position_notional": None},
        [
            {"given": {"positions": {"BTC/USDT": "0.1", "ETH/USDT": "0.8"}}, "order": buy()},
            {"given": {"marks": {"ETH/USDT": "4000"}}, "order": buy(), "expect": {"deny": ["RISK_GROSS_EXPOSURE"]}},
        ],
    ),
    "an amend is of an order": (
        {"risk.max_order_notional": "1200 USDT"},
        [
            {"order": buy(), "as": "entry"},
            {"order": {"action": "order.amend", "quantity": "0.02"}, "of": "entry"},
            {
                "order": {"action": "order.amend", "quantity": "0.021"},
                "of": "entry",
                "expect": {"deny": ["RISK_ORDER_NOTIONAL"]},
            },
            {"filled": {"of": "entry", "quantity": "0.02"}},
        ],
    ),
    "a limit may warn": (
        {"risk.on_breach": {"max_order_notional": "warn"}},
        [{"order": buy("0.1"), "expect": {"warn": ["RISK_ORDER_NOTIONAL"]}}, {"order": buy(), "expect": {"warn": []}}],
    ),
    "halts and bans may be said": (
        NOTHING,
        [
            {"given": {"halts": [{"scope": "all"}]}, "order": buy(), "expect": {"deny": ["TRADING_HALTED"]}},
            {"given": {"halts": []}, "order": buy()},
            {"given": {"banned_until": {"ip": "30s"}}, "order": buy(), "expect": {"deny": ["RATE_BANNED"]}},
            {"after": "31s", "order": buy()},
        ],
    ),
    "entries that filled in part may be said": (
        {"risk.partial_fills": {"cooldown": "60s"}},
        [
            {
                "given": {"partials": {"BTC/USDT": {"as_of": "5s"}}},
                "order": buy(),
                "expect": {"deny": ["PARTIAL_COOLDOWN"]},
            },
            {"after": "55s", "order": buy()},
        ],
    ),
    "the peak and the week's base may be said": (
        {"risk.max_drawdown": {"limit": "10% of equity"}, "risk.weekly_loss": {"limit": "5% of equity"}},
        [
            {"given": {"peak": "111112 USDT"}, "order": buy(), "expect": {"deny": ["DRAWDOWN"]}},
            {"resume": "all"},
            {"given": {"week_base": "105264 USDT"}, "order": buy(), "expect": {"deny": ["WEEKLY_LOSS"]}},
        ],
    ),
    "what no bot may do is denied": (
        NOTHING,
        [{"order": {"action": "withdraw", "symbol": "BTC", "quantity": "1"}, "expect": {"deny": ["ACTION_REFUSED"]}}],
    ),
    "an address proof is there unless it is said to be old": (
        {
            "keys": {
                "k": {
                    "purpose": "execution",
                    "secret": "env://K",
                    "scopes": ["trade.spot"],
                    "address_proof": {"max_age": "30d"},
                }
            }
        },
        [
            {"order": buy()},
            {
                "given": {"address_proofs": {"host|k": "31d"}},
                "order": buy(),
                "expect": {"deny": ["ADDRESS_PROOF_STALE"]},
            },
            {"given": {"address_proofs": "unknown"}, "order": buy(), "expect": {"deny": ["ADDRESS_PROOF_MISSING"]}},
        ],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_orders_comes_out_as_a_guard_would_decide(name: str, tmp_path: Path) -> None:
    """Each row of the table: counters, windows, fills, losses and halts as the store keeps them."""
    changes, steps = ROWS[name]
    assert why(ran(tmp_path, *steps, changes=changes)) == ""


#: What is broken, and the row that notices it.
BROKEN = {
    "a fill is held at once, with nothing in doubt": (Book, "settle", lambda self, account: None),
    "an order that rests for an hour is not taken for lost": (
        Trader,
        "_placed",
        lambda self, intent, step, target: None,
    ),
    "what was transferred is no loss, and none of the next day's": (
        Account,
        "_net",
        lambda self, facts, given, said, now_ms: facts.net_transfers or Fact(Decimal(0), now_ms),
    ),
    "a halt denies increases until it ends": (Trader, "facts", lambda self, symbol="": Facts(**self._over)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_control_a_broken_runner_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each row above fails where the part of the runner that it is about is broken."""
    monkeypatch.setattr(*BROKEN[name])
    changes, steps = ROWS[name]
    assert why(ran(tmp_path, *steps, changes=changes)) != ""
