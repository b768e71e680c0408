"""What a store or a journal proves of a policy: stages counted in one pass, what operators did, from either alike."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policykit.clock import iso
from policykit.lint.state import record_of as read_back
from policykit.record import Done, Record, StageFacts
from policykit.store import staging
from policykit.store.prune import prune
from policykit.store.reader import JournalReader
from policykit.store.record import record_of
from policykit.store.sqlite import SqliteStore
from policykit.store.staging import staging_of
from tests.store.lives import DAY, begin, denied, ordered, outcome, policy_at
from tests.store.made import ACCOUNT, NOW

SANDBOX = policy_at("sandbox", "sandbox")
PAPER = policy_at("paper")


def lived(store: Any) -> None:
    """Go through a sandbox of eight days, and a day of paper."""
    begin(store, SANDBOX, NOW)
    for day in range(8):
        ordered(store, SANDBOX, NOW + day * DAY, outcome("acknowledged"))
    ordered(store, SANDBOX, NOW + 1, outcome("rejected", error="insufficient"), type="market")
    ordered(store, SANDBOX, NOW + 2, outcome("unknown"), outcome("found", filled="0.5"), outcome("found", filled="0.5"))
    denied(store, SANDBOX, NOW + 3)
    denied(store, SANDBOX, NOW + 4, "risk.daily_loss")
    denied(store, SANDBOX, NOW + 5, action="data.read")
    denied(store, SANDBOX, NOW + 6, outcome="allow", action="order.cancel", reasons=())
    denied(store, SANDBOX, NOW + 6, outcome="allow", action="account.configure", reasons=())
    store.keep("", "drill", "kill", {"by": "ops"}, NOW + 7)
    store.keep(ACCOUNT, "exposed", "trader", {"by": "ops", "why": "a laptop was lost"}, NOW + 8)
    store.keep(ACCOUNT, "exposed", "another", {"by": "ops"}, NOW + 8)
    store.keep(ACCOUNT, "rotation", "trader", {"result": "active"}, NOW + 9)
    store.keep(ACCOUNT, "review", "policy:mm", {"by": "head", "result": "passed"}, NOW + 9)
    store.keep(ACCOUNT, "review", "policy:of-another", {"by": "head"}, NOW + 9)
    store.keep(ACCOUNT, "review", "vendor:ours", {"by": "head", "result": "passed"}, NOW + 9)
    store.keep("", "review", "vendor:signals", {"by": "head", "result": "failed"}, NOW + 9)
    begin(store, PAPER, NOW + 8 * DAY)
    ordered(store, PAPER, NOW + 8 * DAY)


EXPECTED = Record(
    last_drill_at=iso(NOW + 7),
    stages={"sandbox": StageFacts(iso(NOW), 10, 2), "paper": StageFacts(iso(NOW + 8 * DAY), 1, 0)},
    stage="",
    drills={"kill": Done(iso(NOW + 7), "ops")},
    reviews={
        "policy": Done(iso(NOW + 9), "head", "passed"),
        "vendor:ours": Done(iso(NOW + 9), "head", "passed"),
        "vendor:signals": Done(iso(NOW + 9), "head", "failed"),
    },
    exposed={"trader": Done(iso(NOW + 8), "ops")},
    rotations={"trader": Done(iso(NOW + 9), "", "active")},
)


def test_every_store_proves_the_same(store: Any) -> None:
    """Orders, open denials, drills, reviews, exposed keys of this policy; what is another's is left out."""
    lived(store)
    assert record_of(store, PAPER) == EXPECTED
    assert read_back(EXPECTED.to_dict()) == EXPECTED
    assert [EXPECTED.knows("stage"), Record().knows("stage"), Record().to_dict()] == [True, False, {}]


def test_a_journal_file_alone_proves_it_too(tmp_path: Path) -> None:
    """No store is opened; and what is counted is what happened, stage by stage."""
    store = SqliteStore(tmp_path / "store.db")
    lived(store)
    said: list[tuple[int, int]] = []
    reader = JournalReader(tmp_path / "store.db")
    assert record_of(reader, PAPER, lambda done, of: said.append((done, of))) == EXPECTED
    last = list(store.rows())[-1].seq
    assert said == [(last, last)]
    seen = staging_of(reader, PAPER).stages["sandbox"]
    assert (seen.orders, seen.fills, seen.denials, seen.losses) == (10, 1, 2, 1)
    assert seen.types == {"limit", "market"}
    assert seen.paths == {"denied", "rejected", "filled", "cancelled", "unknown"}
    assert (seen.denials_open.count, seen.fills_open.count) == (2, 1)
    assert [seen.full_days(NOW + days * DAY) for days in (0, 7, 8, 30)] == [0, 7, 8, 8]
    store.close()


