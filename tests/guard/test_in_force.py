"""Which policy is in force: a file that was written, versions of other live guards, a candidate beside it."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from policykit.engine import Engine
from policykit.errors import Denied, StoreUnavailable
from policykit.guard import Guard
from policykit.guard.run import ALLOW_LOOSEN, KEY, _Process, environment
from policykit.order import Order
from policykit.orders.recovery import SILENT_MS
from policykit.store import GuardInfo, open_journal
from policykit.telemetry import names, timeline
from policykit.units import Duration
from tests.guard.world import SYMBOL, World, policy_text

USUAL = policy_text()


def write(world: World, text: str) -> None:
    """Write the policy's file, so that it is seen even within one tick of the file system's clock."""
    told = os.stat(world.policy)
    world.policy.write_text(text, encoding="utf-8")
    os.utime(world.policy, ns=(told.st_atime_ns, told.st_mtime_ns + 1_000_000))


def codes(guard: Guard, notional: int) -> list[str]:
    """Return why an order of this notional is denied; nothing when it is allowed."""
    order = Order(SYMBOL, "buy", "limit", Decimal(notional) / 60_000, Decimal(60_000))
    return [reason.code for reason in guard.check(order).reasons]


def rows(guard: Guard, kind: str) -> list[dict[str, object]]:
    """Return the bodies of the journal's rows of one kind."""
    return [row.body for row in guard.store.rows(0, 100_000) if row.kind == kind]


def test_a_tighter_file_is_in_force_in_the_next_round(start: Callable[..., World]) -> None:
    """1,200 pass a cap of 1,500, and not once the file says 1,000; the journal has the old and the new version."""
    world = start()
    guard = world.guard()
    was = guard.policy.version
    assert codes(guard, 1_200) == []
    write(world, policy_text(order="1000 USDT"))
    guard.maintain()
    assert codes(guard, 1_200) == ["RISK_ORDER_NOTIONAL"]
    said = rows(guard, "policy")[-1]
    assert (said["version"], said["reloaded"]) == (
        guard.policy.version,
        {"was": was, "looser": [], "tighter": ["risk.max_order_notional: 1500 USDT -> 1000 USDT"]},
    )
    assert [info.policy_version for info in guard.store.guards()] == [guard.policy.version]
    assert len(rows(guard, "policy")) == 2
    guard.maintain()
    assert len(rows(guard, "policy")) == 2


def test_a_looser_file_waits_for_leave(start: Callable[..., World], caplog: pytest.LogCaptureFixture) -> None:
    """It is refused with the values, once, in the log and the journal; with leave it is taken, and that is said too."""
    world = start()
    guard = world.guard()
    was = guard.policy.version
    write(world, policy_text(order="2000 USDT", open=10))
    with caplog.at_level(logging.WARNING, "policykit.guard"):
        guard.maintain()
        guard.maintain()
    change = "risk.max_order_notional: 1500 USDT -> 2000 USDT"
    why = f"it is looser ({change}); say --allow-loosen if that is meant"
    said = f"{world.policy}: what was written is not taken, and mm {was} stays in force: {why}"
    assert caplog.messages == [said]
    assert codes(guard, 1_800) == ["RISK_ORDER_NOTIONAL"]
    tighter = ["risk.max_open_orders: 20 -> 10"]
    refused = {"name": "mm", "version": was, "why": why, "looser": [change], "tighter": tighter}
    assert rows(guard, "policy.refused") == [refused]
    assert guard.reload().message == said
    done = guard.reload(allow_loosen=True)
    assert (done.taken, done.looser, done.tighter) == (True, (change,), tuple(tighter))
    assert done.message == f"{world.policy}: mm {guard.policy.version} is in force, looser: {change}"
    assert codes(guard, 1_800) == []
    assert rows(guard, "policy")[-1]["reloaded"] == {"was": was, "looser": [change], "tighter": tighter}


def test_leave_that_was_given_at_the_start_serves_every_round(start: Callable[..., World]) -> None:
    """`Guard.load(allow_loosen=True)`, which `policykit run --allow-loosen` says."""
    world = start()
    guard = world.guard(allow_loosen=True)
    write(world, policy_text(order="2000 USDT"))
    guard.maintain()
    assert codes(guard, 1_800) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("policykit: 1\nname: [", "PK00"),
        (USUAL.replace("max_order_notional", "max_order_notion"), "did you mean"),
        (USUAL.replace("mm-exec:", "other:"), 'key is "mm-exec"; one of other may be'),
        (USUAL.replace("name: main", "name: hedge"), "account.name is"),
        (USUAL.replace("name: mm\n", "name: mm2\n"), "name is mm2; it was mm"),
        (USUAL.replace("exchange: binance", "exchange: kraken"), "exchange is"),
    ],
)
def test_what_does_not_load_or_is_another_policy_changes_nothing(
    start: Callable[..., World], text: str, why: str
) -> None:
    """Half a file, a misspelt key, another account: the old one stays whole and the reason is told."""
    world = start()
    guard = world.guard()
    engine = guard.engine
    write(world, text)
    done = guard.reload(allow_loosen=True)
    assert not done.taken
    if not why.startswith("PK"):
        assert why in done.message
    assert guard.engine is engine
    assert len(rows(guard, "policy.refused")) == 1


