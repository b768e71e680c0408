"""A file, a signal, the environment and a call halt an account; the halt latches, exits pass (G37, I15)."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.errors import Denied, StoreUnavailable
from policykit.guard import Guard
from policykit.guard.cords import LOOK_EVERY_MS
from policykit.store.halting import kill_file
from tests.guard.test_halt import _roomy
from tests.guard.world import SYMBOL, World, policy_text

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
WITH_FILE = policy_text().replace("cancel: entries,", "cancel: entries, file: STOP,")


@contextmanager
def signals_kept(number: int) -> Iterator[None]:
    """Put a signal's handler back at the end."""
    before = signal.getsignal(number)
    try:
        yield
    finally:
        signal.signal(number, before)


def by_file(world: World, guard: Guard) -> str:
    """Make the file that the policy names."""
    (world.policy.parent / "STOP").touch()
    return f"{world.policy.parent}/STOP is there"


def by_usual_file(world: World, guard: Guard) -> str:
    """Make the file that needs no policy."""
    Path(kill_file()).parent.mkdir(parents=True, exist_ok=True)
    Path(kill_file()).touch()
    return f"{kill_file()} is there"


def by_signal(world: World, guard: Guard) -> str:
    """Send this process a signal."""
    guard.halt_on(signal.SIGUSR1)  # once or often is the same
    signal.raise_signal(signal.SIGUSR1)
    return "this process received SIGUSR1"


WAYS = [by_file, by_usual_file, by_signal]


@pytest.mark.parametrize("way", WAYS)
def test_I15_a_cord_halts_and_latches(start: Callable[..., World], way: Callable[..., str]) -> None:
    """Entries stop and are cancelled, exits pass; what pulled it may go, another guard starts: halted until resumed."""
    world = start(text=WITH_FILE, balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    client.create_order(*BUY)
    with signals_kept(signal.SIGUSR1):
        why = way(world, guard)
    world.clock.sleep(LOOK_EVERY_MS / 1000)
    with pytest.raises(Denied, match=r"trading is halted by (file|signal)") as denied:
        client.create_order(*BUY)
    assert f"{why} on {guard.host}" in str(denied.value)
    assert [(h.scope, h.state, h.latched) for h in guard.store.halts()] == [("account:binance/main", "HALTED", True)]
    guard.maintain()
    assert client.fetch_open_orders(SYMBOL) == []
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)["status"] == "open"
    for file in (world.policy.parent / "STOP", Path(kill_file())):
        file.unlink(missing_ok=True)
    later = world.guard()
    world.clock.sleep(1)
    with pytest.raises(Denied, match="trading is halted"):
        world.protected(later).create_order(*BUY)
    assert len(guard.store.halts()) == 1
    later.store.resume("account:binance/main", "desk-head", "mended", later.now())
    world.clock.sleep(1)
    assert world.protected(later).create_order(*BUY)["status"] == "open"


def test_a_file_that_stays_halts_again(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume while the file that the environment names is there holds for no order."""
    world = start()
    file = world.policy.parent / "named by the environment"
    monkeypatch.setenv("POLICYKIT_KILL_FILE", str(file))
    guard = world.guard()
    file.touch()
    for _ in range(2):
        world.clock.sleep(1)
        with pytest.raises(Denied, match="named by the environment is there"):
            world.protected(guard).create_order(*BUY)
        guard.store.resume("all", "desk-head", "mended", guard.now())
    file.unlink()
    assert world.protected(guard).create_order(*BUY)["status"] == "open"


def test_resume_tells_of_a_file_that_is_still_there(
    start: Callable[..., World], capsys: pytest.CaptureFixture[str]
) -> None:
    """Who resumes hears that guards will halt again."""
    world = start()
    guard = world.guard()
    by_usual_file(world, guard)
    world.clock.sleep(1)
    guard.look()
    code = main(["resume", "--store", world.store, "--scope", "all", "--by", "desk-head", "--why", "mended"])
    assert (code, capsys.readouterr().err.strip()) == (
        0,
        f"{kill_file()} is still there: guards of this host halt again by it; remove it",
    )


def test_the_environment_halts_at_the_start(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """POLICYKIT_HALT halts the account before the first order; a second start adds no halt."""
    world = start()
    monkeypatch.setenv("POLICYKIT_HALT", "moving hosts")
    guards = [world.guard(), world.guard()]
    with pytest.raises(Denied, match=r"halted by environment .*POLICYKIT_HALT is set: moving hosts on"):
        world.protected(guards[1]).create_order(*BUY)
    assert len(guards[1].store.halts()) == 1


def test_a_file_that_cannot_be_looked_for_denies_entries(start: Callable[..., World]) -> None:
    """A path that the system refuses is no proof that nobody halts: entries are denied, exits pass, nothing latches."""
    world = start(text=policy_text().replace("cancel: entries,", f"cancel: entries, file: {'x' * 300},"), balances=HELD)
    client = world.protected()
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert denied.value.decision.reasons[0].code == "KILL_FILE_UNREAD"
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)["status"] == "open"
    assert world.guard().store.halts() == []


def test_a_file_system_that_never_answers_holds_up_nothing(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mount that hangs: no order waits for it, entries are denied once it was silent, and its answer counts then."""
    world = start(text=WITH_FILE, balances=HELD)
    client = world.protected()
    file, stat, answers = str(world.policy.parent / "STOP"), os.stat, threading.Event()

    def hanging(path: Any, *rest: Any, **more: Any) -> Any:
        if path == file:
            assert answers.wait(30)
        return stat(path, *rest, **more)

    monkeypatch.setattr(os, "stat", hanging)
    world.clock.sleep(1)
    assert client.create_order(*BUY)["status"] == "open"
    monkeypatch.setattr("policykit.guard.cords.SILENT_S", 0.0)
    world.clock.sleep(1)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert denied.value.decision.reasons[0].code == "KILL_FILE_UNREAD"
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)["status"] == "open"
    Path(file).touch()
    answers.set()
    for thread in threading.enumerate():
        if thread.name == "policykit-kill-file":
            thread.join(30)
    world.clock.sleep(1)
    with pytest.raises(Denied, match="STOP is there"):
        client.create_order(*BUY)