def test_what_a_person_looked_at_is_no_longer_open(store: Any) -> None:
    """A review says up to which row; what comes behind it is open again, and a review of other policies is none."""
    begin(store, PAPER, NOW)
    first = denied(store, PAPER, NOW)
    ordered(store, PAPER, NOW, outcome("acknowledged", filled="1"))
    second = denied(store, PAPER, NOW)
    store.keep(ACCOUNT, "review", "denials:other", {"by": "ops", "through": second}, NOW)
    store.keep(ACCOUNT, "review", "denials:mm", {"by": "ops", "through": first}, NOW)
    seen = staging_of(store, PAPER).stages["paper"]
    assert (seen.denials, seen.denials_open.rows, seen.fills_open.count) == (2, [second], 1)
    store.keep(ACCOUNT, "review", "fills:mm", {"by": "ops", "through": second}, NOW)
    seen = staging_of(store, PAPER).stages["paper"]
    assert (seen.denials_open.count, seen.fills_open.count) == (1, 0)


def grant(store: Any, stage: str, at_ms: int, **more: Any) -> int:
    """Write down that a stage was granted, with what was counted up to here."""
    counted = staging_of(store, PAPER).to_dict()
    return int(store.keep(ACCOUNT, "stage", "mm", {"stage": stage, "by": "head", **counted, **more}, at_ms))


def test_a_pass_begins_behind_the_last_grant(store: Any) -> None:
    """What was counted before stands in its row, what was open then stays open until it was looked at."""
    lived(store)
    grant(store, "paper", NOW + 8 * DAY)
    granted = replace(EXPECTED, stage="paper")
    assert record_of(store, PAPER) == granted
    assert PAPER.version in staging_of(store, PAPER).grant["versions"]
    made = staging.Staging(PAPER)
    read = made.resume(store.kept(ACCOUNT, "stage")["mm"])
    assert next(iter(store.rows(read))).kind == "stage"
    more = denied(store, PAPER, NOW + 9 * DAY)
    store.keep(ACCOUNT, "review", "denials:mm", {"by": "ops", "through": read - 1}, NOW + 9 * DAY)
    stages = record_of(store, PAPER).stages or {}
    assert [facts.denials_open for facts in stages.values()] == [2, 1]
    store.keep(ACCOUNT, "review", "denials:mm", {"by": "ops", "through": more}, NOW + 9 * DAY)
    stages = record_of(store, PAPER).stages or {}
    assert [(facts.orders, facts.denials_open) for facts in stages.values()] == [(10, 0), (1, 0)]


def test_a_stage_that_was_reached_elsewhere_says_so(store: Any) -> None:
    """It has no counts, and lint is told that it is kept elsewhere."""
    begin(store, PAPER, NOW)
    seen = staging.Seen(NOW, NOW, external=True).to_dict()
    store.keep(ACCOUNT, "stage", "mm", {"stage": "micro-live", "read": 0, "seen": {"sandbox": seen}}, NOW)
    store.keep(ACCOUNT, "stage", "other", {"stage": "full-live", "read": 0}, NOW)
    proved = record_of(store, PAPER)
    assert (proved.stage, (proved.stages or {})["sandbox"]) == ("micro-live", StageFacts(iso(NOW), external=True))
    assert read_back(proved.to_dict()) == proved


def test_what_pruning_took_is_known_by_the_row_of_the_grant(tmp_path: Path) -> None:
    """The rows are gone; the row of the grant is carried on, with what was counted in it."""
    path = tmp_path / "store.db"
    store = SqliteStore(path)
    lived(store)
    grant(store, "paper", NOW + 8 * DAY)
    ordered(store, PAPER, NOW + 9 * DAY)
    store.close()
    before = record_of(JournalReader(path), PAPER)
    prune(str(path), NOW + 9 * DAY, by="ops", now_ms=NOW + 10 * DAY, folder=None)
    assert record_of(JournalReader(path), PAPER) == before


