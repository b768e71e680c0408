"""Types a user sees: checked by `mypy --strict` in `make test`, never run."""

from __future__ import annotations

from typing import assert_type

import policykit
from policykit import (
    Decision,
    Denied,
    EffectivePolicy,
    Finding,
    Guard,
    Order,
    OutcomeUnknown,
    PolicyError,
    PolicykitError,
    Reason,
    StoreUnavailable,
    enforce,
    load,
)


def a_denial_carries_its_decision(error: Denied) -> None:
    """What a bot reads of a denial."""
    assert_type(error.decision, Decision)
    assert_type(error.decision.reasons, tuple[Reason, ...])
    assert_type(error.decision.order, Order)
    assert_type(error.decision.id, str)


def errors_are_one_tree(
    a: Denied, b: PolicyError, c: StoreUnavailable, d: OutcomeUnknown
) -> tuple[PolicykitError, PolicykitError, PolicykitError, PolicykitError]:
    """One `except PolicykitError` catches all of them."""
    assert_type(b.findings, tuple[Finding, ...])
    assert_type(c.code, str)
    assert_type(d.intent, str)
    return a, b, c, d


def a_policy_is_loaded_by_path() -> None:
    """What a script reads of a policy."""
    policy = load("policy.yaml")
    assert_type(policy, EffectivePolicy)
    assert_type(policy.name, str)
    assert_type(policy.version, str)


def a_guard_decides_without_sending(guard: Guard, order: Order) -> None:
    """`check` answers with the decision itself; a guard is a context manager of itself."""
    assert_type(guard.check(order), Decision)
    with guard as inside:
        assert_type(inside, Guard)


@enforce("order.create")
def buy(symbol: str, amount: float, *, price: float, side: str = "buy") -> int:
    """Keep its own signature under the decorator."""
    return 1


@enforce("order.create")
async def sell(symbol: str, side: str, amount: float) -> str:
    """Keep being a coroutine function under the decorator."""
    return symbol


class Bot:
    """Methods of every kind."""

    @enforce()
    def method(self, symbol: str, side: str, amount: float) -> int:
        """Keep its own signature, `self` bound."""
        return 1

    @classmethod
    @enforce()
    def of_class(cls, symbol: str, side: str, amount: float) -> type[Bot]:
        """Keep its own signature, `cls` bound."""
        return cls

    @staticmethod
    @enforce()
    async def static(symbol: str, side: str, amount: float) -> bytes:
        """Keep being a coroutine function."""
        return b""


def read_odd(ticket: dict[str, str]) -> Order:
    """Read the order of a function whose arguments say nothing to policykit."""
    return Order(ticket["market"])


@enforce(order=read_odd)
def send_odd(ticket: dict[str, str]) -> list[str]:
    """Keep its own signature."""
    return []


async def a_decorated_function_keeps_its_types() -> None:
    """What goes in and comes out is what was written."""
    assert_type(buy("BTC/USDT", 1.0, price=2.0), int)
    assert_type(await sell("BTC/USDT", "sell", 1.0), str)
    assert_type(Bot().method("BTC/USDT", side="buy", amount=1.0), int)
    assert_type(Bot.of_class("BTC/USDT", "buy", 1.0), type[Bot])
    assert_type(await Bot.static("BTC/USDT", "buy", 1.0), bytes)
    assert_type(send_odd({}), list[str])
    buy("BTC/USDT", "1", price=2.0)  # type: ignore[arg-type]  # an editor says that the amount is no number


assert_type(policykit.__version__, str)
