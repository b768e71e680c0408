"""`@enforce` on every kind of callable: what runs is asked once and keeps its name, its arguments and its result."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from policykit.errors import Denied
from policykit.guard import Guard, enforce
from tests.guard.test_enforce import decisions
from tests.guard.world import SYMBOL, World

SMALL = (SYMBOL, "buy", 0.001, 59_000)
LARGE = (SYMBOL, "buy", 9, 59_000)


def kinds(guard: Guard) -> dict[str, Callable[..., Any]]:
    """Return callables of every kind, each of which returns its last argument."""

    @enforce(guard=guard)
    def function(symbol: str, side: str, amount: float, price: float) -> float:
        return price

    class Bot:
        @enforce(guard=guard)
        def method(self, symbol: str, side: str, amount: float, price: float) -> float:
            return price

        @classmethod
        @enforce(guard=guard)
        def of_class(cls, symbol: str, side: str, amount: float, price: float) -> float:
            return price

        @staticmethod
        @enforce(guard=guard)
        def static(symbol: str, side: str, amount: float, price: float) -> float:
            return price

        @enforce(guard=guard)
        def __call__(self, symbol: str, side: str, amount: float, price: float) -> float:
            return price

    def plain(symbol: str, side: str, amount: float, price: float) -> float:
        return price

    @functools.wraps(plain)
    def wrapping(*args: Any, **kwargs: Any) -> float:
        return plain(*args, **kwargs)

    @enforce(guard=guard)
    async def coroutine(symbol: str, side: str, amount: float, price: float) -> float:
        return price

    return {
        "function": function,
        "method": Bot().method,
        "class method": Bot.of_class,
        "class method of an instance": Bot().of_class,
        "static method": Bot.static,
        "callable object": Bot(),
        "wraps": enforce(guard=guard)(wrapping),
        "partial outside": functools.partial(function, SYMBOL),
        "coroutine": lambda *args, **kwargs: asyncio.run(coroutine(*args, **kwargs)),
    }


KINDS = (
    "function",
    "method",
    "class method",
    "class method of an instance",
    "static method",
    "callable object",
    "wraps",
    "partial outside",
    "coroutine",
)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_asked_once_and_returns_what_it_returned(start: Callable[..., World], kind: str) -> None:
    """By position and by name; an order over the cap never reaches the body."""
    guard = start().guard()
    call = kinds(guard)[kind]
    skip = 1 if kind == "partial outside" else 0
    names = ("symbol", "side", "amount", "price")[skip:]
    assert call(*SMALL[skip:]) == 59_000
    assert call(**dict(zip(names, SMALL[skip:], strict=True))) == 59_000
    with pytest.raises(Denied) as denied:
        call(*LARGE[skip:])
    assert denied.value.decision.order.quantity == 9
    assert len(decisions(guard)) == 3


def test_a_decorated_function_keeps_what_editors_show(start: Callable[..., World]) -> None:
    """Name, documentation and signature are those of the function; a coroutine function stays one."""
    guard = start().guard(ready=False)

    def buy(symbol: str, side: str, amount: float, price: float | None = None) -> float:
        """Buy it."""
        return amount

    async def abuy(symbol: str, side: str, amount: float) -> float:
        """Buy it, later."""
        return amount

    for function in (buy, abuy):
        made = enforce(guard=guard)(function)  # type: ignore[type-var]
        assert (made.__name__, made.__doc__) == (function.__name__, function.__doc__)
        assert inspect.signature(made) == inspect.signature(function)
        assert inspect.iscoroutinefunction(made) is inspect.iscoroutinefunction(function)


def test_a_partial_that_binds_an_argument_reads_the_bound_one(start: Callable[..., World]) -> None:
    """`@enforce` around a partial: the symbol that it binds by name is the order's."""
    guard = start().guard()

    def buy(symbol: str, side: str, amount: float, price: float) -> float:
        return price

    made = enforce(guard=guard)(functools.partial(buy, symbol=SYMBOL))
    assert made(side="buy", amount=0.001, price=59_000) == 59_000
    (row,) = [row for row in guard.store.rows(0, 1_000) if row.kind == "decision"]
    assert row.body["decision"]["order"]["symbol"] == SYMBOL


def test_stacked_twice_it_is_decided_twice_and_never_sent_on_a_denial(start: Callable[..., World]) -> None:
    """Two policies' guards on one function: both must allow."""
    guard = start().guard()
    ran: list[float] = []

    @enforce(guard=guard)
    @enforce(guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float) -> None:
        ran.append(amount)

    with pytest.raises(Denied):
        buy(*LARGE)
    assert ran == []
    buy(*SMALL)
    assert ran == [0.001]
    assert len(decisions(guard)) == 3


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: enforce()(lambda symbol, amount: None), "no argument for side"),
        (lambda: enforce("order.buy"), 'action is "order.buy"'),
    ],
)
def test_what_is_missing_is_said_at_decoration(make: Callable[[], object], words: str) -> None:
    """Not at the first order."""
    with pytest.raises(TypeError, match=words):
        make()
