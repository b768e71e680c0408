"""`policykit drill`: the switch is tripped for real, measured, re-armed, and written down where lint finds it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.operate.drill import BOUND_MS, NoDrill, drill_kill
from policykit.operate.person import person
from policykit.orders.intent import Outcome
from policykit.policy import load
from policykit.store.record import record_of
from tests.guard.test_halt import TEXT, _roomy, sides, traders, until
from tests.guard.world import SYMBOL, World, policy_text, world

HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
DRILLED = policy_text().replace("cancel: entries,", "cancel: entries, drill_every: 30d,")
WHO = person("desk-head")


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., World]]:
    """Give a starter of one simulated exchange."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as stack:
        yield lambda **more: stack.enter_context(world(tmp_path, **more))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    """Give a runner of `drill`: exit code, and what was printed."""

    def command(where: World, *arguments: str) -> tuple[int, str]:
        code = main(["drill", arguments[0], "--store", where.store, *arguments[1:]])
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    return command


def test_a_drill_of_real_processes(start: Callable[..., World], tmp_path: Path) -> None:
    """Two processes trade as fast as they can: each has its figure, inside the bound, and trades again afterwards."""
    one = start(clock=SystemClock(), text=TEXT, balances={"USDT": Decimal(90_000), "BTC": Decimal(1)}, limits=_roomy())
    guard = one.guard()
    with traders(one, Path.cwd(), 2, "guarded") as running:
        until(lambda: len(one.sim.truth.executed) >= 20)
        drill = drill_kill(guard.store, guard.clock, [str(one.policy)], WHO, endpoint=one.sim.url)
        executed = len(one.sim.truth.executed)
        until(lambda: "buy" in sides(one, executed))
    assert drill.passed
    pids = {process.pid for process in running}
    assert pids <= {sender.pid for sender in drill.senders}
    assert all(sender.last_send_ms is None or sender.last_send_ms <= BOUND_MS for sender in drill.senders)
    assert guard.store.halts() == []


def test_a_drill_cancels_entries_and_is_found_by_lint(start: Callable[..., World], run: Any) -> None:
    """What a kill does is done, then re-armed; the row says so, and the record has its date."""
    one = start(text=DRILLED, balances=HELD, clock=SystemClock())
    guard = one.guard()
    code, said = run(one, "status")
    assert (code, said) == (1, "binance/main: never passed a drill; OVERDUE: policykit drill kill\n")
    client = one.protected(guard)
    client.create_order(*BUY)
    client.create_order(SYMBOL, "limit", "sell", 0.005, 70_000)
    code, said = run(one, "kill", "--by", "desk-head", "--no-input")
    lines = said.splitlines()
    assert (code, lines[0].partition(",")[0]) == (0, "drill PASSED: halted")
    assert "  spot.order: listed 2, cancelled 1, kept 1, left 0" in lines
    assert f"binance/main: mm on {guard.host} (pid " in lines[1]
    assert lines[1].endswith("sent nothing more")
    assert (guard.store.halts(), [o["side"] for o in client.fetch_open_orders(SYMBOL)]) == ([], ["sell"])
    row = guard.store.kept("binance/main", "drill")["kill"]
    assert (row["by"], row["result"], row["cancelled"], row["kept"], row["left"]) == ("desk-head", "passed", 1, 1, 0)
    record = record_of(guard.store, load(one.policy, now_ms=guard.now()))
    assert record.last_drill_at is not None
    assert record.drills is not None
    assert record.drills["kill"].result == "passed"
    assert client.create_order(*BUY)["status"] == "open"
    code, said = run(one, "status", "--format", "json")
    (standing,) = json.loads(said)
    assert (code, standing["overdue"], standing["passed_at"]) == (0, False, record.last_drill_at)


def test_a_drill_that_finds_a_late_order_fails(start: Callable[..., World]) -> None:
    """An order that was signed later than it may is named, the drill is no drill for lint, and trading is re-armed."""
    one = start(text=DRILLED, balances=HELD)
    guard = one.guard()
    real = guard.store.intents

    def late(*args: Any, **more: Any) -> Any:
        found = real(*args, **more)
        for halt in guard.store.halts() if more.get("open_only") is False else []:
            sent = Outcome("acknowledged", guard.now(), order_id="1", signed_ms=halt.at_ms + BOUND_MS + 1)
            guard.store.outcome(admitted.decision.id, sent)
            found = real(*args, **more)
        return found

    from policykit.order import Order

    admitted = guard.decide(Order(SYMBOL, "buy", "limit", Decimal("0.01"), Decimal(59_000)))
    guard.store.intents = late  # type: ignore[method-assign]
    drill = drill_kill(guard.store, one.clock, [str(one.policy)], WHO)
    assert [(sender.late, sender.last_send_ms) for sender in drill.senders] == [(True, BOUND_MS + 1)]
    assert not drill.passed
    assert set(guard.store.kept("binance/main", "drill")) == {"kill failed"}
    assert guard.store.halts() == []


