"""The account of a policy, read once in a run: with the first key that may, over the adapter's own reads or ccxt's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from policykit.clock import iso
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import CallFailed, LiveAccount
from policykit.exchanges.holdings import spot_rows
from policykit.exchanges.live_account import LISTS, AccountReader, Wanted, kind_of, wanted
from policykit.exchanges.session import Line
from policykit.snapshot import KeyReport
from policykit.units import plain

#: A key's report, and the client that it was read with (None: it may read nothing of this account).
Signed = tuple[KeyReport, Any]


def unread(why: str) -> dict[str, Any]:
    """Return an account of which nothing is known, and why."""
    return {**dict.fromkeys(LISTS), "unknown": dict.fromkeys(LISTS, why)}


def read_account(line: Line, signed: Sequence[Signed]) -> dict[str, Any]:
    """Read the account with the first key that may read; say why for each part that is not known."""
    readers = [one for one in signed if one[1] is not None and one[0].permissions["read"] != "denied"]
    once = line.session.account(line.effective, line.place)
    with once.lock:
        if once.read is None and readers:
            report, client = readers[0]
            with line.session.one_at_a_time(line.place, report.id):
                once.read = _read(line, client)
        if once.read is None:
            return unread("no key could be read")
        return {**once.read, "unknown": dict(once.read["unknown"])}


def _read(line: Line, client: Any) -> dict[str, Any]:
    adapter = line.adapter
    need = wanted(adapter, line.session.sharing(line.effective))
    spot = isinstance(adapter, TradingAdapter) and "spot" in adapter.trades
    native = spot and all(kind_of(product) != "spot" for product in adapter.live)
    if not native:
        if not adapter.live:
            return unread(f"{adapter.id}: this version reads keys only")
        return _unified(line, client, need)
    assert isinstance(adapter, TradingAdapter)
    need = need._replace(missing=tuple(kind for kind in need.missing if kind != "spot"))
    account = _spot(line, adapter.serving(frozenset(("spot",))), client, need)
    named = any(":" not in symbol and not symbol.startswith("!") for symbol in need.symbols)
    if need.products or need.missing or named:
        return _beside(account, need, _unified(line, client, need, spot=True))
    return account


def _unified(line: Line, client: Any, need: Wanted, *, spot: bool = False) -> dict[str, Any]:
    """Read over ccxt's unified calls; numbers stay text meanwhile, whatever the exchange writes them as.

    `spot`: beside a spot account that the adapter reads itself, of which the markets alone are wanted.
    """
    own = client.number, client.has, client.on_json_response, client.options
    client.number = str
    client.has = {**client.has, "fetchCurrencies": False}  # a call more, often a private one, for nothing we read
    client.options = _narrowed(client.options, need)
    client.on_json_response = lambda body: json.loads(body, parse_float=str)
    try:
        reader = AccountReader(line.adapter, need, lambda read: line.ask(client, read), client.has)
        if spot and not need.products:
            reader.read_markets()
        return reader.read()
    finally:
        client.number, client.has, client.on_json_response, client.options = own


def _narrowed(options: Mapping[str, Any], need: Wanted) -> dict[str, Any]:
    """Return ccxt's options without the kinds of markets that nobody needs: each is a call or more; spot has prices."""
    markets = options.get("fetchMarkets")
    types = markets.get("types") if isinstance(markets, Mapping) else None
    if not isinstance(markets, Mapping) or not isinstance(types, list):
        return dict(options)
    kinds = {"spot", *map(kind_of, need.products)}
    # Binance's two lists of margin pairs, which need a key and tell nothing that we read.
    more = {"fetchMargins": False} if "fetchMargins" in options else {}
    return {
        **options,
        **more,
        "fetchMarkets": {**markets, "types": [name for name in types if kind_of(str(name)) in kinds]},
    }


