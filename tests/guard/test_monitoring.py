"""What a monitor is told of a store: one line, and an answer that scripts can act on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.dashboard.trading import trading
from policykit.guard import Guard
from policykit.guard.monitoring import Bounds, State, inspect
from policykit.guard.standing import standing
from policykit.guard.standing_text import render
from policykit.orders.intent import Outcome
from policykit.store import GuardInfo, open_store
from tests.guard.world import SYMBOL, World, policy_text, world
from tests.telemetry.nouns import AT_MS, decision, intent

ACTIVE = "OK: trading is ACTIVE, live guards: 0, unknown orders: 0"
NO_GUARDS = "| guards=0 halts=0 unknown=0"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    """Give an exchange, and a policy that compares its account."""
    with world(tmp_path, text=policy_text() + "reconciliation: {orders_every: 60s}\n") as one:
        yield one


def seen(guard: Guard, after_ms: int = 0, damage: str | None = None, **bounds: int) -> State:
    """Return what a monitor sees of a guard's store, some time from now."""
    return inspect(guard.store, guard.host, guard.now() + after_ms, Bounds(**bounds), damage)


def beats(guard: Guard, **changes: Any) -> None:
    """Say that the guard's loop runs, as `with guard:` does."""
    guard.store.beat(guard.in_force.info()._replace(loop=True, **changes))


def test_all_is_well(made: World) -> None:
    """A guard that was heard lately, with fresh facts, is nothing to tell."""
    guard = made.guard()
    beats(guard)
    found = seen(guard, guards=1)
    assert found.line() == "OK: trading is ACTIVE, live guards: 1, unknown orders: 0 | guards=1 halts=0 unknown=0"
    assert found.to_dict() == {
        "version": 1,
        "well": True,
        "problems": [],
        "guards": 1,
        "halts": 0,
        "unknown_orders": 0,
    }


def test_a_halt_is_trouble_and_a_drill_is_not(made: World) -> None:
    """Whoever it concerns, also where no guard told of its policy."""
    guard = made.guard()
    beats(guard)
    guard.store.halt("bot:nobody", "REDUCING", "ops", "drill of November", guard.now())
    assert seen(guard).line().startswith("OK: trading is halted for a drill, live guards: 1")
    guard.store.halt("bot:nobody", "HALTED", "ops", "a | bar\nand a line", guard.now(), freeze=True)
    found = seen(guard)
    assert found.line() == (
        'TROUBLE (1): trading is HALTED for bot:nobody, exits frozen too, by ops: "a / bar and a line" '
        "| guards=1 halts=1 unknown=0"
    )
    (problem,) = found.to_dict()["problems"]
    assert (problem["cause"], problem["subject"], problem["severity"]) == ("halt", "bot:nobody", "critical")


def test_silence_is_measured_by_the_monitors_own_bound(made: World) -> None:
    """A guard whose loop ran and is not heard is silent from --max-silent on; one that ended is not."""
    guard = made.guard()
    beats(guard, host="elsewhere")
    assert not [one for one in seen(guard, 59_000).problems if one.cause == "guard_silent"]
    (silent,) = [one for one in seen(guard, 61_000).problems if one.cause == "guard_silent"]
    assert silent.what.startswith(f"bot {guard.bot} of binance/main on elsewhere")
    assert not [one for one in seen(guard, 61_000, silent_ms=120_000).problems if one.cause == "guard_silent"]
    beats(guard, host="elsewhere", beat_ms=guard.now() + 1)
    guard.store.beat(guard.in_force.info()._replace(host="elsewhere", beat_ms=guard.now() + 2))
    assert not [one for one in seen(guard, 61_000).problems if one.cause == "guard_silent"]


def test_fewer_guards_than_meant_are_trouble(made: World) -> None:
    """A bot that never started beats nowhere: only who knows how many are meant can tell."""
    guard = made.guard()
    beats(guard)
    assert [one.what for one in seen(guard, guards=2).problems] == ["live guards: 1; at least 2 are meant"]


def test_unknown_orders_are_trouble_above_the_bound(made: World) -> None:
    """Each account's are counted together."""
    guard = made.guard()
    beats(guard)
    told = replace(intent(decided_ms=guard.now(), permit_until_ms=guard.now()), account=guard.account)
    guard.store.reserve(decision(), told, (), 0, guard.now())
    guard.store.outcome(told.id, Outcome("unknown", guard.now()))
    (problem,) = seen(guard).problems
    assert (problem.cause, problem.what) == (
        "unknown_order",
        f"1 order of unknown outcome: {SYMBOL} buy {told.id}",
    )
    assert seen(guard).line().endswith("unknown=1")
    assert seen(guard, unknown=1).well


