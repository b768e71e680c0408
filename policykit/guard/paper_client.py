"""What stands below the gate of a protected client at the paper stage, where ccxt's own methods would send.

The methods of `protect` and `unified` come first and find these in ccxt's place: the same decision, permit, record and
recovery, and no request. What a bot reads of its account (orders, trades, balance, positions) is of the paper account;
what would tell of the real one as if it were that (`watch_orders`) is refused. All else stays ccxt's, behind the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from decimal import Decimal
from typing import Any, Final

from ccxt.base.errors import (
    BaseError,
    DuplicateOrderId,
    ExchangeNotAvailable,
    InsufficientFunds,
    InvalidOrder,
    NotSupported,
    OrderNotFound,
)

from policykit.exchanges.base import Steps
from policykit.guard.admission import CURRENT
from policykit.guard.gate import Gate
from policykit.guard.paper import Paper
from policykit.guard.paper_form import Fill, PaperOrder, Refused
from policykit.guard.steps import OWN_IDS, order_of
from policykit.guard.unified import camel
from policykit.order import Order
from policykit.units import exact, plain

#: What a bot catches, by the code of a refusal.
_RAISED: Final[dict[str, type[BaseError]]] = {
    "INSUFFICIENT_FUNDS": InsufficientFunds,
    "ORDER_REJECTED": InvalidOrder,
    "ORDER_NOT_FOUND": OrderNotFound,
    "DUPLICATE_ID": DuplicateOrderId,
    "NOT_SUPPORTED": NotSupported,
}
#: Reads of the account that paper has no answer to: the real account's would be taken for it.
REFUSED: Final = (
    *("watch_orders", "watch_orders_for_symbols", "watch_my_trades", "watch_my_trades_for_symbols", "watch_balance"),
    *("watch_position", "watch_positions", "watch_position_for_symbols", "fetch_balance_ws", "fetch_order_ws"),
    *("fetch_orders_ws", "fetch_open_orders_ws", "fetch_closed_orders_ws", "fetch_my_trades_ws", "fetch_position_ws"),
    *("fetch_positions_ws", "fetch_positions_for_symbol_ws", "fetch_orders_by_status_ws"),
    *("cancel_order_ws", "cancel_orders_ws", "cancel_all_orders_ws", "create_order_ws", "create_orders_ws"),
    *("edit_order_ws", "edit_orders", "withdraw", "transfer", "close_position", "close_all_positions"),
)
_UNIFIED: Final = (
    *("create_order", "edit_order", "cancel_order", "cancel_orders", "cancel_all_orders"),
    *("set_leverage", "set_margin_mode", "set_position_mode", "fetch_order", "fetch_orders", "fetch_open_order"),
    *("fetch_open_orders", "fetch_closed_orders", "fetch_canceled_orders", "fetch_canceled_and_closed_orders"),
    *("fetch_my_trades", "fetch_order_trades", "fetch_balance", "fetch_position", "fetch_positions", "fetch_leverage"),
)
#: How ccxt calls the states of an order.
_STATUS: Final = {"closed": "closed", "canceled": "canceled", "expired": "expired", "open": "open"}


def refused(code: str, why: str) -> BaseError:
    """Return what a bot gets for what the paper exchange does not take; the gate reads the code of it."""
    error = _RAISED.get(code, ExchangeNotAvailable)(why)
    error.paper_code = code
    return error


def paper_class(cls: type[Any], finish: Callable[[Coroutine[Any, Any, Any]], Any]) -> type[Any]:
    """Return a ccxt class whose account is on paper; `finish` runs a coroutine, or hands it on to be awaited."""
    members: dict[str, Any] = {"__module__": cls.__module__}
    for name in _UNIFIED:
        members[name] = _paper(name, finish)
    for name in REFUSED:
        if hasattr(cls, name):
            members[name] = _not_on_paper(name, finish)
    # ccxt puts camelCase names beside its own on the class; without these they would tell of the real account.
    members |= {camel(name): method for name, method in members.items() if not name.startswith("__")}
    return type(f"Paper{cls.__name__.capitalize()}", (Wire, cls), members)


def _paper(name: str, finish: Callable[[Coroutine[Any, Any, Any]], Any]) -> Callable[..., Any]:
    body = getattr(Wire, f"_paper_{name}")

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Do it on paper."""
        return finish(body(self, *args, **kwargs))

    return method


def _not_on_paper(name: str, finish: Callable[[Coroutine[Any, Any, Any]], Any]) -> Callable[..., Any]:
    async def refuse() -> Any:
        raise refused("NOT_SUPPORTED", f"paper: {name} is not simulated; poll fetch_order, fetch_balance, and so on")

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        """Refuse it."""
        return finish(refuse())

    return method


