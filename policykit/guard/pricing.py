"""Prices of markets that a policy allows by a glob and names nowhere: read when a bot first asks, and kept fresh.

A policy of `*/USDT` allows hundreds of markets; reading all of them in each round would be dear, and writing them down
dearer. A protected client reads the first price itself, so that nothing is denied for want of it; behind `@enforce`
stands no client, so the first order is denied, and the next round of maintenance reads the price.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from policykit.engine.facts import Contract, Quote
from policykit.exchanges.base import LiveAccount, Steps
from policykit.model.symbols import allows
from policykit.policy import EffectivePolicy
from policykit.store import Observation
from policykit.traits.base import product_of
from policykit.units import exact

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Markets beside the named ones that one guard keeps prices of; those asked for first make room.
MAX_WANTED: Final = 200
#: Reasons that a price, once read, takes away.
UNPRICED: Final = frozenset(("PRICE_MISSING", "PRICE_STALE", "CONTRACT_SIZE_MISSING"))


class Wanted:
    """The markets that a bot has asked for and that its policy does not name."""

    def __init__(self) -> None:
        self._symbols: dict[str, None] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._symbols))

    def add(self, policy: EffectivePolicy, symbol: object) -> bool:
        """Have a market priced from now on if the policy allows it by a glob; tell whether that is new."""
        patterns = (policy.model.risk.symbols if policy.model.risk else None) or ()
        if not isinstance(symbol, str) or symbol in self._symbols or symbol in patterns or not allows(patterns, symbol):
            return False
        while len(self._symbols) >= MAX_WANTED:
            self._symbols.pop(next(iter(self._symbols)), None)
        self._symbols[symbol] = None
        return True


def needs_quotes(policy: EffectivePolicy) -> bool:
    """Tell whether a limit of the policy is held against bids and asks."""
    risk = policy.model.risk
    collar = risk.price_collar if risk else None
    return risk is not None and (risk.max_slippage is not None or (collar is not None and collar.reference == "mid"))


def prices(guard: Guard, client: Any, symbols: tuple[str, ...]) -> Steps[Observation]:
    """Read what values an order on these markets, as far as the exchange lists them."""
    listed = tuple(symbol for symbol in symbols if symbol in client.markets and guard.adapter.takes(symbol))
    sent = guard.now()
    marks = yield from guard.adapter.marks(listed)
    found = (yield from guard.adapter.quotes(listed)) if needs_quotes(guard.policy) else {}
    quotes = {symbol: Quote(bid, ask, sent) for symbol, (bid, ask) in found.items()}
    contracts: dict[str, Contract] = {}
    if any(product_of(symbol) == "swap" for symbol in listed):
        contracts = yield from settings(guard, (yield from guard.adapter.account()), listed)
    sizes = contract_sizes(client, listed)
    return Observation(sent, guard.now(), marks=marks, quotes=quotes, contract_sizes=sizes, contracts=contracts)


def settings(guard: Guard, account: LiveAccount, symbols: tuple[str, ...]) -> Steps[dict[str, Contract]]:
    """Return what is set of the contracts that matter here, with funding rates where a limit asks for them."""
    risk = guard.policy.model.risk
    contracts = {symbol: account.contracts[symbol] for symbol in symbols if symbol in account.contracts}
    if risk is None or risk.max_funding_rate is None:
        return contracts
    rates = yield from guard.adapter.funding_rates(tuple(contracts))
    return {symbol: one._replace(funding_rate=rates.get(symbol)) for symbol, one in contracts.items()}


def contract_sizes(client: Any, symbols: tuple[str, ...]) -> dict[str, Decimal]:
    """Return how much of its base (or, inverse, quote) one contract is, as ccxt reads the exchange's markets."""
    found = {symbol: client.markets[symbol].get("contractSize") for symbol in symbols}
    return {symbol: exact(size) for symbol, size in found.items() if size is not None}
