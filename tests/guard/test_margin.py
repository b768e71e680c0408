"""Margin behind a guard: loans are decided and held at the gate; what borrows by itself, and other accounts, never."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from policykit.order import Order
from tests.guard.world import SYMBOL, World, policy_text

D = Decimal
Start = Callable[..., World]
BORROW_REPAY = "POST /sapi/v1/margin/borrow-repay"
HELD = {"USDT": D(40_000), "BTC": D(1)}
TEXT = policy_text(position="200% of equity").replace("trade.spot]", "trade.spot, trade.margin]")
LIMITED = TEXT.replace("  max_open_orders", "  max_borrow: 1000 USDT\n  max_open_orders")


def begin(start: Start, text: str = LIMITED) -> tuple[World, Guard, Any]:
    """Start an exchange that owes 600 USDT, a guard, and a client behind it."""
    world = start(text=text, balances=HELD, grants={"read", "trade.spot", "trade.margin"})
    world.sim.owe("USDT", 600)
    guard = world.guard()
    return world, guard, world.protected(guard)


def refused(call: Callable[..., Any], *args: Any) -> list[str]:
    """Return the codes of a denial."""
    with pytest.raises(Denied) as caught:
        call(*args)
    return [reason.code for reason in caught.value.decision.reasons]


def sent(world: World) -> int:
    """Return how often something was borrowed or paid back."""
    return world.sim.truth.by_route[BORROW_REPAY]


def test_a_loan_and_paying_back(start: Start) -> None:
    """400 are left of 1,000: borrowed once, not twice; paying back passes, in a halt too, and makes room."""
    world, guard, client = begin(start)
    client.borrow_cross_margin("USDT", 400)
    assert refused(client.borrow_cross_margin, "USDT", 1) == ["RISK_BORROW"]
    assert refused(client.borrowIsolatedMargin, SYMBOL, "USDT", 1) == ["RISK_BORROW"]
    guard.store.halt("all", "HALTED", "desk", "test", guard.now())
    client.repay_cross_margin("USDT", 900)
    assert "TRADING_HALTED" in refused(client.borrow_cross_margin, "USDT", 1)
    guard.store.resume("all", "desk", "over", guard.now())
    world.clock.advance(21)
    guard.maintain()
    assert guard.facts().borrowed == (D(100), guard.now())
    client.borrow_isolated_margin(SYMBOL, "BTC", 0.01)
    client.repay_isolated_margin(SYMBOL, "BTC", 0.01)
    assert sent(world) == 4


def test_without_a_limit_nothing_is_borrowed(start: Start) -> None:
    """No `max_borrow` allows no loan; paying back passes."""
    world, _, client = begin(start, TEXT)
    assert refused(client.borrow_cross_margin, "USDT", 1) == ["ACTION_REFUSED"]
    client.repay_cross_margin("USDT", 1)
    assert sent(world) == 1


def test_an_async_client_borrows_alike(start: Start) -> None:
    """The same decisions over an async client."""
    world, guard, _ = begin(start)

    async def both() -> list[str]:
        async with world.sim.client(async_=True) as plain:
            client = guard.protect(plain)
            await client.borrow_cross_margin("USDT", 400)
            with pytest.raises(Denied) as caught:
                await client.borrow_cross_margin("USDT", 1)
        return [reason.code for reason in caught.value.decision.reasons]

    assert asyncio.run(both()) == ["RISK_BORROW"]
    assert sent(world) == 1


RAW: dict[str, tuple[dict[str, str], str | None]] = {
    "as decided": ({}, None),
    "less": ({"amount": "4"}, None),
    "more": ({"amount": "5.01"}, "the amount is 5.01, decided was 5"),
    "another asset": ({"asset": "BTC"}, "the asset is BTC, decided was USDT"),
    "no amount": ({"amount": "x"}, "a number in it cannot be read"),
    "no type": ({"type": "LEND"}, "the type is LEND, decided was BORROW"),
}


@pytest.mark.parametrize("name", RAW)
def test_what_was_admitted_is_what_is_sent(start: Start, name: str) -> None:
    """Under `@enforce` a raw loan passes the gate if it is the one that was decided, or less; never another."""
    changes, why = RAW[name]
    world, guard, client = begin(start)

    @enforce("margin.borrow", guard=guard, order=lambda: Order("USDT", quantity=D(5), action="margin.borrow"))
    def borrow() -> Any:
        asked = {"asset": "USDT", "amount": "5", "isIsolated": "FALSE", "type": "BORROW"}
        return client.sapi_post_margin_borrow_repay(asked | changes)

    if why is None:
        assert "tranId" in borrow()
    else:
        with pytest.raises(Denied, match=why) as caught:
            borrow()
        assert [reason.code for reason in caught.value.decision.reasons] == ["ORDER_DIFFERS"]
    assert sent(world) == (why is None)


def test_one_word_for_another_is_refused(start: Start) -> None:
    """Who was admitted to pay back borrows nothing, and a type that stands there twice is neither."""
    world, guard, client = begin(start)

    @enforce("margin.repay", guard=guard, order=lambda *_: Order("USDT", quantity=D(5), action="margin.repay"))
    def repay(*types: str) -> Any:
        body = "&".join(("asset=USDT", "amount=5", *(f"type={word}" for word in types)))
        return client.fetch(f"{world.sim.url}/sapi/v1/margin/borrow-repay", "POST", {}, body)

    assert refused(repay, "BORROW") == ["RAW_CALL_REFUSED"]
    assert refused(repay, "BORROW", "REPAY") == ["ORDER_DIFFERS"]
    assert refused(client.sapi_post_margin_borrow_repay, {"asset": "USDT"}) == ["RAW_CALL_REFUSED"]
    assert sent(world) == 0


WAYS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "cross order": (lambda c: _order(c, {"marginMode": "cross"}), "ORDER_DIFFERS"),
    "isolated order": (lambda c: _order(c, {"marginMode": "isolated"}), "ORDER_DIFFERS"),
    "order of type margin": (lambda c: _order(c, {"type": "margin"}), "ORDER_DIFFERS"),
    "side effect": (lambda c: _order(c, {"sideEffectType": "MARGIN_BUY"}), "ORDER_DIFFERS"),
    "auto borrow": (
        lambda c: _order(c, {"sideEffectType": "AUTO_BORROW_REPAY", "marginMode": "cross"}),
        "ORDER_DIFFERS",
    ),
    "portfolio margin": (lambda c: _order(c, {"portfolioMargin": True}), "RAW_CALL_REFUSED"),
    "portfolio loan": (lambda c: c.borrow_cross_margin("USDT", 1, {"portfolioMargin": True}), "RAW_CALL_REFUSED"),
    "transfer": (lambda c: c.transfer("USDT", 1, "spot", "margin"), "ACTION_REFUSED"),
    "withdraw": (lambda c: c.sapi_post_capital_withdraw_apply({"coin": "USDT", "amount": 1}), "ACTION_REFUSED"),
    "to a sub-account": (lambda c: c.sapi_post_sub_account_universaltransfer({}), "ACTION_REFUSED"),
}


def _order(client: Any, params: dict[str, Any]) -> Any:
    return client.create_order(SYMBOL, "limit", "sell", 0.001, 61_000, params)


@pytest.mark.parametrize("way", WAYS)
def test_no_other_way_to_borrowed_money(start: Start, way: str) -> None:
    """Orders on margin, orders that borrow by themselves, other accounts, and money that leaves: nothing is sent."""
    call, code = WAYS[way]
    world, _, client = begin(start)
    client.load_markets()
    assert refused(call, client) == [code]
    assert [name for name in world.sim.truth.by_route if not name.startswith("GET")] == []
    assert not world.sim.truth.unrouted
    _order(client, {})