class Wire:
    """The methods, as coroutines; ccxt's class stands behind them."""

    policykit_gate: Gate
    _policykit_read: Callable[[Steps[Any]], Coroutine[Any, Any, Any]]
    _policykit_call: Callable[..., Coroutine[Any, Any, Any]]

    @property
    def _paper_exchange(self) -> Paper:
        paper = self.policykit_gate.guard.paper
        assert paper is not None  # `protect` puts this class in for no other guard
        return paper

    # ---- orders, each under the decision that admitted it

    async def _paper_create_order(
        self,
        symbol: str,
        type: str,  # noqa: A002
        side: str,
        amount: Any,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        order = order_of(symbol, type, side, amount, price, params or {})
        market = self.market(symbol)  # type: ignore[attr-defined]
        steps = self._paper_new(order, market, params or {})
        return self._paper_order(await self._paper_under("order.create", steps))

    async def _paper_edit_order(
        self,
        id: str,  # noqa: A002
        symbol: str,
        type: str,  # noqa: A002
        side: str,
        amount: Any = None,
        price: Any = None,
        params: Any = None,
    ) -> Any:
        meant = order_of(symbol, type, side, amount, price, {})
        return self._paper_order(await self._paper_under("order.amend", self._paper_changed(id, meant)))

    async def _paper_cancel_order(self, id: Any = None, symbol: Any = None, params: Any = None) -> Any:  # noqa: A002
        named = [params[name] for name in (*OWN_IDS, "origClientOrderId") if (params or {}).get(name)]
        name = str(named[0] if named else id)
        return self._paper_order(await self._paper_under("order.cancel", self._paper_exchange.cancel(name), name))

    async def _paper_cancel_orders(self, ids: Any, symbol: Any = None, params: Any = None) -> Any:
        return [await self._policykit_call(self.cancel_order, one, symbol) for one in ids]  # type: ignore[attr-defined]

    async def _paper_cancel_all_orders(self, symbol: Any = None, params: Any = None) -> Any:
        gone = await self._paper_under("orders.cancel_all", self._paper_exchange.cancel_all(symbol))
        return [self._paper_order(one) for one in gone]

    async def _paper_set_leverage(self, leverage: Any, symbol: Any = None, params: Any = None) -> Any:
        return await self._paper_under("account.configure", self._paper_setting(symbol, leverage=exact(leverage)))

    async def _paper_set_margin_mode(self, mode: Any, symbol: Any = None, params: Any = None) -> Any:
        said = "cross" if str(mode).lower() == "crossed" else str(mode).lower()
        return await self._paper_under("account.configure", self._paper_setting(symbol, margin_mode=said))

    async def _paper_set_position_mode(self, hedged: Any, symbol: Any = None, params: Any = None) -> Any:
        if hedged:
            raise refused("NOT_SUPPORTED", "paper: one position a contract; hedge mode is not simulated")
        return await self._paper_under("account.configure", self._paper_setting(None))

    def _paper_changed(self, ident: str, order: Order) -> Steps[dict[str, Any]]:
        self._paper_fits(self.market(order.symbol), order)  # type: ignore[attr-defined]
        assert order.quantity is not None  # the decision holds that
        return (yield from self._paper_exchange.amend(ident, order.quantity, order.price, order.symbol))

    def _paper_setting(self, symbol: Any, **said: Any) -> Steps[dict[str, Any]]:
        if symbol:
            self._paper_exchange.set(symbol, **said)
        return {"paper": True}
        yield  # pragma: no cover - makes a generator of it

    def _paper_new(self, order: Order, market: Any, params: Mapping[str, Any]) -> Steps[dict[str, Any]]:
        """Hold an order against what the exchange asks of one, and take it. Raise Refused."""
        unknown = {
            "trailing stops": order.trailing,
            "closePosition": order.close_position,
            "attached exits": order.stop_loss_price is not None or order.take_profit_price is not None,
            "hedge mode": order.position_side is not None,
        }
        for what, asked in unknown.items():
            if asked:
                raise Refused("NOT_SUPPORTED", f"{what} are not simulated; send orders of their own")
        self._paper_fits(market, order)
        takes_profit = params.get("takeProfitPrice") is not None or "take_profit" in str(order.type)
        rising = (str(order.side).lower() == "buy") != takes_profit
        if params.get("triggerDirection") is not None:
            rising = str(params["triggerDirection"]).lower() in ("1", "ascending", "up", "above")
        own = params.get("clientOrderId")
        return (yield from self._paper_exchange.place(order, market, None if own is None else str(own), rising=rising))

    def _paper_fits(self, market: Any, order: Order) -> None:
        """Refuse what is outside the market's smallest and largest sizes, or off its steps. Raise Refused."""
        limits, symbol = market.get("limits") or {}, market["symbol"]
        worth = order.quote_quantity
        if order.quantity is not None and order.price is not None:
            worth = order.quantity * order.price * exact(market.get("contractSize") or 1)
        for name, value in (("amount", order.quantity), ("price", order.price), ("cost", worth)):
            least, most = (limits.get(name) or {}).get("min"), (limits.get(name) or {}).get("max")
            if value is not None and least is not None and value < exact(least):
                raise Refused("ORDER_REJECTED", f"{name} {plain(value)} is under the least of {symbol}, {least}")
            if value is not None and most is not None and value > exact(most):
                raise Refused("ORDER_REJECTED", f"{name} {plain(value)} is over the most of {symbol}, {most}")
        for name, value, step in (
            ("amount", order.quantity, self.amount_to_precision),  # type: ignore[attr-defined]
            ("price", order.price, self.price_to_precision),  # type: ignore[attr-defined]
        ):
            if value is not None and exact(step(symbol, plain(value))) != value:
                raise Refused("ORDER_REJECTED", f"{name} {plain(value)} is not a whole step of {symbol}")

    async def _paper_under(self, action: str, steps: Steps[Any], request: str = "") -> Any:
        """Do what was admitted, through the gate and back: it records the outcome as of a request."""
        gate = self.policykit_gate
        ticket = gate.simulate(action, CURRENT.get(), request)
        failed: BaseException | None = None
        try:
            reply = await self._policykit_read(steps)
        except Refused as no:
            failed = gate.failed(ticket, refused(no.code, str(no)))
        except BaseException as error:  # noqa: BLE001 - cancelled is an outcome too
            failed = gate.failed(ticket, error)
        if failed is not None:  # raised out here, so that it has no context
            raise failed
        gate.replied(ticket, reply)
        return reply

    # ---- reads

    async def _paper_known(self, symbol: Any = None) -> list[PaperOrder]:
        await self._policykit_read(self._paper_exchange.met(symbol))
        return self._paper_exchange.peek().orders(symbol)

    async def _paper_fetch_order(self, id: Any = None, symbol: Any = None, params: Any = None) -> Any:  # noqa: A002
        name = next((str(params[key]) for key in (*OWN_IDS, "origClientOrderId") if (params or {}).get(key)), str(id))
        await self._policykit_read(self._paper_exchange.met(symbol))
        found = self._paper_exchange.peek().named(name)
        if found is None:
            raise refused("ORDER_NOT_FOUND", f"paper: no order {name}")
        return self._paper_order(found.to_dict())

    async def _paper_fetch_open_order(self, id: Any = None, symbol: Any = None, params: Any = None) -> Any:  # noqa: A002
        return await self._paper_fetch_order(id, symbol, params)

    async def _paper_listed(self, symbol: Any, since: Any, limit: Any, states: tuple[str, ...]) -> list[Any]:
        known = [order for order in await self._paper_known(symbol) if order.status in states]
        found = [self._paper_order(one.to_dict()) for one in known if one.created_ms >= (since or 0)]
        return found[-limit:] if limit else found

    async def _paper_fetch_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        return await self._paper_listed(symbol, since, limit, tuple(_STATUS))

    async def _paper_fetch_open_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        return await self._paper_listed(symbol, since, limit, ("open",))

    async def _paper_fetch_closed_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        return await self._paper_listed(symbol, since, limit, ("closed",))

    async def _paper_fetch_canceled_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        return await self._paper_listed(symbol, since, limit, ("canceled", "expired"))

    async def _paper_fetch_canceled_and_closed_orders(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        return await self._paper_listed(symbol, since, limit, ("closed", "canceled", "expired"))

    async def _paper_fetch_my_trades(
        self, symbol: Any = None, since: Any = None, limit: Any = None, params: Any = None
    ) -> Any:
        found = [trade for order in await self._paper_known(symbol) for trade in self._paper_trades(order)]
        found = sorted((one for one in found if one["timestamp"] >= (since or 0)), key=lambda one: one["timestamp"])
        return found[-limit:] if limit else found

    async def _paper_fetch_order_trades(
        self,
        id: Any,  # noqa: A002
        symbol: Any = None,
        since: Any = None,
        limit: Any = None,
        params: Any = None,
    ) -> Any:
        trades = await self._paper_fetch_my_trades(symbol, since, limit)
        return [trade for trade in trades if trade["order"] == id]

    async def _paper_fetch_balance(self, params: Any = None) -> Any:
        await self._policykit_read(self._paper_exchange.met())
        book = self._paper_exchange.peek().book
        said: dict[str, Any] = {"info": {"paper": True}}
        if "spot" in self._paper_exchange.inner.trades:
            for asset, total in book.account.balances.items():
                said[asset] = {"free": float(total - book.locked(asset)), "total": float(total)}
        else:
            for asset, total in book.account.wallets.items():
                said[asset] = {"free": float(max(Decimal(0), book.margin(asset, {}))), "total": float(total)}
        return self.safe_balance(said)  # type: ignore[attr-defined]

    async def _paper_fetch_positions(self, symbols: Any = None, params: Any = None) -> Any:
        account = await self._policykit_read(self.policykit_gate.guard.adapter.account())
        has = self._paper_exchange.peek().book.account
        return [
            self.safe_position(  # type: ignore[attr-defined]
                {
                    "info": {"paper": True},
                    "symbol": symbol,
                    "contracts": float(abs(held)),
                    "contractSize": float(has.sizes[symbol]),
                    "side": "long" if held > 0 else "short",
                    "entryPrice": float(has.positions[symbol][1]),
                    "leverage": float(has.leverage.get(symbol, Decimal(1))),
                    "marginMode": has.margin_mode.get(symbol, "cross"),
                }
            )
            for symbol, held in account.positions.items()
            if (not symbols or symbol in symbols) and symbol in has.positions
        ]

    async def _paper_fetch_position(self, symbol: str, params: Any = None) -> Any:
        found = await self._paper_fetch_positions([symbol])
        return found[0] if found else self.safe_position({"info": {"paper": True}, "symbol": symbol, "contracts": 0.0})  # type: ignore[attr-defined]

    async def _paper_fetch_leverage(self, symbol: str, params: Any = None) -> Any:
        has = self._paper_exchange.peek().book.account
        leverage, mode = float(has.leverage.get(symbol, Decimal(1))), has.margin_mode.get(symbol, "cross")
        said = {"symbol": symbol, "marginMode": mode, "longLeverage": leverage, "shortLeverage": leverage}
        return {"info": {"paper": True}, **said}

    # ---- as ccxt writes it

    def _paper_order(self, said: Mapping[str, Any]) -> Any:
        order = PaperOrder.from_dict(said)
        return self.safe_order(  # type: ignore[attr-defined]
            {
                "info": dict(said),
                "id": order.id,
                "clientOrderId": order.client_order_id,
                "timestamp": order.created_ms,
                "datetime": self.iso8601(order.created_ms),  # type: ignore[attr-defined]
                "lastUpdateTimestamp": order.updated_ms,
                "lastTradeTimestamp": order.fills[-1].at_ms if order.fills else None,
                "symbol": order.symbol,
                "type": order.type,
                "timeInForce": order.time_in_force,
                "postOnly": order.time_in_force == "PO",
                "reduceOnly": order.reduce_only,
                "side": order.side,
                "price": None if order.price is None else plain(order.price),
                "triggerPrice": None if order.trigger is None else plain(order.trigger),
                "amount": plain(order.quantity),
                "filled": plain(order.filled),
                "remaining": plain(order.left),
                "cost": plain(order.cost),
                "status": order.status,
                "fees": _fees(order.fills),
                "trades": [],
            },
            self.market(order.symbol),  # type: ignore[attr-defined]
        )

    def parse_order(self, order: Any, market: Any = None) -> Any:
        """Read an order of the paper exchange; any other as ccxt does."""
        return self._paper_order(order) if order.get("paper") else super().parse_order(order, market)  # type: ignore[misc]

    def _paper_trades(self, order: PaperOrder) -> list[Any]:
        return [
            self.safe_trade(  # type: ignore[attr-defined]
                {
                    "info": {"paper": True},
                    "id": f"{order.id}-{place}",
                    "order": order.id,
                    "timestamp": fill.at_ms,
                    "datetime": self.iso8601(fill.at_ms),  # type: ignore[attr-defined]
                    "symbol": order.symbol,
                    "type": order.type,
                    "side": order.side,
                    "takerOrMaker": "maker" if fill.maker else "taker",
                    "price": plain(fill.price),
                    "amount": plain(fill.quantity),
                    "cost": plain(fill.price * fill.quantity * order.terms.size),
                    "fee": {"cost": plain(fill.fee), "currency": fill.fee_asset},
                },
                self.market(order.symbol),  # type: ignore[attr-defined]
            )
            for place, fill in enumerate(order.fills)
        ]


def _fees(fills: list[Fill]) -> list[dict[str, Any]]:
    sums: dict[str, Decimal] = {}
    for fill in fills:
        sums[fill.fee_asset] = sums.get(fill.fee_asset, Decimal(0)) + fill.fee
    return [{"cost": plain(fee), "currency": asset} for asset, fee in sums.items()]