def test_a_test_alert_that_arrived_is_known(store: Any) -> None:
    """One of this policy, that was taken; a real message is no test."""
    for more in ({"test": True, "policy": "other"}, {"test": True, "policy": "mm", "ok": False}, {"cause": "halt"}):
        store.event("message", {"target": "ops", "ok": True, **more}, NOW)
    assert staging_of(store, PAPER).alert_ms is None
    store.event("message", {"target": "ops", "ok": True, "test": True, "policy": "mm"}, NOW + 1)
    assert staging_of(store, PAPER).alert_ms == NOW + 1


def test_what_was_taken_back_is_earned_anew(store: Any) -> None:
    """From the row on, in a store and in a journal; orders that are out then count to the new beginning."""
    begin(store, PAPER, NOW)
    out = ordered(store, PAPER, NOW)
    counted = staging_of(store, PAPER)
    counted.drop("paper")
    body = {"stage": "paper", "by": "ops", "move": "demote", **counted.to_dict()}
    store.keep(ACCOUNT, "stage", "mm", body, NOW + DAY)
    made = staging.Staging(PAPER)
    staging.read_all(made, store)
    assert made.stages == staging_of(store, PAPER).stages == {}
    store.outcome(out, outcome("acknowledged", NOW + 2 * DAY, filled="1"))
    ordered(store, PAPER, NOW + 2 * DAY)
    made = staging.Staging(PAPER)
    staging.read_all(made, store)
    assert (made.stages["paper"].orders, made.stages["paper"].since_ms) == (1, NOW + 2 * DAY)


def test_only_what_this_policy_enforced_counts(store: Any) -> None:
    """Another name, another account, shadow, a version that nobody put in force: none of it is evidence."""
    begin(store, PAPER, NOW)
    begin(store, policy_at("full-live"), NOW, mode="shadow")
    begin(store, policy_at("small-live"), NOW, name="other")
    store.announce("binance/second", "USDT", {"name": "mm", "version": "sha256:9", "stage": "full-live"}, NOW)
    ordered(store, policy_at("full-live"), NOW)
    denied(store, PAPER, NOW, mode="shadow")
    denied(store, PAPER, NOW, policy_name="other")
    store.outcome(ordered(store, replace(PAPER, name="other"), NOW), outcome("acknowledged", filled="1"))
    store.observe("binance/second", _observed(NOW + DAY), NOW + DAY)
    seen = staging_of(store, PAPER).stages
    assert list(seen) == ["paper"]
    assert (seen["paper"].orders, seen["paper"].denials, seen["paper"].days) == (0, 0, {0})


def test_a_day_on_which_the_account_was_read_counts(store: Any) -> None:
    """A bot that waits for its moment runs all the same; a day on which nothing ran is none."""
    store.observe(ACCOUNT, _observed(NOW), NOW)
    begin(store, PAPER, NOW)
    store.observe(ACCOUNT, _observed(NOW + 2 * DAY), NOW + 2 * DAY)
    ordered(store, PAPER, NOW + 2 * DAY, action="order.amend")
    seen = staging_of(store, PAPER).stages["paper"]
    assert (seen.days, seen.full_days(NOW + 9 * DAY), seen.paths, seen.orders) == ({0, 2}, 2, {"amended"}, 0)


def test_memory_is_bounded(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limits the oldest version and order are forgotten, and what is open only counts."""
    for name in ("MAX_VERSIONS", "MAX_OPEN", "MAX_UNSEEN", "_EVERY"):
        monkeypatch.setattr(staging, name, 1)
    begin(store, SANDBOX, NOW)
    first = ordered(store, SANDBOX, NOW)
    second = ordered(store, SANDBOX, NOW)
    rows = [denied(store, SANDBOX, NOW) for _ in range(3)]
    begin(store, PAPER, NOW)
    ordered(store, SANDBOX, NOW)
    for order in (first, second):
        store.outcome(order, outcome("acknowledged", filled="1"))
    said: list[tuple[int, int]] = []
    seen = staging_of(store, PAPER, lambda done, of: said.append((done, of))).stages["sandbox"]
    assert (seen.orders, seen.fills, seen.denials_open.count, seen.denials_open.rows) == (2, 1, 3, rows[:1])
    assert said[0][0] == 1
    assert said[-1][0] == said[-1][1] == len(list(store.rows()))
    seen.denials_open.seen(rows[1])
    assert seen.denials_open.count == 2
    seen.denials_open.seen(rows[2])
    assert seen.denials_open.count == 0


def _observed(at_ms: int) -> Any:
    from policykit.store import Observation

    return Observation(at_ms, at_ms)