def test_a_live_noop_cancels_nothing(start: Callable[..., World], run: Any) -> None:
    """Everything up to the cancel: halted and re-armed; no guard that runs meanwhile takes it for a kill."""
    one = start(text=DRILLED, balances=HELD)
    guard = one.guard()
    client = one.protected(guard)
    client.create_order(*BUY)
    real = guard.store.resume
    seen: list[str] = []

    def resume(*args: Any, **more: Any) -> int:
        guard.maintain()
        seen.extend(halt.why for halt in guard.store.halts())
        return real(*args, **more)

    guard.store.resume = resume  # type: ignore[method-assign]
    drill = drill_kill(guard.store, one.clock, [str(one.policy)], WHO, noop=True)
    assert (drill.passed, seen) == (True, ["drill of the kill switch, nothing is cancelled"])
    assert [order["side"] for order in client.fetch_open_orders(SYMBOL)] == ["buy"]
    assert guard.store.kept("binance/main", "drill")["kill"]["live_noop"] is True


def test_a_real_halt_during_a_drill_stays(start: Callable[..., World]) -> None:
    """Somebody kills the account while it is drilled: the drill does not lift that, and says so."""
    one = start(text=DRILLED, balances=HELD)
    guard = one.guard()
    real = guard.store.guards

    def guards() -> Any:
        if len(guard.store.halts()) == 1:
            guard.store.halt("account:binance/main", "HALTED", "alice", "runaway loop", guard.now())
        return real()

    guard.store.guards = guards  # type: ignore[method-assign]
    drill = drill_kill(guard.store, one.clock, [str(one.policy)], WHO)
    assert drill.problems == [
        "account:binance/main was HALTED by alice meanwhile (runaway loop): it is not re-armed",
    ]
    assert not drill.passed
    assert "runaway loop" in [halt.why for halt in guard.store.halts()]


def test_drills_that_must_not_be_held(start: Callable[..., World], run: Any) -> None:
    """A live account, a person who may not re-arm, a halt that a drill would lift, no policy at all: exit code 1."""
    one = start(text=DRILLED, balances=HELD)
    assert run(one, "kill", "--by", "desk-head")[1].startswith("no drill was held: no policy is known to this store")
    guard = one.guard()
    files = [str(one.policy)]
    with pytest.raises(NoDrill, match="environment is live, and a drill cancels entries"):
        drill_kill(guard.store, one.clock, files, WHO, endpoint="https://api.example.com")
    with pytest.raises(NoDrill, match="mallory may not re-arm, and a drill ends with that"):
        drill_kill(guard.store, one.clock, files, person("mallory"))
    guard.store.halt("all", "HALTED", "alice", "real", guard.now())
    code, said = run(one, "kill", "--by", "desk-head", "--format", "json")
    assert (code, said) == (1, "no drill was held: all is HALTED by alice; a drill would lift that\n")
    assert [halt.why for halt in guard.store.halts()] == ["real"]


def test_an_endpoint_that_is_none_halts_nobody(start: Callable[..., World], run: Any) -> None:
    """`binance=URL`, as `incident` takes it, and a slip of the pen: a wrong call, no halt, no drill in the journal."""
    one = start(text=DRILLED, balances=HELD, clock=SystemClock())
    guard = one.guard()
    for wrong in (f"binance={one.sim.url}", "nonsense"):
        code, said = run(one, "kill", "--by", "desk-head", "--no-input", "--endpoint", wrong)
        assert (code, "--endpoint" in said, "the endpoint is no origin" in said) == (2, True, True)
    assert guard.store.kept("binance/main", "drill") == {}
    assert [row.kind for row in guard.store.rows() if row.kind in ("halt", "resume")] == []


def test_a_family_that_is_not_seen_fails_the_drill(start: Callable[..., World], run: Any) -> None:
    """The exchange does not answer: the drill failed, says why, and trading is re-armed."""
    one = start(text=DRILLED, balances=HELD, clock=SystemClock())
    guard = one.guard()
    one.sim.close()
    code, said = run(one, "kill", "--by", "desk-head", "--format", "json")
    told = json.loads(said)
    assert (code, told["passed"]) == (1, False)
    assert told["accounts"][0]["families"]["spot.order"]["unknown"].startswith("open orders cannot be listed")
    assert guard.store.halts() == []
    code, said = run(one, "status")
    assert (code, "FAILED one at" in said) == (1, True)
