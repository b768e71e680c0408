"""Trading Binance USD-M contracts over stock ccxt's implicit methods: both order families, the account, prices.

Conditional orders live in the algo service since 2025-12-09: they have ids and look-ups of their own, and what one
executed is told by the order that it placed (`actualOrderId`). Sources: developers.binance.com/docs/derivatives
usds-margined-futures (as kept 2026-06, read 2026-11), and ccxt 4.5.90 for symbolConfig and accountConfig.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from policykit.engine.facts import Contract
from policykit.engine.money import UP
from policykit.exchanges import binance_account, binance_fills, binance_history, binance_usdm_orders
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import (
    Answer,
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
from policykit.exchanges.binance_amends import NAMES
from policykit.exchanges.binance_usdm_orders import CLOSING, market_of
from policykit.exchanges.calls import params_of
from policykit.exchanges.forms import flag
from policykit.order import Order
from policykit.units import exact

#: enums "Order status": no more can fill.
CLOSED: Final = frozenset(("FILLED", "CANCELED", "REJECTED", "EXPIRED", "EXPIRED_IN_MATCH"))
#: Algo orders that wait, and those that ended without placing an order; any other status asks for the one they placed.
_WAITING: Final = frozenset(("NEW",))
_ENDED: Final = frozenset(("CANCELED", "EXPIRED", "REJECTED"))
#: Both lists of all open orders weigh 40 each, those of one symbol 1 each.
MAX_SYMBOL_CALLS: Final = 40
#: Marks weigh 1 of one contract and 10 of all; bids and asks 2 and 5.
FEW_MARKS: Final = 5
FEW_QUOTES: Final = 2
MAX_ROWS: Final = 1000
#: Fields of an order that go on; nothing else of an answer does.
_FIELDS: Final = (
    "orderId",
    "clientOrderId",
    "symbol",
    "side",
    "positionSide",
    "type",
    "origType",
    "status",
    "timeInForce",
    "origQty",
    "executedQty",
    "avgPrice",
    "cumQuote",
    "price",
    "stopPrice",
    "reduceOnly",
    "closePosition",
    "time",
    "updateTime",
    "algoId",
    "clientAlgoId",
    "orderType",
    "algoStatus",
    "actualOrderId",
    "actualPrice",
    "quantity",
    "triggerPrice",
    "createTime",
    "triggerTime",
)
#: Quote assets by which an unseen market (`BTCUSDT`, `BTCUSDT_260327`) is split.
_MARKET: Final = re.compile(r"(\w{1,30}?)(USDT|USDC|FDUSD|BUSD|USD1|BTC)(?:_([0-9]{6}))?\Z")
_SYMBOL: Final = re.compile(r"\w{1,30}/(\w{1,20}):\1(-[0-9]{6})?\Z")


class UsdmOrders(TradingAdapter):
    """The trading half of USD-M's adapter. Stateless."""

    trades = frozenset(("swap",))
    id_names = frozenset(("newClientOrderId", "clientAlgoId"))
    amend_names = NAMES

    def takes(self, symbol: str) -> bool:
        """Tell whether a symbol is a contract of USD-M: COIN-M, settled in its base asset, is another exchange's."""
        return super().takes(symbol) and is_linear(symbol)

    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Read `timestamp` and `recvWindow` of the query, else of the body."""
        params = params_of("", (body,)) | params_of(url)
        stamp, window = params.get("timestamp", ""), params.get("recvWindow", "")
        if "signature" not in params or not re.fullmatch(r"[0-9]{13}", stamp):
            return None
        return Signed(int(stamp), int(window) if re.fullmatch(r"[0-9]{1,6}", window) else None)

    def set_validity(self, client: Any, validity_ms: int) -> None:
        """Set `recvWindow`, which ccxt signs as 10 s otherwise whatever the policy says."""
        client.options["recvWindow"] = validity_ms

    def family(self, order: Order) -> str:
        """Return `algo` for an order that waits for a price, else `order`."""
        return "algo" if binance_usdm_orders.conditional(order) else "order"

    def endpoint(self, order: Order) -> str:
        """Return the call of an order's family, or that of the one setting."""
        return binance_usdm_orders.endpoint(order)

    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        """Return ccxt params that carry the client order id, by the name of its family."""
        return {"clientAlgoId" if self.family(order) == "algo" else "newClientOrderId": client_order_id}

    def amending(self, order: Order) -> Literal["in_place", "replaces"] | None:
        """Tell how an order is amended: a limit order in place (Modify-Order: "only LIMIT order modification")."""
        return "in_place" if order.type == "limit" and not binance_usdm_orders.conditional(order) else None

    def amend_params(self, order: Order, client_order_id: str | None) -> dict[str, Any]:
        """Return ccxt params of `edit_order` that name the order by our id as well."""
        assert order.amends is not None
        return {"origClientOrderId": order.amends.client_order_id}

    def differs(self, order: Order, url: str, body: str | None) -> str | None:
        """Hold what is in a request against what was decided."""
        return binance_usdm_orders.differs(order, url, body)

    # ---- orders

    def order_state(self, answer: Any, order: Order | None = None) -> OrderState:
        """Read one order, or an algo order with the order that it placed under `actual`."""
        if not isinstance(answer, Mapping) or not ("orderId" in answer or "algoId" in answer):
            raise self.bad_answer("an order")
        actual = answer.get("actual")
        told = actual if isinstance(actual, Mapping) else answer
        algo = "algoId" in answer
        status = str(told.get("status" if told is actual or not algo else "algoStatus", ""))
        try:
            side = _side(str(answer["side"]).lower())
            return OrderState(
                order_id=str(answer["algoId" if algo else "orderId"]),
                client_order_id=str(answer["clientAlgoId" if algo else "clientOrderId"]),
                symbol=order.symbol if order else unified(str(answer.get("symbol", ""))),
                side=side,
                quantity=exact(answer.get("quantity" if algo else "origQty") or "0"),
                filled=exact(told.get("executedQty", "0")),
                closed=status in CLOSED,
                status=status,
                raw={name: answer[name] for name in _FIELDS if name in answer},
                cost=exact(told["cumQuote"]) if "cumQuote" in told else None,
                reduces=_reduces(answer, side),
                price=exact(answer.get("price") or "0"),
            )
        except (KeyError, ValueError):
            raise self.bad_answer("an order") from None

    def find_order(
        self, symbol: str, client_order_id: str, *, since_ms: int = 0, thorough: bool = True
    ) -> Steps[OrderState | None]:
        """Look an order up in both families by id (weight 1 each); when thorough, in lists (12) and fills (5)."""
        market = self._market(symbol)
        for method, name in (("fapiPrivateGetOrder", "origClientOrderId"), ("fapiPrivateGetAlgoOrder", "clientAlgoId")):
            try:
                answer = yield Read(method, {"symbol": market, name: client_order_id})
            except CallFailed as failed:
                if failed.code != "ORDER_NOT_FOUND":
                    raise
                continue
            return (yield from self._whole(answer.data, symbol))
        if not thorough:
            return None
        others: set[str] = set()
        for method in _LISTS:
            answer = yield Read(method, {"symbol": market} | ({"limit": MAX_ROWS} if "All" in method else {}))
            rows = binance_account.rows(self, answer, "orders")
            for row in rows:
                if binance_fills.named(client_order_id, row):
                    return (yield from self._whole(row, symbol))
            others |= binance_fills.ids_of(rows)
        filled = yield from binance_fills.find(self, binance_fills.USDM, market, client_order_id, since_ms, others)
        return None if filled is None else self.order_state(filled)._replace(symbol=symbol)

    def _whole(self, row: Any, symbol: str) -> Steps[OrderState]:
        """Read an order; of an algo order that triggered, ask for the one it placed, which alone tells what filled."""
        status = row.get("algoStatus") if isinstance(row, Mapping) else None
        if status is not None and status not in _WAITING and (row.get("actualOrderId") or status not in _ENDED):
            try:
                asked = {"symbol": self._market(symbol), "orderId": row.get("actualOrderId")}
                answer = yield Read("fapiPrivateGetOrder", asked)
            except CallFailed as failed:
                if failed.code != "ORDER_NOT_FOUND":
                    raise
                # It placed an order that does not show yet: that is no answer.
                raise CallFailed(failed.failure._replace(code="BAD_ANSWER")) from None
            row = {**row, "actual": answer.data}
        return self.order_state(row)._replace(symbol=symbol)

    @property
    def families(self) -> tuple[str, ...]:
        """Plain orders, and conditional ones, which the Algo Service keeps."""
        return tuple(_OPEN)

    def open_in(self, family: str, symbols: tuple[str, ...]) -> Steps[tuple[OrderState, ...]]:
        """List open orders of one family; of the whole account (weight 40) without symbols."""
        found: list[OrderState] = []
        each: tuple[str | None, ...] = symbols if symbols and len(symbols) <= MAX_SYMBOL_CALLS else (None,)
        for symbol in each:
            answer = yield Read(_OPEN[family], {} if symbol is None else {"symbol": self._market(symbol)})
            found += [self.order_state(row) for row in binance_account.rows(self, answer, "orders")]
        return tuple(one for one in found if not symbols or one.symbol in symbols)

    def cancel(self, order: OrderState) -> Steps[bool]:
        """Cancel one order in its family; False when it is not open (-2011)."""
        algo = "algoId" in order.raw
        names = ("algoId", "clientAlgoId") if algo else ("orderId", "origClientOrderId")
        by = {names[0]: order.order_id} if order.order_id else {names[1]: order.client_order_id}
        method = "fapiPrivateDeleteAlgoOrder" if algo else "fapiPrivateDeleteOrder"
        try:
            yield Read(method, {"symbol": self._market(order.symbol), **by})
        except CallFailed as failed:
            if failed.code == "ORDER_NOT_FOUND":
                return False
            raise
        return True

    def countdown(self, symbol: str, number: int) -> Steps[None]:
        """Set the timer that cancels the symbol's open orders, ms; 0 takes it off (weight 10).

        Auto-Cancel-All-Open-Orders (read 2026-11): the answer repeats both; one that does not arms nothing.
        """
        asked = {"symbol": self._market(symbol), "countdownTime": number}
        answer = yield Read("fapiPrivatePostCountdownCancelAll", asked)
        told = self.mapping(answer.data, what="a countdown")
        if (told.get("symbol"), str(told.get("countdownTime"))) != (asked["symbol"], str(number)):
            raise self.bad_answer("the countdown that was asked for")

    # ---- the account

    def account(self) -> Steps[LiveAccount]:
        """Read wallets, positions, what is set of each contract, and the position mode (weight 5 each)."""
        wallet = yield Read("fapiPrivateV3GetAccount")
        held = yield Read("fapiPrivateV3GetPositionRisk")
        config = yield Read("fapiPrivateGetSymbolConfig")
        modes = yield Read("fapiPrivateGetAccountConfig")
        told = self.mapping(wallet.data, what="an account")
        margin: dict[str, Decimal] = {}
        wallets: dict[str, Decimal] = {}
        ratios: list[Decimal | None] = []
        for row in binance_account.rows(self, wallet._replace(data=told.get("assets")), "assets"):
            amount = self._number(row.get("marginBalance"))
            ratios.append(self._ratio(row.get("maintMargin"), amount))
            if amount:
                margin[str(row.get("asset", ""))] = amount
            wallet_amount = self._number(row.get("walletBalance", "0"))
            if wallet_amount:
                wallets[str(row.get("asset", ""))] = wallet_amount
        positions, liquidation = self._positions(held)
        contracts = {}
        for row in binance_account.rows(self, config, "settings"):
            symbol = unified(str(row.get("symbol", "")))
            mode = {"CROSSED": "cross", "ISOLATED": "isolated"}.get(str(row.get("marginType")))
            contracts[symbol] = Contract(
                self._number(row.get("leverage")), mode, liquidation.get(symbol), None, wallet.sent_ms
            )
        return LiveAccount(
            wallet.sent_ms,
            modes.received_ms,
            {},
            margin=margin,
            wallets=wallets,
            positions=positions,
            contracts=contracts,
            position_mode=self._modes(modes),
            # Of the asset that is nearest to its end: the totals of Single-Asset mode count USDT only
            # (Account-Information-V3, read 2026-11).
            margin_ratio=None if None in ratios else max((r for r in ratios if r is not None), default=_ZERO),
        )

    def _modes(self, answer: Answer) -> str:
        """Return the position mode. Raise CallFailed unless each asset is margin for its own contracts only.

        In Multi-Assets mode every asset is, at a rate that is not read here: neither the margin ratio nor what a loss
        costs is known (Get-Current-Multi-Assets-Mode).
        """
        told = self.mapping(answer.data, what="the account's modes")
        if flag(told.get("multiAssetsMargin")) is not False:
            raise self.unknown_mode("in Multi-Assets mode, or does not say; set Single-Asset mode at the exchange")
        dual = flag(told.get("dualSidePosition"))
        if dual is None:
            raise self.unknown_mode("in neither one-way nor hedge mode, as far as it says; look at the exchange")
        return "hedge" if dual else "one_way"

    def _positions(self, answer: Answer) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
        """Return what is held by position key, and the liquidation price by symbol: of two legs the nearer one.

        0 says that there is none: a cross position that the wallet covers at any price.
        """
        positions: dict[str, Decimal] = {}
        liquidation: dict[str, Decimal] = {}
        for row in binance_account.rows(self, answer, "positions"):
            symbol, leg = unified(str(row.get("symbol", ""))), str(row.get("positionSide", "BOTH")).lower()
            amount = self._number(row.get("positionAmt"))
            if not amount:
                continue
            positions[symbol if leg == "both" else f"{symbol}#{leg}"] = amount
            price, mark = self._number(row.get("liquidationPrice")), self._number(row.get("markPrice"))
            known = liquidation.get(symbol)
            if not known or (price and abs(price - mark) < abs(known - mark)):
                liquidation[symbol] = price
        return positions, liquidation

    def _ratio(self, maintenance: Any, has: Decimal) -> Decimal | None:
        if maintenance is None:
            return None
        needed = self._number(maintenance)
        if not needed:
            return Decimal(0)
        return UP.divide(needed, has) if has > 0 else Decimal(1)

    def net_transfers(
        self, since_ms: int, marks: dict[str, Decimal], currency: str, until_ms: int | None = None
    ) -> Steps[Decimal]:
        """Return what came into the wallet less what left it in a span; an asset without a mark counts 0."""
        asked = {"incomeType": "TRANSFER", "limit": MAX_ROWS} | binance_account.span(since_ms, until_ms)
        answer = yield Read("fapiPrivateGetIncome", asked)
        rows = binance_account.rows(self, answer, "transfers")
        if len(rows) >= MAX_ROWS:
            raise self.bad_answer(f"under {MAX_ROWS} transfers")
        return sum(
            (self._number(r.get("income")) * price_of(str(r.get("asset")), marks, currency) for r in rows), _ZERO
        )

    def fills(self, symbols: tuple[str, ...], since_ms: int) -> Steps[tuple[Fill, ...]]:
        """List fills (weight 5 each contract)."""
        markets = {self._market(symbol): symbol for symbol in symbols}
        return (yield from binance_history.contract_fills(self, markets, since_ms))

    def incomes(self, since_ms: int) -> Steps[tuple[Income, ...]]:
        """List what moved the wallet (weight 30)."""
        return (yield from binance_history.contract_incomes(self, since_ms, unified))

    def forced(self, client_order_id: str) -> str | None:
        """Tell why the exchange itself placed an order, by its client order id."""
        return binance_history.forced(client_order_id)

    def client_order_id_of(self, symbol: str, order_id: str) -> Steps[str]:
        """Look up an order by the exchange's id (weight 1); of one that the exchange placed, its id says why."""
        return (yield from binance_history.named(self, "fapiPrivateGetOrder", self._market(symbol), order_id))

    # ---- prices

    def marks(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the mark price of each contract (weight 1 of one, 10 of all)."""
        return (yield from self._premium(symbols, "markPrice", positive=True))

    def funding_rates(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        """Read the funding rate of each contract as it stands now (weight 1 of one, 10 of all)."""
        return (yield from self._premium(symbols, "lastFundingRate"))

    def _premium(self, symbols: tuple[str, ...], field: str, *, positive: bool = False) -> Steps[dict[str, Decimal]]:
        found: dict[str, Decimal] = {}
        for row, symbol in (yield from self._each("fapiPublicGetPremiumIndex", symbols, FEW_MARKS)):
            value = row.get(field)
            number = self._number(value) if value not in (None, "") else _ZERO
            if value not in (None, "") and (number > 0 or not positive):
                found[symbol] = number
        return found

    def quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        """Read best bid and ask of each contract (weight 2 of one, 5 of all)."""
        found: dict[str, tuple[Decimal, Decimal]] = {}
        for row, symbol in (yield from self._each("fapiPublicGetTickerBookTicker", symbols, FEW_QUOTES)):
            bid, ask = self._number(row.get("bidPrice")), self._number(row.get("askPrice"))
            if bid > 0 and ask > 0:
                found[symbol] = (bid, ask)
        return found

    def _each(self, method: str, symbols: tuple[str, ...], few: int) -> Steps[list[tuple[Mapping[str, Any], str]]]:
        """Ask for a few contracts one by one, for more of all; return the rows of those that are meant."""
        names = {self._market(symbol): symbol for symbol in symbols}
        found: list[tuple[Mapping[str, Any], str]] = []
        each: tuple[str | None, ...] = tuple(names) if len(names) <= few else (None,)
        for market in each:
            try:
                answer = yield Read(method, {} if market is None else {"symbol": market})
            except CallFailed as failed:
                if failed.code != "BAD_SYMBOL":
                    raise
                continue  # delisted since the markets were read: that one has no price, the others have theirs
            data = [answer.data] if isinstance(answer.data, Mapping) else answer.data
            rows = binance_account.rows(self, answer._replace(data=data), "prices")
            found += [(row, names[row["symbol"]]) for row in rows if row.get("symbol") in names]
        return found

    # ---- inside

    def _market(self, symbol: str) -> str:
        if not is_linear(symbol):
            words = f"{self.id}: the symbol is no contract (BTC/USDT:USDT)"
            raise CallFailed(Failure("no", "NOT_SUPPORTED", words))
        return market_of(symbol)

    def _number(self, value: object) -> Decimal:
        try:
            return exact(value)
        except ValueError:
            raise self.bad_answer("made of numbers") from None


_ZERO: Final = Decimal(0)
_OPEN: Final = {"swap.order": "fapiPrivateGetOpenOrders", "swap.algo": "fapiPrivateGetOpenAlgoOrders"}
_LISTS: Final = (
    "fapiPrivateGetOpenOrders",
    "fapiPrivateGetAllOrders",
    "fapiPrivateGetOpenAlgoOrders",
    "fapiPrivateGetAllAlgoOrders",
)


def is_linear(symbol: str) -> bool:
    """Tell whether a symbol is a linear contract: `BTC/USDT:USDT` is; `BTC/USD:BTC` and an option are not."""
    return _SYMBOL.match(symbol) is not None


def is_usdm(url: str) -> bool:
    """Tell whether a request goes to USD-M: `/fapi/`, behind the `/@host` of an `--endpoint` too."""
    return re.match(r"(?:/@[^/]+)?/fapi/", urlsplit(url).path) is not None


def unified(market: str) -> str:
    """Return ccxt's name of a contract by its quote asset; the exchange's own name where none fits."""
    found = _MARKET.match(market)
    if found is None:
        return market
    base, quote, date = found.groups()
    return f"{base}/{quote}:{quote}" + (f"-{date}" if date else "")


def _side(text: str) -> Literal["buy", "sell"]:
    if text == "buy":
        return "buy"
    if text == "sell":
        return "sell"
    raise ValueError("no side")


def _reduces(answer: Mapping[str, Any], side: str) -> bool:
    marked = any(str(answer.get(name)).lower() == "true" for name in ("reduceOnly", "closePosition"))
    return marked or CLOSING.get(str(answer.get("positionSide")).lower()) == side
