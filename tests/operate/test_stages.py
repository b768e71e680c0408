"""`policykit stage`, `fills`, `review`: a stage is left on evidence from the journal and by a person who may."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from policykit.cli.__main__ import main
from policykit.clock import iso
from policykit.operate.stages import standing
from policykit.policy import load
from policykit.rules.stages import MINIMUM_DAYS, STAGES
from policykit.store import Store, open_store
from policykit.store.base import Observation
from tests.journal.test_schema import wrong
from tests.store.lives import DAY, TEXT, begin, denied, ordered, outcome
from tests.store.made import ACCOUNT, NOW

Out = pytest.CaptureFixture[str]
NEEDS = "kill_switch: {drill_every: 10d}\n"
LATER = iso(NOW + 8 * DAY)


PATHS = (
    "  4. each error path met: not yet: an order denied by the policy, one rejected by the exchange, one filled, "
    "one cancelled, one amended, one whose answer was lost, looked up"
)


class Desk:
    """A policy's file and its store, and commands on them at a moment."""

    def __init__(self, folder: Path, capsys: Out) -> None:
        self.file = folder / "mm.yaml"
        self.store: Store = open_store(f"sqlite:///{folder}/store.db")
        self._capsys = capsys

    def write(self, stage: str, environment: str = "live", more: str = "", needs: str = ", approver: head") -> Any:
        """Write the policy at a stage, load and begin it."""
        text = TEXT.format(stage=stage, environment=environment)
        text = text.replace(f"{{current: {stage}}}", f"{{current: {stage}, next_needs: {{days: 1{needs}}}}}")
        self.file.write_text(text + NEEDS + more, encoding="utf-8")
        return load(self.file)

    def run(self, *words: str, now: str = LATER) -> tuple[int, str, str]:
        """Run a command; return its exit code and what it wrote."""
        code = main([*words, "--now", now])
        said = self._capsys.readouterr()
        return code, said.out, said.err

    def grant(self, stage: str, at_ms: int = NOW) -> None:
        """Write down that a stage was granted."""
        self.store.keep(ACCOUNT, "stage", "mm", {"stage": stage, "by": "head", "move": "promote"}, at_ms)

    def missing(self) -> list[str]:
        """Return the needs that are not met."""
        _, out, _ = self.run("stage", "status", str(self.file), "--format", "json")
        return [need["id"] for need in json.loads(out)["needs"] if not need["met"]]


@pytest.fixture
def desk(tmp_path: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """An empty desk."""
    monkeypatch.setenv("POLICYKIT_STORE", f"sqlite:///{tmp_path}/store.db")
    made = Desk(tmp_path, capsys)
    yield made
    made.store.close()


def lived_in_sandbox(desk: Desk) -> Any:
    """Live through a sandbox in which everything happened."""
    policy = desk.write("sandbox", "sandbox", "risk: {order_types: [limit, market]}\n")
    begin(desk.store, policy, NOW)
    for day in range(8):
        ordered(desk.store, policy, NOW + day * DAY, outcome("acknowledged"))
    ordered(desk.store, policy, NOW, outcome("rejected"), type="market")
    ordered(desk.store, policy, NOW, outcome("unknown"), outcome("found", filled="1"), action="order.amend")
    denied(desk.store, policy, NOW + DAY)
    denied(desk.store, policy, NOW + DAY, outcome="allow", action="order.cancel", reasons=())
    desk.store.keep("", "drill", "kill", {"by": "ops"}, NOW + DAY)
    return policy


def test_a_promotion_is_refused_with_what_is_missing(desk: Desk) -> None:
    """Numbered, each with the command that provides it; nothing is written, exit code 1."""
    policy = desk.write("sandbox", "sandbox")
    begin(desk.store, policy, NOW)
    rows = len(list(desk.store.rows()))
    code, out, err = desk.run("stage", "promote", str(desk.file), "--by", "head", now=iso(NOW + DAY))
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "mm stays at sandbox; paper needs:",
        "  1. 7 days in sandbox: 1, with something on each",
        "     let it run at sandbox for 6 more days",
        "  2. 1 orders in sandbox: 0",
        f"     policykit stage exercise {desk.file}",
        "  3. each allowed order type sent: not yet: limit, market",
        f"     policykit stage exercise {desk.file}",
        PATHS,
        f"     policykit stage exercise {desk.file}",
        "  5. a drill of the kill switch in the last 10 days: never",
        "     policykit drill kill",
    ]
    assert len(list(desk.store.rows())) == rows