def _beside(spot: dict[str, Any], need: Wanted, other: dict[str, Any]) -> dict[str, Any]:
    """Join the adapter's own reading of spot with that of its other products; what one does not know stays unknown."""
    joined = {**other, **{name: value for name, value in spot.items() if name not in ("unknown", "sources")}}
    if not need.products and not need.missing:  # its markets alone were read
        unknown = {**spot["unknown"], **{n: why for n, why in other["unknown"].items() if n == "markets"}}
        return {
            **spot,
            "markets": other["markets"],
            "sources": {**other["sources"], **spot["sources"]},
            "unknown": unknown,
        }
    joined["sources"] = {**other.get("sources", {}), **spot["sources"]}
    unknown = {**spot["unknown"]}
    for name, why in other["unknown"].items():
        both = name == "equity.unpriced" and name in unknown
        unknown[name if both or name not in unknown else f"{name}.other"] = f"{unknown[name]}, {why}" if both else why
    for name in ("positions", "open_orders", "markets"):
        parts = (spot[name], other[name])
        joined[name] = None if name == "positions" and None in parts else _sum(parts)
    if None in (spot["balances"], other["balances"]):
        # Two wallets of which only one is shown would pass for all there is.
        unknown.setdefault("balances.other", "what lies in the wallets of other products is not in it")
    else:
        joined["balances"] = _together(spot["balances"], other["balances"])
    if None in (spot["equity"], other["equity"]):
        joined["equity"] = None
        unknown.setdefault("equity", unknown.get("equity.other", "one of two wallets could not be valued"))
    else:
        worth = [Decimal(one["equity"].partition(" ")[0]) for one in (spot, other)]
        joined["equity"] = f"{plain(sum(worth, Decimal(0)))} {need.currency}"
    joined["position_mode"] = other["position_mode"]
    joined["unknown"] = unknown
    return joined


def _together(one: Mapping[str, str], other: Mapping[str, str]) -> dict[str, str]:
    """Add two wallets, an asset each."""
    return {
        asset: plain(Decimal(one.get(asset, "0")) + Decimal(other.get(asset, "0"))) for asset in sorted({*one, *other})
    }


def _sum(parts: Sequence[Any]) -> list[Any] | None:
    lists = [part for part in parts if part is not None]
    return [row for part in lists for row in part] if lists else None


def _spot(line: Line, adapter: TradingAdapter, client: Any, need: Wanted) -> dict[str, Any]:
    """Read a spot account as the guard reads it."""
    unknown: dict[str, str] = {}
    account: dict[str, Any] = dict.fromkeys(LISTS)
    sources: dict[str, dict[str, str]] = {}
    account.update(unknown=unknown, sources=sources)
    try:
        live = line.read(client, adapter.account())
        account["balances"] = {asset: plain(total) for asset, total in sorted(live.balances.items())}
        account["source"] = sources["balances"] = _source(client, live.as_of_ms)
        _worth(line, adapter, client, need, live, account)
    except CallFailed as failed:
        for name in ("equity", "balances", "positions"):
            unknown.setdefault(name, str(failed))
    try:
        at_ms = line.clock.now_ms()
        orders = line.read(client, adapter.open_orders())
        sources["open_orders"] = _source(client, at_ms)
        account["open_orders"] = [
            {
                "symbol": one.symbol,
                "side": one.side,
                "quantity": plain(one.quantity),
                "filled": plain(one.filled),
                **_priced(one.raw.get("price"), one.quantity - one.filled, one.symbol),
                "family": "order",
                "reduce_only": None,
                "client_order_id": one.client_order_id,
                "order_id": one.order_id,
            }
            for one in orders
        ]
    except CallFailed as failed:
        unknown["open_orders"] = str(failed)
    return account


def _priced(price: Any, left: Decimal, symbol: str) -> dict[str, Any]:
    """Return price, notional and its currency of what can still fill; a market order has no price."""
    from policykit.exchanges.numbers import decimal

    read = decimal(price)
    quote = symbol.partition("/")[2] or None
    if not read:
        return {"price": None, "notional": None, "currency": quote}
    return {"price": plain(read), "notional": plain(read * left), "currency": quote}


def _source(client: Any, at_ms: int) -> dict[str, str]:
    return {"endpoint": client.policykit_seen[-1].name if client.policykit_seen else "", "at": iso(at_ms)}


def _worth(
    line: Line, adapter: TradingAdapter, client: Any, need: Wanted, live: LiveAccount, account: dict[str, Any]
) -> None:
    """Value the balances in the account's currency; assets without a price count 0 and are named."""
    currency, unknown = need.currency, account["unknown"]
    symbols = tuple(f"{asset}/{currency}" for asset in sorted(live.balances) if asset != currency)
    try:
        marks = line.read(client, adapter.marks(symbols))
    except CallFailed as failed:
        unknown["equity"] = unknown["positions"] = str(failed)
        return
    prices = {symbol.partition("/")[0]: price for symbol, price in marks.items()}
    unpriced = [asset for asset in sorted(live.balances) if asset != currency and asset not in prices]
    if unpriced:
        unknown["equity.unpriced"] = ", ".join(unpriced)
    total = sum((prices.get(asset, Decimal(0)) * held for asset, held in live.balances.items()), Decimal(0))
    account["equity"] = f"{plain(total + live.balances.get(currency, Decimal(0)))} {currency}"
    account["positions"] = spot_rows(live.balances, prices, currency, [s for s in need.symbols if "*" not in s])
    account["sources"]["positions"] = account["sources"]["balances"]
