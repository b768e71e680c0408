"""A kill where no guard trades: over a client that can only read and cancel, in dialects of their own (G37)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import policykit
from policykit.clock import SystemClock
from policykit.errors import StoreUnavailable
from policykit.exchanges.cancelling import FamilyCount
from policykit.guard.emptying import Emptying, target_of
from policykit.guard.halt import Cancelled
from policykit.sim import SimServer
from policykit.store import open_store
from policykit.store.halting import halt_first, kill_file
from policykit.store.memory import MemoryStore

POLICY = """\
policykit: 1
name: swing
owner: desk-a
exchange: {exchange}
account: {{name: main, currency: USDT, max_age: 10s}}
environment: live
keys:
  swing: {{purpose: execution, secret: "env://SWING", scopes: [read, trade.spot]}}
risk: {{symbols: ["BTC/USDT", "ETH/USDT"]}}
kill_switch: {{cancel: entries}}
"""


@contextmanager
def book(exchange: str, folder: Path, monkeypatch: pytest.MonkeyPatch, *faults: Any) -> Iterator[tuple[SimServer, str]]:
    """Start an exchange with two entries and an exit in its book, and write a policy for it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    policy = folder / "swing.yaml"
    policy.write_text(POLICY.format(exchange=exchange))
    with SimServer(clock=SystemClock(), dialect=exchange, faults=faults, balances={"USDT": 9_000, "BTC": 1}) as sim:
        for name, value in sim.main_key.credentials().items():
            monkeypatch.setenv(f"SWING_{name.upper()}", value)
        sim.order("BTC/USDT", "buy", "0.001", 20_000)
        sim.order("ETH/USDT", "buy", "0.01", 1_000)
        sim.order("BTC/USDT", "sell", "0.001", 900_000)
        yield sim, str(policy)


def resting(sim: SimServer) -> list[str]:
    """Return the sides of what is open."""
    return [order.new.side.lower() for order in sim.venue.orders.values() if order.is_open]


