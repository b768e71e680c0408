"""`policykit reconcile`: what a person reads, and what follows from the exit code."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from policykit.cli.reconcile import command
from tests.guard.test_reconcile import compared, text
from tests.guard.world import SYMBOL, World


def run(w: World, *more: str) -> Result:
    """Run the command as a user would."""
    return CliRunner().invoke(command, [str(w.policy), "--store", w.store, "--endpoint", w.sim.url, *more])


@pytest.fixture
def w(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> World:
    """Give an account that a guard has compared once, and the clock of the command."""
    world = start(text=text())
    monkeypatch.setattr("policykit.clock.SystemClock", lambda: world.clock)  # the command's waits cost no wall time
    compared(world, world.guard(), world.sim.client(), 1)
    return world


def test_an_account_that_agrees(w: World) -> None:
    """One line, exit 0."""
    result = run(w)
    assert (result.exit_code, result.output) == (0, "binance/main: it agrees\n")


def test_each_difference_is_a_line_and_what_to_do_next(w: World) -> None:
    """Exit 1; no line over 100 columns; JSON says the same; nothing is written."""
    rows = len(list(w.guard(ready=False).store.rows(0, 10_000)))
    hand = w.sim.client()
    hand.create_order(SYMBOL, "market", "buy", 0.01, None, {"newClientOrderId": "web_1"})
    order = hand.create_order(SYMBOL, "limit", "buy", 0.01, 50_000, {"newClientOrderId": "web_2"})
    w.sim.deposit("USDT", 100)
    w.clock.advance(10)
    result = run(w)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "binance/main: 3 unexplained, 1 explained",
        f"  UNKNOWN: order {order['id']} 0.01, worth 600.00 USDT",
        "      buy 0.01 BTC/USDT at 50000 (web_2), of nobody here",
        "  UNKNOWN: balance BTC 0.00999, worth 599.40 USDT",
        "      order 1 (web_1) bought 0.01 BTC/USDT",
        "  UNKNOWN: balance USDT -600.06, worth 600.06 USDT",
        "      order 1 (web_1) bought 0.01 BTC/USDT",
        "  deposit: balance USDT 100",
        "next: undo it at the exchange, or name who does it under reconciliation.others, or accept it:",
        f"  policykit reconcile {w.policy} --accept --by NAME --why TEXT",
    ]
    told = json.loads(run(w, "--format", "json").output)
    assert [(row["key"], row["explanation"]) for row in told["differences"]][1:] == [
        ("USDT", "deposit"),
        ("BTC", "unknown"),
        ("USDT", "unknown"),
    ]
    kinds = [row.kind for row in list(w.guard(ready=False).store.rows(0, 10_000))[rows:]]
    assert "reconcile" not in kinds


def test_accepted_by_a_person(w: World) -> None:
    """By whom the policy lets re-arm; then it agrees."""
    w.sim.client().create_order(SYMBOL, "market", "buy", 0.01)
    compared(w, w.guard(), w.sim.client())
    assert run(w, "--accept").exit_code == 2
    refused = run(w, "--accept", "--by", "bob", "--why", "x")
    assert (refused.exit_code, "bob may not re-arm" in refused.output) == (1, True)
    w.clock.advance(1)
    done = run(w, "--accept", "--by", "desk-head", "--why", "moved by hand")
    assert (done.exit_code, done.output.splitlines()) == (
        0,
        [
            "balance BTC: 0.00999 is as it should be from now on, by desk-head",
            "balance USDT: -600.06 is as it should be from now on, by desk-head",
        ],
    )
    assert run(w).exit_code == 0
    again = run(w, "--accept", "--by", "desk-head", "--why", "x").output
    assert again.splitlines() == [
        "binance/main: no guard has recorded an unexplained difference; equity is taken as it is, by desk-head",
        "what `policykit reconcile` shows is accepted once a running guard has compared: say it again then",
    ]


def test_another_file_of_the_account_lets_nobody_else_accept(w: World, tmp_path: Path) -> None:
    """Who may is what the policy in force says, not a copy of it with another name in `rearm`."""
    copy = tmp_path / "copy.yaml"
    copy.write_text(w.policy.read_text().replace("by: [desk-head]", "by: [bob]"), encoding="utf-8")
    called = [str(copy), "--store", w.store, "--accept", "--by", "bob", "--why", "x"]
    refused = CliRunner().invoke(command, called)
    assert (refused.exit_code, f"{w.policy}: kill_switch.rearm.by is desk-head" in refused.output) == (1, True)


def test_nothing_to_compare_with_and_no_policy(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """Before any guard has compared it, only open orders can be; without a policy the call is wrong."""
    monkeypatch.delenv("POLICYKIT_POLICY", raising=False)
    world = start(text=text())
    assert CliRunner().invoke(command, []).exit_code == 2
    monkeypatch.setattr("policykit.clock.SystemClock", lambda: world.clock)
    result = run(world)
    assert result.exit_code == 0
    assert result.output.startswith("binance/main: no guard has compared it yet, so only its open orders are;")


def test_an_order_of_unknown_outcome_is_named(w: World) -> None:
    """It is no agreement that nobody knows what became of an order."""
    w.sim.strike({"at": "order", "do": "lost_reply", "when": [1]}, {"at": "lookup", "do": "unknown", "ratio": 1.0})
    guard = w.guard(ready=False)
    client = w.protected(guard)
    with pytest.raises(Exception, match="unknown"):
        client.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)
    w.sim.strike()
    result = run(w)
    assert result.exit_code == 1
    assert "its outcome is not known; see policykit orders --unknown" in result.output
    assert "next: let a running bot of this account look it up, or end it: policykit orders --unknown" in result.output
    assert "--accept" not in result.output
