"""What margin contracts take: initial margin of positions and open orders, what is left, liquidation prices. Pure.

After Binance's "Initial Margin" and "Liquidation Price" pages for USD-M, with one bracket a contract: initial margin of
one side is max(|position + bids|, |position - asks|) / leverage; conditional orders take none before they trigger.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from policykit.sim.contracts import Book, Contract, ContractOrder, Position, Side
from policykit.sim.venue import ZERO

#: Positions of every size need this share of their notional as maintenance margin.
MAINTENANCE = Decimal("0.004")
SIDES: tuple[Side, ...] = ("BOTH", "LONG", "SHORT")
Marks = Callable[[Contract], Decimal]


def initial(book: Book, contract: Contract, mark: Decimal, extra: ContractOrder | None = None) -> Decimal:
    """Return the initial margin of a contract, as if `extra` rested as well."""
    orders = [o for o in book.orders if o.contract is contract and not o.conditional]
    worst = ZERO
    for side in SIDES:
        held = book.held(contract, side)
        out = {"BUY": ZERO, "SELL": ZERO}
        for order in [*orders, *([] if extra is None else [extra])]:
            if order.position_side == side and not order.closes:
                left = order.quantity - order.filled()
                out[order.side] += contract.notional(left, order.price or mark)
        notional = contract.notional(held, mark)
        worst += max(abs(notional + out["BUY"]), abs(notional - out["SELL"]))
    return worst / book.set_of(contract).leverage


def profit(book: Book, asset: str, marks: Marks) -> Decimal:
    """Return the unrealised profit of everything that is settled in an asset."""
    held = (one for one in book.positions.values() if one.contract.settle == asset)
    return sum((one.profit(marks(one.contract)) for one in held), ZERO)


def taken(book: Book, asset: str, marks: Marks) -> Decimal:
    """Return the initial margin that positions and open orders take of an asset."""
    settled = (one for one in book.contracts.values() if one.settle == asset)
    return sum((initial(book, one, marks(one)) for one in settled), ZERO)


def available(book: Book, asset: str, marks: Marks) -> Decimal:
    """Return what is left of an asset for further margin."""
    return book.wallet.get(asset, ZERO) + profit(book, asset, marks) - taken(book, asset, marks)


def maintenance(position: Position, mark: Decimal) -> Decimal:
    """Return the maintenance margin of one position."""
    return abs(position.contract.notional(position.amount, mark)) * MAINTENANCE


def liquidation_price(book: Book, position: Position, marks: Marks) -> Decimal:
    """Return the mark price at which a linear position's margin is its maintenance margin; 0: at none."""
    contract = position.contract
    if contract.inverse:
        return ZERO
    if position.isolated:
        margin = abs(contract.notional(position.amount, position.entry)) / position.leverage
    else:
        others = [p for p in book.positions.values() if p is not position and p.contract.settle == contract.settle]
        margin = book.wallet.get(contract.settle, ZERO)
        margin += sum((p.profit(marks(p.contract)) - maintenance(p, marks(p.contract)) for p in others), ZERO)
    size = position.amount * contract.size
    price = (margin - size * position.entry) / (abs(size) * MAINTENANCE - size)
    return max(price, ZERO)
