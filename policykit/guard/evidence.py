"""Who moved what on an account: fills and incomes of the exchange, told apart by whose orders they are of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from policykit.exchanges.base import CallFailed, Fill, Income, Steps, run
from policykit.model import Elsewhere
from policykit.model.symbols import allows, matches
from policykit.orders.intent import Intent
from policykit.orders.reconcile import FILL, UNKNOWN, Movement
from policykit.traits.base import product_of
from policykit.units import plain

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: Symbols whose fills are read in one comparison: each costs a call.
MAX_SYMBOLS: Final = 20
#: Orders of others that are looked up by name in one comparison, and that are remembered.
MAX_LOOKUPS: Final = 20
MAX_NAMES: Final = 10_000

#: Why, and what to say of it.
Who = tuple[str, str]


class Evidence:
    """What moved since a moment, as far as it is asked for. `problems` says what could not be read."""

    def __init__(self, guard: Guard, client: Any, since_ms: int, names: dict[tuple[str, str], str]) -> None:
        """`names`: client order ids by symbol and the exchange's order id, kept from one comparison to the next."""
        self.guard, self.client, self.since_ms = guard, client, since_ms
        self.movements: list[Movement] = []
        self.problems: list[str] = []
        self._names = names
        self._lookups = 0
        self._read: set[str] = set()
        self._who: dict[tuple[str, str], Who] = {}
        intents = guard.store.intents(guard.account, open_only=False)
        self._by_order = {(i.order.symbol, i.order_id): i for i in intents if i.order_id}
        self._by_client = {i.client_order_id: i for i in intents}
        self._algo = [i for i in intents if i.family != "order"]
        self.traded = sorted({i.order.symbol for i in intents if i.open or i.changed_ms >= since_ms})

    def fills(self, keys: Iterable[str]) -> None:
        """Read the fills that can have moved these keys."""
        symbols = [symbol for symbol in self._symbols(set(keys)) if symbol not in self._read]
        if len(symbols) > MAX_SYMBOLS:
            self.problems.append(f"fills of {len(symbols) - MAX_SYMBOLS} more markets were not read")
        self._fills(symbols[:MAX_SYMBOLS])

    def _fills(self, symbols: Iterable[str]) -> None:
        adapter = self.guard.adapter
        for symbol in symbols:
            self._read.add(symbol)
            for fill in self._ask(adapter.fills((symbol,), self.since_ms), f"fills of {symbol}"):
                self._take(fill)

    def incomes(self) -> None:
        """Read what else moved: fees and funding of contracts, transfers; and the fills that an income is of."""
        incomes: tuple[Income, ...] = self._ask(self.guard.adapter.incomes(self.since_ms), "fees, funding, transfers")
        of_fills = dict.fromkeys(one.symbol for one in incomes if one.trade_id and one.symbol not in self._read)
        self._fills([symbol for symbol in of_fills if symbol][:MAX_SYMBOLS])
        for one in incomes:
            why, note = one.why, ""
            if one.trade_id or why == FILL:
                who, note = self._who.get((one.symbol, one.trade_id), (UNKNOWN, "of a fill that was not seen"))
                why = who if who == UNKNOWN or why == FILL else why
            self.movements.append(Movement(one.key, one.amount, one.at_ms, why, note))

    def _ask(self, steps: Steps[tuple[Any, ...]], what: str) -> tuple[Any, ...]:
        try:
            return run(self.guard.adapter, self.client, steps, self.guard.clock)
        except CallFailed as failed:
            # What could not be read explains nothing: the difference stays unexplained.
            self.problems.append(f"{what} could not be read: {failed}")
            return ()

    def _symbols(self, keys: set[str]) -> list[str]:
        """Return the markets of which a fill can have moved one of these keys."""
        guard, markets = self.guard, self.client.markets
        currency, risk = guard.policy.model.account.currency, guard.policy.model.risk
        contracts = {key.partition("#")[0] for key in keys if "/" in key}
        assets = {key for key in keys if "/" not in key and " " not in key}
        named = {*((risk.symbols if risk else None) or ()), *guard.wanted, *self.traded}
        named |= {symbol for other in others_of(guard) for symbol in other.symbols or ()}
        named |= {f"{asset}/{currency}" for asset in assets}
        spot = {s for s in named if s in markets and product_of(s) == "spot" and guard.adapter.takes(s)}
        near = {s for s in spot if s.partition("/")[0] in assets}
        # Money or a fee's coin alone: it may be of any of them.
        return sorted({c for c in contracts if c in markets} | (near or (spot if assets else set())))

    def _take(self, fill: Fill) -> None:
        who, note = self._owner(fill)
        self._who[(fill.symbol, fill.trade_id)] = (who, note)
        if product_of(fill.symbol) != "spot":
            key = f"{fill.symbol}#{fill.leg}" if fill.leg else fill.symbol
            self.movements.append(Movement(key, fill.quantity, fill.at_ms, who, note))
            return
        base, _, quote = fill.symbol.partition("/")
        paid = -fill.cost if fill.quantity > 0 else fill.cost
        fee = who if who == UNKNOWN else "fee"
        for key, amount, why in ((base, fill.quantity, who), (quote, paid, who), (fill.fee_asset, -fill.fee, fee)):
            if amount:
                self.movements.append(Movement(key, amount, fill.at_ms, why, note))

    # ---- whose order it was

    def _owner(self, fill: Fill) -> Who:
        intent = self._by_order.get((fill.symbol, fill.order_id)) or self._by_client.get(fill.client_order_id)
        name = fill.client_order_id
        if intent is None and not name:
            name = self._name(fill.symbol, fill.order_id)
            intent = self._by_client.get(name) or self._placed_by(fill)
        if intent is not None:
            return self._ours(intent)
        return who_sent(self.guard, fill.symbol, name) or (UNKNOWN, _said(fill, name))

    def _ours(self, intent: Intent) -> Who:
        return (FILL, "") if intent.bot == self.guard.bot else ("sibling bot", f"of {intent.bot}")

    def _name(self, symbol: str, order_id: str) -> str:
        """Return the client order id of an order; empty where it was not found, or not asked for."""
        known = self._names.get((symbol, order_id))
        if known is not None:
            return known
        if self._lookups >= MAX_LOOKUPS:
            return ""
        self._lookups += 1
        adapter = self.guard.adapter
        try:
            name = run(adapter, self.client, adapter.client_order_id_of(symbol, order_id), self.guard.clock)
        except CallFailed as failed:
            self.problems.append(f"order {order_id} of {symbol} could not be looked up: {failed}")
            return ""
        if len(self._names) >= MAX_NAMES:
            self._names.clear()
        self._names[symbol, order_id] = name
        return name

    def _placed_by(self, fill: Fill) -> Intent | None:
        """Return the conditional order of ours that placed this one when it triggered: it has an id of its own."""
        adapter = self.guard.adapter
        for intent in [i for i in self._algo if i.order.symbol == fill.symbol]:
            child = self._names.get((intent.id, "placed"))
            if child is None and self._lookups < MAX_LOOKUPS:
                self._lookups += 1
                search = adapter.find_order(fill.symbol, intent.client_order_id, thorough=False)
                try:
                    state = run(adapter, self.client, search, self.guard.clock)
                except CallFailed as failed:
                    self.problems.append(f"{intent.client_order_id} could not be looked up: {failed}")
                    continue
                child = str((state.raw if state is not None else {}).get("actualOrderId") or "")
                if child:
                    self._names[intent.id, "placed"] = child
            if child == fill.order_id:
                return intent
        return None


