"""An incident over six dialects while everything goes wrong: nothing waits, nothing is told that is not so."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.errors import PolicykitError
from policykit.guard import Guard
from policykit.guard.settings import choose_key
from policykit.operate.incident import hands, looking
from policykit.operate.incident.drill import Drilled, Pace, rendered
from policykit.operate.incident.runner import LANE, Act
from policykit.operate.incident.steps import Task
from policykit.policy import load
from policykit.store import open_store
from tests.operate.incidents import Desk, Skipping, begun, desk, left, rest, run

#: In two of these the API ends no key of a bot at all, in the others a main account's key can.
DIALECTS = ("binance", "bybit", "okx", "kraken", "bitget", "gate")


@pytest.fixture
def clock() -> Skipping:
    """The clock of the exchanges and of the incident."""
    return Skipping()


@pytest.fixture
def six(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], clock: Skipping
) -> Iterator[Desk]:
    """Six exchanges, each with a bot's orders."""
    with desk(tmp_path, monkeypatch, capsys, DIALECTS, clock=clock) as found:
        for sim in found.sims.values():
            rest(sim)
        yield found


def test_six_exchanges_at_once(six: Desk, clock: Skipping) -> None:
    """Every account is halted and cleared over HTTP; what its API does not tell waits for a person."""
    book = begun(six, clock)
    run(book, six)
    rows = book.rows()
    assert {name: left(sim) for name, sim in six.sims.items()} == dict.fromkeys(DIALECTS, 0)
    assert [rows[f"cancel/{name}/main"]["cancelled"] for name in DIALECTS] == [3] * 6
    assert {rows[f"halt/{name}/main"]["state"] for name in DIALECTS} == {"done"}
    assert {rows[f"revoke/{name}/main/{name}-exec"]["words"] for name in DIALECTS} == {"it still works: delete it now"}


