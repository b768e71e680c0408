"""The dead man's switch: armed before an entry, refreshed, taken off; a guard that dies leaves it to fire."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import ccxt
import pytest

from policykit.clock import SystemClock
from policykit.errors import Denied, StoreUnavailable
from policykit.exchanges.base import run
from policykit.guard import Guard, enforce
from policykit.guard.dead_man import DeadMan
from policykit.telemetry import names
from tests.guard.contracts import ETH, SWAP, contracts, policy
from tests.guard.world import World, policy_text

Start = Callable[..., World]
CALL = "POST /fapi/v1/countdownCancelAll"
SWITCH = "dead_man_switch: {timeout: 60s, refresh: 15s}\n"
#: Rests far below the market.
ENTRY = (SWAP, "limit", "buy", 0.01, 55_000)
EXIT = (SWAP, "limit", "sell", 0.05, 65_000, {"reduceOnly": True})


def begin(start: Start, *faults: dict[str, Any], **more: Any) -> tuple[World, Guard, Any]:
    """Start an exchange of contracts, and a guard whose policy asks for the switch."""
    exchange = more.get("exchange", "binanceusdm")
    world = contracts(start, *faults, text=policy(exchange) + more.pop("switch", SWITCH), **more)
    guard = world.guard()
    client = world.protected(guard)
    client.load_markets()
    return world, guard, client


def asked(world: World) -> int:
    """Return how often the timer was set or taken off."""
    return world.sim.truth.by_route[CALL]


def resting(world: World) -> list[str]:
    """Return the sides of what rests at the exchange, as an unprotected client lists it."""
    return [order["side"] for order in world.sim.client().fetch_open_orders(SWAP)]


def live(world: World, guard: Guard, seconds: int, every: int = 15) -> None:
    """Let time pass with a round of maintenance now and then."""
    for _ in range(seconds // every):
        world.clock.advance(every)
        guard.maintain()


def said(caplog: pytest.LogCaptureFixture, guard: Guard) -> list[tuple[str, str]]:
    """Return state and market of every event of a switch."""
    guard.telemetry.flush()
    rows = [row.attributes for row in caplog.records if getattr(row, "event_name", "") == names.E_DEAD_MAN]  # type: ignore[attr-defined]
    return [(row[names.DEAD_MAN], row[names.SYMBOL]) for row in rows]


@pytest.mark.parametrize("exchange", ["binanceusdm", "binance"])
def test_it_is_armed_before_the_entry_refreshed_and_fires_when_nobody_does(start: Start, exchange: str) -> None:
    """An entry lives as long as its guard refreshes, and a time-out no longer."""
    world, guard, client = begin(start, exchange=exchange)
    assert asked(world) == 0
    client.create_order(*ENTRY)
    assert asked(world) == 1
    live(world, guard, 120)
    assert resting(world) == ["buy"]
    assert asked(world) == 9  # each 15 s
    world.clock.advance(59)
    assert resting(world) == ["buy"]
    world.clock.advance(2)
    assert resting(world) == []


def test_an_orderly_end_takes_it_off(start: Start) -> None:
    """`with guard` ends: the entry stays at the exchange for ever, since nothing died."""
    world, guard, client = begin(start)
    with guard:
        client.create_order(*ENTRY)
    world.clock.advance(600)
    assert resting(world) == ["buy"]
    assert guard.dead_man.armed == frozenset()


def test_it_is_taken_off_when_no_entry_is_out(start: Start) -> None:
    """An exit that rests is not put at risk any longer than an entry is out."""
    world, guard, client = begin(start)
    client.create_order(SWAP, "market", "buy", 0.05)
    client.create_order(*EXIT)
    live(world, guard, 70)
    assert guard.dead_man.armed == frozenset()
    world.clock.advance(600)
    assert resting(world) == ["sell"]


def test_each_market_has_its_own_timer_and_exits_set_none(start: Start) -> None:
    """Two entries, two timers; an order that only reduces arms nothing, nor does a cancel."""
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    first = client.create_order(ETH, "limit", "buy", 0.1, 2_000)
    assert guard.dead_man.armed == {SWAP, ETH}
    before = asked(world)
    client.cancel_order(first["id"], ETH)
    live(world, guard, 5, every=5)
    assert (guard.dead_man.armed, asked(world)) == ({SWAP}, before + 1)
    with suppress(ccxt.BaseError):  # nothing is held: refused there
        client.create_order(ETH, "limit", "sell", 0.1, 9_000, {"reduceOnly": True})
    assert guard.dead_man.armed == {SWAP}


def test_entries_are_denied_while_it_cannot_be_armed(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """It fails: said once, entries denied with its own code, exits and cancels pass; once armed, entries pass."""
    caplog.set_level(logging.INFO, "policykit.events")
    fault = {"at": "other", "do": "rejected_key", "when": [1, 2, 3]}
    world, guard, client = begin(start, fault)
    world.sim.hold(SWAP, "0.1", entry=60_000)
    guard.maintain()
    for _ in range(2):
        with pytest.raises(Denied) as denied:
            client.create_order(*ENTRY)
        assert [reason.code for reason in denied.value.decision.reasons] == ["DEAD_MAN_UNARMED"]
        assert "it could not be armed: binanceusdm: " in str(denied.value)
    assert client.create_order(*EXIT)["status"] == "open"
    assert said(caplog, guard) == [("failed", SWAP)]
    guard.maintain()
    guard.maintain()
    assert client.create_order(*ENTRY)["status"] == "open"
    assert said(caplog, guard)[:2] == [("failed", SWAP), ("armed", SWAP)]


def test_one_that_fired_is_said_and_armed_again(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A guard that hung for longer than the time-out: its entry is gone, it says so, and its next one is guarded."""
    caplog.set_level(logging.INFO, "policykit.events")
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    world.clock.advance(120)
    assert resting(world) == []
    assert guard.facts(SWAP).store_problem == (
        "DEAD_MAN_UNARMED",
        f"the dead man's switch of {SWAP} (dead_man_switch): it was not refreshed in time",
    )
    guard.maintain()
    guard.maintain()
    client.create_order(*ENTRY)
    live(world, guard, 120)
    assert resting(world) == ["buy"]
    assert ("fired", SWAP) in said(caplog, guard)


