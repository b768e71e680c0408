"""Vendors: the six questions asked or read, judged as the guide does, kept with a day, held against the keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from policykit.cli import vendor as module
from policykit.cli.__main__ import main
from policykit.errors import PolicykitError
from policykit.operate.vendors import ASKS, KIND, review
from policykit.policy import load
from policykit.rules.vendors import QUESTIONS
from policykit.store import open_store
from policykit.store.record import record_of
from tests.guard.world import policy_text

GOOD: dict[str, Any] = {
    "asks_for": ["read"],
    "ip_restricted_keys": True,
    "activity_logs": True,
    "revocable_at_once": True,
    "second_factor": True,
    "incidents_disclosed": True,
}
NEVER = ("withdraw", "secret", "remote_access")
VENDORS = """\
vendors:
  tax-report: {keys: [mm-exec], asks_for: [read], ip_restricted_keys: true, activity_logs: true,
    revocable_at_once: true, second_factor: true, incidents_disclosed: true, review_every: 90d}
  idle: {asks_for: [read]}
"""


@pytest.fixture
def uri(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty store, the default one."""
    monkeypatch.setenv("POLICYKIT_STORE", made := f"sqlite:///{tmp_path}/store.db")
    return made


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy of which one vendor holds a key."""
    file = tmp_path / "mm.yaml"
    file.write_text(policy_text() + VENDORS)
    return file


def answers(tmp_path: Path, **changes: Any) -> str:
    """Write a file of answers."""
    file = tmp_path / "answers.json"
    file.write_text(json.dumps({**GOOD, **changes}))
    return str(file)


@pytest.mark.parametrize(
    ("change", "result", "reasons"),
    [
        ({}, "passed", ()),
        ({"asks_for": ["read", "withdraw"]}, "disqualified", ("asks for the withdraw permission",)),
        ({"asks_for": ["secret"]}, "disqualified", ("asks for the secret itself",)),
        ({"asks_for": ["remote_access"]}, "disqualified", ("asks for remote access",)),
        ({"activity_logs": False}, "disqualified", ("shows no log of what it did",)),
        ({"second_factor": None}, "disqualified", ("did not answer whether its dashboard has a second factor",)),
        ({"revocable_at_once": False}, "failed", ("cannot be cut off at once",)),
        ({"ip_restricted_keys": False, "incidents_disclosed": False}, "failed",
         ("takes no keys bound to addresses", "has not told of past incidents")),
    ],
)  # fmt: skip
def test_answers_are_judged_as_the_guide_does(change: dict[str, Any], result: str, reasons: tuple[str, ...]) -> None:
    """G47 disqualifies: withdrawal, the secret, remote access, no log, no answer. Another no does not pass (G46)."""
    done = review("x", {**GOOD, **change}, {})
    assert (done.result, done.reasons) == (result, reasons)


@pytest.mark.parametrize("name", [*QUESTIONS])
def test_every_question_counts(name: str) -> None:
    """Left unanswered, each of the six disqualifies."""
    assert review("x", {**GOOD, name: None}, {}).result == "disqualified"


def test_what_a_vendor_may_ask_for_is_the_language_s() -> None:
    """Each word that is offered at the prompt is one that a policy may say."""
    for word in ASKS:
        assert review("x", {**GOOD, "asks_for": [word]}, {}).result == ("disqualified" if word in NEVER else "passed")
    with pytest.raises(PolicykitError, match=r"^asks_for\.0: "):
        review("x", {**GOOD, "asks_for": ["everything"]}, {})


def test_a_review_is_kept_and_lint_reads_it(
    uri: str, policy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who asked, the answers, what proves them; status and PK807 go by it, also when it is too old."""
    asked = ["vendor", "review", "tax-report", "--by", "alice", "--now", "2026-11-01T10:00:00Z"]
    evidence = {"activity_logs": "https://tax-report.example/audit"}
    assert main(["vendor", "status", str(policy), "--now", "2026-11-02"]) == 1
    assert capsys.readouterr().out == (
        "idle: never reviewed; holds no key of these policies\ntax-report: never reviewed; holds mm/mm-exec\n"
    )
    assert main([*asked, "--answers", answers(tmp_path, evidence=evidence), "--note", "by mail"]) == 0
    assert capsys.readouterr().out == "tax-report: passed, asked by alice\n"
    row = open_store(uri).kept("", KIND)["vendor:tax-report"]
    assert (row["answers"], row["evidence"], row["note"]) == (GOOD, evidence, "by mail")
    assert (row["by"], row["claim"]["proof"], row["result"]) == ("alice", "claimed", "passed")
    assert main(["vendor", "status", str(policy), "--now", "2026-11-02"]) == 0
    assert "tax-report: passed on 2026-11-01 by alice, due 2027-01-30; holds mm/mm-exec" in capsys.readouterr().out
    assert main(["vendor", "status", str(policy), "--now", "2027-02-01", "--format", "json"]) == 1
    told = {one["vendor"]: one["holds"] for one in json.loads(capsys.readouterr().out)["vendors"]}
    assert told == {"idle": False, "tax-report": False}
    reviews = record_of(open_store(uri), load(policy, now_ms=0)).reviews or {}
    assert (reviews["vendor:tax-report"].by, reviews["vendor:tax-report"].result) == ("alice", "passed")
    assert reviews["vendor:tax-report"].at.startswith("2026-11-01T10:00:00")