def test_a_dead_exchange_and_refused_cancels_hold_up_nobody(
    six: Desk, clock: Skipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bybit is dead, OKX refuses the key that was kept for it, Gate refuses every cancel: the rest is cleared.

    OKX with the next key; what is left at Bybit and Gate is counted and open. Once all is well it is tried again.
    """
    for name, value in six.sims["okx"].grant_key(grants={"read"}, addresses=["127.0.0.1"]).credentials().items():
        monkeypatch.setenv(f"OKX_GLASS_{name.upper()}", value)
    six.sims["gate"].strike({"at": "cancel", "do": "garbage", "ratio": 1.0, "executed": False})
    book = begun(six, clock, gone=["bybit"])
    told = run(book, six)
    assert {name: left(sim) for name, sim in six.sims.items()} == {**dict.fromkeys(DIALECTS, 0), "bybit": 3, "gate": 3}
    rows = book.rows()
    assert [rows[f"{step}/bybit/main"]["state"] for step in ("halt", "cancel")] == ["done", "failed"]
    assert (rows["cancel/okx/main"]["key"], rows["cancel/okx/main"]["left"]) == ("okx-exec", 0)
    assert rows["cancel/gate/main"]["left"] == 3
    assert "3 are still open: cancel them in the web page" in rows["cancel/gate/main"]["words"]
    assert {"cancel/gate/main", "cancel/bybit/main"} <= {task.id for task in book.left(0)}
    assert sum(line.startswith("history/") for line in told) == 6
    book.head["endpoints"] = [f"{name}={sim.url}" for name, sim in six.sims.items()]
    six.sims["gate"].strike()
    run(book, six)
    assert {name: left(sim) for name, sim in six.sims.items()} == dict.fromkeys(DIALECTS, 0)
    assert [book.rows()[f"cancel/{name}/main"]["cancelled"] for name in DIALECTS] == [3] * 6


def test_an_order_that_arrives_late_is_cancelled_by_the_last_look(
    six: Desk, clock: Skipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was on its way while the others were cancelled: the list at the end of the lane finds it."""
    real = looking.audit

    def late(hand: Any, task: Task, *rest_: Any) -> Act:
        if task.account == "kraken/main":
            rest(six.sims["kraken"], 1, 21_000)
        return real(hand, task, *rest_)

    monkeypatch.setattr(looking, "audit", late)
    book = begun(six, clock)
    told = run(book, six)
    assert left(six.sims["kraken"]) == 0
    assert book.rows()["cancel/kraken/main"]["cancelled"] == 4
    assert sum(line.startswith("cancel/kraken") for line in told) == 2


def test_a_step_that_fails_keeps_no_other_from_being_done(
    six: Desk, clock: Skipping, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On each exchange another step meets a defect: it is written down without its words, all others are done."""
    breaks = dict(zip(LANE, DIALECTS, strict=True))
    for step, exchange in breaks.items():
        where: Any = hands.RealHands if step in ("halt", "cancel") else looking
        monkeypatch.setattr(where, step, broken(getattr(where, step), exchange))
    book = begun(six, clock)
    run(book, six)
    rows = book.rows()
    words = "a defect of policykit: ZeroDivisionError; do it by hand"
    assert {(step, name) for step in LANE for name in DIALECTS if rows[f"{step}/{name}/main"]["words"] == words} == set(
        breaks.items()
    )
    assert "canary" not in str(rows)


def broken(real: Callable[..., Act], exchange: str) -> Callable[..., Act]:
    """Return a step that meets a defect on one exchange."""

    def step(hand: Any, task: Task, *rest_: Any) -> Act:
        if task.account.startswith(exchange):
            raise ZeroDivisionError("sk-live-canary")
        return real(hand, task, *rest_)

    return step


FAULTS = ("drop", "lost_reply", "unknown", "throttle", "rejected_key", "garbage", "broken")


def test_done_is_said_only_of_what_is_done(six: Desk, clock: Skipping, tier: Callable[[int, int], int]) -> None:
    """Whatever the exchanges answer: a cancel that is told as done has left nothing; once all is well, all is done."""
    for number in range(tier(1, 100)):
        rng = random.Random(number)
        for sim in six.sims.values():
            rest(sim, rng.randint(0, 4), 20_100 + number)
            sim.strike(
                *(
                    {
                        "at": at,
                        "do": rng.choice(FAULTS),
                        "ratio": rng.choice((0.2, 1.0)),
                        "executed": rng.random() < 0.5,
                    }
                    for at in rng.sample(("lookup", "cancel", "account", "other", "market"), 2)
                )
            )
        book = begun(six, clock)
        run(book, six)
        rows = book.rows()
        for name, sim in six.sims.items():
            row = rows[f"cancel/{name}/main"]
            if (
                row["state"] == "done"
                or (row.get("families", {}).get("spot.order") or {"unknown": "?"})["unknown"] == ""
            ):
                assert left(sim) == row.get("left", 0), (number, name, row)
        for sim in six.sims.values():
            sim.strike()
        clock.sleep(3_600)
        run(book, six)
        assert {name: left(sim) for name, sim in six.sims.items()} == dict.fromkeys(DIALECTS, 0), number


def test_no_bot_trades_with_the_key_for_the_worst_day(six: Desk) -> None:
    """It is no choice where none is named, and refused by name."""
    policy = load("policies/bybit.yaml")
    assert choose_key(policy, None) == "bybit-exec"
    with pytest.raises(PolicykitError, match="the key bybit-glass is for incidents and no bot"):
        Guard.load("policies/bybit.yaml", key="bybit-glass", store=six.store())


def test_a_drill_is_an_incident_over_simulated_exchanges(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is left open, each key is proved dead, no call is made twice, and the store says that it was held.

    How long it took against what is allowed is held by `make verify`, on exchanges that answer in their usual time.
    """
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/store.db"
    words = ["--exchanges", "bybit,kraken", "--keys", "5", "--orders", "60", "--answer", "0ms"]
    code = main(["incident", "drill", "--by", "alice", "--store", uri, "--format", "json", *words])
    out, err = capsys.readouterr()
    said = json.loads(out)
    assert (said["left"], said["claimed"], said["orders"], said["passed"]) == (0, 0, 60, code == 0)
    assert 0 < said["revoked_ms"] < 600_000
    assert [(one["account"], one["calls"], one["least"]) for one in said["accounts"]] == [
        ("bybit/drill", 12, 12),
        ("kraken/drill", 3, 3),
    ]
    assert "DRILL INCIDENT" in err
    kept = open_store(uri).kept("", "drill")["incident"]
    assert (kept["by"], kept["orders"], kept["result"]) == ("alice", 60, "passed" if said["passed"] else "failed")
    assert open_store(uri).halts() == []  # the drill's own store is not this one
    assert not [name for name in os.environ if name.startswith("POLICYKIT_DRILL")]
    assert main(["incident", "drill", "--by", "alice", "--store", uri, "--exchanges", "nowhere"]) == 2


def test_what_a_drill_is_held_to() -> None:
    """A time over the goal, an order left, a key that nobody proved dead: each is a drill that was not passed."""
    pace = Pace("kraken/drill", 1_400, 3, 3, 0, 1_000)
    good = Drilled("i", 1, 2, 10, 0, 5_000, 1_400, 1_000, (pace,), 0)
    assert (good.passed, round(good.ratio, 1), rendered(good).splitlines()[-1]) == (True, 1.4, "PASSED")
    for other in (
        good._replace(took_ms=1_501),
        good._replace(left=1),
        good._replace(claimed=1),
        good._replace(revoked_ms=None),
    ):
        assert (other.passed, rendered(other).splitlines()[-1]) == (False, "NOT PASSED")
