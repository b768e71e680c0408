"""What is known of an order, in words: for a person who reads a list of them."""

from __future__ import annotations

from typing import Final

from policykit.clock import iso
from policykit.order import Order
from policykit.orders.fence import fence_ms
from policykit.orders.intent import Intent
from policykit.orders.life import SEEN
from policykit.traits import load
from policykit.traits.base import Family, product_of
from policykit.units import plain

#: Why nobody knows what became of an order, and what settles it. Any other reason is that of the send.
WHY: Final = {
    "ANSWER_UNREADABLE": "the exchange's answer to it cannot be read",
    "BAD_ANSWER": "the answer to it was not the exchange's (a proxy's page, say)",
    "DUPLICATE_ID": "the exchange has an order of this id: this one, or another",
    "GATE_PASSED_BY": "the client sent it around the gate",
    "INTERRUPTED": "the call was interrupted while it was on its way",
    "NETWORK": "no answer came",
    "NO_FENCE": "it is not shown, which here never proves that it did not execute: look there by hand",
    "NOT_SETTLED_IN_TIME": "it is not shown, which proves nothing before the fence; it is looked up in the background",
    "ORDER_DIFFERS": "its id shows another order: look there by hand",
    "ORDER_VANISHED": "the exchange showed it once and shows it no more: look there by hand",
    "RETURNED_UNFINISHED": "the function under @enforce returned before it had sent",
    "UNKNOWN": "the exchange's answer does not say",
}

#: What is said of an order that was on its way when its bot died.
LEFT: Final = "on its way when its bot ended, so it may have executed"


def meant(order: Order) -> str:
    """Return what was asked for: `BTC/USDT buy 0.02 @ 50000`."""
    size = "all" if order.quantity is None else plain(order.quantity)
    if order.quote_quantity is not None:
        size = f"for {plain(order.quote_quantity)}"
    price = "at the market" if order.price is None else f"@ {plain(order.price)}"
    stop = "" if order.stop_price is None else f", stop {plain(order.stop_price)}"
    return f"{order.symbol} {order.side} {size} {price}{stop}"


def why(intent: Intent) -> str:
    """Return what is to be said of an order's state; empty where the state says it all."""
    if intent.error is None:
        return ""
    return WHY.get(intent.error, intent.error) if intent.state in ("unknown", "sent") else intent.error


def family_of(intent: Intent) -> Family | None:
    """Return the traits of an order's family; None where nothing is known of its exchange or product."""
    exchange = load(intent.account.partition("/")[0])
    product = exchange.products.get(product_of(intent.order.symbol)) if exchange is not None else None
    return product.families.get(intent.family) if product is not None else None


def proof(intent: Intent, family: Family | None) -> str:
    """Return when a look-up can prove an unknown order absent, at the earliest: the clock's bound comes on top."""
    if intent.state != "unknown" or intent.error in SEEN:
        return ""
    fence = None if family is None else fence_ms(intent, family, 0)
    if fence is None:
        return "no look-up can prove it absent"
    return f"a look-up after {iso(fence)[11:19]} UTC can prove it absent"
