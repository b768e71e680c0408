"""`policykit stage exercise`: each order type and error path in a sandbox, through the real guard, against the sim."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from policykit.cli.__main__ import main
from policykit.errors import PolicykitError
from policykit.operate.stages.exercise import NoSandbox, exercise, symbol_of
from policykit.operate.stages.needs import paths_of
from policykit.store.staging import staging_of
from tests.guard.contracts import SWAP, policy
from tests.guard.world import SYMBOL, World, policy_text, world

SANDBOX = policy_text(order="1500 USDT").replace("environment: live", "environment: sandbox") + (
    "stage: {current: sandbox, next_needs: {approver: head}}\n"
)

SANDBOX_AS = (
    "as a policy of its own file with the same name and account, environment: sandbox and stage: {current: sandbox} "
    "(docs/stages.md)"
)
SANDBOX_WORDS = f"policykit stage exercise SANDBOX.yaml, {SANDBOX_AS}"


def test_everything_that_a_promotion_asks_for_is_in_the_journal(tmp_path: Path) -> None:
    """Each step comes out as it should, and the rows of it are the evidence; nothing is left open or held."""
    with world(tmp_path, text=SANDBOX) as made:
        guard = made.guard(ready=False)
        with guard:
            client = guard.own_client()
            steps = list(exercise(guard, client, symbol_of(guard)))
            assert [(step.name, step.words) for step in steps if not step.ok] == []
            seen = staging_of(guard.store, guard.policy).stages["sandbox"]
            assert seen.types == {"limit", "market"}
            assert seen.paths == {"denied", "rejected", "filled", "cancelled", "amended", "unknown"}
            assert client.fetch_open_orders(SYMBOL) == []


def test_only_its_own_orders_are_cancelled(tmp_path: Path) -> None:
    """A bot of the same policy trades there: its orders from before and from meanwhile rest on, and that is said."""
    with world(tmp_path, text=SANDBOX) as made:
        bot = made.guard()
        theirs = bot.protect(made.sim.client())
        before = theirs.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)["id"]
        made.clock.advance(1_000)
        bot.host = "another"
        guard = made.guard(ready=False)
        with guard:
            client = guard.own_client()
            steps = exercise(guard, client, SYMBOL)
            next(steps)
            meanwhile = theirs.create_order(SYMBOL, "limit", "buy", 0.001, 50_000)["id"]
            client.cancel_order, cancel = lambda *order: None, client.cancel_order
            for step in steps:
                if step.name.startswith("market: sold"):
                    client.cancel_order = cancel  # what was rested could not be cancelled: the last step does it
            assert step == ("none of its own orders is left open", True, step.words)
            assert step.words == "2 cancelled; 2 open orders of others on BTC/USDT left alone"
            assert {order["id"] for order in client.fetch_open_orders(SYMBOL)} == {before, meanwhile}


def exercise_of(made: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the command, whose clock is that of the simulated exchange."""
    monkeypatch.setattr("policykit.guard.core.SystemClock", lambda: made.clock)
    return ["stage", "exercise", str(made.policy), "--store", made.store, "--endpoint", made.sim.url]


def test_the_command_says_each_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line each; and with them a stage has what it needs of types and paths."""
    with world(tmp_path, text=SANDBOX) as made:
        asked = exercise_of(made, monkeypatch)
        assert main(asked) == 0
        said = capsys.readouterr().out.splitlines()
        assert said[0] == "[x] an order over the policy's caps is denied: RISK_ORDER_NOTIONAL, RISK_POSITION"
        assert said[-1] == f"8 of 8 as they should be; policykit stage check {made.policy}"
        assert main(["stage", "check", str(made.policy), "--store", made.store]) == 1
        checked = capsys.readouterr().out
        assert "  [x] each allowed order type sent: all" in checked
        assert "  [x] each error path met: all" in checked
        assert main(["orders", "--unknown", "--store", made.store]) == 0


def test_a_live_policy_is_told_which_other_one_to_exercise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its check names no command that refuses it; the policy that it names counts for it, also without a stage."""
    live = policy_text(order="1500 USDT") + "stage: {current: paper}\n"
    with world(tmp_path, text=live.split("stage:")[0].replace("environment: live", "environment: sandbox")) as made:
        beside = made.policy.with_name("live.yaml")
        beside.write_text(live, encoding="utf-8")
        asked = ["stage", "check", str(beside), "--store", made.store]
        assert main(asked) == 1
        said = capsys.readouterr().out
        assert "stage exercise" not in said.replace(SANDBOX_WORDS, "")
        assert said.count(SANDBOX_WORDS) == 3
        assert f"let it run at sandbox for 7 more days, {SANDBOX_AS}" in said
        assert main(exercise_of(made, monkeypatch)) == 0
        assert main(asked) == 1
        assert "  [x] 1 orders in sandbox: 6" in capsys.readouterr().out