def others_of(guard: Guard) -> tuple[Elsewhere, ...]:
    """Return what the policy says of orders from elsewhere."""
    section = guard.policy.model.reconciliation
    return (section.others if section is not None else None) or ()


def who_sent(guard: Guard, symbol: str, client_order_id: str) -> Who | None:
    """Tell who sent an order that is nobody's of this store: the exchange itself, or one whom the policy names."""
    forced = guard.adapter.forced(client_order_id)
    if forced is not None:
        return forced, f"by the exchange ({client_order_id})"
    for other in others_of(guard):
        id_fits = other.client_order_ids is None or matches(other.client_order_ids, client_order_id)
        if id_fits and allows(other.symbols or (), symbol):
            return f"others: {other.name}", ""
    return None


def expected_elsewhere(guard: Guard, key: str) -> str | None:
    """Tell whom the policy lets move a position with whatever ids, by its name; None: nobody."""
    currency = guard.policy.model.account.currency
    symbol = key.partition("#")[0] if "/" in key else f"{key}/{currency}"
    for other in others_of(guard):
        if other.client_order_ids is None and other.symbols and key != currency and allows(other.symbols, symbol):
            return f"others: {other.name}"
    return None


def _said(fill: Fill, name: str) -> str:
    verb = "bought" if fill.quantity > 0 else "sold"
    by = f"order {fill.order_id}" + (f" ({name})" if name else "")
    return f"{by} {verb} {plain(abs(fill.quantity))} {fill.symbol}"
