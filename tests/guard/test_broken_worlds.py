"""Broken worlds: whatever an answer is damaged to, nothing is doubled, nothing is lost, and every denial has a reason.

Each world is one exchange and one kind of client; its rounds damage one answer after another, at each place where one
is asked for. What must hold in every round is written in `broken.Broken`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import ccxt
import pytest
from requests.adapters import HTTPAdapter

from policykit.exchanges import bounded
from policykit.sim.damage import HOWS
from tests.canary import assert_clean
from tests.guard.bots import KINDS, bot
from tests.guard.broken import EXCHANGES, PLACES, PLAUSIBLE, broken
from tests.guard.world import SYMBOL, World, kinds

ROUNDS = [(place, how) for how in HOWS for place in PLACES]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("exchange", EXCHANGES)
def test_I1_nothing_is_doubled_or_lost(
    folder: Path,
    tier: Callable[[int, int], int],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    exchange: str,
    kind: str,
) -> None:
    """An order is sent, looked up, listed, priced and cancelled under every damage; in N at every place of each.

    What the bot is told, what is logged and what is kept holds nothing of key and secret (I23).
    """
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(bounded, "MAX_S", 3.0)
    rounds = [one for one in ROUNDS if (exchange, *one) not in PLAUSIBLE and one[1] != "drip"]
    rounds = Random(f"{exchange} {kind}").sample(rounds, tier(3, len(rounds)))
    with broken(folder, exchange, kind) as world:
        for place, how in rounds:
            try:
                world.round(place, how)
            except BaseException as error:
                raise AssertionError(f"{exchange} {kind}: {how} at {place}: {error!r}") from error
        kept = [file.read_bytes().decode("utf-8", "replace") for file in folder.rglob("*") if file.is_file()]
        sim = world.world.sim
        assert_clean("\n".join([*world.told, *kept, caplog.text]), [sim.key, sim.secret])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["order", "lookup"])
def test_I1_an_answer_that_drips_for_ever_ends(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str, kind: str
) -> None:
    """A byte every 20 ms would keep a client of requests busy for ever, and its order with it."""
    monkeypatch.setattr(bounded, "MAX_S", 1.0)
    with broken(folder, "binance", kind) as world:
        world.client.client.timeout = 1_000
        world.round(place, "drip")


@pytest.mark.parametrize(
    ("broken_part", "how", "place", "told"),
    [
        ("policykit.guard.protect.bound_trading", "redirect", "order", "bought twice"),
        ("policykit.guard.gate.same_order", "negative", "order", "settled"),
        ("policykit.orders.life.same_order", "negative", "lookup", "settled"),
    ],
)
def test_control_what_the_rounds_find(
    folder: Path, monkeypatch: pytest.MonkeyPatch, broken_part: str, how: str, place: str, told: str
) -> None:
    """The rounds can fail: a client that follows redirects buys twice, a fill below zero is a lost order."""
    monkeypatch.setattr(broken_part, lambda *_: True)
    with broken(folder, "binance", "sync") as world, pytest.raises(AssertionError, match=told):
        world.round(place, how)


@pytest.mark.parametrize("kind", KINDS)
def test_I1_a_redirect_is_not_followed_with_an_order(start: Callable[..., World], kind: str) -> None:
    """HTTP 307 sends a request again, to the same place: bare two orders of one id, behind the policy one send."""
    rule = {"at": "order", "do": "broken", "how": "redirect", "when": [1]}
    bare, world = start(rule), start(rule)
    with bot(bare, kind) as client:
        client.create_order(SYMBOL, "market", "buy", 0.01)
    assert bare.sent == [("buy", Decimal("0.01"))] * 2
    guard = world.guard()
    with bot(world, kind, guard) as client:
        assert client.create_order(SYMBOL, "market", "buy", 0.01)["filled"] == 0.01
        world.sim.strike({"at": "lookup", "do": "broken", "how": "redirect", "when": [1]})
        with pytest.raises(ccxt.BadResponse, match="the answer is a redirect, which is not followed; check the endp"):
            client.fetch_open_orders(SYMBOL)
    assert world.sent == [("buy", Decimal("0.01"))]
    assert kinds(guard) == ["decision allow", "unknown", "settled"]


def test_a_transport_of_the_bot_s_own_stays(start: Callable[..., World]) -> None:
    """A transport that the bot mounted may bind another address: it is kept, and follows no redirect either."""

    class Own(HTTPAdapter):
        pass

    own = Own()
    world = start({"at": "order", "do": "broken", "how": "redirect", "when": [1]})
    client = world.sim.client()
    client.session.mount("http://", own)
    world.guard().protect(client)
    assert client.session.get_adapter("http://x") is own
    assert client.create_order(SYMBOL, "market", "buy", 0.01)["filled"] == 0.01
    assert world.sent == [("buy", Decimal("0.01"))]
