"""Binance over stock ccxt's implicit methods: spot as written here, USD-M contracts as in binance_usdm.py.

Sources: github.com/binance/binance-spot-api-docs rest-api.md (a5e0bc3) and developers.binance.com wallet, read 2026-11.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal
from urllib.parse import parse_qsl, urlsplit

from policykit.exchanges import (
    binance_account,
    binance_amends,
    binance_calls,
    binance_fills,
    binance_history,
    binance_keys,
    binance_orders,
)
from policykit.exchanges.adapter import LiveReads, TradingAdapter
from policykit.exchanges.base import (
    Answer,
    Call,
    CallFailed,
    Failure,
    Fill,
    Income,
    LiveAccount,
    OrderState,
    Read,
    Signed,
    Steps,
    price_of,
)
from policykit.exchanges.binance_usdm import is_linear, is_usdm
from policykit.exchanges.binanceusdm import ADAPTER as _USDM
from policykit.order import Order
from policykit.snapshot import KeyReport, RateLimit
from policykit.traits.base import product_of
from policykit.units import exact

#: enums.md "Order status": no more can fill.
CLOSED: Final = frozenset(("FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"))
#: One call for all open orders (80) is cheaper than one a symbol (6 each) from here on.
MAX_SYMBOL_CALLS: Final = 13
#: Rows asked for at once; more deposits or withdrawals in one day than this cannot be counted.
MAX_ROWS: Final = 1000
#: Fields of an order that go on; nothing else of an answer does.
_ORDER_FIELDS: Final = (
    "orderId",
    "clientOrderId",
    "origClientOrderId",
    "symbol",
    "side",
    "type",
    "status",
    "timeInForce",
    "origQty",
    "executedQty",
    "cummulativeQuoteQty",
    "price",
    "stopPrice",
    "time",
    "updateTime",
    "transactTime",
)
#: Quote assets by which an unseen symbol (`BTCUSDT`) is split; the longest that fits.
_QUOTES: Final = (
    "FDUSD",
    "USDT",
    "USDC",
    "TUSD",
    "BUSD",
    "USD1",
    "BTC",
    "ETH",
    "BNB",
    "EUR",
    "TRY",
    "BRL",
    "JPY",
    "DAI",
)


class Binance(TradingAdapter):
    """The adapter of spot and of USD-M. Stateless: one instance serves every client and thread.

    Both have wallets, hosts and error tables of their own: `trades` are the products whose wallets it reads.
    """

    id = "binance"
    trades = frozenset(("spot", "swap"))
    id_names = frozenset(("newClientOrderId", "clientAlgoId"))
    amend_names = binance_amends.NAMES
    public = binance_calls.PUBLIC
    reads = binance_calls.READS
    asks: ClassVar = {
        "server_time": ("GET /api/v3/time",),
        "key_report": (binance_keys.ENDPOINT,),
        "rate_limits": ("GET /api/v3/exchangeInfo",),
        "withdrawal_addresses": (binance_account.ADDRESSES,),
        "account": ("GET /api/v3/account", "GET /api/v3/openOrders", "GET /api/v3/ticker/bookTicker"),
        "markets": ("GET /api/v3/exchangeInfo",),
        "account.derivatives": (
            "GET /fapi/v1/exchangeInfo",
            "GET /dapi/v1/exchangeInfo",
            "GET /fapi/v3/account",
            "GET /dapi/v1/account",
            "GET /fapi/v1/leverageBracket",
            "GET /fapi/v3/positionRisk",
            "GET /dapi/v1/positionRisk",
            "GET /fapi/v1/openOrders",
            "GET /dapi/v1/openOrders",
            "GET /fapi/v1/openAlgoOrders",
            "GET /dapi/v1/openAlgoOrders",
            "GET /fapi/v1/positionSide/dual",
            "GET /fapi/v1/ticker/bookTicker",
        ),
    }

    #: Spot is read by `account` and `open_orders`, as a guard reads it; orders of margin accounts are not listed.
    live: ClassVar[Mapping[str, LiveReads]] = {
        "swap": binance_account.futures(binance_account.LINEAR, binance_account.INVERSE)
    }

    def serving(self, products: frozenset[str]) -> TradingAdapter:
        """Return an adapter that reads the wallets of these products only."""
        found = Binance()
        found.trades = self.trades & products
        return found

    def takes(self, symbol: str) -> bool:
        """Tell whether a symbol is of spot or of USD-M, as far as they are traded; COIN-M cannot be."""
        product = product_of(symbol)
        return product in self.trades and (product == "spot" or is_linear(symbol))

    def prepare(self, client: Any) -> None:
        """Let open orders of all symbols be listed."""
        binance_account.prepare(client)

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read a ccxt exception; what the sandbox does not have is told as that."""
        if is_usdm(str(getattr(client, "last_request_url", None) or "")):
            return _USDM.failure(error, client)
        failure = binance_account.sandbox(self, error, client) or super().failure(error, client)
        return binance_amends.replacement_failed(self.facts, error, failure)

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is."""
        return binance_calls.classify(self.facts, method, url, body)

    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Read `timestamp` and `recvWindow`; the query wins over the body, as at the exchange (rest-api.md)."""
        params = dict(parse_qsl(body or "")) | dict(parse_qsl(urlsplit(url).query))
        stamp = params.get("timestamp", "")
        if "signature" not in params or not re.fullmatch(r"[0-9]{13}|[0-9]{16}", stamp):
            return None
        at_ms = int(stamp) if len(stamp) == 13 else int(stamp) // 1000
        window = re.fullmatch(r"([0-9]{1,6})(\.[0-9]{1,3})?", params.get("recvWindow", ""))
        return Signed(at_ms, int(window[1]) + bool(window[2]) if window else None)

    def set_validity(self, client: Any, validity_ms: int) -> None:
        """Set `recvWindow`, which ccxt signs as 10 s otherwise whatever the policy says."""
        client.options["recvWindow"] = validity_ms

    def family(self, order: Order) -> str:
        """Return the traits' order family that an order belongs to."""
        return _USDM.family(order) if _contract(order.symbol) else "order"

    def endpoint(self, order: Order) -> str:
        """Return the call by which an order is placed, a setting made, or a loan: spot has no settings."""
        if order.action in ("margin.borrow", "margin.repay"):
            return binance_calls.BORROW_REPAY
        ours = order.action != "account.configure" and not _contract(order.symbol)
        return super().endpoint(order) if ours else _USDM.endpoint(order)

    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        """Return ccxt params that carry the client order id (ccxt would put its broker's prefix in its place)."""
        if _contract(order.symbol):
            return _USDM.order_params(order, client_order_id)
        return {"newClientOrderId": client_order_id}

    def amending(self, order: Order) -> Literal["in_place", "replaces"] | None:
        """Tell how an order is amended: on spot a limit order by another in its place, a contract's in place."""
        return _USDM.amending(order) if _contract(order.symbol) else binance_amends.spot_kind(order)

    def amend_params(self, order: Order, client_order_id: str | None) -> dict[str, Any]:
        """Return ccxt params of `edit_order`."""
        if _contract(order.symbol):
            return _USDM.amend_params(order, client_order_id)
        return binance_amends.spot_params(order, client_order_id)

    def amended(self, answer: Any, order: Order) -> tuple[OrderState | None, OrderState | None]:
        """Read the answer to an amend; on spot it tells of both orders."""
        if _contract(order.symbol):
            return _USDM.amended(answer, order)
        told = self.mapping(answer, what="two orders")
        return self.order_state(told.get("newOrderResponse"), order), self.order_state(told.get("cancelResponse"))

    def differs(self, order: Order, url: str, body: str | None) -> str | None:
        """Hold what is in a request against what was decided."""
        if order.action in ("margin.borrow", "margin.repay"):
            return binance_orders.loan_differs(order, url, body)
        if order.action == "account.configure" or _contract(order.symbol):
            return _USDM.differs(order, url, body)
        return binance_orders.differs(order, url, body)

    def order_state(self, answer: Any, order: Order | None = None) -> OrderState:
        """Read one order; `order` fills in what an ACK answer leaves out. Raise CallFailed when it is no order."""
        if isinstance(answer, Mapping) and ("positionSide" in answer or "algoId" in answer):
            return _USDM.order_state(answer, order)
        if not isinstance(answer, Mapping) or "orderId" not in answer:
            raise _bad_answer("an order")
        status = str(answer.get("status", ""))
        side = str(answer.get("side", order.side if order else "")).lower()
        quantity = answer.get("origQty", order.quantity if order else None)
        symbol = order.symbol if order else unified(str(answer.get("symbol", "")))
        try:
            return OrderState(
                order_id=str(answer["orderId"]),
                client_order_id=str(answer.get("origClientOrderId") or answer.get("clientOrderId") or ""),
                symbol=symbol,
                side=_side(side),
                quantity=exact(quantity),
                filled=exact(answer.get("executedQty", "0")),
                closed=status in CLOSED,
                status=status,
                raw={name: answer[name] for name in _ORDER_FIELDS if name in answer},
                cost=_cost(answer.get("cummulativeQuoteQty")),
                price=exact(answer["price"]) if "price" in answer else None,
            )
        except ValueError:
            raise _bad_answer("an order") from None

    def find_order(
        self, symbol: str, client_order_id: str, *, since_ms: int = 0, thorough: bool = True
    ) -> Steps[OrderState | None]:
        """Look an order up: by id (weight 4), then, when thorough, in open orders (6), history (20) and fills (20)."""
        if _contract(symbol):
            return (yield from _USDM.find_order(symbol, client_order_id, since_ms=since_ms, thorough=thorough))
        market = market_id(symbol)
        try:
            answer = yield Read("privateGetOrder", {"symbol": market, "origClientOrderId": client_order_id})
            return self._named(answer.data, symbol)
        except CallFailed as failed:
            if failed.code != "ORDER_NOT_FOUND":
                raise
        if not thorough:
            return None
        others: set[str] = set()
        for method, more in (("privateGetOpenOrders", {}), ("privateGetAllOrders", {"limit": MAX_ROWS})):
            rows = _rows((yield Read(method, {"symbol": market, **more})), "orders")
            for row in rows:
                if binance_fills.named(client_order_id, row):
                    return self._named(row, symbol)
            others |= binance_fills.ids_of(rows)
        filled = yield from binance_fills.find(self, binance_fills.SPOT, market, client_order_id, since_ms, others)
        return None if filled is None else self._named(filled, symbol)

    @property
    def families(self) -> tuple[str, ...]:
        """One of spot, and both of USD-M."""
        spot = ("spot.order",) if "spot" in self.trades else ()
        return spot + (_USDM.families if "swap" in self.trades else ())

    def open_in(self, family: str, symbols: tuple[str, ...]) -> Steps[tuple[OrderState, ...]]:
        """List open orders of spot (weight 80 without symbols), or of a family of USD-M (40)."""
        if family != "spot.order":
            return (yield from _USDM.open_in(family, symbols))
        found: list[OrderState] = []
        if symbols and len(symbols) <= MAX_SYMBOL_CALLS:
            for symbol in symbols:
                rows = yield Read("privateGetOpenOrders", {"symbol": market_id(symbol)})
                found += [self._named(row, symbol) for row in _rows(rows, "orders")]
            return tuple(found)
        rows = yield Read("privateGetOpenOrders")
        names = {market_id(symbol): symbol for symbol in symbols}
        for row in _rows(rows, "orders"):
            market = str(row.get("symbol", ""))
            if not symbols or market in names:
                found.append(self._named(row, names.get(market) or unified(market)))
        return tuple(found)

    def cancel(self, order: OrderState) -> Steps[bool]:
        """Cancel one order by the exchange's id, else by ours; False when it is not open (-2011)."""
        if _contract(order.symbol):
            return (yield from _USDM.cancel(order))
        by = {"orderId": order.order_id} if order.order_id else {"origClientOrderId": order.client_order_id}
        try:
            yield Read("privateDeleteOrder", {"symbol": market_id(order.symbol), **by})
        except CallFailed as failed:
            if failed.code == "ORDER_NOT_FOUND":
                return False
            raise
        return True

    def countdown(self, symbol: str, number: int) -> Steps[None]:
        """Set the timer of a contract; spot has none."""
        yield from _USDM.countdown(symbol, number)

    def account(self) -> Steps[LiveAccount]:
        """Read balances, free and locked together, zero ones left out; and what is held of contracts."""
        if "swap" not in self.trades:
            return (yield from self._spot_account())
        contracts = yield from _USDM.account()
        if "spot" not in self.trades:
            return contracts
        spot = yield from self._spot_account()
        return replace(contracts, until_ms=spot.until_ms, balances=spot.balances)

    def _spot_account(self) -> Steps[LiveAccount]:
        answer = yield Read("privateGetAccount")
        if not isinstance(answer.data, Mapping):
            raise _bad_answer("an account")
        totals: dict[str, Decimal] = {}
        for row in _rows(answer._replace(data=answer.data.get("balances")), "balances"):
            free, locked = _number(row.get("free")), _number(row.get("locked"))
            if free < 0 or locked < 0:
                raise _bad_answer("an account")
            total = free + locked
            if total:
                totals[str(row.get("asset", ""))] = total
        return LiveAccount(answer.sent_ms, answer.received_ms, totals)

    def marks(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the mid of best bid and ask on spot, a symbol without both left out, and contracts' mark prices."""
        contracts = tuple(symbol for symbol in symbols if _contract(symbol))
        found = yield from _USDM.marks(contracts)
        quotes = yield from self._spot_quotes(tuple(symbol for symbol in symbols if not _contract(symbol)))
        return found | {symbol: (bid + ask) / 2 for symbol, (bid, ask) in quotes.items()}

    def funding_rates(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the funding rate of each contract."""
        return (yield from _USDM.funding_rates(tuple(symbol for symbol in symbols if _contract(symbol))))

    def quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        """Read best bid and ask; a symbol without both is left out."""
        found = yield from _USDM.quotes(tuple(symbol for symbol in symbols if _contract(symbol)))
        return found | (yield from self._spot_quotes(tuple(symbol for symbol in symbols if not _contract(symbol))))

    def _spot_quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        if not symbols:
            return {}
        names = {market_id(symbol): symbol for symbol in symbols}
        one = len(names) == 1
        params = {"symbol": next(iter(names))} if one else {"symbols": json.dumps(list(names), separators=(",", ":"))}
        try:
            answer = yield Read("publicGetTickerBookTicker", params)
        except CallFailed as failed:
            if failed.code != "BAD_SYMBOL":
                raise
            # One of them is not traded, which fails them all: ask for every market, at the weight of a few.
            answer = yield Read("publicGetTickerBookTicker")
        rows = _rows(answer._replace(data=[answer.data]) if isinstance(answer.data, Mapping) else answer, "tickers")
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for row in rows:
            bid, ask = _number(row.get("bidPrice")), _number(row.get("askPrice"))
            if row.get("symbol") in names and bid > 0 and ask > 0:
                found[names[row["symbol"]]] = (bid, ask)
        return found

    def server_time(self) -> Steps[int]:
        """Read the exchange's clock, UTC ms."""
        return (yield from binance_account.server_time(self, "publicGetTime"))

    def net_transfers(
        self, since_ms: int, marks: dict[str, Decimal], currency: str, until_ms: int | None = None
    ) -> Steps[Decimal]:
        """Return what came in less what went out of the wallets that are read, an asset without a mark as 0.

        A transfer between own wallets is in it where one of them is not read; between spot and USD-M it is nothing
        where both are.
        """
        if "spot" not in self.trades:
            return (yield from _USDM.net_transfers(since_ms, marks, currency, until_ms))
        both = "swap" in self.trades
        incomes = yield from binance_history.spot_incomes(self, since_ms, until_ms, both=both)
        return sum((one.amount * price_of(one.key, marks, currency) for one in incomes), Decimal(0))

    def fills(self, symbols: tuple[str, ...], since_ms: int) -> Steps[tuple[Fill, ...]]:
        """List fills: weight 20 each symbol on spot, 5 each contract."""
        contracts = tuple(symbol for symbol in symbols if _contract(symbol))
        found = yield from _USDM.fills(contracts, since_ms)
        spot = {market_id(symbol): symbol for symbol in symbols if not _contract(symbol)}
        return found + (yield from binance_history.spot_fills(self, spot, since_ms))

    def incomes(self, since_ms: int) -> Steps[tuple[Income, ...]]:
        """List deposits, withdrawals and transfers of spot, and the income of contracts (weight 30)."""
        found = (yield from _USDM.incomes(since_ms)) if "swap" in self.trades else ()
        return found + ((yield from binance_history.spot_incomes(self, since_ms)) if "spot" in self.trades else ())

    def forced(self, client_order_id: str) -> str | None:
        """Tell why the exchange itself placed an order, by its client order id."""
        return binance_history.forced(client_order_id)

    def client_order_id_of(self, symbol: str, order_id: str) -> Steps[str]:
        """Look up an order by the exchange's id (weight 4; 1 of contracts)."""
        if _contract(symbol):
            return (yield from _USDM.client_order_id_of(symbol, order_id))
        return (yield from binance_history.named(self, "privateGetOrder", market_id(symbol), order_id))

    def borrowed(self) -> Steps[dict[str, Decimal]]:
        """Read what is owed by asset, interest in it, on cross margin and on every isolated pair (weight 10 each).

        Source of both forms: ccxt 4.5.90, `fetch_balance` of margin (developers.binance.com margin_trading/account).
        """
        cross = yield Read("sapiGetMarginAccount")
        isolated = yield Read("sapiGetMarginIsolatedAccount")
        owing = _rows(
            cross._replace(data=self.mapping(cross.data, what="a margin account").get("userAssets")), "assets"
        )
        pairs = self.mapping(isolated.data, what="isolated margin").get("assets")
        debts = [self.mapping(row) for row in owing]
        for pair in _rows(isolated._replace(data=pairs), "pairs"):
            debts += [self.mapping(pair.get(side), what="isolated margin") for side in ("baseAsset", "quoteAsset")]
        found: dict[str, Decimal] = {}
        for row in debts:
            owed = _number(row.get("borrowed")) + _number(row.get("interest"))
            if owed:
                asset = str(row.get("asset"))
                found[asset] = found.get(asset, Decimal(0)) + owed
        return found

    def key_report(self) -> Steps[KeyReport]:
        """Read what the key may do."""
        answer = yield Read("sapiGetAccountApiRestrictions")
        return binance_keys.report(self.mapping(answer.data), answer.sent_ms)

    def rate_limits(self) -> Steps[tuple[RateLimit, ...]]:
        """Read `exchangeInfo.rateLimits`, of one symbol where it exists: the whole answer is megabytes."""
        try:
            answer = yield Read("publicGetExchangeInfo", {"symbol": "BTCUSDT"})
        except CallFailed as failed:
            if failed.code != "BAD_SYMBOL":
                raise
            answer = yield Read("publicGetExchangeInfo")
        return binance_account.limits(self, answer, "GET /api/v3/exchangeInfo")

    def withdrawal_addresses(self) -> Steps[list[dict[str, Any]]]:
        """Read the withdrawal address book; `allowlisted` is `whiteStatus`."""
        return (yield from binance_account.addresses(self))

    def _named(self, row: Any, symbol: str) -> OrderState:
        return self.order_state(row)._replace(symbol=symbol)


def market_id(symbol: str) -> str:
    """Return Binance's name of a spot symbol: `BTC/USDT` -> `BTCUSDT`. Raise CallFailed for another product's."""
    if not re.fullmatch(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}", symbol):
        words = "binance: the symbol is no spot symbol (BTC/USDT); this version knows no other product"
        raise CallFailed(Failure("no", "NOT_SUPPORTED", words))
    return symbol.replace("/", "")


def unified(market: str) -> str:
    """Return ccxt's name of a spot market by its quote asset; the exchange's own name where none fits."""
    quote = next((quote for quote in _QUOTES if market.endswith(quote) and market != quote), None)
    return f"{market.removesuffix(quote)}/{quote}" if quote else market


def _bad_answer(what: str) -> CallFailed:
    return ADAPTER.bad_answer(what)


def _rows(answer: Answer, what: str) -> list[Mapping[str, Any]]:
    return binance_account.rows(ADAPTER, answer, what)


def _number(value: object) -> Decimal:
    try:
        return exact(value)
    except ValueError:
        raise _bad_answer("made of numbers") from None


def _side(text: str) -> Literal["buy", "sell"]:
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise ValueError("no side")


def _cost(text: object) -> Decimal | None:
    """Read `cummulativeQuoteQty`; some old orders have -1: not known (rest-api.md, read at a5e0bc3)."""
    cost = exact(text) if text is not None else Decimal(-1)
    return None if cost < 0 else cost


def _contract(symbol: str) -> bool:
    return product_of(symbol) == "swap"


ADAPTER: Final = Binance()
