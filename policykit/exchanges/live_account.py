"""The state of an account, read over ccxt's unified calls: balances, positions, open orders, equity, markets.

What is asked comes from the adapter (`LiveReads`); how answers are read is here, once for all exchanges. A list that
cannot be read is None or has its reason under `unknown`; it is never empty for want of an answer. Numbers come as text
(the client's `number` is `str`), so that no float decides anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, NamedTuple

from policykit.exchanges.adapter import Adapter, LiveReads
from policykit.exchanges.base import CallFailed, Read
from policykit.exchanges.holdings import order_row, position_row, spot_rows
from policykit.exchanges.numbers import decimal, text_of
from policykit.model.symbols import allows
from policykit.policy import EffectivePolicy
from policykit.units import plain

#: The most rows of one list that a snapshot holds.
MAX_ROWS: Final = 1000
#: Orders that are listed by symbol only are asked for at most so many symbols.
MAX_SYMBOLS: Final = 20
#: The most markets of the policy's symbols that are reported.
MAX_MARKETS: Final = 200
#: What `positions`, `open_orders` and the rest are until they are read.
LISTS: Final = ("equity", "balances", "positions", "open_orders", "markets", "position_mode")

Row = dict[str, Any]


class Asked(NamedTuple):
    """What a call came to, and where the answer is from."""

    data: Any
    endpoint: str
    at: str


#: Makes one unified call. Raise CallFailed.
Ask = Callable[[Read], Asked]


class Wanted(NamedTuple):
    """What of an account concerns the policies that it is read for.

    `products`: those of the adapter's `live` to read. `missing`: kinds that the policies need and that cannot be read.
    """

    products: Mapping[str, LiveReads]
    missing: tuple[str, ...]
    symbols: tuple[str, ...]
    currency: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the products to read: spot, derivatives, options."""
        return tuple(dict.fromkeys(map(kind_of, self.products)))


def kind_of(product: str) -> str:
    """Return which permission a product falls under: spot, derivatives or options."""
    if product in ("spot", "margin"):
        return "spot"
    return "options" if product.startswith("option") else "derivatives"


def wanted(adapter: Adapter, policies: Sequence[EffectivePolicy]) -> Wanted:
    """Return what to read for policies of one account, by the scopes of their keys and by their symbols."""
    scopes = {scope for one in policies for key in (one.model.keys or {}).values() for scope in key.scopes or ()}
    symbols = tuple(
        dict.fromkeys(symbol for one in policies for symbol in ((one.model.risk and one.model.risk.symbols) or ()))
    )
    kinds = {_KIND_OF_SCOPE[scope] for scope in scopes if scope in _KIND_OF_SCOPE}
    kinds |= {_kind_of_symbol(symbol) for symbol in symbols if not symbol.startswith("!") and not _open(symbol)}
    offered = {kind_of(product) for product in adapter.live}
    if not kinds or "trade" in scopes:
        kinds |= offered
    products = {name: reads for name, reads in adapter.live.items() if kind_of(name) in kinds}
    return Wanted(products, tuple(sorted(kinds - offered)), symbols, policies[0].model.account.currency)


_KIND_OF_SCOPE: Final = {
    "trade.spot": "spot",
    "trade.margin": "spot",
    "trade.derivatives": "derivatives",
    "trade.options": "options",
}


def _kind_of_symbol(symbol: str) -> str:
    if ":" not in symbol:
        return "spot"
    return "options" if symbol.endswith(("-C", "-P")) else "derivatives"


def _open(symbol: str) -> bool:
    """Tell whether a pattern may name markets of several kinds: `*`, `BTC*`."""
    return symbol.endswith("*") and ":" not in symbol


