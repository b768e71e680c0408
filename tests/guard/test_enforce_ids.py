"""The client order id that `@enforce` fills in: what the guard looks up is what the function sent."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit import enforce
from policykit.guard import Guard
from tests.guard.world import SYMBOL, world

ORDER = (SYMBOL, "buy", 0.001, 59_000)


@pytest.fixture
def guard(tmp_path: Path) -> Iterator[Guard]:
    """Give a guard that knows its facts."""
    with world(tmp_path) as w:
        yield w.guard()


def latest(guard: Guard) -> str:
    """Return the id under which the newest order is kept."""
    return guard.store.intents(guard.account)[-1].client_order_id


def passing(inner: Any) -> Any:
    """Put a function behind one of no arguments of its own."""

    @functools.wraps(inner)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return inner(*args, **kwargs)

    return wrapper


@pytest.mark.parametrize("name", ["client_order_id", "newClientOrderId", "orderLinkId"])
@pytest.mark.parametrize("kind", ["function", "keyword", "coroutine", "wrapped", "method"])
def test_an_id_that_was_left_out_is_the_kept_one(guard: Guard, kind: str, name: str) -> None:
    """By position or by name, sync or not, behind a decorator, in a class: told once, by the policy."""
    space: dict[str, Any] = {}
    star = "*, " if kind == "keyword" else ""
    define = "async def" if kind == "coroutine" else "def"
    own = "self, " if kind == "method" else ""
    exec(f"{define} send({own}symbol, side, amount, price, {star}{name}=None):\n    return {name}", space)
    send = space["send"]
    if kind == "wrapped":
        send = passing(send)
    enforced = enforce(guard=guard)(send)
    arguments = (object(), *ORDER) if kind == "method" else ORDER
    for given in ((), (None,)) if kind != "keyword" else ((),):
        told: Any = enforced(*arguments, *given)
        told = asyncio.run(told) if kind == "coroutine" else told
        assert told == latest(guard)
        assert told.startswith("pk")


def test_a_callers_own_id_stays(guard: Guard) -> None:
    """It is the caller's, and kept as it is."""

    @enforce(guard=guard)
    def send(symbol: str, side: str, amount: float, price: float, client_order_id: str | None = None) -> Any:
        return client_order_id

    assert send(*ORDER, client_order_id="mine-1") == "mine-1" == latest(guard)


def test_what_takes_no_id_gets_none(guard: Guard) -> None:
    """Neither a function without the argument, nor one behind a wrapper that would not take it, nor a cancel."""

    def inner(symbol: str, side: str, amount: float, price: float, client_order_id: str | None = None) -> Any:
        return client_order_id

    @functools.wraps(inner)
    def narrow(symbol: str, side: str, amount: float, price: float) -> Any:
        return inner(symbol, side, amount, price)

    def by_place(symbol: str, side: str, amount: float, price: float, client_order_id: Any = None, /) -> Any:
        return client_order_id

    assert enforce(guard=guard)(narrow)(*ORDER) is None
    assert enforce(guard=guard)(by_place)(*ORDER) is None

    @enforce("order.cancel", guard=guard)
    def cancel(symbol: str, client_order_id: str | None = None) -> Any:
        return client_order_id

    assert cancel(SYMBOL) is None


def test_a_lost_answer_is_found_by_it(tmp_path: Path) -> None:
    """A function that sends by itself and loses the answer: the next round finds the order, and trading goes on."""
    with world(tmp_path, {"at": "order", "do": "lost_reply", "when": [1], "after": 1}) as w:
        guard, client = w.guard(), w.sim.client()

        @enforce(guard=guard)
        def send(symbol: str, side: str, amount: float, price: float, client_order_id: str | None = None) -> Any:
            params = {"newClientOrderId": client_order_id}
            return client.create_order(symbol, "limit", side, amount, price, params)

        with pytest.raises(Exception, match=r".*"):
            send(*ORDER)
        assert guard.store.intents(guard.account)[0].state == "unknown"
        guard.maintain()
        assert [intent.state for intent in guard.store.intents(guard.account)] == ["found"]
        send(SYMBOL, "buy", 0.002, 59_000)
        assert len(w.sent) == 2
