"""The client that can only read and cancel, and what is done with it: list, cancel, list again.

with canceller("okx", secrets, clock=clock) as okx:
    counts = okx.clear(keep=lambda order: order.reduces is True)   # {"spot.order": FamilyCount(...), ...}

The answer of a cancel proves nothing; the next list does. A call that fails leaves its family unknown, never empty.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

from policykit.clock import Clock, SystemClock
from policykit.errors import ExchangeUnavailable
from policykit.exchanges import load as load_adapter
from policykit.exchanges.base import CallFailed, Read, run
from policykit.exchanges.budget import Spends
from policykit.exchanges.calls import listed as in_list
from policykit.exchanges.calls import name_of
from policykit.exchanges.cancelling import known, load
from policykit.exchanges.cancelling.base import Cancelling, FamilyCount, Listed, OpenOrder, Resting
from policykit.exchanges.cancelling.pace import Pace, whole_allowance
from policykit.exchanges.client import OverBudget, make_client
from policykit.exchanges.numbers import decimal, text_of
from policykit.redact import Secret

#: How often in a row a list may show that nothing more went away before `clear` gives up.
MOST_IDLE_ROUNDS: Final = 3
#: What stands for no orders in the stead of an empty list: those of kraken are by id; null is what bitget may say.
EMPTY: Final[Mapping[str, Any]] = {"open": {}, "entrustedList": None}
#: List - cancel - list at most this often.
MOST_ROUNDS: Final = 200
#: Symbols of one list that shows a symbol at a time.
MOST_SYMBOLS: Final = 200
#: Failures after which the next call would fail as well: the family, or all of it, is left as it is.
_HOPELESS: Final = frozenset(("KEY_REJECTED", "ADDRESS_NOT_ALLOWED", "BANNED", "CLOCK", "NETWORK"))
#: Failures that say nothing of the batch: the same one is tried again.
_AGAIN: Final = frozenset(("RATE_LIMIT", "MAINTENANCE", "NETWORK"))
_STEP_S: Final = 0.2


def canceller(
    exchange_id: str,
    credentials: Mapping[str, Secret],
    *,
    endpoint: str | None = None,
    sandbox: bool = False,
    clock: Clock | None = None,
    budget: Spends | None = None,
    symbols: Iterable[str] = (),
    products: Collection[str] | None = None,
) -> Canceller:
    """Return a client of a key that can read and cancel, and nothing else.

    `budget`: what its calls are counted in; without one, all of what the exchange publishes. `symbols`: those of which
    orders are listed where an exchange lists one symbol at a time. `products`: `spot`, `swap`, ...; None: all.
    Raise ExchangeUnavailable where this version cannot cancel, SecretUnavailable for credentials that do not fit.
    """
    cancelling = load(exchange_id)
    adapter = load_adapter(exchange_id)
    if cancelling is None or adapter is None:
        words = f"this version cannot cancel on {exchange_id}; {', '.join(known())} may be; do it in the web page"
        raise ExchangeUnavailable(words, "NOT_SUPPORTED")
    clock = clock or SystemClock()
    client = make_client(
        exchange_id,
        credentials,
        endpoint=endpoint,
        sandbox=sandbox,
        budget=Pace(adapter.facts, clock, budget or whole_allowance(adapter.facts, clock)),
        clock=clock,
        beyond=allowing(cancelling),
    )
    # What is read is not computed with by ccxt: numbers stay text, and nothing is asked that no cancel needs.
    client.number = str
    client.on_json_response = lambda body: json.loads(body, parse_float=str)
    client.has = {**client.has, "fetchCurrencies": False}
    if "fetchMargins" in client.options:
        client.options["fetchMargins"] = False
    return Canceller(client, cancelling, clock, tuple(symbols), products)


def allowing(cancelling: Cancelling) -> Callable[[str, str, str | None], bool]:
    """Return what says of a request whether it is one of an exchange's cancels."""

    def allowed(method: str, url: str, body: str | None) -> bool:
        name = name_of(method, url)
        return in_list(name, cancelling.calls) and cancelling.admits(name, body)

    return allowed