def test_one_that_does_not_pass_is_told_what_to_do(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 1, the reasons, and the command that makes its keys overdue."""
    asked = ["vendor", "review", "copy-inc", "--by", "alice", "--answers", answers(tmp_path, activity_logs=False)]
    assert main(asked) == 1
    assert capsys.readouterr().out == (
        "copy-inc: disqualified, asked by alice\n  it shows no log of what it did\n"
        "  it gets no key; delete the ones that it has: policykit keys exposed --vendor copy-inc\n"
    )
    assert main([*asked, "--format", "json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["result"], said["reasons"], said["by"]) == ("disqualified", ["shows no log of what it did"], "alice")
    assert main(["vendor", "status"]) == 0  # it holds no key that is known here
    assert "copy-inc: disqualified on " in capsys.readouterr().out


def test_what_a_policy_says_of_it_is_taken_for_answers(
    uri: str, policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A vendor that the policy describes whole passes; one that it describes in part does not."""
    asked = ["vendor", "review", "--by", "alice", "--policy", str(policy)]
    assert main([*asked, "tax-report"]) == 0
    assert main([*asked, "idle"]) == 1
    assert main([*asked, "nobody"]) == 2
    assert "vendors has no nobody; tax-report, idle" in capsys.readouterr().err


def test_on_a_terminal_each_question_is_asked(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that is known stands there; `?` is no answer, and the next review starts from these."""
    monkeypatch.setattr(module, "asks", lambda no_input: not no_input)
    run = CliRunner()
    words = ["review", "tax-report", "--by", "alice", "--format", "json"]
    done = run.invoke(module.command, words, input="read,trade\nyes\nyes\nyes\n?\nyes\n")
    assert done.exit_code == 1
    assert "whether its dashboard has a second factor (yes, no, ?)" in done.output
    again = run.invoke(module.command, words, input="\n\n\n\nyes\n\n")
    assert again.exit_code == 0
    said = json.loads(again.output[again.output.index("{\n") :])
    assert said["answers"] == {**GOOD, "asks_for": ["read", "trade"]}
    gone = run.invoke(module.command, words, input="?\nno\n\n\n\n\n")
    assert json.loads(gone.output[gone.output.index("{\n") :])["answers"]["asks_for"] is None


def test_a_wrong_call_is_said(uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to go by, a file that is none, a question that is none, an answer that is none."""
    asked = ["vendor", "review", "x", "--by", "alice"]
    assert main(asked) == 2
    assert "nobody is there to be asked" in capsys.readouterr().err
    bad = tmp_path / "bad.json"
    for text, told in (("[", "is not JSON with answers"), ("[1]", "is not JSON with answers")):
        bad.write_text(text)
        assert main([*asked, "--answers", str(bad)]) == 2
        assert told in capsys.readouterr().err
    assert main([*asked, "--answers", str(tmp_path / "none")]) == 2
    assert "cannot be read (No such file or directory)" in capsys.readouterr().err
    assert main([*asked, "--answers", answers(tmp_path, certified=True)]) == 2
    assert "certified: no such question; asks_for" in capsys.readouterr().err
    assert main([*asked, "--answers", answers(tmp_path, second_factor="maybe")]) == 2
    assert "second_factor: " in capsys.readouterr().err
    assert main(["vendor", "status"]) == 0
    assert capsys.readouterr().out == "no vendor is known; `vendors:` of a policy names who holds a key\n"
    assert open_store(uri).kept("", KIND) == {}
