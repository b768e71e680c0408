"""Keys that may be in other hands: marked by what had them, overdue at once, until a rotation has replaced them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from policykit.clock import iso
from policykit.guard.measures import KeyAge, key_ages
from policykit.policy import load
from policykit.store import GuardInfo, open_store
from policykit.store.record import record_of
from tests.operate.conftest import Run

NOW_MS = 1_795_255_200_000  # 2026-11-21T10:00:00Z
DAY_MS = 86_400_000
POLICY = """\
policykit: 1
name: mm
owner: desk-a
exchange: binance
account: {name: main, currency: USDT}
environment: live
keys:
  mm-exec:
    purpose: execution
    secret: env://MM
    scopes: [read, trade.spot]
    ip_allowlist: [{address: 203.0.113.7, why: "Frankfurt"}]
    rotation: {every: 90d}
    holders: [dana, ops-lead]
    declared: {created: 2026-11-01, by: desk-head, at: 2026-11-20}
  reader: {purpose: tracking, scopes: [read], holders: [ops-lead]}
vendors:
  chart-shop: {keys: [reader], asks_for: [read]}
"""


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project with one policy, and the store of its host."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "mm.yaml").write_text(POLICY, encoding="utf-8")
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    made = open_store()
    made.beat(GuardInfo("mm", "fra-1", 1, "binance/main", "mm", "v", "f", "enforce", NOW_MS, key="mm-exec"))
    return made


@pytest.mark.parametrize(
    ("ask", "marked"),
    [
        (["mm-exec"], ["mm-exec"]),
        (["mm/reader"], ["reader"]),
        (["--person", "dana"], ["mm-exec"]),
        (["--person", "ops-lead"], ["mm-exec", "reader"]),
        (["--host", "fra-1"], ["mm-exec"]),
        (["--vendor", "chart-shop"], ["reader"]),
        (["--address", "203.0.113.7"], ["mm-exec"]),
    ],
)
def test_what_had_a_key_marks_it(store: Any, run: Run, ask: list[str], marked: list[str]) -> None:
    """Each of them is a way in which a key comes into other hands (G19)."""
    said = run("keys", "exposed", *ask, "--by", "alice", "--why", "a leaver", "--format", "json")
    assert (said.code, [row["key"] for row in json.loads(said.out)]) == (0, marked)
    assert list(store.kept("binance/main", "exposed")) == marked
    row = store.kept("binance/main", "exposed")[marked[0]]
    assert (row["by"], row["why"], row["claim"]["proof"]) == ("alice", "a leaver", "claimed")


@pytest.mark.parametrize(
    ("ask", "code"),
    [(["--person", "nobody"], 1), ([], 2), (["mm-exec", "--host", "fra-1"], 2), (["--address", "no address"], 1)],
    ids=["nobody's", "nothing asked", "two at once", "no address"],
)
def test_what_is_of_no_key_is_said(store: Any, run: Run, ask: list[str], code: int) -> None:
    """Nothing is marked, and nothing passes for having been."""
    assert run("keys", "exposed", *ask, "--by", "alice", "--why", "x").code == code
    assert store.kept("binance/main", "exposed") == {}


def test_a_marked_key_is_overdue_everywhere(store: Any, run: Run, tmp_path: Path) -> None:
    """In the list, in the gauge that alerts read, and in what lint reads of the journal."""
    before = run("keys", "--format", "json")
    assert (before.code, [row["overdue"] for row in json.loads(before.out)]) == (0, [False, None])
    run("keys", "exposed", "--person", "ops-lead", "--by", "alice", "--why", "left")
    after = run("keys")
    assert after.code == 1
    assert [line.count("NOW (exposed)") for line in after.out.splitlines()[1:]] == [1, 1]
    policy = load(tmp_path / "policies" / "mm.yaml")
    made_ms = 1_793_491_200_000
    assert key_ages(store, policy) == (
        KeyAge("mm-exec", made_ms, False, NOW_MS, NOW_MS),
        KeyAge("reader", NOW_MS, False, NOW_MS, NOW_MS),
    )
    exposed = record_of(store, policy).exposed
    assert exposed is not None
    assert exposed["mm-exec"].result == "person ops-lead"


def test_a_wrong_mark_is_taken_back_and_told(store: Any, run: Run, tmp_path: Path) -> None:
    """It ends in the list, the gauge and lint's record; the journal has both rows, and the list says who did it."""
    run("keys", "exposed", "mm-exec", "--by", "alice", "--why", "a log")
    policy = load(tmp_path / "policies" / "mm.yaml")
    marked_at = store.kept("binance/main", "exposed")["mm-exec"]["at_ms"]
    said = run("keys", "exposed", "mm-exec", "--withdraw", "--by", "bob", "--why", "another's key", "--format", "json")
    assert said.code == 0
    (row,) = json.loads(said.out)
    assert (row["result"], row["by"], row["why"]) == ("withdrawn", "bob", "another's key")
    assert [age.exposed_ms for age in key_ages(store, policy)] == [None]
    assert record_of(store, policy).exposed == {}
    rows = [one.body for one in store.rows(0, 1_000) if one.kind == "exposed"]
    assert [(one["by"], one["result"]) for one in rows] == [("alice", "name mm-exec"), ("bob", "withdrawn")]
    listed = run("keys")
    assert listed.code == 0
    assert "NOW" not in listed.out
    assert "withdrawn" in listed.out
    assert "by bob: another's key" in listed.out
    told = json.loads(run("keys", "--format", "json").out)[0]["exposure_withdrawn"]
    assert (told["by"], told["since"]) == ("bob", iso(marked_at))
    again = run("keys", "exposed", "mm-exec", "--by", "alice", "--why", "this time really")
    assert again.code == 0
    assert [age.exposed_ms is None for age in key_ages(store, policy)] == [False]


