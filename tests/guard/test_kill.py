"""A kill works on each account by itself, and while the store, an exchange or a policy is broken (G37)."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import policykit
from policykit.cli.__main__ import main
from policykit.clock import SystemClock
from policykit.errors import Denied
from policykit.exchanges.cancelling import FamilyCount
from policykit.guard.halt import Cancelled
from policykit.guard.kill import finish
from policykit.store import open_store
from policykit.store.halting import kill_file
from tests.guard.contracts import SWAP, contracts
from tests.guard.world import SYMBOL, World, policy_text

BUY = (SYMBOL, "limit", "buy", 0.01, 59_000)
SELL = (SYMBOL, "limit", "sell", 0.005, 70_000)
HELD = {"USDT": Decimal(99_000), "BTC": Decimal("0.01")}
ALL = ("kill", "--scope", "all", "--by", "alice", "--why", "runaway loop")


@pytest.fixture
def live(start: Callable[..., World]) -> World:
    """Return an exchange on the machine's clock, with an entry and an exit in its book."""
    world = start(clock=SystemClock(), balances=HELD)
    client = world.protected(world.guard())
    client.create_order(*BUY)
    client.create_order(*SELL)
    return world


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit code and what it printed."""
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def sides(world: World) -> list[str]:
    """Return the sides of the open orders at the exchange."""
    return [order["side"] for order in world.sim.client().fetch_open_orders(SYMBOL)]


def test_an_exchange_that_does_not_answer_delays_no_other(live: World) -> None:
    """The account that can be reached is told while the other still hangs, although it is the second."""
    hanging = socket.create_server(("127.0.0.1", 0))
    other = live.policy.with_name("other.yaml")
    other.write_text(policy_text(name="other", account="second"))
    guard = live.guard(ready=False)
    second = policykit.Guard.load(other, store=guard.store, clock=live.clock, testing=True)
    second.endpoint = f"http://127.0.0.1:{hanging.getsockname()[1]}"
    guard.beat()
    second.beat()
    told: list[Any] = []

    def tell(found: Any) -> None:
        told.append(found)
        hanging.close()  # only now may the other one go on: it is refused

    halted = guard.store.halt("all", "HALTED", "alice", "stop", guard.now())
    result = finish(guard.store, live.clock, "all", halted, [str(other), str(live.policy)], None, tell)
    first, last = told
    assert (first.account, first.families) == ("binance/main", {"spot.order": FamilyCount(2, 1, 1, 0)})
    assert isinstance(last, Cancelled)
    assert (last.account, last.families["spot.order"].unknown == "", last.complete) == (
        "binance/second",
        False,
        False,
    )
    assert not result.complete
    assert sides(live) == ["sell"]


def test_kill_without_its_store(live: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Entries are cancelled by the policy's key alone, exits stay; guards of the host halt by the file; exit code 1."""
    guard = live.guard()
    broken = tmp_path / "no store"
    broken.mkdir()
    where = ("--store", f"sqlite:///{broken}", "--policy", str(live.policy), "--endpoint", live.sim.url)
    code, said = run(capsys, *ALL, *where)
    assert (code, sides(live)) == (1, ["sell"])
    lines = said.splitlines()
    assert lines[0].startswith("THE STORE TOOK NO HALT: ")
    assert lines[2] == f"{kill_file()} is there now: every guard of this user on this host halts by it"
    assert "binance/main: 1 entries cancelled, 1 orders kept that can only reduce; no entry is left" in lines
    assert "  spot.order: listed 2, cancelled 1, kept 1, left 0" in lines
    assert Path(kill_file()).read_text() == "all by alice: runaway loop\n"
    guard.clock.sleep(0.1)
    with pytest.raises(Denied, match="trading is halted by file"):
        live.protected(guard).create_order(*BUY)
    code, said = run(capsys, *ALL, *where, "--format", "json")
    report = json.loads(said)
    assert (report["complete"], report["halted"], report["file"]) == (False, False, kill_file())