def test_a_promotion_with_all_of_it_journals_the_evidence_and_prints_the_edit(desk: Desk) -> None:
    """The row has the needs and by what they were met, who said so and what is known of them; the file stays."""
    policy = lived_in_sandbox(desk)
    assert desk.missing() == ["denials"]
    assert desk.run("stage", "check", str(desk.file))[0] == 1
    code, out, _ = desk.run("review", "denials", str(desk.file), "--by", "ops", "--through", "999")
    day = iso(NOW + DAY)[:16]
    assert (code, out.splitlines()[0]) == (0, f"RISK_ORDER_NOTIONAL BTC/USDT: once, {day} to {day}")
    assert desk.run("stage", "check", str(desk.file))[0] == 0
    before = desk.file.read_text(encoding="utf-8")
    code, out, _ = desk.run("stage", "promote", str(desk.file), "--by", "head", "--why", "eight calm days")
    assert code == 0
    assert re.search(r"^mm on binance/main@sandbox: paper, by head \(claimed", out)
    assert "-stage: {current: sandbox, next_needs: {days: 1, approver: head}}" in out.splitlines()
    assert f"+stage: {{current: paper, next_needs: {{days: 1, approver: head}}, since: {LATER[:10]}}}" in out
    assert "+environment: live" in out.splitlines()
    assert desk.file.read_text(encoding="utf-8") == before
    row = desk.store.kept(ACCOUNT, "stage")["mm"]
    assert (row["stage"], row["was"], row["by"], row["move"]) == ("paper", "sandbox", "head", "promote")
    assert row["claim"]["proof"] == "claimed"
    assert row["evidence"]["orders"] == "1 orders in sandbox: 9"
    assert (row["seen"]["sandbox"]["orders"], row["version"]) == (9, policy.version)
    assert set(row["evidence"]) == {"days", "orders", "denials", "approver", "types", "paths", "drill"}
    assert [message for one in desk.store.rows() for message in wrong(one)] == []
    # And now it is at paper, of which nothing is there yet.
    assert desk.missing() == ["days", "orders", "address"]


def test_write_makes_the_edit(desk: Desk) -> None:
    """Only with --write; the file still loads, at the next stage."""
    lived_in_sandbox(desk)
    desk.run("review", "denials", str(desk.file), "--by", "ops", "--through", "999")
    code, out, _ = desk.run("stage", "promote", str(desk.file), "--by", "head", "--write", "--format", "json")
    assert (code, json.loads(out)["written"], json.loads(out)["problem"]) == (0, True, None)
    policy = load(desk.file)
    stage = policy.model.stage
    assert stage is not None
    assert (stage.current, str(stage.since), policy.model.environment) == ("paper", LATER[:10], "live")


@pytest.mark.parametrize(
    ("needs", "by", "said"),
    [
        (", approver: head", "ops", "ops may not; head may ("),
        ("", "ops", "nobody is named who may; say it: stage: {next_needs: {approver: NAME}}, or kill_switch.rearm.by"),
    ],
)
def test_only_who_is_named_may_promote(desk: Desk, needs: str, by: str, said: str) -> None:
    """Whatever the evidence is; and where nobody is named, nobody may."""
    desk.write("sandbox", "sandbox", needs=needs)
    for more in ((), ("--external", "--why", "x")):
        code, _, err = desk.run("stage", "promote", str(desk.file), "--by", by, *more)
        assert (code, said in err) == (1, True), err
    assert desk.store.kept(ACCOUNT, "stage") == {}


