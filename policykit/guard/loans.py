"""Loans on margin through a protected client: each is a decision of its own, held against its request at the gate."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from policykit.guard.steps import number
from policykit.order import Order

#: ccxt's methods and what they ask for; each names the currency `code` and the `amount`.
LOANS: Final = {
    "borrow_cross_margin": "margin.borrow",
    "borrow_isolated_margin": "margin.borrow",
    "repay_cross_margin": "margin.repay",
    "repay_isolated_margin": "margin.repay",
}


def loan(cls: type[Any], name: str, finish: Callable[[Any], Any]) -> Callable[..., Any]:
    """Make a method that decides on a loan, or on paying back, and calls ccxt's; `finish` runs it, or hands it on."""
    ours = getattr(cls, name)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Decide, and send."""
        said = inspect.signature(ours).bind(self, *args, **kwargs).arguments
        order = Order(str(said["code"]), quantity=number(said["amount"]), action=LOANS[name])
        return finish(self._policykit_configure(order, partial(ours, self, *args, **kwargs)))

    return method
