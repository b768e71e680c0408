"""What a store alone tells: every gauge, for live guards and for those that are gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.engine.losses import DAY_MS
from policykit.guard.measures import KeyAge, Sample, key_ages, measure, rooms_of, watched
from policykit.guard.monitoring import idle
from policykit.model.types import date_ms
from policykit.store import open_store
from policykit.store.base import GuardInfo
from policykit.telemetry import Telemetry, names
from policykit.telemetry.relay import Relay
from tests.guard.world import SYMBOL, World, policy_text, world

HOST = "watcher"
MAIN = {names.EXCHANGE: "binance", names.ACCOUNT: "main"}
OURS = {**MAIN, names.POLICY_ID: "mm"}


@pytest.fixture
def traded(tmp_path: Path) -> Iterator[tuple[World, Any]]:
    """Return a world in which one order was sent, with its guard."""
    with world(tmp_path) as made:
        guard = made.guard()
        made.protected(guard).create_order(SYMBOL, "limit", "buy", 0.01, 50_000)
        guard.maintain()
        yield made, guard


def _values(samples: list[Sample]) -> dict[tuple[str, ...], float]:
    """Return each value by its name and the values of its labels."""
    found = {(sample.name, *(sample.labels[key] for key in sorted(sample.labels))): sample.value for sample in samples}
    assert len(found) == len(samples)
    return found


def test_every_gauge_is_told_from_the_store_alone(traded: tuple[World, Any]) -> None:
    """Another process on another host measures what the guard did, with nothing but the store's address."""
    made, _ = traded
    now = made.clock.now_ms()
    samples = measure(open_store(made.store), HOST, now)
    labels = {sample.name: set(sample.labels) for sample in samples}
    table = {metric.name: set(metric.attributes) for metric in names.METRICS}
    assert all(labels[name] <= table[name] for name in labels)
    found = _values(samples)
    assert found[(names.M_KILL, "all")] == found[(names.M_KILL, "bot:mm")] == 0
    assert found[(names.M_UNKNOWN, "main", "binance")] == 0
    assert found[(names.M_HEARTBEAT, "main", "mm", "binance")] == now / 1000


def test_what_the_rooms_say_is_what_the_gauges_say(traded: tuple[World, Any]) -> None:
    """Budgets, losses and positions have the numbers of their rooms."""
    made, guard = traded
    now = made.clock.now_ms()
    by_name = {(room.check, room.key): room for room in rooms_of(guard.store, guard.engine, now, guard.bot)}
    position = by_name[("risk.max_position_notional", SYMBOL)]
    assert (position.used, position.unit) == (600, "USDT")
    budget = by_name[("rate_budgets.request-weight", "request-weight")]
    found = {sample.name: sample for sample in measure(guard.store, guard.host, now)}
    assert budget.used is not None
    assert found[names.M_BUDGET_USAGE] == (names.M_BUDGET_USAGE, float(budget.used), {**OURS, names.BUDGET: budget.key})
    assert found[names.M_BUDGET_LIMIT].value == 4_200
    assert found[names.M_BUDGET_UTILIZATION].value == float(budget.used) / 4_200
    assert found[names.M_POSITION].value == float(position.share or 0)
    loss = by_name[("risk.daily_loss", "")]
    assert found[names.M_LOSS_USAGE].labels == {**OURS, names.CHECK_ID: "risk.daily_loss", names.CHECK_UNIT: "USDT"}
    assert (found[names.M_LOSS_USAGE].value, found[names.M_LOSS_LIMIT].value) == (loss.used, loss.limit)


def test_a_dead_bots_last_heartbeat_and_rooms_stay(traded: tuple[World, Any]) -> None:
    """A bot that is gone is in force no more, and its heartbeat, its losses and its position are still told."""
    made, guard = traded
    beat, guard.looping = made.clock.now_ms(), True
    guard.beat()
    made.clock.advance(3_600)
    now = made.clock.now_ms()
    (one,) = watched(guard.store, HOST, now)
    assert (one.live, one.info.bot) == (False, "mm")
    found = {sample.name: sample for sample in measure(guard.store, HOST, now)}
    assert found[names.M_HEARTBEAT] == (names.M_HEARTBEAT, beat / 1000, {**MAIN, names.BOT: "mm"})
    assert names.M_POLICY not in found
    assert {names.M_LOSS_USAGE, names.M_BUDGET_USAGE, names.M_UNKNOWN} <= found.keys()
    assert names.M_POSITION not in found  # the price is too old for it


def test_a_halt_of_another_process_is_told_and_0_after_it_was_lifted(traded: tuple[World, Any]) -> None:
    """The gauge follows the store, not what this process did."""
    made, guard = traded
    other, now = open_store(made.store), made.clock.now_ms()
    other.halt("account:binance/main", "HALTED", "ops", "test", now)
    engaged = (names.M_KILL, "account:binance/main")
    assert _values(measure(guard.store, guard.host, now))[engaged] == 1
    other.resume("account:binance/main", "ops", "over", now)
    assert _values(measure(guard.store, guard.host, now))[engaged] == 0


