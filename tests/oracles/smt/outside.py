"""What the formulas for z3 leave out. Every other check of tests/oracles/table.py is said wholly."""

from __future__ import annotations

from typing import Final

_GUARD = "the guard's own call, not an order: account.configure, margin.borrow, reads and connects are not asked about"
_CROSS = "only markets that are counted in the account's currency: ETH/BTC, inverse and quanto contracts are left out"
_ASKED = "the leverage and the margin mode that an order itself asks for are left out"
#: Checks that are not said at all, and why.
UNSAID: Final[dict[str, str]] = {
    "policy.unheld": "taken from the engine: it is about the program that reads the policy, not about the order",
    "retry.reconnect.max_per": _GUARD,
    "risk.max_borrow": _GUARD,
}
#: What is left out of checks that are said; `*`: of all of them.
IN_PART: Final[dict[str, tuple[str, ...]]] = {
    "*": (
        _CROSS,
        "numbers that are none (NaN, infinity, text), over 40 digits, and equity or a base of losses below 0",
        "the size of one contract is 1 where z3 solves; at given points it is what it is",
        "positions are kept in steps of 1e-8 of a unit and totals in steps of 0.0001; a formula has exact numbers",
    ),
    "order.value": ("quantities in quote currency, and orders that trail the price",),
    "order.action": (_GUARD,),
    "rate_budgets": ("reads: what an order, an amend and a close cost is said",),
    "risk.max_leverage": (_ASKED,),
    "account.margin_mode": (_ASKED,),
    "account.position_mode": (_GUARD,),
    "reconciliation.tolerance": ("of several differences the largest counts, as in the engine",),
    "risk.max_price_move": ("the lowest and the highest mark of the window are given, and whether all of it is known",),
}