def test_a_store_that_takes_no_halt_halts_all_the_same(start: Callable[..., World]) -> None:
    """The guard keeps the halt: entries are denied, exits pass; the store has it as soon as it takes it."""
    world = start(text=WITH_FILE, balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    real = guard.store.halt

    def broken(*_: Any, **__: Any) -> Any:
        raise StoreUnavailable("the disk is full", "STORE_FULL")

    guard.store.halt = broken  # type: ignore[method-assign]
    file = world.policy.parent / "STOP"
    file.touch()
    world.clock.sleep(1)
    with pytest.raises(Denied) as denied:
        client.create_order(*BUY)
    assert denied.value.decision.reasons[0].code == "HALT_PENDING"
    assert client.create_order(SYMBOL, "limit", "sell", 0.005, 69_000)["status"] == "open"
    file.unlink()
    world.clock.sleep(1)
    with pytest.raises(Denied, match="the store has not taken the halt yet"):
        client.create_order(*BUY)
    guard.store.halt = real  # type: ignore[method-assign]
    world.clock.sleep(5)
    with pytest.raises(Denied, match="trading is halted by file"):
        client.create_order(*BUY)
    assert len(guard.store.halts()) == 1


def test_a_signal_finds_the_handler_that_was_there(start: Callable[..., World]) -> None:
    """A program's own handler is called as well; the default of the signal, the end of the process, is not."""
    guard = start().guard()
    heard: list[int] = []
    with signals_kept(signal.SIGTERM):
        signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
        guard.halt_on(signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    assert guard.cords.due()
    guard.look()
    assert guard.store.halts()[0].why == f"this process received SIGTERM on {guard.host}"


def test_the_loop_sees_a_file_and_cancels(start: Callable[..., World]) -> None:
    """Without a decision the maintenance loop halts, and cancels at once, not in its next round."""
    world = start(text=WITH_FILE, clock=SystemClock())
    guard = world.guard()
    world.protected(guard).create_order(*BUY)
    with guard:
        (world.policy.parent / "STOP").touch()
        began = guard.clock.monotonic_ms()
        client = world.sim.client()
        while client.fetch_open_orders(SYMBOL):
            guard.clock.sleep(0.05)
            assert guard.clock.monotonic_ms() - began < 30_000
    assert guard.store.halts()[0].by == "file"


def test_I15_whenever_a_cord_is_pulled_no_entry_follows(
    start: Callable[..., World], tier: Callable[[int, int], int]
) -> None:
    """Random ways at random moments, between random orders of two guards: no buy after the look, every sale passes."""
    rng = random.Random(15)
    held = {"USDT": Decimal(99_000), "BTC": Decimal(1)}
    text = policy_text(open=9_000, orders=9_000_000, position="90000 USDT").replace("entries,", "entries, file: STOP,")
    world = start(text=text, balances=held, limits=_roomy())
    guards = [world.guard(), world.guard()]
    clients = [world.protected(guard) for guard in guards]
    with signals_kept(signal.SIGUSR1):
        for _ in range(tier(15, 1_000)):
            for _ in range(rng.randrange(3)):
                rng.choice(clients).create_order(SYMBOL, "limit", "buy", 0.0002, 40_000)
            WAYS[rng.randrange(3)](world, guards[0])
            world.clock.sleep((LOOK_EVERY_MS + rng.randrange(3_000)) / 1000)
            for guard in guards:  # whoever looks first halts both
                guard.look()
            sent = len(world.sent)
            for client in rng.choices(clients, k=3):
                with pytest.raises(Denied):
                    client.create_order(SYMBOL, "limit", "buy", 0.0002, 40_000)
                client.cancel_order(client.create_order(SYMBOL, "limit", "sell", 0.0002, 90_000)["id"], SYMBOL)
            assert [side for side, _ in world.sent[sent:]] == ["sell"] * 3
            for file in (world.policy.parent / "STOP", Path(kill_file())):
                file.unlink(missing_ok=True)
            guards[0].store.resume("all", "desk-head", "again", guards[0].now())
            guards[0].store.resume(f"account:{guards[0].account}", "desk-head", "again", guards[0].now())
            for guard in guards:
                guard.maintain()
