"""Story 12: a revoked key reads like a rate limit, a clock that is apart like a hiccup; the bot goes round."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from policykit.errors import Denied
from tests.guard.bots import Bot
from tests.guard.world import SYMBOL, World

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.01, 61_000)
REVOKED = {"at": "order", "do": "rejected_key", "ratio": 1.0, "limit": 20}
ORDERS = "POST /api/v3/order"


def patient(world: World, client: Any, tries: int = 20) -> int:
    """Buy as many bots do, which wait and try again on what ccxt calls a network error; return how often it asked."""
    client.load_markets()
    client.fetch_balance()  # ccxt tells the two apart only before its first signed answer
    for asked in range(1, tries + 1):
        try:
            client.create_order(*BUY)
        except ccxt.NetworkError:
            world.clock.advance(1)
        except ccxt.ExchangeError:
            return asked
    return tries


def test_bare_a_revoked_key_is_asked_for_ever(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """Control: ccxt says DDoSProtection, so all twenty tries reach the exchange, and there would be more."""
    world = start(REVOKED)
    assert patient(world, trading(world)) == 20
    assert world.sim.truth.by_route[ORDERS] == 20


def test_with_policykit_it_is_a_halt_with_the_reason(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """One request, an error that nobody waits out, and a halt of this bot that says what to mend and how to go on."""
    world = start(REVOKED)
    guard = world.guard()
    client = trading(world, guard)
    assert patient(world, client) == 1
    assert world.sim.truth.by_route[ORDERS] == 1
    (halt,) = guard.store.halts()
    assert (halt.scope, halt.state, halt.by, halt.latched) == ("bot:mm", "HALTED", "keys.mm-exec", True)
    assert halt.why.endswith(
        "the key, its address or its permissions are refused; check key, address allowlist and scopes (-2015); "
        "then policykit resume --scope bot:mm"
    )
    with pytest.raises(Denied, match=r"trading is halted by keys\.mm-exec .*check key, address allowlist and scopes"):
        client.create_order(*BUY)
    with pytest.raises(ccxt.AuthenticationError):  # an exit is tried all the same
        client.create_order(*SELL)
    assert world.sim.truth.by_route[ORDERS] == 2
    assert [row.kind for row in guard.store.rows(0, 1_000)].count("halt") == 1
    assert guard.store.intents() == []


def test_a_read_that_lacks_a_permission_halts_nothing(start: Callable[..., World], trading: Callable[..., Bot]) -> None:
    """The same code on a read is no word on orders: the error is the same, and trading goes on."""
    world = start()
    guard = world.guard()
    client = trading(world, guard)
    world.sim.strike({"at": "account", "do": "rejected_key", "when": [1]})
    errors = []
    for _ in range(9):
        try:
            client.fetch_balance()
        except ccxt.BaseError as error:
            errors.append(type(error))
    assert errors == [ccxt.AuthenticationError]
    assert guard.store.halts() == []
    assert client.create_order(*BUY)["status"] == "open"


def test_with_policykit_a_clock_that_is_apart_sends_nothing(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """Bare, every order is refused with -1021; once the clock is measured none is sent, and the denial says why."""
    world = start({"at": "order", "do": "clock", "ratio": 1.0})
    bare = trading(world)
    for _ in range(3):
        with pytest.raises(ccxt.InvalidNonce):
            bare.create_order(*BUY)
    assert world.sim.truth.by_route[ORDERS] == 3
    guard = world.guard()
    guard.observe(skew_ms=800)
    with pytest.raises(Denied) as denied:
        trading(world, guard).create_order(*BUY)
    assert [reason.code for reason in denied.value.decision.reasons] == ["CLOCK_SKEW"]
    assert world.sim.truth.by_route[ORDERS] == 3


def test_a_legitimate_order_passes_once_the_key_is_mended(
    start: Callable[..., World], trading: Callable[..., Bot]
) -> None:
    """The key works again: nothing by itself, a named person re-arms, and the next order is sent."""
    world = start(REVOKED | {"limit": 1})
    guard = world.guard()
    client = trading(world, guard)
    assert patient(world, client) == 1
    world.clock.advance(5)
    guard.maintain()
    with pytest.raises(Denied):
        client.create_order(*BUY)
    guard.store.resume("bot:mm", "desk-head", "address added to the allowlist", guard.now())
    assert client.create_order(*BUY)["status"] == "open"