def test_old_facts_of_a_guard_that_runs_are_trouble(made: World) -> None:
    """It denies every increase, and monitors are told why; of one that ended nothing is expected."""
    guard = made.guard()
    guard.store.beat(guard.in_force.info()._replace(beat_ms=guard.now() + 100_000))
    assert seen(guard, 100_000).well
    beats(guard, beat_ms=guard.now() + 100_000)
    (problem,) = seen(guard, 100_000).problems
    assert problem.what.startswith("binance/main decides on no increase: the account was last read 10")
    now = standing(guard.store, guard.host, guard.now() + 100_000)
    (why,) = now.idle.values()
    assert why.startswith("the account was last read 10")
    head = f"trading: ACTIVE, but no increase is decided\n  binance/main: {why}\n"
    assert render(now).startswith(head)
    assert now.to_dict()["decides_on_no_increase"] == {"binance/main": why}
    told = trading([], 1, now.idle)
    assert (told.level, told.word) == ("unsure", "ACTIVE, but blind")
    assert told.says == f"No increase is decided. binance/main: {why}."
    assert trading([], 1).word == "ACTIVE"


def test_a_drift_and_a_damage_are_told_the_worst_first(made: World) -> None:
    """What cannot wait stands first; three are named."""
    guard = made.guard()
    beats(guard)
    guard.store.reconcile(guard.account, {"drift": [["position", SYMBOL, "0.5", None, ""]]}, guard.now() - 181_000)
    guard.observe(skew_ms=900)
    found = seen(guard, damage="row 7 was\nchanged")
    assert [one.cause for one in found.problems][:2] == ["cannot_decide", "drift"]
    assert len(found.problems) == 4
    assert "TROUBLE (4): the journal: row 7 was changed; nothing explains" in found.line()
    assert "; and 1 more | guards=1" in found.line()


# ---- the command


@pytest.fixture
def store(tmp_path: Path) -> tuple[str, Path]:
    """Give the address and the file of a store with one row."""
    path = tmp_path / "store.db"
    opened = open_store(f"sqlite:///{path}")
    opened.record(decision(), AT_MS)
    opened.close()
    return f"sqlite:///{path}", path


def checked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the check; return its exit code and what it printed."""
    code = main(["status", "--check", *arguments])
    return code, capsys.readouterr().out


def test_the_command_answers_with_its_exit_code(store: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """0 all is well, 1 it is not, 3 there is nothing to ask; one line each."""
    uri, path = store
    assert checked(capsys, "--store", uri) == (
        0,
        f"{ACTIVE} {NO_GUARDS}\n",
    )
    code, line = checked(capsys, "--store", uri, "--min-guards", "1")
    assert (code, line) == (1, f"TROUBLE (1): live guards: 0; at least 1 are meant {NO_GUARDS}\n")
    gone = path.with_name("gone.db")
    code, line = checked(capsys, "--store", f"sqlite:///{gone}")
    assert (code, line.count("\n")) == (3, 1)
    assert line.startswith(f"UNKNOWN: {gone}: there is no journal")
    assert not gone.exists()
    code, line = checked(capsys, "--store", f"sqlite:///{gone}", "--format", "json")
    assert (code, list(json.loads(line))) == (3, ["version", "error"])
    assert checked(capsys, "--store", "memory:")[0] == 3
    assert main(["status", "--check", "--max-silent", "soon"]) == 2


def test_a_damaged_journal_is_trouble(store: tuple[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """A row that was changed, or a file that is none: the answer is no, not that nobody could be asked."""
    uri, path = store
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE journal SET body = '{}'")
    code, line = checked(capsys, "--store", uri)
    assert code == 1
    assert "the journal: " in line
    assert "row 1" in line
    assert "|" not in line  # what cannot be read is no 0
    code, text = checked(capsys, "--store", uri, "--format", "json")
    said = json.loads(text)
    assert (code, said["well"], said["halts"], said["guards"]) == (1, False, None, None)
    path.write_bytes(path.read_bytes()[:100] + b"\xff" * 8_000)
    assert checked(capsys, "--store", uri)[0] in (1, 3)


def test_a_guard_elsewhere_is_counted_by_its_heartbeat(
    store: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The monitor's own host has no process to look for."""
    uri, _ = store
    opened = open_store(uri)
    now = SystemClock().now_ms()
    opened.beat(GuardInfo("mm-1", "elsewhere", 7, "binance/main", "mm", "v1", "mm.yaml", "enforce", now))
    opened.close()
    code, line = checked(capsys, "--store", uri, "--min-guards", "1")
    assert (code, line.endswith("| guards=1 halts=0 unknown=0\n")) == (0, True)