def test_exits_in_its_scope_are_warned_of_once(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """A stop beside an entry: what fires may cancel both, which a person should know before."""
    caplog.set_level(logging.INFO, "policykit.events")
    world, guard, client = begin(start)
    client.create_order(SWAP, "market", "buy", 0.05)
    client.create_order(SWAP, "stop_market", "sell", 0.05, None, {"stopPrice": 50_000, "reduceOnly": True})
    client.create_order(*ENTRY)
    live(world, guard, 30)
    assert [one for one in said(caplog, guard) if one[0] == "cancels_exits"] == [("cancels_exits", SWAP)]


def test_behind_a_function_the_first_entry_is_denied_and_the_next_is_guarded(start: Start) -> None:
    """`@enforce` has no client that could arm it: the maintenance loop does, and it stays armed there."""
    world, guard, _ = begin(start)
    bare = world.sim.client()

    @enforce("order.create", guard=guard)
    def buy(symbol: str, side: str, amount: float, price: float, type: str = "limit") -> Any:  # noqa: A002
        return bare.create_order(symbol, type, side, amount, price)

    with pytest.raises(Denied, match="it is not armed yet"):
        buy(SWAP, "buy", 0.01, 55_000)
    guard.maintain()
    assert buy(SWAP, "buy", 0.01, 55_000)["status"] == "open"
    live(world, guard, 120)
    assert guard.dead_man.armed == {SWAP}


def test_it_is_refreshed_while_the_store_is_down(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard lives and its entry may be out: that nothing can be looked up is no reason to let it fire."""
    world, guard, client = begin(start)
    client.create_order(*ENTRY)

    def gone(*_: object, **__: object) -> Any:
        raise StoreUnavailable("the store is down", "STORE_DOWN")

    with monkeypatch.context() as patch:
        for name in ("intents", "beat", "facts"):
            patch.setattr(guard.store, name, gone)
        live(world, guard, 90)
    assert resting(world) == ["buy"]
    live(world, guard, 30)
    assert guard.dead_man.armed == {SWAP}


def test_a_round_between_arming_and_the_order_takes_nothing_off(start: Start) -> None:
    """The maintenance loop looks while an order is on its way to the store: it finds no entry, and leaves the timer."""
    world, guard, client = begin(start)
    assert guard.dead_man.problem(SWAP) is not None
    run(guard.adapter, client, guard.dead_man.arm(SWAP), guard.clock)
    guard.maintain()
    assert guard.dead_man.armed == {SWAP}
    live(world, guard, 3, every=3)
    assert guard.dead_man.armed == frozenset()


def test_a_batch_arms_it_first_as_well(start: Start) -> None:
    """Entries on two markets in one call: both timers run before the first of them is sent."""
    world, guard, client = begin(start)
    batch = [
        {"symbol": symbol, "type": "limit", "side": "buy", "amount": amount, "price": price}
        for symbol, amount, price in ((SWAP, 0.01, 55_000), (ETH, 0.1, 2_000))
    ]
    assert [order["status"] for order in client.create_orders(batch)] == ["open", "open"]
    assert guard.dead_man.armed == {SWAP, ETH}
    assert asked(world) == 2


def test_a_timer_of_the_whole_account_is_one_for_all_markets(start: Start) -> None:
    """As Kraken, OKX and most others have it: one is armed and refreshed, whatever the markets of the entries are."""
    world, guard, client = begin(start)
    product = guard.traits.products["swap"]
    assert product.dead_man_switch is not None
    whole = replace(product, dead_man_switch=replace(product.dead_man_switch, scope="account"))
    guard.traits = replace(guard.traits, products={"swap": whole})
    client.create_order(*ENTRY)
    client.create_order(ETH, "limit", "buy", 0.1, 2_000)
    assert (guard.dead_man.armed, asked(world)) == ({SWAP}, 1)
    live(world, guard, 15)
    assert asked(world) == 2


def test_what_nobody_asks_for_is_not_armed(start: Start) -> None:
    """A policy without the section: no request, no denial."""
    world, _, client = begin(start, switch="")
    client.create_order(*ENTRY)
    guard = client.policykit_gate.guard
    assert list(guard.dead_man.arm(SWAP)) == []
    assert asked(world) == 0


def test_a_bot_may_not_set_the_timer_itself(start: Start) -> None:
    """It would take the guard's off: refused at the gate, as every raw call is."""
    _, _, client = begin(start)
    with pytest.raises(Denied) as denied:
        client.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 0})
    assert denied.value.decision.reasons[0].code == "RAW_CALL_REFUSED"