def test_a_drill_is_marked_and_a_guard_that_ended_is_not_missed(traded: tuple[World, Any]) -> None:
    """Alerts leave out what a drill causes, and no heartbeat is told of a guard whose silence is no fault."""
    made, guard = traded
    guard.store.halt("all", "HALTED", "ops", "Drill of November", guard.now())
    made.clock.advance(30)
    samples = measure(guard.store, HOST, made.clock.now_ms())
    assert Sample(names.M_KILL, 1, {names.SCOPE_NAME: "all", names.DRILL: "true"}) in samples
    assert names.M_HEARTBEAT not in {sample.name for sample in samples}


def test_a_policy_that_cannot_be_read_is_left_out(traded: tuple[World, Any], tmp_path: Path) -> None:
    """A guard of a later version, whose policy has words that this one does not know, keeps nobody from measuring."""
    made, guard = traded
    now = made.clock.now_ms()
    odd = GuardInfo("x", "h", 1, "binance/other", "odd", "sha256:1", "/nowhere.yaml", "enforce", now, '{"new": 1}')
    guard.store.beat(odd)
    assert [one.info.bot for one in watched(guard.store, HOST, now)] == ["mm"]
    assert _values(measure(guard.store, HOST, now))[(names.M_HEARTBEAT, "other", "x", "binance")] == now / 1000


def test_what_is_not_known_is_left_out_and_what_is_compared_is_told(tmp_path: Path) -> None:
    """Before the first round there is neither skew nor comparison; after it each kind of difference has its number."""
    text = (
        policy_text()
        + "reconciliation: {on_start: required, orders_every: 30s, positions_every: 60s, tolerance: 5 USDT}\n"
    )
    told = {names.M_SKEW, names.M_RECONCILE_AGE, names.M_DRIFT}
    with world(tmp_path, text=text) as made:
        guard = made.guard(ready=False)
        assert not told & {sample.name for sample in measure(guard.store, guard.host, made.clock.now_ms())}
        guard.maintain(made.sim.client())
        made.clock.advance(61)
        guard.maintain()
        samples = measure(guard.store, guard.host, made.clock.now_ms())
        assert told <= {sample.name for sample in samples}
        drift = {s.labels[names.DRIFT_KIND]: s.value for s in samples if s.name == names.M_DRIFT}
        assert drift == {"order": 0, "position": 0, "balance": 0}


def test_an_account_that_is_not_read_is_told_as_status_tells_it(traded: tuple[World, Any]) -> None:
    """1 from when a live guard with a loop lost sight of it, 0 before; none of a guard that reads only when asked."""
    made, guard = traded
    now = made.clock.now_ms()
    guard.store.beat(guard.in_force.info()._replace(loop=False))

    def told(after_s: int, *, loop: bool) -> tuple[list[float], bool]:
        at = now + after_s * 1_000
        guard.store.beat(guard.in_force.info()._replace(beat_ms=at, loop=loop))
        samples = measure(guard.store, guard.host, at)
        return [s.value for s in samples if s.name == names.M_NOT_READ], bool(idle(guard.store, guard.host, at))

    assert told(0, loop=True) == ([0], False)
    assert told(60, loop=True) == ([0], False)
    assert told(600, loop=True) == ([1], True)
    assert told(600, loop=False) == ([], False)


def test_of_several_dead_guards_the_last_word_counts(traded: tuple[World, Any]) -> None:
    """An account without a live guard is measured by the version that was heard last, not the one that came last."""
    made, guard = traded
    told = guard.in_force.info()._replace(host="far", pid=1)
    for version, after_s in (("sha256:a", 1), ("sha256:b", 2), ("sha256:a", 3)):
        beat = told._replace(policy_version=version, beat_ms=told.beat_ms + after_s * 1_000, pid=after_s)
        guard.store.beat(beat)
    made.clock.advance(3_600)
    (one,) = watched(guard.store, HOST, made.clock.now_ms())
    assert (one.live, one.info.policy_version, one.info.pid) == (False, "sha256:a", 3)


def test_a_file_that_is_gone_leaves_what_its_guard_told(traded: tuple[World, Any]) -> None:
    """A policy that cannot be read any more is in force all the same."""
    made, guard = traded
    made.policy.unlink()
    (one,) = watched(guard.store, guard.host, made.clock.now_ms())
    assert one.policy.name == "mm"


def test_a_file_that_was_changed_is_not_taken_for_the_policy_in_force(traded: tuple[World, Any]) -> None:
    """What a guard told of its policy counts, with the file's places only while the file still says the same."""
    made, guard = traded
    now = made.clock.now_ms()
    (one,) = watched(guard.store, guard.host, now)
    assert one.policy.place("risk.max_open_orders").line > 1
    text = made.policy.read_text(encoding="utf-8")
    made.policy.write_text(text.replace("max_open_orders: 20", "max_open_orders: 7"), encoding="utf-8")
    (one,) = watched(guard.store, guard.host, now)
    assert one.policy.model.risk is not None
    assert one.policy.model.risk.max_open_orders == 20
    assert one.policy.place("risk.max_open_orders").line == 1


