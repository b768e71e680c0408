"""Which checks Cedar and CEL can say, what must be given to them, and why they cannot say the rest."""

from __future__ import annotations

from typing import Final, NamedTuple


class Said(NamedTuple):
    """One check: whether it is translated, and what stays outside of both languages."""

    translated: bool
    note: str


_FACT = "the facts are given"
_COUNT = "the count is given: neither language keeps one, nor reserves"
_CONTRACTS = "it is about contracts, and only spot is translated"
_TOTAL = "a total that every fill and every mark moves: given whole, there is one addition left to compare"
TABLE: Final[dict[str, Said]] = {
    "order.shape": Said(True, "but amends, and NaN, infinity and text, which neither language has as a number"),
    "order.action": Said(True, "but a close that raises another asset: it needs the account's currency"),
    "stage.current": Said(True, "wholly"),
    "trading.state": Said(True, "the halts that bind are given; neither language latches one"),
    "trading.store": Said(True, _FACT),
    "trading.streams": Said(False, "it is what the guard saw of its own connections: given, nothing is left to say"),
    "rate.ban": Said(True, _FACT),
    "clock.max_skew": Said(True, _FACT),
    "account.position_mode": Said(False, "spot has none, and only spot is translated"),
    "account.max_age": Said(True, "facts and the time are given"),
    "policy.unheld": Said(False, "it is about the program that reads the policy, not about the order"),
    "risk.symbols": Said(True, "globs as `like` in Cedar, as a regular expression in CEL"),
    "risk.order_types": Said(True, "wholly"),
    "order.value": Said(True, "but quote quantities and other currencies (both divide), and numbers over 63 bits"),
    "risk.max_order_notional": Said(True, "on the grid, in the account's currency"),
    "risk.price_collar": Said(True, "on the grid; buys, since a sell on spot only reduces"),
    "risk.max_leverage": Said(False, "spot has none, and only spot is translated"),
    "risk.max_position_notional": Said(True, "what is held and what is out are given; nothing is reserved"),
    "order.outcome_pending": Said(True, _COUNT),
    "risk.max_open_orders": Said(True, _COUNT),
    "risk.max_orders": Said(True, _COUNT),
    "rate_budgets": Said(True, f"weights and limits; {_COUNT}"),
    "reconciliation.tolerance": Said(False, "it is about what the account has, which no order tells"),
    "retry.reconnect.max_per": Said(False, "it is about connects, which are no orders"),
    "risk.sides": Said(True, "wholly"),
    "risk.time_in_force": Said(True, "wholly"),
    "risk.self_trade_prevention": Said(True, "wholly"),
    "risk.max_order_quantity": Said(True, "but orders in quote quantity, which need a division"),
    "risk.max_open_orders_per_symbol": Said(True, _COUNT),
    "risk.max_orders_per_symbol": Said(True, _COUNT),
    "risk.max_messages": Said(True, _COUNT),
    "risk.max_amends": Said(False, "amends are not translated; the order that one changes has to be looked up"),
    "risk.duplicate_window": Said(False, "it is about the orders before, which neither language remembers"),
    "risk.repeated_execution": Said(False, "it is about the orders before, which neither language remembers"),
    "risk.partial_fills": Said(False, "it is about the orders before, which neither language remembers"),
    "risk.entry_cooldown": Said(False, "it is about the orders before, which neither language remembers"),
    "risk.max_price_move": Said(False, "the highest of many minutes is a loop: Cedar has none"),
    "risk.trading_hours": Said(False, "the time of day and the weekday need a division with rest: Cedar has none"),
    "risk.risk_at_stop": Said(True, "on the grid, in the account's currency; buys, since a sell on spot only reduces"),
    "risk.max_slippage": Said(True, "on the grid; buys, since a sell on spot only reduces"),
    "risk.reduce_only_exits": Said(False, "spot has none, and only spot is translated"),
    "risk.daily_loss": Said(True, "the day's base is given, and nothing latches"),
    "risk.weekly_loss": Said(True, "the bases and what was transferred are given, and nothing latches"),
    "risk.max_drawdown": Said(True, "the highest equity is given, and nothing latches"),
    "risk.consecutive_losses": Said(True, "the losing trades are given, and nothing latches"),
    "risk.max_open_positions": Said(True, _COUNT),
    "risk.max_asset_exposure": Said(False, _TOTAL),
    "risk.max_gross_exposure": Said(False, _TOTAL),
    "risk.max_net_exposure": Said(False, _TOTAL),
    "groups.max_gross_exposure": Said(False, _TOTAL),
    "groups.max_net_exposure": Said(False, _TOTAL),
    "account.margin_mode": Said(False, _CONTRACTS),
    "risk.max_funding_rate": Said(False, _CONTRACTS),
    "risk.max_margin_ratio": Said(False, "it is about contracts and margin, and only plain spot is translated"),
    "risk.min_liquidation_distance": Said(False, _CONTRACTS),
    "risk.max_borrow": Said(False, "it is about margin, and only plain spot is translated"),
    "key.purpose": Said(True, "wholly; which key signs is given"),
    "key.address_proof": Said(True, "the time of the proof is given"),
}