class Canceller:
    """What one key may do in an emergency. One thread at a time."""

    def __init__(
        self,
        client: Any,
        cancelling: Cancelling,
        clock: Clock,
        symbols: tuple[str, ...] = (),
        products: Collection[str] | None = None,
    ) -> None:
        """Take a client that `canceller` has made."""
        self._client = client
        self._pace: Pace = client.policykit_budget
        self._clock = clock
        self._symbols = symbols
        self.exchange: str = client.id
        self._products = products
        self._families = tuple(r for r in cancelling.families if any(_among(one, products) for one in r.families))
        self._unlisted = {name: why for name, why in cancelling.unlisted.items() if _among(name, products)}
        #: Families whose batch was refused: their orders are cancelled one by one.
        self._single: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        session = getattr(self._client, "session", None)
        if session is not None:
            session.close()

    @property
    def calls(self) -> list[str]:
        """The requests that were made with the key, in their order; of very many the newest."""
        return [one.name for one in self._client.policykit_seen if one.kind != "public"]

    @property
    def families(self) -> tuple[str, ...]:
        """The order families that can be listed."""
        return tuple(dict.fromkeys(one for r in self._families for one in r.families if _among(one, self._products)))

    @property
    def least_ms(self) -> int:
        """How long the calls made so far take at the least by the documented limits, each answered at once."""
        return self._pace.least_ms

    # -- listing ------------------------------------------------------------------------------------------------

    def open_orders(self) -> Listed:
        """List the account's open orders of every family; what could not be listed is under `unknown`."""
        found: dict[str, dict[tuple[str, str], OpenOrder]] = {name: {} for name in self.families}
        unknown: dict[str, str] = dict(self._unlisted)
        hopeless = ""
        for resting in self._families:
            families = [one for one in resting.families if one in found]
            if hopeless:
                unknown |= {one: hopeless for one in families if one not in unknown}
                continue
            try:
                for order in self._list(resting, unknown):
                    key = order.symbol, order.order_id
                    if order.family in found:
                        found[order.family].setdefault(key, order)
                    found.get(resting.also_in, {}).pop(key, None)
            except CallFailed as failed:
                unknown |= dict.fromkeys(families, str(failed))
                hopeless = str(failed) if failed.code in _HOPELESS else ""
        return Listed({name: tuple(orders.values()) for name, orders in found.items()}, unknown)

    def _list(self, resting: Resting, unknown: dict[str, str]) -> list[OpenOrder]:
        if resting.list_call:
            rows: Any = self._ask(Read(resting.list_call, dict(resting.ask)))
            for name in resting.rows:
                rows = rows.get(name) if isinstance(rows, Mapping) else None
            if not isinstance(rows, list):
                raise self._client.policykit_adapter.bad_answer("a list of orders")
            self._ask(Read("load_markets", {}, (False,)))
            return [self._read(row, resting) for row in self._client.parse_orders(rows)]
        found: list[OpenOrder] = []
        for symbol in self._each_symbol(resting, unknown):
            since = 1 if resting.ask.get("paginate") else None  # without one ccxt gives up at the second page
            rows = self._ask(Read("fetch_open_orders", dict(resting.ask), (symbol, since, None)))
            named = all(isinstance(row, Mapping) and row.get("id") for row in rows)
            if not named or (not rows and not shows_list(self._client.last_http_response)):
                raise self._client.policykit_adapter.bad_answer("a list of orders")
            found += [self._read(row, resting) for row in rows]
        return found

    def _each_symbol(self, resting: Resting, unknown: dict[str, str]) -> Sequence[str | None]:
        if not resting.by_symbol:
            return (None,)
        markets = self._ask(Read("load_markets", {}, (False,)))
        if resting.symbols_call:
            answer = self._ask(Read(resting.symbols_call, dict(resting.ask)))
            data = answer.get("data") if isinstance(answer, Mapping) else None
            ids = data.get("symbols") if isinstance(data, Mapping) else data
            names = {str(market.get("id")): symbol for symbol, market in markets.items()}
            if not isinstance(ids, list):
                raise self._client.policykit_adapter.bad_answer("a list of symbols")
            return [names[one] for one in ids if one in names]
        product = resting.family.partition(".")[0]
        known = [s for s in self._symbols if s in markets and (":" in s) == (product != "spot")]
        unknown[resting.family] = f"{self.exchange} lists open orders by symbol only; " + (
            f"only those of {', '.join(known[:5])}{' ...' if len(known) > 5 else ''} are seen"
            if known
            else "none is named"
        )
        return known[:MOST_SYMBOLS]

    def _read(self, row: Mapping[str, Any], resting: Resting) -> OpenOrder:
        reduces = row.get("reduceOnly")
        side = row.get("side")
        at = decimal(row.get("timestamp"))
        return OpenOrder(
            family=resting.split(row) if resting.split else resting.family,
            symbol=text_of(row.get("symbol")) or "",
            order_id=text_of(row.get("id")) or "",
            client_order_id=text_of(row.get("clientOrderId")) or "",
            side=side if side in ("buy", "sell") else None,
            quantity=decimal(row.get("amount")),
            filled=decimal(row.get("filled")),
            price=decimal(row.get("price")),
            reduces=reduces if isinstance(reduces, bool) else None,
            at_ms=None if at is None else int(at),
            resting=resting,
        )

    # -- cancelling ---------------------------------------------------------------------------------------------

    def cancel(self, order: OpenOrder) -> bool:
        """Cancel one order; False when the exchange says that it is not open. Raise CallFailed."""
        try:
            read = Read("cancel_order", dict(order.resting.cancel), (order.order_id, order.symbol or None))
            self._ask(read, order.symbol)
        except CallFailed as failed:
            if failed.code == "ORDER_NOT_FOUND":
                return False
            raise
        return True

    def cancel_each(self, orders: Iterable[OpenOrder]) -> dict[str, str]:
        """Ask for these orders to be cancelled, in batches where there are; return why not, by family."""
        failures: dict[str, str] = {}
        for resting, batch in _batches(orders, self._single):
            try:
                if len(batch) == 1:
                    self.cancel(batch[0])
                else:
                    ids = [order.order_id for order in batch]
                    symbol = batch[0].symbol
                    self._ask(Read("cancel_orders", dict(resting.cancel), (ids, symbol or None)), symbol, len(ids))
            except CallFailed as failed:
                failures.update(dict.fromkeys((order.family for order in batch), str(failed)))
                if len(batch) > 1 and failed.code not in _AGAIN:
                    self._single.add(resting.family)  # one that is gone may refuse the whole batch
                if failed.code in _HOPELESS:
                    raise
        return failures

    def cancel_all(self, orders: Iterable[OpenOrder]) -> list[OpenOrder]:
        """Cancel all that rests where one call does it, whatever is there; return the orders for which none does.

        What it takes is not only these orders: everything in the same list, or of the same symbol in it.
        """
        left: list[OpenOrder] = []
        groups: defaultdict[tuple[int, str], list[OpenOrder]] = defaultdict(list)
        for order in orders:
            groups[id(order.resting), order.symbol if order.resting.every == "symbol" else ""].append(order)
        for group in groups.values():
            resting = group[0].resting
            symbol = group[0].symbol if resting.every == "symbol" else None
            try:
                whole = all(_among(one, self._products) for one in resting.families)
                if not resting.every or not whole or (len(group) == 1 and not resting.every_call):
                    left += group
                elif resting.every_call:
                    self._ask(Read(resting.every_call))
                else:
                    self._ask(Read("cancel_all_orders", dict(resting.cancel), (symbol,)), group[0].symbol)
            except CallFailed as failed:
                if failed.code in _HOPELESS:
                    raise
                left += group
        return left

    def clear(
        self,
        keep: Callable[[OpenOrder], bool] | None = None,
        *,
        within_ms: int | None = None,
        settle_ms: int = 0,
    ) -> dict[str, FamilyCount]:
        """Cancel everything but what is kept; list, cancel and list again until nothing more is there to cancel.

        Without `keep` whole lists go at once where the exchange can. `within_ms` bounds the time. `settle_ms`: how long
        nothing may have shown up before it is believed: orders that are on their way arrive late.
        """
        started = empty_since = self._clock.monotonic_ms()
        seen: defaultdict[str, dict[tuple[str, str], OpenOrder]] = defaultdict(dict)
        before: int | None = None
        idle, why = 0, dict[str, str]()
        for _ in range(MOST_ROUNDS):
            listed = self.open_orders()
            now = self._clock.monotonic_ms()
            going = {name: [o for o in rows if keep is None or not keep(o)] for name, rows in listed.orders.items()}
            for name, rows in listed.orders.items():
                seen[name] |= {(o.symbol, o.order_id): o for o in rows}
            left = sum(map(len, going.values()))
            counts = self._counts(listed, going, seen, why)
            over = within_ms is not None and now - started > within_ms
            idle = idle + 1 if before is not None and left and left >= before else 0
            if over or idle > MOST_IDLE_ROUNDS or (not left and now - empty_since >= settle_ms):
                return counts
            if left:
                try:
                    why = self._send(going, everything=keep is None)
                except CallFailed as failed:
                    why = dict.fromkeys((name for name, rows in going.items() if rows), str(failed))
                    idle += 1
                empty_since = self._clock.monotonic_ms()
            if not left or idle:  # a list costs as much as a cancel: look half way to the end, and at the end
                self._clock.sleep(max(_STEP_S, 0 if left else (settle_ms - (now - empty_since)) / 2000))
            before = left
        return counts

    def _send(self, going: Mapping[str, Sequence[OpenOrder]], *, everything: bool) -> dict[str, str]:
        orders = [order for rows in going.values() for order in rows]
        return self.cancel_each(self.cancel_all(orders) if everything else orders)

    def _counts(
        self,
        listed: Listed,
        going: Mapping[str, Sequence[OpenOrder]],
        seen: Mapping[str, Mapping[tuple[str, str], OpenOrder]],
        why: Mapping[str, str],
    ) -> dict[str, FamilyCount]:
        counts = {}
        for name, rows in listed.orders.items():
            left, unknown = len(going[name]), listed.unknown.get(name, "")
            full = 0 if left else _full_page(rows)
            if full and not unknown:
                unknown = f"one answer shows {full} orders at most, and that many are kept: more may be open"
            if left and not unknown:
                unknown = why.get(name, "")
            open_now = {(o.symbol, o.order_id) for o in rows}
            went = 0 if listed.unknown.get(name) and not rows else sum(key not in open_now for key in seen[name])
            counts[name] = FamilyCount(len(seen[name]), went, len(rows) - left, left, unknown)
        return counts | {n: FamilyCount(unknown=why) for n, why in listed.unknown.items() if n not in counts}

    def _ask(self, read: Read, symbol: str = "", orders: int = 1) -> Any:
        """Make one call, of so many orders. Raise CallFailed; what the exchange says of waiting is kept to."""
        client = self._client
        self._pace.upcoming(symbol, orders)

        def once() -> Any:
            answer = yield read
            return answer.data

        try:
            return run(client.policykit_adapter, client, once(), self._clock)
        except CallFailed as failed:
            if failed.failure.code != "READ_ONLY" and not isinstance(failed, OverBudget):
                self._pace.failed(failed.failure)
            raise


