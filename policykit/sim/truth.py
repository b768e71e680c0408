"""What really happened in a simulated run: the ground truth that a bot and its guard are measured against."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from policykit.sim.contracts import Book, ContractOrder, ContractTrade
from policykit.sim.venue import ZERO, Order, Trade, Venue

MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Executed:
    """One order that the matching engine accepted. `tag` says which intent of the bot it belongs to."""

    client_order_id: str
    tag: str
    symbol: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    time_ms: int


def terms(symbol: str, side: str, quantity: Decimal | float | str, price: Decimal | float | str | None) -> str:
    """Write what an order means: `BTC/USDT buy 0.015 @ 60000`; price None is a market order."""
    size = format(Decimal(str(quantity)).normalize(), "f")
    return f"{symbol} {side.lower()} {size} @ " + (
        "market" if price is None else format(Decimal(str(price)).normalize(), "f")
    )


def by_terms(order: Order) -> str:
    """Tag an order by symbol, side, quantity and price: a blind retry of an order has the tag of the first."""
    return terms(order.new.symbol.name, order.new.side, order.quantity, order.new.price)


@dataclass(slots=True)
class Truth:
    """Counts of one run. `tag` may be replaced before the run starts."""

    tag: Callable[[Order], str] = by_terms
    executed: list[Executed] = field(default_factory=list)
    positions: list[tuple[int, str, Decimal, Decimal]] = field(default_factory=list)
    requests: Counter[int] = field(default_factory=Counter)
    weights: Counter[int] = field(default_factory=Counter)
    by_route: Counter[str] = field(default_factory=Counter)
    #: Requests to what this exchange does not have: `METHOD /path`.
    unrouted: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[int, str, int, str]] = field(default_factory=list)
    throttled: int = 0
    refused_while_banned: int = 0
    bans: int = 0
    #: When the first refusal of the latest ban came, and when it ends.
    banned: tuple[int, int] | None = None
    cut: int = 0
    rejected: Counter[int] = field(default_factory=Counter)
    #: Tries to open a websocket: when, from where, and the HTTP status of the answer: 101 opened, 0 no answer.
    connects: list[tuple[int, str, int]] = field(default_factory=list)

    def note_order(self, order: Order) -> None:
        """Record an accepted order."""
        new = order.new
        self.executed.append(
            Executed(
                new.client_order_id,
                self.tag(order),
                new.symbol.name,
                new.side.lower(),
                new.type,
                order.quantity,
                new.price,
                order.time_ms,
            )
        )

    def note_fill(self, venue: Venue, order: Order, trade: Trade) -> None:
        """Record the position after a fill: time, asset, quantity held, its value at the fill's price."""
        asset = order.new.symbol.base
        held = venue.balances[asset].total
        self.positions.append((trade.time_ms, asset, held, held * trade.price))

    def note_contract(self, order: ContractOrder) -> None:
        """Record an accepted order on a contract, a conditional one as well; not the order that one places later."""
        name = order.contract.name
        tag = terms(name, order.side, order.quantity, order.price or order.trigger)
        self.executed.append(
            Executed(
                order.client_id, tag, name, order.side.lower(), order.type, order.quantity, order.price, order.time_ms
            )
        )

    def note_contract_fill(self, book: Book, trade: ContractTrade) -> None:
        """Record the position after a fill: time, contract, contracts held of all sides, their value."""
        contract = trade.order.contract
        held = sum((p.amount for p in book.positions.values() if p.contract is contract), ZERO)
        value = contract.notional(held, trade.price)
        self.positions.append((trade.time_ms, contract.name, held, value))

    def note_request(self, now_ms: int, route: str, spot_weight: int) -> None:
        """Record a request that arrived, and its weight in the spot budget."""
        self.requests[now_ms // MINUTE_MS] += 1
        self.weights[now_ms // MINUTE_MS] += spot_weight
        self.by_route[route] += 1

    def note_ban(self, now_ms: int, until_ms: int) -> None:
        """Record a refusal by a ban."""
        start_ms = now_ms if self.banned is None or now_ms >= self.banned[1] else self.banned[0]
        self.banned = (start_ms, until_ms)

    def banned_s(self, now_ms: int) -> float:
        """Return how long the latest ban has lasted, seconds: nothing the bot sends is taken in that time."""
        return 0.0 if self.banned is None else (min(now_ms, self.banned[1]) - self.banned[0]) / 1000

    def per_client_order_id(self) -> Counter[str]:
        """Return how often each client order id was executed."""
        return Counter(e.client_order_id for e in self.executed)

    def per_tag(self) -> Counter[str]:
        """Return how often each intent was executed."""
        return Counter(e.tag for e in self.executed)

    def duplicates(self, meant: Mapping[str, int] | None = None) -> int:
        """Return the executions beyond what was meant: per tag, once each unless `meant` says how often."""
        return sum(max(0, n - (1 if meant is None else meant.get(tag, 0))) for tag, n in self.per_tag().items())

    def max_position(self, asset: str) -> Decimal:
        """Return the largest |position| held after any fill, in units of the asset."""
        return max((abs(held) for _, a, held, _ in self.positions if a == asset), default=Decimal(0))

    def max_position_notional(self, asset: str) -> Decimal:
        """Return the largest |position| after any fill, valued at that fill's price."""
        return max((abs(value) for _, a, _, value in self.positions if a == asset), default=Decimal(0))

    def worst_minute(self) -> tuple[int, int]:
        """Return the most requests and the most spot weight that arrived in one minute of the exchange's clock."""
        return max(self.requests.values(), default=0), max(self.weights.values(), default=0)

    def most_connects(self, seconds: float = 300) -> int:
        """Return the most tries to open a websocket in any window of so many seconds, of all addresses together."""
        times = sorted(at_ms for at_ms, _, _ in self.connects)
        first, most = 0, 0
        for last, at_ms in enumerate(times):
            while times[first] <= at_ms - seconds * 1000:
                first += 1
            most = max(most, last - first + 1)
        return most

    def fault_counts(self) -> Counter[str]:
        """Return how often each kind of fault struck."""
        counts: Counter[str] = Counter()
        for _, _, _, kind in self.faults:
            counts[kind] += 1
        return counts

    def summary(self) -> dict[str, Any]:
        """Return the counts as plain data."""
        assets: dict[str, str] = defaultdict(str)
        for _, asset, _, _ in self.positions:
            assets[asset] = format(self.max_position(asset), "f")
        requests, weight = self.worst_minute()
        return {
            "executed": len(self.executed),
            "client_order_ids": len(self.per_client_order_id()),
            "duplicates": self.duplicates(),
            "max_position": dict(assets),
            "worst_minute": {"requests": requests, "weight": weight},
            "throttled": self.throttled,
            "bans": self.bans,
            "refused_while_banned": self.refused_while_banned,
            "connections_cut": self.cut,
            "rejected": {str(code): n for code, n in sorted(self.rejected.items())},
            "connects": {"tried": len(self.connects), "opened": sum(s == 101 for _, _, s in self.connects)},
            "faults": dict(self.fault_counts()),
        }
