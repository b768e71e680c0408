"""The comparison of an account with what it should have: on start, when it is due, and when a person asks.

What the account should have lies in the store (`Store.reconcile`), so that a restart forgets no difference. A list that
agrees costs nothing more; one that differs is judged once everything before it must show (the exchange's visibility
lag), with what the exchange tells of fills, fees, funding and transfers since.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from policykit.engine.checks.reconciliation import Reconciliation as Check
from policykit.engine.facts import Drift
from policykit.exchanges.base import CallFailed, LiveAccount, OrderState, price_of, run, wallet_key
from policykit.guard.evidence import Evidence, expected_elsewhere, who_sent
from policykit.guard.living import undecided
from policykit.model import Reconciliation
from policykit.model.operation import COMPARED_EVERY
from policykit.orders.reconcile import DUST, FILL, UNKNOWN, Judged, Known, Line, Window, accept, explained_lines, judge
from policykit.store.codec import drift_to_list
from policykit.traits.base import product_of
from policykit.units import exact, plain, scale_up

if TYPE_CHECKING:
    from policykit.guard.core import Guard

#: How long a guard that compares in the poller's place keeps others from it, ms.
LEASE_MS: Final = 30_000
#: How late what executed may show where the traits do not say, ms.
LAG_MS: Final = 3_000
#: What rounding to eight decimals leaves over a few thousand movements, where no market says the asset's step.
ROUNDING: Final = Decimal("0.0001")
#: What a message names of what was seen of one difference.
MAX_NOTES: Final = 3
#: What is said of an order of ours whose outcome nobody knows.
OUTCOME_UNKNOWN: Final = "its outcome is not known; see policykit orders --unknown"
#: ccxt's `precisionMode` in which a precision is the step itself.
_TICK_SIZE: Final = 4

_log = logging.getLogger("policykit.guard")


class Seen(NamedTuple):
    """One list of what is held, to be judged once everything before it must show."""

    held: Mapping[str, Decimal]
    as_of_ms: int
    until_ms: int


class Orders(NamedTuple):
    """The open orders of nobody in this store, and what they claim of each position (buys, sells; counter steps)."""

    lines: tuple[Line, ...] = ()
    number: int = 0
    claims: Mapping[str, tuple[int, int]] = {}


class Reconciler:
    """The comparisons of one guard's account. Only the account's poller makes them, under its lease."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self._orders: Orders | None = None
        self._orders_ms = self._held_ms = self._done_ms = 0
        self._pending: Seen | None = None
        self._lines: tuple[Line, ...] | None = None
        self._gaps: Mapping[str, Decimal] = {}
        self._anew = False
        #: When it was asked for last.
        self._asked_ms = 0
        self._names: dict[tuple[str, str], str] = {}
        self._told: frozenset[tuple[str, str, Decimal]] = frozenset()
        self._complaint = ""

    # ---- when

    def anew(self) -> None:
        """Have everything compared in the next round, and increases wait for it."""
        self._anew, self._asked_ms = True, self.guard.now()
        if self.guard.policy.model.reconciliation is not None:
            self.guard.reconciled = False

    def heard(self) -> None:
        """Take in that another guard of the account, its poller, has compared it since it was asked for."""
        done_ms = self.guard.facts().reconciled_ms
        if done_ms is not None and done_ms >= self._asked_ms:
            self.guard.reconciled = True

    def instead(self, own_client: Callable[[], Any]) -> None:
        """Compare in the place of an account's poller whose policy does not ask for it, or that cannot."""
        guard, last = self.guard, self.guard.facts().reconciled_ms
        if self._section is None or (last is not None and guard.now() - last < 2 * max(self._every())):
            return
        holder = f"{guard.host}/{os.getpid()}/{guard.bot}/{id(guard)}"
        if guard.store.lease(f"reconciler|{guard.account}", holder, LEASE_MS, guard.now()):
            client = own_client()
            client.load_markets()
            self.round(client, run(guard.adapter, client, guard.adapter.account(), guard.clock))

    @property
    def _section(self) -> Reconciliation | None:
        return self.guard.policy.model.reconciliation

    def _every(self) -> tuple[int, int]:
        """Return how often orders and positions are compared, ms."""
        section = self._section
        orders, positions = (section.orders_every, section.positions_every) if section is not None else (None, None)
        return (orders or COMPARED_EVERY).ms, (positions or COMPARED_EVERY).ms

    def round(self, client: Any, account: LiveAccount) -> None:
        """Compare what is due. What cannot be read is logged, and compared in the next round."""
        guard, now = self.guard, self.guard.now()
        if self._section is None:
            return
        if self._anew or guard.store.reconciled(guard.account).get("accepted_ms", 0) > self._done_ms:
            # Also when a person took it as it is since: what was found before is no difference any more.
            self._anew, self._orders, self._lines, self._pending = False, None, None, None
        orders_ms, held_ms = self._every()
        try:
            if self._orders is None or now - self._orders_ms >= orders_ms:
                self._orders, self._orders_ms = self.open_orders(client), now
                self._write(now)
            if self._pending is not None or self._lines is None or now - self._held_ms >= held_ms:
                self._held(client, account, now)
            self._complaint = ""
        except CallFailed as failed:
            if str(failed) != self._complaint:
                self._complaint = str(failed)
                _log.warning("%s could not be compared: %s", guard.account, failed)
        if self._lines is not None and self._orders is not None and not self._anew:
            guard.reconciled = True

    def _held(self, client: Any, account: LiveAccount, now: int) -> None:
        """Judge what is held: at once where it agrees, else by the list of this round in one of the next."""
        seen = self._pending or seen_of(account)
        judged = judge(self.known(), seen.held, (), self.window(seen))
        if judged.gaps and self._lines is not None and judged.gaps == self._gaps:
            # What differs is what differed before: nothing has moved, so nothing is asked for, nor taken as known.
            self._pending, self._held_ms = None, now
            self._write(now)
            return
        lines: tuple[Line, ...] = ()
        if judged.gaps or self._fresh(seen):
            self._pending = seen
            if now < seen.until_ms + self.lag_ms():
                return
            judged, lines = self.explain(client, seen)
        self._pending, self._held_ms = None, now
        self._lines, self._gaps = lines, judged.gaps
        self._write(now, judged.known)

    def _fresh(self, seen: Seen) -> bool:
        """Tell whether a first list may miss a fill of ours: with nothing known, nothing would show that."""
        since, intents = self.window(seen).sure_ms, self.guard.store.intents(self.guard.account, open_only=False)
        return self.known() is None and any(intent.changed_ms >= since for intent in intents)

    def at_once(self, client: Any) -> tuple[Line, ...]:
        """Compare everything now, for a person, and write nothing; takes as long as what executed may need to show."""
        guard = self.guard
        client.load_markets()
        lines = self.open_orders(client).lines + self._undecided()
        seen = seen_of(run(guard.adapter, client, guard.adapter.account(), guard.clock))
        known = self.known()
        if known is None or not judge(known, seen.held, (), self.window(seen)).gaps:
            return lines
        guard.clock.sleep(self.lag_ms() / 1000)
        return lines + self.explain(client, seen, doubtful=True)[1]

    def _undecided(self) -> tuple[Line, ...]:
        """Return the orders of ours whose outcome nobody knows."""
        guard = self.guard
        unknown = undecided(guard.store, guard.host, guard.now(), guard.account)
        return tuple(
            Line("order", i.id, i.order.quantity or Decimal(0), None, UNKNOWN, OUTCOME_UNKNOWN) for i in unknown
        )

    # ---- what

    def known(self) -> Known | None:
        """Return what the account should have by the store; None: it was never compared."""
        kept = self.guard.store.reconciled(self.guard.account)
        if "bounds" not in kept:
            return None
        return Known(kept["until_ms"], {k: (Decimal(a), Decimal(b)) for k, (a, b) in kept["bounds"].items()})

    def lag_ms(self) -> int:
        """Return how late what executed may show, by clocks that differ by the bound."""
        products = self.guard.traits.products.values()
        lags = [product.families["order"].visibility_lag_ms for product in products if "order" in product.families]
        return max((lag for lag in lags if lag is not None), default=0) + LAG_MS + self.guard.clock_bound_ms

    def window(self, seen: Seen) -> Window:
        """Return which movements a list must hold, and which it may, by the exchange's clock, which dates them."""
        skew = self.guard.facts().skew_ms or 0
        return Window(seen.as_of_ms - skew - self.lag_ms(), seen.until_ms - skew + self.guard.clock_bound_ms)

    def explain(self, client: Any, seen: Seen, *, doubtful: bool = False) -> tuple[Judged, tuple[Line, ...]]:
        """Judge a list with what the exchange tells of since; return it with every difference, explained or not.

        `doubtful`: also what may be in the list or not, and is explained for good by the next.
        """
        known, window = self.known(), self.window(seen)
        since = window.sure_ms if known is None else known.until_ms
        evidence = Evidence(self.guard, client, since + 1, self._names)
        gaps: Iterable[str] = judge(known, seen.held, (), window).gaps
        evidence.fills(gaps or seen.held)
        judged = judge(known, seen.held, evidence.movements, window)
        if judged.gaps:
            evidence.incomes()
            judged = judge(known, seen.held, evidence.movements, window)
        told = judged.explained
        if doubtful:
            until_ms = window.until_ms
            told = tuple(m for m in evidence.movements if since < m.at_ms <= until_ms and m.why not in (FILL, UNKNOWN))
        lines = explained_lines(told, {one.key: kind_of(one.key) for one in told})
        expected: list[str] = []
        for key, gap in sorted(judged.gaps.items()):
            why, note = self._why(client, key, gap, evidence)
            if why not in (UNKNOWN, DUST):
                expected.append(key)
            lines.append(Line(kind_of(key), key, gap, self.worth(client, key, gap), why, note))
        return judged._replace(known=accept(judged, expected)), tuple(lines)

    def _why(self, client: Any, key: str, gap: Decimal, evidence: Evidence) -> tuple[str, str]:
        if abs(gap) < step_of(client, key):
            return DUST, ""
        other = expected_elsewhere(self.guard, key)
        if other is not None:
            return other, ""
        # What was seen of it before stays said: the fills of a difference that stands are told of only once.
        before = [note for one in self.guard.facts().drift if one.key == key for note in one.note.split("; ") if note]
        notes = [one.note for one in evidence.movements if one.key == key and one.why == UNKNOWN and one.note]
        return UNKNOWN, "; ".join(list(dict.fromkeys([*before, *notes, *evidence.problems]))[-MAX_NOTES:])

    def worth(self, client: Any, key: str, quantity: Decimal) -> Decimal | None:
        """Return what a quantity is worth in the account's currency; None: no price is known, though there is one."""
        facts, currency = self.guard.facts(), self.guard.policy.model.account.currency
        marks = {symbol: fact.value for symbol, fact in facts.marks.items()}
        symbol = key.partition("#")[0]
        if "/" not in symbol:
            asset = key.partition(" ")[0]
            price = price_of(asset, marks, currency)
            listed = f"{asset}/{currency}" in client.markets
            return abs(quantity) * price if price or not listed else None
        mark, size = marks.get(symbol), facts.contract_sizes.get(symbol)
        price = price_of(symbol.partition("/")[2].partition(":")[0], marks, currency)
        return abs(quantity) * size * mark * price if mark and size and price else None

    def open_orders(self, client: Any) -> Orders:
        """List the open orders of the whole account, every family, and keep those of nobody here."""
        guard = self.guard
        listed: tuple[OrderState, ...] = run(guard.adapter, client, guard.adapter.open_orders(), guard.clock)
        # Asked for after the list: an intent is durable before its order can be in one.
        intents = guard.store.intents(guard.account, open_only=False)
        ours = {i.client_order_id for i in intents} | {i.order_id for i in intents if i.order_id}
        accepted = set(guard.store.reconciled(guard.account).get("accepted", ()))
        foreign = [o for o in listed if o.client_order_id not in ours and o.order_id not in ours]
        lines, claims = [], dict[str, tuple[int, int]]()
        for order in foreign:
            left = max(Decimal(0), order.quantity - order.filled)
            who, _ = who_sent(guard, order.symbol, order.client_order_id) or (UNKNOWN, "")
            who = "accepted" if who == UNKNOWN and order.order_id in accepted else who
            name = f" ({order.client_order_id})" if order.client_order_id else ""
            note = f"{order.side} {plain(left)} {order.symbol}{_at(order)}{name}, of nobody here"
            key = guard.engine.setup.position_key(order.symbol)
            lines.append(Line("order", order.order_id, left, self._order_worth(client, order, left), who, note))
            buys, sells = claims.get(key, (0, 0))
            if order.side == "buy" and not order.reduces:
                claims[key] = (buys + scale_up(left), sells)
            elif product_of(order.symbol) != "spot" and not order.reduces:
                claims[key] = (buys, sells + scale_up(left))
        return Orders(tuple(lines), len(foreign), claims)

    def _order_worth(self, client: Any, order: OrderState, left: Decimal) -> Decimal | None:
        key = order.symbol if product_of(order.symbol) != "spot" else order.symbol.partition("/")[0]
        return self.worth(client, key, left)

    # ---- what follows

    def _write(self, now: int, known: Known | None = None) -> None:
        """Write what is known now, and act on what nothing explains."""
        guard, kept = self.guard, dict(self.guard.store.reconciled(self.guard.account))
        kept = {name: value for name, value in kept.items() if name not in ("by", "why")}  # who accepted the last one
        if known is not None:
            kept |= {
                "until_ms": known.until_ms,
                "bounds": {k: [plain(a), plain(b)] for k, (a, b) in known.bounds.items()},
            }
        orders, held = self._orders or Orders(), self._lines
        unexplained = [line for line in (*orders.lines, *(held or ())) if line.why == UNKNOWN]
        drift = [Drift(line.kind, line.key, line.quantity, line.worth, line.note) for line in unexplained]
        before = [] if held is not None else [d for d in guard.facts().drift if d.kind != "order"]
        open_ids = {line.key for line in orders.lines}
        kept |= {
            "drift": [drift_to_list(one) for one in (*drift, *before)],
            "lines": [line_to_list(line) for line in (*orders.lines, *(held or ())) if line.why != UNKNOWN],
            "foreign": {key: list(claim) for key, claim in orders.claims.items()},
            "foreign_orders": orders.number,
            "accepted": sorted(open_ids & set(kept.get("accepted", ()))),
        }
        guard.store.reconcile(guard.account, kept, now)
        self._done_ms = now
        self._tell(drift)
        self._act()

    def _tell(self, drift: Iterable[Drift]) -> None:
        """Say each difference once."""
        found = {(one.kind, one.key, one.quantity): one for one in drift}
        for name, one in found.items():
            if name not in self._told:
                self.guard.telemetry.drift(self.guard.account, one.kind, one.key, plain(one.quantity), one.note)
        self._told = frozenset(found)

    def _act(self) -> None:
        """Halt at once where the policy asks for it; what merely denies is the check's (engine/checks)."""
        guard = self.guard
        for check in guard.engine.checks:
            if isinstance(check, Check):
                guard.trip(tuple(check.found(guard.facts())), None)