@pytest.mark.parametrize(
    ("ask", "code", "words"),
    [
        (["reader"], 1, "reader has no mark to take back"),
        (["none-such"], 1, "no key of policies"),
        (["--person", "dana"], 2, "one NAME at a time"),
    ],
)
def test_what_has_no_mark_is_not_taken_back(store: Any, run: Run, ask: list[str], code: int, words: str) -> None:
    """And one mark at a time: who takes back says of which key."""
    run("keys", "exposed", "mm-exec", "--by", "alice", "--why", "a log")
    said = run("keys", "exposed", *ask, "--withdraw", "--by", "bob", "--why", "x")
    assert said.code == code
    assert words in said.err
    assert store.kept("binance/main", "exposed")["mm-exec"]["by"] == "alice"


def test_a_second_mark_makes_it_no_younger(store: Any, run: Run) -> None:
    """The first moment counts: what was overdue for a week is not due today."""
    run("keys", "exposed", "mm-exec", "--by", "alice", "--why", "first")
    first = store.kept("binance/main", "exposed")["mm-exec"]
    run("keys", "exposed", "--person", "dana", "--by", "bob", "--why", "second")
    assert store.kept("binance/main", "exposed")["mm-exec"] == first


@pytest.mark.parametrize(
    ("row", "due"),
    [
        ({"state": "swapping", "staged_ms": NOW_MS + 1, "swapped_ms": NOW_MS + 2}, True),
        ({"state": "done", "staged_ms": NOW_MS - 9, "swapped_ms": NOW_MS - 8}, True),
        ({"state": "done", "staged_ms": NOW_MS + 1, "swapped_ms": NOW_MS + 2, "aborted": True}, True),
        ({"state": "done", "staged_ms": NOW_MS + 1, "swapped_ms": NOW_MS + 2}, False),
    ],
    ids=["the old one lives", "replaced before", "given up", "replaced since"],
)
def test_only_a_finished_rotation_ends_it(store: Any, run: Run, tmp_path: Path, row: dict[str, Any], due: bool) -> None:
    """The exposed key is the old one: it is in other hands until it is dead."""
    run("keys", "exposed", "mm-exec", "--by", "alice", "--why", "a log")
    store.keep("binance/main", "rotation", "mm-exec", row, NOW_MS + 3)
    (age,) = key_ages(store, load(tmp_path / "policies" / "mm.yaml"))
    assert (age.exposed_ms is not None) is due


def test_a_replaced_key_is_as_old_as_its_successor(store: Any, tmp_path: Path) -> None:
    """What was declared, or read before, is of the key that is gone."""
    policy = load(tmp_path / "policies" / "mm.yaml")
    store.linted("binance/main", {"policy": "mm", "version": "x", "keys": {"mm-exec": NOW_MS - 80 * DAY_MS}}, NOW_MS)
    over = {"state": "done", "staged_ms": NOW_MS + 5, "swapped_ms": NOW_MS + 6}
    store.keep("binance/main", "rotation", "mm-exec", over, NOW_MS + 7)
    assert key_ages(store, policy) == (KeyAge("mm-exec", NOW_MS + 5, False, NOW_MS + 5 + 90 * DAY_MS),)
    store.linted("binance/main", {"policy": "mm", "version": "x", "keys": {"mm-exec": NOW_MS + 4}}, NOW_MS + 9)
    assert key_ages(store, policy) == (KeyAge("mm-exec", NOW_MS + 4, True, NOW_MS + 4 + 90 * DAY_MS),)


def test_ages_and_last_use_come_from_snapshots(store: Any, run: Run, tmp_path: Path) -> None:
    """What an exchange said of a key counts before what was declared."""
    report = {"name": "mm-exec", "created_at": "2026-08-01T00:00:00Z", "last_used_at": "2026-11-20T09:00:00Z"}
    state = {"version": 1, "exchange": "binance", "policy": "mm", "account_name": "main", "keys": [report]}
    (tmp_path / "state.json").write_text(json.dumps(state | {"taken_at": "2026-11-21T09:00:00Z"}), encoding="utf-8")
    said = run("keys", "--state", tmp_path / "state.json", "--format", "json")
    row = json.loads(said.out)[0]
    assert (row["made"], row["made_by"], row["last_used"]) == (
        "2026-08-01T00:00:00Z",
        "observed",
        "2026-11-20T09:00:00Z",
    )
    assert (said.code, row["age_days"], row["overdue"], row["hosts"]) == (1, 112, True, ["fra-1"])
    assert run("keys", "--state", tmp_path / "none.json").code == 2
