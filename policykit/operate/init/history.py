"""A draft whose caps come from own history, each with the figure that it comes from."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.clock import iso
from policykit.exchanges.trade_csv import Trade, read
from policykit.operate.init.draft import (
    Draft,
    Said,
    currency_of,
    guessed,
    leverage,
    names,
    resend,
    trade_scope,
)
from policykit.store.reader import is_journal
from policykit.units import plain

if TYPE_CHECKING:
    from policykit.store.base import Row

#: How much above its own history a bot may go before it is stopped.
MARGIN: Final = Decimal("1.25")
MARGIN_ORDERS: Final = Decimal("1.5")
#: Under so many orders a percentile says little.
FEW: Final = 50
MAX_SYMBOLS: Final = 30
MINUTE_MS: Final = 60_000
#: The baseline's orders a minute, and the guide's largest order (G33, G34).
BASELINE_ORDERS: Final = 60
LARGEST_ORDER: Final = Decimal("0.02")
LARGEST_POSITION: Final = Decimal("0.2")


class Past(NamedTuple):
    """What was done: orders (fills of one order added up), the largest position, and equity where it is known."""

    orders: tuple[Trade, ...]
    positions: tuple[tuple[Decimal, str], ...]
    equity: Decimal | None
    exchange: str
    account: str
    notes: tuple[str, ...]


def draft(file: Path, base: Callable[[str, str], Draft]) -> Draft:
    """Return the draft for a history. `base` gives the starter of an exchange; ValueError says what is wrong."""
    past = _journal(file) if is_journal(file) else _csv(file)
    made = base(past.exchange, "")
    if past.exchange and past.exchange != made.exchange:
        raise ValueError(f"{file}: the journal is of {past.exchange}, not {made.exchange}; leave --exchange out")
    quotes = Counter(currency_of(order.symbol) for order in past.orders)
    currency = quotes.most_common(1)[0][0]
    counted = tuple(order for order in past.orders if currency_of(order.symbol) == currency)
    notes = list(past.notes)
    if len(counted) < len(past.orders):
        other = _count(len(past.orders) - len(counted))
        are = "is" if other.startswith("1 ") else "are"
        notes.append(f"{other} in another currency than {currency} {are} in no figure")
    if len(counted) < FEW:
        notes.append(f"only {_count(len(counted))}: the proposed caps rest on little; look at each")
    made = _symbols(replace(made, source=f"caps from {file.name}"), counted)
    made = _order_cap(made, counted, currency, past.equity)
    made = _position_cap(made, past.positions, currency, past.equity)
    made = _pace(made, counted)
    since, until = iso(counted[0].at_ms)[:10], iso(counted[-1].at_ms)[:10]
    made = replace(
        made,
        currency=Said(currency, "what most orders were settled in"),
        environment=Said("live", "these were real orders"),
        stage=guessed("full-live", f"it traded from {since} to {until}; a lower one caps it further (G41)"),
        evidence="the history itself, outside of policykit's journal",
    )
    if past.account:
        made = replace(made, account=Said(past.account, "as in the journal"))
    return made.noting(*notes)


# ---- sources


def _csv(file: Path) -> Past:
    found = read(file)
    left = [f"{found.skipped} rows were left out"] if found.skipped > len(found.problems) else []
    orders = _orders(found.trades)
    return Past(orders, _positions(found.trades), None, "", "", (*found.problems, *left))


def _orders(trades: Iterable[Trade]) -> tuple[Trade, ...]:
    """Add up the fills of one order; fills without an order's id are orders of their own."""
    merged: dict[tuple[str, str], Trade] = {}
    for index, trade in enumerate(trades):
        key = (trade.symbol, trade.order or f"#{index}")
        first = merged.get(key)
        merged[key] = trade if first is None else _sum(first, trade)
    return tuple(merged.values())


def _sum(one: Trade, other: Trade) -> Trade:
    return one._replace(quantity=one.quantity + other.quantity, notional=one.notional + other.notional)


