"""`@enforce` on every kind of callable: what runs is asked once and keeps its name, its arguments and its result."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterator
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


@pytest.mark.parametrize("call", [SMALL[:3], (*SMALL, "more")], ids=["too few", "too many"])
def test_a_call_that_cannot_start_is_no_order(start: Callable[..., World], call: tuple[Any, ...]) -> None:
    """Its TypeError came before anything was sent: nothing is decided, and no order is left of unknown outcome."""
    guard = start().guard()
    with pytest.raises(TypeError, match="argument"):
        kinds(guard)["function"](*call)
    assert decisions(guard) == []
    assert guard.store.intents() == []


def test_a_wrapper_may_add_what_the_caller_leaves_out(start: Callable[..., World]) -> None:
    """Whether a call can start is for the outermost function to say, not for the one it wraps."""
    guard = start().guard()

    def buy(symbol: str, side: str, amount: float, price: float, session: object) -> float:
        return price

    @enforce(guard=guard)
    @functools.wraps(buy)
    def with_session(*args: Any, **kwargs: Any) -> float:
        return buy(*args, **kwargs, session=object())

    assert with_session(*SMALL) == 59_000  # type: ignore[call-arg]


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


def sends(symbol: str, side: str, amount: float, price: float) -> float:
    """Stand for a function that sends."""
    return price


async def asends(symbol: str, side: str, amount: float, price: float) -> float:
    """Stand for a coroutine function that sends."""
    return price


def yields(symbol: str, side: str, amount: float) -> Iterator[float]:
    """Stand for a generator that sends."""
    yield amount


@functools.wraps(asends)
def hides_a_coroutine(*args: Any, **kwargs: Any) -> Any:
    """Return the coroutine of the one that it wraps, as a decorator does that knows nothing of asyncio."""
    return asends(*args, **kwargs)


@functools.wraps(yields)
def hides_a_generator(*args: Any) -> Any:
    """Return the generator of the one that it wraps."""
    return yields(*args)


class Sender:
    """An object that sends when it is called."""

    def __init__(self, symbol: str, side: str, amount: float) -> None:
        """Take what is to be sent."""

    async def __call__(self, symbol: str, side: str, amount: float) -> None:
        """Send."""


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (functools.partial(lambda amount: amount, 1), "@enforce: <lambda> has no argument for symbol, side, amount;"),
        (functools.partial(sends, SYMBOL, "buy"), "@enforce: sends has no argument for symbol, side;"),
        (Sender, "@enforce: Sender is a class; put @enforce on its method that sends"),
        (Sender("", "", 1), "@enforce: Sender only returns the coroutine that sends; put @enforce on the `async def`"),
        (hides_a_coroutine, "@enforce: asends only returns the coroutine that sends; put @enforce on the `async def`"),
        (hides_a_generator, "@enforce: yields is a generator; a permit cannot outlive a yield"),
        (functools.partial(yields, SYMBOL), "@enforce: yields is a generator; a permit cannot outlive a yield"),
        (
            lambda symbol, market, side, amount: None,
            "@enforce: <lambda> has symbol and market, which both read as the symbol; give @enforce(order=...) a",
        ),
        (
            lambda symbol, side, qty, amount: None,
            "@enforce: <lambda> has qty and amount, which both read as the amount; give @enforce(order=...) a",
        ),
        (lambda **order: None, "@enforce: <lambda> has no argument for symbol, side, amount;"),
    ],
)
def test_what_cannot_be_enforced_is_refused_by_name(function: Callable[..., Any], words: str) -> None:
    """A partial and an object are called by the name of what they call, and each refusal says what to do."""
    with pytest.raises(TypeError) as refused:
        enforce()(function)
    assert words in str(refused.value)


def test_either_order_of_class_and_static_methods(start: Callable[..., World]) -> None:
    """`@enforce` above `@classmethod` and `@staticmethod` reads the same as below them."""
    guard = start().guard()

    class Bot:
        @enforce(guard=guard)  # type: ignore[arg-type]
        @classmethod
        def of_class(cls, symbol: str, side: str, amount: float, price: float) -> str:
            return cls.__name__

        @enforce(guard=guard)
        @staticmethod
        def static(symbol: str, side: str, amount: float, price: float) -> float:
            return price

    for call, result in ((Bot.of_class, "Bot"), (Bot().static, 59_000)):
        assert call(*SMALL) == result  # type: ignore[operator]
        with pytest.raises(Denied):
            call(*LARGE)  # type: ignore[operator]


def test_a_partial_of_a_coroutine_function_is_awaited(start: Callable[..., World]) -> None:
    """It is one, whatever binds its arguments."""
    guard = start().guard()
    made = enforce(guard=guard)(functools.partial(asends, symbol=SYMBOL))
    assert asyncio.run(made(side="buy", amount=0.001, price=59_000)) == 59_000
    assert [intent.state for intent in guard.store.intents()] == ["acknowledged"]


def test_what_returns_before_it_sent_keeps_its_reservation(start: Callable[..., World]) -> None:
    """A function that hands back a task or a coroutine has sent nothing that anybody knows of yet."""
    guard = start().guard()

    @enforce(guard=guard)
    def later(symbol: str, side: str, amount: float, price: float) -> Any:
        return asends(symbol, side, amount, price)

    later(*SMALL).close()
    assert [(intent.state, intent.error) for intent in guard.store.intents()] == [("unknown", "RETURNED_UNFINISHED")]


def test_the_callers_own_id_is_the_orders(start: Callable[..., World]) -> None:
    """By the name that the library has for it; an order without one gets policykit's."""
    guard = start().guard()

    @enforce(guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float, orderLinkId: str | None = None) -> None:  # noqa: N803
        """Send nothing."""

    buy(*SMALL, orderLinkId="bot-1")
    buy(*SMALL[:3], 58_000)
    ids = [intent.client_order_id for intent in guard.store.intents()]
    assert ids[0] == "bot-1"
    assert ids[1].startswith("pk")
    with pytest.raises(Denied) as denied:
        buy(*SMALL, orderLinkId="bot-1")
    assert denied.value.decision.reasons[0].code == "CLIENT_ORDER_ID_REUSED"