def test_what_was_earned_elsewhere_is_taken_with_a_name_and_a_reason(desk: Desk) -> None:
    """The stages before are marked so, lint reads that, and the file's stage holds."""
    desk.write("full-live")
    code, _, err = desk.run("stage", "promote", str(desk.file), "--external", "--by", "head")
    assert (code, err) == (1, "say where the evidence is: --why TEXT\n")
    code, out, _ = desk.run("stage", "promote", str(desk.file), "--external", "--by", "head", "--why", "DESK-7")
    assert code == 0
    assert out.splitlines()[-1] == "its file says so already"
    _, out, _ = desk.run("stage", "status", str(desk.file))
    assert "  paper: passed elsewhere" in out.splitlines()
    assert out.splitlines()[-1] == "at full-live, the last stage"
    code, _, err = desk.run("stage", "promote", str(desk.file), "--by", "head")
    assert (code, err) == (1, "mm is at full-live, the last stage\n")
    assert main(["journal", "export", "--record", str(desk.file), "-o", str(desk.file) + ".json"]) == 0
    record = json.loads(Path(f"{desk.file}.json").read_text(encoding="utf-8"))
    assert (record["stage"], record["stages"]["sandbox"]["external"]) == ("full-live", True)


def test_going_back_needs_a_name_only_and_starts_anew(desk: Desk) -> None:
    """Nobody has to be asked to be careful; what was earned before counts no more."""
    lived_in_sandbox(desk)
    desk.run("review", "denials", str(desk.file), "--by", "ops", "--through", "999")
    desk.run("stage", "promote", str(desk.file), "--by", "head", "--write")
    code, _, err = desk.run("stage", "demote", str(desk.file), "--to", "micro-live", "--by", "ops", "--why", "x")
    assert (code, err) == (1, "mm is at paper; micro-live is a promotion: policykit stage promote\n")
    code, _, _ = desk.run("stage", "demote", str(desk.file), "--to", "sandbox", "--by", "anyone", "--why", "odd")
    assert code == 0
    assert desk.store.kept(ACCOUNT, "stage")["mm"]["stage"] == "sandbox"
    assert desk.missing() == ["days", "orders", "types", "paths"]
    assert main(["journal", "export", "--record", str(desk.file), "-o", str(desk.file) + ".json"]) == 0
    assert json.loads(Path(f"{desk.file}.json").read_text(encoding="utf-8"))["stages"] == {}


def test_going_back_grants_nothing_that_was_never_granted(desk: Desk) -> None:
    """A name is enough to go back, so it must not be enough to stand at a stage that nobody earned."""
    desk.write("full-live")
    for stage in ("full-live", "micro-live", "paper"):
        code, _, err = desk.run("stage", "demote", str(desk.file), "--to", stage, "--by", "mallory", "--why", "x")
        assert (code, err) == (1, f"mm is at sandbox; {stage} is a promotion: policykit stage promote\n")
    assert not desk.store.kept(ACCOUNT, "stage")


def micro(desk: Desk) -> Any:
    """Trade at micro-live for eight days."""
    policy = desk.write("micro-live")
    desk.grant("micro-live")
    begin(desk.store, policy, NOW)
    for day in range(8):
        ordered(desk.store, policy, NOW + day * DAY, outcome("acknowledged", filled="0.5", cost=_cost("30000")))
    return policy