def shows_list(body: Any) -> bool:
    """Tell whether an answer has a list in it: ccxt makes no orders of an answer that has none, and nobody saw any."""
    try:
        return _has_list(json.loads(body or "null"))
    except ValueError:
        return False


def _has_list(said: Any) -> bool:
    if isinstance(said, Mapping):
        return any(
            (name in EMPTY and one == EMPTY[name]) or _has_list(one) for name, one in said.items() if name != "error"
        )
    return isinstance(said, list)


def _among(family: str, products: Collection[str] | None) -> bool:
    return products is None or family.partition(".")[0] in products


def _batches(orders: Iterable[OpenOrder], single: Collection[str]) -> list[tuple[Resting, list[OpenOrder]]]:
    """Return orders by list and symbol, as many at once as one call takes."""
    groups: defaultdict[tuple[int, str], list[OpenOrder]] = defaultdict(list)
    for order in orders:
        groups[id(order.resting), "" if order.resting.mixed else order.symbol].append(order)
    found = []
    for group in groups.values():
        resting = group[0].resting
        size = resting.many if resting.many > 1 and resting.family not in single else 1
        found += [(resting, group[at : at + size]) for at in range(0, len(group), size)]
    return found


def _full_page(orders: Sequence[OpenOrder]) -> int:
    """Return how many orders one answer shows at most when a list is as long as that, else 0."""
    rows = Counter(id(order.resting) for order in orders)
    return max((o.resting.page for o in orders if o.resting.page and rows[id(o.resting)] >= o.resting.page), default=0)