def seen_of(account: LiveAccount) -> Seen:
    """Return all that an account has, by key."""
    wallets = {wallet_key(asset): amount for asset, amount in account.wallets.items()}
    return Seen({**account.balances, **wallets, **account.positions}, account.as_of_ms, account.until_ms)


def kind_of(key: str) -> str:
    """Return what a key is of: a contract's position, or what is held of an asset."""
    return "position" if "/" in key else "balance"


def step_of(client: Any, key: str) -> Decimal:
    """Return the least that can be traded: less of it is dust."""
    symbol, asset = key.partition("#")[0], key.partition(" ")[0]
    markets = client.markets
    near = [markets[symbol]] if symbol in markets else [m for m in markets.values() if m["spot"] and m["base"] == asset]
    steps = [m["precision"].get("amount") for m in near] if client.precisionMode == _TICK_SIZE else []
    return min((exact(step) for step in steps if step), default=ROUNDING)


def line_to_list(line: Line) -> list[Any]:
    """Write a difference for the journal."""
    return [
        line.kind,
        line.key,
        plain(line.quantity),
        None if line.worth is None else plain(line.worth),
        line.why,
        line.note,
    ]


def _at(order: OrderState) -> str:
    price = order.raw.get("price") or order.raw.get("stopPrice") or ""
    try:
        return f" at {plain(exact(price))}" if price and exact(price) else ""
    except ValueError:
        return ""