def test_an_end_leaves_the_timer_over_another_bots_entries(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two bots on one market: the one that ends takes nothing off that guards the other's entry."""
    world, guard, client = begin(start)
    monkeypatch.setenv("POLICYKIT_BOT", "second")
    other = world.guard()
    with guard:
        client.create_order(*ENTRY)
        world.protected(other).create_order(*ENTRY)
    before = asked(world)
    world.clock.advance(30)
    assert resting(world) == ["buy", "buy"]
    with other:
        pass
    assert asked(world) == before + 1  # only refreshed: the first bot's entry is still out


def test_a_timer_that_cannot_be_taken_off_is_said(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """The exchange cannot be reached at the end: it will fire, and the log says so."""
    caplog.set_level(logging.INFO, "policykit.events")
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    world.sim.close()
    guard.dead_man.release(client)
    assert said(caplog, guard)[-1] == ("failed", SWAP)


def test_an_answer_that_does_not_repeat_the_countdown_arms_nothing(start: Start, monkeypatch: Any) -> None:
    """Closed: an answer of another kind is no proof that the timer runs."""
    world, _, client = begin(start)
    monkeypatch.setattr(
        type(client),
        "fapiPrivatePostCountdownCancelAll",
        lambda self, params: {"symbol": "BTCUSDT", "countdownTime": "0"},
    )
    with pytest.raises(Denied, match="it could not be armed"):
        client.create_order(*ENTRY)
    assert world.sent == []


def test_a_policy_taken_out_of_force_takes_the_timer_off(start: Start) -> None:
    """The section leaves the file: nobody refreshes any more, so nothing may be left to fire."""
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    world.policy.write_text(policy())
    guard.reload(allow_loosen=True)
    guard.maintain()
    world.clock.advance(600)
    assert resting(world) == ["buy"]
    guard.maintain()
    assert client.create_order(*ENTRY)["status"] == "open"


def test_in_shadow_mode_nothing_is_armed(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A guard that only watches sets no timer at the exchange, and would deny nothing for want of it."""
    monkeypatch.setenv("POLICYKIT_MODE", "shadow")
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    guard.maintain()
    assert asked(world) == 0
    assert {row.body["decision"]["outcome"] for row in guard.store.rows(0, 9_999) if row.kind == "decision"} == {
        "allow"
    }


def test_where_the_exchange_has_none_the_policy_denies(start: Start) -> None:
    """Spot has no such timer: increases are denied in words that say so, exits pass."""
    world = start(text=policy_text() + SWITCH)
    guard = world.guard()
    with pytest.raises(Denied) as denied:
        world.protected(guard).create_order("BTC/USDT", "limit", "buy", 0.01, 59_000)
    assert [(reason.code, reason.check) for reason in denied.value.decision.reasons] == [
        ("CHECK_MISSING", "guard.dead_man")
    ]
    assert "dead_man_switch is set, and binance has none for spot" in str(denied.value)


@pytest.mark.parametrize(
    ("timeout", "refresh", "every"), [("60s", "15s", 15), ("60s", "50s", 30), ("2s", "500ms", 0.5)]
)
def test_how_often_it_is_looked_after(start: Start, timeout: str, refresh: str, every: float) -> None:
    """As the policy says, and at least twice within the time-out."""
    switch = f"dead_man_switch: {{timeout: {timeout}, refresh: {refresh}}}\n"
    assert begin(start, switch=switch)[1].dead_man.every_s == every


async def test_the_same_async(start: Start) -> None:
    """An async client arms it before its entry, and `async with` takes it off."""
    world, guard, _ = begin(start)
    client = guard.protect(world.sim.client(async_=True))
    try:
        async with guard:
            await client.create_order(*ENTRY)
            assert asked(world) == 1
            assert guard.dead_man.armed == {SWAP}
        world.clock.advance(600)
        assert resting(world) == ["buy"]
    finally:
        await client.close()


# ---- a process that dies


class Ahead(SystemClock):
    """The machine's clock, which the exchange can be moved ahead of."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


BOT = """
import sys, ccxt
from policykit import Guard
policy, store, url, key, secret = sys.argv[1:]
from policykit.exchanges.client import point
guard = Guard.load(policy, store=store, endpoint=url, testing=True)
client = ccxt.binanceusdm({"apiKey": key, "secret": secret})
point(client, url)
with guard:
    guard.protect(client).create_order("BTC/USDT:USDT", "limit", "buy", 0.01, 55000)
    print("placed", flush=True)
    sys.stdin.read(1)
print("ended", flush=True)
"""


@pytest.mark.parametrize(("killed", "left"), [(True, []), (False, ["buy"])])
def test_kill_9_leaves_the_timer_to_cancel_and_an_orderly_end_does_not(
    start: Start, tmp_path: Path, killed: bool, left: list[str]
) -> None:
    """A real process over HTTP: killed, its entry is cancelled by the exchange in time; ended, it stays."""
    clock = Ahead()
    world = contracts(start, text=policy() + SWITCH, clock=clock)
    argv = [sys.executable, "-c", BOT, str(world.policy), world.store, world.sim.url, world.sim.key, world.sim.secret]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bot:
        assert bot.stdin is not None
        assert bot.stdout is not None
        assert bot.stdout.readline() == "placed\n"
        assert resting(world) == ["buy"]
        if killed:
            bot.send_signal(signal.SIGKILL)
        else:
            bot.stdin.write("x")
            bot.stdin.flush()
            assert bot.stdout.readline() == "ended\n"
        bot.wait(60)
    clock.ahead_ms = 61_000
    raw = world.sim.client()
    raw.options["timeDifference"] = -clock.ahead_ms
    assert [order["side"] for order in raw.fetch_open_orders(SWAP)] == left


def test_control_without_the_refresh_an_entry_of_a_living_guard_is_cancelled(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the refresh is for: left out, the exchange cancels although the guard lives."""
    monkeypatch.setattr(DeadMan, "tend", lambda self, client: None)
    world, guard, client = begin(start)
    client.create_order(*ENTRY)
    live(world, guard, 65)
    assert resting(world) == []
