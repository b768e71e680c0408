"""What moves a wallet of contracts is explained by the exchange's income; what it forced is told from a hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.guard import Guard
from tests.guard.contracts import SWAP, contracts, policy
from tests.guard.test_reconcile import SECTION, compared
from tests.guard.world import World

#: From one funding to the next, seconds.
FUNDING_S = 8 * 3_600


def begin(start: Callable[..., World], more: str = "", **setup: Any) -> tuple[World, Guard, Any]:
    """Start an account of contracts whose guard has compared it once; return its own client as well."""
    text = policy(position="60000 USDT") + f"{SECTION}, on_breach: reduce_only{more}}}\n"
    w = contracts(start, text=text, **setup)
    guard, own = w.guard(), w.sim.client()
    compared(w, guard, own, 1)
    return w, guard, own


def test_fees_funding_and_profit_of_the_bots_own(start: Callable[..., World]) -> None:
    """What the bot bought and sold, its fees and what it pays for holding: nothing is left over."""
    w, guard, own = begin(start)
    client = w.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.2)
    assert compared(w, guard, own) == [("balance", "USDT margin", "fee")]
    w.clock.advance(FUNDING_S)
    assert compared(w, guard, own) == [("balance", "USDT margin", "funding")]
    w.sim.pin("BTC/USDT", 61_000)
    guard.maintain(own)
    client.create_order(SWAP, "market", "sell", 0.2, None, {"reduceOnly": True})
    assert compared(w, guard, own) == [("balance", "USDT margin", "fee")]
    assert guard.facts().drift == ()


def test_a_stop_that_fills_is_the_bots_own(start: Callable[..., World]) -> None:
    """A conditional order places another one under another id: its fill is known by the order that it is of."""
    w, guard, own = begin(start)
    client = w.protected(guard)
    client.create_order(SWAP, "market", "buy", 0.1)
    client.create_order(SWAP, "stop_market", "sell", 0.1, None, {"stopPrice": 59_000, "reduceOnly": True})
    compared(w, guard, own)
    w.sim.pin("BTC/USDT", 58_900)
    assert compared(w, guard, own) == [("balance", "USDT margin", "fee")]
    assert w.sim.held(SWAP) == 0


@pytest.mark.parametrize(("kind", "why"), [("autoclose", "liquidation"), ("adl_autoclose", "adl")])
def test_what_the_exchange_forced_is_told(start: Callable[..., World], kind: str, why: str) -> None:
    """A liquidation and a deleveraging, by the client order ids that the exchange gives them."""
    w, guard, own = begin(start)
    w.protected(guard).create_order(SWAP, "market", "buy", 0.1)
    compared(w, guard, own)
    w.sim.linear.force(w.sim.linear.book.named(SWAP), w.clock.now_ms(), kind=kind)
    assert set(compared(w, guard, own)) == {
        ("balance", "USDT margin", "fee"),
        ("balance", "USDT margin", why),
        ("position", SWAP, why),
    }
    assert guard.facts().drift == ()


def test_a_position_by_hand_and_a_transfer(start: Callable[..., World]) -> None:
    """The transfer is explained; the position and what it cost are not, and say which order it was."""
    w, guard, own = begin(start)
    w.sim.transfer(SWAP, 500)
    w.sim.client().create_order(SWAP, "market", "sell", 0.1, None, {"newClientOrderId": "web_1"})
    assert set(compared(w, guard, own)) == {
        ("balance", "USDT margin", "transfer"),
        ("balance", "USDT margin", "unknown"),
        ("position", SWAP, "unknown"),
    }
    drift = {one.key: one for one in guard.facts().drift}
    assert (drift[SWAP].quantity, drift[SWAP].worth) == (Decimal("-0.1"), Decimal(6_000))
    assert drift[SWAP].note == "order 1 (web_1) sold 0.1 BTC/USDT:USDT"


def test_the_control_a_wallet_that_moved_for_no_reason(start: Callable[..., World]) -> None:
    """Money that no income names is unknown."""
    w, guard, own = begin(start)
    w.sim.add_margin("USDT", 70)
    assert compared(w, guard, own) == [("balance", "USDT margin", "unknown")]