def test_a_step_that_fails_is_said_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exchange that takes everything: nothing is rejected, so that path is not met, and exit code is 1."""
    text = SANDBOX.replace("[limit, market]", "[limit, stop_loss_limit]")
    with world(tmp_path, {"at": "order", "do": "rejected_key", "ratio": 1}, text=text) as made:
        asked = exercise_of(made, monkeypatch)
        assert main([*asked, "--format", "json"]) == 1
        steps = json.loads(capsys.readouterr().out)["steps"]
        assert [step["ok"] for step in steps] == [True, True, False, False, False, False, False, True]


def test_a_stop_is_placed_and_cancelled(tmp_path: Path) -> None:
    """Every type that is allowed is sent as it is meant, with its trigger."""
    with world(
        tmp_path, text=SANDBOX.replace("[limit, market]", "[limit, stop_loss_limit, take_profit_limit]")
    ) as made:
        guard = made.guard(ready=False)
        with guard:
            steps = list(exercise(guard, guard.own_client(), SYMBOL))
            assert [(step.name, step.words) for step in steps if not step.ok] == []
            seen = staging_of(guard.store, guard.policy).stages["sandbox"]
            assert seen.types == {"limit", "stop_loss_limit", "take_profit_limit"}


def test_nothing_is_tried_where_money_is_at_stake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A live policy is refused before anything is sent."""
    with world(tmp_path) as made:
        assert main(exercise_of(made, monkeypatch)) != 0
        with pytest.raises(NoSandbox, match="live, and real orders are sent: exercise it as a policy of its own file"):
            list(exercise(made.guard(ready=False), made.sim.client(), SYMBOL))
        assert made.sent == []


def test_a_policy_of_patterns_names_no_symbol(tmp_path: Path) -> None:
    """Which of them is traded is for a person to say."""
    text = SANDBOX.replace('["BTC/USDT", "ETH/USDT"]', '["*/USDT"]')
    with world(tmp_path, text=text) as made, pytest.raises(PolicykitError, match="give --symbol BTC/USDT"):
        symbol_of(made.guard(ready=False))


def test_contracts_are_tried_and_left_flat(tmp_path: Path) -> None:
    """Stops, an amend, an exit that can only reduce: at the end there is neither an order nor a position."""
    text = policy().replace("environment: live", "environment: sandbox") + "stage: {current: sandbox}\n"
    setup = {"dialect": "binanceusdm", "amplitude": 0.0, "margin": {"USDT": 20_000}}
    with world(tmp_path, text=text, grants={"read", "trade.derivatives"}, **setup) as made:
        guard = made.guard(ready=False)
        with guard:
            client = guard.own_client()
            steps = list(exercise(guard, client, symbol_of(guard)))
            assert [(step.name, step.words) for step in steps if not step.ok] == []
            seen = staging_of(guard.store, guard.policy).stages["sandbox"]
            assert seen.types == {"limit", "market", "stop_market"}
            assert set(paths_of(guard.policy)) <= seen.paths
            assert [one["contracts"] for one in client.fetch_positions([SWAP]) if one["contracts"]] == []
            assert client.fetch_open_orders(SWAP) == []