def _positions(trades: Iterable[Trade]) -> tuple[tuple[Decimal, str], ...]:
    """Return the largest position of each symbol at the price of its last fill, starting from none."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    largest: dict[str, Decimal] = {}
    for trade in trades:
        held[trade.symbol] += trade.quantity if trade.side == "buy" else -trade.quantity
        price = trade.notional / trade.quantity if trade.quantity else Decimal(0)
        size = abs(held[trade.symbol]) * price
        largest[trade.symbol] = max(size, largest.get(trade.symbol, Decimal(0)))
    return tuple(sorted(((size, symbol) for symbol, size in largest.items()), reverse=True))


def _journal(file: Path) -> Past:
    from policykit.store import open_store
    from policykit.telemetry.tail import every

    store = open_store(f"sqlite:///{file.resolve()}")
    try:
        return from_rows(file, every(store))
    finally:
        store.close()


def from_rows(file: Path, rows: Iterable[Row]) -> Past:
    """Return the admitted orders of the account that has most, and its equity and positions as they were observed."""
    orders: list[Trade] = []
    seen: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.kind == "decision":
            order = _admitted(row.at_ms, row.body)
            orders += [order] if order is not None else []
        elif row.kind == "observe":
            seen[str(row.body.get("account"))].append(row.body)
    if not orders:
        raise ValueError(f"{file}: the journal has no admitted order; there is nothing to propose caps from")
    accounts = Counter(order.order for order in orders)
    account = accounts.most_common(1)[0][0]
    others = sorted(set(accounts) - {account})
    notes = (f"only {account} is looked at; the journal has {', '.join(others)} too",) if others else ()
    exchange, _, name = account.partition("@")[0].partition("/")  # a sandbox's name has a suffix
    mine = tuple(order for order in orders if order.order == account)
    equity, positions = observed(seen[account])
    return Past(mine, positions, equity, exchange, name, notes)


def _admitted(at_ms: int, body: dict[str, Any]) -> Trade | None:
    """Return an admitted order; `order` holds its account."""
    decision, notional = body["decision"], body.get("notional")
    if decision["outcome"] != "allow" or decision["action"] != "order.create" or notional is None:
        return None
    order = decision["order"]
    account = str((body.get("intent") or {}).get("account") or "")
    quantity = Decimal(order.get("quantity") or 0)
    return Trade(at_ms, order["symbol"], order["side"], quantity, abs(Decimal(notional)), account)


def observed(rows: Iterable[dict[str, Any]]) -> tuple[Decimal | None, tuple[tuple[Decimal, str], ...]]:
    """Return the smallest equity that was seen, and the largest position of each symbol at its mark."""
    equity: Decimal | None = None
    largest: dict[str, Decimal] = {}
    for row in rows:
        if row.get("equity") is not None:
            seen = Decimal(row["equity"])
            equity = seen if equity is None else min(equity, seen)
        positions = row.get("positions") or {}
        for symbol, mark in (row.get("marks") or {}).items():
            held = positions.get(symbol, positions.get(symbol.partition("/")[0]))
            if isinstance(held, str):
                size = abs(Decimal(held) * Decimal(mark))
                largest[symbol] = max(size, largest.get(symbol, Decimal(0)))
    return equity, tuple(sorted(((size, symbol) for symbol, size in largest.items()), reverse=True))


# ---- figures


def _symbols(made: Draft, orders: Sequence[Trade]) -> Draft:
    counts = Counter(order.symbol for order in orders)
    kept = [symbol for symbol, _ in counts.most_common(MAX_SYMBOLS)]
    why = f"all that was traded, {_count(len(orders))}"
    if len(counts) > len(kept):
        why = f"the {MAX_SYMBOLS} that were traded most, of {len(counts)}"
    return replace(
        made,
        symbols=guessed(names(kept), why),
        scopes=Said(f"[read, {trade_scope(kept)}]", made.scopes.why),
        max_leverage=leverage(made.exchange, kept),
        resend=resend(made.exchange, kept),
    )


def percentile(values: Sequence[Decimal], share: Decimal) -> Decimal:
    """Return the smallest value that `share` of all values do not exceed."""
    ordered = sorted(values)
    rank = int((share * len(ordered)).to_integral_value(ROUND_CEILING))
    return ordered[max(rank, 1) - 1]


def round_up(value: Decimal) -> Decimal:
    """Round up to two digits, so that a cap reads as one: 1187.5 is 1200."""
    if value <= 0:
        return Decimal(1)
    step = Decimal(1).scaleb(value.adjusted() - 1)
    return (value / step).to_integral_value(ROUND_CEILING) * step


def _amount(value: Decimal, currency: str) -> str:
    return f"{plain(value.quantize(Decimal('0.00000001')).normalize())} {currency}"


def _count(orders: int) -> str:
    return "1 order" if orders == 1 else f"{orders:,} orders"


def _shown(value: Decimal) -> str:
    return f"{value:,.2f}"


def _over(value: Decimal, equity: Decimal | None, share: Decimal) -> str:
    """Say that the figure is over the guide's share of equity, where equity is known."""
    if equity is None or equity <= 0 or value <= equity * share:
        return ""
    return f"; that is {value / equity * 100:.1f}% of equity, over the guide's, which holds"


def _order_cap(made: Draft, orders: Sequence[Trade], currency: str, equity: Decimal | None) -> Draft:
    sizes = [order.notional for order in orders]
    usual = percentile(sizes, Decimal("0.99"))
    cap = round_up(usual * MARGIN)
    why = f"G33, and 1.25 x {_shown(usual)}, the 99th percentile of {_count(len(sizes))}"
    if max(sizes) > cap:
        why += f" (the largest, {_shown(max(sizes))}, would be denied)"
    said = guessed(f"[2% of equity, {_amount(cap, currency)}]", why + _over(usual, equity, LARGEST_ORDER))
    return replace(made, max_order=said)


def _position_cap(
    made: Draft, positions: Sequence[tuple[Decimal, str]], currency: str, equity: Decimal | None
) -> Draft:
    mine = [(size, symbol) for size, symbol in positions if currency_of(symbol) == currency and size > 0]
    if not mine:
        return made.noting("no position is seen in the history: max_position_notional is the guide's alone")
    size, symbol = mine[0]
    cap = _amount(round_up(size * MARGIN), currency)
    why = f"G35, and 1.25 x {_shown(size)}, the largest position, {symbol}"
    return replace(made, max_position=guessed(f"[20% of equity, {cap}]", why + _over(size, equity, LARGEST_POSITION)))


def busiest(orders: Iterable[Trade]) -> int:
    """Return the most orders in any 60 seconds."""
    window: deque[int] = deque()
    most = 0
    for at_ms in sorted(order.at_ms for order in orders):
        window.append(at_ms)
        while at_ms - window[0] >= MINUTE_MS:
            window.popleft()
        most = max(most, len(window))
    return most


def _pace(made: Draft, orders: Sequence[Trade]) -> Draft:
    most = busiest(orders)
    limit = int((most * MARGIN_ORDERS).to_integral_value(ROUND_CEILING))
    why = f"1.5 x {most:,}, the most orders in a minute"
    if limit > BASELINE_ORDERS:
        why += f"; over the baseline's {BASELINE_ORDERS}"
    return replace(made, max_orders=guessed(str(limit), f"{why} (G34)"))
