"""Trading Bybit spot on a unified account over stock ccxt's implicit methods: orders, the wallet, prices, transfers.

Contracts cannot be traded with this version: their leverage and position mode are read by a symbol at a time. What they
earn and lose is in the equity, since a unified account has one wallet.
Source: bybit-exchange/docs docs/v5 (read 2026-11-21): order/create-order.mdx@00a9d59b, order/open-order.mdx@0168962c,
order/order-list.mdx@01dc5dcf, order/cancel-order.mdx@0d59cbcc, account/wallet-balance.mdx@023258c2,
account/transaction-log.mdx@0244e736 (that category and currency may be left out is from memory), enum.mdx@000982e1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import (
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
from policykit.exchanges.calls import name_of, weight_of
from policykit.exchanges.decided import ROUNDING, own_trades
from policykit.order import Order
from policykit.units import exact, plain

#: enum.mdx "orderStatus": no more can fill.
CLOSED: Final = frozenset(("Rejected", "PartiallyFilledCanceled", "Filled", "Cancelled", "Deactivated"))
#: Calls that change something, and what they are.
WRITES: Final = {
    "POST /v5/order/create": "order.create",
    "POST /v5/order/create-batch": "order.create",
    "POST /v5/order/amend": "order.amend",
    "POST /v5/order/amend-batch": "order.amend",
    "POST /v5/order/cancel": "order.cancel",
    "POST /v5/order/cancel-batch": "order.cancel",
    "POST /v5/order/cancel-all": "orders.cancel_all",
    "POST /v5/position/set-leverage": "account.configure",
    "POST /v5/position/switch-mode": "account.configure",
    "POST /v5/account/set-margin-mode": "account.configure",
}
#: Rows of a page, and pages that are read; more cannot be counted, which is an error.
_PAGE: Final = 50
MAX_PAGES: Final = 20
#: The longest span of the transaction log that is asked for at once; without an end it is one day (from memory), ms.
LOG_SPAN_MS: Final = 7 * 86_400_000
#: enum.mdx "type(uta-translog)", in our words; another one is not understood, and explains nothing. A trade of
#: contracts is none of ours: they cannot be traded here.
INCOMES: Final = {
    "TRANSFER_IN": "transfer",
    "TRANSFER_OUT": "transfer",
    "SETTLEMENT": "funding",
    "DELIVERY": "settlement",
    "LIQUIDATION": "liquidation",
    "ADL": "adl",
    "FEE_REFUND": "rebate",
    "AIRDROP": "bonus",
    "BONUS": "bonus",
    "BONUS_RECOLLECT": "bonus",
    "INTEREST": "interest",
}
#: All that may stand in a request for an order; a leg with a price of its own, a loan is another order.
_ALLOWED: Final = frozenset(
    (
        *("category", "symbol", "side", "orderType", "qty", "price", "timeInForce", "orderLinkId", "marketUnit"),
        *("orderFilter", "triggerPrice", "isLeverage", "smpType"),
        *("stopLoss", "takeProfit", "slOrderType", "tpOrderType"),
        *("triggerDirection", "reduceOnly"),  # of contracts only; ccxt writes them for a stop on spot, too
    )
)
#: All that may stand in a request that amends one.
_AMENDING: Final = frozenset(("category", "symbol", "orderLinkId", "qty", "price"))
#: Fields of an order that go on; nothing else of an answer does.
_FIELDS: Final = (
    *("orderId", "orderLinkId", "symbol", "side", "orderType", "orderStatus", "timeInForce", "qty", "price"),
    *("cumExecQty", "cumExecValue", "avgPrice", "triggerPrice", "stopOrderType", "createdTime", "updatedTime"),
)
_POST_ONLY: Final = {"PO": "PostOnly"}
_QUOTES: Final = ("USDT", "USDC", "USDE", "USD1", "BTC", "ETH", "EUR", "BRL", "TRY")
_ZERO: Final = Decimal(0)


class BybitOrders(TradingAdapter):
    """The trading half of Bybit's adapter. Stateless."""

    trades = frozenset(("spot",))
    id_names = frozenset(("orderLinkId",))
    amend_names = frozenset(("orderLinkId",))

    def call(self, method: str, url: str, body: str | None) -> Call:
        """Tell what a request is."""
        name = name_of(method, url)
        if name in WRITES:
            return Call("write", name, WRITES[name], "order", weight_of(self.facts, name))
        return super().call(method, url, body)

    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Read the headers that are signed: X-BAPI-TIMESTAMP and X-BAPI-RECV-WINDOW."""
        told = {name.lower(): str(value) for name, value in headers.items()}
        stamp, window = told.get("x-bapi-timestamp", ""), told.get("x-bapi-recv-window", "")
        if "x-bapi-sign" not in told or not re.fullmatch(r"[0-9]{13}", stamp):
            return None
        return Signed(int(stamp), int(window) if re.fullmatch(r"[0-9]{1,6}", window) else None)

    def set_validity(self, client: Any, validity_ms: int) -> None:
        """Set `recvWindow`, which ccxt signs whatever the policy says."""
        client.options["recvWindow"] = validity_ms

    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        """Return ccxt params that carry the client order id; ccxt writes it as `orderLinkId`."""
        return {"clientOrderId": client_order_id}

    def amending(self, order: Order) -> Literal["in_place", "replaces"] | None:
        """Tell how an order is amended: a plain limit order in place."""
        return "in_place" if order.type == "limit" and order.stop_price is None and not order.trailing else None

    def amend_params(self, order: Order, client_order_id: str | None) -> dict[str, Any]:
        """Return ccxt params of `edit_order` that name the order by our id."""
        assert order.amends is not None
        return {"orderLinkId": order.amends.client_order_id}

    def amended(self, answer: Any, order: Order) -> tuple[OrderState | None, OrderState | None]:
        """Read the answer to an amend: that the request was taken (amend-order.mdx), not that the order is another."""
        return None, None

    def differs(self, order: Order, url: str, body: str | None) -> str | None:
        """Hold what is in a request against what was decided."""
        return differs(order, body)

    # ---- orders

    def order_state(self, answer: Any, order: Order | None = None) -> OrderState:
        """Read one order of a list, or the acknowledgement of a create, which says only that it was taken."""
        row = answer.get("result", answer) if isinstance(answer, Mapping) else None
        if not isinstance(row, Mapping) or not row.get("orderId"):
            raise self.bad_answer("an order")
        status, side = str(row.get("orderStatus", "")), str(row.get("side", order.side if order else "")).lower()
        filled, cost = row.get("cumExecQty") or "0", row.get("cumExecValue")
        by_value = row.get("marketUnit") == "quoteCoin"  # `qty` is money then
        quantity = filled if by_value else row.get("qty", order.quantity if order else None)
        try:
            return OrderState(
                order_id=str(row["orderId"]),
                client_order_id=str(row.get("orderLinkId") or ""),
                symbol=order.symbol if order else unified(str(row.get("symbol", ""))),
                side=_side(side),
                quantity=exact(filled if quantity is None else quantity),
                filled=exact(filled),
                closed=status in CLOSED,
                status=status,
                raw={name: row[name] for name in _FIELDS if name in row},
                cost=exact(cost) if cost else None,
                price=exact(row.get("price") or "0"),
            )
        except ValueError:
            raise self.bad_answer("an order") from None

    def find_order(
        self, symbol: str, client_order_id: str, *, since_ms: int = 0, thorough: bool = True
    ) -> Steps[OrderState | None]:
        """Look an order up by its id among the open and just ended; when thorough, in the history and fills as well."""
        asked = {"category": "spot", "symbol": self._market(symbol), "orderLinkId": client_order_id}
        for method in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory")[: 2 if thorough else 1]:
            answer = yield Read(method, asked)
            for row in self._rows(answer.data):
                if row.get("orderLinkId") == client_order_id:
                    return self.order_state(row)._replace(symbol=symbol)
        if not thorough:
            return None
        fills = yield from self._pages("privateGetV5ExecutionList", asked)
        ours = [row for row in fills if row.get("orderLinkId") == client_order_id]
        return self._of_fills(ours)._replace(symbol=symbol) if ours else None

    def _of_fills(self, fills: list[Mapping[str, Any]]) -> OrderState:
        """Return an order as its fills tell it, each counted once; the least that is left says whether it is done."""
        own = {str(row.get("execId")): row for row in fills}.values()
        done = min(self._number(row.get("leavesQty")) for row in own) == 0
        told = {
            **next(iter(own)),
            "qty": next(iter(own)).get("orderQty"),
            "cumExecQty": plain(sum((self._number(row.get("execQty")) for row in own), _ZERO)),
            "cumExecValue": plain(sum((self._number(row.get("execValue")) for row in own), _ZERO)),
            "orderStatus": "Filled" if done else "PartiallyFilled",
        }
        return self.order_state(told)

    @property
    def families(self) -> tuple[str, ...]:
        """One: its list holds conditional orders too."""
        return ("spot.order",)

    def open_in(self, family: str, symbols: tuple[str, ...]) -> Steps[tuple[OrderState, ...]]:
        """List spot's open orders of every kind, all pages."""
        names = {self._market(symbol): symbol for symbol in symbols}
        rows = yield from self._pages("privateGetV5OrderRealtime", {"category": "spot", "openOnly": 0})
        found = []
        for row in rows:
            market = str(row.get("symbol", ""))
            if not symbols or market in names:
                found.append(self.order_state(row)._replace(symbol=names.get(market) or unified(market)))
        return tuple(found)

    def cancel(self, order: OrderState) -> Steps[bool]:
        """Cancel one order by the exchange's id, else by ours; False when it is not open (170213)."""
        by = {"orderId": order.order_id} if order.order_id else {"orderLinkId": order.client_order_id}
        kind = {"orderFilter": "tpslOrder"} if order.raw.get("stopOrderType") == "tpslOrder" else {}
        try:
            asked = {"category": "spot", "symbol": self._market(order.symbol), **by, **kind}
            yield Read("privatePostV5OrderCancel", asked)
        except CallFailed as failed:
            if failed.code == "ORDER_NOT_FOUND":
                return False
            raise
        return True

    # ---- the account

    def account(self) -> Steps[LiveAccount]:
        """Read the wallet: what each coin has, loans taken off, and what contracts gained or lost in it."""
        answer = yield Read("privateGetV5AccountWalletBalance", {"accountType": "UNIFIED"})
        told = self.mapping(answer.data, "result", "list", 0, what="a wallet").get("coin")
        if not isinstance(told, list):
            raise self.bad_answer("a wallet")
        balances: dict[str, Decimal] = {}
        margin: dict[str, Decimal] = {}
        for row in told:
            coin = str(row.get("coin", "")) if isinstance(row, Mapping) else ""
            if not coin:
                raise self.bad_answer("a wallet")
            held, gained = self._number(row.get("walletBalance")), self._number(row.get("unrealisedPnl") or "0")
            balances |= {coin: held} if held else {}
            margin |= {coin: gained} if gained else {}
        return LiveAccount(answer.sent_ms, answer.received_ms, balances, margin=margin)

    def net_transfers(
        self, since_ms: int, marks: dict[str, Decimal], currency: str, until_ms: int | None = None
    ) -> Steps[Decimal]:
        """Return what came into the unified account less what left it; a coin without a mark counts 0."""
        end_ms = (yield from self.server_time()) + 1 if until_ms is None else until_ms
        total = _ZERO
        for start_ms in range(since_ms, end_ms, LOG_SPAN_MS):
            until = min(start_ms + LOG_SPAN_MS, end_ms) - 1
            for kind in ("TRANSFER_IN", "TRANSFER_OUT"):
                asked = {"accountType": "UNIFIED", "type": kind, "startTime": start_ms, "endTime": until}
                for row in (yield from self._pages("privateGetV5AccountTransactionLog", asked)):
                    total += self._number(row.get("change")) * price_of(str(row.get("currency")), marks, currency)
        return total

    def fills(self, symbols: tuple[str, ...], since_ms: int) -> Steps[tuple[Fill, ...]]:
        """List fills on spot, all pages of each week; they tell the client order id."""
        found: list[Fill] = []
        for symbol in symbols:
            asked = {"category": "spot", "symbol": self._market(symbol)}
            for row in (yield from self._since("privateGetV5ExecutionList", asked, since_ms)):
                quantity = self._number(row.get("execQty"))
                found.append(
                    Fill(
                        trade_id=str(row.get("execId")),
                        order_id=str(row.get("orderId")),
                        symbol=symbol,
                        quantity=quantity if str(row.get("side")).lower() == "buy" else -quantity,
                        cost=self._number(row.get("execValue")),
                        fee=self._number(row.get("execFee") or "0"),
                        fee_asset=str(row.get("feeCurrency") or symbol.rpartition("/")[2]),
                        at_ms=int(self._number(row.get("execTime"))),
                        client_order_id=str(row.get("orderLinkId") or ""),
                    )
                )
        return tuple(found)

    def incomes(self, since_ms: int) -> Steps[tuple[Income, ...]]:
        """List what else moved the one wallet: what contracts earned and paid, transfers; not the fills of spot."""
        found: list[Income] = []
        for row in (yield from self._since("privateGetV5AccountTransactionLog", {"accountType": "UNIFIED"}, since_ms)):
            kind, spot = str(row.get("type")), row.get("category") == "spot"
            if kind == "TRADE" and spot:
                continue
            found.append(
                Income(
                    key=str(row.get("currency")),
                    amount=self._number(row.get("change")),
                    why=INCOMES.get(kind, "unknown"),
                    at_ms=int(self._number(row.get("transactionTime"))),
                    trade_id=str(row.get("tradeId") or ""),
                )
            )
        return tuple(found)

    def client_order_id_of(self, symbol: str, order_id: str) -> Steps[str]:
        """Look up an order by the exchange's id."""
        asked = {"category": "spot", "symbol": self._market(symbol), "orderId": order_id}
        for method in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            answer = yield Read(method, asked)
            for row in self._rows(answer.data):
                return str(row.get("orderLinkId") or "")
        return ""

    def _since(self, method: str, asked: dict[str, Any], since_ms: int) -> Steps[list[Mapping[str, Any]]]:
        """Read a list from a moment on, a week at a time, which is the longest span it takes."""
        end_ms = (yield from self.server_time()) + 1
        rows: list[Mapping[str, Any]] = []
        for start_ms in range(since_ms, end_ms, LOG_SPAN_MS):
            span = {"startTime": start_ms, "endTime": min(start_ms + LOG_SPAN_MS, end_ms) - 1}
            rows += yield from self._pages(method, {**asked, **span})
        return rows

    # ---- prices

    def marks(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the mid of best bid and ask; a symbol without both is left out."""
        quotes = yield from self.quotes(symbols)
        return {symbol: (bid + ask) / 2 for symbol, (bid, ask) in quotes.items()}

    def quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        """Read best bid and ask of each symbol, of one alone or of all at once."""
        if not symbols:
            return {}
        names = {self._market(symbol): symbol for symbol in symbols}
        one = {"symbol": next(iter(names))} if len(names) == 1 else {}
        answer = yield Read("publicGetV5MarketTickers", {"category": "spot", **one})
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for row in self._rows(answer.data):
            if row.get("symbol") in names:
                bid, ask = self._number(row.get("bid1Price") or "0"), self._number(row.get("ask1Price") or "0")
                if bid > 0 and ask > 0:
                    found[names[row["symbol"]]] = (bid, ask)
        return found

    # ---- inside

    def _pages(self, method: str, asked: dict[str, Any]) -> Steps[list[Mapping[str, Any]]]:
        rows: list[Mapping[str, Any]] = []
        cursor: dict[str, Any] = {}
        for _ in range(MAX_PAGES):
            answer = yield Read(method, {**asked, "limit": _PAGE, **cursor})
            rows += self._rows(answer.data)
            following = self.mapping(answer.data, "result", what="a list").get("nextPageCursor")
            if not following:
                return rows
            cursor = {"cursor": following}
        raise self.bad_answer(f"under {MAX_PAGES} pages")

    def _rows(self, data: Any) -> list[Mapping[str, Any]]:
        rows = self.mapping(data, "result", what="a list").get("list")
        if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
            raise self.bad_answer("a list")
        return rows

    def _market(self, symbol: str) -> str:
        if not re.fullmatch(r"[A-Z0-9]{1,20}/[A-Z0-9]{1,20}", symbol):
            words = "bybit: the symbol is no spot symbol (BTC/USDT); this version trades no other product there"
            raise CallFailed(Failure("no", "NOT_SUPPORTED", words))
        return symbol.replace("/", "")

    def _number(self, value: object) -> Decimal:
        try:
            return exact(value)
        except ValueError:
            raise self.bad_answer("made of numbers") from None


def unified(market: str) -> str:
    """Return ccxt's name of a spot market by its quote asset; the exchange's own name where none fits."""
    quote = next((quote for quote in _QUOTES if market.endswith(quote) and market != quote), None)
    return f"{market.removesuffix(quote)}/{quote}" if quote else market


def _side(text: str) -> Literal["buy", "sell"]:
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise ValueError("no side")


# ---- whether a request is what was decided


def differs(order: Order, body: str | None) -> str | None:
    """Return how a request to Bybit is another than `order`, or None. What cannot be read is a difference."""
    try:
        pairs = json.loads(body or "", object_pairs_hook=list)
        sent = {str(name): str(value) for name, value in pairs}
        if len(sent) != len(pairs):
            return "a parameter stands in the request twice"
        if order.action == "order.amend":
            return _amend(order, sent)
        return _kind(order, sent) or _size(order, sent) or _prices(order, sent) or _legs(order, sent)
    except (ValueError, TypeError):
        return "it cannot be read"


def _amend(order: Order, sent: dict[str, str]) -> str | None:
    where = (sent.get("category"), sent.get("symbol"))
    if where != ("spot", order.symbol.replace("/", "")):
        return f"it is for {where[0]} {where[1]}, decided was {order.symbol}"
    other = sorted(set(sent) - _AMENDING)
    if other:
        return f"{other[0]} is set, which was not decided on"
    quantity = exact(sent.get("qty"))
    if order.quantity is None or quantity > order.quantity:
        return f"the quantity is {quantity}, decided was {order.quantity}"
    return _prices(order, sent)


def _kind(order: Order, sent: dict[str, str]) -> str | None:
    where = (sent.get("category"), sent.get("symbol"))
    if where != ("spot", order.symbol.replace("/", "")):
        return f"it is for {where[0]} {where[1]}, decided was {order.symbol}"
    if sent.get("side", "").lower() != order.side:
        return f"the side is {sent.get('side')}, decided was {order.side}"
    if sent.get("orderType") != ("Market" if order.price is None else "Limit"):
        return f"the type is {sent.get('orderType')}, decided was {order.type}"
    other = sorted(set(sent) - _ALLOWED)
    if other:
        return f"{other[0]} is set, which was not decided on"
    if sent.get("isLeverage", "0") not in ("0", "False"):
        return "it may borrow (isLeverage), which was not decided on"
    meant = _POST_ONLY.get(order.time_in_force or "", order.time_in_force) or "GTC"
    # create-order.mdx: a limit order that says nothing is GTC.
    said = sent.get("timeInForce", meant if sent["orderType"] == "Market" else "GTC")
    if said != meant:
        return f"timeInForce is {said}, decided was {meant}"
    return own_trades(order, sent.get("smpType"))


def _legs(order: Order, sent: dict[str, str]) -> str | None:
    """Hold TP and SL that are attached to an order: exits at the market, of which one cancels the other."""
    legs = (("stopLoss", "slOrderType", order.stop_loss_price), ("takeProfit", "tpOrderType", order.take_profit_price))
    for name, kind, meant in legs:
        if name in sent and meant is None:
            return f"{name} is set, which was not decided on"
        if name not in sent and meant is not None:
            return f"{name} is missing, decided was {meant}"
        if meant is not None and (sent.get(kind) != "Market" or abs(exact(sent[name]) - meant) > meant * ROUNDING):
            return f"{name} is {sent[name]} ({sent.get(kind)}), decided was {meant} (Market)"
    return None


def _size(order: Order, sent: dict[str, str]) -> str | None:
    quantity = exact(sent.get("qty"))
    # create-order.mdx: a market buy is by value unless `marketUnit` says otherwise.
    usual = "quoteCoin" if sent["orderType"] == "Market" and order.side == "buy" else "baseCoin"
    by_value = sent["orderType"] == "Market" and sent.get("marketUnit", usual) == "quoteCoin"
    decided = order.quote_quantity if by_value else order.quantity
    if decided is None or quantity > decided:
        return f"the {'quote ' if by_value else ''}quantity is {quantity}, decided was {decided}"
    return None


def _prices(order: Order, sent: dict[str, str]) -> str | None:
    for name, meant in (("price", order.price), ("triggerPrice", order.stop_price)):
        if (name in sent) != (meant is not None):
            return f"{name} is {sent.get(name)}, decided was {meant}"
        if meant is None:
            continue
        price = exact(sent[name])
        worse = price - meant if order.side == "buy" else meant - price
        if (worse if name == "price" else abs(worse)) > meant * ROUNDING:
            return f"{name} is {price}, decided was {meant}"
    return None