def test_the_same_in_other_words_and_a_file_that_is_gone(start: Callable[..., World]) -> None:
    """A comment is no version; a file that is gone is refused, and taken up again when it is back."""
    world = start()
    guard = world.guard()
    write(world, USUAL + "# a comment\n")
    done = guard.reload()
    assert (done.taken, done.message) == (False, f"{world.policy}: mm {guard.policy.version} is in force already")
    world.policy.unlink()
    guard.maintain()
    assert len(rows(guard, "policy.refused")) == 1
    world.policy.write_text(policy_text(order="1000 USDT"))
    guard.maintain()
    assert codes(guard, 1_200) == ["RISK_ORDER_NOTIONAL"]


def test_one_decision_is_one_policy_s(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload between the judgement and the writing of it does not put the new version under the old answer."""
    world = start()
    guard = world.guard()
    was = guard.policy.version
    write(world, policy_text(order="1000 USDT"))
    real = Engine.assess

    def reloading(self: Engine, *facts: object) -> object:
        said = real(self, *facts)  # type: ignore[arg-type]
        guard.reload()
        return said

    monkeypatch.setattr(Engine, "assess", reloading)
    order = Order(SYMBOL, "buy", "limit", Decimal("0.02"), Decimal(60_000))
    decision = guard.check(order)
    assert (decision.outcome, decision.policy_version) == ("allow", was)
    assert guard.policy.version != was


# ---- layers


def other_guard(world: World, monkeypatch: pytest.MonkeyPatch, bot: str, **changes: object) -> Guard:
    """Load another version of the policy, from another file, for another bot of the same account."""
    file = Path(world.policy).with_name(f"{bot}.yaml")
    file.write_text(policy_text(**changes), encoding="utf-8")
    monkeypatch.setenv("POLICYKIT_BOT", bot)
    guard = Guard.load(file, store=world.store, clock=world.clock, testing=True)
    monkeypatch.delenv("POLICYKIT_BOT")
    return guard


def test_every_bound_of_two_live_versions_applies_to_both(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One has 20 open orders at most, the other orders of 1,000: both keep both, until one is silent."""
    world = start()
    one = world.guard()
    two = other_guard(world, monkeypatch, "two", order="1000 USDT", open=30)
    two.observe(equity="100000 USDT", positions={}, marks={SYMBOL: "60000"}, skew_ms=0)
    assert two.engine.effective.model.risk.max_open_orders == 20  # type: ignore[union-attr]
    assert codes(two, 1_200) == ["RISK_ORDER_NOTIONAL"]
    assert codes(one, 1_200) == []
    one.maintain()
    assert codes(one, 1_200) == ["RISK_ORDER_NOTIONAL"]
    assert rows(one, "policy")[-1]["layers"] == [two.in_force.own.version]
    told = {info.bot: info.policy_version for info in one.store.guards()}
    assert told == {"mm": one.in_force.own.version, "two": two.in_force.own.version}
    world.clock.advance(SILENT_MS / 1000 + 1)
    one.maintain()
    assert codes(one, 1_200) == []
    assert one.policy.version == one.in_force.own.version


def test_a_version_that_is_silent_keeps_its_defaults(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One says nothing of the age of facts, which is 10 s then; the other's hour does not become its own."""
    world = start()
    write(world, policy_text().replace(", max_age: 10s", ""))
    one = world.guard()
    other = Path(world.policy).with_name("two.yaml")
    other.write_text(policy_text().replace("max_age: 10s", "max_age: 1h"), encoding="utf-8")
    monkeypatch.setenv("POLICYKIT_BOT", "two")
    two = Guard.load(other, store=world.store, clock=world.clock, testing=True)
    one.maintain()
    assert one.policy.version != one.in_force.own.version  # they are layers
    for guard in (one, two):
        assert guard.policy.model.account.max_age == Duration(10_000), guard.bot


def test_a_reload_keeps_the_layers(start: Callable[..., World], monkeypatch: pytest.MonkeyPatch) -> None:
    """What the file newly allows, the other live version still forbids."""
    world = start()
    one = world.guard(allow_loosen=True)
    other_guard(world, monkeypatch, "two", order="1000 USDT")
    one.maintain()
    write(world, policy_text(order="3000 USDT"))
    one.maintain()
    assert codes(one, 1_200) == ["RISK_ORDER_NOTIONAL"]


def test_other_names_accounts_and_equal_versions_are_no_layers(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two names share counters and keep their own caps."""
    world = start()
    one = world.guard()
    engine = one.engine
    other_guard(world, monkeypatch, "two", order="1000 USDT", name="other")
    other_guard(world, monkeypatch, "three", order="1000 USDT", account="hedge")
    other_guard(world, monkeypatch, "four")
    one.maintain()
    assert one.engine is engine


@pytest.mark.parametrize("said", ["{", "[]", '{"policykit": 99}'])
def test_a_version_that_cannot_be_read_leaves_the_own_in_force(
    start: Callable[..., World], caplog: pytest.LogCaptureFixture, said: str
) -> None:
    """A guard of another version of the library may write words that this one does not have: that is told."""
    world = start()
    one = world.guard()
    who = ("later", "elsewhere", 1, one.account, "mm")
    one.store.beat(GuardInfo(*who, "sha256:1", "mm.yaml", "enforce", one.now(), said))
    with caplog.at_level(logging.WARNING, "policykit.guard"):
        one.maintain()
    assert caplog.messages == ["version sha256:1 of mm, which another live guard has, cannot be read here"]
    assert codes(one, 1_200) == []


def test_what_is_told_of_a_policy_has_no_secret_reference(start: Callable[..., World]) -> None:
    """Where a key's secret lives is its host's matter."""
    guard = start().guard()
    (info,) = guard.store.guards()
    assert '"max_order_notional":"1500 USDT"' in info.policy
    assert "env://" not in info.policy


# ---- a candidate


def test_a_candidate_says_where_it_differs_and_acts_on_nothing(start: Callable[..., World], tmp_path: Path) -> None:
    """An order over the candidate's cap, under the active one's, is sent; its row says what the candidate would do."""
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(policy_text(order="1000 USDT"), encoding="utf-8")
    world = start()
    guard = world.guard(shadow=candidate)
    client = world.protected(guard)
    client.create_order(SYMBOL, "limit", "buy", 0.02, 59_000)
    client.create_order(SYMBOL, "limit", "buy", 0.01, 59_000)
    with pytest.raises(Denied):
        client.create_order(SYMBOL, "limit", "buy", 0.03, 59_000)
    assert world.sim.truth.by_route["POST /api/v3/order"] == 2
    told = [row.get("shadow") for row in rows(guard, "decision")]
    assert guard.shadow is not None
    policy = {"name": "mm", "version": guard.shadow.engine.effective.version}
    over = {"outcome": "deny", "reasons": ["RISK_ORDER_NOTIONAL"], "checks": ["risk.max_order_notional"]}
    assert told == [{"policy": policy, **over}, None, None]
    assert (guard.shadow.judged, guard.shadow.differed, guard.shadow.failed) == (3, 1, 0)
    with closing(open_journal(world.store)) as journal:
        story = timeline.find(journal, next(iter(guard.store.intents(guard.account))).id)
    assert isinstance(story, timeline.Story)
    assert f"candidate mm {policy['version']} would deny it: RISK_ORDER_NOTIONAL" in timeline.render(story)
    guard.maintain()
    labels = {names.POLICY_ID: "mm", names.POLICY_VERSION: policy["version"]}
    assert (1, labels) in guard.telemetry.counters.series(names.M_SHADOW)


def test_a_candidate_that_fails_changes_nothing(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Its error is counted; the order goes its way, and the row says that the candidate failed."""
    candidate = tmp_path / "candidate.yaml"
    candidate.write_text(policy_text(order="1000 USDT"), encoding="utf-8")
    world = start()
    guard = world.guard(shadow=candidate)
    assert guard.shadow is not None

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(guard.shadow.engine, "assess", broken)
    world.protected(guard).create_order(SYMBOL, "limit", "buy", 0.02, 59_000)
    assert (guard.shadow.judged, guard.shadow.differed, guard.shadow.failed) == (1, 0, 1)
    failed = {"policy": guard.shadow.label, "outcome": "failed", "reasons": []}
    assert rows(guard, "decision")[0]["shadow"] == failed


def test_a_store_that_is_down_keeps_what_is_in_force(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop lives, and what is in force is as strict as the file, or as it was before."""
    world = start()
    guard = world.guard()

    def down(*_: object, **__: object) -> None:
        raise StoreUnavailable("down", "STORE_DOWN")

    write(world, policy_text(order="1000 USDT"))
    monkeypatch.setattr(guard.store, "announce", down)
    guard.maintain()
    monkeypatch.undo()
    guard.maintain()
    assert codes(guard, 1_200) == ["RISK_ORDER_NOTIONAL"]


def test_run_lets_a_file_be_loosened_only_when_it_was_told(
    start: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`policykit run --allow-loosen` reaches the guard of the program; what an outer run was told does not."""
    world = start(text=USUAL.replace("environment: live", "environment: sandbox"))
    monkeypatch.setenv("POLICYKIT_STORE", world.store)
    file = str(world.policy)
    for allow in (False, True):
        env = environment(file, None, None, {ALLOW_LOOSEN: "1"}, allow_loosen=allow)
        assert (ALLOW_LOOSEN in env) is allow
        with monkeypatch.context() as patch:
            for name in ("POLICYKIT_POLICY", KEY, ALLOW_LOOSEN):
                patch.delenv(name, raising=False)
                if name in env:
                    patch.setenv(name, env[name])
            assert _Process().current().guard.allow_loosen is allow
