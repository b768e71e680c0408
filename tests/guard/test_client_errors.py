"""What a protected client raises, against the handlers that bots have, in freqtrade's order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt
import pytest

from policykit import Denied
from tests.guard.world import SYMBOL, World, policy_text

STOPS = policy_text().replace("[limit, market]", "[limit, market, stop_loss_limit]")
ENTRY = (SYMBOL, "limit", "buy", 0.01, 59_000)
STOP = (SYMBOL, "stop_loss_limit", "sell", 0.01, 57_000, {"stopPrice": 57_500})


def handled(call: Callable[..., Any], arguments: tuple[Any, ...]) -> str:
    """Catch as freqtrade 2026.9 does in `create_stoploss` (exchange.py), and say what it makes of it."""
    try:
        call(*arguments)
    except ccxt.InsufficientFunds:
        return "look at the wallet"
    except (ccxt.InvalidOrder, ccxt.BadRequest, ccxt.OperationRejected):
        return "leave the trade at the market"
    except ccxt.DDoSProtection:
        return "wait and retry the call"
    except (ccxt.OperationFailed, ccxt.ExchangeError):
        return "place it again in the next round"
    except ccxt.BaseError:
        return "stop the bot"
    return "placed"


def held(start: Callable[..., World], text: str = STOPS) -> tuple[World, Any]:
    """Give a protected client on an account that holds what the stop sells."""
    world = start(text=text, balances={"USDT": 100_000, "BTC": "0.01"})
    return world, world.protected()


def test_a_stop_that_the_policy_allows_is_placed(start: Callable[..., World]) -> None:
    """The stop of what is held passes, an exit beside nothing else."""
    world, client = held(start)
    assert handled(client.create_order, STOP) == "placed"
    assert [str(order.new.stop_price) for order in world.sim.venue.orders.values()] == ["57500"]


def test_a_stop_that_must_wait_is_placed_again(start: Callable[..., World]) -> None:
    """A ban ends by itself: freqtrade keeps the trade and tries again, and no bot retries it as a network error."""
    world, client = held(start)
    client.load_markets()
    client.policykit_gate.guard.banned(world.clock.now_ms() + 60_000)
    assert handled(client.create_order, STOP) == "place it again in the next round"
    with pytest.raises(Denied) as denied:
        client.create_order(*STOP)
    assert denied.value.decision.reasons[0].code == "RATE_BANNED"
    assert not isinstance(denied.value, ccxt.NetworkError | ccxt.InvalidOrder)
    assert handled(client.create_order, ENTRY) == "leave the trade at the market"  # InvalidOrder: an entry is given up


def test_a_stop_that_the_policy_never_allows_is_invalid(start: Callable[..., World]) -> None:
    """A stop that would buy more than its cap: waiting does not help it. One that sells too much meets the exchange."""
    _, client = held(start)
    large = (SYMBOL, "stop_loss_limit", "buy", 1, 62_000, {"stopPrice": 61_500})
    assert handled(client.create_order, large) == "leave the trade at the market"
    assert handled(client.create_order, (*STOP[:3], 5, *STOP[4:])) == "look at the wallet"


def test_an_order_of_unknown_outcome_stops_the_bot(start: Callable[..., World]) -> None:
    """Nobody knows whether it executed: it is neither invalid nor to be retried; a person looks."""
    text = STOPS.replace("when_absent: new_client_order_id", "when_absent: hold, wait: 2s")
    world = start({"at": "order", "do": "drop", "when": [1]}, {"at": "lookup", "do": "drop"}, text=text)
    assert handled(world.protected().create_order, ENTRY) == "stop the bot"


def test_a_read_that_must_wait_is_caught_by_either_handler(start: Callable[..., World]) -> None:
    """Bots wait on a DDoSProtection or on a RateLimitExceeded, and the two know nothing of each other."""
    world, client = held(start)
    client.load_markets()
    client.policykit_gate.guard.banned(world.clock.now_ms() + 60_000)
    for handler in (ccxt.DDoSProtection, ccxt.RateLimitExceeded, ccxt.NetworkError):
        with pytest.raises(handler, match="the next read may be sent in 6"):
            client.fetch_ticker(SYMBOL)
