"""The adapter of a paper account: public data as the exchange tells it, all that is the account's from the paper book.

So facts, reconciliation, look-ups, recovery and the kill switch run as they do for real.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from policykit.engine.facts import Contract
from policykit.exchanges.adapter import TradingAdapter
from policykit.exchanges.base import Call, Failure, Fill, Income, LiveAccount, OrderState, Signed, Steps, wallet_key
from policykit.guard.paper import Desk, Paper
from policykit.guard.paper_form import ZERO, PaperOrder, Refused
from policykit.order import Order
from policykit.orders.reconcile import FILL
from policykit.traits.base import product_of

if TYPE_CHECKING:
    from policykit.clock import Clock
    from policykit.policy import EffectivePolicy
    from policykit.store import Store


class PaperAdapter(TradingAdapter):
    """An adapter whose account is on paper."""

    id_names = frozenset(("clientOrderId",))

    def __init__(self, inner: TradingAdapter, paper: Paper) -> None:
        self.inner = inner
        self.paper = paper
        for name in ("id", "public", "reads", "asks", "live", "trades", "error_code", "told_trades"):
            setattr(self, name, getattr(inner, name))

    # ---- as the exchange has it

    def call(self, method: str, url: str, body: str | None) -> Call:
        return self.inner.call(method, url, body)

    def prepare(self, client: Any) -> None:
        self.inner.prepare(client)

    def pointed(self, client: Any, origin: str) -> None:
        self.inner.pointed(client, origin)

    def usage(self, headers: Any) -> dict[str, int]:
        return self.inner.usage(headers)

    def takes(self, symbol: str) -> bool:
        return self.inner.takes(symbol)

    def family(self, order: Order) -> str:
        return self.inner.family(order)

    def set_validity(self, client: Any, validity_ms: int) -> None:
        self.inner.set_validity(client, validity_ms)

    def set_offset(self, client: Any, offset_ms: int) -> None:
        self.inner.set_offset(client, offset_ms)

    def server_time(self) -> Steps[int]:
        return self.inner.server_time()

    def marks(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        return self.inner.marks(symbols)

    def quotes(self, symbols: tuple[str, ...]) -> Steps[dict[str, tuple[Decimal, Decimal]]]:
        return self.inner.quotes(symbols)

    def funding_rates(self, symbols: tuple[str, ...]) -> Steps[dict[str, Decimal]]:
        return self.inner.funding_rates(symbols)

    def key_report(self) -> Steps[Any]:
        return self.inner.key_report()

    def failure(self, error: Exception, client: Any) -> Failure:
        """Read an error; what the paper exchange refused did not execute."""
        code = getattr(error, "paper_code", None)
        return Failure("no", code, str(error)) if code is not None else self.inner.failure(error, client)

    # ---- orders

    def signed(self, url: str, headers: dict[str, str], body: str | None) -> Signed | None:
        """Nothing is signed: nothing is sent."""
        return None

    def differs(self, order: Order, url: str, body: str | None) -> str | None:
        return None

    def order_params(self, order: Order, client_order_id: str) -> dict[str, Any]:
        return {"clientOrderId": client_order_id}

    def amending(self, order: Order) -> Literal["in_place", "replaces"] | None:
        return "in_place"

    def amend_params(self, order: Order, client_order_id: str | None) -> dict[str, Any]:
        return {}

    def order_state(self, answer: Any, order: Order | None = None) -> OrderState:
        """Read an order as the paper exchange writes it."""
        try:
            return _state(PaperOrder.from_dict(answer))
        except (KeyError, TypeError, ValueError):
            raise self.bad_answer("an order") from None

    def find_order(
        self, symbol: str, client_order_id: str, *, since_ms: int = 0, thorough: bool = True
    ) -> Steps[OrderState | None]:
        yield from self.paper.met(symbol)
        found = self.paper.peek().named(client_order_id)
        return None if found is None else _state(found)

    @property
    def families(self) -> tuple[str, ...]:
        """One a product: paper keeps stops with the orders."""
        return tuple(f"{product}.order" for product in sorted(self.trades))

    def open_in(self, family: str, symbols: tuple[str, ...]) -> Steps[tuple[OrderState, ...]]:
        yield from self.paper.met()
        orders = [o for o in self.paper.peek().book.open.values() if product_of(o.symbol) == family.partition(".")[0]]
        return tuple(_state(order) for order in orders if not symbols or order.symbol in symbols)

    def cancel(self, order: OrderState) -> Steps[bool]:
        try:
            yield from self.paper.cancel(order.order_id)
        except Refused:
            return False
        return True

    def client_order_id_of(self, symbol: str, order_id: str) -> Steps[str]:
        found = self.paper.peek().named(order_id)
        return "" if found is None else found.client_order_id
        yield  # pragma: no cover - makes a generator of it

    def countdown(self, symbol: str, number: int) -> Steps[None]:
        """Arm nothing: paper orders die with nobody, since they are nowhere."""
        return
        yield  # pragma: no cover - makes a generator of it

    # ---- the account

    def account(self) -> Steps[LiveAccount]:
        yield from self.paper.met()
        desk = self.paper.peek()
        has = desk.book.account
        balances = {asset: amount for asset, amount in has.balances.items() if amount}
        if "swap" not in self.trades:
            return LiveAccount(desk.now_ms, desk.now_ms, balances)
        held = {symbol: quantity for symbol, (quantity, _) in has.positions.items()}
        marks = (yield from self.inner.marks(tuple(sorted(held)))) if held else {}
        margin = dict(has.wallets)
        for symbol, (quantity, entry) in has.positions.items():
            settle = symbol.rpartition(":")[2]
            profit = quantity * has.sizes[symbol] * (marks.get(symbol, entry) - entry)
            margin[settle] = margin.get(settle, ZERO) + profit
        return LiveAccount(
            desk.now_ms,
            desk.now_ms,
            balances,
            margin=margin,
            wallets=dict(has.wallets),
            positions=held,
            contracts=_Contracts(desk),
            position_mode="one_way",
            margin_ratio=ZERO,
        )

    def fills(self, symbols: tuple[str, ...], since_ms: int) -> Steps[tuple[Fill, ...]]:
        yield from self.paper.met()
        orders = [order for order in self.paper.peek().orders() if order.symbol in symbols]
        return tuple(
            Fill(
                f"{order.id}-{place}",
                order.id,
                order.symbol,
                fill.quantity if order.side == "buy" else -fill.quantity,
                fill.quantity * fill.price * order.terms.size,
                fill.fee,
                fill.fee_asset,
                fill.at_ms,
                order.client_order_id,
            )
            for order in orders
            for place, fill in enumerate(order.fills)
            if fill.at_ms >= since_ms
        )

    def incomes(self, since_ms: int) -> Steps[tuple[Income, ...]]:
        """List fees and what was realised of contracts; nothing is deposited on paper, and no funding is paid."""
        yield from self.paper.met()
        found: list[Income] = []
        for order in self.paper.peek().orders():
            for place, fill in enumerate(order.fills):
                if order.terms.settle and fill.at_ms >= since_ms:
                    key, trade = wallet_key(order.terms.settle), f"{order.id}-{place}"
                    found.append(Income(key, -fill.fee, "fee", fill.at_ms, trade, order.symbol))
                    found.append(Income(key, fill.profit, FILL, fill.at_ms, trade, order.symbol))
        return tuple(one for one in found if one.amount)

    def borrowed(self) -> Steps[dict[str, Decimal]]:
        return {}
        yield  # pragma: no cover - makes a generator of it

    def net_transfers(
        self, since_ms: int, marks: dict[str, Decimal], currency: str, until_ms: int | None = None
    ) -> Steps[Decimal]:
        return ZERO
        yield  # pragma: no cover - makes a generator of it


class _Contracts(dict[str, Contract]):
    """The settings of contracts: of one that nobody set, leverage 1 and cross margin."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def __contains__(self, symbol: object) -> bool:
        return True

    def __missing__(self, symbol: str) -> Contract:
        has = self._desk.book.account
        leverage, mode = has.leverage.get(symbol, Decimal(1)), has.margin_mode.get(symbol, "cross")
        return Contract(leverage, mode, liquidation_price=ZERO, as_of_ms=self._desk.now_ms)


def paper_exchange(
    policy: EffectivePolicy, adapter: TradingAdapter, store: Store, clock: Clock, key: str
) -> Paper | None:
    """Return the paper exchange of a policy whose stage is paper; None: its orders go to the exchange."""
    stage = policy.model.stage
    return Paper(adapter, policy, store, clock, key) if stage is not None and stage.current == "paper" else None


def _state(order: PaperOrder) -> OrderState:
    return OrderState(
        order.id,
        order.client_order_id,
        order.symbol,
        order.side,
        order.quantity,
        order.filled,
        not order.open,
        order.status,
        order.to_dict(),
        order.cost,
        order.reduce_only,
        order.price,
    )