def test_kill_with_a_policy_that_does_not_load(live: World, capsys: pytest.CaptureFixture[str]) -> None:
    """What a cancel needs is read all the same; that the policy is broken is said, and is no success."""
    live.policy.write_text(policy_text().replace("owner: desk-a", "owner: desk-a\nownr: desk-b"))
    code, said = run(capsys, *ALL, "--store", live.store, "--endpoint", live.sim.url)
    assert (code, sides(live)) == (1, ["sell"])
    assert f"not reached: {live.policy}: its guards do not start: {live.policy}:4:1: " in said
    live.policy.write_text("nothing of use")
    code, said = run(capsys, *ALL, "--store", live.store, "--endpoint", live.sim.url)
    assert (code, f"not reached: {live.policy}: " in said) == (1, True)


def test_the_call_of_a_library(live: World) -> None:
    """`policykit.kill` does what the command does, and says what came of it."""
    result = policykit.kill(by="watchdog", why="feed is frozen", store=live.store, endpoint=live.sim.url)
    assert (result.complete, sides(live)) == (True, ["sell"])
    (account,) = result.accounts
    assert account.families == {"spot.order": FamilyCount(listed=2, cancelled=1, kept=1, left=0)}
    (halt,) = open_store(live.store).halts()
    assert (halt.by, halt.why, halt.latched) == ("watchdog", "feed is frozen", True)
    assert not Path(kill_file()).exists()


@pytest.mark.parametrize("scope", ["everything", "acount:binance/main", "account:binance", ""])
def test_a_program_is_told_of_a_scope_that_is_none(live: World, scope: str) -> None:
    """It halted nobody, cancelled what was open, and came out complete while the bots went on."""
    with pytest.raises(ValueError, match="account:X/NAME"):
        policykit.kill(scope, by="watchdog", why="x", store=live.store, endpoint=live.sim.url)
    assert open_store(live.store).halts() == []


def test_a_key_that_cannot_be_used_is_replaced_by_another(live: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two keys trade on the account, the first one's secret is gone: the second cancels, and nothing is missing."""
    first = '  gone: {purpose: hedging, secret: "env://GONE", scopes: [read, trade.spot]}\n  mm-exec:'
    live.policy.write_text(policy_text().replace("  mm-exec:", first))
    said = {"by": "a", "why": "b", "store": live.store, "endpoint": live.sim.url}
    assert policykit.kill(**said).complete
    assert sides(live) == ["sell"]
    monkeypatch.delenv("MM_EXEC_API_KEY")
    result = policykit.kill(**said)
    assert not result.complete
    assert "gone: " in result.not_reached[str(live.policy)]
    assert "mm-exec: " in result.not_reached[str(live.policy)]


def test_a_family_that_cannot_be_listed_is_unknown_and_never_flat(start: Callable[..., World]) -> None:
    """One of two families fails: the other is emptied, and the kill is not complete."""
    fault = {"at": "lookup", "do": "unknown", "ratio": 1, "call": "GET /fapi/v1/openAlgoOrders"}
    world = contracts(start, fault, clock=SystemClock())
    world.protected(world.guard()).create_order(SWAP, "limit", "buy", 0.01, 59_000)
    result = policykit.kill(by="a", why="b", store=world.store, endpoint=world.sim.url)
    families = result.accounts[0].families
    assert families["swap.order"] == FamilyCount(listed=1, cancelled=1)
    assert families["swap.algo"].unknown
    assert not result.complete


def test_many_orders_are_cancelled_side_by_side(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fifty entries over four clients of one key: all are gone, each cancelled once, and each cancel is journaled."""
    from policykit.guard import halt as halting

    world = start(clock=SystemClock(), text=policy_text(open=100), balances=HELD)
    guard = world.guard()
    client = world.protected(guard)
    for number in range(50):
        client.create_order(SYMBOL, "limit", "buy", 0.0005, 50_000 + number)
    made: list[int] = []
    real = halting._clients

    def clients(*args: Any) -> list[Any]:
        found = real(*args)
        made.append(len(found))
        return found

    monkeypatch.setattr(halting, "_clients", clients)
    result = policykit.kill(by="a", why="b", store=world.store, endpoint=world.sim.url)
    assert (result.complete, sides(world), max(made)) == (True, [], halting.MOST_CLIENTS)
    assert result.accounts[0].families["spot.order"] == FamilyCount(listed=50, cancelled=50)
    rows = [row.body["decision"]["action"] for row in guard.store.rows(0, 10_000) if row.kind == "decision"]
    assert rows.count("order.cancel") == 50