class AccountReader:
    """Read one account into the `account` of a snapshot."""

    def __init__(self, adapter: Adapter, need: Wanted, ask: Ask, has: Mapping[str, Any]) -> None:
        """Take what is needed, what makes the calls, and what ccxt's class says it has (`fetchPositionMode`)."""
        self.adapter = adapter
        self.need = need
        self._ask = ask
        self._has = has
        self.markets: Mapping[str, Mapping[str, Any]] = {}
        self.account: Row = dict.fromkeys(LISTS)
        self.unknown: dict[str, str] = {}
        self.sources: dict[str, dict[str, str]] = {}
        #: Symbol -> what one unit of its base is worth in its quote.
        self.marks: dict[str, Decimal] = {}
        self.balances: dict[str, Decimal] = {}
        #: What positions say of whether a symbol has two of them.
        self._hedged: set[bool] = set()

    def read_markets(self) -> None:
        """Read the markets alone: for an account whose spot the adapter reads itself."""
        self._markets()

    def read(self) -> Row:
        """Return the account; what failed is under `unknown`."""
        if self.need.products and self._markets():
            self._balances()
            self._positions()
            self._orders()
            self._position_mode()
            self._worth()
        for kind in self.need.missing:
            self._not_read(kind)
        account = self.account
        if "balances" in self.sources:
            account["source"] = self.sources["balances"]
        account["sources"] = self.sources
        account["unknown"] = self.unknown
        return account

    def _call(self, section: str, method: str, params: Mapping[str, Any] | None = None, *args: Any) -> Any:
        asked = self._ask(Read(method, dict(params or {}), args))
        self.sources.setdefault(section, {"endpoint": asked.endpoint, "at": asked.at})
        return asked.data

    def _not_read(self, kind: str) -> None:
        """State that a kind of product is not read at all; what else was read stands beside it."""
        why = f"this version does not read {self.adapter.id}'s {kind}"
        for name in ("balances", "positions", "open_orders"):
            if name == "positions" and kind != "spot":
                self.account["positions"] = None
                self.unknown.setdefault("positions", why)
            self.unknown[name if self.account[name] is None else f"{name}.{kind}"] = why
        self.unknown.setdefault("equity" if self.account["equity"] is None else f"equity.{kind}", why)

    # -- markets ------------------------------------------------------------------------------------------------

    def _markets(self) -> bool:
        """Load the markets, without which ccxt reads nothing else."""
        try:
            loaded = self._call("markets", "load_markets", None, False)
        except CallFailed as failed:
            for name in LISTS:
                self.unknown[name] = str(failed)
            return False
        self.markets = loaded if isinstance(loaded, Mapping) else {}
        rows = [self._market_row(symbol) for symbol in self._symbols(MAX_MARKETS)]
        self.account["markets"] = rows
        return True

    def _symbols(self, most: int, kind: str = "") -> list[str]:
        """Return the markets that the policies name: those spelt out, then those that their patterns allow."""
        named = [s for s in self.need.symbols if "*" not in s and not s.startswith("!")]
        patterns = [s for s in self.need.symbols if "*" in s or s.startswith("!")]
        if any(not pattern.startswith("!") for pattern in patterns):
            named += [symbol for symbol in self.markets if allows(self.need.symbols, symbol)]
        found = dict.fromkeys(s for s in named if not kind or self._kind(s) == kind)
        return list(found)[:most]

    def _kind(self, symbol: str) -> str:
        listed = self.markets.get(symbol)
        return kind_of(str(listed.get("type"))) if listed else _kind_of_symbol(symbol)

    def _market_row(self, symbol: str) -> Row:
        market = self.markets.get(symbol)
        if market is None:
            # Only a list that has others of the kind proves that this one is not in it.
            kind = _kind_of_symbol(symbol)
            listed = any(self._kind(other) == kind for other in self.markets)
            return {"symbol": symbol, "active": False if listed else None, "min_notional": None, "currency": None}
        limits = market.get("limits")
        cost = limits.get("cost") if isinstance(limits, Mapping) else None
        least = decimal(cost.get("min")) if isinstance(cost, Mapping) else None
        active = market.get("active")
        return {
            "symbol": symbol,
            "active": active if isinstance(active, bool) else None,
            "min_notional": None if least is None else plain(least),
            "currency": text_of(market.get("quote")),
        }

    # -- balances, positions, orders ----------------------------------------------------------------------------

    def _balances(self) -> None:
        totals: dict[str, Decimal] = {}
        read = False
        for product, params in self._each(lambda reads: reads.balances):
            try:
                said = self._call("balances", "fetch_balance", params)
            except CallFailed as failed:
                self._part("balances", product, failed)
                continue
            read = True
            for asset, amount in _totals(said):
                total = decimal(amount)
                if total is None:
                    self.unknown[f"balances.{asset}"] = f"{self.adapter.id} gave no total of it"
                elif total:
                    totals[asset] = totals.get(asset, Decimal(0)) + total
        if read:
            self.balances = totals
            self.account["balances"] = {asset: plain(total) for asset, total in sorted(totals.items())}
        else:
            self.unknown["balances"] = self._joined("balances") or "the adapter lists no balances"

    def _positions(self) -> None:
        rows: list[Row] = []
        read = not any(kind_of(product) != "spot" for product in self.need.products)
        for product, params in self._each(lambda reads: reads.positions):
            try:
                said = self._call("positions", "fetch_positions", params, None)
            except CallFailed as failed:
                self._part("positions", product, failed)
                continue
            read = True
            for one in said if isinstance(said, list) else ():
                if isinstance(one, Mapping):
                    self._hedged |= {one["hedged"]} if isinstance(one.get("hedged"), bool) else set()
                    row = position_row(one, self.markets.get(str(one.get("symbol"))), product)
                    rows += [row] if row is not None else []
        if read:
            self.account["positions"] = rows
        else:
            self.unknown["positions"] = self._joined("positions") or f"{self.adapter.id}: no call lists positions"

    def _orders(self) -> None:
        rows: list[Row] = []
        read = False
        for product, reads in self.need.products.items():
            for family, params in reads.orders:
                symbols: Sequence[str | None] = (None,)
                if reads.by_symbol:
                    symbols = self._listable(product)
                for symbol in symbols:
                    try:
                        said = self._call("open_orders", "fetch_open_orders", params, symbol, None, None)
                    except CallFailed as failed:
                        self._part("open_orders", family, failed)
                        continue
                    read = True
                    listed = [one for one in said if isinstance(one, Mapping)] if isinstance(said, list) else []
                    rows += [order_row(one, self.markets.get(str(one.get("symbol"))), family) for one in listed]
            for family in self._unlisted(product, reads):
                self.unknown[f"open_orders.{family}"] = f"{self.adapter.id}: this version does not list {family} orders"
        unique = {(row["symbol"], row["order_id"] or id(row)): row for row in rows}
        if read:
            self.account["open_orders"] = list(unique.values())[:MAX_ROWS]
        elif "open_orders" not in self.unknown:
            self.unknown["open_orders"] = self._joined("open_orders") or "the adapter lists no open orders"
        if len(unique) > MAX_ROWS:
            self.unknown["open_orders.rest"] = f"{len(unique) - MAX_ROWS} more are open than a snapshot holds"

    def _listable(self, product: str) -> list[str]:
        """Return the symbols whose orders are asked for, where they are listed by symbol only; say what is left out."""
        symbols = self._symbols(MAX_SYMBOLS + 1, kind_of(product))
        traded = [symbol for symbol in symbols if symbol in self.markets]
        why = f"{self.adapter.id} lists open orders by symbol only; those of other symbols are not seen"
        if not traded:
            why = f"{self.adapter.id} lists open orders by symbol only, and the policy names none of its {product} ones"
        elif len(traded) > MAX_SYMBOLS:
            why = f"{why}, and risk.symbols allows over {MAX_SYMBOLS}"
        self.unknown["open_orders.others" if traded else f"open_orders.{product}"] = why
        return traded[:MAX_SYMBOLS]

    def _unlisted(self, product: str, reads: LiveReads) -> Iterator[str]:
        """Yield the order families that the exchange has and no call of ours lists; ws-api is only another way in."""
        known = self.adapter.facts.products.get(product)
        listed = {family for family, _ in reads.orders}
        if known is not None:
            yield from (family for family in known.families if family not in listed and family != "ws-api")

    def _each(self, reads: Callable[[LiveReads], tuple[dict[str, Any], ...]]) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (product, params), each set of params once: one answer serves two products."""
        done: list[dict[str, Any]] = []
        for product, one in self.need.products.items():
            for params in reads(one):
                if params not in done:
                    done.append(params)
                    yield product, params

    def _part(self, section: str, part: str, failed: CallFailed) -> None:
        said = self.unknown.get(f"{section}.{part}")
        self.unknown[f"{section}.{part}"] = str(failed) if said in (None, str(failed)) else f"{said}; {failed}"

    def _joined(self, section: str) -> str:
        """Return why no part of a section could be read, and take the parts' own reasons away."""
        parts = [name for name in self.unknown if name.startswith(f"{section}.")]
        return "; ".join(dict.fromkeys(self.unknown.pop(name) for name in parts))

    # -- what it is worth ---------------------------------------------------------------------------------------

    def _position_mode(self) -> None:
        derivatives = [s for s in self._symbols(MAX_SYMBOLS, "derivatives") if s in self.markets]
        if all(kind_of(product) == "spot" for product in self.need.products):
            return
        if self._hedged:
            self.account["position_mode"] = "hedge" if True in self._hedged else "one_way"
            return
        if not self._has.get("fetchPositionMode"):
            self.unknown["position_mode"] = f"{self.adapter.id} tells it of open positions only, and there are none"
            return
        try:
            said = self._call("position_mode", "fetch_position_mode", None, derivatives[0] if derivatives else None)
        except CallFailed as failed:
            self.unknown["position_mode"] = str(failed)
            return
        hedged = said.get("hedged") if isinstance(said, Mapping) else None
        if isinstance(hedged, bool):
            self.account["position_mode"] = "hedge" if hedged else "one_way"
        else:
            self.unknown["position_mode"] = "the answer does not say it"

    def _worth(self) -> None:
        """Value balances in the account's currency; assets without a price count 0 and are named."""
        if self.account["balances"] is None:
            self.unknown["equity"] = self.unknown["balances"]
            return
        currency = self.need.currency
        pairs = {asset: self._pair(asset) for asset in sorted(self.balances) if asset != currency}
        failed = self._prices([pair for pair in pairs.values() if pair])
        if failed:
            self.unknown["equity"] = failed
            return
        total = self.balances.get(currency, Decimal(0))
        unpriced: list[str] = []
        prices: dict[str, Decimal] = {}
        for asset, pair in pairs.items():
            mark = self.marks.get(pair)
            if not mark:
                unpriced.append(asset)
                continue
            prices[asset] = mark if pair.partition("/")[0] == asset else 1 / mark
            total += prices[asset] * self.balances[asset]
        if unpriced:
            self.unknown["equity.unpriced"] = ", ".join(unpriced)
        left_out = [name for name in self.unknown if name.startswith("balances.")]
        if left_out:
            self.unknown["equity.balances"] = "; ".join(self.unknown[name] for name in left_out)
        positions = self.account["positions"]
        if positions:
            self.unknown["equity.unrealised"] = "whether it holds the positions' unrealised profit is not documented"
        self.account["equity"] = f"{plain(_cut(total))} {currency}"
        if positions is not None and any(kind_of(product) == "spot" for product in self.need.products):
            positions += spot_rows(self.balances, prices, currency, self._symbols(MAX_MARKETS, "spot"))
            self.sources.setdefault("positions", self.sources["balances"])

    def _pair(self, asset: str) -> str:
        """Return the market that prices an asset in the account's currency; empty when there is none."""
        currency = self.need.currency
        tried = (f"{asset}/{currency}", f"{asset}/{currency}:{currency}", f"{currency}/{asset}")
        return next((pair for pair in tried if pair in self.markets), "")

    def _prices(self, pairs: Sequence[str]) -> str:
        """Read the mid of each market, else its mark, else its last price; return why they could not be read."""
        reasons: list[str] = []
        groups = ([p for p in pairs if ":" not in p], [p for p in pairs if ":" in p])
        for group in groups:
            try:
                said = self._call("equity", "fetch_tickers", None, group) if group else {}
            except CallFailed as failed:
                reasons.append(str(failed))
                continue
            for symbol, ticker in said.items() if isinstance(said, Mapping) else ():
                price = _price(ticker)
                if price is not None:
                    self.marks[symbol] = price
        return "; ".join(reasons)


def _totals(said: Any) -> list[tuple[str, Any]]:
    totals = said.get("total") if isinstance(said, Mapping) else None
    return [(a, amount) for a, amount in totals.items() if text_of(a)] if isinstance(totals, Mapping) else []


def _price(ticker: Any) -> Decimal | None:
    if not isinstance(ticker, Mapping):
        return None
    bid, ask = decimal(ticker.get("bid")), decimal(ticker.get("ask"))
    if bid and ask:
        return (bid + ask) / 2
    return decimal(ticker.get("markPrice")) or decimal(ticker.get("last"))


def _cut(total: Decimal) -> Decimal:
    """Return money to eight decimals, rounded down: a quotient of prices may have many more."""
    return total.quantize(Decimal("1e-8"), rounding="ROUND_FLOOR") if total.as_tuple().exponent < -8 else total  # type: ignore[operator]