def _cost(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def test_micro_live_is_left_when_a_person_saw_every_fill(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fills, losses, drill, address, alert: each is met by its row alone, and in any order."""
    policy = micro(desk)
    denied(desk.store, policy, NOW, "risk.daily_loss")
    assert desk.missing() == ["denials", "fills", "losses", "drill", "address", "alert", "telemetry"]
    desk.store.keep("", "drill", "kill", {}, NOW + DAY)
    proof = {"exchange": "binance", "environment": "live", "account": "main", "key": "trader", "host": "h"}
    desk.store.prove(proof, NOW + DAY)
    desk.store.event("message", {"target": "ops", "ok": False, "test": True, "policy": "mm", "words": "x"}, NOW + DAY)
    assert "alert" in desk.missing()
    desk.store.event("message", {"target": "ops", "ok": True, "test": True, "policy": "mm"}, NOW + DAY)
    assert desk.missing() == ["denials", "fills", "losses", "telemetry"]
    code, out, _ = desk.run("review", "telemetry", str(desk.file), "--by", "ops")
    assert (code, out.startswith(f"mm {policy.version}: telemetry looked at by ops (claimed")) == (0, True)
    code, out, _ = desk.run("fills", "status", str(desk.file))
    assert code == 1
    assert out.splitlines()[0].endswith(
        "buy 0.5 BTC/USDT at 60000, limit 60000  (order " + out.split("(order ")[1][:26] + ", row 4)"
    )
    code, out, err = desk.run("fills", "review", str(desk.file), "--by", "ops")
    assert (code, out) == (2, "")
    assert "nobody is there to be asked" in err
    fills = json.loads(desk.run("fills", "status", str(desk.file), "--format", "json")[1])["fills"]
    third = str(fills[2]["seq"])
    code, out, _ = desk.run("fills", "review", str(desk.file), "--by", "ops", "--through", third)
    assert (code, out.startswith("3 of 8 fills looked at by ops")) == (1, True)
    answers = iter([True, True, False])
    monkeypatch.setattr("policykit.cli.fills.asks", lambda _: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: next(answers))
    code, out, err = desk.run("fills", "review", str(desk.file), "--by", "ops")
    assert (code, "2 of 5 fills looked at by ops" in out) == (1, True)
    assert err == f"not as meant: policykit journal show {fills[5]['order']}\n"
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    assert desk.run("fills", "review", str(desk.file), "--by", "ops")[0] == 0
    assert desk.run("fills", "status", str(desk.file))[:2] == (0, "0 fills to look at\n")
    assert desk.missing() == ["denials", "losses"]


def test_a_stage_with_losses_is_started_anew(desk: Desk) -> None:
    """It is never left; going back to its beginning forgets what was."""
    policy = micro(desk)
    denied(desk.store, policy, NOW, "risk.max_drawdown")
    assert "losses" in desk.missing()
    desk.run("stage", "demote", str(desk.file), "--to", "micro-live", "--by", "ops", "--why", "mended")
    assert "losses" not in desk.missing()
    assert desk.store.kept(ACCOUNT, "stage")["mm"]["move"] == "demote"


def test_small_live_needs_a_review_of_the_policy(desk: Desk) -> None:
    """`review done` says so; the day is in the record, for lint."""
    policy = desk.write("small-live", more="review: {every: 90d}\n")
    desk.grant("small-live")
    begin(desk.store, policy, NOW)
    assert "review" in desk.missing()
    assert "overdue: every 90d" in desk.run("review", "status", str(desk.file))[1]
    code, _, _ = desk.run("review", "done", str(desk.file), "--by", "head", "--note", "caps fit")
    assert code == 0
    assert "review" not in desk.missing()
    assert "policy: 2026" in desk.run("review", "status", str(desk.file))[1]
    rows = json.loads(desk.run("review", "status", str(desk.file), "--format", "json")[1])["reviews"]
    assert (rows["policy"]["by"], rows["policy"]["note"]) == ("head", "caps fit")


def test_denials_are_shown_by_kind(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """How often, from when to when, one of them to look at; without a yes they stay open."""
    policy = desk.write("paper")
    begin(desk.store, policy, NOW)
    for hour in range(3):
        denied(desk.store, policy, NOW + hour * 3_600_000)
    code, out, _ = desk.run("review", "denials", str(desk.file), "--by", "ops", "--format", "json")
    said = json.loads(out)
    assert (code, said["through"], len(said["denials"])) == (1, 4, 1)
    assert (said["denials"][0]["count"], said["denials"][0]["first"]) == (3, iso(NOW))
    assert desk.run("review", "denials", str(desk.file), "--by", "ops", "--through", "2")[0] == 1
    assert "RISK_ORDER_NOTIONAL BTC/USDT: 2 times" in desk.run("review", "denials", str(desk.file))[1]
    monkeypatch.setattr("policykit.cli.review.asks", lambda _: True)
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    assert desk.run("review", "denials", str(desk.file), "--by", "ops")[0] == 0
    assert desk.run("review", "denials", str(desk.file))[0] == 0


def test_only_so_many_are_listed_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A review of what is listed reaches to the last of it; the rest comes with the next."""
    monkeypatch.setattr("policykit.operate.stages.reviewing.MAX_LISTED", 3)
    micro(desk)
    looked = []
    for _ in range(3):
        fills = json.loads(desk.run("fills", "status", str(desk.file), "--format", "json")[1])
        looked.append(len(fills["fills"]))
        desk.run("fills", "review", str(desk.file), "--by", "ops", "--through", str(fills["through"]))
    assert looked == [3, 3, 2]
    assert desk.run("fills", "status", str(desk.file))[0] == 0


def test_nobody_is_asked_without_a_terminal(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one, a no changes nothing."""
    desk.write("full-live")
    monkeypatch.setattr("policykit.cli.stage.asks", lambda no_input: not no_input)
    monkeypatch.setattr("click.confirm", _no)
    asked = ("stage", "promote", str(desk.file), "--external", "--by", "head", "--why", "x")
    assert desk.run(*asked)[0] != 0
    assert desk.store.kept(ACCOUNT, "stage") == {}
    assert desk.run(*asked, "--no-input")[0] == 0


def _no(*_: Any, **__: Any) -> bool:
    import click

    raise click.Abort


def test_an_edit_that_cannot_be_made_is_said(desk: Desk, tmp_path: Path) -> None:
    """A stage that another file says: the grant stands, the edit is left to a person."""
    base = tmp_path / "base.yaml"
    base.write_text("policykit: 1\nname: base\nstage: {current: micro-live}\n", encoding="utf-8")
    desk.write("full-live")
    text = desk.file.read_text(encoding="utf-8")
    text = re.sub(r"stage: .*\n", "", text).replace("name: mm\n", "name: mm\nextends: [base.yaml]\n")
    desk.file.write_text(text.replace(NEEDS, "kill_switch: {rearm: {by: [head]}}\n"), encoding="utf-8")
    desk.grant("micro-live")
    code, out, err = desk.run("stage", "demote", str(desk.file), "--to", "paper", "--by", "ops", "--why", "x")
    assert (code, out.splitlines()[0][:26]) == (1, "mm on binance/main: paper,")
    assert err == (f"{desk.file}: stage.current is said in {base}; write stage: {{current: paper}} there by hand\n")


def test_the_page_has_each_need_and_its_command(desk: Desk) -> None:
    """docs/stages.md: the days of each stage, and what provides each need, as the command says it."""
    page = (Path(__file__).parents[2] / "docs/stages.md").read_text(encoding="utf-8")
    days = next(line for line in page.splitlines() if line.startswith("| days, with something on each"))
    assert [cell.strip() for cell in days.split("|")[2:6]] == [str(MINIMUM_DAYS[stage]) for stage in STAGES[:4]]
    for stage in STAGES[:4]:
        policy = desk.write(stage, "sandbox" if stage == "sandbox" else "live")
        desk.grant(stage)
        for need in standing(policy, desk.store, NOW).needs:
            command = need.do.split(f" {desk.file}")[0]
            if command.startswith("policykit"):
                assert command in page, need


def test_days_in_a_sandbox_are_evidence_of_no_stage_with_money(desk: Desk) -> None:
    """A file that says micro-live and trades play money shows nothing of micro-live: neither days nor fills."""
    desk.grant("micro-live")
    policy = desk.write("micro-live", "sandbox")
    begin(desk.store, policy, NOW)
    for day in range(20):
        ordered(desk.store, policy, NOW + day * DAY, outcome("settled", NOW + day * DAY, "1"))
        desk.store.observe(policy.account_key, Observation(NOW + day * DAY, NOW + day * DAY), NOW + day * DAY)
    of = standing(desk.write("micro-live"), desk.store, NOW + 20 * DAY)
    assert {need.id: need.found for need in of.needs if need.id in ("days", "orders", "fills")} == {
        "days": "0, with something on each",
        "orders": "0",
        "fills": "0 of 0 not",
    }
    assert of.staging.stages["sandbox"].fills == 20