@pytest.mark.parametrize("exchange", ["kraken", "gate", "okx", "kucoin"])
def test_entries_go_and_exits_stay(exchange: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four exchanges on which no guard trades: the halt stands, the book holds the exit only, all of it was seen."""
    with book(exchange, tmp_path, monkeypatch) as (sim, policy):
        said = {"by": "a", "why": "b", "policies": [policy], "endpoint": sim.url}
        result = policykit.kill(**said)  # type: ignore[arg-type]
        assert resting(sim) == ["sell"]
        (account,) = result.accounts
        assert account.account == f"{exchange}/main"
        count = account.families["spot.order"]
        assert (count.listed, count.cancelled, count.kept, count.left) == (3, 2, 1, 0)
        unseen = {name: one.unknown for name, one in account.families.items() if one.unknown}
        assert result.complete is not bool(unseen)
        assert [halt.scope for halt in open_store().halts()] == ["all"]


def test_scopes_take_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A symbol's entries, and a bot's, which has none here."""
    with book("kraken", tmp_path, monkeypatch) as (sim, policy):
        said: dict[str, Any] = {"by": "a", "why": "b", "policies": [policy], "endpoint": sim.url}
        policykit.kill("bot:swing", **said)
        assert len(resting(sim)) == 3
        policykit.kill("exchange:okx", **said)
        assert len(resting(sim)) == 3
        policykit.kill("symbol:ETH/USDT", **said)
        assert resting(sim) == ["buy", "sell"]
        work = Emptying(None, SystemClock(), target_of(policy, 0), "bot:swing", sim.url)
        report = work._once()
        assert "without the store nobody knows which orders are this bot's" in report.failed[0]
        assert not report.complete


def test_a_cancel_that_is_refused_is_left_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exchange takes no cancel: what is left is counted, and the kill is not complete."""
    refused = {"at": "cancel", "do": "unknown", "ratio": 1.0, "executed": False}
    with book("kraken", tmp_path, monkeypatch, refused) as (sim, policy):
        result = policykit.kill(by="a", why="b", policies=[policy], endpoint=sim.url)
        assert resting(sim) == ["buy", "buy", "sell"]
        assert result.accounts[0].families["spot.order"].left == 2
        assert result.accounts[0].failed[0].startswith("spot.order: ")
        assert not result.complete


def test_an_exchange_that_nobody_can_cancel_on_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No adapter at all, or no key that trades: the account is told as not reached, with what to do."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    policy = tmp_path / "swing.yaml"
    policy.write_text(POLICY.format(exchange="bitstamp"))
    result = policykit.kill(by="a", why="b", policies=[str(policy)])
    assert not result.complete
    assert "no key of the policy may trade" in result.not_reached[str(policy)]
    assert "cancel at the exchange" in result.not_reached[str(policy)]


def test_what_goes_wrong_inside_is_told_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours in one account ends in a sentence without foreign text, never in silence or a traceback."""
    with book("kraken", tmp_path, monkeypatch) as (sim, policy):

        def broken(*_: Any, **__: Any) -> Any:
            raise ZeroDivisionError("a secret")

        monkeypatch.setattr(Emptying, "_unguarded", lambda *_: broken)
        result = policykit.kill(by="a", why="b", policies=[policy], endpoint=sim.url)
        assert result.accounts[0].failed == ["ZeroDivisionError while orders were cancelled"]
        monkeypatch.setattr(Emptying, "_hands", broken)
        result = policykit.kill(by="a", why="b", policies=[policy], endpoint=sim.url)
        assert result.not_reached == {policy: "ZeroDivisionError; cancel at the exchange"}


def test_a_store_that_breaks_after_the_halt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The halt is in; then the store is gone: orders are cancelled all the same, and what is not known is said."""
    with book("kraken", tmp_path, monkeypatch) as (sim, policy):
        store = MemoryStore()
        halted = store.halt("all", "HALTED", "a", "b", 0)

        def down(*_: Any, **__: Any) -> Any:
            raise StoreUnavailable("the disk is gone", "STORE_DOWN")

        for name in ("guards", "intents"):
            monkeypatch.setattr(store, name, down)
        from policykit.guard.kill import finish, policies_of

        monkeypatch.setenv("POLICYKIT_POLICY", policy)
        assert policies_of(store, []) == [policy]
        result = finish(store, SystemClock(), "all", halted, [policy], sim.url)
        assert resting(sim) == ["sell"]
        assert result.not_reached == {"store": "what may still be sent is not known: the disk is gone"}
        work = Emptying(store, SystemClock(), target_of(policy, 0), "all", sim.url)
        assert work._who_else() == "no live guard of that account was heard of: cancel at the exchange"


def test_neither_store_nor_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even the kill file can be made, that is said beside what is wrong with the store."""
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "a file"))
    os.mkfifo(tmp_path / "KILL")
    with monkeypatch.context() as named:
        named.setenv("POLICYKIT_KILL_FILE", str(tmp_path / "KILL"))
        waited = halt_first(f"sqlite:///{tmp_path}", "all", "a", "b", 0)
    assert (waited.store, waited.file) == (None, None), "a pipe that nobody reads holds up no kill"
    halted = halt_first(f"sqlite:///{tmp_path}", "all", "a", "b", 0)
    assert (halted.store, halted.file) == (None, None)
    assert f"{kill_file()} cannot be made either (" in halted.problem


def test_an_account_that_says_nothing_is_told_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that never ends holds nobody up: its account is told as not reached."""
    from policykit.guard import kill as killing

    with book("kraken", tmp_path, monkeypatch) as (sim, policy):
        monkeypatch.setattr(killing, "BOUND_S", 0.01)
        monkeypatch.setattr(Emptying, "begin", lambda self, ended: None)
        result = policykit.kill(by="a", why="b", policies=[policy], endpoint=sim.url)
        assert result.not_reached == {policy: "no answer within 0 s; run kill again"}


def test_later_passes_add_up() -> None:
    """What two passes over a family saw and cancelled is one count; what the later one saw is what is left."""
    one = Cancelled("a", {"f": FamilyCount(3, 2, 0, 1)}, cancelled=["x"])
    one.add(Cancelled("a", {"f": FamilyCount(2, 1, 1, 0), "g": FamilyCount(1, 0, 1)}, ["x", "y"]))
    assert one.families == {"f": FamilyCount(4, 3, 1, 0), "g": FamilyCount(1, 0, 1)}
    assert (one.cancelled, one.complete) == (["x", "y"], True)