def test_a_guards_own_gauges_are_those_of_the_store(traded: tuple[World, Any]) -> None:
    """What a bot's own process exports is what the exporter says of it, once somebody reads metrics."""
    made, guard = traded
    guard.telemetry = telemetry = Telemetry(relay=Relay(deferred=False))
    guard.maintain()
    assert telemetry.counters.series(names.M_LOSS_USAGE) == []
    telemetry.counters.read = True
    guard.maintain()
    told = {
        (name, value, tuple(sorted(labels.items())))
        for name in telemetry.counters.gauges
        for value, labels in telemetry.counters.series(name)
        if name not in (names.M_STREAM_GAP, names.M_PENDING)  # which this process alone knows
    }
    samples = measure(guard.store, guard.host, made.clock.now_ms())
    assert told == {(s.name, s.value, tuple(sorted(s.labels.items()))) for s in samples if s.name != names.M_POLICY}
    open_store(made.store).halt("symbol:ETH/USDT", "HALTED", "ops", "test", made.clock.now_ms())
    for engaged in (1, 0):
        guard.maintain()
        assert (engaged, {names.SCOPE_NAME: "symbol:ETH/USDT"}) in telemetry.counters.series(names.M_KILL)
        open_store(made.store).resume("symbol:ETH/USDT", "ops", "over", made.clock.now_ms())


def test_the_age_of_a_key_is_what_was_read_else_what_was_declared_else_absent(tmp_path: Path) -> None:
    """Only a key whose age somebody knows has one; it is due when the policy's interval has passed since."""
    declared = 'rotation: {every: 90d}, declared: {created: 2026-11-01, by: desk-head, at: 2026-11-20}, secret: "env://MM_EXEC"'
    old = "  old: {purpose: tracking, scopes: [read], rotation: {every: 90d}}\n"
    text = policy_text().replace('secret: "env://MM_EXEC"', declared).replace("clock: {", f"{old}clock: {{", 1)
    with world(tmp_path, text=text) as made:
        guard, now = made.guard(), made.clock.now_ms()
        said = date_ms("2026-11-01")
        assert said is not None
        assert key_ages(guard.store, guard.policy) == (KeyAge("mm-exec", said, False, said + 90 * DAY_MS),)
        found = {"policy": "mm", "version": "x", "findings": [["high", "PK603", 2]], "keys": {"mm-exec": now - DAY_MS}}
        guard.store.linted("binance/main", found, now)
        assert key_ages(guard.store, guard.policy) == (KeyAge("mm-exec", now - DAY_MS, True, now + 89 * DAY_MS),)
        told = {sample.name: sample for sample in measure(guard.store, guard.host, now)}
        labels = {**MAIN, names.KEY: "mm-exec"}
        assert told[names.M_KEY_AGE] == (names.M_KEY_AGE, 86_400, labels)
        assert told[names.M_KEY_REMAINING] == (names.M_KEY_REMAINING, 89 * 86_400, labels)
        assert told[names.M_LINT] == (
            names.M_LINT,
            2,
            {names.POLICY_ID: "mm", names.SEVERITY: "high", names.RULE: "PK603"},
        )


def test_a_stage_that_changes_while_a_guard_runs_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A reload that puts another stage in force is an event of its own, with both."""
    text = policy_text() + "stage: {current: full-live, since: 2026-11-01}\n"
    with world(tmp_path, text=text) as made, caplog.at_level("INFO", "policykit.events"):
        guard = made.guard()
        made.policy.write_text(text.replace("full-live", "small-live"), encoding="utf-8")
        assert guard.reload().taken
        guard.telemetry.flush()
        (said,) = [record for record in caplog.records if getattr(record, "event_name", "") == names.E_STAGE]
        assert said.attributes == {  # type: ignore[attr-defined]
            names.POLICY_ID: "mm",
            names.POLICY_VERSION: guard.policy.version,
            names.STAGE: "small-live",
            names.STAGE_BEFORE: "full-live",
        }


def test_a_sandbox_never_adds_up_with_the_live_account_of_its_name(tmp_path: Path) -> None:
    """Both are `main` of one exchange; only the sandbox carries the label that says so."""
    with world(tmp_path) as made:
        guard = made.guard()
        made.policy.write_text(policy_text().replace("environment: live", "environment: sandbox"), encoding="utf-8")
        made.guard(ready=False).observe(skew_ms=7)
        samples = measure(guard.store, guard.host, made.clock.now_ms())
        told = [(s.value, s.labels.get(names.ENVIRONMENT)) for s in samples if s.name == names.M_SKEW]
        assert sorted(told, key=str) == [(0.0, None), (0.007, "sandbox")]
        beats = [s.labels.get(names.ENVIRONMENT) for s in samples if s.name == names.M_HEARTBEAT]
        assert sorted(beats, key=str) == [None, "sandbox"]
