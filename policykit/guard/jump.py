"""Whether equity moved by more than marks, fills and transfers explain: then it is unknown, no loss and no head-room.

From one round to the next equity moves by what was held times the move of each mark, by what fills cost beyond the
mark, by fees and funding, and by transfers. What is left over is a jump: an answer that left a wallet out, a credit or
a loss that nobody here knows. Equity is not taken in until the jump is gone, explained by a transfer, or accepted by
name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.engine.money import DOWN, UP, money
from policykit.exchanges.base import LiveAccount, price_of, run

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: A share of equity below which a move is no jump: interest, rebates, rounding.
FLOOR: Final = Decimal("0.005")
#: A share of what fills came to that fees and the distance to the mark may have taken.
FILLS: Final = Decimal("0.02")
#: A share of what contracts are worth that funding, and a mark that the exchange read at another moment, may move.
CONTRACTS: Final = Decimal("0.01")
_ZERO: Final = Decimal(0)


class Frame(NamedTuple):
    """One round: equity with the transfers since `day_ms`, and what it was of."""

    equity: Decimal
    transfers: Decimal | None
    day_ms: int
    at_ms: int
    held: Mapping[str, Decimal]
    marks: Mapping[str, Decimal]


class Jump:
    """The jumps of one guard's account. Only the account's poller looks."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._last: Frame | None = None

    def told(
        self,
        client: Any,
        account: LiveAccount,
        marks: Mapping[str, Decimal],
        equity: Decimal,
        transfers: Decimal | None,
        day_ms: int,
    ) -> str | None:
        """Return what is wrong with an equity, or None: it is taken for the next round to be held against."""
        now = Frame(equity, transfers, day_ms, account.as_of_ms, {**account.balances, **account.positions}, marks)
        last = self._last or self._stored()
        if last is not None and last.day_ms == day_ms and not self._accepted(last):
            moved = (
                equity - last.equity - self._by_marks(last, now) - ((transfers or _ZERO) - (last.transfers or _ZERO))
            )
            room = self._room(last, now)
            if abs(moved) > room and transfers is None:
                moved -= self._transfers(client, marks, last.at_ms)
            if abs(moved) > room and abs(moved) > room + self._by_turnover(last):
                self._last = last
                currency = self.guard.policy.model.account.currency
                return (
                    f"equity moved from {money(last.equity, currency)} to {money(equity, currency)}; "
                    f"{money(abs(moved), currency)} of that is explained by no mark, fill or transfer, so it is not "
                    "known; see policykit reconcile"
                )
        self._last = now
        return None

    def _stored(self) -> Frame | None:
        """Return the last round of whoever polled this account before, from the store."""
        facts = self.guard.facts()
        if facts.equity is None or facts.positions_as_of_ms is None:
            return None
        day = 0 if facts.day_base is None else facts.day_base.as_of_ms
        transfers = None if facts.net_transfers is None else facts.net_transfers.value
        held = {key: facts.positions[key].low for key in facts.positions}
        marks = {symbol: mark.value for symbol, mark in facts.marks.items()}
        return Frame(facts.equity.value, transfers, day, facts.equity.as_of_ms, held, marks)

    def _transfers(self, client: Any, marks: Mapping[str, Decimal], since_ms: int) -> Decimal:
        """Read what came in and went out since, where no limit on losses had it read."""
        guard = self.guard
        asked = guard.adapter.net_transfers(since_ms, dict(marks), guard.policy.model.account.currency)
        return run(guard.adapter, client, asked, guard.clock)

    def _accepted(self, last: Frame) -> bool:
        """Tell whether a person took the account as it is since then."""
        return bool(self.guard.store.reconciled(self.guard.account).get("accepted_ms", 0) > last.at_ms)

    def _unit(self, key: str, marks: Mapping[str, Decimal]) -> Decimal:
        """Return what one unit of a key is worth by the marks of a round; 0: it was not priced."""
        symbol, currency = key.partition("#")[0], self.guard.policy.model.account.currency
        if "/" not in symbol:
            return price_of(symbol, marks, currency)
        size = self.guard.facts().contract_sizes.get(symbol, _ZERO)
        quote = symbol.partition("/")[2].partition(":")[0]
        return marks.get(symbol, _ZERO) * size * price_of(quote, marks, currency)

    def _by_marks(self, last: Frame, now: Frame) -> Decimal:
        moved = _ZERO
        for key, quantity in last.held.items():
            before, after = self._unit(key, last.marks), self._unit(key, now.marks)
            if "/" not in key or (before and after):  # what a contract is worth is in no wallet, only its move is
                moved = DOWN.add(moved, quantity * (after - before))
        return moved

    def _room(self, last: Frame, now: Frame) -> Decimal:
        """Return what may be left over all the same."""
        room = abs(last.equity) * FLOOR
        for key in {**last.held, **now.held}:
            was, has = last.held.get(key, _ZERO), now.held.get(key, _ZERO)
            before, after = self._unit(key, last.marks), self._unit(key, now.marks)
            unit, move = max(before, after), abs(after - before) if before and after else _ZERO
            # What was filled in between was at any price of the round; money alone has one price.
            room = UP.add(room, abs(has - was) * (unit * FILLS + move) if unit != 1 else _ZERO)
            if "/" in key:
                room = UP.add(room, max(abs(was), abs(has)) * (unit * CONTRACTS + move))
        return room

    def _by_turnover(self, last: Frame) -> Decimal:
        """Return what fills may have cost that left no trace in what is held: bought and sold again."""
        intents = self.guard.store.intents(self.guard.account, open_only=False)
        costs = (i.cost or _ZERO for i in intents if i.changed_ms >= last.at_ms)
        return UP.multiply(sum(costs, _ZERO), FILLS)
